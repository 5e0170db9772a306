"""Servers that allow only so many connections, and passwords that are wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from netclients import AuthenticationError, FTPClient, PoolLimits, RetryPolicy, Timeouts, TooManyConnections
from netclients.testing import FTPServer
from tests.servers import FTPTarget, RealServer

pytestmark = pytest.mark.anyio

MakeClient = Callable[..., FTPClient]
Embedded = Callable[..., FTPServer]
KeptServers = Callable[..., RealServer]

NAMES = [f"f{number}" for number in range(32)]
BODIES = {name: os.urandom(300_000) for name in NAMES}
ALL = PoolLimits(max_connections=32)
AGAIN = RetryPolicy(attempts=5, initial=0.05, maximum=0.2)

LIMITED = {
    "vsftpd 421": ("vsftpd", {"MAX_CLIENTS": 3}),
    "vsftpd 421 per ip": ("vsftpd", {"MAX_PER_IP": 3}),
    "proftpd 530": ("proftpd", {"MAX_CLIENTS": 3}),
    "proftpd 530 per user": ("proftpd", {"MAX_PER_USER": 3}),
    "pureftpd 421": ("pureftpd", {"MAX_CLIENTS": 3}),
    "pureftpd 421 per user": ("pureftpd", {"MAX_PER_USER": 3}),
}


# Pure-FTPd counts late: all get in who log in before the last of those allowed is counted, and up to eight may.
MOST = {"pureftpd 421": 4, "pureftpd 421 per user": 2 + 8}


async def download_all(client: FTPClient, directory: Path) -> None:
    """32 at once, each by a task of its own."""

    async def one(name: str) -> None:
        done = await client.download(name, directory / name)
        assert done.size == len(BODIES[name])

    async with anyio.create_task_group() as group:
        for name in NAMES:
            group.start_soon(one, name)
    for name, body in BODIES.items():
        assert (directory / name).read_bytes() == body


@pytest.mark.parametrize("kind", LIMITED)
async def test_everything_arrives(
    kept_servers: KeptServers, client_of: MakeClient, tmp_path: Path, kind: str, recorder: Any
) -> None:
    name, knobs = LIMITED[kind]
    server = kept_servers(name, **knobs)
    for file, body in BODIES.items():
        server.put(file, body)
    async with client_of(server, limits=ALL, retry=AGAIN, events=recorder, timeouts=Timeouts(reply=2)) as client:
        await download_all(client, tmp_path)
        stats = client.stats
        most = MOST.get(kind, 3)
        assert 1 <= stats.open <= most
        # The first connections may have served all before the limit was ever met.
        if any("TooManyConnections" in str(call) for call in recorder.named("connection_closed")):
            assert stats.limit <= most
        assert (stats.in_use, stats.waiting, stats.connecting) == (0, 0, 0)
    if name != "pureftpd":
        # Its queue for new connections is as short as its limit: what does not fit in is never answered.
        assert recorder.named("retry") == []
    await gone(server)


async def gone(server: FTPTarget) -> None:
    """The next test's first connection is not to be one too many."""
    with anyio.fail_after(20):
        while True:
            try:
                async with FTPClient(server.url(), limits=PoolLimits(max_connections=3)) as client:
                    await client.exists("f0")
                    return
            except TooManyConnections:
                await anyio.sleep(0.05)


@pytest.mark.parametrize("limit", ["max_connections", "max_logins"])
async def test_everything_arrives_from_the_embedded_server(embedded: Embedded, tmp_path: Path, limit: str) -> None:
    server = embedded(**{limit: 3})
    for file, body in BODIES.items():
        (server.root / file).write_bytes(body)
    async with FTPClient(server.url, tls="none", limits=ALL, retry=AGAIN) as client:
        await download_all(client, tmp_path)
        async with client.download_many(NAMES, tmp_path / "many", concurrency=32) as items:
            assert [item.error async for item in items] == [None] * 32
    if limit == "max_connections":
        assert server.stats.commands["PASS"] == 3
    assert server.stats.logins == 3


async def test_others_hold_all_the_server_allows(embedded: Embedded) -> None:
    server = embedded(max_connections=1)
    (server.root / "f").write_bytes(b"x")
    async with FTPClient(server.url, tls="none") as other:
        assert await other.read_bytes("f") == b"x"
        async with FTPClient(server.url, tls="none", retry=RetryPolicy(attempts=2, initial=0.01)) as client:
            with pytest.raises(TooManyConnections):
                await client.read_bytes("f")
            assert client.stats.connecting == 0
            await other.aclose()
            with anyio.fail_after(10):
                while True:
                    try:
                        assert await client.read_bytes("f") == b"x"
                        break
                    except TooManyConnections:
                        await anyio.sleep(0.01)


# Wrong passwords


async def refused(client: FTPClient) -> list[Exception]:
    errors: list[Exception] = []

    async def one(name: str) -> None:
        try:
            await client.read_bytes(name)
        except AuthenticationError as error:
            errors.append(error)

    async with anyio.create_task_group() as group:
        for name in NAMES:
            group.start_soon(one, name)
    return errors


async def test_a_wrong_password_is_tried_once(embedded: Embedded, tmp_path: Path) -> None:
    server = embedded()
    url = server.url.replace("alicepw", "wrong")
    async with FTPClient(url, tls="none", limits=ALL, retry=AGAIN) as client:
        errors = await refused(client)
        assert len(errors) == len({id(error) for error in errors}) == 32
        async with client.download_many(NAMES, tmp_path, concurrency=32) as items:
            assert {type(item.error) async for item in items} == {AuthenticationError}
        with pytest.raises(AuthenticationError) as caught:
            await client.read_bytes("f0")
        assert (caught.value.code, "wrong" in str(caught.value)) == (530, False)
        assert client.stats.opened == 0
    assert server.stats.commands["PASS"] == 1
    assert server.stats.connections == 1


# Only on one loop: it costs seconds on each of them, and what it shows is the server's side.
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("name", ["vsftpd", "proftpd"])
async def test_a_wrong_password_is_tried_once_on_real_servers(
    kept_servers: KeptServers, anyio_backend: object, name: str
) -> None:
    server = kept_servers(name, LOG_PROTOCOL="yes")
    assert server.command_log is not None
    before = server.command_log.read_text() if server.command_log.exists() else ""
    url = server.url().replace(server.password, "wrong")
    async with FTPClient(url, limits=ALL, retry=AGAIN) as client:
        errors = await refused(client)
    assert len(errors) == 32
    log = server.command_log.read_text().removeprefix(before)
    assert log.count('FTP command: Client "127.0.0.1", "USER' if name == "vsftpd" else '"PASS') == 1


async def test_a_password_that_works_no_more(embedded: Embedded, tmp_path: Path) -> None:
    server = embedded()
    (server.root / "f0").write_bytes(b"x")
    async with FTPClient(server.url, auth=("alice", "wrong"), tls="none") as client:
        with pytest.raises(AuthenticationError):
            await client.read_bytes("f0")
    async with FTPClient(server.url, auth=("alice", "alicepw"), tls="none") as client:
        assert await client.read_bytes("f0") == b"x"
