"""What passes between the loop and the caller's thread in large pieces instead of single ones.

A relay collects while the caller is busy, and hands over when the piece is large enough or has waited for a
moment: few hops for a fast transfer, no delay to speak of for a slow one. One piece is on the desk at a time.

::

    loop: add → add → add → hand over ──→ desk → caller's thread: callback(s)
                              ↑                        │
                              └──────── taken ─────────┘
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, TypeVar

from netclients.errors import ConfigurationError
from netclients.sync.calls import Desk
from netclients.transport.bulk import is_kept

__all__ = ["ItemRelay", "Relay", "SinkRelay"]

T = TypeVar("T")

_LARGEST = 1024 * 1024
_SMALLEST = 16 * 1024
_MOMENT = 0.005  # seconds


class Relay(ABC):
    """The loop's side; only :meth:`_pack`'s result goes to the other thread.

    What was collected waits for ``moment`` seconds; 0: until the loop has done what can be done without waiting.
    """

    def __init__(self, desk: Desk, moment: float = _MOMENT) -> None:
        self._desk = desk
        self._loop = desk.portal.loop
        self._moment = moment
        self._out = False
        self._due: asyncio.Handle | None = None
        self._room: asyncio.Future[None] | None = None
        desk.relays.append(self)

    @abstractmethod
    def _pack(self) -> Callable[[], object] | None:
        """Return what the caller shall do with all that was collected, and begin anew; None: nothing was."""

    def _collected(self) -> None:
        """Hand over soon."""
        if self._due is not None or self._out:
            return
        if self._moment:
            self._due = self._loop.call_later(self._moment, self._hand_over)
        else:
            self._due = self._loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._out:
            return
        work = self._pack()
        if work is not None:
            self._out = True
            self._desk.put(work)

    async def _full(self) -> None:
        """Hand over now; wait while the last piece has not been taken."""
        while self._out:
            self._room = self._loop.create_future()
            await self._room
        self._hand_over()

    def _was_taken(self) -> None:
        """Tell the loop that the piece was taken. In the caller's thread."""
        self._desk.portal.post_if_running(self._taken)

    def _taken(self) -> None:
        self._out = False
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        else:
            self._hand_over()

    def finish(self) -> None:
        """See :meth:`~netclients.sync.calls.Finishing.finish`."""
        if self._due is not None:
            self._due.cancel()
        work = self._pack()
        if work is not None:
            self._desk.put(work)


class ItemRelay(Relay, Generic[T]):
    """Items of a stream, in batches of at most ``room``, into ``ready``.

    ``weigh``: bytes that an item holds, if they may be many: a batch ends with the one that makes them a MiB, too.
    """

    def __init__(self, desk: Desk, ready: deque[T], room: int, weigh: Callable[[T], int] | None) -> None:
        super().__init__(desk, 0)
        self._ready = ready
        self._largest = room
        self._weigh = weigh
        self._weight = 0
        self._items: list[T] = []

    async def add(self, item: T) -> None:
        """Take one item in."""
        self._items.append(item)
        if self._weigh is not None:
            self._weight += self._weigh(item)
        if len(self._items) >= self._largest or self._weight >= _LARGEST:
            await self._full()
        else:
            self._collected()

    def _pack(self) -> Callable[[], object] | None:
        if not self._items:
            return None
        items, self._items = self._items, []
        self._weight = 0
        return partial(self._deliver, items)

    def _deliver(self, items: list[T]) -> None:
        self._ready.extend(items)
        self._was_taken()


class SinkRelay(Relay):
    """Downloaded bytes: one buffer is filled while the caller's sink has the other."""

    def __init__(self, desk: Desk, sink: Callable[[memoryview], object]) -> None:
        super().__init__(desk)
        self._sink = sink
        self._buffer = bytearray()
        self._filled = 0
        self._spare: bytearray | None = None

    def __call__(self, view: memoryview) -> Awaitable[None] | None:
        """Take bytes in; return what to await if there is no room for all of them now."""
        done = self._take(view, 0)
        return self._take_rest(view, done) if done < len(view) else None

    async def _take_rest(self, view: memoryview, done: int) -> None:
        while done < len(view):
            await self._full()
            done = self._take(view, done)

    def _take(self, view: memoryview, start: int) -> int:
        """Copy what there is room for; return where in ``view`` to go on."""
        buffer = self._buffer
        if self._filled + len(view) - start > len(buffer) < _LARGEST:
            wanted = max(_SMALLEST, self._filled + len(view) - start, 2 * len(buffer))
            buffer.extend(bytes(min(_LARGEST, wanted) - len(buffer)))
        count = min(len(view) - start, len(buffer) - self._filled)
        with memoryview(buffer) as whole, whole[self._filled : self._filled + count] as room:
            room[:] = view[start : start + count]
        self._filled += count
        if self._filled == len(buffer) == _LARGEST and not self._out:
            self._hand_over()
        else:
            self._collected()
        return start + count

    def _pack(self) -> Callable[[], object] | None:
        if not self._filled:
            return None
        work = partial(self._deliver, self._buffer, self._filled)
        self._buffer, self._filled = self._spare or bytearray(), 0
        self._spare = None
        return work

    def _deliver(self, buffer: bytearray, filled: int) -> None:
        view = memoryview(buffer).toreadonly()[:filled]
        try:
            result = self._sink(view)
        finally:
            kept = is_kept(view, buffer)
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                result.close()
            raise ConfigurationError("the sink of a blocking client must not be asynchronous")
        if not kept:
            self._spare = buffer
        self._was_taken()


class LiteralRelay:
    """Bytes that come out of a parser, which can't wait: whoever drives it waits in :meth:`room` instead."""

    def __init__(self, desk: Desk, sink: Callable[[memoryview], object]) -> None:
        self._desk = desk
        self._sink = sink
        self._waiting = 0
        self._taken = asyncio.Event()

    def __call__(self, view: memoryview) -> None:
        """Take bytes in. When the caller has gone, nobody wants them."""
        if not self._desk.closed:
            self._waiting += len(view)
            self._desk.put(partial(self._deliver, bytes(view)))

    async def room(self) -> None:
        """Wait while the caller has much to do."""
        while self._waiting >= _LARGEST and not self._desk.closed:
            self._taken.clear()
            await self._taken.wait()

    def _deliver(self, piece: bytes) -> None:
        view = memoryview(piece)
        self._sink(view)
        with contextlib.suppress(BufferError):  # a slice of it was kept: it will never change
            view.release()
        self._desk.portal.post_if_running(self._was_taken, len(piece))

    def _was_taken(self, size: int) -> None:
        self._waiting -= size
        self._taken.set()
