"""What FETCH says about a message: every item, in every order, and what servers get wrong."""

from __future__ import annotations

import itertools
import pickle
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.errors import NetClientError, NotFetched, ProtocolError
from netclients.imap.replies import Frame, parse, parse_by_grammar
from netclients.imap.replies.fetch import fast_fetch
from netclients.imap.types import Fetched, SequenceNumber
from netclients.mail.reading import UID, Address, MessageInfo, Streamed
from tests.fuzz.imap_values import told
from tests.imap.wire import fetched, read

ENVELOPE = (
    b'ENVELOPE ("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary" '
    b'(("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) '
    b'(("Terry Gray" NIL "gray" "cac.washington.edu")) ((NIL NIL "imap" "cac.washington.edu")) '
    b'((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL '
    b'"<B27397-0100000@cac.washington.edu>")'
)

USUAL = [
    b"UID 5",
    b"FLAGS (\\Seen $Junk x]y)",
    b"RFC822.SIZE 44",
    b'INTERNALDATE "17-Jul-1996 02:44:25 -0700"',
    b"MODSEQ (624140003)",
    ENVELOPE,
]


def seen(info: MessageInfo) -> None:
    assert info.uid == "5"
    assert info.flags == {"\\Seen", "$Junk", "x]y"}
    assert info.size == 44
    assert info.internal_date == datetime(1996, 7, 17, 2, 44, 25, tzinfo=timezone(timedelta(hours=-7)))
    assert info.modseq == 624140003
    envelope = info.envelope
    assert envelope is info.envelope
    assert envelope.subject == "IMAP4rev1 WG mtg summary"
    assert envelope.date == datetime(1996, 7, 17, 9, 23, 25, tzinfo=UTC)
    assert envelope.from_ == envelope.sender == envelope.reply_to
    assert envelope.from_ == (Address("Terry Gray", "gray", "cac.washington.edu"),)
    assert envelope.to[0].address == "imap@cac.washington.edu"
    assert envelope.cc[1] == Address("John Klensin", "KLENSIN", "MIT.EDU")
    assert envelope.bcc == ()
    assert envelope.in_reply_to is None
    assert envelope.message_id == "<B27397-0100000@cac.washington.edu>"
    assert envelope.raw[1] == b"IMAP4rev1 WG mtg summary"
    assert envelope.raw[2] == [[b"Terry Gray", None, b"gray", b"cac.washington.edu"]]
    assert envelope.raw[7] is None


@pytest.mark.parametrize("start", range(6))
def test_usual_items_in_any_order(start: int) -> None:
    items = USUAL[start:] + USUAL[:start]
    info = fetched(b" ".join(items))
    seen(info)
    seen(pickle.loads(pickle.dumps(info)))
    seen(pickle.loads(pickle.dumps(fetched(b" ".join(items)))))
    # What only the grammar reads is no different: small letters, spaces, literals.
    seen(fetched(b"  ".join(items)))
    seen(fetched(b" ".join(item.replace(b"UID", b"uid") for item in items)))
    seen(fetched(b" ".join(items).replace(b'"Terry Gray"', b"{10}\r\nTerry Gray")))
    for cut in range(7):
        info = fetched(b" ".join([*items[:cut], b"BODY[] {6}\r\na\r\n) b", *items[cut:]]))
        seen(info)
        assert info.raw == info.section() == b"a\r\n) b"


def test_usual_shapes_take_the_fast_way() -> None:
    shapes = [b" ".join(items) for count in (1, 2, 4) for items in itertools.permutations(USUAL, count)]
    assert all(fast_fetch((b"* 1 FETCH (" + shape + b")",)) for shape in shapes)
    for shape in shapes[:30]:
        assert fast_fetch((b"* 1 FETCH (BODY[HEADER.FIELDS (TO)] {1}", b"x", b" " + shape + b")")) or b"ENV" in shape
        assert fast_fetch((b"* 1 FETCH (" + shape + b" RFC822.HEADER {1}", b"x", b")")) or b"ENV" in shape


SUBJECTS = [
    b"* star * in subject",
    b"one (",
    b"one )",
    b"a1 OK",
    b'"quoted" and \\ back',
    b"{12}",
    b"x {12}",
    b"\\",
    b'"',
    b"",
    b" ",
    b"NIL",
    b"8-bit \xe6\x97\xa5",
    b"Latin \xe9",
    b"* 5 EXISTS\r\n a1 OK",
    b"tab\there",
]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_subjects(subject: bytes) -> None:
    quoted = b'"' + subject.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    literal = b"{%d}\r\n%s" % (len(subject), subject)
    for string in (quoted, literal) if b"\r" not in subject else (literal,):
        line = ENVELOPE.replace(b'"IMAP4rev1 WG mtg summary"', string)
        envelope = fetched(b"UID 5 " + line + b" RFC822.SIZE 44").envelope
        assert envelope.raw[1] == subject
        try:
            expected = subject.decode()
        except UnicodeDecodeError:
            expected = subject.decode("latin-1")
        assert envelope.subject == expected.replace("\r\n", "")
        assert envelope.message_id == "<B27397-0100000@cac.washington.edu>"


ITEMS: dict[bytes, dict[str, object]] = {
    b"EMAILID (M6d99ac3275bb4e) THREADID (T64b478a75b7ea9)": {
        "email_id": "M6d99ac3275bb4e",
        "thread_id": "T64b478a75b7ea9",
    },
    b"THREADID NIL": {"thread_id": None},
    b'SAVEDATE " 1-Jan-2015 00:00:00 +0000"': {"save_date": datetime(2015, 1, 1, tzinfo=UTC)},
    b"SAVEDATE NIL": {"save_date": None},
    b'PREVIEW "Hello \xe6\x97\xa5"': {"preview": "Hello 日"},
    b"PREVIEW {3}\r\na\r\n": {"preview": "a\r\n"},
    b"PREVIEW NIL": {"preview": None},
    b"X-GM-MSGID 1278455344230334865 X-GM-THRID 1266894439832287888": {
        "gmail_message_id": 1278455344230334865,
        "gmail_thread_id": 1266894439832287888,
    },
    b'X-GM-LABELS (\\Inbox "\\\\Sent" Important "Muy &ZeVnLA-" {3}\r\na b)': {
        "gmail_labels": ("\\Inbox", "\\Sent", "Important", "Muy 日本", "a b")
    },
    b"X-GM-LABELS ()": {"gmail_labels": ()},
    b"MODSEQ 5": {"modseq": 5},  # quirk: without parentheses
    b'UID "5"': {"uid": "5"},  # quirk_quoted_number
    b'RFC822.SIZE "5"': {"size": 5},
    b'FLAGS ("\\\\Seen" x)': {"flags": frozenset(("\\Seen", "x"))},  # quirk_quoted_flags
    b"FLAGS NIL": {"flags": frozenset()},
    b"FLAGS ()": {"flags": frozenset()},
    b"FLAGS (\\Seen )": {"flags": frozenset(("\\Seen",))},
    b"FLAGS (nil NIL \xe6\x97\xa5 \xff)": {"flags": frozenset(("nil", "NIL", "日", "\udcff"))},
    b'INTERNALDATE " 7-Jul-1996 02:44:25 +0000"': {"internal_date": datetime(1996, 7, 7, 2, 44, 25, tzinfo=UTC)},
    b'INTERNALDATE "17-Jul-1996 02:44:25"': {"internal_date": datetime(1996, 7, 17, 2, 44, 25, tzinfo=UTC)},
    b"UID 5  FLAGS  (x)  ": {"uid": "5", "flags": frozenset("x")},  # quirk_spaces
    b"UID 5 UID 6": {"uid": "6"},
    b'RFC822 "abc"': {"raw": b"abc"},
    b'BODY[] "abc" RFC822 "x"': {"raw": b"abc"},
    b'ANNOTATION (/comment (value.priv {2}\r\nab)) X-FOO 5 x-bar "z"': {
        "extra": {"ANNOTATION": ["/comment", ["value.priv", b"ab"]], "X-FOO": "5", "X-BAR": b"z"}
    },
    b"UID 5": {"extra": {}},
}


@pytest.mark.parametrize("items", ITEMS)
def test_items(items: bytes) -> None:
    info = fetched(items)
    for name, value in ITEMS[items].items():
        assert getattr(info, name) == value
    again = pickle.loads(pickle.dumps(info))
    assert told(again) == told(info)
    assert len(repr(info)) < 200


SECTIONS: list[tuple[bytes, str, bytes]] = [
    (b'BODY[] "x"', "", b"x"),
    (b"BODY[] {3}\r\n)\r\n", "", b")\r\n"),
    (b"BODY[] ~{1}\r\nx", "", b"x"),
    (b"BODY[1.2.MIME]<0> {1}\r\nx", "1.2.mime<0>", b"x"),
    (b"BODY[1]<0.100> {1}\r\nx", "1<0>", b"x"),  # quirk_length
    (b"BODY[HEADER.FIELDS (SUBJECT TO)] {1}\r\nx", "HEADER.FIELDS (SUBJECT TO)", b"x"),
    (b'BODY[HEADER.FIELDS ("Subject" to )] {1}\r\nx', "header.fields (Subject To)", b"x"),
    (b"body[header.fields.not (x)]<5> {1}\r\nx", "HEADER.FIELDS.NOT (X)<5>", b"x"),
    (b'BODY[HEADER.FIELDS ("a]b")] {1}\r\nx', "HEADER.FIELDS (a]b)", b"x"),
    (b"BODY[TEXT] NIL", "TEXT", b""),
    (b"BODY[2] {0}\r\n", "2", b""),
    (b'BODY[2] ""', "2", b""),
    (b"BODY[2] x", "2", b"x"),  # quirk_atom_for_string
    (b"BINARY[1.2]<0> ~{3}\r\na\0b", "1.2<0>", b"a\0b"),
    (b'BINARY[] "x"', "", b"x"),
    (b'BODY[1] "a" BINARY[1] "b"', "1", b"a"),
]


@pytest.mark.parametrize(("items", "name", "content"), SECTIONS)
def test_sections(items: bytes, name: str, content: bytes) -> None:
    assert fetched(items).section(name) == content
    info = fetched(b"UID 5 " + items + b" FLAGS (x) RFC822.SIZE 1")
    assert info.section(name) == content
    assert (info.uid, info.flags, info.size) == ("5", {"x"}, 1)
    with pytest.raises(NotFetched, match=r"BODY\[9\]"):
        info.section("9")


def test_sizes_of_decoded_parts() -> None:
    info = fetched(b"BINARY.SIZE[1.2] 17")
    assert "BINARY.SIZE[1.2]" in info
    assert info.extra == {"BINARY.SIZE[1.2]": "17"}


def test_what_went_to_a_sink() -> None:
    info = parse(Frame((b"* 7 FETCH (UID 5 BODY[1] {17}", Streamed(17), b")")))
    assert isinstance(info, Fetched)
    assert info.uid == "5"
    for again in (info, pickle.loads(pickle.dumps(info))):
        with pytest.raises(NotFetched, match="17 bytes went to the sink"):
            again.section("1")


PROPERTIES = [name for name, value in vars(MessageInfo).items() if isinstance(value, property) and name != "extra"]


@pytest.mark.parametrize("name", PROPERTIES)
def test_what_was_not_fetched(name: str) -> None:
    with pytest.raises(NotFetched, match="not fetched"):
        getattr(fetched(b""), name)
    with pytest.raises(NotFetched, match="not fetched"):
        getattr(MessageInfo({}), name)


@pytest.mark.parametrize(
    ("item", "name"),
    [
        (b"UID x", "uid"),
        (b"UID -1", "uid"),
        (b"UID NIL", "uid"),
        (b"UID (5)", "uid"),
        (b"UID 123456789012345678901", "uid"),
        (b"FLAGS \\Seen", "flags"),
        (b"FLAGS ((x))", "flags"),
        (b"RFC822.SIZE -1", "size"),
        (b"RFC822.SIZE NIL", "size"),
        (b"RFC822.SIZE 1_0", "size"),
        (b"RFC822.SIZE \xd9\xa3", "size"),
        (b'INTERNALDATE ""', "internal_date"),
        (b"INTERNALDATE NIL", "internal_date"),
        (b'INTERNALDATE "17-Jul-1996 02:44:25 +9900"', "internal_date"),
        (b'INTERNALDATE "31-Feb-1996 02:44:25 +0000"', "internal_date"),
        (b'INTERNALDATE "17-Xyz-1996 02:44:25 +0000"', "internal_date"),
        (b'INTERNALDATE "01-Jan-0001 00:00:00 +0000"', "internal_date"),
        (b'SAVEDATE "x"', "save_date"),
        (b"ENVELOPE NIL", "envelope"),
        (b"ENVELOPE (NIL NIL)", "envelope"),
        (b"ENVELOPE (" + b"NIL " * 11 + b")", "envelope"),
        (b"BODYSTRUCTURE NIL", "structure"),
        (b'BODY "x"', "structure"),
        (b"MODSEQ ()", "modseq"),
        (b"EMAILID NIL", "email_id"),
        (b"EMAILID ()", "email_id"),
        (b"PREVIEW (a b)", "preview"),
        (b"X-GM-LABELS x", "gmail_labels"),
        (b"X-GM-LABELS ((x))", "gmail_labels"),
        (b"X-GM-MSGID x", "gmail_message_id"),
        (b"BODY[] (x)", "raw"),
    ],
)
def test_items_that_make_no_sense(item: bytes, name: str) -> None:
    info = read(Fetched, b"* 7 FETCH (RFC822.HEADER {1}\r\nx " + item + b" X-END 1)")
    with pytest.raises((ProtocolError, NotFetched)):
        getattr(info, name)
    if info.error is None:
        with pytest.raises(ProtocolError):
            getattr(info, name)
        assert info.extra["X-END"] == "1"


@pytest.mark.parametrize(
    "rest",
    [
        b"",
        b" ",
        b" FLAGS",
        b" FLAGS)",
        b" FLAGS (x",
        # Whose quotes these are, nobody knows.
        b' ENVELOPE ("x" "He said "hi" to me" NIL NIL NIL NIL NIL NIL NIL NIL))',
        b' BODY[ "x")',
        b' BODY[1]x "y")',
        b" X {5)",
        b' X "y)',
        b' X "y" "z")',
        b" X y) z",
        b" X y))",
        b" X \0)",
        b" (X y))",
        b" BODYSTRUCTURE " + b"(" * 10_000 + b")" * 10_000 + b")",
    ],
)
def test_what_comes_before_a_fault_is_kept(rest: bytes) -> None:
    info = read(Fetched, b"* 7 FETCH (UID 5 RFC822.SIZE 44" + rest)
    assert isinstance(info.error, ProtocolError)
    assert str(info.error).isprintable()
    assert (info.number, info.uid, info.size) == (7, "5", 44)
    with pytest.raises(NotFetched, match=r"the server|too early"):
        _ = info.internal_date
    assert isinstance(pickle.loads(pickle.dumps(info)).error, ProtocolError)


def test_without_any_item() -> None:
    for line in (b"* 7 FETCH", b"* 7 FETCH x", b"* 7 FETCH (", b"* 7 FETCH {1}\r\nx"):
        info = read(Fetched, line)
        assert (info.number, info._values) == (7, {})
        assert isinstance(info.error, ProtocolError)


# --- whatever comes ---

pieces = st.sampled_from(
    [
        *USUAL,
        b"UID ",
        b"5",
        b" ",
        b" ",
        b" ",
        b"(",
        b")",
        b'"x"',
        b'"',
        b"\\",
        b"NIL",
        b"FLAGS (",
        b"BODY[]",
        b"[",
        b"\xff",
        b"ENVELOPE (",
        b'(NIL NIL "a" "b")',
        b"NIL NIL NIL NIL ",
        b"RFC822 {1}\r\nx",
        b"BODY[1]<0> {2}\r\n)(",
    ]
)


@given(st.lists(pieces, max_size=12).map(b"".join), st.booleans())
def test_both_ways_agree(items: bytes, end: bool) -> None:
    line = b"* 7 FETCH (" + items + b")" * end
    parts = line.replace(b"\r\nx", b"\r\nx\r\n").replace(b"\r\n)(", b"\r\n)(\r\n").split(b"\r\n")
    frame = Frame(tuple(parts))
    found = parse(frame)
    assert isinstance(found, Fetched)
    assert told(found) == told(parse_by_grammar(frame))


def test_a_message_of_another_protocol() -> None:
    info = MessageInfo({"UID": "whqtswO00WBw418f9t5JxYwZ", "RFC822.SIZE": 120, "BODY[]": b"x"})
    assert info.uid == UID("whqtswO00WBw418f9t5JxYwZ")
    assert (info.size, info.raw) == (120, b"x")
    assert "UID" in info
    assert SequenceNumber(1) not in info
    assert issubclass(NotFetched, NetClientError)
