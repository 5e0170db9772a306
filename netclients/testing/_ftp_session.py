"""The state of one control connection of the embedded FTP server, and how replies leave it."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from aioftp.common import Connection

from ._channel import Channel

_LINGER = 5.0
"""Seconds that a finished data connection waits for the peer to close."""

ALL_FACTS = ("Type", "Size", "Modify", "Perm", "UNIX.mode", "Unique")


class Counters:
    """What a server has done so far."""

    def __init__(self) -> None:
        self.connections = 0
        self.connections_open = 0
        self.connections_peak = 0
        self.logins = 0
        self.data_connections = 0
        self.data_open = 0
        self.sessions_reused = 0
        self.bytes_sent = 0
        self.bytes_received = 0
        self.commands: collections.Counter[str] = collections.Counter()

    def opened(self) -> None:
        """Count a new control connection."""
        self.connections += 1
        self.connections_open += 1
        self.connections_peak = max(self.connections_peak, self.connections_open)


@dataclass(slots=True, eq=False)
class Session:
    """One control connection. `connection` is what aioftp's handlers read and write."""

    channel: Channel
    connection: Connection
    encoding: str
    task: asyncio.Task[None] | None = None
    """The task that serves this connection."""
    outbox: list[bytes] = field(default_factory=list)
    muted: bool = False
    """Final replies are dropped: the connection is about to be cut."""
    logged_in: bool = False
    protected: bool = False
    """PROT P: data connections use TLS."""
    offset: int = 0
    """From REST, for the next command only."""
    ascii: bool = True
    rename_from: str | None = None
    facts: Sequence[str] = ALL_FACTS
    listener: socket.socket | None = None
    """Passive mode: where the next data connection is accepted."""
    target: tuple[str, int] | None = None
    """Active mode: where the next data connection goes."""
    only_epsv: bool = False
    pending: collections.deque[bytes] = field(default_factory=collections.deque)
    """Command lines that came in during a transfer."""
    line: asyncio.Task[bytes] | None = None
    data: Channel | None = None
    """The data connection of the transfer that is running."""
    lingering: dict[Channel, asyncio.Task[None]] = field(default_factory=dict)
    """Data connections that are done, and wait for the peer to close."""

    def reply(self, code: str, lines: str | Sequence[str] = "", indented: bool = False) -> None:
        """Queue a reply; lines in the middle are indented, or carry the code (aioftp's signature)."""
        if self.muted and not code.startswith("1"):
            return
        *head, last = (lines,) if isinstance(lines, str) else tuple(lines)
        text = ""
        for number, line in enumerate(head):
            text += f" {line}\r\n" if indented and number else f"{code}-{line}\r\n"
        self.send_raw(f"{text}{code} {last or 'OK'}\r\n")

    def send_raw(self, text: str) -> None:
        """Queue text as it is."""
        self.outbox.append(text.encode(self.encoding, "surrogateescape"))

    async def flush(self) -> None:
        """Send what was queued, in one piece."""
        if self.outbox:
            data = b"".join(self.outbox)
            self.outbox.clear()
            await self.channel.send(data)

    async def say(self, code: str, lines: str | Sequence[str] = "") -> None:
        """Send a reply at once."""
        self.reply(code, lines)
        await self.flush()

    def next_line(self) -> asyncio.Task[bytes]:
        """Return the task that reads the next line.

        It is never cancelled before the end of the connection, so that no line is lost by waiting for
        something else at the same time.
        """
        if self.line is None:
            self.line = asyncio.create_task(self.channel.readline())
        return self.line

    async def read_line(self) -> bytes:
        """Return the next command line, also one that came in during a transfer; ``b""`` at the end."""
        if self.pending:
            return self.pending.popleft()
        line = await self.next_line()
        self.line = None
        return line

    def linger(self, channel: Channel) -> None:
        """End a data connection, and close it once the peer has ended it too.

        A socket that is closed at once answers the peer's close alert with a reset.
        """
        channel.send_fin()
        task = asyncio.create_task(_drain(channel))
        self.lingering[channel] = task
        task.add_done_callback(lambda _: self._linger_done(channel))

    def _linger_done(self, channel: Channel) -> None:
        del self.lingering[channel]
        channel.close()

    def forget_data(self) -> None:
        """Close the listener and forget the address of the next data connection."""
        if self.listener is not None:
            self.listener.close()
        self.listener = self.target = None

    def cut(self, reset: bool) -> None:
        """Cut the control and the data connection."""
        for channel in (self.data, self.channel):
            if reset and channel is not None:
                channel.reset_on_close()
        if self.task is not None:
            self.task.cancel()

    async def aclose(self) -> None:
        """End everything that belongs to this connection."""
        tasks: list[asyncio.Task[Any]] = [*self.lingering.values()]
        if self.line is not None:
            tasks.append(self.line)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.forget_data()
        if not self.channel.closed:
            self.channel.close()

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS object of the control connection."""
        return self.channel.tls


async def _drain(channel: Channel) -> None:
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_LINGER):
            await channel.drain()
