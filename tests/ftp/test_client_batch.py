"""``download_many`` and ``upload_many``: every source ends in one item, whatever happens to the others."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from netclients import (
    ConfigurationError,
    FTPClient,
    Item,
    LocalFileError,
    PermanentReplyError,
    PoolLimits,
    Progress,
    RemoteFileNotFound,
    RemoteIsADirectory,
)
from netclients.testing import FTPServer
from netclients.testing import Reply as Answer
from tests.servers import FTPTarget

pytestmark = pytest.mark.anyio

MakeClient = Callable[..., FTPClient]
Embedded = Callable[..., FTPServer]

BODIES = {f"d{number % 3}/f{number}": bytes([number]) * (number * 3001) for number in range(30)}


def fill(server: FTPTarget) -> None:
    for name, body in BODIES.items():
        server.put(name, body)


def check(directory: Path) -> None:
    assert {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()} == BODIES.keys()
    for name, body in BODIES.items():
        assert (directory / name).read_bytes() == body


async def collect(stream: Any) -> dict[str, Item]:
    async with stream as items:
        found = [item async for item in items]
    assert len({item.source for item in found}) == len(found)
    return {item.source: item for item in found}


async def test_download_many(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    fill(ftp_server)
    target = tmp_path / "out"
    async with ftp(limits=PoolLimits(max_connections=3)) as client:
        items = await collect(client.download_many(list(BODIES), target, concurrency=8))
        stats = client.stats
    check(target)
    assert {name: (item.path, item.size, item.attempts, item.error) for name, item in items.items()} == {
        name: (target / name, len(body), 1, None) for name, body in BODIES.items()
    }
    assert (stats.opened <= 3, stats.in_use, stats.waiting) == (True, 0, 0)


async def test_upload_many(
    ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, body in BODIES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(body)
    monkeypatch.chdir(tmp_path)
    sources = [Path(name) if len(name) % 2 else name for name in BODIES]
    async with ftp(limits=PoolLimits(max_connections=3)) as client:
        items = await collect(client.upload_many(sources, "to/there", concurrency=8))
        stats = client.stats
        absolute = await collect(client.upload_many([tmp_path / "d1" / "f1"], "flat"))
    check(ftp_server.root / "to" / "there")
    assert {name: (item.path, item.size, item.attempts, item.error) for name, item in items.items()} == {
        name: (f"to/there/{name}", len(body), 1, None) for name, body in BODIES.items()
    }
    assert (stats.opened <= 3, stats.in_use) == (True, 0)
    assert [item.path for item in absolute.values()] == ["flat/f1"]
    assert (ftp_server.root / "flat" / "f1").read_bytes() == BODIES["d1/f1"]


async def test_failures_stay_with_their_items(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    fill(ftp_server)
    (tmp_path / "d2").write_bytes(b"in the way")
    sources = ["d0/f0", "missing", "d0", "d2/f2", "../d1/f1", "d1/f1", "d0/", "a\nb", ""]
    async with ftp() as client:
        items = await collect(client.download_many(sources, tmp_path, concurrency=2))
        assert client.stats.in_use == 0
    # What is a directory there may be one here too by now.
    assert isinstance(items.pop("d0").error, (LocalFileError, RemoteIsADirectory))
    errors = {source: type(item.error) for source, item in items.items()}
    assert errors == {
        "d0/f0": type(None),
        "d1/f1": type(None),
        "missing": RemoteFileNotFound,
        "d2/f2": LocalFileError,
        "../d1/f1": ConfigurationError,
        "d0/": ConfigurationError,
        "a\nb": ConfigurationError,
        "": ConfigurationError,
    }
    assert items["missing"].size == 0
    with pytest.raises(RemoteFileNotFound):
        items["missing"].raise_for_error()
    items["d0/f0"].raise_for_error()
    assert (tmp_path / "d1" / "f1").read_bytes() == BODIES["d1/f1"]
    assert not list(tmp_path.rglob("*.part*"))


async def test_a_directory_as_source(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    ftp_server.put("d/f", b"x")
    async with ftp() as client:
        items = await collect(client.download_many(["d"], tmp_path / "out"))
    assert isinstance(items["d"].error, RemoteIsADirectory)


async def test_two_sources_for_one_place(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    ftp_server.put("f", b"first")
    async with ftp() as client:
        async with client.download_many(["f", "./f"], tmp_path / "out", concurrency=1) as stream:
            items = [item async for item in stream]
        assert {item.source: type(item.error) for item in items} == {"f": type(None), "./f": ConfigurationError}
        (tmp_path / "a").mkdir()
        (tmp_path / "f").write_bytes(b"one")
        (tmp_path / "a" / "f").write_bytes(b"two")
        both = [tmp_path / "f", tmp_path / "a" / "f"]
        async with client.upload_many(both, "to", concurrency=1) as stream:
            items = [item async for item in stream]
        errors = {item.source: type(item.error) for item in items}
        assert errors == {str(both[0]): type(None), str(both[1]): ConfigurationError}
    assert (tmp_path / "out" / "f").read_bytes() == b"first"
    assert (ftp_server.root / "to" / "f").read_bytes() == b"one"


async def test_places_of_their_own(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    fill(ftp_server)
    out, elsewhere = tmp_path / "out", tmp_path / "elsewhere" / "name"
    sources = [
        ("d1/f1", "one"),
        ("d2/f2", Path("deep") / "two"),
        ("d0/f3", elsewhere),
        "d1/f4",
        ("d2/f5", "../five"),
        ("d0/f6", "six/"),
        ("d1/f7", elsewhere),
        ("d2/f8", out / "." / "one"),
        ("d0/f9", "nine", "and more"),
        ("d1/f10",),
        ("d2/f11", 7),
    ]
    async with ftp() as client:
        items = await collect(client.download_many(sources, out, concurrency=1))
        assert client.stats.in_use == 0
    placed = {source: item.path for source, item in items.items() if item.error is None}
    assert placed == {"d1/f1": out / "one", "d2/f2": out / "deep" / "two", "d0/f3": elsewhere, "d1/f4": out / "d1/f4"}
    for source, path in placed.items():
        assert path.read_bytes() == BODIES[source]
    failed = [item for item in items.values() if item.error is not None]
    assert len(failed) == len(sources) - len(placed)
    assert all(isinstance(item.error, ConfigurationError) for item in failed)
    assert not list(tmp_path.rglob("five*"))


async def test_uploads_to_places_of_their_own(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    local = tmp_path / "local" / "file"
    local.parent.mkdir()
    local.write_bytes(b"from a file")

    async def pieces() -> AsyncIterator[bytes]:
        yield b"from "
        yield b"pieces"

    sources: list[Any] = [
        (local, "renamed"),
        (str(local), "deep/er/renamed"),
        (b"from memory", "memory"),
        (pieces(), "pieces"),
        (b"", "directory/"),
        (b"", "./memory"),
        (b"",),
        (local, 7),
        b"without a name",
    ]
    async with ftp() as client:
        async with client.upload_many(sources, "to", concurrency=1) as stream:
            items = [item async for item in stream]
        assert client.stats.in_use == 0
    done = [(item.source, item.path, item.size) for item in items if item.error is None]
    assert done == [
        (str(local), "to/renamed", 11),
        (str(local), "to/deep/er/renamed", 11),
        ("memory", "to/memory", 11),
        ("pieces", "to/pieces", 11),
    ]
    assert all(isinstance(item.error, ConfigurationError) for item in items[len(done) :])
    assert (ftp_server.root / "to/renamed").read_bytes() == b"from a file"
    assert (ftp_server.root / "to/memory").read_bytes() == b"from memory"
    assert (ftp_server.root / "to/pieces").read_bytes() == b"from pieces"


async def test_items_tell_what_a_single_transfer_tells(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    body = os.urandom(4_000_000)
    ftp_server.put("f", body)
    async with ftp() as client:
        with anyio.CancelScope() as scope:

            def halfway(progress: Progress) -> None:
                if progress.transferred > len(body) // 2:
                    scope.cancel()

            await client.download("f", tmp_path / "f", resume=True, progress=halfway)
        assert scope.cancelled_caught
        part = (tmp_path / "f.part").stat().st_size
        down = (await collect(client.download_many(["f"], tmp_path, resume=True)))["f"]
        up = (await collect(client.upload_many([(tmp_path / "f", "up")], "")))[str(tmp_path / "f")]
        failed = (await collect(client.download_many(["missing"], tmp_path)))["missing"]
    assert (tmp_path / "f").read_bytes() == body
    assert (down.size, down.verified, down.resumed_from, down.seconds > 0) == (len(body), True, part, True)
    assert (up.size, up.verified, up.resumed_from, up.seconds > 0) == (len(body), True, 0, True)
    assert (failed.size, failed.verified, failed.resumed_from, failed.seconds) == (0, False, 0, 0)


async def test_a_directory_that_nobody_may_make(embedded: Embedded) -> None:
    denied = "550 Permission denied."
    server = embedded(faults=[Answer(verb, text=denied) for verb in ("MKD", "MLST", "MLSD", "LIST", "CWD")])
    (server.root / "inbox").mkdir()
    async with FTPClient(server.url, tls="none") as client:
        items = await collect(client.upload_many([(b"x", "inbox/f"), (b"x", "missing/f")], ""))
    assert items["inbox/f"].error is None
    assert (server.root / "inbox" / "f").read_bytes() == b"x"
    assert isinstance(items["missing/f"].error, PermanentReplyError)


async def test_a_missing_directory_that_nobody_may_make(embedded: Embedded) -> None:
    server = embedded(faults=[Answer("MKD", text="550 Permission denied.")])
    async with FTPClient(server.url, tls="none") as client:
        items = await collect(client.upload_many([(b"x", "missing/f")], ""))
    assert "MKD missing" in str(items["missing/f"].error)


async def test_sources_from_generators(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    fill(ftp_server)
    pulled: list[str] = []

    def lazily() -> Iterator[str]:
        for name in [*BODIES, *(f"missing{number}" for number in range(50))]:
            pulled.append(name)
            yield name

    async def slowly() -> AsyncIterator[str]:
        for name in BODIES:
            await anyio.sleep(0)
            yield name

    async with ftp(limits=PoolLimits(max_connections=4)) as client:
        async with client.download_many(lazily(), tmp_path / "a", concurrency=2) as items:
            await anext(items)
            # One was taken; two are under way, two wait for the disk, three are there, two wait to be taken.
            assert len(pulled) <= 1 + 2 + 2 + 3 + 2
            async for _ in items:
                pass
        await collect(client.download_many(slowly(), tmp_path / "b", concurrency=4))
    check(tmp_path / "a")
    check(tmp_path / "b")


async def test_a_source_iterator_that_fails(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    fill(ftp_server)

    def broken() -> Iterator[str]:
        yield "d0/f0"
        raise ZeroDivisionError("mine")

    async with ftp() as client:
        with pytest.raises(ZeroDivisionError, match="mine"):
            await collect(client.download_many(broken(), tmp_path, concurrency=3))
        assert client.stats.in_use == 0
        assert await client.read_bytes("d1/f1") == BODIES["d1/f1"]


async def test_left_early(
    ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path, eventually: Callable[..., Any]
) -> None:
    fill(ftp_server)
    async with ftp(limits=PoolLimits(max_connections=2)) as client:
        async with client.download_many(list(BODIES), tmp_path, concurrency=4) as items:
            async for item in items:
                item.raise_for_error()
                break
        assert (client.stats.in_use, client.stats.waiting, client.stats.connecting) == (0, 0, 0)
        assert await client.read_bytes("d1/f1") == BODIES["d1/f1"]
    done = [path for path in tmp_path.rglob("f*") if path.suffix == "" and path.is_file()]
    for path in done:
        if "ftp" not in path.parts:
            assert path.read_bytes() == BODIES[str(path.relative_to(tmp_path))]


async def test_dropped_or_without_async_with(
    ftp_server: FTPTarget,
    ftp: MakeClient,
    tmp_path: Path,
    anyio_backend_name: str,
    eventually: Callable[..., Any],
) -> None:
    fill(ftp_server)
    async with ftp(limits=PoolLimits(max_connections=2)) as client:
        stream = client.download_many(list(BODIES), tmp_path / "out")
        if anyio_backend_name == "trio":
            with pytest.raises(ConfigurationError, match="async with"):
                await anext(stream)
            return
        await anext(stream)
        del stream
        gc.collect()
        await eventually(lambda: (client.stats.in_use, client.stats.waiting) == (0, 0))
        found = [item async for item in client.download_many(list(BODIES), tmp_path / "all")]
        assert len(found) == len(BODIES)
    check(tmp_path / "all")


async def test_resume_progress_and_options(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    fill(ftp_server)
    seen: dict[str, int] = {}
    async with ftp() as client:
        items = await collect(
            client.download_many(
                list(BODIES),
                tmp_path,
                resume=True,
                verify="strict",
                progress=lambda progress: seen.update({progress.source: progress.transferred}),
            )
        )
        assert all(item.error is None for item in items.values())
    assert seen == {name: len(body) for name, body in BODIES.items() if body}


async def test_nothing_at_all(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    async with ftp() as client:
        assert await collect(client.download_many([], tmp_path)) == {}
        assert await collect(client.upload_many([], "d")) == {}
        assert client.stats.opened == 0
    assert os.listdir(ftp_server.root) == []


async def test_bad_arguments(embedded: Embedded, tmp_path: Path) -> None:
    server = embedded()
    async with FTPClient(server.url, tls="none") as client:
        for call in (client.download_many, client.upload_many):
            for sources, options in (("one", {}), (b"one", {}), (["f"], {"concurrency": 0}), (7, {})):
                with pytest.raises(ConfigurationError):
                    call(sources, "x", **options)  # type: ignore[operator]
        with pytest.raises(ConfigurationError):
            client.upload_many(Path("one"), "x")  # type: ignore[arg-type]
        assert client.stats.opened == 0
    assert server.stats.connections == 0
