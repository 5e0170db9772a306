"""Many files at once: workers that take sources from one iterator and hand out items as they end."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Generic, TypeVar

import anyio

from netclients.errors import ConfigurationError
from netclients.ftp.results import Item
from netclients.streams import Producer
from netclients.transport.workers import Outlet, Workers

__all__ = ["BatchProducer", "Destinations"]

T = TypeVar("T")


_AHEAD = 16  # jobs that may be at their last, local step while others use the network


class BatchProducer(Producer[Item], Generic[T]):
    """Runs ``job`` for every source. A job's item carries its own error.

    A job gets the source and ``slots``, of which there are ``concurrency``: it holds one while it uses the network,
    so that what it does with its file afterwards holds up nobody.
    """

    def __init__(
        self,
        sources: Iterable[T] | AsyncIterable[T],
        job: Callable[[T, anyio.Semaphore], Awaitable[Item]],
        concurrency: int,
    ) -> None:
        if not concurrency >= 1:
            raise ConfigurationError(f"concurrency={concurrency!r} must be at least 1")
        if isinstance(sources, (str, bytes)) or not isinstance(sources, (Iterable, AsyncIterable)):
            raise ConfigurationError(f"sources must be an iterable of paths, not a {type(sources).__name__}")
        self._job = job
        self._iterator: Iterator[T] | AsyncIterator[T] = (
            iter(sources) if isinstance(sources, Iterable) else aiter(sources)
        )
        self._pulling = anyio.Lock()
        self._exhausted = False
        self._slots = anyio.Semaphore(concurrency, fast_acquire=True)
        self._outlet: Outlet[Item] = Outlet(concurrency)
        self._workers = Workers(self._work, concurrency + min(concurrency, _AHEAD), self._outlet)

    async def start(self) -> None:
        """See :meth:`~netclients.streams.Producer.start`."""
        await self._workers.open()

    async def next(self) -> Item:
        """See :meth:`~netclients.streams.Producer.next`."""
        self._workers.start()
        return await self._outlet.get()

    async def aclose(self) -> None:
        """See :meth:`~netclients.streams.Producer.aclose`."""
        await self._workers.aclose()

    def abort(self) -> None:
        """See :meth:`~netclients.streams.Producer.abort`."""
        self._workers.cancel()

    async def _work(self) -> None:
        while True:
            found, source = await self._pull()
            if not found:
                return
            await self._outlet.put(await self._job(source, self._slots))

    async def _pull(self) -> tuple[bool, T]:
        iterator = self._iterator
        if isinstance(iterator, Iterator):
            for source in iterator:
                return True, source
        elif not self._exhausted:
            async with self._pulling:
                async for source in iterator:
                    return True, source
                self._exhausted = True
        return False, None  # type: ignore[return-value]


class Destinations:
    """Where the files of one batch go: each place is given out once."""

    def __init__(self, *, ignore_case: bool = sys.platform in ("win32", "darwin")) -> None:
        self._taken: set[str] = set()
        self._ignore_case = ignore_case

    def take(self, place: str) -> None:
        """Reserve ``place``.

        Raises:
            ConfigurationError: another source of this batch has it.
        """
        key = place.casefold() if self._ignore_case else place
        # NAME.part is where NAME grows: the two can't be written at the same time.
        if key in self._taken or f"{key}.part" in self._taken or key.removesuffix(".part") in self._taken:
            raise ConfigurationError(f"two sources for one destination: {place!r}")
        self._taken.add(key)
