"""Lines out of a byte stream, in bounded memory and linear time.

Bytes go in as views that the caller may reuse at once; complete lines come out without their end.
Only the unfinished tail of a view is copied and kept.
"""

from __future__ import annotations

from collections.abc import Iterator

from netclients.errors import ProtocolError

__all__ = ["LineBuffer"]


class LineBuffer:
    """Split a stream into lines ended by LF or CRLF.

    ``limit`` is the longest line in bytes; a longer one raises :class:`ProtocolError` as soon as the limit
    is passed, whether its end has come or not.
    """

    __slots__ = ("_limit", "_tail")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tail = bytearray()

    def __len__(self) -> int:
        """How many bytes stand after the last line end."""
        return len(self._tail)

    def feed(self, data: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """Yield the lines that ``data`` completes. Run the iterator to its end before the next call."""
        *lines, rest = bytes(data).split(b"\n")
        for line in lines:
            if self._tail:
                self._tail += line
                line = bytes(self._tail)
                self._tail.clear()
            line = line.removesuffix(b"\r")
            if len(line) > self._limit:
                raise self._too_long()
            yield line
        # The tail may end in the CR of a line end that is not complete yet.
        if len(self._tail) + len(rest) > self._limit + 1:
            raise self._too_long()
        self._tail += rest
        if len(self._tail) > self._limit and not self._tail.endswith(b"\r"):
            raise self._too_long()

    def _too_long(self) -> ProtocolError:
        return ProtocolError(f"the server sent a line of more than {self._limit} bytes")
