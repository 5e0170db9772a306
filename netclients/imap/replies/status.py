"""Status responses and their codes: ``a1 NO [TRYCREATE] no such mailbox`` (RFC 9051 section 7.1, RFC 5530).

Servers write these lines by hand, so anything is taken: a text that is missing, codes that are broken or unknown. A
code whose argument can't be read has the argument's text as its value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from netclients.errors import ProtocolError
from netclients.imap.replies.numbers import expanded, number
from netclients.imap.replies.tokens import Tokens, word
from netclients.imap.types import AppendUID, Code, Condition, CopyUID, Status

__all__ = ["STATUS", "read_status"]

STATUS = re.compile(rb"([!-~]+) +(OK|NO|BAD|BYE|PREAUTH)(?: +(.*)|$)", re.IGNORECASE | re.DOTALL)
"""Tag, condition and the rest of a status response."""

_T = TypeVar("_T")

_CONDITIONS = {condition.value.encode("ascii"): condition for condition in Condition}

# Flags and names in a list may hold a bracket, and so may a string.
_CODE = re.compile(
    rb"""\[([^\]\ "(]++)\ *+
    ((?:"(?:[^"\\]|\\.)*"|\((?:"(?:[^"\\]|\\.)*"|[^()"])*\)|[^\]"(])*)
    \]\ *(.*)""",
    re.VERBOSE | re.DOTALL,
)
_PLAIN_CODE = re.compile(rb"\[([^\]\ ]++)\ *+([^\]]*)\]\ *(.*)", re.VERBOSE | re.DOTALL)


def read_status(found: re.Match[bytes]) -> Status:
    """Return the status response that :data:`STATUS` has matched.

    Raises:
        ProtocolError: the tag's reply is BYE or PREAUTH, which have no tag.
    """
    tag, condition_name, rest = found.groups()
    condition = _CONDITIONS[condition_name.upper()]
    if tag != b"*" and condition in (Condition.BYE, Condition.PREAUTH):
        raise ProtocolError(f"the server sent a tagged {condition.value}")
    code = None
    text = rest or b""
    if text[:1] == b"[":
        code, text = _read_code(text)
    return Status(
        None if tag == b"*" else tag.decode("ascii"), condition, code, text.decode("utf-8", "surrogateescape")
    )


def _read_code(text: bytes) -> tuple[Code | None, bytes]:
    found = _CODE.match(text) or _PLAIN_CODE.match(text)
    if found is None:  # quirk_open_code: no bracket closes it, so that it is text
        return None, text
    name = found[1].decode("utf-8", "surrogateescape").upper()
    argument = found[2].strip(b" ")
    value: object = argument.decode("utf-8", "surrogateescape") or None
    if value is not None and name in _ARGUMENTS:
        with suppress(ProtocolError):  # quirk_broken_argument
            value = _ARGUMENTS[name](Tokens((argument,)))
    return Code(name, value), found[3]


def _one_number(tokens: Tokens) -> int:
    (value,) = _exactly(1, tokens.rest())
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return number(value)


def _words(tokens: Tokens) -> tuple[str, ...]:
    values = tokens.rest()
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    return tuple(word(value) for value in values)


def _capabilities(tokens: Tokens) -> tuple[str, ...]:
    return tuple(name.upper() for name in _words(tokens))


def _one_word(tokens: Tokens) -> str:
    (found,) = _exactly(1, _words(tokens))
    return found


def _append_uid(tokens: Tokens) -> AppendUID:
    validity, uids = _exactly(2, tokens.rest())
    return AppendUID(number(validity), expanded(uids))


def _copy_uid(tokens: Tokens) -> CopyUID:
    validity, source, destination = _exactly(3, tokens.rest())
    found = CopyUID(number(validity), expanded(source), expanded(destination))
    if len(found.source) != len(found.destination):
        raise ProtocolError("the server sent a COPYUID whose sets differ in size")
    return found


def _exactly(count: int, values: Sequence[_T]) -> Sequence[_T]:
    if len(values) != count:
        raise ProtocolError(f"the server sent {len(values)} values where {count} were due")
    return values


_ARGUMENTS: dict[str, Callable[[Tokens], object]] = {
    "APPENDUID": _append_uid,
    "BADCHARSET": _words,
    "BADEVENT": _words,
    "CAPABILITY": _capabilities,
    "COPYUID": _copy_uid,
    "HIGHESTMODSEQ": _one_number,
    "MAILBOXID": _one_word,
    "MODIFIED": lambda tokens: expanded(tokens.value()),
    "PERMANENTFLAGS": _words,
    "UIDNEXT": _one_number,
    "UIDVALIDITY": _one_number,
    "UNSEEN": _one_number,
}
