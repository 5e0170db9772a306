"""Carries messages over one connection, as many at a time as the mode and the server allow.

::

    begin … begin → prompt (what the replies allow) → exchange (bytes out, bytes in) → transactions that are over

In standard mode the content of one message and the envelope of the next leave together; eager, whole messages
follow each other without waiting. Only the newest transaction ever has something left to say.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from netclients.errors import ConnectionLost, NetClientError, ProtocolError
from netclients.smtp.transaction import Phase, Transaction
from netclients.transport.readiness import Deadline
from netclients.wire.dots import DotStuffer

if TYPE_CHECKING:
    from netclients.smtp.commands import Command
    from netclients.smtp.connection import SMTPConnection
    from netclients.smtp.delivery import Delivery
    from netclients.transport.rate import RateLimit
    from netclients.wire.pipeline import Ticket
    from netclients.wire.replies import Reply

__all__ = ["Courier"]

_EAGER_MESSAGES = 64
_EAGER_BYTES = 1024 * 1024
_EAGER_LARGEST = 256 * 1024  # a larger content waits for the replies to its envelope


class Courier:
    """Sends over ``connection``, which the caller has to himself, within ``limit`` bytes a second.

    ``flight``: what is under way, oldest first. ``proven``: the connection has been of use before.
    """

    def __init__(self, connection: SMTPConnection, limit: RateLimit | None = None) -> None:
        self.connection = connection
        self.flight: deque[Transaction] = deque()
        self.proven: bool = connection.mails > 0
        self.limit = limit
        settings = connection.settings
        extensions = connection.extensions
        self._learned = settings.learned
        self._ahead = connection.protocol.pipelining and settings.learned.rset
        self._eager = (
            settings.pipelining == "eager" and self._ahead and extensions.has("CHUNKING") and not settings.lmtp
        )
        limits = extensions.limits
        self._most_mails = limits.get("MAILMAX")
        self._most_recipients = limits.get("RCPTMAX")
        self._unclean = False
        self._over = False
        self._awaited: Ticket[Command, Reply] | None = None
        self._deadline = Deadline(None, "reply")

    @property
    def room(self) -> bool:
        """Whether another message may be begun now."""
        if self._over or self.connection.protocol.ended:
            return False
        if self._most_mails is not None and self.connection.mails >= self._most_mails:
            return False
        if self.limit is not None and self.limit.pause > 0:
            return False
        if not self.flight:
            return True
        newest = self.flight[-1]
        if not self._ahead or newest.phase is not Phase.CONTENT:
            return False
        if not newest.eager:
            return len(self.flight) < 2
        return (
            self._learned.eager
            and len(self.flight) < _EAGER_MESSAGES
            and sum(transaction.size for transaction in self.flight) < _EAGER_BYTES
        )

    def begin(self, delivery: Delivery) -> None:
        """Submit a message.

        Raises:
            UnsupportedError: the server can't take it; nothing was submitted.
            ConnectionLost: the connection has ended; nothing was submitted either.
        """
        connection = self.connection
        most = self._learned.recipients or self._most_recipients
        plan = delivery.plan(connection.extensions, secured=connection.secured, most=most)
        eager = self._eager and self._learned.eager and plan.message.size <= _EAGER_LARGEST
        guard = self._unclean or self._ahead
        self.flight.append(Transaction(connection, delivery, plan, ahead=self._ahead, eager=eager, guard=guard))
        if self._most_mails is not None and connection.mails >= self._most_mails:
            connection.mark()  # it carries no other

    def prompt(self) -> None:
        """Submit what the replies that have come allow.

        Raises:
            ProtocolError: the server is out of step.
        """
        for transaction in self.flight:
            transaction.advance()
            if transaction.phase is not Phase.DONE:
                break
        self.flight[-1].advance()

    async def exchange(self) -> list[Transaction]:
        """Send what is due, and wait for a reply, unless a transaction is over already; return those that are.

        Raises:
            ConnectionLost, PhaseTimeout, ProtocolError: the connection is of no more use.
            LocalFileError: the content can't be read, and neither is the connection.
        """
        connection = self.connection
        await connection.flush()
        newest = self.flight[-1]
        if newest.phase is Phase.STREAMING:
            await self._stream(newest)
        elif self.flight[0].phase is not Phase.DONE:
            await self._receive()
        self.prompt()
        return self._landed()

    async def _receive(self) -> None:
        protocol = self.connection.protocol
        if protocol.ended:
            raise ConnectionLost("the server closed the session (421)")
        awaited = protocol.awaited
        assert awaited is not None
        timeouts = self.connection.settings.timeouts
        timeout, phase = (timeouts.complete, "complete") if awaited.command.doubtful else (timeouts.reply, "reply")
        if awaited is not self._awaited:
            # The time is one command's: a reply that comes byte by byte does not get more of it.
            self._awaited = awaited
            self._deadline = Deadline(timeout, phase, awaited.command)
        with self._deadline:
            await self.connection.receive(self._deadline.left(), phase)

    async def _stream(self, transaction: Transaction) -> None:
        message = transaction.plan.message
        stuffer = None if transaction.plan.binary else DotStuffer()
        [ticket, *_] = transaction.contents
        whole = await self.connection.stream_content(ticket, message.size, message.chunks(), stuffer, self.limit)
        transaction.streamed(whole=whole)
        if whole:
            return
        # The server still waits for the end of this content: nothing else may be said to it.
        self._over = True
        self.connection.abort("the server answered before it had the content")
        if ticket.reply is None:
            raise ConnectionLost("the connection was lost amid the content")
        if ticket.reply.kind == 2:
            transaction.answered_early = True
            raise ProtocolError("the server accepted a content that it had not had")

    def _landed(self) -> list[Transaction]:
        landed = []
        while self.flight and self.flight[0].phase is Phase.DONE:
            transaction = self.flight.popleft()
            self._learn(transaction)
            self.proven = True
            landed.append(transaction)
        return landed

    def _learn(self, transaction: Transaction) -> None:
        self._unclean = not transaction.leaves_clean
        if transaction.refuses_guard:
            self._learned.rset = False
        if transaction.out_of_step:
            self._learned.eager = False
        if transaction.refuses_guard or transaction.out_of_step:
            self._over = True
            self.connection.mark()

    def lost(self) -> list[Transaction]:
        """The connection has failed: return what was under way."""
        lost = list(self.flight)
        self.flight.clear()
        for transaction in lost:
            self._learn(transaction)
        return lost

    def tell_doubts(self) -> None:
        """The task was cancelled: tell for which messages nobody knows what became of them."""
        for transaction in self.flight:
            if transaction.doubtful:
                shown = transaction.delivery.message.message_id or "message"
                self.connection.settings.trace.outcome_unknown(f"send {shown}")

    async def tidy(self) -> None:
        """Leave the session as it was after login, or the connection marked if that does not work."""
        if self.flight or self.connection.protocol.idle:
            return
        try:
            await self.connection.rset()
        except NetClientError:
            self.connection.mark()
