"""A byte stream that is compressed both ways: COMPRESS of IMAP (RFC 4978) and NNTP (RFC 8054).

Each handful of bytes that is sent ends in a sync flush, so that the peer can read it; received bytes are inflated into
the reader's buffer, which is what bounds a bomb: never more than the reader has room for.
"""

from __future__ import annotations

import zlib
from socket import socket as Socket  # noqa: N812 - the property below is called socket

from netclients.errors import ProtocolError
from netclients.transport.stream import Buffer, ByteStream

__all__ = ["DeflateStream"]

_PIECE = 64 * 1024  # bytes that are read or compressed at a time
_RAW = -zlib.MAX_WBITS  # without header and checksum
_LEVEL = 6
_MOST_IN_VAIN = 1024 * 1024  # bytes in a row that inflate to nothing: empty blocks could go on for ever


class DeflateStream(ByteStream):
    """Compresses what passes through it to and from ``below``."""

    __slots__ = ("_deflater", "_in_vain", "_inflater", "_pending", "_read", "below")

    def __init__(self, below: ByteStream) -> None:
        self.below: ByteStream = below
        self._deflater = zlib.compressobj(_LEVEL, wbits=_RAW)
        self._inflater = zlib.decompressobj(_RAW)
        self._pending = b""
        self._in_vain = 0
        self._read = bytearray(_PIECE)

    def try_recv_into(self, buffer: bytearray | memoryview) -> int | None:
        """See :meth:`ByteStream.try_recv_into`.

        Raises:
            ProtocolError: what the peer sends is not compressed, goes on behind its end, or comes to nothing.
        """
        if self._inflater.unused_data:
            raise ProtocolError("the server sent more behind the end of its compressed data")
        while True:
            if self._inflater.unconsumed_tail:
                if inflated := self._inflate(self._inflater.unconsumed_tail, buffer):
                    return inflated
                continue
            count = self.below.try_recv_into(self._read)
            if not count:
                return count
            with memoryview(self._read) as view:
                if inflated := self._inflate(view[:count], buffer):
                    self._in_vain = 0
                    return inflated
            self._in_vain += count
            if self._in_vain > _MOST_IN_VAIN:
                raise ProtocolError(f"the server sent more than {_MOST_IN_VAIN:,} bytes of compressed nothing")

    def _inflate(self, data: bytes | memoryview, buffer: bytearray | memoryview) -> int:
        inflater = self._inflater
        if inflater.eof:
            raise ProtocolError("the server sent more behind the end of its compressed data")
        try:
            inflated = inflater.decompress(data, len(buffer))
        except zlib.error as error:
            raise ProtocolError(f"the server sent compressed data that is broken: {error}") from None
        buffer[: len(inflated)] = inflated
        return len(inflated)

    def try_send(self, data: Buffer) -> int:
        """See :meth:`ByteStream.try_send`."""
        self.try_flush()
        if self._pending or not len(data):
            return 0
        with memoryview(data) as view:
            piece = view[:_PIECE]
            self._pending = self._deflater.compress(piece) + self._deflater.flush(zlib.Z_SYNC_FLUSH)
            taken = len(piece)
            piece.release()
        self.try_flush()
        return taken

    @property
    def unsent(self) -> bool:
        """See :attr:`ByteStream.unsent`."""
        return bool(self._pending) or self.below.unsent

    def try_flush(self) -> None:
        """See :meth:`ByteStream.try_flush`."""
        if self._pending:
            self._pending = self._pending[self.below.try_send(self._pending) :]
        self.below.try_flush()

    @property
    def socket(self) -> Socket | None:
        """See :attr:`ByteStream.socket`."""
        return self.below.socket

    @property
    def peer(self) -> str:
        """See :attr:`ByteStream.peer`."""
        return self.below.peer

    @property
    def local_address(self) -> str | None:
        """See :attr:`ByteStream.local_address`."""
        return self.below.local_address

    @property
    def secured(self) -> bool:
        """See :attr:`ByteStream.secured`."""
        return self.below.secured

    @property
    def stalled(self) -> bool:
        """See :attr:`ByteStream.stalled`."""
        return self.below.stalled

    @property
    def closed_cleanly(self) -> bool | None:
        """See :attr:`ByteStream.closed_cleanly`."""
        return self.below.closed_cleanly

    def hold(self) -> None:
        """See :meth:`ByteStream.hold`."""
        self.below.hold()

    def let_go(self) -> None:
        """See :meth:`ByteStream.let_go`."""
        self.below.let_go()

    def try_close(self) -> bool:
        """See :meth:`ByteStream.try_close`."""
        return self.below.try_close()

    def abort(self) -> None:
        """See :meth:`ByteStream.abort`."""
        self.below.abort()

    async def aclose(self, timeout: float | None = None) -> None:
        """See :meth:`ByteStream.aclose`."""
        await self.below.aclose(timeout)
