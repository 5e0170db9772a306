"""Cancels a call at every point where it waits, and asks after each time whether all is still in order.

The call is run inside a wrapper that counts its suspensions, the values which its coroutine hands to the
event loop. No timing is involved: at the n-th suspension the cancellation is requested, before the loop sees
it.

There are three ways to be cancelled, and they hit different code:

- ``"task"``: ``Task.cancel()`` of asyncio, once, while the call waits.
- ``"late"``: the same, but at the moment when what the call waits for is done already and the call has not
  been resumed yet. What it waited for (a slot, a connection) is lost unless the call takes care. Only asyncio
  has this.
- ``"scope"``: an anyio cancel scope, as trio does it: every later wait is cancelled too, unless shielded.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import anyio

Way = Literal["task", "late", "scope"]


@dataclass(frozen=True, slots=True)
class Cancellations:
    """What a driver did."""

    points: int
    """How many calls were cancelled at some point."""
    cancelled: int
    """How many of them ended by the cancellation."""
    completed: int
    """How many of them returned a result all the same, since the cancellation came too late."""


async def cancel_everywhere(
    make_call: Callable[[], Awaitable[object]],
    *,
    check: Callable[[], Awaitable[object]],
    ways: Sequence[Way] | None = None,
    timeout: float = 10.0,
    limit: int | None = None,
) -> Cancellations:
    """Run `make_call()` once to its end, then cancel it at its n-th suspension, for every n.

    `check` is awaited after each run: it asserts that nothing leaked, and that the next call works. `ways`
    are those of the module's description; by default all that the running event loop has. A run and its check
    may take `timeout` seconds each. With `limit` at most so many points are tried for each way, evenly
    spread.

    Suspensions of the calling task count, those of tasks that the call starts do not; a hop to a thread is
    one suspension. The number of suspensions may differ from run to run.

    Raises AssertionError if a cancelled call hangs or ends by another exception, and what `check` raises;
    both say at which point the call was cancelled, and where it waited.
    """
    driver = _Driver(timeout)
    await driver.run(make_call, None, 0)
    await driver.check(check)
    for way in ways or _all_ways():
        for point in _points(driver, limit):
            await driver.run(make_call, way, point)
            await driver.check(check)
    return driver.result()


async def random_cancellations(
    make_call: Callable[[int], Awaitable[object]],
    *,
    check: Callable[[], Awaitable[object]],
    calls: int = 1000,
    concurrency: int = 32,
    seed: int = 0,
    ways: Sequence[Way] | None = None,
    timeout: float = 30.0,
) -> Cancellations:
    """Run `make_call(0)` to its end, then many calls at once and cancel each at a random suspension.

    `make_call` gets the number of the call, from 0 to `calls`, so that it can assert that its answer is its
    own. `concurrency` calls run at a time. Points come from `seed`; some lie behind the end, so that some
    calls complete. `check` is awaited at the end. Raises as :func:`cancel_everywhere` does.
    """
    driver = _Driver(timeout)
    rng = random.Random(seed)
    chosen = list(ways or _all_ways())
    await driver.run(lambda: make_call(0), None, 0)
    numbers = iter(range(1, calls + 1))
    errors: list[BaseException] = []

    async def work() -> None:
        for number in numbers:
            if errors:
                return
            # Most calls are much shorter than the longest: early points hit them, late ones only a few.
            point = 1 + int(1.25 * driver.longest * rng.random() ** 3)
            try:
                await driver.run(lambda number=number: make_call(number), rng.choice(chosen), point)  # type: ignore[misc]
            except Exception as error:  # noqa: BLE001 - raised below, without a group around it
                errors.append(error)

    async with anyio.create_task_group() as group:
        for _ in range(concurrency):
            group.start_soon(work)
    if errors:
        raise errors[0]
    driver.last = "after all calls"
    await driver.check(check)
    return driver.result()


def _all_ways() -> Sequence[Way]:
    return ("task", "late", "scope") if _on_asyncio() else ("scope",)


def _on_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _points(driver: _Driver, limit: int | None) -> Iterator[int]:
    """Yield 1, 2, 3, … as long as calls have been seen to get so far; or an even choice of them."""
    if limit is not None and driver.longest > limit:
        yield from sorted({1 + number * (driver.longest - 1) // max(1, limit - 1) for number in range(limit)})
        return
    point = 1
    while point <= driver.longest:
        yield point
        point += 1


class _Driver:
    """Runs one call after another, and keeps count."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self.longest = 0
        self.last = "after the first call, which was not cancelled"
        self._points = self._cancelled = self._completed = 0

    def result(self) -> Cancellations:
        return Cancellations(self._points, self._cancelled, self._completed)

    async def run(self, make_call: Callable[[], Awaitable[object]], way: Way | None, point: int) -> None:
        """Run one call, and cancel it at its `point`-th suspension if there is a `way`."""
        run = _Run(make_call(), way, point)
        if way in ("task", "late"):
            await run.in_task(self.timeout)
        else:
            await run.in_scope(self.timeout)
        if not run.fired:
            self.longest = max(self.longest, run.count)
            return
        self.last = run.where
        self._points += 1
        self._cancelled += run.cancelled
        self._completed += not run.cancelled

    async def check(self, check: Callable[[], Awaitable[object]]) -> None:
        try:
            with anyio.fail_after(self.timeout):
                await check()
        except Exception as error:
            error.add_note(f"the check failed {self.last}")
            raise


class _Run:
    """One call. Awaiting it runs the call and counts its suspensions."""

    def __init__(self, call: Awaitable[object], way: Way | None, point: int) -> None:
        self._call = call
        self._way = way
        self._point = point
        self._cancel: Callable[[], object] = lambda: None
        self.count = 0
        self.fired = False
        self.cancelled = False
        self.where = ""

    async def in_task(self, timeout: float) -> None:
        """Run in a task of its own, to be cancelled as a whole."""

        async def body() -> None:
            await self

        task = asyncio.create_task(body())
        self._cancel = task.cancel
        await asyncio.wait({task}, timeout=timeout)
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=1)
            self._hangs(timeout)
        if task.cancelled():
            self._ended(None)
        elif error := task.exception():
            self._ended(error)

    async def in_scope(self, timeout: float) -> None:
        """Run in this task, in a cancel scope."""
        with anyio.move_on_after(timeout) as guard:
            with anyio.CancelScope() as scope:
                self._cancel = scope.cancel
                try:
                    await self
                except Exception as error:  # noqa: BLE001 - raised by _ended
                    self._ended(error)
            if scope.cancelled_caught:
                self._ended(None)
        if guard.cancelled_caught:
            self._hangs(timeout)

    def _ended(self, error: BaseException | None) -> None:
        """The call ended by an error, or by cancellation (None)."""
        if not self.fired:
            raise error if error is not None else AssertionError("the call was cancelled by somebody else")
        if error is not None:
            raise AssertionError(f"the call ended by {error!r} {self.where}") from error
        self.cancelled = True

    def _hangs(self, timeout: float) -> None:
        where = self.where or "though it was not cancelled"
        raise AssertionError(f"the call did not end within {timeout} s {where}") from None

    def __await__(self) -> Generator[Any, Any, object]:
        inner = self._call.__await__()
        send: Callable[[Any], Any] = inner.send if hasattr(inner, "send") else lambda _: next(inner)
        step: Callable[[], Any] = lambda: send(None)  # noqa: E731
        while True:
            try:
                yielded = step()
            except StopIteration as stop:
                return stop.value
            self.count += 1
            if self.count == self._point and self._way is not None:
                self._fire(yielded)
            try:
                value = yield yielded
            except BaseException as error:  # noqa: BLE001 - the cancellation, on its way into the call
                step = _throw(inner, error)
            else:
                step = _send(send, value)

    def _fire(self, waits_for: object) -> None:
        if self._way != "late":
            self._cancel()
        elif isinstance(waits_for, asyncio.Future):
            # Registered before the task registers its own wake-up, so it is called before that.
            waits_for.add_done_callback(lambda _: self._cancel())
        else:
            return  # a bare yield: nothing that could be done already
        self.fired = True
        where = _position(self._call)
        self.where = f"after it was cancelled ({self._way}) at its suspension {self._point}, waiting in {where}"


def _throw(inner: Any, error: BaseException) -> Callable[[], Any]:
    return lambda: inner.throw(error)


def _send(send: Callable[[Any], Any], value: object) -> Callable[[], Any]:
    return lambda: send(value)


_LIBRARIES = ("anyio", "asyncio", "outcome", "trio")


def _position(call: Any) -> str:
    """Say where a suspended coroutine waits: its frames, outermost first, without those of the event loop."""
    frames = []
    while call is not None:
        frame = getattr(call, "cr_frame", None) or getattr(call, "gi_frame", None)
        if frame is not None and frame.f_globals.get("__name__", "").split(".")[0] not in _LIBRARIES:
            frames.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        call = getattr(call, "cr_await", None) or getattr(call, "gi_yieldfrom", None)
    return " > ".join(frames) or "the event loop"
