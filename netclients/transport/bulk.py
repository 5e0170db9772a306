"""Bulk data: between a stream and a sink, a file or a source, in bounded memory and without starving the loop.

``idle`` is the caller's way to wait: it returns when the stream may be tried again, and raises what ends the
transfer (a stall, a refusal on another connection). Received data passes through one buffer: the client's
shared scratch buffer as long as it is consumed before the next ``await``, a private one otherwise.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from netclients.errors import ConfigurationError, NetClientError
from netclients.transport.callers import CallerError, callers_errors
from netclients.transport.disk import Trip
from netclients.transport.readiness import Turn, checkpoint

if TYPE_CHECKING:
    from netclients.transport.dial import Dialer
    from netclients.transport.source import ByteSource
    from netclients.transport.stream import ByteStream

__all__ = [
    "FileBuffer",
    "Meter",
    "RateLimit",
    "Sink",
    "is_kept",
    "receive_to_file",
    "receive_to_sink",
    "send_from",
]

Idle = Callable[[], Awaitable[None]]
Sink = Callable[[memoryview], object]
"""Takes a read-only view that is released when the call (or the awaitable that it returns) is over."""

_TURN_BYTES = 4 * 1024 * 1024
_CHUNK = 256 * 1024
_FIRST_BUFFER = 16 * 1024


class RateLimit:
    """At most ``rate`` bytes a second, over all transfers that share it."""

    def __init__(self, rate: float) -> None:
        if not 0 < rate < float("inf"):
            raise ConfigurationError(f"limit_rate={rate!r} must be a positive number")
        self._rate = rate
        self._due = 0.0

    @property
    def step(self) -> int:
        """How many bytes to move at a time so that the rate holds over a tenth of a second."""
        return max(1, min(_CHUNK, int(self._rate / 10)))

    def debt(self, count: int) -> float:
        """Count ``count`` bytes; return how many seconds to pause for them."""
        now = time.monotonic()
        self._due = max(self._due, now) + count / self._rate
        return self._due - now


class Meter:
    """Counts one transfer's bytes, keeps its rate, and gives other tasks their turn.

    ``report`` is called with the total after every step.
    """

    __slots__ = ("_limits", "_report", "_turn", "_turn_bytes", "total")

    def __init__(self, limits: Iterable[RateLimit | None] = (), report: Callable[[int], object] | None = None) -> None:
        self._limits = [limit for limit in limits if limit is not None]
        self._report = report
        self._turn_bytes = 0
        self._turn = Turn()
        self.total: int = 0

    @property
    def step(self) -> int | None:
        """How many bytes to move at a time at the most; None: no limit."""
        return min((limit.step for limit in self._limits), default=None)

    def waited(self) -> None:
        """The transfer has just waited: other tasks have had their turn."""
        self._turn_bytes = 0
        self._turn.waited()

    async def count(self, moved: int) -> None:
        """Count bytes that have been moved; pause if it is others' turn or the rate says so."""
        self.total += moved
        self._turn_bytes += moved
        if self._report is not None:
            with callers_errors():
                self._report(self.total)
        if self._limits:
            pause = max(limit.debt(moved) for limit in self._limits)
            if pause > 0:
                await anyio.sleep(pause)
                self.waited()
                return
        if self._turn_bytes >= _TURN_BYTES or self._turn.over:
            await checkpoint()
            self.waited()


# Receiving


async def receive_to_sink(stream: ByteStream, sink: Sink, idle: Idle, meter: Meter, dialer: Dialer) -> None:
    """Pass everything up to the stream's end to ``sink``."""
    buffer, private = dialer.scratch, False
    while True:
        limit = meter.step
        with memoryview(buffer) as whole, whole[:limit] as room:
            count = stream.try_recv_into(room)
        if count is None:
            await idle()
            meter.waited()
            if not private:
                buffer = dialer.scratch
            continue
        if count == 0:
            return
        view = memoryview(buffer).toreadonly()[:count]
        try:
            result = sink(view)
            if inspect.isawaitable(result):
                if not private:
                    dialer.replace_scratch()
                    private = True
                await result
        except NetClientError as error:
            raise CallerError(error) from error
        finally:
            kept = is_kept(view, buffer)
            if kept and not private:
                dialer.replace_scratch()
        if kept:
            buffer = bytearray(len(buffer)) if private else dialer.scratch
        await meter.count(count)
        if not private:
            buffer = dialer.scratch


def is_kept(view: memoryview, buffer: bytearray) -> bool:
    """Release ``view``; return whether something still refers to the memory, which must then never change."""
    try:
        view.release()
        # A bytearray refuses to change its size while anything is exported, slices of the view included.
        buffer.append(0)
        buffer.pop()
    except BufferError:
        return True
    return False


Store = Callable[[memoryview], None]


class FileBuffer:
    """Where bytes wait for a worker thread to write them: small at first, grown while more keeps coming.

    Once it has its full size, two take turns: one is written while the other is filled. ``cap`` tells at any time
    how large each may become, in bytes; ``store`` writes, in a worker thread.
    """

    __slots__ = ("_buffer", "_cap", "_filled", "_other", "_store", "_trip")

    def __init__(self, cap: Callable[[], int], store: Store) -> None:
        self._cap = cap
        self._store = store
        self._buffer = bytearray(_FIRST_BUFFER)
        self._other: bytearray | None = None
        self._filled = 0
        self._trip: Trip[None] | None = None

    def room(self, limit: int | None) -> memoryview:
        """Return the free part, at most ``limit`` bytes of it; release it before the next call."""
        end = None if limit is None else self._filled + limit
        with memoryview(self._buffer) as whole:
            return whole[self._filled : end]

    def took(self, count: int) -> bool:
        """``count`` bytes are in; return whether the buffer is full and must be passed on."""
        self._filled += count
        if self._filled < len(self._buffer):
            return False
        if len(self._buffer) < self._cap():
            self._buffer.extend(bytes(len(self._buffer)))
            return False
        return True

    async def pass_on(self) -> None:
        """Begin to write what is in; wait for what was being written before.

        Raises:
            LocalFileError: what was being written could not be.
        """
        await anyio.lowlevel.checkpoint_if_cancelled()
        await self.settle()
        full, count = self._buffer, self._filled
        self._trip = Trip(lambda: self._write(full, count))
        self._buffer, self._other = self._other or bytearray(len(full)), full
        self._filled = 0

    def _write(self, buffer: bytearray, count: int) -> None:
        with memoryview(buffer) as whole, whole[:count] as content:
            self._store(content)

    async def settle(self) -> None:
        """Wait until nothing is being written; raise what went wrong."""
        trip, self._trip = self._trip, None
        if trip is not None:
            await trip.result()

    def content(self) -> memoryview:
        """Return what is in and has not been passed on."""
        with memoryview(self._buffer) as whole:
            return whole[: self._filled]

    def clear(self) -> None:
        """Forget what is in."""
        self._filled = 0


async def receive_to_file(stream: ByteStream, buffer: FileBuffer, idle: Idle, meter: Meter) -> None:
    """Receive up to the stream's end. What no longer fits is passed on to be written, the rest stays in ``buffer``."""
    while True:
        with buffer.room(meter.step) as room:
            count = stream.try_recv_into(room)
        if count is None:
            await idle()
            meter.waited()
            continue
        if count == 0:
            await buffer.settle()
            return
        full = buffer.took(count)
        await meter.count(count)
        if full:
            await buffer.pass_on()


# Sending


async def send_from(stream: ByteStream, source: ByteSource, idle: Idle, meter: Meter) -> None:
    """Send everything that ``source`` still has."""
    while chunk := await source.read():
        with memoryview(chunk) as view:
            sent = 0
            while sent < len(view):
                limit = meter.step
                with view[sent:] if limit is None else view[sent : sent + limit] as piece:
                    count = stream.try_send(piece)
                if count:
                    sent += count
                    await meter.count(count)
                else:
                    await idle()
                    meter.waited()
    while stream.unsent:
        stream.try_flush()
        if stream.unsent:
            await idle()
