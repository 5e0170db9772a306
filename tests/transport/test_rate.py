"""Rates of transfers, and turns for other tasks."""

from __future__ import annotations

import pytest

from netclients.errors import ConfigurationError
from netclients.transport import readiness as readiness_module
from netclients.transport.rate import Meter, RateLimit
from tests.transport.clock import Clock

pytestmark = pytest.mark.anyio


async def test_a_rate_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    shared = RateLimit(1000)
    meters = [Meter([shared]), Meter([shared, RateLimit(10**9)])]
    for _ in range(10):
        for meter in meters:
            await meter.count(100)
    assert clock.now - 100 == pytest.approx(2.0)


async def test_unused_time_is_not_saved_up(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    meter = Meter([RateLimit(1000)])
    await meter.count(100)
    clock.now += 3600
    before = clock.now
    await meter.count(1000)
    assert clock.now - before == pytest.approx(1.0)


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_bad_rates(rate: float) -> None:
    with pytest.raises(ConfigurationError, match="limit_rate"):
        RateLimit(rate)


def test_steps() -> None:
    assert (RateLimit(1).step, RateLimit(10**12).step, Meter().step) == (1, 256 * 1024, None)


async def test_others_get_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    reports: list[int] = []
    meter = Meter(report=reports.append)
    for _ in range(4):
        await meter.count(1 << 20)
    assert (clock.turns, reports) == (1, [1 << 20, 2 << 20, 3 << 20, 4 << 20])  # every 4 MiB
    await meter.count(1)
    clock.now += readiness_module._TURN * 1.1
    await meter.count(1)
    assert clock.turns == 2  # or after a while
    clock.now += 1
    meter.waited()
    await meter.count(1)
    assert clock.turns == 2  # a wait was a turn
