# ruff: noqa: D102 - docstrings are those of the asynchronous twin
"""A remote file for blocking code: received in large pieces, so that small reads cost no hop."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from netclients.errors import ConfigurationError
from netclients.ftp.remote_file import RemoteFile as AsyncRemoteFile
from netclients.sync.calls import give_back, let_go, run
from netclients.sync.docs import documented_like
from netclients.sync.portal import portal

__all__ = ["RemoteFile"]

_PIECE = 1024 * 1024
_FIRST = 64 * 1024
_CHUNK = 256 * 1024


@documented_like(AsyncRemoteFile, close="aclose")
class RemoteFile:
    """A remote file, open for reading; use it with ``with``, or call ``close()``.

    A lost connection is made up for: reading goes on at the same byte if the file has not changed. Iteration
    gives blocks of bytes. For lines or text, wrap it:
    ``io.TextIOWrapper(io.BufferedReader(file), encoding="utf-8")``.
    """

    def __init__(self, twin: AsyncRemoteFile, *, owner: object = None) -> None:
        self._twin = twin
        self._portal = portal()
        # Whoever owns the connection must live as long as somebody reads from it.
        self._owner = owner
        self._piece = bytearray()
        self._start = 0
        self._end = 0
        self._closed = False

    @property
    def name(self) -> str:
        return self._twin.name

    @property
    def size(self) -> int | None:
        return self._twin.size

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def tell(self) -> int:
        return self._twin.tell() - (self._end - self._start)

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def writable(self) -> bool:
        """Whether it can be written: never."""
        return False

    def seekable(self) -> bool:
        """Whether the position can be changed: no, open it again with another ``offset``."""
        return False

    def flush(self) -> None:
        """Do nothing: there is nothing to be written."""

    def readinto(self, buffer: bytearray | memoryview) -> int:
        self._check_open()
        with memoryview(buffer) as whole, whole.cast("B") as view:
            if self._start == self._end:
                if len(view) >= _PIECE:
                    return self._receive_into(view)
                self._receive_piece()
            count = min(len(view), self._end - self._start)
            with memoryview(self._piece) as piece:
                view[:count] = piece[self._start : self._start + count]
            self._start += count
            return count

    def _receive_piece(self) -> None:
        # Small at first: the head of a file is often all that is wanted.
        if len(self._piece) < _PIECE:
            self._piece = bytearray(min(_PIECE, max(_FIRST, 4 * len(self._piece))))
        self._start = self._end = 0
        with memoryview(self._piece) as view:
            self._end = self._receive_into(view)

    def _receive_into(self, view: memoryview) -> int:
        return run(lambda: self._twin.readinto(view))

    def read(self, size: int = -1) -> bytes:
        content = bytearray()
        while size < 0 or len(content) < size:
            room = _CHUNK if size < 0 else min(_CHUNK, size - len(content))
            if not (chunk := self._read_some(room)):
                break
            if len(chunk) == size:
                return chunk
            content += chunk
        return bytes(content)

    def _read_some(self, size: int) -> bytes:
        """Return up to ``size`` bytes, what is there; empty at the end."""
        self._check_open()
        if self._start == self._end:
            self._receive_piece()
        start = self._start
        self._start = end = min(self._end, start + size)
        with memoryview(self._piece) as piece:
            return bytes(piece[start:end])

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if not (chunk := self._read_some(_CHUNK)):
            raise StopIteration
        return chunk

    def _check_open(self) -> None:
        if self._closed:
            raise ConfigurationError("the file is closed")
        self._portal.check_process()

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._piece = bytearray()
            self._start = self._end = 0
            give_back(self._portal, self._twin)

    def __enter__(self) -> Self:
        self._check_open()
        try:
            run(lambda: self._twin.__aenter__())
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_closed", True):
            self._portal.post_if_running(let_go, self._twin)
