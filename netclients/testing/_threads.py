"""Runs an asyncio server on an event loop of its own thread, for trio tests, blocking code and the demo."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


@contextlib.contextmanager
def in_thread(make: Callable[[], AbstractAsyncContextManager[T, bool | None]], name: str) -> Iterator[T]:
    """Enter `make()` on a new loop in a new thread, lend its value, and leave it there at the end.

    What entering raises is raised here. What leaving raises is raised too, unless the block failed already:
    the first error explains more.
    """
    ready: Future[tuple[T, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    done: Future[None] = Future()

    async def main() -> None:
        stop = asyncio.Event()
        async with make() as value:
            ready.set_result((value, asyncio.get_running_loop(), stop))
            await stop.wait()

    def run() -> None:
        try:
            # The selector loop on every platform: whatever policy the tested code installs stays its own.
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(main())
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits for it
            (done if ready.done() else ready).set_exception(error)
        else:
            done.set_result(None)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        value, loop, stop = ready.result()
    except BaseException:
        thread.join()
        raise
    try:
        yield value
    except BaseException:
        _finish(thread, loop, stop)
        raise
    _finish(thread, loop, stop)
    done.result()


def _finish(thread: threading.Thread, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # The loop is closed already if its server died early: then there is nothing left to stop.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(stop.set)
    thread.join()


def call_in(loop: asyncio.AbstractEventLoop, function: Callable[[], R]) -> R:
    """Run `function` in the thread of `loop` and return its result, from whichever thread this is."""
    with contextlib.suppress(RuntimeError):
        if asyncio.get_running_loop() is loop:
            return function()
    result: Future[R] = Future()

    def run() -> None:
        try:
            result.set_result(function())
        except BaseException as error:  # noqa: BLE001 - raised in the thread that asked
            result.set_exception(error)

    loop.call_soon_threadsafe(run)
    return result.result()
