"""What a client is told: where to connect, how to secure it, how long to wait, how much to take.

All values are frozen and checked when they are made: a mistake is a
:class:`~netclients.errors.ConfigurationError` before a socket is opened.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from netclients.errors import ConfigurationError

__all__ = ["Bounds", "Endpoint", "Login", "PoolLimits", "Scheme", "TLSMode", "Timeouts", "resolve_tls"]

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


@dataclass(frozen=True, slots=True)
class Scheme:
    """What a URL scheme stands for: protocol, default port and TLS mode (None: it depends on credentials)."""

    protocol: str
    port: int
    tls: TLSMode | None


_SCHEMES: Mapping[str, Scheme] = {
    "ftp": Scheme("ftp", 21, None),
    "ftpes": Scheme("ftp", 21, TLSMode.STARTTLS),
    "ftps": Scheme("ftp", 990, TLSMode.IMPLICIT),
}


@dataclass(frozen=True, slots=True)
class Login:
    """A user, a password and, for FTP servers that want one, an account (RFC 959 ACCT)."""

    user: str
    password: str = field(default="", repr=False)
    account: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for name in ("user", "password", "account"):
            value = getattr(self, name)
            if name == "account" and value is None:
                continue
            if not isinstance(value, str):
                raise ConfigurationError(f"{name} must be text, not {type(value).__name__}")
            if _CONTROL.search(value):
                raise ConfigurationError(f"control character in {name}")
        if not self.user:
            raise ConfigurationError("empty user name")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server, and where to start on it.

    ``path`` is relative to the login directory, absolute if it starts with a slash (in a URL: ``%2F``,
    RFC 1738 section 3.2.2), and empty for the login directory itself.
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
        if not self.host:
            raise ConfigurationError("the URL has no host")
        if _CONTROL.search(self.host) or " " in self.host:
            raise ConfigurationError("control character or space in the host name")
        if _CONTROL.search(self.path):
            raise ConfigurationError("control character in the path")
        if not 0 < self.port < 65536:
            raise ConfigurationError(f"port {self.port} is not between 1 and 65535")

    @property
    def protocol(self) -> str:
        """The protocol behind the scheme: ``"ftp"`` for ``ftp``, ``ftps`` and ``ftpes``."""
        return _SCHEMES[self.scheme].protocol

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Read a URL, percent-encoding undone.

        Raises:
            ConfigurationError: unknown scheme, no host, a bad port, control characters, an unknown query.
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
        path = parts.path.removeprefix("/")
        return cls(
            scheme=scheme,
            host=unquote(parts.hostname or ""),
            port=port or _SCHEMES[scheme].port,
            login=login,
            path=unquote(re.sub(r";type=[aidAID]$", "", path), errors="surrogateescape"),
            tls=_tls_from_query(parts.query),
        )


def _tls_from_query(query: str) -> TLSMode | None:
    mode = None
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key != "tls":
            raise ConfigurationError(f"unknown query parameter {key!r} in the URL; known: tls")
        mode = parse_tls(value)
    return mode


def parse_tls(value: str) -> TLSMode:
    """Read ``"implicit"``, ``"starttls"`` or ``"none"``.

    Raises:
        ConfigurationError: anything else.
    """
    try:
        return TLSMode(value)
    except ValueError:
        raise ConfigurationError(f"tls={value!r}: choose {', '.join(TLSMode)}") from None


def resolve_tls(
    endpoint: Endpoint, tls: TLSMode | Literal["implicit", "starttls", "none"] | None, *, credentials: bool
) -> TLSMode:
    """Decide the TLS mode: ``tls`` first, then the URL's ``?tls=``, then the scheme.

    A scheme that leaves it open (``ftp``) means TLS by command as soon as there are ``credentials``:
    they never cross a plain connection unless that was asked for in so many words.
    """
    if tls is not None:
        return parse_tls(tls)
    if endpoint.tls is not None:
        return endpoint.tls
    mode = _SCHEMES[endpoint.scheme].tls
    if mode is not None:
        return mode
    return TLSMode.STARTTLS if credentials else TLSMode.NONE


def _check_positive(value: object, *, optional: frozenset[str] = frozenset()) -> None:
    for entry in fields(value):  # type: ignore[arg-type]
        number = getattr(value, entry.name)
        if number is None:
            if entry.name in optional:
                continue
        elif isinstance(number, (int, float)) and not isinstance(number, bool) and number > 0:
            continue
        raise ConfigurationError(f"{type(value).__name__}.{entry.name}={number!r} must be a positive number")


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
        _check_positive(self, optional=frozenset(entry.name for entry in fields(self)))


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
        _check_positive(self, optional=frozenset({"max_uses", "max_waiting"}))


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a server may make the client hold in memory, in bytes. Bodies are streamed and have no bound."""

    line: int = 64 * KIB
    """One line of a reply or of a listing."""
    reply: int = MIB
    """One reply, all its lines."""
    read: int = 256 * MIB
    """What ``read_bytes`` and ``read_text`` return at the most."""

    def __post_init__(self) -> None:
        _check_positive(self)
