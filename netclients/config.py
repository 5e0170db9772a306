"""What a client is told: where to connect, how to secure it, how long to wait, how much to take.

All values are frozen and checked when they are made: a mistake is a
:class:`~netclients.errors.ConfigurationError` before a socket is opened.
"""

from __future__ import annotations

import enum
import ipaddress
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, fields
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from netclients.errors import ConfigurationError
from netclients.numbers import positive, whole_number

__all__ = [
    "Bounds",
    "Credentials",
    "Endpoint",
    "External",
    "Login",
    "OAuth",
    "PoolLimits",
    "Scheme",
    "TLSMode",
    "Timeouts",
    "TokenProvider",
    "resolve_tls",
]

KIB = 1024
MIB = 1024 * KIB

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class TLSMode(enum.StrEnum):
    """How a connection is secured."""

    IMPLICIT = "implicit"
    """TLS from the first byte."""
    STARTTLS = "starttls"
    """TLS by command (STARTTLS, STLS, AUTH TLS), required before anything else is said."""
    NONE = "none"
    """Plain text, asked for in so many words."""
    OPPORTUNISTIC = "opportunistic"
    """STARTTLS where the server offers it, plain text where not; never with credentials. SMTP and LMTP only."""


class PathMeaning(enum.Enum):
    """What the path of a URL names."""

    NOTHING = "nothing"
    FILE = "a file"
    SOCKET = "the server's Unix socket"
    MAILBOX = "a mailbox"
    GROUP = "a newsgroup"


@dataclass(frozen=True, slots=True)
class Scheme:
    """What a URL scheme stands for: protocol, default port, TLS mode, and what its path names.

    ``tls`` None: TLS by command as soon as there are credentials. ``plain_only_here``: without them too, unless the
    server is on this machine. ``opportunistic``: TLS may depend on what the server offers, if that is asked for.
    """

    protocol: str
    port: int
    tls: TLSMode | None
    path: PathMeaning
    plain_only_here: bool = False
    opportunistic: bool = False


def _mail(protocol: str, port: int, tls: TLSMode | None, path: PathMeaning = PathMeaning.NOTHING) -> Scheme:
    return Scheme(protocol, port, tls, path, plain_only_here=True, opportunistic=True)


_SCHEMES: Mapping[str, Scheme] = {
    "ftp": Scheme("ftp", 21, None, PathMeaning.FILE),
    "ftpes": Scheme("ftp", 21, TLSMode.STARTTLS, PathMeaning.FILE),
    "ftps": Scheme("ftp", 990, TLSMode.IMPLICIT, PathMeaning.FILE),
    # Submission (RFC 6409): a relay's port 25 is to be named.
    "smtp": _mail("smtp", 587, None),
    "smtps": Scheme("smtp", 465, TLSMode.IMPLICIT, PathMeaning.NOTHING),
    "smtp+unix": _mail("smtp", 0, None, PathMeaning.SOCKET),
    "lmtp": _mail("lmtp", 24, None),
    "lmtp+unix": _mail("lmtp", 0, None, PathMeaning.SOCKET),
    "imap": Scheme("imap", 143, None, PathMeaning.MAILBOX),
    "imaps": Scheme("imap", 993, TLSMode.IMPLICIT, PathMeaning.MAILBOX),
    "pop3": Scheme("pop3", 110, None, PathMeaning.NOTHING),
    "pop3s": Scheme("pop3", 995, TLSMode.IMPLICIT, PathMeaning.NOTHING),
    "nntp": Scheme("nntp", 119, None, PathMeaning.GROUP),
    "nntps": Scheme("nntp", 563, TLSMode.IMPLICIT, PathMeaning.GROUP),
}


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ConfigurationError(f"{name} must be text, not {type(value).__name__}")
    if _CONTROL.search(value):
        raise ConfigurationError(f"control character in {name}")


@dataclass(frozen=True, slots=True)
class Login:
    """A user, a password and, for FTP servers that want one, an account (RFC 959 ACCT)."""

    user: str
    password: str = field(default="", repr=False)
    account: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("user", "password", "account"):
            value = getattr(self, name)
            if name != "account" or value is not None:
                _check_text(name, value)
        if not self.user:
            raise ConfigurationError("empty user name")


TokenProvider = Callable[[], str | Awaitable[str]]
"""Returns an access token, or an awaitable of one."""


@dataclass(frozen=True, slots=True)
class OAuth:
    """A user and an access token, or a function (``def`` or ``async def``) that returns one (RFC 7628, XOAUTH2).

    The function is asked at each connection, and once more when a token was refused.
    """

    user: str
    token: str | TokenProvider = field(repr=False)

    def __post_init__(self) -> None:
        _check_text("user", self.user)
        if not self.user:
            raise ConfigurationError("empty user name")
        if not callable(self.token):
            check_token(self.token)


def check_token(token: object) -> str:
    """Return ``token`` if it can be an access token.

    Raises:
        ConfigurationError: it is not text, is empty, or has a control character.
    """
    if not isinstance(token, str) or not token or _CONTROL.search(token):
        raise ConfigurationError("an access token is text, not empty, without control characters")
    return token


@dataclass(frozen=True, slots=True)
class External:
    """The identity that the TLS client certificate proves (RFC 4422 appendix A); empty: what the server makes of it."""

    identity: str = ""

    def __post_init__(self) -> None:
        _check_text("identity", self.identity)


Credentials = Login | OAuth | External
"""What a client can log in with."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server, and where to start on it.

    What ``path`` names depends on the scheme. FTP: a file or directory, relative to the login directory, absolute if
    it starts with a slash (in a URL: ``%2F``, RFC 1738 section 3.2.2), empty for the login directory itself. IMAP: a
    mailbox, as text. NNTP: a group. ``…+unix``: the server's socket, and there is no host and no port. With other
    schemes there is none.
    """

    scheme: str
    host: str
    port: int
    login: Login | None = None
    path: str = ""
    tls: TLSMode | None = None

    def __post_init__(self) -> None:
        if self.scheme not in _SCHEMES:
            raise ConfigurationError(f"unknown scheme {self.scheme!r}; known: {', '.join(sorted(_SCHEMES))}")
        if _CONTROL.search(self.path):
            raise ConfigurationError("control character in the path")
        meaning = _SCHEMES[self.scheme].path
        if meaning is PathMeaning.SOCKET:
            if self.host or not self.path.startswith("/"):
                raise ConfigurationError(f"{self.scheme} takes the absolute path of a socket: {self.scheme}:///path")
            return
        if meaning is PathMeaning.NOTHING and self.path:
            raise ConfigurationError(f"{self.scheme} takes no path")
        if meaning is PathMeaning.GROUP and "/" in self.path:
            raise ConfigurationError(f"{self.scheme} takes a group and nothing behind it: {self.scheme}://host/group")
        if not self.host:
            raise ConfigurationError("the URL has no host")
        if _CONTROL.search(self.host) or " " in self.host:
            raise ConfigurationError("control character or space in the host name")
        if not 0 < self.port < 65536:
            raise ConfigurationError(f"port {self.port} is not between 1 and 65535")

    @property
    def protocol(self) -> str:
        """The protocol behind the scheme: ``"ftp"`` for ``ftp``, ``ftps`` and ``ftpes``."""
        return _SCHEMES[self.scheme].protocol

    @property
    def socket_path(self) -> str | None:
        """The path of the server's Unix socket; None if it is reached by TCP."""
        return self.path if _SCHEMES[self.scheme].path is PathMeaning.SOCKET else None

    @property
    def local(self) -> bool:
        """Whether the server is on this machine: a loopback address, ``localhost``, or a Unix socket."""
        if self.socket_path is not None or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Read a URL, percent-encoding undone.

        Raises:
            ConfigurationError: unknown scheme, no host, a bad port, control characters, an unknown query, a path
                where it names nothing.
        """
        if _CONTROL.search(url):
            raise ConfigurationError("control character in the URL")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            # The reason may quote the URL, and with it the password.
            raise ConfigurationError(
                "bad URL: host or port can't be read; percent-encode special characters in user and password"
            ) from None
        scheme = parts.scheme.lower()
        if scheme not in _SCHEMES:
            known = ", ".join(sorted(_SCHEMES))
            raise ConfigurationError(f"unknown scheme {scheme!r} in the URL; known: {known}")
        if port == 0:
            raise ConfigurationError("port 0 is not between 1 and 65535")
        if parts.fragment:
            raise ConfigurationError("the URL has a fragment; write # in names and passwords as %23")
        login = None
        if parts.username:
            login = Login(
                unquote(parts.username, errors="surrogateescape"),
                unquote(parts.password or "", errors="surrogateescape"),
            )
        elif parts.password:
            raise ConfigurationError("the URL has a password but no user")
        return cls(
            scheme=scheme,
            host=unquote(parts.hostname or ""),
            port=port or _SCHEMES[scheme].port,
            login=login,
            path=_path_from_url(parts.path, _SCHEMES[scheme].path),
            tls=_tls_from_query(parts.query),
        )


def _path_from_url(path: str, meaning: PathMeaning) -> str:
    if meaning is not PathMeaning.SOCKET:
        path = path.removeprefix("/")
    if meaning is PathMeaning.FILE:
        path = re.sub(r";type=[aidAID]$", "", path)  # RFC 1738 section 3.2.2
    elif meaning is PathMeaning.MAILBOX and ";" in path:
        # RFC 5092: UIDVALIDITY, UID, SECTION, PARTIAL. Taken for part of the name, they'd lead to another mailbox.
        raise ConfigurationError("the URL names more than a mailbox; write ; in the name of one as %3B")
    return unquote(path, errors="surrogateescape")


def _tls_from_query(query: str) -> TLSMode | None:
    mode = None
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key != "tls":
            raise ConfigurationError(f"unknown query parameter {key!r} in the URL; known: tls")
        mode = parse_tls(value)
    return mode


def parse_tls(value: str) -> TLSMode:
    """Read ``"implicit"``, ``"starttls"``, ``"none"`` or ``"opportunistic"``.

    Raises:
        ConfigurationError: anything else.
    """
    try:
        return TLSMode(value)
    except ValueError:
        raise ConfigurationError(f"tls={value!r}: choose {', '.join(TLSMode)}") from None


def resolve_tls(
    endpoint: Endpoint,
    tls: TLSMode | Literal["implicit", "starttls", "none", "opportunistic"] | None,
    *,
    credentials: bool,
    proxied: bool = False,
) -> TLSMode:
    """Decide the TLS mode: ``tls`` first, then the URL's ``?tls=``, then the scheme.

    A scheme that leaves it open (``ftp``, ``imap``, ``pop3``, ``nntp``) means TLS by command as soon as there are
    ``credentials``: they never cross a plain connection unless that was asked for in so many words. Mail that is sent
    (``smtp``, ``lmtp``) is as private as they are: without them too, it crosses in clear only to this machine, which
    is not the one that a proxy (``proxied``) takes a loopback address for.

    Raises:
        ConfigurationError: there is no such mode, or this protocol does not have it.
    """
    scheme = _SCHEMES[endpoint.scheme]
    asked = endpoint.tls if tls is None else parse_tls(tls)
    if asked is TLSMode.OPPORTUNISTIC and not scheme.opportunistic:
        raise ConfigurationError(f"{endpoint.scheme} has no opportunistic TLS: choose implicit, starttls or none")
    if asked is not None:
        return asked
    if scheme.tls is not None:
        return scheme.tls
    here = endpoint.local and not proxied
    plain = not credentials and (here or not scheme.plain_only_here)
    return TLSMode.NONE if plain else TLSMode.STARTTLS


def _check_numbers(value: object, *, whole: Collection[str] = (), optional: Collection[str] = ()) -> None:
    for entry in fields(value):  # type: ignore[arg-type]
        name, number = f"{type(value).__name__}.{entry.name}", getattr(value, entry.name)
        if number is None and entry.name in optional:
            continue
        if entry.name in whole:
            whole_number(name, number, 1)
        else:
            positive(name, number)


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait in each phase, in seconds. ``None`` waits for ever and is never a default."""

    connect: float | None = 10
    """TCP, each address tried in turn, and the proxy."""
    handshake: float | None = 10
    """TLS."""
    reply: float | None = 60
    """An ordinary reply."""
    stall: float | None = 60
    """A transfer in which not a byte moves."""
    pool: float | None = 60
    """A free connection."""
    complete: float | None = 600
    """Replies that end a transfer (RFC 5321 section 4.5.3.2 asks for ten minutes)."""

    def __post_init__(self) -> None:
        _check_numbers(self, optional=self.__slots__)


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many connections a client keeps, and for how long (seconds)."""

    max_connections: int = 8
    """Open at once, at the most."""
    max_idle: int = 8
    """Kept open while unused."""
    idle_timeout: float = 60
    """An unused connection is closed after this long (when the pool is next looked at)."""
    max_age: float = 1800
    """No connection is used again after this long, less up to a tenth of jitter."""
    max_uses: int | None = None
    """Operations on one connection."""
    max_waiting: int | None = None
    """Callers that may wait for a connection; one more gets PoolTimeout at once."""
    probe_after: float = 15
    """A connection unused for longer is asked for a sign of life before it is used."""

    def __post_init__(self) -> None:
        counts = ("max_connections", "max_idle", "max_uses", "max_waiting")
        _check_numbers(self, whole=counts, optional=("max_uses", "max_waiting"))


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a server may make the client hold in memory, in bytes. Bodies are streamed and have no bound."""

    line: int = 64 * KIB
    """One line of a reply or of a listing."""
    reply: int = MIB
    """One reply, all its lines."""
    read: int = 256 * MIB
    """What ``FTPClient.read_bytes`` and ``read_text`` (a file) and ``MailReader.read`` (a message) return at most."""
    data: int = 8 * MIB
    """One line of IMAP data, which may hold the whole answer to a search."""
    literal: int = 64 * MIB
    """One string of IMAP data, where no stream takes it."""
    response: int = 256 * MIB
    """One response of IMAP, all its lines and strings."""

    def __post_init__(self) -> None:
        _check_numbers(self, whole=self.__slots__)
