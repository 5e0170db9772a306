"""What the pool does when connecting fails: wrong passwords, servers without room."""

from __future__ import annotations

import anyio
import pytest

from netclients.errors import (
    AuthenticationError,
    ConnectError,
    TooManyConnections,
)
from tests.pool_house import Clock, House, settle, start, stopped_clock

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return stopped_clock(monkeypatch)


# Failures


async def test_a_failed_attempt_passes_its_slot_on() -> None:
    house = House(max_connections=1)
    house.errors = [ConnectError("one"), ConnectError("two"), None]
    async with anyio.create_task_group() as group:
        callers = await start(group, house, 4)
        assert [str(caller.error) for caller in callers[:2]] == ["one", "two"]
        assert callers[2].got is not None
        assert house.counts() == (0, 1, 0, 1)
        callers[2].got.dirty = True
        callers[2].give_back()
        await settle()
        assert callers[3].got is house.made[1]


async def test_one_at_a_time_until_the_credentials_have_worked() -> None:
    house = House(max_connections=8)
    house.gate = anyio.Event()
    async with anyio.create_task_group() as group:
        callers = await start(group, house, 10)
        assert (house.tried, house.counts()) == (1, (0, 0, 1, 9))
        house.gate.set()
        await settle()
        assert sum(caller.got is not None for caller in callers) == 8
        assert (house.tried, house.counts()) == (8, (0, 8, 0, 2))
        group.cancel_scope.cancel()


async def test_a_wrong_password_is_tried_once(clock: Clock) -> None:
    house = House()
    house.errors = [AuthenticationError("PASS ***", 530, "no", enhanced="5.7.8")]
    house.gate = anyio.Event()
    async with anyio.create_task_group() as group:
        callers = await start(group, house, 32)
        assert house.counts() == (0, 0, 1, 31)
        house.gate.set()
    errors = [caller.error for caller in callers]
    assert house.tried == 1
    assert all(isinstance(error, AuthenticationError) and error.code == 530 for error in errors)
    assert len({id(error) for error in errors}) == 32
    assert {(error.command, error.text, error.enhanced) for error in errors} == {("PASS ***", "no", "5.7.8")}  # type: ignore[union-attr]
    assert house.counts() == (0, 0, 0, 0)
    clock.now += 59
    with pytest.raises(AuthenticationError):
        await house.pool.acquire()
    assert house.tried == 1
    clock.now += 2
    assert (await house.pool.acquire()).number == 0


async def test_a_refusal_of_credentials_that_have_worked_is_that_caller_s_own() -> None:
    house = House()
    await house.pool.acquire()
    house.errors = [AuthenticationError("PASS ***", 530, "no")]
    with pytest.raises(AuthenticationError):
        await house.pool.acquire()
    assert (await house.pool.acquire()).number == 1


# The server's limit


async def test_the_servers_limit_is_learned() -> None:
    house = House(max_connections=8)
    house.room = 3
    async with anyio.create_task_group() as group:
        callers = await start(group, house, 32)
        served = 0
        while holders := [one for one in callers if one.got is not None and one.got in house.pool._in_use]:
            assert len(house.pool._in_use) <= 3
            for caller in holders:
                caller.give_back()
                served += 1
            callers = [one for one in callers if one not in holders]
            await settle()
    assert (served, callers) == (32, [])
    assert house.pool.stats.limit == 3
    assert house.tried <= 10
    assert len(house.made) == 3


async def test_a_server_that_has_no_room_at_all_is_an_error() -> None:
    house = House()
    house.room = 0
    with pytest.raises(TooManyConnections):
        await house.pool.acquire()
    assert (house.tried, house.counts()) == (1, (0, 0, 0, 0))


async def test_a_server_that_has_no_room_for_several_is_an_error_for_each() -> None:
    house = House()
    house.room = 0
    house.gate = anyio.Event()
    async with anyio.create_task_group() as group:
        callers = await start(group, house, 2)
        house.gate.set()
        await settle()
        tried = house.tried
        group.cancel_scope.cancel()
    assert all(isinstance(caller.error, TooManyConnections) for caller in callers)
    assert tried == 2


async def test_the_limit_grows_back(clock: Clock) -> None:
    house = House(max_connections=4)
    house.room = 2
    async with anyio.create_task_group() as group:
        callers = await start(group, house, 3)
        assert house.counts() == (0, 2, 0, 1)
        assert house.pool.stats.limit == 2
        callers[2].scope.cancel()
        await settle()
        house.room = None
        clock.now += 14
        late = (await start(group, house, 1))[0]
        assert not late.ended
        late.scope.cancel()
        await settle()
        clock.now += 2
        more = await start(group, house, 2)
        assert more[0].got is house.made[2]
        assert not more[1].ended  # one at a time
        assert house.pool.stats.limit == 3
        group.cancel_scope.cancel()


async def test_the_limit_grows_back_under_constant_demand(clock: Clock) -> None:
    house = House(max_connections=4)
    house.room = 2
    async with anyio.create_task_group() as group:
        callers = await start(group, house, 4)
        assert house.counts() == (0, 2, 0, 2)
        house.room = None
        for _ in range(4):
            clock.now += 20
            [holder] = [one for one in callers if one.got is not None][:1]
            holder.give_back()
            callers.remove(holder)
            callers += await start(group, house, 1)
        assert house.pool.stats.limit == 4
        assert len(house.made) == 4
        group.cancel_scope.cancel()


async def test_who_met_the_limit_comes_first() -> None:
    house = House(max_connections=4)
    house.room = 1
    holder = await house.pool.acquire()
    house.gate = anyio.Event()
    async with anyio.create_task_group() as group:
        callers = await start(group, house, 3)  # all three are connecting
        house.gate.set()
        await settle()
        assert house.counts() == (0, 1, 0, 3)
        order = []
        house.pool.release(holder)
        for _ in range(3):
            await settle()
            [owner] = [one for one in callers if one.got is not None and one.name not in order]
            order.append(owner.name)
            owner.give_back()
    assert sorted(order) == ["0", "1", "2"]
    assert house.counts() == (1, 0, 0, 0)


async def test_a_caller_whose_connection_died_on_the_way_keeps_its_place(clock: Clock) -> None:
    house = House(max_connections=1)
    async with anyio.create_task_group() as group:
        holder, second, third = await start(group, house, 3)
        holder.give_back()
        house.made[0].dirty = True  # the server hangs up before the second has run
        clock.now += 1  # which takes a while
        await settle()
        assert second.got is house.made[1]
        assert not third.ended
        group.cancel_scope.cancel()
