"""Replies of three digits, as a table: each row whole, byte by byte, and with trailing data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.errors import ProtocolError
from netclients.wire import replies as replies_module
from netclients.wire.lines import LineBuffer
from netclients.wire.replies import Reply, ReplyParser

ROWS = [
    pytest.param(b"220 ready\r\n", [(220, "ready")], id="one line"),
    pytest.param(b"220\r\n", [(220, "")], id="code alone"),
    pytest.param(b"220 \r\n", [(220, "")], id="code and space"),
    pytest.param(b"220 ready\n", [(220, "ready")], id="bare LF"),
    pytest.param(b"220-a\r\n220 b\r\n", [(220, "a", "b")], id="two lines"),
    pytest.param(b"220-\r\n220\r\n", [(220, "", "")], id="two empty lines"),
    pytest.param(b"220-a\r\n220-b\r\n220 c\r\n", [(220, "a", "b", "c")], id="code repeated"),
    pytest.param(b"211-F\r\n SIZE\r\n  211 x\r\n211 E\r\n", [(211, "F", " SIZE", "  211 x", "E")], id="RFC 959 inner"),
    pytest.param(b"211-F\r\n\r\n211 E\r\n", [(211, "F", "", "E")], id="empty inner line"),
    pytest.param(b"211-F\r\n220 other\r\n220-x\r\n211 E\r\n", [(211, "F", "220 other", "220-x", "E")], id="other code"),
    pytest.param(b"211-F\r\n211x\r\n2111 y\r\n211 E\r\n", [(211, "F", "211x", "2111 y", "E")], id="longer word"),
    pytest.param(b"220-a\r\n220\r\n", [(220, "a", "")], id="ends without text"),
    pytest.param(b"150 a\r\n226 b\r\n", [(150, "a"), (226, "b")], id="two replies"),
    pytest.param("250 ä\r\n".encode(), [(250, "ä")], id="UTF-8"),
    pytest.param(b"250 \xff\xe4\r\n", [(250, "\udcff\udce4")], id="not UTF-8"),
    pytest.param(b"250  two  spaces \r\n", [(250, " two  spaces ")], id="spaces stay"),
    pytest.param(b"599 x\r\n100 y\r\n", [(599, "x"), (100, "y")], id="first and last code"),
    pytest.param(b"250 a\rb\r\n", [(250, "a\rb")], id="CR inside"),
]

BAD = [
    b"\r\n",
    b"hello\r\n",
    b"22 short\r\n",
    b"2200 long\r\n",
    b"220ready\r\n",
    b"220_ready\r\n",
    b" 220 ready\r\n",
    b"020 x\r\n",
    b"600 x\r\n",
    b"999 x\r\n",
    b"2x0 x\r\n",
    "\uff12\uff12\uff10 fullwidth\r\n".encode(),
    b"\xff\xfd\x01220 telnet\r\n",
]


def parse(pieces: list[bytes], limit: int = 1000, encoding: str = "utf-8") -> tuple[list[Reply], ReplyParser]:
    lines, parser = LineBuffer(limit), ReplyParser(limit, encoding)
    replies = [reply for piece in pieces for line in lines.feed(piece) if (reply := parser.feed_line(line))]
    return replies, parser


def each_byte(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


@pytest.mark.parametrize(("data", "expected"), ROWS)
def test_rows(data: bytes, expected: list[tuple[int | str, ...]]) -> None:
    wanted = [Reply(row[0], row[1:]) for row in expected]  # type: ignore[arg-type]
    for pieces in ([data], each_byte(data), [data + b"211-trailing"], [data[:5], data[5:]]):
        replies, parser = parse(pieces)
        assert replies == wanted
        assert not parser.partial
    replies, parser = parse([data, b"211-trailing\r\nmore\r\n"])
    assert replies == wanted
    assert parser.partial


@pytest.mark.parametrize("data", BAD)
def test_bad_rows(data: bytes) -> None:
    for pieces in ([data], each_byte(data), [b"220 ok\r\n" + data]):
        with pytest.raises(ProtocolError, match="where a reply was due"):
            parse(pieces)


def test_a_bad_line_is_shown_harmlessly() -> None:
    with pytest.raises(ProtocolError) as caught:
        parse([b"\x1b[31m" + b"A" * 200 + b"\r\n"])
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_the_limit_counts_all_lines_and_what_a_line_costs() -> None:
    data = b"211-" + b"x" * 36 + b"\r\n" + (b"y" * 30 + b"\r\n") * 2
    limit = 40 + 30 + 30 + 5 + 4 * replies_module._LINE_COST
    assert parse([data + b"211 e\r\n"], limit=limit)[0][0].code == 211
    for end in (b"211 ee\r\n", b"123456\r\n"):
        for pieces in ([data + end], each_byte(data + end)):
            with pytest.raises(ProtocolError, match=f"a reply of more than {limit} bytes"):
                parse(pieces, limit=limit)
    # Each reply has the whole limit for itself.
    assert len(parse([b"250 " + b"x" * 90 + b"\r\n"] * 3, limit=200)[0]) == 3


def test_empty_lines_are_not_free() -> None:
    with pytest.raises(ProtocolError, match="a reply of more than"):
        parse([b"211-x\r\n" + b"\r\n" * 1000], limit=1000)


def test_another_encoding() -> None:
    assert parse([b"250 \xe4\r\n"], encoding="latin-1")[0] == [Reply(250, ("ä",))]


def test_what_a_reply_shows() -> None:
    reply = Reply(211, ("a", "b\x1b"))
    assert (reply.text, reply.kind, str(reply)) == ("a\nb\x1b", 2, "211 a\\nb\\x1b")


@given(
    st.lists(
        st.tuples(
            st.integers(100, 599),
            st.lists(st.text(st.characters(exclude_characters="\r\n"), max_size=20), min_size=1, max_size=4),
        ),
        max_size=4,
    ),
    st.lists(st.integers(1, 9), min_size=1),
)
def test_what_is_written_is_read(replies: list[tuple[int, list[str]]], cuts: list[int]) -> None:
    data = b""
    for code, lines in replies:
        for line in lines[:-1]:
            data += b"%d-%s\r\n" % (code, line.encode("utf-8", "surrogatepass"))
        data += b"%d %s\r\n" % (code, lines[-1].encode("utf-8", "surrogatepass"))
    pieces, at = [], 0
    while at < len(data):
        size = cuts[len(pieces) % len(cuts)]
        pieces.append(data[at : at + size])
        at += size
    found, parser = parse(pieces, limit=10_000)
    assert [(reply.code, len(reply.lines)) for reply in found] == [(code, len(lines)) for code, lines in replies]
    for reply, (_, lines) in zip(found, replies, strict=True):
        assert [line.encode("utf-8", "surrogateescape") for line in reply.lines] == [
            line.encode("utf-8", "surrogatepass") for line in lines
        ]
    assert not parser.partial
