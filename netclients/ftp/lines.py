"""Listings and other text transfers as streams: data connection → lines → items."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, TypeVar

from netclients.errors import TruncatedTransfer
from netclients.streams import Producer
from netclients.transport.readiness import Turn
from netclients.wire.lines import LineBuffer

if TYPE_CHECKING:
    from netclients.ftp.connection import FTPConnection
    from netclients.ftp.data import Transfer

__all__ = ["LineProducer"]

T = TypeVar("T")

_STEP = 4 * 1024  # bytes parsed in one go: about a hundred entries

Opener = Callable[[], Awaitable["Transfer"]]
Parser = Callable[[bytes], T | None]


class LineProducer(Producer[T], Generic[T]):
    """Turns the lines of one transfer into items; a line for which ``parse`` returns None is skipped.

    ``opener`` starts the transfer when the first item is asked for; ``done`` is called with its connection once
    it has ended, in whichever way.
    """

    def __init__(self, opener: Opener, parse: Parser[T], done: Callable[[FTPConnection], None] | None = None) -> None:
        self._opener = opener
        self._parse = parse
        self._done = done
        self._transfer: Transfer | None = None
        self._lines: LineBuffer | None = None
        self._ready: deque[T] = deque()
        self._turn = Turn()

    async def next(self) -> T:
        """See :meth:`~netclients.streams.Producer.next`."""
        await self._turn.pass_on()
        while not self._ready:
            if self._lines is None:
                self._transfer = transfer = await self._opener()
                self._lines = LineBuffer(transfer.connection.settings.bounds.line)
            if self._transfer is None or not await self._read(self._transfer, self._lines):
                raise StopAsyncIteration
        return self._ready.popleft()

    async def _read(self, transfer: Transfer, lines: LineBuffer) -> bool:
        """Take in what comes next; return False when all has come and the server has said so."""
        stream = transfer.open_stream
        scratch = transfer.connection.settings.dialer.scratch
        with memoryview(scratch) as whole, whole[:_STEP] as room:
            count = stream.try_recv_into(room)
        if count is None:
            await transfer.wait_to_receive()
            self._turn.waited()
            return True
        if count == 0:
            await self._finish(transfer, lines)
            return False
        transfer.received += count
        with memoryview(scratch) as whole, whole[:count] as view:
            for line in lines.feed(view):
                item = self._parse(line)
                if item is not None:
                    self._ready.append(item)
        return True

    async def _finish(self, transfer: Transfer, lines: LineBuffer) -> None:
        await transfer.finish(sending=False)
        if transfer.closed_cleanly is False:
            # No size tells how long a listing is: over TLS, only the close alert shows that this was its end.
            raise TruncatedTransfer("the listing ended without a TLS close alert", received=transfer.received)
        if len(lines):
            raise TruncatedTransfer("the listing ends in the middle of a line", received=transfer.received)
        self._let_go(transfer)

    async def aclose(self) -> None:
        """See :meth:`~netclients.streams.Producer.aclose`."""
        self.abort()

    def abort(self) -> None:
        """See :meth:`~netclients.streams.Producer.abort`: what was not read makes the connection useless."""
        if self._transfer is not None:
            self._transfer.abort()
            self._transfer.connection.abort("a listing was left early")
            self._let_go(self._transfer)

    def _let_go(self, transfer: Transfer) -> None:
        self._transfer = None
        if self._done is not None:
            self._done(transfer.connection)
