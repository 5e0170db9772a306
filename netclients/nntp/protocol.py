"""The NNTP connection as a state machine, without I/O (RFC 3977 section 3).

::

    submit → pipeline → data_to_send …… receive_data → Reader → lines → Reply; blocks → its body → the ticket that waits

It stands on :class:`~netclients.wire.dialogue.Dialogue`: replies come in the order of the commands, and a command says
itself behind which codes a block follows.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from netclients.config import Bounds
from netclients.errors import ProtocolError
from netclients.nntp.commands import Command, Traits
from netclients.nntp.compressed import Inflated
from netclients.nntp.replies import parse_reply
from netclients.nntp.types import Reply
from netclients.wire.blocks import Block, Collected, Listed, Reader
from netclients.wire.dialogue import Dialogue, Unsolicited
from netclients.wire.pipeline import Pipelining, Ticket

__all__ = ["NNTPProtocol", "State"]


class State(enum.Enum):
    """Where the session stands."""

    GREETING = "the greeting is awaited"
    READY = "commands may be sent"
    CONTENT = "the server waits for an article"
    CLOSING = "the server has said goodbye"
    CLOSED = "the connection has ended"


class _Signal(enum.Enum):
    GREETED = enum.auto()
    INVITED = enum.auto()
    OVER = enum.auto()
    GOODBYE = enum.auto()
    EOF = enum.auto()


_TRANSITIONS: Mapping[tuple[State, _Signal], State] = {
    (State.GREETING, _Signal.GREETED): State.READY,
    (State.READY, _Signal.INVITED): State.CONTENT,
    (State.CONTENT, _Signal.OVER): State.READY,
    (State.GREETING, _Signal.GOODBYE): State.CLOSING,
    (State.READY, _Signal.GOODBYE): State.CLOSING,
    (State.CONTENT, _Signal.GOODBYE): State.CLOSING,
    (State.GREETING, _Signal.EOF): State.CLOSED,
    (State.READY, _Signal.EOF): State.CLOSED,
    (State.CONTENT, _Signal.EOF): State.CLOSED,
    (State.CLOSING, _Signal.EOF): State.CLOSED,
    (State.CLOSED, _Signal.EOF): State.CLOSED,
}

_GREETING = Command(b"", Traits(Pipelining.BARRIER), shown="greeting")
_CLOSES = 400  # RFC 3977 section 3.2.1.1: behind it the server closes
_INVITES = (335, 340)


class NNTPProtocol(Dialogue[Command, Reply]):
    """One connection. ``pipelining``: commands are sent before earlier ones are answered, ``window`` at a time.

    ``gzip``: the server may compress blocks (XFEATURE COMPRESS GZIP).
    """

    def __init__(self, bounds: Bounds | None = None, *, pipelining: bool = True, window: int | None = None) -> None:
        super().__init__(_GREETING, most=window)
        bounds = bounds or Bounds()
        self._reader = Reader(bounds.line, self._take_line, self._take_block)
        self._heading: Reply | None = None
        self._inflated = False
        self.state: State = State.GREETING
        self.pipelining: bool = pipelining
        self.gzip: bool = False

    @property
    def ready(self) -> bool:
        """See :attr:`~netclients.wire.dialogue.Dialogue.ready`."""
        return self.state is State.READY

    @property
    def ended(self) -> bool:
        """See :attr:`~netclients.wire.dialogue.Dialogue.ended`."""
        return self.state is State.CLOSING or self.state is State.CLOSED

    @property
    def partial(self) -> bool:
        """See :attr:`~netclients.wire.dialogue.Dialogue.partial`."""
        return self._reader.partial

    def pipelining_of(self, command: Command) -> Pipelining:
        """See :meth:`~netclients.wire.dialogue.Dialogue.pipelining_of`."""
        return command.traits.pipelining if self.pipelining else Pipelining.BARRIER

    def receive_data(self, data: memoryview) -> None:
        """See :meth:`~netclients.wire.dialogue.Dialogue.receive_data`."""
        self._reader.feed(data)

    def receive_eof(self) -> None:
        """See :meth:`~netclients.wire.dialogue.Dialogue.receive_eof`."""
        self._move(_Signal.EOF)

    def forbid_leftovers(self) -> None:
        """See :meth:`~netclients.wire.dialogue.Dialogue.forbid_leftovers`."""
        awaited = self._pipeline and self.greeting.reply is not None
        if awaited or self.partial or self.ended:
            raise ProtocolError("the server sent more behind its agreement to TLS or compression")

    def _take_line(self, line: bytes) -> Block | None:
        if self.ended:
            return None  # nothing counts any more
        inflated, self._inflated = self._inflated, False
        if inflated and line == b".":
            return None  # quirk_second_dot: behind the compressed data, after one at its end
        reply, ticket = parse_reply(line), self._pipeline.current
        if ticket is None:
            self._take_unasked(reply)
            return None
        command = ticket.command
        if (block := command.block(reply.code)) is not None:
            self._heading = reply
            if self.gzip and "[COMPRESS=GZIP]" in reply.text.upper():
                return Inflated(block)
            return block
        self._follow(ticket, reply)
        self.complete(ticket, reply)
        return None

    def _follow(self, ticket: Ticket[Command, Reply], reply: Reply) -> None:
        command = ticket.command
        if ticket is self.greeting:
            self._move(_Signal.GREETED if reply.kind == 2 else _Signal.GOODBYE)
        elif reply.code == _CLOSES or command.line == b"QUIT":
            self._move(_Signal.GOODBYE)
        elif reply.code in _INVITES and command.line.startswith((b"POST", b"IHAVE")):
            self._move(_Signal.INVITED)
        elif self.state is State.CONTENT:
            self._move(_Signal.OVER)
        if self.ended:
            self.leave(reply)

    def _take_block(self, block: Block) -> None:
        ticket, heading = self._pipeline.current, self._heading
        assert ticket is not None
        assert heading is not None
        if isinstance(block, Inflated):
            self._inflated = True
            block = block.inner
        body = block.body if isinstance(block, Collected) else b""
        lines = tuple(block.lines) if isinstance(block, Listed) else ()
        self.complete(ticket, Reply(heading.code, heading.text, body, lines, block.size))

    def _take_unasked(self, reply: Reply) -> None:
        if reply.kind not in (4, 5):
            raise ProtocolError(f"the server sent a reply that nobody asked for: {reply}")
        # 400 by the standard; some say 503 when they have waited long enough.
        self.leave(reply)
        self._move(_Signal.GOODBYE)
        self.tell(Unsolicited(reply))

    def _move(self, signal: _Signal) -> None:
        try:
            self.state = _TRANSITIONS[self.state, signal]
        except KeyError:
            raise ProtocolError(f"the server's reply makes no sense now: {self.state.value}") from None
