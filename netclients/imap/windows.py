"""Messages fetched in windows: as many at a time as may be held, the next window asked for before it is needed.

Each window has been read to its end before its first message is yielded, so that other commands may be given in the
middle of a loop. A window that a lost connection has taken is fetched again: nobody has seen anything of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netclients.errors import NetClientError
from netclients.imap import arguments
from netclients.imap.parts import read_on
from netclients.imap.types import Fetched
from netclients.streams import Producer

if TYPE_CHECKING:
    from netclients.imap.arguments import NumberSet
    from netclients.imap.connection import FetchItems, IMAPConnection, Pending
    from netclients.imap.mailbox import Mailbox
    from netclients.mail.reading import MessageInfo

__all__ = ["BODY_WINDOW", "FetchProducer", "windows_of"]

_SMALL_WINDOW = 1000  # messages of which only flags and numbers are asked for
_LARGE_WINDOW = 200  # messages of which structures are asked for
BODY_WINDOW = 64  # messages of which bodies are asked for
_FIRST_PIECE = 256 * 1024  # bytes of a body that are asked for at once; few messages have more
_FEW = 200  # UIDs that were named one by one: asking which of them exist is not worth it


@dataclass(slots=True)
class _Window:
    """One command: the set that it names, and its answer on the way; ``on``: over which connection."""

    uids: bytes
    answer: Pending[list[Fetched]] | None = None
    on: IMAPConnection | None = None


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
        self._encoded = arguments.uid_set(uids)
        self._marks_only = {name for name, wanted in self._items.items() if wanted} <= {"uid", "flags", "modseq"}
        self._left: deque[bytes] | None = None
        self._ahead: _Window | None = None
        self._ready: deque[Fetched] = deque()

    @property
    def _size(self) -> int:
        items = self._items
        if self._bodies or items.get("body") or items.get("headers") or items.get("extra"):
            return BODY_WINDOW
        return _LARGE_WINDOW if items.get("structure") or items.get("envelope") else _SMALL_WINDOW

    async def next(self) -> MessageInfo:
        """See :meth:`~netclients.streams.Producer.next`."""
        while not self._ready:
            if self._left is None:
                self._left = deque(await windows_of(self._box, self._asked, self._encoded, self._size))
            window = self._ahead or self._next_window()
            self._ahead = None
            if window is None:
                raise StopAsyncIteration
            self._ready.extend(await self._fetched(window))
        message = self._ready.popleft()
        if self._bodies:
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
            assert window.answer is not None
            try:
                return await window.answer
            except NetClientError:
                window.on = None  # the next attempt asks again
                raise

        found = await self._box.run("fetch", fetch)
        return _last_words(found) if self._marks_only else found

    def _submit(self, window: _Window, connection: IMAPConnection) -> None:
        window.answer = connection.uid_fetch_encoded(
            window.uids, self._items, self._changed_since, _FIRST_PIECE if self._bodies else None
        )
        window.on = connection

    async def _complete(self, message: Fetched) -> None:
        """Make the first piece of a body the whole of it."""
        name = "<0>"
        if message.error is not None:
            return
        try:
            piece = message.section(name)
            if len(piece) == _FIRST_PIECE:
                piece = await read_on(self._box, message.uid, piece)
        except NetClientError as error:
            message.error = error
            return
        message.complete(piece)

    async def aclose(self) -> None:
        """See :meth:`~netclients.streams.Producer.aclose`."""
        self.abort()

    def abort(self) -> None:
        """See :meth:`~netclients.streams.Producer.abort`. Whoever comes next reads the answer that is on its way."""
        self._ready.clear()
        self._left = deque()
        self._ahead = None


def _last_words(found: Sequence[Fetched]) -> Sequence[Fetched]:
    """Flags that change meanwhile come once more, and then the last word counts."""
    try:
        last = {message.uid: message for message in found}
    except NetClientError:
        return found  # a UID is missing or makes no sense: that is for whoever looks at it
    return found if len(last) == len(found) else list(last.values())


async def windows_of(box: Mailbox, asked: NumberSet, encoded: bytes, size: int) -> list[bytes]:
    """Divide what was asked for into sets of at most ``size`` messages that exist.

    A few UIDs that were named one by one are taken as they are; of ranges the server is asked which UIDs they hold.
    """
    if box.exists <= size:
        return [encoded]
    if b":" not in encoded and b"*" not in encoded and encoded.count(b",") < _FEW:
        return _divided([(int(uid), int(uid)) for uid in encoded.split(b",")], size)

    async def search(connection: IMAPConnection) -> list[tuple[int, int]]:
        found = []
        for part in [encoded] if len(encoded) < 7900 or isinstance(asked, str) else arguments.uid_sets(asked):
            found += (await connection.uid_search(f"UID {part.decode('ascii')}")).ranges
        return found

    return _divided(await box.run("search", search), size)


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
            if count >= size or length > 7000:
                windows.append(b",".join(parts))
                parts, count, length = [], 0, 0
    if parts:
        windows.append(b",".join(parts))
    return windows
