"""The commands of FTP and what each may share the wire with.

``_TRAITS`` is the declaration: for every verb whether it may be pipelined, whether it opens a data
connection, and what it does to the session. A verb that is not listed is trusted with nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from netclients.wire import arguments
from netclients.wire.pipeline import Pipelining

if TYPE_CHECKING:
    from netclients.wire.replies import Reply

__all__ = ["Command", "Traits", "command", "raw_command"]


@dataclass(frozen=True, slots=True)
class Traits:
    """How a verb behaves.

    ``transfer``: it uses a data connection and answers 1xx before its final reply. ``secret``: its argument
    is never shown. ``marks``: it leaves the session other than it was after login. ``lasting``: it may have
    taken effect even if its reply is lost. ``intermediate``: the 3xx codes that are no less
    than its success (RFC 959 section 5.4); all other verbs end well by 2xx only.
    """

    pipelining: Pipelining
    transfer: bool = False
    secret: bool = False
    marks: bool = False
    lasting: bool = False
    intermediate: tuple[int, ...] = ()


_FREE = Traits(Pipelining.FREE)
_ALONE = Traits(Pipelining.BARRIER)
_SECRET = Traits(Pipelining.FREE, secret=True)
_SESSION = Traits(Pipelining.LAST, marks=True)
_EFFECT = Traits(Pipelining.FREE, lasting=True)
_GET = Traits(Pipelining.LAST, transfer=True)
_PUT = Traits(Pipelining.LAST, transfer=True, lasting=True)

_TRAITS = {
    # RFC 959: access. PASS may stand behind USER: a server that wants no password answers it with 202 or 503.
    "USER": Traits(Pipelining.FREE, intermediate=(331, 332)),
    "PASS": Traits(Pipelining.FREE, secret=True, intermediate=(332,)),
    "ACCT": _SECRET,
    "CWD": _SESSION,
    "CDUP": _SESSION,
    "REIN": Traits(Pipelining.BARRIER, marks=True),
    "QUIT": Traits(Pipelining.LAST),
    # Parameters of transfers. REST must stand directly before its transfer, which must know the reply.
    "TYPE": _FREE,
    "STRU": _SESSION,
    "MODE": _SESSION,
    "PORT": _FREE,
    "EPRT": _FREE,
    "PASV": _FREE,
    "EPSV": _FREE,
    "REST": Traits(Pipelining.LAST, intermediate=(350,)),
    "ALLO": _FREE,
    # Transfers
    "RETR": _GET,
    "LIST": _GET,
    "NLST": _GET,
    "MLSD": _GET,
    "STOR": _PUT,
    "STOU": _PUT,
    "APPE": _PUT,
    # Files and directories. RNTO depends on RNFR's success, which it states itself by 503.
    "RNFR": Traits(Pipelining.LAST, intermediate=(350,)),
    "RNTO": _EFFECT,
    "DELE": _EFFECT,
    "MKD": _EFFECT,
    "RMD": _EFFECT,
    "MFMT": _EFFECT,
    "PWD": _FREE,
    "SIZE": _FREE,
    "MDTM": _FREE,
    "MLST": _FREE,
    # Information
    "FEAT": _FREE,
    "SYST": _FREE,
    "STAT": _FREE,
    "HELP": _FREE,
    "NOOP": _FREE,
    "ABOR": _ALONE,
    # Options and security (RFC 2228, 2389, 2428, 2640, 4217, 7151)
    "OPTS": _FREE,
    "CLNT": _FREE,
    "LANG": _FREE,
    "HOST": _ALONE,
    "AUTH": _ALONE,
    "PBSZ": _FREE,
    "PROT": _FREE,
}

_UNKNOWN = Traits(Pipelining.BARRIER, marks=True)


@dataclass(frozen=True, slots=True)
class Command:
    """One command line: a verb, its argument as bytes (empty: none), and its traits."""

    verb: str
    argument: bytes
    traits: Traits

    @property
    def pipelining(self) -> Pipelining:
        """What it tolerates around it."""
        return self.traits.pipelining

    @property
    def marks(self) -> bool:
        """Whether it leaves the session other than it was after login."""
        return self.traits.marks

    @property
    def doubtful(self) -> bool:
        """Whether it may have taken effect though its reply is lost.

        Of a transfer's outcome only its caller can tell: a part file that is left behind is no doubt.
        """
        return self.traits.lasting and not self.traits.transfer

    def accepts(self, reply: Reply) -> bool:
        """Whether the final ``reply`` says that all went well."""
        return reply.kind == 2 or reply.code in self.traits.intermediate

    def confides(self, reply: Reply) -> bool:
        """Whether ``reply`` holds what nobody else should see: in FTP, none does."""
        return False

    def encode(self) -> bytes:
        """Return the line as it is sent."""
        if not self.argument:
            return b"%s\r\n" % self.verb.encode("ascii")
        return b"%s %s\r\n" % (self.verb.encode("ascii"), self.argument)

    def __str__(self) -> str:
        if not self.argument:
            return self.verb
        shown = "***" if self.traits.secret else self.argument.decode("utf-8", "replace")
        return f"{self.verb} {shown}"


def command(verb: str, argument: bytes = b"") -> Command:
    """Make a command of a listed verb; ``argument`` comes from :mod:`netclients.wire.arguments`."""
    return Command(verb, arguments.checked(argument), _TRAITS[verb])


def raw_command(verb: str, *words: str, encoding: str) -> Command:
    """Make any command from words that are joined by spaces. Nothing is assumed about an unlisted verb.

    Raises:
        ConfigurationError: the verb is not one word, or a word has CR, LF or NUL.
    """
    name = arguments.token(verb).decode("ascii").upper()
    argument = b" ".join(arguments.text(word, encoding) for word in words)
    traits = _TRAITS.get(name, _UNKNOWN)
    return Command(name, argument, replace(traits, pipelining=Pipelining.BARRIER, marks=True))
