"""Dot blocks: text that ends with a line of one dot (RFC 5321 section 4.5.2, RFC 3977 3.1.1, RFC 1939 3).

A line of the text that begins with a dot gets a second one, so that no line of it can be taken for the end.
"""

from __future__ import annotations

__all__ = ["DotStuffer", "stuffed"]

END = b".\r\n"


class DotStuffer:
    """Turns a text that comes in pieces into a dot block; lines end with CRLF."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b"\r\n"  # the last two bytes: the text begins at the start of a line

    def feed(self, piece: bytes) -> bytes:
        """Return ``piece`` with the dots that it needs."""
        if not piece:
            return b""
        # Only what was sent before can be the beginning of a line end that this piece goes on with.
        joined = self._tail + piece
        self._tail = joined[-2:]
        return joined.replace(b"\r\n.", b"\r\n..")[2:] if b"\r\n." in joined else piece

    def finish(self) -> bytes:
        """Return what ends the block, after a last line without an end too."""
        return END if self._tail == b"\r\n" else b"\r\n" + END


def stuffed(text: bytes) -> bytes:
    """Return a whole text as a dot block."""
    stuffer = DotStuffer()
    return stuffer.feed(text) + stuffer.finish()
