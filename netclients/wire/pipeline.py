"""Tickets, and which command may be on its way while another one is.

A command is submitted and gets a :class:`Ticket`. The :class:`Pipeline` releases commands to the wire in
order, each as early as its own declaration and those of the commands before it allow, and knows for which
of them the next reply is. So the legality of a pipeline is decided without I/O, in one place.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import Generic, TypeVar

from netclients.wire.replies import Reply

__all__ = ["Pipeline", "Pipelining", "Ticket"]


class Pipelining(enum.Enum):
    """What a command tolerates around it while its reply is awaited."""

    FREE = enum.auto()
    """Commands before and behind."""
    LAST = enum.auto()
    """Commands before, nothing behind."""
    BARRIER = enum.auto()
    """Nothing before, nothing behind."""


C = TypeVar("C")


class Ticket(Generic[C]):
    """One submitted command and what has come back for it.

    ``preliminary`` is the newest 1xx reply (``preliminaries`` counts them), ``reply`` the final one; both are None
    until they arrive. ``ends_at`` is the place of its last byte in all that was released to the wire;
    ``open``: it goes on with bytes that are not released yet, and nothing may be sent behind it.
    """

    __slots__ = ("command", "ends_at", "open", "pipelining", "preliminaries", "preliminary", "reply", "sent")

    def __init__(self, command: C, pipelining: Pipelining) -> None:
        self.command: C = command
        self.pipelining: Pipelining = pipelining
        self.preliminary: Reply | None = None
        self.preliminaries: int = 0
        self.reply: Reply | None = None
        self.sent: bool = False
        self.ends_at: int = 0
        self.open: bool = False

    @property
    def started(self) -> bool:
        """Whether any reply has arrived."""
        return self.preliminary is not None or self.reply is not None


class Pipeline(Generic[C]):
    """First in, first out: commands that wait to be sent, and commands that wait for replies."""

    __slots__ = ("_awaiting", "_queued")

    def __init__(self) -> None:
        self._queued: deque[Ticket[C]] = deque()
        self._awaiting: deque[Ticket[C]] = deque()

    def __len__(self) -> int:
        return len(self._queued) + len(self._awaiting)

    @property
    def queued(self) -> bool:
        """Whether a command has not been released yet."""
        return bool(self._queued)

    def submit(self, ticket: Ticket[C]) -> None:
        """Queue a command behind all earlier ones."""
        self._queued.append(ticket)

    def release(self) -> list[Ticket[C]]:
        """Return the commands that may be sent now, oldest first, and count them as sent."""
        released = []
        while self._queued and self._may_send(self._queued[0]):
            ticket = self._queued.popleft()
            ticket.sent = True
            self._awaiting.append(ticket)
            released.append(ticket)
        return released

    def _may_send(self, ticket: Ticket[C]) -> bool:
        if not self._awaiting:
            return True
        # What was sent before a LAST or BARRIER command has been released already, so only the newest counts.
        if self._awaiting[-1].open:
            return False
        return ticket.pipelining is not Pipelining.BARRIER and self._awaiting[-1].pipelining is Pipelining.FREE

    @property
    def current(self) -> Ticket[C] | None:
        """The command that the next reply belongs to."""
        return self._awaiting[0] if self._awaiting else None

    def complete(self) -> None:
        """The current command has had its final reply."""
        self._awaiting.popleft()
