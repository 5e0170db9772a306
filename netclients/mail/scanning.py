"""Looking through a message without keeping it: what a server must be told of it, found by counting and searching.

Bytes pass by in any portions; only the header section is kept.
"""

from __future__ import annotations

import re

from netclients.errors import ConfigurationError, printable
from netclients.mail.pieces import CHUNK, FilePiece, LineEnds, opened

__all__ = ["Scan", "first_bare", "scan_file"]

_LONGEST_HEADER = 1024 * 1024  # bytes of the header section of a file

_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


def scan_file(path: str, *, normalize: bool) -> tuple[Scan, FilePiece]:
    """Read a file once, and return what was found in it and how to send it.

    Raises:
        LocalFileError: it can't be read.
        ConfigurationError: its header section has no end within 1 MiB.
    """
    scan = Scan(path)
    ends = LineEnds()
    with opened(path) as (file, state):
        piece = FilePiece(path, state[0], "raw", state)
        for chunk in piece.read(file, state[0], CHUNK):
            scan.feed(ends.convert(chunk) if normalize else chunk)
        if normalize:
            scan.feed(ends.finish())
            piece = FilePiece(path, scan.size, "lines", state)
    scan.finish()
    return scan, piece


class Scan:
    """What is found in bytes that are fed to it in any portions.

    ``size`` and ``longest`` (line) are in bytes; ``bare`` is the position of the first bare CR or LF, None if there
    is none; ``header`` is the header section without the empty line behind it.
    """

    __slots__ = ("_cr", "_in_header", "_line", "_path", "bare", "has_nul", "header", "is_ascii", "longest", "size")

    def __init__(self, path: str = "") -> None:
        self.size: int = 0
        self.longest: int = 0
        self.is_ascii: bool = True
        self.has_nul: bool = False
        self.bare: int | None = None
        self.header: bytearray = bytearray()
        self._path = path
        self._in_header = True
        self._line = 0
        self._cr = False

    def feed(self, data: bytes) -> None:
        """Look through the next bytes."""
        if not data:
            return
        self.size += len(data)
        self.is_ascii = self.is_ascii and data.isascii()
        self.has_nul = self.has_nul or b"\0" in data
        if self._in_header:
            self._feed_header(data)
        start = self.size - len(data)
        if self._cr:
            data = b"\r" + data
            start -= 1
        # Whether a CR is bare shows when the next byte is there.
        self._cr = data.endswith(b"\r")
        if self._cr:
            data = data[:-1]
        ends = data.count(b"\r\n")
        if self.bare is None and (data.count(b"\n") != ends or data.count(b"\r") != ends):
            self.bare = first_bare(data, start)
        lines = data.split(b"\r\n")
        self._line += len(lines[0])
        if len(lines) > 1:
            self.longest = max(self.longest, self._line, max(map(len, lines[1:])))
            self._line = len(lines[-1])

    def finish(self) -> None:
        """Nothing follows."""
        if self._cr:
            self._line += 1
            self.bare = self.size - 1 if self.bare is None else self.bare
        self.longest = max(self.longest, self._line)

    def _feed_header(self, data: bytes) -> None:
        searched = max(0, len(self.header) - 3)
        self.header += data
        end = self.header.find(b"\r\n\r\n", searched)
        if self.header.startswith(b"\r\n"):
            end = 0
        if end >= 0:
            del self.header[end:]
            self._in_header = False
        elif len(self.header) > _LONGEST_HEADER:
            raise ConfigurationError(f"{printable(self._path)}: no end of the header section in its first MiB")


def first_bare(data: bytes, start: int) -> int:
    """Return the position of the first bare CR or LF in ``data``, which has one and begins at ``start``."""
    match = _BARE.search(data)
    assert match is not None
    return start + match.start()
