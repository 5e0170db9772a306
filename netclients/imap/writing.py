"""How a command is written: its line, and literals, which may wait for leave or for the caller (RFC 9051, 4.3)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from netclients.imap.arguments import Literal
from netclients.imap.commands import Command, Upload
from netclients.imap.types import Status
from netclients.wire.pipeline import Ticket

__all__ = ["Writer"]

_LITERAL_MINUS = 4096  # bytes: what LITERAL- lets through without asking (RFC 7888 section 5)


class Writer:
    """Writes one command after the other; one that can't be written to its end now is ``open`` until it can.

    ``has``: whether the server offers a capability; ``small_literals``: whether short ones may go without asking.
    """

    __slots__ = ("_asks", "_has", "_left", "_small_literals", "_streams", "ticket")

    def __init__(self, has: Callable[[str], bool], small_literals: Callable[[], bool]) -> None:
        self._has = has
        self._small_literals = small_literals
        self._left: deque[bytes | Literal | Upload] = deque()
        self._asks = False
        self._streams: Upload | None = None
        self.ticket: Ticket[Command, Status] | None = None

    @property
    def waits_for_leave(self) -> bool:
        """Whether the server has been asked to let a literal through."""
        return self._asks

    @property
    def upload_due(self) -> Upload | None:
        """The literal that the caller may stream now."""
        return None if self._asks else self._streams

    @property
    def may_go_on(self) -> bool:
        """Whether there is more to be written of a command that was begun."""
        return self.ticket is not None and not self._asks and self._streams is None

    def begin(self, tag: str, ticket: Ticket[Command, Status], out: list[bytes]) -> None:
        """Write a command as far as it may go; append it to ``out``."""
        sent = ticket.command
        out.append((f"{tag} {sent.verb} " if sent.pieces else f"{tag} {sent.verb}").encode("ascii"))
        self._left = deque(sent.pieces)
        self.ticket = ticket
        self.go_on(out)

    def go_on(self, out: list[bytes]) -> None:
        """Write on."""
        assert self.ticket is not None
        left = self._left
        while left:
            piece = left.popleft()
            if isinstance(piece, bytes):
                out.append(piece)
                continue
            size = len(piece.data) if isinstance(piece, Literal) else piece.size
            ask = not self._may_go_unasked(size, binary=piece.binary)
            out.append(b"%s{%d%s}\r\n" % (b"~" if piece.binary else b"", size, b"" if ask else b"+"))
            if isinstance(piece, Upload):
                self._streams = piece
            elif ask:
                left.appendleft(piece.data)
            else:
                out.append(piece.data)
                continue
            self._asks = ask
            self.ticket.open = True
            return
        out.append(b"\r\n")
        self.give_up()

    def _may_go_unasked(self, size: int, *, binary: bool) -> bool:
        if self._has("LITERAL+"):
            return True
        return not binary and size <= _LITERAL_MINUS and self._small_literals()

    def take_leave(self) -> None:
        """The server lets the literal through."""
        self._asks = False

    def uploaded(self) -> None:
        """The caller has streamed the literal, all of it."""
        self._streams = None

    def give_up(self) -> None:
        """Nothing more is written of this command."""
        assert self.ticket is not None
        self.ticket.open = False
        self.ticket = None
        self._asks = False
        self._streams = None
