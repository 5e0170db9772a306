"""``FTPConnection``: each typed method, on each server that has the command."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from netclients import (
    ConfigurationError,
    Entry,
    FTPClient,
    FTPConnection,
    NetClientError,
    PermanentReplyError,
    UnsupportedError,
)
from netclients.ftp.types import TransferType
from tests.servers import FTPTarget

pytestmark = pytest.mark.anyio

MakeClient = Callable[..., FTPClient]

TIME = 1_700_000_000
BODY = bytes(range(256)) * 1000


async def receive(connection: FTPConnection, path: str, offset: int = 0) -> bytes:
    transfer = await connection.retr(path, offset=offset)
    body, buffer = bytearray(), bytearray(64 * 1024)
    while count := await transfer.receive_into(buffer):
        body += buffer[:count]
    assert (await transfer.finish(sending=False)).code in (226, 250)
    return bytes(body)


async def test_files_and_directories(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    os.utime(ftp_server.put("f", b"x" * 1234), (TIME, TIME))
    root = ftp_server.root
    async with ftp() as client, client.connection() as c:
        assert await c.size("f") == 1234
        assert await c.mdtm("f") == datetime.fromtimestamp(TIME, UTC)
        home = await c.pwd()
        assert home.startswith("/")
        await c.mkd("d")
        assert (root / "d").is_dir()
        await c.rename("f", "d/g")
        assert (root / "d" / "g").stat().st_size == 1234
        await c.cwd("d")
        assert (await c.pwd()).rstrip("/") == f"{home.rstrip('/')}/d"
        assert await c.size("g") == 1234
        await c.cdup()
        assert await c.pwd() == home
        await c.delete("d/g")
        await c.rmd("d")
        assert os.listdir(root) == []
        for call in (c.size, c.mdtm, c.delete, c.rmd, c.cwd):
            with pytest.raises(PermanentReplyError):
                await call("missing")
        with pytest.raises(PermanentReplyError):
            await c.rename("missing", "x")
        await c.noop()


async def test_facts_where_the_server_has_them(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("d/f", b"x" * 7)
    async with ftp() as client, client.connection() as c:
        if c.features.has("MLST"):
            entry = await c.mlst("d/f")
            assert (entry.name, entry.path, entry.size, entry.is_file) == ("f", "d/f", 7, True)
            async with c.mlsd("d") as entries:
                assert [(one.name, one.path, one.size) async for one in entries] == [("f", "d/f", 7)]
        else:
            assert ftp_server.name == "vsftpd"
            with pytest.raises(NetClientError):
                await c.mlst("d/f")
            with pytest.raises(NetClientError):
                await anext(c.mlsd("d"))
        stamp = datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC)
        if c.features.has("MFMT"):
            await c.mfmt("d/f", stamp)
            assert (ftp_server.root / "d" / "f").stat().st_mtime == stamp.timestamp()
        with pytest.raises(ConfigurationError, match="zone"):
            await c.mfmt("d/f", stamp.replace(tzinfo=None))
        await c.noop()


async def test_information(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    async with ftp() as client, client.connection() as c:
        features = await c.feat()
        assert features == c.features
        assert features.has("SIZE")
        assert features.has("REST", "STREAM")
        assert c.welcome
        for call in (c.syst, c.help):
            try:
                assert await call()
            except UnsupportedError:
                assert ftp_server.name in ("embedded", "pureftpd")
        if ftp_server.name != "embedded":
            assert (await c.stat()).code in (211, 212)
            assert (await c.site("HELP")).code in (214, 500, 501, 502)
        await c.noop()


async def test_listings(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("d/one", b"1")
    ftp_server.put("d/two", b"22")
    async with ftp() as client, client.connection() as c:
        async with c.list("d") as entries:
            listed: list[Entry] = [entry async for entry in entries]
        assert {(entry.name, entry.path, entry.size) for entry in listed} == {("one", "d/one", 1), ("two", "d/two", 2)}
        async with c.dir("d") as lines:
            raw = [line async for line in lines]
        assert sum("one" in line for line in raw) == 1
        await c.cwd("d")
        async with c.nlst() as names:
            assert {entry.name async for entry in names} == {"one", "two"}
        async with c.list() as entries:
            async for _ in entries:
                break
        # What was left unread has ended the connection.
        with pytest.raises(NetClientError):
            await c.noop()
    assert client.stats.open == 0


async def test_transfers(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("f", BODY)
    async with ftp() as client, client.connection() as c:
        assert await receive(c, "f") == BODY
        assert await receive(c, "f", offset=100_000) == BODY[100_000:]
        transfer = await c.stor("up")
        for start in range(0, len(BODY), 50_000):
            await transfer.send(BODY[start : start + 50_000])
        assert (await transfer.finish(sending=True)).code in (226, 250)
        assert (ftp_server.root / "up").read_bytes() == BODY
        transfer = await c.appe("up")
        await transfer.send(b"tail")
        await transfer.finish(sending=True)
        assert (ftp_server.root / "up").read_bytes() == BODY + b"tail"
        with pytest.raises(PermanentReplyError):
            await c.retr("missing")
        assert await receive(c, "f") == BODY
        assert client.stats.opened == 1


async def test_lines(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("t", "grün\nzwei\n".encode())

    async def lines() -> AsyncIterator[str]:
        for line in ("grün", "", "drei"):
            yield line

    async with ftp() as client, client.connection() as c:
        await c.storlines("up", lines())
        async with c.retrlines("t") as found:
            got = [line async for line in found]
        assert [line.rstrip("\r") for line in got] == ["grün", "zwei"]
    assert (ftp_server.root / "up").read_bytes().replace(b"\r\n", b"\n") == "grün\n\ndrei\n".encode()


async def test_passive_addresses(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    async with ftp() as client, client.connection() as c:
        extended, old = await c.epsv(), await c.pasv()
        assert extended.host is None
        assert old.host == "127.0.0.1"
        assert 0 < extended.port < 65536
        assert 0 < old.port < 65536


# Raw commands


async def test_raw_commands(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    async with ftp() as client, client.connection() as c:
        assert (await c.command("noop")).code == 200
        assert (await c.command("NONSENSE", "x")).kind == 5
        for words in (("NO OP",), ("",), ("NOOP\r\nDELE f",), ("SITE", "x\ny"), ("SITE", "x\0"), ("SIT\u00c9",)):
            with pytest.raises(ConfigurationError):
                await c.command(*words)
        for verb in ("RETR", "stor", "LIST", "APPE"):
            with pytest.raises(ConfigurationError, match="moves data"):
                await c.command(verb, "f")
        for verb in ("CCC", "ccc"):
            with pytest.raises(UnsupportedError, match="CCC"):
                await c.command(verb)
        await c.noop()


async def test_quit(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("f", b"x")
    async with ftp() as client:
        async with client.connection() as c:
            await c.quit()
            with pytest.raises(NetClientError):
                await c.noop()
        assert client.stats.open == 0
        assert await client.read_bytes("f") == b"x"


# State never reaches the next user


async def changed_directory(c: FTPConnection) -> None:
    await c.cwd("d")


async def changed_type(c: FTPConnection) -> None:
    await c.type(TransferType.ASCII)


async def raw_directory(c: FTPConnection) -> None:
    await c.command("CWD", "d")


async def raw_type(c: FTPConnection) -> None:
    await c.command("TYPE", "A")


async def raw_rest(c: FTPConnection) -> None:
    await c.command("REST", "3")


async def raw_rename_from(c: FTPConnection) -> None:
    await c.command("RNFR", "f")


async def to_parent(c: FTPConnection) -> None:
    await c.cwd("d")
    await c.cdup()


async def options(c: FTPConnection) -> None:
    await c.opts("UTF8", "ON")


async def half_a_transfer(c: FTPConnection) -> None:
    transfer = await c.retr("f")
    await transfer.receive_into(bytearray(1))


async def text(c: FTPConnection) -> None:
    async with c.retrlines("f") as lines:
        assert [line async for line in lines]


DIRTY = [
    changed_directory,
    changed_type,
    raw_directory,
    raw_type,
    raw_rest,
    raw_rename_from,
    to_parent,
    options,
    half_a_transfer,
    text,
]


@pytest.mark.parametrize("change", DIRTY, ids=lambda change: change.__name__)
async def test_a_changed_session_is_not_used_again(
    ftp_server: FTPTarget, ftp: MakeClient, change: Callable[[FTPConnection], Any]
) -> None:
    ftp_server.put("f", b"outer\r\n\n")
    ftp_server.put("d/f", b"inner")
    async with ftp() as client:
        async with client.connection() as c:
            try:
                await change(c)
            except UnsupportedError:
                assert change is options
        assert (client.stats.open, client.stats.opened) == (0, 1)
        assert await client.read_bytes("f") == b"outer\r\n\n"
        assert client.stats.opened == 2


async def test_a_clean_session_is_used_again(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("f", b"x")
    async with ftp() as client:
        async with client.connection() as c:
            await c.pwd()
            await c.size("f")
            assert await receive(c, "f") == b"x"
            await c.noop()
        async with client.connection() as again:
            assert again is c
        assert (client.stats.open, client.stats.opened) == (1, 1)
        with pytest.raises(ZeroDivisionError):
            async with client.connection():
                raise ZeroDivisionError
        assert (client.stats.in_use, client.stats.opened) == (0, 1)
