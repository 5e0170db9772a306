"""The blocking client does what its twin does."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from netclients import ConfigurationError, PoolLimits, RemoteFileNotFound
from netclients.ftp.types import TransferType
from netclients.sync import FTPClient
from tests.servers.target import FTPTarget
from tests.sync.conftest import settles

BIG = os.urandom(3_500_000)


def test_whole_jobs_on_every_server(ftp_server: FTPTarget, tmp_path: Path) -> None:
    ftp_server.put("dir/big", BIG)
    with FTPClient(ftp_server.url()) as ftp:
        done = ftp.download("dir/big", tmp_path / "big")
        assert done.verified
        assert (tmp_path / "big").read_bytes() == BIG
        assert ftp.stat("dir/big").size == len(BIG)
        assert ftp.exists("dir/big")
        assert not ftp.exists("dir/none")
        assert [entry.name for entry in ftp.scandir("dir")] == ["big"]
        ftp.makedirs("new/deep")
        assert ftp.upload(BIG, "new/deep/copy").size == len(BIG)
        ftp.rename("new/deep/copy", "new/moved")
        assert ftp.read_bytes("new/moved") == BIG
        ftp.remove("new/moved")
        with pytest.raises(RemoteFileNotFound):
            ftp.read_bytes("new/moved")
        with ftp.open("dir/big", offset=100) as file:
            assert file.read(1000) == BIG[100:1100]
        with ftp.connection() as connection:
            assert connection.size("dir/big") == len(BIG)
            connection.type(TransferType.IMAGE)
        assert settles(ftp)


def test_without_a_block(embedded_ftp: FTPTarget) -> None:
    embedded_ftp.put("a", b"hello")
    ftp = FTPClient(embedded_ftp.url())
    assert ftp.read_text("a") == "hello"
    ftp.close()
    with pytest.raises(ConfigurationError):
        ftp.read_text("a")


def test_arguments_are_checked_as_by_the_twin(ftp: FTPClient, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        FTPClient("gopher://host")
    with pytest.raises(ConfigurationError):
        ftp.download("a")
    with pytest.raises(ConfigurationError):
        ftp.download_many(["a"], tmp_path, concurrency=0)
    with pytest.raises(ConfigurationError):
        ftp.download_many("abc", tmp_path)
    with pytest.raises(ConfigurationError):
        ftp.upload(io.StringIO("text"), "a")
    with pytest.raises(ConfigurationError):
        ftp.upload(3, "a")  # type: ignore[arg-type]


def test_asynchronous_arguments_are_refused(ftp: FTPClient, embedded_ftp: FTPTarget, tmp_path: Path) -> None:
    embedded_ftp.put("a", b"hello")

    async def names() -> object:
        yield "a"

    async def sink(_: memoryview) -> None:
        pass

    with pytest.raises(ConfigurationError, match="asynchronous"):
        ftp.upload(names(), "b")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="asynchronous"):
        ftp.download_many(names(), tmp_path)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="asynchronous"):
        ftp.download("a", sink=sink)
    assert settles(ftp)


def test_batches(ftp: FTPClient, embedded_ftp: FTPTarget, tmp_path: Path) -> None:
    for number in range(30):
        embedded_ftp.put(f"many/{number}", b"%d" % number)
    names = [f"many/{number}" for number in range(30)]
    with ftp.download_many(names, tmp_path / "list") as items:
        assert sorted(item.source for item in items if item.error is None) == sorted(names)
    with ftp.download_many((name for name in [*names, "many/none"]), tmp_path / "pulled", concurrency=3) as items:
        failed = [item.source for item in items if item.error is not None]
    assert failed == ["many/none"]
    assert (tmp_path / "pulled/many/7").read_bytes() == b"7"
    local = sorted((tmp_path / "list/many").iterdir())
    assert [item.error for item in ftp.upload_many(local, "up")] == [None] * 30
    assert (embedded_ftp.root / "up/29").read_bytes() == b"29"
    assert settles(ftp)


class TestFile:
    def test_reads(self, ftp: FTPClient, embedded_ftp: FTPTarget) -> None:
        embedded_ftp.put("big", BIG)
        with ftp.open("big") as file:
            assert file.read(10) == BIG[:10]
            assert file.tell() == 10
            assert (file.readable(), file.writable(), file.seekable(), file.closed) == (True, False, False, False)
            buffer = bytearray(2_000_000)
            position = 10
            while count := file.readinto(buffer):
                assert buffer[:count] == BIG[position : position + count]
                position += count
            assert position == len(BIG) == file.tell() == file.size
            assert file.read() == b""
        assert file.closed
        with pytest.raises(ConfigurationError):
            file.read(1)

    def test_is_copied_iterated_and_wrapped(self, ftp: FTPClient, embedded_ftp: FTPTarget) -> None:
        embedded_ftp.put("big", BIG)
        embedded_ftp.put("text", "zwölf\nBoxkämpfer\n".encode() * 500)
        with ftp.open("big") as file:
            target = io.BytesIO()
            shutil.copyfileobj(file, target)
            assert target.getvalue() == BIG
        with ftp.open("big") as file:
            assert b"".join(file) == BIG
        with ftp.open("text") as file:
            lines = list(io.TextIOWrapper(io.BufferedReader(file), encoding="utf-8"))  # type: ignore[arg-type]
        assert lines == ["zwölf\n", "Boxkämpfer\n"] * 500
        assert settles(ftp)

    def test_a_missing_one_is_told_on_entering(self, ftp: FTPClient) -> None:
        with pytest.raises(RemoteFileNotFound), ftp.open("none"):
            pass
        assert settles(ftp)

    def test_left_early_closed_or_dropped(self, ftp: FTPClient, embedded_ftp: FTPTarget) -> None:
        embedded_ftp.put("big", BIG)
        with ftp.open("big") as file:
            file.read(1)
        dropped = ftp.open("big")
        assert dropped.read(1) == BIG[:1]
        del dropped
        assert settles(ftp)


def test_connection_transfers(ftp: FTPClient, embedded_ftp: FTPTarget) -> None:
    embedded_ftp.put("dir/big", BIG)
    with ftp.connection() as connection:
        transfer = connection.retr("dir/big", offset=1000)
        received, buffer = hashlib.sha256(), bytearray(65536)
        while count := transfer.receive_into(buffer):
            received.update(memoryview(buffer)[:count])
        assert transfer.finish(sending=False).kind == 2
        assert received.digest() == hashlib.sha256(BIG[1000:]).digest()
        assert transfer.received == len(BIG) - 1000
        transfer = connection.stor("new")
        transfer.send(BIG)
        assert transfer.finish(sending=True).kind == 2
        assert (embedded_ftp.root / "new").read_bytes() == BIG
        connection.storlines("lines", (f"line {number}" for number in range(300)))
        assert list(connection.retrlines("lines"))[299] == "line 299"
        assert [entry.name for entry in connection.mlsd("dir")] == ["big"]
        assert connection.features.has("MLST")
        assert connection.command("NOOP").kind == 2
        connection.cwd("dir")
        assert connection.pwd().endswith("dir")
        assert connection.marked
        assert not connection.clean
    assert settles(ftp)


def test_a_connection_outlives_a_forgotten_client(embedded_ftp: FTPTarget) -> None:
    embedded_ftp.put("dir/a", b"1")
    embedded_ftp.put("dir/b", b"2")
    assert len(list(FTPClient(embedded_ftp.url()).scandir("dir"))) == 2
    assert FTPClient(embedded_ftp.url()).open("dir/a").read() == b"1"


def test_many_threads_share_a_client(embedded_ftp: FTPTarget) -> None:
    for number in range(40):
        embedded_ftp.put(f"f{number}", b"%d" % number * 1000)
    with (
        FTPClient(embedded_ftp.url(), limits=PoolLimits(max_connections=4)) as ftp,
        ThreadPoolExecutor(12) as executor,
    ):
        contents = list(executor.map(lambda number: ftp.read_bytes(f"f{number}"), range(40)))
        assert contents == [b"%d" % number * 1000 for number in range(40)]
        assert settles(ftp)
        assert ftp.stats.open <= 4


def test_pairs_of_a_batch_are_read_in_the_callers_thread(
    ftp: FTPClient, embedded_ftp: FTPTarget, tmp_path: Path
) -> None:
    threads = set()

    def pieces() -> Iterator[bytes]:
        threads.add(threading.current_thread())
        yield b"generated"

    class File(io.BytesIO):
        def read(self, *arguments: int | None) -> bytes:
            threads.add(threading.current_thread())
            return super().read(*arguments)

    pairs = [(pieces(), "one"), (File(b"file"), "two")]
    assert [item.error for item in ftp.upload_many(pairs, "pairs")] == [None, None]
    pulled = ((File(b"pulled"), name) for name in ("three",))
    assert [item.error for item in ftp.upload_many(pulled, "pairs")] == [None]
    assert threads == {threading.current_thread()}
    sources = [("pairs/one", "x"), ("pairs/two", tmp_path / "elsewhere" / "y")]
    assert [item.error for item in ftp.download_many(sources, tmp_path)] == [None, None]
    assert (tmp_path / "x").read_bytes() == b"generated"
    assert (tmp_path / "elsewhere" / "y").read_bytes() == b"file"
    assert (embedded_ftp.root / "pairs/three").read_bytes() == b"pulled"
