"""FETCH (RFC 9051 section 7.5.2 and its extensions): the items of one message.

Two ways lead to the same values: regular expressions for what servers send a thousand times, and the tokens for all
else. Items are decoded when they are looked at; here they are only told apart.

Deviations that are tolerated on purpose carry a name that starts with ``quirk``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import cast

from netclients.errors import ProtocolError
from netclients.imap.names import decode_mailbox
from netclients.imap.replies.envelopes import ENVELOPE, envelope, envelope_of_spans
from netclients.imap.replies.structures import structure
from netclients.imap.replies.tokens import Tokens, octets
from netclients.imap.types import Fetched, SequenceNumber
from netclients.mail.envelopes import Value
from netclients.mail.reading import Later

__all__ = ["fast_fetch", "read_fetch"]

_FLAGS = r'\(([^\x00-\x1f()"{]*+)\)'
# In a group that repeats, each group inside keeps what it matched last: so the items may come in any order.
_ITEM = rf'UID ([0-9]{{1,20}})|FLAGS {_FLAGS}|RFC822\.SIZE ([0-9]{{1,20}})|INTERNALDATE "([^"\\\x00\r\n]*+)"'
_ITEM += r"|MODSEQ \(([0-9]{1,20})\)"
_HEAD = r"\* ([1-9][0-9]{0,9}) FETCH \("
_CONTENT = (
    r"((?:BODY\[[A-Z0-9.]*(?: \([A-Z0-9-]+(?: [A-Z0-9-]+)*\))?\]|BINARY\[[0-9.]*\])(?:<[0-9]{1,20}>)?"
    r"|RFC822(?:\.HEADER|\.TEXT)?) ~?\{[0-9]{1,20}\+?\}"
)


def _compiled(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode("ascii"))


_SMALL = _compiled(rf"{_HEAD}(?:(?:{_ITEM})(?: |(?=\))))+\)")
_WITH_ENVELOPE = _compiled(rf"{_HEAD}(?:(?:{_ITEM}|ENVELOPE {ENVELOPE})(?: |(?=\))))+\)")
_BEFORE_CONTENT = _compiled(rf"{_HEAD}(?:(?:{_ITEM}) )*{_CONTENT}")
_BEHIND_CONTENT = _compiled(rf"(?: (?:{_ITEM})(?=[ )]))*\)")
_sequence_number = cast("Callable[[bytes], SequenceNumber]", int)  # a NewType would be called for each message
_FIRST_OF_ENVELOPE = 6  # after the number and five items


def fast_fetch(parts: tuple[bytes, ...]) -> Fetched | None:
    """Return what a response says if it has one of the usual shapes of FETCH, otherwise None."""
    text = parts[0]
    if len(parts) == 1:
        if b"ENVELOPE (" in text:
            found = _WITH_ENVELOPE.fullmatch(text)
            if found is None:
                return None
            groups = found.groups()
            values = _values(*groups[1:_FIRST_OF_ENVELOPE])
            if groups[_FIRST_OF_ENVELOPE] is not None:
                values["ENVELOPE"] = envelope_of_spans(groups[_FIRST_OF_ENVELOPE:])
            return Fetched(_sequence_number(groups[0]), values)
        found = _SMALL.fullmatch(text)
        if found is None:
            return None
        number, uid, flags, size, date, modseq = found.groups()
        return Fetched(_sequence_number(number), _values(uid, flags, size, date, modseq))
    if len(parts) != 3:
        return None
    found = _BEFORE_CONTENT.fullmatch(text)
    if found is None:
        return None
    number, uid, flags, size, date, modseq, name = found.groups()
    values = _values(uid, flags, size, date, modseq)
    values[name.decode()] = parts[1]
    if parts[2] != b")":
        found = _BEHIND_CONTENT.fullmatch(parts[2])
        if found is None:
            return None
        values.update(_values(*found.groups()))
    return Fetched(_sequence_number(number), values)


def _values(
    uid: bytes | None, flags: bytes | None, size: bytes | None, date: bytes | None, modseq: bytes | None
) -> dict[str, object]:
    values: dict[str, object] = {}
    if uid is not None:
        values["UID"] = uid.decode()
    if flags is not None:
        values["FLAGS"] = _usual_flags(flags) if len(flags) < 200 else _flags_of(flags)
    if size is not None:
        values["RFC822.SIZE"] = int(size)
    if date is not None:
        values["INTERNALDATE"] = date
    if modseq is not None:
        values["MODSEQ"] = int(modseq)
    return values


def _flags_of(raw: bytes) -> frozenset[str]:
    return frozenset(raw.decode("utf-8", "surrogateescape").split(" ")) - {""}


_usual_flags = lru_cache(maxsize=512)(_flags_of)  # messages of a mailbox have few different sets of them


_OPEN = re.compile(rb" *\(")
_CLOSE = re.compile(rb" *\)")
_FLAG_LIST = re.compile(_FLAGS.encode("ascii"))
_NAME = re.compile(
    rb""" *+([A-Za-z0-9.\-_/]++)(?:(?!\[)|(\[(?:[^\]"\x00\r\n]|"(?:[^"\\\x00\r\n]|\\[^\x00\r\n])*")*\]))"""
    rb"(?:<([0-9]{1,20})(?:\.[0-9]{1,20})?>)? *+"  # quirk_length: some repeat the length too
)


def read_fetch(number: SequenceNumber, tokens: Tokens) -> Fetched:
    """Return what FETCH says about a message; ``tokens`` stands behind the word.

    Where it can't be read any further, ``error`` says why, and what came before is kept.
    """
    values: dict[str, object] = {}
    try:
        if tokens.match(_OPEN) is None:
            raise tokens.fault()
        while tokens.match(_CLOSE) is None:
            name = _name(tokens)
            values[name] = _value(name, tokens)
        if not tokens.ended:
            raise tokens.fault()
    except ProtocolError as error:
        return Fetched(number, values, error)
    return Fetched(number, values)


def _name(tokens: Tokens) -> str:
    found = tokens.match(_NAME)
    if found is None:
        raise tokens.fault()
    item, section, origin = found.groups()
    name = item.upper().decode("ascii")
    if section is not None:
        # Servers repeat the names of fields as they like: with quotes or without, in either case.
        inner = " ".join(section.decode("utf-8", "surrogateescape").replace('"', "").upper().split())
        name += inner.replace("( ", "(").replace(" )", ")")
    return name if origin is None else f"{name}<{origin.decode('ascii')}>"


def _value(name: str, tokens: Tokens) -> object:
    if name == "FLAGS":
        found = tokens.match(_FLAG_LIST)
        if found is not None:
            return _flags_of(found[1])
    value = tokens.value()
    if name == "ENVELOPE":
        return Later(envelope, value)
    if name in ("BODYSTRUCTURE", "BODY"):
        return Later(structure, value)
    if name == "X-GM-LABELS":
        return Later(_labels, value)
    # What is text in a MessageInfo has been looked at.
    return value.encode("utf-8", "surrogateescape") if name == "UID" and isinstance(value, str) else value


def _labels(value: Value) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ProtocolError("the server sent labels that are no list")
    return tuple(decode_mailbox(octets(one)) for one in value)
