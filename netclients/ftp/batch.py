"""Many files at once: workers that take sources from one iterator and hand out items as they end."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from netclients.errors import ConfigurationError, NetClientError
from netclients.ftp.changes import make_directories
from netclients.ftp.download import FileDownload, Verify
from netclients.ftp.paths import local_destination, local_path
from netclients.ftp.results import Item
from netclients.ftp.upload import FileUpload
from netclients.streams import Producer
from netclients.transport.bulk import RateLimit
from netclients.transport.workers import Outlet, Workers

if TYPE_CHECKING:
    from netclients.ftp.context import Context
    from netclients.ftp.download import OnProgress

__all__ = ["BatchProducer", "Destinations", "DownloadJobs", "UploadJobs"]

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


class DownloadJobs:
    """The downloads of one batch, into ``directory``; ``resolve`` turns a source into the server's path."""

    def __init__(
        self,
        context: Context,
        resolve: Callable[[str], str],
        directory: str,
        *,
        resume: bool,
        verify: Verify,
        progress: OnProgress | None,
        limit_rate: float | None,
    ) -> None:
        self._context = context
        self._resolve = resolve
        self._directory = directory
        self._resume = resume
        self._verify = verify
        self._progress = progress
        self._limit = None if limit_rate is None else RateLimit(limit_rate)
        self._places = Destinations()

    async def run(self, source: str, slots: anyio.Semaphore) -> Item:
        """Download one file; what goes wrong is in its item."""
        target: str | None = None
        download: FileDownload | None = None
        try:
            path = self._resolve(source)
            target = local_destination(self._directory, source)
            self._places.take(target)
            download = FileDownload(
                self._context,
                path,
                target,
                resume=self._resume,
                verify=self._verify,
                progress=self._progress,
                limit_rate=self._limit,
                slots=slots,
            )
            done = await download.run()
        except NetClientError as error:
            attempts = download.attempts if download else 0
            return Item(str(source), None if target is None else Path(target), 0, attempts, error)
        return Item(source, done.path, done.size, download.attempts)


class UploadJobs:
    """The uploads of one batch, below ``directory`` on the server; ``resolve`` makes a path the server's."""

    def __init__(
        self,
        context: Context,
        resolve: Callable[[str], str],
        directory: str,
        *,
        atomic: bool,
        resume: bool,
        progress: OnProgress | None,
        limit_rate: float | None,
    ) -> None:
        self._context = context
        self._resolve = resolve
        self._directory = directory
        self._atomic = atomic
        self._resume = resume
        self._progress = progress
        self._limit = None if limit_rate is None else RateLimit(limit_rate)
        self._places = Destinations(ignore_case=False)
        self._made: set[str] = set()

    async def run(self, source: str | os.PathLike[str], slots: anyio.Semaphore) -> Item:
        """Upload one file; what goes wrong is in its item."""
        shown = str(source)
        target: str | None = None
        upload: FileUpload | None = None
        try:
            shown = local_path(source)
            target = self._place(Path(shown))
            self._places.take(target)
            upload = FileUpload(
                self._context,
                shown,
                target,
                atomic=self._atomic,
                resume=self._resume,
                progress=self._progress,
                limit_rate=self._limit,
            )
            async with slots:
                await self._make_parent(target)
                done = await upload.run()
        except NetClientError as error:
            return Item(shown, target, 0, upload.attempts if upload else 0, error)
        return Item(shown, target, done.size, upload.attempts)

    def _place(self, source: Path) -> str:
        parts = source.parts[-1:] if source.is_absolute() else source.parts
        if not parts or ".." in parts:
            raise ConfigurationError(f"{str(source)!r} can't be stored below the destination")
        directory = self._directory.rstrip("/").split("/") if self._directory else ()
        return self._resolve("/".join((*directory, *parts)))

    async def _make_parent(self, target: str) -> None:
        parent, _, _ = target.rpartition("/")
        if parent and parent not in self._made:
            await make_directories(self._context, parent)
            self._made.add(parent)
