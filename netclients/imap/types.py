"""Values of IMAP: what commands return and what a server says unasked.

Text is decoded (RFC 2047, UTF-8, mailbox names from modified UTF-7); where decoding may lose something, the bytes are
kept beside it. A sequence number is not a UID: the types say which is meant.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NewType

from netclients.errors import NetClientError, printable
from netclients.imap.threads import Thread
from netclients.mail.reading import UID, Address, BodyPart, Envelope, MessageInfo

__all__ = [
    "UID",
    "Address",
    "AppendUID",
    "BodyPart",
    "Capabilities",
    "Code",
    "Condition",
    "Continuation",
    "CopyUID",
    "ESearch",
    "Enabled",
    "Envelope",
    "Expunge",
    "Fetched",
    "Flags",
    "Identity",
    "ListedMailbox",
    "MailboxStatus",
    "Metadata",
    "Namespace",
    "Namespaces",
    "Number",
    "Quota",
    "QuotaRoot",
    "Response",
    "Search",
    "SequenceNumber",
    "Status",
    "Thread",
    "Threads",
    "Unknown",
    "Vanished",
]

SequenceNumber = NewType("SequenceNumber", int)
"""A message's place in the selected mailbox, from 1; it changes with every EXPUNGE before it."""


class Condition(enum.Enum):
    """How a status response begins (RFC 9051 section 7.1)."""

    OK = "OK"
    NO = "NO"
    BAD = "BAD"
    BYE = "BYE"
    PREAUTH = "PREAUTH"


@dataclass(frozen=True, slots=True)
class Code:
    """A response code: what stands in brackets (RFC 5530, RFC 9051 section 7.1).

    ``name`` in upper case; ``value`` is the parsed argument where the code is known (an int for UIDVALIDITY, UIDNEXT,
    UNSEEN, HIGHESTMODSEQ; text for MAILBOXID; a tuple of text for CAPABILITY, PERMANENTFLAGS, BADCHARSET, BADEVENT;
    :class:`AppendUID`, :class:`CopyUID`; a tuple of UIDs, or of sequence numbers as text, for MODIFIED), otherwise, and
    if the argument can't be read, the text behind the name, or None.
    """

    name: str
    value: object = None


@dataclass(frozen=True, slots=True)
class Status:
    """OK, NO, BAD, BYE or PREAUTH; ``tag`` is the command's, None if untagged."""

    tag: str | None
    condition: Condition
    code: Code | None
    text: str

    @property
    def ok(self) -> bool:
        """Whether it is an OK."""
        return self.condition is Condition.OK

    @property
    def told(self) -> tuple[None, str]:
        """See :attr:`netclients.wire.dialogue.AnyReply.told`."""
        return None, str(self)

    def __str__(self) -> str:
        code = f"[{self.code.name}] " if self.code is not None else ""
        return printable(f"{self.condition.value} {code}{self.text}")


@dataclass(frozen=True, slots=True)
class AppendUID:
    """Where APPEND has put the messages (RFC 4315): one UID each."""

    uid_validity: int
    uids: tuple[UID, ...]


@dataclass(frozen=True, slots=True)
class CopyUID:
    """Where COPY or MOVE has put the messages (RFC 4315): ``source[i]`` became ``destination[i]``."""

    uid_validity: int
    source: tuple[UID, ...]
    destination: tuple[UID, ...]


# Untagged data


@dataclass(frozen=True, slots=True)
class Number:
    """``* n EXISTS`` or ``* n RECENT``: ``name`` says which."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class Expunge:
    """``* n EXPUNGE``: the message is gone; all behind it move up."""

    number: SequenceNumber


@dataclass(frozen=True, slots=True)
class Vanished:
    """``VANISHED`` (RFC 7162): ``ranges`` of UIDs, inclusive; ``earlier``: since the state that the client named.

    Ranges, not UIDs: a server may name a billion that never were.
    """

    earlier: bool
    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """``* CAPABILITY``: names in upper case."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Enabled:
    """``* ENABLED`` (RFC 5161)."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Flags:
    """``* FLAGS``: those that the mailbox knows."""

    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListedMailbox:
    """LIST or LSUB (RFC 9051 section 7.3.1, RFC 5258): a mailbox.

    ``raw_name`` is the name as it was sent; ``delimiter`` separates levels, None if there are none; ``attributes``
    such as ``\\HasChildren``; ``extended`` holds what a server adds (CHILDINFO, OLDNAME, …) as nested tuples.
    ``response``: LIST or LSUB.
    """

    name: str
    delimiter: str | None
    attributes: tuple[str, ...]
    raw_name: bytes
    extended: Mapping[str, object] = field(default_factory=dict[str, object])
    response: str = "LIST"


@dataclass(frozen=True, slots=True)
class MailboxStatus:
    """STATUS (RFC 9051 section 7.3.4): counts of a mailbox; None where the server did not say.

    ``extra``: items that have no field here, name in upper case.
    """

    name: str
    messages: int | None = None
    recent: int | None = None
    unseen: int | None = None
    uid_next: int | None = None
    uid_validity: int | None = None
    highest_modseq: int | None = None
    deleted: int | None = None
    size: int | None = None
    mailbox_id: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Namespace:
    """One namespace (RFC 2342): mailboxes that begin with ``prefix``."""

    prefix: str
    delimiter: str | None


@dataclass(frozen=True, slots=True)
class Namespaces:
    """NAMESPACE: one's own, those of other users, and those shared by all."""

    personal: tuple[Namespace, ...]
    others: tuple[Namespace, ...]
    shared: tuple[Namespace, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """ID (RFC 2971): what the server says about itself, names in lower case."""

    fields: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Quota:
    """QUOTA (RFC 9208): for each resource (STORAGE in KiB, MESSAGE, …) how much is used, and the limit."""

    root: str
    resources: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class QuotaRoot:
    """QUOTAROOT: the quotas that hold for a mailbox."""

    mailbox: str
    roots: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Metadata:
    """METADATA (RFC 5464): annotations of a mailbox, or of the server if ``mailbox`` is empty.

    ``entries`` with their values (None: there is none), as was asked; ``changed``: unasked, those that are new.
    """

    mailbox: str
    entries: Mapping[str, bytes | None]
    changed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """``* SEARCH`` or ``* SORT``: ``name`` says which; sequence numbers or UIDs, as was asked."""

    name: str
    numbers: tuple[int, ...]
    modseq: int | None = None


@dataclass(frozen=True, slots=True)
class ESearch:
    """ESEARCH (RFC 4731, RFC 5267): the answer to SEARCH with RETURN.

    ``ranges`` of ALL in the server's order, inclusive, None if it was not asked for or nothing was found; ``partial``:
    the window of PARTIAL and its ranges. ``values`` holds what has no field here.
    """

    tag: str | None
    uid: bool
    minimum: int | None = None
    maximum: int | None = None
    count: int | None = None
    ranges: tuple[tuple[int, int], ...] | None = None
    modseq: int | None = None
    partial: tuple[str, tuple[tuple[int, int], ...]] | None = None
    values: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Threads:
    """``* THREAD``: the roots."""

    threads: tuple[Thread, ...]


@dataclass(frozen=True, slots=True)
class Continuation:
    """``+``: go on. ``text`` is raw: a SASL challenge, or words for people."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Unknown:
    """Untagged data that nothing here knows: ``name`` in upper case, and the response as it was sent.

    ``error`` tells why data of a known name could not be read.
    """

    name: str
    raw: bytes
    error: NetClientError | None = None


class Fetched(MessageInfo):
    """One FETCH response (RFC 9051 section 7.5.2): ``number``, and whatever items the server has sent.

    Items are read when they are looked at. ``error`` is set if the response can't be read to its end; what came before
    the fault is there.
    """

    __slots__ = ("number",)

    def __init__(self, number: SequenceNumber, values: dict[str, object], error: NetClientError | None = None) -> None:
        # Not by super(): there are thousands of them.
        self.number: SequenceNumber = number
        self._values = values
        self.error = error

    def take_piece(self, most: int, limit: int) -> bool:
        """Make BODY[]<0> the whole message if it is short of ``most`` bytes, so that nothing can follow.

        False: it is not, or not all is as it should be, or there are more than ``limit`` bytes.
        """
        values = self._values
        piece, size = values.get("BODY[]<0>"), values.get("RFC822.SIZE")
        if piece.__class__ is not bytes or size.__class__ is not int or self.error is not None:
            return False
        if not len(piece) < most or len(piece) > limit or size > limit:
            return False
        values["BODY[]"] = piece
        return True

    def complete(self, raw: bytes) -> None:
        """The whole message is there: BODY[] was fetched piece by piece."""
        self._values["BODY[]"] = raw

    @property
    def tells_more(self) -> bool:
        """Whether it is about more than flags: those come unasked too, when somebody else changes them."""
        return not _MARKS.issuperset(self._values)


_MARKS = frozenset({"UID", "FLAGS", "MODSEQ"})

Response = (
    Status
    | Continuation
    | Number
    | Expunge
    | Vanished
    | Capabilities
    | Enabled
    | Flags
    | ListedMailbox
    | MailboxStatus
    | Namespaces
    | Identity
    | Quota
    | QuotaRoot
    | Metadata
    | Search
    | ESearch
    | Threads
    | Fetched
    | Unknown
)
"""Everything that a server may send."""
