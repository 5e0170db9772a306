"""Blocks that legacy servers compress: XFEATURE COMPRESS GZIP, and XZVER, which hides deflated data in yEnc.

Neither has an RFC. What comes out of them is bounded by the block that takes it.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

from netclients.errors import ProtocolError
from netclients.wire.blocks import Block

__all__ = ["Inflated", "YEncoded"]

_PIECE = 256 * 1024  # bytes that are inflated at a time
_ANY_HEADER = zlib.MAX_WBITS | 32
_RAW = -zlib.MAX_WBITS
_ESCAPED = re.compile(rb"=(.)", re.DOTALL)
_PLAIN = bytes((byte - 42) % 256 for byte in range(256))


class Inflated(Block):
    """A block behind a reply with ``[COMPRESS=GZIP]``: zlib or gzip data, of which the text goes to ``inner``.

    The last dot is at the end of the text, or behind the compressed data, as the server likes.
    """

    __slots__ = ("_inflater", "inner")

    def __init__(self, inner: Block) -> None:
        super().__init__()
        self.inner: Block = inner
        self._inflater: zlib._Decompress | None = zlib.decompressobj(_ANY_HEADER)

    def feed(self, data: bytes, at: int = 0) -> int:
        """See :meth:`~netclients.wire.blocks.Block.feed`."""
        inflater, rest = self._inflater, data[at:]
        if inflater is not None:
            for text in _inflated(inflater, rest):
                if self.inner.ended or 0 <= self.inner.feed(text) < len(text):
                    raise ProtocolError("the server sent compressed data behind the end of a list")
            if not inflater.eof:
                return -1
            rest = inflater.unused_data
            self._inflater = None  # what follows goes to the block as it is
        behind = 0 if self.inner.ended else self.inner.feed(rest)
        self.size: int = self.inner.size
        self.ended: bool = self.inner.ended
        return -1 if behind < 0 else len(data) - len(rest) + behind


class YEncoded:
    """Takes the lines of an XZVER block, and feeds ``inner`` with the text that is deflated in them."""

    __slots__ = ("_begun", "_ended", "_inflater", "inner")

    def __init__(self, inner: Block) -> None:
        self.inner: Block = inner
        self._inflater = zlib.decompressobj(_RAW)
        self._begun = False
        self._ended = False

    def take(self, lines: list[bytes]) -> None:
        """Take some lines.

        Raises:
            ProtocolError: they are not yEnc, or what is in them is broken.
        """
        for line in lines:
            if line.startswith(b"=ybegin "):
                self._begun = True
            elif line.startswith(b"=yend"):
                self._ended = True
            elif line.startswith(b"=ypart ") and self._begun:
                continue
            elif self._begun and not self._ended:
                self._decode(line)
            elif line:
                raise ProtocolError("the server sent something else than yEnc")

    def _decode(self, line: bytes) -> None:
        rest = _ESCAPED.sub(lambda found: bytes(((found[1][0] - 64) % 256,)), line).translate(_PLAIN)
        for text in _inflated(self._inflater, rest):
            if not self.inner.ended:
                self.inner.feed(text)

    def finish(self) -> None:
        """The block is over; text without a last dot is whole if the deflated data is.

        Raises:
            ProtocolError: it is not.
        """
        if not (self._begun and self._ended and self._inflater.eof):
            raise ProtocolError("the server's compressed overviews are not whole")
        if not self.inner.ended and self.inner.feed(b".\r\n") != 3:
            raise ProtocolError("the server's compressed overviews end amid a line")


def _inflated(inflater: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """Yield what ``data`` makes known of the text, in pieces."""
    while not inflater.eof:
        try:
            text = inflater.decompress(data, _PIECE)
        except zlib.error as error:
            raise ProtocolError(f"the server sent compressed data that is broken: {error}") from None
        if text:
            yield text
        data = inflater.unconsumed_tail
        if not data and len(text) < _PIECE:
            return
