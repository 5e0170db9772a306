"""Listings as a client's job: over a connection from the pool, begun again while nothing has been delivered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netclients.errors import NetClientError, PermanentReplyError
from netclients.ftp.directory import Listing
from netclients.ftp.lines import LineProducer
from netclients.ftp.lookup import explain
from netclients.retry import Schedule
from netclients.streams import Producer, Stream

if TYPE_CHECKING:
    from netclients.ftp.context import Context
    from netclients.ftp.data import Transfer
    from netclients.ftp.types import Entry

__all__ = ["scan"]


def scan(context: Context, path: str, shown: str, *, owner: object) -> Stream[Entry]:
    """Return the entries of ``path``; ``shown`` is the directory as their own paths begin.

    ``owner``, the client, lives as long as the stream: one that is dropped closes its connections.
    """
    return Stream(_Scan(context, path, shown, owner))


class _Scan(Producer["Entry"]):
    def __init__(self, context: Context, path: str, shown: str, owner: object) -> None:
        self._owner = owner
        self._context = context
        self._path = path
        self._listing = Listing(path, shown)
        self._schedule: Schedule | None = None
        self._lines = self._fresh()
        self._delivered = False

    def _fresh(self) -> LineProducer[Entry]:
        return LineProducer(self._open, self._listing.parse, self._context.pool.release)

    async def _open(self) -> Transfer:
        pool = self._context.pool
        connection = await pool.acquire()
        try:
            return await self._listing.begin(connection)
        except PermanentReplyError as error:
            try:
                raise await explain(connection, self._path, error, directory=True) from None
            finally:
                pool.release(connection)
        except BaseException:
            pool.release(connection)
            raise

    async def next(self) -> Entry:
        """See :meth:`~netclients.streams.Producer.next`."""
        while True:
            try:
                entry = await self._lines.next()
            except NetClientError as error:
                if self._delivered:
                    raise
                self._lines.abort()
                await self._pause(error)
                self._lines = self._fresh()
            else:
                self._delivered = True
                return entry

    async def _pause(self, error: NetClientError) -> None:
        if self._schedule is None:
            context = self._context
            self._schedule = Schedule(context.policy, f"list {self._path}", context.trace)
        await self._schedule.pause(error)

    async def aclose(self) -> None:
        """See :meth:`~netclients.streams.Producer.aclose`."""
        await self._lines.aclose()

    def abort(self) -> None:
        """See :meth:`~netclients.streams.Producer.abort`."""
        self._lines.abort()
