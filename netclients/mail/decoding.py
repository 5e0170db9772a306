"""Text and dates of header fields, as others have written them: read as far as possible, never an exception.

Fields come from strangers and through broken software, so that every function here has an answer for any bytes, in
linear time.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from encodings.aliases import aliases
from functools import lru_cache

__all__ = ["date", "parameters", "plain", "text"]

_FOLD = re.compile(r"\r?\n(?=[ \t])")
_WORD = re.compile(r"=\?([!->@-~]{1,75})\?([BbQq])\?([^?]*)\?=")
_BLANK = re.compile(r"[ \t\r\n]*")
_ESCAPE = re.compile(rb"=([0-9A-Fa-f]{2})")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_NOT_BASE64 = re.compile(r"[^A-Za-z0-9+/]+")


def plain(raw: bytes) -> str:
    """Bytes that should have been ASCII: UTF-8 if they are that, otherwise Latin-1, which takes anything."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def text(raw: bytes) -> str:
    """Unstructured text, unfolded, with its encoded words (RFC 2047) decoded.

    Words that are broken, or in a charset that nobody knows, stay as they are; bytes that their charset does not have
    become U+FFFD. Words of one charset may share a character (quirk_split_character).
    """
    try:
        found = raw.decode("utf-8")
    except UnicodeDecodeError:
        found = raw.decode("latin-1")
    if "\n" in found:
        found = _FOLD.sub("", found)
    return _decoded(found) if "=?" in found else found


def _decoded(source: str) -> str:
    out: list[str] = []
    pending: list[bytes] = []  # the content of words of one charset
    charset = ""
    at = 0
    for word in _WORD.finditer(source):
        codec = _codec(word[1])
        content = _content(word[2], word[3]) if codec is not None else None
        if codec is None or content is None:
            continue
        between = source[at : word.start()]
        adjacent = bool(pending) and _BLANK.fullmatch(between) is not None
        if pending and (codec != charset or not adjacent):
            out.append(b"".join(pending).decode(charset, "replace"))
            pending = []
        if not adjacent:
            out.append(between)
        charset = codec
        pending.append(content)
        at = word.end()
    if pending:
        out.append(b"".join(pending).decode(charset, "replace"))
    out.append(source[at:])
    return "".join(out)


def _content(encoding: str, encoded: str) -> bytes | None:
    if encoding in "bB":
        letters = _NOT_BASE64.sub("", encoded)
        letters += "=" * (-len(letters) % 4)
        try:
            return binascii.a2b_base64(letters)
        except binascii.Error:
            return None
    raw = encoded.replace("_", " ").encode("utf-8", "replace")
    return _ESCAPE.sub(_unhex, raw) if b"=" in raw else raw


def _unhex(found: re.Match[bytes]) -> bytes:
    return binascii.a2b_hex(found[1])


# Codecs that turn bytes into bytes, take quadratic time, or need another system.
_NOT_CHARSETS = frozenset(("base64_codec", "bz2_codec", "hex_codec", "idna", "mbcs", "oem", "punycode", "quopri_codec"))
_NOT_CHARSETS |= {"raw_unicode_escape", "rot_13", "undefined", "unicode_escape", "uu_codec", "zlib_codec"}
_WITHOUT_ALIAS = ("cp720", "cp737", "cp856", "cp874", "cp875", "cp1006", "koi8_t", "koi8_u", "utf_8_sig")
_CHARSETS = frozenset({*aliases.values(), *_WITHOUT_ALIAS}) - _NOT_CHARSETS
# What senders say, and what they mean.
_MEANT = {
    "ascii": "utf_8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "latin_1": "cp1252",
    "windows_874": "cp874",
    "ks_c_5601_1987": "cp949",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "unicode_1_1_utf_7": "utf_7",
}


@lru_cache(maxsize=128)
def _codec(charset: str) -> str | None:
    """Return Python's name for a charset; None if it has none.

    Only names on a list are looked up: the interpreter keeps what it was ever asked for.
    """
    name = charset.partition("*")[0].lower().replace("-", "_")  # RFC 2231 section 5: the language follows
    name = _MEANT.get(name) or aliases.get(name) or aliases.get(name.replace(".", "_")) or name
    name = _MEANT.get(name, name)
    return name if name in _CHARSETS else None


_SECTION = re.compile(r"(.+?)(?:\*([0-9]{1,3}))?(\*)?")


def parameters(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Parameters of a MIME field, names in lower case: continued and extended ones (RFC 2231) put together.

    Encoded words, which RFC 2047 does not allow here, are decoded all the same (quirk_words_in_parameters).
    """
    found: dict[str, str] = {}
    pieces: dict[str, dict[int, tuple[bool, bytes]]] = {}
    for key, value in pairs:
        name = plain(key).lower()
        parts = _SECTION.fullmatch(name) if "*" in name else None
        if parts is None:
            found.setdefault(name, text(value))
        else:
            pieces.setdefault(parts[1], {}).setdefault(int(parts[2] or 0), (parts[3] is not None, value))
    for name, sections in pieces.items():
        found[name] = _joined([sections[number] for number in sorted(sections)])
    return found


def _joined(sections: list[tuple[bool, bytes]]) -> str:
    codec = None
    if sections[0][0] and sections[0][1].count(b"'") >= 2:
        charset, _, rest = sections[0][1].split(b"'", 2)
        codec = _codec(plain(charset))
        sections[0] = (True, rest)
    raw = b"".join(_PERCENT.sub(_unhex, value) if extended else value for extended, value in sections)
    return raw.decode(codec, "replace") if codec is not None else plain(raw)


_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_ZONES = {b"est": -5, b"edt": -4, b"cst": -6, b"cdt": -5, b"mst": -7, b"mdt": -6, b"pst": -8, b"pdt": -7}
_DATE = re.compile(
    rb"\s*(?:[A-Za-z]{3,12}\.?,?\s*)?([0-9]{1,2})[\s-]+([A-Za-z]{3})[A-Za-z]{0,8}\.?[\s-]+([0-9]{2,4})"
    rb"[\s,]+([0-9]{1,2})[:.]([0-9]{2})(?:[:.]([0-9]{2})(?:\.[0-9]{1,9})?)?\s*(?:([+-][0-9]{2}:?[0-9]{2})|([A-Za-z]{1,5}))?"
)


def date(raw: bytes) -> datetime | None:
    """A date of RFC 5322 section 3.3 or of INTERNALDATE, aware; None if it is none.

    A zone that is missing or unknown counts as UTC (RFC 5322 section 4.3); what follows it is not looked at.
    """
    found = _DATE.match(raw)
    if found is None:
        return None
    day, month, year, hour, minute, second, offset, zone = found.groups()
    number = _MONTHS.get(month.lower())
    if number is None:
        return None
    full = int(year)
    if len(year) < 4:  # RFC 5322 section 4.3
        full += 2000 if full < 50 and len(year) == 2 else 1900
    try:
        seconds = 59 if second == b"60" else int(second or 0)  # a leap second has no place in a datetime
        where = _zone(offset or b"", zone or b"")
        if not 1 < full < 9999:  # at the ends of the calendar other zones have no date
            return None
        return datetime(full, number, int(day), int(hour), int(minute), seconds, tzinfo=where)
    except ValueError:
        return None


@lru_cache(maxsize=128)
def _zone(offset: bytes, name: bytes) -> timezone:
    """Raise ValueError for an offset that no zone can have."""
    if offset:
        minutes = int(offset[1:3]) * 60 + int(offset[-2:])
        return timezone(timedelta(minutes=-minutes if offset[:1] == b"-" else minutes)) if minutes else UTC
    hours = _ZONES.get(name.lower(), 0)
    return timezone(timedelta(hours=hours)) if hours else UTC
