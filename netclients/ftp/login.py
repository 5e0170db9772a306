"""From an address to a connection that is ready for work: greeting, TLS, login, options.

Where the server is known to read ahead, what follows the password goes out in one flight.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from netclients.config import TLSMode
from netclients.errors import AuthenticationError, TLSError, UnsupportedError
from netclients.ftp.commands import command
from netclients.ftp.connection import FTPConnection
from netclients.ftp.replies import identify_server, parse_features
from netclients.wire import arguments

if TYPE_CHECKING:
    from netclients.ftp.settings import Settings

__all__ = ["connect"]


async def connect(settings: Settings) -> FTPConnection:
    """Open a control connection and log in.

    Raises:
        ConnectError, TLSError, PhaseTimeout, ConnectionLost: the network.
        TooManyConnections: the server has no room at the moment.
        AuthenticationError: it does not accept the credentials.
        UnsupportedError: it does not offer the TLS that is required; nothing secret was sent.
    """
    started = time.monotonic()
    endpoint, timeouts, dialer = settings.endpoint, settings.timeouts, settings.dialer
    stream = await dialer.connect(endpoint.host, endpoint.port, timeouts.connect)
    connection = FTPConnection(settings, stream)
    try:
        if settings.tls is TLSMode.IMPLICIT:
            await connection.secure()
        await _greet(connection)
        if settings.tls is TLSMode.STARTTLS:
            await _start_tls(connection)
        await _log_in(connection)
        await _agree(connection)
    except BaseException as error:
        connection.abort(f"login failed: {type(error).__name__}")
        raise
    settings.trace.opened(connection.number, endpoint.host, endpoint.port, time.monotonic() - started)
    return connection


async def _greet(connection: FTPConnection) -> None:
    greeting = connection.protocol.greeting
    await connection.settle(greeting, connection.settings.timeouts.reply, "reply")
    reply = greeting.reply
    assert reply is not None
    if reply.kind != 2:
        raise connection.error("greeting", reply)
    connection.welcome = reply.text
    connection.identify(identify_server(reply.text))


async def _start_tls(connection: FTPConnection) -> None:
    reply = await connection.reply_to(command("AUTH", b"TLS"))
    if reply.kind == 4 or reply.code == 421:
        raise connection.error("AUTH TLS", reply)
    if reply.code not in (234, 334):
        raise UnsupportedError(f"the server refuses TLS (tls='none' goes without): {reply}")
    await connection.secure()


async def _log_in(connection: FTPConnection) -> None:
    login = connection.settings.login
    encoding = connection.settings.encoding
    reply = await connection.expect(command("USER", arguments.text(login.user, encoding)))
    if reply.code == 331:
        reply = await connection.expect(command("PASS", arguments.text(login.password, encoding)))
    if reply.code == 332:
        if login.account is None:
            raise AuthenticationError("PASS", reply.code, "the server wants an account")
        await connection.expect(command("ACCT", arguments.text(login.account, encoding)))
    connection.settings.learned.logged_in = True


async def _agree(connection: FTPConnection) -> None:
    """Learn what the server can do; set binary type, names and the protection of data connections."""
    settings = connection.settings
    protect = settings.tls is not TLSMode.NONE
    ahead = [command("FEAT"), command("TYPE", b"I")]
    if protect:
        ahead += [command("PBSZ", b"0"), command("PROT", b"P")]
    tickets = [connection.submit(sent) for sent in ahead]
    for ticket in tickets:
        await connection.settle(ticket, settings.timeouts.reply, "reply")
    features, image, *protection = [ticket.reply for ticket in tickets]
    assert features is not None
    assert image is not None
    if features.kind == 2:
        connection.features = parse_features(features.lines)
    if image.kind != 2:
        raise connection.error("TYPE I", image)
    if protect:
        refused = protection[1]
        if refused is None or refused.kind != 2:
            # Data in clear although TLS was asked for must never happen.
            raise TLSError(f"the server refuses to protect data connections: PROT P: {refused}")
        connection.private_data = True
    await _name_encoding(connection)


async def _name_encoding(connection: FTPConnection) -> None:
    if connection.settings.encoding != "utf-8":
        return
    # quirk_utf8_after_clnt (G6, RaidenFTPd): UTF-8 only for clients that have introduced themselves.
    if connection.features.has("CLNT"):
        await connection.reply_to(command("CLNT", b"netclients"))
    if connection.features.utf8:
        await connection.reply_to(command("OPTS", b"UTF8 ON"))
