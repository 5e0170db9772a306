"""AUTH, on the server's side: the SASL mechanisms that the embedded SMTP server knows.

Which of them a server offers its rules say; SCRAM with channel binding needs a certificate that is known here.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Awaitable, Callable

import scramp  # type: ignore[import-untyped]

from ._smtp_session import Rules, Session

Interfere = Callable[[Session, str, str], Awaitable[bool]]

PASSWORD_MECHANISMS = ("PLAIN", "LOGIN", "CRAM-MD5")
TOKEN_MECHANISMS = ("XOAUTH2", "OAUTHBEARER")
SCRAM_MECHANISMS = ("SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")
MECHANISMS = frozenset((*PASSWORD_MECHANISMS, *TOKEN_MECHANISMS, *SCRAM_MECHANISMS, "EXTERNAL"))

_REFUSED = b'{"status":"invalid_token","schemes":"bearer","scope":"mail"}'


class _CancelledError(Exception):
    """The exchange has ended; the reply is queued already."""


def offered_mechanisms(rules: Rules, session: Session) -> tuple[str, ...]:
    """Return what this connection may use."""
    bound = session.secure and rules.certificate is not None
    return tuple(name for name in rules.mechanisms if bound or not name.endswith("-PLUS"))


async def authenticate(rules: Rules, session: Session, argument: str, interfere: Interfere) -> bool:
    """Run one exchange, with its replies, and say whether it has succeeded."""
    name, _, initial = argument.strip().partition(" ")
    name = name.upper()
    if name not in offered_mechanisms(rules, session):
        session.reply(504, "5.5.4", "Unrecognized authentication type.")
        return False
    exchange = _Exchange(rules, session, interfere, initial)
    try:
        user = await _MECHANISMS[name](exchange)
    except _CancelledError:
        return False
    except ValueError:
        session.reply(501, "5.5.2", "Can't make sense of that.")
        return False
    if user is None:
        session.reply(535, "5.7.8", "Authentication credentials invalid.")
        return False
    session.authenticated = user
    session.reply(235, "2.7.0", "Authentication successful.")
    return True


class _Exchange:
    """Challenges and responses, in base64."""

    def __init__(self, rules: Rules, session: Session, interfere: Interfere, initial: str) -> None:
        self.rules = rules
        self.session = session
        self._interfere = interfere
        self._initial: str | None = initial or None

    async def first(self, challenge: bytes = b"") -> bytes:
        """Return the initial response, or ask for it."""
        if self._initial is None:
            return await self.ask(challenge)
        given, self._initial = self._initial, None
        return b"" if given == "=" else _decoded(given)

    async def ask(self, challenge: bytes) -> bytes:
        """Send a challenge and return the response."""
        self.session.send_raw(f"334 {base64.b64encode(challenge).decode('ascii')}")
        line = (await self.session.read_line()).decode("utf-8", "surrogateescape")
        if not line.endswith("\n"):
            raise ConnectionResetError("the peer left amid AUTH")
        text = line.rstrip("\r\n")
        if not await self._interfere(self.session, "AUTH-RESPONSE", text):
            raise _CancelledError
        if text == "*":
            self.session.reply(501, "5.7.0", "Authentication cancelled.")
            raise _CancelledError
        return _decoded(text)

    def password_is(self, user: str, password: str) -> str | None:
        """Return the user if that is the password."""
        known = self.rules.users.get(user)
        return user if known is not None and hmac.compare_digest(known.encode(), password.encode()) else None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("no base64") from error


async def _plain(exchange: _Exchange) -> str | None:
    identity, user, password = (await exchange.first()).decode().split("\0")
    return exchange.password_is(user, password) if identity in ("", user) else None


async def _login(exchange: _Exchange) -> str | None:
    user = (await exchange.first(b"Username:")).decode()
    return exchange.password_is(user, (await exchange.ask(b"Password:")).decode())


async def _cram_md5(exchange: _Exchange) -> str | None:
    challenge = f"<{os.urandom(8).hex()}@netclients.test>".encode()
    user, _, digest = (await exchange.ask(challenge)).decode().rpartition(" ")
    known = exchange.rules.users.get(user)
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
    if token and exchange.rules.tokens.get(user) == token:
        return user
    await exchange.ask(_REFUSED)  # the client's answer has no meaning
    return None


def _scram(name: str) -> Callable[[_Exchange], Awaitable[str | None]]:
    """RFC 5802; the proof of the server goes into a last challenge, as SMTP's 235 carries no data."""

    async def run(exchange: _Exchange) -> str | None:
        rules, user = exchange.rules, ""
        mechanism = scramp.ScramMechanism(name)

        def look_up(name: str) -> tuple[bytes, bytes, bytes, int]:
            nonlocal user
            user = name
            password = rules.users.get(name)
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
    tls, rules = exchange.session.channel.tls, exchange.rules
    if tls is None or not any(name.endswith("-PLUS") for name in rules.mechanisms):
        return None
    if message.startswith("p=tls-unique,"):
        return "tls-unique", tls.get_channel_binding("tls-unique") or b""
    return None if rules.certificate is None else ("tls-server-end-point", rules.certificate)


async def _external(exchange: _Exchange) -> str | None:
    """Whoever the client says it is, if it is a user: how it has proven that is not our concern."""
    identity = (await exchange.first()).decode() or next(iter(exchange.rules.users), "")
    return identity if identity in exchange.rules.users else None


_MECHANISMS: dict[str, Callable[[_Exchange], Awaitable[str | None]]] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
    "XOAUTH2": _xoauth2,
    "OAUTHBEARER": _oauthbearer,
    "EXTERNAL": _external,
    **{name: _scram(name) for name in SCRAM_MECHANISMS},
}
