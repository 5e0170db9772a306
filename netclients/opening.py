"""From an address to a connection that is ready for work: dialled, under TLS if that comes first, logged in."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from netclients.config import OAuth, TLSMode
from netclients.errors import AuthenticationError

if TYPE_CHECKING:
    from netclients.config import Credentials
    from netclients.conversation import Conversation
    from netclients.settings import Settings
    from netclients.transport.stream import SocketStream

__all__ = ["opened", "with_fresh_token"]

K = TypeVar("K", bound="Conversation[Any, Any]")
T = TypeVar("T")


async def opened(settings: Settings, make: Callable[[SocketStream], K], log_in: Callable[[K], Awaitable[None]]) -> K:
    """Dial, ``make`` a connection of the stream, and ``log_in``: that is how every session begins, so it is clean then.

    Raises:
        ConnectError, TLSError, PhaseTimeout: the network.
        NetClientError: what ``log_in`` raises; the connection is closed then.
    """
    started = time.monotonic()
    endpoint, timeout = settings.endpoint, settings.timeouts.connect
    if (path := endpoint.socket_path) is not None:
        stream = await settings.dialer.connect_unix(path, timeout)
    else:
        stream = await settings.dialer.connect(endpoint.host, endpoint.port, timeout)
    connection = make(stream)
    try:
        if settings.tls is TLSMode.IMPLICIT:
            await connection.secure()
        await log_in(connection)
        connection.unmark()
    except BaseException as error:
        connection.abort(f"login failed: {type(error).__name__}")
        raise
    settings.trace.opened(connection.number, path or endpoint.host, endpoint.port, time.monotonic() - started)
    return connection


async def with_fresh_token(credentials: Credentials | None, connect: Callable[[], Awaitable[T]]) -> T:
    """Connect; once more if a token was refused: it may have expired a moment ago, and its provider is asked again."""
    try:
        return await connect()
    except AuthenticationError:
        if not (isinstance(credentials, OAuth) and callable(credentials.token)):
            raise
    return await connect()
