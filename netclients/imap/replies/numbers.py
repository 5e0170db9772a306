"""Numbers, and sets of them such as ``304,319:320`` (RFC 9051 section 9, sequence-set)."""

from __future__ import annotations

import re

from netclients.errors import ProtocolError
from netclients.mail.envelopes import Value
from netclients.mail.reading import UID

__all__ = ["MOST_UIDS", "expanded", "number", "number_set", "ranges"]

MOST_UIDS = 1_000_000
"""How many UIDs a set may stand for where each of them is made: ten bytes must not become gigabytes."""

_SET = re.compile(r"[0-9]{1,20}(?::[0-9]{1,20})?(?:,[0-9]{1,20}(?::[0-9]{1,20})?)*")


def number(value: Value) -> int:
    """Return a number of at most 64 bits.

    Raises:
        ProtocolError: it is none.
    """
    if isinstance(value, (str, bytes)) and len(value) <= 20 and value.isascii() and value.isdigit():
        return int(value)
    raise ProtocolError("the server sent something else where a number was due")


def number_set(value: Value) -> tuple[tuple[int, int], ...]:
    """Return the ranges of a set, inclusive, in the order and with the ends in which they were sent.

    Raises:
        ProtocolError: it is no set of numbers.
    """
    if not isinstance(value, str) or not _SET.fullmatch(value):
        raise ProtocolError("the server sent something else where a set of numbers was due")
    found = []
    for piece in value.split(","):
        first, colon, last = piece.partition(":")
        found.append((int(first), int(last)) if colon else (int(first),) * 2)
    return tuple(found)


def ranges(value: Value) -> tuple[tuple[int, int], ...]:
    """As :func:`number_set`, the smaller end first: ``4:2`` and ``2:4`` mean the same."""
    return tuple((first, last) if first <= last else (last, first) for first, last in number_set(value))


def expanded(value: Value) -> tuple[UID, ...]:
    """Return all UIDs of a set.

    Raises:
        ProtocolError: it is no set of numbers, or stands for more than ``MOST_UIDS``.
    """
    found = ranges(value)
    if sum(last - first + 1 for first, last in found) > MOST_UIDS:
        raise ProtocolError(f"the server sent a set of more than {MOST_UIDS} UIDs")
    return tuple(UID(str(uid)) for first, last in found for uid in range(first, last + 1))
