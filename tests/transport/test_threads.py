"""Blocking calls in worker threads."""

from __future__ import annotations

import asyncio
import threading

import anyio
import anyio.lowlevel
import pytest

from netclients.transport.threads import in_thread

pytestmark = pytest.mark.anyio


async def test_results_and_errors() -> None:
    here = threading.get_ident()
    assert await in_thread(threading.get_ident) != here
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)


async def test_a_cancelled_caller_sees_its_call_to_the_end() -> None:
    started, go, done = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        started.set()
        go.wait(10)
        done.set()

    scope = anyio.CancelScope()
    ended = False

    async def caller() -> None:
        nonlocal ended
        with scope:
            try:
                await in_thread(slow)
            finally:
                ended = True
            await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(caller)
        while not started.is_set():
            await anyio.lowlevel.checkpoint()
        scope.cancel()
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        assert not ended
        go.set()
    assert done.is_set()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_that_is_cancelled_twice() -> None:
    started, go = threading.Event(), threading.Event()

    def slow() -> str:
        started.set()
        go.wait(10)
        return "done"

    task = asyncio.ensure_future(in_thread(slow))
    while not started.is_set():
        await asyncio.sleep(0)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
