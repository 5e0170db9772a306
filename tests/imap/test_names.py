"""Names of mailboxes there and back, and bytes that are none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.errors import ConfigurationError
from netclients.imap.names import decode_mailbox, encode_mailbox

ROWS = [
    ("INBOX", b"INBOX"),
    ("", b""),
    ("&", b"&-"),
    ("a&b&", b"a&-b&-"),
    ('"x"', b'"x"'),
    ("a b", b"a b"),
    ("100%", b"100%"),
    ("star*", b"star*"),
    ("a\\b", b"a\\b"),
    ("Entwürfe", b"Entw&APw-rfe"),
    ("日本", b"&ZeVnLA-"),
    ("[Gmail]/Alle Nachrichten", b"[Gmail]/Alle Nachrichten"),
    ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501 section 5.1.3
    ("😀", b"&2D3eAA-"),
    ("ü&", b"&APw-&-"),
    ("tab\there", b"tab&AAk-here"),
    ("\x7f", b"&AH8-"),
]


@pytest.mark.parametrize(("name", "raw"), ROWS)
def test_rows(name: str, raw: bytes) -> None:
    assert encode_mailbox(name) == raw
    assert decode_mailbox(raw) == name
    assert encode_mailbox(name, utf8=True) == name.encode()
    assert decode_mailbox(name.encode(), utf8=True) == name


@pytest.mark.parametrize(
    "raw",
    [
        b"a&b",  # an ampersand that begins nothing
        b"R&D/&ZeVnLA-",
        b"&AGEAYg-",  # what needs no shift
        b"&AOkA6-",  # a broken character
        b"&ZeVnLA",  # without its end
        b"&ZeU-&Zyw-",  # two shifts where one would do
        b"&2D0-",  # half a character
        b"&ZeVnLB-",  # bits behind the last character
        b"\xe6\x97\xa5",  # UTF-8 where it was not agreed
        b"\xff\x00\r\n",
        b"&--",
        b"&",
    ],
)
def test_what_is_no_name_survives(raw: bytes) -> None:
    assert encode_mailbox(decode_mailbox(raw)) == raw


@given(st.binary())
def test_any_bytes_survive(raw: bytes) -> None:
    assert encode_mailbox(decode_mailbox(raw)) == raw
    assert encode_mailbox(decode_mailbox(raw, utf8=True), utf8=True) == raw


@given(st.lists(st.sampled_from([b"&", b"-", b"AGE", b"ZeU", b"A", b",", b"a", b"=", b"\xc3\xbc", b" "])).map(b"".join))
def test_what_looks_like_a_name_survives(raw: bytes) -> None:
    assert encode_mailbox(decode_mailbox(raw)) == raw


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_name_survives(name: str) -> None:
    assert decode_mailbox(encode_mailbox(name)) == name
    assert encode_mailbox(name).isascii()
    assert decode_mailbox(encode_mailbox(name, utf8=True), utf8=True) == name


@pytest.mark.parametrize("name", ["\ud800", "a\udfff", "x\ud83d"])
def test_what_nobody_can_write(name: str) -> None:
    for utf8 in (False, True):
        with pytest.raises(ConfigurationError, match="name of a mailbox"):
            encode_mailbox(name, utf8=utf8)
