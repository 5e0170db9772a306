"""Words and strings: atoms, quoted strings, literals, and the names that are made of them (RFC 9051 section 4)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from netclients.errors import ConfigurationError, printable
from netclients.imap.names import encode_mailbox

__all__ = [
    "Literal",
    "Piece",
    "astring",
    "atom",
    "concatenated",
    "flag",
    "flag_list",
    "joined",
    "label",
    "list_pattern",
    "listed",
    "mailbox",
    "must_be_text",
    "parenthesized",
    "quoted",
    "shown",
    "string",
]

# RFC 9051 section 9: ATOM-CHAR, and what else stands unquoted in a string and in a pattern.
_ATOM_CHAR = r"!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~"
_ATOM = re.compile(rb"[%b]+" % _ATOM_CHAR.encode())
_ASTRING = re.compile(rb"[%b\]]+" % _ATOM_CHAR.encode())
_PATTERN = re.compile(rb"[%b\]%%*]+" % _ATOM_CHAR.encode())
_QUOTABLE = re.compile(rb"[^\r\n\0]*")
_SPECIAL = re.compile(rb'(["\\])')
_NIL = b"NIL"

_LONGEST_ON_THE_LINE = 1000  # bytes: RFC 2683 section 3.2.1.5 warns of servers that read no longer lines


@dataclass(frozen=True, slots=True)
class Literal:
    """A string that is sent behind its size (RFC 9051 section 4.3).

    ``binary``: it may have NUL (literal8, ``~{n}``, RFC 3516); only APPEND takes such.
    """

    data: bytes
    binary: bool = False

    def __post_init__(self) -> None:
        if not self.binary and b"\0" in self.data:
            raise ConfigurationError("a literal must not contain NUL, unless it is a binary one")


Piece = bytes | Literal
"""A part of a command: bytes on its line, or a literal."""


def atom(value: str) -> bytes:
    """Encode one word: the name of an item, an algorithm, a capability.

    Raises:
        ConfigurationError: it is empty or has a character that an atom can't have.
    """
    must_be_text(value, "an atom")
    encoded = value.encode("utf-8", "replace")
    if not _ATOM.fullmatch(encoded):
        raise ConfigurationError(f"{shown(value)} is not an atom")
    return encoded


def astring(value: str | bytes, *, utf8: bool = False) -> Piece:
    """Encode text as an atom if it is one, else quoted, else as a literal.

    With ``utf8`` (RFC 6855, or IMAP4rev2) other than ASCII is quoted too. Text is written in UTF-8; surrogates that
    stand for undecodable bytes become those bytes again.

    Raises:
        ConfigurationError: it has NUL, or can't be written in UTF-8.
    """
    encoded = _bytes(value)
    # NIL would be a string here, but not every server looks where it stands.
    if _ASTRING.fullmatch(encoded) and len(encoded) <= _LONGEST_ON_THE_LINE and encoded.upper() != _NIL:
        return encoded
    return string(encoded, utf8=utf8)


def string(value: str | bytes, *, utf8: bool = False) -> Piece:
    """Encode text quoted or as a literal, never as an atom; otherwise like :func:`astring`."""
    encoded = _bytes(value)
    if len(encoded) > _LONGEST_ON_THE_LINE or not _QUOTABLE.fullmatch(encoded):
        return Literal(encoded)
    return quoted(encoded) if encoded.isascii() or (utf8 and _is_utf8(encoded)) else Literal(encoded)


def mailbox(name: str | bytes, *, utf8: bool = False) -> Piece:
    """Encode the name of a mailbox; INBOX is known in any case (RFC 9051 section 5.1).

    Bytes are sent as they stand: ``raw_name`` of a listed mailbox. Without ``utf8`` (RFC 6855) text becomes modified
    UTF-7.

    Raises:
        ConfigurationError: it can't be encoded.
    """
    encoded = _name(name, "the name of a mailbox", utf8=utf8)
    return b"INBOX" if encoded.upper() == b"INBOX" else astring(encoded, utf8=utf8)


def list_pattern(pattern: str | bytes, *, utf8: bool = False) -> Piece:
    """Encode the pattern of LIST: a name of mailboxes in which ``*`` and ``%`` are wildcards (RFC 9051 section 6.3.9).

    Raises:
        ConfigurationError: it can't be encoded.
    """
    encoded = _name(pattern, "a pattern of mailboxes", utf8=utf8)
    if _PATTERN.fullmatch(encoded) and len(encoded) <= _LONGEST_ON_THE_LINE and encoded.upper() != _NIL:
        return encoded
    return string(encoded, utf8=utf8)


def label(name: str | bytes, *, utf8: bool = False) -> Piece:
    """Encode a label of Gmail, such as ``Work`` or ``\\Inbox``: written like a mailbox, but INBOX is no other.

    Raises:
        ConfigurationError: it can't be encoded.
    """
    return astring(_name(name, "a label", utf8=utf8), utf8=utf8)


def flag(value: str) -> bytes:
    r"""Encode a flag (``\Seen``) or a keyword (``$Forwarded``) that is to be set or removed (RFC 9051 section 2.3.2).

    Raises:
        ConfigurationError: it is none, or ``\Recent``, which only the server sets.
    """
    must_be_text(value, "a flag")
    encoded = value.encode("utf-8", "replace")
    if not _ATOM.fullmatch(encoded.removeprefix(b"\\")):
        raise ConfigurationError(f"{shown(value)} is not a flag")
    if encoded.lower() == b"\\recent":
        raise ConfigurationError(f"{value} is set by the server alone")
    return encoded


def flag_list(values: str | Iterable[str]) -> bytes:
    """Encode flags in parentheses; text is a single flag, none at all are an empty list.

    Raises:
        ConfigurationError: one of them is not a flag.
    """
    words = (values,) if isinstance(values, str) else listed(values, "flags")
    return b"(%b)" % b" ".join(map(flag, words))


def joined(*arguments: Piece | tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Put arguments on one line with spaces between them; the pieces are sent as they stand, one behind the other."""
    pieces: list[Piece] = []
    for argument in arguments:
        if pieces:
            pieces.append(b" ")
        pieces += argument if isinstance(argument, tuple) else (argument,)
    return concatenated(pieces)


def parenthesized(*arguments: Piece | tuple[Piece, ...]) -> tuple[Piece, ...]:
    """Make a list of arguments."""
    return concatenated((b"(", *joined(*arguments), b")"))


def concatenated(pieces: Iterable[Piece]) -> tuple[Piece, ...]:
    """Put pieces one behind the other, so that no bytes follow bytes."""
    merged: list[Piece] = []
    line: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            line.append(piece)
            continue
        if line:
            merged.append(b"".join(line))
            line.clear()
        merged.append(piece)
    return (*merged, b"".join(line)) if line else tuple(merged)


def quoted(data: bytes) -> bytes:
    """Quote what is known to have no CR, LF or NUL."""
    return b'"%b"' % _SPECIAL.sub(rb"\\\1", data)


def must_be_text(value: object, what: str) -> None:
    """Raise :class:`ConfigurationError` unless ``value`` is text."""
    if not isinstance(value, str):
        raise ConfigurationError(f"{what} is text, not {type(value).__name__}")


def listed(values: Iterable[str], what: str) -> Iterable[str]:
    """Return ``values``; text alone, which is a list of letters, is a :class:`ConfigurationError`."""
    if isinstance(values, (str, bytes, bytearray)) or not _is_iterable(values):
        raise ConfigurationError(f"{what} are a list of text, not {shown(values)}")
    return values


def shown(value: object) -> str:
    """Return ``value`` as an error shows it: short, without control characters."""
    text = repr(value) if not isinstance(value, str) else f"{value[:80]!r}"
    return printable(text if len(text) <= 100 else f"{text[:100]}…")


def _name(name: str | bytes, what: str, *, utf8: bool) -> bytes:
    if isinstance(name, bytes):
        return name
    must_be_text(name, what)
    return encode_mailbox(name, utf8=utf8)


def _bytes(value: object) -> bytes:
    if isinstance(value, str):
        try:
            value = value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise ConfigurationError(f"{shown(value)} can't be written in UTF-8") from None
    elif not isinstance(value, bytes):
        raise ConfigurationError(f"a string is text or bytes, not {type(value).__name__}")
    if b"\0" in value:
        raise ConfigurationError(f"a string must not contain NUL: {shown(value.decode('utf-8', 'replace'))}")
    return value


def _is_iterable(value: object) -> bool:
    return isinstance(value, Iterable)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
