"""``Stream[T]``: what every iterating method returns.

Not a native async generator: those are finalised by the event loop, some time later, in a task of its own.
A ``Stream`` that is left early, dropped or cancelled lets go of its connection at once, without awaiting.

Data passes through it one item at a time: consumer → ``__anext__`` → :meth:`Producer.next`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Generic, Self, TypeVar

__all__ = ["Producer", "Stream"]

T_co = TypeVar("T_co", covariant=True)


class Producer(ABC, Generic[T_co]):
    """Where the items of a :class:`Stream` come from. Holds nothing until it is started or asked."""

    async def start(self) -> None:
        """Prepare for ``async with``; the first :meth:`next` may also come without it."""

    @abstractmethod
    async def next(self) -> T_co:
        """Return the next item, or raise StopAsyncIteration when all is delivered and let go."""

    @abstractmethod
    async def aclose(self) -> None:
        """Let go of everything, in good order. May be called again, also after :meth:`abort`."""

    @abstractmethod
    def abort(self) -> None:
        """Let go of everything at once, without awaiting. Called at most once, if the end was not reached."""


class Stream(Generic[T_co]):
    """Items as they come. Iterate it once, with ``async for``, best inside ``async with``.

    ``break``, an exception, cancellation, or dropping the last reference close the connection behind it
    and free its slot without awaiting.
    """

    __slots__ = ("__weakref__", "_done", "_producer")

    def __init__(self, producer: Producer[T_co]) -> None:
        self._producer = producer
        self._done = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        if self._done:
            raise StopAsyncIteration
        try:
            return await self._producer.next()
        except StopAsyncIteration:
            self._done = True
            raise
        except BaseException:
            self._abort()
            raise

    async def aclose(self) -> None:
        """End the stream now. What was not delivered is discarded."""
        self._done = True
        await self._producer.aclose()

    async def __aenter__(self) -> Self:
        await self._producer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _abort(self) -> None:
        if not self._done:
            self._done = True
            self._producer.abort()

    def __del__(self) -> None:
        # __init__ may have failed, and then there is nothing to let go of.
        if getattr(self, "_done", True) is False:
            self._abort()
