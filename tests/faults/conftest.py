"""The summary of a run says how many fault points it saw, on which server."""

from __future__ import annotations

import pytest

from tests.faults.harness import POINTS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if POINTS:
        terminalreporter.section("fault points")
        for name, count in sorted(POINTS.items()):
            terminalreporter.write_line(f"{count:6d}  {name}")
