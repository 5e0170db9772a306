"""What messages are sorted by (RFC 5256 section 3), and what the subject of a thread is."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from typing import Any

from ._imap_fetch import parsed
from ._imap_search import readable, sent_date
from ._imap_store import Stored
from ._imap_structure import addresses

_BLOB = re.compile(r"\[[^\[\]]*\]\s*")
_LEADER = re.compile(r"(?:re|fwd?)\s*(?:\[[^\[\]]*\]\s*)?:\s*", re.IGNORECASE)
_FORWARDED = re.compile(r"\[fwd:(.*)\]\Z", re.IGNORECASE | re.DOTALL)


def base_subject(message: Stored) -> tuple[str, bool]:
    """Return a subject without what answering and forwarding add, and whether there was any (section 2.1)."""
    given = re.sub(r"\s+", " ", readable((parsed(message).first("SUBJECT") or "").encode("utf-8", "surrogateescape")))
    text = given.strip()
    answer = False
    while True:
        before = text
        text = text.rstrip()
        while text[-5:].lower() == "(fwd)":  # no expression: searching for one at the end takes quadratic time
            text, answer = text[:-5].rstrip(), True
        text, led = _without_leaders(text)
        answer = answer or led
        if (found := _FORWARDED.match(text)) is not None:
            text, answer = found[1].strip(), True
        if text == before:
            return text.casefold(), answer


def _without_leaders(text: str) -> tuple[str, bool]:
    led = False
    while True:
        blobs = _BLOB.match(text)
        behind = text[blobs.end() :] if blobs is not None else text
        if (found := _LEADER.match(behind)) is not None:
            text, led = behind[found.end() :], True
        elif blobs is not None and behind and not _FORWARDED.match(text):
            text = behind
        else:
            return text, led


def when(message: Stored) -> dt.datetime:
    """Return the Date in UTC, INTERNALDATE if it is missing or broken (section 2.2)."""
    date = sent_date(message) or message.date
    return date.astimezone(dt.UTC) if date.tzinfo is not None else date.replace(tzinfo=dt.UTC)


def _mailbox_of(name: str) -> Callable[[Stored], str]:
    def first(message: Stored) -> str:
        found = addresses(parsed(message).first(name) or "")
        return (found[0][2] or "").casefold() if found else ""

    return first


SORT_KEYS: Mapping[str, Callable[[Stored], Any]] = {
    "ARRIVAL": lambda message: message.date,
    "CC": _mailbox_of("CC"),
    "DATE": when,
    "FROM": _mailbox_of("FROM"),
    "SIZE": lambda message: len(message.raw),
    "SUBJECT": lambda message: base_subject(message)[0],
    "TO": _mailbox_of("TO"),
}


def sort_key(name: str) -> Callable[[tuple[int, Stored]], Any]:
    """Return the key by which numbered messages are sorted."""
    key = SORT_KEYS[name]
    return lambda pair: key(pair[1])
