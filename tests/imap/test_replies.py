"""What a server says that is not about one message: rows from the RFCs, from servers, and from broken ones."""

from __future__ import annotations

import pickle

import pytest

from netclients.errors import ProtocolError
from netclients.imap.replies import Frame, parse
from netclients.imap.types import (
    AppendUID,
    Capabilities,
    Code,
    Condition,
    Continuation,
    CopyUID,
    Enabled,
    ESearch,
    Expunge,
    Flags,
    Identity,
    ListedMailbox,
    MailboxStatus,
    Metadata,
    Namespace,
    Namespaces,
    Number,
    Quota,
    QuotaRoot,
    Response,
    Search,
    SequenceNumber,
    Status,
    Thread,
    Threads,
    Unknown,
    Vanished,
)
from netclients.mail.reading import UID
from tests.imap.wire import read, response

OK, NO, BAD, BYE, PREAUTH = Condition.OK, Condition.NO, Condition.BAD, Condition.BYE, Condition.PREAUTH


def uids(*numbers: int) -> tuple[UID, ...]:
    return tuple(UID(str(number)) for number in numbers)


STATUSES: dict[bytes, Status] = {
    b"* OK IMAP4rev1 server ready": Status(None, OK, None, "IMAP4rev1 server ready"),
    b"a1 OK LOGIN completed": Status("a1", OK, None, "LOGIN completed"),
    b"A1 no [TRYCREATE] No such mailbox": Status("A1", NO, Code("TRYCREATE"), "No such mailbox"),
    b"* BYE": Status(None, BYE, None, ""),
    b"* BYE ": Status(None, BYE, None, ""),
    b"* PREAUTH hello": Status(None, PREAUTH, None, "hello"),
    b"a.b-1 BAD {12}": Status("a.b-1", BAD, None, "{12}"),
    b"a1 OK": Status("a1", OK, None, ""),
    b"*  OK  two spaces": Status(None, OK, None, "two spaces"),
    b"* NO \xe6\x97\xa5 \xff": Status(None, NO, None, "日 \udcff"),
    b'* OK a1 OK * ( " \\': Status(None, OK, None, 'a1 OK * ( " \\'),
    # codes
    b"* OK [UIDVALIDITY 3857529045] UIDs valid": Status(None, OK, Code("UIDVALIDITY", 3857529045), "UIDs valid"),
    b"* OK [UIDNEXT 4392]": Status(None, OK, Code("UIDNEXT", 4392), ""),
    b"* OK [UNSEEN 12] x": Status(None, OK, Code("UNSEEN", 12), "x"),
    b"* OK [HIGHESTMODSEQ 715194045007] x": Status(None, OK, Code("HIGHESTMODSEQ", 715194045007), "x"),
    b"* OK [NOMODSEQ] x": Status(None, OK, Code("NOMODSEQ"), "x"),
    b"* OK [CLOSED] x": Status(None, OK, Code("CLOSED"), "x"),
    b"a OK [READ-WRITE] x": Status("a", OK, Code("READ-WRITE"), "x"),
    b"* OK [PERMANENTFLAGS (\\Deleted a] \\*)] x": Status(
        None, OK, Code("PERMANENTFLAGS", ("\\Deleted", "a]", "\\*")), "x"
    ),
    b"* OK [PERMANENTFLAGS ()] x": Status(None, OK, Code("PERMANENTFLAGS", ()), "x"),
    b"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN idle] x": Status(
        None, OK, Code("CAPABILITY", ("IMAP4REV1", "AUTH=PLAIN", "IDLE")), "x"
    ),
    b'a NO [BADCHARSET (UTF-8 "x]y")] x': Status("a", NO, Code("BADCHARSET", ("UTF-8", "x]y")), "x"),
    b"a NO [BADCHARSET] x": Status("a", NO, Code("BADCHARSET"), "x"),
    b"a OK [APPENDUID 38505 3955] x": Status("a", OK, Code("APPENDUID", AppendUID(38505, uids(3955))), "x"),
    b"a OK [APPENDUID 38505 3955:3957] x": Status(
        "a", OK, Code("APPENDUID", AppendUID(38505, uids(3955, 3956, 3957))), "x"
    ),
    b"a OK [COPYUID 38505 304,319:320 3956:3958] Done": Status(
        "a", OK, Code("COPYUID", CopyUID(38505, uids(304, 319, 320), uids(3956, 3957, 3958))), "Done"
    ),
    b"a OK [COPYUID 1 3:2 5:6] x": Status("a", OK, Code("COPYUID", CopyUID(1, uids(2, 3), uids(5, 6))), "x"),
    b"a OK [MODIFIED 7,9] x": Status("a", OK, Code("MODIFIED", uids(7, 9)), "x"),
    b"a OK [MAILBOXID (F2212ea8)] x": Status("a", OK, Code("MAILBOXID", "F2212ea8"), "x"),
    b"* NO [BADEVENT (FlagChange)] x": Status(None, NO, Code("BADEVENT", ("FlagChange",)), "x"),
    b"* OK [NOTIFICATIONOVERFLOW] x": Status(None, OK, Code("NOTIFICATIONOVERFLOW"), "x"),
    b"a NO [METADATA (TOOMANY)] x": Status("a", NO, Code("METADATA", "(TOOMANY)"), "x"),
    b"a NO [REFERRAL imap://x@y/;AUTH=*] go": Status("a", NO, Code("REFERRAL", "imap://x@y/;AUTH=*"), "go"),
    b"a NO [overquota] full": Status("a", NO, Code("OVERQUOTA"), "full"),
    b"* BYE [UNAVAILABLE]later": Status(None, BYE, Code("UNAVAILABLE"), "later"),
    # quirk_broken_argument: the text stays
    b"* OK [UIDVALIDITY x] y": Status(None, OK, Code("UIDVALIDITY", "x"), "y"),
    b"* OK [UIDVALIDITY] y": Status(None, OK, Code("UIDVALIDITY"), "y"),
    b"* OK [UIDNEXT 1 2] y": Status(None, OK, Code("UIDNEXT", "1 2"), "y"),
    b"a OK [COPYUID 1 1:3 5:6] x": Status("a", OK, Code("COPYUID", "1 1:3 5:6"), "x"),
    b"a OK [COPYUID 1  ] x": Status("a", OK, Code("COPYUID", "1"), "x"),
    b"a OK [COPYUID 1 1:* 5] x": Status("a", OK, Code("COPYUID", "1 1:* 5"), "x"),
    b"a OK [APPENDUID 1 1:4294967295] x": Status("a", OK, Code("APPENDUID", "1 1:4294967295"), "x"),
    b"* OK [PERMANENTFLAGS (a] x": Status(None, OK, Code("PERMANENTFLAGS", "(a"), "x"),
    # quirk_open_code: it is text
    b"* OK [ALERT the end": Status(None, OK, None, "[ALERT the end"),
    b"* OK [] x": Status(None, OK, None, "[] x"),
    b"* OK [": Status(None, OK, None, "["),
}


@pytest.mark.parametrize("line", STATUSES)
def test_statuses(line: bytes) -> None:
    assert response(line) == STATUSES[line]


DATA: dict[bytes, Response] = {
    b"+ ": Continuation(b""),
    b"+": Continuation(b""),
    b"+ idling": Continuation(b"idling"),
    b"+ dGVzdA==": Continuation(b"dGVzdA=="),
    b"+OK": Continuation(b"OK"),
    b"* 23 EXISTS": Number("EXISTS", 23),
    b"* 0 recent": Number("RECENT", 0),
    b"* 44 EXPUNGE": Expunge(SequenceNumber(44)),
    b"* 44 EXPUNGE ": Expunge(SequenceNumber(44)),
    b"* VANISHED 405,300:310": Vanished(False, ((405, 405), (300, 310))),
    b"* VANISHED (EARLIER) 1:4294967295,9:7": Vanished(True, ((1, 4294967295), (7, 9))),
    b"* CAPABILITY IMAP4rev1 STARTTLS auth=GSSAPI ": Capabilities(frozenset(("IMAP4REV1", "STARTTLS", "AUTH=GSSAPI"))),
    b"* CAPABILITY": Capabilities(frozenset()),
    b"* ENABLED CONDSTORE": Enabled(frozenset(("CONDSTORE",))),
    b"* ENABLED": Enabled(frozenset()),
    b"* FLAGS (\\Answered $Junk x]y)": Flags(("\\Answered", "$Junk", "x]y")),
    b"* FLAGS ()": Flags(()),
    # mailboxes
    b'* LIST (\\Noselect) "/" ~/Mail/foo': ListedMailbox("~/Mail/foo", "/", ("\\Noselect",), b"~/Mail/foo"),
    b'* LSUB () "." #news.comp.mail.misc': ListedMailbox(
        "#news.comp.mail.misc", ".", (), b"#news.comp.mail.misc", {}, "LSUB"
    ),
    b"* LIST () NIL INBOX": ListedMailbox("INBOX", None, (), b"INBOX"),
    b'* list (\\HasNoChildren) "\\\\" "a b"': ListedMailbox("a b", "\\", ("\\HasNoChildren",), b"a b"),
    b'* LIST () "/" "&ZeVnLA-"': ListedMailbox("日本", "/", (), b"&ZeVnLA-"),
    b'* LIST () "/" &-': ListedMailbox("&", "/", (), b"&-"),
    b'* LIST () "/" {3}\r\n"x"': ListedMailbox('"x"', "/", (), b'"x"'),
    b'* LIST () "/" "\\"x\\""': ListedMailbox('"x"', "/", (), b'"x"'),
    b'* LIST () "/" 100%': ListedMailbox("100%", "/", (), b"100%"),
    b'* LIST () "/" star*': ListedMailbox("star*", "/", (), b"star*"),
    b'* LIST () "/" {4}\r\na\r\nb': ListedMailbox("a\udc0d\udc0ab", "/", (), b"a\r\nb"),
    b'* LIST (\\All \\HasNoChildren) "/" "[Gmail]/Alle Nachrichten"': ListedMailbox(
        "[Gmail]/Alle Nachrichten", "/", ("\\All", "\\HasNoChildren"), b"[Gmail]/Alle Nachrichten"
    ),
    b'* LIST () "/" [Gmail]': ListedMailbox("[Gmail]", "/", (), b"[Gmail]"),
    b'* LIST () "/" 5': ListedMailbox("5", "/", (), b"5"),
    b'* LIST () "/" NIL': ListedMailbox("NIL", "/", (), b"NIL"),
    b'* LIST () "" ""': ListedMailbox("", None, (), b""),
    b'* LIST (\\Subscribed \\NonExistent) "/" "Foo2" ("CHILDINFO" ("SUBSCRIBED") "OLDNAME" ("x"))': ListedMailbox(
        "Foo2",
        "/",
        ("\\Subscribed", "\\NonExistent"),
        b"Foo2",
        {"CHILDINFO": (b"SUBSCRIBED",), "OLDNAME": (b"x",)},
    ),
    b"* STATUS blurdybloop (MESSAGES 231 UIDNEXT 44292)": MailboxStatus("blurdybloop", messages=231, uid_next=44292),
    b'* STATUS "a b" (messages 1 RECENT 2 UNSEEN 3 UIDNEXT 4 UIDVALIDITY 5 HIGHESTMODSEQ 6 DELETED 7 SIZE 8 '
    b"MAILBOXID (F1) DELETED-STORAGE 9 APPENDLIMIT NIL)": MailboxStatus(
        "a b", 1, 2, 3, 4, 5, 6, 7, 8, "F1", {"DELETED-STORAGE": "9", "APPENDLIMIT": None}
    ),
    b"* STATUS x (UNSEEN 3 ) ": MailboxStatus("x", unseen=3),  # quirk_spaces: Courier, iCloud
    b"* STATUS x ()": MailboxStatus("x"),
    b'* NAMESPACE (("" "/")) (("~" "/")) (("#shared/" "/")("#public/" "/" "X-PARAM" ("a" "b")))': Namespaces(
        (Namespace("", "/"),), (Namespace("~", "/"),), (Namespace("#shared/", "/"), Namespace("#public/", "/"))
    ),
    b'* NAMESPACE (("INBOX." ".")) NIL nil': Namespaces((Namespace("INBOX.", "."),), (), ()),
    b'* NAMESPACE NIL NIL (("" NIL))': Namespaces((), (), (Namespace("", None),)),
    b'* ID ("Name" "Cyrus" "version" NIL)': Identity({"name": "Cyrus", "version": None}),
    b"* ID NIL": Identity({}),
    b'* QUOTA "" (STORAGE 10 512 MESSAGE 1 2)': Quota("", {"STORAGE": (10, 512), "MESSAGE": (1, 2)}),
    b"* QUOTA x ()": Quota("x", {}),
    b'* QUOTAROOT INBOX "" "a b"': QuotaRoot("INBOX", ("", "a b")),
    b"* QUOTAROOT &ZeVnLA-": QuotaRoot("日本", ()),
    b'* METADATA INBOX (/shared/comment "x" /private/c NIL)': Metadata(
        "INBOX", {"/shared/comment": b"x", "/private/c": None}
    ),
    b'* METADATA "" /shared/comment /private/c': Metadata("", {}, ("/shared/comment", "/private/c")),
    # answers to SEARCH and its kin
    b"* SEARCH": Search("SEARCH", ()),
    b"* SEARCH ": Search("SEARCH", ()),
    b"* SEARCH 2 84 882": Search("SEARCH", (2, 84, 882)),
    b"* SEARCH 2  84 ": Search("SEARCH", (2, 84)),
    b"* SEARCH 2 5 (MODSEQ 917162500)": Search("SEARCH", (2, 5), 917162500),
    b"* SORT 5 3 4 1 2": Search("SORT", (5, 3, 4, 1, 2)),
    b'* ESEARCH (TAG "A282") MIN 2 MAX 9 COUNT 3': ESearch("A282", False, 2, 9, 3),
    b'* ESEARCH (TAG "A283") uid ALL 2,10:11,7:5': ESearch("A283", True, ranges=((2, 2), (10, 11), (7, 5))),
    b"* ESEARCH": ESearch(None, False),
    b"* ESEARCH UID COUNT 5 MODSEQ 1236": ESearch(None, True, count=5, modseq=1236),
    b'* ESEARCH (TAG "C") UID PARTIAL (-1:-100 5,1:2)': ESearch("C", True, partial=("-1:-100", ((5, 5), (1, 2)))),
    b'* ESEARCH (TAG "C") UID PARTIAL (1:5 NIL)': ESearch("C", True, partial=("1:5", ())),
    b'* ESEARCH (TAG "m" MAILBOX "f" UIDVALIDITY 1) UID ALL 4 RELEVANCY (9 "x")': ESearch(
        "m", True, ranges=((4, 4),), values={"MAILBOX": b"f", "UIDVALIDITY": "1", "RELEVANCY": ("9", b"x")}
    ),
    b"* THREAD": Threads(()),
    b"* THREAD (2)(3 6 (4 23)(44 7 96))": Threads(
        (
            Thread(2),
            Thread(3, (Thread(6, (Thread(4, (Thread(23),)), Thread(44, (Thread(7, (Thread(96),)),)))),)),
        )
    ),
    b"* THREAD ((3)(5))": Threads((Thread(None, (Thread(3), Thread(5))),)),
    b"* THREAD (1 (2) (3)) (4)": Threads((Thread(1, (Thread(2), Thread(3))), Thread(4))),
    b"* THREAD ((((7))))": Threads((Thread(None, (Thread(None, (Thread(None, (Thread(7),)),)),)),)),
    # what nobody here knows
    b"* LANGUAGE (DE)": Unknown("LANGUAGE", b"* LANGUAGE (DE)"),
    b"* 5 FOO {2}\r\n)(": Unknown("FOO", b"* 5 FOO {2}\r\n)("),
    b"* xlist": Unknown("XLIST", b"* xlist"),
    b'* ACL INBOX "(" {1}\r\nx': Unknown("ACL", b'* ACL INBOX "(" {1}\r\nx'),
}


@pytest.mark.parametrize("line", DATA)
def test_data(line: bytes) -> None:
    found = response(line)
    assert found == DATA[line]
    assert pickle.loads(pickle.dumps(found)) == found


@pytest.mark.parametrize(
    "line",
    [
        b"* 0 EXPUNGE",
        b"* 0 FETCH (UID 5)",
        b"* VANISHED",
        b"* VANISHED 1:*",
        b"* VANISHED (LATER) 1:2",
        b"* VANISHED 1 2",
        b"* FLAGS \\Seen",
        b"* FLAGS (\\Seen",
        b"* FLAGS (((",
        b"* FLAGS ((x))",
        b"* LIST () NIL",
        b'* LIST () "/" (x)',
        b'* LIST x "/" INBOX',
        b'* LIST () "/" a b',
        b'* LIST () "/" a (X)',
        b'* LIST () "/" "a"b"',
        b'* LIST () "/" {5',
        b'* LIST () "/" "a',
        b'* LIST () "/" a\0b',
        b"* STATUS INBOX (MESSAGES)",
        b"* STATUS INBOX (MESSAGES x)",
        b"* STATUS INBOX (MESSAGES -1)",
        b"* STATUS my mailbox (MESSAGES 1)",
        b"* STATUS INBOX MESSAGES 1",
        b"* STATUS INBOX",
        b"* NAMESPACE NIL NIL",
        b"* NAMESPACE NIL NIL NIL NIL",
        b"* NAMESPACE (()) NIL (x)",
        b'* ID ("name")',
        b"* ID x",
        b"* QUOTA x (STORAGE 1)",
        b"* QUOTA x (STORAGE a b)",
        b"* QUOTAROOT",
        b"* METADATA x (a)",
        b"* SEARCH x",
        b"* SEARCH 1 2 (MODSEQ x)",
        b"* SEARCH 1 -2",
        b"* SEARCH 1_0",
        b"* SEARCH 1 18446744073709551616",
        b"* SEARCH " + b"9" * 5000,
        b"* ESEARCH COUNT",
        b"* ESEARCH COUNT x",
        b"* ESEARCH COUNT 1 COUNT 2",
        b"* ESEARCH ALL 1:*",
        b"* ESEARCH PARTIAL 1:2",
        b"* ESEARCH (TAG)",
        b"* THREAD 1",
        b"* THREAD (1",
        b"* THREAD )",
        b"* THREAD (1 (2) 3)",
        b"* THREAD (x)",
        b"* THREAD " + b"(" * 2000 + b"1" + b")" * 2000,
        b"* LIST " + b"(" * 10_000 + b")" * 10_000 + b" NIL x",
    ],
)
def test_what_can_not_be_read(line: bytes) -> None:
    found = read(Unknown, line)
    assert isinstance(found.error, ProtocolError)
    assert str(found.error).isprintable()
    assert found.raw == line
    assert pickle.loads(pickle.dumps(found)).raw == line


@pytest.mark.parametrize(
    "line",
    [b"", b" ", b"*", b"* ", b"* (", b"HTTP/1.1 400 Bad Request", b"220 ready", b"a1", b"a1 FETCH", b"a1 BYE", b"*OK"],
)
def test_what_is_no_response(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse(Frame((line,)))


def test_names_in_utf8() -> None:
    line = '* LIST () "/" "R&D 日本"'.encode()
    assert read(ListedMailbox, line, utf8=True).name == "R&D 日本"
    assert read(ListedMailbox, line).raw_name == "R&D 日本".encode()
    assert read(MailboxStatus, "* STATUS 日本 ()".encode(), utf8=True).name == "日本"


def test_nesting_is_bounded() -> None:
    deep = b"* LIST () NIL x (A " + b"(" * 62 + b")" * 62 + b")"
    assert isinstance(parse(Frame((deep,))), ListedMailbox)
    deeper = b"* LIST () NIL x (A " + b"(" * 64 + b")" * 64 + b")"
    found = parse(Frame((deeper,)))
    assert isinstance(found, Unknown)
    assert "more than 64 deep" in str(found.error)
    found = parse(Frame((deep,)), nesting=10)
    assert isinstance(found, Unknown)
    assert "more than 10 deep" in str(found.error)


def test_a_search_with_many_numbers() -> None:
    numbers = tuple(range(1, 20_000, 2))
    digits = [b"%d" % number for number in numbers]
    assert read(Search, b"* SEARCH " + b" ".join(digits)).numbers == numbers
    assert read(Search, b"* SEARCH 007  " + b" ".join(digits) + b" (MODSEQ 5)") == Search("SEARCH", (7, *numbers), 5)


def test_a_long_thread() -> None:
    found = read(Threads, b"* THREAD (" + b" ".join(b"%d" % number for number in range(1, 5001)) + b")")
    assert pickle.loads(pickle.dumps(found)) == found
    assert len(repr(found)) < 100
    (node,) = found.threads
    assert list(node.walk()) == [(number - 1, number) for number in range(1, 5001)]
    for number in range(1, 5000):
        assert node.number == number
        (node,) = node.children
    assert node == Thread(5000)
