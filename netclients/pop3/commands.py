"""The commands of POP3: what each may share the wire with (RFC 2449 section 6.8), and what comes behind its reply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from netclients.wire import arguments
from netclients.wire.blocks import Collected, Listed, Sunk
from netclients.wire.pipeline import Pipelining

if TYPE_CHECKING:
    from netclients.config import Bounds
    from netclients.pop3.types import Status
    from netclients.wire.blocks import Block

__all__ = ["Command", "Traits", "command", "dele", "listing", "quit_command", "raw_command", "retr", "secret", "top"]


@dataclass(frozen=True, slots=True)
class Traits:
    """How a verb behaves.

    ``secret``: its argument is never shown. ``marks``: it leaves the session other than it was after login.
    ``doubtful``: it may have taken effect even if its reply is lost. ``logs_in``: its success opens the maildrop.
    ``challenges``: the server may ask for more.
    """

    pipelining: Pipelining
    secret: bool = False
    marks: bool = False
    doubtful: bool = False
    logs_in: bool = False
    challenges: bool = False


_GROUP = Traits(Pipelining.FREE)
_ALONE = Traits(Pipelining.BARRIER)
_CHANGES = Traits(Pipelining.FREE, marks=True)
_END = Traits(Pipelining.LAST)
_COMMIT = Traits(Pipelining.LAST, doubtful=True)
_SECRET = Traits(Pipelining.BARRIER, secret=True, logs_in=True)
_AUTH = Traits(Pipelining.BARRIER, secret=True, logs_in=True, challenges=True)
_UNKNOWN = Traits(Pipelining.BARRIER, marks=True)

_TRAITS = {
    "CAPA": _ALONE,
    "STLS": _ALONE,
    "USER": _ALONE,
    "UTF8": Traits(Pipelining.BARRIER, marks=True),
    "LANG": Traits(Pipelining.BARRIER, marks=True),
    "STAT": _GROUP,
    "LIST": _GROUP,
    "UIDL": _GROUP,
    "NOOP": _GROUP,
    "RSET": _GROUP,
}


@dataclass(frozen=True, slots=True)
class Command:
    """One command line without its end. ``block`` makes what takes the text behind a ``+OK``; None: none follows."""

    line: bytes
    traits: Traits
    block: Callable[[], Block] | None = None
    shown: str = ""

    @property
    def marks(self) -> bool:
        """Whether it leaves the session other than it was after login."""
        return self.traits.marks

    @property
    def doubtful(self) -> bool:
        """Whether it may have taken effect though its reply is lost."""
        return self.traits.doubtful

    def accepts(self, reply: Status) -> bool:
        """Whether the ``reply`` says that all went well."""
        return reply.ok and not reply.challenge

    def confides(self, reply: Status) -> bool:
        """Whether ``reply`` holds what nobody else should see: a challenge is enough to search for the password."""
        return reply.challenge

    def encode(self) -> bytes:
        """Return the bytes as they are sent."""
        return self.line + b"\r\n"

    def __str__(self) -> str:
        return self.shown or self.line.decode("utf-8", "replace")


def command(verb: str, argument: bytes = b"") -> Command:
    """Make a command of a listed verb with a reply of one line."""
    line = verb.encode("ascii")
    return Command(b"%s %s" % (line, arguments.checked(argument)) if argument else line, _TRAITS[verb])


def listing(verb: str, bounds: Bounds) -> Command:
    """Make a command that is answered by a list: CAPA, LIST, UIDL, LANG without argument."""
    block = partial(Listed, line=bounds.line, limit=bounds.response)
    return Command(verb.encode("ascii"), _TRAITS[verb], block)


def retr(number: int, limit: int, sink: Callable[[memoryview], object] | None = None) -> Command:
    """RETR: the text goes to ``sink``, or is collected: ``limit`` bytes at most."""
    block = partial(Collected, limit) if sink is None else partial(Sunk, sink)
    return Command(b"RETR %s" % arguments.number(number), _GROUP, block)


def top(number: int, lines: int, limit: int) -> Command:
    """TOP: the header and the first ``lines`` of the body."""
    line = b"TOP %s %s" % (arguments.number(number), arguments.number(lines))
    return Command(line, _GROUP, partial(Collected, limit))


def dele(number: int) -> Command:
    """DELE: the message goes when QUIT comes."""
    return Command(b"DELE %s" % arguments.number(number), _CHANGES)


def quit_command(*, commits: bool) -> Command:
    """QUIT. ``commits``: there is something that it makes final."""
    return Command(b"QUIT", _COMMIT if commits else _END)


def raw_command(verb: str, *words: str, bounds: Bounds | None = None) -> Command:
    """Make any command from words that are joined by spaces; ``bounds``: of the list behind its reply, if one comes.

    Raises:
        ConfigurationError: the verb is not one word, or a word has CR, LF or NUL.
    """
    line = b" ".join((arguments.token(verb).upper(), *(arguments.text(word) for word in words)))
    block = None if bounds is None else partial(Listed, line=bounds.line, limit=bounds.response)
    return Command(line, _UNKNOWN, block)


def secret(line: bytes, shown: str, *, auth: bool = False) -> Command:
    """Make PASS, APOP, or with ``auth`` a line of an AUTH exchange (RFC 5034), of which people see ``shown``."""
    return Command(arguments.checked(line), _AUTH if auth else _SECRET, shown=shown)
