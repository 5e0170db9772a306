"""The POP3 connection as a state machine, without I/O (RFC 1939 section 3).

::

    submit → pipeline → data_to_send …… receive_data → Reader → lines → Status; texts → its body → the ticket that waits

It stands on :class:`~netclients.wire.dialogue.Dialogue`: replies come in the order of the commands, and a command says
itself whether a text follows its ``+OK``.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from netclients.config import Bounds
from netclients.errors import ProtocolError
from netclients.pop3.commands import Command, Traits
from netclients.pop3.replies import parse_status
from netclients.pop3.types import Status
from netclients.wire.blocks import Block, Collected, Listed, Reader
from netclients.wire.dialogue import Dialogue, Unsolicited
from netclients.wire.pipeline import Pipelining

__all__ = ["POP3Protocol", "State"]


class State(enum.Enum):
    """Where the session stands (RFC 1939 section 3)."""

    GREETING = "the greeting is awaited"
    AUTHORIZATION = "nobody has logged in"
    TRANSACTION = "the maildrop is open"
    UPDATE = "the server has said goodbye"
    CLOSED = "the connection has ended"


class _Signal(enum.Enum):
    GREETED = enum.auto()
    KNOWN = enum.auto()
    GOODBYE = enum.auto()
    EOF = enum.auto()


_TRANSITIONS: Mapping[tuple[State, _Signal], State] = {
    (State.GREETING, _Signal.GREETED): State.AUTHORIZATION,
    (State.AUTHORIZATION, _Signal.KNOWN): State.TRANSACTION,
    (State.GREETING, _Signal.GOODBYE): State.UPDATE,
    (State.AUTHORIZATION, _Signal.GOODBYE): State.UPDATE,
    (State.TRANSACTION, _Signal.GOODBYE): State.UPDATE,
    (State.GREETING, _Signal.EOF): State.CLOSED,
    (State.AUTHORIZATION, _Signal.EOF): State.CLOSED,
    (State.TRANSACTION, _Signal.EOF): State.CLOSED,
    (State.UPDATE, _Signal.EOF): State.CLOSED,
}

_GREETING = Command(b"", Traits(Pipelining.BARRIER), shown="greeting")


class POP3Protocol(Dialogue[Command, Status]):
    """One connection. ``pipelining`` is whether the server takes commands before it has answered earlier ones."""

    def __init__(self, bounds: Bounds | None = None) -> None:
        super().__init__(_GREETING)
        bounds = bounds or Bounds()
        self._reader = Reader(bounds.line, self._take_line, self._take_block)
        self._heading: Status | None = None
        self.state: State = State.GREETING
        self.pipelining: bool = False

    @property
    def ready(self) -> bool:
        """See :attr:`~netclients.wire.dialogue.Dialogue.ready`."""
        return self.state is State.TRANSACTION or self.state is State.AUTHORIZATION

    @property
    def ended(self) -> bool:
        """See :attr:`~netclients.wire.dialogue.Dialogue.ended`."""
        return self.state is State.UPDATE or self.state is State.CLOSED

    @property
    def partial(self) -> bool:
        """See :attr:`~netclients.wire.dialogue.Dialogue.partial`."""
        return self._reader.partial

    def pipelining_of(self, command: Command) -> Pipelining:
        """Without the extension, one command at a time (RFC 2449 section 6.8)."""
        return command.traits.pipelining if self.pipelining else Pipelining.BARRIER

    def receive_data(self, data: memoryview) -> None:
        """See :meth:`~netclients.wire.dialogue.Dialogue.receive_data`."""
        try:
            self._reader.feed(data)
        except BaseException:
            # What came behind it is lost, and with it the place of the next reply.
            self._move(_Signal.EOF)
            raise

    def receive_eof(self) -> None:
        """See :meth:`~netclients.wire.dialogue.Dialogue.receive_eof`."""
        self._move(_Signal.EOF)

    def forbid_leftovers(self) -> None:
        """See :meth:`~netclients.wire.dialogue.Dialogue.forbid_leftovers`."""
        awaited = self._pipeline and self.greeting.reply is not None
        if awaited or self.partial or self.ended:
            raise ProtocolError("the server sent more in clear behind its agreement to TLS")

    def _take_line(self, line: bytes) -> Block | None:
        if self.ended:
            return None  # nothing counts any more
        ticket = self._pipeline.current
        if ticket is None:
            self._take_unasked(parse_status(line))
            return None
        command = ticket.command
        if command.traits.challenges and (line == b"+" or line.startswith(b"+ ")):
            self.complete(ticket, Status(True, line[2:].decode("utf-8", "surrogateescape"), challenge=True))
            return None
        status = parse_status(line)
        if status.ok and command.block is not None:
            self._heading = status
            return command.block()
        if command is _GREETING:
            self._move(_Signal.GREETED if status.ok else _Signal.GOODBYE)
        elif command.line == b"QUIT":
            # Refused or not, the session is over (RFC 1939 section 6).
            self._move(_Signal.GOODBYE)
        elif status.ok and command.traits.logs_in:
            self._move(_Signal.KNOWN)
        if self.ended:
            self.leave(status)
        self.complete(ticket, status)
        return None

    def _take_block(self, block: Block) -> None:
        ticket, heading = self._pipeline.current, self._heading
        assert ticket is not None
        assert heading is not None
        body = block.body if isinstance(block, Collected) else b""
        lines = tuple(block.lines) if isinstance(block, Listed) else ()
        self.complete(ticket, Status(True, heading.text, heading.code, body=body, lines=lines, size=block.size))

    def _take_unasked(self, status: Status) -> None:
        if status.ok:
            raise ProtocolError(f"the server sent a reply that nobody asked for: {status}")
        # RFC 1939 knows no such farewell, but servers say that they have waited long enough, or shut down.
        self.leave(status)
        self._move(_Signal.GOODBYE)
        self.tell(Unsolicited(status))

    def _move(self, signal: _Signal) -> None:
        self.state = _TRANSITIONS.get((self.state, signal), self.state)
