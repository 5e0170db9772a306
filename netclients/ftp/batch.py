"""Many files at once.

::

    sources → workers (``concurrency`` of them, on the network) → finisher (on the disk) → items, as each ends
"""

from __future__ import annotations

import os
import posixpath
import sys
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import anyio

from netclients.errors import (
    ConfigurationError,
    NetClientError,
    PermanentReplyError,
    RemoteFileNotFound,
    UnsupportedError,
    printable,
)
from netclients.ftp.changes import make_directories
from netclients.ftp.download import FileDownload, Verify
from netclients.ftp.paths import local_destination, local_path, named_destination, remote_path
from netclients.ftp.results import Item
from netclients.ftp.upload import FileUpload
from netclients.numbers import whole_number
from netclients.streams import Producer
from netclients.transport.rate import RateLimit
from netclients.transport.threads import in_thread
from netclients.transport.workers import Crew, Outlet, Workers

if TYPE_CHECKING:
    from collections.abc import Callable

    from netclients.ftp.context import Context
    from netclients.ftp.download import OnProgress
    from netclients.ftp.results import Download, Upload
    from netclients.transport.source import Uploadable

    Downloadable = str | tuple[str, str | os.PathLike[str]]
    BatchUploadable = str | os.PathLike[str] | tuple[Uploadable, str]

__all__ = ["BatchProducer", "Destinations", "DownloadJobs", "UploadJobs"]

T = TypeVar("T")
R = TypeVar("R")
T_contra = TypeVar("T_contra", contravariant=True)

_AHEAD = 16  # files that may wait for the disk while others use the network


class Jobs(Protocol[T_contra, R]):
    """What a batch does for each source."""

    async def run(self, source: T_contra) -> R:
        """Do the part on the network. What goes wrong is in the result."""

    async def finish(self, results: list[R]) -> list[Item]:
        """Do the rest for those that have come meanwhile, and tell how each ended."""

    def discard(self, result: R) -> None:
        """Let go of a result that nobody wants any more."""


class BatchProducer(Producer[Item], Generic[T, R]):
    """Runs ``jobs`` for every source, ``concurrency`` at a time. An item carries its own error."""

    def __init__(self, sources: Iterable[T] | AsyncIterable[T], jobs: Jobs[T, R], concurrency: int) -> None:
        concurrency = whole_number("concurrency", concurrency, 1)
        if isinstance(sources, (str, bytes)) or not isinstance(sources, (Iterable, AsyncIterable)):
            raise ConfigurationError(f"sources must be an iterable of paths, not a {type(sources).__name__}")
        self._jobs = jobs
        self._iterator: Iterator[T] | AsyncIterator[T] = (
            iter(sources) if isinstance(sources, Iterable) else aiter(sources)
        )
        self._pulling = anyio.Lock()
        self._exhausted = False
        self._results: Outlet[R] = Outlet(min(concurrency, _AHEAD))
        self._items: Outlet[Item] = Outlet(concurrency)
        self._workers = Workers(Crew(self._work, concurrency, self._results), Crew(self._finish, 1, self._items))

    async def start(self) -> None:
        """See :meth:`~netclients.streams.Producer.start`."""
        await self._workers.open()

    async def next(self) -> Item:
        """See :meth:`~netclients.streams.Producer.next`."""
        self._workers.start()
        return await self._items.get()

    async def aclose(self) -> None:
        """See :meth:`~netclients.streams.Producer.aclose`."""
        try:
            await self._workers.aclose()
        finally:
            self._discard()

    def abort(self) -> None:
        """See :meth:`~netclients.streams.Producer.abort`."""
        self._workers.cancel()
        self._discard()

    def _discard(self) -> None:
        for result in self._results.take_all():
            self._jobs.discard(result)

    async def _work(self) -> None:
        while True:
            found, source = await self._pull()
            if not found:
                return
            result = await self._jobs.run(source)
            try:
                await self._results.put(result)
            except BaseException:
                self._jobs.discard(result)
                raise

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

    async def _finish(self) -> None:
        while True:
            try:
                results = [await self._results.get()]
            except StopAsyncIteration:
                return
            results += self._results.take_all()
            try:
                items = await self._jobs.finish(results)
            except BaseException:
                for result in results:
                    self._jobs.discard(result)
                raise
            for item in items:
                await self._items.put(item)


class Destinations:
    """Where the files of one batch go, here or (``remote``) on the server: each place is given out once."""

    def __init__(self, *, remote: bool = False) -> None:
        self._taken: set[str] = set()
        self._normal = posixpath.normpath if remote else os.path.abspath
        self._ignore_case = not remote and sys.platform in ("win32", "darwin")

    def take(self, place: str) -> None:
        """Reserve ``place``.

        Raises:
            ConfigurationError: another source of this batch has it.
        """
        key = self._normal(place)
        if self._ignore_case:
            key = key.casefold()
        # NAME.part is where NAME grows: the two can't be written at the same time.
        if key in self._taken or f"{key}.part" in self._taken or key.removesuffix(".part") in self._taken:
            raise ConfigurationError(f"two sources for one destination: {printable(place)!r}")
        self._taken.add(key)


def _check_pair(source: object) -> None:
    if isinstance(source, tuple) and len(source) != 2:
        raise ConfigurationError(f"a source with a destination of its own is a pair, not {len(source)} things")


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
        self._resolve = resolve
        self._directory = directory
        self._places = Destinations()
        self._download = partial(
            FileDownload,
            context,
            resume=resume,
            verify=verify,
            progress=progress,
            limit_rate=None if limit_rate is None else RateLimit(limit_rate),
            in_batch=True,
        )

    async def run(self, source: Downloadable) -> _Fetched:
        """Fetch one file; a small one stays in memory."""
        fetched = _Fetched(str(source))
        try:
            _check_pair(source)
            name, destination = source if isinstance(source, tuple) else (source, None)
            fetched.source = str(name)
            path = self._resolve(name)
            if destination is None:
                fetched.target = local_destination(self._directory, name)
            else:
                fetched.target = named_destination(self._directory, destination)
            self._places.take(fetched.target)
            fetched.download = self._download(path, fetched.target)
            await fetched.download.fetch()
        except NetClientError as error:
            fetched.error = error
        return fetched

    async def finish(self, results: list[_Fetched]) -> list[Item]:
        """Give the files their names: all in one trip, which costs more than naming a small file does."""
        await in_thread(lambda: _commit_all(results))
        return [fetched.item() for fetched in results]

    def discard(self, result: _Fetched) -> None:
        """Close a file that did not get its name."""
        if result.download is not None:
            result.download.close()


class _Fetched:
    """A file of a batch after its transfer."""

    __slots__ = ("download", "error", "source", "target")

    def __init__(self, source: str) -> None:
        self.source: str = source
        self.target: str | None = None
        self.download: FileDownload | None = None
        self.error: NetClientError | None = None

    def commit(self) -> None:
        if self.error is None and self.download is not None:
            try:
                self.download.commit()
            except NetClientError as error:
                self.error = error

    def item(self) -> Item:
        attempts = self.download.attempts if self.download else 0
        if self.download is None or self.error is not None:
            return Item(self.source, None if self.target is None else Path(self.target), 0, attempts, self.error)
        return _item(self.source, self.download.result(), attempts)


def _item(source: str, done: Download | Upload, attempts: int) -> Item:
    return Item(
        source,
        done.path,
        done.size,
        attempts,
        seconds=done.seconds,
        resumed_from=done.resumed_from,
        verified=done.verified,
    )


def _commit_all(results: list[_Fetched]) -> None:
    for fetched in results:
        fetched.commit()


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
        self._places = Destinations(remote=True)
        self._upload = partial(
            FileUpload,
            context,
            atomic=atomic,
            resume=resume,
            progress=progress,
            limit_rate=None if limit_rate is None else RateLimit(limit_rate),
        )
        self._made: set[str] = set()
        resolve(directory)

    async def run(self, source: BatchUploadable) -> Item:
        """Upload one file; what goes wrong is in its item."""
        shown = str(source)
        target: str | None = None
        upload: FileUpload | None = None
        try:
            _check_pair(source)
            content, destination = source if isinstance(source, tuple) else (source, None)
            if isinstance(content, (str, os.PathLike)):
                content = shown = local_path(content)
            elif destination is None:
                raise ConfigurationError(f"what is no path needs a destination of its own: {type(content).__name__}")
            else:
                shown = str(destination)
            target = self._resolve(self._place(shown, destination))
            self._places.take(target)
            upload = self._upload(content, target)
            done = await self._store(upload, target)
        except NetClientError as error:
            return Item(shown, target, 0, upload.attempts if upload else 0, error)
        return _item(shown, done, upload.attempts)

    async def finish(self, results: list[Item]) -> list[Item]:
        """Nothing is left to be done."""
        return results

    def discard(self, result: Item) -> None:
        """Nothing is held."""

    def _place(self, source: str, destination: str | None) -> str:
        if destination is not None:
            target = remote_path(self._directory, destination)
            if destination.rpartition("/")[2] in ("", ".", ".."):
                raise ConfigurationError(f"{printable(destination)!r} is not the path of a file")
            return target
        local = Path(source)
        parts = local.parts[-1:] if local.is_absolute() else local.parts
        if not parts or ".." in parts:
            raise ConfigurationError(f"{printable(source)!r} can't be stored below the destination")
        return remote_path(self._directory, "/".join(parts))

    async def _store(self, upload: FileUpload, target: str) -> Upload:
        refusal = await self._make_parent(target)
        try:
            return await upload.run()
        except RemoteFileNotFound:
            if refusal is None:
                raise
            raise refusal from None

    async def _make_parent(self, target: str) -> NetClientError | None:
        """Make the directory. Where that is refused it may be there all the same, unseen: storing will tell."""
        parent, _, _ = target.rpartition("/")
        if parent and parent not in self._made:
            try:
                await make_directories(self._context, parent)
            except (PermanentReplyError, UnsupportedError) as refusal:
                return refusal
            self._made.add(parent)
        return None
