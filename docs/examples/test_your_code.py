"""Tests for code that uses netclients: a real server in the test, and faults on order."""

from pathlib import Path

import pytest

from netclients import FTPClient, RetryPolicy
from netclients.testing import CutData, FTPServer

SOON = RetryPolicy(attempts=3, initial=0.01)


async def fetch(url: str, target: Path) -> int:
    """The code under test."""
    async with FTPClient(url, retry=SOON) as ftp:
        return (await ftp.download("data.bin", target)).size


@pytest.mark.asyncio
async def test_fetch(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"x" * 100_000)
    async with FTPServer(tmp_path) as server:
        assert await fetch(server.url, tmp_path / "copy") == 100_000
        assert server.stats.commands["RETR"] == 1


@pytest.mark.asyncio
async def test_fetch_goes_on_after_a_cut(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(b"x" * 100_000)
    cut = CutData("RETR", after=40_000, times=1)
    async with FTPServer(tmp_path, faults=[cut]) as server:
        assert await fetch(server.url, tmp_path / "copy") == 100_000
        assert server.stats.commands["RETR"] == 2
