"""The examples of the API as they are written there, each line at work on each server."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from netclients import FTPClient, PoolLimits, RetryPolicy, Timeouts
from tests.servers import FTPTarget

pytestmark = pytest.mark.anyio

MakeClient = Callable[..., FTPClient]

BODY = (bytes(range(251)) * 8_000)[:2_000_003]


def example(server: FTPTarget) -> FTPClient:
    url = f"ftp://{server.user}:{server.password}@{server.host}:{server.port}/base"
    return FTPClient(
        url,
        tls="none",
        limits=PoolLimits(max_connections=8),
        retry=RetryPolicy(attempts=4),
        timeouts=Timeouts(connect=10, reply=30, stall=30),
        limit_rate=None,
    )


@pytest.fixture
def base(ftp_server: FTPTarget) -> Path:
    for name, body in {"big.bin": BODY, "notes.txt": "grün\n".encode(), "a": b"A", "b": b"B", "dir/x": b"x"}.items():
        ftp_server.put(f"base/{name}", body)
    return ftp_server.root / "base"


async def test_downloads(
    ftp_server: FTPTarget,
    base: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    hasher = hashlib.sha256()
    async with example(ftp_server) as ftp:
        done = await ftp.download(
            "big.bin",
            "out/big.bin",
            resume=True,
            segments=1,
            verify="size",
            progress=lambda p: print(p.transferred, p.total),
        )
        assert (done.path, done.size, done.resumed_from, done.verified) == (
            Path("out/big.bin"),
            len(BODY),
            0,
            True,
        )
        assert done.seconds > 0
        await ftp.download("big.bin", sink=hasher.update)
        data = await ftp.read_bytes("notes.txt")
        text = await ftp.read_text("notes.txt", encoding="utf-8")
        async with ftp.open("big.bin", "rb", offset=100) as f:
            head = await f.read(10)
            tail = b"".join([chunk async for chunk in f])
    assert Path("out/big.bin").read_bytes() == BODY
    assert hasher.hexdigest() == hashlib.sha256(BODY).hexdigest()
    assert (data.decode(), text) == ("grün\n", "grün\n")
    assert head + tail == BODY[100:]
    assert capsys.readouterr().out.endswith(f"{len(BODY)} {len(BODY)}\n")


async def test_names_and_changes(ftp_server: FTPTarget, base: Path, tmp_path: Path) -> None:
    (tmp_path / "local.bin").write_bytes(BODY)
    async with example(ftp_server) as ftp:
        await ftp.upload(tmp_path / "local.bin", "remote.bin", atomic=True, resume=False)
        async with ftp.scandir("dir") as entries:
            found = [entry async for entry in entries]
        (entry,) = found
        assert (entry.name, entry.path, entry.kind, entry.size) == ("x", "dir/x", "file", 1)
        assert (entry.raw_name, entry.modified is not None, entry.mode) == (b"x", True, entry.mode)
        assert isinstance(dict(entry.facts), dict)
        info = await ftp.stat("big.bin")
        there = await ftp.exists("big.bin")
        assert (info.size, there) == (len(BODY), True)
        await ftp.makedirs("x/y/z")
        await ftp.rename("a", "c")
        await ftp.remove("c")
        async with ftp.connection() as c:
            await c.pwd()
            await c.cwd("base/dir")
            assert await c.size("x") == 1
            await c.command("SITE", "HELP")
        assert ftp.stats.in_use == 0
    assert (base / "remote.bin").read_bytes() == BODY
    assert (base / "x" / "y" / "z").is_dir()
    assert sorted(path.name for path in base.iterdir()) == ["b", "big.bin", "dir", "notes.txt", "remote.bin", "x"]


async def test_many(ftp_server: FTPTarget, base: Path, tmp_path: Path, anyio_backend_name: str) -> None:
    async with example(ftp_server) as ftp:
        stream = ftp.download_many(["a", "b", "dir/x"], tmp_path / "dest", concurrency=8)
        if anyio_backend_name == "trio":  # workers stand behind it
            async with stream as items:
                found = [item async for item in items]
        else:
            found = [item async for item in stream]
        for item in found:
            item.raise_for_error()
            assert (item.attempts, item.error, item.size) == (1, None, 1)
            assert item.path == tmp_path / "dest" / item.source
    assert (tmp_path / "dest" / "dir" / "x").read_bytes() == b"x"
