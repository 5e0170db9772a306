"""What is asked for: sections, items of FETCH and STATUS, keys of SORT."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.errors import ConfigurationError
from netclients.imap import arguments
from tests.imap.grammar import read, text


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("", b""),
        ("1", b"1"),
        ("1.2.10", b"1.2.10"),
        ("4294967295", b"4294967295"),
        ("header", b"HEADER"),
        ("TEXT", b"TEXT"),
        ("1.2.MIME", b"1.2.MIME"),
        ("1.header", b"1.HEADER"),
        ("3.TEXT", b"3.TEXT"),
        ("HEADER.FIELDS (Subject From)", b"HEADER.FIELDS (Subject From)"),
        ("header.fields.not (Received)", b"HEADER.FIELDS.NOT (Received)"),
        ("1.HEADER.FIELDS ( Subject  From )", b"1.HEADER.FIELDS (Subject From)"),
        ('HEADER.FIELDS ("X-(odd)" "a\\"b\\\\c" nil)', b'HEADER.FIELDS ("X-(odd)" "a\\"b\\\\c" "nil")'),
    ],
)
def test_section(spec: str, expected: bytes) -> None:
    assert arguments.section(spec) == expected
    assert arguments.section(expected.decode()) == expected


@pytest.mark.parametrize(
    "spec",
    [
        *("0", "1.0", "01", ".1", "1.", "1..2", "1.2]", "[1]", " ", "4294967296", "1 2", "-1", "\u0661"),
        *("MIME", "HEADERS", "HEADER TEXT", ".HEADER", "1HEADER", "1.2.", "HEADER.FIELDS", "HEADER.FIELDS ()"),
        *("HEADER.FIELDS (a", "HEADER.FIELDS a)", "HEADER.FIELDS (a) (b)", "HEADER.FIELDS (a:)", "HEADER.FIELDS (ü)"),
        *('HEADER.FIELDS ("a)', 'HEADER.FIELDS ("a"b)', 'HEADER.FIELDS ("")', "HEADER.FIELDS  (a)", "TEXT (a)"),
        *("HEADER.FIELDS (a\r\n)", "TEXT\n", "1\0", "HEADER.FIELDS (a)]", 1, None, b"TEXT"),
    ],
)
def test_what_is_no_section(spec: Any) -> None:
    with pytest.raises(ConfigurationError):
        arguments.section(spec)


@given(
    st.lists(
        st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=":"), min_size=1), min_size=1
    )
)
def test_names_of_fields_come_back(names: list[str]) -> None:
    (listed,) = read(arguments.header_names(names))
    assert isinstance(listed, list)
    assert [text(name).decode() for name in listed] == names


@pytest.mark.parametrize(
    "names", [[], ["a b"], ["a:"], [""], ["ü"], ["a\n"], ["a" * 999], "Subject", b"Subject", None, [5]]
)
def test_what_are_no_names_of_fields(names: Any) -> None:
    with pytest.raises(ConfigurationError):
        arguments.header_names(names)


def test_partial() -> None:
    assert arguments.partial(0, 1) == b"<0.1>"
    assert arguments.partial(2**40, 65536) == b"<1099511627776.65536>"


@pytest.mark.parametrize(("offset", "count"), [(-1, 1), (0, 0), (0, -1), (0, 2**63), (True, 1), ("0", 1)])
def test_what_is_no_partial(offset: Any, count: Any) -> None:
    with pytest.raises(ConfigurationError):
        arguments.partial(offset, count)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, b"(UID)"),
        ({"uid": False, "flags": True}, b"(FLAGS)"),
        (
            {"flags": True, "internal_date": True, "size": True, "modseq": True, "envelope": True, "structure": True},
            b"(UID FLAGS INTERNALDATE RFC822.SIZE MODSEQ ENVELOPE BODYSTRUCTURE)",
        ),
        ({"save_date": True, "email_id": True, "thread_id": True}, b"(UID SAVEDATE EMAILID THREADID)"),
        ({"preview": True}, b"(UID PREVIEW)"),
        ({"preview": "lazy"}, b"(UID PREVIEW (LAZY))"),
        ({"body": True}, b"(UID BODY.PEEK[])"),
        ({"body": "1.2.mime"}, b"(UID BODY.PEEK[1.2.MIME])"),
        ({"headers": ["Subject", "X-A"]}, b"(UID BODY.PEEK[HEADER.FIELDS (Subject X-A)])"),
        ({"extra": ["x-gm-labels", "RFC822.HEADER"]}, b"(UID X-GM-LABELS RFC822.HEADER)"),
        ({"extra": ["BODY[1.2]<0.100>"]}, b"(UID BODY.PEEK[1.2]<0.100>)"),
        ({"extra": ["body.peek[text]", "BODY"]}, b"(UID BODY.PEEK[TEXT] BODY)"),
        (
            {"extra": ["binary[1]", "BINARY.SIZE[1.2]", "BINARY[]"]},
            b"(UID BINARY.PEEK[1] BINARY.SIZE[1.2] BINARY.PEEK[])",
        ),
        ({"extra": ["ANNOTATION (/comment value)"]}, b"(UID ANNOTATION (/comment value))"),
    ],
)
def test_fetch_items(asked: dict[str, Any], expected: bytes) -> None:
    assert arguments.fetch_items(**asked) == expected


@pytest.mark.parametrize(
    "asked",
    [
        {"uid": False},
        {"headers": []},
        {"headers": "Subject"},
        {"body": "x"},
        {"body": None},
        {"body": 1},
        {"preview": "a b"},
        {"extra": "FLAGS"},
        *(
            {"extra": [item]}
            for item in (
                *(
                    "",
                    "ALL",
                    "fast",
                    "FULL",
                    "RFC822",
                    "rfc822.text",
                    "FLAGS)",
                    "a b",
                    "BODY[",
                    "BODY[x]",
                    "BODY.SIZE[1]",
                ),
                *("BODY[]<0.0>", "BODY[]<0>", "BINARY[TEXT]", "BINARY.SIZE[1]<0.1>", "X (a) (b)", "X ()", "BODY[]\r\n"),
                *("BODY [] FLAGS", "BODY[1] ENVELOPE", "X\0", 5, None),
            )
        ),
    ],
)
def test_what_is_no_item(asked: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        arguments.fetch_items(**asked)


@pytest.mark.parametrize("item", ["BODY[]", "body[TEXT]<0.5>", "BINARY[1]", "RFC822", "RFC822.TEXT", "BODY[1.HEADER]"])
def test_messages_are_never_marked_as_seen(item: str) -> None:
    if item.startswith("RFC822"):
        with pytest.raises(ConfigurationError, match="would mark messages as seen"):
            arguments.fetch_items(extra=[item])
    else:
        assert b".PEEK[" in arguments.fetch_items(extra=[item])


def test_status_items() -> None:
    assert arguments.status_items(["messages", "UIDNEXT"]) == b"(MESSAGES UIDNEXT)"
    for wrong in ([], ["a b"], ["(x"], "MESSAGES", None, [1]):
        with pytest.raises(ConfigurationError):
            arguments.status_items(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("date", b"(DATE)"),
        ("-date", b"(REVERSE DATE)"),
        (["reverse subject", "ARRIVAL"], b"(REVERSE SUBJECT ARRIVAL)"),
        (("-DisplayFrom", "size"), b"(REVERSE DISPLAYFROM SIZE)"),
    ],
)
def test_sort_keys(keys: Any, expected: bytes) -> None:
    assert arguments.sort_keys(keys) == expected


@pytest.mark.parametrize(
    "keys", [[], "", "x", "--date", "-reverse date", "reverse", ["date subject"], [5], None, "date)"]
)
def test_what_is_no_sort_key(keys: Any) -> None:
    with pytest.raises(ConfigurationError):
        arguments.sort_keys(keys)


@pytest.mark.parametrize("name", ["", "UTF 8", "ü", "x\n", '"', 5])
def test_what_is_no_charset(name: Any) -> None:
    with pytest.raises(ConfigurationError):
        arguments.charset(name)


def test_charset_and_object_id() -> None:
    assert (arguments.charset("UTF-8"), arguments.object_id("M6d99ac3275bb4e_-")) == (b"UTF-8", b"M6d99ac3275bb4e_-")
    for wrong in ("", "a b", "x" * 256, "ü", 5):
        with pytest.raises(ConfigurationError):
            arguments.object_id(wrong)  # type: ignore[arg-type]
