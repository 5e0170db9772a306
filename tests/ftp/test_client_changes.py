"""``stat``, ``exists``, ``rename``, ``remove`` and ``makedirs``: what they say, and what is on disk afterwards."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import pytest

from netclients import (
    FTPClient,
    NetClientError,
    OutcomeUnknown,
    PermanentReplyError,
    PoolLimits,
    ProtocolError,
    RemoteFileNotFound,
    RemoteIsADirectory,
    ReplyError,
    RetryPolicy,
)
from netclients.ftp.connection import FTPConnection
from netclients.testing import FTPServer, Hangup
from netclients.testing import Reply as Answer
from tests.faults.hostile import Answer as HostileAnswer
from tests.faults.hostile import HostileServer, Session
from tests.servers import FTPTarget, RealServer

pytestmark = pytest.mark.anyio

MakeClient = Callable[..., FTPClient]
Embedded = Callable[..., FTPServer]

TIME = 1_700_000_000
AGAIN = RetryPolicy(attempts=3, initial=0.01, maximum=0.02)


# stat, exists


async def test_stat(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    os.utime(ftp_server.put("d/f", b"x" * 1234), (TIME, TIME))
    async with ftp() as client:
        info = await client.stat("d/f")
        assert (info.name, info.path, info.is_file, info.size) == ("f", "d/f", True, 1234)
        assert info.modified == datetime.fromtimestamp(TIME, UTC)
        info = await client.stat("d")
        assert (info.name, info.path, info.is_dir) == ("d", "d", True)
        async with client.connection() as connection:
            home = (await connection.pwd()).rstrip("/")
        info = await client.stat(f"{home}/d/f")
        assert (info.name, info.path, info.size) == ("f", f"{home}/d/f", 1234)
        for missing in ("missing", "d/missing", "missing/f"):
            with pytest.raises(RemoteFileNotFound) as caught:
                await client.stat(missing)
            assert isinstance(caught.value, FileNotFoundError)
        assert client.stats.opened == 1


async def test_stat_of_directories_by_other_names(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("d/f", b"x")
    async with ftp() as client:
        for path in (".", "", "/", "d/"):
            info = await client.stat(path)
            assert (info.is_dir, info.path) == (True, path)
            assert await client.exists(path)
        assert client.stats.opened == 1


async def test_exists(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("d/f", b"")
    ftp_server.put("d/.hidden", b"")
    async with ftp() as client:
        table = {
            "d": True,
            "d/f": True,
            "d/.hidden": True,
            "f": False,
            "d/g": False,
            "x/y/z": False,
        }
        assert {path: await client.exists(path) for path in table} == table
        # A file is no directory: there is nothing below it.
        assert not await client.exists("d/f/g")
        assert client.stats.opened == 1
    async with ftp(path="d") as client:
        assert await client.exists("f")
        assert not await client.exists("d")


# Not the embedded server, which runs as whoever runs the tests: root may look everywhere.
async def test_exists_raises_when_unsure(real_ftp: RealServer, client_of: MakeClient) -> None:
    directory = real_ftp.put("d/f", b"x").parent
    os.chown(directory, 0, 0)
    directory.chmod(0o600)
    async with client_of(real_ftp) as client:
        for path in ("d/f", "d/missing"):
            # Only the name itself may be claimed to be there; that it is not, nobody can know.
            with contextlib.suppress(PermanentReplyError):
                assert await client.exists(path)
        assert client.stats.in_use == 0


async def test_exists_raises_on_nonsense(embedded: Embedded) -> None:
    server = embedded(faults=[Answer("MLST", text="550 Who knows."), Answer("MLSD", text="550 Not for you.")])
    (server.root / "f").write_bytes(b"x")
    async with FTPClient(server.url, tls="none") as client:
        for name in ("f", "missing"):
            with pytest.raises(PermanentReplyError):
                await client.exists(name)


# rename, remove


async def test_rename(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("a", b"content")
    ftp_server.put("d/x", b"inside")
    async with ftp() as client:
        await client.rename("a", "d/b")
        assert (ftp_server.root / "d" / "b").read_bytes() == b"content"
        await client.rename("d", "e")
        assert sorted(os.listdir(ftp_server.root / "e")) == ["b", "x"]
        with pytest.raises(RemoteFileNotFound):
            await client.rename("missing", "c")
        with pytest.raises(NetClientError):
            await client.rename("e/b", "missing/b")
        with pytest.raises(NetClientError):
            await client.rename("e", "e/inside")
        assert (client.stats.opened, client.stats.in_use) == (1, 0)
        await client.rename("e/b", "a")
    assert sorted(os.listdir(ftp_server.root)) == ["a", "e"]


async def test_remove(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("a", b"content")
    ftp_server.put("d/x", b"inside")
    async with ftp() as client:
        await client.remove("a")
        with pytest.raises(RemoteFileNotFound):
            await client.remove("a")
        with pytest.raises(RemoteIsADirectory):
            await client.remove("d")
        await client.remove("d/x")
        assert (client.stats.opened, client.stats.in_use) == (1, 0)
    assert os.listdir(ftp_server.root) == ["d"]
    assert os.listdir(ftp_server.root / "d") == []


# Not the embedded server: root may change everything.
async def test_changes_that_are_forbidden(real_ftp: RealServer, client_of: MakeClient) -> None:
    directory = real_ftp.put("d/f", b"inside").parent
    os.chown(directory, 0, 0)
    directory.chmod(0o755)
    async with client_of(real_ftp) as client:
        for call in (
            lambda: client.remove("d/f"),
            lambda: client.rename("d/f", "g"),
            lambda: client.makedirs("d/new/er"),
        ):
            # Pure-FTPd says 451 to a forbidden RNTO.
            with pytest.raises(ReplyError) as caught:
                await call()
            assert not isinstance(caught.value, (RemoteFileNotFound, RemoteIsADirectory))
        assert client.stats.in_use == 0
    assert os.listdir(directory) == ["f"]


# makedirs


async def test_makedirs(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("file", b"x")
    async with ftp() as client:
        await client.makedirs("x/y/z")
        await client.makedirs("x/y/z")
        await client.makedirs("x/y/w/")
        assert sorted(os.listdir(ftp_server.root / "x" / "y")) == ["w", "z"]
        async with client.connection() as connection:
            home = (await connection.pwd()).rstrip("/")
        await client.makedirs(f"{home}/abs/olute")
        assert (ftp_server.root / "abs" / "olute").is_dir()
        for path in ("file", "file/sub"):
            with pytest.raises(PermanentReplyError):
                await client.makedirs(path)
        assert (client.stats.opened, client.stats.in_use) == (1, 0)
    assert (ftp_server.root / "file").read_bytes() == b"x"


async def test_makedirs_of_the_base_itself(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    async with ftp(path="base/deep") as client:
        await client.makedirs("")
        await client.makedirs(".")
        await client.makedirs("sub")
    assert (ftp_server.root / "base" / "deep" / "sub").is_dir()


async def test_makedirs_of_overlapping_trees_at_once(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    paths = [f"r/{a}/{b}/{c}" for a in "ab" for b in "cd" for c in "efghi"]
    async with ftp(limits=PoolLimits(max_connections=5)) as client, anyio.create_task_group() as group:
        for path in paths:
            group.start_soon(client.makedirs, path)
        group.start_soon(client.makedirs, paths[0])
    for path in paths:
        assert (ftp_server.root / path).is_dir()
    assert client.stats.opened <= 5


# Replies that got lost


@pytest.mark.parametrize("executed", [True, False], ids=["done", "not done"])
async def test_a_lost_reply_is_settled_by_a_look(embedded: Embedded, executed: bool) -> None:
    faults = [Hangup(verb, executed=executed, times=1) for verb in ("RNTO", "DELE", "MKD")]
    server = embedded(faults=faults)
    (server.root / "a").write_bytes(b"content")
    (server.root / "gone").write_bytes(b"x")
    async with FTPClient(server.url, tls="none", retry=AGAIN) as client:
        await client.rename("a", "b")
        await client.remove("gone")
        await client.makedirs("x/y")
    assert sorted(os.listdir(server.root)) == ["b", "x"]
    assert (server.root / "b").read_bytes() == b"content"
    assert server.stats.faults == 3
    assert server.stats.commands["DELE"] == (1 if executed else 2)
    assert server.stats.commands["RNTO"] == (1 if executed else 2)


async def test_nobody_knows(embedded: Embedded) -> None:
    server = embedded(faults=[Hangup("RNTO", executed=True), Hangup("DELE", executed=True)])
    for name in ("a", "f"):
        (server.root / name).write_bytes(b"x")
    async with FTPClient(server.url, tls="none", retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(OutcomeUnknown):
            await client.rename("a", "b")
        with pytest.raises(OutcomeUnknown):
            await client.remove("f")
        assert client.stats.in_use == 0
    assert os.listdir(server.root) == ["b"]


# Replies that make no sense


async def test_3xx_is_no_success() -> None:
    answers: dict[str, HostileAnswer] = dict.fromkeys(("RNTO", "DELE", "MKD"), b"350 go on\r\n")
    with HostileServer(answers) as server:
        async with FTPClient(server.url, retry=AGAIN) as client:
            for change in (
                lambda: client.rename("a", "b"),
                lambda: client.remove("a"),
                lambda: client.makedirs("d"),
            ):
                with pytest.raises(ProtocolError, match="by 350"):
                    await change()
                assert (client.stats.in_use, client.stats.idle) == (0, 0)
        verbs = server.verbs()
    assert (verbs.count("RNTO"), verbs.count("DELE"), verbs.count("MKD")) == (1, 1, 1)


@pytest.mark.parametrize("before", [b"", b"150 here\r\n"], ids=["at once", "at the end"])
async def test_3xx_ends_no_transfer(tmp_path: Path, before: bytes) -> None:
    def retr(session: Session) -> None:
        session.transfer(b"content", before, b"350 go on\r\n")

    def stor(session: Session) -> None:
        if before:
            session.receive(b"350 go on\r\n")
        else:
            session.say(b"350 go on\r\n")

    with HostileServer({"RETR": retr, "STOR": stor}) as server:
        async with FTPClient(server.url, retry=RetryPolicy(attempts=1)) as client:
            with pytest.raises(ProtocolError, match="RETR f by 350"):
                await client.download("f", tmp_path / "f")
            with pytest.raises(ProtocolError, match=r"STOR .* by 350"):
                await client.upload(b"content", "f")
            assert (client.stats.in_use, client.stats.idle) == (0, 0)
    assert not (tmp_path / "f").exists()


# Cancelled


Act = Callable[[FTPClient, FTPConnection], Awaitable[object]]
CANCELLED: dict[str, tuple[Act, list[str]]] = {
    "delete": (lambda _, c: c.delete("x"), ["DELE x"]),
    "mkd": (lambda _, c: c.mkd("x"), ["MKD x"]),
    "connection's rename": (lambda _, c: c.rename("a", "x"), ["RNTO x"]),
    "command": (lambda _, c: c.command("DELE", "x"), ["DELE x"]),
    "size": (lambda _, c: c.size("x"), []),
    "remove": (lambda client, _: client.remove("x"), ["DELE x"]),
    "rename": (lambda client, _: client.rename("a", "x"), ["RNTO x"]),
    "makedirs": (lambda client, _: client.makedirs("x"), ["MKD x"]),
}


@pytest.mark.parametrize("what", CANCELLED)
async def test_a_cancelled_change_is_told_once(what: str, recorder: Any) -> None:
    act, told = CANCELLED[what]
    verbs = ("DELE", "MKD", "RNTO", "SIZE")
    with HostileServer(dict.fromkeys(verbs, Session.hang)) as server:
        async with FTPClient(server.url, retry=AGAIN, events=recorder) as client, client.connection() as connection:
            with anyio.fail_after(5):
                async with anyio.create_task_group() as group:
                    group.start_soon(act, client, connection)
                    while not set(verbs) & set(server.verbs()):
                        await anyio.sleep(0.01)
                    group.cancel_scope.cancel()
    assert recorder.named("outcome_unknown") == [(command,) for command in told]
