# ruff: noqa: D102 - docstrings are those of the asynchronous twins
"""One IMAP connection for blocking code, lent by ``MailReader.connection()``: a method for each command.

What the asynchronous methods promise as a ``Pending``, these return: each waits for its reply.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeVar, Unpack

from netclients.imap.connection import IMAPConnection as AsyncIMAPConnection
from netclients.sync.calls import Desk, run_sync
from netclients.sync.client import Connection
from netclients.sync.docs import documented_like
from netclients.sync.relays import LiteralRelay
from netclients.sync.sources import lend_chunks, listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from netclients.config import Credentials
    from netclients.imap.arguments import NumberSet
    from netclients.imap.commands import Command
    from netclients.imap.connection import FetchItems, Pending
    from netclients.imap.connection.appending import Appended
    from netclients.imap.connection.messages import Sink
    from netclients.imap.connection.searching import Algorithm, Found
    from netclients.imap.search import Criterion, Keywords
    from netclients.imap.selected import Selected
    from netclients.imap.types import (
        UID,
        AppendUID,
        CopyUID,
        Expunge,
        Fetched,
        ListedMailbox,
        MailboxStatus,
        Metadata,
        Namespaces,
        Quota,
        QuotaRoot,
        Response,
        Status,
        Thread,
        Vanished,
    )

    # Within the class, list is a command.
    Listing = list[tuple[ListedMailbox, MailboxStatus | None]]
    Annotations = list[Metadata]
    Responses = list[Response]
    Messages = list[Fetched]
    Gone = list[Expunge | Vanished]

__all__ = ["IMAPConnection"]

T = TypeVar("T")


@documented_like(AsyncIMAPConnection)
class IMAPConnection(Connection[AsyncIMAPConnection]):
    """A connection that has been greeted, and logged in if there are credentials. For one thread at a time."""

    # What is known of it

    @property
    def capabilities(self) -> frozenset[str]:
        return self._twin.capabilities

    @property
    def selected(self) -> Selected | None:
        return self._twin.selected

    @property
    def welcome(self) -> str:
        """The server's greeting."""
        return self._twin.welcome

    @property
    def secured(self) -> bool:
        return self._twin.secured

    @property
    def number(self) -> int:
        """Unique within the process; log and hooks use it."""
        return self._twin.number

    @property
    def marked(self) -> bool:
        """Whether the session is not as after login, so that the connection can't be lent again."""
        return self._twin.marked

    @property
    def clean(self) -> bool:
        return run_sync(lambda: self._twin.clean)

    def has(self, *capabilities: str) -> bool:
        return self._twin.has(*capabilities)

    def require(self, *capabilities: str) -> None:
        self._twin.require(*capabilities)

    def next_untagged(self) -> Response | None:
        return run_sync(lambda: self._twin.next_untagged())

    # Session

    def capability(self) -> frozenset[str]:
        return self._run(lambda: self._twin.capability())

    def noop(self) -> None:
        self._run(lambda: self._twin.noop())

    def probe(self) -> None:
        self._run(lambda: self._twin.probe())

    def logout(self) -> None:
        self._run(lambda: self._twin.logout())

    def id(self, fields: Mapping[str, str | None] | None = None) -> Mapping[str, str | None]:
        return self._run(lambda: self._twin.id(fields))

    def enable(self, *capabilities: str) -> frozenset[str]:
        return self._run(lambda: self._twin.enable(*capabilities))

    def starttls(self) -> frozenset[str]:
        return self._run(lambda: self._twin.starttls())

    def login(self, user: str, password: str) -> None:
        self._run(lambda: self._twin.login(user, password))

    def authenticate(self, credentials: Credentials, *, mechanisms: Sequence[str] | None = None) -> None:
        self._run(lambda: self._twin.authenticate(credentials, mechanisms=mechanisms))

    def unauthenticate(self) -> None:
        self._run(lambda: self._twin.unauthenticate())

    def compress(self) -> None:
        self._run(lambda: self._twin.compress())

    def idle(self, seconds: float) -> Responses:
        return self._run(lambda: self._twin.idle(seconds))

    def notify(self, events: str) -> Status:
        return self._run(lambda: self._twin.notify(events))

    def command(self, verb: str, *words: str) -> tuple[Status, Responses]:
        return self._run(lambda: self._twin.command(verb, *words))

    def reply_to(self, sent: Command) -> Status:
        return self._run(lambda: self._twin.reply_to(sent))

    def expect(self, sent: Command) -> Status:
        return self._run(lambda: self._twin.expect(sent))

    # Mailboxes

    def select(
        self,
        mailbox: str | bytes,
        *,
        readonly: bool = False,
        condstore: bool = False,
        qresync: tuple[int, int] | tuple[int, int, NumberSet] | None = None,
    ) -> Selected:
        return self._run(lambda: self._twin.select(mailbox, readonly=readonly, condstore=condstore, qresync=qresync))

    def unselect(self) -> None:
        self._run(lambda: self._twin.unselect())

    def close_mailbox(self) -> None:
        self._run(lambda: self._twin.close_mailbox())

    def check(self) -> None:
        self._run(lambda: self._twin.check())

    def create(self, mailbox: str | bytes, *, special_use: str | None = None) -> Status:
        return self._run(lambda: self._twin.create(mailbox, special_use=special_use))

    def delete(self, mailbox: str | bytes) -> None:
        self._run(lambda: self._twin.delete(mailbox))

    def rename(self, old: str | bytes, new: str | bytes) -> None:
        self._run(lambda: self._twin.rename(old, new))

    def subscribe(self, mailbox: str | bytes) -> None:
        self._run(lambda: self._twin.subscribe(mailbox))

    def unsubscribe(self, mailbox: str | bytes) -> None:
        self._run(lambda: self._twin.unsubscribe(mailbox))

    def list(
        self,
        pattern: str | Iterable[str] = "*",
        *,
        reference: str = "",
        select: Iterable[str] = (),
        returns: Iterable[str] = (),
        status: Iterable[str] = (),
    ) -> Listing:
        patterns, selects, wanted, items = listed(pattern), listed(select), listed(returns), listed(status)
        return self._run(
            lambda: self._twin.list(patterns, reference=reference, select=selects, returns=wanted, status=items)
        )

    def lsub(self, pattern: str = "*", *, reference: str = "") -> Listing:
        return self._run(lambda: self._twin.lsub(pattern, reference=reference))

    def namespace(self) -> Namespaces:
        return self._run(lambda: self._twin.namespace())

    def status(self, mailbox: str | bytes, items: Iterable[str] = ("MESSAGES",)) -> MailboxStatus:
        wanted = listed(items)
        return self._run(lambda: self._twin.status(mailbox, wanted))

    def getquota(self, root: str) -> Quota:
        return self._run(lambda: self._twin.getquota(root))

    def getquotaroot(self, mailbox: str | bytes) -> tuple[QuotaRoot | None, tuple[Quota, ...]]:
        return self._run(lambda: self._twin.getquotaroot(mailbox))

    def setquota(self, root: str, limits: Mapping[str, int]) -> Quota | None:
        return self._run(lambda: self._twin.setquota(root, limits))

    def getmetadata(self, mailbox: str | bytes, entries: Iterable[str]) -> Annotations:
        names = listed(entries)
        return self._run(lambda: self._twin.getmetadata(mailbox, names))

    def setmetadata(self, mailbox: str | bytes, entries: Mapping[str, str | bytes | None]) -> None:
        self._run(lambda: self._twin.setmetadata(mailbox, entries))

    # Messages

    def fetch(
        self,
        numbers: NumberSet,
        *,
        changed_since: int | None = None,
        sink: Sink | None = None,
        **items: Unpack[FetchItems],
    ) -> Messages:
        which = listed(numbers)
        return self._fetch(lambda sink: self._twin.fetch(which, changed_since=changed_since, sink=sink, **items), sink)

    def uid_fetch(
        self,
        uids: NumberSet,
        *,
        changed_since: int | None = None,
        vanished: bool = False,
        sink: Sink | None = None,
        **items: Unpack[FetchItems],
    ) -> Messages:
        which = listed(uids)
        return self._fetch(
            lambda sink: self._twin.uid_fetch(
                which, changed_since=changed_since, vanished=vanished, sink=sink, **items
            ),
            sink,
        )

    def _fetch(self, begin: Callable[[Sink | None], Pending[Messages]], sink: Sink | None) -> Messages:
        if sink is None:
            return self._run(lambda: begin(None))
        desk = Desk()
        relay = LiteralRelay(desk, sink)

        async def fetch() -> Messages:
            pending = begin(relay)
            # The parser hands over what has been received: nothing more is, while the caller has much of it.
            timeout, phase = self._twin.settings.timeouts.reply, "reply"
            await self._twin.flush()
            while pending._ticket.reply is None and not self._twin.protocol.ended:
                await relay.room()
                await self._twin.receive(timeout, phase)
                await self._twin.flush()
                timeout, phase = self._twin.settings.timeouts.stall, "stall"
            return await pending

        return self._run(fetch, desk)

    def uid_fetch_piece(self, uid: UID, section: str, offset: int, count: int) -> bytes | None:
        return self._run(lambda: self._twin.uid_fetch_piece(uid, section, offset, count))

    def store(
        self,
        numbers: NumberSet,
        flags: Iterable[str],
        *,
        how: Literal["+", "-", ""] = "+",
        silent: bool = True,
        unchanged_since: int | None = None,
    ) -> tuple[Messages, str]:
        which, names = listed(numbers), listed(flags)
        return self._run(
            lambda: self._twin.store(which, names, how=how, silent=silent, unchanged_since=unchanged_since)
        )

    def uid_store(
        self,
        uids: NumberSet,
        flags: Iterable[str],
        *,
        how: Literal["+", "-", ""] = "+",
        silent: bool = True,
        unchanged_since: int | None = None,
    ) -> tuple[Messages, str]:
        which, names = listed(uids), listed(flags)
        return self._run(
            lambda: self._twin.uid_store(which, names, how=how, silent=silent, unchanged_since=unchanged_since)
        )

    def copy(self, numbers: NumberSet, mailbox: str | bytes) -> CopyUID | None:
        which = listed(numbers)
        return self._run(lambda: self._twin.copy(which, mailbox))

    def uid_copy(self, uids: NumberSet, mailbox: str | bytes) -> CopyUID | None:
        which = listed(uids)
        return self._run(lambda: self._twin.uid_copy(which, mailbox))

    def move(self, numbers: NumberSet, mailbox: str | bytes) -> CopyUID | None:
        which = listed(numbers)
        return self._run(lambda: self._twin.move(which, mailbox))

    def uid_move(self, uids: NumberSet, mailbox: str | bytes) -> CopyUID | None:
        which = listed(uids)
        return self._run(lambda: self._twin.uid_move(which, mailbox))

    def expunge(self) -> Gone:
        return self._run(lambda: self._twin.expunge())

    def uid_expunge(self, uids: NumberSet) -> Gone:
        which = listed(uids)
        return self._run(lambda: self._twin.uid_expunge(which))

    def append(self, mailbox: str | bytes, *messages: Appended) -> AppendUID | None:
        desk = Desk()
        lent = [replace(message, chunks=lend_chunks(desk, message.chunks)) for message in messages]
        return self._run(lambda: self._twin.append(mailbox, *lent), desk)

    # Searching

    def search(self, *query: Criterion | None, **keywords: Unpack[Keywords]) -> Found:
        return self._run(lambda: self._twin.search(*query, **keywords))

    def uid_search(self, *query: Criterion | None, returns: Iterable[str] = (), **keywords: Unpack[Keywords]) -> Found:
        wanted = listed(returns)
        return self._run(lambda: self._twin.uid_search(*query, returns=wanted, **keywords))

    def sort(self, keys: str | Iterable[str], *query: Criterion | None, **keywords: Unpack[Keywords]) -> Found:
        names = listed(keys)
        return self._run(lambda: self._twin.sort(names, *query, **keywords))

    def uid_sort(self, keys: str | Iterable[str], *query: Criterion | None, **keywords: Unpack[Keywords]) -> Found:
        names = listed(keys)
        return self._run(lambda: self._twin.uid_sort(names, *query, **keywords))

    def thread(
        self, algorithm: Algorithm = "REFERENCES", *query: Criterion | None, **keywords: Unpack[Keywords]
    ) -> tuple[Thread, ...]:
        return self._run(lambda: self._twin.thread(algorithm, *query, **keywords))

    def uid_thread(
        self, algorithm: Algorithm = "REFERENCES", *query: Criterion | None, **keywords: Unpack[Keywords]
    ) -> tuple[Thread, ...]:
        return self._run(lambda: self._twin.uid_thread(algorithm, *query, **keywords))

    # Its end

    def close(self, reason: str) -> None:
        run_sync(lambda: self._twin.close(reason))

    def abort(self, reason: str) -> None:
        run_sync(lambda: self._twin.abort(reason))
