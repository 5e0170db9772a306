"""The SMTP connection as a state machine, without I/O (RFC 5321 section 4.1.4, RFC 2920).

It stands on :class:`~netclients.wire.numbered.NumberedDialogue`, and adds what SMTP has of its own: whether a mail
transaction is open, and whether the server waits for a message's content.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from netclients.config import Bounds
from netclients.errors import ProtocolError
from netclients.smtp.commands import Command, Traits
from netclients.wire.dialogue import Unsolicited
from netclients.wire.numbered import NumberedDialogue
from netclients.wire.pipeline import Pipelining, Ticket
from netclients.wire.replies import Reply

__all__ = ["SMTPProtocol", "State"]


class State(enum.Enum):
    """Where the dialogue stands."""

    GREETING = "the greeting is awaited"
    READY = "no transaction is open"
    TRANSACTION = "MAIL was accepted"
    CONTENT = "the server waits for the message"
    CLOSING = "the server has said goodbye"
    CLOSED = "the connection has ended"


class _Signal(enum.Enum):
    GREETED = enum.auto()
    BEGUN = enum.auto()
    INVITED = enum.auto()
    OVER = enum.auto()
    GOODBYE = enum.auto()
    EOF = enum.auto()


_TRANSITIONS: Mapping[tuple[State, _Signal], State] = {
    (State.GREETING, _Signal.GREETED): State.READY,
    (State.READY, _Signal.BEGUN): State.TRANSACTION,
    (State.READY, _Signal.INVITED): State.CONTENT,
    (State.TRANSACTION, _Signal.INVITED): State.CONTENT,
    (State.TRANSACTION, _Signal.OVER): State.READY,
    (State.CONTENT, _Signal.OVER): State.READY,
    (State.GREETING, _Signal.GOODBYE): State.CLOSING,
    (State.READY, _Signal.GOODBYE): State.CLOSING,
    (State.TRANSACTION, _Signal.GOODBYE): State.CLOSING,
    (State.CONTENT, _Signal.GOODBYE): State.CLOSING,
    (State.GREETING, _Signal.EOF): State.CLOSED,
    (State.READY, _Signal.EOF): State.CLOSED,
    (State.TRANSACTION, _Signal.EOF): State.CLOSED,
    (State.CONTENT, _Signal.EOF): State.CLOSED,
    (State.CLOSING, _Signal.EOF): State.CLOSED,
    # RSET and EHLO where there is nothing to end, LMTP's further replies; a server that takes MAIL twice.
    (State.READY, _Signal.OVER): State.READY,
    (State.TRANSACTION, _Signal.BEGUN): State.TRANSACTION,
    (State.CLOSED, _Signal.EOF): State.CLOSED,
}

_GREETING = Command(b"", Traits(Pipelining.BARRIER), shown="greeting")
_OVER = (b"RSET", b"EHLO", b"LHLO", b"HELO")


class SMTPProtocol(NumberedDialogue[Command]):
    """One connection. ``pipelining`` is whether the server takes commands before it has answered earlier ones."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        bounds = bounds or Bounds()
        super().__init__(_GREETING, line=bounds.line, reply=bounds.reply)
        self.state: State = State.GREETING
        self.pipelining: bool = False

    @property
    def ready(self) -> bool:
        """See :attr:`~netclients.wire.numbered.NumberedDialogue.ready`."""
        return self.state is State.READY

    @property
    def ended(self) -> bool:
        """See :attr:`~netclients.wire.numbered.NumberedDialogue.ended`."""
        return self.state is State.CLOSING or self.state is State.CLOSED

    def pipelining_of(self, command: Command) -> Pipelining:
        """Without the extension, one command at a time (RFC 2920 section 3.1)."""
        # Behind a content, LMTP's further replies come without being asked for.
        ahead = self.pipelining or command.doubtful
        return command.traits.pipelining if ahead else Pipelining.BARRIER

    def receive_eof(self) -> None:
        """The server has closed."""
        self._move(_Signal.EOF)

    def receive_reply(self, ticket: Ticket[Command, Reply] | None, reply: Reply) -> None:
        """See :meth:`~netclients.wire.numbered.NumberedDialogue.receive_reply`.

        What was sent behind a command that got 421 is not executed, and gets no reply.
        """
        if self.goodbye is not None:
            return  # nothing counts any more
        if reply.code == 421:
            self.leave(reply)
            self._move(_Signal.GOODBYE)
            if ticket is None:
                self.tell(Unsolicited(reply))
            else:
                self.complete(ticket, reply)
            return
        if ticket is None:
            raise ProtocolError(f"the server sent a reply that nobody asked for: {reply}")
        if reply.kind == 1:
            raise ProtocolError(f"the server answered {ticket.command} by {reply}")
        self._follow(ticket, reply)
        self.complete(ticket, reply)

    def _follow(self, ticket: Ticket[Command, Reply], reply: Reply) -> None:
        line, traits = ticket.command.line, ticket.command.traits
        if ticket is self.greeting:
            self._move(_Signal.GREETED)
        elif traits.doubtful or (reply.kind == 2 and line.startswith(_OVER)):
            self._move(_Signal.OVER)
        elif reply.kind == 2 and line.startswith(b"MAIL"):
            self._move(_Signal.BEGUN)
        elif reply.code == 354 and line == b"DATA":
            self._move(_Signal.INVITED)

    def _move(self, signal: _Signal) -> None:
        try:
            self.state = _TRANSITIONS[self.state, signal]
        except KeyError:
            raise ProtocolError(f"the server's reply makes no sense now: {self.state.value}") from None
