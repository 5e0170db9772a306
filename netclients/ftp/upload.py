"""One upload.

With ``atomic``, the file grows as ``NAME.part`` and gets its name by RNFR and RNTO when the server's SIZE has
confirmed it. What can be read again is continued after a failure, by APPE from the size that the server has;
a one-shot source is never repeated after its first byte.
"""

from __future__ import annotations

import posixpath
import time
from typing import TYPE_CHECKING

from netclients.errors import (
    ConfigurationError,
    ConnectionLost,
    LocalFileError,
    NetClientError,
    PermanentReplyError,
    RemoteIsADirectory,
    TruncatedTransfer,
    printable,
)
from netclients.ftp.attempts import Attempts
from netclients.ftp.changes import remove, rename
from netclients.ftp.data import open_transfer
from netclients.ftp.lookup import explain_new, find
from netclients.ftp.replies import parse_size
from netclients.ftp.results import Progress, Upload
from netclients.ftp.types import EntryKind, ServerKind
from netclients.transport.bulk import send_from
from netclients.transport.callers import CallerError
from netclients.transport.source import ByteSource, Uploadable

if TYPE_CHECKING:
    from netclients.ftp.connection import FTPConnection
    from netclients.ftp.context import Context
    from netclients.ftp.download import OnProgress
    from netclients.transport.rate import RateLimit

__all__ = ["FileUpload"]

_WORTH_A_LOOK = 1024 * 1024  # bytes above which a directory of that name is looked for first


class FileUpload:
    """One source on its way to the remote file ``path``; :meth:`run` it once. ``attempts`` counts.

    A file that grows meanwhile is sent as far as it goes, and the server must then have as much; one that ends before
    the size that it had at the start is an error, and gets no final name.
    """

    def __init__(
        self,
        context: Context,
        source: Uploadable,
        path: str,
        *,
        atomic: bool = True,
        resume: bool = False,
        verify: bool = True,
        progress: OnProgress | None = None,
        limit_rate: float | RateLimit | None = None,
    ) -> None:
        self._context = context
        self._source = ByteSource(source)
        self._path = path
        self._target = f"{path}.part" if atomic else path
        self._atomic = atomic
        self._resume = resume
        self._verify = verify
        self._progress = progress
        self._meter = context.meter(limit_rate, None if progress is None else self._report)
        self._attempts = Attempts(context, f"STOR {path}", self._meter)
        self._first_offset: int | None = None
        self._offset = 0
        self._claimed: set[str] = set()
        self._stored = False

    @property
    def attempts(self) -> int:
        """How often the transfer was tried so far."""
        return self._attempts.count

    async def run(self) -> Upload:
        """Upload.

        Raises:
            ConfigurationError: another upload of this client writes to that name.
            LocalFileError: the source can't be read, or ends too early.
            TruncatedTransfer: the server has another number of bytes than were sent.
            OutcomeUnknown: the final name was asked for, and whether it was given can't be found out.
            NetClientError: what the server or the network did.
        """
        started = time.monotonic()
        try:
            self._claim()
            await self._source.prepare()
            if self._resume and not self._source.repeatable:
                raise ConfigurationError("resume=True needs a source that can be read from the middle")
            verified = await self._send_repeatedly()
            if self._atomic:
                await self._give_name()
        except CallerError as failure:
            raise failure.error from None
        finally:
            self._attempts.release()
            self._context.uploading -= self._claimed
            await self._source.aclose()
        return Upload(
            path=self._path,
            size=self._source.pulled,
            seconds=time.monotonic() - started,
            resumed_from=self._first_offset or 0,
            verified=verified,
        )

    def _claim(self) -> None:
        """Refuse to be the second writer: the server would store a mixture, and its size would be right."""
        names = {posixpath.normpath(name) for name in (self._path, self._target)}
        if names & self._context.uploading:
            raise ConfigurationError(f"another upload to {printable(self._path)} is under way")
        self._claimed = names
        self._context.uploading |= names

    async def _give_name(self) -> None:
        try:
            await rename(self._context, self._target, self._path, replace=True)
        except RemoteIsADirectory:
            await remove(self._context, self._target)
            raise

    async def _send_repeatedly(self) -> bool:
        while True:
            try:
                return await self._send(await self._attempts.begin())
            except NetClientError as error:
                await self._recover(error)

    async def _send(self, connection: FTPConnection) -> bool:
        large = self._source.size is None or self._source.size > _WORTH_A_LOOK
        if self._atomic and self.attempts == 1 and large:
            await self._refuse_directory(connection)
        self._offset = offset = await self._offset_on_server(connection)
        if self._first_offset is None:
            self._first_offset = offset
        self._attempts.begins_at(offset)
        append = offset > 0 or (self._atomic and large and await self._quirk_flush_after_stor(connection))
        verb = connection.path_command("APPE" if append else "STOR", self._target)
        if offset == 0 or offset != self._source.size:
            self._attempts.transfer = transfer = await open_transfer(connection, verb)
            await transfer.start()
            self._stored = True
            await self._source.rewind(offset)
            try:
                await send_from(transfer.open_stream, self._source, transfer.wait_to_send, self._meter)
            except ConnectionLost:
                await transfer.hear_refusal()
                raise
            finally:
                transfer.sent = self._attempts.moved
            self._check_end()
            try:
                await transfer.finish(sending=True)
            except BaseException as error:
                if not self._atomic and not isinstance(error, Exception):
                    self._context.trace.outcome_unknown(str(verb))
                raise
        else:
            await self._source.rewind(offset)
        verified = await self._check_size(connection)
        self._attempts.release()
        return verified

    def _check_end(self) -> None:
        pulled, size = self._source.pulled, self._source.size
        if size is not None and pulled < size:
            name = printable(self._path)
            left = "" if self._atomic else f"; {name!r} on the server is incomplete"
            raise LocalFileError(f"{name}: the source ended after {pulled} of {size} bytes{left}")

    async def _refuse_directory(self, connection: FTPConnection) -> None:
        """Look before much is sent: at the end the server would refuse the name anyway."""
        try:
            entry = await find(connection, self._path)
        except PermanentReplyError:
            return
        if entry.kind is EntryKind.DIR:
            raise RemoteIsADirectory(f"STOR {self._path}", 550, "Is a directory")

    async def _quirk_flush_after_stor(self, connection: FTPConnection) -> bool:
        """Whether the file should be made by APPE: vsftpd truncates for STOR even what it has just made.

        ext4 takes that for a file being replaced, and writes all of it to the disk at close (auto_da_alloc), before
        vsftpd reads its next command: 0.2 s for 512 MiB in the page cache. Only for a file that is not there yet.
        """
        if connection.kind is not ServerKind.VSFTPD:
            return False
        reply = await connection.reply_to(connection.path_command("SIZE", self._target))
        return reply.code == 550

    async def _offset_on_server(self, connection: FTPConnection) -> int:
        """Ask how much of an earlier run or attempt the server has; 0 begins anew."""
        if not self._resume:
            return 0
        reply = await connection.reply_to(connection.path_command("SIZE", self._target))
        if reply.kind != 2:
            return 0
        size = parse_size(reply.text)
        limit = self._source.size
        return size if limit is not None and size <= limit else 0

    async def _check_size(self, connection: FTPConnection) -> bool:
        if not self._verify:
            return False
        reply = await connection.reply_to(connection.path_command("SIZE", self._target))
        if reply.kind != 2:
            return False
        size, sent = parse_size(reply.text), self._source.pulled
        if size != sent:
            raise TruncatedTransfer(
                f"{self._path}: {sent} bytes were sent, the server has {size}", expected=sent, received=size
            )
        return True

    async def _recover(self, error: NetClientError) -> None:
        connection, transfer = self._attempts.connection, self._attempts.transfer
        if transfer is not None:
            transfer.abort()
        if isinstance(error, PermanentReplyError) and connection is not None and connection.clean:
            raise await explain_new(connection, self._path, error) from None
        self._attempts.failed()
        await self._attempts.pause(error, repeatable=self._source.repeatable or not self._source.pulled)
        # What this upload has put there itself may be continued; after a wrong size, nothing there is trusted.
        if isinstance(error, TruncatedTransfer):
            self._resume = False
        elif self._stored:
            self._resume = self._atomic and self._source.repeatable

    def _report(self, _: int) -> None:
        assert self._progress is not None
        self._progress(Progress(self._path, self._offset + self._attempts.moved, self._source.size))
