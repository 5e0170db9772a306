# ruff: noqa: D102 - docstrings are those of the asynchronous twin
"""``MailReader`` for blocking code: each method runs its asynchronous twin in the portal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netclients.reader import MailReader as AsyncMailReader
from netclients.sync.calls import run
from netclients.sync.client import Client, Lease
from netclients.sync.docs import documented_like
from netclients.sync.imap_connection import IMAPConnection
from netclients.sync.mailbox import Mailbox
from netclients.sync.streams import Stream

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Sequence

    from netclients.config import Bounds, Endpoint, PoolLimits, Timeouts
    from netclients.events import Events
    from netclients.imap.connection import IMAPConnection as AsyncIMAPConnection
    from netclients.imap.listing import MailboxInfo
    from netclients.imap.types import Namespaces, Quota
    from netclients.retry import RetryPolicy
    from netclients.settings import AnyTLS, Auth

__all__ = ["MailReader"]


@documented_like(AsyncMailReader)
class MailReader(Client[AsyncMailReader]):
    """Reads mail on one server, for blocking code.

    Works with ``with`` or without (then call :meth:`close`), connects when first needed, and may be used from
    any number of threads at once; an open mailbox belongs to one of them at a time. What yields UIDs, messages or
    their bytes runs in the caller's thread; a token provider runs in the background thread.
    """

    def __init__(
        self,
        url: str | Endpoint,
        *,
        auth: Auth | None = None,
        tls: AnyTLS | None = None,
        ssl_context: ssl.SSLContext | None = None,
        mechanisms: Sequence[str] | None = None,
        compress: bool = False,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        limits: PoolLimits | None = None,
        bounds: Bounds | None = None,
        proxy: str | None = None,
        events: Events | None = None,
    ) -> None:
        self._twin = AsyncMailReader(
            url,
            auth=auth,
            tls=tls,
            ssl_context=ssl_context,
            mechanisms=mechanisms,
            compress=compress,
            timeouts=timeouts,
            retry=retry,
            limits=limits,
            bounds=bounds,
            proxy=proxy,
            events=events,
        )

    def mailbox(self, name: str | None = None, *, readonly: bool = False) -> Mailbox:
        return Mailbox(self._twin.mailbox(name, readonly=readonly), owner=self)

    def connection(self) -> Lease[AsyncIMAPConnection, IMAPConnection]:
        return Lease(self, self._twin.connection(), lambda twin, owner: IMAPConnection(twin, owner=owner))

    def list_mailboxes(
        self, pattern: str | Iterable[str] = "*", *, subscribed: bool = False, status: Iterable[str] = ()
    ) -> Stream[MailboxInfo]:
        return Stream(self._twin.list_mailboxes(pattern, subscribed=subscribed, status=status), owner=self)

    def special_mailbox(self, use: str) -> MailboxInfo | None:
        return run(lambda: self._twin.special_mailbox(use))

    def create_mailbox(self, name: str, *, special_use: str | None = None) -> None:
        run(lambda: self._twin.create_mailbox(name, special_use=special_use))

    def rename_mailbox(self, old: str, new: str) -> None:
        run(lambda: self._twin.rename_mailbox(old, new))

    def delete_mailbox(self, name: str) -> None:
        run(lambda: self._twin.delete_mailbox(name))

    def subscribe(self, name: str, *, on: bool = True) -> None:
        run(lambda: self._twin.subscribe(name, on=on))

    def namespaces(self) -> Namespaces:
        return run(lambda: self._twin.namespaces())

    def quota(self, mailbox: str = "INBOX") -> tuple[Quota, ...]:
        return run(lambda: self._twin.quota(mailbox))
