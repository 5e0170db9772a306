"""Dialogues of three-digit replies: FTP, SMTP, NNTP."""

from __future__ import annotations

from abc import abstractmethod
from typing import Generic, TypeVar

from netclients.errors import ProtocolError
from netclients.wire.dialogue import Dialogue, DialogueCommand
from netclients.wire.lines import LineBuffer
from netclients.wire.pipeline import Ticket
from netclients.wire.replies import Reply, ReplyParser

__all__ = ["NumberedDialogue"]

C = TypeVar("C", bound=DialogueCommand[Reply])


class NumberedDialogue(Dialogue[C, Reply], Generic[C]):
    """One connection of a protocol whose replies begin with three digits, and belong to the oldest command.

    ``line`` and ``reply`` are bounds in bytes; ``encoding`` is that of reply texts.
    """

    def __init__(self, greeting: C, *, line: int, reply: int, encoding: str = "utf-8") -> None:
        super().__init__(greeting)
        self._lines = LineBuffer(line)
        self._parser = ReplyParser(reply, encoding)

    @abstractmethod
    def receive_reply(self, ticket: Ticket[C, Reply] | None, reply: Reply) -> None:
        """Take a reply; None: no command waits for one.

        Raises:
            ProtocolError: it makes no sense here.
        """

    def receive_data(self, data: memoryview) -> None:
        """See :meth:`~netclients.wire.dialogue.Dialogue.receive_data`."""
        for line in self._lines.feed(data):
            reply = self._parser.feed_line(line)
            if reply is not None:
                self.receive_reply(self._pipeline.current, reply)

    def forbid_leftovers(self) -> None:
        """See :meth:`~netclients.wire.dialogue.Dialogue.forbid_leftovers`."""
        awaited = self._pipeline and self.greeting.reply is not None
        if awaited or self.partial:
            raise ProtocolError("the server sent more in clear behind its agreement to TLS")

    @property
    def partial(self) -> bool:
        """See :attr:`~netclients.wire.dialogue.Dialogue.partial`."""
        return bool(self._lines) or self._parser.partial
