"""``Stream[T]`` for blocking code: an iterator that fetches in batches.

A task in the portal reads the asynchronous stream ahead, up to a bound; the caller takes what has come without
a hop between threads for each item.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from netclients.sync.calls import Call, Desk
from netclients.sync.relays import ItemRelay

if TYPE_CHECKING:
    from netclients.streams import Stream as AsyncStream

__all__ = ["Stream"]

T_co = TypeVar("T_co", covariant=True)

_ROOM = 200


class Stream(Generic[T_co]):
    """Items as they come. Iterate it once, with ``for``, best inside ``with``.

    ``break``, an exception, Ctrl-C, or dropping the last reference close the connection behind it and free its
    slot. At most ``room`` items, and as many again, are fetched ahead; fewer if ``weigh`` says that they hold many
    bytes.
    """

    def __init__(
        self,
        twin: AsyncStream[T_co],
        *,
        desk: Desk | None = None,
        owner: object = None,
        room: int = _ROOM,
        weigh: Callable[[T_co], int] | None = None,
    ) -> None:
        self._twin: AsyncStream[T_co] | None = twin
        self._desk = desk or Desk()
        # Whoever owns the connections must live as long as somebody reads from them.
        self._owner = owner
        self._room = room
        self._weigh = weigh
        self._ready: deque[T_co] = deque()
        self._call: Call[None] | None = None
        self._over = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T_co:
        ready = self._ready
        if ready:
            return ready.popleft()
        if not self._over:
            try:
                self._wait()
            except BaseException:
                self.close()
                raise
        if ready:
            return ready.popleft()
        return self._end()

    def _wait(self) -> None:
        """Wait until something is ready or the end has come."""
        self._desk.portal.check_process()
        if self._call is None:
            assert self._twin is not None
            relay = ItemRelay(self._desk, self._ready, self._room, self._weigh)
            twin = self._twin
            self._call = Call(partial(_pump, twin, relay.add), self._desk)
            self._twin = None
            self._call.start()
        else:
            self._desk.portal.check_caller()
        while not self._ready:
            work = self._desk.take()
            if work is None:
                self._over = True
                # Somebody else may be waiting too.
                self._desk.put(None)
                return
            work()

    def _end(self) -> T_co:
        call, self._call = self._call, None
        if call is not None:
            call.outcome()
        raise StopIteration

    def close(self) -> None:
        """End the stream now. What was not delivered is discarded."""
        self._ready.clear()
        self._twin = None
        call, self._call = self._call, None
        if not self._over:
            self._over = True
            if call is not None:
                call.abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # __init__ may have failed, and then there is nothing to let go of.
        if getattr(self, "_over", True) is False and self._call is not None:
            self._call.cancel()


async def _pump(twin: AsyncStream[T_co], add: Callable[[T_co], object]) -> None:
    async with twin:
        try:
            async for item in twin:
                await add(item)  # type: ignore[misc]
        except asyncio.CancelledError:
            # A stream that is cancelled lets go without waiting; the caller waits until all is given back.
            await twin._producer.aclose()
            raise
