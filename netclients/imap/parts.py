"""Contents of messages as streams: fetched in pieces, several on their way at a time, decoded as they come."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from netclients.errors import NetClientError, PermanentReplyError, ProtocolError
from netclients.imap.types import UID, BodyPart
from netclients.mail.transfer_encoding import Decoder, decoder_of
from netclients.streams import Producer

if TYPE_CHECKING:
    from netclients.imap.connection import IMAPConnection, Pending
    from netclients.imap.mailbox import Mailbox
    from netclients.imap.types import Fetched

__all__ = ["PartProducer", "RawProducer", "gone", "read_on", "structure_of", "too_large"]

_PIECE = 256 * 1024  # bytes asked for at a time
_AHEAD = 8  # pieces on their way: 2 MiB cover 100 MB/s at 20 ms


class RawProducer(Producer[bytes]):
    """Yields one section of a message as it is, from ``offset`` on; there must be something of it before that."""

    def __init__(self, box: Mailbox, uid: UID, section: str, offset: int = 0) -> None:
        self._box = box
        self._uid = uid
        self._section = section
        self._offset = offset
        self._asked = offset
        self._pending: deque[Pending[bytes | None]] = deque()
        self._on: IMAPConnection | None = None
        self._window = 1
        self._began = offset > 0
        self._over = False

    async def next(self) -> bytes:
        """See :meth:`~netclients.streams.Producer.next`."""
        if self._over:
            raise StopAsyncIteration
        piece = await self._box.run("read", self._next_piece)
        if piece is None and not (self._began and await self._still_there()):
            raise gone(self._uid, self._section)
        self._began = True
        self._offset += len(piece or b"")
        self._window = min(_AHEAD, self._window * 2)
        # What is short of what was asked for is the end, whatever size the server has named.
        self._over = piece is None or len(piece) < _PIECE
        if not piece:
            raise StopAsyncIteration
        return piece

    async def _next_piece(self, connection: IMAPConnection) -> bytes | None:
        if connection is not self._on:
            self._on = connection
            self._pending.clear()
            self._asked = self._offset
        while len(self._pending) < self._window:
            self._pending.append(connection.uid_fetch_piece(self._uid, self._section, self._asked, _PIECE))
            self._asked += _PIECE
        try:
            await connection.flush()  # though the piece that is due may be there already
            piece = await self._pending[0]
        except NetClientError:
            self._on = None  # the next attempt asks again
            raise
        self._pending.popleft()
        if piece is not None and len(piece) > _PIECE:
            raise ProtocolError(f"the server sent {len(piece)} bytes where {_PIECE} were asked for")
        return piece

    async def _still_there(self) -> bool:
        """Nothing comes, where a piece was asked for: behind the end, or because somebody has removed the message."""

        async def fetch(connection: IMAPConnection) -> bool:
            return bool(await connection.uid_fetch(self._uid, uid=True))

        return await self._box.run("read", fetch)

    async def aclose(self) -> None:
        """See :meth:`~netclients.streams.Producer.aclose`."""
        self.abort()

    def abort(self) -> None:
        """See :meth:`~netclients.streams.Producer.abort`."""
        self._over = True
        self._pending.clear()


class PartProducer(Producer[bytes]):
    """Yields one part of a message, without its transfer encoding."""

    def __init__(self, box: Mailbox, uid: UID, part: str) -> None:
        self._box = box
        self._uid = uid
        self._part = part
        self._raw: RawProducer | None = None
        self._decoder: Decoder | None = None

    async def next(self) -> bytes:
        """See :meth:`~netclients.streams.Producer.next`."""
        if self._decoder is None or self._raw is None:
            self._decoder = decoder_of((await self._described()).encoding)
            self._raw = RawProducer(self._box, self._uid, self._part)
        while True:
            try:
                piece = await self._raw.next()
            except StopAsyncIteration:
                if rest := self._decoder.finish():
                    return rest
                raise
            if decoded := self._decoder.feed(piece):
                return decoded

    async def _described(self) -> BodyPart:
        structure = await structure_of(self._box, self._uid)
        for part in structure.walk():
            if part.part == self._part:
                return part
        raise gone(self._uid, self._part)

    async def aclose(self) -> None:
        """See :meth:`~netclients.streams.Producer.aclose`."""
        self.abort()

    def abort(self) -> None:
        """See :meth:`~netclients.streams.Producer.abort`."""
        if self._raw is not None:
            self._raw.abort()


async def structure_of(box: Mailbox, uid: UID) -> BodyPart:
    """Return of which parts a message consists.

    Raises:
        PermanentReplyError: there is no such message.
        ProtocolError: the server's description makes no sense.
    """

    async def fetch(connection: IMAPConnection) -> list[Fetched]:
        return await connection.uid_fetch(uid, structure=True)

    found = await box.run("read", fetch)
    if not found:
        raise gone(uid, "")
    return found[-1].structure


async def read_on(box: Mailbox, uid: UID, begun: bytes) -> bytes:
    """Return the whole message, of which the beginning is there already.

    Raises:
        PermanentReplyError: there is no such message.
        ProtocolError: it is larger than may be kept.
    """
    pieces, size = [begun], len(begun)
    raw = RawProducer(box, uid, "", size)
    while True:
        try:
            piece = await raw.next()
        except StopAsyncIteration:
            return b"".join(pieces)
        size += len(piece)
        if size > box.read_limit:
            raise too_large(uid, box.read_limit)
        pieces.append(piece)


def too_large(uid: UID, limit: int) -> ProtocolError:
    """Return the error of a message that is larger than may be kept in memory."""
    return ProtocolError(f"message {uid} has more than {limit} bytes; stream() reads it")


def gone(uid: UID, section: str) -> PermanentReplyError:
    """Return the error of a message that is not there, or lacks a part: servers answer OK, and nothing else."""
    what = f"part {section} of message {uid}" if section else f"message {uid}"
    return PermanentReplyError(f"UID FETCH {uid}", None, f"{what} does not exist")
