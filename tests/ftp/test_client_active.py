"""Active mode: the server opens the data connections."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netclients import ConfigurationError, FTPClient, NetClientError, PoolLimits, RemoteFileNotFound
from netclients.testing import FTPServer
from netclients.testing import Reply as Answer
from tests.servers import FTPTarget, RealServer

pytestmark = pytest.mark.anyio

MakeClient = Callable[..., FTPClient]
Embedded = Callable[..., FTPServer]
KeptServers = Callable[..., RealServer]

BODY = (bytes(range(251)) * 4_000)[:1_000_003]


@pytest.mark.parametrize("tls", ["none", "starttls"])
async def test_transfers(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path, tls: str, recorder: Any) -> None:
    ftp_server.put("f", BODY)
    options: dict[str, Any] = {} if tls == "none" else {"ssl_context": ftp_server.ssl_context()}
    async with ftp(tls=tls, active=True, events=recorder, **options) as client:
        done = await client.download("f", tmp_path / "out")
        assert (done.size, done.verified) == (len(BODY), True)
        assert (tmp_path / "out").read_bytes() == BODY
        await client.upload(BODY, "up")
        assert (ftp_server.root / "up").read_bytes() == BODY
        async with client.scandir() as entries:
            assert {entry.name async for entry in entries} == {"f", "up"}
        with pytest.raises(RemoteFileNotFound):
            await client.read_bytes("missing")
        async with client.open("f", offset=7) as file:
            assert await file.read(5) == BODY[7:12]
        names = [f"g{number}" for number in range(12)]
        for name in names:
            ftp_server.put(name, name.encode())
        async with client.download_many(names, tmp_path / "many", concurrency=4) as items:
            assert [item.error async for item in items] == [None] * 12
    assert {path.read_text() for path in (tmp_path / "many").iterdir()} == set(names)
    assert set(recorder.verbs) & {"PASV", "EPSV"} == set()
    assert "EPRT" in recorder.verbs


async def test_a_server_without_passive_mode(
    kept_servers: KeptServers, client_of: MakeClient, vsftpd: RealServer
) -> None:
    server = kept_servers("vsftpd", PASV="no")
    server.put("f", BODY)
    async with client_of(server) as client:
        with pytest.raises(NetClientError):
            await client.read_bytes("f")
        assert client.stats.in_use == 0
    async with client_of(server, active=True, limits=PoolLimits(max_connections=1)) as client:
        assert await client.read_bytes("f") == BODY


async def test_port_where_eprt_is_not_known(embedded: Embedded) -> None:
    server = embedded(without={"EPRT"})
    (server.root / "f").write_bytes(BODY)
    async with FTPClient(server.url, tls="none", active=True) as client:
        assert await client.read_bytes("f") == BODY
        await client.upload(BODY, "up")
    assert (server.root / "up").read_bytes() == BODY
    assert server.stats.commands["PORT"] == 2


async def test_a_server_that_refuses_active_mode(embedded: Embedded) -> None:
    server = embedded(faults=[Answer("EPRT", text="500 No."), Answer("PORT", text="500 Illegal PORT command.")])
    (server.root / "f").write_bytes(BODY)
    async with FTPClient(server.url, tls="none", active=True) as client:
        with pytest.raises(NetClientError, match="PORT"):
            await client.read_bytes("f")
        assert client.stats.in_use == 0


def test_not_through_a_proxy() -> None:
    with pytest.raises(ConfigurationError, match="proxy"):
        FTPClient("ftp://h", active=True, proxy="socks5://127.0.0.1:1")
