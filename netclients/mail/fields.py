"""Header fields, written: name, colon, value, folded into lines of at most 76 characters where that is possible.

A field is made in three steps: its value becomes a list of tokens that must not be broken (words, addresses,
parameters), whatever is not ASCII becomes encoded words (RFC 2047) or extended parameters (RFC 2231), and the tokens
are folded into lines (RFC 5322 section 2.2.3). Only addresses are ever written in UTF-8 (RFC 6532): they have no other
form.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from netclients.errors import ConfigurationError, printable
from netclients.mail.addresses import Mailbox

__all__ = [
    "custom_field",
    "date_field",
    "encoded",
    "folded_text",
    "ids_field",
    "mailboxes_field",
    "parameter",
    "text_field",
    "tokens_field",
]

_LINE = 76  # characters, RFC 2047 section 2 for lines with encoded words; RFC 5322 would have 78
_LONGEST_LINE = 998
_WORD = 75  # characters of an encoded word, RFC 2047 section 2
_AROUND = len("=?utf-8?q?") + len("?=")
_LONGEST_NAME = 60  # characters of a quoted name; a longer one becomes encoded words, which can be folded
_SEGMENT = 60  # characters of one section of a parameter

_FIELD_NAME = re.compile(r"[!-9;-~]{1,70}")
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_PIECES = re.compile(r"[ \t]*[^ \t]+")

# What RFC 2047 section 5 (3) allows in the words of a name is allowed in every other place.
_Q = {byte: f"={byte:02X}" for byte in range(256)}
_Q.update({byte: chr(byte) for byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"})
_Q[0x20] = "_"
# RFC 2231 section 7: attribute-char.
_EXTENDED = {byte: f"%{byte:02X}" for byte in range(256)}
_EXTENDED.update(
    {byte: chr(byte) for byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$&+-.^_`{|}~"}
)

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def encoded(text: str, where: str) -> bytes:
    """Return ``text`` in UTF-8.

    Raises:
        ConfigurationError: it has lone surrogates.
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise ConfigurationError(f"{where}: {printable(text)!r} can't be written in UTF-8") from None


def text_field(name: str, value: str) -> bytes:
    """Return a field of free text, such as Subject (RFC 5322 section 3.6.5, RFC 2047).

    Raises:
        ConfigurationError: the value has CR, LF, NUL or lone surrogates.
    """
    _check(value, name)
    if value.isascii() and value.isprintable() and "=?" not in value and value[:1] != " " != value[-1:]:
        if len(name) + len(value) <= _LINE - 2:
            return f"{name}: {value}\r\n".encode("ascii")
        tokens = _PIECES.findall(value)
        if max(map(len, tokens)) < _LONGEST_LINE // 2:
            return _folded(name, tokens, name)
    return _folded(name, _spaced(_words(value, name, len(name) + 2)), name)


def custom_field(name: str, value: str) -> bytes:
    """Return a field that the caller names. ASCII is written as it is; other text becomes encoded words.

    Raises:
        ConfigurationError: the name is not the name of a field (RFC 5322 section 2.2); the value has CR, LF, NUL or
            lone surrogates, or a word that is too long for a line.
    """
    if not _FIELD_NAME.fullmatch(name):
        raise ConfigurationError(f"headers: {printable(name)!r} can't be the name of a header")
    if not isinstance(value, str):
        raise ConfigurationError(f"headers: the value of {name} is a {type(value).__name__}, not text")
    _check(value, name)
    value = value.strip(" \t")
    if value.isascii() and value.replace("\t", " ").isprintable():
        return _folded(name, _PIECES.findall(value), name)
    return text_field(name, value)


def folded_text(name: str, value: str) -> bytes:
    """Return a field whose value is printable ASCII, written as it is, and folded where it has spaces.

    Raises:
        ConfigurationError: a word of it is too long for a line.
    """
    if len(name) + len(value) <= _LINE - 2:
        return f"{name}: {value}\r\n".encode("ascii")
    return _folded(name, _PIECES.findall(value.rstrip(" ")), name)


def mailboxes_field(name: str, mailboxes: Sequence[Mailbox]) -> bytes:
    """Return a field of addresses, such as To (RFC 5322 section 3.6.3). Names are encoded, addresses never.

    Raises:
        ConfigurationError: a name has CR, LF, NUL or lone surrogates.
    """
    if len(mailboxes) == 1 and not mailboxes[0].name and len(name) + len(mailboxes[0].address) <= _LINE - 2:
        return f"{name}: {mailboxes[0].address}\r\n".encode()
    tokens: list[str] = []
    for mailbox in mailboxes:
        if mailbox.name:
            tokens += _spaced(_phrase(mailbox.name, name, len(name) + 2))
            tokens.append(f" <{mailbox.address}>")
        else:
            tokens.append(f" {mailbox.address}")
        tokens[-1] += ","
    tokens[-1] = tokens[-1][:-1]
    return _folded(name, tokens, name)


def ids_field(name: str, ids: Sequence[str]) -> bytes:
    """Return a field of message identifiers, such as References (RFC 5322 section 3.6.4)."""
    return _folded(name, _spaced(ids), name)


def tokens_field(name: str, tokens: Sequence[str]) -> bytes:
    """Return a field of tokens of our own, with a space between them."""
    return _folded(name, _spaced(tokens), name)


def date_field(date: datetime | None) -> bytes:
    """Return the Date field (RFC 5322 section 3.3): of ``date``, or of now, in UTC.

    Raises:
        ConfigurationError: ``date`` has no time zone, or one that is not of whole minutes.
    """
    if date is None:
        date = datetime.now(UTC)
    elif not isinstance(date, datetime):
        raise ConfigurationError(f"date: a {type(date).__name__} is not a datetime")
    offset = date.utcoffset()
    if offset is None:
        raise ConfigurationError("date: it has no time zone")
    minutes, rest = divmod(int(offset.total_seconds()), 60)
    if rest or date.year < 1900:
        raise ConfigurationError(f"date: {date} can't be written in a message")
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    day, month = _DAYS[date.weekday()], _MONTHS[date.month - 1]
    return (
        f"Date: {day}, {date.day} {month} {date.year} {date.hour:02}:{date.minute:02}:{date.second:02} "
        f"{sign}{minutes // 60:02}{minutes % 60:02}\r\n"
    ).encode("ascii")


def parameter(name: str, value: str, where: str) -> list[str]:
    """Return a MIME parameter as tokens: quoted, or in the extended form of RFC 2231 if that can't hold it.

    Raises:
        ConfigurationError: the value has CR, LF, NUL or lone surrogates.
    """
    _check(value, where)
    if value.isascii() and value.isprintable() and len(value) <= _SEGMENT:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return [f'{name}="{escaped}"']
    segments = [""]
    for character in value:
        # A character is never divided: readers decode section by section.
        octets = "".join(_EXTENDED[byte] for byte in encoded(character, where))
        if len(segments[-1]) + len(octets) > _SEGMENT:
            segments.append("")
        segments[-1] += octets
    if len(segments) == 1:
        return [f"{name}*=utf-8''{segments[0]}"]
    segments[0] = f"utf-8''{segments[0]}"
    return [f"{name}*{number}*={segment}" for number, segment in enumerate(segments)]


def _check(value: str, where: str) -> None:
    if "\r" in value or "\n" in value or "\0" in value:
        raise ConfigurationError(f"{where}: CR, LF and NUL are not allowed: {printable(value)!r}")


def _phrase(name: str, where: str, used: int) -> list[str]:
    """Return a display name as words: atoms, one quoted string, or encoded words."""
    _check(name, where)
    if name.isascii() and name.isprintable() and "=?" not in name:
        if _PHRASE.fullmatch(name) and len(name) <= _LINE * 4:
            words = name.split(" ")
            if max(map(len, words)) <= _LONGEST_NAME:
                return words
        if len(name) <= _LONGEST_NAME:
            escaped = name.replace("\\", "\\\\").replace('"', '\\"')
            return [f'"{escaped}"']
    return _words(name, where, used)


def _words(text: str, where: str, used: int) -> list[str]:
    """Return ``text`` as encoded words, of which the first has a line to share with ``used`` characters."""
    octets = encoded(text, where)
    as_q = sum(len(_Q[byte]) for byte in octets) <= (len(octets) + 2) // 3 * 4
    words: list[str] = []
    # After a long name of a field, the first word goes to a line of its own.
    room = _WORD - _AROUND - (used if used < _WORD // 2 else 0)
    piece, length = b"", 0
    for character in text:
        one = character.encode("utf-8")
        cost = sum(len(_Q[byte]) for byte in one)
        if (length + cost if as_q else (len(piece) + len(one) + 2) // 3 * 4) > room:
            words.append(_word(piece, as_q))
            piece, length, room = b"", 0, _WORD - _AROUND
        piece += one
        length += cost
    words.append(_word(piece, as_q))
    return words


def _word(octets: bytes, as_q: bool) -> str:
    if as_q:
        return f"=?utf-8?q?{''.join(_Q[byte] for byte in octets)}?="
    return f"=?utf-8?b?{binascii.b2a_base64(octets, newline=False).decode('ascii')}?="


def _spaced(tokens: Iterable[str]) -> list[str]:
    return [f" {token}" for token in tokens]


def _folded(name: str, tokens: Sequence[str], where: str) -> bytes:
    """Join tokens, each of which brings the space before it, into lines."""
    lines: list[str] = []
    line = f"{name}:" if tokens and tokens[0].startswith((" ", "\t")) else f"{name}: "
    for number, token in enumerate(tokens):
        if (number or "=?" in token) and len(line) + len(token) > _LINE:
            lines.append(line)
            line = token
        else:
            line += token
    lines.append(line)
    if max(map(len, lines)) > _LONGEST_LINE:
        raise ConfigurationError(f"{where}: a word is too long for a line of {_LONGEST_LINE} characters")
    return ("\r\n".join(lines) + "\r\n").encode()
