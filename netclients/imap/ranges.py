"""Sets of numbers as the wire writes them, asked whether they hold one (RFC 9051 section 9, sequence-set)."""

from __future__ import annotations

from bisect import bisect_right

__all__ = ["NumberRanges"]


class NumberRanges:
    """An encoded set, such as ``b"1:3,7,9:*"``. One with ``*`` or ``$`` may hold anything: only the server knows.

    ``count``: how many numbers it has, those twice that are in it twice; None: only the server knows.
    """

    __slots__ = ("_first", "_last", "_open", "count")

    def __init__(self, encoded: bytes) -> None:
        self._open = b"*" in encoded or encoded == b"$"
        ranges = [] if self._open else sorted(_bounds(part) for part in encoded.split(b","))
        self.count: int | None = None if self._open else sum(last - first + 1 for first, last in ranges)
        self._first = [first for first, _ in ranges]
        # Ranges may overlap: what counts is how far all of them up to here reach.
        self._last = [last for _, last in ranges]
        for index in range(1, len(ranges)):
            self._last[index] = max(self._last[index], self._last[index - 1])

    def __contains__(self, number: int) -> bool:
        if self._open:
            return True
        if len(self._first) == 1:
            return self._first[0] <= number <= self._last[0]
        index = bisect_right(self._first, number) - 1
        return index >= 0 and number <= self._last[index]

    def meets(self, other: NumberRanges) -> bool:
        """Whether a number is in both; True if only the server knows."""
        if self._open or other._open:
            return True
        if len(self._first) > len(other._first):
            return other.meets(self)
        for first, last in zip(self._first, self._last, strict=True):
            index = bisect_right(other._first, last) - 1
            if index >= 0 and other._last[index] >= first:
                return True
        return False


def _bounds(part: bytes) -> tuple[int, int]:
    first, _, last = part.partition(b":")
    one = int(first)
    other = int(last) if last else one
    return (one, other) if one <= other else (other, one)
