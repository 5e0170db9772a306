"""Dot blocks: whole, byte by byte, and back again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.wire.dots import DotStuffer, stuffed

ROWS = [
    pytest.param(b"", b".\r\n", id="nothing"),
    pytest.param(b"a\r\n", b"a\r\n.\r\n", id="a line"),
    pytest.param(b"a", b"a\r\n.\r\n", id="a line without end"),
    pytest.param(b".", b"..\r\n.\r\n", id="a dot"),
    pytest.param(b".\r\n", b"..\r\n.\r\n", id="a line of one dot"),
    pytest.param(b"..a\r\n", b"...a\r\n.\r\n", id="two dots"),
    pytest.param(b"a\r\n.\r\n.b\r\n", b"a\r\n..\r\n..b\r\n.\r\n", id="dots at line starts"),
    pytest.param(b"a.b\r\n", b"a.b\r\n.\r\n", id="dots elsewhere"),
    pytest.param(b"a\n.b\r\n", b"a\n.b\r\n.\r\n", id="a bare LF begins no line"),
    pytest.param(b"a\r.b\r\n", b"a\r.b\r\n.\r\n", id="a bare CR neither"),
    pytest.param(b"\r\n\r\n.\r\n", b"\r\n\r\n..\r\n.\r\n", id="empty lines"),
    pytest.param(b"a\r", b"a\r\r\n.\r\n", id="half a line end"),
]


def in_pieces(text: bytes, size: int) -> bytes:
    stuffer = DotStuffer()
    return b"".join(stuffer.feed(text[i : i + size]) for i in range(0, len(text), size)) + stuffer.finish()


def unstuffed(block: bytes) -> bytes:
    """What a server makes of it, line by line."""
    lines = block.split(b"\r\n")
    assert lines[-2:] == [b".", b""]
    assert b"." not in lines[:-2]
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:-2])


@pytest.mark.parametrize(("text", "block"), ROWS)
@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_rows(text: bytes, block: bytes, size: int) -> None:
    assert stuffed(text) == block
    assert in_pieces(text, size) == block


@given(st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n."])).map(b"".join), st.integers(1, 5))
def test_every_text_comes_back(text: bytes, size: int) -> None:
    block = stuffed(text)
    assert in_pieces(text, size) == block
    assert unstuffed(block) == (text if text.endswith(b"\r\n") or not text else text + b"\r\n")
