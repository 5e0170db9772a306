"""Lines, as a table: each row whole, byte by byte, and with trailing data."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.errors import ProtocolError
from netclients.wire.lines import LineBuffer

ROWS = [
    pytest.param(b"", [], b"", id="nothing"),
    pytest.param(b"\r\n", [b""], b"", id="empty"),
    pytest.param(b"\n", [b""], b"", id="empty, bare LF"),
    pytest.param(b"220 ready\r\n", [b"220 ready"], b"", id="one"),
    pytest.param(b"220 ready\n", [b"220 ready"], b"", id="one, bare LF"),
    pytest.param(b"a\r\nb\nc\r\n", [b"a", b"b", b"c"], b"", id="mixed"),
    pytest.param(b"a\r\nrest", [b"a"], b"rest", id="open end"),
    pytest.param(b"a\r\nrest\r", [b"a"], b"rest\r", id="half a line end"),
    pytest.param(b"a\rb\r\n", [b"a\rb"], b"", id="CR inside stays"),
    pytest.param(b"a\r\r\n", [b"a\r"], b"", id="one CR is taken off"),
    pytest.param(b"\0\xff\xfe\r\n", [b"\0\xff\xfe"], b"", id="any byte"),
    pytest.param(b"\r\n\r\n\n", [b"", b"", b""], b"", id="several empty"),
]


def rest_of(buffer: LineBuffer) -> bytes:
    size = len(buffer)
    [line] = buffer.feed(b"\n")
    assert len(buffer) == 0
    return line + b"\r" * (size - len(line))  # a CR at the end belongs to the line's end now


def lines_of(pieces: list[bytes], limit: int = 100) -> tuple[list[bytes], bytes]:
    buffer = LineBuffer(limit)
    found = []
    for piece in pieces:
        scratch = bytearray(piece)
        with memoryview(scratch) as view:
            found += list(buffer.feed(view))
        scratch[:] = b"!" * len(scratch)  # whoever kept the view would see this
    return found, rest_of(buffer)


@pytest.mark.parametrize(("data", "lines", "rest"), ROWS)
def test_rows(data: bytes, lines: list[bytes], rest: bytes) -> None:
    assert lines_of([data]) == (lines, rest)
    assert lines_of([data[i : i + 1] for i in range(len(data))]) == (lines, rest)
    for cut in range(len(data)):
        assert lines_of([data[:cut], data[cut:]]) == (lines, rest)
    if not rest:
        assert lines_of([data + b"trailing"]) == (lines, b"trailing")


@given(st.lists(st.binary(max_size=12)), st.integers(1, 15))
def test_splitting_changes_nothing(pieces: list[bytes], limit: int) -> None:
    def outcome(parts: list[bytes]) -> object:
        buffer = LineBuffer(limit)
        found = []
        try:
            for part in parts:
                found.extend(buffer.feed(part))
        except ProtocolError:
            return found, "too long"
        return found, rest_of(buffer)

    whole = b"".join(pieces)
    expected = outcome([whole])
    assert outcome(pieces) == expected
    assert outcome([bytes([byte]) for byte in whole]) == expected


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_limit_is_the_longest_line(end: bytes) -> None:
    assert lines_of([b"x" * 100 + end]) == ([b"x" * 100], b"")
    with pytest.raises(ProtocolError, match="more than 100 bytes"):
        lines_of([b"x" * 101 + end])


def test_a_line_that_never_ends_is_refused_at_the_limit() -> None:
    buffer = LineBuffer(100)
    for _ in range(100):
        assert list(buffer.feed(b"x")) == []
    with pytest.raises(ProtocolError, match="more than 100 bytes"):
        # A CR may belong to the line's end, more may not.
        list(buffer.feed(b"xx"))
    with pytest.raises(ProtocolError, match="more than 100 bytes"):
        list(LineBuffer(100).feed(b"ok\r\n" + b"x" * 102))


def test_lines_before_the_bad_one_come_out() -> None:
    feeding = LineBuffer(3).feed(b"a\nb\ntoo long\n")
    assert (next(feeding), next(feeding)) == (b"a", b"b")
    with pytest.raises(ProtocolError):
        next(feeding)


def test_time_is_linear() -> None:
    def seconds(count: int) -> float:
        buffer = LineBuffer(count * 2)
        started = time.process_time()
        for _ in range(count):
            list(buffer.feed(b"x"))
        return time.process_time() - started

    small, large = min(seconds(20_000) for _ in range(3)), min(seconds(160_000) for _ in range(3))
    # Eight times the bytes: eight times the time, or 64 times if it were quadratic.
    assert large < small * 24
