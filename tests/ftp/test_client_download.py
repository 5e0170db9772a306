"""Downloads: what arrives on disk or in a sink, on every server and every event loop."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from netclients import (
    ConfigurationError,
    FTPClient,
    LocalFileError,
    Progress,
    ProtocolError,
    RetryPolicy,
    TruncatedTransfer,
    UnsupportedError,
)
from netclients.testing import CutData, FTPServer
from netclients.testing import Reply as Answer
from tests.servers import FTPTarget

pytestmark = pytest.mark.anyio

MakeClient = Callable[..., FTPClient]
Embedded = Callable[..., FTPServer]

BODY = bytes(range(256)) * 64 * 307  # 5 MB, no period that a buffer's size divides


def body_of(size: int) -> bytes:
    return (bytes(range(251)) * (size // 251 + 1))[:size]


def embedded_client(server: FTPServer, **options: object) -> FTPClient:
    url = server.url
    if url.startswith("ftp:"):
        options.setdefault("tls", "none")
    else:
        options.setdefault("ssl_context", server.client_context())
    return FTPClient(url, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 1, 10_240, 5_000_011])
async def test_a_file_arrives_whole(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path, size: int) -> None:
    ftp_server.put("d/f.bin", body_of(size))
    target = tmp_path / "new" / "deeper" / "out.bin"
    async with ftp() as client:
        done = await client.download("d/f.bin", target)
        stats = client.stats
    assert target.read_bytes() == body_of(size)
    assert [path.name for path in target.parent.iterdir()] == ["out.bin"]
    assert (done.path, done.size, done.resumed_from, done.verified) == (target, size, 0, True)
    assert done.seconds >= 0
    assert (stats.open, stats.idle, stats.in_use, stats.opened) == (1, 1, 0, 1)


async def test_a_second_download_replaces_the_first(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    ftp_server.put("f", b"old and long")
    async with ftp() as client:
        await client.download("f", str(tmp_path / "out"))
        ftp_server.put("f", b"new")
        await client.download("f", str(tmp_path / "out"))
        assert client.stats.opened == 1
    assert (tmp_path / "out").read_bytes() == b"new"


async def test_the_urls_directory_and_absolute_names(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    ftp_server.put("base/sub/f", b"relative")
    async with ftp(path="base") as client, client.connection() as connection:
        home = await connection.pwd()
        assert await client.read_bytes("sub/f") == b"relative"
        assert await client.read_bytes(f"{home.rstrip('/')}/base/sub/f") == b"relative"


async def test_progress(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    ftp_server.put("f", BODY)
    seen: list[Progress] = []
    async with ftp() as client:
        await client.download("f", tmp_path / "out", progress=seen.append)
        await client.download("f", sink=lambda view: None, progress=seen.append)
    for one in seen:
        assert (one.source, one.total) == ("f", len(BODY))
    moved = [one.transferred for one in seen]
    assert moved.count(len(BODY)) == 2
    end = moved.index(len(BODY)) + 1
    for part in (moved[:end], moved[end:]):
        assert part == sorted(part)
        assert len(part) > 2


# Sinks


async def test_a_sink_gets_every_byte_once(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("f", BODY)
    plain, awaited = bytearray(), bytearray()

    async def slow(view: memoryview) -> None:
        await anyio.sleep(0)
        awaited.extend(view)

    async with ftp() as client:
        done = await client.download("f", sink=plain.extend)
        await client.download("f", sink=slow)
    assert plain == awaited == BODY
    assert (done.path, done.size, done.verified) == (None, len(BODY), True)


async def test_what_is_kept_never_changes(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("f", BODY)
    views: list[memoryview] = []
    exports: list[tuple[bytes, object]] = []

    def keep(view: memoryview) -> None:
        assert view.readonly
        with pytest.raises(TypeError):
            view[0] = 1
        views.append(view)
        exports.append((bytes(view[1:]), view[1:]))

    def export(view: memoryview) -> None:
        # As numpy.frombuffer does: it holds on to the view itself, which then can't be released.
        exports.append((bytes(view), pickle.PickleBuffer(view)))

    async def keep_awaited(view: memoryview) -> None:
        keep(view)
        export(view[:100])
        await anyio.sleep(0)
        export(view)

    async with ftp() as client:
        await client.download("f", sink=keep)
        await client.download("f", sink=export)
        released, views = views, []
        await client.download("f", sink=keep_awaited)
        assert await client.read_bytes("f") == BODY
    assert all(bytes(memoryview(kept)) == then for then, kept in exports)  # type: ignore[arg-type]
    for view in released:
        with pytest.raises(ValueError, match="released"):
            bytes(view)


async def test_a_kept_view_raises(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("f", BODY)
    views: list[memoryview] = []
    async with ftp() as client:
        await client.download("f", sink=views.append)
    for view in views:
        with pytest.raises(ValueError, match="released"):
            bytes(view)


async def test_what_a_sink_raises_comes_through(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("f", BODY)

    def full(view: memoryview) -> None:
        raise ZeroDivisionError("mine")

    async with ftp() as client:
        with pytest.raises(ZeroDivisionError, match="mine"):
            await client.download("f", sink=full)
        assert client.stats.in_use == 0
        assert await client.read_bytes("f") == BODY


async def test_neither_or_both(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    async with ftp() as client:
        for options in ({}, {"destination": tmp_path / "x", "sink": print}, {"sink": print, "resume": True}):
            with pytest.raises(ConfigurationError):
                await client.download("f", **options)  # type: ignore[arg-type]
        assert client.stats.opened == 0


# Reading


async def test_read_bytes_and_text(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    text = "grün\r\nzwei\n"
    ftp_server.put("t", text.encode())
    ftp_server.put("latin", text.encode("latin-1"))
    async with ftp() as client:
        assert await client.read_bytes("t") == text.encode()
        assert await client.read_text("t") == text
        assert await client.read_text("latin", encoding="latin-1") == text
        assert await client.read_text("latin", errors="replace") == text.replace("ü", "\ufffd")
        with pytest.raises(ProtocolError, match="not in"):
            await client.read_text("latin")
        for wrong in ({"encoding": "nope"}, {"errors": "nope"}, {"encoding": "base64"}):
            with pytest.raises(ConfigurationError):
                await client.read_text("t", **wrong)
        assert client.stats.opened == 1


@pytest.mark.parametrize("in_batch", [False, True])
async def test_a_special_file_is_not_replaced(
    ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path, in_batch: bool
) -> None:
    ftp_server.put("pipe", b"x")
    target = tmp_path / "pipe"
    os.mkfifo(target)
    async with ftp() as client:
        if in_batch:
            async with client.download_many(["pipe"], tmp_path) as items:
                [item] = [item async for item in items]
            assert isinstance(item.error, LocalFileError)
        else:
            with pytest.raises(LocalFileError, match="not a regular file"):
                await client.download("pipe", target)
    assert target.is_fifo()


@pytest.mark.parametrize("wrong", ["new/", ".", "a/.."])
async def test_a_destination_that_names_a_directory(ftp: MakeClient, tmp_path: Path, wrong: str) -> None:
    async with ftp() as client:
        with pytest.raises(ConfigurationError, match="directory"):
            await client.download("f", f"{tmp_path}/{wrong}")
        assert client.stats.opened == 0
    assert list(tmp_path.glob("*")) in ([], [tmp_path / "ftp"])


async def test_a_cancel_keeps_what_has_come(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    body = os.urandom(60_000)
    ftp_server.put("f", body)
    seen = 0
    async with ftp() as client:
        with anyio.CancelScope() as scope:

            def note(progress: Progress) -> None:
                nonlocal seen
                seen = progress.transferred
                if seen > 10_000:
                    scope.cancel()

            await client.download("f", tmp_path / "out", progress=note, limit_rate=50_000)
        assert scope.cancelled_caught
        assert (tmp_path / "out.part").read_bytes() == body[:seen]
        done = await client.download("f", tmp_path / "out", resume=True)
    assert done.resumed_from == seen
    assert (tmp_path / "out").read_bytes() == body


# Verification


async def test_verify(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    ftp_server.put("f", BODY)
    async with ftp() as client:
        for verify, verified in (("size", True), ("strict", True), ("none", False)):
            done = await client.download("f", tmp_path / verify, verify=verify)
            assert done.verified is verified
            assert (tmp_path / verify).read_bytes() == BODY
        with pytest.raises(UnsupportedError):
            await client.download("f", tmp_path / "x", verify="checksum")
        with pytest.raises(ConfigurationError, match="md5"):
            await client.download("f", tmp_path / "x", verify="md5")  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()


async def test_verify_without_size_in_clear(embedded: Embedded, tmp_path: Path) -> None:
    server = embedded(without={"SIZE", "MLST", "MLSD"})
    (server.root / "f").write_bytes(BODY)
    async with embedded_client(server) as client:
        done = await client.download("f", tmp_path / "out")
        assert (done.verified, done.size) == (False, len(BODY))
        with pytest.raises(TruncatedTransfer, match="neither"):
            await client.download("f", tmp_path / "strict", verify="strict")
        with pytest.raises(TruncatedTransfer, match="neither"):
            await client.download("f", sink=print, verify="strict")
    assert not (tmp_path / "strict").exists()


@pytest.mark.parametrize("verb", ["SIZE", "MDTM"])
async def test_facts_that_nobody_wants_may_be_nonsense(embedded: Embedded, tmp_path: Path, verb: str) -> None:
    server = embedded(faults=[Answer(verb, text="213 large, and late")])
    (server.root / "f").write_bytes(BODY)
    content = bytearray()
    async with embedded_client(server, retry=RetryPolicy(attempts=1)) as client:
        done = await client.download("f", tmp_path / "one", verify="none")
        assert (done.size, done.verified) == (len(BODY), False)
        await client.download("f", sink=content.extend, verify="none")
        async with client.download_many(["f"], tmp_path, verify="none") as items:
            async for item in items:
                item.raise_for_error()
        with pytest.raises(ProtocolError, match=verb):
            await client.download("f", tmp_path / "two")
        assert client.stats.in_use == 0
    assert content == (tmp_path / "one").read_bytes() == (tmp_path / "f").read_bytes() == BODY


async def test_verify_by_the_close_alert(embedded: Embedded, tmp_path: Path) -> None:
    server = embedded(without={"SIZE", "MLST", "MLSD"}, tls="explicit")
    (server.root / "f").write_bytes(BODY)
    async with embedded_client(server) as client:
        done = await client.download("f", tmp_path / "out", verify="strict")
    assert done.verified
    assert (tmp_path / "out").read_bytes() == BODY


@pytest.mark.parametrize("tls", ["none", "explicit"])
async def test_a_server_that_lies_about_the_end(embedded: Embedded, tmp_path: Path, tls: str) -> None:
    server = embedded(tls=tls, faults=[CutData(after=700_000, how="fin", reply="226 All of it.")])
    (server.root / "f").write_bytes(BODY)
    async with embedded_client(server, retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(TruncatedTransfer) as caught:
            await client.download("f", tmp_path / "out")
        assert (caught.value.expected, caught.value.received) == (len(BODY), 700_000)
        assert client.stats.in_use == 0
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "out.part").read_bytes() == BODY[:700_000]


# Rate


async def test_limit_rate(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    size, rate = 400_000, 1_000_000
    ftp_server.put("f", body_of(size))
    async with ftp() as client:
        started = time.monotonic()
        await client.download("f", tmp_path / "out", limit_rate=rate)
        elapsed = time.monotonic() - started
    assert (tmp_path / "out").read_bytes() == body_of(size)
    assert 0.75 * size / rate < elapsed < 10 * size / rate


async def test_limit_rate_of_a_client_is_shared(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    size, rate = 150_000, 1_000_000
    ftp_server.put("f", body_of(size))
    got = bytearray()
    async with ftp(limit_rate=rate) as client:
        started = time.monotonic()
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(lambda: client.download("f", sink=got.extend))
        elapsed = time.monotonic() - started
    assert len(got) == 3 * size
    assert 0.75 * 3 * size / rate < elapsed < 30 * size / rate
