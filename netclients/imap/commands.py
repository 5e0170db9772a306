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
    from netclients.imap.types import Response, Status

__all__ = ["Command", "Traits", "Upload", "command"]

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
    ``marks``: it leaves the session other than it was after login. ``doubtful``: repeated, it would do its work twice,
    and nothing tells whether it has been done. ``secret``: its arguments are never shown.
    """

    pipelining: Pipelining = Pipelining.FREE
    numbers: bool = False
    expunges: bool = True
    marks: bool = False
    doubtful: bool = False
    secret: bool = False


_FREE = Traits()
_ALONE = Traits(Pipelining.BARRIER)
_STATE = Traits(Pipelining.BARRIER, marks=True)
_SECRET = Traits(Pipelining.BARRIER, marks=True, secret=True)
_DOUBTFUL = Traits(doubtful=True)
_READS_NUMBERS = Traits(numbers=True, expunges=False)
_MOVES_NUMBERS = Traits(numbers=True, doubtful=True)

_TRAITS = {
    # RFC 9051 section 6.1, 6.2
    "CAPABILITY": _FREE,
    "NOOP": _FREE,
    "LOGOUT": Traits(Pipelining.LAST),
    "STARTTLS": _STATE,
    "AUTHENTICATE": _SECRET,
    "LOGIN": _SECRET,
    "UNAUTHENTICATE": _STATE,
    "ID": _FREE,
    "ENABLE": _STATE,
    "COMPRESS": _STATE,
    # 6.3
    "SELECT": _STATE,
    "EXAMINE": _STATE,
    "CREATE": _DOUBTFUL,
    "DELETE": _DOUBTFUL,
    "RENAME": _DOUBTFUL,
    "SUBSCRIBE": _FREE,
    "UNSUBSCRIBE": _FREE,
    "LIST": _FREE,
    "LSUB": _FREE,
    "NAMESPACE": _FREE,
    "STATUS": _FREE,
    "APPEND": _DOUBTFUL,
    "IDLE": _ALONE,
    "NOTIFY": _STATE,
    "GETQUOTA": _FREE,
    "GETQUOTAROOT": _FREE,
    "SETQUOTA": _FREE,
    "GETMETADATA": _FREE,
    "SETMETADATA": _FREE,
    # 6.4
    "CHECK": _FREE,
    "CLOSE": Traits(Pipelining.BARRIER, doubtful=True),
    "UNSELECT": _ALONE,
    "EXPUNGE": _DOUBTFUL,
    "SEARCH": _READS_NUMBERS,
    "SORT": _READS_NUMBERS,
    "THREAD": _READS_NUMBERS,
    "FETCH": _READS_NUMBERS,
    "STORE": Traits(numbers=True, expunges=False),
    "COPY": _MOVES_NUMBERS,
    "MOVE": Traits(Pipelining.BARRIER, numbers=True, doubtful=True),
    "UID SEARCH": _FREE,
    "UID SORT": _FREE,
    "UID THREAD": _FREE,
    "UID FETCH": _FREE,
    "UID STORE": _FREE,
    "UID COPY": _DOUBTFUL,
    "UID MOVE": _DOUBTFUL,
    "UID EXPUNGE": _FREE,
}
_UNKNOWN = Traits(Pipelining.BARRIER, marks=True)


@dataclass(frozen=True, slots=True, eq=False)
class Command:
    """One command: ``verb`` as it is sent, and the ``pieces`` behind it.

    ``collect`` takes untagged data that answers it, ``literal`` what is too large to be kept. ``mailbox``: the one
    that SELECT and EXAMINE open. ``shown``: for people, in place of pieces that are secret.
    """

    verb: str
    pieces: tuple[Piece | Upload, ...]
    traits: Traits
    collect: Collect | None = None
    literal: TakeLiteral | None = None
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
        """Whether the tagged ``reply`` says that all went well."""
        return reply.ok

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
        return f"{self.verb} {''.join(map(_shown, self.pieces))}"


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
