"""Times as MDTM, MLST and MLSD write them (RFC 3659 section 2.3)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from netclients.ftp.types import ParsedTime

__all__ = ["parse_time"]

_SECOND = timedelta(seconds=1)
_FRACTIONS = tuple(timedelta(microseconds=10 ** (6 - digits)) for digits in range(7))
_TIME_19100 = re.compile(r"[0-9]{15}(?![0-9])")
_TIME = re.compile(r"([0-9]{8})([0-9]{4})([0-9]{2})(?:\.([0-9]{1,99}))?")


def parse_time(text: str) -> ParsedTime | None:
    """Read a time of RFC 3659 §2.3, ``YYYYMMDDHHMMSS[.fraction]`` in UTC; None if it is not one.

    Digits beyond microseconds are dropped; a leap second (``60``) is the second after ``59``.
    quirk_year_19100 (Perl's Net::FTP works around it too): servers of before 2000 print ``"19%d"`` of the
    years since 1900, so that 2000 becomes ``19100``.
    """
    if text[:3] == "191" and _TIME_19100.match(text):
        text = f"{1900 + int(text[2:5])}{text[5:]}"
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    date, time, seconds, fraction = found.groups()
    leap = seconds == "60"
    try:
        value = datetime.fromisoformat(f"{date}T{time}{'59' if leap else seconds}Z")
        if leap:
            value += _SECOND
    except (ValueError, OverflowError):
        return None
    if fraction is None:
        return ParsedTime(value, _SECOND)
    microsecond = int(fraction[:6].ljust(6, "0"))
    return ParsedTime(value.replace(microsecond=microsecond), _FRACTIONS[min(len(fraction), 6)])
