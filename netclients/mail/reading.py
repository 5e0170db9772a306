"""Messages that a server holds: what ``MailReader`` tells about them, over IMAP and POP3 alike.

A :class:`MessageInfo` keeps what the server has sent and decodes an item when it is looked at, once: most callers look
at few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NewType, Self, TypeVar, cast

from netclients.errors import NetClientError, NotFetched, ProtocolError
from netclients.mail import decoding
from netclients.mail.envelopes import Address, Envelope, Value

__all__ = ["UID", "Address", "BodyPart", "Envelope", "Later", "MessageInfo", "Streamed", "Value"]

_T = TypeVar("_T")

UID = NewType("UID", str)
"""Names a message for as long as the mailbox's UIDVALIDITY holds: digits in IMAP, any text in POP3 (UIDL)."""


class Streamed(bytes):
    """Stands, itself empty, for ``size`` bytes that went to a sink."""

    size: int

    def __new__(cls, size: int) -> Self:
        """Make one that stands for ``size`` bytes."""
        made = super().__new__(cls)
        made.size = size
        return made

    def __reduce__(self) -> tuple[type[Streamed], tuple[int]]:
        return Streamed, (self.size,)

    def __repr__(self) -> str:
        return f"Streamed({self.size})"


class Later:
    """An item's value that ``function(argument)`` gives, or :class:`ProtocolError` if the argument makes no sense."""

    __slots__ = ("argument", "function")

    def __init__(self, function: Callable[[Any], object], argument: object) -> None:
        self.function: Callable[[Any], object] = function
        self.argument: object = argument


@dataclass(frozen=True, slots=True)
class BodyPart:
    """A node of BODYSTRUCTURE (RFC 9051 section 7.5.2); ``part`` is its number, such as ``"1.2"``.

    What ``part`` names can be fetched as BODY[part]; where a message's body is a multipart, that is ``"TEXT"`` (or
    ``"2.TEXT"``). ``type``, ``subtype``, ``encoding``, ``disposition`` and the names of parameters are in lower case.
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

    @property
    def content_type(self) -> str:
        """Such as ``text/plain``."""
        return f"{self.type}/{self.subtype}"

    @property
    def filename(self) -> str | None:
        """The name that the sender gave it, as it stands: it may hold anything, paths too."""
        return self.disposition_parameters.get("filename") or self.parameters.get("name")

    def walk(self) -> Iterator[BodyPart]:
        """Yield this part and all below it, in the order in which they stand in the message."""
        waiting = [self]
        while waiting:
            one = waiting.pop()
            yield one
            if one.body is not None:
                waiting.append(one.body)
            waiting.extend(reversed(one.parts))


class MessageInfo:
    """What a server has told about one message. What was not asked for raises :class:`NotFetched`.

    ``values`` has the items by their names in upper case: as they were sent, or what they mean. An item that makes no
    sense raises :class:`ProtocolError` when it is looked at. ``error`` tells what was wrong with the answer as a whole;
    what came before the fault can be read.
    """

    __slots__ = ("_values", "error")

    def __init__(self, values: dict[str, Any], error: NetClientError | None = None) -> None:
        self._values = values  # once an item was looked at, this has what it means
        self.error: NetClientError | None = error

    def __contains__(self, name: object) -> bool:
        """Whether the server has sent an item, such as ``"UID"`` or ``"BODY[1]"``."""
        return name in self._values

    # There are many messages, and most are asked for these four: if nothing is left to be done, that is seen here.

    @property
    def uid(self) -> UID:
        """The message's UID."""
        value = self._values.get("UID")
        found: UID = value if value.__class__ is str else self._item("UID", _uid)  # type: ignore[assignment]
        return found

    @property
    def flags(self) -> frozenset[str]:
        """Flags and keywords, such as ``\\Seen``, as the server writes them."""
        value = self._values.get("FLAGS")
        found: frozenset[str] = value if value.__class__ is frozenset else self._item("FLAGS", _flags)
        return found

    @property
    def size(self) -> int:
        """RFC822.SIZE: bytes of the whole message."""
        value = self._values.get("RFC822.SIZE")
        found: int = value if value.__class__ is int else self._item("RFC822.SIZE", _number)
        return found

    @property
    def envelope(self) -> Envelope:
        """ENVELOPE: date, subject and addresses of the header."""
        value = self._values.get("ENVELOPE")
        found: Envelope = value if value.__class__ is Envelope else self._item("ENVELOPE", _later)
        return found

    @property
    def internal_date(self) -> datetime:
        """INTERNALDATE: when the server got the message; aware."""
        return self._item("INTERNALDATE", _date)

    @property
    def structure(self) -> BodyPart:
        """BODYSTRUCTURE, or BODY without extension data: of which parts the message consists."""
        name = "BODYSTRUCTURE" if "BODYSTRUCTURE" in self._values else "BODY"
        return cast("BodyPart", self._item(name, _later))

    @property
    def modseq(self) -> int:
        """MODSEQ (RFC 7162): grows with each change of the message."""
        return self._item("MODSEQ", _number)

    @property
    def email_id(self) -> str:
        """EMAILID (RFC 8474): names the content, wherever it is."""
        return self._item("EMAILID", _email_id)

    @property
    def thread_id(self) -> str | None:
        """THREADID (RFC 8474); None if the server knows no thread."""
        return self._item("THREADID", _id)

    @property
    def save_date(self) -> datetime | None:
        """SAVEDATE (RFC 8514): when the message came into the mailbox; None if the server does not know."""
        return self._item("SAVEDATE", _date_or_none)

    @property
    def preview(self) -> str | None:
        """PREVIEW (RFC 8970): the beginning of its text; None if the server has none (with LAZY: none yet)."""
        return self._item("PREVIEW", _preview)

    @property
    def gmail_message_id(self) -> int:
        """X-GM-MSGID: names the message in all of Gmail's mailboxes."""
        return self._item("X-GM-MSGID", _number)

    @property
    def gmail_thread_id(self) -> int:
        """X-GM-THRID."""
        return self._item("X-GM-THRID", _number)

    @property
    def gmail_labels(self) -> tuple[str, ...]:
        """X-GM-LABELS, decoded."""
        return cast("tuple[str, ...]", self._item("X-GM-LABELS", _later))

    @property
    def raw(self) -> bytes:
        """The whole message: BODY[], or RFC822."""
        return self._content("BODY[]" if "BODY[]" in self._values or "RFC822" not in self._values else "RFC822")

    def section(self, name: str = "") -> bytes:
        """Content of BODY[name] or BINARY[name]: ``"1.2"``, ``"HEADER"``, ``"1<0>"`` for a piece that begins at 0.

        It is empty too if there is no such part: servers answer NIL or an empty string, as they like.
        """
        section, angle, origin = name.upper().partition("<")
        for item in (f"BODY[{section}]{angle}{origin}", f"BINARY[{section}]{angle}{origin}"):
            if item in self._values:
                return self._content(item)
        raise self._not_fetched(f"BODY[{section}]{angle}{origin}")

    @property
    def extra(self) -> Mapping[str, object]:
        """All items that have no name here, as they were sent; the names are in upper case."""
        return {
            name: value
            for name, value in self._values.items()
            if name not in _KNOWN and not name.startswith(("BODY[", "BINARY["))
        }

    def _item(self, name: str, read: Callable[[Any], _T]) -> _T:
        if name not in self._values:
            raise self._not_fetched(name)
        try:
            found = self._values[name] = read(self._values[name])
        except _NonsenseError:
            raise ProtocolError(f"the server sent an item {name} that makes no sense") from None
        return found

    def _content(self, name: str) -> bytes:
        if name not in self._values:
            raise self._not_fetched(name)
        value = self._values[name]
        if isinstance(value, Streamed):
            raise NotFetched(f"{name}: its {value.size} bytes went to the sink")
        return self._item(name, _octets)

    def _not_fetched(self, name: str) -> NotFetched:
        return NotFetched(f"{name} was not fetched" + (f": {self.error}" if self.error is not None else ""))

    def __repr__(self) -> str:
        uid = self._values.get("UID")
        shown = "" if uid is None else f"UID {uid!s:.20} "
        return f"<{type(self).__name__} {shown}{' '.join(sorted(self._values))[:80]}>"


_KNOWN = frozenset(("UID", "FLAGS", "RFC822.SIZE", "INTERNALDATE", "ENVELOPE", "BODYSTRUCTURE", "BODY", "MODSEQ"))
_KNOWN |= {"RFC822", "RFC822.HEADER", "RFC822.TEXT", "EMAILID", "THREADID", "SAVEDATE", "PREVIEW"}
_KNOWN |= {"X-GM-MSGID", "X-GM-THRID", "X-GM-LABELS"}


class _NonsenseError(Exception):
    """A value is not what its item should have."""


# What an item means; each takes its own result too.


def _uid(value: Any) -> UID:
    if isinstance(value, bytes) and value.isdigit() and len(value) <= 20:
        return UID(value.decode("ascii"))
    if isinstance(value, str):
        return UID(value)
    raise _NonsenseError


def _number(value: Any) -> int:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    # quirk_quoted_number: it may be a string.
    if isinstance(value, (str, bytes)) and len(value) <= 20 and value.isascii() and value.isdigit():
        return int(value)
    if isinstance(value, int):
        return value
    raise _NonsenseError


def _flags(value: Any) -> frozenset[str]:
    if isinstance(value, list):  # quirk_quoted_flags
        return frozenset(_word(one) for one in value)
    if value is None:  # quirk_nil_flags
        return frozenset()
    if isinstance(value, frozenset):
        return value
    raise _NonsenseError


def _word(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, str):
        return value
    raise _NonsenseError


def _date(value: Any) -> datetime:
    found = decoding.date(value) if isinstance(value, bytes) else value
    if not isinstance(found, datetime):
        raise _NonsenseError
    return found


def _date_or_none(value: Any) -> datetime | None:
    return None if value is None else _date(value)


def _id(value: Any) -> str | None:
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return None if value is None else _word(value)


def _email_id(value: Any) -> str:
    found = _id(value)
    if found is None:
        raise _NonsenseError
    return found


def _preview(value: Any) -> str | None:
    return decoding.plain(value) if isinstance(value, bytes) else _id(value)


def _octets(value: Any) -> bytes:
    if value is None:
        return b""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):  # quirk_atom_for_string
        return value.encode("utf-8", "surrogateescape")
    raise _NonsenseError


def _later(value: Any) -> Any:
    return value.function(value.argument) if isinstance(value, Later) else value
