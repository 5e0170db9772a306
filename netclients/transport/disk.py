"""Short file operations, many at a time: one trip to a worker thread serves all that wait for it.

A trip costs more than writing a small file does. So the first caller takes the trip, with everything that was
asked for until then; what is asked for meanwhile goes with the next one, led by one of those who wait.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
from anyio import to_thread

__all__ = ["DiskQueue"]


class _Job:
    __slots__ = ("call", "done", "error", "event")

    def __init__(self, call: Callable[[], object]) -> None:
        self.call = call
        self.event = anyio.Event()
        self.done = False
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.call()
        except BaseException as error:  # noqa: BLE001 - handed to the caller
            self.error = error
        self.done = True


class DiskQueue:
    """Runs calls in a worker thread, in the order in which they were asked for."""

    def __init__(self) -> None:
        self._jobs: list[_Job] = []
        self._led = False

    async def run(self, call: Callable[[], object]) -> None:
        """Run ``call`` in a worker thread and wait for its end, also when cancelled; raise what it raises."""
        job = _Job(call)
        self._jobs.append(job)
        with anyio.CancelScope(shield=True):
            if self._led:
                await job.event.wait()
            if not job.done:
                await self._lead()
        if job.error is not None:
            raise job.error

    async def _lead(self) -> None:
        self._led = True
        jobs, self._jobs = self._jobs, []
        try:
            await to_thread.run_sync(_run_all, jobs)
        finally:
            for job in jobs:
                job.event.set()
            if self._jobs:
                self._jobs[0].event.set()
            else:
                self._led = False


def _run_all(jobs: list[_Job]) -> None:
    for job in jobs:
        job.run()
