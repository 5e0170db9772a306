"""How a row is measured: contenders in turn, each run in a process of its own, medians at the end.

::

    Row.measure(bench) → Table of Contenders → interleave: A B C A B C … → judge → text

A contender is a function that returns one figure. What it measures runs in a fresh Python process
(:func:`in_process`) or in another program, so no contender pays for another one's memory, threads or loop.
"""

from __future__ import annotations

import importlib.util
import json
import re
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).parent.parent
PATIENCE = 300.0  # seconds for one run of one contender
MIB = 1024 * 1024

Unit = Literal["MiB/s", "files/s", "msg/s", "ms", "KiB", "MiB", "µs"]
HIGHER_IS_BETTER = frozenset({"MiB/s", "files/s", "msg/s"})


class RowMissing(Exception):
    """A row can't be measured on this machine, or not yet; the text says why."""


@dataclass(slots=True)
class Contender:
    """One line of a table.

    ``factor``: so many times as good as this one ours has to be. ``limit``: this one's worst figure may not be
    beyond it. ``missing``: why it can't take part. ``figures`` are filled by :func:`interleave`.
    """

    name: str
    measure: Callable[[], float]
    factor: float | None = None
    limit: float | None = None
    missing: str | None = None
    figures: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.figures)


@dataclass(slots=True)
class Table:
    """A row of DESIGN's bars, measured. The first contender is ours."""

    title: str
    unit: Unit
    contenders: Sequence[Contender]
    notes: list[str] = field(default_factory=list)

    @property
    def ours(self) -> Contender:
        return self.contenders[0]

    def ratio(self, other: Contender) -> float:
        """How many times as good as ``other`` ours is."""
        if self.unit in HIGHER_IS_BETTER:
            return self.ours.median / other.median
        return other.median / self.ours.median

    def within(self, contender: Contender) -> bool:
        """Whether a contender with a limit keeps it in every run."""
        assert contender.limit is not None
        if self.unit in HIGHER_IS_BETTER:
            return min(contender.figures) >= contender.limit
        return max(contender.figures) <= contender.limit


@dataclass(frozen=True, slots=True)
class Bench:
    """What a row is told: how many runs, and whether small amounts of work will do (to see that it works)."""

    runs: int = 5
    quick: bool = False

    def amount(self, full: int, quick: int) -> int:
        return quick if self.quick else full


Row = Callable[[Bench], Iterable[Table]]


def interleave(contenders: Iterable[Contender], runs: int, *, title: str = "") -> None:
    """Measure all in turn, ``runs`` times, so that whatever else the machine does hits all alike."""
    present = [contender for contender in contenders if contender.missing is None]
    for number in range(runs):
        for contender in present:
            _say(f"{title}: run {number + 1} of {runs}: {contender.name}")
            contender.figures.append(contender.measure())
    _say("")


def _say(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def in_process(function: str, /, *, prefix: Sequence[str] = (), **arguments: Any) -> dict[str, float]:
    """Call ``module.function`` of this package in a fresh process; return what it returns."""
    ended = subprocess.run(
        worker_command(function, prefix, arguments),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    if ended.returncode:
        raise RuntimeError(f"{function} failed:\n{ended.stderr.decode(errors='replace')[-4000:]}")
    result: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return result


def missing_module(name: str) -> str | None:
    """Why a contender that needs this module can't take part."""
    found = name == "asyncio" or importlib.util.find_spec(name) is not None
    return None if found else f"{name} is not installed (pip install {name})"


def worker_command(function: str, prefix: Sequence[str], arguments: dict[str, Any]) -> list[str]:
    return [*prefix, sys.executable, "-m", "benchmarks.worker", function, json.dumps(arguments)]


# Text


def render(table: Table) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [
        f"| {table.title} | {table.unit}: median | min … max | netclients is | bar | met |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for contender in table.contenders:
        if contender.missing is not None:
            lines.append(f"| {contender.name} | left out: {contender.missing} | | | | |")
            continue
        low, high = _number(min(contender.figures)), _number(max(contender.figures))
        ratio = "" if contender is table.ours else f"{table.ratio(contender):.2f}"
        bar, met = _judge(table, contender)
        lines.append(f"| {contender.name} | {_number(contender.median)} | {low} … {high} | {ratio} | {bar} | {met} |")
    return [*lines, "", *(f"{note}\n" for note in table.notes)]


def replace_sections(page: str, sections: Iterable[Sequence[str]]) -> str:
    """Put sections, each a list of lines with its heading first, in the place of those with the same heading.

    New ones come last; the rest of the page stays as it is.
    """
    parts = re.split(r"(?m)^(?=## )", page)
    for lines in sections:
        text = "\n".join(lines).rstrip() + "\n\n"
        places = [place for place, part in enumerate(parts) if part.startswith(f"{lines[0]}\n")]
        if places:
            parts[places[0]] = text
        else:
            parts[-1] = parts[-1].rstrip() + "\n\n"
            parts.append(text)
    return "".join(parts).rstrip() + "\n"


def _judge(table: Table, contender: Contender) -> tuple[str, str]:
    if contender.limit is not None:
        sign = "≥" if table.unit in HIGHER_IS_BETTER else "≤"
        return f"{sign} {_number(contender.limit)} {table.unit}", _word(table.within(contender))
    if contender.factor is not None:
        return f"≥ {contender.factor}", _word(table.ratio(contender) >= contender.factor)
    return "", ""


def _word(met: bool) -> str:
    return "yes" if met else "**no**"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
