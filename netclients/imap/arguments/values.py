"""Numbers, dates and what else is one value (RFC 9051 section 9)."""

from __future__ import annotations

import datetime as dt
import operator
import re
from collections.abc import Mapping

from netclients.errors import ConfigurationError
from netclients.imap.arguments.strings import must_be_text, quoted, shown

__all__ = ["charset", "date", "date_time", "id_fields", "modseq", "number", "object_id"]

_LARGEST = 2**63 - 1
_MONTHS = (b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec")
_MINUTE = dt.timedelta(minutes=1)
_CHARSET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,79}")
_ID_TEXT = re.compile(r"[\x01-\x09\x0b\x0c\x0e-\x7f]*")
_OBJECT_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_ID_FIELDS, _ID_NAME, _ID_VALUE = 30, 30, 1024  # RFC 2971 section 3.3


def number(value: int, least: int = 0, most: int = _LARGEST) -> bytes:
    """Encode a size, a count or an offset.

    Raises:
        ConfigurationError: it is no whole number, less than ``least`` or more than ``most``.
    """
    try:
        if not isinstance(value, bool) and least <= operator.index(value) <= most:
            return b"%d" % value
    except TypeError:
        pass
    raise ConfigurationError(f"{shown(value)} is not a whole number from {least} to {most}")


def modseq(value: int) -> bytes:
    """Encode a modification sequence (RFC 7162): 0 to 2**63 - 1.

    Raises:
        ConfigurationError: it is none.
    """
    return number(value)


def date(value: dt.date) -> bytes:
    """Encode a day, such as ``1-Feb-2026``.

    Raises:
        ConfigurationError: it is no date. A datetime is none either: servers compare days, in their own time zone,
            and its time would be lost.
    """
    if isinstance(value, dt.datetime):
        raise ConfigurationError(f"{shown(value)} has a time, but servers compare days only: pass value.date()")
    if not isinstance(value, dt.date):
        raise ConfigurationError(f"{shown(value)} is not a date")
    return b"%d-%b-%04d" % (value.day, _MONTHS[value.month - 1], value.year)


def date_time(value: dt.datetime) -> bytes:
    """Encode when a message arrived (INTERNALDATE), in the time zone that it has and to the second.

    Raises:
        ConfigurationError: it is no datetime, or has no time zone: which one is meant depends on where the program
            runs, and the message would silently be some hours off. ``value.astimezone()`` takes it as local time.
    """
    if not isinstance(value, dt.datetime):
        raise ConfigurationError(f"{shown(value)} is not a datetime")
    offset = value.utcoffset()
    if offset is None:
        raise ConfigurationError(f"{shown(value)} has no time zone: pass value.astimezone() if it is local time")
    if offset % _MINUTE:  # a zone is written in minutes: local mean times of old become UTC
        try:
            value, offset = value.astimezone(dt.UTC), dt.timedelta(0)
        except OverflowError:
            raise ConfigurationError(f"{shown(value)} is out of range in UTC") from None
    hours, minutes = divmod(abs(offset) // _MINUTE, 60)
    sign = b"-" if offset < dt.timedelta(0) else b"+"
    day = b"%2d-%b-%04d" % (value.day, _MONTHS[value.month - 1], value.year)
    time = b"%02d:%02d:%02d" % (value.hour, value.minute, value.second)
    return b'"%b %b %b%02d%02d"' % (day, time, sign, hours, minutes)


def charset(name: str) -> bytes:
    """Encode the name of a character set, such as ``UTF-8``.

    Raises:
        ConfigurationError: it is none.
    """
    must_be_text(name, "the name of a character set")
    if not _CHARSET.fullmatch(name):
        raise ConfigurationError(f"{shown(name)} is not the name of a character set")
    return name.encode("ascii")


def object_id(value: str) -> bytes:
    """Encode an EMAILID, THREADID or MAILBOXID (RFC 8474 section 7).

    Raises:
        ConfigurationError: it is none.
    """
    must_be_text(value, "an object's ID")
    if not _OBJECT_ID.fullmatch(value):
        raise ConfigurationError(f"{shown(value)} is not the ID of an object: letters, digits, - and _")
    return value.encode("ascii")


def id_fields(fields: Mapping[str, str | None] | None) -> bytes:
    """Encode what a client tells about itself (RFC 2971 section 3.3): at most 30 fields; None tells nothing.

    Raises:
        ConfigurationError: too many fields, a name that comes twice or is over 30 bytes, a value over 1,024 bytes,
            or anything but ASCII on one line.
    """
    if not fields:
        return b"NIL"
    if len(fields) > _ID_FIELDS or len({str(name).lower() for name in fields}) < len(fields):
        raise ConfigurationError(f"ID takes at most {_ID_FIELDS} fields, each once")
    words: list[bytes] = []
    for name, value in fields.items():
        words.append(_id_word(name, _ID_NAME, f"the name of a field of ID: {shown(name)}"))
        words.append(b"NIL" if value is None else _id_word(value, _ID_VALUE, f"{name} of ID: {shown(value)}"))
    return b"(%b)" % b" ".join(words)


def _id_word(value: str, longest: int, what: str) -> bytes:
    must_be_text(value, what)
    if len(value) > longest or not _ID_TEXT.fullmatch(value):
        raise ConfigurationError(f"{what} must be ASCII on one line, at most {longest} bytes")
    return quoted(value.encode("ascii"))
