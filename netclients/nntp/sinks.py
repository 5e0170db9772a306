"""From the state machine, which takes no pause, to a caller's sink, which may want one."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

__all__ = ["Sink", "Spool"]

T = TypeVar("T")
Sink = Callable[[T], Awaitable[object] | object]


class Spool(Generic[T]):
    """Holds the pieces that one read has brought, until they are delivered.

    Left by ``with``, it discards what still comes: a sink that has failed does not put the connection out of step.
    """

    __slots__ = ("_open", "_pieces")

    def __init__(self) -> None:
        self._pieces: deque[T] = deque()
        self._open = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        self._pieces.clear()

    def take(self, piece: T) -> None:
        """Keep a piece."""
        if self._open:
            self._pieces.append(piece)

    async def deliver(self, sink: Sink[T]) -> None:
        """Give all pieces to ``sink``, each until it, or the awaitable that it returns, is done."""
        while self._pieces:
            await self.pass_on(sink, self._pieces.popleft())

    @staticmethod
    async def pass_on(sink: Sink[T], piece: T) -> None:
        """Give one piece to ``sink``."""
        result = sink(piece)
        if inspect.isawaitable(result):
            await result
