"""Where the bytes of an upload come from: a path, bytes, a binary file, or whatever yields bytes.

Bytes are pulled, one chunk at a time, as fast as they can be sent. Files are read in worker threads.
"""

from __future__ import annotations

import inspect
import io
import os
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

import anyio
from anyio import to_thread

from netclients.errors import ConfigurationError, LocalFileError, printable
from netclients.transport.callers import callers_errors
from netclients.transport.stream import Buffer

__all__ = ["ByteSource", "Uploadable"]

Uploadable = str | os.PathLike[str] | Buffer | BinaryIO | Iterable[Buffer] | AsyncIterable[Buffer]
"""What can be uploaded. Text is the path of a file, never its content."""

_CHUNK = 1024 * 1024
_CLOSING = 1.0  # seconds for a generator's own clean-up


class ByteSource:
    """One source. ``size`` is its length in bytes if known; ``repeatable``, whether it can be read again.

    Made without touching anything; :meth:`prepare` opens it, :meth:`close` closes what that opened.
    """

    def __init__(self, source: Uploadable) -> None:
        self.size: int | None = None
        self.repeatable = True
        self.pulled = 0
        self._view: memoryview | None = None
        self._file: BinaryIO | None = None
        self._path: Path | None = None
        self._iterator: Iterator[Buffer] | AsyncIterator[Buffer] | None = None
        self._start = 0
        self._ahead: bytes = b""
        if isinstance(source, (bytes, bytearray, memoryview)):
            self._view = memoryview(source).cast("B")
            self.size = len(self._view)
        elif isinstance(source, (str, os.PathLike)):
            self._path = Path(source)
        elif hasattr(source, "read"):
            self._file = cast("BinaryIO", source)
        elif isinstance(source, (Iterable, AsyncIterable)):
            self.repeatable = False
            self._iterator = _iterator_of(cast("Iterable[Buffer] | AsyncIterable[Buffer]", source))
        else:
            raise ConfigurationError(f"can't upload a {type(source).__name__}")

    async def prepare(self) -> None:
        """Open the file, find out its size.

        Raises:
            LocalFileError: it can't be read.
            ConfigurationError: it was opened as text.
        """
        if self._path is not None or self._file is not None:
            await to_thread.run_sync(self._prepare_file)

    def _prepare_file(self) -> None:
        if isinstance(self._file, io.TextIOBase):
            raise ConfigurationError("the file is opened as text; open it in binary mode")
        try:
            if self._path is not None:
                self._file = self._path.open("rb", buffering=0)
            assert self._file is not None
            self.repeatable = self._file.seekable()
            if self.repeatable:
                self._start = self._file.tell()
                self.size = self._file.seek(0, os.SEEK_END) - self._start
                self._file.seek(self._start)
            self._ahead = self._read_file()
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> LocalFileError:
        name = str(getattr(self._file, "name", "the file") if self._path is None else self._path)
        return LocalFileError(
            f"can't read {printable(name)}: {error.strerror or error}", errno=error.errno, filename=name
        )

    async def rewind(self, offset: int) -> None:
        """Go to byte ``offset``. Only for repeatable sources, or before the first :meth:`read`."""
        if offset == self.pulled:
            return
        assert self.repeatable
        self.pulled = offset
        if self._file is not None:
            self._ahead = b""
            await to_thread.run_sync(self._seek_file, self._start + offset)

    def _seek_file(self, position: int) -> None:
        assert self._file is not None
        try:
            self._file.seek(position)
        except OSError as error:
            raise self._failed(error) from error

    async def read(self) -> Buffer:
        """Return the next chunk; an empty one is the end."""
        chunk: Buffer
        if self._view is not None:
            chunk = self._view[self.pulled :]
        elif self._ahead:
            chunk, self._ahead = self._ahead, b""
        elif self._file is not None:
            chunk = await to_thread.run_sync(self._read_file)
        else:
            chunk = await self._next_piece()
        self.pulled += len(chunk)
        return chunk

    def _read_file(self) -> bytes:
        assert self._file is not None
        try:
            chunk = self._file.read(_CHUNK)
        except OSError as error:
            raise self._failed(error) from error
        except ValueError as error:
            raise LocalFileError(f"can't read: {error}") from error
        return _checked(chunk)

    async def _next_piece(self) -> Buffer:
        piece: Buffer = b""
        while not piece:
            try:
                with callers_errors():
                    if isinstance(self._iterator, AsyncIterator):
                        piece = await anext(self._iterator)
                    else:
                        piece = next(cast("Iterator[Buffer]", self._iterator))
            except (StopIteration, StopAsyncIteration):
                return b""
            piece = _checked(piece)
        return memoryview(piece).cast("B")

    async def aclose(self) -> None:
        """Close the file if :meth:`prepare` opened it, and a generator, which nobody else can."""
        if self._path is not None and self._file is not None:
            self._file.close()
        if inspect.isgenerator(self._iterator):
            self._iterator.close()
        elif inspect.isasyncgen(self._iterator):
            with anyio.move_on_after(_CLOSING, shield=True):
                await self._iterator.aclose()


def _iterator_of(source: Iterable[Buffer] | AsyncIterable[Buffer]) -> Iterator[Buffer] | AsyncIterator[Buffer]:
    return aiter(source) if isinstance(source, AsyncIterable) else iter(source)


def _checked(piece: Buffer) -> bytes:
    if not isinstance(piece, (bytes, bytearray, memoryview)):
        raise ConfigurationError(f"the upload source gave {type(piece).__name__}, not bytes")
    return cast("bytes", piece)
