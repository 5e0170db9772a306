"""Rows of wire tests: each is read whole, byte by byte, in odd pieces and with data behind it, both ways."""

from __future__ import annotations

from typing import TypeVar

from netclients.imap.replies import Frame, Framer, Limits, Sink, parse, parse_by_grammar
from netclients.imap.types import Fetched, Response
from tests.fuzz.imap_values import told

T = TypeVar("T", bound=Response)

BEHIND = b"* 3 EXISTS\r\n* 4 FETCH (BODY[] {3}\r\n}\r\n)\r\na9 OK [READ-ONLY] done\r\n"
BEHIND_FRAMES = [
    Frame((b"* 3 EXISTS",)),
    Frame((b"* 4 FETCH (BODY[] {3}", b"}\r\n", b")")),
    Frame((b"a9 OK [READ-ONLY] done",)),
]


def cut(data: bytes, size: int, *, limits: Limits | None = None, sink: Sink | None = None) -> list[Frame]:
    """Frames of data that comes in pieces of ``size``; each piece is overwritten once it was read."""
    framer = Framer(limits)
    framer.sink = sink
    frames = []
    for at in range(0, len(data), size):
        piece = bytearray(data[at : at + size])
        with memoryview(piece) as view:
            frames += framer.feed(view)
        piece[:] = b"\xff" * len(piece)
    assert not framer.partial
    return frames


def frames_of(data: bytes) -> list[Frame]:
    frames = cut(data, len(data))
    for size in (1, 2, 3, 7):
        assert cut(data, size) == frames, f"cut into pieces of {size}"
    assert cut(data + BEHIND, len(data) + len(BEHIND)) == frames + BEHIND_FRAMES
    assert cut(BEHIND + data, 5) == BEHIND_FRAMES + frames
    assert b"".join(frame.raw + b"\r\n" for frame in frames) == data
    return frames


def response(line: bytes, *, utf8: bool = False) -> Response:
    (frame,) = frames_of(line + b"\r\n")
    found = parse(frame, utf8=utf8)
    assert told(found) == told(parse_by_grammar(frame, utf8=utf8))
    return found


def read(kind: type[T], line: bytes, *, utf8: bool = False) -> T:
    found = response(line, utf8=utf8)
    assert isinstance(found, kind), found
    return found


def fetched(items: bytes) -> Fetched:
    """The response ``* 7 FETCH (items)``, without a fault."""
    found = read(Fetched, b"* 7 FETCH (" + items + b")")
    assert found.number == 7
    assert found.error is None, found.error
    return found
