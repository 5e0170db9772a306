"""One direction of a proxied connection: bytes go in as they arrive and come out as the plan says.

Works on transports and timers, without tasks: a delayed byte costs a heap entry, so that thousands of
connections with latency are no load.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import re
from typing import Protocol

from .fault_plans import Cut, Flow, Inject

_SLICE = 1 << 20
_MAX_QUEUE = 4 << 20
_MAX_MEMORY = 64 * 1024


class Owner(Protocol):
    """The connection that a direction belongs to."""

    def ran(self, what: str) -> None:
        """Count a fault."""

    def moved(self, name: str, count: int) -> None:
        """Count forwarded bytes."""

    def end(self, reset: bool) -> None:
        """End both sides."""

    def finished(self) -> None:
        """This direction will send nothing more."""


class Direction:
    """Carries bytes from `source` to `sink` (set once the connections stand)."""

    def __init__(self, name: str, flow: Flow, owner: Owner) -> None:
        self.source: asyncio.Transport | None = None
        self.sink: asyncio.Transport | None = None
        self._name, self._flow, self._owner = name, flow, owner
        self._loop = asyncio.get_running_loop()
        self._queue: collections.deque[tuple[float, bytes | None]] = collections.deque()
        self._queued = 0
        self._timer: asyncio.Handle | None = None
        self._blocked = False
        self._paused = False
        self._state = "open"
        self._sent = 0
        self._free_at = 0.0
        self._points: list[tuple[int, Cut | Inject]] = []
        self._unmatched: list[tuple[re.Pattern[bytes], Cut | Inject]] = []
        faults: list[Cut | Inject] = [*flow.inject, *([flow.cut] if flow.cut else [])]
        for fault in faults:
            where = fault.after if isinstance(fault, Cut) else fault.at
            if isinstance(where, int):
                self._points.append((where, fault))
            else:
                self._unmatched.append((re.compile(where), fault))
        self._points.sort(key=_position)
        self._memory = b""
        self._received = 0
        self._held = b""

    @property
    def precise(self) -> bool:
        """Nothing may linger in the buffer of the sink, since a fault comes at an exact byte."""
        return self._flow.cut is not None or self._flow.rate is not None or self._flow.chunk is not None

    @property
    def stalled(self) -> bool:
        """Stopped by a fault."""
        return self._state == "stalled"

    @property
    def finished(self) -> bool:
        """Nothing more will be sent: the stream has ended, or stalls."""
        return self._state != "open"

    # Input

    def feed(self, data: bytes) -> None:
        """Take bytes from the source."""
        if self._state == "discard":
            return
        if self._unmatched:
            self._match(data)
        self._received += len(data)
        data = self._held + data
        self._held = _begun(self._flow.whole, data)
        data = data.removesuffix(self._held)
        if data:
            self._put(data, len(data))

    def feed_eof(self) -> None:
        """Take the end of the stream from the source."""
        if self._state == "stalled":
            self._owner.end(reset=True)  # the sender gave up
        elif self._state != "discard":
            if self._held:
                self._put(self._held, len(self._held))
            self._put(None, 0)

    def _put(self, data: bytes | None, size: int) -> None:
        self._queue.append((self._loop.time() + self._flow.latency, data))
        self._queued += size
        if self._queued > _MAX_QUEUE:
            self._pause(True)
        if self._timer is None:
            self.run()

    def _match(self, data: bytes) -> None:
        text = self._memory + data
        base = self._received - len(self._memory)
        waiting = []
        for pattern, fault in self._unmatched:
            if found := pattern.search(text):
                self._points.append((base + found.end(), fault))
            else:
                waiting.append((pattern, fault))
        self._points.sort(key=_position)
        self._unmatched = waiting
        self._memory = text[-_MAX_MEMORY:]

    # Output

    def block(self, blocked: bool) -> None:
        """The sink takes nothing more, or takes again."""
        self._blocked = blocked
        if not blocked and self._timer is None:
            self.run()

    def run(self) -> None:
        """Send what is due, and come back for the rest."""
        self._timer = None
        while self._state == "open" and self.sink is not None and not self._blocked:
            if self._points and self._points[0][0] <= self._sent:
                self._act(self._points.pop(0)[1])
                continue
            if not self._queue:
                return
            due, data = self._queue[0]
            due = max(due, self._free_at)
            if due > self._loop.time():
                self._timer = self._loop.call_at(due, self.run)
                return
            if data is None:
                self._finish()
                return
            self._send(data)
            if self._flow.chunk is not None and self._queue:
                self._timer = self._loop.call_soon(self.run)
                return

    def _send(self, data: bytes) -> None:
        """Send a slice of the first piece in the queue, with what is injected right behind it."""
        assert self.sink is not None
        size = self._slice_size(data)
        due, _ = self._queue.popleft()
        if size < len(data):
            self._queue.appendleft((due, data[size:]))
        self._queued -= size
        self._sent += size
        out = data[:size]
        while self._points and self._points[0][0] <= self._sent and isinstance(self._points[0][1], Inject):
            out += self._points.pop(0)[1].data  # type: ignore[union-attr]
            self._owner.ran(f"{self._name}.inject")
        if self._flow.rate:
            self._free_at = max(self._free_at, self._loop.time() - 0.05) + size / self._flow.rate
        self._write(out)
        if self._paused and self._queued < _MAX_QUEUE // 2:
            self._pause(False)

    def _slice_size(self, data: bytes) -> int:
        size = min(len(data), self._flow.chunk or _SLICE)
        if self._flow.rate:
            size = min(size, max(1, int(self._flow.rate / 100)))
        if parted := _begun(self._flow.whole, data[:size]):
            begin = size - len(parted)
            if data.startswith(self._flow.whole, begin):
                size = begin or len(self._flow.whole)
        if self._points:
            size = min(size, self._points[0][0] - self._sent)
        return size

    def _write(self, data: bytes) -> None:
        assert self.sink is not None
        if not self.sink.is_closing():
            self._owner.moved(self._name, len(data))
            self.sink.write(data)

    def _finish(self) -> None:
        self._queue.clear()
        self._state = "discard"
        if self.sink is not None and not self.sink.is_closing() and self.sink.can_write_eof():
            # The other side may have gone while its end was on the way to it.
            with contextlib.suppress(OSError):
                self.sink.write_eof()
        self._owner.finished()

    # Faults

    def _act(self, fault: Cut | Inject) -> None:
        if isinstance(fault, Inject):
            self._owner.ran(f"{self._name}.inject")
            self._write(fault.data)
            return
        self._owner.ran(f"{self._name}.{fault.how}")
        if fault.how == "fin":
            self._finish()
            self._pause(False)
        elif fault.how == "stall":
            self._state = "stalled"
        else:
            self._owner.end(reset=fault.how == "reset")

    def _pause(self, pause: bool) -> None:
        if pause == self._paused or self.source is None or self.source.is_closing():
            return
        self._paused = pause
        if pause:
            self.source.pause_reading()
        else:
            self.source.resume_reading()

    def close(self) -> None:
        """Forget everything."""
        self._state = "discard"
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _position(point: tuple[int, Cut | Inject]) -> int:
    return point[0]


def _begun(whole: bytes, data: bytes) -> bytes:
    """Return the longest end of `data` that may go on to become `whole`."""
    for size in range(min(len(whole) - 1, len(data)), 0, -1):
        if data.endswith(whole[:size]):
            return whole[:size]
    return b""
