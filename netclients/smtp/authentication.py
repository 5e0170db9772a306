"""AUTH: a SASL exchange in SMTP's lines (RFC 4954)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netclients.smtp.commands import secret

if TYPE_CHECKING:
    from netclients.smtp.commands import Command
    from netclients.smtp.connection import SMTPConnection

__all__ = ["AuthChannel"]

_LONGEST_LINE = 12_288  # RFC 4954 section 4


class AuthChannel:
    """See :class:`~netclients.authentication.SASLChannel`."""

    def __init__(self, connection: SMTPConnection) -> None:
        self._connection = connection
        self._shown = "AUTH"

    @property
    def longest_initial(self) -> int:
        """Bytes that fit into the line with the command."""
        return _LONGEST_LINE - len("AUTH SCRAM-SHA-256-PLUS ")

    async def begin(self, mechanism: str, initial: bytes | None) -> bytes | None:
        """AUTH."""
        self._shown = f"AUTH {mechanism}"
        line = self._shown.encode("ascii")
        if initial is None:
            return await self._challenge(secret(line, self._shown))
        return await self._challenge(secret(b"%s %s" % (line, initial), f"{self._shown} ***"))

    async def respond(self, response: bytes) -> bytes | None:
        """Send one line of base64."""
        return await self._challenge(secret(response, "***"))

    async def _challenge(self, sent: Command) -> bytes | None:
        reply = await self._connection.reply_to(sent)
        if reply.code == 334:
            return reply.text.encode("utf-8", "surrogateescape")
        self._connection.judge(secret(b"AUTH", f"{self._shown} ***"), reply)
        return None
