"""From an address to a connection that is ready for work: greeting, TLS, login, options.

Where the server is known to read ahead, what follows the password goes out in one flight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netclients.config import TLSMode
from netclients.errors import AuthenticationError, TLSError, UnsupportedError
from netclients.ftp.commands import command
from netclients.ftp.connection import FTPConnection
from netclients.ftp.replies import identify_server, parse_features
from netclients.ftp.types import ServerKind
from netclients.opening import opened

if TYPE_CHECKING:
    from netclients.ftp.commands import Command
    from netclients.ftp.settings import Settings
    from netclients.wire.pipeline import Ticket
    from netclients.wire.replies import Reply

__all__ = ["connect"]

# These take and give names as the bytes that they are, whether told so or not.
_SPEAKS_UTF8 = frozenset({ServerKind.VSFTPD, ServerKind.PROFTPD, ServerKind.PUREFTPD})


async def connect(settings: Settings) -> FTPConnection:
    """Open a control connection and log in.

    Raises:
        ConnectError, TLSError, PhaseTimeout, ConnectionLost: the network.
        TooManyConnections: the server has no room at the moment.
        AuthenticationError: it does not accept the credentials.
        UnsupportedError: it does not offer the TLS that is required; nothing secret was sent.
    """
    return await opened(settings, lambda stream: FTPConnection(settings, stream), _begin)


async def _begin(connection: FTPConnection) -> None:
    await _greet(connection)
    if connection.settings.tls is TLSMode.STARTTLS:
        await _start_tls(connection)
    await _log_in(connection)


async def _greet(connection: FTPConnection) -> None:
    reply = await connection.answer(connection.protocol.greeting)
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
    """USER, PASS and ACCT; behind PASS goes what follows a login, if the server reads ahead."""
    settings = connection.settings
    reply = await connection.expect(command("USER", connection.encode(settings.login.user)))
    agreement: list[Ticket[Command, Reply]] = []
    if reply.code == 331:
        password = connection.submit(command("PASS", connection.encode(settings.login.password)))
        if connection.protocol.pipelining:
            agreement = _submit_agreement(connection)
        reply = await connection.answer(password)
        connection.judge(password.command, reply)
    if reply.code == 332:
        if settings.login.account is None:
            raise AuthenticationError("PASS ***", reply.code, "the server wants an account")
        for ticket in agreement:
            await connection.answer(ticket)
        agreement = []
        await connection.expect(command("ACCT", connection.encode(settings.login.account)))
    settings.learned.logged_in = True
    await _agree(connection, agreement or _submit_agreement(connection))


def _submit_agreement(connection: FTPConnection) -> list[Ticket[Command, Reply]]:
    """Ask what the server can do; ask for binary type and the protection of data connections."""
    asked = [command("FEAT"), command("TYPE", b"I")]
    if connection.settings.tls is not TLSMode.NONE:
        asked += [command("PBSZ", b"0"), command("PROT", b"P")]
    return [connection.submit(sent) for sent in asked]


async def _agree(connection: FTPConnection, agreement: list[Ticket[Command, Reply]]) -> None:
    features, image, *protection = [await connection.answer(ticket) for ticket in agreement]
    if features.kind == 2:
        connection.features = parse_features(features.lines)
    if image.kind != 2:
        raise connection.error("TYPE I", image)
    if protection:
        if protection[1].kind != 2:
            # Data in clear although TLS was asked for must never happen.
            raise TLSError(f"the server refuses to protect data connections: PROT P: {protection[1]}")
        connection.private_data = True
    await _name_encoding(connection)


async def _name_encoding(connection: FTPConnection) -> None:
    if connection.settings.encoding != "utf-8" or connection.kind in _SPEAKS_UTF8:
        return
    # quirk_utf8_after_clnt (G6, RaidenFTPd): UTF-8 only for clients that have introduced themselves.
    if connection.features.has("CLNT"):
        await connection.reply_to(command("CLNT", b"netclients"))
    if connection.features.utf8:
        await connection.reply_to(command("OPTS", b"UTF8 ON"))
