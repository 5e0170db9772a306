"""Where responses end, whatever is in them and however they arrive."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.errors import ProtocolError
from netclients.imap.replies import Frame, Framer, Limits
from netclients.mail.reading import Streamed
from tests.imap.wire import cut, frames_of

ROWS = {
    "line": (b"* 3 EXISTS\r\n", [(b"* 3 EXISTS",)]),
    "two lines": (b"* 3 EXISTS\r\na1 OK x\r\n", [(b"* 3 EXISTS",), (b"a1 OK x",)]),
    "literal": (b"* 1 FETCH (BODY[] {5}\r\nab\r\nc UID 1)\r\n", [(b"* 1 FETCH (BODY[] {5}", b"ab\r\nc", b" UID 1)")]),
    "empty literal": (b"* 1 FETCH (BODY[] {0}\r\n)\r\n", [(b"* 1 FETCH (BODY[] {0}", b"", b")")]),
    "literal8": (b"* 1 FETCH (BINARY[1] ~{3}\r\na\0b)\r\n", [(b"* 1 FETCH (BINARY[1] ~{3}", b"a\0b", b")")]),
    "two literals": (
        b"* LIST () {1}\r\n/ {3}\r\na\nb\r\n",
        [(b"* LIST () {1}", b"/", b" {3}", b"a\nb", b"")],
    ),
    "a literal that looks like responses": (
        b'* 1 FETCH (BODY[] {24}\r\na1 OK done\r\n* 2 EXISTS\r\n)\r\n* 2 FETCH (ENVELOPE ("x) {5}" ("))\r\n',
        [(b"* 1 FETCH (BODY[] {24}", b"a1 OK done\r\n* 2 EXISTS\r\n", b")"), (b'* 2 FETCH (ENVELOPE ("x) {5}" ("))',)],
    ),
    "text that ends like a literal": (b"* OK see {12}\r\n* NO {3}\r\n", [(b"* OK see {12}",), (b"* NO {3}",)]),
    "tagged text that ends like a literal": (b"a1 BAD no {5}\r\n", [(b"a1 BAD no {5}",)]),
    "challenge that ends like a literal": (b"+ {5}\r\n", [(b"+ {5}",)]),
    "braces": (
        b"* FLAGS ({5} {x} {} {5})\r\n* X {x}\r\n* Y }\r\n* Z {-1}\r\n",
        [(b"* FLAGS ({5} {x} {} {5})",), (b"* X {x}",), (b"* Y }",), (b"* Z {-1}",)],
    ),
    "bytes beyond ASCII": (b'* LIST () "/" "\xe6\x97\xa5"\r\n', [(b'* LIST () "/" "\xe6\x97\xa5"',)]),
    "bare CR": (b"* OK a\rb\r\r\n", [(b"* OK a\rb\r",)]),
    "empty": (b"\r\n", [(b"",)]),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows(name: str) -> None:
    data, expected = ROWS[name]
    assert frames_of(data) == [Frame(parts) for parts in expected]


def test_quirk_bare_lf() -> None:
    data = b"* 1 FETCH (BODY[] {2}\nab)\n* 2 EXISTS\na1 OK x\r\n* 1 FETCH (BODY[] {2}\r\nab)\n"
    literal = Frame((b"* 1 FETCH (BODY[] {2}", b"ab", b")"))
    expected = [literal, Frame((b"* 2 EXISTS",)), Frame((b"a1 OK x",)), literal]
    assert [cut(data, size) for size in (1, 2, 5, 1000)] == [expected] * 4


def test_a_marker_and_its_line_end_come_apart() -> None:
    for at in range(1, 30):
        framer = Framer()
        data = b"* 1 FETCH (BODY[] {4}\r\n}\r\n{)\r\n"
        frames = [*framer.feed(memoryview(data[:at])), *framer.feed(memoryview(data[at:]))]
        assert frames == [Frame((b"* 1 FETCH (BODY[] {4}", b"}\r\n{", b")"))]


def test_partial() -> None:
    framer = Framer()
    data = b"* 1 FETCH (BODY[] {2}\r\nab)\r\n"
    assert not framer.partial
    for at in range(len(data)):
        assert framer.partial == (at > 0)
        list(framer.feed(memoryview(data[at : at + 1])))
    assert not framer.partial
    assert list(framer.feed(memoryview(b""))) == []


# --- bounds ---

SMALL = Limits(line=100, literal=1000, response=2000, literals=3)


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        (b"* OK " + b"x" * 95 + b"\r\n", b"* OK " + b"x" * 96 + b"\r\n", "line of more than 100"),
        (b"* X {1000}\r\n" + b"x" * 1000 + b"\r\n", b"* X {1001}\r\n", "literal of 1001 bytes"),
        (b"* X {999999999999999999999}\r\n", b"* X {99999999999999999999}\r\n", "literal of 99999999999999999999"),
        (
            b"* X {900}\r\n" + b"x" * 900 + b"{800}\r\n" + b"x" * 800 + b"\r\n",
            b"* X {900}\r\n" + b"x" * 900 + b"{1000}\r\n" + b"x" * 1000 + b"\r\n",
            "response of more than 2000",
        ),
        (b"* X {0}\r\n{0}\r\n{0}\r\n\r\n", b"* X {0}\r\n{0}\r\n{0}\r\n{0}\r\n\r\n", "more than 3 literals"),
    ],
)
def test_limits(good: bytes, bad: bytes, words: str, size: int) -> None:
    assert len(cut(good * 3, size, limits=SMALL)) == 3
    with pytest.raises(ProtocolError, match=words):
        cut(good + bad, size, limits=SMALL)


def test_what_is_announced_takes_no_memory() -> None:
    framer = Framer(Limits(literal=1 << 60, response=1 << 62))
    assert list(framer.feed(memoryview(b"* 1 FETCH (BODY[] {%d}\r\nab" % (1 << 60)))) == []
    assert framer.partial


def test_a_search_of_a_megabyte_passes() -> None:
    line = b"* SEARCH " + b" ".join(b"%d" % number for number in range(150_000))
    assert cut(line + b"\r\n", 65536) == [Frame((line,))]


def test_large_literals_are_not_copied_again_and_again() -> None:
    # Quadratic code would move 32 GiB here.
    framer = Framer()
    size = 8 * 1024 * 1024
    list(framer.feed(memoryview(b"* 1 FETCH (BODY[] {%d}\r\n" % size)))
    piece = memoryview(bytes(1024))
    for _ in range(size // 1024):
        assert list(framer.feed(piece)) == []
    (frame,) = framer.feed(memoryview(b")\r\n"))
    assert len(frame.parts[1]) == size


# --- sinks ---


def test_sink() -> None:
    asked: list[tuple[list[bytes], int]] = []
    got: list[bytes] = []
    kept: list[memoryview] = []

    def sink(parts: Sequence[bytes], size: int) -> Callable[[memoryview], None] | None:
        asked.append((list(parts), size))
        return take if parts[-1].startswith(b" BODY[2]") else None

    def take(piece: memoryview) -> None:
        assert piece.readonly
        got.append(bytes(piece))
        kept.append(piece)

    data = (
        b"* 1 FETCH (BODY[1] {3}\r\nabc BODY[2] {2000}\r\n" + b"}\r\n " * 500 + b" BODY[3] {1}\r\nx)\r\n* 2 EXISTS\r\n"
    )
    for size in (1, 2, 3, 100, 10_000):
        asked.clear()
        got.clear()
        frames = cut(data, size, limits=SMALL, sink=sink)
        parts = (b"* 1 FETCH (BODY[1] {3}", b"abc", b" BODY[2] {2000}", Streamed(2000), b" BODY[3] {1}", b"x", b")")
        assert frames == [Frame(parts), Frame((b"* 2 EXISTS",))]
        streamed = frames[0].parts[3]
        assert isinstance(streamed, Streamed)
        assert streamed.size == 2000
        assert b"".join(got) == b"}\r\n " * 500
        assert asked == [
            ([parts[0]], 3),
            ([*parts[:3]], 2000),
            ([*parts[:5]], 1),
        ]
    for piece in kept:
        with pytest.raises(ValueError, match="released"):
            bytes(piece)


@pytest.mark.parametrize("sunk", [False, True])
def test_the_short_way_gives_what_the_long_way_gives(sunk: bool) -> None:
    usual = b"".join(
        b"* %d FETCH (UID %d BODY[] {%d}\r\n%b)\r\n" % (number, number, len(content), content)
        for number, content in enumerate((b"", b"a", b")\r\n", b"{3}\r\n", b"* 1 FETCH (BODY[] {1}\r\nx)\r\n" * 9), 1)
    )
    data = usual + b"* 7 FETCH (BODY[1] {1}\r\na BODY[2] {1}\r\nb)\r\n" + usual + b"* 2 EXISTS\r\n" + usual
    pieces: list[bytes] = []

    def read(data: bytes) -> tuple[list[tuple[bytes, ...]], bytes]:
        framer = Framer()
        pieces.clear()
        if sunk:
            framer.sink = lambda parts, size: lambda piece: pieces.append(bytes(piece))
        return [frame.parts for frame in framer.feed(memoryview(data))], b"".join(pieces)

    short, short_pieces = read(data)
    long, long_pieces = read(data.replace(b"FETCH", b"fetch"))
    assert len(short) == 17
    assert [parts[:1] + parts[2:] for parts in short] == [
        tuple(part.replace(b"fetch", b"FETCH") for part in parts[:1] + parts[2:]) for parts in long
    ]
    assert [len(parts[1]) for parts in short if len(parts) > 1] == [len(parts[1]) for parts in long if len(parts) > 1]
    assert short_pieces == long_pieces.replace(b"fetch", b"FETCH")


def test_an_empty_literal_needs_no_piece() -> None:
    frames = cut(b"* 1 FETCH (BODY[1] {0}\r\n)\r\n", 100, sink=lambda parts, size: pytest.fail)
    assert frames == [Frame((b"* 1 FETCH (BODY[1] {0}", Streamed(0), b")"))]


# --- whatever comes ---

texts = st.lists(
    st.sampled_from(
        [b"* 1 FETCH (", b"a1 OK x", b"{3}", b"{0}", b"~{2}", b"\r\n", b"\n", b"\r", b"x", b"}", b"{", b"+ "]
    ),
    max_size=20,
).map(b"".join)


@given(texts, st.lists(st.integers(1, 9), min_size=1))
def test_pieces_do_not_matter(data: bytes, sizes: list[int]) -> None:
    data += b"\r\n"
    whole, pieces = Framer(), Framer()
    expected = list(whole.feed(memoryview(data)))
    frames: list[Frame] = []
    at = 0
    for size in itertools.cycle(sizes):
        if at >= len(data):
            break
        frames += pieces.feed(memoryview(data[at : at + size]))
        at += size
    assert frames == expected
    assert whole.partial == pieces.partial
