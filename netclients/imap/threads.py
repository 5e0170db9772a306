"""Discussions, as THREAD tells them: trees that may be thousands of answers deep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest

__all__ = ["Thread"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Thread:
    """One node of THREAD (RFC 5256): ``number`` (None: the parent is missing) and the answers to it.

    A discussion may be thousands of answers deep: nothing here recurses, and neither should its user; see
    :meth:`walk`.
    """

    number: int | None
    children: tuple[Thread, ...] = ()

    def walk(self) -> Iterator[tuple[int, int | None]]:
        """Yield depth and number of this node (depth 0) and of all below it, each before its answers."""
        waiting = [(0, self)]
        while waiting:
            depth, node = waiting.pop()
            yield depth, node.number
            waiting.extend((depth + 1, child) for child in reversed(node.children))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Thread):
            return NotImplemented
        return all(one == another for one, another in zip_longest(self.walk(), other.walk()))

    def __hash__(self) -> int:
        return hash(tuple(self.walk()))

    def __reduce__(self) -> tuple[object, ...]:
        return _thread, (list(self.walk()),)

    def __repr__(self) -> str:
        return f"<Thread {self.number} with {len(self.children)} answers>"


def _thread(nodes: list[tuple[int, int | None]]) -> Thread:
    """Build again what ``walk`` has yielded."""
    waiting: dict[int, list[Thread]] = {}
    for depth, number in reversed(nodes):
        children = waiting.pop(depth + 1, [])
        waiting.setdefault(depth, []).append(Thread(number, tuple(reversed(children))))
    return waiting[0][0]
