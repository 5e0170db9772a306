"""What every method of ``NNTPConnection`` stands on: commands that are submitted, and waited for later."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from netclients.conversation import Conversation
from netclients.errors import ConnectionLost, NetClientError, OutcomeUnknown, ProtocolError
from netclients.nntp import commands
from netclients.nntp.commands import Command, command
from netclients.nntp.protocol import NNTPProtocol
from netclients.nntp.replies import reply_error
from netclients.nntp.sinks import Sink, Spool
from netclients.nntp.types import Capabilities, Reply
from netclients.pending import Pending

if TYPE_CHECKING:
    from netclients.nntp.settings import Settings
    from netclients.transport.stream import SocketStream
    from netclients.wire.pipeline import Ticket

__all__ = ["Dialogue"]

T = TypeVar("T")


class Dialogue(Conversation[Command, Reply]):
    """One connection's commands. Not for several tasks at once."""

    def __init__(self, settings: Settings, stream: SocketStream) -> None:
        self.settings: Settings = settings
        self.protocol: NNTPProtocol = NNTPProtocol(
            settings.bounds, pipelining=settings.pipelining, window=settings.window
        )
        super().__init__(settings, stream, self.protocol)
        self.capabilities: Capabilities = Capabilities()
        self.welcome: str = ""
        self.posting: bool = False
        self.authenticated: bool = False
        self.compressed: bool = False

    def error(self, sent: str, reply: Reply) -> NetClientError:
        """Return the error that ``reply`` to the command ``sent`` stands for."""
        error = reply_error(sent, reply)
        if isinstance(error, ProtocolError):
            self.mark()
        return error

    def understood(self, read: Callable[[], T]) -> T:
        """Read a reply; if it makes no sense, the two ends may be out of step: the session is not used again."""
        try:
            return read()
        except ProtocolError:
            self.mark()
            raise

    def farewell(self) -> Command:
        """QUIT."""
        return command("QUIT")

    def begin(self, sent: Command, result: Callable[[Reply], T]) -> Pending[T]:
        """Submit a command, of whose reply ``result`` makes what its caller gets."""
        return Pending(self, self.submit(sent), result)

    def listed(self, parse: Callable[[bytes], T], verb: str, *words: bytes) -> Pending[tuple[T, ...]]:
        """Submit a command that is answered by a list."""
        sent = commands.listing(verb, *words, bounds=self.settings.bounds)
        return self.begin(sent, lambda reply: tuple(map(parse, reply.lines)))

    async def told(self, sink: Sink[list[T]], parse: Callable[[bytes], T], verb: str, *words: bytes) -> None:
        """Run a command that is answered by a list of any length; ``sink`` gets what has come, as it comes."""
        with Spool[list[bytes]]() as spool:
            sent = commands.listing(verb, *words, bounds=self.settings.bounds, take=spool.take)
            await self.spooled(sent, spool, lambda lines: sink([parse(line) for line in lines]))

    async def spooled(self, sent: Command, spool: Spool[T], sink: Sink[T]) -> Reply:
        """Run a command whose block goes to ``spool``, and deliver that meanwhile."""
        ticket = self.submit(sent)
        await self.flush()
        while ticket.reply is None:
            self.check_alive()
            partial, timeouts = self.protocol.partial, self.settings.timeouts
            if partial:
                await self.receive(timeouts.stall, "stall")
            elif sent.traits.slow:
                await self.receive(timeouts.complete, "complete")
            else:
                await self.receive(timeouts.reply, "reply")
            await self.flush()
            await spool.deliver(sink)
        self.judge(sent, ticket.reply)
        return ticket.reply

    async def outcome(self, ticket: Ticket[Command, Reply], result: Callable[[Reply], T]) -> T:
        """See :class:`~netclients.pending.Pending`."""
        reply = await self.conclude(ticket)
        return self.understood(lambda: result(reply))

    async def conclude(
        self, ticket: Ticket[Command, Reply], judge: Callable[[Command, Reply], None] | None = None
    ) -> Reply:
        """Wait for the end of a command; its time is counted from one piece of data to the next.

        Raises:
            ReplyError: the server refuses.
            OutcomeUnknown: the reply is lost, and nobody knows whether the command was executed.
        """
        if ticket.reply is None:
            timeouts = self.settings.timeouts
            slow = ticket.command.traits.slow
            timeout, phase = (timeouts.complete, "complete") if slow else (timeouts.reply, "reply")
            try:
                await self.settle(ticket, timeout, phase, patience=timeouts.stall)
            except NetClientError as error:
                if ticket.command.doubtful and self._may_be_done(ticket):
                    raise OutcomeUnknown(str(ticket.command), str(error)) from error
                raise
        assert ticket.reply is not None
        (judge or self.judge)(ticket.command, ticket.reply)
        return ticket.reply

    def _may_be_done(self, ticket: Ticket[Command, Reply]) -> bool:
        return ticket.reply is None and self.may_have_arrived(ticket)

    def check_alive(self) -> None:
        """Check that the server goes on talking: it may say goodbye long before it closes.

        Raises:
            ConnectionLost: it does not.
        """
        if self.protocol.ended:
            raise ConnectionLost(f"the server closed the session: {self.protocol.goodbye}")

    async def run(self, sent: Command) -> Reply:
        """Run one command to its end."""
        return await self.conclude(self.submit(sent))
