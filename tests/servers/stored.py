"""Messages as a server stored them, and how to get back what was sent.

::

    [stored] = server.mailbox("alice")
    assert (stored.sender, canonical(stored)) == ("bob@example.test", sent)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

TRACE_FIELDS = (
    b"return-path",
    b"delivered-to",
    b"x-original-to",
    b"envelope-to",
    b"delivery-date",
    b"received",
)
_SENDER_FIELDS = (b"return-path",)
_RECIPIENT_FIELDS = (b"x-original-to", b"envelope-to", b"delivered-to")  # the first tells the address before aliases

_FIELD = re.compile(rb"([!-9;-~]+):((?:.*\n)(?:[ \t].*\n)*)")
_LONE_LF = re.compile(rb"(?<!\r)\n")


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """One message. Sender and recipient are those of the envelope; an empty sender is the null path.

    Dovecot names no recipient where LMTP gave it several: then it is the owner of the mailbox.
    """

    raw: bytes
    sender: str
    recipient: str
    path: Path


class Mailboxes(Protocol):
    """The mailboxes of a server, from behind. Their names are as in IMAP, with ``/`` between the levels."""

    def read(self, user: str, mailbox: str) -> list[StoredMessage]: ...
    def write(self, user: str, mailbox: str, messages: Iterable[bytes], flags: Sequence[str]) -> None: ...
    def clear(self) -> None: ...


def stored_message(raw: bytes, owner: str, path: Path) -> StoredMessage:
    fields, _ = _trace(raw)
    return StoredMessage(raw, _address(fields, _SENDER_FIELDS), _address(fields, _RECIPIENT_FIELDS) or owner, path)


def canonical(stored: StoredMessage | bytes) -> bytes:
    """The message as it was sent: without the trace fields in front of it, and with CRLF.

    A message that began with such a field itself does not come back whole.
    """
    raw = stored.raw if isinstance(stored, StoredMessage) else stored
    return _LONE_LF.sub(b"\r\n", raw[_trace(raw)[1] :])


def _trace(raw: bytes) -> tuple[dict[bytes, bytes], int]:
    """The trace fields at the beginning, the uppermost of each name, and where they end."""
    fields: dict[bytes, bytes] = {}
    end = 0
    while (field := _FIELD.match(raw, end)) and field[1].lower() in TRACE_FIELDS:
        fields.setdefault(field[1].lower(), field[2])
        end = field.end()
    return fields, end


def _address(fields: dict[bytes, bytes], names: tuple[bytes, ...]) -> str:
    value = next((fields[name] for name in names if name in fields), b"")
    return value.strip().removeprefix(b"<").removesuffix(b">").decode()
