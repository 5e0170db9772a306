"""The FTP control connection as a state machine, without I/O (RFC 959 sections 4 to 6).

It stands on :class:`~netclients.wire.numbered.NumberedDialogue`, and adds what FTP has of its own: transfers, of
which a preliminary reply tells that they begin, and servers' oddities about their last reply. What a verb may do
is :mod:`netclients.ftp.commands`' business.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from netclients.config import Bounds
from netclients.errors import ProtocolError
from netclients.ftp.commands import Command, Traits
from netclients.wire.dialogue import Preliminary, Unsolicited
from netclients.wire.numbered import NumberedDialogue
from netclients.wire.pipeline import Pipelining, Ticket
from netclients.wire.replies import Reply

__all__ = ["FTPProtocol", "State"]


class State(enum.Enum):
    """Where the dialogue stands."""

    GREETING = "the greeting is awaited"
    READY = "no transfer is under way"
    TRANSFERRING = "a transfer's first reply has come, its last has not"
    CLOSING = "the server has said goodbye"
    CLOSED = "the connection has ended"


class _Signal(enum.Enum):
    GREETED = enum.auto()
    STARTED = enum.auto()
    ENDED = enum.auto()
    GOODBYE = enum.auto()
    EOF = enum.auto()


_TRANSITIONS: Mapping[tuple[State, _Signal], State] = {
    (State.GREETING, _Signal.GREETED): State.READY,
    (State.READY, _Signal.STARTED): State.TRANSFERRING,
    (State.TRANSFERRING, _Signal.ENDED): State.READY,
    (State.READY, _Signal.ENDED): State.READY,
    (State.GREETING, _Signal.GOODBYE): State.CLOSING,
    (State.READY, _Signal.GOODBYE): State.CLOSING,
    (State.TRANSFERRING, _Signal.GOODBYE): State.CLOSING,
    (State.GREETING, _Signal.EOF): State.CLOSED,
    (State.READY, _Signal.EOF): State.CLOSED,
    (State.TRANSFERRING, _Signal.EOF): State.CLOSED,
    (State.CLOSING, _Signal.EOF): State.CLOSED,
    # A second preliminary reply, and what is said behind a goodbye: nothing comes of it.
    (State.TRANSFERRING, _Signal.STARTED): State.TRANSFERRING,
    (State.CLOSING, _Signal.GREETED): State.CLOSING,
    (State.CLOSING, _Signal.STARTED): State.CLOSING,
    (State.CLOSING, _Signal.ENDED): State.CLOSING,
    (State.CLOSING, _Signal.GOODBYE): State.CLOSING,
    (State.CLOSED, _Signal.EOF): State.CLOSED,
}

_MOST_PRELIMINARIES = 100  # each of them makes the client wait anew

_GREETING = Command("greeting", b"", Traits(Pipelining.BARRIER))


class FTPProtocol(NumberedDialogue[Command]):
    """One control connection."""

    def __init__(self, bounds: Bounds | None = None, encoding: str = "utf-8") -> None:
        bounds = bounds or Bounds()
        super().__init__(_GREETING, line=bounds.line, reply=bounds.reply, encoding=encoding)
        self._transfer_done = False
        self.state: State = State.GREETING
        self.pipelining: bool = False
        self.pipelining_behind_transfers: bool = False

    @property
    def ready(self) -> bool:
        """See :attr:`~netclients.wire.numbered.NumberedDialogue.ready`."""
        return self.state is State.READY

    @property
    def ended(self) -> bool:
        """See :attr:`~netclients.wire.numbered.NumberedDialogue.ended`."""
        return self.state is State.CLOSING or self.state is State.CLOSED

    def pipelining_of(self, command: Command) -> Pipelining:
        """Servers that are not known to read one command after the other from a full buffer get one at a time."""
        if not self.pipelining:
            return Pipelining.BARRIER
        if command.traits.transfer and self.pipelining_behind_transfers:
            return Pipelining.FREE
        return command.pipelining

    def receive_eof(self) -> None:
        """The server has closed."""
        self._move(_Signal.EOF)

    def receive_reply(self, ticket: Ticket[Command, Reply] | None, reply: Reply) -> None:
        """See :meth:`~netclients.wire.numbered.NumberedDialogue.receive_reply`."""
        if reply.code == 421:
            self.leave(reply)
            self._move(_Signal.GOODBYE)
        if ticket is None:
            self._unsolicited(reply)
        elif reply.kind == 1 or self._quirk_200_before_150(ticket, reply):
            self._begin(ticket, reply)
        elif not self._quirk_repeated_226(ticket, reply):
            self._complete(ticket, reply)

    def _begin(self, ticket: Ticket[Command, Reply], reply: Reply) -> None:
        ticket.preliminary = reply
        ticket.preliminaries += 1
        if ticket.preliminaries > _MOST_PRELIMINARIES:
            raise ProtocolError(f"the server sent more than {_MOST_PRELIMINARIES} preliminary replies to one command")
        if ticket.command.traits.transfer:
            self._move(_Signal.STARTED)
        self.tell(Preliminary(ticket, reply))

    def _complete(self, ticket: Ticket[Command, Reply], reply: Reply) -> None:
        self._transfer_done = ticket.command.traits.transfer
        if ticket is self.greeting:
            self._move(_Signal.GREETED)
        elif ticket.command.traits.transfer:
            self._move(_Signal.ENDED)
        self.complete(ticket, reply)

    def _unsolicited(self, reply: Reply) -> None:
        if reply.code != 421 and not (self._transfer_done and reply.code == 226):
            raise ProtocolError(f"the server sent a reply that nobody asked for: {reply}")
        self.tell(Unsolicited(reply))

    def _quirk_200_before_150(self, ticket: Ticket[Command, Reply], reply: Reply) -> bool:
        """Some servers answer LIST or STOR by 200 before their 150 (a comment in CPython's ftplib)."""
        return ticket.command.traits.transfer and reply.code == 200 and ticket.preliminary is None

    def _quirk_repeated_226(self, ticket: Ticket[Command, Reply], reply: Reply) -> bool:
        """Some servers end one transfer by two 226 replies (lftp's source): the second answers nothing."""
        again = self._transfer_done and reply.code == 226
        return again and not ticket.command.traits.transfer and ticket.command.verb != "ABOR"

    def _move(self, signal: _Signal) -> None:
        try:
            self.state = _TRANSITIONS[self.state, signal]
        except KeyError:
            raise ProtocolError(f"the server's reply makes no sense now: {self.state.value}") from None
