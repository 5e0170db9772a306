"""What POP3's replies say: status, response codes, capabilities, and which error a refusal stands for."""

from __future__ import annotations

import re
from collections.abc import Iterable

from netclients.errors import (
    AuthenticationError,
    NetClientError,
    PermanentReplyError,
    ProtocolError,
    TooManyConnections,
    TransientReplyError,
    printable,
)
from netclients.pop3.types import Capabilities, Language, Listing, Stat, Status, UniqueID

__all__ = [
    "parse_capabilities",
    "parse_languages",
    "parse_listing",
    "parse_stat",
    "parse_status",
    "parse_unique_id",
    "reply_error",
    "timestamp_of",
]

_STATUS = re.compile(rb"(\+OK|-ERR)(?:[ \t]+(.*))?", re.IGNORECASE | re.DOTALL)
# Response codes are atoms with slashes between them (RFC 2449 section 8).
_CODE = re.compile(r"\[([A-Za-z][!#-&+\--Z^-~]*)\] ?(.*)", re.DOTALL)
_TWO_NUMBERS = re.compile(rb"[ \t]*([0-9]{1,20})[ \t]+([0-9]{1,20})(?:[ \t].*)?", re.DOTALL)
_UNIQUE_ID = re.compile(rb"[ \t]*([0-9]{1,20})[ \t]+(.*[^ \t])[ \t]*", re.DOTALL)
# RFC 822 msg-id and nothing else: what is not one may have been made to find out the password (CVE-2007-1558).
_TIMESTAMP = re.compile(r"<[!-;=?A-~]+@[!-;=?A-~]+>")

_TRANSIENT = ("SYS/TEMP", "IN-USE", "LOGIN-DELAY")
_LOGIN_VERBS = ("USER", "PASS", "APOP", "AUTH")


def parse_status(line: bytes) -> Status:
    """Read a reply's line.

    Raises:
        ProtocolError: it is none.
    """
    found = _STATUS.fullmatch(line)
    if found is None:
        shown = printable(line[:80].decode("utf-8", "replace"))
        raise ProtocolError(f"the server sent {shown!r} where a reply was due")
    ok = line.startswith(b"+")
    text = (found[2] or b"").decode("utf-8", "surrogateescape")
    if text.startswith("[") and (coded := _CODE.fullmatch(text)):
        return Status(ok, coded[2], coded[1].upper())
    return Status(ok, text)


def timestamp_of(greeting: Status) -> str | None:
    """Return what APOP's digest begins with, if the server has sent it (RFC 1939 section 7)."""
    found = _TIMESTAMP.search(greeting.text)
    return None if found is None else found[0]


def parse_capabilities(lines: Iterable[bytes]) -> Capabilities:
    """Read the list of CAPA (RFC 2449 section 5); keywords are taken in any case."""
    keywords: dict[str, tuple[str, ...]] = {}
    for line in lines:
        keyword, *parameters = line.decode("utf-8", "replace").split() or [""]
        if keyword:
            keywords[keyword.upper()] = keywords.get(keyword.upper(), ()) + tuple(parameters)
    return Capabilities(keywords, known=True)


def parse_stat(text: str) -> Stat:
    """Read the reply to STAT."""
    return Stat(*_two_numbers(text.encode("utf-8", "surrogateescape")))


def parse_listing(line: bytes) -> Listing:
    """Read a line of LIST; whatever stands behind the size is allowed there (RFC 1939 section 5)."""
    return Listing(*_two_numbers(line))


def parse_unique_id(line: bytes) -> UniqueID:
    """Read a line of UIDL.

    quirk_long_unique_id: more than 70 characters, or others than RFC 1939 section 7 allows, are taken as they are.
    """
    found = _UNIQUE_ID.fullmatch(line)
    if found is None:
        raise _nonsense(line)
    return UniqueID(int(found[1]), found[2].decode("utf-8", "surrogateescape"))


def parse_languages(lines: Iterable[bytes]) -> list[Language]:
    """Read the list of LANG (RFC 6856 section 3)."""
    words = (line.decode("utf-8", "replace").partition(" ") for line in lines)
    return [Language(tag, name.strip()) for tag, _, name in words if tag]


def _two_numbers(line: bytes) -> tuple[int, int]:
    found = _TWO_NUMBERS.fullmatch(line)
    if found is None:
        raise _nonsense(line)
    return int(found[1]), int(found[2])


def _nonsense(line: bytes) -> ProtocolError:
    return ProtocolError(f"{printable(line[:80].decode('utf-8', 'replace'))!r} tells nothing about a message")


def reply_error(sent: str, reply: Status) -> NetClientError:
    """Return the error that ``reply`` to the command ``sent`` (secrets redacted) stands for (RFC 2449, RFC 3206)."""
    if reply.ok:
        return ProtocolError(f"the server answered {printable(sent)} by {reply}")
    verb, code = sent.split(" ", 1)[0], reply.code
    if code in _TRANSIENT:
        kind: type[TransientReplyError] = TooManyConnections if verb == "greeting" else TransientReplyError
        return kind(sent, None, reply.text, response_code=code)
    if code == "AUTH" or (verb in _LOGIN_VERBS and code is None):
        return AuthenticationError(sent, None, reply.text, response_code=code)
    return PermanentReplyError(sent, None, reply.text, response_code=code)
