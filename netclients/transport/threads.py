"""Blocking calls, file operations above all, in worker threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio import to_thread

from netclients.transport.readiness import running_asyncio_loop

__all__ = ["in_thread"]

T = TypeVar("T")


async def in_thread(call: Callable[[], T]) -> T:
    """Run ``call`` in a worker thread; return what it returns, or raise what it raises.

    A call that has begun can't be interrupted, and works on memory of ours: so a cancelled task waits for its end
    before the cancellation goes on.
    """
    loop = running_asyncio_loop()
    if loop is None:
        return await to_thread.run_sync(call)
    future = loop.run_in_executor(None, call)
    cancelled: asyncio.CancelledError | None = None
    while not future.done():
        try:
            # The scope keeps anyio from delivering a cancellation again at every turn of the loop.
            with anyio.CancelScope(shield=True):
                await asyncio.shield(future)
        except asyncio.CancelledError as error:
            cancelled = error
        except BaseException:  # noqa: BLE001 - taken from the future below
            break
    if cancelled is not None:
        future.exception()
        raise cancelled
    return future.result()
