"""``scandir()``: MLSD or LIST, whichever the server has, and what becomes of streams that are left early."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from netclients import Entry, FTPClient, PermanentReplyError, RemoteFileNotFound
from tests.servers import FTPTarget, RealServer

pytestmark = pytest.mark.anyio

MakeClient = Callable[..., FTPClient]

TIME = 1_700_000_000
MANY = 5_000


async def listed(client: FTPClient, path: str = ".") -> dict[str, Entry]:
    async with client.scandir(path) as entries:
        found = [entry async for entry in entries]
    assert len({entry.name for entry in found}) == len(found)
    return {entry.name: entry for entry in found}


def fill(server: FTPTarget, directory: str, count: int) -> set[str]:
    names = {f"file {number:05d}.txt" for number in range(count)}
    server.put(f"{directory}/last", b"")
    for name in names:
        (server.root / directory / name).touch()
    return names | {"last"}


async def test_kinds_sizes_and_times(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    now = datetime.now(UTC)
    os.utime(ftp_server.put("top/old", b"x" * 1234), (TIME, TIME))
    ftp_server.put("top/new", b"")
    ftp_server.put("top/.hidden", b"dot")
    ftp_server.put("top/sub/inner", b"deep")
    (ftp_server.root / "top" / "link").symlink_to("old")
    async with ftp() as client:
        found = await listed(client, "top")
        assert found.keys() == {"old", "new", ".hidden", "sub", "link"}
        for name, entry in found.items():
            assert (entry.path, entry.raw_name) == (f"top/{name}", name.encode())
        assert [found[name].size for name in ("old", "new", ".hidden")] == [1234, 0, 3]
        assert [found[name].is_file for name in ("old", "new", ".hidden")] == [True] * 3
        assert (found["sub"].is_dir, found["sub"].is_file) == (True, False)
        assert not found["link"].is_dir
        old, new = found["old"], found["new"]
        assert old.modified is not None
        assert old.modified.utcoffset() == timedelta(0)
        assert old.precision is not None
        assert abs(old.modified - datetime.fromtimestamp(TIME, UTC)) < old.precision
        assert new.modified is not None
        assert new.precision is not None
        assert abs(new.modified - now) < new.precision + timedelta(minutes=1)
        assert (old.mode is None) or old.mode == 0o644
        assert client.stats.opened == 1


async def test_links(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("d/file", b"12345")
    (ftp_server.root / "d" / "to-file").symlink_to("file")
    (ftp_server.root / "d" / "to-dir").symlink_to("../d")
    (ftp_server.root / "d" / "dangling").symlink_to("nowhere -> at all")
    async with ftp() as client:
        found = await listed(client, "d")
        # MLSD may describe what a link points to, or the link; LIST shows the link.
        assert found.keys() - {"dangling"} == {"file", "to-file", "to-dir"}
        assert found["to-file"].is_link or found["to-file"].is_file
        assert found["to-dir"].is_link or found["to-dir"].is_dir
        if "dangling" in found:
            assert not found["dangling"].is_dir
        assert await client.read_bytes("d/to-file") == b"12345"


async def test_paths_are_what_to_pass_on(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("a/b/f", b"here")
    async with ftp() as client, client.connection() as connection:
        home = (await connection.pwd()).rstrip("/")
        for shown, path in (
            (".", "a"),
            ("", "a"),
            ("a", "a/b"),
            ("a/b", "a/b/f"),
            ("a/b/", "a/b/f"),
            (f"{home}/a", f"{home}/a/b"),
        ):
            assert [entry.path for entry in (await listed(client, shown)).values()] == [path]
        async with ftp(path="a") as inner:
            assert [entry.path for entry in (await listed(inner)).values()] == ["b"]
            assert [entry.path for entry in (await listed(inner, "b")).values()] == ["b/f"]
            assert await inner.read_bytes("b/f") == b"here"


async def test_empty_missing_and_a_file(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("d/f", b"x")
    ftp_server.put("e/f", b"x").unlink()
    async with ftp() as client:
        assert await listed(client, "e") == {}
        for missing in ("missing", "d/missing", "missing/d"):
            with pytest.raises(RemoteFileNotFound):
                await listed(client, missing)
            with pytest.raises(RemoteFileNotFound):
                await anext(client.scandir(missing))
        with pytest.raises(PermanentReplyError) as caught:
            await listed(client, "d/f")
        assert not isinstance(caught.value, RemoteFileNotFound)
        assert (client.stats.in_use, client.stats.opened) == (0, 1)
        assert (await listed(client, "d")).keys() == {"f"}


# Not the embedded server, which runs as whoever runs the tests: root may enter everywhere.
async def test_a_forbidden_directory(real_ftp: RealServer, client_of: MakeClient) -> None:
    directory = real_ftp.put("d/f", b"x").parent
    os.chown(directory, 0, 0)
    directory.chmod(0o700)
    async with client_of(real_ftp) as client:
        with pytest.raises(PermanentReplyError) as caught:
            await listed(client, "d")
        assert not isinstance(caught.value, RemoteFileNotFound)
        assert (await listed(client)).keys() == {"d"}
        assert client.stats.opened == 1


async def test_many_entries(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    names = fill(ftp_server, "many", MANY)
    async with ftp() as client:
        found = await listed(client, "many")
        assert found.keys() == names
        assert client.stats.opened == 1


# Streams that are left early


async def leave_by_break(client: FTPClient) -> None:
    async with client.scandir("many") as entries:
        async for _ in entries:
            break


async def leave_by_aclose(client: FTPClient) -> None:
    entries = client.scandir("many")
    await anext(entries)
    await entries.aclose()
    await entries.aclose()
    assert [entry async for entry in entries] == []


async def leave_by_error(client: FTPClient) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with client.scandir("many") as entries:
            await anext(entries)
            raise ZeroDivisionError


async def leave_without_with(client: FTPClient) -> None:
    async for _ in client.scandir("many"):
        break
    gc.collect()


async def leave_by_dropping(client: FTPClient) -> None:
    entries = client.scandir("many")
    await anext(entries)
    assert client.stats.in_use == 1
    del entries
    gc.collect()


async def leave_before_the_start(client: FTPClient) -> None:
    async with client.scandir("many"):
        pass
    client.scandir("many")
    gc.collect()


LEAVE = [
    leave_by_break,
    leave_by_aclose,
    leave_by_error,
    leave_without_with,
    leave_by_dropping,
    leave_before_the_start,
]


async def test_left_early(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    fill(ftp_server, "many", 1000)
    ftp_server.put("f", b"x")
    async with ftp() as client:
        for leave in LEAVE:
            await leave(client)
            assert client.stats.in_use == 0, leave.__name__
            # The next one gets its own answer.
            assert await client.read_bytes("f") == b"x"
            assert (await listed(client)).keys() == {"f", "many"}
            assert client.stats.in_use == 0


async def test_to_the_end_without_async_with(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    names = fill(ftp_server, "d", 100)
    async with ftp() as client:
        entries = client.scandir("d")
        assert client.stats.opened == 0
        assert {entry.name async for entry in entries} == names
        assert (client.stats.in_use, client.stats.idle, client.stats.opened) == (0, 1, 1)
        with pytest.raises(StopAsyncIteration):
            await anext(entries)
