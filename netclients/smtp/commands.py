"""The commands of SMTP and LMTP, and what each may share the wire with (RFC 2920 section 3.1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netclients.wire import arguments
from netclients.wire.pipeline import Pipelining

if TYPE_CHECKING:
    from netclients.wire.replies import Reply

__all__ = ["Command", "Traits", "bdat", "command", "content", "further_reply", "mail", "raw_command", "rcpt", "secret"]


@dataclass(frozen=True, slots=True)
class Traits:
    """How a verb behaves.

    ``secret``: its argument is never shown. ``marks``: it leaves the session other than it was after login.
    ``doubtful``: it may have taken effect even if its reply is lost. ``intermediate``: the 3xx code that is its
    success.
    """

    pipelining: Pipelining
    secret: bool = False
    marks: bool = False
    doubtful: bool = False
    intermediate: int = 0


_GROUP = Traits(Pipelining.FREE)
_LAST = Traits(Pipelining.LAST)
_ALONE = Traits(Pipelining.BARRIER)
_CONTENT = Traits(Pipelining.FREE, doubtful=True)
_SECRET = Traits(Pipelining.BARRIER, secret=True, intermediate=334)

_TRAITS = {
    "EHLO": _ALONE,
    "HELO": _ALONE,
    "LHLO": _ALONE,
    "STARTTLS": _ALONE,
    "AUTH": _SECRET,
    "RSET": _GROUP,
    "MAIL": _GROUP,
    "RCPT": _GROUP,
    "DATA": Traits(Pipelining.LAST, intermediate=354),
    "NOOP": _LAST,
    "VRFY": _LAST,
    "EXPN": _LAST,
    "HELP": _LAST,
    "QUIT": _LAST,
}
_UNKNOWN = Traits(Pipelining.BARRIER, marks=True)


@dataclass(frozen=True, slots=True)
class Command:
    """One command line and what goes with it: ``line`` without its end, ``payload`` as it stands behind it."""

    line: bytes
    traits: Traits
    payload: bytes = b""
    shown: str = ""

    @property
    def marks(self) -> bool:
        """Whether it leaves the session other than it was after login."""
        return self.traits.marks

    @property
    def doubtful(self) -> bool:
        """Whether it may have taken effect though its reply is lost."""
        return self.traits.doubtful

    def accepts(self, reply: Reply) -> bool:
        """Whether the final ``reply`` says that all went well."""
        return reply.kind == 2 or reply.code == self.traits.intermediate

    def confides(self, reply: Reply) -> bool:
        """Whether ``reply`` holds what nobody else should see: a challenge is enough to search for the password."""
        return self.traits.secret and reply.code == 334

    def encode(self) -> bytes:
        """Return the bytes as they are sent."""
        return b"%s\r\n%s" % (self.line, self.payload) if self.line else self.payload

    def __str__(self) -> str:
        return self.shown or self.line.decode("utf-8", "replace")


def command(verb: str, argument: bytes = b"") -> Command:
    """Make a command of a listed verb; ``argument`` comes from :mod:`netclients.wire.arguments`."""
    line = verb.encode("ascii")
    return Command(b"%s %s" % (line, arguments.checked(argument)) if argument else line, _TRAITS[verb])


def raw_command(verb: str, *words: str) -> Command:
    """Make any command from words that are joined by spaces. Nothing is assumed about it.

    Raises:
        ConfigurationError: the verb is not one word, or a word has CR, LF or NUL.
    """
    line = b" ".join((arguments.token(verb).upper(), *(arguments.text(word) for word in words)))
    return Command(line, _UNKNOWN)


def secret(line: bytes, shown: str) -> Command:
    """Make a line of an authentication (RFC 4954), of which people see ``shown``."""
    # A line without text is a command too: an empty response.
    return Command(arguments.checked(line), _SECRET, b"" if line else b"\r\n", shown)


def mail(sender: bytes, parameters: Iterable[bytes] = ()) -> Command:
    """MAIL FROM; an empty ``sender`` is the null reverse-path of notifications."""
    return Command(b" ".join((b"MAIL FROM:<%s>" % sender, *parameters)), _GROUP)


def rcpt(recipient: bytes, parameters: Iterable[bytes] = ()) -> Command:
    """RCPT TO."""
    return Command(b" ".join((b"RCPT TO:<%s>" % recipient, *parameters)), _GROUP)


def content(block: bytes, size: int) -> Command:
    """Make what follows the 354 reply to DATA: a dot block; an empty one is sent afterwards. ``size`` is shown."""
    return Command(b"", _CONTENT, block, f"content ({size:,} bytes)")


def bdat(size: int, payload: bytes, *, last: bool = True) -> Command:
    """BDAT (RFC 3030): ``size`` bytes follow, in ``payload`` or afterwards."""
    line = b"BDAT %d LAST" % size if last else b"BDAT %d" % size
    return Command(line, _CONTENT if last else _GROUP, payload)


def further_reply(recipient: bytes) -> Command:
    """Make nothing to send: LMTP answers a content once for each recipient (RFC 2033 section 4.2)."""
    return Command(b"", _CONTENT, shown=f"content for <{recipient.decode('utf-8', 'replace')}>")
