"""Arguments: nothing leaves its line, and what goes in comes out again."""

from __future__ import annotations

from collections.abc import Callable

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
    with pytest.raises(ConfigurationError, match="number=-1 must be a whole number, at least 0"):
        arguments.number(-1)
    with pytest.raises(ConfigurationError, match=r"offset=1.5 must be a whole number"):
        arguments.number(1.5, "offset")  # type: ignore[arg-type]


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


# Mail


@pytest.mark.parametrize(
    "address",
    [
        "a@x",
        "ada.lovelace+tag@example.org",
        "a..b@docomo.example",
        "alice",
        "o'neil@example.org",
        '"two words"@example.org',
        r'"a\"b"@example.org',
        "a@[127.0.0.1]",
        "a@[IPv6:::1]",
        "grüße@example.org",
        "a@bücher.example",
        "日本@例え.テスト",
        "a@under_score.example",
        "!#$%&'*+-/=?^_`{|}~@example.org",
    ],
)
def test_addresses(address: str) -> None:
    assert arguments.mailbox(address) == address.encode()


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "a b@x",
        "a@x> NOTIFY=NEVER",
        "a@x>",
        "<a@x>",
        "a@x\r\nRCPT TO:<b@x>",
        "a@x\n",
        "a@x\0",
        "a@x y",
        "a@",
        "@x",
        "a@b@c",
        "a@-x",
        "a@x..y",
        "a,b@x",
        "a;b@x",
        'a"b@x',
        '"a"b"@x',
        '"a\r\n"@x',
        "a\u2028b@x",
        "a\x7f@x",
        "a\u0085@x",
        "Ada <a@x>",
        "a@[127.0.0.1",
        "a@[x y]",
        "\udcff@x",
        "a" * 1000 + "@x",
    ],
)
def test_no_addresses(address: str) -> None:
    with pytest.raises(ConfigurationError):
        arguments.mailbox(address)


@given(st.text())
def test_an_address_never_leaves_its_brackets(text: str) -> None:
    try:
        encoded = arguments.mailbox(text)
    except ConfigurationError:
        return
    assert not {b"\r", b"\n", b"\0"} & {bytes([byte]) for byte in encoded}
    inside_quotes = encoded.startswith(b'"')
    assert inside_quotes or not {b"<", b">", b" "} & {bytes([byte]) for byte in encoded}


@pytest.mark.parametrize("value", ["BODY=8BITMIME", "SMTPUTF8", "NOTIFY=SUCCESS,DELAY", "X-A=b"])
def test_parameters(value: str) -> None:
    assert arguments.esmtp_parameter(value) == value.encode()


@pytest.mark.parametrize("value", ["", "=x", "A B", "A=b c", "A=", "A=b=c", "A\r\nB", "Ä=b", "-A=b", "A=\x7f"])
def test_no_parameters(value: str) -> None:
    with pytest.raises(ConfigurationError):
        arguments.esmtp_parameter(value)


@pytest.mark.parametrize("value", ["mail.example.org", "localhost", "[127.0.0.1]", "[IPv6:::1]"])
def test_domains(value: str) -> None:
    assert arguments.domain(value) == value.encode()


@pytest.mark.parametrize("value", ["", "a b", "a\r\nQUIT", "bücher.example", "[a b]", "a>"])
def test_no_domains(value: str) -> None:
    with pytest.raises(ConfigurationError):
        arguments.domain(value)


def test_xtext() -> None:
    assert arguments.xtext("a+b=c d\r\n") == "a+2Bb+3Dc+20d+0D+0A"
    with pytest.raises(ConfigurationError):
        arguments.xtext("ä")


@pytest.mark.parametrize("function", [arguments.mailbox, arguments.domain, arguments.esmtp_parameter, arguments.xtext])
def test_only_text(function: Callable[[object], object]) -> None:
    with pytest.raises(ConfigurationError):
        function(b"a@x")
