"""Row ``import``: what a fresh process pays for the import, and that it loads no other protocol."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable

from benchmarks.harness import ROOT, Bench, Contender, Table, interleave

RUNS = 15
FOREIGN = ("netclients.smtp", "netclients.imap", "netclients.pop3", "netclients.nntp", "netclients.mail")

PROGRAM = """
import time, sys, json
{before}
started = time.perf_counter()
{measured}
print(json.dumps([time.perf_counter() - started, sorted(sys.modules)]))
"""


def imports(bench: Bench) -> Iterable[Table]:
    """Row ``import``."""
    loaded: set[str] = set()
    bytecode = tempfile.mkdtemp(prefix="nc-bytecode-")
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def timed(measured: str, before: str = "") -> Callable[[], float]:
        def measure() -> float:
            program = PROGRAM.format(before=before, measured=measured)
            ended = subprocess.run(
                [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, check=True, text=True
            )
            seconds, modules = json.loads(ended.stdout)
            if "FTPClient" in measured:
                loaded.update(modules)
            return float(seconds) * 1000

        return measure

    package = Contender("import netclients", timed("import netclients"))
    client = Contender(
        "from netclients import FTPClient, after import asyncio, anyio",
        timed("from netclients import FTPClient", "import asyncio, anyio"),
    )
    base = Contender("import asyncio, anyio", timed("import asyncio, anyio"))
    contenders = [package, client, base]
    try:
        for contender in contenders:
            contender.measure()  # compiles, as an installation does
        interleave(contenders, bench.amount(max(RUNS, bench.runs), 3), title="import")
    finally:
        shutil.rmtree(bytecode)
    foreign = sorted(name for name in loaded if name.startswith(FOREIGN))
    note = f"Loads of other protocols: {', '.join(foreign)}." if foreign else "It loads no other protocol."
    # One import that another process disturbs says nothing about the library: the medians are judged.
    yield Table("Import in a fresh process", "ms", contenders, [_verdict(package, 20), _verdict(client, 60), note])


def _verdict(contender: Contender, limit: float) -> str:
    word = "met" if contender.median < limit else "**not met**"
    return f"`{contender.name}`: bar {limit:.0f} ms for the median: {word}."
