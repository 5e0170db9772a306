"""Tasks that stand behind a stream, and the queue between them and its consumer.

On asyncio they are plain tasks, so that a stream may be iterated without ``async with`` and dropped at any
time; on trio they live in a nursery that ``async with`` opens. They never raise into nobody: what a worker
raises is handed to the consumer.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio

from netclients.errors import ConfigurationError, NetClientError
from netclients.transport.readiness import running_asyncio_loop

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["Crew", "Outlet", "Workers"]

T = TypeVar("T")


class Outlet(Generic[T]):
    """A bounded queue: many workers put, one consumer gets."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._items: deque[T] = deque()
        self._failure: BaseException | None = None
        self._writers = 0
        self._changed: anyio.Event | None = None
        self._waiting_for_room: deque[anyio.Event] = deque()

    def open(self, writers: int) -> None:
        """Expect this many workers."""
        self._writers = writers

    async def put(self, item: T) -> None:
        """Hand over ``item``; wait while there is no room."""
        while len(self._items) >= self._room:
            event = anyio.Event()
            self._waiting_for_room.append(event)
            try:
                await event.wait()
            except BaseException:
                if event.is_set():
                    self._made_room()  # for the next one
                raise
        self.put_now(item)

    def put_now(self, item: T) -> None:
        """Hand over ``item``, room or not: whoever made it has seen to that."""
        self._items.append(item)
        self._notify()

    def leave(self, failure: BaseException | None = None) -> None:
        """A worker has ended; ``failure`` is raised to the consumer."""
        self._writers -= 1
        self._failure = self._failure or failure
        self._notify()

    def _notify(self) -> None:
        if self._changed is not None:
            self._changed.set()

    async def get(self) -> T:
        """Return the next item; raise a worker's failure, or StopAsyncIteration when all have left."""
        while not self._items:
            if self._failure is not None:
                raise self._failure
            if not self._writers:
                raise StopAsyncIteration
            self._changed = anyio.Event()
            await self._changed.wait()
        item = self._items.popleft()
        self._made_room()
        return item

    def take_all(self) -> list[T]:
        """Return what is there, without waiting for more."""
        items = list(self._items)
        self._items.clear()
        self._made_room()
        return items

    def _made_room(self) -> None:
        # As many as find room, not all: thousands may wait.
        for _ in range(min(len(self._waiting_for_room), self._room - len(self._items))):
            self._waiting_for_room.popleft().set()


@dataclass(frozen=True, slots=True)
class Crew:
    """``count`` workers that run the same coroutine function and put what they make into ``outlet``."""

    work: Callable[[], Awaitable[None]]
    count: int
    outlet: Outlet[Any]


class Workers:
    """Runs crews. They are started together, and cancelled together."""

    def __init__(self, *crews: Crew) -> None:
        self._crews = crews
        self._tasks: list[asyncio.Task[None]] = []
        self._group: TaskGroup | None = None
        self._started = False
        self._cancelled = False

    async def open(self) -> None:
        """Start in a nursery where the backend wants one; call :meth:`aclose` in the same task."""
        if running_asyncio_loop() is None:
            self._group = anyio.create_task_group()
            await self._group.__aenter__()
        self.start()

    def start(self) -> None:
        """Start, once.

        Raises:
            ConfigurationError: on trio, outside ``async with``.
        """
        if self._started:
            return
        loop = running_asyncio_loop()
        if loop is None and self._group is None:
            raise ConfigurationError("on trio, this stream must be used with 'async with'")
        self._started = True
        for crew in self._crews:
            crew.outlet.open(crew.count)
            for _ in range(crew.count):
                if self._group is not None:
                    self._group.start_soon(self._run, crew)
                elif loop is not None:
                    self._tasks.append(loop.create_task(self._run(crew)))

    def cancel(self) -> None:
        """Cancel all, without waiting for them."""
        self._cancelled = True
        for task in self._tasks:
            task.cancel()
        if self._group is not None:
            self._group.cancel_scope.cancel()

    async def aclose(self) -> None:
        """Cancel all and wait until they have ended."""
        self.cancel()
        group, self._group = self._group, None
        if group is not None:
            await group.__aexit__(None, None, None)
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _run(self, crew: Crew) -> None:
        failure: BaseException | None = None
        try:
            await crew.work()
        except Exception as error:  # noqa: BLE001 - handed to the consumer
            failure = error
        except BaseException:
            if not self._cancelled:
                # Something that the worker waited for was cancelled: without a word, the consumer would wait for ever.
                failure = NetClientError("the work behind this stream was cancelled")
            raise
        finally:
            crew.outlet.leave(failure)
