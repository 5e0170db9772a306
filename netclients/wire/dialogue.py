"""Commands one way, three-digit replies the other: what FTP, SMTP and NNTP have in common, without I/O.

::

    submit → pipeline → data_to_send …… receive_data → lines → replies → the oldest ticket that waits

A protocol's own state machine stands on :class:`ReplyDialogue`: it says which commands may share the wire, and
what a reply does to its state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from netclients.errors import ProtocolError
from netclients.wire.lines import LineBuffer
from netclients.wire.pipeline import Pipeline, Pipelining, Ticket
from netclients.wire.replies import Reply, ReplyParser

__all__ = ["Completed", "DialogueCommand", "Event", "Preliminary", "ReplyDialogue", "Sent", "ServerClosing"]


class DialogueCommand(Protocol):
    """What a dialogue needs of a command; ``str()`` shows it to people, secrets redacted."""

    @property
    def marks(self) -> bool:
        """Whether it leaves the session other than it was after login."""

    @property
    def doubtful(self) -> bool:
        """Whether it may have taken effect even if its reply is lost, and nobody else tells so."""

    def accepts(self, reply: Reply) -> bool:
        """Whether this final reply says that all went well."""

    def confides(self, reply: Reply) -> bool:
        """Whether ``reply`` holds what nobody but the two ends should see."""

    def encode(self) -> bytes:
        """Return the bytes as they are sent."""


C = TypeVar("C", bound=DialogueCommand)


@dataclass(frozen=True, slots=True)
class Sent(Generic[C]):
    """A command was released to the wire."""

    ticket: Ticket[C]


@dataclass(frozen=True, slots=True)
class Preliminary(Generic[C]):
    """A 1xx reply: more will come for this ticket."""

    ticket: Ticket[C]
    reply: Reply


@dataclass(frozen=True, slots=True)
class Completed(Generic[C]):
    """The final reply of a ticket."""

    ticket: Ticket[C]
    reply: Reply


@dataclass(frozen=True, slots=True)
class ServerClosing:
    """The server says that it closes the connection (421), or has closed it (None)."""

    reply: Reply | None


Event = Sent[C] | Preliminary[C] | Completed[C] | ServerClosing


class ReplyDialogue(ABC, Generic[C]):
    """One connection's commands and replies. ``greeting`` is the ticket of what the server says first.

    ``line`` and ``reply`` are bounds in bytes; ``encoding`` is that of reply texts.
    """

    def __init__(self, greeting: C, *, line: int, reply: int, encoding: str = "utf-8") -> None:
        self._lines = LineBuffer(line)
        self._parser = ReplyParser(reply, encoding)
        self._pipeline: Pipeline[C] = Pipeline()
        self._events: deque[Event[C]] = deque()
        self._released = 0
        self.greeting: Ticket[C] = Ticket(greeting, Pipelining.BARRIER)
        self._pipeline.submit(self.greeting)
        self._pipeline.release()

    # What a protocol decides

    @property
    @abstractmethod
    def ready(self) -> bool:
        """Whether the server has greeted, says no goodbye, and nothing is under way."""

    @property
    @abstractmethod
    def ended(self) -> bool:
        """Whether the server has said goodbye or closed: no command will be answered any more."""

    @abstractmethod
    def pipelining_of(self, command: C) -> Pipelining:
        """Return what ``command`` tolerates around it, on this server."""

    @abstractmethod
    def receive_reply(self, ticket: Ticket[C] | None, reply: Reply) -> None:
        """Take a reply; None: no command waits for one.

        Raises:
            ProtocolError: it makes no sense here.
        """

    @abstractmethod
    def receive_eof(self) -> None:
        """The server has closed."""

    # Sending

    def submit(self, command: C) -> Ticket[C]:
        """Take a command; it becomes due as soon as those before it allow."""
        ticket = Ticket(command, self.pipelining_of(command))
        self._pipeline.submit(ticket)
        return ticket

    def data_to_send(self) -> bytes:
        """Return the commands that are due, as bytes."""
        if not self._pipeline.queued or self.ended:
            return b""
        due = []
        for ticket in self._pipeline.release():
            encoded = ticket.command.encode()
            self._released += len(encoded)
            ticket.ends_at = self._released
            due.append(encoded)
            self._events.append(Sent(ticket))
        return due[0] if len(due) == 1 else b"".join(due)

    def released_behind(self, ticket: Ticket[C], count: int) -> None:
        """Note that ``count`` bytes go out behind the newest command, as its continuation."""
        self._released += count
        ticket.ends_at = self._released

    # Receiving

    def receive_data(self, data: memoryview) -> None:
        """Consume bytes from the server.

        Raises:
            ProtocolError: no reply, a reply to nothing, or more than the bounds allow.
        """
        for line in self._lines.feed(data):
            reply = self._parser.feed_line(line)
            if reply is not None:
                self.receive_reply(self._pipeline.current, reply)

    def next_event(self) -> Event[C] | None:
        """Return what has happened, oldest first."""
        return self._events.popleft() if self._events else None

    def tell(self, event: Event[C]) -> None:
        """Add to what :meth:`next_event` returns."""
        self._events.append(event)

    def complete(self, ticket: Ticket[C], reply: Reply) -> None:
        """The oldest ticket has had its final reply."""
        ticket.reply = reply
        self._pipeline.complete()
        self._events.append(Completed(ticket, reply))

    # What is pending

    def forbid_leftovers(self) -> None:
        """Check that nothing was sent behind the reply that TLS was waiting for.

        Raises:
            ProtocolError: something was; in clear, and to be taken for secure.
        """
        awaited = self._pipeline and self.greeting.reply is not None
        if awaited or self._lines or self._parser.partial:
            raise ProtocolError("the server sent more in clear behind its agreement to TLS")

    @property
    def awaited(self) -> Ticket[C] | None:
        """The command that the next reply belongs to."""
        return self._pipeline.current

    @property
    def idle(self) -> bool:
        """Whether every command has had its reply and nothing is half received."""
        return self.ready and not self._pipeline and not self._lines and not self._parser.partial
