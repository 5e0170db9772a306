"""Dot blocks received: text that ends with a line of one dot (RFC 3977 section 3.1.1, RFC 1939 section 3).

::

    bytes → Reader → lines, each a reply; behind some of them a Block → body, pieces for a sink, or lists of lines

POP3 and NNTP share it. Chunks are searched as a whole, never line by line, and only bytes that decide nothing yet are
kept for the next chunk. A line ends with CRLF: a bare LF is text like any other, and so is ``LF . CRLF``, or a message
could end its own block and go on as the server's reply.

A server that leaves dots as they are ends a block too early, at a line of one dot in the text. Nobody can see that from
the block; the rest of it then stands where a reply is due, and is none.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable

from netclients.errors import ProtocolError
from netclients.wire.lines import LineBuffer

__all__ = ["Block", "Collected", "Lines", "Listed", "Reader", "Sunk"]

# Regular expressions find a fixed beginning faster than bytes.find does.
_DOT_LINE = re.compile(rb"\r\n\.(?:\r\n|\.)")
_END = re.compile(rb"\r\n\.\r\n")
_STUFFED, _UNSTUFFED = b"\r\n..", b"\r\n."
_UNDECIDED = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r")
_LINE_COST = 64  # bytes that a line takes in memory besides its text


class Block(ABC):
    """One block on its way in. ``size``: bytes of text so far; ``ended``: the last dot has come."""

    __slots__ = ("ended", "size")

    def __init__(self) -> None:
        self.size: int = 0
        self.ended: bool = False

    @abstractmethod
    def feed(self, data: bytes, at: int = 0) -> int:
        """Take what belongs to the block from ``data[at:]``; return where it ends, -1 if the end has not come.

        Raises:
            ProtocolError: it is longer than it may be.
        """


class Scanned(Block):
    """A block whose end is searched for, and whose dots are undone."""

    __slots__ = ("_held", "_untouched")

    def __init__(self) -> None:
        super().__init__()
        self._held = b""  # what may belong to the end, or to a dot that was doubled
        self._untouched = True  # the next byte is the first of the text, and of a line

    def feed(self, data: bytes, at: int = 0) -> int:
        """See :meth:`Block.feed`."""
        held = self._held
        if not held:
            return self._scan(data, at)
        self._held = b""
        behind = self._scan(held + data[at:], 0)
        return behind if behind < 0 else behind - len(held) + at

    def _scan(self, data: bytes, at: int) -> int:
        if self._untouched:
            if data.startswith(b".", at) or at == len(data):
                if data.startswith(b".\r\n", at):
                    self.ended: bool = True
                    self._last(data, at, at)
                    return at + 3
                if len(data) - at < 3 and data[at:] in (b"", b".", b".\r"):
                    self._held = data[at:]
                    return -1
                at += data.startswith(b"..", at)
            self._untouched = False
        # Many chunks have no dot at all, and one byte is searched for ten times as fast as three.
        dot = data.find(b".", at)
        found = None if dot < 0 else _DOT_LINE.search(data, max(at, dot - 2))
        stuffed = found is not None and found[0] == _STUFFED
        if stuffed and found is not None:
            found = _END.search(data, found.end())
        if found is not None:
            stop, behind = found.start() + 2, found.end()
        else:
            stop, behind = self._hold(data, at), -1
        if stuffed:
            data = data[at:stop].replace(_STUFFED, _UNSTUFFED)
            at, stop = 0, len(data)
        self.size: int = self.size + stop - at
        if found is not None:
            self.ended = True
            self._last(data, at, stop)
        elif stop > at:
            self._take(data, at, stop)
        return behind

    def _hold(self, data: bytes, at: int) -> int:
        """Keep what the next bytes may make the end, or a doubled dot; return where it begins."""
        for half in _UNDECIDED:
            if data.endswith(half, at):
                self._held = half
                return len(data) - len(half)
        return len(data)

    @abstractmethod
    def _take(self, data: bytes, at: int, stop: int) -> None:
        """Take the text ``data[at:stop]``, which is not empty; it does not end within a CRLF."""

    @abstractmethod
    def _last(self, data: bytes, at: int, stop: int) -> None:
        """Take the last text, which may be empty. The whole is empty or ends with CRLF."""


class Collected(Scanned):
    """A block whose text becomes ``body``, of at most ``limit`` bytes."""

    __slots__ = ("_before", "_limit", "body")

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.body: bytes = b""
        self._limit = limit
        self._before: bytearray | None = None

    def _take(self, data: bytes, at: int, stop: int) -> None:
        self._check()
        if self._before is None:
            self._before = bytearray()
        with memoryview(data) as whole, whole[at:stop] as view:
            self._before += view

    def _last(self, data: bytes, at: int, stop: int) -> None:
        if self._before is None:
            self._check()
            self.body = data[at:stop]
        else:
            self._take(data, at, stop)
            self.body = bytes(self._before)
            self._before = None

    def _check(self) -> None:
        if self.size > self._limit:
            raise ProtocolError(f"the server sent a text of more than {self._limit} bytes")


class Sunk(Scanned):
    """A block whose text goes to ``sink`` in pieces: views of bytes that never change, released when it returns."""

    __slots__ = ("_sink",)

    def __init__(self, sink: Callable[[memoryview], object]) -> None:
        super().__init__()
        self._sink = sink

    def _take(self, data: bytes, at: int, stop: int) -> None:
        with memoryview(data) as whole, whole[at:stop] as view:
            self._sink(view)

    def _last(self, data: bytes, at: int, stop: int) -> None:
        if stop > at:
            self._take(data, at, stop)


class Lines(Scanned):
    """A list: ``take`` gets its lines, without their ends, as many at a time as have come.

    ``line`` bounds one line in bytes, ``limit`` all of them together with what they cost in memory; None: no bound.
    """

    __slots__ = ("_begun", "_cost", "_limit", "_line", "_take_lines")

    def __init__(self, take: Callable[[list[bytes]], object], *, line: int, limit: int | None = None) -> None:
        super().__init__()
        self._take_lines = take
        self._line = line
        self._limit = limit
        self._begun = bytearray()
        self._cost = 0

    def _take(self, data: bytes, at: int, stop: int) -> None:
        *lines, rest = data[at:stop].split(b"\r\n")
        self._cost += _LINE_COST * len(lines)
        if self._limit is not None and self.size + self._cost > self._limit:
            raise ProtocolError(f"the server sent a list of more than {self._limit} bytes")
        if lines:
            if self._begun:
                self._begun += lines[0]
                lines[0] = bytes(self._begun)
                self._begun.clear()
            if len(max(lines, key=len)) > self._line:
                raise self._too_long()
            self._take_lines(lines)
        self._begun += rest
        if len(self._begun) > self._line:
            raise self._too_long()

    def _last(self, data: bytes, at: int, stop: int) -> None:
        if stop > at:
            self._take(data, at, stop)

    def _too_long(self) -> ProtocolError:
        return ProtocolError(f"the server sent a line of more than {self._line} bytes")


class Listed(Lines):
    """A list that becomes ``lines``, bounded by ``line`` and ``limit`` as :class:`Lines` says."""

    __slots__ = ("lines",)

    def __init__(self, *, line: int, limit: int) -> None:
        self.lines: list[bytes] = []
        super().__init__(self.lines.extend, line=line, limit=limit)


class Reader:
    """Replies of one line each, and the blocks behind some of them.

    ``take_line`` gets each line without its end (LF or CRLF), of at most ``limit`` bytes, and returns the block that
    follows it, if one does; ``take_block`` gets that when it has ended.
    """

    __slots__ = ("_block", "_lines", "_take_block", "_take_line")

    def __init__(
        self, limit: int, take_line: Callable[[bytes], Block | None], take_block: Callable[[Block], object]
    ) -> None:
        self._lines = LineBuffer(limit)
        self._take_line = take_line
        self._take_block = take_block
        self._block: Block | None = None

    @property
    def partial(self) -> bool:
        """Whether a line or a block has begun and not ended."""
        return self._block is not None or bool(self._lines)

    @property
    def block(self) -> Block | None:
        """The block that is on its way."""
        return self._block

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take a chunk, which the caller may change afterwards.

        Raises:
            ProtocolError: a line or a block is longer than it may be.
        """
        data, at = bytes(data), 0
        while at < len(data):
            block = self._block
            if block is None:
                end = data.find(b"\n", at) + 1 or len(data)
                for line in self._lines.feed(data[at:end]):
                    self._block = self._take_line(line)
                at = end
            elif (at := block.feed(data, at)) >= 0:
                self._block = None
                self._take_block(block)
            else:
                return
