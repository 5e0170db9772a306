"""Time that passes only where a transfer pauses, or where a test says so."""

from __future__ import annotations

import pytest

from netclients.transport import bulk as bulk_module
from netclients.transport import rate as rate_module
from netclients.transport import readiness as readiness_module


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        self.turns = 0
        monkeypatch.setattr(rate_module, "time", self)
        monkeypatch.setattr(rate_module, "anyio", self)
        monkeypatch.setattr(readiness_module, "time", self)

        async def turn() -> None:
            self.turns += 1

        monkeypatch.setattr(rate_module, "checkpoint", turn)
        monkeypatch.setattr(bulk_module, "checkpoint", turn)

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
