"""From an address to a connection that is ready for work: greeting, EHLO, TLS, login."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netclients.config import TLSMode
from netclients.errors import TransientReplyError, UnsupportedError
from netclients.opening import opened, with_fresh_token
from netclients.smtp.connection import SMTPConnection

if TYPE_CHECKING:
    from netclients.smtp.settings import Settings

__all__ = ["connect"]


async def connect(settings: Settings) -> SMTPConnection:
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
        lambda: opened(settings, lambda stream: SMTPConnection(settings, stream), _log_in),
    )


async def _log_in(connection: SMTPConnection) -> None:
    await _greet(connection)
    await _say_hello(connection)
    await _start_tls(connection)
    if (credentials := connection.settings.credentials) is not None:
        await connection.auth(credentials)


async def _greet(connection: SMTPConnection) -> None:
    reply = await connection.answer(connection.protocol.greeting)
    if reply.kind != 2:
        raise connection.error("greeting", reply)
    connection.welcome = reply.text


async def _say_hello(connection: SMTPConnection) -> None:
    settings = connection.settings
    if settings.lmtp:
        await connection.lhlo()
        return
    try:
        await connection.ehlo()
    except UnsupportedError:
        # RFC 5321 section 4.1.4: a server of before 1995.
        await connection.helo()


async def _start_tls(connection: SMTPConnection) -> None:
    mode = connection.settings.tls
    if mode not in (TLSMode.STARTTLS, TLSMode.OPPORTUNISTIC):
        return
    if connection.extensions.has("STARTTLS"):
        try:
            await connection.starttls()
        except (TransientReplyError, UnsupportedError):
            if mode is TLSMode.STARTTLS or connection.secured:
                raise
    elif mode is TLSMode.STARTTLS:
        raise UnsupportedError("the server does not offer STARTTLS (tls='none' goes without)")
