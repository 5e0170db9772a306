"""FETCH of the embedded IMAP server: what it reads out of messages, byte for byte; agreed with Dovecot 2.3."""

from __future__ import annotations

import datetime as dt

import pytest

from netclients.testing import IMAPServer
from tests.testing.imap_peer import Peer, peer, serving


def lines(*texts: str) -> bytes:
    return "".join(f"{text}\r\n" for text in texts).encode()


MIXED = lines(
    "From: a@x",
    "Subject: Re: hello",
    "MIME-Version: 1.0",
    'Content-Type: multipart/mixed; boundary="bb"; charset=utf-8',
    "",
    "preamble",
    "--bb",
    'Content-Type: text/plain; charset="utf-8"; format=flowed',
    "Content-Transfer-Encoding: quoted-printable",
    "Content-Language: en, de",
    "Content-ID: <cid@x>",
    "Content-Description: some",
    "Content-Location: http://x/",
    "Content-MD5: abc",
    "Content-Disposition: inline",
    "",
    "h=C3=A9 line",
    "second",
    "--bb",
    'Content-Type: application/octet-stream; name="a b.bin"',
    "Content-Transfer-Encoding: base64",
    'Content-Disposition: attachment; filename="a b.bin"; size=3',
    "",
    "AAEC",
    "--bb--",
    "epilogue",
)
NESTED = lines(
    *("From: a@x", "Subject: nested", "Content-Type: multipart/mixed; boundary=o", ""),
    *("--o", "Content-Type: multipart/alternative; boundary=i", ""),
    *("--i", "", "plain", "--i", "Content-Type: text/html", "", "<p>", "--i--", ""),
    *("--o", "Content-Type: message/rfc822", ""),
    *("From: in@x", "Subject: inner", "Content-Type: multipart/mixed; boundary=k", ""),
    *("--k", "", "k1", "--k", "Content-Type: image/png", "Content-Transfer-Encoding: base64", "", "AA==", "--k--", ""),
    *("--o", "Content-Type: message/rfc822", "Content-Disposition: attachment", ""),
    *("Subject: simple", "", "text of simple", "--o--"),
)
NO_ENVELOPE = b"NIL NIL NIL NIL NIL NIL NIL NIL"


def value(client: Peer, item: str, number: int = 1) -> bytes:
    """Return the value of one item."""
    (reply,) = client.untagged(f"FETCH {number} ({item})")
    start = f"* {number} FETCH ({item.replace('.PEEK', '')} ".encode()
    assert reply.startswith(start), reply
    return reply[len(start) : -1]


def body(client: Peer, section: str, number: int = 1) -> bytes | None:
    found = value(client, f"BODY.PEEK[{section}]", number)
    if found == b"NIL":
        return None
    head, _, data = found.partition(b"\r\n")
    assert head == b"{%d}" % len(data)
    return data


ENVELOPES = {
    "From: A B <a@x.org>\r\nTo: b@x\r\nSubject: hello\r\nDate: Mon, 7 Feb 1994 21:52:25 -0800\r\nMessage-ID: <1@x>": (
        '("Mon, 7 Feb 1994 21:52:25 -0800" "hello" (("A B" NIL "a" "x.org")) (("A B" NIL "a" "x.org")) '
        '(("A B" NIL "a" "x.org")) ((NIL NIL "b" "x")) NIL NIL NIL "<1@x>")'
    ),
    'From: "Quo\\"ted, N" <"a b"@x>\r\nSender: s@s\r\nReply-To: r1@r, r2@r\r\nIn-Reply-To: <0@x>': (
        '(NIL NIL (("Quo\\"ted, N" NIL "a b" "x")) ((NIL NIL "s" "s")) ((NIL NIL "r1" "r")(NIL NIL "r2" "r")) '
        'NIL NIL NIL "<0@x>" NIL)'
    ),
    'Cc: Group: x@y, "Z" <z@y>;, w@v (comment name)': (
        '(NIL NIL NIL NIL NIL NIL ((NIL NIL "Group" NIL)(NIL NIL "x" "y")("Z" NIL "z" "y")(NIL NIL NIL NIL)'
        '("comment name" NIL "w" "v")) NIL NIL NIL)'
    ),
    "To: undisclosed-recipients:;": (
        '(NIL NIL NIL NIL NIL ((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL)) NIL NIL NIL NIL)'
    ),
    "Bcc: <@r1,@r2:u@h>": '(NIL NIL NIL NIL NIL NIL NIL ((NIL "@r1,@r2" "u" "h")) NIL NIL)',
    "Subject: =?utf-8?q?h=C3=A9llo?= w\r\n folded": (
        '(NIL "=?utf-8?q?h=C3=A9llo?= w folded" NIL NIL NIL NIL NIL NIL NIL NIL)'
    ),
    "Subject:": '(NIL "" NIL NIL NIL NIL NIL NIL NIL NIL)',
    "subject: é": "(NIL {2}\r\né NIL NIL NIL NIL NIL NIL NIL NIL)",
    "To: broken <a@, ok@x": '(NIL NIL NIL NIL NIL (("broken" NIL "a@,ok" "x")) NIL NIL NIL NIL)',
    "To: (c (nested) \\) ) a@[1.2.3.4]": (
        '(NIL NIL NIL NIL NIL (("c (nested) \\\\) " NIL "a" "[1.2.3.4]")) NIL NIL NIL NIL)'
    ),
}


@pytest.mark.parametrize("header", ENVELOPES)
def test_envelope(header: str) -> None:
    with serving(header.encode() + b"\r\n\r\nbody\r\n") as (_, client):
        assert value(client, "ENVELOPE").decode() == ENVELOPES[header]


STRUCTURES = {
    b"Subject: x\r\n\r\nbody\r\n": b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 6 1 NIL NIL NIL NIL)',
    b"Content-Type: text/HTML; X=y\r\nContent-Transfer-Encoding: 8BIT\r\n\r\n<p>": (
        b'("text" "html" ("charset" "us-ascii" "x" "y") NIL NIL "8bit" 3 0 NIL NIL NIL NIL)'
    ),
    b"Content-Type: nonsense\r\n\r\nx": b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL)',
    b"Content-Type: application/x-y (comment); name*=utf-8''%C3%A9\r\n\r\nx": (
        b'("application" "x-y" ("name*" "utf-8\'\'%C3%A9") NIL NIL "7bit" 1 NIL NIL NIL NIL)'
    ),
    MIXED: (
        b'(("text" "plain" ("charset" "utf-8" "format" "flowed") "<cid@x>" "some" "quoted-printable" 20 1 "abc" '
        b'("inline" NIL) ("en" "de") "http://x/")'
        b'("application" "octet-stream" ("name" "a b.bin") NIL NIL "base64" 4 NIL '
        b'("attachment" ("filename" "a b.bin" "size" "3")) NIL NIL) '
        b'"mixed" ("boundary" "bb" "charset" "utf-8") NIL NIL NIL)'
    ),
    NESTED: (
        b'((("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 5 0 NIL NIL NIL NIL)'
        b'("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL) '
        b'"alternative" ("boundary" "i") NIL NIL NIL)'
        b'("message" "rfc822" NIL NIL NIL "7bit" 164 '
        b'(NIL "inner" ((NIL NIL "in" "x")) ((NIL NIL "in" "x")) ((NIL NIL "in" "x")) NIL NIL NIL NIL NIL) '
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 2 0 NIL NIL NIL NIL)'
        b'("image" "png" NIL NIL NIL "base64" 4 NIL NIL NIL NIL) "mixed" ("boundary" "k") NIL NIL NIL) '
        b"13 NIL NIL NIL NIL)"
        b'("message" "rfc822" NIL NIL NIL "7bit" 33 (NIL "simple" ' + NO_ENVELOPE + b") "
        b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 14 0 NIL NIL NIL NIL) 2 NIL ("attachment" NIL) NIL NIL)'
        b' "mixed" ("boundary" "o") NIL NIL NIL)'
    ),
    b"Content-Type: multipart/mixed; boundary=o\r\n\r\nnothing\r\n": (
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL) '
        b'"mixed" ("boundary" "o") NIL NIL NIL)'
    ),
    b"Content-Type: multipart/digest; boundary=o\r\n\r\n--o\r\n\r\nSubject: d\r\n\r\nt\r\n--o--": (
        b'(("message" "rfc822" NIL NIL NIL "7bit" 15 (NIL "d" ' + NO_ENVELOPE + b") "
        b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL) '
        b'"digest" ("boundary" "o") NIL NIL NIL)'
    ),
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\n--bb\r\n--b  \r\n\r\nx': (  # not terminated
        b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 0 NIL NIL NIL NIL)'
        b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL) '
        b'"mixed" ("boundary" "b") NIL NIL NIL)'
    ),
}


@pytest.mark.parametrize("raw", STRUCTURES)
def test_bodystructure(raw: bytes) -> None:
    with serving(raw) as (_, client):
        assert value(client, "BODYSTRUCTURE") == STRUCTURES[raw]


def test_body_without_extension_data() -> None:
    with serving(MIXED) as (_, client):
        assert value(client, "BODY") == (
            b'(("text" "plain" ("charset" "utf-8" "format" "flowed") "<cid@x>" "some" "quoted-printable" 20 1)'
            b'("application" "octet-stream" ("name" "a b.bin") NIL NIL "base64" 4) "mixed")'
        )


def test_parts_that_are_nested_without_end() -> None:
    levels = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(200))
    with serving(levels) as (_, client):
        assert value(client, "BODY").count(b'"mixed"') == 50
        assert b'"application" "octet-stream"' in value(client, "BODY")
        assert value(client, "BODY.PEEK[" + ".".join(["1"] * 60) + "]") == b"NIL"


def test_sections() -> None:
    with serving(MIXED, NESTED, b"Subject: flat\r\nX-Fold: a\r\n\tb\r\nx-fold: c\r\n\r\ntext\r\n") as (_, client):
        assert body(client, "") == MIXED
        assert body(client, "1") == b"h=C3=A9 line\r\nsecond"
        assert body(client, "2") == b"AAEC"
        assert body(client, "2.MIME") == MIXED[MIXED.index(b"Content-Type: application") : MIXED.index(b"AAEC")]
        assert body(client, "HEADER") == MIXED[: MIXED.index(b"preamble")]
        assert body(client, "TEXT") == MIXED[MIXED.index(b"preamble") :]
        for missing in ("3", "1.1", "1.HEADER", "1.TEXT", "9.MIME"):
            assert body(client, missing) is None, missing
        assert body(client, "1.1", 2) == b"plain"
        assert body(client, "1.2", 2) == b"<p>"
        inner = NESTED[NESTED.index(b"From: in@x") : NESTED.rindex(b"\r\n--o\r\n")]
        assert body(client, "2", 2) == inner
        assert body(client, "2.HEADER", 2) == inner[: inner.index(b"--k")]
        assert body(client, "2.TEXT", 2) == inner[inner.index(b"--k") :]
        assert body(client, "2.2", 2) == b"AA=="
        assert body(client, "2.2.MIME", 2) == b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        assert body(client, "2.HEADER.FIELDS (SUBJECT)", 2) == b"Subject: inner\r\n\r\n"
        assert body(client, "3.1", 2) == b"text of simple"
        assert body(client, "1", 3) == b"text\r\n"
        assert body(client, "HEADER.FIELDS (X-FOLD nope)", 3) == b"X-Fold: a\r\n\tb\r\nx-fold: c\r\n\r\n"
        assert body(client, "HEADER.FIELDS.NOT (X-FOLD)", 3) == b"Subject: flat\r\n\r\n"
        assert client.untagged('FETCH 3 BODY.PEEK[HEADER.FIELDS ("Subject")]<3.6>') == [
            b"* 3 FETCH (BODY[HEADER.FIELDS (Subject)]<3> {6}\r\nject: )"
        ]
        assert client.untagged("FETCH 3 BODY.PEEK[TEXT]<100.5>") == [b"* 3 FETCH (BODY[TEXT]<100> {0}\r\n)"]


def test_old_names_macros_and_seen() -> None:
    raw = b"Subject: s\r\n\r\nb\r\n"
    with IMAPServer() as server:
        date = dt.datetime(2019, 3, 5, 10, tzinfo=dt.timezone(dt.timedelta(hours=2)))
        server.add("me", "INBOX", raw, date=date)
        with peer(server) as client:
            client.ok("EXAMINE INBOX")
            assert client.untagged("FETCH 1 RFC822") == [b"* 1 FETCH (RFC822 {17}\r\n" + raw + b")"]
            assert server.messages("me")[0].flags == frozenset()
            client.ok("SELECT INBOX")
            fast = b'FLAGS () INTERNALDATE " 5-Mar-2019 10:00:00 +0200" RFC822.SIZE 17'
            client.ok("NOOP")
            assert client.untagged("FETCH 1 fast") == [b"* 1 FETCH (" + fast.replace(b"()", b"(\\Recent)") + b")"]
            assert client.untagged("FETCH 1 ALL")[0].endswith(b'17 ENVELOPE (NIL "s" ' + NO_ENVELOPE + b"))")
            assert b" BODY (" in client.untagged("FETCH 1 FULL")[0]
            assert client.untagged("FETCH 1 RFC822.HEADER") == [b"* 1 FETCH (RFC822.HEADER {14}\r\nSubject: s\r\n\r\n)"]
            assert server.messages("me")[0].flags == frozenset()
            assert client.untagged("UID FETCH 1 RFC822.TEXT") == [
                b"* 1 FETCH (UID 1 RFC822.TEXT {3}\r\nb\r\n FLAGS (\\Seen \\Recent))"
            ]
            assert client.untagged("FETCH 1 (BODY[1] FLAGS)") == [
                b"* 1 FETCH (BODY[1] {3}\r\nb\r\n FLAGS (\\Seen \\Recent))"
            ]


def test_binary() -> None:
    odd = b"Content-Transfer-Encoding: x-odd\r\n\r\nx"
    with serving(MIXED, odd) as (_, client):
        assert client.untagged("FETCH 1 (BINARY.PEEK[1] BINARY.SIZE[2] BINARY.PEEK[2]<1.5> BINARY.PEEK[3])") == [
            (
                b"* 1 FETCH (BINARY[1] {16}\r\nh\xc3\xa9 line\r\nsecond "
                b"BINARY.SIZE[2] 3 BINARY[2]<1> {2}\r\n\1\2 BINARY[3] NIL)"
            )
        ]
        assert client.untagged("FETCH 1 BINARY[2]") == [b"* 1 FETCH (BINARY[2] ~{3}\r\n\0\1\2 FLAGS (\\Seen \\Recent))"]
        assert client.status("FETCH 2 BINARY[1]") == b"NO [UNKNOWN-CTE]"


def test_sets_and_mistakes() -> None:
    with serving(b"1\r\n", b"2\r\n", b"3\r\n", b"4\r\n") as (server, client):
        server.expunge("me", "INBOX", 2)
        client.ok("NOOP")

        def uids(command: str) -> list[int]:
            return [int(line.split()[4].rstrip(b")")) for line in client.untagged(command)]

        assert uids("FETCH 1:* UID") == [1, 3, 4]
        assert uids("FETCH 3,1,1:2,* UID") == [1, 3, 4]
        assert uids("FETCH *:2 (UID)") == [3, 4]
        assert uids("UID FETCH 2:3,99 UID") == [3]
        assert uids("UID FETCH 99:* UID") == [4]
        assert uids("UID FETCH 50 UID") == []
        mistakes = (
            "0 UID|4 UID|1:2: UID|1,,2 UID|a UID|1|1 |1 (UID|1 ()|1 (ALL)|1 UID x|$ NOPE|1 BODY[|1 BODY[MIME]|1 BODY[X]"
        )
        for mistake in (*mistakes.split("|"), "1 BODY[HEADER.FIELDS ()]", "1 BODY[]<1>", "1 BODY[]<0.0>"):
            assert client.status(f"FETCH {mistake}") == b"BAD", mistake
