"""Commands and replies on one connection: what every connection class stands on.

::

    submit → protocol → flush → stream …… stream → receive → protocol → ticket.reply

A ticket may be settled long after others were submitted; whoever waits reads for all.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from netclients.config import TLSMode
from netclients.engine import Engine
from netclients.errors import ConfigurationError, ConnectionLost, NetClientError
from netclients.pool import Pooled
from netclients.transport.readiness import Deadline
from netclients.wire.dialogue import AnyReply, Completed, DialogueCommand, Preliminary, Sent, Unsolicited

if TYPE_CHECKING:
    from netclients.settings import Settings
    from netclients.transport.stream import ByteStream, SocketStream, Waitable
    from netclients.wire.dialogue import Dialogue, Event
    from netclients.wire.pipeline import Ticket

__all__ = ["Conversation"]

C = TypeVar("C", bound=DialogueCommand[Any])
R = TypeVar("R", bound=AnyReply)

_numbers = itertools.count(1)
_LOOKS = 4


class Conversation(Pooled, Generic[C, R]):
    """One connection. Not for several tasks at once.

    ``number`` is unique within the process; ``marked`` means that the session is not as after login, so that the
    connection can't be lent again.
    """

    def __init__(self, settings: Settings, stream: SocketStream, protocol: Dialogue[C, R]) -> None:
        self.number: int = next(_numbers)
        self.marked: bool = False
        self._settings: Settings = settings
        self._dialogue = protocol
        self._engine: Engine[C, R, Event[C, R], ByteStream] = Engine(stream, protocol, settings.dialer)
        self._told = settings.trace.dialogue
        self._closed = False

    @abstractmethod
    def error(self, sent: str, reply: R) -> NetClientError:
        """Return the error that ``reply`` to the command ``sent`` (as shown to people) stands for."""

    @abstractmethod
    def farewell(self) -> C | None:
        """Return the command that ends a session in good order; None: it would do more than that."""

    @property
    def stream(self) -> ByteStream:
        """The connection's bytes."""
        return self._engine.stream

    @property
    def secured(self) -> bool:
        """Whether the connection is under TLS."""
        return self._engine.stream.secured

    @property
    def closed_by_server(self) -> bool:
        """Whether the server has closed this connection."""
        return self._engine.closed_by_peer

    @property
    def over(self) -> bool:
        """Whether the connection has ended, whoever ended it, as far as is known."""
        return self._closed or self._dialogue.ended or self._engine.closed_by_peer

    # Commands and replies

    def submit(self, sent: C) -> Ticket[C, R]:
        """Queue a command; :meth:`flush` and :meth:`settle` send it as soon as it may go.

        Raises:
            ConnectionLost: the connection has ended.
        """
        if self._closed or self._dialogue.ended:
            raise ConnectionLost("the connection is closed")
        if sent.marks:
            self.mark()
        return self._dialogue.submit(sent)

    def mark(self) -> None:
        """The session is about to be other than after login."""
        self.marked = True

    def unmark(self, marked: bool = False) -> None:
        """Nothing came of it: the session is as it was before, when it was ``marked`` or not."""
        self.marked = marked

    async def flush(self) -> None:
        """Send what may be sent."""
        await self._engine.flush(self._settings.timeouts.reply)

    async def receive(self, timeout: float | None, phase: str) -> None:
        """Read once; wait for at most ``timeout`` seconds."""
        await self._engine.receive(timeout, phase)
        self._note_events()

    async def settle(
        self, ticket: Ticket[C, R], timeout: float | None, phase: str, *, patience: float | None = 0
    ) -> None:
        """Send what is due and read until ``ticket``, and so all before it, has its final reply.

        That may take ``timeout`` seconds; or, if ``patience`` is not 0, as long as it takes, if never more than
        ``patience`` seconds (None: any time) pass between one piece of data and the next, once the first has come. A
        cancellation in between is told to ``events.outcome_unknown``, if the command changes something.
        """
        try:
            await self.flush()
            if ticket.reply is None:
                await self._read_until_settled(ticket, timeout, phase, patience)
        except Exception:
            raise  # tells the caller by itself
        except BaseException:
            if ticket.command.doubtful and self.may_have_arrived(ticket) and ticket.reply is None:
                self._settings.trace.outcome_unknown(str(ticket.command))
            raise

    async def _read_until_settled(
        self, ticket: Ticket[C, R], timeout: float | None, phase: str, patience: float | None
    ) -> None:
        deadline = Deadline(timeout, phase, ticket.command)
        while ticket.reply is None:
            if self._dialogue.ended:
                raise ConnectionLost(f"the server closed the session: {self._dialogue.goodbye}")
            with deadline:
                await self.receive(deadline.left(), phase)
            if patience != 0:
                timeout, phase = patience, "stall"
                deadline = Deadline(timeout, phase, ticket.command)
            await self.flush()

    def may_have_arrived(self, ticket: Ticket[C, R]) -> bool:
        """Whether the last byte of this command has left: if not, the server can't have executed it."""
        return ticket.sent and not ticket.open and self._engine.handed_over >= ticket.ends_at

    async def settle_all(self) -> None:
        """Read until no command waits for its reply; all of them together get the time of one."""
        await self.flush()
        with Deadline(self._settings.timeouts.reply, "reply") as deadline:
            while not self._dialogue.idle:
                await self.receive(deadline.left(), "reply")
                await self.flush()

    async def answer(self, ticket: Ticket[C, R]) -> R:
        """Return the final reply to a command that was submitted, whatever its code."""
        if ticket.reply is None:
            await self.settle(ticket, self._settings.timeouts.reply, "reply")
        assert ticket.reply is not None
        return ticket.reply

    async def reply_to(self, sent: C) -> R:
        """Send ``sent`` and return its final reply, whatever its code."""
        return await self.answer(self.submit(sent))

    async def expect(self, sent: C) -> R:
        """Send ``sent`` and return its final reply.

        Raises:
            ReplyError: the server refuses.
            ProtocolError: it asks for more (3xx) where nothing is left to be said.
        """
        reply = await self.reply_to(sent)
        self.judge(sent, reply)
        return reply

    def judge(self, sent: C, reply: R) -> None:
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
        while (event := self._dialogue.next_event()) is not None:
            if self._told:
                self._tell(event)

    def _tell(self, event: Event[C, R]) -> None:
        trace = self._settings.trace
        match event:
            case Sent(ticket=ticket):
                trace.command(self.number, str(ticket.command))
            case Preliminary(ticket=ticket, reply=reply) | Completed(ticket=ticket, reply=reply):
                code, text = reply.told
                trace.reply(self.number, code, "***" if ticket.command.confides(reply) else text)
            case Unsolicited(reply=reply):
                trace.reply(self.number, *reply.told)

    # TLS

    def require_privacy(self) -> None:
        """Check that credentials may be shown: under TLS, on a Unix socket, or because the caller asked for it.

        Raises:
            ConfigurationError: the connection is plain, and nobody has asked for that.
        """
        settings = self._settings
        plain = not self.secured and settings.endpoint.socket_path is None
        if plain and not (settings.tls is TLSMode.NONE and settings.plain_asked_for):
            raise ConfigurationError("credentials would cross a plain connection; tls='none' asks for that")

    @property
    def newest_tls(self) -> bool:
        """Whether the server bears the newest TLS version that the client's settings allow."""
        return True

    async def secure(self) -> None:
        """Put the connection under TLS, now.

        Raises:
            ProtocolError: the server sent something in clear that would count as secure.
        """
        self._dialogue.forbid_leftovers()
        settings = self._settings
        stream = self._engine.stream
        assert not stream.secured
        self._engine.stream = await settings.dialer.start_tls(
            cast("SocketStream", stream), settings.endpoint.host, settings.timeouts.handshake, newest=self.newest_tls
        )

    # The pool's side

    @property
    def clean(self) -> bool:
        """See :attr:`~netclients.pool.Pooled.clean`."""
        return not self._closed and not self.marked and self._dialogue.idle and not self._engine.closed_by_peer

    def close(self, reason: str) -> None:
        """Say goodbye if that can be said without waiting, and close."""
        if not self._closed and self._dialogue.idle:
            try:
                self._say_farewell()
            except NetClientError:
                reason += " (the server was gone)"
        self.abort(reason)

    def _say_farewell(self) -> None:
        stream = self.stream
        if (farewell := self.farewell()) is not None:
            self._dialogue.submit(farewell)
            stream.try_send(self._dialogue.data_to_send())
            self._note_events()
        stream.try_close()

    def abort(self, reason: str) -> None:
        """Close at once."""
        if not self._closed:
            self._closed = True
            self.stream.abort()
            self._settings.trace.closed(self.number, reason)
