"""Arguments of NNTP's commands: each kind is checked and encoded here (RFC 3977 section 9.8)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime

from netclients.errors import ConfigurationError, printable
from netclients.wire import arguments
from netclients.wire.arguments import number

__all__ = ["Which", "article_range", "field", "group", "message_id", "moment", "number", "token", "which", "wildmat"]

Which = str | int | None
"""An article: by message-id, by number in the current group, or the current one."""

# Up to 250 bytes (RFC 3977 section 3.6); what is longer is refused by no server that has it.
_MESSAGE_ID = re.compile(r"<[!-=?-~]+>")
_GROUP = re.compile(r"[^\x00-\x20\x7f*?,\[\]\\!]+")
_WILDMAT = re.compile(r"[^\x00-\x20\x7f]+")
_FIELD = re.compile(r":?[!-9;-~]+")

token: Callable[[str], bytes] = arguments.token


def _matching(pattern: re.Pattern[str], value: object, what: str) -> bytes:
    if not isinstance(value, str):
        raise ConfigurationError(f"{what} is text, not {type(value).__name__}")
    if not value.isprintable() or not pattern.fullmatch(value):
        raise ConfigurationError(f"{printable(value)!r} is not {what}")
    return arguments.text(value)


def message_id(value: str) -> bytes:
    """Encode a message-id, with its angle brackets.

    Raises:
        ConfigurationError: it is none.
    """
    return _matching(_MESSAGE_ID, value, "a message-id")


def group(value: str) -> bytes:
    """Encode the name of a group.

    Raises:
        ConfigurationError: it is none.
    """
    return _matching(_GROUP, value, "the name of a group")


def wildmat(value: str) -> bytes:
    """Encode a pattern, or several with commas between them (RFC 3977 section 4).

    Raises:
        ConfigurationError: it is none.
    """
    return _matching(_WILDMAT, value, "a wildmat")


def field(value: str) -> bytes:
    """Encode the name of a header field, without colon, or of metadata, with a colon in front.

    Raises:
        ConfigurationError: it is none.
    """
    return _matching(_FIELD, value, "the name of a field")


def which(value: Which) -> bytes:
    """Encode what names an article; empty for the current one.

    Raises:
        ConfigurationError: it names none.
    """
    if value is None:
        return b""
    return message_id(value) if isinstance(value, str) else number(value)


def article_range(first: int, last: int | None) -> bytes:
    """Encode the numbers from ``first`` to ``last``; None: to the end.

    Raises:
        ConfigurationError: they are no numbers.
    """
    return b"%s-%s" % (number(first, "first"), b"" if last is None else number(last, "last"))


def moment(value: object) -> bytes:
    """Encode a point in time as date and time in GMT.

    Raises:
        ConfigurationError: it has no time zone.
    """
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ConfigurationError("a time needs a time zone: datetime(..., tzinfo=UTC)")
    utc = value.astimezone(UTC)
    return f"{utc.year:04}{utc:%m%d %H%M%S} GMT".encode("ascii")
