"""Downloads that can't be: what is wrong here, and what is wrong there."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from netclients import (
    FTPClient,
    LocalFileError,
    NetClientError,
    PermanentReplyError,
    RemoteFileNotFound,
    RemoteIsADirectory,
    RemotePermissionDenied,
)
from netclients.testing import FTPServer
from netclients.testing import Reply as Answer
from tests.servers import FTPTarget, RealServer

pytestmark = pytest.mark.anyio

MakeClient = Callable[..., FTPClient]
Embedded = Callable[..., FTPServer]
BODY = bytes(range(256)) * 16_000  # 4 MB


async def still_works(client: FTPClient, server: FTPTarget) -> None:
    server.put("fine", b"fine")
    assert await client.read_bytes("fine") == b"fine"
    assert client.stats.in_use == 0


# Here


async def test_the_destination_is_a_directory(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    ftp_server.put("f", BODY)
    async with ftp() as client:
        with pytest.raises(LocalFileError, match="directory"):
            await client.download("f", tmp_path)
        assert client.stats.opened == 0
        await still_works(client, ftp_server)
    assert not tmp_path.with_name(tmp_path.name + ".part").exists()


async def test_the_destination_can_not_be_written(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    ftp_server.put("f", BODY)
    (tmp_path / "file").write_bytes(b"mine")
    async with ftp() as client:
        for target in (tmp_path / "file" / "out", Path("/proc/nowhere/out"), tmp_path / ("x" * 300)):
            with pytest.raises(LocalFileError) as caught:
                await client.download("f", target)
            assert isinstance(caught.value, OSError)
            assert caught.value.errno
            assert caught.value.filename
        assert client.stats.opened == 0
        await still_works(client, ftp_server)
    assert (tmp_path / "file").read_bytes() == b"mine"


async def test_a_full_disk(ftp_server: FTPTarget, ftp: MakeClient, small_disk: Path) -> None:
    ftp_server.put("f", BODY)
    async with ftp() as client:
        with pytest.raises(LocalFileError) as caught:
            await client.download("f", small_disk / "out")
        assert caught.value.errno == errno.ENOSPC
        assert str(small_disk) in str(caught.value)
        assert not (small_disk / "out").exists()
        assert BODY.startswith((small_disk / "out.part").read_bytes())
        await still_works(client, ftp_server)


# There


async def test_a_missing_file(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    ftp_server.put("d/x", b"")
    async with ftp() as client:
        for name in ("missing", "d/missing", "missing/f"):
            with pytest.raises(RemoteFileNotFound) as caught:
                await client.download(name, tmp_path / "out")
            assert isinstance(caught.value, FileNotFoundError)
            assert caught.value.code == 550
            with pytest.raises(RemoteFileNotFound):
                await client.download(name, sink=print)
            with pytest.raises(RemoteFileNotFound):
                await client.read_bytes(name)
        await still_works(client, ftp_server)
        assert client.stats.opened == 1
    assert not list(tmp_path.glob("out*"))


async def test_a_directory_where_a_file_was_meant(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    ftp_server.put("d/f", BODY)
    async with ftp() as client:
        with pytest.raises(RemoteIsADirectory) as caught:
            await client.download("d", tmp_path / "out")
        assert isinstance(caught.value, IsADirectoryError)
        with pytest.raises(NetClientError):
            await client.download("d/", tmp_path / "out")
        await still_works(client, ftp_server)
    assert not list(tmp_path.glob("out*"))


# Not the embedded server, which runs as whoever runs the tests: root may read everything.
async def test_a_forbidden_file(real_ftp: RealServer, client_of: MakeClient, tmp_path: Path) -> None:
    path = real_ftp.put("f", BODY)
    os.chown(path, 0, 0)
    path.chmod(0o600)
    async with client_of(real_ftp) as client:
        with pytest.raises(RemotePermissionDenied) as caught:
            await client.download("f", tmp_path / "out")
        assert isinstance(caught.value, PermissionError)
        assert caught.value.code == 550
        assert await client.exists("f")
        await still_works(client, real_ftp)
    assert not list(tmp_path.glob("out*"))


async def test_refused_data_connections_say_nothing_about_the_file(embedded: Embedded, tmp_path: Path) -> None:
    """vsftpd without passive mode."""
    denied = "550 Permission denied."
    server = embedded(faults=[Answer("EPSV", text=denied), Answer("PASV", text=denied)])
    (server.root / "f").write_bytes(b"x")
    async with FTPClient(server.url, tls="none") as client:
        for call in (
            lambda: client.download("f", tmp_path / "f"),
            lambda: client.download("f", sink=print),
            lambda: client.upload(b"x", "g"),
            lambda: client.upload(b"x", "f", atomic=False),
            lambda: anext(client.scandir()),
        ):
            with pytest.raises(PermanentReplyError, match="PASV") as caught:
                await call()
            assert type(caught.value) is PermanentReplyError
        assert client.stats.in_use == 0


async def test_a_failure_leaves_the_old_file(ftp: MakeClient, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"old")
    async with ftp() as client:
        with pytest.raises(RemoteFileNotFound):
            await client.download("missing", tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"old"
