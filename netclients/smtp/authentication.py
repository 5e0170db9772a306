"""AUTH: a SASL exchange in SMTP's lines (RFC 4954)."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING

from netclients.config import External, Login, OAuth, check_token
from netclients.errors import ProtocolError
from netclients.smtp.commands import secret
from netclients.transport.disk import in_thread
from netclients.transport.tls import TLSStream
from netclients.wire import sasl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netclients.config import Credentials
    from netclients.smtp.connection import SMTPConnection
    from netclients.wire.replies import Reply

__all__ = ["authenticate"]

_LONGEST_LINE = 12_288  # RFC 4954 section 4: for lines of an authentication
_MOST_STEPS = 10


async def authenticate(
    connection: SMTPConnection, credentials: Credentials, mechanisms: Sequence[str] | None = None
) -> None:
    """Log in by the strongest mechanism that the server offers and the caller allows.

    Raises:
        AuthenticationError: the server does not accept the credentials.
        UnsupportedError: no mechanism fits.
        ProtocolError: the server has not proven that it knows the password (SCRAM), or talks nonsense.
    """
    exchange = await _choose(connection, credentials, mechanisms)
    # What a server asks for in SCRAM may take a good part of a second.
    slow = exchange.name.startswith("SCRAM-")
    reply = await _begin(connection, exchange)
    for _ in range(_MOST_STEPS):
        if reply.code != 334:
            break
        challenge = sasl.decode(reply.text.encode("utf-8", "surrogateescape"))
        response = await in_thread(partial(exchange.respond, challenge)) if slow else exchange.respond(challenge)
        reply = await connection.reply_to(secret(sasl.encode(response), "***"))
    else:
        raise ProtocolError(f"the server does not come to the end of AUTH {exchange.name}")
    connection.judge(secret(b"AUTH", f"AUTH {exchange.name} ***"), reply)
    exchange.conclude(None)


async def _choose(
    connection: SMTPConnection, credentials: Credentials, mechanisms: Sequence[str] | None
) -> sasl.Exchange:
    settings = connection.settings
    stream = connection.stream
    return sasl.choose(
        connection.extensions.auth,
        await _resolve(credentials),
        secure=True,  # auth() has seen to it
        bindings=stream.channel_bindings() if isinstance(stream, TLSStream) else (),
        allowed=settings.mechanisms if mechanisms is None else tuple(mechanisms),
        host=settings.endpoint.host,
        port=settings.endpoint.port,
    )


async def _resolve(credentials: Credentials) -> Login | External | sasl.Token:
    if not isinstance(credentials, OAuth):
        return credentials
    token = credentials.token
    if callable(token):
        found = token()
        token = await found if inspect.isawaitable(found) else found
    return sasl.Token(credentials.user, check_token(token))


async def _begin(connection: SMTPConnection, exchange: sasl.Exchange) -> Reply:
    """Send AUTH, with the initial response if there is one and it fits into the line."""
    line, shown = b"AUTH " + exchange.name.encode("ascii"), f"AUTH {exchange.name}"
    if exchange.initial is None:
        return await connection.reply_to(secret(line, shown))
    initial = sasl.encode(exchange.initial) or b"="
    if len(line) + len(initial) < _LONGEST_LINE:
        return await connection.reply_to(secret(b"%s %s" % (line, initial), f"{shown} ***"))
    reply = await connection.reply_to(secret(line, shown))
    if reply.code != 334:
        return reply
    return await connection.reply_to(secret(initial, "***"))
