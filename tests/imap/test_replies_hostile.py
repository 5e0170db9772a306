"""Lines that are made to be slow: linear time is a fraction of a second here, other time is minutes."""

from __future__ import annotations

import time

import pytest

from netclients.errors import ProtocolError
from netclients.imap.names import decode_mailbox, encode_mailbox
from netclients.imap.replies import Frame, parse, parse_by_grammar
from netclients.mail import decoding
from tests.fuzz.imap_values import told
from tests.imap.wire import cut

SIZE = 200_000
SECONDS = 5.0

REPEATED = [
    (b"* OK [", b" ", b""),
    (b"* OK [x", b" ", b"x"),
    (b"* OK [", b"x", b""),
    (b"* OK [x ", b"(", b""),
    (b"* OK [x ", b'"', b""),
    (b"* OK [x ", b'"\\', b""),
    (b"a OK [COPYUID 1 ", b"1,", b"1 1]"),
    (b"* ", b" ", b""),
    (b"*", b" ", b"OK"),
    (b"", b"a", b" OK"),
    (b"* LIST ", b"(", b""),
    (b"* LIST ", b"()", b""),
    (b'* LIST () "/" "', b"\\", b""),
    (b'* LIST () "/" "', b"\\\\", b'"'),
    (b"* LIST () NIL ", b"&", b""),
    (b"* LIST () NIL ", b"&AGE-", b""),
    (b"* SEARCH ", b" ", b""),
    (b"* SEARCH ", b"1  ", b"x"),
    (b"* SEARCH ", b"9", b""),
    (b"* THREAD ", b"(1)", b""),
    (b"* THREAD (", b"1 ", b")"),
    (b"* THREAD ", b"(1 (2)(3))", b""),
    (b"* CAPABILITY ", b"x ", b""),
    (b"* CAPABILITY ", b"x ", b"("),
    (b"* VANISHED ", b"1,", b"1"),
    (b"* ESEARCH ALL ", b"1:2,", b""),
    (b"* 7 FETCH (", b"UID 5 ", b""),
    (b"* 7 FETCH (", b"UID 5 ", b"x"),
    (b"* 7 FETCH (", b"A[ ", b")"),
    (b"* 7 FETCH (", b"A[] 1 ", b")"),
    (b"* 7 FETCH (", b"BODY[ ", b""),
    (b"* 7 FETCH (FLAGS (", b"x ", b"{)"),
    (b"* 7 FETCH (FLAGS (", b"x ", b"))"),
    (b"* 7 FETCH (ENVELOPE (NIL NIL (", b'(NIL NIL "a" "b")', b") NIL NIL NIL NIL NIL NIL NIL))"),
    (b"* 7 FETCH (ENVELOPE (NIL NIL (", b'(NIL NIL "a" "b")', b") NIL NIL NIL NIL NIL NIL NIL NIL))"),
    (b"* 7 FETCH (ENVELOPE (NIL NIL (", b'(NIL NIL "a\\"" NIL)', b") NIL NIL NIL NIL NIL NIL NIL))"),
    (b"* 7 FETCH (ENVELOPE (NIL ", b'""', b""),
    (b"* 7 FETCH (", b"ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL) ", b"x"),
    (b"* 7 FETCH (BODYSTRUCTURE (", b'("a" "b" NIL NIL NIL NIL 5)', b' "mixed"))'),
    (b'* 7 FETCH (BODYSTRUCTURE ("a" "b" (', b'"f*1" "x" ', b") NIL NIL NIL 5))"),
    (b'* 7 FETCH (BODYSTRUCTURE ("a" "b" NIL NIL NIL NIL 5 NIL NIL NIL NIL ', b"x ", b"))"),
    (b"* 7 FETCH (X-GM-LABELS (", b"&- ", b"))"),
]


@pytest.mark.parametrize(("head", "again", "end"), REPEATED)
def test_lines(head: bytes, again: bytes, end: bytes) -> None:
    frame = Frame((head + again * (SIZE // len(again)) + end,))
    started = time.process_time()
    try:
        found = told(parse(frame))
    except ProtocolError:
        with pytest.raises(ProtocolError):
            parse_by_grammar(frame)
    else:
        assert found == told(parse_by_grammar(frame))
    assert time.process_time() - started < SECONDS


@pytest.mark.parametrize(
    "again",
    [
        b"=?",
        b"=?a?Q?",
        b"=?utf-8?Q?",
        b"=?utf-8?Q?=41?=",
        b"=?utf-8?Q?=41?= ",
        b"\r\n ",
        b"\r\n",
        b"= ",
        b"%",
        b"&",
        b"&-",
        b"=?x?Q?a?= ",
        b" ",
        b"1 ",
        b"Mon, ",
        b"\xff",
    ],
)
def test_texts(again: bytes) -> None:
    raw = again * (SIZE // len(again))
    started = time.process_time()
    for text in (raw, b"=?utf-8?Q?" + raw, raw + b"?="):
        decoding.text(text)
        decoding.date(text)
        decoding.parameters([(b"a*", text)])
        assert encode_mailbox(decode_mailbox(text)) == text
    assert time.process_time() - started < SECONDS


@pytest.mark.parametrize(
    "data", [b"x" * SIZE + b"\r\n", b"* X {0}\r\n" * 9000 + b"\r\n", b"\r\n" * SIZE, b"{" * SIZE + b"x}\n"]
)
def test_pieces(data: bytes) -> None:
    started = time.process_time()
    cut(data, 7)
    assert time.process_time() - started < SECONDS
