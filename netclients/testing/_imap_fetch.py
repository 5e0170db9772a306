"""FETCH of the embedded IMAP server: what is asked for, and the answer for one message."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ._imap_mime import Part, parse, section
from ._imap_store import Stored
from ._imap_structure import envelope, structure
from ._imap_syntax import Arguments, BadSyntaxError, literal, mailbox_name, quoted

_NAME = re.compile(rb"[A-Za-z0-9.]+")
_NUMBERS = re.compile(rb"[1-9]\d*(?:\.[1-9]\d*)*(?=[.\]])")
_PARTIAL = re.compile(rb"<\d{1,10}\.\d{1,10}>")
_MACROS = {
    "ALL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE"),
    "FAST": ("FLAGS", "INTERNALDATE", "RFC822.SIZE"),
    "FULL": ("FLAGS", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY"),
}
_OLD = {"RFC822": ("", False), "RFC822.HEADER": ("HEADER", True), "RFC822.TEXT": ("TEXT", False)}
_SIMPLE = frozenset(("FLAGS", "UID", "INTERNALDATE", "RFC822.SIZE", "ENVELOPE", "BODY", "BODYSTRUCTURE"))
_KINDS = frozenset(("", "HEADER", "HEADER.FIELDS", "HEADER.FIELDS.NOT", "TEXT", "MIME"))


@dataclass(frozen=True, slots=True)
class Item:
    """One data item; sections of a body have more to them than a name."""

    name: str
    numbers: tuple[int, ...] = ()
    kind: str = ""
    fields: tuple[bytes, ...] = ()
    partial: tuple[int, int] | None = None
    peek: bool = True

    @property
    def label(self) -> bytes:
        """What stands in front of the value."""
        if self.name != "BODY[":
            return self.name.encode()
        section = ".".join([*map(str, self.numbers), *([self.kind] if self.kind else [])]).encode()
        if self.fields:
            section += b" (" + b" ".join(mailbox_name(name.decode("utf-8", "replace")) for name in self.fields) + b")"
        return b"BODY[" + section + b"]" + (b"" if self.partial is None else b"<%d>" % self.partial[0])


def read_items(arguments: Arguments, known: Callable[[str], bool]) -> list[Item]:
    """Return what a FETCH asks for; `known` says which further items there are. Raises BadSyntaxError."""
    if not arguments.skip(b"("):
        return _item(arguments, known, macros=True)
    items = _item(arguments, known, macros=False)
    while arguments.skip(b" "):
        items += _item(arguments, known, macros=False)
    arguments.expect(b")")
    return items


def _item(arguments: Arguments, known: Callable[[str], bool], *, macros: bool) -> list[Item]:
    name = (arguments.match(_NAME) or b"").decode().upper()
    if name in ("BODY", "BODY.PEEK") and arguments.skip(b"["):
        return [_section(arguments, peek=name == "BODY.PEEK")]
    if macros and name in _MACROS:
        return [Item(item) for item in _MACROS[name]]
    if name in _OLD:
        kind, peek = _OLD[name]
        return [Item(name, kind=kind, peek=peek)]
    if name in _SIMPLE or known(name):
        return [Item(name)]
    raise BadSyntaxError(f"Unknown item {name or arguments.rest.decode('utf-8', 'replace')!r}")


def _section(arguments: Arguments, *, peek: bool) -> Item:
    numbers = arguments.match(_NUMBERS)
    parts = tuple(int(number) for number in numbers.split(b".")) if numbers else ()
    kind = ""
    if not numbers or arguments.skip(b"."):
        kind = (arguments.match(_NAME) or b"").decode().upper()
    if kind not in _KINDS or (kind == "MIME" and not parts):
        raise BadSyntaxError(f"Unknown section {kind}.")
    fields: list[bytes] = []
    if "FIELDS" in kind:
        arguments.expect(b" (")
        fields.append(arguments.astring())
        while arguments.skip(b" "):
            fields.append(arguments.astring())
        arguments.expect(b")")
    arguments.expect(b"]")
    return Item("BODY[", parts, kind, tuple(fields), read_partial(arguments), peek)


def read_partial(arguments: Arguments) -> tuple[int, int] | None:
    """Return offset and length if they come next. Raises BadSyntaxError."""
    found = arguments.match(_PARTIAL)
    if found is None:
        return None
    offset, length = found[1:-1].split(b".")
    if not int(length):
        raise BadSyntaxError("A partial fetch of nothing.")
    return int(offset), int(length)


def parsed(message: Stored) -> Part:
    """Return a message's structure; it is found once."""
    if not isinstance(message.parsed, Part):
        message.parsed = parse(message.raw)
    return message.parsed


def internal_date(date: dt.datetime) -> str:
    """Return a date-time."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f'"{date.day:2d}-{months[date.month - 1]}-{date:%Y %H:%M:%S %z}"'


def answer(number: int, message: Stored, items: Iterable[Item], value: Callable[[Item, Stored], bytes | None]) -> bytes:
    """Return the untagged FETCH of one message; `value` knows items that are not the message's alone."""
    parts = []
    for item in items:
        given = value(item, message)
        if given is None:
            given = item.label + b" " + _value(item, message)
        if given:
            parts.append(given)
    return b"* %d FETCH (" % number + b" ".join(parts) + b")"


def _value(item: Item, message: Stored) -> bytes:
    match item.name:
        case "UID":
            return b"%d" % message.uid
        case "INTERNALDATE":
            return internal_date(message.date).encode()
        case "RFC822.SIZE":
            return b"%d" % len(message.raw)
        case "ENVELOPE":
            return envelope(parsed(message))
        case "BODY":
            return structure(parsed(message), extended=False)
        case "BODYSTRUCTURE":
            return structure(parsed(message), extended=True)
        case _:
            return _body(item, message)


def _body(item: Item, message: Stored) -> bytes:
    data: bytes | None = message.raw
    if item.numbers or item.kind:
        names = {name.upper().decode("utf-8", "replace") for name in item.fields}
        data = section(parsed(message), item.numbers, item.kind, names)
    if data is None:
        return quoted(None)
    if item.partial is not None:
        data = data[item.partial[0] : item.partial[0] + item.partial[1]]
    return literal(data)
