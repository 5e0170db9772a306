"""An open maildrop of ``MailReader``: the verbs of a mailbox, as far as POP3 has them.

::

    delete → remembered …… commit, or the block's good end → DELE, DELE, … → QUIT
                           exception, cancellation         → the connection is closed: nothing was said

A session sees the messages that were there at its login. If its connection is lost, the maildrop is opened over another
one, messages are found again by their unique-ids, and what reads goes on. DELE is not sent before all is decided: there
are servers that delete when a connection just ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Self, TypeVar

from netclients.errors import (
    ConfigurationError,
    NetClientError,
    OutcomeUnknown,
    PhaseTimeout,
    ProtocolError,
    TransportError,
    UnsupportedError,
    printable,
)
from netclients.mail.parsed import parse
from netclients.mail.reading import UID
from netclients.pop3.contents import changes_since, gone, read_contents
from netclients.pop3.reading import InfoProducer, PieceProducer, ReadProducer, too_large
from netclients.retry import Schedule
from netclients.streams import Stream
from netclients.transport.threads import in_thread

if TYPE_CHECKING:
    from email.message import EmailMessage
    from types import TracebackType

    from netclients.mail.reading import MessageInfo
    from netclients.mail.received import Received
    from netclients.pop3.connection import POP3Connection
    from netclients.pop3.contents import Contents, Entry
    from netclients.pop3.settings import Settings
    from netclients.pop3.types import Changes
    from netclients.retry import RetryPolicy

__all__ = ["Maildrop", "SomeUIDs"]

T = TypeVar("T")

SomeUIDs = str | Iterable[str]
"""One unique-id, or several."""

_ENDS = (TransportError, PhaseTimeout, ProtocolError, OutcomeUnknown)  # what a connection is of no more use after
_SMALL = 1024 * 1024  # bytes that are parsed without leaving the event loop


class Maildrop:
    """One maildrop, for the length of an ``async with``. Not for several tasks at once.

    ``connect`` opens a connection that is logged in. Messages are named by their unique-ids; where the server has
    none, by their numbers, as text, and then only until the connection ends.

    All methods may raise :class:`~netclients.errors.ReplyError` when the server refuses.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[POP3Connection]], settings: Settings, policy: RetryPolicy
    ) -> None:
        self._connect = connect
        self._settings = settings
        self._policy = policy
        self._connection: POP3Connection | None = None
        self._contents: Contents | None = None
        self._marked: dict[UID, None] = {}
        self._over = False
        self.streaming: PieceProducer | None = None

    # What there is

    @property
    def contents(self) -> Contents:
        """The messages of the newest session."""
        if self._contents is None:
            raise ConfigurationError("the maildrop is not open: async with reader.mailbox() opens it")
        return self._contents

    @property
    def exists(self) -> int:
        """How many messages it has, without those that are to be deleted."""
        return len(self._kept())

    @property
    def total_size(self) -> int:
        """Their size in bytes."""
        return sum(entry.size for entry in self._kept())

    @property
    def to_be_deleted(self) -> tuple[UID, ...]:
        """What :meth:`delete` was told, and is not committed."""
        return tuple(self._marked)

    def _kept(self) -> list[Entry]:
        return [entry for entry in self.contents.entries.values() if entry.uid not in self._marked]

    def fetch(self, uids: SomeUIDs | None = None) -> Stream[MessageInfo]:
        """List messages, all by default: ``uid`` and ``size``. Those that don't exist are left out."""
        return Stream(InfoProducer(self, None if uids is None else _several(uids)))

    async def sync(self, state: str | None = None) -> Changes:
        """Tell what is new, and what is gone, since :attr:`Changes.state` was what ``state`` is; None: since ever.

        Raises:
            UnsupportedError: the server has no unique-ids.
            ConfigurationError: ``state`` is none.
        """

        async def compare(_: POP3Connection) -> Changes:
            if not self.contents.lasting:
                raise UnsupportedError("the server has no UIDL: messages can't be told apart across sessions")
            return changes_since(state, self.contents)

        return await self.run("sync", compare)

    # Reading

    async def read(self, uid: str) -> EmailMessage:
        """Read one message of at most ``Bounds.read`` bytes. The server is not told that it was read.

        Raises:
            PermanentReplyError: there is none of that name.
            ProtocolError: it is larger.
        """
        [name] = _several(uid)
        raw = await self.run("read", lambda connection: self._retr(connection, name))
        return parse((raw,)) if len(raw) < _SMALL else await in_thread(lambda: parse((raw,)))

    async def _retr(self, connection: POP3Connection, uid: UID) -> bytes:
        self.must_be_free()
        entry = self.contents.find(uid)
        if entry is None:
            raise gone(uid)
        if entry.size > self.read_limit:
            raise too_large(entry.size, self.read_limit)
        return await connection.retr(entry.number)

    def read_many(self, uids: SomeUIDs | None = None) -> Stream[Received]:
        """Read messages, all by default, in the order given; pipelined, a window of them in memory.

        One that can't be had has its ``error``; other commands may be given meanwhile.
        """
        return Stream(ReadProducer(self, None if uids is None else _several(uids)))

    def stream(self, uid: str) -> Stream[bytes]:
        """Read one message of any size in pieces, as it is.

        Leaving it before its end closes the connection, for the rest would have to be read; the next command opens
        another one.

        Raises:
            PermanentReplyError: there is none of that name.
        """
        [name] = _several(uid)
        return Stream(PieceProducer(self, name))

    # Deleting

    async def delete(self, uids: SomeUIDs) -> None:
        """Name messages that are to be deleted: by :meth:`commit`, or when the block ends well; all of them or none.

        Raises:
            PermanentReplyError: one does not exist.
            UnsupportedError: the server has given the same unique-id to several messages.
        """
        named = _several(uids)

        async def check(_: POP3Connection) -> None:
            for uid in named:
                if self.contents.only(uid) is None:
                    raise gone(uid)

        await self.run("delete", check)
        self._marked.update(dict.fromkeys(named))

    def undelete(self) -> None:
        """Forget what :meth:`delete` was told since the last commit."""
        self._marked.clear()

    async def commit(self) -> None:
        """Delete what :meth:`delete` was told, now: DELE and QUIT. What comes next opens the maildrop anew.

        If the connection is lost before QUIT was sent, nothing is deleted, and all of it is done again.

        Raises:
            OutcomeUnknown: the reply to QUIT was lost: the messages are gone, or they are not.
            ReplyError: the server refuses one of them, and none is deleted; or it refuses QUIT, and some may be.
            UnsupportedError: after a reconnect, the server has given the same unique-id to several messages.
        """
        if self._marked:
            await self.run("delete", self._commit)

    async def _commit(self, connection: POP3Connection) -> None:
        self.must_be_free()
        # What is not there any more after a reconnect has been deleted by somebody else, or by a QUIT of ours.
        found = [self.contents.only(uid) for uid in self._marked]
        numbers = [entry.number for entry in found if entry is not None]
        window = connection.settings.window
        try:
            for start in range(0, len(numbers), window):
                tickets = [connection.submit_dele(number) for number in numbers[start : start + window]]
                for ticket in tickets:
                    connection.judge(ticket.command, await connection.answer(ticket))
            await connection.quit()
        finally:
            # Whatever has gone wrong: without QUIT, the server forgets what it was told.
            self._let_go("committed" if not connection.deleted else "not committed")
        self._marked.clear()

    # The connection

    @property
    def read_limit(self) -> int:
        """Bytes of the largest message that is kept in memory."""
        return self._settings.bounds.read

    async def entries(self, uids: Iterable[UID] | None) -> list[Entry]:
        """Return the messages of that name, or all that are not to be deleted."""

        async def find(_: POP3Connection) -> list[Entry]:
            if uids is None:
                return self._kept()
            return [entry for uid in uids if (entry := self.contents.find(uid)) is not None]

        return await self.run("fetch", find)

    async def named(self, uids: Iterable[UID] | None) -> list[tuple[UID, int]]:
        """Return ``uids``, or those of all messages that are not to be deleted, each with its place among its like."""
        if uids is not None:
            return [(uid, 0) for uid in uids]
        return [(entry.uid, self.contents.place(entry)) for entry in await self.entries(None)]

    def must_be_free(self, producer: object = None) -> None:
        """Check that no message is being streamed over the connection, but for ``producer``'s own.

        Raises:
            ConfigurationError: one is, and would have to be kept in memory.
        """
        if self.streaming is not None and self.streaming is not producer:
            raise ConfigurationError("a message is being streamed over the maildrop's only connection: read it first")

    async def run(self, what: str, call: Callable[[POP3Connection], Awaitable[T]], *, repeatable: bool = True) -> T:
        """Do something over the connection; if that is lost, or the server has no time, once more over another."""
        schedule = Schedule(self._policy, f"{what} in the maildrop", self._settings.trace)
        while True:
            try:
                return await call(await self._ready())
            except NetClientError as error:
                lost = isinstance(error, _ENDS)
                if lost:
                    self._let_go(type(error).__name__)
                    repeatable = repeatable and (self._contents is None or self._contents.lasting)
                await schedule.pause(error, repeatable=repeatable)
            except BaseException as error:
                self._let_go(type(error).__name__)
                raise

    async def _ready(self) -> POP3Connection:
        if self._over:
            raise ConfigurationError("the maildrop was closed")
        if self._connection is not None:
            return self._connection
        before = self._contents
        if before is not None and not before.lasting:
            raise UnsupportedError("the connection has ended, and without UIDL nobody knows which message is which")
        connection = await self._connect()
        try:
            contents = await read_contents(connection)
            if before is not None and not contents.lasting:
                raise UnsupportedError("the server has no UIDL any more")
        except BaseException as error:
            connection.abort(type(error).__name__)
            raise
        self._contents = contents
        self._connection = connection
        return connection

    def _let_go(self, reason: str) -> None:
        connection, self._connection = self._connection, None
        self.streaming = None
        if connection is not None:
            connection.abort(reason)

    def abandon(self, connection: POP3Connection) -> None:
        """A message on this connection is wanted no more. It is read to its end only if there is no other way."""
        if connection is self._connection and self.contents.lasting:
            self._let_go("left amid a message")

    async def __aenter__(self) -> Self:
        await self.run("open", _nothing)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.streaming is not None:
                self.streaming.abort()
            if kind is None:
                await self.commit()
                if self._connection is not None:
                    await self._connection.quit()
        finally:
            self._over = True
            self._let_go("left" if kind is None else f"left by {kind.__name__}")


async def _nothing(_: POP3Connection) -> None:
    """Only open the maildrop."""


def _several(uids: object) -> list[UID]:
    """Return unique-ids, each once.

    Raises:
        ConfigurationError: they are none.
    """
    named = [uids] if isinstance(uids, str) else list(uids) if isinstance(uids, Iterable) else [uids]
    for uid in named:
        if not isinstance(uid, str) or not uid:
            raise ConfigurationError(f"{printable(repr(uid))} is not the unique-id of a message")
    return [UID(uid) for uid in dict.fromkeys(named)]
