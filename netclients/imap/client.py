"""IMAP's side of ``MailReader``: a pool whose connections remember which mailbox they have open, and whole jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from netclients.client import Client, Lease
from netclients.config import OAuth
from netclients.errors import NetClientError
from netclients.imap.connection import IMAPConnection
from netclients.imap.listing import ListProducer, MailboxInfo
from netclients.imap.login import connect
from netclients.imap.mailbox import Mailbox
from netclients.pool import Pool
from netclients.retry import RetryPolicy, Schedule
from netclients.streams import Stream

if TYPE_CHECKING:
    from netclients.config import PoolLimits
    from netclients.imap.types import Namespaces, Quota
    from netclients.settings import Settings

__all__ = ["Context", "IMAPClient"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """One client's means."""

    pool: Pool[IMAPConnection]
    settings: Settings
    policy: RetryPolicy

    async def acquire(self, mailbox: str | None) -> IMAPConnection:
        """Return a connection, one that has this mailbox (None: none) open if there is one idle."""
        return await self.pool.acquire(lambda connection: _open_in(connection) == mailbox)

    async def acquire_bare(self) -> IMAPConnection:
        """Return a connection that stands as after login: no mailbox is open."""
        while True:
            connection = await self.acquire(None)
            bare = connection.selected is None
            try:
                if not bare and connection.has("UNSELECT", "IMAP4REV2"):
                    await connection.unselect()
                    bare = True
                elif not bare:
                    connection.close("a mailbox is open")  # CLOSE would expunge
            except NetClientError as error:
                connection.abort(type(error).__name__)
            finally:
                if not bare:
                    self.pool.release(connection)
            if bare:
                return connection


def _open_in(connection: IMAPConnection) -> str | None:
    return None if connection.selected is None else connection.selected.name


class IMAPClient:
    """What ``MailReader`` does over IMAP."""

    def __init__(self, settings: Settings, policy: RetryPolicy, limits: PoolLimits, *, compress: bool) -> None:
        self._compress = compress
        # A token that was refused is not the next one.
        remember = not isinstance(settings.credentials, OAuth)
        self.pool: Pool[IMAPConnection] = Pool(
            self._connect, limits, settings.timeouts.pool, settings.trace, remember_refusals=remember
        )
        self._context = Context(self.pool, settings, policy)

    async def _connect(self) -> IMAPConnection:
        return await connect(self._context.settings, compress=self._compress)

    def mailbox(self, name: str, *, readonly: bool) -> Mailbox:
        """See :meth:`MailReader.mailbox`."""
        return Mailbox(self._context, name, readonly=readonly)

    def connection(self, owner: Client[IMAPConnection]) -> Lease[IMAPConnection]:
        """See :meth:`~netclients.client.Client.connection`."""
        return _BareLease(owner, self._context)

    async def run(self, what: str, call: Callable[[IMAPConnection], Awaitable[T]], *, bare: bool = False) -> T:
        """Do something that needs no mailbox; once more if the network or the server fails for the moment.

        What must not be done twice is safe: if it may have been done, its error is ``OutcomeUnknown``. ``bare``: no
        mailbox must be open.
        """
        schedule = Schedule(self._context.policy, what, self._context.settings.trace)
        while True:
            try:
                connection = await (self._context.acquire_bare() if bare else self._context.acquire(None))
                try:
                    return await call(connection)
                finally:
                    self.pool.release(connection)
            except NetClientError as error:
                await schedule.pause(error)

    # Mailboxes

    def list_mailboxes(
        self, pattern: str | Iterable[str], *, subscribed: bool, status: Iterable[str]
    ) -> Stream[MailboxInfo]:
        """See :meth:`MailReader.list_mailboxes`."""
        items = (status,) if isinstance(status, str) else tuple(status)
        return Stream(ListProducer(self, pattern, subscribed=subscribed, status=items))

    async def create(self, name: str, *, special_use: str | None) -> None:
        """See :meth:`MailReader.create_mailbox`."""
        await self.run("create", lambda connection: connection.create(name, special_use=special_use))

    async def rename(self, old: str, new: str) -> None:
        """See :meth:`MailReader.rename_mailbox`."""
        self._forget(old)
        await self.run("rename", lambda connection: connection.rename(old, new), bare=True)

    async def delete(self, name: str) -> None:
        """See :meth:`MailReader.delete_mailbox`."""
        self._forget(name)
        await self.run("delete", lambda connection: connection.delete(name), bare=True)

    def _forget(self, mailbox: str) -> None:
        """What has this name, or a name below it, will be another mailbox: no connection may go on with it."""
        self.pool.close_idle(
            lambda connection: (_open_in(connection) or "").startswith(mailbox), f"{mailbox} is removed or renamed"
        )

    async def subscribe(self, name: str, *, on: bool) -> None:
        """See :meth:`MailReader.subscribe`."""
        await self.run(
            "subscribe", lambda connection: connection.subscribe(name) if on else connection.unsubscribe(name)
        )

    async def namespaces(self) -> Namespaces:
        """See :meth:`MailReader.namespaces`."""
        return await self.run("namespace", lambda connection: connection.namespace())

    async def quota(self, mailbox: str) -> tuple[Quota, ...]:
        """See :meth:`MailReader.quota`."""
        _, quotas = await self.run("quota", lambda connection: connection.getquotaroot(mailbox))
        return quotas


class _BareLease(Lease[IMAPConnection]):
    """Lends a connection as it is after login: no mailbox open."""

    def __init__(self, client: Client[IMAPConnection], context: Context) -> None:
        super().__init__(client, context.pool)
        self._context = context

    async def __aenter__(self) -> IMAPConnection:
        self._connection = await self._context.acquire_bare()
        return self._connection

    async def __aexit__(self, *reason: object) -> None:
        if self._connection is not None and self._connection.selected is not None:
            self._connection.mark()  # whoever opened it may have changed more than that
        await super().__aexit__(None, None, None)
