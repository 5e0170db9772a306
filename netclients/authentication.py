"""A SASL exchange over whichever protocol's lines (RFC 4422), with tokens that are asked for when they are needed."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from netclients.config import OAuth, check_token
from netclients.errors import ProtocolError
from netclients.transport.threads import in_thread
from netclients.transport.tls import TLSStream
from netclients.wire import sasl

if TYPE_CHECKING:
    from netclients.config import Credentials, External, Login
    from netclients.settings import Settings
    from netclients.transport.stream import ByteStream

__all__ = ["SASLChannel", "authenticate"]

_MOST_STEPS = 10


class SASLChannel(Protocol):
    """How one protocol carries an exchange. What it sends and returns is base64.

    Its methods return the server's next challenge, or None if the server says that all went well; they raise what a
    refusal stands for. ``longest_initial``: bytes that an initial response may have, 0 if the protocol has none.
    """

    @property
    def longest_initial(self) -> int:
        """See above."""

    async def begin(self, mechanism: str, initial: bytes | None) -> bytes | None:
        """Name the mechanism, with the initial response if it fits (``=`` if it is empty)."""

    async def respond(self, response: bytes) -> bytes | None:
        """Answer a challenge."""


async def authenticate(
    channel: SASLChannel,
    offered: Iterable[str],
    credentials: Credentials,
    *,
    settings: Settings,
    stream: ByteStream,
    mechanisms: Sequence[str] | None = None,
) -> None:
    """Log in by the strongest mechanism that the server offers and the caller allows.

    That the connection is one on which secrets may be shown is for the caller to see to.

    Raises:
        AuthenticationError: the server does not accept the credentials.
        UnsupportedError: no mechanism fits.
        ProtocolError: the server has not proven that it knows the password (SCRAM), or talks nonsense.
    """
    exchange = sasl.choose(
        offered,
        await _resolve(credentials),
        secure=True,
        bindings=stream.channel_bindings() if isinstance(stream, TLSStream) else (),
        allowed=settings.mechanisms if mechanisms is None else tuple(mechanisms),
        host=settings.endpoint.host,
        port=settings.endpoint.port,
    )
    # What a server asks for in SCRAM may take a good part of a second.
    slow = exchange.name.startswith("SCRAM-")
    challenge = await _begin(channel, exchange)
    for _ in range(_MOST_STEPS):
        if challenge is None:
            break
        asked = sasl.decode(challenge)
        answer = await in_thread(partial(exchange.respond, asked)) if slow else exchange.respond(asked)
        challenge = await channel.respond(sasl.encode(answer))
    else:
        raise ProtocolError(f"the server does not come to the end of {exchange.name}")
    exchange.conclude(None)


async def _begin(channel: SASLChannel, exchange: sasl.Exchange) -> bytes | None:
    if exchange.initial is None:
        return await channel.begin(exchange.name, None)
    initial = sasl.encode(exchange.initial)
    if len(initial) < channel.longest_initial:
        return await channel.begin(exchange.name, initial or b"=")
    challenge = await channel.begin(exchange.name, None)
    return None if challenge is None else await channel.respond(initial)


async def _resolve(credentials: Credentials) -> Login | External | sasl.Token:
    if not isinstance(credentials, OAuth):
        return credentials
    token = credentials.token
    if callable(token):
        found = token()
        token = await found if inspect.isawaitable(found) else found
    return sasl.Token(credentials.user, check_token(token))
