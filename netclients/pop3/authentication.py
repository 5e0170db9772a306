"""AUTH: a SASL exchange in POP3's lines (RFC 5034)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netclients.pop3.commands import secret

if TYPE_CHECKING:
    from netclients.pop3.commands import Command
    from netclients.pop3.connection import POP3Connection

__all__ = ["AuthChannel"]

_LONGEST_LINE = 255  # RFC 2449 section 4, with its end


class AuthChannel:
    """See :class:`~netclients.authentication.SASLChannel`."""

    def __init__(self, connection: POP3Connection) -> None:
        self._connection = connection
        self._shown = "AUTH"

    @property
    def longest_initial(self) -> int:
        """Bytes that fit into the line with the command."""
        return _LONGEST_LINE - len("AUTH SCRAM-SHA-256-PLUS \r\n")

    async def begin(self, mechanism: str, initial: bytes | None) -> bytes | None:
        """AUTH."""
        self._shown = f"AUTH {mechanism}"
        line = self._shown.encode("ascii")
        if initial is None:
            return await self._challenge(secret(line, self._shown, auth=True))
        return await self._challenge(secret(b"%s %s" % (line, initial), f"{self._shown} ***", auth=True))

    async def respond(self, response: bytes) -> bytes | None:
        """Send one line of base64."""
        return await self._challenge(secret(response, "***", auth=True))

    async def _challenge(self, sent: Command) -> bytes | None:
        reply = await self._connection.reply_to(sent)
        if reply.challenge:
            return reply.text.encode("utf-8", "surrogateescape")
        self._connection.judge(secret(b"AUTH", f"{self._shown} ***", auth=True), reply)
        return None
