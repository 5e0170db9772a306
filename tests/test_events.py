"""Hooks and log: everything is told once, harmlessly, and an observer breaks nothing."""

from __future__ import annotations

import inspect
import logging

import pytest

from netclients.errors import ConnectionLost
from netclients.events import Events, Trace
from netclients.ftp.commands import command, raw_command


class Recorder(Events):
    def __getattribute__(self, name: str) -> object:
        if name in CALLS:
            return lambda *args: SEEN.append((name, args))
        return super().__getattribute__(name)


ERROR = ConnectionLost("gone")
CALLS: dict[str, tuple[str, tuple[object, ...], tuple[object, ...]]] = {
    # hook: (method of Trace, its arguments, the hook's arguments)
    "connection_opened": ("opened", (1, "h", 21, 0.5), (1, "h", 21, 0.5)),
    "connection_closed": ("closed", (1, "why"), (1, "why")),
    "command": ("command", (1, "USER bob"), (1, "USER bob")),
    "reply": ("reply", (1, 220, "hi\nx\x1b"), (1, 220, "hi\nx\x1b")),
    "retry": ("retry", ("get", 1, 0.5, ERROR), ("get", 1, 0.5, ERROR)),
    "pool_wait": ("pool_wait", (0.5,), (0.5,)),
    "bytes_moved": ("moved", (1, 10, 0), (1, 10, 0)),
    "outcome_unknown": ("outcome_unknown", ("DELE x",), ("DELE x",)),
}
SEEN: list[tuple[str, tuple[object, ...]]] = []


def test_every_hook_is_listed() -> None:
    hooks = {name for name, value in vars(Events).items() if inspect.isfunction(value)}
    assert hooks == set(CALLS)


@pytest.mark.parametrize("hook", CALLS)
def test_hooks(hook: str) -> None:
    SEEN.clear()
    method, given, expected = CALLS[hook]
    getattr(Trace("ftp", Recorder()), method)(*given)
    assert [(hook, expected)] == SEEN
    getattr(Trace("ftp", Events()), method)(*given)
    getattr(Trace("ftp", None), method)(*given)
    assert len(SEEN) == 1


@pytest.mark.parametrize("hook", CALLS)
def test_an_exception_in_a_hook_is_logged_and_goes_no_further(hook: str, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Events):
        pass

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    setattr(Broken, hook, fail)
    method, given, _ = CALLS[hook]
    getattr(Trace("ftp", Broken()), method)(*given)
    [record] = [one for one in caplog.records if one.name == "netclients.events"]
    assert record.getMessage() == f"events.{hook} raised"
    assert record.exc_info
    assert record.exc_info[0] is ZeroDivisionError


def test_an_interrupt_in_a_hook_is_not_swallowed() -> None:
    class Interrupted(Events):
        def pool_wait(self, seconds: float) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Trace("ftp", Interrupted()).pool_wait(1)


def test_the_dialogue_is_logged_at_debug(caplog: pytest.LogCaptureFixture) -> None:
    trace = Trace("ftp", None)
    with caplog.at_level(logging.DEBUG, "netclients.ftp"):
        assert trace.dialogue
        trace.command(7, str(command("USER", b"bob")))
        trace.command(7, str(command("PASS", b"s3cret")))
        trace.command(7, str(raw_command("acct", "s3cret", encoding="utf-8")))
        trace.reply(7, 230, "in\x1b\ntwo")
        trace.reply(7, None, "OK done")
        trace.opened(7, "h\x1b", 21, 0.25)
        trace.closed(7, "done")
        trace.retry("get a\x1b", 1, 0.5, ERROR)
        trace.outcome_unknown("DELE a\x1b")
    assert [(one.name, one.levelname, one.getMessage()) for one in caplog.records] == [
        ("netclients.ftp", "DEBUG", "7 > USER bob"),
        ("netclients.ftp", "DEBUG", "7 > PASS ***"),
        ("netclients.ftp", "DEBUG", "7 > ACCT ***"),
        ("netclients.ftp", "DEBUG", r"7 < 230 in\x1b\ntwo"),
        ("netclients.ftp", "DEBUG", "7 < OK done"),
        ("netclients.ftp", "DEBUG", r"7 connected to h\x1b:21 in 0.250 s"),
        ("netclients.ftp", "DEBUG", "7 closed: done"),
        ("netclients.ftp", "INFO", r"get a\x1b: attempt 1 failed, next in 0.5 s: gone"),
        ("netclients.ftp", "WARNING", r"DELE a\x1b: outcome unknown"),
    ]


def test_nobody_listens() -> None:
    logger = logging.getLogger("netclients.nobody")
    logger.setLevel(logging.INFO)
    assert not Trace("nobody", None).dialogue
    assert Trace("nobody", Events()).dialogue
