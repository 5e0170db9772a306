"""ENVELOPE: the fields of a header that a server has taken apart, decoded when they are looked at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias, cast

from netclients.mail import decoding

__all__ = ["Address", "Envelope", "Value"]

Value: TypeAlias = "str | bytes | list[Value] | None"
"""Data as a server has written it: NIL is None, an atom or a number is str, a string is bytes, the rest are lists."""


@dataclass(frozen=True, slots=True)
class Address:
    """One address of an envelope: ``name`` decoded, ``mailbox`` and ``host`` as they stand.

    A group has its name in ``name`` and no address; ``members`` are its addresses.
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


_DATE, _SUBJECT, _FROM, _SENDER, _REPLY_TO, _TO, _CC, _BCC, _IN_REPLY_TO, _MESSAGE_ID = range(10)


class Envelope:
    """ENVELOPE (RFC 9051 section 7.5.2): the fields of the header that the server has parsed.

    Each is decoded when it is looked at. ``fields`` are the ten of them, in the RFC's order, each as ``reader`` wants
    it; without a reader they are as in :attr:`raw`.
    """

    __slots__ = ("_fields", "_read", "_reader")

    def __init__(self, fields: Sequence[Any], reader: Callable[[Any], Value] | None = None) -> None:
        self._fields = fields
        self._reader = reader
        self._read: dict[int, Any] = {}

    def _raw(self, index: int) -> Value:
        value: Value = self._fields[index]
        return value if self._reader is None else self._reader(value)

    @property
    def raw(self) -> tuple[Value, ...]:
        """The ten values as they were sent: strings are bytes, addresses lists of four strings."""
        return tuple(self._raw(index) for index in range(10))

    @property
    def date(self) -> datetime | None:
        """When it was written, aware; None if there is no date, or none that makes sense."""
        raw = self._bytes(_DATE)
        return None if raw is None else decoding.date(raw)

    @property
    def subject(self) -> str | None:
        """The subject, decoded; None if there is none."""
        return self._text(_SUBJECT, decoding.text)

    @property
    def from_(self) -> tuple[Address, ...]:
        """Who wrote it."""
        return self._addresses(_FROM)

    @property
    def sender(self) -> tuple[Address, ...]:
        """Who sent it; servers repeat ``from_`` here if the header does not say."""
        return self._addresses(_SENDER)

    @property
    def reply_to(self) -> tuple[Address, ...]:
        """Where answers should go; servers repeat ``from_`` here if the header does not say."""
        return self._addresses(_REPLY_TO)

    @property
    def to(self) -> tuple[Address, ...]:
        """To whom it was written."""
        return self._addresses(_TO)

    @property
    def cc(self) -> tuple[Address, ...]:
        """Who got a copy."""
        return self._addresses(_CC)

    @property
    def bcc(self) -> tuple[Address, ...]:
        """Who got one that the others were not told of: in drafts and sent mail."""
        return self._addresses(_BCC)

    @property
    def in_reply_to(self) -> str | None:
        """The identifiers of the messages that it answers, as they stand."""
        return self._text(_IN_REPLY_TO, decoding.plain)

    @property
    def message_id(self) -> str | None:
        """Its identifier, with angle brackets."""
        return self._text(_MESSAGE_ID, decoding.plain)

    def _bytes(self, index: int) -> bytes | None:
        value = self._raw(index)
        if isinstance(value, str):  # quirk_atom_for_string
            return value.encode("utf-8", "surrogateescape")
        return value if isinstance(value, bytes) else None  # quirk_list_for_string: nothing can be made of it

    def _text(self, index: int, decode: Callable[[bytes], str]) -> str | None:
        found = self._read.get(index)
        if found is None:
            raw = self._bytes(index)
            found = self._read[index] = None if raw is None else decode(raw)
        return cast("str | None", found)

    def _addresses(self, index: int) -> tuple[Address, ...]:
        found = self._read.get(index)
        if found is None:
            found = self._read[index] = _addresses(self._raw(index))
        return cast("tuple[Address, ...]", found)

    def __repr__(self) -> str:
        return f"<Envelope {self.subject!r} from {', '.join(one.address for one in self.from_[:3])}>"


def _addresses(value: Value) -> tuple[Address, ...]:
    """Read addresses; what is none is left out (quirk_empty_string: instead of NIL; quirk_nil_address)."""
    if not isinstance(value, list):
        return ()
    found: list[Address] = []
    members: list[Address] | None = None  # of a group that has begun
    group = ""
    for item in value:
        if not isinstance(item, list) or len(item) != 4:
            continue
        name, _, mailbox, host = item
        if host is None and name is None and (mailbox is None or members is None):
            # A group begins with its name as the mailbox, and ends with NIL.
            if members is not None:
                found.append(Address(group, "", "", True, tuple(members)))
            members = None if mailbox is None else []
            group = _shown(mailbox)
        else:
            one = Address(_shown(name), _shown(mailbox), _shown(host))
            (found if members is None else members).append(one)
    if members is not None:  # quirk_open_group
        found.append(Address(group, "", "", True, tuple(members)))
    return tuple(found)


def _shown(value: Value) -> str:
    if isinstance(value, bytes):
        return decoding.text(value)
    return value if isinstance(value, str) else ""
