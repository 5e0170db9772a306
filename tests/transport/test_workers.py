"""Workers behind a stream, and the queue between them and their consumer."""

from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from netclients.errors import ConfigurationError
from netclients.transport.readiness import running_asyncio_loop
from netclients.transport.workers import Crew, Outlet, Workers

pytestmark = pytest.mark.anyio


async def drain(outlet: Outlet[int]) -> list[int]:
    found = []
    while True:
        try:
            found.append(await outlet.get())
        except StopAsyncIteration:
            return found


async def test_all_items_arrive_and_the_room_is_bounded() -> None:
    outlet: Outlet[int] = Outlet(2)
    numbers = iter(range(20))
    ahead = 0

    async def work() -> None:
        nonlocal ahead
        for number in numbers:
            await outlet.put(number)
            ahead = max(ahead, len(outlet._items))

    workers = Workers(Crew(work, 3, outlet))
    await workers.open()
    workers.start()
    assert sorted(await drain(outlet)) == list(range(20))
    assert ahead <= 2
    await workers.aclose()
    assert await drain(outlet) == []


async def test_a_failure_reaches_the_consumer_after_what_was_ready() -> None:
    outlet: Outlet[int] = Outlet(5)

    async def work() -> None:
        await outlet.put(1)
        raise ZeroDivisionError

    workers = Workers(Crew(work, 1, outlet))
    await workers.open()
    assert await outlet.get() == 1
    with pytest.raises(ZeroDivisionError):
        await outlet.get()
    await workers.aclose()


async def test_closing_ends_workers_that_wait_for_room() -> None:
    outlet: Outlet[int] = Outlet(1)
    ended = []

    async def work() -> None:
        try:
            while True:
                await outlet.put(1)
        finally:
            ended.append(1)

    workers = Workers(Crew(work, 3, outlet))
    await workers.open()
    assert await outlet.get() == 1
    for _ in range(10):
        await checkpoint()
    await workers.aclose()
    await workers.aclose()
    assert len(ended) == 3


async def test_without_async_with() -> None:
    outlet: Outlet[int] = Outlet(1)

    async def work() -> None:
        await outlet.put(1)

    workers = Workers(Crew(work, 2, outlet))
    if running_asyncio_loop() is None:
        with pytest.raises(ConfigurationError, match="async with"):
            workers.start()
        return
    workers.start()
    assert await drain(outlet) == [1, 1]
    await workers.aclose()


async def test_a_consumer_that_is_cancelled_can_come_back() -> None:
    outlet: Outlet[int] = Outlet(1)
    go = anyio.Event()

    async def work() -> None:
        await go.wait()
        await outlet.put(7)

    workers = Workers(Crew(work, 1, outlet))
    await workers.open()
    with anyio.move_on_after(0.01) as scope:
        await outlet.get()
    assert scope.cancelled_caught
    go.set()
    assert await outlet.get() == 7
    await workers.aclose()
