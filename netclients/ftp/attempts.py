"""The attempts at moving one file: each has a connection from the pool, and a data connection on it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from netclients.retry import Schedule

if TYPE_CHECKING:
    from netclients.errors import NetClientError
    from netclients.ftp.connection import FTPConnection
    from netclients.ftp.context import Context
    from netclients.ftp.data import Transfer
    from netclients.transport.rate import Meter

__all__ = ["Attempts"]

_PROGRESS = 1024 * 1024  # bytes by which an attempt must be further on to count as the first again


class Attempts:
    """One attempt at a time: :meth:`begin`, and :meth:`release` or :meth:`failed` and :meth:`pause`.

    ``count`` is how many there were; ``meter`` counts the bytes of all.
    """

    def __init__(self, context: Context, operation: str, meter: Meter) -> None:
        self.count: int = 1
        self.connection: FTPConnection | None = None
        self.transfer: Transfer | None = None
        self._pool = context.pool
        self._schedule = Schedule(context.policy, operation, context.trace)
        self._meter = meter
        self._began = 0
        self._began_at = 0.0
        self._furthest: int | None = None

    async def begin(self) -> FTPConnection:
        """Take a connection."""
        self._began = self._meter.total
        self._began_at = time.monotonic()
        self.connection = await self._pool.acquire()
        return self.connection

    @property
    def moved(self) -> int:
        """How many bytes this attempt has moved."""
        return self._meter.total - self._began

    def begins_at(self, offset: int, *, trusted: bool = True) -> None:
        """Note where in the file this attempt begins. Further on than all before is progress, if it is ``trusted``.

        Only what was kept counts: what moved may have ended up nowhere, at each attempt anew.
        """
        furthest = offset if self._furthest is None else self._furthest
        if offset - furthest > _PROGRESS and trusted:
            self._schedule.progressed()
        self._furthest = max(furthest, offset)

    def from_scratch(self) -> None:
        """Nothing that was moved so far counts any more."""
        self._meter.total = self._began = 0

    def failed(self) -> None:
        """This attempt is over; what it moved was worth the time that it took."""
        self.release()
        if self.moved > _PROGRESS:
            self._schedule.busy(time.monotonic() - self._began_at)

    async def pause(self, error: NetClientError, *, repeatable: bool = True) -> None:
        """Wait until the next attempt is due; raise ``error`` if there is none."""
        await self._schedule.pause(error, repeatable=repeatable)
        self.count += 1

    def release(self) -> None:
        """Let go of the connection, in whatever state it is. Does not wait."""
        if self.transfer is not None:
            self.transfer.abort()
            self.transfer = None
        if self.connection is not None:
            connection, self.connection = self.connection, None
            self._pool.release(connection)
