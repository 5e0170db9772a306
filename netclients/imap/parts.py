"""Contents of messages as streams: fetched in pieces, several on their way at a time, decoded as they come."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from netclients.errors import PermanentReplyError, ProtocolError
from netclients.imap.types import UID, BodyPart
from netclients.mail.transfer_encoding import Decoder, decoder_of
from netclients.streams import Producer

if TYPE_CHECKING:
    from netclients.imap.connection import IMAPConnection, Pending
    from netclients.imap.mailbox import Mailbox

__all__ = ["PartProducer", "RawProducer", "gone", "read_on"]

_PIECE = 256 * 1024  # bytes asked for at a time
_AHEAD = 8  # pieces on their way: 2 MiB cover 100 MB/s at 20 ms


class RawProducer(Producer[bytes]):
    """Yields one section of a message as it is, from ``offset`` on."""

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
        if piece is None and not self._began:
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
        piece = await self._pending[0]
        self._pending.popleft()
        if piece is not None and len(piece) > _PIECE:
            raise ProtocolError(f"the server sent {len(piece)} bytes where {_PIECE} were asked for")
        return piece

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
        if self._decoder is None:
            part = await self._described()
            self._decoder = decoder_of(part.encoding)
            # Of a message that is no multipart, part 1 is its text.
            self._raw = RawProducer(self._box, self._uid, self._part)
        assert self._raw is not None
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
        async def fetch(connection: IMAPConnection) -> BodyPart | None:
            found = await connection.uid_fetch(self._uid, structure=True)
            return found[-1].structure if found else None

        structure = await self._box.run("read", fetch)
        for part in () if structure is None else structure.walk():
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
            raise ProtocolError(f"message {uid} has more than {box.read_limit} bytes; stream() reads it")
        pieces.append(piece)


def gone(uid: UID, section: str) -> PermanentReplyError:
    """Return the error of a message that is not there, or lacks a part: servers answer OK, and nothing else."""
    what = f"part {section} of message {uid}" if section else f"message {uid}"
    return PermanentReplyError(f"UID FETCH {uid}", None, f"{what} does not exist")
