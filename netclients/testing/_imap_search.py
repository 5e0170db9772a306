"""SEARCH of the embedded IMAP server: reads criteria, and tests messages against them (RFC 3501 section 6.4.4)."""

from __future__ import annotations

import datetime as dt
import email.errors
import email.header
import email.utils
import re
from collections.abc import Callable

from ._imap_fetch import parsed, thread_id
from ._imap_mime import Part
from ._imap_session import Selected
from ._imap_store import Stored
from ._imap_syntax import Arguments, BadSyntaxError, NumberSet

Test = Callable[[int, Stored], bool]
"""Takes a message's sequence number and the message."""

_FLAGS = {
    "ANSWERED": "\\Answered",
    "DELETED": "\\Deleted",
    "DRAFT": "\\Draft",
    "FLAGGED": "\\Flagged",
    "SEEN": "\\Seen",
}
_FIELDS = frozenset(("BCC", "CC", "FROM", "SUBJECT", "TO"))
_DATES = frozenset(("BEFORE", "ON", "SINCE", "SENTBEFORE", "SENTON", "SENTSINCE"))
_DATE = re.compile(rb'"?(\d{1,2})-([A-Za-z]{3})-(\d{4})"?')
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class Criteria:
    """Reads search keys into one test."""

    def __init__(self, arguments: Arguments, selected: Selected, offers: Callable[[str], bool]) -> None:
        self._arguments = arguments
        self._selected = selected
        self._offers = offers
        self.charset = "utf-8"
        self.modseq = False
        """Whether MODSEQ is among the keys."""
        self.numbers = False
        """Whether sequence numbers are among the keys."""

    def read(self) -> Test:
        """Return a test that all keys to the end of the line make. Raises BadSyntaxError."""
        return self._all(self._keys())

    def _keys(self) -> list[Test]:
        tests = [self._key()]
        while self._arguments.skip(b" "):
            tests.append(self._key())
        return tests

    @staticmethod
    def _all(tests: list[Test]) -> Test:
        if len(tests) == 1:
            return tests[0]
        return lambda number, message: all(test(number, message) for test in tests)

    def _key(self) -> Test:
        arguments = self._arguments
        if arguments.skip(b"("):
            tests = self._keys()
            arguments.expect(b")")
            return self._all(tests)
        if arguments.starts_set():
            self.numbers = True
            return self._within(arguments.number_set(), uid=False)
        return self._named(arguments.atom())

    def _named(self, name: str) -> Test:
        if (flag := _FLAGS.get(name.removeprefix("UN"))) is not None:
            return _has(flag) if name in _FLAGS else _negated(_has(flag))
        if name in _FIELDS:
            return self._field(name, self._text())
        if name in _DATES:
            return self._date(name)
        method = getattr(self, f"_key_{name.lower()}", None)
        if method is None:
            raise BadSyntaxError(f"Unknown search key {name}.")
        test: Test = method()
        return test

    # Without arguments

    def _key_all(self) -> Test:
        return lambda number, message: True

    def _key_recent(self) -> Test:
        return lambda number, message: message in self._selected.recent

    def _key_old(self) -> Test:
        return _negated(self._key_recent())

    def _key_new(self) -> Test:
        return lambda number, message: message in self._selected.recent and "\\Seen" not in message.flags

    # With

    def _key_not(self) -> Test:
        self._arguments.space()
        return _negated(self._key())

    def _key_or(self) -> Test:
        self._arguments.space()
        one = self._key()
        self._arguments.space()
        other = self._key()
        return lambda number, message: one(number, message) or other(number, message)

    def _key_uid(self) -> Test:
        self._arguments.space()
        return self._within(self._arguments.number_set(), uid=True)

    def _within(self, numbers: NumberSet, *, uid: bool) -> Test:
        found = {message.uid for _, message in self._selected.numbered(numbers, uid=uid)}
        return lambda number, message: message.uid in found

    def _key_keyword(self) -> Test:
        self._arguments.space()
        flag = self._arguments.text().lower()
        return lambda number, message: any(flag == own.lower() for own in message.flags)

    def _key_unkeyword(self) -> Test:
        return _negated(self._key_keyword())

    def _size(self) -> int:
        self._arguments.space()
        return self._arguments.number()

    def _key_larger(self) -> Test:
        size = self._size()
        return lambda number, message: len(message.raw) > size

    def _key_smaller(self) -> Test:
        size = self._size()
        return lambda number, message: len(message.raw) < size

    def _age(self) -> dt.datetime:
        if not self._offers("WITHIN"):
            raise BadSyntaxError("Unknown search key.")
        seconds = min(self._size(), 10**10)
        return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)

    def _key_older(self) -> Test:
        limit = self._age()
        return lambda number, message: message.date <= limit

    def _key_younger(self) -> Test:
        limit = self._age()
        return lambda number, message: message.date >= limit

    def _key_modseq(self) -> Test:
        if not self._offers("CONDSTORE"):
            raise BadSyntaxError("Unknown search key.")
        self._arguments.space()
        if self._arguments.string_or_none() is not None:
            self._arguments.space()
            self._arguments.atom()
            self._arguments.space()
        limit = self._arguments.number()
        self.modseq = True
        return lambda number, message: message.modseq >= limit

    def _identity(self, name: str) -> str:
        if not self._offers("OBJECTID"):
            raise BadSyntaxError(f"Unknown search key {name}.")
        self._arguments.space()
        return self._arguments.text()

    def _key_emailid(self) -> Test:
        wanted = self._identity("EMAILID")
        return lambda number, message: message.email_id == wanted

    def _key_threadid(self) -> Test:
        wanted = self._identity("THREADID")
        return lambda number, message: thread_id(message) == wanted

    # Dates

    def _date(self, name: str) -> Test:
        self._arguments.space()
        found = _DATE.fullmatch(self._arguments.match(_DATE) or b"")
        try:
            assert found is not None
            month = _MONTHS.index(found[2].decode().lower()) + 1
            day = dt.date(int(found[3]), month, int(found[1]))
        except (AssertionError, ValueError):
            raise BadSyntaxError("A date is missing or malformed.") from None
        compare: Callable[[dt.date], bool] = {
            "BEFORE": day.__gt__,
            "ON": day.__eq__,
            "SINCE": day.__le__,
        }[name.removeprefix("SENT")]
        if not name.startswith("SENT"):
            return lambda number, message: compare(message.date.date())

        def sent(number: int, message: Stored) -> bool:
            date = sent_date(message)
            return date is not None and compare(date.date())

        return sent

    # Text

    def _text(self) -> str:
        self._arguments.space()
        try:
            return self._arguments.astring().decode(self.charset).casefold()
        except UnicodeDecodeError:
            raise BadSyntaxError("That is not in the charset.") from None

    def _field(self, name: str, wanted: str) -> Test:
        def test(number: int, message: Stored) -> bool:
            return any(wanted in readable(value).casefold() for value in parsed(message).fields.get(name, ()))

        return test

    def _key_header(self) -> Test:
        self._arguments.space()
        name = self._arguments.text().upper()
        return self._field(name, self._text())

    def _key_body(self) -> Test:
        wanted = self._text()
        return lambda number, message: wanted in body_text(parsed(message), headers=False)

    def _key_text(self) -> Test:
        wanted = self._text()
        return lambda number, message: wanted in body_text(parsed(message), headers=True)


def _has(flag: str) -> Test:
    return lambda number, message: flag in message.flags


def _negated(test: Test) -> Test:
    return lambda number, message: not test(number, message)


def readable(value: bytes) -> str:
    """Return a header field's value decoded."""
    text = value.decode("utf-8", "replace")
    if "=?" not in text:
        return text
    try:
        return str(email.header.make_header(email.header.decode_header(text)))
    except (LookupError, ValueError, email.errors.HeaderParseError):
        return text


def sent_date(message: Stored) -> dt.datetime | None:
    """Return the Date field, as it is written, None if it is missing or broken."""
    text = parsed(message).first("DATE")
    try:
        return None if text is None else email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None


def body_text(part: Part, *, headers: bool) -> str:
    """Return the text of a message, decoded and casefolded."""
    texts = []
    if headers:
        texts.append(readable(part.header))
    if part.parts:
        texts += [body_text(inner, headers=headers or part.is_message) for inner in part.parts]
    elif part.kind == "TEXT":
        decoded = email.message_from_bytes(part.header + part.content).get_payload(decode=True)
        data = decoded if isinstance(decoded, bytes) else part.content
        try:
            texts.append(data.decode(part.parameter("CHARSET") or "ascii", "replace"))
        except LookupError:
            texts.append(data.decode("utf-8", "replace"))
    return "\n".join(texts).casefold()
