"""From an address to a connection that is ready for work: greeting, TLS, MODE READER, login, compression."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netclients.config import TLSMode
from netclients.errors import UnsupportedError
from netclients.nntp.connection import NNTPConnection
from netclients.opening import opened, with_fresh_token

if TYPE_CHECKING:
    from netclients.nntp.settings import Settings

__all__ = ["connect"]


async def connect(settings: Settings) -> NNTPConnection:
    """Open a connection, and log in if there are credentials.

    A token that was refused may have expired a moment ago: its provider is asked once more.

    Raises:
        ConnectError, TLSError, PhaseTimeout, ConnectionLost: the network.
        TooManyConnections: the server has no room at the moment.
        AuthenticationError: it does not accept the credentials.
        UnsupportedError: it does not offer the TLS that is required, or no way to log in; nothing secret was sent.
    """
    return await with_fresh_token(
        settings.credentials,
        lambda: opened(settings, lambda stream: NNTPConnection(settings, stream), _log_in),
    )


async def _log_in(connection: NNTPConnection) -> None:
    settings = connection.settings
    await connection.greet()
    await connection.fetch_capabilities()
    if settings.tls is TLSMode.STARTTLS:
        await _start_tls(connection)
    if settings.reader and not connection.capabilities.has("READER"):
        await _read(connection)
    if settings.credentials is not None:
        await connection.login(settings.credentials)
    if settings.compress and connection.capabilities.has("COMPRESS", "DEFLATE"):
        await connection.compress()


async def _start_tls(connection: NNTPConnection) -> None:
    capabilities = connection.capabilities
    if capabilities.lacks("STARTTLS") and capabilities.has("MODE-READER") and connection.settings.reader:
        # The part of the server that reads is another one, and has TLS of its own.
        await _read(connection)
    if connection.capabilities.lacks("STARTTLS"):
        raise UnsupportedError("the server does not offer STARTTLS (tls='none' goes without)")
    await connection.starttls()


async def _read(connection: NNTPConnection) -> None:
    """MODE READER where it may be needed: by what the server says, or because it says nothing."""
    if connection.capabilities.lacks("MODE-READER"):
        return
    known = connection.capabilities.known
    try:
        await connection.mode_reader()
    except UnsupportedError:
        if known:
            raise
    if known:
        await connection.fetch_capabilities()
