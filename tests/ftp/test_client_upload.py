"""Uploads: what arrives on the server's disk, from every kind of source."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from netclients import (
    ConfigurationError,
    FTPClient,
    LocalFileError,
    NetClientError,
    PermanentReplyError,
    Progress,
    RemoteFileNotFound,
    RemoteIsADirectory,
    RetryPolicy,
    TruncatedTransfer,
)
from netclients.testing import CutData, FTPServer, Reply
from tests.servers import FTPTarget, RealServer

pytestmark = pytest.mark.anyio

MakeClient = Callable[..., FTPClient]
Embedded = Callable[..., FTPServer]

BODY = (bytes(range(251)) * 12_000)[:3_000_011]


def pieces(body: bytes = BODY) -> Iterator[bytes | bytearray | memoryview]:
    yield b""
    for number, start in enumerate(range(0, len(body), 70_001)):
        piece = body[start : start + 70_001]
        yield (piece, bytearray(piece), memoryview(piece))[number % 3]
    yield b""


async def async_pieces() -> AsyncIterator[bytes | bytearray | memoryview]:
    for piece in pieces():
        await anyio.sleep(0)
        yield piece


class Pipe(io.RawIOBase):
    """A binary file that can't seek, and reads in pieces of its own size."""

    def __init__(self, body: bytes) -> None:
        self._body = io.BytesIO(body)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._body.readinto(memoryview(buffer)[:60_000])


def from_the_middle() -> io.BytesIO:
    source = io.BytesIO(b"skipped" + BODY)
    source.seek(7)
    return source


SOURCES: dict[str, Callable[[Path], Any]] = {
    "path": lambda path: path,
    "text": str,
    "bytes": lambda path: BODY,
    "bytearray": lambda path: bytearray(BODY),
    "memoryview": lambda path: memoryview(BODY),
    "file": lambda path: from_the_middle(),
    "pipe": lambda path: Pipe(BODY),
    "generator": lambda path: pieces(),
    "list": lambda path: list(pieces()),
    "async": lambda path: async_pieces(),
}


@pytest.mark.parametrize("atomic", [True, False], ids=["atomic", "direct"])
async def test_sources(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path, atomic: bool) -> None:
    (tmp_path / "local").write_bytes(BODY)
    async with ftp() as client:
        for name, make in SOURCES.items():
            done = await client.upload(make(tmp_path / "local"), f"{name}.bin", atomic=atomic)
            assert (ftp_server.root / f"{name}.bin").read_bytes() == BODY, name
            assert (done.path, done.size, done.resumed_from) == (f"{name}.bin", len(BODY), 0)
            assert done.verified, name
        assert client.stats.opened == 1
    assert sorted(os.listdir(ftp_server.root)) == sorted(f"{name}.bin" for name in SOURCES)


@pytest.mark.parametrize("body", [b"", b"x", b"\r\n\n\r\0\xff" * 100], ids=["empty", "byte", "ends"])
async def test_small_bodies(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path, body: bytes) -> None:
    (tmp_path / "local").write_bytes(body)
    async with ftp() as client:
        for source in (tmp_path / "local", body, io.BytesIO(body), iter([body]), Pipe(body)):
            done = await client.upload(source, "f")  # type: ignore[arg-type]
            assert (ftp_server.root / "f").read_bytes() == body
            assert (done.size, done.verified) == (len(body), True)


async def test_an_existing_file_is_replaced(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    async with ftp() as client:
        for atomic in (True, False):
            ftp_server.put("f", b"old and much longer")
            await client.upload(b"new", "f", atomic=atomic)
            assert (ftp_server.root / "f").read_bytes() == b"new"
        assert client.stats.opened == 1
    assert os.listdir(ftp_server.root) == ["f"]


async def test_atomic_shows_nothing_before_the_end(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("f", b"old")
    seen: list[bytes] = []

    async def watching() -> AsyncIterator[bytes]:
        for piece in (b"a" * 500_000, b"b" * 500_000):
            seen.append((ftp_server.root / "f").read_bytes())
            yield piece

    async with ftp() as client:
        await client.upload(watching(), "f")
    assert seen == [b"old", b"old"]
    assert (ftp_server.root / "f").read_bytes() == b"a" * 500_000 + b"b" * 500_000


async def test_progress(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    seen: list[Progress] = []
    async with ftp() as client:
        await client.upload(BODY, "f", progress=seen.append)
        assert {(one.source, one.total) for one in seen} == {("f", len(BODY))}
        moved = [one.transferred for one in seen]
        assert moved == sorted(moved)
        assert moved[-1] == len(BODY)
        await client.upload(pieces(), "f", progress=seen.append)
    assert (seen[-1].transferred, seen[-1].total) == (len(BODY), None)


# Resume


@pytest.mark.parametrize("atomic", [True, False], ids=["atomic", "direct"])
async def test_resume(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path, recorder: Any, atomic: bool) -> None:
    (tmp_path / "local").write_bytes(BODY)
    half = 1_234_567
    ftp_server.put("f.part" if atomic else "f", BODY[:half])
    async with ftp(events=recorder) as client:
        done = await client.upload(tmp_path / "local", "f", atomic=atomic, resume=True)
    assert (done.size, done.resumed_from, done.verified) == (len(BODY), half, True)
    assert sum(args[2] for args in recorder.named("bytes_moved")) == len(BODY) - half
    assert (ftp_server.root / "f").read_bytes() == BODY
    assert os.listdir(ftp_server.root) == ["f"]


async def test_resume_of_nothing_of_all_and_of_too_much(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    async with ftp() as client:
        for there, resumed in ((None, 0), (BODY, len(BODY)), (BODY + b"x", 0), (b"", 0)):
            if there is not None:
                ftp_server.put("f.part", there)
            done = await client.upload(BODY, "f", resume=True)
            assert (done.size, done.resumed_from) == (len(BODY), resumed)
            assert (ftp_server.root / "f").read_bytes() == BODY


async def test_without_resume_a_part_is_overwritten(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("f.part", b"other" * 1000)
    async with ftp() as client:
        done = await client.upload(BODY[:1000], "f")
        assert done.resumed_from == 0
        for source in (pieces(), Pipe(BODY)):
            with pytest.raises(ConfigurationError, match="resume"):
                await client.upload(source, "g", resume=True)  # type: ignore[arg-type]
    assert (ftp_server.root / "f").read_bytes() == BODY[:1000]
    assert os.listdir(ftp_server.root) == ["f"]


# What can't be


async def test_bad_sources(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")

    async def text() -> AsyncIterator[str]:
        yield "text"

    async with ftp() as client:
        with (tmp_path / "text").open() as file, pytest.raises(ConfigurationError, match="binary"):
            await client.upload(file, "f")  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="binary"):
            await client.upload(io.StringIO("x"), "f")  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError, match="int"):
            await client.upload(3, "f")  # type: ignore[arg-type]
        for missing in (tmp_path / "missing", tmp_path, tmp_path / "text" / "x"):
            with pytest.raises(LocalFileError) as caught:
                await client.upload(missing, "f")
            assert caught.value.errno
        for name in ("", "d/"):
            with pytest.raises(ConfigurationError):
                await client.upload(b"x", name)
        assert client.stats.opened == 0
        for source in (["text"], text(), [3]):
            with pytest.raises(ConfigurationError, match=r"str|int"):
                await client.upload(source, "f")  # type: ignore[arg-type]
        await client.upload(b"fine", "fine")
        assert client.stats.in_use == 0
    assert (ftp_server.root / "fine").read_bytes() == b"fine"
    assert not (ftp_server.root / "f").exists()


async def test_what_a_source_raises_comes_through(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise ZeroDivisionError("mine")

    async with ftp() as client:
        with pytest.raises(ZeroDivisionError, match="mine"):
            await client.upload(broken(), "f")
        assert client.stats.in_use == 0
        await client.upload(b"fine", "fine")
    assert not (ftp_server.root / "f").exists()


async def test_into_a_missing_directory(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    async with ftp() as client:
        for atomic in (True, False):
            with pytest.raises(RemoteFileNotFound):
                await client.upload(b"x", "missing/f", atomic=atomic)
        await client.upload(b"fine", "fine")
        assert client.stats.opened == 1
    assert os.listdir(ftp_server.root) == ["fine"]


async def test_onto_a_directory(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    ftp_server.put("d/f", b"inside")
    async with ftp() as client:
        with pytest.raises(RemoteIsADirectory):
            await client.upload(b"x", "d", atomic=False)
        with pytest.raises(RemoteIsADirectory):
            await client.upload(b"x", "d")
        await client.upload(b"fine", "fine")
        assert client.stats.in_use == 0
    assert (ftp_server.root / "d" / "f").read_bytes() == b"inside"


# Not the embedded server, which runs as whoever runs the tests: root may write everywhere.
async def test_into_a_read_only_directory(real_ftp: RealServer, client_of: MakeClient) -> None:
    directory = real_ftp.put("d/f", b"inside").parent
    os.chown(directory, 0, 0)
    directory.chmod(0o755)
    async with client_of(real_ftp) as client:
        for atomic in (True, False):
            with pytest.raises(PermanentReplyError) as caught:
                await client.upload(b"x", "d/new", atomic=atomic)
            # The directory is there, and the file is not expected to be.
            assert not isinstance(caught.value, RemoteFileNotFound)
        assert client.stats.in_use == 0
    assert os.listdir(directory) == ["f"]


# A network that fails


@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("tls", ["none", "explicit"])
async def test_a_truncated_upload_is_an_error(embedded: Embedded, how: Any, tls: Any) -> None:
    fault = CutData("STOR", after=500_000, how=how, reply="226 All of it.")
    server = embedded(tls=tls, faults=[fault])
    retry = RetryPolicy(attempts=1)
    context = server.client_context() if tls == "explicit" else None
    mode: Any = None if context else "none"
    async with FTPClient(server.url, tls=mode, ssl_context=context, retry=retry) as client:
        for source in (BODY, pieces()):
            with pytest.raises(NetClientError) as caught:
                await client.upload(source, "f")  # type: ignore[arg-type]
            assert not isinstance(caught.value, ConfigurationError)
        assert client.stats.in_use == 0
    assert not (server.root / "f").exists()


async def test_a_lost_tail_is_found_by_the_size(embedded: Embedded) -> None:
    # The server has read the last byte, as far as the client can see, but not written it.
    server = embedded(faults=[CutData("STOR", after=50, how="fin", reply="226 All of it.")])
    async with FTPClient(server.url, tls="none", retry=RetryPolicy(attempts=1)) as client:
        with pytest.raises(TruncatedTransfer) as caught:
            await client.upload(b"x" * 100, "f")
        assert (caught.value.expected, caught.value.received) == (100, 50)
    assert not (server.root / "f").exists()


async def test_the_servers_reason_is_told(embedded: Embedded) -> None:
    server = embedded(faults=[CutData("STOR", after=500_000, how="fin", reply="552 Quota exceeded.")])
    async with FTPClient(server.url, tls="none") as client:
        with pytest.raises(PermanentReplyError, match="Quota exceeded") as caught:
            await client.upload(BODY * 4, "f")
        assert caught.value.code == 552
    assert server.stats.commands["STOR"] == 1


async def test_what_can_be_read_again_is_sent_again(embedded: Embedded) -> None:
    server = embedded(faults=[CutData("*", after=500_000, times=2)])
    retry = RetryPolicy(attempts=4, initial=0.01, maximum=0.02)
    async with FTPClient(server.url, tls="none", retry=retry) as client:
        done = await client.upload(BODY, "f")
        assert (done.size, done.verified) == (len(BODY), True)
        server.set_faults([CutData("STOR", after=500_000, times=1)])
        with pytest.raises(NetClientError):
            await client.upload(pieces(), "once")  # type: ignore[arg-type]
    assert (server.root / "f").read_bytes() == BODY
    assert not (server.root / "once").exists()


QUICK = RetryPolicy(attempts=2, initial=0.01, maximum=0.02)
LARGE = bytes(8_000_000)


async def sent_in_vain(server: FTPServer, error: type[NetClientError], *, atomic: bool = True) -> int:
    """Upload what the server always loses; return how often it was sent."""
    async with FTPClient(server.url, tls="none", retry=QUICK) as client:
        with anyio.fail_after(20), pytest.raises(error):
            await client.upload(LARGE, "f", atomic=atomic)
        assert client.stats.in_use == 0
    assert not atomic or not (server.root / "f").exists()
    return sum(server.stats.commands.get(verb, 0) for verb in ("STOR", "APPE"))


@pytest.mark.parametrize("atomic", [True, False], ids=["atomic", "direct"])
async def test_what_was_only_sent_is_no_progress(embedded: Embedded, atomic: bool) -> None:
    # A full disk: the server takes megabytes, and has no more than before.
    full = [CutData(verb, after=after, reply="452 Disk full.") for verb, after in (("STOR", 1_000_000), ("APPE", 0))]
    assert await sent_in_vain(embedded(faults=full), NetClientError, atomic=atomic) == 2


async def test_a_size_that_is_always_wrong_is_no_progress(embedded: Embedded) -> None:
    assert await sent_in_vain(embedded(faults=[Reply("SIZE", text="213 5000000")]), TruncatedTransfer) == 2


async def test_more_on_the_server_is_progress(embedded: Embedded) -> None:
    server = embedded(faults=[CutData(verb, after=1_500_000) for verb in ("STOR", "APPE")])
    async with FTPClient(server.url, tls="none", retry=QUICK) as client:
        done = await client.upload(LARGE, "f")
    assert (done.size, done.verified) == (len(LARGE), True)
    assert server.stats.commands["APPE"] > 2


@pytest.mark.parametrize(("atomic", "rate"), [(True, None), (True, 20_000_000), (False, None)])
async def test_a_source_that_shrinks_gets_no_name_or_is_said_to_be_incomplete(
    ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path, atomic: bool, rate: float | None
) -> None:
    local = tmp_path / "local"
    local.write_bytes(LARGE)

    def shrink(progress: Progress) -> None:
        if local.stat().st_size == len(LARGE):
            os.truncate(local, max(1_000_000, progress.transferred))

    async with ftp() as client:
        with pytest.raises(LocalFileError, match="of 8000000 bytes") as caught:
            await client.upload(local, "f", progress=shrink, limit_rate=rate, atomic=atomic)
        assert client.stats.in_use == 0
    assert ("'f' on the server is incomplete" in str(caught.value)) is not atomic
    if atomic:
        assert not (ftp_server.root / "f").exists()


async def test_a_source_that_grows_is_sent_as_far_as_it_goes(
    ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path
) -> None:
    local = tmp_path / "local"
    local.write_bytes(LARGE)

    def grow(_: Progress) -> None:
        if local.stat().st_size == len(LARGE):
            with local.open("ab") as file:
                file.write(b"more")

    async with ftp() as client:
        done = await client.upload(local, "f", progress=grow)
    assert (done.size, done.verified) == (len(LARGE) + 4, True)
    assert (ftp_server.root / "f").read_bytes() == LARGE + b"more"


async def test_two_uploads_to_one_name(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    async with ftp() as client:

        async def meanwhile() -> AsyncIterator[bytes]:
            yield b"a" * 100_000
            for name, atomic in (("f", True), ("./f", True), ("f", False), ("f.part", False)):
                with pytest.raises(ConfigurationError, match=r"another upload to .* is under way"):
                    await client.upload(b"b", name, atomic=atomic)
            await client.upload(b"c", "g")
            yield b"a"

        await client.upload(meanwhile(), "f")
        assert (ftp_server.root / "f").read_bytes() == b"a" * 100_001
        with pytest.raises(LocalFileError):
            await client.upload("/missing", "f")
        await client.upload(b"later", "f")
    assert (ftp_server.root / "f").read_bytes() == b"later"
