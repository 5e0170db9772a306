"""The one place where this library waits for sockets.

Every byte is moved by a non-blocking call that is tried first; only when the kernel has nothing does the
task wait here, for one or several sockets at once and with a time limit. Nothing has been taken from a
socket while a task waits, so a cancellation never loses a byte. No task, cancel scope or transport object
is made for a wait: on asyncio it is a future and a timer.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Self

import anyio

from netclients.errors import PhaseTimeout

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Deadline", "Turn", "checkpoint", "running_asyncio_loop", "wait_for_sockets"]

_TURN = 0.005  # seconds


def running_asyncio_loop() -> asyncio.AbstractEventLoop | None:
    """Return the running asyncio (or uvloop) loop; None on trio."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


async def checkpoint() -> None:
    """Let other tasks run, and be cancelled here if that is due."""
    if running_asyncio_loop() is None:
        from anyio import lowlevel  # slow to import, and asyncio never needs it

        await lowlevel.checkpoint()
    else:
        await asyncio.sleep(0)


class Turn:
    """Keeps a task that never has to wait from keeping all others waiting for more than ``length`` seconds."""

    __slots__ = ("_began", "_length")

    def __init__(self, length: float = _TURN) -> None:
        self._began = time.monotonic()
        self._length = length

    def waited(self) -> None:
        """The task has just waited: others have had their turn."""
        self._began = time.monotonic()

    @property
    def over(self) -> bool:
        """Whether it is others' turn."""
        return time.monotonic() - self._began > self._length

    async def pass_on(self) -> None:
        """Let others run if it is their turn."""
        if self.over:
            await checkpoint()
            self.waited()


class Deadline:
    """One time limit for several waits: a peer that sends a byte at a time must come to an end too.

    ::

        with Deadline(timeout, "reply") as deadline:
            while not done():
                await receive(deadline.left(), "reply")

    A wait that runs out within the block raises a :class:`~netclients.errors.PhaseTimeout` that tells the whole
    limit, not what was left of it. ``timeout`` None sets no limit; ``what`` is turned into text only then.
    """

    __slots__ = ("_end", "_phase", "_timeout", "_what")

    def __init__(self, timeout: float | None, phase: str, what: object = "") -> None:
        self._timeout = timeout
        self._phase = phase
        self._what = what
        self._end = None if timeout is None else time.monotonic() + timeout

    def left(self) -> float | None:
        """Return how many seconds the next wait may take.

        Raises:
            PhaseTimeout: none is left.
        """
        if self._end is None:
            return None
        left = self._end - time.monotonic()
        if left <= 0:
            raise self._passed()
        return left

    def _passed(self) -> PhaseTimeout:
        return PhaseTimeout(self._phase, self._timeout, str(self._what))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, PhaseTimeout):
            raise self._passed() from None


async def wait_for_sockets(
    readable: Iterable[socket.socket], writable: Iterable[socket.socket], timeout: float | None
) -> bool:
    """Wait until one of the sockets is ready. Return False if ``timeout`` seconds passed first."""
    loop = running_asyncio_loop()
    if loop is None or not _has_add_reader(loop):
        return await _wait_by_anyio(readable, writable, timeout)
    future: asyncio.Future[bool] = loop.create_future()
    readers = [sock.fileno() for sock in readable]
    writers = [sock.fileno() for sock in writable]
    timer = None if timeout is None else loop.call_later(timeout, _resolve, future, False)
    try:
        for fd in readers:
            loop.add_reader(fd, _resolve, future, True)
        for fd in writers:
            loop.add_writer(fd, _resolve, future, True)
        return await future
    finally:
        if timer is not None:
            timer.cancel()
        for fd in readers:
            loop.remove_reader(fd)
        for fd in writers:
            loop.remove_writer(fd)


def _resolve(future: asyncio.Future[bool], ready: bool) -> None:
    if not future.done():
        future.set_result(ready)


def _has_add_reader(loop: asyncio.AbstractEventLoop) -> bool:
    # Windows' proactor loop has no add_reader; anyio brings a selector thread for it.
    return not type(loop).__name__.startswith("Proactor")


async def _wait_by_anyio(
    readable: Iterable[socket.socket], writable: Iterable[socket.socket], timeout: float | None
) -> bool:
    waits = [(anyio.wait_readable, sock) for sock in readable]
    waits += [(anyio.wait_writable, sock) for sock in writable]
    with anyio.move_on_after(timeout) as scope:
        if len(waits) == 1:
            [(wait, sock)] = waits
            await wait(sock)
            return True
        async with anyio.create_task_group() as group:

            async def first(index: int) -> None:
                wait, sock = waits[index]
                await wait(sock)
                group.cancel_scope.cancel()

            for index in range(len(waits)):
                group.start_soon(first, index)
    return not scope.cancelled_caught
