"""The commands of NNTP: what each may share the wire with (RFC 3977 section 3.5), and which replies bring a block.

What depends on the current article is a barrier, and nothing goes behind what selects a group before its reply: an
article that is asked for by its number is never one of another group.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from netclients.wire import arguments, dots
from netclients.wire.blocks import Block, Collected, Lines, Listed, Sunk
from netclients.wire.pipeline import Pipelining

if TYPE_CHECKING:
    from netclients.config import Bounds
    from netclients.nntp.types import Reply

__all__ = ["Command", "Traits", "command", "content", "listing", "raw_command", "secret", "takethis", "text"]


@dataclass(frozen=True, slots=True)
class Traits:
    """How a verb behaves.

    ``blocks``: codes of replies with a block behind them. ``accepted``: codes that say that all went well; none: those
    with a block, or if there is none either, those that begin with 2. ``marks``: it leaves the session other than it
    was after login. ``doubtful``: it may have taken effect even if its reply is lost. ``slow``: the server may search
    for minutes before it says anything.
    """

    pipelining: Pipelining = Pipelining.FREE
    blocks: frozenset[int] = frozenset()
    accepted: frozenset[int] = frozenset()
    secret: bool = False
    marks: bool = False
    doubtful: bool = False
    slow: bool = False


def _codes(*codes: int) -> frozenset[int]:
    return frozenset(codes)


_FREE, _LAST, _BARRIER = Pipelining.FREE, Pipelining.LAST, Pipelining.BARRIER
_LIST = Traits(blocks=_codes(215))
_ANSWERED = _codes(238, 239, 335, 235, 431, 435, 436, 437, 438, 439)
_SECRET = Traits(_BARRIER, accepted=_codes(281, 283, 381, 383), secret=True, marks=True)
_UNKNOWN = Traits(_BARRIER, marks=True)

_TRAITS = {
    # RFC 3977
    "CAPABILITIES": Traits(_BARRIER, _codes(101), _codes(101)),
    "MODE READER": Traits(_BARRIER),
    "QUIT": Traits(_LAST),
    "GROUP": Traits(_LAST, accepted=_codes(211), marks=True),
    "LISTGROUP": Traits(_LAST, _codes(211), marks=True),
    "LAST": Traits(_BARRIER, accepted=_codes(223), marks=True),
    "NEXT": Traits(_BARRIER, accepted=_codes(223), marks=True),
    "ARTICLE": Traits(blocks=_codes(220)),
    "HEAD": Traits(blocks=_codes(221)),
    "BODY": Traits(blocks=_codes(222)),
    "STAT": Traits(accepted=_codes(223)),
    "POST": Traits(_BARRIER, accepted=_codes(340), marks=True),
    "IHAVE": Traits(_BARRIER, accepted=_ANSWERED, marks=True),
    "DATE": Traits(accepted=_codes(111)),
    "HELP": Traits(blocks=_codes(100), accepted=_codes(100)),
    "NEWGROUPS": Traits(blocks=_codes(231)),
    "NEWNEWS": Traits(blocks=_codes(230), slow=True),
    "LIST": _LIST,
    "OVER": Traits(blocks=_codes(224)),
    # 221: quirk_hdr_221, as to XHDR.
    "HDR": Traits(blocks=_codes(225, 221)),
    # RFC 4642, 4644, 8054
    "STARTTLS": Traits(_BARRIER, accepted=_codes(382)),
    "MODE STREAM": Traits(_BARRIER, marks=True),
    "CHECK": Traits(accepted=_ANSWERED),
    "TAKETHIS": Traits(accepted=_ANSWERED, doubtful=True),
    "COMPRESS DEFLATE": Traits(_BARRIER, accepted=_codes(206)),
    # Of before RFC 3977, or of servers of their own
    "XOVER": Traits(blocks=_codes(224)),
    "XHDR": Traits(blocks=_codes(221)),
    "XPAT": Traits(blocks=_codes(221), slow=True),
    "XGTITLE": Traits(blocks=_codes(282), accepted=_codes(282)),
    "XZVER": Traits(blocks=_codes(224)),
    "XFEATURE COMPRESS GZIP": Traits(_BARRIER, accepted=_codes(290)),
}


@dataclass(frozen=True, slots=True)
class Command:
    """One command line without its end. ``make_block`` makes what takes the block behind its reply."""

    line: bytes
    traits: Traits
    make_block: Callable[[], Block] | None = None
    payload: bytes | None = None
    shown: str = ""

    @property
    def marks(self) -> bool:
        """Whether it leaves the session other than it was after login."""
        return self.traits.marks

    @property
    def doubtful(self) -> bool:
        """Whether it may have taken effect though its reply is lost."""
        return self.traits.doubtful

    def block(self, code: int) -> Block | None:
        """Return what takes the block behind a reply of this ``code``; None: it has none."""
        return self.make_block() if self.make_block is not None and code in self.traits.blocks else None

    def accepts(self, reply: Reply) -> bool:
        """Whether the ``reply`` says that all went well."""
        accepted = self.traits.accepted or self.traits.blocks
        return reply.code in accepted if accepted else reply.kind == 2

    def confides(self, reply: Reply) -> bool:
        """Whether ``reply`` holds what nobody else should see: a challenge is enough to search for the password."""
        return self.traits.secret and reply.code in (283, 383)

    def encode(self) -> bytes:
        """Return the bytes as they are sent."""
        if self.payload is None:
            return self.line + b"\r\n"
        return b"%s\r\n%s" % (self.line, self.payload) if self.line else self.payload

    def __str__(self) -> str:
        return self.shown or self.line.decode("utf-8", "replace")


def command(verb: str, *words: bytes) -> Command:
    """Make a command of a listed verb, without a block. Empty words are left out."""
    return Command(_line(verb, words), _TRAITS[verb])


def listing(verb: str, *words: bytes, bounds: Bounds, take: Callable[[list[bytes]], object] | None = None) -> Command:
    """Make a command that is answered by a list; ``take`` gets its lines by and by, and then it has no bound."""
    if take is None:
        block: Callable[[], Block] = partial(Listed, line=bounds.line, limit=bounds.response)
    else:
        block = partial(Lines, take, line=bounds.line)
    made = Command(_line(verb, words), _TRAITS[verb], block)
    return made if words[-1:] != (b"",) or verb not in ("OVER", "XOVER", "HDR", "XHDR") else _alone(made)


def text(verb: str, which: bytes, *, limit: int, sink: Callable[[memoryview], object] | None = None) -> Command:
    """Make ARTICLE, HEAD or BODY: the text goes to ``sink``, or is collected: ``limit`` bytes at most."""
    block = partial(Collected, limit) if sink is None else partial(Sunk, sink)
    made = Command(_line(verb, (which,)), _TRAITS[verb], block)
    return made if which else _alone(made)


def stat(which: bytes) -> Command:
    """Make STAT."""
    return command("STAT", which) if which else _alone(command("STAT"))


def _alone(made: Command) -> Command:
    """The current article is another one after any command that names one by its number."""
    return replace(made, traits=replace(made.traits, pipelining=_BARRIER))


def content(verb: str, article: bytes) -> Command:
    """Make what follows the server's invitation to POST or IHAVE: the article, its lines ended by CRLF."""
    traits = Traits(_BARRIER, accepted=_ANSWERED if verb == "IHAVE" else _codes(240), doubtful=True, slow=True)
    shown = f"{verb} ({len(article)} bytes)"
    return Command(b"", traits, payload=dots.stuffed(article), shown=shown)


def takethis(message_id: bytes, article: bytes) -> Command:
    """Make TAKETHIS with its article (RFC 4644 section 2.5)."""
    line = _line("TAKETHIS", (message_id,))
    return Command(line, _TRAITS["TAKETHIS"], payload=dots.stuffed(article))


def raw_command(verb: str, *words: str, bounds: Bounds, codes: frozenset[int] = frozenset()) -> Command:
    """Make any command from words that are joined by spaces; ``codes``: of replies that bring a list.

    Raises:
        ConfigurationError: the verb is not one word, or a word has CR, LF or NUL.
    """
    line = b" ".join((arguments.token(verb).upper(), *(arguments.text(word) for word in words)))
    block = partial(Listed, line=bounds.line, limit=bounds.response)
    return Command(line, replace(_UNKNOWN, blocks=codes), block)


def secret(line: bytes, shown: str) -> Command:
    """Make AUTHINFO (RFC 4643), or a line of its exchange, of which people see ``shown``."""
    return Command(arguments.checked(line), _SECRET, shown=shown)


def _line(verb: str, words: tuple[bytes, ...]) -> bytes:
    return arguments.checked(b" ".join((verb.encode("ascii"), *(word for word in words if word))))
