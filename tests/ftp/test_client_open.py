"""``open()``: reading a remote file piece by piece."""

from __future__ import annotations

import gc
from collections.abc import Callable

import pytest

from netclients import ConfigurationError, FTPClient, RemoteFileNotFound, RemoteIsADirectory, RetryPolicy
from netclients.testing import CutData, FTPServer
from tests.servers import FTPTarget

pytestmark = pytest.mark.anyio

MakeClient = Callable[..., FTPClient]
Embedded = Callable[..., FTPServer]

BODY = (bytes(range(251)) * 12_000)[:3_000_011]


async def test_read_and_iterate(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("f", BODY)
    async with ftp() as client:
        async with client.open("f", "rb", offset=100) as file:
            assert (file.name, file.size, file.tell()) == ("f", len(BODY), 100)
            assert await file.read(10) == BODY[100:110]
            assert await file.read(0) == b""
            assert file.tell() == 110
            buffer = bytearray(1_000_000)
            count = await file.readinto(buffer)
            assert 0 < count <= len(buffer)
            assert buffer[:count] == BODY[110 : 110 + count]
            rest = [chunk async for chunk in file]
            assert all(rest)
            assert b"".join(rest) == BODY[110 + count :]
            assert await file.read(5) == await file.read() == b""
            assert file.tell() == len(BODY)
        async with client.open("f") as file:
            assert await file.read(1_500_000) == BODY[:1_500_000]
            assert await file.read() == BODY[1_500_000:]
        assert (client.stats.opened, client.stats.idle) == (1, 1)


@pytest.mark.parametrize("back", [0, 1, 1000])
async def test_an_offset_at_or_near_the_end(ftp_server: FTPTarget, ftp: MakeClient, back: int) -> None:
    ftp_server.put("f", BODY)
    async with ftp() as client:
        async with client.open("f", offset=len(BODY) - back) as file:
            assert await file.read() == BODY[len(BODY) - back :]
            assert file.tell() == len(BODY)
        assert await client.read_bytes("f") == BODY
        assert client.stats.in_use == 0


async def test_an_offset_beyond_the_end_reads_nothing(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("f", BODY)
    async with ftp() as client:
        async with client.open("f", offset=len(BODY) + 10) as file:
            assert await file.read(10) == b""
        assert await client.read_bytes("f") == BODY
        assert client.stats.in_use == 0


async def test_an_empty_file(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("f", b"")
    async with ftp() as client:
        async with client.open("f") as file:
            assert await file.read() == b""
            assert [chunk async for chunk in file] == []
        async with client.open("f", offset=5) as file:
            assert await file.read() == b""


async def test_closed_early(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("f", BODY)
    async with ftp() as client:
        async with client.open("f") as file:
            assert await file.read(10) == BODY[:10]
        assert client.stats.in_use == 0
        with pytest.raises(ConfigurationError, match="closed"):
            await file.read(1)
        assert await client.read_bytes("f") == BODY
        async with client.open("f") as file:
            async for chunk in file:
                assert BODY.startswith(chunk)
                break
        assert await client.read_bytes("f") == BODY
        async with client.open("f"):
            pass
        assert await client.read_bytes("f") == BODY
        assert client.stats.in_use == 0


async def test_without_async_with(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("f", BODY)
    async with ftp() as client:
        file = client.open("f")
        assert client.stats.opened == 0
        assert await file.read(10) == BODY[:10]
        assert client.stats.in_use == 1
        await file.aclose()
        assert client.stats.in_use == 0
        file = client.open("f")
        await file.read(10)
        del file
        gc.collect()
        assert client.stats.in_use == 0
        assert await client.read_bytes("f") == BODY


async def test_two_files_at_once(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("a", BODY)
    ftp_server.put("b", BODY[::-1])
    async with ftp() as client:
        async with client.open("a") as one, client.open("b") as two:
            for start in range(0, 500_000, 100_000):
                assert await one.read(100_000) == BODY[start : start + 100_000]
                assert await two.read(100_000) == BODY[::-1][start : start + 100_000]
        assert client.stats.in_use == 0


async def test_refusals(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("d/f", b"x")
    async with ftp() as client:
        with pytest.raises(ConfigurationError):
            client.open("d/f", offset=-1)
        with pytest.raises(ConfigurationError, match="wb"):
            client.open("d/f", "wb")  # type: ignore[arg-type]
        assert client.stats.opened == 0
        with pytest.raises(RemoteFileNotFound):
            async with client.open("missing"):
                pass
        with pytest.raises(RemoteFileNotFound):
            await client.open("missing").read(1)
        with pytest.raises(RemoteIsADirectory):
            async with client.open("d"):
                pass
        assert client.stats.in_use == 0
        assert await client.read_bytes("d/f") == b"x"


async def test_a_cut_connection_is_made_up_for(embedded: Embedded) -> None:
    server = embedded(faults=[CutData(after=1_000_000, times=2)])
    (server.root / "f").write_bytes(BODY)
    retry = RetryPolicy(attempts=3, initial=0.01, maximum=0.02)
    async with FTPClient(server.url, tls="none", retry=retry) as client:
        file = client.open("f", offset=11)
        assert await file.read() == BODY[11:]
        await file.aclose()
    assert server.stats.faults == 2
