"""BODYSTRUCTURE and BODY (RFC 9051 section 7.5.2): from nested values to a tree of parts, without recursion.

What servers get wrong here has the sender's broken MIME as its cause more often than not, so much is tolerated; each
deviation has a name that starts with ``quirk``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from netclients.errors import ProtocolError
from netclients.imap.replies.envelopes import envelope
from netclients.imap.replies.tokens import octets
from netclients.mail import decoding
from netclients.mail.envelopes import Value
from netclients.mail.reading import BodyPart

__all__ = ["structure"]

_List: TypeAlias = "list[Value]"


def structure(value: Value) -> BodyPart:
    """Return the tree that BODYSTRUCTURE describes.

    Raises:
        ProtocolError: it describes none.
    """
    if not isinstance(value, list):
        raise ProtocolError("the server sent a body structure that is no list")
    order: list[_Node] = []
    waiting = [_Node(value, None, "1")]
    while waiting:
        node = waiting.pop()
        order.append(node)
        waiting.extend(node.below())
    # Those that stand later are nearer to the leaves.
    for node in reversed(order):
        made = node.made()
        if node.above is None:
            return made
        node.above.children.append(made)
    raise AssertionError


class _Node:
    """A part that is being read: its values, and the parts below it, last one first."""

    __slots__ = ("above", "children", "kind", "number", "values")

    def __init__(self, values: _List, above: _Node | None, number: str) -> None:
        self.values = values
        self.above = above
        self.number = number
        self.children: list[BodyPart] = []
        self.kind = _kind(values)

    def below(self) -> Iterator[_Node]:
        if self.kind == "multipart":
            is_message = self.above is None or self.above.kind == "message"
            prefix = "" if self.above is None else f"{self.number}."
            if is_message:
                self.number = f"{prefix}TEXT"
            for index, values in enumerate(_parts(self.values), 1):
                yield _Node(values, self, f"{prefix}{index}")
        elif self.kind == "message":
            body = self.values[8]
            if isinstance(body, list):
                # The number of what is not a multipart: 2.1; a multipart's parts are numbered as if it were not there.
                multipart = _kind(body) == "multipart"
                yield _Node(body, self, self.number if multipart else f"{self.number}.1")

    def made(self) -> BodyPart:
        if self.kind == "multipart":
            return _multipart(self)
        return _single(self)


def _kind(values: _List) -> str:
    if values and isinstance(values[0], list):
        return "multipart"
    if len(values) == 1 or (len(values) > 1 and isinstance(values[1], list)):
        return "multipart"  # quirk_no_parts: ("mixed" ("boundary" "x"))
    if len(values) >= 9 and isinstance(values[7], list) and _lower(values[0]) == "message":
        return "message"
    # quirk_nil_envelope: the count of lines is there all the same.
    if len(values) >= 10 and values[7] is None and isinstance(values[9], str) and _lower(values[0]) == "message":
        return "message"
    return "single"  # quirk_no_envelope: message/rfc822 without envelope and body


def _parts(values: _List) -> list[_List]:
    found: list[_List] = []
    for value in values:
        if not isinstance(value, list):
            break
        found.append(value)
    return [] if found == [[]] else found  # quirk_no_parts: (() "mixed")


def _multipart(node: _Node) -> BodyPart:
    rest = node.values[len(node.children) :]
    if rest[:1] == [[]]:
        del rest[0]
    return BodyPart(
        node.number,
        "multipart",
        _lower(rest[0]) if rest else "mixed",  # quirk_no_subtype
        parameters=_parameters(rest[1]) if len(rest) > 1 else {},
        parts=tuple(node.children),
        **_extended(rest[2:]),
    )


def _single(node: _Node) -> BodyPart:
    values = node.values
    if not values:  # quirk_empty_part
        return BodyPart(node.number, "text", "plain")
    if len(values) < 7:
        raise ProtocolError(f"the server sent a body structure with {len(values)} fields instead of 7")
    kind, subtype = _lower(values[0]) or "application", _lower(values[1]) or "octet-stream"  # quirk_nil_type
    at = 7
    lines: int | None = None
    message: dict[str, Any] = {}
    if node.kind == "message":
        message = {"envelope": None if values[7] is None else envelope(values[7])}
        message["body"] = node.children[0] if node.children else None
        lines = _count(values[9]) if len(values) > 9 else None
        at = 10
    elif len(values) > 7 and (kind == "text" or isinstance(values[7], str)):
        # quirk_lines_of_no_text: some servers count the lines of everything.
        lines = _count(values[7])
        at = 8
    return BodyPart(
        node.number,
        kind,
        subtype,
        parameters=_parameters(values[2]),
        id=_plain(values[3]),
        description=_text(values[4]),
        encoding=_lower(values[5]) or "7bit",
        size=_count(values[6]) or 0,
        lines=lines,
        md5=_plain(values[at]) if len(values) > at else None,
        **message,
        **_extended(values[at + 1 :]),
    )


def _extended(values: _List) -> dict[str, Any]:
    """Return what a multipart and a single part have in common: disposition, languages, location, and the unknown."""
    if not values:
        return {}
    disposition, parameters = _disposition(values[0])
    return {
        "disposition": disposition,
        "disposition_parameters": parameters,
        "languages": _languages(values[1]) if len(values) > 1 else (),
        "location": _plain(values[2]) if len(values) > 2 else None,
        "extension": tuple(values[3:]),
    }


def _disposition(value: Value) -> tuple[str | None, dict[str, str]]:
    if isinstance(value, list):
        return (_lower(value[0]) or None, _parameters(value[1]) if len(value) > 1 else {}) if value else (None, {})
    return (_lower(value) or None), {}  # quirk_bare_disposition: not in a list


def _languages(value: Value) -> tuple[str, ...]:
    if isinstance(value, list):
        return tuple(_lower(one) for one in value if not isinstance(one, list))
    return (_lower(value),) if value else ()


def _parameters(value: Value) -> dict[str, str]:
    if not isinstance(value, list):  # NIL; quirk_empty_string: ""
        return {}
    flat = [one for one in value if not isinstance(one, list)]
    octets_of = [b"" if one is None else octets(one) for one in flat]
    return decoding.parameters(zip(octets_of[::2], octets_of[1::2], strict=False))  # quirk_odd_parameters


def _lower(value: Value) -> str:
    return "" if value is None or isinstance(value, list) else decoding.plain(octets(value)).lower()


def _plain(value: Value) -> str | None:
    return None if value is None or isinstance(value, list) else decoding.plain(octets(value))


def _text(value: Value) -> str | None:
    return None if value is None or isinstance(value, list) else decoding.text(octets(value))


def _count(value: Value) -> int | None:
    """A count of bytes or lines; None if there is none (quirk_nil_size, quirk_negative_size)."""
    if isinstance(value, (str, bytes)) and len(value) <= 20 and value.isascii() and value.isdigit():
        return int(value)
    return None
