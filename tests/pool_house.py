"""Connections that are none, a pool of them, callers that can be cancelled, and a clock that does not run."""

from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint

from netclients import pool as pool_module
from netclients.config import PoolLimits
from netclients.errors import (
    TooManyConnections,
)
from netclients.events import Events, Trace
from netclients.pool import Pool, Pooled


class Fake(Pooled):
    def __init__(self, number: int) -> None:
        self.number = number
        self.state = "open"
        self.reason = ""
        self.dirty = False
        self.probes = 0
        self.silent: BaseException | None = None
        self.probe_waits: anyio.Event | None = None

    @property
    def clean(self) -> bool:
        return self.state == "open" and not self.dirty

    def look(self) -> None:
        return

    async def probe(self) -> None:
        self.probes += 1
        if self.probe_waits is not None:
            await self.probe_waits.wait()
        await checkpoint()
        if self.silent is not None:
            raise self.silent

    def close(self, reason: str) -> None:
        if self.state == "open":
            self.state, self.reason = "closed", reason

    def abort(self, reason: str) -> None:
        if self.state == "open":
            self.state, self.reason = "aborted", reason


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pool_module, "time", clock)
    return clock


class House:
    """A pool, the connections it made, and what goes wrong when the next one is made."""

    def __init__(self, timeout: float | None = 20, events: Events | None = None, **limits: object) -> None:
        self.made: list[Fake] = []
        self.tried = 0
        self.errors: list[BaseException | None] = []
        self.gate: anyio.Event | None = None
        self.room: int | None = None
        self.pool: Pool[Fake] = Pool(self.connect, PoolLimits(**limits), timeout, Trace("test", events))  # type: ignore[arg-type]

    async def connect(self) -> Fake:
        self.tried += 1
        if self.gate is not None:
            await self.gate.wait()
        await checkpoint()
        error = self.errors.pop(0) if self.errors else None
        if error is not None:
            raise error
        alive = sum(1 for one in self.made if one.state == "open")
        if self.room is not None and alive >= self.room:
            raise TooManyConnections("greeting", 421, "too many")
        self.made.append(Fake(len(self.made)))
        return self.made[-1]

    def counts(self) -> tuple[int, int, int, int]:
        stats = self.pool.stats
        assert stats.open == stats.idle + stats.in_use
        return stats.idle, stats.in_use, stats.connecting, stats.waiting


class Caller:
    """A task that acquires, and keeps what it got until it is told to give it back."""

    def __init__(self, house: House, name: str = "") -> None:
        self.house = house
        self.name = name
        self.got: Fake | None = None
        self.error: BaseException | None = None
        self.cancelled = False
        self.scope = anyio.CancelScope()

    async def run(self) -> None:
        with self.scope:
            try:
                self.got = await self.house.pool.acquire()
            except Exception as error:  # noqa: BLE001
                self.error = error
            except BaseException:
                self.cancelled = True
                raise

    @property
    def ended(self) -> bool:
        return self.got is not None or self.error is not None or self.cancelled

    def give_back(self) -> None:
        assert self.got is not None
        self.house.pool.release(self.got)


async def settle() -> None:
    """Let every task go as far as it can; nothing here waits for time."""
    for _ in range(30):
        await checkpoint()


async def start(group: anyio.abc.TaskGroup, house: House, count: int) -> list[Caller]:
    callers = [Caller(house, str(number)) for number in range(count)]
    for caller in callers:
        group.start_soon(caller.run)
        await settle()
    return callers
