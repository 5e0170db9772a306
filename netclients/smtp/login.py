"""From an address to a connection that is ready for work: greeting, EHLO, TLS, login."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from netclients.config import OAuth, TLSMode
from netclients.errors import AuthenticationError, TransientReplyError, UnsupportedError
from netclients.smtp.connection import SMTPConnection

if TYPE_CHECKING:
    from netclients.smtp.settings import Settings
    from netclients.transport.stream import SocketStream

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
    try:
        return await _connect_once(settings)
    except AuthenticationError:
        credentials = settings.credentials
        if not (isinstance(credentials, OAuth) and callable(credentials.token)):
            raise
    return await _connect_once(settings)


async def _connect_once(settings: Settings) -> SMTPConnection:
    started = time.monotonic()
    endpoint = settings.endpoint
    connection = SMTPConnection(settings, await _dial(settings))
    try:
        if settings.tls is TLSMode.IMPLICIT:
            await connection.secure()
        await _greet(connection)
        await _say_hello(connection)
        await _start_tls(connection)
        if settings.credentials is not None:
            await connection.auth(settings.credentials)
        connection.unmark()  # this is how every session begins
    except BaseException as error:
        connection.abort(f"login failed: {type(error).__name__}")
        raise
    where = endpoint.socket_path or endpoint.host
    settings.trace.opened(connection.number, where, endpoint.port, time.monotonic() - started)
    return connection


async def _dial(settings: Settings) -> SocketStream:
    endpoint, timeout = settings.endpoint, settings.timeouts.connect
    if (path := endpoint.socket_path) is not None:
        return await settings.dialer.connect_unix(path, timeout)
    return await settings.dialer.connect(endpoint.host, endpoint.port, timeout)


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
