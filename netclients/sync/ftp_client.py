# ruff: noqa: D102 - docstrings are those of the asynchronous twin
"""``FTPClient`` for blocking code: each method runs its asynchronous twin in the portal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from netclients.ftp.client import FTPClient as AsyncFTPClient
from netclients.sync.calls import Desk, run, run_sync
from netclients.sync.client import Client, Lease
from netclients.sync.docs import documented_like
from netclients.sync.ftp_connection import FTPConnection
from netclients.sync.ftp_progress import ProgressRelay
from netclients.sync.relays import SinkRelay
from netclients.sync.remote_file import RemoteFile
from netclients.sync.sources import lend_iterable, lend_upload, lend_uploads
from netclients.sync.streams import Stream

if TYPE_CHECKING:
    import os
    import ssl
    from collections.abc import Callable, Iterable

    from netclients.config import Bounds, Endpoint, Login, PoolLimits, Timeouts, TLSMode
    from netclients.events import Events
    from netclients.ftp.batch import BatchUploadable, Downloadable
    from netclients.ftp.connection import FTPConnection as AsyncFTPConnection
    from netclients.ftp.download import OnProgress, Verify
    from netclients.ftp.results import Download, Item, Upload
    from netclients.ftp.types import Entry
    from netclients.retry import RetryPolicy
    from netclients.sync.sources import Uploadable
    from netclients.transport.bulk import Sink

__all__ = ["FTPClient"]


@documented_like(AsyncFTPClient)
class FTPClient(Client[AsyncFTPClient]):
    """A client for one FTP server, for blocking code.

    Works with ``with`` or without (then call :meth:`close`), connects when first needed, and may be used from
    any number of threads at once. Sinks and progress callbacks are called in the thread that called the method,
    as is whatever reads or yields upload data. A sink gets up to 1 MiB at a time. Progress reports that come
    faster than the callback takes them are left out, except the latest of each file.
    """

    def __init__(
        self,
        url: str | Endpoint,
        *,
        auth: Login | tuple[str, str] | None = None,
        tls: TLSMode | Literal["implicit", "starttls", "none"] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        limits: PoolLimits | None = None,
        bounds: Bounds | None = None,
        proxy: str | None = None,
        events: Events | None = None,
        limit_rate: float | None = None,
        active: bool = False,
        encoding: str = "utf-8",
    ) -> None:
        self._twin = AsyncFTPClient(
            url,
            auth=auth,
            tls=tls,
            ssl_context=ssl_context,
            timeouts=timeouts,
            retry=retry,
            limits=limits,
            bounds=bounds,
            proxy=proxy,
            events=events,
            limit_rate=limit_rate,
            active=active,
            encoding=encoding,
        )

    def connection(self) -> Lease[AsyncFTPConnection, FTPConnection]:
        return Lease(self, self._twin.connection(), lambda twin, owner: FTPConnection(twin, owner=owner))

    # Downloads

    def download(
        self,
        source: str,
        destination: str | os.PathLike[str] | None = None,
        *,
        sink: Sink | None = None,
        resume: bool = False,
        segments: int = 1,
        verify: Verify = "size",
        progress: OnProgress | None = None,
        limit_rate: float | None = None,
    ) -> Download:
        desk = Desk()
        relayed = None if sink is None else SinkRelay(desk, sink)
        reports = _reports(desk, progress)
        return run(
            lambda: self._twin.download(
                source,
                destination,
                sink=relayed,
                resume=resume,
                segments=segments,
                verify=verify,
                progress=reports,
                limit_rate=limit_rate,
            ),
            desk,
        )

    def download_many(
        self,
        sources: Iterable[Downloadable],
        destination: str | os.PathLike[str],
        *,
        concurrency: int = 8,
        resume: bool = False,
        verify: Verify = "size",
        progress: OnProgress | None = None,
        limit_rate: float | None = None,
    ) -> Stream[Item]:
        desk = Desk()
        lent = lend_iterable(desk, sources)
        twin = run_sync(
            lambda: self._twin.download_many(
                lent,
                destination,
                concurrency=concurrency,
                resume=resume,
                verify=verify,
                progress=_reports(desk, progress),
                limit_rate=limit_rate,
            )
        )
        return Stream(twin, desk=desk, owner=self, room=concurrency)

    def open(self, path: str, mode: Literal["rb"] = "rb", *, offset: int = 0) -> RemoteFile:
        return RemoteFile(self._twin.open(path, mode, offset=offset), owner=self)

    def read_bytes(self, path: str) -> bytes:
        return run(lambda: self._twin.read_bytes(path))

    def read_text(self, path: str, encoding: str = "utf-8", errors: str = "strict") -> str:
        return run(lambda: self._twin.read_text(path, encoding, errors))

    # Uploads

    def upload(
        self,
        source: Uploadable,
        destination: str,
        *,
        atomic: bool = True,
        resume: bool = False,
        verify: Literal["size", "none"] = "size",
        progress: OnProgress | None = None,
        limit_rate: float | None = None,
    ) -> Upload:
        desk = Desk()
        lent = lend_upload(desk, source)
        reports = _reports(desk, progress)
        return run(
            lambda: self._twin.upload(
                lent,
                destination,
                atomic=atomic,
                resume=resume,
                verify=verify,
                progress=reports,
                limit_rate=limit_rate,
            ),
            desk,
        )

    def upload_many(
        self,
        sources: Iterable[BatchUploadable],
        destination: str,
        *,
        concurrency: int = 8,
        atomic: bool = True,
        resume: bool = False,
        progress: OnProgress | None = None,
        limit_rate: float | None = None,
    ) -> Stream[Item]:
        desk = Desk()
        lent = lend_uploads(desk, sources)
        twin = run_sync(
            lambda: self._twin.upload_many(
                lent,
                destination,
                concurrency=concurrency,
                atomic=atomic,
                resume=resume,
                progress=_reports(desk, progress),
                limit_rate=limit_rate,
            )
        )
        return Stream(twin, desk=desk, owner=self, room=concurrency)

    # Names

    def scandir(self, path: str = ".") -> Stream[Entry]:
        return Stream(self._twin.scandir(path), owner=self)

    def stat(self, path: str) -> Entry:
        return run(lambda: self._twin.stat(path))

    def exists(self, path: str) -> bool:
        return run(lambda: self._twin.exists(path))

    # Changes

    def rename(self, source: str, target: str) -> None:
        run(lambda: self._twin.rename(source, target))

    def remove(self, path: str) -> None:
        run(lambda: self._twin.remove(path))

    def makedirs(self, path: str) -> None:
        run(lambda: self._twin.makedirs(path))


def _reports(desk: Desk, callback: Callable[..., object] | None) -> OnProgress | None:
    return None if callback is None else ProgressRelay(desk, callback)
