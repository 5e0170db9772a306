"""Messages that a server holds: what ``MailReader`` tells about them, over IMAP and POP3 alike.

A :class:`MessageInfo` keeps what the server has sent and decodes an item when it is looked at: most callers look at few.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType, cast

from netclients.errors import NetClientError, NotFetched

__all__ = ["UID", "Address", "BodyPart", "Envelope", "MessageInfo"]

UID = NewType("UID", str)
"""Names a message for as long as the mailbox's UIDVALIDITY holds: digits in IMAP, any text in POP3 (UIDL)."""


@dataclass(frozen=True, slots=True)
class Address:
    """One address of an envelope: ``name`` decoded, ``mailbox`` and ``host`` as they stand.

    A group has its name in ``group`` and no address; ``members`` then follow.
    """

    name: str
    mailbox: str
    host: str
    group: bool = False
    members: tuple[Address, ...] = ()

    @property
    def address(self) -> str:
        """``mailbox@host``; without a host just the mailbox."""
        return f"{self.mailbox}@{self.host}" if self.host else self.mailbox


class Envelope:
    """ENVELOPE (RFC 9051 section 7.5.2): the fields of the header that the server has parsed.

    Each is decoded when it is looked at. ``raw`` has the values as they were sent.
    """


@dataclass(frozen=True, slots=True)
class BodyPart:
    """A node of BODYSTRUCTURE (RFC 9051 section 7.5.2); ``part`` is its number, such as ``"1.2"``.

    ``size`` is in bytes as encoded for transfer, ``lines`` for text only. ``parts`` of a multipart, ``envelope`` and
    ``body`` of a message. None where the server did not say; ``extension`` holds data that nobody knows.
    """

    part: str
    type: str
    subtype: str
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    id: str | None = None
    description: str | None = None
    encoding: str = "7bit"
    size: int = 0
    lines: int | None = None
    md5: str | None = None
    disposition: str | None = None
    disposition_parameters: Mapping[str, str] = field(default_factory=dict[str, str])
    languages: tuple[str, ...] = ()
    location: str | None = None
    parts: tuple[BodyPart, ...] = ()
    envelope: Envelope | None = None
    body: BodyPart | None = None
    extension: tuple[object, ...] = ()


class MessageInfo:
    """What a server has told about one message. What was not asked for raises :class:`NotFetched`."""

    __slots__ = ("_values", "error")
