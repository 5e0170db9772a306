"""FETCH of the embedded IMAP server: what is asked for, and the answer for one message."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ._imap_mime import Part, decoded_content, find, parse, section
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
_EXTENSIONS = {"MODSEQ": "CONDSTORE", "EMAILID": "OBJECTID", "THREADID": "OBJECTID"}
_BINARY = frozenset(("BINARY", "BINARY.PEEK", "BINARY.SIZE"))
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
        if not self.name.endswith("["):
            return self.name.encode()
        section = ".".join([*map(str, self.numbers), *([self.kind] if self.kind else [])]).encode()
        if self.fields:
            section += b" (" + b" ".join(mailbox_name(name.decode("utf-8", "replace")) for name in self.fields) + b")"
        return self.name.encode() + section + b"]" + (b"" if self.partial is None else b"<%d>" % self.partial[0])


def read_items(arguments: Arguments, offers: Callable[[str], bool]) -> list[Item]:
    """Return what a FETCH asks for. Raises BadSyntaxError."""
    if not arguments.skip(b"("):
        return _item(arguments, offers, macros=True)
    items = _item(arguments, offers, macros=False)
    while arguments.skip(b" "):
        items += _item(arguments, offers, macros=False)
    arguments.expect(b")")
    return items


def _item(arguments: Arguments, offers: Callable[[str], bool], *, macros: bool) -> list[Item]:
    name = (arguments.match(_NAME) or b"").decode().upper()
    if name in ("BODY", "BODY.PEEK") and arguments.skip(b"["):
        return [_section(arguments, peek=name == "BODY.PEEK")]
    if macros and name in _MACROS:
        return [Item(item) for item in _MACROS[name]]
    if name in _OLD:
        kind, peek = _OLD[name]
        return [Item(name, kind=kind, peek=peek)]
    if name in _BINARY and offers("BINARY") and arguments.skip(b"["):
        return [_binary(arguments, name)]
    if name in _SIMPLE or (name in _EXTENSIONS and offers(_EXTENSIONS[name])):
        return [Item(name)]
    raise BadSyntaxError(f"Unknown item {name or arguments.rest.decode('utf-8', 'replace')!r}")


def _binary(arguments: Arguments, name: str) -> Item:
    """RFC 3516."""
    parts = _part_numbers(arguments)
    arguments.expect(b"]")
    if name == "BINARY.SIZE":
        return Item("BINARY.SIZE[", parts)
    return Item("BINARY[", parts, partial=read_partial(arguments), peek=name == "BINARY.PEEK")


def _part_numbers(arguments: Arguments) -> tuple[int, ...]:
    numbers = arguments.match(_NUMBERS)
    return tuple(int(number) for number in numbers.split(b".")) if numbers else ()


def _section(arguments: Arguments, *, peek: bool) -> Item:
    parts = _part_numbers(arguments)
    kind = ""
    if not parts or arguments.skip(b"."):
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
        case "MODSEQ":
            return b"(%d)" % message.modseq
        case "EMAILID":
            return f"({message.email_id})".encode()
        case "THREADID":
            return f"({thread_id(message)})".encode()
        case "BINARY[" | "BINARY.SIZE[":
            return _decoded(item, message)
        case _:
            return _body(item, message)


def _body(item: Item, message: Stored) -> bytes:
    data: bytes | None = message.raw
    if item.numbers or item.kind:
        names = {name.upper().decode("utf-8", "replace") for name in item.fields}
        data = section(parsed(message), item.numbers, item.kind, names)
    if data is None:
        return quoted(None)
    return literal(_cut(data, item))


def _cut(data: bytes, item: Item) -> bytes:
    if item.partial is None:
        return data
    return data[item.partial[0] : item.partial[0] + item.partial[1]]


def _decoded(item: Item, message: Stored) -> bytes:
    part = find(parsed(message), item.numbers)
    data = None if part is None else decoded_content(part) if item.numbers else message.raw
    if item.name == "BINARY.SIZE[":
        return b"%d" % len(data or b"")
    if data is None:
        return quoted(None)
    data = _cut(data, item)
    return (b"~" if b"\0" in data else b"") + literal(data)


def thread_id(message: Stored) -> str:
    """Return what answers to one message have in common: its Message-ID, as References or In-Reply-To begin with it."""
    part = parsed(message)
    for name in ("REFERENCES", "IN-REPLY-TO", "MESSAGE-ID"):
        found = re.search(r"<[^<>]+>", part.first(name) or "")
        if found is not None:
            return "T" + hashlib.sha256(found[0].encode("utf-8", "surrogateescape")).hexdigest()[:24]
    return f"T{message.email_id}"
