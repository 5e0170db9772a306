"""Sinks, progress, file objects and iterables of the caller: in the caller's thread, errors as they are."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from netclients import ConfigurationError, ConnectionLost, Events, LocalFileError, Progress
from netclients.sync import FTPClient
from tests.servers.target import FTPTarget
from tests.sync.conftest import settles

BIG = os.urandom(5_000_000)


class Boom(Exception):
    pass


@pytest.fixture(autouse=True)
def big(embedded_ftp: FTPTarget) -> None:
    embedded_ftp.put("big", BIG)


def test_sink_and_progress(ftp: FTPClient) -> None:
    content = bytearray()
    threads: set[int] = set()
    reports: list[Progress] = []

    def sink(view: memoryview) -> None:
        assert view.readonly
        content.extend(view)
        threads.add(threading.get_ident())

    def progress(report: Progress) -> None:
        reports.append(report)
        threads.add(threading.get_ident())

    done = ftp.download("big", sink=sink, progress=progress)
    assert content == BIG
    assert done.path is None
    assert threads == {threading.get_ident()}
    assert reports[-1] == Progress("big", len(BIG), len(BIG))
    moved = [report.transferred for report in reports]
    assert moved == sorted(set(moved))


def test_views_are_released_and_kept_ones_never_change(ftp: FTPClient) -> None:
    whole: list[memoryview] = []
    kept: list[tuple[memoryview, bytes]] = []

    def sink(view: memoryview) -> None:
        whole.append(view)
        part = view[:1000]
        kept.append((part, bytes(part)))

    ftp.download("big", sink=sink)
    assert len(kept) > 2
    assert all(bytes(part) == content for part, content in kept)
    with pytest.raises(ValueError, match="released"):
        bytes(whole[0])


def test_an_exception_of_the_sink_comes_as_it_is(ftp: FTPClient) -> None:
    calls = 0

    def sink(_: memoryview) -> None:
        nonlocal calls
        calls += 1
        raise Boom

    with pytest.raises(Boom):
        ftp.download("big", sink=sink)
    assert calls == 1
    assert settles(ftp)


def test_not_even_a_network_error_of_the_sink_is_retried(ftp: FTPClient) -> None:
    calls = 0

    def sink(_: memoryview) -> None:
        nonlocal calls
        calls += 1
        raise ConnectionLost("another server's")

    with pytest.raises(ConnectionLost, match="another"):
        ftp.download("big", sink=sink)
    assert calls == 1
    assert settles(ftp)


def test_an_exception_of_progress_comes_as_it_is(ftp: FTPClient, tmp_path: Path) -> None:
    def progress(_: Progress) -> None:
        raise Boom

    with pytest.raises(Boom):
        ftp.download("big", tmp_path / "a", progress=progress)
    with pytest.raises(Boom):
        list(ftp.download_many(["big"], tmp_path, progress=progress))
    with pytest.raises(Boom):
        ftp.upload(BIG, "up", progress=progress)
    assert settles(ftp)


def test_a_callback_may_call(ftp: FTPClient) -> None:
    seen: list[int | None] = []
    ftp.download("big", sink=lambda _: seen.append(ftp.stat("big").size))
    assert set(seen) == {len(BIG)}


def test_batch_progress_and_sources_in_the_callers_thread(ftp: FTPClient, tmp_path: Path) -> None:
    threads: set[int] = set()
    reports: list[Progress] = []

    def sources() -> Iterator[str]:
        threads.add(threading.get_ident())
        yield "big"

    def progress(report: Progress) -> None:
        threads.add(threading.get_ident())
        reports.append(report)

    items = list(ftp.download_many(sources(), tmp_path, progress=progress))
    assert items[0].error is None
    assert reports[-1].transferred == len(BIG)
    assert threads == {threading.get_ident()}


def test_an_exception_of_the_sources_comes_as_it_is(ftp: FTPClient, tmp_path: Path) -> None:
    def sources() -> Iterator[str]:
        yield "big"
        raise Boom

    with pytest.raises(Boom):
        list(ftp.download_many(sources(), tmp_path))
    assert settles(ftp)


class Recorded(io.BytesIO):
    """Notes who reads."""

    threads: set[int]

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.threads = set()

    def read(self, size: int | None = -1) -> bytes:
        self.threads.add(threading.get_ident())
        return super().read(size)


def test_upload_of_a_file_object(ftp: FTPClient, embedded_ftp: FTPTarget) -> None:
    file = Recorded(BIG)
    file.seek(1000)
    assert ftp.upload(file, "up").size == len(BIG) - 1000
    assert (embedded_ftp.root / "up").read_bytes() == BIG[1000:]
    assert file.threads == {threading.get_ident()}


def test_a_file_object_with_read_alone(ftp: FTPClient, embedded_ftp: FTPTarget) -> None:
    class Pipe:
        def __init__(self) -> None:
            self._file = io.BytesIO(BIG)

        def read(self, size: int) -> bytes:
            return self._file.read(size)

    ftp.upload(Pipe(), "up")  # type: ignore[arg-type]
    assert (embedded_ftp.root / "up").read_bytes() == BIG


def test_a_file_object_that_fails(ftp: FTPClient) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(5, "broken disk")

    with pytest.raises(LocalFileError, match="broken disk"):
        ftp.upload(Broken(BIG), "up")
    assert settles(ftp)


def test_upload_of_an_iterable_that_uses_one_buffer(ftp: FTPClient, embedded_ftp: FTPTarget) -> None:
    threads: set[int] = set()

    def pieces() -> Iterator[memoryview]:
        buffer = bytearray(7000)
        for start in range(0, len(BIG), len(buffer)):
            threads.add(threading.get_ident())
            piece = BIG[start : start + len(buffer)]
            buffer[: len(piece)] = piece
            yield memoryview(buffer)[: len(piece)]

    assert ftp.upload(pieces(), "up").size == len(BIG)
    assert (embedded_ftp.root / "up").read_bytes() == BIG
    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("pieces", [[b""], [], [BIG, b"", BIG], [b"a"] * 5000], ids=["empty", "none", "large", "small"])
def test_upload_of_a_list(ftp: FTPClient, embedded_ftp: FTPTarget, pieces: list[bytes]) -> None:
    ftp.upload(pieces, "up")
    assert (embedded_ftp.root / "up").read_bytes() == b"".join(pieces)


def test_an_exception_of_the_iterable_comes_as_it_is(ftp: FTPClient, embedded_ftp: FTPTarget) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"begun"
        raise Boom

    with pytest.raises(Boom):
        ftp.upload(pieces(), "up")
    assert not (embedded_ftp.root / "up").exists()
    with pytest.raises(ConfigurationError):
        ftp.upload(["text"], "up")  # type: ignore[list-item]
    assert settles(ftp)


def test_a_blocking_call_from_a_hook_is_refused(embedded_ftp: FTPTarget) -> None:
    errors: list[Exception] = []

    class Hooks(Events):
        def connection_opened(self, connection: int, host: str, port: int, seconds: float) -> None:
            try:
                client.exists("big")
            except ConfigurationError as error:
                errors.append(error)

    with FTPClient(embedded_ftp.url(), events=Hooks()) as client:
        assert client.exists("big")
    assert len(errors) == 1
