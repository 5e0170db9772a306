"""A message that is ready to be sent: its bytes, what the envelope may be, and what it asks of a server.

:func:`~netclients.mail.compose` and :func:`~netclients.mail.message_of` make it, whoever sends it reads its traits,
then its :meth:`~Message.chunks`, as often as it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from netclients.errors import ConfigurationError
from netclients.mail.pieces import Piece, chunks_of, joined

if TYPE_CHECKING:
    from email.message import EmailMessage

__all__ = ["NOBODY", "Doubt", "Envelope", "Message"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why a header section does not tell a part of the envelope; an error for whoever asks for it."""

    reason: str


Envelope: TypeAlias = tuple[str | Doubt, tuple[str, ...] | Doubt]
"""Sender and recipients, bare addresses."""

NOBODY: Envelope = ("", ())
"""The envelope of raw bytes."""


class Message:
    """An outgoing message. It can be sent any number of times, and is not to be changed.

    Attributes:
        message_id: with its angle brackets; "" if raw bytes have none.
        size: bytes on the wire, with CRLF line ends, before dot-stuffing.
        needs_8bit: there are bytes above 127 in it, so the server needs 8BITMIME (RFC 6152).
        needs_smtputf8: there are bytes above 127 in its header section, so the server needs SMTPUTF8 (RFC 6531).
        envelope: ``from_`` and ``recipients``, or why one of them is not known.
        pieces: the content, as bytes and as files that are read while it is sent.
        binary: NUL, bare CR or bare LF are in it, which only BINARYMIME (RFC 3030) carries.
    """

    __slots__ = (
        "_longest_line",
        "binary",
        "envelope",
        "message_id",
        "needs_8bit",
        "needs_smtputf8",
        "pieces",
        "size",
    )

    def __init__(
        self,
        pieces: Iterable[Piece],
        *,
        message_id: str,
        envelope: Envelope,
        needs_8bit: bool,
        needs_smtputf8: bool,
        binary: bool = False,
        longest_line: int | None = None,
    ) -> None:
        """Made by compose() and message_of()."""
        self.pieces: tuple[Piece, ...] = joined(pieces)
        self.envelope: Envelope = envelope
        # Of what is in memory it is counted, when somebody asks.
        self._longest_line = None if self.content is not None else longest_line
        self.message_id: str = message_id
        self.size: int = sum([len(piece) if isinstance(piece, bytes) else piece.size for piece in self.pieces])
        self.needs_8bit: bool = needs_8bit
        self.needs_smtputf8: bool = needs_smtputf8
        self.binary: bool = binary

    @property
    def from_(self) -> str:
        """The sender for the envelope, a bare address: that of Sender, or the first of From; "" if not known.

        Raises:
            ConfigurationError: the header section of an object of :mod:`email` leaves it in doubt.
        """
        return _known(self.envelope[0])

    @property
    def recipients(self) -> tuple[str, ...]:
        """The recipients for the envelope, bare addresses: To, Cc and Bcc in this order, each once; () if not known.

        Raises:
            ConfigurationError: the header section of an object of :mod:`email` leaves them in doubt.
        """
        return _known(self.envelope[1])

    @property
    def longest_line(self) -> int:
        """Length of the longest line, in bytes without CRLF. RFC 5322 section 2.1.1 allows 998.

        Where compose() attached files, it is 78 if it is less.
        """
        longest = self._longest_line
        if longest is None:
            content = self.content
            assert content is not None
            longest = self._longest_line = max(map(len, content.split(b"\r\n")))
        return longest

    @property
    def content(self) -> bytes | None:
        """All of it, if it is in memory; None if some of it is read from files while it is sent."""
        if len(self.pieces) == 1 and isinstance(self.pieces[0], bytes):
            return self.pieces[0]
        return None if self.pieces else b""

    def chunks(self) -> Iterator[bytes]:
        """Yield the message from its beginning, at most 256 KiB at a time. Reads files, so it may block.

        Raises:
            LocalFileError: a file is gone, can't be read, or has changed since the message was made.
        """
        return chunks_of(self.pieces)

    def as_email_message(self) -> EmailMessage:
        """Return it parsed. All of it must fit into memory.

        Raises:
            LocalFileError: as in :meth:`chunks`.
            ConfigurationError: the standard library can't parse it.
        """
        from netclients.mail.parsed import parse

        return parse(self.chunks())

    def as_7bit(self) -> Message | None:
        """Return the same message without a byte above 127, for servers without 8BITMIME or SMTPUTF8.

        It is this one if it has none. Names of hosts become A-labels, so ``recipients`` may differ, not in number or
        order. None if it can't be done: an address has other characters before the @, a signature would break, or the
        message was given as raw bytes, which are never changed.

        Raises:
            LocalFileError: as in :meth:`chunks`.
        """
        return None if self.needs_8bit or self.needs_smtputf8 else self

    def __repr__(self) -> str:
        return f"<Message {self.message_id or 'without Message-ID'}, {self.size} bytes>"


def _known(value: T | Doubt) -> T:
    if isinstance(value, Doubt):
        raise ConfigurationError(value.reason)
    return value
