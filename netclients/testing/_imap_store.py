"""The mailboxes of the embedded IMAP server, in memory: messages, flags, UIDs, mod-sequences, and who watches.

A mailbox tells its watchers (one for each session that has it selected) of each change at once; when a session may
tell its client is decided there.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

_validities = itertools.count(1_700_000_000)

ALWAYS_FLAGS = ("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft")


@dataclass(slots=True, eq=False)
class Stored:
    """One message in one mailbox."""

    uid: int
    raw: bytes
    flags: frozenset[str]
    date: dt.datetime
    modseq: int
    email_id: str
    recent: bool = True
    """No session has been told of it as its first."""
    expunged: bool = False
    parsed: object = None
    """What reading it has brought to light; kept here by those who read."""


class Watcher(Protocol):
    """A session that has a mailbox selected."""

    def added(self, message: Stored) -> None:
        """A message has come."""

    def flagged(self, message: Stored) -> None:
        """Its flags have changed."""

    def expunged(self, message: Stored) -> None:
        """It is gone."""

    def gone(self) -> None:
        """The mailbox does not exist any more, or its UIDs mean nothing any more."""


class Mailbox:
    """Messages in the order of their UIDs, which rise."""

    def __init__(self, number: int, special_use: str | None = None) -> None:
        self.mailbox_id = f"F{number:x}"
        self.special_use = special_use
        self.uid_validity = next(_validities)
        self.uid_next = 1
        self.highest_modseq = 1
        self.messages: list[Stored] = []
        self.vanished: list[tuple[int, int]] = []
        """Mod-sequence and UID of each message that is gone (RFC 7162)."""
        self.watchers: set[Watcher] = set()
        self.keywords: dict[str, None] = {}

    # Looking

    def by_uid(self, uid: int) -> Stored | None:
        """Return a message."""
        index = bisect_left(self.messages, uid, key=_uid)
        if index < len(self.messages) and self.messages[index].uid == uid:
            return self.messages[index]
        return None

    @property
    def size(self) -> int:
        """Sum of the messages' sizes."""
        return sum(len(message.raw) for message in self.messages)

    @property
    def unseen(self) -> int:
        """How many are not \\Seen."""
        return sum("\\Seen" not in message.flags for message in self.messages)

    @property
    def deleted(self) -> list[Stored]:
        """Those that are \\Deleted."""
        return [message for message in self.messages if "\\Deleted" in message.flags]

    # Changing

    def add(self, raw: bytes, flags: Iterable[str] = (), date: dt.datetime | None = None) -> Stored:
        """Add a message at the end."""
        message = Stored(
            uid=self.uid_next,
            raw=raw,
            flags=frozenset(flags),
            date=date or dt.datetime.now(dt.UTC),
            modseq=self.touch(),
            email_id="M" + hashlib.sha256(raw).hexdigest()[:24],
        )
        self.uid_next += 1
        self.messages.append(message)
        self._learn(message.flags)
        for watcher in tuple(self.watchers):
            watcher.added(message)
        return message

    def set_flags(self, message: Stored, flags: Iterable[str], by: Watcher | None = None) -> bool:
        """Replace its flags, and say whether that has changed anything. All but `by` are told."""
        new = frozenset(flags)
        if new == message.flags:
            return False
        message.flags, message.modseq = new, self.touch()
        self._learn(new)
        for watcher in tuple(self.watchers):
            if watcher is not by:
                watcher.flagged(message)
        return True

    def expunge(self, messages: Collection[Stored]) -> None:
        """Remove messages for good."""
        leaving = [message for message in messages if not message.expunged]
        if not leaving:
            return
        modseq = self.touch()
        for message in leaving:
            message.expunged = True
            self.vanished.append((modseq, message.uid))
        self.messages = [message for message in self.messages if not message.expunged]
        for watcher in tuple(self.watchers):
            for message in leaving:
                watcher.expunged(message)

    def touch(self) -> int:
        """Return the next mod-sequence."""
        self.highest_modseq += 1
        return self.highest_modseq

    def _learn(self, flags: Iterable[str]) -> None:
        for flag in flags:
            if not flag.startswith("\\"):
                self.keywords.setdefault(flag)

    def reset_uid_validity(self) -> None:
        """Give all messages new UIDs, from 1, under a new UIDVALIDITY; whoever has it selected is cut off."""
        self.uid_validity = next(_validities)
        for uid, message in enumerate(self.messages, 1):
            message.uid, message.modseq = uid, 1
        self.uid_next, self.highest_modseq = len(self.messages) + 1, 1
        self.vanished.clear()
        for watcher in tuple(self.watchers):
            watcher.gone()


def _uid(message: Stored) -> int:
    return message.uid


class Account:
    """The mailboxes of one user; names are text, ``/`` parts them."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self.mailboxes: dict[str, Mailbox] = {"INBOX": Mailbox(next(self._numbers))}
        self.subscriptions: set[str] = {"INBOX"}

    @property
    def size(self) -> int:
        """Sum of all messages' sizes."""
        return sum(mailbox.size for mailbox in self.mailboxes.values())

    def create(self, name: str, special_use: str | None = None) -> Mailbox:
        """Make a mailbox, and those above it. Raises KeyError if it exists."""
        if name in self.mailboxes:
            raise KeyError(name)
        parts = name.split("/")
        for depth in range(1, len(parts)):
            above = "/".join(parts[:depth])
            if above not in self.mailboxes:
                self.mailboxes[above] = Mailbox(next(self._numbers))
        mailbox = self.mailboxes[name] = Mailbox(next(self._numbers), special_use)
        return mailbox

    def delete(self, name: str) -> None:
        """Remove a mailbox. Raises KeyError."""
        mailbox = self.mailboxes.pop(name)
        for watcher in tuple(mailbox.watchers):
            watcher.gone()

    def rename(self, old: str, new: str) -> None:
        """Rename a mailbox and those below it. Raises KeyError if one does not exist, or one does."""
        mailbox = self.mailboxes[old]
        if new in self.mailboxes or new.startswith(f"{old}/"):
            raise KeyError(new)
        if old == "INBOX":  # RFC 3501 section 6.3.5: its messages move, it stays
            target = self.create(new)
            for message in mailbox.messages:
                target.add(message.raw, message.flags, message.date)
            mailbox.expunge(tuple(mailbox.messages))
            return
        self.create(new)
        moved = {f"{new}{name[len(old) :]}": name for name in self.mailboxes if name.startswith(f"{old}/")}
        moved[new] = old
        for name, former in moved.items():
            self.mailboxes[name] = self.mailboxes.pop(former)

    def children(self, name: str) -> Iterator[str]:
        """Return the names below."""
        return (other for other in self.mailboxes if other.startswith(f"{name}/"))
