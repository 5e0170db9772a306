"""Data connections: how one is made, and one transfer over it.

::

    passive   EPSV (or PASV) → connect → command → 1xx → [TLS] → bytes → end → final reply
    active    listen → EPRT (or PORT) → command → accept → [TLS] → bytes → end → final reply

While a task waits for data it waits for the control connection too: a server that refuses there is heard at
once. The TLS handshake comes after the command, as RFC 4217 section 7 draws it: servers hang otherwise.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netclients.errors import ConnectError, ConnectionLost, NetClientError, PhaseTimeout, TLSError
from netclients.ftp.commands import Command, command
from netclients.ftp.replies import parse_passive
from netclients.ftp.types import ServerKind
from netclients.transport.dial import Listener
from netclients.transport.readiness import Deadline, checkpoint
from netclients.transport.stream import Buffer, SocketStream, wait_any
from netclients.transport.tls import TLSStream
from netclients.wire import arguments

if TYPE_CHECKING:
    from netclients.ftp.connection import FTPConnection
    from netclients.wire.pipeline import Ticket
    from netclients.wire.replies import Reply

__all__ = ["Transfer", "open_transfer"]

_HEAD_START = 0.02  # seconds for the first data, before the control connection is watched too
_FAREWELL = 5.0  # seconds for what may never come: the peer's close alert, its word on a broken connection


async def open_transfer(
    connection: FTPConnection,
    verb: Command,
    *,
    offset: int = 0,
    facts: tuple[Command, ...] = (),
    prepare_next: bool = False,
) -> Transfer:
    """Send a command that moves data and make its data connection.

    ``facts`` are commands whose replies describe the same file; they ride along. ``offset`` is sent by REST.
    With ``prepare_next``, the next transfer's EPSV is asked for behind this one where the server allows it.
    """
    channel = _Active(connection) if connection.settings.active else _Passive(connection)
    transfer: Transfer | None = None
    try:
        riding = [connection.submit(fact) for fact in facts]
        await channel.prepare()
        if offset:
            with connection.half_said():
                await connection.expect(command("REST", arguments.number(offset, "offset")))
                ticket = connection.submit(verb)
        else:
            ticket = connection.submit(verb)
        transfer = Transfer(connection, ticket, riding)
        connection.transfer_began(transfer)
        ahead = prepare_next and connection.settings.learned.extended_passive and not connection.settings.active
        if ahead and connection.protocol.pipelining_behind_transfers:
            transfer.prepared = connection.submit(command("EPSV"))
        await connection.flush()
        await channel.attach(transfer)
    except BaseException:
        channel.abort()
        if transfer is not None:
            transfer.abort()
        raise
    return transfer


class _Passive:
    """The server listens, the client connects: to the control connection's peer, whatever a 227 says."""

    def __init__(self, connection: FTPConnection) -> None:
        self._connection = connection
        self._stream: SocketStream | None = None

    async def prepare(self) -> None:
        prepared = self._connection.take_prepared_port()
        if prepared is not None and await self._reach(prepared):
            return
        learned = self._connection.settings.learned
        if learned.extended_passive:
            port = await self._ask("EPSV")
            if port is not None and await self._reach(port):
                return
        port = await self._ask("PASV")
        assert port is not None
        self._stream = await self._connect(port)
        # EPSV refused, or accepted but unreachable (FluentFTP#187, git-ftp#56): not asked again.
        learned.extended_passive = False

    async def _reach(self, port: int) -> bool:
        try:
            self._stream = await self._connect(port)
        except (ConnectError, PhaseTimeout):
            return False
        return True

    async def _ask(self, verb: str) -> int | None:
        reply = await self._connection.reply_to(command(verb))
        if reply.kind == 2:
            # The host of a 227 is ignored: it could send the client anywhere (bpo-43285).
            return parse_passive(reply.code, reply.text).port
        if reply.kind == 5 and verb == "EPSV":
            return None
        raise self._connection.error(verb, reply)

    async def _connect(self, port: int) -> SocketStream:
        connection = self._connection
        settings = connection.settings
        host = settings.endpoint.host if settings.dialer.proxied else connection.stream.peer
        return await settings.dialer.connect(host, port, settings.timeouts.connect, keepalive=False)

    async def attach(self, transfer: Transfer) -> None:
        assert self._stream is not None
        transfer.stream = self._stream
        self._stream = None

    def abort(self) -> None:
        if self._stream is not None:
            self._stream.abort()


class _Active:
    """The client listens, the server connects; others who come are turned away."""

    def __init__(self, connection: FTPConnection) -> None:
        self._connection = connection
        self._listener: Listener | None = None

    async def prepare(self) -> None:
        connection = self._connection
        address = connection.stream.local_address
        assert address is not None  # no FTP on Unix sockets
        self._listener = Listener(address)
        port = self._listener.port
        protocol = b"2" if ":" in address else b"1"
        reply = await connection.reply_to(command("EPRT", b"|%s|%s|%d|" % (protocol, address.encode("ascii"), port)))
        if reply.kind == 5 and protocol == b"1":
            numbers = f"{address.replace('.', ',')},{port >> 8},{port & 255}"
            reply = await connection.reply_to(command("PORT", numbers.encode("ascii")))
        if reply.kind != 2:
            raise connection.error("PORT", reply)

    async def attach(self, transfer: Transfer) -> None:
        assert self._listener is not None
        connection = self._connection
        try:
            # Strangers who come one after the other must not keep the wait going.
            with Deadline(connection.settings.timeouts.connect, "connect", "active data connection") as deadline:
                while (stream := self._listener.try_accept(connection.stream.peer)) is None:
                    transfer.check()
                    await connection.watch(deadline.left(), "connect", read=self._listener)
            transfer.stream = stream
        finally:
            self._listener.close()

    def abort(self) -> None:
        if self._listener is not None:
            self._listener.close()


@dataclass(slots=True)
class Transfer:
    """One transfer under way. Whoever holds it calls :meth:`finish` or :meth:`abort` in the end.

    ``received`` and ``sent`` count bytes of data; ``closed_cleanly`` tells after the end whether the server's TLS
    close alert came (None without TLS); ``epilogue`` restores the session after the final reply.
    """

    connection: FTPConnection
    ticket: Ticket[Command, Reply]
    facts: list[Ticket[Command, Reply]]
    prepared: Ticket[Command, Reply] | None = None
    stream: SocketStream | TLSStream | None = None
    received: int = 0
    sent: int = 0
    closed_cleanly: bool | None = None
    epilogue: Callable[[], Awaitable[None]] | None = None
    _head_starts: int = 2  # waits for data before the control connection is watched too
    _has_nothing_to_say: bool = False

    async def start(self) -> None:
        """Wait for the server's word that the transfer begins; shake hands for TLS.

        Raises:
            ReplyError: the server refused.
        """
        connection = self.connection
        timeouts = connection.settings.timeouts
        await self._await_word(timeouts.reply)
        if self.ticket.preliminary is None:
            self.check()
        if connection.private_data and isinstance(self.stream, SocketStream):
            await self._secure(self.stream, timeouts.handshake)

    async def _await_word(self, timeout: float | None) -> None:
        """Wait for the first reply. A data connection that ends before it leaves the server little time for it."""
        connection = self.connection
        watched = self.stream if isinstance(self.stream, SocketStream) else None
        with Deadline(timeout, "reply", self.ticket.command) as deadline:
            while not self.ticket.started:
                if watched is None or connection.closed_by_server:
                    await connection.receive(deadline.left(), "reply")
                    continue
                await connection.watch(deadline.left(), "reply", read=watched)
                found = watched.peek()
                if found is not None:
                    watched = None
                if found == 0:
                    await self._await_last_word()

    async def _await_last_word(self) -> None:
        """Wait a little for what the server says about a data connection that ended too early."""
        try:
            with Deadline(self._patience, "reply") as deadline:
                while not self.ticket.started:
                    await self.connection.receive(deadline.left(), "reply")
        except PhaseTimeout:
            self._has_nothing_to_say = True
            raise ConnectionLost("the data connection ended before the transfer began") from None

    @property
    def _patience(self) -> float:
        """Seconds to wait for the server's word on a broken data connection."""
        timeout = self.connection.settings.timeouts.reply
        return _FAREWELL if timeout is None else min(_FAREWELL, timeout)

    async def _secure(self, stream: SocketStream, timeout: float | None) -> None:
        connection = self.connection
        self.stream = secured = connection.secure_data(stream)
        try:
            with Deadline(timeout, "handshake") as deadline:
                while not secured.try_handshake():
                    write = secured if secured.unsent else None
                    await connection.watch(deadline.left(), "handshake", read=secured, write=write)
                    self.check()
        except (TLSError, ConnectionLost):
            # The reply tells more than the broken handshake: 522 session reuse required, 425 not built.
            await self.hear_refusal()
            raise

    async def hear_refusal(self) -> None:
        """After the data connection broke: raise what the server says about it, if it says anything."""
        self._suspect_tls13()
        if self.stream is not None:
            self.stream.abort()
        if self._has_nothing_to_say:
            return
        try:
            with Deadline(self._patience, "reply") as deadline:
                while self.ticket.reply is None:
                    await self.connection.receive(deadline.left(), "reply")
        except NetClientError:
            return  # nothing: the data connection's own error stands
        self.check()

    def _suspect_tls13(self) -> None:
        """quirk_tls13_data_sessions: ProFTPD 1.3.8 dies of resumed TLS 1.3 sessions once its session cache is full.

        The whole server process ends, with the control connection; sessions of TLS 1.2 do not fill the cache.
        """
        connection, stream = self.connection, self.stream
        if connection.kind is ServerKind.PROFTPD and isinstance(stream, TLSStream) and not stream.closed_cleanly:
            connection.settings.learned.tls13_data = False

    def check(self) -> None:
        """Raise the server's refusal, if one has come."""
        reply, sent = self.ticket.reply, self.ticket.command
        if reply is not None and not sent.accepts(reply):
            if reply.code == 522:
                # No TLS session of this control connection will do: it is of no further use.
                self.connection.marked = True
            raise self.connection.error(str(sent), reply)

    async def wait_to_receive(self) -> None:
        """Wait for data, or for what the server says meanwhile; called when nothing is left to be received.

        So a refusal in the middle of a transfer is raised here, after what had come before it was taken.
        """
        self.check()
        if self._head_starts and self.stream is not None:
            self._head_starts -= 1
            if self._head_starts:
                # On a busy loop the data is often there when the others have had their turn.
                await checkpoint()
                return
            # The server's word and its first data come together: waiting for the data alone is one wait for both.
            with contextlib.suppress(PhaseTimeout):
                await wait_any((self.stream,), (), _HEAD_START, "stall")
                return
        await self.connection.watch(self.connection.settings.timeouts.stall, "stall", read=self.open_stream)

    async def wait_to_send(self) -> None:
        """Wait until more can be sent, or for what the server says meanwhile."""
        await self.connection.watch(self.connection.settings.timeouts.stall, "stall", write=self.open_stream)
        self.check()

    @property
    def open_stream(self) -> SocketStream | TLSStream:
        """The data connection.

        Raises:
            ConnectionLost: it was closed from this side, with the client or its connection.
        """
        if self.stream is None:
            raise ConnectionLost("the data connection was closed from this side")
        return self.stream

    async def receive_into(self, buffer: bytearray | memoryview) -> int:
        """Fill ``buffer`` with what comes next; return the number of bytes, 0 at the end."""
        while (count := self.open_stream.try_recv_into(buffer)) is None:
            await self.wait_to_receive()
        self.received += count
        return count

    async def send(self, data: Buffer) -> None:
        """Send all of ``data``."""
        with memoryview(data) as view:
            done = 0
            while done < len(view):
                count = self.open_stream.try_send(view[done:])
                done += count
                if not count:
                    await self.wait_to_send()
        self.sent += len(data)

    async def finish(self, *, sending: bool) -> Reply:
        """End the transfer after its last byte; return the final reply.

        Raises:
            ReplyError: the server says that the transfer failed.
            ConnectionLost: the control connection ended without a word.
        """
        stream = self.open_stream
        connection = self.connection
        complete = connection.settings.timeouts.complete
        try:
            if isinstance(stream, TLSStream):
                await self._exchange_alerts(stream, sending)
                self.closed_cleanly = stream.closed_cleanly
            elif sending:
                with contextlib.suppress(ConnectionLost):  # what counts is what the server says about it
                    stream.send_eof()
            if not sending or isinstance(stream, TLSStream):
                # Some servers do not reply before the connection is closed from both sides (ProFTPD lingers).
                stream.abort()
            # Replies come in order: with the last one all have come.
            await connection.settle(self.prepared or self.ticket, complete, "complete")
            if self.prepared is not None:
                connection.keep_prepared(self.prepared)
        except ConnectionLost:
            self._suspect_tls13()
            raise
        finally:
            self.abort()
        if self.epilogue is not None:
            await self.epilogue()
        connection.transfer_ended()
        self.check()
        reply = self.ticket.reply
        assert reply is not None
        return reply

    async def _exchange_alerts(self, stream: TLSStream, sending: bool) -> None:
        # A download has been read to its end, so one try says all; an upload's server may still have to read.
        closed = stream.try_close()
        if not sending:
            return
        half_closed = False
        with contextlib.suppress(PhaseTimeout), Deadline(_FAREWELL, "handshake") as deadline:
            while not closed and self.ticket.reply is None:
                if not half_closed and not stream.unsent:
                    stream.send_eof()
                    half_closed = True
                write = stream if stream.unsent else None
                await self.connection.watch(deadline.left(), "handshake", read=stream, write=write)
                closed = stream.try_close()

    def abort(self) -> None:
        """Close the data connection at once."""
        if self.ticket.reply is not None:
            self.connection.transfer_ended()
        if self.stream is not None:
            self.stream.abort()
            moved, self.stream = (self.received, self.sent), None
            self.connection.settings.trace.moved(self.connection.number, *moved)
