"""What a maildrop holds in one session, and how a message is found in it: numbers by unique-ids.

Numbers hold for one session only, unique-ids across sessions. A server without UIDL leaves nothing but numbers, whose
text stands for the unique-id then; one that gives the same unique-id twice leaves open which message is meant.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netclients.errors import ConfigurationError, PermanentReplyError, ProtocolError, UnsupportedError, printable
from netclients.mail.reading import UID, MessageInfo
from netclients.pop3.types import Changes

if TYPE_CHECKING:
    from netclients.pop3.connection import POP3Connection

__all__ = ["Contents", "Entry", "changes_since", "gone", "read_contents"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One message in one session."""

    number: int
    uid: UID
    size: int

    def info(self) -> MessageInfo:
        """Return it as callers see it."""
        return MessageInfo({"UID": self.uid, "RFC822.SIZE": self.size})


class Contents:
    """All messages of one session. ``lasting``: their unique-ids hold beyond it."""

    def __init__(self, entries: Iterable[Entry], *, lasting: bool) -> None:
        self.entries: dict[int, Entry] = {entry.number: entry for entry in entries}
        self.lasting: bool = lasting
        self._by_uid: dict[str, list[Entry]] = {}
        for entry in self.entries.values():
            self._by_uid.setdefault(entry.uid, []).append(entry)

    def find(self, uid: str, which: int = 0) -> Entry | None:
        """Return the message; if several have this unique-id, the one at place ``which`` among them."""
        found = self._by_uid.get(uid, [])
        return found[which] if which < len(found) else None

    def place(self, entry: Entry) -> int:
        """Return how many messages before this one have the same unique-id."""
        return self._by_uid[entry.uid].index(entry)

    def only(self, uid: str) -> Entry | None:
        """Return the message, if that can be told.

        Raises:
            UnsupportedError: several have this unique-id.
        """
        found = self._by_uid.get(uid, [])
        if len(found) > 1:
            raise UnsupportedError(
                f"the server calls {len(found)} messages {printable(uid)}: nobody can tell which of them is meant"
            )
        return found[0] if found else None


async def read_contents(connection: POP3Connection) -> Contents:
    """LIST and UIDL, in one round trip if the server allows.

    Raises:
        ProtocolError: they name different messages.
    """
    listing, uids = await connection.contents()
    if uids is None:
        return Contents((Entry(one.number, UID(str(one.number)), one.size) for one in listing), lasting=False)
    names = {one.number: one.uid for one in uids}
    if len(names) != len(uids) or names.keys() != {one.number for one in listing} or len(names) != len(listing):
        raise ProtocolError("the server names other messages in UIDL than in LIST")
    return Contents((Entry(one.number, UID(names[one.number]), one.size) for one in listing), lasting=True)


def changes_since(state: str | None, contents: Contents) -> Changes:
    """Compare with what ``state`` remembers; None remembers nothing.

    Raises:
        ConfigurationError: it is no such state.
    """
    before = Counter(() if state is None else _remembered(state))
    added = []
    for entry in contents.entries.values():
        if before[entry.uid] > 0:
            before[entry.uid] -= 1
        else:
            added.append(entry.info())
    vanished = tuple(UID(uid) for uid in before.elements())
    told = json.dumps({"pop3": 1, "uids": [entry.uid for entry in contents.entries.values()]})
    return Changes(tuple(added), (), vanished, told)


def _remembered(state: str) -> list[str]:
    try:
        found = json.loads(state)
    except (ValueError, TypeError, RecursionError):
        found = None
    if not isinstance(found, dict) or found.get("pop3") != 1 or not isinstance(uids := found.get("uids"), list):
        raise ConfigurationError("that is no state of a maildrop")
    if not all(isinstance(uid, str) for uid in uids):
        raise ConfigurationError("that is no state of a maildrop")
    return uids


def gone(uid: str) -> PermanentReplyError:
    """Return the error of a message that is not there."""
    return PermanentReplyError(f"message {uid}", None, "it does not exist")
