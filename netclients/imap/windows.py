"""Messages fetched in windows: as many at a time as may be held, the next window asked for before it is needed.

Each window has been read to its end before its first message is yielded, so that other commands may be given in the
middle of a loop. A window that a lost connection has taken is fetched again: nobody has seen anything of it. One that
the server refuses is fetched message by message: a single one that it can't read would take the others with it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netclients.errors import (
    AuthenticationError,
    NetClientError,
    NotFetched,
    PermanentReplyError,
    ProtocolError,
    TransientReplyError,
)
from netclients.imap import arguments
from netclients.imap.connection.searching import MOST_FOUND
from netclients.imap.parts import read_on, too_large
from netclients.imap.types import UID, Condition, Fetched, SequenceNumber
from netclients.streams import Producer

if TYPE_CHECKING:
    from netclients.imap.arguments import NumberSet
    from netclients.imap.connection import FetchItems, IMAPConnection, Pending
    from netclients.imap.mailbox import Mailbox
    from netclients.mail.reading import MessageInfo

__all__ = ["FetchProducer", "names_nothing"]

_SMALL_WINDOW = 1000  # messages of which only flags and numbers are asked for
_LARGE_WINDOW = 200  # messages of which structures are asked for
_BODY_WINDOW = 64  # messages of which bodies are asked for
_FIRST_PIECE = 256 * 1024  # bytes of a body that are asked for at once; few messages have more
_FEW = 200  # UIDs that were named one by one: asking which of them exist is not worth it
_LONGEST = 7_000  # bytes of a set: servers read lines of 8,192 (RFC 7162 section 4)
_LONGEST_RANGE = 22  # with a comma
_OPEN = re.compile(rb"[:*$]")  # what stands for messages that only the server knows


@dataclass(slots=True)
class _Window:
    """One command: the set that it names, and its answer on the way; ``on``: over which connection.

    ``refused``: the server would have none of it.
    """

    uids: bytes
    answer: Pending[list[Fetched]] | None = None
    on: IMAPConnection | None = None
    refused: bool = False


class FetchProducer(Producer["MessageInfo"]):
    """Yields messages of ``uids`` in the order in which the server has them."""

    def __init__(self, box: Mailbox, uids: NumberSet, items: FetchItems, changed_since: int | None) -> None:
        self._box = box
        self._asked = uids
        self._items: FetchItems = dict(items)  # type: ignore[assignment] # a copy of a TypedDict is one
        self._changed_since = changed_since
        self._bodies = self._items.get("body") is True
        if self._bodies:
            # Bounded by itself: what is longer is completed when it is its turn.
            self._items["body"] = False
            self._items["size"] = True
            self._items["extra"] = (*self._items.get("extra", ()), f"BODY[]<0.{_FIRST_PIECE}>")
        arguments.fetch_items(**self._items)  # errors of the caller's belong to the caller
        self._encoded = b"" if names_nothing(uids) else arguments.uid_set(uids)
        self._marks_only = {name for name, wanted in self._items.items() if wanted} <= {"uid", "flags", "modseq"}
        self._left: deque[bytes] | None = None if self._encoded else deque()
        self._ahead: _Window | None = None
        self._ready: deque[Fetched] = deque()

    @property
    def _size(self) -> int:
        items = self._items
        if self._bodies or items.get("body") or items.get("headers") or items.get("extra"):
            return _BODY_WINDOW
        return _LARGE_WINDOW if items.get("structure") or items.get("envelope") else _SMALL_WINDOW

    async def next(self) -> MessageInfo:
        """See :meth:`~netclients.streams.Producer.next`."""
        while not self._ready:
            if self._left is None:
                self._left = deque(await _windows_of(self._box, self._asked, self._encoded, self._size))
            window = self._ahead or self._next_window()
            self._ahead = None
            if window is None:
                raise StopAsyncIteration
            self._ready.extend(await self._fetched(window))
        message = self._ready.popleft()
        if self._bodies and not message.take_piece(_FIRST_PIECE, self._box.read_limit):
            await self._complete(message)
        return message

    def _next_window(self) -> _Window | None:
        return _Window(self._left.popleft()) if self._left else None

    async def _fetched(self, window: _Window) -> Sequence[Fetched]:
        async def fetch(connection: IMAPConnection) -> list[Fetched]:
            if window.on is not connection:
                self._submit(window, connection)
            if self._ahead is None and (following := self._next_window()) is not None:
                self._ahead = following
                self._submit(following, connection)
                await connection.flush()  # though this window's answer may be there already
            assert window.answer is not None
            try:
                return await window.answer
            except NetClientError as error:
                window.on = None  # the next attempt asks again
                window.refused = _refused(window.answer, error)
                raise

        try:
            found = await self._box.run("fetch", fetch)
        except NetClientError:
            if not window.refused:
                raise
            found = await self._one_by_one(window.uids)
        return _last_words(found) if self._marks_only else found

    async def _one_by_one(self, uids: bytes) -> list[Fetched]:
        """Fetch the messages of a window that was refused; those that are refused alone, too, come with an error."""
        left = deque(await _spelled_out(self._box, uids))
        found: list[Fetched] = []

        async def fetch(connection: IMAPConnection) -> None:
            answers = [self._ask(b"%d" % uid, connection) for uid in left]
            for answer in answers:
                try:
                    found.extend(await answer)
                except NetClientError as error:
                    if not _refused(answer, error):
                        raise
                    found.append(Fetched(SequenceNumber(0), {"UID": UID(str(left[0]))}, error))
                left.popleft()

        await self._box.run("fetch", fetch)
        return found

    def _submit(self, window: _Window, connection: IMAPConnection) -> None:
        window.answer = self._ask(window.uids, connection)
        window.on = connection

    def _ask(self, uids: bytes, connection: IMAPConnection) -> Pending[list[Fetched]]:
        largest = _FIRST_PIECE if self._bodies else None
        return connection.uid_fetch_encoded(uids, self._items, self._changed_since, largest)

    async def _complete(self, message: Fetched) -> None:
        """Make the first piece of a body the whole of it. What is wrong with one message is its own affair."""
        if message.error is not None:
            return
        limit = self._box.read_limit
        try:
            body = message.section("<0>")
            if len(body) > limit or ("RFC822.SIZE" in message and message.size > limit):
                raise too_large(message.uid, limit)
            if len(body) == _FIRST_PIECE:
                body = await read_on(self._box, message.uid, body)
        except AuthenticationError:
            raise
        except (ProtocolError, NotFetched, PermanentReplyError) as error:
            message.error = error
            return
        message.complete(body)

    async def aclose(self) -> None:
        """See :meth:`~netclients.streams.Producer.aclose`."""
        self.abort()

    def abort(self) -> None:
        """See :meth:`~netclients.streams.Producer.abort`. Whoever comes next reads the answer that is on its way."""
        self._ready.clear()
        self._left = deque()
        self._ahead = None


def _last_words(found: Sequence[Fetched]) -> Sequence[Fetched]:
    """Flags that change meanwhile come once more, or first of all, and then the last word counts."""
    try:
        last = {message.uid: message for message in found}
    except NetClientError:
        return found  # a UID is missing or makes no sense: that is for whoever looks at it
    return found if len(last) == len(found) else [last[uid] for uid in sorted(last, key=lambda uid: (len(uid), uid))]


def names_nothing(uids: NumberSet) -> bool:
    """Whether it is an empty list, or range."""
    return isinstance(uids, (list, range)) and not uids


def _refused(answer: Pending[list[Fetched]], error: NetClientError) -> bool:
    """Whether the server has understood, and said no: about a message, and for good."""
    status = answer.reply
    return status is not None and status.condition is Condition.NO and not isinstance(error, TransientReplyError)


async def _windows_of(box: Mailbox, asked: NumberSet, encoded: bytes, size: int) -> list[bytes]:
    """Divide what was asked for into sets of at most ``size`` messages that exist.

    A few UIDs that were named one by one are taken as they are; of ranges the server is asked which UIDs they hold.
    """
    if box.exists <= size and len(encoded) <= _LONGEST:
        return [encoded]
    if encoded.count(b",") < _FEW and not _OPEN.search(encoded):
        return _divided([(int(uid), int(uid)) for uid in encoded.split(b",")], size)
    return _divided(await _existing(box, arguments.uid_sets(asked)), size)


async def _spelled_out(box: Mailbox, encoded: bytes) -> list[int]:
    """Return the UIDs of a set: of ranges, those that exist."""
    if not _OPEN.search(encoded):
        return [int(uid) for uid in encoded.split(b",")]
    return [uid for first, last in await _existing(box, [encoded]) for uid in range(first, last + 1)]


async def _existing(box: Mailbox, sets: Sequence[bytes]) -> list[tuple[int, int]]:
    """Ask the server which messages of these sets there are."""

    async def search(connection: IMAPConnection) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for part in sets:
            found += (await connection.uid_search(f"UID {part.decode('ascii')}")).ranges
        if sum(last - first + 1 for first, last in found) > MOST_FOUND:
            raise ProtocolError(f"the server names more than {MOST_FOUND:,} messages")
        return found

    return await box.run("search", search)


def _divided(ranges: Sequence[tuple[int, int]], size: int) -> list[bytes]:
    """Return the ranges as sets of at most ``size`` numbers and of a length that servers read."""
    windows: list[bytes] = []
    parts: list[bytes] = []
    count = length = 0
    for first, last in ranges:
        while first <= last:
            end = min(last, first + size - count - 1)
            part = b"%d" % first if end == first else b"%d:%d" % (first, end)
            parts.append(part)
            length += len(part) + 1
            count += end - first + 1
            first = end + 1
            if count >= size or length > _LONGEST - _LONGEST_RANGE:
                windows.append(b",".join(parts))
                parts, count, length = [], 0, 0
    if parts:
        windows.append(b",".join(parts))
    return windows
