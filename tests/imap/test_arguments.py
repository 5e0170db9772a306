"""Arguments of IMAP commands: one call is one argument, and a server reads what went in."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netclients.errors import ConfigurationError
from netclients.imap import arguments
from netclients.imap.arguments import Literal, Piece
from netclients.imap.names import decode_mailbox
from tests.imap.grammar import read, text, wire

BREAKS = ["a\r\nx LOGOUT", "\n", "\r", 'a" b', "a) (b", "(", ")", "{5}", "{5+}\r\n", "\\", '\\"', "a b", "~{3}", "%*"]


@pytest.mark.parametrize(
    ("value", "utf8", "expected"),
    [
        ("", False, b'""'),
        ("boss@example.org", False, b"boss@example.org"),
        ("a]b[c", False, b"a]b[c"),
        ("a b", False, b'"a b"'),
        ('a"b\\c', False, b'"a\\"b\\\\c"'),
        ("nil", False, b'"nil"'),
        ("NILS", False, b"NILS"),
        ("50%", False, b'"50%"'),
        ("\x01\x7f", False, b'"\x01\x7f"'),
        ("é", False, Literal("é".encode())),
        ("é", True, b'"\xc3\xa9"'),
        (b"\xe9", True, Literal(b"\xe9")),
        ("\udce9", True, Literal(b"\xe9")),
        ("a\r\nb", True, Literal(b"a\r\nb")),
        ("x" * 1000, False, b"x" * 1000),
        ("x" * 1001, False, Literal(b"x" * 1001)),
        ("x " * 501, False, Literal(b"x " * 501)),
        (b"raw", False, b"raw"),
    ],
)
def test_astring(value: str | bytes, utf8: bool, expected: Piece) -> None:
    assert arguments.astring(value, utf8=utf8) == expected


def test_string_is_never_an_atom() -> None:
    assert arguments.string("INBOX") == b'"INBOX"'


@pytest.mark.parametrize("value", ["\0", "a\0b", b"\0", "\ud800", 5, None, bytearray(b"x")])
def test_what_is_no_string(value: Any) -> None:
    with pytest.raises(ConfigurationError):
        arguments.astring(value)


def test_only_a_binary_literal_has_nul() -> None:
    assert Literal(b"\0", binary=True).data == b"\0"
    with pytest.raises(ConfigurationError, match="NUL"):
        Literal(b"a\0")


@given(st.one_of(st.text(), st.binary(), st.sampled_from(BREAKS)), st.booleans())
def test_strings_come_back(value: str | bytes, utf8: bool) -> None:
    for encode in (arguments.astring, arguments.string):
        try:
            pieces = encode(value, utf8=utf8)
        except ConfigurationError:
            continue
        (word,) = read(wire(pieces))
        assert text(word) == (value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value)


@pytest.mark.parametrize("value", BREAKS)
@pytest.mark.parametrize("around", ["{}", "x{}", "{}x"])
def test_one_call_is_one_argument(value: str, around: str) -> None:
    """Whoever takes text makes one argument of it, whatever it is, or refuses it."""
    for encode in ONE_WORD:
        try:
            encoded = encode(around.format(value))
        except ConfigurationError:
            continue
        assert len(read(wire(encoded))) == 1


@given(st.text())
def test_one_call_is_one_argument_of_any_text(value: str) -> None:
    test_one_call_is_one_argument(value.replace("{", "").replace("}", ""), "{}")


ONE_WORD: list[Callable[[str], Any]] = [
    arguments.astring,
    arguments.string,
    arguments.mailbox,
    arguments.list_pattern,
    arguments.label,
    arguments.atom,
    arguments.flag,
    arguments.flag_list,
    arguments.charset,
    arguments.object_id,
    arguments.uid_set,
    arguments.sequence_set,
    arguments.section_part,
    arguments.header_name,
    arguments.sort_keys,
    lambda value: arguments.flag_list([value]),
    lambda value: arguments.status_items([value]),
    lambda value: arguments.fetch_items(extra=[value]),
    lambda value: arguments.fetch_items(body=value),
    lambda value: arguments.fetch_items(preview=value),
    lambda value: arguments.fetch_items(headers=[value]),
    lambda value: arguments.id_fields({value: value}),
    lambda value: b"(%b)" % arguments.section(value),
    lambda value: b"(%b)" % arguments.section(f"HEADER.FIELDS ({value})"),
]


@pytest.mark.parametrize("name", ["INBOX", "inbox", "InBoX", b"inbox"])
def test_inbox_in_any_case(name: str | bytes) -> None:
    assert arguments.mailbox(name) == b"INBOX"


@pytest.mark.parametrize(
    ("name", "utf8", "expected"),
    [
        ("", False, b'""'),
        ("Sent Items", False, b'"Sent Items"'),
        ("A&B", False, b"A&-B"),
        ("Entwürfe", False, b"Entw&APw-rfe"),
        ("Entwürfe", True, '"Entwürfe"'.encode()),
        ("inbox/x", False, b"inbox/x"),
        (b"&bad", False, b"&bad"),
        ("a*%", False, b'"a*%"'),
    ],
)
def test_mailbox(name: str | bytes, utf8: bool, expected: bytes) -> None:
    assert arguments.mailbox(name, utf8=utf8) == expected


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_mailboxes_come_back(name: str) -> None:
    (word,) = read(wire(arguments.mailbox(name)))
    assert decode_mailbox(text(word)) == ("INBOX" if name.upper() == "INBOX" and name.isascii() else name)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("*", b"*"), ("%", b"%"), ("", b'""'), ("Entw*", b"Entw*"), ("ü/%", b"&APw-/%"), ("a b*", b'"a b*"')],
)
def test_list_pattern(pattern: str, expected: bytes) -> None:
    assert arguments.list_pattern(pattern) == expected
    assert arguments.list_pattern(expected.strip(b'"')) == expected


def test_labels_are_no_mailboxes() -> None:
    assert [arguments.label(name) for name in ("inbox", "\\Inbox", "Größe")] == [
        b"inbox",
        b'"\\\\Inbox"',
        b"Gr&APYA3w-e",
    ]


def test_flags() -> None:
    assert arguments.flag_list(["\\Seen", "$Forwarded", "work"]) == b"(\\Seen $Forwarded work)"
    assert (arguments.flag_list("\\Seen"), arguments.flag_list([])) == (b"(\\Seen)", b"()")


@pytest.mark.parametrize("value", ["", "\\", "\\\\Seen", "a b", "\\Seen)", "ü", "\\*", "\\recent", "x]", "\n", 5, None])
def test_what_is_no_flag(value: Any) -> None:
    with pytest.raises(ConfigurationError):
        arguments.flag_list([value])


@pytest.mark.parametrize("values", [b"\\Seen", None, 5])
def test_what_are_no_flags(values: Any) -> None:
    with pytest.raises(ConfigurationError, match="flags are a list of text"):
        arguments.flag_list(values)


def test_numbers() -> None:
    assert (arguments.number(0), arguments.modseq(2**63 - 1)) == (b"0", b"9223372036854775807")


@pytest.mark.parametrize("value", [-1, 2**63, 1.0, "1", True, None])
def test_what_is_no_number(value: Any) -> None:
    for encode in (arguments.number, arguments.modseq):
        with pytest.raises(ConfigurationError, match="not a whole number from 0"):
            encode(value)


def test_dates() -> None:
    assert arguments.date(dt.date(2026, 2, 1)) == b"1-Feb-2026"
    assert arguments.date(dt.date(33, 12, 31)) == b"31-Dec-0033"


@pytest.mark.parametrize("value", [dt.datetime(2026, 2, 1, tzinfo=dt.UTC), "1-Feb-2026", None])
def test_what_is_no_date(value: Any) -> None:
    with pytest.raises(ConfigurationError):
        arguments.date(value)


NAIVE = dt.datetime(1000, 1, 3, tzinfo=dt.UTC).replace(tzinfo=None)


def zone(**offset: float) -> dt.timezone:
    return dt.timezone(dt.timedelta(**offset))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (dt.datetime(2026, 2, 1, 3, 4, 5, 999999, dt.UTC), b'" 1-Feb-2026 03:04:05 +0000"'),
        (dt.datetime(1996, 7, 17, 2, 44, 25, tzinfo=zone(hours=-7)), b'"17-Jul-1996 02:44:25 -0700"'),
        (dt.datetime(2026, 1, 1, tzinfo=zone(minutes=-30)), b'" 1-Jan-2026 00:00:00 -0030"'),
        (dt.datetime(2026, 1, 1, tzinfo=zone(hours=5, minutes=45)), b'" 1-Jan-2026 00:00:00 +0545"'),
        (dt.datetime(1890, 1, 1, 0, 53, 28, tzinfo=zone(minutes=53, seconds=28)), b'" 1-Jan-1890 00:00:00 +0000"'),
    ],
)
def test_date_time(value: dt.datetime, expected: bytes) -> None:
    assert arguments.date_time(value) == expected


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (NAIVE, "no time zone"),
        (dt.date(2026, 1, 1), "not a datetime"),
        (dt.datetime.max.replace(tzinfo=zone(seconds=-1)), "out of range"),
    ],
)
def test_what_is_no_date_time(value: Any, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        arguments.date_time(value)


@given(
    st.datetimes(
        timezones=st.timezones(),
        min_value=NAIVE,
        max_value=NAIVE.replace(year=9998),
    )
)
def test_date_times_come_back(value: dt.datetime) -> None:
    read_back = dt.datetime.strptime(arguments.date_time(value).decode(), '"%d-%b-%Y %H:%M:%S %z"')
    offset = value.utcoffset()
    assert offset is not None
    # With its own zone a time that a clock has skipped equals nothing.
    assert read_back == value.replace(microsecond=0, tzinfo=dt.timezone(offset))


def test_id() -> None:
    assert arguments.id_fields(None) == arguments.id_fields({}) == b"NIL"
    assert arguments.id_fields({"name": 'a "b"', "version": None}) == b'("name" "a \\"b\\"" "version" NIL)'
    assert arguments.id_fields({"n" * 30: "v" * 1024}) == b'("%b" "%b")' % (b"n" * 30, b"v" * 1024)


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a\nb"},
        {"name": "ü"},
        {"n" * 31: ""},
        {"name": "v" * 1025},
        {"a": "", "A": ""},
        {str(n): "" for n in range(31)},
        {"name": 5},
        {5: "x"},
    ],
)
def test_what_is_no_id(fields: Any) -> None:
    with pytest.raises(ConfigurationError):
        arguments.id_fields(fields)


def test_pieces_are_put_together() -> None:
    literal = Literal(b"x")
    assert arguments.joined(b"STORE", (b"1", literal), b"(a)") == (b"STORE 1", literal, b" (a)")
    assert arguments.parenthesized(literal, literal) == (b"(", literal, b" ", literal, b")")
    assert arguments.parenthesized() == (b"()",)
    assert arguments.joined(b"LIST", arguments.parenthesized(b"a", b"b")) == (b"LIST (a b)",)
