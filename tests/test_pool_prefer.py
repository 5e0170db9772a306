"""A caller may prefer one of the idle connections, and have some of them closed."""

from __future__ import annotations

import pytest

from tests.pool_house import Clock, Fake, House, stopped_clock

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped_clock(monkeypatch)


async def with_idle(house: House, count: int) -> list[Fake]:
    lent = [await house.pool.acquire() for _ in range(count)]
    for connection in lent:
        house.pool.release(connection)
    return lent


@pytest.mark.parametrize("number", [0, 1, 2])
async def test_the_preferred_one_is_lent(number: int) -> None:
    house = House()
    idle = await with_idle(house, 3)
    assert await house.pool.acquire(lambda one: one is idle[number]) is idle[number]
    assert house.counts() == (2, 1, 0, 0)


async def test_of_several_any_will_do_and_without_one_the_newest() -> None:
    house = House()
    idle = await with_idle(house, 3)
    assert await house.pool.acquire(lambda one: one in idle[:2]) in idle[:2]
    assert await house.pool.acquire(lambda _: False) is idle[2]
    assert house.tried == 3, "any idle one is better than a new one"


async def test_nobody_waits_for_the_preferred_one() -> None:
    house = House(max_connections=2)
    busy = await house.pool.acquire()
    other = await house.pool.acquire(lambda one: one is busy)
    assert other is not busy


async def test_a_preferred_one_that_has_expired(clock: Clock) -> None:
    house = House(idle_timeout=60)
    old, young = await house.pool.acquire(), await house.pool.acquire()
    house.pool.release(old)
    clock.now += 50
    house.pool.release(young)
    clock.now += 20
    assert await house.pool.acquire(lambda one: one is old) is young
    assert old.state == "closed"
    assert house.counts() == (0, 1, 0, 0)


async def test_a_preferred_one_that_is_dead() -> None:
    house = House()
    first, second = await with_idle(house, 2)
    first.state = "aborted"
    assert await house.pool.acquire(lambda one: one is first) is second
    assert house.counts() == (0, 1, 0, 0)


async def test_some_are_closed() -> None:
    house = House()
    busy = await house.pool.acquire()
    first, second = await with_idle(house, 2)
    house.pool.close_idle(lambda one: one is not second, "of no more use")
    assert (first.state, first.reason, second.state, busy.state) == ("closed", "of no more use", "open", "open")
    assert house.counts() == (1, 1, 0, 0)
    house.pool.release(busy)
    house.pool.close_idle(lambda _: True, "none is wanted")
    assert house.counts() == (0, 0, 0, 0)
