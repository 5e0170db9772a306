"""An embedded mail server's connection: lines, blocks ended by a lone dot, and counted bytes, out of one buffer.

What has arrived is consumed in order and never further than asked for, so that pipelined commands, contents and
BDAT payloads may come in any pieces.
"""

from __future__ import annotations

from collections.abc import Callable

from ._channel import READ_SIZE, Channel

Sink = Callable[[bytes], object]

_END = b"\r\n.\r\n"


class MailChannel(Channel):
    """A :class:`Channel` that reads contents of messages, too."""

    @property
    def has_line(self) -> bool:
        """Whether :meth:`readline` would not have to wait."""
        return b"\n" in self._buffer

    def discard(self) -> int:
        """Forget what has arrived and was not read; return how many bytes that was."""
        count = len(self._buffer)
        self._buffer.clear()
        return count

    async def read_counted(self, count: int, sink: Sink) -> None:
        """Give `count` bytes to the sink, in pieces. Raises ConnectionError if the peer leaves before."""
        while count:
            if not self._buffer:
                await self._more()
            piece = bytes(self._buffer[:count])
            del self._buffer[:count]
            count -= len(piece)
            sink(piece)

    async def read_dotted(self, sink: Sink) -> None:
        """Give the lines up to a lone dot to the sink, without stuffed dots, in pieces.

        Only CRLF ends a line (RFC 5321 section 2.3.8). Raises ConnectionError if the peer leaves before.
        """
        buffer = self._buffer
        buffer[:0] = b"\r\n"  # the first line, too, begins behind a line end
        artificial, scanned = 2, 0
        while (end := buffer.find(_END, scanned)) < 0:
            cut = _whole_lines(buffer)
            if cut > artificial:
                sink(_unstuffed(buffer[:cut])[artificial:])
                artificial = 0
                del buffer[:cut]
            scanned = max(0, len(buffer) - len(_END) + 1)
            await self._more()
        piece = _unstuffed(buffer[: end + 2])[artificial:]
        del buffer[: end + len(_END)]
        if piece:
            sink(piece)

    async def _more(self) -> None:
        data = await self.recv()
        if not data:
            raise ConnectionResetError("the peer left amid a message")
        self._buffer += data


def _whole_lines(buffer: bytearray) -> int:
    """Return how much can be told apart from an end already: what follows begins with a line end."""
    cut = buffer.rfind(b"\r\n")
    if len(buffer) - max(cut, 0) <= READ_SIZE:
        return max(cut, 0)
    # A line without end must not be searched again and again.
    return len(buffer) - (1 if buffer.endswith(b"\r") else 0)


def _unstuffed(lines: bytearray) -> bytes:
    return bytes(lines).replace(b"\r\n.", b"\r\n")
