"""Commands one way, replies the other: what all five protocols have in common, without I/O.

::

    submit → pipeline → data_to_send …… receive_data → replies → the ticket that waits

A protocol's own state machine stands on :class:`Dialogue`: it says which commands may share the wire, how bytes become
replies, and what a reply does to its state.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from netclients.wire.pipeline import Pipeline, Pipelining, Ticket

__all__ = ["AnyReply", "Completed", "Dialogue", "DialogueCommand", "Event", "Preliminary", "Sent", "Unsolicited"]


class AnyReply(Protocol):
    """What can be told of every reply; ``str()`` shows it to people."""

    @property
    def told(self) -> tuple[int | None, str]:
        """What events and logs are told: the three digits, in protocols that have them, and the text."""


R = TypeVar("R", bound=AnyReply)
R_contra = TypeVar("R_contra", contravariant=True)


class DialogueCommand(Protocol[R_contra]):
    """What a dialogue needs of a command; ``str()`` shows it to people, secrets redacted."""

    @property
    def marks(self) -> bool:
        """Whether it leaves the session other than it was after login."""

    @property
    def doubtful(self) -> bool:
        """Whether it may have taken effect even if its reply is lost, and nobody else tells so."""

    def accepts(self, reply: R_contra) -> bool:
        """Whether this final reply says that all went well."""

    def confides(self, reply: R_contra) -> bool:
        """Whether ``reply`` holds what nobody but the two ends should see."""

    def encode(self) -> bytes:
        """Return the bytes as they are sent."""


C = TypeVar("C", bound=DialogueCommand[Any])


@dataclass(frozen=True, slots=True)
class Sent(Generic[C, R]):
    """A command was released to the wire."""

    ticket: Ticket[C, R]


@dataclass(frozen=True, slots=True)
class Preliminary(Generic[C, R]):
    """A reply that is not the last for this ticket (1xx)."""

    ticket: Ticket[C, R]
    reply: R


@dataclass(frozen=True, slots=True)
class Completed(Generic[C, R]):
    """The final reply of a ticket."""

    ticket: Ticket[C, R]
    reply: R


@dataclass(frozen=True, slots=True)
class Unsolicited(Generic[R]):
    """What the server says unasked: that it closes the session, most of the time."""

    reply: R


Event = Sent[C, R] | Preliminary[C, R] | Completed[C, R] | Unsolicited[R]


class Dialogue(ABC, Generic[C, R]):
    """One connection's commands and replies.

    ``greeting`` is the ticket of what the server says first, ``goodbye`` what it says last; None: nothing yet.
    ``bears`` and ``most``: see :class:`~netclients.wire.pipeline.Pipeline`.
    """

    def __init__(self, greeting: C, bears: Callable[[C, C], bool] | None = None, most: int | None = None) -> None:
        self._pipeline: Pipeline[C, R] = Pipeline(bears, most)
        self._events: deque[Event[C, R]] = deque()
        self._released = 0
        self.goodbye: R | None = None
        self.greeting: Ticket[C, R] = Ticket(greeting, Pipelining.BARRIER)
        self._pipeline.submit(self.greeting)
        for _ in self._pipeline.release():
            pass  # nothing is sent for it

    # What a protocol decides

    @property
    @abstractmethod
    def ready(self) -> bool:
        """Whether the server has greeted, says no goodbye, and nothing is under way."""

    @property
    @abstractmethod
    def ended(self) -> bool:
        """Whether the server has said goodbye or closed: no command will be answered any more."""

    @property
    @abstractmethod
    def partial(self) -> bool:
        """Whether something has been received in part."""

    @abstractmethod
    def pipelining_of(self, command: C) -> Pipelining:
        """Return what ``command`` tolerates around it, on this server."""

    def bears(self, awaited: C, command: C) -> bool:
        """Whether ``command`` may be sent while ``awaited`` has had no reply, if both tolerate others."""
        return True

    @abstractmethod
    def receive_data(self, data: memoryview) -> None:
        """Consume bytes from the server.

        Raises:
            ProtocolError: no reply, a reply to nothing, or more than the bounds allow.
        """

    @abstractmethod
    def receive_eof(self) -> None:
        """The server has closed."""

    @abstractmethod
    def forbid_leftovers(self) -> None:
        """Check that nothing was sent behind the reply that TLS was waiting for.

        Raises:
            ProtocolError: something was; in clear, and to be taken for secure.
        """

    # Sending

    def submit(self, command: C) -> Ticket[C, R]:
        """Take a command; it becomes due as soon as those before it allow."""
        ticket: Ticket[C, R] = Ticket(command, self.pipelining_of(command))
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

    def released_behind(self, ticket: Ticket[C, R], count: int) -> None:
        """Note that ``count`` bytes go out behind the newest command, as its continuation."""
        self._released += count
        ticket.ends_at = self._released

    # Receiving

    def next_event(self) -> Event[C, R] | None:
        """Return what has happened, oldest first."""
        return self._events.popleft() if self._events else None

    def tell(self, event: Event[C, R]) -> None:
        """Add to what :meth:`next_event` returns."""
        self._events.append(event)

    def complete(self, ticket: Ticket[C, R], reply: R) -> None:
        """The ticket has had its final reply."""
        ticket.reply = reply
        self._pipeline.complete(ticket)
        self._events.append(Completed(ticket, reply))

    def leave(self, goodbye: R) -> None:
        """The server has said that it closes the session."""
        self.goodbye = goodbye

    # What is pending

    @property
    def awaited(self) -> Ticket[C, R] | None:
        """The command that the next reply belongs to."""
        return self._pipeline.current

    @property
    def idle(self) -> bool:
        """Whether every command has had its reply and nothing is half received."""
        return self.ready and not self._pipeline and not self.partial
