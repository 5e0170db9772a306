"""How long connections live: idle, old, used up, probed; and how a pool ends."""

from __future__ import annotations

import os

import anyio
import pytest

from netclients.errors import (
    ConfigurationError,
    ConnectionLost,
)
from tests.pool_house import Clock, House, settle, start, stopped_clock

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped_clock(monkeypatch)


# Age


async def test_idle_connections_expire(clock: Clock) -> None:
    house = House(idle_timeout=60)
    lent = [await house.pool.acquire() for _ in range(3)]
    for one in lent:
        house.pool.release(one)
        clock.now += 20
    clock.now += 20  # unused for 80, 60 and 40 seconds
    assert await house.pool.acquire() is lent[2]
    assert [one.state for one in lent] == ["closed", "closed", "open"]
    assert lent[0].reason == "idle for too long"
    assert house.counts() == (0, 1, 0, 0)


async def test_a_long_use_is_not_idleness(clock: Clock) -> None:
    house = House(idle_timeout=60)
    first = await house.pool.acquire()
    clock.now += 600
    house.pool.release(first)
    assert (first.state, house.counts()) == ("open", (1, 0, 0, 0))
    assert await house.pool.acquire() is first


async def test_old_connections_are_not_used_again(clock: Clock) -> None:
    house = House(max_age=100)
    first = await house.pool.acquire()
    assert 90 <= first.expires_at - clock.now <= 100
    clock.now += 101
    house.pool.release(first)
    assert (first.state, first.reason, house.counts()) == ("closed", "expired", (0, 0, 0, 0))


async def test_a_connection_that_grew_old_behind_a_younger_one_is_not_used_again(clock: Clock) -> None:
    house = House(max_age=100, idle_timeout=1000, probe_after=1000)
    old = await house.pool.acquire()
    clock.now += 50
    young = await house.pool.acquire()
    house.pool.release(young)
    clock.now += 39
    house.pool.release(old)
    clock.now += 12  # the old one is past 100 seconds, and stands where the next one is taken
    assert await house.pool.acquire() is young
    assert old.state == "closed"


async def test_max_uses() -> None:
    house = House(max_uses=2, max_connections=1)
    async with anyio.create_task_group() as group:
        callers = await start(group, house, 3)
        callers[0].give_back()
        await settle()
        callers[1].give_back()
        await settle()
        assert house.made[0].state == "closed"
        assert callers[2].got is house.made[1]


async def test_a_probe_only_after_a_while(clock: Clock) -> None:
    house = House(probe_after=15)
    first = await house.pool.acquire()
    for pause, probes in ((14.9, 0), (15, 1), (1, 1)):
        house.pool.release(first)
        clock.now += pause
        assert await house.pool.acquire() is first
        assert first.probes == probes
    house.pool.release(first)
    clock.now += 30
    first.silent = ConnectionLost("gone")
    assert (await house.pool.acquire()).number == 1
    assert (first.state, first.reason) == ("aborted", "no sign of life")


async def test_a_probe_that_breaks_is_not_hidden(clock: Clock) -> None:
    house = House()
    first = await house.pool.acquire()
    house.pool.release(first)
    clock.now += 30
    first.silent = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await house.pool.acquire()
    assert house.counts() == (0, 0, 0, 0)


# The end


async def test_close_in_every_state() -> None:
    house = House(max_connections=2)
    idle, busy = await house.pool.acquire(), await house.pool.acquire()
    house.pool.release(idle)
    house.pool.close()
    assert (idle.state, busy.state) == ("closed", "aborted")
    house.pool.release(busy)
    assert house.counts() == (0, 0, 0, 0)
    with pytest.raises(ConfigurationError, match="the client was closed"):
        await house.pool.acquire()
    house.pool.close()


async def test_close_wakes_those_who_wait() -> None:
    house = House(max_connections=1)
    async with anyio.create_task_group() as group:
        callers = await start(group, house, 3)
        house.pool.close()
        await settle()
        assert [str(caller.error) for caller in callers[1:]] == ["the client was closed"] * 2
        callers[0].give_back()
    assert house.counts() == (0, 0, 0, 0)


async def test_close_while_connecting() -> None:
    house = House(max_connections=1)
    house.gate = anyio.Event()
    async with anyio.create_task_group() as group:
        [caller] = await start(group, house, 1)
        house.pool.close()
        house.gate.set()
    assert isinstance(caller.error, ConfigurationError)
    assert (house.made[0].state, house.counts()) == ("aborted", (0, 0, 0, 0))


async def test_close_between_grant_and_wake_up() -> None:
    house = House(max_connections=1)
    async with anyio.create_task_group() as group:
        holder, waiter = await start(group, house, 2)
        holder.give_back()
        house.pool.close()
        await settle()
        assert isinstance(waiter.error, ConfigurationError)
    assert (house.made[0].state, house.counts()) == ("aborted", (0, 0, 0, 0))


async def test_nobody_connects_for_a_closed_client() -> None:
    house = House(max_connections=1)
    async with anyio.create_task_group() as group:
        holder, waiter = await start(group, house, 2)
        assert holder.got is not None
        holder.got.dirty = True
        holder.give_back()  # the waiter is granted a slot
        house.pool.close()
        await settle()
        assert isinstance(waiter.error, ConfigurationError)
    assert (house.tried, house.counts()) == (1, (0, 0, 0, 0))


async def test_cancelled_after_close() -> None:
    house = House(max_connections=1)
    async with anyio.create_task_group() as group:
        callers = await start(group, house, 2)
        house.pool.close()
        callers[1].scope.cancel()
        await settle()
        assert callers[1].ended
        callers[0].give_back()
    assert house.counts() == (0, 0, 0, 0)


async def test_drop_closes_without_a_word() -> None:
    house = House()
    idle, busy = await house.pool.acquire(), await house.pool.acquire()
    house.pool.release(idle)
    house.pool.drop()
    assert (idle.state, idle.reason) == ("aborted", "client dropped")
    assert busy.state == "aborted"


async def test_a_forked_child_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    house = House()
    idle, busy = await house.pool.acquire(), await house.pool.acquire()
    house.pool.release(idle)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    fresh = await house.pool.acquire()
    assert fresh.number == 2
    assert (idle.state, idle.reason, busy.state) == ("aborted", "forked", "aborted")
    house.pool.release(busy)  # the parent's: not this pool's business
    assert house.counts() == (0, 1, 0, 0)
