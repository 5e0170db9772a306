"""What counts as progress of a download that is repeated: what was kept."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from netclients import FTPClient, NetClientError, RetryPolicy
from netclients.testing import CutData, FTPServer

pytestmark = pytest.mark.anyio

Embedded = Callable[..., FTPServer]

QUICK = RetryPolicy(attempts=2, initial=0.01, maximum=0.02)
SIZE = 8_000_000


@pytest.mark.parametrize("how", ["reset", "fin"])
async def test_a_file_that_is_always_another_one(embedded: Embedded, tmp_path: Path, how: str) -> None:
    reply = "226 All of it." if how == "fin" else "426 Cut."
    server = embedded(faults=[CutData("RETR", after=2_000_000, how=how, reply=reply)])
    served = server.root / "f"
    served.write_bytes(bytes(SIZE))
    seconds = itertools.count(1_600_000_000, 60)

    def change(_: object) -> None:
        with served.open("ab") as file:
            file.write(b"more")
        os.utime(served, (second := next(seconds), second))

    async with FTPClient(server.url, tls="none", retry=QUICK) as client:
        with anyio.fail_after(20), pytest.raises(NetClientError):
            await client.download("f", tmp_path / "local", progress=change)
    assert server.stats.commands["RETR"] == 2


async def test_what_is_kept_is_progress(embedded: Embedded, tmp_path: Path) -> None:
    server = embedded(faults=[CutData("RETR", after=1_500_000, how="fin")])
    (server.root / "f").write_bytes(bytes(SIZE))
    async with FTPClient(server.url, tls="none", retry=QUICK) as client:
        await client.download("f", tmp_path / "local")
    assert (tmp_path / "local").read_bytes() == bytes(SIZE)
    assert server.stats.commands["RETR"] > 2


async def test_a_wrong_size_is_no_progress(embedded: Embedded, tmp_path: Path) -> None:
    server = embedded(faults=[CutData("RETR", after=1_500_000, how="fin", reply="226 All of it.")])
    (server.root / "f").write_bytes(bytes(SIZE))
    async with FTPClient(server.url, tls="none", retry=QUICK) as client:
        with pytest.raises(NetClientError):
            await client.download("f", tmp_path / "local")
    assert server.stats.commands["RETR"] == 2
