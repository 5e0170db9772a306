"""The commands of IMAP: what each may share the wire with, and how it becomes bytes (RFC 9051 sections 5.5 and 6).

A command is a verb and pieces: bytes that stand on its line, :class:`~netclients.imap.arguments.Literal` for strings
that can't, and :class:`Upload` for a literal that is streamed. Which literals wait for the server's leave is up to the
state machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from netclients.imap.arguments import Literal, Piece
from netclients.wire.pipeline import Pipelining

if TYPE_CHECKING:
    from netclients.imap.ranges import NumberRanges
    from netclients.imap.types import Response, Status

__all__ = ["Command", "Subject", "Traits", "Upload", "bear_each_other", "command"]

Collect = Callable[["Response"], bool]
"""Is shown untagged data while the command waits; returns whether it has taken it."""
TakeLiteral = Callable[[Sequence[bytes], int], Callable[[memoryview], None] | None]
"""Is asked for each literal of the data that comes, with the text before it and its size; returns who takes it."""


@dataclass(frozen=True, slots=True)
class Upload:
    """A literal of ``size`` bytes that the caller streams; ``binary``: it may have NUL."""

    size: int
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Traits:
    """How a verb behaves.

    ``numbers``: it names messages by sequence numbers. ``expunges``: while it waits, the server may tell of messages
    that are gone, and sequence numbers change; only FETCH, STORE and SEARCH keep it from that (RFC 9051 section 7.5.1).
    ``answers``: which kind of untagged data answers it; see :func:`bear_each_other`. ``marks``: it leaves the session
    other than it was after login. ``doubtful``: repeated, it would do its work twice, and nothing tells whether it has
    been done. ``secret``: its arguments are never shown.
    """

    pipelining: Pipelining = Pipelining.FREE
    numbers: bool = False
    expunges: bool = True
    answers: str = ""
    marks: bool = False
    doubtful: bool = False
    secret: bool = False


_FREE = Traits()
_ALONE = Traits(Pipelining.BARRIER)
_STATE = Traits(Pipelining.BARRIER, marks=True)
_SECRET = Traits(Pipelining.BARRIER, marks=True, secret=True)
_DOUBTFUL = Traits(doubtful=True)


def _answered(by: str) -> Traits:
    return Traits(answers=by)


def _by_number(by: str) -> Traits:
    return Traits(numbers=True, expunges=False, answers=by)


_TRAITS = {
    # RFC 9051 section 6.1, 6.2
    "CAPABILITY": _answered("capability"),
    "NOOP": _FREE,
    "LOGOUT": Traits(Pipelining.LAST),
    "STARTTLS": _STATE,
    "AUTHENTICATE": _SECRET,
    "LOGIN": _SECRET,
    "UNAUTHENTICATE": _STATE,
    "ID": _answered("id"),
    "ENABLE": _STATE,
    "COMPRESS": _STATE,
    # 6.3
    "SELECT": _ALONE,
    "EXAMINE": _ALONE,
    "CREATE": _DOUBTFUL,
    "DELETE": _DOUBTFUL,
    "RENAME": _DOUBTFUL,
    "SUBSCRIBE": _FREE,
    "UNSUBSCRIBE": _FREE,
    "LIST": _answered("list"),
    "LSUB": _answered("list"),
    "NAMESPACE": _answered("namespace"),
    "STATUS": _answered("status"),
    "APPEND": _DOUBTFUL,
    "IDLE": _ALONE,
    "NOTIFY": _STATE,
    "GETQUOTA": _answered("quota"),
    "GETQUOTAROOT": _answered("quota"),
    "SETQUOTA": _answered("quota"),
    "GETMETADATA": _answered("getmetadata"),
    "SETMETADATA": _FREE,
    # 6.4
    "CHECK": _FREE,
    "CLOSE": Traits(Pipelining.BARRIER, doubtful=True),
    "UNSELECT": _ALONE,
    "EXPUNGE": Traits(answers="expunge", doubtful=True),
    "SEARCH": _by_number("search"),
    "SORT": _by_number("sort"),
    "THREAD": _by_number("thread"),
    "FETCH": _by_number("fetch"),
    "STORE": _by_number("store"),
    "COPY": Traits(numbers=True, doubtful=True),
    "MOVE": Traits(Pipelining.BARRIER, numbers=True, answers="expunge", doubtful=True),
    "UID SEARCH": _answered("search"),
    "UID SORT": _answered("sort"),
    "UID THREAD": _answered("thread"),
    "UID FETCH": _answered("fetch"),
    "UID STORE": _answered("store"),
    "UID COPY": _DOUBTFUL,
    "UID MOVE": Traits(answers="expunge", doubtful=True),
    "UID EXPUNGE": _answered("expunge"),
}
_UNKNOWN = Traits(Pipelining.BARRIER, marks=True)


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What the data that answers a command is about: messages by ``numbers`` of a ``kind``, and a ``detail`` of each.

    ``detail`` is empty if it is anything about them. Of STATUS it is the mailbox.
    """

    kind: str
    numbers: NumberRanges | None = None
    detail: str = ""

    def differs_from(self, other: Subject) -> bool:
        """Whether no data can be about both."""
        if self.kind != other.kind:
            return False
        if self.detail and other.detail and self.detail != other.detail:
            return True
        return self.numbers is not None and other.numbers is not None and not self.numbers.meets(other.numbers)


@dataclass(frozen=True, slots=True, eq=False)
class Command:
    """One command: ``verb`` as it is sent, and the ``pieces`` behind it.

    ``collect`` takes untagged data that answers it, ``literal`` what is too large to be kept; ``tagged``: that data
    names the command (ESEARCH); ``about``: what it is about, None: nothing tells it from the answer to another command
    of the kind. ``largest``: bytes of the longest string that was asked for. ``mailbox``: the one that SELECT and
    EXAMINE open. ``shown``: for people, in place of pieces that are secret.
    """

    verb: str
    pieces: tuple[Piece | Upload, ...] = field(repr=False)
    traits: Traits
    collect: Collect | None = None
    literal: TakeLiteral | None = None
    tagged: bool = False
    about: Subject | None = None
    largest: int | None = None
    mailbox: str | None = None
    shown: str = field(default="", repr=False)

    @property
    def marks(self) -> bool:
        """Whether it leaves the session other than it was after login."""
        return self.traits.marks

    @property
    def doubtful(self) -> bool:
        """Whether nothing tells that it took effect if its reply is lost."""
        return self.traits.doubtful

    def accepts(self, reply: Status) -> bool:
        """Whether the tagged ``reply`` says that all went well.

        A STORE that is refused for the messages that it names has done the rest (RFC 7162 section 3.1.3).
        """
        return reply.ok or (self.traits.answers == "store" and reply.code is not None and reply.code.name == "MODIFIED")

    def confides(self, reply: Status) -> bool:
        """Whether ``reply`` holds what nobody else should see: none does."""
        return False

    def encode(self) -> bytes:
        """Return the line, without tag and line end, as far as no literal needs the server's leave: for tests."""
        return b" ".join((self.verb.encode("ascii"), *(piece for piece in self.pieces if isinstance(piece, bytes))))

    def collecting(self, collect: Collect, literal: TakeLiteral | None = None) -> Command:
        """Return the command with somebody who takes the data that answers it."""
        return replace(self, collect=collect, literal=literal)

    def __str__(self) -> str:
        if self.shown or not self.pieces:
            return self.shown or self.verb
        if self.traits.secret:
            return f"{self.verb} ***"
        return f"{self.verb} {''.join(map(_shown, self.pieces))}"


_ALIKE = ({"fetch", "store"}, {"list", "status"})  # STORE is answered by FETCH, and LIST by STATUS too


def bear_each_other(awaited: Command, command: Command) -> bool:
    """Whether ``command`` may be sent before ``awaited`` has had its reply (RFC 9051 section 5.5).

    Sequence numbers must mean the same to both ends. Servers work at several commands at once (Dovecot answers two
    FETCHes and only then ends the first): it must be seen of untagged data which of them it answers.
    """
    first, second = awaited.traits, command.traits
    if second.numbers and first.expunges:
        return False
    if not first.answers or not second.answers:
        return True
    if first.answers == second.answers:
        if awaited.literal is not None or command.literal is not None:
            return False  # whose literal it is must be known before all of the answer is there
        if awaited.tagged and command.tagged:
            return True
        return awaited.about is not None and command.about is not None and awaited.about.differs_from(command.about)
    return {first.answers, second.answers} not in _ALIKE


def _shown(piece: Piece | Upload) -> str:
    if isinstance(piece, bytes):
        return piece.decode("utf-8", "replace")
    return f"{{{len(piece.data) if isinstance(piece, Literal) else piece.size}}}"


def command(verb: str, *arguments: Piece | Upload | Sequence[Piece | Upload], shown: str = "") -> Command:
    """Make a command of a listed verb; its arguments are separated by spaces."""
    pieces: list[Piece | Upload] = []
    for argument in arguments:
        if pieces:
            pieces.append(b" ")
        if isinstance(argument, (bytes, Literal, Upload)):
            pieces.append(argument)
        else:
            pieces.extend(argument)
    return Command(verb, tuple(pieces), _TRAITS.get(verb, _UNKNOWN), shown=shown)
