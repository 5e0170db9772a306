"""Arguments: nothing leaves its line, and what goes in comes out again."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from netclients.errors import ConfigurationError
from netclients.wire import arguments

BREAKS = ["\r", "\n", "\0", "a\r\nDELE b", "\nx", "x\0", "ok\r"]


@pytest.mark.parametrize("value", BREAKS)
def test_nothing_breaks_out(value: str) -> None:
    with pytest.raises(ConfigurationError, match="must not contain CR, LF or NUL"):
        arguments.text(value)
    with pytest.raises(ConfigurationError, match="must not contain CR, LF or NUL"):
        arguments.checked(value.encode())
    with pytest.raises(ConfigurationError, match="not one word"):
        arguments.token(value)


def test_the_message_is_short_and_harmless() -> None:
    with pytest.raises(ConfigurationError) as caught:
        arguments.checked(b"\x1b\xff" * 1000 + b"\n")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize(
    ("value", "encoding", "expected"),
    [
        ("", "utf-8", b""),
        ("a b", "utf-8", b"a b"),
        (" leading and trailing ", "utf-8", b" leading and trailing "),
        ("ä", "utf-8", "ä".encode()),
        ("ä", "latin-1", b"\xe4"),
        ("\udce4", "utf-8", b"\xe4"),
        ("\udcff\udcfe", "utf-8", b"\xff\xfe"),
        ("a\tb\x7f", "utf-8", b"a\tb\x7f"),
    ],
)
def test_text(value: str, encoding: str, expected: bytes) -> None:
    assert arguments.text(value, encoding) == expected


@pytest.mark.parametrize(("value", "encoding"), [("ä", "ascii"), ("€", "latin-1"), ("\ud800", "utf-8")])
def test_text_that_the_encoding_lacks(value: str, encoding: str) -> None:
    with pytest.raises(ConfigurationError, match=f"can't be written in {encoding}") as caught:
        arguments.text(value, encoding)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", ["", " ", "a b", "ä", "a\tb", "\x7f", "a\x1b"])
def test_token_refuses(value: str) -> None:
    with pytest.raises(ConfigurationError, match="not one word of printable ASCII"):
        arguments.token(value)


def test_token_and_number() -> None:
    assert arguments.token("X-SHA-256") == b"X-SHA-256"
    assert (arguments.number(0), arguments.number(2**70)) == (b"0", b"1180591620717411303424")
    with pytest.raises(ConfigurationError, match="-1 must not be negative"):
        arguments.number(-1)


@given(st.binary())
def test_undecodable_names_survive(raw: bytes) -> None:
    assume(not set(raw) & set(b"\r\n\0"))
    assert arguments.text(raw.decode("utf-8", "surrogateescape")) == raw


@given(st.text())
def test_text_is_refused_or_kept(value: str) -> None:
    try:
        encoded = arguments.text(value)
    except ConfigurationError:
        assert set(value) & set("\r\n\0") or any("\ud800" <= c <= "\udfff" for c in value)
    else:
        assert not set(encoded) & set(b"\r\n\0")
        if max(value, default="") < "\udc80" or not any("\udc80" <= c <= "\udcff" for c in value):
            assert encoded.decode("utf-8") == value
