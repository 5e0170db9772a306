"""From an address to an open maildrop: greeting, CAPA, TLS, login."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netclients.config import Login, TLSMode
from netclients.errors import UnsupportedError
from netclients.opening import opened, with_fresh_token
from netclients.pop3.connection import POP3Connection

if TYPE_CHECKING:
    from netclients.config import Credentials
    from netclients.pop3.settings import Settings

__all__ = ["connect"]

_SHOW_NO_PASSWORD = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5")


async def connect(settings: Settings) -> POP3Connection:
    """Open a connection, and log in if there are credentials.

    A token that was refused may have expired a moment ago: its provider is asked once more.

    Raises:
        ConnectError, TLSError, PhaseTimeout, ConnectionLost: the network.
        TransientReplyError: the maildrop is in use, or the server has no room or no time at the moment.
        AuthenticationError: it does not accept the credentials.
        UnsupportedError: it does not offer the TLS that is required, or no way to log in; nothing secret was sent.
    """
    return await with_fresh_token(
        settings.credentials,
        lambda: opened(settings, lambda stream: POP3Connection(settings, stream), _log_in),
    )


async def _log_in(connection: POP3Connection) -> None:
    await connection.greet()
    await connection.capa()
    if connection.settings.tls is TLSMode.STARTTLS:
        if connection.capabilities.lacks("STLS"):
            raise UnsupportedError("the server does not offer STLS (tls='none' goes without)")
        await connection.stls()
    if (credentials := connection.settings.credentials) is not None:
        await _prove(connection, credentials)


async def _prove(connection: POP3Connection, credentials: Credentials) -> None:
    """Log in without showing the password, if that can be done: by SASL, or else by APOP.

    Under TLS, APOP comes last: servers send a timestamp though they can't check a digest, and MD5 is weak.
    """
    apop = isinstance(credentials, Login) and connection.timestamp is not None
    allowed = connection.settings.mechanisms
    if apop and not connection.secured and allowed is None:
        assert isinstance(credentials, Login)
        try:
            await connection.auth(credentials, mechanisms=_SHOW_NO_PASSWORD)
        except UnsupportedError:
            await connection.apop(credentials.user, credentials.password)
        return
    try:
        await connection.auth(credentials)
    except UnsupportedError:
        if not isinstance(credentials, Login) or allowed is not None:
            raise
        if apop and connection.capabilities.lacks("USER"):
            await connection.apop(credentials.user, credentials.password)
            return
        await connection.user(credentials.user)
        await connection.pass_(credentials.password)
