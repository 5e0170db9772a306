"""Untagged data: how much of it a command may be given, and what nobody has asked for."""

from __future__ import annotations

from collections import deque

from netclients.errors import ProtocolError
from netclients.imap.replies import Frame
from netclients.imap.types import Response

__all__ = ["Untagged"]

_KEPT = 10_000  # responses that nobody has asked for: older ones are forgotten
_KEPT_BYTES = 4 * 1024 * 1024  # of them
_MOST_UNASKED = 5_000_000  # of them within one command: a mailbox may be emptied by somebody else
_MOST_ANSWERS = 1_000_000  # responses that answer one command


class Untagged:
    """Keeps what no command has taken, the newest of it, and counts all that comes until a command ends.

    ``most_bytes``: how much commands may be given until one of them ends.
    """

    __slots__ = ("_answered", "_answered_bytes", "_kept", "_kept_bytes", "_most_bytes", "_unasked")

    def __init__(self, most_bytes: int) -> None:
        self._kept: deque[tuple[Response, int]] = deque()
        self._kept_bytes = 0
        self._unasked = self._answered = self._answered_bytes = 0
        self._most_bytes = most_bytes

    def answer(self, frame: Frame) -> None:
        """Count what a command has been given: all of that is kept by whoever waits for it.

        Raises:
            ProtocolError: the answer has no end.
        """
        self._answered += 1
        self._answered_bytes += _size(frame)
        if self._answered > _MOST_ANSWERS or self._answered_bytes > self._most_bytes:
            raise ProtocolError(f"the server does not come to the end of its answer: {self._answered:,} responses")

    def keep(self, response: Response, frame: Frame) -> None:
        """Keep what nobody has asked for.

        Raises:
            ProtocolError: there is no end of it.
        """
        size = _size(frame)
        self._kept.append((response, size))
        self._kept_bytes += size
        while self._kept_bytes > _KEPT_BYTES or len(self._kept) > _KEPT:
            self._kept_bytes -= self._kept.popleft()[1]
        self._unasked += 1
        if self._unasked > _MOST_UNASKED:
            raise ProtocolError(f"the server sent more than {_MOST_UNASKED:,} responses that nobody asked for")

    def next(self) -> Response | None:
        """Return what is kept, oldest first."""
        if not self._kept:
            return None
        response, size = self._kept.popleft()
        self._kept_bytes -= size
        return response

    def forget(self) -> None:
        """What is kept concerns nobody any more."""
        self._kept.clear()
        self._kept_bytes = 0

    def command_ended(self) -> None:
        """Begin to count anew."""
        self._unasked = self._answered = self._answered_bytes = 0


def _size(frame: Frame) -> int:
    return sum(map(len, frame.parts))
