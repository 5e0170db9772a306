"""Repetition: which errors are worth another attempt, how many, and after how long.

Whether an operation may be repeated at all is known to its client; this file only keeps the count and the
time. What decides on pauses is loaded when something has failed.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import anyio

from netclients.errors import (
    ConnectError,
    ConnectionLost,
    PhaseTimeout,
    PoolTimeout,
    TransientReplyError,
    TruncatedTransfer,
)
from netclients.events import Trace
from netclients.numbers import positive, whole_number

__all__ = ["RetryPolicy", "Schedule", "is_temporary", "retrying"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to try, and how long to pause (seconds).

    ``attempts`` counts the first one. No attempt starts later than ``total`` seconds after the first failure, the
    time not counted in which a transfer moved bytes. One that is a good deal further than any attempt before it began
    begins to count anew: what was received and kept, or what the server has, not what was sent.
    Pauses grow from ``initial`` to ``maximum``, with jitter.
    """

    attempts: int = 4
    total: float = 120
    initial: float = 0.5
    maximum: float = 30

    def __post_init__(self) -> None:
        whole_number("RetryPolicy.attempts", self.attempts, 1)
        positive("RetryPolicy.total", self.total, or_zero=True)
        positive("RetryPolicy.initial", self.initial, or_zero=True, finite=True)
        positive("RetryPolicy.maximum", self.maximum, or_zero=True, finite=True)


def is_temporary(error: BaseException) -> bool:
    """Whether the same call may succeed a little later."""
    if isinstance(error, PoolTimeout):
        return False
    return isinstance(error, (ConnectError, ConnectionLost, PhaseTimeout, TransientReplyError, TruncatedTransfer))


class Schedule:
    """The attempts of one operation."""

    def __init__(self, policy: RetryPolicy, operation: str, trace: Trace) -> None:
        self._policy = policy
        self._operation = operation
        self._trace = trace
        self._failing_since: float | None = None
        self.attempt: int = 1

    async def pause(self, error: Exception, *, repeatable: bool = True) -> None:
        """Wait until the next attempt is due, or raise ``error`` if there is none."""
        delay = self.after(error, repeatable=repeatable)
        if delay is None:
            raise error
        await anyio.sleep(delay)

    def after(self, error: Exception, *, repeatable: bool = True) -> float | None:
        """Count an attempt that failed; return in how many seconds the next one is due, None if there is none."""
        delay = self._delay() if repeatable and is_temporary(error) else None
        if delay is not None:
            self._trace.retry(self._operation, self.attempt, delay, error)
            self.attempt += 1
        return delay

    def _delay(self) -> float | None:
        policy = self._policy
        if self.attempt >= policy.attempts:
            return None
        # Imported when something has failed: most operations never need it.
        import tenacity

        state = tenacity.RetryCallState(tenacity.Retrying(), None, (), {})
        state.attempt_number = self.attempt
        wait = tenacity.wait_random_exponential(
            multiplier=2 * policy.initial, max=policy.maximum, min=min(policy.initial, policy.maximum)
        )
        delay = wait(state)
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        elapsed = now - self._failing_since
        return delay if elapsed + delay <= policy.total else None

    def busy(self, seconds: float) -> None:
        """An attempt was busy for so long before it failed: that is no time of failing. It counts as an attempt."""
        if self._failing_since is not None:
            self._failing_since += seconds

    def progressed(self) -> None:
        """What begins now is further than what began before: it is a first attempt again."""
        self.attempt = 1
        self._failing_since = None


async def retrying(policy: RetryPolicy, operation: str, trace: Trace, call: Callable[[], Awaitable[T]]) -> T:
    """Run ``call`` until it succeeds, its error is not temporary, or the policy is used up."""
    schedule = Schedule(policy, operation, trace)
    while True:
        try:
            return await call()
        except Exception as error:  # noqa: BLE001 - pause() raises what is not temporary
            await schedule.pause(error)
