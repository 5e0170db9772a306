"""How fast: the bytes a second of a transfer, and how long it may go on before others have their turn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import anyio

from netclients.numbers import positive
from netclients.transport.callers import callers_errors
from netclients.transport.readiness import Turn, checkpoint

__all__ = ["Meter", "RateLimit"]

_TURN_BYTES = 4 * 1024 * 1024
_LARGEST_STEP = 256 * 1024
_STRETCH = 64 * 1024 * 1024
_REPORTED = 1024 * 1024


class RateLimit:
    """At most ``rate`` bytes a second, over all transfers that share it.

    Raises:
        ConfigurationError: ``rate`` is no positive number.
    """

    def __init__(self, rate: float) -> None:
        self._rate = positive("limit_rate", rate, finite=True)
        self._due = 0.0

    @property
    def step(self) -> int:
        """How many bytes to move at a time so that the rate holds over a tenth of a second."""
        return max(1, min(_LARGEST_STEP, int(self._rate / 10)))

    @property
    def pause(self) -> float:
        """How many seconds what was counted still has to take."""
        return max(0.0, self._due - time.monotonic())

    def debt(self, count: int) -> float:
        """Count ``count`` bytes; return how many seconds to pause for them."""
        now = time.monotonic()
        self._due = max(self._due, now) + count / self._rate
        return self._due - now


class Meter:
    """Counts one transfer's bytes, keeps its rate, and gives other tasks their turn.

    ``report`` is called with the total after every step.
    """

    __slots__ = ("_limits", "_report", "_turn", "_turn_bytes", "total")

    def __init__(self, limits: Iterable[RateLimit | None] = (), report: Callable[[int], object] | None = None) -> None:
        self._limits = [limit for limit in limits if limit is not None]
        self._report = report
        self._turn_bytes = 0
        self._turn = Turn()
        self.total: int = 0

    @property
    def step(self) -> int | None:
        """How many bytes to move at a time at the most; None: no limit."""
        return min(limit.step for limit in self._limits) if self._limits else None

    @property
    def stretch(self) -> int:
        """How many bytes to move before they are counted: few if a rate is to be kept, or if somebody looks on."""
        if self._limits:
            return min(limit.step for limit in self._limits)
        return _STRETCH if self._report is None else max(_REPORTED, self.total // 16)

    def waited(self) -> None:
        """The transfer has just waited: other tasks have had their turn."""
        self._turn_bytes = 0
        self._turn.waited()

    async def count(self, moved: int) -> None:
        """Count bytes that have been moved; pause if it is others' turn or the rate says so."""
        self.total += moved
        self._turn_bytes += moved
        if self._report is not None:
            with callers_errors():
                self._report(self.total)
        if self._limits:
            pause = max(limit.debt(moved) for limit in self._limits)
            if pause > 0:
                await anyio.sleep(pause)
                self.waited()
                return
        if self._turn_bytes >= _TURN_BYTES or self._turn.over:
            await checkpoint()
            self.waited()
