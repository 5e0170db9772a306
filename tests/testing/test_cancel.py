"""The cancel driver: it must catch pools that leak, each in another way, and pass those that do not."""

from __future__ import annotations

import asyncio
import collections

import anyio
import anyio.to_thread
import pytest

from netclients.testing import cancel_everywhere, random_cancellations

pytestmark = pytest.mark.anyio


class _Pool:
    """Two slots; `broken` says how it leaks."""

    def __init__(self, broken: str = "") -> None:
        self.broken = broken
        self.free = 2
        self.waiting: collections.deque[anyio.Event] = collections.deque()
        self.dirty = False

    async def checkout(self) -> None:
        if self.broken == "leaks" or self.free == 0:
            if self.broken == "leaks":
                self.free -= 1
            await anyio.lowlevel.checkpoint()
        while self.broken != "leaks" and self.free == 0:
            event = anyio.Event()
            self.waiting.append(event)
            try:
                await event.wait()
            finally:
                if event in self.waiting:
                    self.waiting.remove(event)
                elif self.free:
                    self._wake()
        if self.broken != "leaks":
            self.free -= 1

    def _wake(self) -> None:
        if self.waiting:
            self.waiting.popleft().set()

    def give_back(self) -> None:
        self.free += 1
        self._wake()

    async def call(self) -> str:
        await self.checkout()
        try:
            self.dirty = self.broken == "dirty"
            await anyio.lowlevel.checkpoint()
            self.dirty = False
            await anyio.to_thread.run_sync(int)
            return "answer"
        finally:
            if self.broken == "awaits":
                await anyio.lowlevel.checkpoint()
            self.give_back()

    async def check(self) -> None:
        assert self.free == 2
        assert not self.dirty
        assert not self.waiting
        with anyio.fail_after(5):
            assert await self.call() == "answer"


async def test_counts_the_points(anyio_backend_name: str) -> None:
    steps = 0

    async def call() -> None:
        nonlocal steps
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
            steps += 1

    async def check() -> None:
        nonlocal steps
        seen.append(steps)
        steps = 0

    seen: list[int] = []
    result = await cancel_everywhere(call, check=check, ways=["scope"])
    assert seen[0] == 5
    assert result.points == len(seen) - 1 >= 5
    assert set(seen) == set(range(6)) if anyio_backend_name == "trio" else set(seen) <= set(range(6))


async def test_passes_a_sound_pool() -> None:
    pool = _Pool()
    result = await cancel_everywhere(pool.call, check=pool.check)
    assert result.points >= 2
    assert result.cancelled + result.completed == result.points
    assert result.cancelled > 0


@pytest.mark.parametrize("broken", ["leaks", "dirty", "awaits"])
async def test_catches_a_broken_pool(broken: str) -> None:
    pool = _Pool(broken)
    with pytest.raises(AssertionError) as caught:
        await cancel_everywhere(pool.call, check=pool.check)
    assert "at its suspension" in caught.value.__notes__[0]
    assert "_Pool." in caught.value.__notes__[0]


async def test_late_cancellation_catches_a_lost_hand_over(anyio_backend_name: str) -> None:
    if anyio_backend_name == "trio":
        pytest.skip("trio never cancels what was handed over already")
    free = 1

    async def call() -> None:
        nonlocal free
        slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def hand_over() -> None:
            nonlocal free
            if not slot.done():
                free -= 1
                slot.set_result(None)

        asyncio.get_running_loop().call_soon(hand_over)
        await slot  # cancelled once the slot was handed over, this loses it
        free += 1

    async def check() -> None:
        await asyncio.sleep(0)
        assert free == 1

    await cancel_everywhere(call, check=check, ways=["task"])
    with pytest.raises(AssertionError):
        await cancel_everywhere(call, check=check, ways=["late"])


async def _nothing() -> None:
    pass


async def test_reports_another_exception() -> None:
    async def call() -> None:
        try:
            await anyio.lowlevel.checkpoint()
        except anyio.get_cancelled_exc_class():
            raise IndexError("oops")  # noqa: B904

    with pytest.raises(AssertionError, match=r"ended by IndexError\('oops'\) after it was cancelled"):
        await cancel_everywhere(call, check=_nothing)


async def test_passes_on_the_error_of_the_first_run() -> None:
    async def call() -> None:
        raise KeyError("first")

    with pytest.raises(KeyError, match="first"):
        await cancel_everywhere(call, check=_nothing)


async def test_reports_a_call_that_hangs_once_cancelled() -> None:
    async def call() -> None:
        try:
            await anyio.lowlevel.checkpoint()
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(1, shield=True):
                await anyio.sleep_forever()
            raise

    with pytest.raises(AssertionError, match=r"did not end within 0\.1 s after it was cancelled"):
        await cancel_everywhere(call, check=_nothing, timeout=0.1)


async def test_counts_completions() -> None:
    async def call() -> None:
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()

    result = await cancel_everywhere(call, check=_nothing, ways=["scope"])
    assert (result.cancelled, result.completed) == (0, result.points)


async def test_limit_spreads_the_points() -> None:
    async def call() -> None:
        for _ in range(100):
            await anyio.lowlevel.checkpoint()

    result = await cancel_everywhere(call, check=_nothing, ways=["scope"], limit=7)
    assert result.points == 7


async def test_random_cancellations_pass_a_sound_pool() -> None:
    pool = _Pool()

    async def call(number: int) -> None:
        assert await pool.call() == "answer"

    result = await random_cancellations(call, check=pool.check, calls=200, concurrency=10)
    assert 0 < result.points <= 200
    assert result.cancelled > 0


@pytest.mark.parametrize("broken", ["awaits", "leaks"])
async def test_random_cancellations_catch_a_broken_pool(broken: str) -> None:
    pool = _Pool(broken)
    with pytest.raises(AssertionError):
        await random_cancellations(lambda number: pool.call(), check=pool.check, calls=100, concurrency=4, timeout=1)


async def test_wrong_answers_come_out() -> None:
    async def call(number: int) -> None:
        await anyio.lowlevel.checkpoint()
        assert number < 10, "somebody else's answer"

    with pytest.raises(AssertionError, match="somebody else's answer"):
        await random_cancellations(call, check=_nothing, calls=100)
