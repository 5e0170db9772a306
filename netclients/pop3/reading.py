"""Messages of a maildrop as they come: many of them, pipelined, or one in pieces."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from netclients.errors import ConnectionLost, ProtocolError, ReplyError
from netclients.mail.received import Received
from netclients.pop3 import commands
from netclients.pop3.contents import gone
from netclients.pop3.sinks import Spool
from netclients.streams import Producer

if TYPE_CHECKING:
    from netclients.mail.reading import UID, MessageInfo
    from netclients.pop3.commands import Command
    from netclients.pop3.connection import POP3Connection
    from netclients.pop3.maildrop import Maildrop
    from netclients.pop3.types import Status
    from netclients.wire.pipeline import Ticket

__all__ = ["InfoProducer", "PieceProducer", "ReadProducer"]

_Name = tuple["UID", int]  # and its place among those that have the same
_HELD_BYTES = 8 * 1024 * 1024  # of messages that are asked for ahead, by what LIST said


class InfoProducer(Producer["MessageInfo"]):
    """Yields what LIST and UIDL have said."""

    def __init__(self, box: Maildrop, uids: Iterable[UID] | None) -> None:
        self._box = box
        self._uids = uids
        self._found: deque[MessageInfo] | None = None

    async def next(self) -> MessageInfo:
        """See :meth:`~netclients.streams.Producer.next`."""
        if self._found is None:
            self._found = deque(entry.info() for entry in await self._box.entries(self._uids))
        if not self._found:
            raise StopAsyncIteration
        return self._found.popleft()

    async def aclose(self) -> None:
        """See :meth:`~netclients.streams.Producer.aclose`."""
        self.abort()

    def abort(self) -> None:
        """See :meth:`~netclients.streams.Producer.abort`."""
        self._found = deque()


class ReadProducer(Producer[Received]):
    """Yields the messages of ``uids`` (None: all), in that order, asked for ahead as far as the server allows.

    What is still on its way when the consumer leaves is read and forgotten before the next reply.
    """

    def __init__(self, box: Maildrop, uids: Iterable[UID] | None) -> None:
        self._box = box
        self._uids = uids
        self._left: deque[_Name] | None = None
        self._asked: deque[tuple[_Name, int, Ticket[Command, Status] | Received]] = deque()
        self._bytes = 0
        self._connection: POP3Connection | None = None

    async def next(self) -> Received:
        """See :meth:`~netclients.streams.Producer.next`."""
        if self._left is None:
            self._left = deque(await self._box.named(self._uids))
        if not self._asked and not self._left:
            raise StopAsyncIteration
        return await self._box.run("read", self._take)

    async def _take(self, connection: POP3Connection) -> Received:
        if connection is not self._connection:
            self._begin_anew(connection)
        if len(self._asked) <= connection.settings.window // 2:
            self._ask(connection)
        (uid, _), size, ticket = self._asked[0]
        if isinstance(ticket, Received):
            received = ticket
        else:
            try:
                received = Received(uid, (await connection.fetched(ticket)).body)
            except ReplyError as error:
                received = Received(uid, error=error)
        self._asked.popleft()
        self._bytes -= size
        return received

    def _begin_anew(self, connection: POP3Connection) -> None:
        """Over another connection, what was asked for and has not come is asked for again."""
        assert self._left is not None
        self._left.extendleft(name for name, _, _ in reversed(self._asked))
        self._asked.clear()
        self._bytes = 0
        self._connection = connection

    def _ask(self, connection: POP3Connection) -> None:
        assert self._left is not None
        contents, limit = self._box.contents, self._box.read_limit
        self._box.must_be_free()
        while self._left and len(self._asked) < connection.settings.window:
            entry = contents.find(*self._left[0])
            size = 0 if entry is None else entry.size
            if self._asked and self._bytes + size > _HELD_BYTES:
                return
            name = self._left[0]
            uid = name[0]
            ticket: Ticket[Command, Status] | Received
            if entry is None:
                ticket = Received(uid, error=gone(uid))
            elif size > limit:
                ticket = Received(uid, error=too_large(size, limit))
                size = 0
            else:
                ticket = connection.submit_retr(entry.number)
            self._left.popleft()
            self._bytes += size
            self._asked.append((name, size, ticket))

    async def aclose(self) -> None:
        """See :meth:`~netclients.streams.Producer.aclose`."""
        self.abort()

    def abort(self) -> None:
        """See :meth:`~netclients.streams.Producer.abort`."""
        self._left = deque()
        self._asked.clear()


class PieceProducer(Producer[bytes]):
    """Yields one message in pieces. Nothing is repeated once the first of them is delivered."""

    def __init__(self, box: Maildrop, uid: UID) -> None:
        self._box = box
        self._uid = uid
        self._spool = Spool()
        self._connection: POP3Connection | None = None
        self._ticket: Ticket[Command, Status] | None = None
        self._over = False
        self._delivered = False

    async def next(self) -> bytes:
        """See :meth:`~netclients.streams.Producer.next`."""
        if self._over:
            raise StopAsyncIteration
        piece = self._spool.next()
        if piece is None:
            piece = await self._box.run("stream", self._take, repeatable=not self._delivered)
        if piece is None:
            self._over = True
            self._box.streaming = None
            raise StopAsyncIteration
        self._delivered = True
        return piece

    async def _take(self, connection: POP3Connection) -> bytes | None:
        if connection is not self._connection:
            self._begin(connection)
        ticket = self._ticket
        assert ticket is not None
        await connection.flush()
        while ticket.reply is None:
            await connection.receive_some()
            if (piece := self._spool.next()) is not None:
                return piece
        if not ticket.reply.ok:
            self._connection = self._box.streaming = None  # if it is tried again, the server is asked again
        connection.judge(ticket.command, ticket.reply)
        return self._spool.next()

    def _begin(self, connection: POP3Connection) -> None:
        if self._delivered:
            raise ConnectionLost("the connection ended amid a message")
        entry = self._box.contents.find(self._uid)
        if entry is None:
            raise gone(self._uid)
        self._box.must_be_free(self)
        self._box.streaming = self
        self._spool.close()
        self._spool = Spool()
        self._connection = connection
        self._ticket = connection.submit(commands.retr(entry.number, 0, self._spool.take))

    async def aclose(self) -> None:
        """See :meth:`~netclients.streams.Producer.aclose`."""
        self.abort()

    def abort(self) -> None:
        """See :meth:`~netclients.streams.Producer.abort`."""
        self._over = True
        self._spool.close()
        if self._box.streaming is self:
            self._box.streaming = None
        if self._ticket is not None and self._ticket.reply is None and self._connection is not None:
            self._box.abandon(self._connection)


def too_large(size: int, limit: int) -> ProtocolError:
    """Return the error of a message that is not to be kept in memory."""
    return ProtocolError(f"a message of {size} bytes; Bounds.read allows {limit} (stream reads any)")
