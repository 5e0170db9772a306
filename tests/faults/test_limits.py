"""A server with room for three, and 32 callers at once: everything arrives."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from netclients import AuthenticationError, FTPClient, PoolLimits, RetryPolicy
from netclients.testing import FTPServer
from tests.faults.harness import THRICE, assert_at_rest, settles
from tests.faults.report import POINTS
from tests.fix_servers import StartServer

pytestmark = [pytest.mark.anyio]


@pytest.mark.parametrize("limit", ["max_connections", "max_logins"], ids=["421", "530"])
@pytest.mark.parametrize("many", [False, True], ids=["download", "download_many"])
async def test_embedded(limit: str, many: bool, tmp_path: Path) -> None:
    root = tmp_path / "ftp"
    root.mkdir()
    contents = {f"f{number}": b"%d" % number * 5000 for number in range(32)}
    for name, content in contents.items():
        (root / name).write_bytes(content)
    with FTPServer(root, users={"alice": "alicepw"}, **{limit: 3}) as server:  # type: ignore[arg-type]
        client = FTPClient(server.url + "?tls=none", retry=THRICE, limits=PoolLimits(max_connections=32))
        if many:
            async with client.download_many(contents, tmp_path / "out", concurrency=32) as items:
                async for item in items:
                    item.raise_for_error()
        else:
            async with anyio.create_task_group() as group:
                for name in contents:
                    group.start_soon(client.download, name, tmp_path / "out" / name)
        assert_at_rest(client)
        assert {name: (tmp_path / "out" / name).read_bytes() for name in contents} == contents
        assert client.stats.open <= 3
        await client.aclose()
        assert await settles(lambda: server.stats.connections_open == 0)
    POINTS["embedded: 32 callers at a limit of 3"] += 1


@pytest.mark.servers("vsftpd", "proftpd", "pureftpd")
@pytest.mark.parametrize(
    ("name", "knobs"),
    [("vsftpd", {"MAX_CLIENTS": 3}), ("proftpd", {"MAX_CLIENTS": 3}), ("pureftpd", {"MAX_CLIENTS": 3})],
)
async def test_real(name: str, knobs: dict[str, int], start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(name, **knobs)
    contents = {f"f{number}": b"%d" % number * 5000 for number in range(32)}
    for file, content in contents.items():
        server.put(file, content)
    # The server forgets a session a little after it has ended: its start-up probe counts for a moment.
    patient = RetryPolicy(attempts=6, initial=0.2, maximum=1)
    client = FTPClient(server.url(tls="none"), retry=patient, limits=PoolLimits(max_connections=32))
    async with client.download_many(contents, tmp_path, concurrency=32) as items:
        async for item in items:
            item.raise_for_error()
    assert_at_rest(client)
    assert {file: (tmp_path / file).read_bytes() for file in contents} == contents
    await client.aclose()
    POINTS[f"{name}: 32 callers at a limit of 3"] += 1


async def test_a_wrong_password_is_tried_once_by_32_callers(tmp_path: Path) -> None:
    with FTPServer(tmp_path, users={"alice": "alicepw"}) as server:
        url = server.url.replace("alicepw", "wrong") + "?tls=none"
        client = FTPClient(url, retry=THRICE, limits=PoolLimits(max_connections=32))
        errors: list[Exception] = []

        async def ask() -> None:
            try:
                await client.stat("f")
            except AuthenticationError as error:
                errors.append(error)

        async with anyio.create_task_group() as group:
            for _ in range(32):
                group.start_soon(ask)
        assert len(errors) == 32
        assert server.stats.commands["PASS"] == 1
        assert_at_rest(client)
        await client.aclose()
