"""Tickets, and which command may be on its way while another one is.

A command is submitted and gets a :class:`Ticket`. The :class:`Pipeline` releases commands to the wire in
order, each as early as its own declaration and those of the commands before it allow, and knows for which
of them the next reply is. So the legality of a pipeline is decided without I/O, in one place.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

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
R = TypeVar("R")


class Ticket(Generic[C, R]):
    """One submitted command and what has come back for it.

    ``preliminary`` is the newest reply that is not the final one (1xx), ``preliminaries`` counts them, ``reply`` is the
    final one; both are None until they arrive. ``ends_at`` is the place of its last byte in all that was released to
    the wire; ``open``: it goes on with bytes that are not released yet, and nothing may be sent behind it.
    """

    __slots__ = ("command", "ends_at", "open", "pipelining", "preliminaries", "preliminary", "reply", "sent")

    def __init__(self, command: C, pipelining: Pipelining) -> None:
        self.command: C = command
        self.pipelining: Pipelining = pipelining
        self.preliminary: R | None = None
        self.preliminaries: int = 0
        self.reply: R | None = None
        self.sent: bool = False
        self.ends_at: int = 0
        self.open: bool = False

    @property
    def started(self) -> bool:
        """Whether any reply has arrived."""
        return self.preliminary is not None or self.reply is not None


class Pipeline(Generic[C, R]):
    """First in, first out: commands that wait to be sent, and commands that wait for replies.

    ``bears`` tells whether a command may be sent while another one waits for its reply, apart from what both declare;
    ``most``: how many wait for replies at a time, None: any number.
    """

    __slots__ = ("_awaiting", "_bears", "_most", "_queued")

    def __init__(self, bears: Callable[[C, C], bool] | None = None, most: int | None = None) -> None:
        self._queued: deque[Ticket[C, R]] = deque()
        self._awaiting: deque[Ticket[C, R]] = deque()
        self._bears = bears
        self._most = most

    def __len__(self) -> int:
        return len(self._queued) + len(self._awaiting)

    @property
    def queued(self) -> bool:
        """Whether a command has not been released yet."""
        return bool(self._queued)

    def submit(self, ticket: Ticket[C, R]) -> None:
        """Queue a command behind all earlier ones."""
        self._queued.append(ticket)

    def release(self) -> Iterator[Ticket[C, R]]:
        """Yield the commands that may be sent now, oldest first, and count them as sent.

        One that the caller leaves ``open`` ends it.
        """
        while self._queued and self._may_send(self._queued[0]):
            ticket = self._queued.popleft()
            ticket.sent = True
            self._awaiting.append(ticket)
            yield ticket

    def _may_send(self, ticket: Ticket[C, R]) -> bool:
        if not self._awaiting:
            return True
        # What was sent before a LAST or BARRIER command has been released already, so only the newest counts.
        newest = self._awaiting[-1]
        if newest.open or newest.pipelining is not Pipelining.FREE or ticket.pipelining is Pipelining.BARRIER:
            return False
        if self._most is not None and len(self._awaiting) >= self._most:
            return False
        bears = self._bears
        return bears is None or all(bears(awaited.command, ticket.command) for awaited in self._awaiting)

    @property
    def current(self) -> Ticket[C, R] | None:
        """The command that the next reply belongs to."""
        return self._awaiting[0] if self._awaiting else None

    @property
    def newest(self) -> Ticket[C, R] | None:
        """The command that was released last, if it still waits for its reply."""
        return self._awaiting[-1] if self._awaiting else None

    @property
    def awaiting(self) -> Iterator[Ticket[C, R]]:
        """Commands that wait for replies, oldest first."""
        return iter(self._awaiting)

    def complete(self, ticket: Ticket[C, R]) -> None:
        """This command, which waited, has had its final reply."""
        if self._awaiting[0] is ticket:
            self._awaiting.popleft()
        else:
            self._awaiting.remove(ticket)
