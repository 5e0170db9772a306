"""Which error a refusal stands for (RFC 9051 section 7.1, RFC 5530)."""

from __future__ import annotations

import re

from netclients.errors import (
    AuthenticationError,
    ConnectionLost,
    NetClientError,
    PermanentReplyError,
    ProtocolError,
    TooManyConnections,
    TransientReplyError,
    UnsupportedError,
    printable,
)
from netclients.imap.types import Condition, Status

__all__ = ["reply_error"]

_TEMPORARY = frozenset({"UNAVAILABLE", "INUSE", "LIMIT"})
_CREDENTIALS = ("LOGIN", "AUTHENTICATE")
_OPENING = ("greeting", "STARTTLS", *_CREDENTIALS)
# Dovecot, Cyrus, Courier, Exchange: they say so in words.
_CROWDED = re.compile(
    r"too many (?:\w+ )*?(?:connections|sessions|users|logins? at)|maximum number of (?:\w+ )*?connections"
    r"|connection limit|too many connections",
    re.IGNORECASE,
)
_BLAMES_CREDENTIALS = frozenset({"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED"})
_UNKNOWN = re.compile(
    r"unknown command|unrecognized command|not implemented|not supported|unsupported|invalid command", re.IGNORECASE
)


def reply_error(sent: str, status: Status) -> NetClientError:
    """Return the error that ``status`` to the command ``sent`` (secrets redacted) stands for."""
    verb = sent.split(" ", 1)[0]
    name = status.code.name if status.code is not None else None
    opening = verb in _OPENING
    if opening and name not in _BLAMES_CREDENTIALS and (name == "LIMIT" or _CROWDED.search(status.text)):
        return TooManyConnections(sent, None, status.text, response_code=name)
    if status.condition is Condition.BYE:
        return ConnectionLost(f"the server closed the session: {status}")
    if status.condition not in (Condition.NO, Condition.BAD):
        return ProtocolError(f"the server answered {printable(sent)} by {status}")
    if name in _TEMPORARY:
        return TransientReplyError(sent, None, status.text, response_code=name)
    if verb in _CREDENTIALS and status.condition is Condition.NO:
        return AuthenticationError(sent, None, status.text, response_code=name)
    if name == "UNKNOWN-CTE" or (status.condition is Condition.BAD and _UNKNOWN.search(status.text)):
        return UnsupportedError(f"the server does not know {printable(sent)}: {status}")
    return PermanentReplyError(sent, None, status.text, response_code=name)
