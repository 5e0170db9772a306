"""Arguments of commands: each kind has one function here that checks it and turns it into bytes.

No argument leaves without passing :func:`checked`: CR, LF and NUL would let it end its command and begin
another one.
"""

from __future__ import annotations

import re

from netclients.errors import ConfigurationError, printable

__all__ = ["checked", "number", "text", "token"]

_FORBIDDEN = re.compile(rb"[\r\n\0]")


def checked(value: bytes) -> bytes:
    """Return ``value`` if it can't break out of its line.

    Raises:
        ConfigurationError: it has CR, LF or NUL.
    """
    if _FORBIDDEN.search(value):
        shown = printable(value[:80].decode("utf-8", "replace"))
        raise ConfigurationError(f"an argument must not contain CR, LF or NUL: {shown!r}")
    return value


def text(value: str, encoding: str = "utf-8") -> bytes:
    """Encode anything that may stand up to the end of the line: a path, a password, free text.

    Surrogates that stand for undecodable bytes of a listing become those bytes again.

    Raises:
        ConfigurationError: CR, LF or NUL, or characters that ``encoding`` does not have.
    """
    try:
        return checked(value.encode(encoding, "surrogateescape"))
    except UnicodeEncodeError:
        raise ConfigurationError(f"{printable(value)!r} can't be written in {encoding}") from None


def token(value: str) -> bytes:
    """Encode one word of printable ASCII: a verb, the name of an option.

    Raises:
        ConfigurationError: it is empty, has a space, or anything but printable ASCII.
    """
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigurationError(f"{printable(value)!r} is not one word of printable ASCII")
    return value.encode("ascii")


def number(value: int) -> bytes:
    """Encode a count or an offset.

    Raises:
        ConfigurationError: it is negative.
    """
    if value < 0:
        raise ConfigurationError(f"{value} must not be negative")
    return b"%d" % value
