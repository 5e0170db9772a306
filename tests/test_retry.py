"""Repetition: what is repeated, how often, and after how long; no test waits."""

from __future__ import annotations

import random

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients import Receipt, Reply, errors
from netclients import retry as retry_module
from netclients.events import Events, Trace
from netclients.retry import RetryPolicy, Schedule, is_temporary, retrying

pytestmark = pytest.mark.anyio

LOST = errors.ConnectionLost("gone")


class Clock:
    """Time passes only in pauses, and where a test says so."""

    def __init__(self) -> None:
        self.now = 50.0
        self.pauses: list[float] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        await anyio.lowlevel.checkpoint()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(retry_module, "time", clock)
    monkeypatch.setattr(retry_module, "anyio", clock)
    return clock


class Told(Events):
    def __init__(self) -> None:
        self.retries: list[tuple[str, int, float, Exception]] = []

    def retry(self, operation: str, attempt: int, delay: float, error: Exception) -> None:
        self.retries.append((operation, attempt, delay, error))


class Call:
    """Fails by each error in turn, then returns 42."""

    def __init__(self, *failures: BaseException, clock: Clock | None = None, seconds: float = 0) -> None:
        self.failures = list(failures)
        self.calls = 0
        self.clock = clock
        self.seconds = seconds

    async def __call__(self) -> int:
        self.calls += 1
        if self.clock is not None:
            self.clock.now += self.seconds
        if self.failures:
            raise self.failures.pop(0)
        return 42


TRACE = Trace("test", None)


async def test_success_needs_no_schedule(clock: Clock) -> None:
    call = Call()
    assert await retrying(RetryPolicy(), "get", TRACE, call) == 42
    assert (call.calls, clock.pauses) == (1, [])


async def test_repeats_what_is_temporary_and_tells(clock: Clock) -> None:
    told = Told()
    first, second = errors.ConnectError("no"), LOST
    assert await retrying(RetryPolicy(), "get f", Trace("test", told), Call(first, second)) == 42
    assert [(operation, attempt, error) for operation, attempt, _, error in told.retries] == [
        ("get f", 1, first),
        ("get f", 2, second),
    ]
    assert [delay for _, _, delay, _ in told.retries] == clock.pauses


@pytest.mark.parametrize("attempts", [1, 2, 4])
async def test_attempts_count_the_first(clock: Clock, attempts: int) -> None:
    failures = [errors.ConnectionLost(str(number)) for number in range(10)]
    call = Call(*failures)
    with pytest.raises(errors.ConnectionLost, match=str(attempts - 1)):
        await retrying(RetryPolicy(attempts=attempts), "get", TRACE, call)
    assert (call.calls, len(clock.pauses)) == (attempts, attempts - 1)


async def test_no_attempt_starts_after_the_total_time(clock: Clock) -> None:
    call = Call(*[LOST] * 99, clock=clock, seconds=10)
    started = clock.now
    with pytest.raises(errors.ConnectionLost):
        await retrying(RetryPolicy(attempts=99, total=60, initial=1, maximum=2), "get", TRACE, call)
    assert call.calls in (6, 7)  # the first fails at 10, the last starts before 70; pauses have jitter
    assert clock.now - started <= 10 + 60 + 10


@pytest.mark.parametrize("longest", [False, True])
async def test_pauses_grow_with_jitter_up_to_the_maximum(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, longest: bool
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high if longest else low)
    with pytest.raises(errors.ConnectionLost):
        await retrying(RetryPolicy(attempts=12, total=10_000), "get", TRACE, Call(*[LOST] * 99))
    expected = [min(30, 2**number) for number in range(11)] if longest else [0.5] * 11
    assert clock.pauses == expected


async def test_no_pause_at_all(clock: Clock) -> None:
    policy = RetryPolicy(attempts=3, total=0, initial=0, maximum=0)
    assert await retrying(policy, "get", TRACE, Call(LOST, LOST)) == 42
    assert clock.pauses == [0, 0]


TEMPORARY = {"ConnectError", "ConnectionLost", "PhaseTimeout", "TransientReplyError", "TooManyConnections"}
TEMPORARY |= {"TruncatedTransfer"}


@pytest.mark.parametrize("name", errors.__all__)
async def test_which_errors_are_temporary(clock: Clock, name: str) -> None:
    kind = getattr(errors, name)
    if kind is errors.RecipientsRefused:
        error = kind(Receipt("", refused={"b@x": Reply(450, ("x",))}))
    elif issubclass(kind, errors.ReplyError):
        error = kind("RETR", 450, "x")
    elif kind is errors.UIDValidityChanged:
        error = kind("INBOX", 1, 2)
    else:
        error = kind("reply", 1) if issubclass(kind, errors.PhaseTimeout) else kind("x")
    assert is_temporary(error) is (name in TEMPORARY)
    call = Call(error)
    if name in TEMPORARY:
        assert await retrying(RetryPolicy(), "get", TRACE, call) == 42
    else:
        with pytest.raises(kind) as caught:
            await retrying(RetryPolicy(), "get", TRACE, call)
        assert caught.value is error
        assert call.calls == 1


@pytest.mark.parametrize("error", [ZeroDivisionError(), OSError("x"), TimeoutError(), ConnectionResetError()])
async def test_foreign_errors_are_not_repeated(clock: Clock, error: Exception) -> None:
    with pytest.raises(type(error)):
        await retrying(RetryPolicy(), "get", TRACE, Call(error))
    assert clock.pauses == []


async def test_what_may_have_taken_effect_is_not_repeated(clock: Clock) -> None:
    schedule = Schedule(RetryPolicy(), "rename", TRACE)
    with pytest.raises(errors.ConnectionLost):
        await schedule.pause(LOST, repeatable=False)
    assert (schedule.attempt, clock.pauses) == (1, [])


async def test_progress_begins_a_new_count(clock: Clock) -> None:
    schedule = Schedule(RetryPolicy(attempts=2, total=100, initial=1, maximum=1), "get", TRACE)
    for _ in range(50):
        schedule.progressed()
        await schedule.pause(LOST)
        assert schedule.attempt == 2
    with pytest.raises(errors.ConnectionLost):
        await schedule.pause(LOST)
    # However long it took: a transfer of hours is continued as often as it gets on.
    schedule.progressed()
    clock.now += 1000
    await schedule.pause(LOST)
    assert schedule.attempt == 2


async def test_time_in_which_bytes_moved_is_no_time_of_failing(clock: Clock) -> None:
    schedule = Schedule(RetryPolicy(attempts=4, total=100, initial=1, maximum=1), "get", TRACE)
    schedule.busy(1000)
    await schedule.pause(LOST)
    clock.now += 1000
    schedule.busy(1000)
    await schedule.pause(LOST)
    assert schedule.attempt == 3
    clock.now += 100
    with pytest.raises(errors.ConnectionLost):
        await schedule.pause(LOST)


async def test_a_pause_can_be_cancelled() -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await retrying(RetryPolicy(initial=1000, maximum=1000, total=10_000), "get", TRACE, Call(LOST))
    assert scope.cancelled_caught


@pytest.mark.parametrize(
    "policy", [{"attempts": 0}, {"attempts": -1}, {"total": -1}, {"initial": -0.1}, {"maximum": -1}]
)
def test_bad_policies(policy: dict[str, float]) -> None:
    with pytest.raises(errors.ConfigurationError):
        RetryPolicy(**policy)  # type: ignore[arg-type]


def test_defaults() -> None:
    assert RetryPolicy() == RetryPolicy(attempts=4, total=120, initial=0.5, maximum=30)


@given(st.integers(1, 2000), st.floats(0, 100), st.floats(0, 100))
def test_a_pause_is_never_longer_than_the_maximum(attempt: int, initial: float, maximum: float) -> None:
    policy = RetryPolicy(attempts=5000, total=10**9, initial=initial, maximum=maximum)
    schedule = Schedule(policy, "get", TRACE)
    schedule.attempt = attempt
    delay = schedule._delay()
    assert delay is not None
    assert 0 <= delay <= maximum


@pytest.mark.parametrize("attempts", [0, -1, 1.5, True, float("inf"), "4", None])
def test_attempts_are_counted(attempts: object) -> None:
    with pytest.raises(errors.ConfigurationError, match=r"RetryPolicy.attempts=.* must be a whole number, at least 1"):
        RetryPolicy(attempts=attempts)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["total", "initial", "maximum"])
@pytest.mark.parametrize("value", [-1, True, float("nan"), "4", None])
def test_pauses_are_seconds(name: str, value: object) -> None:
    with pytest.raises(errors.ConfigurationError, match=f"RetryPolicy.{name}=.* must be a number, at least 0"):
        RetryPolicy(**{name: value})  # type: ignore[arg-type]


def test_total_may_be_for_ever() -> None:
    assert RetryPolicy(total=float("inf")).total == float("inf")
    with pytest.raises(errors.ConfigurationError, match="finite"):
        RetryPolicy(maximum=float("inf"))
