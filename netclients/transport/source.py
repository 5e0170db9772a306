"""Where the bytes of an upload come from: a path, bytes, a binary file, or whatever yields bytes.

Bytes are pulled, one chunk at a time, as fast as they can be sent. What must be read from a file is read in worker
threads: by whoever sends it there, or by :meth:`ByteSource.read`.
"""

from __future__ import annotations

import errno
import inspect
import io
import os
import stat
import threading
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

import anyio
from anyio import to_thread

from netclients.errors import ConfigurationError, LocalFileError, printable
from netclients.transport.callers import callers_errors
from netclients.transport.readiness import checkpoint
from netclients.transport.stream import Buffer
from netclients.transport.threads import in_thread

__all__ = ["ByteSource", "Uploadable"]

Uploadable = str | os.PathLike[str] | Buffer | BinaryIO | Iterable[Buffer] | AsyncIterable[Buffer]
"""What can be uploaded. Text is the path of a file, never its content."""

T = TypeVar("T")

_CHUNK = 256 * 1024
_SOON = 0.01  # seconds
_CLOSING = 1.0  # seconds for a generator's own clean-up


class ByteSource:
    """One source. ``size`` is its length in bytes if known; ``repeatable``, whether it can be read again.

    Made without touching anything; :meth:`prepare` opens it, :meth:`close` closes what that opened.
    """

    def __init__(self, source: Uploadable) -> None:
        self.size: int | None = None
        self.repeatable: bool = True
        self.pulled: int = 0
        self._view: memoryview | None = None
        self._file: BinaryIO | None = None
        self._path: Path | None = None
        self._iterator: Iterator[Buffer] | AsyncIterator[Buffer] | None = None
        self._start = 0
        self._buffer = bytearray()
        self._at_end = False
        self._ahead: memoryview | None = None
        if isinstance(source, (bytes, bytearray, memoryview)):
            self._view = _flat(source)
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
        if (self._path is not None or self._file is not None) and not await in_thread(self._prepare_file):
            await self._open_special()

    def _prepare_file(self) -> bool:
        """Open a regular file, or take the caller's; return False for what may block for ever when it is opened."""
        if isinstance(self._file, io.TextIOBase):
            raise ConfigurationError("the file is opened as text; open it in binary mode")
        with self._errors():
            if self._path is not None:
                if not stat.S_ISREG(self._path.stat().st_mode):
                    return False
                self._file = self._path.open("rb", buffering=0)
            self._measure()
        self._make_buffer()
        return True

    async def _open_special(self) -> None:
        """Open a FIFO or a device, which is read once. A FIFO waits for a writer: a cancelled task must not."""
        assert self._path is not None
        self.repeatable = False
        lock = threading.Lock()
        over = threading.Event()
        begun = abandoned = False

        def open_it() -> None:
            nonlocal begun
            assert self._path is not None
            with lock:
                if abandoned:
                    return
                begun = True
            try:
                with self._errors():
                    file = self._path.open("rb", buffering=0)
            finally:
                over.set()
            with lock:
                if abandoned:
                    file.close()
                else:
                    self._file = file

        try:
            await to_thread.run_sync(open_it, abandon_on_cancel=True)
        except BaseException:
            with lock:
                abandoned = True
            if begun:
                # By a thread, for that one may be about to wait only: it would miss being woken now.
                threading.Thread(target=_wake, args=(self._path, over), name="netclients-wake", daemon=True).start()
            raise
        self._make_buffer()

    def _measure(self) -> None:
        file = self._file
        assert file is not None
        self.repeatable = all(hasattr(file, name) for name in ("seekable", "seek", "tell")) and file.seekable()
        if not self.repeatable:
            return
        try:
            self._start = file.tell()
            self.size = file.seek(0, os.SEEK_END) - self._start
        except OSError:
            # Files in /proc say that they can seek, and have no end to seek to.
            self.repeatable = False
        else:
            file.seek(self._start)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._failed(error) from error
        except ValueError as error:
            raise LocalFileError(f"can't read: {error}") from error

    def _make_buffer(self) -> None:
        self._buffer = bytearray(_CHUNK if self.size is None else min(_CHUNK, self.size + 1))
        if self.repeatable:
            self._ahead = self._read_chunk()

    @property
    def _name(self) -> str:
        if self._path is not None:
            return str(self._path)
        name = getattr(self._file, "name", None)
        return name if isinstance(name, str) else "the file"

    def _failed(self, error: OSError) -> LocalFileError:
        name = self._name
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
            self._ahead = None
            self._at_end = False
            await in_thread(lambda: self._seek_file(self._start + offset))

    def _seek_file(self, position: int) -> None:
        assert self._file is not None
        try:
            self._file.seek(position)
        except OSError as error:
            raise self._failed(error) from error

    @property
    def in_file(self) -> bool:
        """Whether what comes next must be read from a file that can be rewound: by :meth:`read_file`."""
        return self._file is not None and self.repeatable and self._ahead is None and not self._at_end

    def read_file(self) -> memoryview:
        """Return the next chunk of a file, as :meth:`read` does. Blocks."""
        chunk = self._read_chunk()
        self.pulled += len(chunk)
        return chunk

    async def read(self) -> Buffer:
        """Return the next chunk, to be sent before the next call; an empty one is the end."""
        await checkpoint()
        if self.in_file:
            return await in_thread(self.read_file)
        chunk: Buffer
        if self._view is not None:
            chunk = self._view[self.pulled :]
        elif self._file is None:
            chunk = await self._next_piece()
        elif self.repeatable:
            chunk, self._ahead = self._ahead or b"", None
        else:
            # A pipe may have nothing for hours: a cancelled task must not wait for it.
            chunk = await to_thread.run_sync(self._read_chunk, abandon_on_cancel=True)
        self.pulled += len(chunk)
        return chunk

    def _read_chunk(self) -> memoryview:
        assert self._file is not None
        if self._at_end:
            return memoryview(b"")
        if not hasattr(self._file, "readinto"):
            with self._errors():
                piece = self._file.read(_CHUNK)
            return _flat(_checked(self._there(piece)))
        with self._errors():
            result = self._file.readinto(self._buffer)
        count = self._there(result)
        # A file of ours gives all that it has; pipes and others may give less for reasons of their own.
        self._at_end = self._path is not None and self.repeatable and count < len(self._buffer)
        return memoryview(self._buffer)[:count]

    def _there(self, result: T | None) -> T:
        if result is None:
            # Not the end, which it would be taken for: the rest would be missing.
            raise LocalFileError(f"{printable(self._name)} is in non-blocking mode and has nothing to read yet")
        return result

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
        return _flat(piece)

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


def _wake(path: Path, over: threading.Event) -> None:
    """End an open() that waits for a writer of the FIFO: the interpreter waits for its threads at exit."""
    while not over.is_set():
        try:
            if not path.is_fifo():
                return
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            if error.errno != errno.ENXIO:
                return  # it is not ours to write to
        over.wait(_SOON)


def _flat(piece: Buffer) -> memoryview:
    view = memoryview(piece)
    if not view.nbytes:
        return memoryview(b"")
    if not view.c_contiguous:
        raise ConfigurationError("can't upload a memoryview with gaps; make it bytes first")
    return view.cast("B")


def _checked(piece: Buffer) -> bytes:
    if not isinstance(piece, (bytes, bytearray, memoryview)):
        raise ConfigurationError(f"the upload source gave {type(piece).__name__}, not bytes")
    return cast("bytes", piece)
