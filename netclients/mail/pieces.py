"""The content of a message as pieces: bytes that are there, and files that are read while the message is sent.

A :class:`FilePiece` knows its length on the wire beforehand, and reads the file in steps whenever it is asked for its
bytes, so a message of any size needs a few hundred KiB of memory, and can be sent as often as need be. It remembers
what the file looked like: one that has changed would give another message under the same Message-ID.
"""

from __future__ import annotations

import binascii
import os
import stat
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias

from netclients.errors import LocalFileError, printable

__all__ = [
    "CHUNK",
    "FilePiece",
    "LineEnds",
    "Piece",
    "base64_lines",
    "base64_size",
    "chunks_of",
    "crlf",
    "joined",
    "opened",
]

CHUNK = 256 * 1024
"""No chunk of a message is larger, in bytes."""

# Whole lines of base64: 57 bytes become 76 characters, CR and LF (RFC 2045 section 6.8).
_LINE = 57
_BLOCK = CHUNK // 78 * _LINE
_CUT = struct.Struct("76s")


@dataclass(frozen=True, slots=True)
class FilePiece:
    """A file as part of a message.

    ``size`` is its length on the wire, in bytes; ``encoding`` is ``"base64"``, ``"lines"`` (every kind of line end
    becomes CRLF) or ``"raw"``; ``state``, what :func:`opened` found.
    """

    path: str
    size: int
    encoding: str
    state: tuple[int, int]

    def chunks(self) -> Iterator[bytes]:
        """Read the file from its beginning, and yield what goes over the wire.

        Raises:
            LocalFileError: it is gone, can't be read, or has changed since it was looked at.
        """
        with opened(self.path) as (file, state):
            self._compare(state)
            yield from self._encoded(file, state[0])

    def _encoded(self, file: BinaryIO, length: int) -> Iterator[bytes]:
        if self.encoding == "base64":
            yield from map(base64_lines, self.read(file, length, _BLOCK))
        elif self.encoding == "lines":
            ends = LineEnds()
            yield from filter(None, map(ends.convert, self.read(file, length, CHUNK // 2 - 1)))
            if rest := ends.finish():
                yield rest
        else:
            yield from self.read(file, length, CHUNK)

    def read(self, file: BinaryIO, length: int, step: int) -> Iterator[bytes]:
        """Yield ``length`` bytes of the opened file as they are, ``step`` at a time."""
        left = length
        while left:
            with _errors(self.path):
                data = file.read(min(step, left))
                left -= len(data)
                if not data or not left:
                    # The last bytes are handed out only if they belong to the same file as the first.
                    self._compare(_state(file))
            if not data:
                raise self._changed()
            yield data

    def _compare(self, state: tuple[int, int]) -> None:
        if state != self.state:
            raise self._changed()

    def _changed(self) -> LocalFileError:
        return LocalFileError(
            f"{printable(self.path)} has changed since the message was made from it", filename=self.path
        )


Piece: TypeAlias = bytes | FilePiece


class LineEnds:
    """Makes every line end CRLF, chunk by chunk. A CR at the end of a chunk waits for what follows it."""

    def __init__(self) -> None:
        self._after_cr = False

    def convert(self, data: bytes) -> bytes:
        """Return ``data`` with its line ends converted, less a CR at its end."""
        if self._after_cr:
            data = b"\r" + data
        self._after_cr = data.endswith(b"\r")
        if self._after_cr:
            data = data[:-1]
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")

    def finish(self) -> bytes:
        """Return what waits no longer."""
        return b"\r\n" if self._after_cr else b""


def crlf(data: bytes) -> bytes:
    """Return ``data`` with every kind of line end made CRLF."""
    ends = LineEnds()
    return ends.convert(data) + ends.finish()


@contextmanager
def opened(path: str) -> Iterator[tuple[BinaryIO, tuple[int, int]]]:
    """Open a regular file; give it with its length in bytes and its time of change in nanoseconds.

    Raises:
        LocalFileError: it can't be opened, or is a directory, a pipe or a device: those can't be read twice.
    """
    with _errors(path):
        # A pipe would block until somebody writes to it.
        regular = stat.S_ISREG(os.stat(path).st_mode)
        file = open(path, "rb") if regular else None  # noqa: SIM115 - closed below
    if file is None:
        raise LocalFileError(f"can't read {printable(path)}: not a regular file", filename=path)
    with file:
        with _errors(path):
            state = _state(file)
        yield file, state


def _state(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


@contextmanager
def _errors(path: str) -> Iterator[None]:
    try:
        yield
    except LocalFileError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or error
        number = getattr(error, "errno", None)
        raise LocalFileError(f"can't read {printable(path)}: {reason}", errno=number, filename=path) from error


def base64_lines(data: bytes | bytearray | memoryview) -> bytes:
    """Return ``data`` in base64, in lines of 76 characters that end with CRLF (RFC 2045 section 6.8)."""
    if len(data) <= _BLOCK:
        return _base64_block(data)
    # Blocks that stay in the processor's cache take half as long as all of it at once.
    view = memoryview(data)
    return b"".join([_base64_block(view[at : at + _BLOCK]) for at in range(0, len(view), _BLOCK)])


def _base64_block(data: bytes | bytearray | memoryview) -> bytes:
    if not data:
        return b""
    text = binascii.b2a_base64(data, newline=False)
    whole = len(text) // 76 * 76
    lines = [line for (line,) in _CUT.iter_unpack(memoryview(text)[:whole])]
    if whole < len(text):
        lines.append(text[whole:])
    lines.append(b"")
    return b"\r\n".join(lines)


def base64_size(length: int) -> int:
    """Return how many bytes :func:`base64_lines` makes of ``length`` bytes."""
    return (length + 2) // 3 * 4 + (length + _LINE - 1) // _LINE * 2


def joined(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Return the same content in as few pieces as possible."""
    found: list[Piece] = []
    run: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            run.append(piece)
        else:
            found += [b"".join(run), piece] if run else [piece]
            run = []
    if run:
        found.append(b"".join(run))
    return tuple(found)


def chunks_of(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Yield the bytes of ``pieces``, at most :data:`CHUNK` at a time."""
    for piece in pieces:
        if not isinstance(piece, bytes):
            yield from piece.chunks()
        elif len(piece) <= CHUNK:
            yield piece
        else:
            for at in range(0, len(piece), CHUNK):
                yield piece[at : at + CHUNK]
