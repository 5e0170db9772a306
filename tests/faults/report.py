"""The summary of a run says how many fault points it saw, on which server.

A plugin, not a conftest.py: where several processes share the suite, the one that prints collects no tests.
"""

from __future__ import annotations

import collections
from typing import Any

import pytest

POINTS: collections.Counter[str] = collections.Counter()
"""How many points ran, by ``"server: what"``."""


def pytest_sessionfinish(session: pytest.Session) -> None:
    # A process that runs a part of the suite hands its count over to the one that prints.
    if (output := getattr(session.config, "workeroutput", None)) is not None:
        output["fault points"] = dict(POINTS)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    POINTS.update(getattr(node, "workeroutput", {}).get("fault points", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if POINTS:
        terminalreporter.section("fault points")
        for name, count in sorted(POINTS.items()):
            terminalreporter.write_line(f"{count:6d}  {name}")
        terminalreporter.write_line(f"{sum(POINTS.values()):6d}  in all")
