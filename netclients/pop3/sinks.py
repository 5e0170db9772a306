"""From the state machine, which takes no pause, to a caller's sink, which may want one."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

__all__ = ["Spool"]


class Spool:
    """Holds the pieces of a text that one read has brought, until they are delivered.

    Left by ``with``, it discards what still comes: a sink that has failed does not put the connection out of step.
    """

    __slots__ = ("_open", "_pieces")

    def __init__(self) -> None:
        self._pieces: deque[memoryview] = deque()
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget what is held and what will come."""
        self._open = False
        while self._pieces:
            self._pieces.popleft().release()

    def take(self, piece: memoryview) -> None:
        """Keep a view of the same bytes, which nobody changes."""
        if self._open:
            self._pieces.append(memoryview(piece))

    def next(self) -> bytes | None:
        """Return one piece, None if there is none."""
        if not self._pieces:
            return None
        with self._pieces.popleft() as piece:
            return bytes(piece)

    async def deliver(self, sink: Callable[[memoryview], Awaitable[object] | object]) -> None:
        """Give all pieces to ``sink``, each until it, or the awaitable that it returns, is done."""
        while self._pieces:
            with self._pieces.popleft() as piece:
                result = sink(piece)
                if inspect.isawaitable(result):
                    await result
