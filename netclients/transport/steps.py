"""The steps of a scripted dialogue: what a scripted peer of the client expects, says and does.

Values only. :class:`~netclients.transport.memory.MemoryStream` plays them without a socket, the scripted server of
``netclients.testing`` on one, and its ``parse_script`` reads them from text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

__all__ = ["Close", "Expect", "ExpectClose", "Generate", "Match", "Reset", "Say", "Stall", "StartTLS"]

_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Expect:
    """The client must send exactly `data`."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Match:
    """The client must send one line that `pattern` matches as a whole, without its CRLF."""

    pattern: re.Pattern[bytes]


@dataclass(frozen=True, slots=True)
class ExpectClose:
    """The client must end the connection, or its side of it."""


@dataclass(frozen=True, slots=True)
class Say:
    """The server sends `data`, `repeat` times in a row; None is for ever."""

    data: bytes
    repeat: int | None = 1

    def chunks(self) -> Iterator[bytes]:
        """Yield all that is to be sent, in pieces of a convenient size."""
        if not self.data:
            return
        at_once = max(1, _CHUNK // len(self.data))
        block = self.data * at_once if self.repeat != 1 else self.data
        left = self.repeat
        while left is None or left > 0:
            if left is not None and left < at_once:
                block = self.data * left
            yield block
            if left is not None:
                left -= at_once


@dataclass(frozen=True, slots=True)
class Generate:
    """The server sends what an iterable yields, which is made anew for each connection."""

    source: Callable[[], Iterable[bytes]]

    def chunks(self) -> Iterator[bytes]:
        """Yield all that is to be sent, as it is made."""
        return iter(self.source())


@dataclass(frozen=True, slots=True)
class StartTLS:
    """Both sides make the TLS handshake."""


@dataclass(frozen=True, slots=True)
class Stall:
    """The server neither sends nor takes anything any more."""


@dataclass(frozen=True, slots=True)
class Close:
    """The server ends the connection."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The server resets the connection."""
