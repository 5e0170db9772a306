"""A small reader of IMAP's grammar, for tests: what a server would understand of what was sent."""

from __future__ import annotations

import re
from collections.abc import Iterable

from netclients.imap.arguments import Literal, Piece

_ATOM = re.compile(rb"[^\x00-\x20\x7f-\xff(){%*\"\\\]]+")
_ASTRING = re.compile(rb"\\?[^\x00-\x20\x7f-\xff(){\"\\]+")  # and flags, sections, patterns
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\0]|\\["\\])*)"')
_LITERAL = re.compile(rb"(~?)\{(\d+)\}\r\n")
_FIELDS = re.compile(rb"BODY\.PEEK\[(?:[0-9]+\.)*HEADER\.FIELDS(?:\.NOT)? (?=\()")

Word = tuple[str, bytes]
Value = Word | list["Value"]


def wire(pieces: Piece | Iterable[Piece]) -> bytes:
    sent = b""
    for piece in (pieces,) if isinstance(pieces, (bytes, Literal)) else pieces:
        if isinstance(piece, Literal):
            sent += b"%b{%d}\r\n%b" % (b"~" if piece.binary else b"", len(piece.data), piece.data)
        else:
            assert not set(piece) & set(b"\r\n\0")
            sent += piece
    return sent


def read(data: bytes) -> list[Value]:
    """All that stands in ``data``, separated by single spaces: words as (kind, value), lists as lists."""
    values, end = _several(data, 0)
    assert end == len(data), data[end:]
    return values


def _several(data: bytes, at: int) -> tuple[list[Value], int]:
    values: list[Value] = []
    if at == len(data) or data[at : at + 1] == b")":
        return values, at
    while True:
        value, at = _one(data, at)
        values.append(value)
        if data[at : at + 1] != b" ":
            return values, at
        at += 1


def _one(data: bytes, at: int) -> tuple[Value, int]:
    if data[at : at + 1] == b"(":
        values, at = _several(data, at + 1)
        assert data[at : at + 1] == b")", data[at:]
        return values, at + 1
    if found := _QUOTED.match(data, at):
        return ("quoted", re.sub(rb"\\(.)", rb"\1", found[1])), found.end()
    if found := _LITERAL.match(data, at):
        end = found.end() + int(found[2])
        assert end <= len(data)
        return ("literal", data[found.end() : end]), end
    if found := _FIELDS.match(data, at):
        _, end = _one(data, found.end())
        assert data[end : end + 1] == b"]", data[at:]
        return ("fields", data[at : end + 1]), end + 1
    found = _ASTRING.match(data, at)
    assert found, data[at:]
    return ("atom" if _ATOM.fullmatch(found[0]) else "word", found[0]), found.end()


def text(value: Value) -> bytes:
    assert isinstance(value, tuple)
    return value[1]
