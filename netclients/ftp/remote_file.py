"""``FTPClient.open``: a remote file as an object to read from."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from netclients.errors import ConfigurationError, NetClientError
from netclients.ftp.reading import RemoteReader
from netclients.numbers import whole_number

if TYPE_CHECKING:
    from netclients.ftp.context import Context

__all__ = ["RemoteFile"]

_CHUNK = 256 * 1024


class RemoteFile:
    """A remote file, open for reading from ``offset``; use it with ``async with``.

    A lost connection is made up for: reading goes on at the same byte if the file has not changed.
    """

    def __init__(self, context: Context, path: str, offset: int, *, owner: object) -> None:
        # A client that is dropped closes its connections: it must live as long as its files.
        self._owner = owner
        offset = whole_number("offset", offset, 0)
        self._reader = RemoteReader(context, path, context.meter(None, None), offset=offset)
        self._open = False
        self._ended = False
        self._closed = False

    @property
    def name(self) -> str:
        """The remote path."""
        return self._reader.path

    @property
    def size(self) -> int | None:
        """The file's size in bytes if the server has told it, which it may have after the first read."""
        return self._reader.size

    def tell(self) -> int:
        """Return the position in the file, in bytes."""
        return self._reader.position

    async def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill ``buffer`` from its start with what is there; return the number of bytes, 0 at the end.

        Raises:
            TruncatedTransfer: the file ended too early.
            NetClientError: what the server or the network did.
        """
        if self._closed:
            raise ConfigurationError("the file is closed")
        while not self._ended and len(buffer):
            try:
                await self._begin()
                count = self._reader.stream.try_recv_into(buffer) if self._open else 0
                if count is None:
                    await self._reader.idle()
                elif count:
                    await self._reader.meter.count(count)
                    return count
                elif self._open:
                    await self._reader.finish()
                    self._ended = True
            except NetClientError as error:
                await self._recover(error)
        return 0

    async def _begin(self) -> None:
        if not self._open:
            self._open = await self._reader.start()
            self._ended = not self._open

    async def _recover(self, error: NetClientError) -> None:
        self._open = False
        if self._closed:
            raise ConfigurationError("the file was closed while it was read") from error
        await self._reader.recover(error)

    async def read(self, size: int = -1) -> bytes:
        """Return ``size`` bytes, fewer only at the end; everything that is left if ``size`` is negative."""
        content = bytearray()
        while size < 0 or len(content) < size:
            room = _CHUNK if size < 0 else min(_CHUNK, size - len(content))
            chunk = bytearray(room)
            count = await self.readinto(chunk)
            if not count:
                break
            content += memoryview(chunk)[:count]
        return bytes(content)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        chunk = bytearray(_CHUNK)
        count = await self.readinto(chunk)
        if not count:
            raise StopAsyncIteration
        return bytes(memoryview(chunk)[:count])

    async def aclose(self) -> None:
        """Close; what was not read is left on the server."""
        self._closed = True
        self._reader.release()

    async def __aenter__(self) -> Self:
        # Begun here, so that a missing file is told before the first read.
        try:
            while not self._open and not self._ended:
                try:
                    await self._begin()
                except NetClientError as error:
                    await self._recover(error)
        except BaseException:
            self._reader.release()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if hasattr(self, "_reader"):
            self._reader.release()
