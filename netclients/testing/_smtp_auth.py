"""AUTH in the embedded SMTP server (RFC 4954).

aiosmtpd brings the command, PLAIN and LOGIN. Added here are CRAM-MD5 (RFC 2195), SCRAM (RFC 5802, by scramp),
XOAUTH2 and OAUTHBEARER (RFC 7628). aiosmtpd finds a mechanism by the name of its method, ``__`` for ``-``.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from typing import Any

import aiosmtpd.smtp
from aiosmtpd.smtp import MISSING, AuthResult, LoginPassword

BY_PASSWORD = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256")
BY_TOKEN = ("XOAUTH2", "OAUTHBEARER")

_REFUSED = AuthResult(success=False, handled=False)
_HANDLED = AuthResult(success=False, handled=True)


class QuietSession(aiosmtpd.smtp.Session):
    """aiosmtpd's session, which logs a warning whenever aiosmtpd itself sets an attribute that it deprecates."""

    login_data: Any = None


class Authentication(aiosmtpd.smtp.SMTP):
    """Adds mechanisms. `users` maps names to passwords, `tokens` to access tokens."""

    users: dict[str, str]
    tokens: dict[str, str]

    def _create_session(self) -> QuietSession:
        return QuietSession(self.loop)

    @property
    def user(self) -> str | None:
        """Who has logged in."""
        if self.session is None or not self.session.authenticated:
            return None
        data: Any = self.session.auth_data
        login: bytes = data.login
        return login.decode(errors="surrogateescape")

    def check_password(self, mechanism: str, login: bytes, password: bytes) -> bool:
        """Tell aiosmtpd whether a name and a password belong together."""
        expected = self.users.get(login.decode(errors="surrogateescape"))
        return expected is not None and hmac.compare_digest(expected.encode(), password)

    async def challenge_auth(
        self, challenge: str | bytes, encode_to_b64: bool = True, log_client_response: bool = False
    ) -> Any:
        """Send a challenge, and return the decoded response, or MISSING if that was refused already.

        aiosmtpd's own one logs a warning when a client gives up.
        """
        data = challenge.encode() if isinstance(challenge, str) else challenge
        await self.push(b"334 " + (base64.b64encode(data) if encode_to_b64 else data))
        line = (await self._reader.readline()).strip()
        if line == b"*":
            await self.push("501 5.7.0 Authentication cancelled")
            return MISSING
        return await self._decode(line)

    async def _decode(self, text: bytes) -> Any:
        try:
            return base64.b64decode(text, validate=True)
        except binascii.Error:
            await self.push("501 5.5.2 That is not base64")
            return MISSING

    async def _first_response(self, args: list[str]) -> Any:
        """Return what came with the command, or else what an empty challenge brings."""
        return await self._decode(args[1].encode()) if len(args) > 1 else await self.challenge_auth("")

    async def auth_CRAM__MD5(self, _: object, args: list[str]) -> AuthResult:  # noqa: N802 - aiosmtpd's way
        """Let the client prove by an HMAC over our challenge that it has the password."""
        challenge = f"<{secrets.token_hex(8)}@{self.hostname}>"
        response = await self.challenge_auth(challenge)
        if response is MISSING:
            return _HANDLED
        login, _sep, digest = bytes(response).rpartition(b" ")
        password = self.users.get(login.decode(errors="surrogateescape"))
        if password is None:
            return _REFUSED
        expected = hmac.new(password.encode(), challenge.encode(), "md5").hexdigest()
        return _accepted(login) if hmac.compare_digest(expected.encode(), digest) else _REFUSED

    async def auth_SCRAM__SHA__1(self, _: object, args: list[str]) -> AuthResult:  # noqa: N802
        """SCRAM-SHA-1, without channel binding."""
        return await self._scram("SCRAM-SHA-1", args)

    async def auth_SCRAM__SHA__256(self, _: object, args: list[str]) -> AuthResult:  # noqa: N802
        """SCRAM-SHA-256, without channel binding (RFC 7677)."""
        return await self._scram("SCRAM-SHA-256", args)

    async def _scram(self, name: str, args: list[str]) -> AuthResult:
        import scramp

        mechanism = scramp.ScramMechanism(name)
        names: list[str] = []

        def stored(login: str) -> Any:
            names.append(login)
            if login not in self.users:
                raise scramp.ScramException("unknown user")
            return mechanism.make_auth_info(self.users[login])

        server = mechanism.make_server(stored)
        try:
            first = await self._first_response(args)
            if first is MISSING:
                return _HANDLED
            server.set_client_first(bytes(first).decode())
            final = await self.challenge_auth(server.get_server_first())
            if final is MISSING:
                return _HANDLED
            server.set_client_final(bytes(final).decode())
        except (scramp.ScramException, UnicodeDecodeError):
            return _REFUSED
        if await self.challenge_auth(server.get_server_final()) is MISSING:
            return _HANDLED
        return _accepted(names[0].encode())

    async def auth_XOAUTH2(self, _: object, args: list[str]) -> AuthResult:  # noqa: N802
        """Google's and Microsoft's way to present an access token."""
        response = await self._first_response(args)
        return _HANDLED if response is MISSING else await self._bearer(response, b"user=")

    async def auth_OAUTHBEARER(self, _: object, args: list[str]) -> AuthResult:  # noqa: N802
        """The standard way to present an access token."""
        response = await self._first_response(args)
        return _HANDLED if response is MISSING else await self._bearer(response, b"n,a=")

    async def _bearer(self, response: bytes, user_key: bytes) -> AuthResult:
        head, *pairs = response.split(b"\x01")
        login = head.removeprefix(user_key).rstrip(b",")
        expected = self.tokens.get(login.decode(errors="surrogateescape"))
        if (
            expected is not None
            and head.startswith(user_key)
            and response.endswith(b"\x01\x01")
            and f"auth=Bearer {expected}".encode() in pairs
        ):
            return _accepted(login)
        # A refusal is a challenge first, which the client acknowledges (RFC 7628 section 3.2.3).
        if await self.challenge_auth('{"status":"invalid_token"}') is MISSING:
            return _HANDLED
        return _REFUSED


def _accepted(login: bytes) -> AuthResult:
    return AuthResult(success=True, auth_data=LoginPassword(login, b""))
