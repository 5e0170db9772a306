"""Sets of sequence numbers and of UIDs (RFC 9051 section 9, ``sequence-set``): from what callers have to ranges.

Both are written alike; which is meant is decided by the command. Texts in a list can only be UIDs.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable

from netclients.errors import ConfigurationError
from netclients.imap.arguments.strings import shown
from netclients.mail.reading import UID

__all__ = ["NumberSet", "sequence_set", "uid_set", "uid_sets"]

NumberSet = str | int | range | slice | Iterable[int] | Iterable[UID]
"""What names messages: ``"1:*"``, ``"5,7:9"``, ``"$"``, a number, a UID, a range, a slice, numbers, UIDs.

The end of a range or a slice is not in it, as everywhere in Python; a slice without an end goes to the last message.
"""

_LARGEST = 2**32 - 1
_NUMBER = rb"(?:[1-9][0-9]{0,9}|\*)"
_TEXT = re.compile(rb"\$|%b(?::%b)?(?:,%b(?::%b)?)*" % ((_NUMBER,) * 4))
_TEN_DIGITS = re.compile(rb"[0-9]{10}")
_LONGEST_RANGE = 21  # two numbers of ten digits
_LONGEST_SET = 7_900  # with the rest of its command under 8,192: RFC 7162 section 4 asks servers for no more


def sequence_set(value: NumberSet) -> bytes:
    """Encode sequence numbers, sorted and as ranges; text is checked and kept.

    Raises:
        ConfigurationError: no number at all, one below 1 or above 2**32 - 1, or a list that has text: UIDs.
    """
    return _encoded(value, "sequence numbers", texts=False)


def uid_set(value: NumberSet) -> bytes:
    """Encode UIDs, sorted and as ranges; text is checked and kept.

    Raises:
        ConfigurationError: no UID at all, one below 1 or above 2**32 - 1, or what is none.
    """
    return _encoded(value, "UIDs", texts=True)


def uid_sets(value: NumberSet, limit: int = _LONGEST_SET) -> list[bytes]:
    """Encode UIDs in sets of at most ``limit`` bytes each, one for each command: servers limit the length of lines.

    Raises:
        ConfigurationError: see :func:`uid_set`; also a limit that is too small for one range.
    """
    if limit < _LONGEST_RANGE:
        raise ConfigurationError(f"limit={limit} must be at least {_LONGEST_RANGE}: the length of one range")
    whole = uid_set(value)
    sets: list[bytes] = []
    start = 0
    while len(whole) - start > limit:
        end = whole.rindex(b",", start, start + limit + 1)
        sets.append(whole[start:end])
        start = end + 1
    return [*sets, whole[start:]]


def _encoded(value: object, what: str, *, texts: bool) -> bytes:
    if isinstance(value, str):
        return _text(value, what)
    if isinstance(value, slice):
        return _slice(value, what)
    if isinstance(value, range) and value.step == 1:
        return _range(value.start, value.stop - 1, what)
    if isinstance(value, (bool, bytes, bytearray, memoryview)):
        raise ConfigurationError(f"{what} are not {type(value).__name__}")
    if isinstance(value, Iterable):
        return _numbers(list(value), what, texts=texts)
    return _numbers([value], what, texts=texts)


def _text(value: str, what: str) -> bytes:
    encoded = value.encode("utf-8", "replace")
    if not _TEXT.fullmatch(encoded) or any(int(number) > _LARGEST for number in _TEN_DIGITS.findall(encoded)):
        raise ConfigurationError(f"{shown(value)} is not a set of {what}")
    return encoded


def _slice(value: slice, what: str) -> bytes:
    start = 1 if value.start is None else _index(value.start, what)
    if value.step is not None and _index(value.step, what) != 1:
        raise ConfigurationError(f"{what} come without a step: {shown(value)}")
    if value.stop is not None:
        return _range(start, _index(value.stop, what) - 1, what)
    _range(start, start, what)
    # "n:*" would name the last message even if that comes before n (RFC 9051 section 9, seq-range).
    return b"%d:%d" % (start, _LARGEST) if start > 1 else b"1:*"


def _range(first: int, last: int, what: str) -> bytes:
    if not 1 <= first <= last <= _LARGEST:
        raise ConfigurationError(f"{what} from {first} to {last}: must be at least one, from 1 to {_LARGEST}")
    return b"%d:%d" % (first, last) if last > first else b"%d" % first


def _numbers(values: list[object], what: str, *, texts: bool) -> bytes:
    """Sort, compress and encode; the work is done by few calls for all values, since there may be many."""
    if not values:
        raise ConfigurationError(f"no {what} were given")
    kinds = set(map(type, values))
    if kinds == {str} and texts:
        numbers = sorted(_uids(values))  # type: ignore[arg-type]
    elif kinds == {int}:
        numbers = sorted(values)  # type: ignore[arg-type]
    else:
        numbers = sorted(_one(value, what, texts=texts) for value in values)
    if numbers[0] < 1 or numbers[-1] > _LARGEST:
        wrong = numbers[0] if numbers[0] < 1 else numbers[-1]
        raise ConfigurationError(f"{wrong} is not one of {what}: they go from 1 to {_LARGEST}")
    ranges: list[str] = []
    first = last = numbers[0]
    for number in numbers:
        if number > last + 1:
            ranges.append(f"{first}:{last}" if last > first else str(first))
            first = number
        last = number
    ranges.append(f"{first}:{last}" if last > first else str(first))
    return ",".join(ranges).encode("ascii")


def _uids(values: list[str]) -> list[int]:
    # int() alone would take " 5", "+5", "1_000" and digits of other scripts.
    digits = "".join(values)
    try:
        if digits.isascii() and digits.isdecimal():
            return list(map(int, values))
    except ValueError:  # one is empty, or has thousands of digits
        pass
    wrong = next((uid for uid in values if not (uid.isascii() and uid.isdecimal())), max(values, key=len))
    raise ConfigurationError(f"{shown(wrong)} is not a UID of IMAP")


def _one(value: object, what: str, *, texts: bool) -> int:
    if isinstance(value, str) and texts:
        return _uids([value])[0]
    return _index(value, what)


def _index(value: object, what: str) -> int:
    try:
        if not isinstance(value, bool):
            return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        pass
    raise ConfigurationError(f"{shown(value)} is not one of {what}")
