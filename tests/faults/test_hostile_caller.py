"""Callers that misbehave: what they raise comes out as it is, and the client stays usable."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from netclients import ConfigurationError, FTPClient, NetClientError, PoolLimits, PoolTimeout, Timeouts
from netclients.testing import CutData, Delay, FTPServer
from tests.faults.harness import DATA, ONCE, assert_at_rest, descriptors, settles
from tests.faults.operations import NAMES

pytestmark = [pytest.mark.anyio]

BIG = bytes(range(256)) * 40_000  # 10 MB


class Oops(Exception):
    pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FTPServer]:
    root = tmp_path / "ftp"
    (root / "listed").mkdir(parents=True)
    (root / "big.bin").write_bytes(BIG)
    (root / "file.bin").write_bytes(DATA)
    for number in range(200):
        (root / f"file{number}").write_bytes(b"%d" % number)
    for name in NAMES:
        (root / "listed" / name).write_bytes(b"")
    with FTPServer(root, users={"alice": "alicepw"}) as found:
        yield found


def client_for(server: FTPServer, connections: int = 1, **options: Any) -> FTPClient:
    options.setdefault("retry", ONCE)
    return FTPClient(server.url + "?tls=none", limits=PoolLimits(max_connections=connections), **options)


async def assert_usable(client: FTPClient) -> None:
    assert await settles(lambda: not client.stats.in_use, 2)
    assert_at_rest(client)
    assert await client.read_bytes("file1") == b"1"
    assert_at_rest(client)


# Sinks and progress


def _raise(_: object) -> None:
    raise Oops


async def _raise_async(_: object) -> None:
    await anyio.sleep(0)
    raise Oops


def _raise_base(_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("sink", "error"),
    [(_raise, Oops), (_raise_async, Oops), (_raise_base, KeyboardInterrupt)],
    ids=lambda of: of.__name__,
)
async def test_sinks_that_raise(server: FTPServer, sink: Any, error: type[BaseException]) -> None:
    async with client_for(server) as client:
        for name in ("big.bin", "file1"):
            with pytest.raises(error):
                await client.download(name, sink=sink)
            await assert_usable(client)


@pytest.mark.parametrize("awaits", [False, True])
async def test_sinks_that_keep_views(server: FTPServer, awaits: bool) -> None:
    """A kept view raises, or keeps what it showed: it never changes."""
    kept: list[tuple[memoryview, bytes]] = []

    def keep(view: memoryview) -> None:
        kept.append((view, bytes(view)))
        kept.append((view[:10], bytes(view[:10])))

    async def keep_async(view: memoryview) -> None:
        keep(view)
        await anyio.sleep(0)

    async with client_for(server) as client:
        await client.download("big.bin", sink=keep_async if awaits else keep)
        await client.download("big.bin", sink=lambda view: None)
        await assert_usable(client)
    assert b"".join(seen for _, seen in kept[::2]) == BIG
    for view, seen in kept:
        try:
            now = bytes(view)
        except ValueError:
            continue
        assert now == seen


async def test_a_sink_can_not_write(server: FTPServer) -> None:
    def write(view: memoryview) -> None:
        view[0] = 1  # type: ignore[index]

    async with client_for(server) as client:
        with pytest.raises(TypeError):
            await client.download("file1", sink=write)
        await assert_usable(client)


async def test_a_sink_that_cancels(server: FTPServer) -> None:
    async with client_for(server) as client:
        with anyio.CancelScope() as scope:
            await client.download("big.bin", sink=lambda view: scope.cancel())
        assert scope.cancel_called
        await assert_usable(client)


async def test_a_sink_that_uses_the_client(server: FTPServer) -> None:
    async def nested(view: memoryview) -> None:
        if not answers:
            answers.append(await client.read_bytes("file1"))

    answers: list[bytes] = []
    async with client_for(server, connections=2) as client:
        await client.download("big.bin", sink=nested)
        assert answers == [b"1"]
        await assert_usable(client)


async def test_progress_that_raises(server: FTPServer, tmp_path: Path) -> None:
    async with client_for(server) as client:
        with pytest.raises(Oops):
            await client.download("big.bin", tmp_path / "got", progress=_raise)
        await assert_usable(client)
        assert not (tmp_path / "got").exists()
        with pytest.raises(Oops):
            await client.upload(BIG, "up.bin", progress=_raise)
        await assert_usable(client)
        assert not await client.exists("up.bin")


# Sources


def _text() -> Iterator[Any]:
    yield b"good"
    yield "text"


def _broken() -> Iterator[bytes]:
    yield b"good"
    raise Oops


SOURCES: dict[str, tuple[Any, type[BaseException]]] = {
    "yields text": (_text, ConfigurationError),
    "raises": (_broken, Oops),
    "yields None": (lambda: iter([None]), ConfigurationError),
    "a number": (lambda: 5, ConfigurationError),
    "None": (lambda: None, ConfigurationError),
    "a missing path": (lambda: "/nowhere/at/all", OSError),
    "a directory": (lambda: "/", OSError),
}


@pytest.mark.parametrize("what", SOURCES)
async def test_bad_sources(server: FTPServer, what: str) -> None:
    make, error = SOURCES[what]
    async with client_for(server) as client:
        with pytest.raises(error):
            await client.upload(make(), "up.bin")
        await assert_usable(client)
        assert not await client.exists("up.bin")


async def test_empty_pieces_are_no_end(server: FTPServer) -> None:
    async with client_for(server) as client:
        await client.upload(iter([b"", b"a", b"", bytearray(b"b"), memoryview(b"c"), b""]), "up.bin")
        assert await client.read_bytes("up.bin") == b"abc"
        await client.upload(iter([]), "empty.bin")
        assert await client.read_bytes("empty.bin") == b""


GARBAGE: list[Any] = [None, 5, b"bytes", ["list"], "with\r\nnewline", "with\0nul", "with\nDELE file1"]


@pytest.mark.parametrize("path", GARBAGE, ids=repr)
async def test_garbage_paths(server: FTPServer, path: Any, tmp_path: Path) -> None:
    async with client_for(server) as client:
        calls = [
            lambda: client.download(path, tmp_path / "f"),
            lambda: client.upload(b"", path),
            lambda: client.stat(path),
            lambda: client.exists(path),
            lambda: client.remove(path),
            lambda: client.rename(path, "x"),
            lambda: client.rename("x", path),
            lambda: client.makedirs(path),
            lambda: client.read_bytes(path),
            lambda: anext(client.scandir(path)),
        ]
        for number, call in enumerate(calls):
            with pytest.raises((ConfigurationError, TypeError)):  # noqa: PT012
                await call()
                raise AssertionError(f"call {number} took it")
        await assert_usable(client)
        assert server.stats.commands.get("DELE", 0) == 0


# Closing, and too few connections


@pytest.mark.parametrize("limit_rate", [None, 200_000.0], ids=["full speed", "limited rate"])
@pytest.mark.parametrize("kind", ["file", "sink", "upload", "scandir"])
async def test_closing_in_the_middle(server: FTPServer, tmp_path: Path, kind: str, limit_rate: float | None) -> None:
    """Another task closes the client while data moves, or waits for its rate: an error of ours, soon."""
    before = descriptors()
    server.set_faults(
        [CutData(verb, after=after, how="stall") for verb, after in (("RETR", 100_000), ("MLSD", 50), ("STOR", 0))]
    )
    client = client_for(server, timeouts=Timeouts(stall=5, reply=5, complete=5))
    errors: list[BaseException] = []

    async def transfer() -> None:
        try:
            match kind:
                case "file":
                    await client.download("big.bin", tmp_path / "got", limit_rate=limit_rate)
                case "sink":
                    await client.download("big.bin", sink=lambda view: None, limit_rate=limit_rate)
                case "upload":
                    await client.upload(BIG, "up.bin", limit_rate=limit_rate)
                case _:
                    async for _ in client.scandir("."):
                        pass
        except NetClientError as error:
            errors.append(error)

    with anyio.fail_after(4):
        async with anyio.create_task_group() as group:
            group.start_soon(transfer)
            assert await settles(lambda: server.stats.data_connections == 1)
            await client.aclose()
    assert len(errors) == 1
    assert_at_rest(client)
    with pytest.raises(ConfigurationError):
        await client.stat("file1")
    assert await settles(lambda: not [name for name in descriptors() - before if "socket" in name])


async def test_two_streams_over_one_connection(server: FTPServer) -> None:
    async with client_for(server, timeouts=Timeouts(pool=0.2)) as client:
        async with client.scandir("listed") as first:
            await anext(first)
            with pytest.raises(PoolTimeout):
                await anext(client.scandir("listed"))
            with pytest.raises(PoolTimeout):
                await client.stat("file1")
        await assert_usable(client)


# Streams that are left


@pytest.mark.parametrize("how", ["break", "break without with", "drop", "raise", "aclose", "aclose twice", "reraise"])
@pytest.mark.parametrize("kind", ["scandir", "download_many", "open", "mlsd"])
async def test_leaving_streams(server: FTPServer, tmp_path: Path, kind: str, how: str, anyio_backend_name: str) -> None:
    before = descriptors()
    if kind == "download_many":
        server.set_faults([Delay("RETR", seconds=0.002)])
        if anyio_backend_name == "trio" and how in ("break without with", "drop"):
            pytest.skip("on trio, streams with workers need async with")
    client = client_for(server, connections=3)
    if kind == "mlsd":
        async with client.connection() as connection:
            await _leave(connection.mlsd("."), how)
    elif kind == "scandir":
        await _leave(client.scandir("."), how)
    elif kind == "open":
        await _leave(client.open("big.bin"), how)
    else:
        await _leave(client.download_many([f"file{n}" for n in range(200)], tmp_path / "out", concurrency=3), how)
    gc.collect()
    await assert_usable(client)
    await client.aclose()
    assert await settles(lambda: not [name for name in descriptors() - before if "socket" in name])
    for path in (tmp_path / "out").glob("*"):
        if path.suffix not in (".part", ".json"):
            assert path.read_bytes() == path.name.removeprefix("file").encode()


async def _leave(stream: Any, how: str) -> None:
    match how:
        case "break":
            async with stream:
                async for _ in stream:
                    break
        case "break without with":
            async for _ in stream:
                break
        case "drop":
            await anext(stream)
        case "raise":
            with pytest.raises(Oops):  # noqa: PT012
                async with stream:
                    async for _ in stream:
                        raise Oops
        case "reraise":
            with anyio.CancelScope() as scope:
                async with stream:
                    async for _ in stream:
                        scope.cancel()
        case _:
            async with stream:
                await anext(stream)
                await stream.aclose()
                if how == "aclose twice":
                    await stream.aclose()
