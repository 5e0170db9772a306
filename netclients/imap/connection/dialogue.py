"""What every method of ``IMAPConnection`` stands on: commands that are submitted, and waited for later."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from netclients.conversation import Conversation
from netclients.errors import ConnectionLost, NetClientError, OutcomeUnknown, UnsupportedError
from netclients.imap.commands import Command, command
from netclients.imap.protocol import IMAPProtocol
from netclients.imap.refusals import reply_error
from netclients.imap.types import Condition, Status
from netclients.pending import Pending

if TYPE_CHECKING:
    from netclients.imap.selected import Selected
    from netclients.imap.types import Response
    from netclients.settings import Settings
    from netclients.transport.stream import SocketStream
    from netclients.wire.pipeline import Ticket

__all__ = ["Dialogue"]

T = TypeVar("T")
D = TypeVar("D")

# The server works for as long as it takes, before it says anything (RFC 5321 speaks of ten minutes, for mail).
_SLOW = frozenset(
    f"{uid}{verb}"
    for uid in ("", "UID ")
    for verb in ("SEARCH", "SORT", "THREAD", "COPY", "MOVE", "STORE", "EXPUNGE", "APPEND", "SELECT", "EXAMINE", "CLOSE")
)


class Dialogue(Conversation[Command, Status]):
    """One connection's commands. Not for several tasks at once."""

    def __init__(self, settings: Settings, stream: SocketStream) -> None:
        self.settings: Settings = settings
        self.protocol: IMAPProtocol = IMAPProtocol(settings.bounds)
        super().__init__(settings, stream, self.protocol)
        self.welcome: str = ""

    @property
    def capabilities(self) -> frozenset[str]:
        """What the server has said that it can do, in upper case."""
        return self.protocol.capabilities or frozenset()

    @property
    def selected(self) -> Selected | None:
        """The mailbox that is open."""
        return self.protocol.selected

    def has(self, *capabilities: str) -> bool:
        """Whether the server offers any of these."""
        return any(map(self.protocol.has, capabilities))

    def require(self, *capabilities: str) -> None:
        """Check that the server offers any of these.

        Raises:
            UnsupportedError: it does not.
        """
        if not self.has(*capabilities):
            raise UnsupportedError(f"the server does not offer {' or '.join(capabilities)}")

    def next_untagged(self) -> Response | None:
        """Return what the server has said unasked, oldest first: EXISTS, EXPUNGE, FETCH, alerts."""
        return self.protocol.next_untagged()

    def error(self, sent: str, reply: Status) -> NetClientError:
        """Return the error that ``reply`` to the command ``sent`` stands for."""
        return reply_error(sent, reply)

    def farewell(self) -> Command:
        """LOGOUT: it expunges nothing (RFC 9051 section 6.1.3)."""
        return command("LOGOUT")

    # Commands

    def begin(self, sent: Command) -> Pending[Status]:
        """Submit a command."""
        return Pending(self, self.submit(sent), _itself)

    def done(self, sent: Command) -> Pending[None]:
        """Submit a command of which there is nothing to know but that it went well."""
        return Pending(self, self.submit(sent), _nothing)

    def gather(self, sent: Command, wanted: type[D]) -> Pending[list[D]]:
        """Submit a command that is answered by any number of untagged data of one kind."""
        found: list[D] = []

        def collect(response: Response) -> bool:
            if isinstance(response, wanted):
                found.append(response)
                return True
            return False

        return Pending(self, self.submit(sent.collecting(collect)), lambda _: found)

    async def outcome(self, ticket: Ticket[Command, Status], result: Callable[[Status], T]) -> T:
        """See :class:`~netclients.pending.Pending`."""
        return result(await self.conclude(ticket))

    async def conclude(self, ticket: Ticket[Command, Status]) -> Status:
        """Wait for the end of a command; its time is counted from one piece of data to the next.

        Raises:
            ReplyError: the server refuses.
            OutcomeUnknown: the reply is lost, and nobody knows whether the command was executed.
        """
        if ticket.reply is None:
            timeouts = self.settings.timeouts
            slow = ticket.command.verb in _SLOW
            timeout, phase = (timeouts.complete, "complete") if slow else (timeouts.reply, "reply")
            patience = timeouts.complete if slow else timeouts.stall
            try:
                await self.settle(ticket, timeout, phase, patience=patience)
            except NetClientError as error:
                if ticket.command.doubtful and self._may_be_done(ticket):
                    raise OutcomeUnknown(str(ticket.command), str(error)) from error
                if isinstance(error, ConnectionLost):
                    self.check_alive(ticket)  # it may have said why
                raise
        assert ticket.reply is not None
        self.judge(ticket.command, ticket.reply)
        return ticket.reply

    def check_alive(self, ticket: Ticket[Command, Status]) -> None:
        """Check that the server goes on talking: it may say goodbye long before it closes.

        Raises:
            ConnectionLost: it does not.
            TooManyConnections: it does not, and says that it has no room.
        """
        goodbye = self.protocol.goodbye
        if goodbye is not None and goodbye.condition is Condition.BYE:
            raise self.error(str(ticket.command), goodbye)
        if self.protocol.ended:
            raise ConnectionLost("the server closed the session")

    def _may_be_done(self, ticket: Ticket[Command, Status]) -> bool:
        return ticket.reply is None and self.may_have_arrived(ticket)


def _itself(status: Status) -> Status:
    return status


def _nothing(_: Status) -> None:
    return None
