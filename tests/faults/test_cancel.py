"""Every call is cancelled at every place where it waits; then at random, many at once."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import anyio
import pytest

from netclients import FTPClient
from netclients.testing import Delay, FTPServer, cancel_everywhere, random_cancellations
from tests.faults.harness import (
    THRICE,
    assert_at_rest,
    client_of,
    context_for,
    descriptors,
    settles,
)
from tests.faults.operations import DATA, NAMES, OPERATIONS, Operation, Stage, set_stage
from tests.faults.report import POINTS
from tests.servers import FTPTarget

pytestmark = [pytest.mark.anyio]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    root, local = tmp_path / "ftp", tmp_path / "local"
    root.mkdir()
    local.mkdir()
    # A server in a thread may answer before the client looks: then there is nothing to cancel.
    slow = [Delay("*", seconds=0.001)]
    with FTPServer(root, users={"alice": "alicepw"}, tls="explicit", faults=slow) as server:
        yield set_stage(target_of(server, root), local)


def target_of(server: FTPServer, root: Path) -> FTPTarget:
    return FTPTarget(
        name="embedded",
        host=server.host,
        port=server.port,
        user="alice",
        password="alicepw",
        tls_mode="optional",
        ca_file=Path(server.ca_file),
        root=root,
    )


Call = Callable[[FTPClient, Stage], Awaitable[object]]


async def _connection(client: FTPClient, stage: Stage) -> None:
    async with client.connection() as connection:
        assert await connection.size("file.bin") == len(DATA)
        assert (await connection.stat()).kind == 2


async def _stat(client: FTPClient, stage: Stage) -> None:
    assert (await client.stat("file.bin")).size == len(DATA)


async def _exists(client: FTPClient, stage: Stage) -> None:
    assert not await client.exists("nowhere.bin")


async def _makedirs(client: FTPClient, stage: Stage) -> None:
    shutil.rmtree(stage.server.root / "made", ignore_errors=True)
    await client.makedirs("made/deep")


async def _download_many(client: FTPClient, stage: Stage) -> None:
    sources = ["file.bin", "probe.txt", *(f"listed/{name}" for name in NAMES)]
    async with client.download_many(sources, stage.local / "many", concurrency=3) as items:
        async for item in items:
            item.raise_for_error()


async def _upload_many(client: FTPClient, stage: Stage) -> None:
    sources = [stage.local / f"source{number}" for number in range(3)]
    for source in sources:
        source.write_bytes(DATA)
    async with client.upload_many(sources, "uploaded", concurrency=2) as items:
        async for item in items:
            item.raise_for_error()


async def _many_at_once(client: FTPClient, stage: Stage) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(client.read_bytes, "probe.txt")


CALLS: dict[str, Call] = {
    "connection": _connection,
    "stat": _stat,
    "exists": _exists,
    "makedirs": _makedirs,
    "download_many": _download_many,
    "upload_many": _upload_many,
    "many at once": _many_at_once,
}


def check_files(stage: Stage, *, partial: bool) -> None:
    """No file under a final name is half written, here or there."""
    for place in (stage.server.root, stage.local):
        for path in place.rglob("*"):
            if path.is_file() and path.suffix == ".bin":
                content = path.read_bytes()
                assert stage.data.startswith(content) if partial else content == stage.data, path


async def cancelled_everywhere(
    label: str, client: FTPClient, stage: Stage, call: Callable[[], Awaitable[object]], limit: int
) -> None:
    before = descriptors()

    async def check() -> None:
        # Workers that were cancelled in another task need a moment of the loop.
        assert await settles(lambda: not client.stats.in_use, 2), client.stats
        assert_at_rest(client)
        check_files(stage, partial="without rename" in label)
        assert await client.read_bytes("probe.txt") == b"the right answer"
        assert_at_rest(client)

    done = await cancel_everywhere(call, check=check, limit=limit)
    POINTS[f"cancelled: {label}"] += done.points
    assert done.points >= 1
    assert done.cancelled > 0
    await client.aclose()
    assert await settles(lambda: len(leaked(before)) == 0), leaked(before)


def leaked(before: set[str]) -> set[str]:
    return {name for name in descriptors() - before if "socket" in name or "/local/" in name}


@pytest.mark.parametrize("tls", ["none", "starttls"])
@pytest.mark.parametrize("warm", [False, True], ids=["connects", "connected"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_operation(stage: Stage, operation: Operation, warm: bool, tls: str) -> None:
    if (tls != "none" or not warm) and operation.name not in ("download to a file", "upload", "scandir"):
        pytest.skip("three operations show the rest")
    context = None if tls == "none" else context_for(stage.server)

    async def call() -> None:
        client = warmed if warm else client_of(stage.server, tls=tls, retry=THRICE, context=context)
        operation.prepare(stage)
        try:
            result = await operation.run(client, stage)
        finally:
            assert_at_rest(client, "in the call itself")
            if not warm:
                await client.aclose()
        operation.done(stage, result)

    warmed = client_of(stage.server, tls=tls, retry=THRICE, context=context)
    label = f"{operation.name}{'' if tls == 'none' else ' over TLS'}"
    await cancelled_everywhere(label, warmed, stage, call, 12)


@pytest.mark.parametrize("name", CALLS)
async def test_call(stage: Stage, name: str) -> None:
    client = client_of(stage.server, retry=THRICE)
    await cancelled_everywhere(name, client, stage, lambda: CALLS[name](client, stage), 12)


@pytest.fixture
def large(tmp_path: Path) -> Iterator[tuple[FTPTarget, list[bytes]]]:
    root = tmp_path / "large"
    root.mkdir()
    contents = [(b"%04d" % number) * (1 + 3000 * (number % 7)) for number in range(40)]
    for number, content in enumerate(contents):
        (root / f"{number}.dat").write_bytes(content)
        (root / f"d{number}").mkdir()
        (root / f"d{number}" / f"only{number}").write_bytes(b"")
    with FTPServer(root, users={"alice": "alicepw"}) as server:
        yield target_of(server, root), contents


async def test_thousand_random_cancellations_under_load(large: tuple[FTPTarget, list[bytes]], tmp_path: Path) -> None:
    server, contents = large
    client = client_of(server, retry=THRICE, connections=4)
    before = descriptors()

    async def call(number: int) -> None:
        """Every answer must be this call's own."""
        index = number % 40
        content = contents[index]
        match number % 7:
            case 0:
                assert await client.read_bytes(f"{index}.dat") == content
            case 1:
                await client.download(f"{index}.dat", tmp_path / f"got{number}")
                assert (tmp_path / f"got{number}").read_bytes() == content
            case 2:
                assert (await client.stat(f"{index}.dat")).size == len(content)
            case 3:
                async with client.scandir(f"d{index}") as entries:
                    assert [entry.name async for entry in entries] == [f"only{index}"]
            case 4:
                async with client.connection() as connection:
                    assert await connection.size(f"{index}.dat") == len(content)
            case 5:
                await client.upload(content, f"up{number}")
                assert (server.root / f"up{number}").read_bytes() == content
            case _:
                async with client.open(f"{index}.dat", offset=2) as file:
                    assert await file.read() == content[2:]

    async def check() -> None:
        assert_at_rest(client)
        assert client.stats.open <= 4
        for number in range(7):
            await call(number)
        assert_at_rest(client)

    done = await random_cancellations(call, check=check, calls=2000, concurrency=16, seed=7)
    POINTS["cancelled: at random"] += done.points
    assert done.cancelled >= 1000
    for path in tmp_path.glob("got*"):
        if not path.name.endswith((".part", ".json")):
            assert path.read_bytes() == contents[int(path.name[3:]) % 40]
    for path in server.root.glob("up*"):
        if path.suffix != ".part":
            assert path.read_bytes() == contents[int(path.name[2:]) % 40]
    await client.aclose()
    assert await settles(lambda: len(leaked(before)) == 0), leaked(before)
