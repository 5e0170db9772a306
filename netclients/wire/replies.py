"""Replies that start with three digits: FTP (RFC 959 section 4.2), SMTP (RFC 5321 section 4.2), NNTP.

A reply is one line, ``NNN text``, or several, ``NNN-text`` … ``NNN text``, of which the inner ones may
look like anything.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from netclients.errors import ProtocolError, printable

__all__ = ["Reply", "ReplyParser"]

_ENHANCED = re.compile(r"([245])\.[0-9]{1,3}\.[0-9]{1,3}(?= |$)")
_HEAD = re.compile(rb"([1-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: ``code`` (100 to 599) and its ``lines`` without code and separator.

    Inner lines stand as they were sent, except that a repeated ``NNN-`` is taken off.
    """

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """All lines, joined by newlines."""
        return "\n".join(self.lines)

    @property
    def kind(self) -> int:
        """The code's first digit: 1 preliminary, 2 done, 3 go on, 4 not now, 5 no."""
        return self.code // 100

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code that the text begins with (RFC 2034, RFC 3463), such as ``"5.1.1"``; None without.

        One that contradicts the code counts for nothing.
        """
        found = _ENHANCED.match(self.lines[0])
        return found[0] if found and found[1] == str(self.kind) else None

    @property
    def told(self) -> tuple[int, str]:
        """What events and logs are told."""
        return self.code, self.text

    def __str__(self) -> str:
        return f"{self.code} {printable(self.text)}"


_LINE_COST = 64  # bytes that a line takes in memory besides its text: empty ones must not be free


class ReplyParser:
    """Assemble replies from lines.

    ``limit`` bounds one reply in bytes, all lines together; more raises :class:`ProtocolError`.
    """

    __slots__ = ("_code", "_encoding", "_limit", "_lines", "_size")

    def __init__(self, limit: int, encoding: str = "utf-8") -> None:
        self._limit = limit
        self._encoding = encoding
        self._code = b""
        self._lines: list[str] = []
        self._size = 0

    @property
    def partial(self) -> bool:
        """Whether a reply of several lines has begun and not ended."""
        return bool(self._code)

    def feed_line(self, line: bytes) -> Reply | None:
        """Take one line without its end; return the reply that it completes, if any."""
        self._size += len(line) + _LINE_COST
        if self._size > self._limit:
            raise ProtocolError(f"the server sent a reply of more than {self._limit} bytes")
        head = _HEAD.fullmatch(line)
        if not self._code:
            return self._first(line, head)
        if head and head[1] == self._code:
            self._lines.append(self._decode(head[3] or b""))
            return None if head[2] == b"-" else self._complete()
        self._lines.append(self._decode(line))
        return None

    def _first(self, line: bytes, head: re.Match[bytes] | None) -> Reply | None:
        if head is None:
            shown = printable(line[:80].decode("utf-8", "replace"))
            raise ProtocolError(f"the server sent {shown!r} where a reply was due")
        self._code = head[1]
        self._lines.append(self._decode(head[3] or b""))
        return None if head[2] == b"-" else self._complete()

    def _complete(self) -> Reply:
        reply = Reply(int(self._code), tuple(self._lines))
        self._code = b""
        self._lines = []
        self._size = 0
        return reply

    def _decode(self, text: bytes) -> str:
        return text.decode(self._encoding, "surrogateescape")
