"""Upload data and lists of files that the caller supplies: read in the caller's thread, used in the loop."""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, TypeVar, cast

from netclients.errors import ConfigurationError
from netclients.sync.calls import Desk

if TYPE_CHECKING:
    from netclients.ftp.batch import BatchUploadable
    from netclients.transport import source as transport_source
    from netclients.transport.stream import Buffer

__all__ = ["Uploadable", "lend_chunks", "lend_iterable", "lend_iterator", "lend_upload", "lend_uploads", "listed"]

T = TypeVar("T")

Uploadable = str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Iterable["Buffer"]
"""What can be uploaded. Text is the path of a file, never its content."""

_BATCH_BYTES = 256 * 1024
_BATCH_ITEMS = 100
_BATCH_SECONDS = 0.02


def lend_upload(desk: Desk, source: Uploadable) -> transport_source.Uploadable:
    """Return what the asynchronous ``upload`` takes for ``source``.

    Raises:
        ConfigurationError: it can't be uploaded from blocking code.
    """
    if isinstance(source, (str, os.PathLike, bytes, bytearray, memoryview, io.TextIOBase)):
        return source
    if hasattr(source, "read"):
        return cast("BinaryIO", _LentFile(desk, cast("BinaryIO", source)))
    if isinstance(source, Iterable):
        return _LentIterator(desk, _gathered(source), batch=1)
    _refuse_asynchronous(source)
    raise ConfigurationError(f"can't upload a {type(source).__name__}")


def lend_iterable(desk: Desk, items: Iterable[T]) -> Iterable[T] | AsyncIterable[T]:
    """Return ``items`` for use in the loop: a snapshot of a list or tuple, else pulled in the caller's thread.

    Raises:
        ConfigurationError: they are asynchronous.
    """
    if type(items) in (list, tuple, str, bytes):
        return tuple(items) if type(items) is list else items
    return lend_iterator(desk, items)


def lend_chunks(desk: Desk, chunks: Iterable[bytes] | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Return the content of a message for use in the loop: pulled in the caller's thread.

    Raises:
        ConfigurationError: it is asynchronous.
    """
    _refuse_asynchronous(chunks)
    return _LentIterator(desk, map(bytes, _gathered(cast("Iterable[bytes]", chunks))), batch=1)


def listed(values: T) -> T:
    """Return ``values``; if they are yielded one by one, all of them, asked for here: in the caller's thread.

    Raises:
        ConfigurationError: they are asynchronous.
    """
    _refuse_asynchronous(values)
    if isinstance(values, Iterable) and not isinstance(values, Collection):
        return cast("T", list(values))
    return values


def lend_uploads(desk: Desk, sources: Iterable[BatchUploadable]) -> Any:
    """Return the ``sources`` of a batch for use in the loop: what must be read is read in the caller's thread.

    Raises:
        ConfigurationError: they are asynchronous.
    """
    if isinstance(sources, (str, bytes)) or not isinstance(sources, Iterable):
        return lend_iterable(desk, sources)
    lent = (_lent_pair(desk, source) for source in sources)
    return list(lent) if type(sources) in (list, tuple) else lend_iterator(desk, lent)


def _lent_pair(desk: Desk, source: Any) -> Any:
    if isinstance(source, tuple) and len(source) == 2:
        return lend_upload(desk, source[0]), source[1]
    return source


def lend_iterator(desk: Desk, items: Iterable[T]) -> AsyncIterator[T]:
    """Return ``items`` as the loop takes them one by one.

    Raises:
        ConfigurationError: they are asynchronous.
    """
    _refuse_asynchronous(items)
    return _LentIterator(desk, iter(items), batch=_BATCH_ITEMS)


def _refuse_asynchronous(items: object) -> None:
    if isinstance(items, AsyncIterable):
        raise ConfigurationError("the blocking clients take no asynchronous iterables")


class _LentIterator(AsyncIterator[T], Generic[T]):
    """Pulls ahead for a short time: a question to the other thread costs more than an item."""

    def __init__(self, desk: Desk, iterator: Iterator[T], batch: int) -> None:
        self._desk = desk
        self._iterator = iterator
        self._batch = batch
        self._ready: deque[T] = deque()
        self._error: Exception | None = None

    async def __anext__(self) -> T:
        if not self._ready and self._error is None:
            self._error = await asyncio.wrap_future(self._desk.ask(self._pull))
        if self._ready:
            return self._ready.popleft()
        assert self._error is not None
        raise self._error

    def _pull(self) -> Exception | None:
        """Take what comes quickly; return what ended it. In the caller's thread."""
        deadline = time.monotonic() + _BATCH_SECONDS
        try:
            while len(self._ready) < self._batch and time.monotonic() < deadline:
                self._ready.append(next(self._iterator))
        except StopIteration:
            return StopAsyncIteration()
        except Exception as error:  # noqa: BLE001 - raised after the items before it
            return error
        return None


def _gathered(pieces: Iterable[Buffer]) -> Iterator[Buffer]:
    """Join small pieces into larger ones. Each is copied before the next is asked for: it may be the same buffer."""
    gathered = bytearray()
    deadline = 0.0
    for piece in pieces:
        if not isinstance(piece, (bytes, bytearray, memoryview)):
            yield piece  # to be refused by the upload
        if not gathered:
            deadline = time.monotonic() + _BATCH_SECONDS
            if len(piece) >= _BATCH_BYTES:
                yield piece
                continue
        gathered += piece
        if len(gathered) >= _BATCH_BYTES or time.monotonic() >= deadline:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)


class _LentFile:
    """A binary file as the loop's worker threads see it: each method runs in the caller's thread."""

    def __init__(self, desk: Desk, file: BinaryIO) -> None:
        self._desk = desk
        self._file = file
        self.name = getattr(file, "name", "the file")

    def read(self, size: int) -> bytes:
        return self._desk.ask(lambda: self._file.read(size)).result()

    def seekable(self) -> bool:
        return self._desk.ask(self._is_seekable).result()

    def _is_seekable(self) -> bool:
        # Minimal file objects have read() and nothing else.
        seekable = getattr(self._file, "seekable", None)
        return seekable is not None and seekable()

    def tell(self) -> int:
        return self._desk.ask(self._file.tell).result()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._desk.ask(lambda: self._file.seek(offset, whence)).result()
