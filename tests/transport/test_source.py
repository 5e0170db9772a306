"""Upload sources: whatever gives bytes, and what does not."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from netclients.errors import ConfigurationError, ConnectionLost, LocalFileError
from netclients.transport import source as source_module
from netclients.transport.callers import CallerError
from netclients.transport.source import ByteSource

pytestmark = pytest.mark.anyio

DATA = os.urandom(3_000_000)


async def everything(source: ByteSource) -> bytes:
    received = b""
    while chunk := await source.read():
        received += chunk
    return received


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
async def test_memory(kind: type) -> None:
    source = ByteSource(kind(b"hello"))
    await source.prepare()
    assert (source.size, source.repeatable) == (5, True)
    assert await everything(source) == b"hello"
    await source.rewind(2)
    assert await everything(source) == b"llo"
    await source.aclose()


async def test_wide_items_are_bytes() -> None:
    import array

    assert await everything(ByteSource(memoryview(array.array("I", [1, 2])))) == array.array("I", [1, 2]).tobytes()


@pytest.mark.parametrize("as_text", [False, True])
async def test_a_path(tmp_path: Path, as_text: bool) -> None:
    path = tmp_path / "f"
    path.write_bytes(DATA)
    source = ByteSource(str(path) if as_text else path)
    await source.prepare()
    assert (source.size, source.repeatable) == (len(DATA), True)
    assert await everything(source) == DATA
    assert source.pulled == len(DATA)
    await source.rewind(2_000_000)
    await source.rewind(2_000_000)
    assert await everything(source) == DATA[2_000_000:]
    await source.aclose()
    await source.aclose()


@pytest.mark.parametrize("extra", [0, 1, 1000])
async def test_what_is_in_a_file_can_be_read_by_a_thread(tmp_path: Path, extra: int) -> None:
    chunk = source_module._CHUNK
    data = bytes(range(256)) * (chunk // 256) * 2 + b"x" * extra
    path = tmp_path / "file"
    path.write_bytes(data)
    source = ByteSource(path)
    await source.prepare()
    assert not source.in_file  # the first chunk was read ahead
    assert bytes(await source.read()) == data[:chunk]
    assert source.in_file
    assert bytes(source.read_file()) == data[chunk : 2 * chunk]
    assert source.pulled == 2 * chunk
    assert source.in_file  # only a short chunk shows the end
    assert bytes(source.read_file()) == data[2 * chunk :]
    assert not source.in_file
    assert bytes(source.read_file()) == bytes(await source.read()) == b""
    await source.rewind(chunk + 5)
    assert source.in_file
    assert bytes(source.read_file()) == data[chunk + 5 : 2 * chunk + 5]
    assert source.pulled == min(2 * chunk + 5, len(data))
    await source.aclose()


async def test_what_is_no_file_is_not_read_by_a_thread() -> None:
    for one in (b"bytes", [b"piece"]):
        source = ByteSource(one)
        await source.prepare()
        assert not source.in_file
        assert bytes(await source.read()) == b"".join([one] if isinstance(one, bytes) else one)
        assert not source.in_file


async def test_an_open_file_starts_where_it_stands_and_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(DATA)
    with path.open("rb") as file:
        file.seek(1000)
        source = ByteSource(file)
        await source.prepare()
        assert source.size == len(DATA) - 1000
        assert await everything(source) == DATA[1000:]
        await source.rewind(10)
        assert await everything(source) == DATA[1010:]
        await source.aclose()
        assert not file.closed


async def test_a_pipe_can_be_read_once() -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"hello")
    os.close(write_end)
    with os.fdopen(read_end, "rb") as file:
        source = ByteSource(file)
        await source.prepare()
        assert (source.size, source.repeatable) == (None, False)
        assert await everything(source) == b"hello"


def pieces() -> Iterator[bytes]:
    yield from (b"a", b"", b"bc")


async def later() -> AsyncIterator[bytes]:
    for piece in pieces():
        yield piece


@pytest.mark.parametrize("make", [pieces, later, lambda: [b"a", bytearray(b"bc")], lambda: (memoryview(b"abc"),)])
async def test_iterables_are_pulled_once(make: object) -> None:
    source = ByteSource(make())  # type: ignore[operator]
    await source.prepare()
    assert (source.size, source.repeatable) == (None, False)
    assert await everything(source) == b"abc"
    assert await source.read() == b""
    await source.aclose()


@pytest.mark.parametrize("make", [pieces, later])
async def test_a_generator_is_closed(make: object) -> None:
    generator = make()  # type: ignore[operator]
    source = ByteSource(generator)
    assert await source.read() == b"a"
    await source.aclose()
    assert await source.read() == b""


async def test_an_error_of_the_callers_own_code_is_marked() -> None:
    def broken() -> Iterator[bytes]:
        yield b"a"
        raise ConnectionLost("of another client")

    source = ByteSource(broken())
    assert await source.read() == b"a"
    with pytest.raises(CallerError, match="of another client") as caught:
        await source.read()
    assert isinstance(caught.value.error, ConnectionLost)


async def test_a_closed_file(tmp_path: Path) -> None:
    with (tmp_path / "f").open("w+b") as file:
        file.write(b"hello")
    with pytest.raises((LocalFileError, ConfigurationError)):
        await ByteSource(file).prepare()


async def test_what_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't upload a int"):
        ByteSource(5)  # type: ignore[arg-type]
    for bad in (["text"], [5]):
        with pytest.raises(ConfigurationError, match="not bytes"):
            await ByteSource(bad).read()  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="binary mode"):
        await ByteSource(io.StringIO("x")).prepare()  # type: ignore[arg-type]
    for path in (tmp_path / "missing", tmp_path):
        with pytest.raises(LocalFileError, match="can't read") as caught:
            await ByteSource(path).prepare()
        assert caught.value.filename == str(path)
        assert caught.value.errno


async def test_a_file_that_fails() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(5, "Input/output error")

        def readinto(self, buffer: object, /) -> int:
            raise OSError(5, "Input/output error")

        def seek(self, offset: int, whence: int = 0, /) -> int:
            if offset == 3:
                raise OSError(5, "Input/output error")
            return super().seek(offset, whence)

    source = ByteSource(Failing(b"hello"))

    async def read_it() -> None:
        await source.prepare()
        await source.read()

    with pytest.raises(LocalFileError, match="can't read the file: Input/output error"):
        await read_it()
    with pytest.raises(LocalFileError):
        await source.rewind(3)


# What blocks, and what only looks like an end


@pytest.mark.parametrize("buffering", [0, -1])
async def test_nothing_yet_is_no_end(buffering: int) -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(read_end, False)
    os.write(write_end, b"first half")
    try:
        with os.fdopen(read_end, "rb", buffering=buffering) as file:
            source = ByteSource(file)
            await source.prepare()
            assert bytes(await source.read()) == b"first half"
            with pytest.raises(LocalFileError, match=r"^the file is in non-blocking mode and has nothing to read yet"):
                await source.read()
    finally:
        os.close(write_end)


class OnlyRead:
    """Has ``read`` and nothing else."""

    def __init__(self, *pieces: object) -> None:
        self._pieces = list(pieces)

    def read(self, size: int = -1) -> object:
        return self._pieces.pop(0) if self._pieces else b""


async def test_what_has_only_read_is_read_once() -> None:
    source = ByteSource(OnlyRead(b"ab", bytearray(b"c")))  # type: ignore[arg-type]
    await source.prepare()
    assert (source.size, source.repeatable) == (None, False)
    assert await everything(source) == b"abc"
    source = ByteSource(OnlyRead(None))  # type: ignore[arg-type]
    await source.prepare()
    with pytest.raises(LocalFileError, match="nothing to read yet"):
        await source.read()


class NoEnd(io.BytesIO):
    """Says that it can seek, and can't seek to the end: a file in /proc."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence == os.SEEK_END:
            raise OSError(22, "Invalid argument")
        return super().seek(offset, whence)


async def test_a_file_without_an_end_to_seek_to_is_read_once() -> None:
    source = ByteSource(NoEnd(b"hello"))
    await source.prepare()
    assert (source.size, source.repeatable) == (None, False)
    assert await everything(source) == b"hello"


async def test_a_view_with_gaps() -> None:
    gaps = memoryview(b"abcdef")[::2]
    with pytest.raises(ConfigurationError, match="gaps"):
        ByteSource(gaps)
    with pytest.raises(ConfigurationError, match="gaps"):
        await ByteSource([gaps]).read()
    assert await everything(ByteSource(memoryview(b"abc")[:0:2])) == b""


async def test_a_fifo_is_read_to_its_end_and_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    def write() -> None:
        with (tmp_path / "fifo").open("wb", buffering=0) as file:
            for _ in range(3):
                file.write(b"piece")

    writer = threading.Thread(target=write)
    writer.start()
    source = ByteSource(tmp_path / "fifo")
    await source.prepare()
    assert (source.size, source.repeatable) == (None, False)
    assert await everything(source) == b"piece" * 3
    await source.aclose()
    writer.join()


@pytest.mark.parametrize("delay", [0, 0.3], ids=["while it waits", "before it waits"])
async def test_opening_a_fifo_can_be_cancelled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delay: float) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    # A writer after all, later: ends a test that can't be cancelled.
    late = threading.Timer(3, lambda: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK)))
    late.start()
    really_open = Path.open

    def slowly_open(*arguments: Any, **options: Any) -> Any:
        time.sleep(delay)
        return really_open(*arguments, **options)

    monkeypatch.setattr(Path, "open", slowly_open)
    source = ByteSource(path)
    with anyio.move_on_after(0.1) as scope:
        await source.prepare()
    await source.aclose()
    assert scope.cancelled_caught
    assert late.is_alive(), "the cancellation waited for a writer"
    late.cancel()
    late.join()
    await anyio.sleep(2 * delay)
    for _ in range(200):
        if any(thread.name == "netclients-wake" for thread in threading.enumerate()):
            await anyio.sleep(0.01)
    for _ in range(200):
        if not any(os.path.realpath(f"/proc/self/fd/{fd}") == str(path) for fd in os.listdir("/proc/self/fd")):
            break
        await anyio.sleep(0.01)
    else:
        pytest.fail("what was opened after all was not closed")
    with pytest.raises(OSError):  # ENXIO: no thread waits for a writer any more
        os.open(path, os.O_WRONLY | os.O_NONBLOCK)
