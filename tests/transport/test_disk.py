"""Short file operations in shared trips: each is done once, in order, and its error is its caller's."""

from __future__ import annotations

import threading

import anyio
import pytest

from netclients.transport.disk import DiskQueue

pytestmark = pytest.mark.anyio


async def test_each_call_runs_once_and_in_order() -> None:
    queue = DiskQueue()
    done: list[int] = []
    threads: set[int] = set()

    def job(number: int) -> None:
        threads.add(threading.get_ident())
        done.append(number)

    async def ask(number: int) -> None:
        await queue.run(lambda: job(number))
        assert number in done

    for _ in range(2):
        done.clear()
        async with anyio.create_task_group() as group:
            for number in range(50):
                group.start_soon(ask, number)
        assert sorted(done) == list(range(50))
    assert threading.get_ident() not in threads


async def test_an_error_is_its_callers_own() -> None:
    queue = DiskQueue()
    outcomes: dict[int, str] = {}

    def job(number: int) -> None:
        if number % 3 == 0:
            raise ValueError(number)

    async def ask(number: int) -> None:
        try:
            await queue.run(lambda: job(number))
        except ValueError as error:
            outcomes[number] = str(error)
        else:
            outcomes[number] = "ok"

    async with anyio.create_task_group() as group:
        for number in range(9):
            group.start_soon(ask, number)
    assert outcomes == {number: str(number) if number % 3 == 0 else "ok" for number in range(9)}


async def test_a_cancelled_caller_sees_its_call_to_the_end() -> None:
    queue = DiskQueue()
    go, done = threading.Event(), []
    started = threading.Event()

    def slow() -> None:
        started.set()
        go.wait(10)
        done.append("slow")

    scope = anyio.CancelScope()

    async def first() -> None:
        with scope:
            await queue.run(slow)
            await anyio.sleep_forever()

    async with anyio.create_task_group() as group:
        group.start_soon(first)
        while not started.is_set():
            await anyio.lowlevel.checkpoint()
        second_done = anyio.Event()

        async def second() -> None:
            await queue.run(lambda: done.append("second"))
            second_done.set()

        group.start_soon(second)
        scope.cancel()
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        assert done == []
        go.set()
        await second_done.wait()
    assert done == ["slow", "second"]
    await queue.run(lambda: done.append("third"))
    assert done[-1] == "third"
