"""What a client was told: how to reach its server and how to talk to it. Shared by its connections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypedDict

from netclients.config import (
    Bounds,
    Credentials,
    Endpoint,
    External,
    Login,
    OAuth,
    Timeouts,
    TLSMode,
    resolve_tls,
)
from netclients.errors import ConfigurationError
from netclients.events import Trace
from netclients.transport.dial import Dialer

if TYPE_CHECKING:
    import ssl

    from netclients.events import Events

__all__ = ["AnyTLS", "Auth", "Settings", "common_settings", "endpoint_of"]

AnyTLS = TLSMode | Literal["implicit", "starttls", "none", "opportunistic"]
Auth = Credentials | tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What all protocols need.

    ``plain_asked_for``: the caller said in so many words that credentials may cross a plain connection.
    ``mechanisms``: SASL mechanisms that may be used; None: all.
    """

    endpoint: Endpoint
    credentials: Credentials | None = None
    tls: TLSMode
    timeouts: Timeouts
    bounds: Bounds
    dialer: Dialer
    trace: Trace
    mechanisms: tuple[str, ...] | None = None
    plain_asked_for: bool = False


class _Common(TypedDict):
    endpoint: Endpoint
    credentials: Credentials | None
    tls: TLSMode
    timeouts: Timeouts
    bounds: Bounds
    dialer: Dialer
    trace: Trace
    mechanisms: tuple[str, ...] | None
    plain_asked_for: bool


def common_settings(
    endpoint: Endpoint,
    *,
    auth: Auth | None,
    tls: AnyTLS | None,
    ssl_context: ssl.SSLContext | None,
    timeouts: Timeouts | None,
    bounds: Bounds | None,
    proxy: str | None,
    events: Events | None,
    mechanisms: Sequence[str] | None = None,
) -> _Common:
    """Return the fields of :class:`Settings` that a client's arguments mean.

    Raises:
        ConfigurationError: they make no sense.
    """
    credentials = endpoint.login if auth is None else credentials_of(auth)
    private = credentials is not None or ssl_context is not None
    if mechanisms is not None:
        _check_mechanisms(mechanisms)
    return {
        "endpoint": endpoint,
        "credentials": credentials,
        "tls": resolve_tls(endpoint, tls, credentials=private, proxied=proxy is not None),
        "timeouts": timeouts or Timeouts(),
        "bounds": bounds or Bounds(),
        "dialer": Dialer(context=ssl_context, proxy=proxy),
        "trace": Trace(endpoint.protocol, events),
        "mechanisms": None if mechanisms is None else tuple(mechanisms),
        "plain_asked_for": (tls or endpoint.tls) == TLSMode.NONE,
    }


def endpoint_of(url: object, client: str, *protocols: str) -> Endpoint:
    """Return the server that ``url`` (text or an :class:`~netclients.Endpoint`) names, for a client of ``protocols``.

    Raises:
        ConfigurationError: it is neither, is malformed, or names another protocol.
    """
    if not isinstance(url, (str, Endpoint)):
        raise ConfigurationError(f"url must be text or an Endpoint, not {type(url).__name__}")
    endpoint = url if isinstance(url, Endpoint) else Endpoint.parse(url)
    if endpoint.protocol not in protocols:
        raise ConfigurationError(f"{client} does not speak {endpoint.scheme}")
    return endpoint


def credentials_of(auth: object) -> Credentials:
    """Return credentials as such; a tuple is user and password.

    Raises:
        ConfigurationError: they are none.
    """
    if isinstance(auth, (Login, OAuth, External)):
        return auth
    if isinstance(auth, tuple) and len(auth) == 2:
        return Login(*auth)
    raise ConfigurationError("auth must be a Login, (user, password), OAuth or External")


def _check_mechanisms(mechanisms: Sequence[str]) -> None:
    from netclients.wire.sasl import MECHANISMS

    if isinstance(mechanisms, str) or not set(MECHANISMS).issuperset(mechanisms):
        raise ConfigurationError(f"mechanisms={mechanisms!r}: choose from {', '.join(MECHANISMS)}")
