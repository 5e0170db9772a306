"""Untagged data that is neither about one message nor about one mailbox: capabilities, flags, answers to SEARCH.

Deviations that are tolerated on purpose carry a name that starts with ``quirk``.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress

from netclients.errors import ProtocolError
from netclients.imap.replies.mailboxes import frozen
from netclients.imap.replies.numbers import number, number_set, ranges
from netclients.imap.replies.tokens import Tokens, word
from netclients.imap.types import Capabilities, Enabled, ESearch, Flags, Search, Thread, Threads, Vanished
from netclients.mail.envelopes import Value

__all__ = [
    "read_capabilities",
    "read_enabled",
    "read_esearch",
    "read_flags",
    "read_search",
    "read_threads",
    "read_vanished",
]


def read_capabilities(tokens: Tokens) -> Capabilities:
    """CAPABILITY (RFC 9051 section 7.2.2)."""
    return Capabilities(frozenset(word(one).upper() for one in tokens.rest()))


def read_enabled(tokens: Tokens) -> Enabled:
    """ENABLED (RFC 5161)."""
    return Enabled(frozenset(word(one).upper() for one in tokens.rest()))


def read_flags(tokens: Tokens) -> Flags:
    """FLAGS (RFC 9051 section 7.3.5)."""
    values = tokens.rest()
    if len(values) != 1 or not isinstance(values[0], list):
        raise ProtocolError("the server sent something else where a list of flags was due")
    return Flags(tuple(word(one) for one in values[0]))


_NUMBERS = re.compile(rb"[0-9 ]*+")
_MODSEQ = re.compile(rb"\(MODSEQ ([0-9]{1,20})\) *", re.IGNORECASE)
_LARGEST = 1 << 64


def read_search(response: str, tokens: Tokens) -> Search:
    """SEARCH and SORT (RFC 9051 section 7.3.4, RFC 5256, RFC 7162): thousands of numbers on one line."""
    found = tokens.match(_NUMBERS)
    assert found is not None
    try:
        numbers = _numbers(found[0])
    except ValueError:  # more digits than Python takes
        raise ProtocolError("the server sent a number of thousands of digits") from None
    if numbers and max(numbers) >= _LARGEST:
        raise ProtocolError("the server sent a number of more than 64 bits")
    modseq = tokens.match(_MODSEQ)
    if not tokens.ended:
        raise tokens.fault()
    return Search(response, numbers, int(modseq[1]) if modseq else None)


def _numbers(digits: bytes) -> tuple[int, ...]:
    """Return numbers that stand between spaces; thousands are read as JSON, in half the time."""
    if len(digits) > 1000:
        with suppress(ValueError):  # leading zeros, more spaces than one
            return tuple(json.loads(b"[" + digits.strip().replace(b" ", b",") + b"]"))
    return tuple(map(int, digits.split()))


def read_esearch(tokens: Tokens) -> ESearch:
    """ESEARCH (RFC 9051 section 7.3.4, RFC 5267, RFC 9394)."""
    values = tokens.rest()
    tag: str | None = None
    uid = False
    data: dict[str, Value] = {}
    if values and isinstance(values[0], list):
        data.update(_named(values.pop(0)))
        tag = word(data.pop("TAG")) if "TAG" in data else None
    if values and isinstance(values[0], str) and values[0].upper() == "UID":
        uid = True
        del values[0]
    for name, value in _named(values):
        if name in data:
            raise ProtocolError(f"the server sent {name} twice")
        data[name] = value
    counts = {field: number(data.pop(name)) for name, field in _COUNTS.items() if name in data}
    return ESearch(
        tag,
        uid,
        ranges=number_set(data.pop("ALL")) if "ALL" in data else None,
        partial=_partial(data.pop("PARTIAL")) if "PARTIAL" in data else None,
        values={name: frozen(value) for name, value in data.items()},
        **counts,
    )


_COUNTS = {"MIN": "minimum", "MAX": "maximum", "COUNT": "count", "MODSEQ": "modseq"}


def _named(values: Value) -> list[tuple[str, Value]]:
    assert isinstance(values, list)
    if len(values) % 2:
        raise ProtocolError("the server sent a name without a value")
    return [(word(name).upper(), value) for name, value in zip(values[::2], values[1::2], strict=True)]


def _partial(value: Value) -> tuple[str, tuple[tuple[int, int], ...]]:
    if not isinstance(value, list) or len(value) != 2:
        raise ProtocolError("the server sent PARTIAL without a window and its numbers")
    window, found = value
    return word(window), () if found is None else number_set(found)


def read_vanished(tokens: Tokens) -> Vanished:
    """VANISHED (RFC 7162 section 3.2.10)."""
    values = tokens.rest()
    earlier = False
    if len(values) == 2 and isinstance(values[0], list):
        if values.pop(0) not in (["EARLIER"], ["earlier"]):
            raise ProtocolError("the server sent VANISHED with something else than (EARLIER)")
        earlier = True
    if len(values) != 1:
        raise ProtocolError("the server sent VANISHED without one set of UIDs")
    return Vanished(earlier, ranges(values[0]))


_THREAD = re.compile(rb" *(?:(\()|(\))|([0-9]{1,20})(?=[ ()]|$))")
_THREADS_DEEP = 1000  # a reply to a reply to …, each with a brother


def read_threads(tokens: Tokens) -> Threads:
    """THREAD (RFC 5256): ``(2)(3 6 (4 23)(44 7 96))``; each number answers the one before it."""
    # A level is what stands in one pair of parentheses: numbers one below the other, and what is below the last.
    roots: list[Thread] = []
    levels: list[tuple[list[int], list[Thread]]] = []
    while not tokens.ended:
        found = tokens.match(_THREAD)
        if found is None:
            raise tokens.fault()
        if found[1]:
            if len(levels) >= _THREADS_DEEP:
                raise ProtocolError(f"the server sent threads nested more than {_THREADS_DEEP} deep")
            levels.append(([], []))
        elif found[3]:
            if not levels or levels[-1][1]:
                raise ProtocolError("the server sent a thread's number out of place")
            levels[-1][0].append(int(found[3]))
        else:
            if not levels:
                raise tokens.fault()
            chain, below = levels.pop()
            (levels[-1][1] if levels else roots).extend(_chained(chain, below))
    if levels:
        raise ProtocolError("the server sent a thread that has no end")
    return Threads(tuple(roots))


def _chained(chain: list[int], below: list[Thread]) -> list[Thread]:
    if not chain:  # ((3)(5)): brothers whose parent is missing
        return [Thread(None, tuple(below))] if below else []
    for one in reversed(chain):
        below = [Thread(one, tuple(below))]
    return below
