"""The embedded IMAP server's connection: that of all mail servers, with compression (RFC 4978)."""

from __future__ import annotations

import zlib

from ._channel import READ_SIZE
from ._mail_channel import MailChannel


class IMAPChannel(MailChannel):
    """A :class:`MailChannel` that can be compressed, in both directions."""

    _deflater: zlib._Compress | None = None
    _inflater: zlib._Decompress | None = None

    def compress(self) -> None:
        """Compress from now on; what has arrived already is compressed."""
        self._deflater = zlib.compressobj(wbits=-15)
        self._inflater = zlib.decompressobj(wbits=-15)
        arrived = bytes(self._buffer)
        self._buffer.clear()
        self._buffer += self._inflater.decompress(arrived)

    async def recv(self, limit: int = READ_SIZE) -> bytes:
        """Return what has arrived, ``b""`` at the end."""
        data = await super().recv(limit)
        if self._inflater is None:
            return data
        while data:
            try:
                plain = self._inflater.decompress(data)
            except zlib.error as error:
                raise ConnectionResetError("that is no deflated data") from error
            if plain:
                return plain
            data = await super().recv(limit)
        return b""

    async def send(self, data: bytes | memoryview) -> None:
        """Write all of `data`."""
        if self._deflater is not None:
            data = self._deflater.compress(data) + self._deflater.flush(zlib.Z_SYNC_FLUSH)
        await super().send(data)
