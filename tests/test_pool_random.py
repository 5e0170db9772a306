"""The pool under random sequences of everything that can happen: its books are always right, nobody starves."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netclients.errors import ConnectError
from netclients.pool import PoolStats
from tests.pool_house import Caller, Fake, House, settle

ACTIONS = st.sampled_from(
    ["call", "call", "call", "give back", "give back dirty", "cancel", "fail", "hold", "let", "kill", "room", "settle"]
)
STEP = st.tuples(ACTIONS, st.integers(0, 7), st.booleans())


class Play:
    """One sequence. What the actions choose among is chosen by number, so that sequences shrink well."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.house = House(timeout=None, max_connections=limit, max_idle=2)
        self.callers: list[Caller] = []
        self.given_back: set[int] = set()

    def holders(self) -> list[Caller]:
        return [one for one in self.callers if one.got is not None and id(one) not in self.given_back]

    def open_gate(self) -> None:
        if self.house.gate is not None:
            self.house.gate.set()
            self.house.gate = None

    async def run(self, steps: list[tuple[str, int, bool]]) -> None:
        async with anyio.create_task_group() as group:
            for action, number, settled in steps:
                self.act(group, action, number)
                self.check()
                if settled:
                    await settle()
                    self.check()
            self.open_gate()
            self.house.room = None
            self.house.errors.clear()
            await self.serve_everybody()

    def act(self, group: anyio.abc.TaskGroup, action: str, number: int) -> None:
        house = self.house
        match action:
            case "call":
                self.callers.append(Caller(house))
                group.start_soon(self.callers[-1].run)
            case "give back" | "give back dirty":
                if holders := self.holders():
                    self.give_back(holders[number % len(holders)], dirty=action.endswith("dirty"))
            case "cancel":
                if pending := [one for one in self.callers if not one.ended]:
                    pending[number % len(pending)].scope.cancel()
            case "fail":
                house.errors.append(ConnectError("refused"))
            case "hold":
                house.gate = house.gate or anyio.Event()
            case "let":
                self.open_gate()
            case "kill":
                if alive := [one for one in house.made if one.state == "open"]:
                    alive[number % len(alive)].dirty = True
            case "room":
                house.room = number or None

    def give_back(self, caller: Caller, *, dirty: bool) -> None:
        assert isinstance(caller.got, Fake)
        caller.got.dirty |= dirty
        self.given_back.add(id(caller))
        caller.give_back()

    def check(self) -> None:
        stats: PoolStats = self.house.pool.stats
        assert min(stats.idle, stats.in_use, stats.connecting, stats.waiting) >= 0
        assert stats.open + stats.connecting <= self.limit
        assert 1 <= stats.limit <= self.limit
        alive = sum(1 for one in self.house.made if one.state == "open")
        assert alive == stats.open
        lent = [one.got for one in self.holders()]
        assert len(set(lent)) == len(lent), "one connection, two callers"
        assert stats.in_use >= len(lent)
        assert stats.waiting <= sum(1 for one in self.callers if not one.ended)

    async def serve_everybody(self) -> None:
        """Give everything back until nobody holds or wants anything any more."""
        for _ in range(3 * len(self.callers) + 3):
            await settle()
            self.check()
            for holder in self.holders():
                self.give_back(holder, dirty=False)
        assert all(one.ended for one in self.callers), "somebody starves"
        stats = self.house.pool.stats
        assert (stats.in_use, stats.connecting, stats.waiting) == (0, 0, 0)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(deadline=None, max_examples=150)
@given(limit=st.integers(1, 4), steps=st.lists(STEP, max_size=40))
def test_the_books_are_right(backend: str, limit: int, steps: list[tuple[str, int, bool]]) -> None:
    anyio.run(Play(limit).run, steps, backend=backend)
