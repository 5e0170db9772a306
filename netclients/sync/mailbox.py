# ruff: noqa: D102 - docstrings are those of the asynchronous twin
"""An open mailbox for blocking code.

Its streams read ahead in the portal, over the connection that its other methods use: whatever speaks with the server
has its turn. Between two turns of a stream nothing of its is left half-read, so that commands may be given in a loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, Self, TypeVar, Unpack

from netclients.imap.mailbox import Mailbox as AsyncMailbox
from netclients.streams import Producer
from netclients.streams import Stream as AsyncStream
from netclients.sync.calls import run
from netclients.sync.docs import documented_like
from netclients.sync.portal import portal
from netclients.sync.sources import listed
from netclients.sync.streams import Stream

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable
    from datetime import datetime
    from email.message import EmailMessage
    from pathlib import Path
    from types import TracebackType

    from netclients.imap.arguments import NumberSet
    from netclients.imap.connection import FetchItems
    from netclients.imap.connection.searching import Algorithm
    from netclients.imap.search import Criterion, Keywords
    from netclients.imap.transfers import Copied, Deleted, Moved
    from netclients.imap.types import Thread
    from netclients.imap.uploads import Uploadable
    from netclients.mail.reading import UID, MessageInfo
    from netclients.mail.received import Received
    from netclients.sync.portal import Portal

__all__ = ["Mailbox"]

T = TypeVar("T")


@documented_like(AsyncMailbox)
class Mailbox:
    """One mailbox, open. Made by ``MailReader.mailbox()``; for one thread at a time.

    Messages are named by UIDs: one, several, or text such as ``"1:*"`` or ``"5,7:9"``. All methods may raise
    :class:`~netclients.errors.ReplyError` when the server refuses, and
    :class:`~netclients.errors.UIDValidityChanged` after a connection was lost.
    """

    def __init__(self, twin: AsyncMailbox, *, owner: object = None) -> None:
        self._twin = twin
        # A client that is dropped closes its connections: it must live as long as a mailbox is open.
        self._owner = owner
        self._portal: Portal | None = None
        self._turn = asyncio.Lock()

    def __enter__(self) -> Self:
        try:
            self._run(lambda: self._twin.__aenter__())
        except BaseException:
            # An interrupt may have come between the opening and this thread.
            run(lambda: self._twin.__aexit__())
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._portal is None or not self._portal.forked:  # else the connection is the parent's
            run(lambda: self._twin.__aexit__())

    def _check_process(self) -> None:
        if self._portal is None:
            self._portal = portal()
        self._portal.check_process()

    def _run(self, make: Callable[[], Awaitable[T]]) -> T:
        async def in_turn() -> T:
            async with self._turn:
                return await make()

        self._check_process()
        return run(in_turn)

    def _stream(self, twin: AsyncStream[T], weigh: Callable[[T], int]) -> Stream[T]:
        self._check_process()
        return Stream(AsyncStream(_InTurn(twin, self._turn)), owner=self, weigh=weigh)

    # What the server says of it

    @property
    def name(self) -> str:
        """Its name."""
        return self._twin.name

    @property
    def readonly(self) -> bool:
        """Whether nothing in it can be changed."""
        return self._twin.readonly

    @property
    def exists(self) -> int:
        return self._twin.exists

    @property
    def uid_validity(self) -> int:
        return self._twin.uid_validity

    @property
    def uid_next(self) -> int | None:
        return self._twin.uid_next

    @property
    def highest_modseq(self) -> int | None:
        return self._twin.highest_modseq

    @property
    def flags(self) -> tuple[str, ...]:
        return self._twin.flags

    @property
    def permanent_flags(self) -> tuple[str, ...] | None:
        return self._twin.permanent_flags

    # Finding

    def search(self, *query: Criterion | None, **keywords: Unpack[Keywords]) -> list[UID]:
        _list_numbers(keywords)
        return self._run(lambda: self._twin.search(*query, **keywords))

    def sort(self, keys: str | Iterable[str], *query: Criterion | None, **keywords: Unpack[Keywords]) -> list[UID]:
        names = listed(keys)
        _list_numbers(keywords)
        return self._run(lambda: self._twin.sort(names, *query, **keywords))

    def thread(
        self, algorithm: Algorithm = "REFERENCES", *query: Criterion | None, **keywords: Unpack[Keywords]
    ) -> tuple[Thread, ...]:
        _list_numbers(keywords)
        return self._run(lambda: self._twin.thread(algorithm, *query, **keywords))

    # Reading

    def fetch(
        self, uids: NumberSet = "1:*", *, changed_since: int | None = None, **items: Unpack[FetchItems]
    ) -> Stream[MessageInfo]:
        return self._stream(self._twin.fetch(listed(uids), changed_since=changed_since, **items), _weight_of)

    def read(self, uid: UID | int) -> EmailMessage:
        return self._run(lambda: self._twin.read(uid))

    def read_many(self, uids: NumberSet) -> Stream[Received]:
        return self._stream(self._twin.read_many(listed(uids)), lambda received: len(received.raw))

    def stream(self, uid: UID | int, part: str | None = None) -> Stream[bytes]:
        return self._stream(self._twin.stream(uid, part), len)

    def save_attachments(
        self, uid: UID | int, directory: str | os.PathLike[str], *, overwrite: bool = False
    ) -> list[Path]:
        return self._run(lambda: self._twin.save_attachments(uid, directory, overwrite=overwrite))

    # Changing

    def store(
        self,
        uids: NumberSet,
        *,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
        replace: Iterable[str] | None = None,
        unchanged_since: int | None = None,
    ) -> tuple[UID, ...]:
        which, added, removed, replaced = listed(uids), listed(add), listed(remove), listed(replace)
        return self._run(
            lambda: self._twin.store(
                which, add=added, remove=removed, replace=replaced, unchanged_since=unchanged_since
            )
        )

    def copy(self, uids: NumberSet, mailbox: str) -> Copied:
        which = listed(uids)
        return self._run(lambda: self._twin.copy(which, mailbox))

    def move(self, uids: NumberSet, mailbox: str) -> Moved:
        which = listed(uids)
        return self._run(lambda: self._twin.move(which, mailbox))

    def delete(self, uids: NumberSet) -> Deleted:
        which = listed(uids)
        return self._run(lambda: self._twin.delete(which))

    def expunge_all(self) -> None:
        self._run(lambda: self._twin.expunge_all())

    def append(self, message: Uploadable, *, flags: Iterable[str] = (), date: datetime | None = None) -> UID | None:
        names = listed(flags)
        return self._run(lambda: self._twin.append(message, flags=names, date=date))

    def append_many(
        self, messages: Iterable[Uploadable], *, flags: Iterable[str] = (), date: datetime | None = None
    ) -> list[UID | None]:
        given, names = listed(messages), listed(flags)
        return self._run(lambda: self._twin.append_many(given, flags=names, date=date))

    def refresh(self) -> None:
        self._run(lambda: self._twin.refresh())


class _InTurn(Producer[T], Generic[T]):
    """Asks a stream for each item when nobody else speaks with the server."""

    def __init__(self, twin: AsyncStream[T], turn: asyncio.Lock) -> None:
        self._twin = twin
        self._turn = turn

    async def start(self) -> None:
        """See :meth:`~netclients.streams.Producer.start`."""
        async with self._turn:
            await self._twin.__aenter__()

    async def next(self) -> T:
        """See :meth:`~netclients.streams.Producer.next`."""
        async with self._turn:
            return await self._twin.__anext__()

    async def aclose(self) -> None:
        """See :meth:`~netclients.streams.Producer.aclose`."""
        await self._twin.aclose()

    def abort(self) -> None:
        """See :meth:`~netclients.streams.Producer.abort`."""
        self._twin._abort()


def _list_numbers(keywords: Keywords) -> None:
    """Ask what yields numbers for them here, in the caller's thread."""
    if "uid" in keywords:
        keywords["uid"] = listed(keywords["uid"])
    if "number" in keywords:
        keywords["number"] = listed(keywords["number"])


def _weight_of(info: MessageInfo) -> int:
    """Return how many bytes of content came with a message."""
    return sum(len(value) for value in info._values.values() if isinstance(value, bytes))
