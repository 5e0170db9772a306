"""Who gets a connection, in which order, and what is left over when callers are cancelled."""

from __future__ import annotations

import anyio
import pytest

from netclients.errors import (
    PoolTimeout,
)
from netclients.events import Events
from tests.pool_house import Caller, Clock, House, settle, start, stopped_clock

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped_clock(monkeypatch)


# Lending


async def test_a_connection_is_used_again() -> None:
    house = House()
    assert house.counts() == (0, 0, 0, 0)
    first = await house.pool.acquire()
    assert house.counts() == (0, 1, 0, 0)
    house.pool.release(first)
    assert house.counts() == (1, 0, 0, 0)
    assert await house.pool.acquire() is first
    assert (house.tried, first.uses, house.pool.stats.opened, house.pool.stats.waits) == (1, 1, 1, 0)


async def test_the_one_used_last_is_lent_first() -> None:
    house = House()
    first, second = await house.pool.acquire(), await house.pool.acquire()
    house.pool.release(first)
    house.pool.release(second)
    assert await house.pool.acquire() is second


async def test_releasing_twice_does_nothing() -> None:
    house = House()
    first = await house.pool.acquire()
    house.pool.release(first)
    house.pool.release(first)
    assert (house.counts(), first.uses) == ((1, 0, 0, 0), 1)


async def test_an_unclean_connection_is_closed() -> None:
    house = House()
    first = await house.pool.acquire()
    first.dirty = True
    house.pool.release(first)
    assert (first.state, first.reason, house.counts()) == ("aborted", "not clean", (0, 0, 0, 0))


async def test_no_more_idle_ones_than_allowed() -> None:
    house = House(max_idle=1)
    lent = [await house.pool.acquire() for _ in range(3)]
    for one in lent:
        house.pool.release(one)
    assert [one.reason for one in lent] == ["", "too many idle", "too many idle"]
    assert house.counts() == (1, 0, 0, 0)


async def test_one_the_server_closed_meanwhile_is_replaced(clock: Clock) -> None:
    house = House()
    first = await house.pool.acquire()
    house.pool.release(first)
    first.dirty = True
    clock.now += 1
    second = await house.pool.acquire()
    assert (second.number, first.reason, house.counts()) == (1, "closed by the server while idle", (0, 1, 0, 0))


# The queue


async def test_first_come_first_served() -> None:
    house = House(max_connections=1)
    async with anyio.create_task_group() as group:
        callers = await start(group, house, 5)
        for index, caller in enumerate(callers):
            assert [other.ended for other in callers] == [True] * (index + 1) + [False] * (4 - index)
            assert house.counts() == (0, 1, 0, 4 - index)
            caller.give_back()
            await settle()
    assert house.counts() == (1, 0, 0, 0)
    assert (house.tried, house.made[0].uses, house.pool.stats.waits) == (1, 5, 4)


async def test_nobody_overtakes_the_queue() -> None:
    house = House(max_connections=1)
    async with anyio.create_task_group() as group:
        first, second = await start(group, house, 2)
        first.give_back()  # granted to the second, which has not run yet
        late = Caller(house)
        group.start_soon(late.run)
        await settle()
        assert second.got is first.got
        assert not late.ended
        second.give_back()
        await settle()
        assert late.got is first.got


async def test_waits_are_told_and_counted(clock: Clock) -> None:
    told: list[float] = []

    class Hooks(Events):
        def pool_wait(self, seconds: float) -> None:
            told.append(seconds)

    house = House(max_connections=1, events=Hooks())
    async with anyio.create_task_group() as group:
        first, _ = await start(group, house, 2)
        clock.now += 3
        first.give_back()
        await settle()
    assert told == [3.0]
    assert (house.pool.stats.waits, house.pool.stats.wait_seconds) == (1, 3.0)


async def test_a_full_queue_refuses_at_once() -> None:
    house = House(max_connections=1, max_waiting=2)
    async with anyio.create_task_group() as group:
        callers = await start(group, house, 4)
        assert isinstance(callers[3].error, PoolTimeout)
        assert "2 callers wait already" in str(callers[3].error)
        assert house.counts() == (0, 1, 0, 2)
        group.cancel_scope.cancel()


async def test_the_wait_ends_by_a_timeout() -> None:
    house = House(timeout=0.01, max_connections=1)
    held = await house.pool.acquire()
    with pytest.raises(PoolTimeout, match="1 connections are in use") as caught:
        await house.pool.acquire()
    assert (caught.value.phase, caught.value.seconds) == ("pool", 0.01)
    assert house.counts() == (0, 1, 0, 0)
    house.pool.release(held)
    assert await house.pool.acquire() is held


# Cancellation at every step of a hand-over


async def test_cancelled_while_connecting() -> None:
    house = House(max_connections=1)
    house.gate = anyio.Event()
    async with anyio.create_task_group() as group:
        callers = await start(group, house, 2)
        assert house.counts() == (0, 0, 1, 1)
        callers[0].scope.cancel()
        await settle()
        assert callers[0].cancelled
        assert house.counts() == (0, 0, 1, 0)  # the slot is the second one's now
        house.gate.set()
        await settle()
        assert callers[1].got is house.made[0]


async def test_cancelled_in_the_queue() -> None:
    house = House(max_connections=1)
    async with anyio.create_task_group() as group:
        callers = await start(group, house, 4)
        callers[1].scope.cancel()
        callers[2].scope.cancel()
        await settle()
        assert house.counts() == (0, 1, 0, 1)
        callers[0].give_back()
        await settle()
        assert callers[3].got is callers[0].got
        assert house.counts() == (0, 1, 0, 0)


@pytest.mark.parametrize("cancel_first", [False, True])
@pytest.mark.parametrize("others", [0, 1, 2])
async def test_cancelled_at_the_moment_of_the_grant(cancel_first: bool, others: int) -> None:
    house = House(max_connections=1)
    async with anyio.create_task_group() as group:
        holder, chosen, *rest = await start(group, house, 2 + others)
        if cancel_first:
            chosen.scope.cancel()
            holder.give_back()
        else:
            holder.give_back()
            chosen.scope.cancel()
        await settle()
        owners = [one for one in (chosen, *rest) if one.got is not None]
        if chosen.cancelled:
            assert len(owners) == min(1, others)
        assert house.counts() == ((0, 1, 0, len(rest) - 1) if owners and owners[0] is not chosen else house.counts())
        while owners:
            owners.pop().give_back()
            await settle()
            owners = [one for one in rest if one.got is not None and one.got in house.pool._in_use]
        assert house.counts() == (1, 0, 0, 0)
        assert all(one.got is house.made[0] for one in rest)
        assert house.tried == 1


async def test_a_granted_slot_of_a_cancelled_caller_goes_on() -> None:
    house = House(max_connections=1)
    house.gate = anyio.Event()
    async with anyio.create_task_group() as group:
        first, second, third = await start(group, house, 3)
        first.scope.cancel()
        second.scope.cancel()  # both at once: the slot reaches the second as it leaves
        await settle()
        house.gate.set()
        await settle()
        assert first.cancelled
        assert second.cancelled
        assert third.got is not None
        assert house.counts() == (0, 1, 0, 0)


async def test_all_are_cancelled_at_once() -> None:
    house = House(max_connections=2)
    async with anyio.create_task_group() as group:
        callers = await start(group, house, 8)
        for caller in callers[:2]:
            caller.give_back()
        group.cancel_scope.cancel()
    idle, in_use, connecting, waiting = house.counts()
    kept = [caller for caller in callers[2:] if caller.got is not None]
    assert (idle + in_use, in_use, connecting, waiting) == (2, len(kept), 0, 0)


async def test_cancelled_while_probing(clock: Clock) -> None:
    house = House(max_connections=1)
    first = await house.pool.acquire()
    house.pool.release(first)
    clock.now += 20
    first.probe_waits = anyio.Event()
    async with anyio.create_task_group() as group:
        prober, waiter = await start(group, house, 2)
        assert house.counts() == (0, 1, 0, 1)
        prober.scope.cancel()
        await settle()
        assert prober.cancelled
        assert first.reason == "cancelled"
        assert waiter.got is house.made[1]
