"""SEARCH, SORT and THREAD of the embedded IMAP server; agreed with Dovecot 2.3 where that follows the standards."""

from __future__ import annotations

import datetime as dt

import pytest

from netclients.testing import IMAPServer
from tests.testing.imap_peer import Peer, peer, serving

LATIN = (
    b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nna=EFve\r\n"
)
MESSAGES = [
    b"From: A B <a@x.org>\r\nTo: b@x\r\nSubject: hello\r\nDate: Mon, 7 Feb 1994 21:52:25 -0800\r\n\r\nbody one\r\n",
    b"From: c@x\r\nCc: Group: a@x;\r\nSubject: =?utf-8?q?h=C3=A9llo?=\r\nDate: Tue, 8 Feb 1994 01:00:00 +0000\r\n\r\n",
    b"Bcc: d@x\r\nSubject: =?iso-8859-1?q?caf=E9?=\r\nX-Own: v\r\n" + LATIN,
    b"Subject: part\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nin a part\r\n--b--\r\n",
    b"Subject: broken date\r\nDate: nonsense\r\n\r\n" + b"long " * 100,
]


def numbers(client: Peer, criteria: str, name: str = "SEARCH") -> list[int]:
    (line,) = client.untagged(f"{name} {criteria}")
    assert line.startswith(b"* " + name.split()[-1].encode())
    return [int(number) for number in line.split()[2:]]


FOUND = {
    "ALL": [1, 2, 3, 4, 5],
    "SUBJECT HELLO": [1],
    "SUBJECT {6+}\r\nhéllo": [2],
    "CHARSET UTF-8 SUBJECT {5+}\r\ncafé": [3],
    "CHARSET utf-8 BODY {6+}\r\nnaïve": [3],
    'FROM "a b"': [1],
    "FROM x": [1, 2],
    "TO b@x": [1],
    "CC group": [2],
    "BCC d@x": [3],
    "HEADER X-Own v": [3],
    'HEADER X-Own ""': [3],
    "HEADER X-None v": [],
    "BODY one": [1],
    "BODY hello": [],
    "TEXT hello": [1],
    "TEXT part": [4],
    "BODY part": [4],
    "LARGER 200": [5],
    "SMALLER 100": [1, 4],
    "NOT LARGER 200": [1, 2, 3, 4],
    "OR SUBJECT hello SUBJECT part": [1, 4],
    "NOT (SUBJECT hello)": [2, 3, 4, 5],
    "1:2,4": [1, 2, 4],
    "(1 2)": [],
    "2:4 NOT 3": [2, 4],
    "*": [5],
    "UID 2:3,*": [2, 3, 5],
    "UID 99": [],
    "SENTON 7-Feb-1994": [1],
    "SENTSINCE 8-Feb-1994": [2],
    "SENTBEFORE 8-Feb-1994": [1],
    'ON "5-Mar-2019"': [1],
    "BEFORE 6-Mar-2019": [1],
    "SINCE 6-Mar-2019": [2, 3, 4, 5],
    "SEEN": [2],
    "UNSEEN": [1, 3, 4, 5],
    "FLAGGED UNDELETED": [1],
    "DELETED": [3],
    "ANSWERED": [],
    "UNANSWERED DRAFT": [],
    "KEYWORD $Junk": [4],
    "UNKEYWORD $junk": [1, 2, 3, 5],
    "RECENT": [1, 2, 3, 4, 5],
    "NEW": [1, 3, 4, 5],
    "OLD": [],
    "YOUNGER 1000": [2, 3, 4, 5],
    "OLDER 1000": [1],
    "EMAILID nope": [],
    "THREADID nope": [],
}


@pytest.fixture(scope="module")
def server() -> object:
    with IMAPServer() as server:
        flags = [["\\Flagged"], ["\\Seen"], ["\\Deleted"], ["$Junk"], []]
        for index, raw in enumerate(MESSAGES):
            date = None if index else dt.datetime(2019, 3, 5, 10, tzinfo=dt.UTC)
            server.add("me", "INBOX", raw, flags=flags[index], date=date)
        yield server


@pytest.fixture(scope="module")
def client(server: IMAPServer) -> object:
    with peer(server) as client:
        client.ok("SELECT INBOX")
        yield client


@pytest.mark.parametrize("criteria", FOUND)
def test_search(client: Peer, criteria: str) -> None:
    assert numbers(client, criteria) == FOUND[criteria]


def test_search_mistakes(client: Peer) -> None:
    for mistake in (
        *("", "BOGUS", "SUBJECT", "NOT", "OR ALL", "(ALL", "ON 31-Feb-2020", "ON x", "ALL ", "UID a", "LARGER x", "0"),
        *("SUBJECT {1+}\r\n\xff".encode("latin-1"), "RETURN (BOGUS) ALL", "MODSEQ"),
    ):
        command = mistake if isinstance(mistake, bytes) else mistake.encode()
        assert client.status(b"SEARCH " + command) == b"BAD", mistake
    assert client.status("SEARCH CHARSET EBCDIC ALL") == b"NO [BADCHARSET (US-ASCII UTF-8)]"
    assert client.status("SORT (DATE) EBCDIC ALL") == b"NO [BADCHARSET (US-ASCII UTF-8)]"


def test_search_by_identity(client: Peer) -> None:
    (line,) = client.untagged("FETCH 2 (EMAILID THREADID)")
    email_id, thread_id = line.decode().replace(")", "").replace("(", "").split()[4::2]
    assert email_id.startswith("M")
    assert thread_id.startswith("T")
    assert numbers(client, f"EMAILID {email_id}") == [2]
    assert numbers(client, f"THREADID {thread_id}") == [2]


def test_extended_search() -> None:
    with serving(*MESSAGES) as (server, client):
        server.expunge("me", "INBOX", 1)
        client.ok("NOOP")

        def esearch(command: str) -> list[bytes]:
            return [line.replace(b'"', b"").partition(b") ")[2] for line in client.untagged(command)]

        assert esearch("SEARCH RETURN (MIN MAX COUNT ALL) 1:3") == [b"MIN 1 MAX 3 ALL 1:3 COUNT 3"]
        assert esearch("UID SEARCH RETURN () NOT SUBJECT part") == [b"UID ALL 2:3,5"]
        assert esearch("SEARCH RETURN (MIN COUNT) SUBJECT nope") == [b"COUNT 0"]
        assert esearch("UID SEARCH RETURN (SAVE) SUBJECT café".replace("é", "")) == []
        assert [line.split()[4] for line in client.untagged("FETCH $ (UID)")] == [b"3)"]
        assert esearch("SEARCH RETURN (SAVE MIN MAX) ALL") == [b"MIN 1 MAX 4"]
        assert numbers(client, "$", "UID SEARCH") == [2, 5]
        server.expunge("me", "INBOX", 5)
        client.ok("NOOP")
        assert numbers(client, "UID $ UNSEEN", "UID SEARCH") == [2]
        server.set_without({"SEARCHRES"})
        assert client.status("FETCH $ (UID)") == b"BAD"


SORTED = {
    "(DATE)": [1, 2, 4, 3],
    "(REVERSE DATE)": [3, 4, 2, 1],
    "(SUBJECT DATE)": [4, 1, 2, 3],
    "(SUBJECT REVERSE DATE)": [4, 2, 1, 3],
    "(REVERSE SIZE)": [2, 3, 1, 4],
    "(FROM ARRIVAL)": [4, 2, 1, 3],
    "(TO CC)": [1, 2, 3, 4],
}


@pytest.mark.parametrize("keys", SORTED)
def test_sort(keys: str) -> None:
    messages = [
        b"From: b@x\r\nSubject: [list] hello (fwd)\r\nDate: Mon, 7 Feb 1994 01:00:00 +0000\r\n\r\n",
        b"From: A <a@y>\r\nSubject: Re: [x] Hello\r\nDate: Tue, 8 Feb 1994 02:00:00 +0100\r\n\r\nlonger\r\n",
        b"From: c@x\r\nSubject: Fwd: zebra\r\nDate: Thu, 10 Feb 1994 01:00:00 +0000\r\n\r\nlonger still\r\n",
        b"Subject: [fwd: apple]\r\nDate: Tue, 8 Feb 1994 02:00:00 +0000\r\n\r\n",
    ]
    with serving(*messages) as (_, client):
        assert numbers(client, f"{keys} UTF-8 ALL", "SORT") == SORTED[keys]
        assert numbers(client, f"{keys} UTF-8 UID 3", "UID SORT") == [3]
        for mistake in ("()", "(REVERSE)", "(BOGUS)"):
            assert client.status(f"SORT {mistake} UTF-8 ALL") == b"BAD"


def letter(number: int, subject: str, references: str = "", hour: int | None = None) -> bytes:
    date = f"Mon, 7 Feb 1994 {number if hour is None else hour:02d}:00:00 +0000"
    extra = f"References: {references}\r\n" if references else ""
    return f"Message-ID: <{number}@x>\r\nSubject: {subject}\r\nDate: {date}\r\n{extra}\r\n".encode()


def threads(client: Peer, command: str) -> str:
    (line,) = client.untagged(command)
    assert line.startswith(b"* THREAD")
    return line[9:].decode()


def test_thread_references() -> None:
    cases = {
        "(1 2)(3)": [letter(1, "a"), letter(2, "Re: a", "<1@x>"), letter(3, "b")],
        "(1 (2)(3 4))": [
            letter(1, "a"),
            letter(2, "b", "<1@x>"),
            letter(3, "c", "<1@x>"),
            letter(4, "d", "<1@x> <3@x>"),
        ],
        "((1)(2))": [letter(1, "a", "<0@x>"), letter(2, "b", "<0@x>")],
        "(1)(2)": [letter(1, "a", "<0@x>"), letter(2, "b", "<9@x>")],
        "(1 2)": [letter(1, "a"), letter(2, "Re: a")],
        "((2)(1))": [letter(1, "same", hour=5), letter(2, "same", hour=3)],
        "(2 1)": [letter(1, "x", "<2@x>"), letter(2, "y", "<1@x>", hour=0)],
        "": [],
    }
    for expected, messages in cases.items():
        with serving(*messages) as (_, client):
            assert threads(client, "THREAD REFERENCES UTF-8 ALL") == expected


def test_thread_ordered_subject() -> None:
    messages = [letter(1, "a", hour=4), letter(2, "b"), letter(3, "Re: a"), letter(4, "a"), letter(5, "Re: b")]
    with serving(*messages) as (server, client):
        assert threads(client, "THREAD ORDEREDSUBJECT UTF-8 ALL") == "(2 5)(3 (1)(4))"
        server.expunge("me", "INBOX", 1)
        client.ok("NOOP")
        assert threads(client, "UID THREAD ORDEREDSUBJECT UTF-8 UNDELETED") == "(2 5)(3 4)"
        assert client.status("THREAD REFS UTF-8 ALL") == b"BAD"
        server.set_without({"THREAD=ORDEREDSUBJECT"})
        assert client.status("THREAD ORDEREDSUBJECT UTF-8 ALL") == b"BAD"


def test_subjects_that_do_no_good() -> None:
    long = b"Subject: " + b"(fwd) " * 20_000 + b"x\r\n\r\n"
    broken = b"Subject: =?utf-8?b?abcde?=\r\n\r\n"
    with serving(long, broken) as (_, client):
        assert numbers(client, "(SUBJECT) UTF-8 ALL", "SORT") == [1, 2]
        assert numbers(client, "SUBJECT =?utf-8") == [2]


def test_each_message_is_in_one_thread_only() -> None:
    messages = [
        letter(1, "a", "<7@x> <8@x>"),
        letter(2, "b", "<1@x>"),
        letter(3, "c", "<9@x>"),
        letter(4, "d", "<3@x>"),
    ]
    with serving(*messages) as (_, client):
        assert threads(client, "THREAD REFERENCES UTF-8 ALL") == "(1 2)(3 4)"
