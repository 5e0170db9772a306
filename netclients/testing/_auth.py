"""Logins, on the server's side: the SASL mechanisms that the embedded mail servers know.

How challenges and responses travel is the protocol's affair: here they are text in base64, and `ask` carries them.
Which mechanisms a server offers its rules say; SCRAM with channel binding needs a certificate that is known here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

import scramp  # type: ignore[import-untyped]

Ask = Callable[[str], Awaitable[str]]
"""Sends a challenge and returns the response, both in base64. Raises AuthCancelledError."""

PASSWORD_MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")
TOKEN_MECHANISMS = ("XOAUTH2", "OAUTHBEARER")
SCRAM_MECHANISMS = ("SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")
MECHANISMS = frozenset((*PASSWORD_MECHANISMS, *TOKEN_MECHANISMS, *SCRAM_MECHANISMS, "EXTERNAL"))

_REFUSED = b'{"status":"invalid_token","schemes":"bearer","scope":"mail"}'


class AuthCancelledError(Exception):
    """The exchange has ended; what is to be said of it is queued already."""


class Accounts(Protocol):
    """Whom a server lets in, and how."""

    users: Mapping[str, str]
    tokens: Mapping[str, str]
    mechanisms: tuple[str, ...]
    certificate: str | None
    """The server's certificate in PEM, if it is one of ours."""


def chosen_mechanisms(
    names: Iterable[str] | None, users: Mapping[str, str] | None, tokens: Mapping[str, str] | None
) -> tuple[str, ...]:
    """Return the mechanisms that were named, or those that users and tokens make sense of. Raises ValueError."""
    if names is None:
        return (PASSWORD_MECHANISMS if users else ()) + (TOKEN_MECHANISMS if tokens else ())
    mechanisms = tuple(name.upper() for name in names)
    if not MECHANISMS.issuperset(mechanisms):
        raise ValueError(f"mechanisms={mechanisms!r}: known are {', '.join(sorted(MECHANISMS))}")
    return mechanisms


def offered_mechanisms(accounts: Accounts, secure: bool) -> tuple[str, ...]:
    """Return what a connection may use."""
    bound = secure and accounts.certificate is not None
    return tuple(name for name in accounts.mechanisms if bound or not name.endswith("-PLUS"))


async def run_mechanism(
    accounts: Accounts, name: str, initial: str | None, ask: Ask, tls: ssl.SSLObject | None
) -> str | None:
    """Run one exchange and return whom it has proven, None if nobody.

    `initial` is the initial response in base64, ``"="`` if it is empty, None if there is none. Raises ValueError
    for a response that makes no sense, and what `ask` raises.
    """
    return await _MECHANISMS[name](_Exchange(accounts, initial, ask, tls))


def password_is(accounts: Accounts, user: str, password: str) -> str | None:
    """Return the user if that is the password."""
    known = accounts.users.get(user)
    return user if known is not None and hmac.compare_digest(known.encode(), password.encode()) else None


class _Exchange:
    """Challenges and responses."""

    def __init__(self, accounts: Accounts, initial: str | None, ask: Ask, tls: ssl.SSLObject | None) -> None:
        self.accounts = accounts
        self.tls = tls
        self._ask = ask
        self._initial = initial

    async def first(self, challenge: bytes = b"") -> bytes:
        """Return the initial response, or ask for it."""
        if self._initial is None:
            return await self.ask(challenge)
        given, self._initial = self._initial, None
        return b"" if given == "=" else _decoded(given)

    async def ask(self, challenge: bytes) -> bytes:
        """Send a challenge and return the response."""
        return _decoded(await self._ask(base64.b64encode(challenge).decode("ascii")))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("no base64") from error


async def _plain(exchange: _Exchange) -> str | None:
    identity, user, password = (await exchange.first()).decode().split("\0")
    return password_is(exchange.accounts, user, password) if identity in ("", user) else None


async def _login(exchange: _Exchange) -> str | None:
    user = (await exchange.first(b"Username:")).decode()
    return password_is(exchange.accounts, user, (await exchange.ask(b"Password:")).decode())


async def _cram_md5(exchange: _Exchange) -> str | None:
    challenge = f"<{os.urandom(8).hex()}@netclients.test>".encode()
    user, _, digest = (await exchange.ask(challenge)).decode().rpartition(" ")
    known = exchange.accounts.users.get(user)
    if known is None:
        return None
    expected = hmac.new(known.encode(), challenge, hashlib.md5).hexdigest()
    return user if hmac.compare_digest(expected, digest) else None


async def _xoauth2(exchange: _Exchange) -> str | None:
    text = (await exchange.first()).decode()
    found = re.fullmatch(r"user=([^\x01]*)\x01auth=Bearer ([^\x01]*)\x01\x01", text)
    if found is None:
        raise ValueError("not in the form of XOAUTH2")
    return await _token_is(exchange, found[1], found[2])


async def _oauthbearer(exchange: _Exchange) -> str | None:
    """RFC 7628."""
    text = (await exchange.first()).decode()
    found = re.fullmatch(
        r"n,(?:a=([^,\x01]*))?,\x01(?:(?!auth=)[^\x01]*\x01)*auth=Bearer ([^\x01]*)\x01.*\x01", text, re.DOTALL
    )
    if found is None:
        raise ValueError("not in the form of OAUTHBEARER")
    user = (found[1] or "").replace("=2C", ",").replace("=3D", "=")
    return await _token_is(exchange, user, found[2])


async def _token_is(exchange: _Exchange, user: str, token: str) -> str | None:
    if token and exchange.accounts.tokens.get(user) == token:
        return user
    await exchange.ask(_REFUSED)  # the client's answer has no meaning
    return None


def _scram(name: str) -> Callable[[_Exchange], Awaitable[str | None]]:
    """RFC 5802; the proof of the server goes into a last challenge, as no protocol's last reply carries data here."""

    async def run(exchange: _Exchange) -> str | None:
        accounts, user = exchange.accounts, ""
        mechanism = scramp.ScramMechanism(name)

        def look_up(name: str) -> tuple[bytes, bytes, bytes, int]:
            nonlocal user
            user = name
            password = accounts.users.get(name)
            if password is None:
                raise scramp.ScramException("unknown user")
            info: tuple[bytes, bytes, bytes, int] = mechanism.make_auth_info(password)
            return info

        try:
            message = (await exchange.first()).decode()
            server = mechanism.make_server(look_up, channel_binding=_binding(exchange, message))
            server.set_client_first(message)
            answer = await exchange.ask(server.get_server_first().encode())
            server.set_client_final(answer.decode())
            await exchange.ask(server.get_server_final().encode())
        except scramp.ScramException:
            return None
        return user

    return run


def _binding(exchange: _Exchange, message: str) -> tuple[str, str | bytes] | None:
    """Return what ties the login to this TLS connection, of the kind that the client names (RFC 5929)."""
    tls, accounts = exchange.tls, exchange.accounts
    if tls is None or not any(name.endswith("-PLUS") for name in accounts.mechanisms):
        return None
    if message.startswith("p=tls-unique,"):
        return "tls-unique", tls.get_channel_binding("tls-unique") or b""
    return None if accounts.certificate is None else ("tls-server-end-point", accounts.certificate)


async def _external(exchange: _Exchange) -> str | None:
    """Whoever the client says it is, if it is a user: how it has proven that is not our concern."""
    identity = (await exchange.first()).decode() or next(iter(exchange.accounts.users), "")
    return identity if identity in exchange.accounts.users else None


_MECHANISMS: dict[str, Callable[[_Exchange], Awaitable[str | None]]] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
    "XOAUTH2": _xoauth2,
    "OAUTHBEARER": _oauthbearer,
    "EXTERNAL": _external,
    **{name: _scram(name) for name in SCRAM_MECHANISMS},
}
