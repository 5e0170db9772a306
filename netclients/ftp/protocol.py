"""The FTP control connection as a state machine, without I/O (RFC 959 sections 4 to 6).

Commands go in by :meth:`FTPProtocol.submit`, bytes by :meth:`~FTPProtocol.receive_data`; what has happened
comes out of :meth:`~FTPProtocol.next_event`, what is due for the server out of
:meth:`~FTPProtocol.data_to_send`. Whose turn it is on the wire is :mod:`netclients.wire.pipeline`'s business,
what a verb may do :mod:`netclients.ftp.commands`'.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from netclients.config import Bounds
from netclients.errors import ProtocolError
from netclients.ftp.commands import Command, Traits
from netclients.wire.lines import LineBuffer
from netclients.wire.pipeline import Pipeline, Pipelining, Ticket
from netclients.wire.replies import Reply, ReplyParser

__all__ = ["Completed", "Event", "FTPProtocol", "Preliminary", "Sent", "ServerClosing", "State"]


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
}


@dataclass(frozen=True, slots=True)
class Sent:
    """A command was released to the wire."""

    ticket: Ticket[Command]


@dataclass(frozen=True, slots=True)
class Preliminary:
    """A 1xx reply: more will come for this ticket."""

    ticket: Ticket[Command]
    reply: Reply


@dataclass(frozen=True, slots=True)
class Completed:
    """The final reply of a ticket."""

    ticket: Ticket[Command]
    reply: Reply


@dataclass(frozen=True, slots=True)
class ServerClosing:
    """The server says that it closes the connection (421), or has closed it (None)."""

    reply: Reply | None


Event = Sent | Preliminary | Completed | ServerClosing

_MOST_PRELIMINARIES = 100  # each of them makes the client wait anew

_GREETING = Command("greeting", b"", Traits(Pipelining.BARRIER))


class FTPProtocol:
    """One control connection. ``greeting`` is the ticket of what the server says first."""

    def __init__(self, bounds: Bounds | None = None, encoding: str = "utf-8") -> None:
        bounds = bounds or Bounds()
        self._lines = LineBuffer(bounds.line)
        self._parser = ReplyParser(bounds.reply, encoding)
        self._pipeline: Pipeline[Command] = Pipeline()
        self._events: deque[Event] = deque()
        self._out: list[bytes] = []
        self._transfer_done = False
        self.state: State = State.GREETING
        self.pipelining: bool = False
        self.pipelining_behind_transfers: bool = False
        self.greeting: Ticket[Command] = Ticket(_GREETING, Pipelining.BARRIER)
        self._pipeline.submit(self.greeting)
        self._pipeline.release()

    # Sending

    def submit(self, command: Command) -> Ticket[Command]:
        """Take a command; it becomes due as soon as those before it allow."""
        ticket = Ticket(command, self._pipelining_of(command))
        self._pipeline.submit(ticket)
        return ticket

    def _pipelining_of(self, command: Command) -> Pipelining:
        # Servers that are not known to read one command after the other from a full buffer get one at a time.
        if not self.pipelining:
            return Pipelining.BARRIER
        if command.traits.transfer and self.pipelining_behind_transfers:
            return Pipelining.FREE
        return command.pipelining

    def data_to_send(self) -> bytes:
        """Return the command lines that are due."""
        if not self._pipeline.queued or self.state in (State.CLOSING, State.CLOSED):
            return b""
        released = self._pipeline.release()
        self._events.extend(map(Sent, released))
        return b"".join([ticket.command.encode() for ticket in released])

    # Receiving

    def receive_data(self, data: memoryview) -> None:
        """Consume bytes from the server.

        Raises:
            ProtocolError: no reply, a reply to nothing, or more than the bounds allow.
        """
        for line in self._lines.feed(data):
            reply = self._parser.feed_line(line)
            if reply is not None:
                self._receive_reply(reply)

    def receive_eof(self) -> None:
        """The server has closed."""
        self._move(_Signal.EOF)
        self._events.append(ServerClosing(None))

    def next_event(self) -> Event | None:
        """Return what has happened, oldest first."""
        return self._events.popleft() if self._events else None

    def _receive_reply(self, reply: Reply) -> None:
        ticket = self._pipeline.current
        if reply.code == 421:
            self._move(_Signal.GOODBYE)
            self._events.append(ServerClosing(reply))
        if ticket is None:
            self._unsolicited(reply)
        elif reply.kind == 1 or self._quirk_200_before_150(ticket, reply):
            self._begin(ticket, reply)
        elif not self._quirk_repeated_226(ticket, reply):
            self._complete(ticket, reply)

    def _begin(self, ticket: Ticket[Command], reply: Reply) -> None:
        ticket.preliminary = reply
        ticket.preliminaries += 1
        if ticket.preliminaries > _MOST_PRELIMINARIES:
            raise ProtocolError(f"the server sent more than {_MOST_PRELIMINARIES} preliminary replies to one command")
        if ticket.command.traits.transfer:
            self._move(_Signal.STARTED)
        self._events.append(Preliminary(ticket, reply))

    def _complete(self, ticket: Ticket[Command], reply: Reply) -> None:
        ticket.reply = reply
        self._pipeline.complete()
        self._transfer_done = ticket.command.traits.transfer
        if ticket is self.greeting:
            self._move(_Signal.GREETED)
        elif ticket.command.traits.transfer:
            self._move(_Signal.ENDED)
        self._events.append(Completed(ticket, reply))

    def _unsolicited(self, reply: Reply) -> None:
        if reply.code == 421 or (self._transfer_done and reply.code == 226):
            return
        raise ProtocolError(f"the server sent a reply that nobody asked for: {reply}")

    def _quirk_200_before_150(self, ticket: Ticket[Command], reply: Reply) -> bool:
        """Some servers answer LIST or STOR by 200 before their 150 (a comment in CPython's ftplib)."""
        return ticket.command.traits.transfer and reply.code == 200 and ticket.preliminary is None

    def _quirk_repeated_226(self, ticket: Ticket[Command], reply: Reply) -> bool:
        """Some servers end one transfer by two 226 replies (lftp's source): the second answers nothing."""
        again = self._transfer_done and reply.code == 226
        return again and not ticket.command.traits.transfer and ticket.command.verb != "ABOR"

    def _move(self, signal: _Signal) -> None:
        self.state = _TRANSITIONS.get((self.state, signal), self.state)

    # What is pending

    def forbid_leftovers(self) -> None:
        """Check that nothing was sent behind the reply that TLS was waiting for.

        Raises:
            ProtocolError: something was; in clear, and to be taken for secure.
        """
        awaited = self._pipeline and self.state is not State.GREETING
        if awaited or self._lines or self._parser.partial:
            raise ProtocolError("the server sent more in clear behind its agreement to TLS")

    @property
    def idle(self) -> bool:
        """Whether every command has had its reply and nothing is half received."""
        return self.state is State.READY and not self._pipeline and not self._lines and not self._parser.partial
