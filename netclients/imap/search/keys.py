"""Keys of SEARCH by the names that callers use, each with what it takes and which extension brought it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypedDict

from netclients.errors import ConfigurationError
from netclients.imap.arguments import (
    NumberSet,
    atom,
    date,
    header_name,
    modseq,
    number,
    object_id,
    sequence_set,
    uid_set,
)
from netclients.imap.arguments.strings import must_be_text, shown

if TYPE_CHECKING:
    from netclients.imap.search.query import Criterion

__all__ = ["Key", "Keywords", "LabelText", "keys_of"]

_Text: TypeAlias = str | Sequence[str]
_Day: TypeAlias = dt.date | Sequence[dt.date]
_Number: TypeAlias = int | Sequence[int]
_Span: TypeAlias = int | dt.timedelta | Sequence[int | dt.timedelta]
_Header: TypeAlias = tuple[str, str] | Sequence[tuple[str, str]] | Mapping[str, str | Sequence[str]]


class Keywords(TypedDict, total=False):
    """What :class:`Q` takes by keyword. All that are given must hold; so must several values of one.

    Flags are True or False. Text is looked for anywhere in its field, in any case. Days are the server's, without a
    time. Sizes in bytes. ``older`` and ``younger`` than seconds or a timedelta, counted from arrival.
    """

    answered: bool
    deleted: bool
    draft: bool
    flagged: bool
    new: bool
    old: bool
    recent: bool
    seen: bool
    unanswered: bool
    undeleted: bool
    undraft: bool
    unflagged: bool
    unseen: bool
    keyword: _Text
    unkeyword: _Text
    bcc: _Text
    body: _Text
    cc: _Text
    from_: _Text
    subject: _Text
    text: _Text
    to: _Text
    header: _Header
    before: _Day
    on: _Day
    since: _Day
    sent_before: _Day
    sent_on: _Day
    sent_since: _Day
    larger: _Number
    smaller: _Number
    number: NumberSet
    uid: NumberSet
    older: _Span
    younger: _Span
    modseq: _Number
    email_id: _Text
    thread_id: _Text
    saved_before: _Day
    saved_on: _Day
    saved_since: _Day
    save_date_supported: bool
    gmail_raw: _Text
    gmail_labels: _Text
    gmail_message_id: _Number
    gmail_thread_id: _Number
    fuzzy: Criterion


class LabelText(str):
    """A label of Gmail, which is encoded like the name of a mailbox."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Key:
    """One criterion: ``parts`` stand one behind the other, bytes as they are and text as a string.

    ``requires``: the extension that a server must have for it.
    """

    parts: tuple[bytes | str, ...]
    requires: str | None = None


def keys_of(name: str, value: object) -> list[Key]:
    """Return the keys that the keyword ``name`` stands for: one for each of its values.

    Raises:
        ConfigurationError: there is no such keyword, or it does not take this value.
    """
    try:
        if name in _FLAGS:
            return [_flag(name, value)]
        if name in _SETS:
            return [_set(*_SETS[name], value)]
        if name == "header":
            return [Key((b"HEADER %b " % header_name(field), _text(text))) for field, text in _header_pairs(value)]
        if name in _VALUES:
            word, requires, encode = _VALUES[name]
            return [Key((word + b" ", encode(one)), requires) for one in _each(value)]
    except ConfigurationError as error:
        raise ConfigurationError(f"search, {name}: {error}") from None
    raise ConfigurationError(f"search has no keyword {shown(name)}{_suggestion(name)}")


def _flag(name: str, value: object) -> Key:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{shown(value)} must be True or False")
    yes, no, requires = _FLAGS[name]
    return Key((yes if value else no,), requires)


def _set(prefix: bytes, encode: Callable[[NumberSet], bytes], value: object) -> Key:
    encoded = encode(value)  # type: ignore[arg-type]
    return Key((prefix + encoded,), "SEARCHRES" if encoded == b"$" else None)


def _each(value: object) -> Sequence[object]:
    if not isinstance(value, Sequence) or isinstance(value, (str, bytes, bytearray)):
        return (value,)
    if not value:
        # No criterion at all would find every message.
        raise ConfigurationError("no values were given")
    return value


def _header_pairs(value: object) -> list[tuple[str, object]]:
    if isinstance(value, Mapping):
        pairs = [(field, text) for field, texts in value.items() for text in _each(texts)]
    elif isinstance(value, Sequence) and len(value) == 2 and all(isinstance(word, str) for word in value):
        pairs = [(value[0], value[1])]
    else:
        pairs = []
        for pair in _each(value):
            if not isinstance(pair, Sequence) or isinstance(pair, (str, bytes)) or len(pair) != 2:
                raise ConfigurationError(f"{shown(pair)} must be a pair: the field's name and a text")
            pairs.append((pair[0], pair[1]))
    if not pairs:
        raise ConfigurationError("no values were given")
    return pairs


def _text(value: object) -> str:
    must_be_text(value, "what to look for")
    assert isinstance(value, str)
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise ConfigurationError(f"{shown(value)} can't be written in UTF-8") from None
    if "\0" in value:
        raise ConfigurationError(f"{shown(value)} has NUL")
    return str(value)


def _label(value: object) -> LabelText:
    return LabelText(_text(value))


def _seconds(value: object) -> bytes:
    if isinstance(value, dt.timedelta):
        # Rounded up: nothing is found that is not yet old enough, and nothing missed that is still young enough.
        value = -(-value // dt.timedelta(seconds=1))
    return number(value, 1, 2**32 - 1)  # type: ignore[arg-type]


def _gmail_id(value: object) -> bytes:
    return number(value, 0, 2**64 - 1)  # type: ignore[arg-type]


def _suggestion(name: object) -> str:
    import difflib  # only for those who have misspelt something

    known = [*_FLAGS, *_SETS, "header", *_VALUES, "fuzzy"]
    close = difflib.get_close_matches(str(name), known, 1)
    return f"; did you mean {close[0]}?" if close else f": it has {', '.join(sorted(known))}"


_FLAGS: dict[str, tuple[bytes, bytes, str | None]] = {
    "answered": (b"ANSWERED", b"UNANSWERED", None),
    "deleted": (b"DELETED", b"UNDELETED", None),
    "draft": (b"DRAFT", b"UNDRAFT", None),
    "flagged": (b"FLAGGED", b"UNFLAGGED", None),
    "new": (b"NEW", b"NOT NEW", None),
    "old": (b"OLD", b"RECENT", None),
    "recent": (b"RECENT", b"OLD", None),
    "seen": (b"SEEN", b"UNSEEN", None),
    "unanswered": (b"UNANSWERED", b"ANSWERED", None),
    "undeleted": (b"UNDELETED", b"DELETED", None),
    "undraft": (b"UNDRAFT", b"DRAFT", None),
    "unflagged": (b"UNFLAGGED", b"FLAGGED", None),
    "unseen": (b"UNSEEN", b"SEEN", None),
    "save_date_supported": (b"SAVEDATESUPPORTED", b"NOT SAVEDATESUPPORTED", "SAVEDATE"),
}

_SETS: dict[str, tuple[bytes, Callable[..., bytes]]] = {
    "number": (b"", sequence_set),
    "uid": (b"UID ", uid_set),
}

# The word, the extension, and what encodes a value: bytes, or text whose form depends on the session.
_VALUES: dict[str, tuple[bytes, str | None, Callable[..., bytes | str]]] = {
    "keyword": (b"KEYWORD", None, atom),
    "unkeyword": (b"UNKEYWORD", None, atom),
    "bcc": (b"BCC", None, _text),
    "body": (b"BODY", None, _text),
    "cc": (b"CC", None, _text),
    "from_": (b"FROM", None, _text),
    "subject": (b"SUBJECT", None, _text),
    "text": (b"TEXT", None, _text),
    "to": (b"TO", None, _text),
    "before": (b"BEFORE", None, date),
    "on": (b"ON", None, date),
    "since": (b"SINCE", None, date),
    "sent_before": (b"SENTBEFORE", None, date),
    "sent_on": (b"SENTON", None, date),
    "sent_since": (b"SENTSINCE", None, date),
    "larger": (b"LARGER", None, number),
    "smaller": (b"SMALLER", None, number),
    "older": (b"OLDER", "WITHIN", _seconds),  # RFC 5032
    "younger": (b"YOUNGER", "WITHIN", _seconds),
    "modseq": (b"MODSEQ", "CONDSTORE", modseq),  # RFC 7162 section 3.1.5
    "email_id": (b"EMAILID", "OBJECTID", object_id),  # RFC 8474 section 6
    "thread_id": (b"THREADID", "OBJECTID", object_id),
    "saved_before": (b"SAVEDBEFORE", "SAVEDATE", date),  # RFC 8514 section 4.3
    "saved_on": (b"SAVEDON", "SAVEDATE", date),
    "saved_since": (b"SAVEDSINCE", "SAVEDATE", date),
    "gmail_raw": (b"X-GM-RAW", "X-GM-EXT-1", _text),
    "gmail_labels": (b"X-GM-LABELS", "X-GM-EXT-1", _label),
    "gmail_message_id": (b"X-GM-MSGID", "X-GM-EXT-1", _gmail_id),
    "gmail_thread_id": (b"X-GM-THRID", "X-GM-EXT-1", _gmail_id),
}
