"""One download: to a file that gets its name when it is complete, or to a sink.

Bytes: data connection → buffer → worker thread → ``NAME.part`` → ``NAME``; or data connection → sink.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import anyio

from netclients.errors import (
    ConfigurationError,
    LocalFileError,
    NetClientError,
    TruncatedTransfer,
    UnsupportedError,
)
from netclients.ftp.partfile import PartFile
from netclients.ftp.reading import RemoteReader
from netclients.ftp.results import Download, Progress
from netclients.numbers import whole_number
from netclients.transport.bulk import FileBuffer, receive_to_file, receive_to_sink
from netclients.transport.callers import CallerError
from netclients.transport.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from netclients.ftp.context import Context
    from netclients.transport.bulk import Sink
    from netclients.transport.rate import RateLimit

    OnProgress = Callable[[Progress], object]

__all__ = ["FileDownload", "OnProgress", "Verify", "check_options", "download_to_sink"]

Verify = Literal["size", "strict", "checksum", "none"]


def check_options(verify: Verify, segments: int = 1) -> None:
    """Refuse what is not there.

    Raises:
        ConfigurationError: no such verification, or less than one segment.
        UnsupportedError: checksums and segments, which this version does not have.
    """
    if verify not in ("size", "strict", "checksum", "none"):
        raise ConfigurationError(f"verify={verify!r}: choose size, strict, checksum or none")
    if whole_number("segments", segments, 1) > 1 or verify == "checksum":
        raise UnsupportedError("verification by checksum and segments are not available in this version")


class FileDownload:
    """One remote file on its way to ``destination``; :meth:`run` it once.

    A batch calls :meth:`fetch`, :meth:`commit` and :meth:`result` instead, and :meth:`close` if it does not come to
    that. With ``in_batch`` a small file is spared what only a large one needs: the local file is opened, written and
    named in one step at its end, the server's facts are read along with the data, and the next file's data port is
    asked for ahead. ``attempts`` counts.
    """

    def __init__(
        self,
        context: Context,
        path: str,
        destination: str,
        *,
        resume: bool = False,
        verify: Verify = "size",
        progress: OnProgress | None = None,
        limit_rate: float | RateLimit | None = None,
        in_batch: bool = False,
    ) -> None:
        self._context = context
        self._verify = verify
        self._progress = progress
        self._in_batch = in_batch and progress is None
        self._part = PartFile(destination, resume=resume)
        self._open_first = resume or not in_batch
        self._buffer = FileBuffer(lambda: context.buffer_size, self._write)
        self._started = 0.0
        self._resumed_from = 0
        self._verified = False
        meter = context.meter(limit_rate, None if progress is None else self._report)
        self._reader = RemoteReader(
            context, path, meter, restart=self._restart, verify=verify != "none", prepare_next=in_batch
        )

    @property
    def attempts(self) -> int:
        """How often the transfer was tried so far."""
        return self._reader.attempts

    async def run(self) -> Download:
        """Download.

        Raises:
            LocalFileError: the file can't be written; what has come is kept as ``NAME.part``.
            NetClientError: what the server or the network did.
        """
        await self.fetch()
        try:
            await in_thread(self.commit)
        finally:
            self.close()
        return self.result()

    def result(self) -> Download:
        """Return how it went, after :meth:`commit`."""
        return Download(
            path=Path(self._part.path),
            size=self._reader.position,
            seconds=time.monotonic() - self._started,
            resumed_from=min(self._resumed_from, self._reader.offset),
            verified=self._verified,
        )

    async def fetch(self) -> None:
        """Receive everything; what need not be written yet stays in memory. Closes the file if that fails."""
        self._started = time.monotonic()
        self._context.writing += 1
        try:
            self._resumed_from = await self._prepare()
            self._verified = await self._transfer()
            if self._verify == "strict" and not self._verified:
                raise TruncatedTransfer(f"{self._reader.path}: neither SIZE nor a TLS close alert confirms the end")
        except BaseException as error:
            self._reader.release()
            if isinstance(error, (NetClientError, anyio.get_cancelled_exc_class())):
                with anyio.CancelScope(shield=True):
                    await self._keep(error)
            self._part.discard_if_empty()
            self.close()
            if isinstance(error, CallerError):
                raise error.error from None
            raise
        finally:
            self._reader.release()
            self._context.writing -= 1

    def commit(self) -> None:
        """Write the rest and give the file its name, or close it. Blocks."""
        try:
            with self._buffer.content() as content:
                self._part.commit(content)
        except BaseException:
            self._part.discard_if_empty()
            self._part.close()
            raise

    def close(self) -> None:
        """Close the file under whatever name it has."""
        self._part.close()

    async def _prepare(self) -> int:
        if self._open_first:
            known = await in_thread(self._part.open)
            if known is not None:
                self._reader.resume_from(self._part.size, known)
        return self._reader.offset

    async def _transfer(self) -> bool:
        reader = self._reader
        while True:
            try:
                if not await reader.start(announced=not self._in_batch):
                    return reader.verify
                await receive_to_file(reader.stream, self._buffer, reader.idle, reader.meter)
                return await reader.finish()
            except NetClientError as error:
                await reader.recover(error)

    def _write(self, content: memoryview) -> None:
        self._part.open()
        if self._reader.fingerprint is not None:
            self._part.remember(self._reader.fingerprint)
        self._part.write(content)

    async def _restart(self) -> None:
        self._buffer.clear()
        await in_thread(self._part.restart)

    async def _keep(self, error: BaseException) -> None:
        """Leave a part that a later run can continue."""
        fingerprint = self._reader.fingerprint
        if isinstance(error, LocalFileError) or fingerprint is None or not self._reader.position:
            return
        try:
            await in_thread(self._buffer.write)
        except LocalFileError:
            return  # the transfer's own error is the one to be told

    def _report(self, _: int) -> None:
        assert self._progress is not None
        reader = self._reader
        self._progress(Progress(reader.path, reader.position, reader.size))


async def download_to_sink(
    context: Context,
    path: str,
    sink: Sink,
    *,
    verify: Verify = "size",
    progress: OnProgress | None = None,
    limit_rate: float | None = None,
) -> Download:
    """Pass a remote file to ``sink``, every byte once and in order.

    Raises:
        ProtocolError: the file changed between two attempts.
        NetClientError: what the server or the network did; what ``sink`` raises comes through as it is.
    """
    started = time.monotonic()

    def report(_: int) -> None:
        assert progress is not None
        progress(Progress(path, reader.position, reader.size))

    meter = context.meter(limit_rate, None if progress is None else report)
    reader = RemoteReader(context, path, meter, verify=verify != "none")
    dialer = context.settings.dialer
    try:
        while True:
            try:
                verified = reader.verify
                if await reader.start():
                    await receive_to_sink(reader.stream, sink, reader.idle, reader.meter, dialer)
                    verified = await reader.finish()
                break
            except NetClientError as error:
                await reader.recover(error)
    except CallerError as failure:
        raise failure.error from None
    finally:
        reader.release()
    if verify == "strict" and not verified:
        raise TruncatedTransfer(f"{path}: neither SIZE nor a TLS close alert confirms the end")
    return Download(
        path=None,
        size=reader.position,
        seconds=time.monotonic() - started,
        resumed_from=0,
        verified=verified,
    )
