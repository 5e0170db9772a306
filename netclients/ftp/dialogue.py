"""Commands and replies on one control connection; what every method of ``FTPConnection`` stands on.

::

    submit → protocol → flush → stream …… stream → receive → protocol → ticket.reply

A ticket may be settled long after others were submitted; whoever waits reads for all.
"""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING

from netclients.engine import Engine
from netclients.errors import ConnectionLost, NetClientError, ReplyError, UnsupportedError
from netclients.ftp.protocol import Completed, FTPProtocol, Preliminary, Sent, State
from netclients.ftp.refusals import reply_error
from netclients.ftp.replies import parse_passive
from netclients.pool import Pooled
from netclients.transport.readiness import Deadline
from netclients.transport.tls import TLSStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netclients.ftp.commands import Command
    from netclients.ftp.data import Transfer
    from netclients.ftp.protocol import Event
    from netclients.ftp.settings import Settings
    from netclients.transport.stream import SocketStream, Waitable
    from netclients.wire.pipeline import Ticket
    from netclients.wire.replies import Reply

__all__ = ["Dialogue"]

_numbers = itertools.count(1)
_LOOKS = 4


class Dialogue(Pooled):
    """One control connection. Not for several tasks at once.

    ``number`` is unique within the process; ``marked`` means that the session is not as after login, so that the
    connection can't be lent again.
    """

    def __init__(self, settings: Settings, stream: SocketStream) -> None:
        self.settings = settings
        self.number: int = next(_numbers)
        self.protocol: FTPProtocol = FTPProtocol(settings.bounds, settings.encoding)
        self._engine: Engine[Command, Event, SocketStream | TLSStream] = Engine(stream, self.protocol, settings.dialer)
        self._told = settings.trace.dialogue
        self.marked: bool = False
        self._closed = False
        self._prepared_port: int | None = None
        self._transfer: Transfer | None = None

    @property
    def stream(self) -> SocketStream | TLSStream:
        """The control connection's bytes."""
        return self._engine.stream

    @property
    def local_address(self) -> str:
        """The address that the server sees this connection come from, without proxies."""
        sock = self._engine.stream.socket
        return str(sock.getsockname()[0])

    @property
    def closed_by_server(self) -> bool:
        """Whether the server has closed this connection."""
        return self._engine.closed_by_peer

    # Commands and replies

    def submit(self, sent: Command) -> Ticket[Command]:
        """Queue a command; :meth:`flush` and :meth:`settle` send it as soon as it may go.

        Raises:
            ConnectionLost: the connection has ended.
        """
        if self._closed or self.protocol.state in (State.CLOSING, State.CLOSED):
            raise ConnectionLost("the connection is closed")
        if sent.traits.marks:
            self.mark()
        return self.protocol.submit(sent)

    def mark(self) -> None:
        """The session is about to be other than after login."""
        self.marked = True

    @contextlib.contextmanager
    def half_said(self) -> Iterator[None]:
        """Around commands of which the first (REST, RNFR) changes the meaning of the next: all of them, or no reuse."""
        was_marked, self.marked = self.marked, True
        try:
            yield
        except (ReplyError, UnsupportedError):
            self.marked = was_marked  # refused: nothing is pending
            raise
        self.marked = was_marked

    async def flush(self) -> None:
        """Send what may be sent."""
        await self._engine.flush(self.settings.timeouts.reply)

    async def receive(self, timeout: float | None, phase: str) -> None:
        """Read once; wait for at most ``timeout`` seconds."""
        await self._engine.receive(timeout, phase)
        self._note_events()

    async def settle(self, ticket: Ticket[Command], timeout: float | None, phase: str) -> None:
        """Send what is due and read until ``ticket``, and so all before it, has its final reply.

        A cancellation in between is told to ``events.outcome_unknown``, if the command changes something.
        """
        try:
            await self.flush()
            if ticket.reply is None:
                await self._read_until_settled(ticket, timeout, phase)
        except Exception:
            raise  # tells the caller by itself
        except BaseException:
            self._tell_doubt(ticket)
            raise

    async def _read_until_settled(self, ticket: Ticket[Command], timeout: float | None, phase: str) -> None:
        with Deadline(timeout, phase, ticket.command) as deadline:
            while ticket.reply is None:
                if self.protocol.state is State.CLOSING:
                    raise ConnectionLost("the server closed the session (421)")
                await self.receive(deadline.left(), phase)
                await self.flush()

    def _tell_doubt(self, ticket: Ticket[Command]) -> None:
        traits = ticket.command.traits
        # Of a transfer's outcome only its caller can tell: a part file that is left behind is no doubt.
        if traits.lasting and not traits.transfer and ticket.sent and ticket.reply is None:
            self.settings.trace.outcome_unknown(str(ticket.command))

    async def settle_all(self) -> None:
        """Read until no command waits for its reply; all of them together get the time of one."""
        await self.flush()
        with Deadline(self.settings.timeouts.reply, "reply") as deadline:
            while not self.protocol.idle:
                await self.receive(deadline.left(), "reply")
                await self.flush()

    async def reply_to(self, sent: Command) -> Reply:
        """Send ``sent`` and return its final reply, whatever its code."""
        ticket = self.submit(sent)
        await self.settle(ticket, self.settings.timeouts.reply, "reply")
        assert ticket.reply is not None
        return ticket.reply

    async def expect(self, sent: Command) -> Reply:
        """Send ``sent`` and return its final reply.

        Raises:
            ReplyError: the server refuses.
            ProtocolError: it asks for more (3xx) where nothing is left to be said.
        """
        reply = await self.reply_to(sent)
        self.judge(sent, reply)
        return reply

    def judge(self, sent: Command, reply: Reply) -> None:
        """Raise what ``reply`` stands for if it is not how ``sent`` ends well."""
        if not sent.accepts(reply):
            raise self.error(str(sent), reply)

    async def watch(
        self, timeout: float | None, phase: str, *, read: Waitable | None = None, write: Waitable | None = None
    ) -> None:
        """Wait for another stream and this connection at once; read the latter if it has something."""
        await self._engine.wait(
            timeout, phase, read=() if read is None else (read,), write=() if write is None else (write,)
        )
        self.look()

    def look(self) -> None:
        """See :meth:`~netclients.pool.Pooled.look`; what a flood leaves is read another time."""
        for _ in range(_LOOKS):
            if not self._engine.poll():
                return
            self._note_events()

    def _note_events(self) -> None:
        while (event := self.protocol.next_event()) is not None:
            if self._told:
                self._tell(event)

    def _tell(self, event: Event) -> None:
        trace = self.settings.trace
        match event:
            case Sent(ticket=ticket):
                trace.command(self.number, str(ticket.command))
            case Preliminary(reply=reply) | Completed(reply=reply):
                trace.reply(self.number, reply)

    def error(self, sent: str, reply: Reply) -> NetClientError:
        """Return the error that ``reply`` to the command ``sent`` stands for."""
        if reply.kind == 3:
            self.mark()  # nobody knows what the server waits for now
        return reply_error(sent, reply, logged_in=self.settings.learned.logged_in)

    # TLS

    async def secure(self) -> None:
        """Put the control connection under TLS, now.

        Raises:
            ProtocolError: the server sent something in clear that would count as secure.
        """
        self.protocol.forbid_leftovers()
        settings = self.settings
        stream = self._engine.stream
        assert not isinstance(stream, TLSStream)
        self._engine.stream = await settings.dialer.start_tls(
            stream, settings.endpoint.host, settings.timeouts.handshake, newest=settings.learned.tls13_data
        )

    def secure_data(self, stream: SocketStream) -> TLSStream:
        """Prepare TLS for a data connection: the control connection's host and its session (RFC 4217 section 10)."""
        control = self._engine.stream
        session = control.session if isinstance(control, TLSStream) else None
        host = self.settings.endpoint.host
        return self.settings.dialer.secure(stream, host, session=session, newest=self.settings.learned.tls13_data)

    def transfer_began(self, transfer: Transfer) -> None:
        """Note the one transfer that is under way: the connection is of no other use until it has ended."""
        self._transfer = transfer

    def transfer_ended(self) -> None:
        """The transfer has had its final reply."""
        self._transfer = None

    # A data port that was asked for ahead of its transfer

    def take_prepared_port(self) -> int | None:
        """Return the port, once."""
        port, self._prepared_port = self._prepared_port, None
        return port

    def keep_prepared(self, ticket: Ticket[Command]) -> None:
        """Remember the port that an EPSV behind a transfer was answered with, if it was."""
        reply = ticket.reply
        if reply is not None and reply.kind == 2:
            self._prepared_port = parse_passive(reply.code, reply.text).port

    # The pool's side

    @property
    def clean(self) -> bool:
        """See :attr:`~netclients.pool.Pooled.clean`."""
        if self._closed or self.marked or self._transfer is not None or self._outdated:
            return False
        return self.protocol.idle and not self._engine.closed_by_peer

    @property
    def _outdated(self) -> bool:
        """Whether the session is of a TLS version that the server turned out not to bear."""
        if self.settings.learned.tls13_data:
            return False
        stream = self._engine.stream
        return isinstance(stream, TLSStream) and stream.version == "TLSv1.3" and self.settings.dialer.allows_tls12

    def close(self, reason: str) -> None:
        """Say QUIT if that can be said without waiting, and close."""
        if not self._closed and self.protocol.idle:
            try:
                stream = self.stream
                stream.try_send(b"QUIT\r\n")
                if isinstance(stream, TLSStream):
                    stream.try_close()
            except NetClientError:
                reason += " (the server was gone)"
        self.abort(reason)

    def abort(self, reason: str) -> None:
        """Close at once."""
        if not self._closed:
            self._closed = True
            if self._transfer is not None:
                self._transfer.abort()
            self.stream.abort()
            self.settings.trace.closed(self.number, reason)
