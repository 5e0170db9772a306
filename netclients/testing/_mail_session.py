"""What one connection to an embedded mail server is, whatever the protocol, and what all of them count."""

from __future__ import annotations

import asyncio
import collections
from dataclasses import dataclass, field

from ._mail_channel import MailChannel
from .ftp_faults import Hangup
from .smtp_faults import HangupAfter


class Counters:
    """What a server has done so far."""

    def __init__(self) -> None:
        self.connections = 0
        self.connections_open = 0
        self.connections_peak = 0
        self.logins = 0
        self.discarded = 0
        self.commands: collections.Counter[str] = collections.Counter()
        self.violations: list[str] = []

    def opened(self) -> None:
        """Count a new connection."""
        self.connections += 1
        self.connections_open += 1
        self.connections_peak = max(self.connections_peak, self.connections_open)


class CutError(Exception):
    """The connection is to end now: by a fault, or because the peer has gone."""

    def __init__(self, *, reset: bool = False, stall: bool = False) -> None:
        super().__init__()
        self.reset = reset
        self.stall = stall


@dataclass(slots=True, eq=False)
class MailSession:
    """One connection."""

    channel: MailChannel
    number: int
    task: asyncio.Task[None] | None = None
    outbox: list[bytes] = field(default_factory=list)
    ending: bool = False
    """The connection ends when the replies are sent."""
    injected: str = ""
    """What follows the reply to STARTTLS in clear."""
    doomed: Hangup | HangupAfter | None = None
    """The connection is cut when the command is executed."""

    @property
    def secure(self) -> bool:
        """Whether TLS is on."""
        return self.channel.tls is not None

    async def flush(self) -> None:
        """Send what was queued, in one piece."""
        if self.outbox:
            data = b"".join(self.outbox)
            self.outbox.clear()
            await self.channel.send(data)

    async def read_line(self) -> bytes:
        """Return the next line; what was queued is sent first if that takes waiting."""
        if not self.channel.has_line:
            await self.flush()
        return await self.channel.readline()

    def cut(self, reset: bool) -> None:
        """End the connection now."""
        if reset:
            self.channel.reset_on_close()
        if self.task is not None:
            self.task.cancel()
