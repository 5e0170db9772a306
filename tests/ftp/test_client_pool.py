"""Connections of one client: how many, for how long, for whom, and what is left when it ends."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from netclients import (
    ConfigurationError,
    ConnectError,
    FTPClient,
    NetClientError,
    PoolLimits,
    PoolTimeout,
    RetryPolicy,
    Timeouts,
)
from netclients.testing import Delay, FTPServer, Hangup
from tests.servers import FTPTarget

pytestmark = pytest.mark.anyio

MakeClient = Callable[..., FTPClient]
Embedded = Callable[..., FTPServer]
Eventually = Callable[..., Any]

REPOSITORY = Path(__file__).parents[2]


def client_for(server: FTPServer, **options: Any) -> FTPClient:
    options.setdefault("retry", RetryPolicy(attempts=1))
    (server.root / "f").write_bytes(b"x")
    return FTPClient(server.url, tls="none", **options)


async def many(client: FTPClient, count: int) -> None:
    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(client.read_bytes, "f")


# How many


async def test_max_connections(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("f", b"x" * 100_000)
    async with ftp(limits=PoolLimits(max_connections=2)) as client:
        await many(client, 20)
        stats = client.stats
        assert (stats.opened, stats.open, stats.idle, stats.in_use, stats.waiting) == (2, 2, 2, 0, 0)
        assert stats.waits >= 10
        assert stats.wait_seconds > 0


async def test_one_connection_serves_one_after_the_other(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("f", b"x")
    async with ftp(limits=PoolLimits(max_connections=1)) as client:
        await many(client, 10)
        await client.upload(b"y", "g")
        await client.rename("g", "h")
        assert await client.exists("h")
        assert client.stats.opened == 1


async def test_max_idle(embedded: Embedded, eventually: Eventually) -> None:
    server = embedded(faults=[Delay("RETR", seconds=0.05)])
    async with client_for(server, limits=PoolLimits(max_connections=4, max_idle=1)) as client:
        await many(client, 8)
        assert (client.stats.opened, client.stats.idle) == (4, 1)
        await eventually(lambda: server.stats.connections_open == 1)


async def test_max_uses(embedded: Embedded) -> None:
    server = embedded()
    async with client_for(server, limits=PoolLimits(max_uses=2)) as client:
        for _ in range(5):
            await client.read_bytes("f")
        assert client.stats.opened == 3
    assert server.stats.commands["PASS"] == 3
    assert server.stats.commands["RETR"] == 5


# For how long


async def test_idle_timeout(embedded: Embedded, eventually: Eventually) -> None:
    server = embedded()
    async with client_for(server, limits=PoolLimits(idle_timeout=0.001)) as client:
        await client.read_bytes("f")
        await anyio.sleep(0.002)
        await client.read_bytes("f")
        assert client.stats.opened == 2
        await eventually(lambda: server.stats.connections_open == 1)


async def test_max_age(embedded: Embedded) -> None:
    server = embedded()
    async with client_for(server, limits=PoolLimits(max_age=0.001)) as client:
        for _ in range(3):
            await client.read_bytes("f")
            await anyio.sleep(0.002)
        assert client.stats.opened == 3


async def test_probe_after(embedded: Embedded, eventually: Eventually) -> None:
    server = embedded()
    async with client_for(server, limits=PoolLimits(probe_after=0.02)) as client:
        await client.read_bytes("f")
        await anyio.sleep(0.03)
        await client.read_bytes("f")
        assert (client.stats.opened, server.stats.commands["NOOP"]) == (1, 1)
        server.set_faults([Hangup("NOOP")])
        await anyio.sleep(0.03)
        await client.read_bytes("f")
        assert client.stats.opened == 2


async def test_connections_that_the_server_closed(embedded: Embedded, eventually: Eventually) -> None:
    server = embedded(faults=[Delay("RETR", seconds=0.05)])
    # The server may be done with a connection before its end has come here: then it takes a second attempt.
    retry = RetryPolicy(attempts=2, initial=0.01, maximum=0.02)
    async with client_for(server, limits=PoolLimits(max_connections=3), retry=retry) as client:
        for reset in (True, False):
            await many(client, 3)
            assert client.stats.idle == 3
            assert server.sever(reset=reset) == 3
            await eventually(lambda: server.stats.connections_open == 0)
            assert await client.read_bytes("f") == b"x"
        assert client.stats.open == 1


# Waiting


async def test_pool_timeout(embedded: Embedded) -> None:
    server = embedded()
    limits = PoolLimits(max_connections=1)
    async with client_for(server, limits=limits, timeouts=Timeouts(pool=0.05)) as client:
        async with client.connection():
            with pytest.raises(PoolTimeout) as caught:
                await client.read_bytes("f")
            assert isinstance(caught.value, TimeoutError)
            assert (caught.value.phase, caught.value.seconds) == ("pool", 0.05)
        assert client.stats.waiting == 0
        assert await client.read_bytes("f") == b"x"


async def test_max_waiting(embedded: Embedded, eventually: Eventually) -> None:
    server = embedded()
    async with client_for(server, limits=PoolLimits(max_connections=1, max_waiting=2)) as client:
        async with anyio.create_task_group() as group, client.connection():
            for _ in range(2):
                group.start_soon(client.read_bytes, "f")
            await eventually(lambda: client.stats.waiting == 2)
            with pytest.raises(PoolTimeout, match="wait"):
                await client.read_bytes("f")
        assert (client.stats.waiting, client.stats.in_use, client.stats.opened) == (0, 0, 1)


async def test_first_come_first_served(embedded: Embedded, eventually: Eventually) -> None:
    server = embedded()
    order: list[int] = []
    async with client_for(server, limits=PoolLimits(max_connections=1)) as client:

        async def one(number: int) -> None:
            await client.read_bytes("f")
            order.append(number)

        async with anyio.create_task_group() as group, client.connection():
            for number in range(8):
                group.start_soon(one, number)
                await eventually(lambda count=number + 1: client.stats.waiting == count)
    assert order == list(range(8))


async def test_nobody_there(embedded: Embedded) -> None:
    server = embedded()
    server.__exit__(None, None, None)
    server.__enter__()  # on another port
    url = f"ftp://127.0.0.1:{1}"
    async with FTPClient(url, retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(ConnectError):
            await client.read_bytes("f")
        assert (client.stats.open, client.stats.connecting) == (0, 0)


# Life


async def test_a_closed_client(embedded: Embedded, eventually: Eventually) -> None:
    server = embedded()
    client = client_for(server)
    await client.read_bytes("f")
    await client.aclose()
    await client.aclose()
    for call in (lambda: client.read_bytes("f"), lambda: client.exists("f"), lambda: anext(client.scandir())):
        with pytest.raises(ConfigurationError, match="closed"):
            await call()
    assert client.stats.open == 0
    await eventually(lambda: server.stats.connections_open == 0)
    assert server.stats.commands["QUIT"] == 1


async def test_closed_under_those_who_work_and_wait(embedded: Embedded, eventually: Eventually) -> None:
    server = embedded(faults=[Delay("RETR", seconds=5)])
    client = client_for(server, limits=PoolLimits(max_connections=1))
    errors: list[NetClientError] = []

    async def one() -> None:
        try:
            await client.read_bytes("f")
        except NetClientError as error:
            errors.append(error)

    with anyio.fail_after(4):
        async with anyio.create_task_group() as group:
            group.start_soon(one)
            group.start_soon(one)
            await eventually(lambda: server.stats.commands.get("RETR") == 1 and client.stats.waiting == 1)
            await client.aclose()
    assert len(errors) == 2
    assert (client.stats.open, client.stats.in_use, client.stats.waiting) == (0, 0, 0)


async def test_a_dropped_client(embedded: Embedded, eventually: Eventually) -> None:
    server = embedded()
    client = client_for(server)
    await client.read_bytes("f")
    del client
    gc.collect()
    await eventually(lambda: server.stats.connections_open == 0)


async def test_entered_in_one_task_left_in_another(embedded: Embedded) -> None:
    server = embedded()
    client = client_for(server)

    async def enter() -> None:
        await client.__aenter__()
        assert await client.read_bytes("f") == b"x"

    async def leave() -> None:
        assert await client.read_bytes("f") == b"x"
        await client.__aexit__(None, None, None)

    for step in (enter, leave):
        async with anyio.create_task_group() as group:
            group.start_soon(step)
    assert (client.stats.opened, client.stats.open) == (1, 0)


# Not on the loops of the fixture: it makes its own.
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
def test_one_event_loop_after_another(embedded: Embedded, anyio_backend: object) -> None:
    server = embedded()
    client = client_for(server)
    for _ in range(3):
        assert asyncio.run(client.read_bytes("f")) == b"x"
    assert anyio.run(client.read_bytes, "f", backend="trio") == b"x"
    asyncio.run(client.aclose())
    assert client.stats.open == 0


FORK = """
import asyncio, os, sys
from netclients import FTPClient

async def main():
    client = FTPClient(sys.argv[1], tls="none")
    assert await client.read_bytes("f") == b"x"
    return client

client = asyncio.run(main())
child = os.fork()
async def again():
    for _ in range(3):
        assert await client.read_bytes("f") == b"x"
    return client.stats.opened
opened = asyncio.run(again())
if not child:
    assert opened == 2, opened    # one of its own
    os._exit(0)
assert opened == 1, opened        # the old one, undisturbed
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_fork(embedded: Embedded, anyio_backend: object) -> None:
    server = embedded()
    (server.root / "f").write_bytes(b"x")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FORK, server.url],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert server.stats.commands["PASS"] == 2
