"""Upload sources: whatever gives bytes, and what does not."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

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
