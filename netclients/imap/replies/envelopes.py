"""ENVELOPE (RFC 9051 section 7.5.2): ten fields, six of them addresses.

What servers usually send is matched by one regular expression, whose groups are the fields as they stand on the wire;
they are taken apart when they are looked at. Everything else goes through the tokens.
"""

from __future__ import annotations

import re

from netclients.errors import ProtocolError
from netclients.mail.envelopes import Envelope, Value

__all__ = ["ENVELOPE", "envelope", "envelope_of_spans"]

_STRING = r'(?:"[^"\\\x00\r\n]*+"|NIL)'  # escapes are rare, and each way to write a string counts 26 times here
_ADDRESS = rf"\({_STRING} {_STRING} {_STRING} {_STRING}\)"
_ADDRESSES = rf"(?:NIL|\((?:{_ADDRESS})+\))"
ENVELOPE = rf"\(({_STRING}) ({_STRING})" + rf" ({_ADDRESSES})" * 6 + rf" ({_STRING}) ({_STRING})\)"
"""An envelope without literals, escapes and oddities, its ten fields as groups."""

_ONE = re.compile(rf"\(({_STRING}) ({_STRING}) ({_STRING}) ({_STRING})\)".encode("ascii"))


def envelope(value: Value) -> Envelope:
    """Return the envelope whose fields are ``value``.

    Raises:
        ProtocolError: there are not ten.
    """
    if not isinstance(value, list) or len(value) != 10:
        raise ProtocolError("the server sent an envelope that has not ten fields")
    return Envelope(value)


def envelope_of_spans(spans: tuple[bytes, ...]) -> Envelope:
    """Return the envelope whose fields are the groups of :data:`ENVELOPE`."""
    return Envelope(spans, _value_of_span)


def _value_of_span(span: bytes) -> Value:
    first = span[:1]
    if first == b'"':
        return span[1:-1]
    if first == b"N":
        return None
    return [[None if part == b"NIL" else part[1:-1] for part in found] for found in _ONE.findall(span)]
