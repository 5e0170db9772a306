"""Arguments of commands: each kind has one function here that checks it and turns it into bytes.

No argument leaves without passing :func:`checked`: CR, LF and NUL would let it end its command and begin
another one.
"""

from __future__ import annotations

import re

from netclients.errors import ConfigurationError, printable
from netclients.numbers import whole_number

__all__ = ["checked", "domain", "esmtp_parameter", "mailbox", "number", "text", "token", "xtext"]

_FORBIDDEN = re.compile(rb"[\r\n\0]")

# RFC 5321 section 4.1.2, RFC 6531 section 3.3. Dots may stand anywhere in a local part: some are in use.
_ATEXT = r"[^\x00-\x20\x7f()<>\[\]:;@\\,\"]"
_QUOTED = r'"(?:[^\x00-\x1f\x7f"\\]|\\[\x20-\x7e])*"'
# What a label may not have is listed: a range up to U+10FFFF takes 17 ms to compile.
_LABEL = r"[^\x00-/:-@\[-^`{-\x7f](?:[^\x00-,./:-@\[-^`{-\x7f]*[^\x00-/:-@\[-^`{-\x7f])?"
_DOMAIN = rf"{_LABEL}(?:\.{_LABEL})*\.?"
_LITERAL = r"\[[!-Z^-~]+\]"
_MAILBOX = re.compile(rf"(?:{_ATEXT}+|{_QUOTED})(?:@(?:{_DOMAIN}|{_LITERAL}))?")
_HOST = re.compile(rf"{_DOMAIN}|{_LITERAL}")
_PARAMETER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(?:=[!-<>-~]+)?")
_LONGEST_MAILBOX = 900  # bytes; RFC 5321 section 4.5.3.1 knows 320, servers more


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


def number(value: int, name: str = "number") -> bytes:
    """Encode a count or an offset; ``name`` is what the caller knows it by.

    Raises:
        ConfigurationError: it is no whole number, or negative.
    """
    return b"%d" % whole_number(name, value, 0)


def mailbox(value: str) -> bytes:
    """Encode an address of the envelope, without angle brackets (RFC 5321 Mailbox, RFC 6531 with other characters).

    A local part alone is an address too: servers know their own users.

    Raises:
        ConfigurationError: it is no such address.
    """
    _must_be_text(value, "an address")
    encoded = text(value) if value.isprintable() else b""
    if not encoded or len(encoded) > _LONGEST_MAILBOX or not _MAILBOX.fullmatch(value):
        raise ConfigurationError(f"{printable(value)!r} is not a mail address")
    return encoded


def domain(value: str) -> bytes:
    """Encode the name of a host, or an address literal such as ``[127.0.0.1]``.

    Raises:
        ConfigurationError: it is neither, or not in ASCII.
    """
    _must_be_text(value, "the name of a host")
    if not value.isascii() or not _HOST.fullmatch(value):
        raise ConfigurationError(f"{printable(value)!r} is not the name of a host")
    return value.encode("ascii")


def esmtp_parameter(value: str) -> bytes:
    """Encode one parameter of MAIL or RCPT, ``KEYWORD`` or ``KEYWORD=value`` (RFC 5321 section 4.1.2).

    Raises:
        ConfigurationError: it is none.
    """
    _must_be_text(value, "an ESMTP parameter")
    if not _PARAMETER.fullmatch(value):
        raise ConfigurationError(f"{printable(value)!r} is not an ESMTP parameter")
    return value.encode("ascii")


def xtext(value: str) -> str:
    """Return ``value`` as xtext (RFC 3461 section 4): ``+``, ``=`` and what is not printable ASCII as ``+XX``.

    Raises:
        ConfigurationError: it is not ASCII.
    """
    _must_be_text(value, "what is written as xtext")
    if not value.isascii():
        raise ConfigurationError(f"{printable(value)!r} can't be written as xtext: it is not ASCII")
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in value)


def _must_be_text(value: object, what: str) -> None:
    if not isinstance(value, str):
        raise ConfigurationError(f"{what} is text, not {type(value).__name__}")
