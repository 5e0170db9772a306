"""The IMAP connection as a state machine, without I/O (RFC 9051 section 3, RFC 3501).

::

    submit → pipeline → tag, pieces, literals → data_to_send
    receive_data → frames → responses → the command that they answer, the state, or next_event

Tagged replies end commands, in whichever order they come. Untagged data goes to the oldest command that takes it; what
nobody takes is kept for :meth:`~IMAPProtocol.next_untagged`. Either way the state is right before anybody is told.
"""

from __future__ import annotations

import enum
import itertools
import secrets
import string
from collections.abc import Callable, Mapping, Sequence

from netclients.config import Bounds
from netclients.errors import ProtocolError
from netclients.imap.commands import Command, Traits, Upload, bear_each_other
from netclients.imap.replies import Frame, Framer, Limits, parse
from netclients.imap.selected import Selected
from netclients.imap.types import (
    Capabilities,
    Condition,
    Continuation,
    Enabled,
    ESearch,
    Fetched,
    Response,
    Status,
)
from netclients.imap.untagged import Untagged
from netclients.imap.writing import Writer
from netclients.wire.dialogue import Dialogue, Event, Sent, Unsolicited
from netclients.wire.pipeline import Pipelining, Ticket

__all__ = ["IMAPEvent", "IMAPProtocol", "State"]

_MOST_AT_ONCE = 256  # commands under way: each new one is compared with all of them
_WITH_UTF8 = frozenset({"UTF8=ACCEPT", "IMAP4REV2"})


class State(enum.Enum):
    """Where the session stands (RFC 9051 section 3)."""

    GREETING = "the greeting is awaited"
    NOT_AUTHENTICATED = "nobody has logged in"
    AUTHENTICATED = "no mailbox is open"
    SELECTED = "a mailbox is open"
    LOGOUT = "the server has said goodbye"
    CLOSED = "the connection has ended"


class _Signal(enum.Enum):
    GREETED = enum.auto()
    KNOWN = enum.auto()
    OPENED = enum.auto()
    SHUT = enum.auto()
    FORGOTTEN = enum.auto()
    GOODBYE = enum.auto()
    EOF = enum.auto()


_TRANSITIONS: Mapping[tuple[State, _Signal], State] = {
    (State.GREETING, _Signal.GREETED): State.NOT_AUTHENTICATED,
    (State.GREETING, _Signal.KNOWN): State.AUTHENTICATED,
    (State.NOT_AUTHENTICATED, _Signal.KNOWN): State.AUTHENTICATED,
    (State.AUTHENTICATED, _Signal.OPENED): State.SELECTED,
    (State.AUTHENTICATED, _Signal.FORGOTTEN): State.NOT_AUTHENTICATED,
    (State.SELECTED, _Signal.OPENED): State.SELECTED,
    (State.SELECTED, _Signal.SHUT): State.AUTHENTICATED,
    (State.SELECTED, _Signal.FORGOTTEN): State.NOT_AUTHENTICATED,
    (State.GREETING, _Signal.GOODBYE): State.LOGOUT,
    (State.NOT_AUTHENTICATED, _Signal.GOODBYE): State.LOGOUT,
    (State.AUTHENTICATED, _Signal.GOODBYE): State.LOGOUT,
    (State.SELECTED, _Signal.GOODBYE): State.LOGOUT,
    (State.GREETING, _Signal.EOF): State.CLOSED,
    (State.NOT_AUTHENTICATED, _Signal.EOF): State.CLOSED,
    (State.AUTHENTICATED, _Signal.EOF): State.CLOSED,
    (State.SELECTED, _Signal.EOF): State.CLOSED,
    (State.LOGOUT, _Signal.EOF): State.CLOSED,
}


_GREETING = Command("greeting", (), Traits(Pipelining.BARRIER))


class IMAPProtocol(Dialogue[Command, Status]):
    """One connection.

    ``capabilities``: names in upper case; None: not known, ask. ``enabled``: by ENABLE; ``utf8``: that makes names of
    mailboxes and quoted strings UTF-8 (RFC 6855, RFC 9051). ``selected``: the open mailbox.
    ``continuation``: the text of a ``+`` that nobody has taken yet.
    """

    def __init__(self, bounds: Bounds | None = None) -> None:
        super().__init__(_GREETING, bear_each_other, _MOST_AT_ONCE)
        bounds = bounds or Bounds()
        self._framer = Framer(Limits(line=bounds.data, literal=bounds.literal, response=bounds.response))
        self._framer.sink = self._sink
        self._tags = (f"{prefix}{number}" for prefix in (_random_word(),) for number in itertools.count(1))
        self._tagged: dict[str, Ticket[Command, Status]] = {}
        self._writer = Writer(self.has, self._takes_small_literals)
        self._raw: list[bytes] = []
        self._untagged = Untagged(bounds.response)
        self._sealed = ""
        self._introduced = False
        self._opening: Selected | None = None
        self.state: State = State.GREETING
        self.capabilities: frozenset[str] | None = None
        self.enabled: frozenset[str] = frozenset()
        self.utf8: bool = False
        self.selected: Selected | None = None
        self.continuation: bytes | None = None

    @property
    def ready(self) -> bool:
        """See :attr:`~netclients.wire.dialogue.Dialogue.ready`."""
        return self.state in (State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED)

    @property
    def ended(self) -> bool:
        """See :attr:`~netclients.wire.dialogue.Dialogue.ended`."""
        return self.state is State.LOGOUT or self.state is State.CLOSED

    @property
    def partial(self) -> bool:
        """See :attr:`~netclients.wire.dialogue.Dialogue.partial`."""
        return self._framer.partial

    def has(self, capability: str) -> bool:
        """Whether the server is known to offer this."""
        return self.capabilities is not None and capability in self.capabilities

    def pipelining_of(self, command: Command) -> Pipelining:
        """What a command declares holds on every server."""
        return command.traits.pipelining

    # Sending

    def data_to_send(self) -> bytes:
        """Return what is due: as many commands as may share the wire, each as far as its literals may go."""
        out, self._raw = self._raw, []
        if not self.ended:
            self._write(out)
        data = b"".join(out)
        self._released += len(data)
        return data

    def _write(self, out: list[bytes]) -> None:
        ends_at = self._released + sum(map(len, out))
        writer = self._writer
        if writer.may_go_on and (unfinished := writer.ticket) is not None:
            begin = len(out)
            writer.go_on(out)
            unfinished.ends_at = ends_at = ends_at + sum(map(len, out[begin:]))
        for ticket in self._pipeline.release():
            begin = len(out)
            tag = next(self._tags)
            self._tagged[tag] = ticket
            if (mailbox := ticket.command.mailbox) is not None:
                self._opening = Selected(mailbox, readonly=ticket.command.verb == "EXAMINE")
            self._introduced = False
            writer.begin(tag, ticket, out)
            ticket.ends_at = ends_at = ends_at + sum(map(len, out[begin:]))
            self._events.append(Sent(ticket))

    def _takes_small_literals(self) -> bool:
        return self.has("LITERAL-") or "IMAP4REV2" in self.enabled

    @property
    def upload_due(self) -> Upload | None:
        """The literal that the caller may stream now, if it is a literal's turn and the server has given leave."""
        return self._writer.upload_due

    def uploaded(self) -> None:
        """The literal has been streamed, all of it; the rest of the command is due."""
        self._writer.uploaded()

    def respond(self, line: bytes) -> None:
        """Send a line that belongs to the command that waits: an answer to a challenge, or DONE."""
        self._raw.append(line + b"\r\n")

    # Receiving

    def receive_data(self, data: memoryview) -> None:
        """See :meth:`~netclients.wire.dialogue.Dialogue.receive_data`."""
        for frame in self._framer.feed(data):
            if self._sealed:
                raise ProtocolError(f"the server sent more behind its agreement to {self._sealed}")
            self._take(frame)

    def receive_eof(self) -> None:
        """See :meth:`~netclients.wire.dialogue.Dialogue.receive_eof`."""
        self._move(_Signal.EOF)

    def forbid_leftovers(self) -> None:
        """See :meth:`~netclients.wire.dialogue.Dialogue.forbid_leftovers`."""
        if (self._pipeline and self.greeting.reply is not None) or self._framer.partial:
            raise ProtocolError(f"the server sent more behind its agreement to {self._sealed or 'TLS'}")
        if self._sealed == "STARTTLS":
            # What was said in clear counts for nothing (RFC 9051 section 6.2.1).
            self.capabilities, self.enabled, self.utf8 = None, frozenset(), False
            self._untagged.forget()
        self._sealed = ""

    def next_untagged(self) -> Response | None:
        """Return data that no command has taken, oldest first."""
        return self._untagged.next()

    def forget_untagged(self) -> None:
        """What was said of a mailbox that is shut concerns nobody any more."""
        self._untagged.forget()

    def take_continuation(self) -> bytes | None:
        """Return the text of a ``+`` once."""
        text, self.continuation = self.continuation, None
        return text

    def _sink(self, text: Sequence[bytes], size: int) -> Callable[[memoryview], None] | None:
        largest: int | None = 0
        for ticket in self._pipeline.awaiting:
            sent = ticket.command
            if sent.literal is not None:
                return sent.literal(text, size)
            if sent.traits.answers == "fetch" and largest is not None:
                largest = None if sent.largest is None else max(largest, sent.largest)
        if largest and size > largest:
            raise ProtocolError(f"the server sent a string of {size} bytes where at most {largest} were asked for")
        return None

    def _take(self, frame: Frame) -> None:
        response = parse(frame, utf8=self.utf8)
        kind = type(response)
        if kind is Fetched:
            if self._hand_out(response, frame):
                self._untagged.answer(frame)
        elif kind is Status:
            self._take_status(response, frame)  # type: ignore[arg-type] # mypy does not narrow by identity of types
        elif kind is Continuation:
            self._take_continuation(response)  # type: ignore[arg-type]
        else:
            self._take_data(response, frame)

    def _take_data(self, response: Response, frame: Frame) -> None:
        if isinstance(response, Capabilities):
            self._introduce(response.names)
        elif isinstance(response, Enabled):
            self.enabled |= response.names & self._asked_to_enable()
            self.utf8 = not self.enabled.isdisjoint(_WITH_UTF8)
        else:
            mailbox = self._opening if self._opening is not None else self.selected
            if mailbox is not None:
                mailbox.hear(response)
        if isinstance(response, ESearch) and response.tag is not None:
            taken = self._hand_to(self._tagged.get(response.tag), response, frame)
        else:
            taken = self._hand_out(response, frame)
        if taken:
            self._untagged.answer(frame)

    def _asked_to_enable(self) -> frozenset[str]:
        """Return what the ENABLE that waits has named: nothing else is on because the server says so."""
        return frozenset(
            word.decode("ascii").upper()
            for ticket in self._pipeline.awaiting
            if ticket.command.verb == "ENABLE"
            for piece in ticket.command.pieces
            if isinstance(piece, bytes)
            for word in piece.split()
        )

    def _hand_to(self, ticket: Ticket[Command, Status] | None, response: Response, frame: Frame) -> bool:
        """Give data to the command that it names; that of a search that is over (RFC 5267) answers no other one."""
        if ticket is not None and (collect := ticket.command.collect) is not None and collect(response):
            return True
        self._untagged.keep(response, frame)
        return False

    def _hand_out(self, response: Response, frame: Frame) -> bool:
        """Give data to the oldest command that takes it; return whether there is one."""
        for ticket in self._pipeline.awaiting:
            collect = ticket.command.collect
            if collect is not None and collect(response):
                return True
        self._untagged.keep(response, frame)
        return False

    def _take_continuation(self, response: Continuation) -> None:
        if self._writer.waits_for_leave:
            self._writer.take_leave()
            return
        newest = self._pipeline.newest
        if newest is None or newest.command.verb not in ("AUTHENTICATE", "IDLE") or self.continuation is not None:
            raise ProtocolError("the server sent a continuation that nothing waits for")
        newest.preliminaries += 1
        self.continuation = response.text

    def _take_status(self, status: Status, frame: Frame) -> None:
        if status.tag is not None:
            self._end(status)
        elif self.greeting.reply is None:
            self._greet(status)
        elif status.condition is Condition.BYE:
            self._say_goodbye(status)
        else:
            self._note_code(status)
            self._take_data(status, frame)

    def _greet(self, status: Status) -> None:
        self._note_code(status)
        match status.condition:
            case Condition.OK:
                self._move(_Signal.GREETED)
            case Condition.PREAUTH:
                self._move(_Signal.KNOWN)
            case Condition.BYE:
                self.leave(status)
                self._move(_Signal.GOODBYE)
            case _:
                raise ProtocolError(f"the server greets by {status}")
        self.complete(self.greeting, status)

    def _say_goodbye(self, status: Status) -> None:
        awaited = self._pipeline.current
        if awaited is None or awaited.command.verb != "LOGOUT":
            self.leave(status)
            self._move(_Signal.GOODBYE)
            self.tell(Unsolicited(status))

    def _end(self, status: Status) -> None:
        assert status.tag is not None
        ticket = self._tagged.pop(status.tag, None)
        if ticket is None:
            raise ProtocolError(f"the server answered a command that does not exist: {status}")
        self._untagged.command_ended()
        self._note_code(status)
        if self._writer.ticket is ticket:
            self._give_up(status)
        self.continuation = None
        self._follow(ticket.command, status)
        self.complete(ticket, status)

    def _give_up(self, status: Status) -> None:
        if status.ok:
            raise ProtocolError("the server answered a command before it had it")
        if self._writer.waits_for_leave:
            # Refused instead of taken: what is left of it must not be sent, and nothing is owed.
            self._writer.give_up()
        else:
            # It still takes what comes for the literal's rest: nothing can be said any more.
            self.leave(status)
            self._move(_Signal.GOODBYE)

    def _follow(self, command: Command, status: Status) -> None:
        verb = command.verb
        if command.mailbox is not None:
            opening, self._opening = self._opening, None
            # A SELECT that fails leaves no mailbox open either (RFC 9051 section 6.3.2).
            self.selected = opening if status.ok else None
            if not status.ok:
                self.forget_untagged()
            self._move(_Signal.OPENED if status.ok else _Signal.SHUT)
        if not status.ok:
            return
        if verb in ("CLOSE", "UNSELECT"):
            self.selected = None
            self.forget_untagged()
            self._move(_Signal.SHUT)
        elif verb in ("LOGIN", "AUTHENTICATE"):
            self._move(_Signal.KNOWN)
            if not self._introduced:
                self.capabilities = None  # they may be others now
        elif verb == "UNAUTHENTICATE":
            self.selected, self.enabled, self.capabilities, self.utf8 = None, frozenset(), None, False
            self._move(_Signal.FORGOTTEN)
        elif verb in ("STARTTLS", "COMPRESS"):
            self._sealed = verb
        elif verb == "LOGOUT":
            self.leave(status)
            self._move(_Signal.GOODBYE)

    def _note_code(self, status: Status) -> None:
        code = status.code
        if code is None:
            return
        if code.name == "CAPABILITY" and isinstance(code.value, tuple):
            self._introduce(frozenset(str(name).upper() for name in code.value))
        elif code.name == "CLOSED":
            self._shut()
        else:
            mailbox = self._opening if self._opening is not None else self.selected
            if mailbox is not None:
                mailbox.hear_code(code)

    def _shut(self) -> None:
        """The mailbox that was open is not any more; what was said until now was about that one (RFC 7162)."""
        self.selected = None
        self._move(_Signal.SHUT)
        if (opening := self._opening) is not None:
            self._opening = Selected(opening.name, readonly=opening.readonly)

    def _introduce(self, capabilities: frozenset[str]) -> None:
        self.capabilities = capabilities
        self._introduced = True

    def _move(self, signal: _Signal) -> None:
        self.state = _TRANSITIONS.get((self.state, signal), self.state)


def _random_word() -> str:
    """Begin tags so that nobody can answer a command ahead of it."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(6))


IMAPEvent = Event[Command, Status]
