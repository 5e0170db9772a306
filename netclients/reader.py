"""``MailReader``: mail on a server, read over IMAP.

::

    MailReader → IMAPClient → Mailbox → IMAPConnection → server

POP3 finds its place here, with the same verbs as far as it has them: :mod:`netclients.pop3` has its maildrop.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from netclients.client import Client, Lease
from netclients.config import PoolLimits
from netclients.imap.client import IMAPClient
from netclients.imap.connection import IMAPConnection
from netclients.retry import RetryPolicy
from netclients.settings import AnyTLS, Auth, Settings, common_settings, endpoint_of

if TYPE_CHECKING:
    import ssl

    from netclients.config import Bounds, Endpoint, Timeouts
    from netclients.events import Events
    from netclients.imap.listing import MailboxInfo
    from netclients.imap.mailbox import Mailbox
    from netclients.imap.types import Namespaces, Quota
    from netclients.streams import Stream

__all__ = ["MailReader"]

_IMAP_LIMITS = PoolLimits(max_connections=4)


class MailReader(Client[IMAPConnection]):
    """Reads mail on one server.

    Args:
        url: ``imap://`` (STARTTLS as soon as there are credentials) or ``imaps://`` (TLS from the first byte), with
            user and password as wanted; or an :class:`Endpoint`. A path names the mailbox that :meth:`mailbox` opens.
        auth: credentials instead of the URL's: a :class:`Login`, ``(user, password)``, :class:`OAuth` with a token
            provider, or :class:`External`.
        tls: ``"implicit"``, ``"starttls"`` or ``"none"``, against what the URL means.
        ssl_context: TLS settings; by default certificates and host names are verified.
        mechanisms: the only SASL mechanisms that may be used; by default the strongest that the server offers.
        compress: deflate all traffic, if the server can (RFC 4978).
        timeouts, retry, limits, bounds: how long, how often, how many (4 connections), how much.
        proxy: URL of a SOCKS or HTTP CONNECT proxy (extra ``proxy``).
        events: told what happens.

    Works with ``async with`` or without (then call :meth:`aclose`), belongs to one thread, connects when first
    needed, and may be used from one event loop after another.

    Raises:
        ConfigurationError: the arguments make no sense.
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
        endpoint = endpoint_of(url, "MailReader", "imap")
        self._settings = Settings(
            **common_settings(
                endpoint,
                auth=auth,
                tls=tls,
                ssl_context=ssl_context,
                timeouts=timeouts,
                bounds=bounds,
                proxy=proxy,
                events=events,
                mechanisms=mechanisms,
            )
        )
        self._client = IMAPClient(self._settings, retry or RetryPolicy(), limits or _IMAP_LIMITS, compress=compress)
        self._pool = self._client.pool

    def mailbox(self, name: str | None = None, *, readonly: bool = False) -> Mailbox:
        """Open a mailbox for the length of a block: ``async with reader.mailbox("INBOX") as box``.

        ``name``: by default what the URL names, else INBOX. ``readonly``: nothing in it can be changed (EXAMINE). Each
        open mailbox has one of the client's connections to itself.

        Raises:
            PermanentReplyError: at the beginning of the block: there is no such mailbox.
        """
        return self._client.mailbox(name or self._settings.endpoint.path or "INBOX", readonly=readonly)

    def connection(self) -> Lease[IMAPConnection]:
        """Lend one connection, for single commands: ``async with reader.connection() as c``.

        It stands as after login: no mailbox is open. What changes its session ends its use afterwards.
        """
        return self._client.connection(self)

    def list_mailboxes(
        self, pattern: str | Iterable[str] = "*", *, subscribed: bool = False, status: Iterable[str] = ()
    ) -> Stream[MailboxInfo]:
        """List mailboxes whose names match (RFC 9051 section 6.3.9): ``%`` stops at a level, ``*`` does not.

        ``subscribed``: only those. ``status``: counts to tell of each, such as ``"MESSAGES"`` or ``"SIZE"``.
        """
        return self._client.list_mailboxes(pattern, subscribed=subscribed, status=status)

    async def special_mailbox(self, use: str) -> MailboxInfo | None:
        r"""Return the mailbox for a use, such as ``"\\Sent"`` (RFC 6154); None if none is marked so."""
        async with self.list_mailboxes("*") as mailboxes:
            async for mailbox in mailboxes:
                if mailbox.special_use is not None and mailbox.special_use.casefold() == use.casefold():
                    return mailbox
        return None

    async def create_mailbox(self, name: str, *, special_use: str | None = None) -> None:
        """Create a mailbox (RFC 9051 section 6.3.4).

        Raises:
            PermanentReplyError: it exists (``response_code`` is ``"ALREADYEXISTS"`` then, from most servers).
            OutcomeUnknown: the reply was lost.
        """
        await self._client.create(name, special_use=special_use)

    async def rename_mailbox(self, old: str, new: str) -> None:
        """Rename a mailbox and those below it (RFC 9051 section 6.3.6).

        Raises:
            PermanentReplyError, OutcomeUnknown: see :meth:`create_mailbox`.
        """
        await self._client.rename(old, new)

    async def delete_mailbox(self, name: str) -> None:
        """Delete a mailbox with all its messages (RFC 9051 section 6.3.5).

        Raises:
            PermanentReplyError: there is none, or it has others below it.
            OutcomeUnknown: the reply was lost.
        """
        await self._client.delete(name)

    async def subscribe(self, name: str, *, on: bool = True) -> None:
        """Subscribe to a mailbox, or no longer (RFC 9051 sections 6.3.7 and 6.3.8)."""
        await self._client.subscribe(name, on=on)

    async def namespaces(self) -> Namespaces:
        """Return where one's own mailboxes are, those of others, and those shared (RFC 2342).

        Raises:
            UnsupportedError: the server does not say.
        """
        return await self._client.namespaces()

    async def quota(self, mailbox: str = "INBOX") -> tuple[Quota, ...]:
        """Return the quotas that hold for a mailbox (RFC 9208).

        Raises:
            UnsupportedError: the server has none.
        """
        return await self._client.quota(mailbox)
