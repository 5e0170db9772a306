"""Blocking calls, file operations above all, in worker threads.

A call that has begun can't be interrupted, and works on memory of ours: so a cancelled task waits for its end
before the cancellation goes on. On asyncio a :class:`Trip` runs while its caller does something else; on trio,
where that would take a nursery, it runs when its result is asked for.

A trip costs more than writing a small file does. :class:`DiskQueue` lets one trip serve all that wait: the
first caller takes it, with everything that was asked for until then; what is asked for meanwhile goes with the
next one, led by one of those who wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

import anyio
import anyio.lowlevel
from anyio import to_thread

from netclients.transport.readiness import running_asyncio_loop

__all__ = ["DiskQueue", "Trip", "in_thread"]

T = TypeVar("T")


class Trip(Generic[T]):
    """One call in a worker thread. Await :meth:`result` in any case: the call may still be using its memory."""

    __slots__ = ("_call", "_future")

    def __init__(self, call: Callable[[], T]) -> None:
        self._call = call
        loop = running_asyncio_loop()
        self._future: asyncio.Future[T] | None = None if loop is None else loop.run_in_executor(None, call)

    async def result(self) -> T:
        """Wait for the end, also when cancelled; return what the call returned, or raise what it raised."""
        future = self._future
        if future is None:
            return await to_thread.run_sync(self._call)
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


async def in_thread(call: Callable[[], T]) -> T:
    """Run ``call`` in a worker thread and wait for its end."""
    return await Trip(call).result()


class _Job:
    __slots__ = ("call", "done", "error", "event", "leads")

    def __init__(self, call: Callable[[], object]) -> None:
        self.call = call
        self.event = anyio.Event()
        self.done = False
        self.leads = False
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.call()
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            self.error = error
        self.done = True


class DiskQueue:
    """Runs calls in worker threads, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._jobs: list[_Job] = []
        self._led = False

    async def run(self, call: Callable[[], object]) -> None:
        """Run ``call`` and wait for its end, also when cancelled; raise what it raises."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        job = _Job(call)
        self._jobs.append(job)
        cancelled: BaseException | None = None
        while not job.done:
            try:
                with anyio.CancelScope(shield=True):
                    if job.leads or not self._led:
                        await self._lead()
                    else:
                        await job.event.wait()
            except asyncio.CancelledError as error:
                # asyncio's own cancellation does not know shields.
                cancelled = error
        if cancelled is not None:
            raise cancelled
        if job.error is not None:
            raise job.error

    async def _lead(self) -> None:
        self._led = True
        jobs, self._jobs = self._jobs, []
        try:
            await in_thread(lambda: _run_all(jobs))
        finally:
            for job in jobs:
                job.event.set()
            self._led = bool(self._jobs)
            if self._jobs:
                self._jobs[0].leads = True
                self._jobs[0].event.set()


def _run_all(jobs: list[_Job]) -> None:
    for job in jobs:
        job.run()
