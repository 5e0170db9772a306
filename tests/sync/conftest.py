"""What the tests of the blocking layer share: a client of the embedded server, and scripts in a fresh process."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netclients.sync import FTPClient
from tests.servers.target import FTPTarget

Script = Callable[..., "subprocess.CompletedProcess[str]"]
"""``script(source, *arguments)``: run it with warnings as errors; it must end in good time."""

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def ftp(embedded_ftp: FTPTarget) -> Iterator[FTPClient]:
    with FTPClient(embedded_ftp.url()) as client:
        yield client


@pytest.fixture
def script() -> Script:
    def run(source: str, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", textwrap.dedent(source), *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stderr
        return done

    return run


def settles(ftp: FTPClient) -> bool:
    """Wait until no connection is in use or being made: giving back may take the loop a moment."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        stats = ftp.stats
        if not stats.in_use and not stats.connecting and not stats.waiting:
            return True
        ftp.exists("none")
    return False
