"""What the embedded IMAP server knows: its rules, what it has counted, and one connection's state."""

from __future__ import annotations

import asyncio
import ssl
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from ._imap_store import Account, Mailbox, Stored
from ._imap_syntax import NumberSet, number_ranges
from ._mail_session import Counters as MailCounters
from ._mail_session import CutError, MailSession
from .smtp_faults import MailFaultScript


@dataclass(frozen=True, slots=True)
class IMAPCommand:
    """A command as the server has received it."""

    connection: int
    """Number of the connection, beginning with 1."""
    tag: str
    name: str
    """In capitals; ``"UID FETCH"`` for those with UIDs."""
    text: str
    """Name and arguments: literals as ``{size}``, secrets as ``***``."""


@dataclass(slots=True, eq=False)
class Rules:
    """How the server behaves; see :class:`~netclients.testing.IMAPServer`."""

    implicit: bool = False
    context: ssl.SSLContext | None = None
    certificate: str | None = None
    users: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)
    mechanisms: tuple[str, ...] = ()
    login_in_clear: bool = True
    preauth: str | None = None
    rev2: bool = False
    append_limit: int | None = None
    quota: int | None = None
    max_connections: int | None = None
    without: Collection[str] = ()
    faults: MailFaultScript = field(default_factory=MailFaultScript)


class Counters(MailCounters):
    """What a server has done so far."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[IMAPCommand] = []


class Selected:
    """A session's view of a mailbox: its sequence numbers, and what the client has not been told yet."""

    def __init__(self, name: str, mailbox: Mailbox, read_only: bool, wake: Callable[[], object]) -> None:
        self.name = name
        self.mailbox = mailbox
        self.read_only = read_only
        self.view: list[Stored] = list(mailbox.messages)
        """In the order of sequence numbers, as the client knows them."""
        self.recent: set[Stored] = {message for message in self.view if message.recent}
        self.saved: list[int] = []
        """UIDs of the last SEARCH that was to be saved (RFC 5182)."""
        self._new: list[Stored] = []
        self._changed: set[Stored] = set()
        self._gone = 0
        self._wake = wake
        self.dead = False
        if not read_only:
            for message in self.recent:
                message.recent = False
        mailbox.watchers.add(self)

    def close(self) -> None:
        """Watch no longer."""
        self.mailbox.watchers.discard(self)

    # What happens

    def added(self, message: Stored) -> None:
        """A message has come."""
        self._new.append(message)
        self._wake()

    def flagged(self, message: Stored) -> None:
        """Its flags have changed."""
        self._changed.add(message)
        self._wake()

    def expunged(self, message: Stored) -> None:
        """It is gone."""
        self._gone += 1
        self._changed.discard(message)
        self._wake()

    def gone(self) -> None:
        """The mailbox is not what it was."""
        self.dead = True
        self._wake()

    @property
    def owes_expunges(self) -> bool:
        """Whether messages are gone that the client still counts."""
        return self._gone > 0

    # Numbers

    def number_of(self, message: Stored) -> int | None:
        """Return a message's sequence number, None if the client has not heard of it."""
        index = bisect_left(self.view, message.uid, key=_uid)
        if index < len(self.view) and self.view[index] is message:
            return index + 1
        return None

    def numbered(self, numbers: NumberSet, *, uid: bool) -> list[tuple[int, Stored]]:
        """Return the messages of a set with their sequence numbers, each once, in order."""
        if numbers.saved:
            wanted = set(self.saved)
            return [pair for pair in enumerate(self.view, 1) if pair[1].uid in wanted]
        spans = sorted(self._span(low, high, uid) for low, high in numbers.ranges)
        found: list[tuple[int, Stored]] = []
        done = 0
        for low, high in spans:
            low = max(low, done)
            if low < high:
                found.extend(enumerate(self.view[low:high], low + 1))
                done = high
        return found

    def _span(self, low: int, high: int, uid: bool) -> tuple[int, int]:
        """Return a range of numbers as indexes of the view."""
        last = len(self.view)
        if uid:
            last = self.view[-1].uid if self.view else 0
        low, high = sorted((low or last, high or last))
        if not uid:
            return low - 1, min(high, last)
        return bisect_left(self.view, low, key=_uid), bisect_left(self.view, high + 1, key=_uid)

    def reaches_beyond(self, numbers: NumberSet) -> bool:
        """Whether a set of sequence numbers names one that does not exist."""
        last = len(self.view)
        return any(max(low, high) > last or not last for low, high in numbers.ranges)

    # News

    def take_expunges(self) -> list[tuple[int, Stored]]:
        """Return what is gone, each with its number at that time, and forget it."""
        if not self._gone:
            return []
        self._gone = 0
        kept: list[Stored] = []
        found: list[tuple[int, Stored]] = []
        for message in self.view:
            if message.expunged:
                found.append((len(kept) + 1, message))
                self.recent.discard(message)
            else:
                kept.append(message)
        self.view = kept
        self._new = [message for message in self._new if not message.expunged]
        return found

    def take_new(self) -> bool:
        """Let the view grow by what has come, and say whether it has."""
        new, self._new = self._new, []
        for message in new:
            if message.expunged:
                continue
            self.view.append(message)
            if message.recent:
                self.recent.add(message)
                if not self.read_only:
                    message.recent = False
        return bool(new)

    def take_changed(self) -> list[tuple[int, Stored]]:
        """Return messages whose flags have changed, with their numbers, and forget that."""
        numbered = ((self.number_of(message), message) for message in self._changed if not message.expunged)
        known = [(number, message) for number, message in numbered if number is not None]
        self._changed.clear()
        return sorted(known, key=lambda pair: pair[0])

    def told(self, message: Stored) -> None:
        """The client has just been told a message's flags."""
        self._changed.discard(message)


def _uid(message: Stored) -> int:
    return message.uid


@dataclass(slots=True, eq=False)
class Session(MailSession):
    """One connection."""

    user: str | None = None
    account: Account | None = None
    selected: Selected | None = None
    enabled: set[str] = field(default_factory=set)
    """CONDSTORE, QRESYNC, UTF8=ACCEPT."""
    tag: str = "*"
    """Of the command that is being executed."""
    idling: bool = False
    compressed: bool = False
    pushing: asyncio.Task[None] | None = None
    ambiguous: str = ""
    """A command among those sent in one go during which EXPUNGE may be told."""
    hazard: str = ""
    """Such a command, if the one that is executed was sent before its reply."""
    wrong_tag: str | None = None
    late: list[str] = field(default_factory=list)
    """What faults want to be said before the tagged reply."""
    cutting: Callable[[bytes], tuple[bytes, CutError] | None] | None = None
    """Says what is left of a reply, and how the connection ends there, if it does."""
    queued: int = 0
    """Bytes in the outbox."""

    def send(self, data: bytes) -> None:
        """Queue a whole reply, without the CRLF at its end."""
        data += b"\r\n"
        if self.cutting is not None and (cut := self.cutting(data)) is not None:
            self.outbox.append(cut[0])
            raise cut[1]
        self.outbox.append(data)
        self.queued += len(data)

    def untagged(self, text: str) -> None:
        """Queue an untagged reply."""
        self.send(b"* " + text.encode("utf-8", "surrogateescape"))

    def tagged(self, status: str, text: str, code: str = "") -> None:
        """Queue the reply that ends a command."""
        late, self.late = self.late, []
        for line in late:
            self.send(line.encode("utf-8", "surrogateescape"))
        tag, self.wrong_tag = self.wrong_tag or self.tag, None
        bracket = f"[{code}] " if code else ""
        self.send(f"{tag} {status} {bracket}{text}".encode("utf-8", "surrogateescape"))

    def ok(self, text: str, code: str = "") -> None:
        """Queue a tagged OK."""
        self.tagged("OK", text, code)

    def no(self, text: str, code: str = "") -> None:
        """Queue a tagged NO."""
        self.tagged("NO", text, code)

    async def relieve(self) -> None:
        """Send what was queued if it is much."""
        if self.queued > 256 * 1024:
            await self.flush()

    async def flush(self) -> None:
        """Send what was queued, in one piece."""
        self.queued = 0
        await MailSession.flush(self)

    # News of the mailbox

    def tell_news(self, *, expunges: bool) -> None:
        """Queue what has happened in the selected mailbox; expunges only where that is legal."""
        selected = self.selected
        if selected is None:
            return
        if selected.dead:
            self.untagged("BYE [UNAVAILABLE] The mailbox has changed under you.")
            raise CutError
        if expunges and (gone := selected.take_expunges()):
            if "QRESYNC" in self.enabled:
                self.untagged(f"VANISHED {number_ranges(message.uid for _, message in gone)}")
            else:
                for number, _ in gone:
                    self.untagged(f"{number} EXPUNGE")
        if selected.take_new():
            self.untagged(f"{len(selected.view)} EXISTS")
            if "IMAP4REV2" not in self.enabled:
                self.untagged(f"{len(selected.recent)} RECENT")
        for number, message in selected.take_changed():
            self.send(self.flags_of(number, message))

    def flags_of(self, number: int, message: Stored, *, uid: bool = False) -> bytes:
        """Return the FETCH that tells a message's flags."""
        items = f"FLAGS ({self.flag_list(message)})"
        if uid or "QRESYNC" in self.enabled:
            items = f"UID {message.uid} {items}"
        if "CONDSTORE" in self.enabled:
            items += f" MODSEQ ({message.modseq})"
        return f"* {number} FETCH ({items})".encode()

    def flag_list(self, message: Stored) -> str:
        r"""Return a message's flags as this session sees them: \Recent is its own."""
        flags = " ".join(sorted(message.flags))
        if self.selected is not None and message in self.selected.recent and "IMAP4REV2" not in self.enabled:
            return f"{flags} \\Recent" if flags else "\\Recent"
        return flags
