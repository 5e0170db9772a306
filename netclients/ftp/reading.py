"""Reading one remote file, across as many connections as it takes.

A :class:`RemoteReader` holds the position and the fingerprint of the file. After a failure it takes another
connection, compares the fingerprint, and goes on by REST at the byte where it stopped: nobody downstream sees a
byte twice, or the second half of another version.

::

    start → (bytes) → finish
      ↑        ↓ error
      └──── recover
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netclients.errors import (
    ConnectionLost,
    NetClientError,
    PermanentReplyError,
    ProtocolError,
    ReplyError,
    TruncatedTransfer,
)
from netclients.ftp.attempts import Attempts
from netclients.ftp.data import open_transfer
from netclients.ftp.partfile import Fingerprint
from netclients.ftp.replies import parse_mdtm, parse_size

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from netclients.ftp.commands import Command
    from netclients.ftp.connection import FTPConnection
    from netclients.ftp.context import Context
    from netclients.ftp.data import Transfer
    from netclients.transport.rate import Meter
    from netclients.transport.stream import ByteStream
    from netclients.wire.pipeline import Ticket
    from netclients.wire.replies import Reply

__all__ = ["RemoteReader"]


class RemoteReader:
    """One file, from ``offset`` to its end; ``meter`` counts the bytes that came.

    ``restart`` is called when the file has become another one and everything must come again; without it, that
    is an error. ``verify``: the number of bytes must be the server's size.
    """

    def __init__(
        self,
        context: Context,
        path: str,
        meter: Meter,
        *,
        offset: int = 0,
        restart: Callable[[], Awaitable[None]] | None = None,
        verify: bool = True,
        prepare_next: bool = False,
    ) -> None:
        self.path = path
        self.meter = meter
        self.offset: int = offset
        self.fingerprint: Fingerprint | None = None
        self._context = context
        self._restart = restart
        self.verify: bool = verify
        self._prepare_next = prepare_next
        self._attempts = Attempts(context, f"RETR {path}", meter)
        self._size_was_wrong = False
        self._refusal: ReplyError | None = None

    def resume_from(self, offset: int, known: Fingerprint) -> None:
        """Begin at ``offset``, if the file is still the one that ``known`` describes."""
        self.offset = offset
        self.fingerprint = known

    @property
    def attempts(self) -> int:
        """How often the transfer was tried so far."""
        return self._attempts.count

    @property
    def position(self) -> int:
        """The next byte's place in the file."""
        return self.offset + self.meter.total

    @property
    def size(self) -> int | None:
        """The file's size in bytes, if the server has told it."""
        return self.fingerprint.size if self.fingerprint is not None else None

    @property
    def stream(self) -> ByteStream:
        """Where the bytes come from, between :meth:`start` and :meth:`finish`."""
        assert self._attempts.transfer is not None
        return self._attempts.transfer.open_stream

    async def idle(self) -> None:
        """Wait until more can be received; raise what ends the transfer."""
        transfer = self._attempts.transfer
        assert transfer is not None
        await transfer.wait_to_receive()
        self._note_facts(transfer)

    async def start(self, *, announced: bool = True) -> bool:
        """Begin at :attr:`position`; return False if nothing is left to be read.

        With ``announced``, size and fingerprint are known when this returns; without, a plain transfer may run
        before the server has told them.
        """
        connection = await self._attempts.begin()
        facts = self._facts(connection)
        if self.fingerprint is not None or self.position:
            await self._compare(connection, facts)
            if await self._nothing_left():
                return False
            facts = ()
        self._attempts.begins_at(self.position, trusted=not self._size_was_wrong)
        self._attempts.transfer = transfer = await open_transfer(
            connection,
            connection.path_command("RETR", self.path),
            offset=self.position,
            facts=facts,
            prepare_next=self._prepare_next,
        )
        if announced or connection.private_data:
            await transfer.start()
            self.read_facts()
        return True

    async def _nothing_left(self) -> bool:
        if not self.position or self.size is None or self.position < self.size:
            return False
        if self.position > self.size and self.meter.total:
            raise ProtocolError(f"{self.path}: {self.position} bytes came, the server's size is {self.size}")
        if self._restart is not None and (self.position > self.size or self._refusal is not None):
            await self._begin_anew(self._restart)
            return False
        if self._refusal is not None:
            # All bytes came, and the server says that the transfer failed: nobody knows what they are worth.
            raise self._refusal
        self.release()
        return True

    async def _begin_anew(self, restart: Callable[[], Awaitable[None]]) -> None:
        await restart()
        self.offset = 0
        self._attempts.from_scratch()

    def _facts(self, connection: FTPConnection) -> tuple[Command, ...]:
        size = connection.path_command("SIZE", self.path)
        if self._prepare_next and self.attempts == 1 and not self.position and not self._context.large_files:
            # What is small comes again as a whole: only what may be continued needs its time.
            return (size,)
        return (size, connection.path_command("MDTM", self.path))

    async def _compare(self, connection: FTPConnection, facts: tuple[Command, ...]) -> None:
        """Compare the fingerprints; on a difference begin from the first byte."""
        known = self.fingerprint
        tickets = [connection.submit(fact) for fact in facts]
        for ticket in tickets:
            await connection.settle(ticket, connection.settings.timeouts.reply, "reply")
        now = self._fingerprint_of(tickets)
        if known is None or known.same_as(now) or not self.position:
            self.fingerprint = now
            return
        if self._restart is None:
            raise ProtocolError(f"{self.path} changed on the server in mid-transfer, or nobody can tell if it did")
        await self._begin_anew(self._restart)
        self.fingerprint = now

    def read_facts(self) -> Fingerprint | None:
        """Return the fingerprint if the server has told it by now."""
        transfer = self._attempts.transfer
        if self.fingerprint is None and transfer is not None:
            transfer.connection.look()
            self._note_facts(transfer)
        return self.fingerprint

    def _note_facts(self, transfer: Transfer) -> None:
        if self.fingerprint is None and transfer.facts and all(ticket.reply for ticket in transfer.facts):
            self.fingerprint = self._fingerprint_of(transfer.facts)

    def _fingerprint_of(self, facts: list[Ticket[Command, Reply]]) -> Fingerprint:
        try:
            return _fingerprint(facts)
        except ProtocolError:
            if self.verify:
                raise
            return Fingerprint(None, None)  # nonsense, which nobody asked for

    async def finish(self) -> bool:
        """End the transfer after its last byte; return whether size or close alert confirm that it was the last.

        Raises:
            TruncatedTransfer: the server's size is another one.
            ReplyError: the server says that it failed.
        """
        transfer = self._attempts.transfer
        assert transfer is not None
        transfer.received = self._attempts.moved
        await transfer.finish(sending=False)
        self._note_facts(transfer)
        if self.verify and self.size is not None and self.position != self.size:
            raise TruncatedTransfer(
                f"{self.path}: {self.position} bytes came, the server's size is {self.size}",
                expected=self.size,
                received=self.position,
            )
        self._context.finished(self.position)
        self.release()
        return self.verify and (self.size is not None or transfer.closed_cleanly is True)

    async def recover(self, error: NetClientError) -> None:
        """After a failure: get ready for another :meth:`start`, or raise."""
        connection, transfer = self._attempts.connection, self._attempts.transfer
        if transfer is not None:
            transfer.received = self._attempts.moved
            error = await self._last_word(transfer, error)
        if isinstance(error, PermanentReplyError) and connection is not None:
            raise await self._explain(connection, error) from None
        self._refusal = error if isinstance(error, ReplyError) else None
        self._size_was_wrong = isinstance(error, TruncatedTransfer)
        self._attempts.failed()
        if self.position and self.fingerprint is None:
            if self._restart is None:
                raise error
            await self._begin_anew(self._restart)
        await self._attempts.pause(error)

    async def _explain(self, connection: FTPConnection, error: PermanentReplyError) -> NetClientError:
        from netclients.ftp.lookup import explain  # downloads that succeed need no explanation

        try:
            await connection.settle_all()
        except NetClientError:
            return error
        return await explain(connection, self.path, error) if connection.clean else error

    async def _last_word(self, transfer: Transfer, error: NetClientError) -> NetClientError:
        """Hear what the server still has to say: facts that ride along, and why it closed a data connection."""
        try:
            if isinstance(error, ConnectionLost):
                await transfer.hear_refusal()
            self.read_facts()
        except NetClientError as refusal:
            return refusal if isinstance(refusal, ReplyError) else error
        finally:
            transfer.abort()
        return error

    def release(self) -> None:
        """Let go of the connection, in whatever state it is. Does not wait."""
        self._attempts.release()


def _fingerprint(tickets: list[Ticket[Command, Reply]]) -> Fingerprint:
    size = tickets[0].reply
    modified = tickets[1].reply if len(tickets) > 1 else None
    return Fingerprint(
        parse_size(size.text) if size is not None and size.kind == 2 else None,
        parse_mdtm(modified.text).value.isoformat() if modified is not None and modified.kind == 2 else None,
    )
