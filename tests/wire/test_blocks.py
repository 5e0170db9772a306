"""Dot blocks received: each row whole, byte by byte, cut anywhere, and with trailing data."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.errors import ProtocolError
from netclients.wire.blocks import Block, Collected, Lines, Reader, Sunk
from netclients.wire.dots import stuffed

ROWS = [
    pytest.param(b".\r\n", b"", id="empty"),
    pytest.param(b"a\r\n.\r\n", b"a\r\n", id="a line"),
    pytest.param(b"\r\n.\r\n", b"\r\n", id="an empty line"),
    pytest.param(b"\r\n\r\n\r\n.\r\n", b"\r\n\r\n\r\n", id="empty lines"),
    pytest.param(b"..\r\n.\r\n", b".\r\n", id="a line of one dot"),
    pytest.param(b"a\r\n..\r\n.\r\n", b"a\r\n.\r\n", id="a line of one dot behind another"),
    pytest.param(b"...\r\n....\r\n.\r\n", b"..\r\n...\r\n", id="lines of dots"),
    pytest.param(b"..a\r\n..b\r\n..\r\n.\r\n", b".a\r\n.b\r\n.\r\n", id="dots at all starts"),
    pytest.param(b"a..b\r\nc.\r\n.\r\n", b"a..b\r\nc.\r\n", id="dots elsewhere stay"),
    pytest.param(b"a\n.\n.\r\n..\n\r\n.\r\n", b"a\n.\n.\r\n.\n\r\n", id="a bare LF begins no line"),
    pytest.param(b"a\r.\rb\r\n.\r\n", b"a\r.\rb\r\n", id="a bare CR neither"),
    pytest.param(b"a\r\r\n.\r\n", b"a\r\r\n", id="two CR"),
    pytest.param(b"a\r\n\r\n.\r\n", b"a\r\n\r\n", id="an empty line at the end"),
    pytest.param(b".a\r\n.b\r\n.\r\n", b".a\r\n.b\r\n", id="quirk: dots that were not doubled stay"),
    pytest.param(b"a\r\n.\rb\r\n.\r\n", b"a\r\n.\rb\r\n", id="half an end"),
    pytest.param(b"\0\xff\r\n.\r\n", b"\0\xff\r\n", id="any byte"),
]


class Sink:
    """Keeps what it is given, and that it is let go."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self._last: memoryview | None = None

    def __call__(self, view: memoryview) -> None:
        self.check()
        assert view.readonly
        assert len(view)
        self.pieces.append(bytes(view))
        self._last = view

    def check(self) -> None:
        if self._last is not None:
            with pytest.raises(ValueError, match="released"):
                len(self._last)


def cuts(data: bytes) -> Iterator[list[bytes]]:
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for cut in range(1, len(data)):
        yield [data[:cut], data[cut:]]


def read(block: Block, pieces: list[bytes]) -> bytes:
    """Feed, each piece behind something that is none of its business; return what is left behind the end."""
    rest = []
    for piece in pieces:
        if block.ended:
            rest.append(piece)
            continue
        behind = block.feed(b"\r\n" + piece, 2)
        assert block.ended == (behind >= 0)
        if block.ended:
            rest.append((b"\r\n" + piece)[behind:])
    return b"".join(rest)


@pytest.mark.parametrize(("wire", "text"), ROWS)
@pytest.mark.parametrize("trailing", [b"", b"+OK\r\n", b".\r\n", b"\r\n.\r\n"])
def test_rows(wire: bytes, text: bytes, trailing: bytes) -> None:
    for pieces in cuts(wire + trailing):
        collected = Collected(100)
        assert read(collected, pieces) == trailing
        assert (collected.body, collected.size) == (text, len(text))
        sink = Sink()
        sunk = Sunk(sink)
        assert read(sunk, pieces) == trailing
        assert (b"".join(sink.pieces), sunk.size) == (text, len(text))
        sink.check()
        lines: list[bytes] = []
        assert read(Lines(lines.extend, line=100), pieces) == trailing
        assert lines == text.split(b"\r\n")[:-1]


@pytest.mark.parametrize(("wire", "text"), ROWS)
def test_no_end(wire: bytes, text: bytes) -> None:
    for size in range(len(wire)):
        for pieces in cuts(wire[:size]):
            block = Collected(100)
            assert read(block, pieces) == b""
            assert not block.ended
            assert block.size <= len(text)


PARTS = st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n.", b"\r\n..", b"\r\n.\r\n"])).map(b"".join)


@given(PARTS, st.integers(1, 7))
def test_what_was_stuffed_comes_back(text: bytes, size: int) -> None:
    wire = stuffed(text) + b"+OK"
    block = Collected(10_000)
    assert read(block, [wire[i : i + size] for i in range(0, len(wire), size)]) == b"+OK"
    assert block.body == (text if text.endswith(b"\r\n") or not text else text + b"\r\n")


def line_by_line(wire: bytes) -> tuple[bytes, bytes] | None:
    """The definition: text and rest, None without an end."""
    text, at = b"", 0
    while (end := wire.find(b"\r\n", at)) >= 0:
        line, at = wire[at:end], end + 2
        if line == b".":
            return text, wire[at:]
        text += (line[1:] if line.startswith(b"..") else line) + b"\r\n"
    return None


@given(PARTS, st.integers(1, 7))
def test_it_agrees_with_the_definition(wire: bytes, size: int) -> None:
    pieces = [wire[i : i + size] for i in range(0, len(wire), size)]
    expected = line_by_line(wire)
    block = Collected(10_000)
    rest = read(block, pieces)
    assert ((block.body, rest) if block.ended else None) == expected


# Bounds


def test_a_text_has_a_bound() -> None:
    for pieces in cuts(b"12345678\r\n.\r\n"):
        assert read(Collected(10), pieces) == b""
        with pytest.raises(ProtocolError, match="more than 9 bytes"):
            read(Collected(9), pieces)
    with pytest.raises(ProtocolError):
        read(Collected(9), [b"1234567890"])


def test_a_line_of_a_list_has_a_bound() -> None:
    for pieces in cuts(b"1\r\n12345678\r\n.\r\n"):
        lines: list[bytes] = []
        assert read(Lines(lines.extend, line=8), pieces) == b""
        assert lines == [b"1", b"12345678"]
        with pytest.raises(ProtocolError, match="line of more than 7 bytes"):
            read(Lines(lines.extend, line=7), pieces)
    with pytest.raises(ProtocolError, match="line"):
        read(Lines(list, line=7), [b"1234", b"5678"])


def test_a_list_has_a_bound() -> None:
    with pytest.raises(ProtocolError, match="list of more than"):
        read(Lines(list, line=8, limit=1000), [b"1\r\n"] * 100)


def test_a_line_of_ten_megabytes() -> None:
    text = b"x" * 10_000_000 + b"\r\n"
    block = Collected(20_000_000)
    assert read(block, [text[i : i + 1000] for i in range(0, len(text), 1000)] + [b".\r\n"]) == b""
    assert block.body == text


@pytest.mark.parametrize("piece", [b"\r\n.", b"\r", b".", b"\r\n..", b"a"])
def test_time_is_linear(piece: bytes) -> None:
    def seconds(count: int) -> float:
        wire = piece * count + b"\r\n.\r\n"
        started = time.perf_counter()
        for size in (len(wire), 7):
            read(Collected(len(wire)), [wire[i : i + size] for i in range(0, len(wire), size)])
        return time.perf_counter() - started

    assert min(seconds(80_000) for _ in range(3)) < 8 * max(0.02, min(seconds(20_000) for _ in range(3)))


# Replies and blocks


def dialogue(pieces: list[bytes], limit: int = 20) -> tuple[list[bytes], Reader]:
    """What a reader makes of it if each line of ``+`` has a block behind it."""
    told: list[bytes] = []

    def take_line(line: bytes) -> Block | None:
        told.append(line)
        return Collected(100) if line.startswith(b"+") else None

    def take_block(block: Block) -> None:
        assert isinstance(block, Collected)
        assert reader.block is None
        told.append(block.body)

    reader = Reader(limit, take_line, take_block)
    for piece in pieces:
        scratch = bytearray(piece)
        with memoryview(scratch) as view:
            reader.feed(view)
        scratch[:] = b"!" * len(scratch)
    return told, reader


DIALOGUES = [
    pytest.param(b"", [], id="nothing"),
    pytest.param(b"-no\r\n", [b"-no"], id="a line"),
    pytest.param(b"-no\n-no\r\n", [b"-no", b"-no"], id="a bare LF ends a reply"),
    pytest.param(b"+\r\n.\r\n+\r\n.\r\n", [b"+", b"", b"+", b""], id="empty blocks"),
    pytest.param(b"+\n.\r\n+\n..a\r\n.\r\n-\r\n", [b"+", b"", b"+", b".a\r\n", b"-"], id="behind a bare LF"),
    pytest.param(b"+1\r\na\r\n.\r\n-no\r\n+2\r\nb\r\n.\r\n", [b"+1", b"a\r\n", b"-no", b"+2", b"b\r\n"], id="in turn"),
]


@pytest.mark.parametrize(("wire", "told"), DIALOGUES)
def test_dialogues(wire: bytes, told: list[bytes]) -> None:
    for pieces in cuts(wire):
        found, reader = dialogue(pieces)
        assert found == told
        assert not reader.partial
    for pieces in cuts(wire + b"trail"):
        found, reader = dialogue(pieces)
        assert found == told
        assert reader.partial
        assert reader.block is None


def test_a_block_that_has_begun_is_partial() -> None:
    _, reader = dialogue([b"+\r\n"])
    assert reader.partial
    assert reader.block is not None
    reader.feed(b".\r\n")
    assert not reader.partial


def test_a_dot_that_was_not_doubled_puts_out_of_step() -> None:
    told, _ = dialogue([b"+1\r\nbefore\r\n.\r\nbehind\r\n.\r\n-no\r\n"])
    assert told == [b"+1", b"before\r\n", b"behind", b".", b"-no"]


def test_a_reply_has_a_bound() -> None:
    for pieces in cuts(b"x" * 21 + b"\r\n"):
        with pytest.raises(ProtocolError, match="line of more than 20 bytes"):
            dialogue(pieces)
