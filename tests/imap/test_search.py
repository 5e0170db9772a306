"""Criteria of a search: what is written means what was composed."""

from __future__ import annotations

import copy
import datetime as dt
import functools
import operator
import pickle
import time
from typing import Any

import pytest

from netclients.errors import ConfigurationError
from netclients.imap.arguments import Literal
from netclients.imap.search import Program, Q, criteria
from netclients.mail.reading import UID

DAY = dt.date(2026, 2, 1)


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ({}, b"ALL"),
        ({"seen": True}, b"SEEN"),
        ({"seen": False}, b"UNSEEN"),
        ({"unseen": True}, b"UNSEEN"),
        ({"unanswered": False}, b"ANSWERED"),
        ({"new": False}, b"NOT NEW"),
        ({"old": False, "recent": False}, b"RECENT OLD"),
        ({"deleted": True, "draft": False, "flagged": True}, b"DELETED UNDRAFT FLAGGED"),
        ({"keyword": "$Junk", "unkeyword": ["a", "b"]}, b"KEYWORD $Junk UNKEYWORD a UNKEYWORD b"),
        ({"from_": "boss@", "to": 'a "b"'}, b'FROM boss@ TO "a \\"b\\""'),
        ({"cc": "", "bcc": "x", "body": "y", "text": "z z"}, b'CC "" BCC x BODY y TEXT "z z"'),
        ({"subject": ["one", "two"]}, b"SUBJECT one SUBJECT two"),
        ({"header": ("X-Name", "value")}, b"HEADER X-Name value"),
        ({"header": [("A", "1"), ("B", "")]}, b'HEADER A 1 HEADER B ""'),
        ({"header": {"A": "1", "B": ["2", "3"]}}, b"HEADER A 1 HEADER B 2 HEADER B 3"),
        ({"since": DAY, "before": DAY, "on": DAY}, b"SINCE 1-Feb-2026 BEFORE 1-Feb-2026 ON 1-Feb-2026"),
        ({"sent_since": DAY, "sent_on": [DAY]}, b"SENTSINCE 1-Feb-2026 SENTON 1-Feb-2026"),
        ({"sent_before": DAY}, b"SENTBEFORE 1-Feb-2026"),
        ({"larger": 0, "smaller": 2**40}, b"LARGER 0 SMALLER 1099511627776"),
        ({"uid": [UID("3"), UID("1"), UID("2")]}, b"UID 1:3"),
        ({"number": slice(5, None), "seen": True}, b"5:4294967295 SEEN"),
    ],
)
def test_keywords(keywords: dict[str, Any], expected: bytes) -> None:
    assert criteria(**keywords) == Program((expected,))
    if keywords:
        assert criteria(keywords) == criteria(Q(**keywords)) == criteria([keywords]) == Program((expected,))


@pytest.mark.parametrize(
    ("keywords", "expected", "extension"),
    [
        ({"older": 3600}, b"OLDER 3600", "WITHIN"),
        ({"younger": dt.timedelta(days=1, microseconds=1)}, b"YOUNGER 86401", "WITHIN"),
        ({"modseq": 0}, b"MODSEQ 0", "CONDSTORE"),
        ({"email_id": "M1"}, b"EMAILID M1", "OBJECTID"),
        ({"thread_id": "T_1"}, b"THREADID T_1", "OBJECTID"),
        ({"saved_before": DAY}, b"SAVEDBEFORE 1-Feb-2026", "SAVEDATE"),
        ({"saved_on": DAY}, b"SAVEDON 1-Feb-2026", "SAVEDATE"),
        ({"saved_since": DAY}, b"SAVEDSINCE 1-Feb-2026", "SAVEDATE"),
        ({"save_date_supported": False}, b"NOT SAVEDATESUPPORTED", "SAVEDATE"),
        ({"gmail_raw": "has:attachment in:unread"}, b'X-GM-RAW "has:attachment in:unread"', "X-GM-EXT-1"),
        ({"gmail_labels": ["\\Inbox", "Größe"]}, b'X-GM-LABELS "\\\\Inbox" X-GM-LABELS Gr&APYA3w-e', "X-GM-EXT-1"),
        ({"gmail_message_id": 2**64 - 1}, b"X-GM-MSGID 18446744073709551615", "X-GM-EXT-1"),
        ({"gmail_thread_id": 1}, b"X-GM-THRID 1", "X-GM-EXT-1"),
        ({"uid": "$"}, b"UID $", "SEARCHRES"),
        ({"number": "$"}, b"$", "SEARCHRES"),
        ({"fuzzy": {"subject": "helo"}}, b"FUZZY SUBJECT helo", "SEARCH=FUZZY"),
        ({"fuzzy": Q(subject="a", body="b")}, b"FUZZY (SUBJECT a BODY b)", "SEARCH=FUZZY"),
        ({"fuzzy": Q(subject="a") | Q(body="b")}, b"FUZZY OR SUBJECT a BODY b", "SEARCH=FUZZY"),
    ],
)
def test_extensions_are_named(keywords: dict[str, Any], expected: bytes, extension: str) -> None:
    assert criteria(**keywords) == Program((expected,), None, frozenset({extension}))
    inside = criteria(Q(seen=True) | ~Q(keywords))
    assert inside.requires == {extension}


A, B, C, D = Q(seen=True), Q(flagged=True), Q(draft=True), Q(answered=True)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (A & B, "SEEN FLAGGED"),
        (A | B, "OR SEEN FLAGGED"),
        (A | B & C, "OR SEEN (FLAGGED DRAFT)"),
        ((A | B) & C, "OR SEEN FLAGGED DRAFT"),
        (A & B | C & D, "OR (SEEN FLAGGED) (DRAFT ANSWERED)"),
        (A | B | C, "OR SEEN OR FLAGGED DRAFT"),
        (A | B | C | D, "OR OR SEEN FLAGGED OR DRAFT ANSWERED"),
        (~A, "NOT SEEN"),
        (~~A, "SEEN"),
        (~(A & B), "NOT (SEEN FLAGGED)"),
        (~(A | B), "NOT OR SEEN FLAGGED"),
        (~(A & B) & C, "NOT (SEEN FLAGGED) DRAFT"),
        (A & (B & (C & D)), "SEEN FLAGGED DRAFT ANSWERED"),
        (A | ~(B | C) & D, "OR SEEN (NOT OR FLAGGED DRAFT ANSWERED)"),
        (Q(A, B) | C, "OR (SEEN FLAGGED) DRAFT"),
        (Q([A, "X Y", {"draft": True}]), "SEEN (X Y) DRAFT"),
        (Q(A, flagged=True), "SEEN FLAGGED"),
        (Q(), "ALL"),
        (Q() & A, "SEEN"),
        (Q() | A, "OR ALL SEEN"),
        (~Q(), "NOT ALL"),
        (~Q(new=False), "NOT NOT NEW"),
        (Q("UNSEEN OR A B") | A, "OR (UNSEEN OR A B) SEEN"),
        (Q(unseen=True, from_="boss@", since=DAY), "UNSEEN FROM boss@ SINCE 1-Feb-2026"),
        (Q(from_="boss@") | Q(subject="x") & ~Q(flagged=True), "OR FROM boss@ (SUBJECT x NOT FLAGGED)"),
    ],
)
def test_precedence_and_parentheses(query: Q, expected: str) -> None:
    assert criteria(query) == Program((expected.encode(),))
    assert repr(query) == f"<Q {expected}>"


def test_none_is_all() -> None:
    assert criteria() == criteria(None) == criteria(Q()) == Program((b"ALL",))


def test_several_all_hold() -> None:
    assert criteria(A | B, "X", flagged=True).pieces == (b"OR SEEN FLAGGED (X) FLAGGED",)


def test_text_beyond_ascii() -> None:
    query = Q(subject="é", from_="x") | Q(body="ß")
    expected = (b"OR (SUBJECT ", Literal("é".encode()), b" FROM x) BODY ", Literal("ß".encode()))
    assert criteria(query) == Program(expected, "UTF-8")
    assert criteria(query, utf8=True) == Program(('OR (SUBJECT "é" FROM x) BODY "ß"'.encode(),))
    assert criteria(gmail_labels="é", utf8=True).pieces == ('X-GM-LABELS "é"'.encode(),)
    assert criteria(subject="a\r\nb") == Program((b"SUBJECT ", Literal(b"a\r\nb")))
    assert criteria(subject="a" * 1001) == Program((b"SUBJECT ", Literal(b"a" * 1001)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("UNSEEN", b"(UNSEEN)"),
        ('FROM "a (b" NOT (X Y)', b'(FROM "a (b" NOT (X Y))'),
        ("1:*,5 UID 7", b"(1:*,5 UID 7)"),
        ('SUBJECT "\\"\\\\"', b'(SUBJECT "\\"\\\\")'),
        ("FROM {5}", b"(FROM {5})"),
    ],
)
def test_raw_text(text: str, expected: bytes) -> None:
    assert criteria(text) == Program((expected,))


def test_raw_text_beyond_ascii() -> None:
    text = 'OR SUBJECT "é \\"x\\"" TEXT ß'
    expected = (b"(OR SUBJECT ", Literal('é "x"'.encode()), b" TEXT ", Literal("ß".encode()), b")")
    assert criteria(text) == Program(expected, "UTF-8")
    assert criteria(text, utf8=True).pieces == ('(OR SUBJECT "é \\"x\\"" TEXT "ß")'.encode(),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "A\r\nx LOGOUT",
        "A\n",
        "A\0",
        "A) (B",
        "(A",
        "A)",
        '"',
        'A "b',
        '"a\\',
        '"\\x"',
        'A")"(',
        "\ud800",
        '"\udce4"',
    ],
)
def test_raw_text_stays_one_criterion(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Q(text)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("keywords", "named"),
    [
        ({"from": "x"}, "'from'; did you mean from_?"),
        ({"unsen": True}, "'unsen'; did you mean unseen?"),
        ({"qqq": True}, "'qqq': it has answered, "),
        ({"seen": 1}, "seen: 1 must be True or False"),
        ({"seen": None}, "seen"),
        ({"seen": [True]}, "seen"),
        ({"subject": None}, "subject"),
        ({"subject": b"x"}, "subject"),
        ({"subject": []}, "subject: no values were given"),
        ({"subject": {"a"}}, "subject"),
        ({"subject": "a\0"}, "subject"),
        ({"subject": "\udce4"}, "subject"),
        ({"keyword": "\\Seen"}, "keyword"),
        ({"keyword": "a b"}, "keyword"),
        ({"since": "2026-01-01"}, "since"),
        ({"since": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}, "since: .* pass value.date"),
        ({"larger": -1}, "larger"),
        ({"larger": True}, "larger"),
        ({"older": 0}, "older"),
        ({"older": 1.5}, "older"),
        ({"younger": dt.timedelta(0)}, "younger"),
        ({"younger": dt.timedelta(days=100_000)}, "younger"),
        ({"uid": []}, "uid"),
        ({"uid": "0"}, "uid"),
        ({"number": [UID("1")]}, "number"),
        ({"header": "X"}, "header"),
        ({"header": ("X", None)}, "header"),
        ({"header": ("X y", "z")}, "header"),
        ({"header": [("X", "y", "z")]}, "header"),
        ({"header": []}, "header"),
        ({"header": {}}, "header"),
        ({"header": {"X": []}}, "header"),
        ({"header": {"X": None}}, "header"),
        ({"email_id": "a b"}, "email_id"),
        ({"gmail_message_id": 2**64}, "gmail_message_id"),
        ({"gmail_labels": None}, "gmail_labels"),
        ({"modseq": 2**63}, "modseq"),
        ({"fuzzy": True}, "True is not a criterion"),
        ({"fuzzy": {}}, "no criteria"),
        ({5: "x"}, "5"),
    ],
)
def test_the_keyword_that_is_wrong_is_named(keywords: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        Q(keywords)


@pytest.mark.parametrize("value", [None, [], {}, 5, b"UNSEEN", True, [[]], [None], object()])
def test_what_is_no_criterion(value: Any) -> None:
    with pytest.raises(ConfigurationError):
        Q(value)


def test_and_or_not_are_refused() -> None:
    for combined in (lambda: A and B, lambda: A or B, lambda: not A):
        with pytest.raises(ConfigurationError, match="combine with &"):
            combined()
    for other in ("x", None, True):
        with pytest.raises(TypeError):
            A & other  # type: ignore[operator]


def test_queries_are_values() -> None:
    query = Q(subject="é", uid=[1, 2]) | ~Q(fuzzy=A)
    for same in (pickle.loads(pickle.dumps(query)), copy.deepcopy(query), Q(subject="é", uid="1:2") | ~Q(fuzzy=A)):
        assert same == query
        assert hash(same) == hash(query)
    assert query != A
    with pytest.raises(AttributeError):
        query._node = A._node  # type: ignore[misc]


def test_thousands_of_alternatives_are_a_low_tree() -> None:
    started = time.process_time()
    query = functools.reduce(operator.or_, [Q(uid=number) for number in range(1, 10_001)])
    (written,) = criteria(query).pieces
    assert isinstance(written, bytes)
    depth = deepest = 0
    pending: list[int] = []  # how many keys each OR that is open still takes
    for word in written.replace(b"UID ", b"UID").split(b" "):
        if word == b"OR":
            pending.append(2)
            deepest = max(deepest, len(pending))
            continue
        while pending:
            pending[-1] -= 1
            if pending[-1]:
                break
            pending.pop()
        depth += 1
    assert (depth, deepest, pending) == (10_000, 14, [])
    assert pickle.loads(pickle.dumps(query)) == query
    assert time.process_time() - started < 10  # about half a second


def test_what_nests_too_deep_is_refused() -> None:
    query = A
    for _ in range(50):
        query = (query | B) & C
    with pytest.raises(ConfigurationError, match="more than 100 levels"):
        query | B
    assert len(repr(query)) > 500
    assert query == copy.deepcopy(query)
    nested: Any = "X"
    for _ in range(5000):
        nested = [nested]
    with pytest.raises(ConfigurationError, match="more than 100 levels"):
        Q(nested)
