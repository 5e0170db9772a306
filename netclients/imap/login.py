"""From an address to a connection that is ready for work: greeting, TLS, login, capabilities, compression."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from netclients.config import TLSMode
from netclients.errors import UnsupportedError
from netclients.imap.connection import IMAPConnection
from netclients.imap.types import Condition
from netclients.opening import opened, with_fresh_token

if TYPE_CHECKING:
    from netclients.settings import Settings

__all__ = ["connect"]


async def connect(settings: Settings, *, compress: bool = False) -> IMAPConnection:
    """Open a connection, and log in if there are credentials.

    A token that was refused may have expired a moment ago: its provider is asked once more. ``compress``: deflate, if
    the server can (RFC 4978).

    Raises:
        ConnectError, TLSError, PhaseTimeout, ConnectionLost: the network.
        TooManyConnections: the server has no room at the moment.
        AuthenticationError: it does not accept the credentials.
        UnsupportedError: it does not offer the TLS that is required, or no way to log in; nothing secret was sent.
    """

    async def begin(connection: IMAPConnection) -> None:
        await _log_in(connection)
        if connection.protocol.capabilities is None:
            await connection.capability()
        if compress and connection.has("COMPRESS=DEFLATE"):
            with suppress(UnsupportedError):  # TLS may compress already
                await connection.compress()

    return await with_fresh_token(
        settings.credentials,
        lambda: opened(settings, lambda stream: IMAPConnection(settings, stream), begin),
    )


async def _log_in(connection: IMAPConnection) -> None:
    settings = connection.settings
    known = await _greet(connection)
    if settings.tls is TLSMode.STARTTLS:
        if known:
            # An attacker may say so to keep the session in clear (RFC 9051 section 7.1.4).
            raise UnsupportedError("the server greets by PREAUTH, behind which there is no STARTTLS")
        await _start_tls(connection)
    if settings.credentials is not None and not known:
        if connection.protocol.capabilities is None:
            await connection.capability()
        await connection.authenticate(settings.credentials)


async def _greet(connection: IMAPConnection) -> bool:
    """Wait for the greeting; return whether the server knows us already (PREAUTH)."""
    ticket = connection.protocol.greeting
    await connection.settle(ticket, connection.settings.timeouts.reply, "reply")
    status = ticket.reply
    assert status is not None
    if status.condition not in (Condition.OK, Condition.PREAUTH):
        raise connection.error("greeting", status)
    connection.welcome = status.text
    return status.condition is Condition.PREAUTH


async def _start_tls(connection: IMAPConnection) -> None:
    if connection.protocol.capabilities is None:
        await connection.capability()
    if not connection.has("STARTTLS"):
        raise UnsupportedError("the server does not offer STARTTLS (tls='none' goes without)")
    await connection.starttls()
