"""AUTHINFO SASL: an exchange in NNTP's lines (RFC 4643 section 2.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netclients.nntp.commands import secret

if TYPE_CHECKING:
    from netclients.nntp.commands import Command
    from netclients.nntp.connection.session import Session

__all__ = ["AuthChannel"]

_LONGEST_LINE = 512  # RFC 3977 section 3.1, with its end


class AuthChannel:
    """See :class:`~netclients.authentication.SASLChannel`."""

    def __init__(self, connection: Session) -> None:
        self._connection = connection
        self._shown = "AUTHINFO SASL"
        self._over = False

    @property
    def longest_initial(self) -> int:
        """Bytes that fit into the line with the command."""
        return _LONGEST_LINE - len("AUTHINFO SASL SCRAM-SHA-256-PLUS \r\n")

    async def begin(self, mechanism: str, initial: bytes | None) -> bytes | None:
        """AUTHINFO SASL."""
        self._shown = f"AUTHINFO SASL {mechanism}"
        line = self._shown.encode("ascii")
        if initial is None:
            return await self._challenge(secret(line, self._shown))
        return await self._challenge(secret(b"%s %s" % (line, initial), f"{self._shown} ***"))

    async def respond(self, response: bytes) -> bytes | None:
        """Send one line of base64; an empty one is ``=``. Behind the server's last word there is nothing to be said."""
        if self._over:
            return None
        return await self._challenge(secret(response or b"=", "***"))

    async def _challenge(self, sent: Command) -> bytes | None:
        reply = await self._connection.reply_to(sent)
        if reply.code not in (283, 383):
            if reply.code != 281:
                raise self._connection.error(f"{self._shown} ***", reply)
            return None
        # 283 comes with data that the mechanism has to see, such as SCRAM's proof that the server knows the password.
        self._over = reply.code == 283
        text = reply.text.strip()
        return b"" if text == "=" else text.encode("utf-8", "surrogateescape")
