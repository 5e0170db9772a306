"""What every test gets: the three event loops, and the servers of ``fix_servers``."""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path

import pytest

pytest_plugins = ["tests.fix_servers", "tests.fix_mail", "tests.fix_news", "tests.faults.report"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores interrupts, and so would the programs that the tests interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)

MOST_PROCESSES = 4  # each has servers of its own


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The suite runs in a process per core; files that are named run here, where a debugger reaches them."""
    if any(Path(argument.partition("::")[0]).is_file() for argument in config.args):
        return 0
    return min(
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, MOST_PROCESSES
    )


NO_UVLOOP = importlib.util.find_spec("uvloop") is None


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(
            ("asyncio", {"use_uvloop": True}),
            id="uvloop",
            marks=pytest.mark.skipif(NO_UVLOOP, reason="uvloop does not run on this platform"),
        ),
        pytest.param(("trio", {}), id="trio"),
    ],
    scope="module",
)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Every test marked ``anyio`` runs on each of these."""
    return request.param
