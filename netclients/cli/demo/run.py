"""Running the demo: all scenarios, then one table."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from netclients.cli.demo.board import make_board
from netclients.cli.demo.ftp import FTPScenario
from netclients.cli.demo.mail import MailScenario
from netclients.cli.demo.report import table_of
from netclients.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.console import Console

    from netclients.cli.demo.scenario import Leg, Scenario

__all__ = ["run_demo"]


def run_demo(console: Console) -> bool:
    """Run all scenarios, print the table, and return whether everything was verified.

    Raises:
        ConfigurationError: the extra is not installed.
    """
    for module in ("aioftp", "trustme"):
        if importlib.util.find_spec(module) is None:
            raise ConfigurationError(f"the demo needs {module}, which comes with: pip install 'netclients[demo]'")
    scenarios: tuple[Scenario, ...] = (FTPScenario(), MailScenario())
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="netclients-demo-", ignore_cleanup_errors=True) as work:
        legs = anyio.run(_run_all, scenarios, console, Path(work))
    console.print("", table_of(legs), "", sep="\n")
    good = all(leg.good for leg in legs)
    verdict = (
        "everything is right: every checksum, receipt and message"
        if good
        else "FAILED: not everything arrived as it was sent"
    )
    console.print(f"{verdict}; {time.monotonic() - started:.1f} s altogether", highlight=False)
    return good


async def _run_all(scenarios: tuple[Scenario, ...], console: Console, work: Path) -> list[Leg]:
    legs: list[Leg] = []
    with make_board(console) as board:
        for scenario in scenarios:
            legs += await scenario.run(board, work)
    return legs
