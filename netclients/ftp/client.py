"""``FTPClient``: whole jobs over pooled connections, repeated where that is safe.

::

    client method → job (download, upload, listing, change) → pool → FTPConnection → server

A relative path is relative to the directory of the client's URL, an absolute one is the server's. Every method
may be cancelled at any time; errors are those of :mod:`netclients.errors`. Jobs other than a single download are
imported by the methods that run them: a program that imports the client pays for what it uses.
"""

from __future__ import annotations

import codecs
import os
from collections.abc import AsyncIterable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from netclients.client import Client
from netclients.config import Bounds, Login, PoolLimits, Timeouts, TLSMode
from netclients.errors import (
    ConfigurationError,
    ProtocolError,
    RemoteFileNotFound,
    printable,
)
from netclients.ftp.connection import FTPConnection
from netclients.ftp.context import Context
from netclients.ftp.download import FileDownload, Verify, check_options, download_to_sink
from netclients.ftp.login import connect
from netclients.ftp.paths import local_file, local_path, remote_path
from netclients.ftp.results import Download, Item, Upload
from netclients.ftp.settings import Learned, Settings
from netclients.ftp.types import Entry
from netclients.pool import Pool
from netclients.retry import RetryPolicy, retrying
from netclients.settings import common_settings, endpoint_of
from netclients.streams import Stream
from netclients.transport.rate import RateLimit
from netclients.wire import arguments

if TYPE_CHECKING:
    import ssl

    from netclients.config import Endpoint
    from netclients.events import Events
    from netclients.ftp.batch import BatchUploadable, Downloadable
    from netclients.ftp.download import OnProgress
    from netclients.ftp.remote_file import RemoteFile
    from netclients.transport.bulk import Sink
    from netclients.transport.source import Uploadable

__all__ = ["FTPClient"]

_ANONYMOUS = Login("anonymous", "anonymous@")


class FTPClient(Client[FTPConnection]):
    """A client for one FTP server.

    Args:
        url: ``ftp://``, ``ftps://`` (TLS from the first byte) or ``ftpes://`` (TLS by AUTH TLS, always), with user,
            password and directory as wanted; or an :class:`Endpoint`. Plain ``ftp://`` means AUTH TLS as soon as
            there are credentials or an ``ssl_context``.
        auth: credentials instead of the URL's: a :class:`Login` or ``(user, password)``. None at all: anonymous.
        tls: ``"implicit"``, ``"starttls"`` or ``"none"``, against what the URL means.
        ssl_context: TLS settings; by default certificates and host names are verified.
        timeouts, retry, limits, bounds: how long, how often, how many, how much.
        proxy: URL of a SOCKS or HTTP CONNECT proxy (extra ``proxy``), for data connections too.
        events: told what happens.
        limit_rate: bytes a second over all transfers of the client.
        active: the server opens the data connections (PORT, EPRT) instead of the client.
        encoding: of file names; names in another one survive, undecodable bytes as surrogates.

    Raises:
        ConfigurationError: the arguments make no sense.
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
        endpoint = endpoint_of(url, "FTPClient", "ftp")
        if active and proxy is not None:
            raise ConfigurationError("active mode does not work through a proxy")
        _check_encoding(encoding)
        login = endpoint.login if auth is None else _login(auth)
        settings = self._settings = Settings(
            **common_settings(
                endpoint,
                auth=login,
                tls=tls,
                ssl_context=ssl_context,
                timeouts=timeouts,
                bounds=bounds,
                proxy=proxy,
                events=events,
            ),
            login=login or _ANONYMOUS,
            encoding=encoding,
            active=active,
            learned=Learned(),
        )
        self._pool: Pool[FTPConnection] = Pool(
            self._connect, limits or PoolLimits(), settings.timeouts.pool, settings.trace
        )
        limit = None if limit_rate is None else RateLimit(limit_rate)
        self._context = Context(self._pool, self._settings, retry or RetryPolicy(), limit)

    async def _connect(self) -> FTPConnection:
        return await connect(self._settings)

    # Downloads

    async def download(
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
        """Download one file (RFC 959 RETR, RFC 3659 SIZE, MDTM and REST).

        To ``destination``, where it appears when it is complete and grows as ``NAME.part`` until then; missing
        directories are made. Or to ``sink``, which is called with a read-only memoryview of the next bytes, valid
        until the call (or the awaitable that it returned) is over.

        ``resume`` continues an earlier run's part if size and time on the server are still the same. ``verify``:
        ``"size"`` compares with SIZE where the server has it, ``"strict"`` demands SIZE or a TLS close alert,
        ``"none"`` compares nothing. ``progress`` is called with :class:`Progress`; ``limit_rate`` is in bytes a
        second.

        Raises:
            RemoteFileNotFound, RemotePermissionDenied, RemoteIsADirectory: where the server lets us know which.
            TruncatedTransfer: bytes are missing; the part is kept.
            LocalFileError: the local file can't be written.
            ConfigurationError: neither or both of ``destination`` and ``sink``.
        """
        check_options(verify, segments)
        path = self._file(source)
        if sink is not None:
            if destination is not None or resume:
                raise ConfigurationError("a sink takes neither a destination nor resume=True")
            return await download_to_sink(
                self._context, path, sink, verify=verify, progress=progress, limit_rate=limit_rate
            )
        if destination is None:
            raise ConfigurationError("download() needs a destination or a sink")
        job = FileDownload(
            self._context,
            path,
            local_file(destination),
            resume=resume,
            verify=verify,
            progress=progress,
            limit_rate=limit_rate,
        )
        return await job.run()

    def download_many(
        self,
        sources: Iterable[Downloadable] | AsyncIterable[Downloadable],
        destination: str | os.PathLike[str],
        *,
        concurrency: int = 8,
        resume: bool = False,
        verify: Verify = "size",
        progress: OnProgress | None = None,
        limit_rate: float | None = None,
    ) -> Stream[Item]:
        """Download many files, ``concurrency`` at a time; items come as each ends, failed ones with ``error``.

        A source keeps its path below ``destination``; of a pair, the second is its place there, or anywhere if it is
        absolute. Two sources for one place: the second fails. ``limit_rate`` is for all of them together.
        """
        from netclients.ftp.batch import BatchProducer, DownloadJobs

        check_options(verify)
        jobs = DownloadJobs(
            self._context,
            self._file,
            local_path(destination),
            resume=resume,
            verify=verify,
            progress=progress,
            limit_rate=limit_rate,
        )
        return Stream(BatchProducer(sources, jobs, concurrency))

    def open(self, path: str, mode: Literal["rb"] = "rb", *, offset: int = 0) -> RemoteFile:
        """Open a file for reading from byte ``offset``: ``async with ftp.open("f") as f: await f.read(10)``."""
        from netclients.ftp.remote_file import RemoteFile

        if mode != "rb":
            raise ConfigurationError(f"mode={mode!r}: remote files are opened as 'rb'")
        return RemoteFile(self._context, self._file(path), offset, owner=self)

    async def read_bytes(self, path: str) -> bytes:
        """Return a file's content.

        Raises:
            ProtocolError: it is larger than ``bounds.read``.
        """
        content = bytearray()
        bound = self._settings.bounds.read

        def take(view: memoryview) -> None:
            if len(content) + len(view) > bound:
                raise ProtocolError(f"{path!r} is larger than {bound} bytes (bounds.read)")
            content.extend(view)

        await download_to_sink(self._context, self._file(path), take)
        return bytes(content)

    async def read_text(self, path: str, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return a text file's content, line ends as they are. ``encoding`` and ``errors`` as for ``bytes.decode``.

        Raises:
            ConfigurationError: there is no such encoding or error handler.
            ProtocolError: the content is not in ``encoding``, or larger than ``bounds.read``.
        """
        try:
            " ".encode(encoding)
            codecs.lookup_error(errors)
        except (LookupError, TypeError, ValueError) as error:
            raise ConfigurationError(f"can't decode: {error}") from None
        content = await self.read_bytes(path)
        try:
            return content.decode(encoding, errors)
        except ValueError as error:
            raise ProtocolError(f"{printable(path)} is not in {encoding}: {error}") from error

    # Uploads

    async def upload(
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
        """Upload one file (RFC 959 STOR, APPE).

        ``source`` is a path, bytes, a binary file object (from its position on), or an (async) iterable of bytes.
        With ``atomic`` the file grows as ``NAME.part`` and is renamed when it is complete. ``resume`` continues what
        the server has of an earlier run.

        Raises:
            LocalFileError: the source can't be read.
            TruncatedTransfer: the server has another number of bytes than were sent.
            OutcomeUnknown: whether the last step took effect could not be found out.
        """
        from netclients.ftp.upload import FileUpload

        if verify not in ("size", "none"):
            raise ConfigurationError(f"verify={verify!r}: choose size or none")
        job = FileUpload(
            self._context,
            source,
            self._file(destination),
            atomic=atomic,
            resume=resume,
            verify=verify == "size",
            progress=progress,
            limit_rate=limit_rate,
        )
        return await job.run()

    def upload_many(
        self,
        sources: Iterable[BatchUploadable] | AsyncIterable[BatchUploadable],
        destination: str,
        *,
        concurrency: int = 8,
        atomic: bool = True,
        resume: bool = False,
        progress: OnProgress | None = None,
        limit_rate: float | None = None,
    ) -> Stream[Item]:
        """Upload many local files, ``concurrency`` at a time; items come as each ends.

        A relative source keeps its path below ``destination``, an absolute one its name; of a pair, whose first may be
        anything that :meth:`upload` takes, the second is its place there. Missing directories are made. Two sources
        for one place: the second fails.
        """
        from netclients.ftp.batch import BatchProducer, UploadJobs

        jobs = UploadJobs(
            self._context,
            self._path,
            destination,
            atomic=atomic,
            resume=resume,
            progress=progress,
            limit_rate=limit_rate,
        )
        return Stream(BatchProducer(sources, jobs, concurrency))

    # Names

    def scandir(self, path: str = ".") -> Stream[Entry]:
        """Iterate over a directory: MLSD (RFC 3659 section 7), or LIST as Unix servers print it.

        Each entry's ``path`` begins as ``path`` does. Once the first entry has come, a failure ends the stream.

        Raises:
            RemoteFileNotFound, RemotePermissionDenied, PermanentReplyError: no such directory, or not for us.
            ProtocolError: a line that can't be understood.
        """
        from netclients.ftp.scanning import scan

        shown = "" if path == "." else path
        return scan(self._context, self._path(path), shown, owner=self)

    async def stat(self, path: str) -> Entry:
        """Return what the server tells about one name: MLST, or SIZE and MDTM, or the parent's listing.

        Raises:
            RemoteFileNotFound, RemotePermissionDenied: where the server lets us know which.
            PermanentReplyError: where it does not.
        """
        from netclients.ftp.lookup import find

        resolved = self._path(path) or "."

        async def look() -> Entry:
            async with self.connection() as connection:
                return await find(connection, resolved)

        entry = await retrying(self._context.policy, f"stat {path}", self._settings.trace, look)
        return replace(entry, path=path)

    async def exists(self, path: str) -> bool:
        """Whether there is such a name.

        Raises:
            PermanentReplyError: the server's refusal does not tell: "permission denied" may be about a directory above.
        """
        try:
            await self.stat(path)
        except RemoteFileNotFound:
            return False
        return True

    # Changes

    async def rename(self, source: str, target: str) -> None:
        """Rename or move a file or directory (RNFR, RNTO).

        Raises:
            OutcomeUnknown: the reply was lost, and the tree does not show whether it was done.
        """
        from netclients.ftp.changes import rename

        await rename(self._context, self._name(source), self._name(target))

    async def remove(self, path: str) -> None:
        """Remove a file (DELE).

        Raises:
            OutcomeUnknown: the reply was lost, and the tree does not show whether it was done.
        """
        from netclients.ftp.changes import remove

        await remove(self._context, self._file(path))

    async def makedirs(self, path: str) -> None:
        """Make a directory and the missing ones above it (MKD). One that exists is fine."""
        from netclients.ftp.changes import make_directories

        if resolved := self._path(path):
            await make_directories(self._context, resolved)

    def _path(self, path: str) -> str:
        if not isinstance(path, str):
            raise ConfigurationError(f"a remote path is text, not {type(path).__name__}")
        resolved = remote_path(self._settings.endpoint.path, path)
        arguments.text(resolved, self._settings.encoding)
        return resolved

    def _name(self, path: str) -> str:
        if path in ("", "."):
            raise ConfigurationError(f"{path!r} names nothing")
        return self._path(path)

    def _file(self, path: str) -> str:
        resolved = self._path(path)
        if path in ("", ".") or resolved.endswith("/"):
            raise ConfigurationError(f"{path!r} is not the path of a file")
        return resolved


def _check_encoding(encoding: str) -> None:
    """Take only encodings in which ASCII is itself and any bytes can be read, if need be as surrogates."""
    try:
        sound = b"/\r\n".decode(encoding) == "/\r\n" and bytes(range(256)).decode(encoding, "surrogateescape")
    except (LookupError, TypeError, UnicodeError):
        sound = ""
    if not sound:
        raise ConfigurationError(f"encoding={encoding!r} can't be used for file names")


def _login(auth: object) -> Login:
    if isinstance(auth, Login):
        return auth
    if isinstance(auth, tuple) and len(auth) == 2:
        return Login(*auth)
    raise ConfigurationError("auth must be a Login or (user, password)")
