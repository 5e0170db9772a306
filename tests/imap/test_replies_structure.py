"""BODYSTRUCTURE and BODY: trees of parts, numbered as they are fetched, and what servers get wrong."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.errors import ProtocolError
from netclients.imap.replies.structures import structure
from netclients.mail.envelopes import Value
from netclients.mail.reading import Address, BodyPart
from tests.imap.wire import fetched

TEXT = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 10 2)'
HTML = b'("TEXT" "HTML" ("CHARSET" "utf-8") NIL NIL "QUOTED-PRINTABLE" 20 3 NIL NIL NIL NIL)'
IMAGE = (
    b'("image" "png" ("name" "a.png") "<1@x>" "A picture" "base64" 30 NIL ("attachment" ("filename" "b.png")) NIL NIL)'
)
ENVELOPE = b'("Mon, 2 Mar 2026 10:00:00 +0000" "inner" ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL NIL "<2@x>")'


def tree(raw: bytes) -> BodyPart:
    found = fetched(b"BODYSTRUCTURE " + raw + b" UID 5")
    assert found.uid == "5"
    part = found.structure
    assert fetched(b"BODY " + raw).structure.part == part.part
    again = pickle.loads(pickle.dumps(part))
    assert shape(again) == shape(part)
    return part


def shape(part: BodyPart) -> list[tuple[str, str]]:
    return [(one.part, one.content_type) for one in part.walk()]


def multipart(subtype: bytes, *parts: bytes) -> bytes:
    return b"(" + b"".join(parts) + b' "' + subtype + b'")'


def message(body: bytes, envelope: bytes = ENVELOPE) -> bytes:
    return b'("message" "rfc822" NIL NIL NIL "7bit" 99 ' + envelope + b" " + body + b" 7)"


def test_a_single_part() -> None:
    assert tree(TEXT) == BodyPart("1", "text", "plain", {"charset": "us-ascii"}, size=10, lines=2)


def test_all_fields() -> None:
    assert tree(IMAGE) == BodyPart(
        "1",
        "image",
        "png",
        {"name": "a.png"},
        "<1@x>",
        "A picture",
        "base64",
        30,
        disposition="attachment",
        disposition_parameters={"filename": "b.png"},
    )
    assert tree(IMAGE).filename == "b.png"


def test_extension_fields() -> None:
    part = tree(
        b'("text" "plain" NIL NIL NIL "8bit" 1 2 "md5==" ("inline" NIL) ("EN" "de") "http://x/" 5 ("a" (b)) NIL)'
    )
    assert (part.md5, part.disposition, part.languages, part.location) == ("md5==", "inline", ("en", "de"), "http://x/")
    assert part.extension == ("5", [b"a", ["b"]], None)
    part = tree(b"(" + TEXT + b' "mixed" ("boundary" "=_x") ("inline" ("a" "b")) "en" "loc" 7)')
    assert (part.parameters, part.disposition, part.disposition_parameters) == (
        {"boundary": "=_x"},
        "inline",
        {"a": "b"},
    )
    assert (part.languages, part.location, part.extension) == (("en",), "loc", ("7",))


def test_numbers() -> None:
    alternative = multipart(b"alternative", TEXT, HTML)
    assert shape(
        tree(multipart(b"mixed", alternative, IMAGE, message(multipart(b"mixed", TEXT, IMAGE)), message(TEXT)))
    ) == [
        ("TEXT", "multipart/mixed"),
        ("1", "multipart/alternative"),
        ("1.1", "text/plain"),
        ("1.2", "text/html"),
        ("2", "image/png"),
        ("3", "message/rfc822"),
        ("3.TEXT", "multipart/mixed"),
        ("3.1", "text/plain"),
        ("3.2", "image/png"),
        ("4", "message/rfc822"),
        ("4.1", "text/plain"),
    ]
    assert shape(tree(message(message(multipart(b"digest", message(TEXT)))))) == [
        ("1", "message/rfc822"),
        ("1.1", "message/rfc822"),
        ("1.1.TEXT", "multipart/digest"),
        ("1.1.1", "message/rfc822"),
        ("1.1.1.1", "text/plain"),
    ]


def test_a_message_within() -> None:
    part = tree(message(TEXT).replace(b"rfc822", b"global"))
    assert (part.content_type, part.size, part.lines) == ("message/global", 99, 7)
    assert part.envelope is not None
    assert part.envelope.subject == "inner"
    assert part.envelope.from_ == (Address("", "a", "b"),)
    assert part.body is not None
    assert part.body.part == "1.1"


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        (b"NIL", {}),
        (b'""', {}),  # quirk_empty_string
        (b"()", {}),
        (b'("NAME" "a" "name" "b")', {"name": "a"}),
        (b'("name" NIL "x" "y" "odd")', {"name": "", "x": "y"}),  # quirk_odd_parameters
        (b'("name" "=?utf-8?Q?=C3=BC.txt?=")', {"name": "ü.txt"}),  # quirk_words_in_parameters
        (b'("filename*" "utf-8\'de\'%c3%bc%20b")', {"filename": "ü b"}),
        (b'("f*1" "b" "f*0" "a" "f*2*" "%20c")', {"f": "ab c"}),
        (b'("f*0*" "utf-8\'\'%c3" "f*1*" "%bc" "f*2" "%41")', {"f": "ü%41"}),
        (
            b'("f*" "nonsense\'\'%c3%bc" "g*" "no quotes" "*" "x" "h*9999" "y")',
            {"f": "ü", "g": "no quotes", "*": "x", "h*9999": "y"},
        ),
        (b'("name" {3}\r\na"b)', {"name": 'a"b'}),
        (b'("name" "\xe9")', {"name": "é"}),
    ],
)
def test_parameters(parameters: bytes, expected: dict[str, str]) -> None:
    assert tree(b'("text" "plain" ' + parameters + b' NIL NIL "7bit" 10 2)').parameters == expected


QUIRKS: dict[bytes, BodyPart] = {
    # quirk_empty_part, quirk_no_parts: multiparts whose parts nobody could find
    b"()": BodyPart("1", "text", "plain"),
    b'(() "mixed")': BodyPart("TEXT", "multipart", "mixed"),
    b'(() "mixed" ("boundary" "x") NIL NIL)': BodyPart("TEXT", "multipart", "mixed", {"boundary": "x"}),
    b'("mixed" ("boundary" "x"))': BodyPart("TEXT", "multipart", "mixed", {"boundary": "x"}),
    b'("MIXED")': BodyPart("TEXT", "multipart", "mixed"),
    b'("multipart" "mixed" NIL NIL NIL "7bit" 5)': BodyPart("1", "multipart", "mixed", size=5),
    # quirk_nil_type, quirk_nil_size, quirk_negative_size
    b"(NIL NIL NIL NIL NIL NIL NIL)": BodyPart("1", "application", "octet-stream"),
    b'("text" "plain" NIL NIL NIL "7bit" NIL NIL)': BodyPart("1", "text", "plain"),
    b'("text" "plain" NIL NIL NIL "7bit" -1 -1)': BodyPart("1", "text", "plain"),
    b'("text" "plain" NIL NIL NIL "7bit" "12" "3")': BodyPart("1", "text", "plain", size=12, lines=3),
    b'("text" "plain" NIL NIL NIL "7bit" 12)': BodyPart("1", "text", "plain", size=12),
    # quirk_lines_of_no_text
    b'("image" "png" NIL NIL NIL "base64" 12 3 NIL ("inline" NIL))': BodyPart(
        "1", "image", "png", encoding="base64", size=12, lines=3, disposition="inline"
    ),
    # quirk_bare_disposition, languages without parentheses
    b'("image" "png" NIL NIL NIL "base64" 12 NIL "ATTACHMENT" "DE" NIL)': BodyPart(
        "1", "image", "png", encoding="base64", size=12, disposition="attachment", languages=("de",)
    ),
    b'("image" "png" NIL NIL NIL "base64" 12 NIL ("attachment") () NIL)': BodyPart(
        "1", "image", "png", encoding="base64", size=12, disposition="attachment"
    ),
    b'("image" "png" NIL NIL NIL "base64" 12 NIL ())': BodyPart("1", "image", "png", encoding="base64", size=12),
    # quirk_no_envelope, quirk_nil_envelope
    b'("message" "rfc822" NIL NIL NIL "7bit" 9)': BodyPart("1", "message", "rfc822", size=9),
    b'("message" "rfc822" NIL NIL NIL "7bit" 9 NIL NIL 4)': BodyPart("1", "message", "rfc822", size=9, lines=4),
    b'("message" "rfc822" NIL NIL NIL "7bit" 9 NIL ("attachment" NIL) NIL)': BodyPart(
        "1", "message", "rfc822", size=9, disposition="attachment"
    ),
    b'("message" "rfc822" NIL NIL NIL "7bit" 9 NIL ' + TEXT + b" 4)": BodyPart(
        "1",
        "message",
        "rfc822",
        size=9,
        lines=4,
        body=BodyPart("1.1", "text", "plain", {"charset": "us-ascii"}, size=10, lines=2),
    ),
    b'("message" "delivery-status" NIL NIL NIL "7bit" 9)': BodyPart("1", "message", "delivery-status", size=9),
    # spaces where there should be none
    b"( " + TEXT + b"  " + TEXT + b' "mixed" )': BodyPart(
        "TEXT",
        "multipart",
        "mixed",
        parts=(
            BodyPart("1", "text", "plain", {"charset": "us-ascii"}, size=10, lines=2),
            BodyPart("2", "text", "plain", {"charset": "us-ascii"}, size=10, lines=2),
        ),
    ),
}


@pytest.mark.parametrize("raw", QUIRKS)
def test_quirks(raw: bytes) -> None:
    assert tree(raw) == QUIRKS[raw]


@pytest.mark.parametrize(
    "raw",
    [
        b"NIL",
        b'"x"',
        b'("text" "plain")',
        b'("text" "plain" NIL NIL NIL "7bit")',
        multipart(b"mixed", b'("text" "plain" NIL)'),
        message(TEXT, b"(NIL)"),
    ],
)
def test_what_makes_no_sense(raw: bytes) -> None:
    info = fetched(b"UID 5 BODYSTRUCTURE " + raw)
    assert info.uid == "5"
    with pytest.raises(ProtocolError):
        _ = info.structure


def test_deep_and_wide() -> None:
    raw = TEXT
    for _ in range(60):
        raw = multipart(b"mixed", raw)
    parts = list(tree(raw).walk())
    assert len(parts) == 61
    assert parts[-1].part == ".".join(["1"] * 60)
    wide = tree(multipart(b"mixed", *[TEXT] * 5000))
    assert [part.part for part in wide.parts] == [str(number) for number in range(1, 5001)]


values: st.SearchStrategy[Value] = st.recursive(
    st.sampled_from([None, b"text", b"message", b"rfc822", b"", b"x", "5", "-1", "atom", b"\xff"]),
    lambda inner: st.lists(inner, max_size=11),
    max_leaves=40,
)


@given(values)
def test_any_values_give_a_tree_or_an_error(value: Value) -> None:
    try:
        part = structure(value)
    except ProtocolError:
        return
    numbers = [one.part for one in part.walk()]
    assert len(set(numbers)) == len(numbers)
    repr(part)
