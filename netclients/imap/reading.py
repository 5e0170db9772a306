"""Messages read whole, many of them: what was asked for comes, message or error."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from netclients.errors import NetClientError
from netclients.imap.parts import gone
from netclients.imap.types import UID
from netclients.imap.windows import FetchProducer
from netclients.mail.received import Received
from netclients.streams import Producer

if TYPE_CHECKING:
    from netclients.imap.arguments import NumberSet
    from netclients.imap.mailbox import Mailbox

__all__ = ["ReadProducer"]


class ReadProducer(Producer[Received]):
    """Yields the messages of ``uids``; those that were named one by one and don't exist come last, with an error."""

    def __init__(self, box: Mailbox, uids: NumberSet) -> None:
        self._named: dict[str, None] | None = None
        if isinstance(uids, int) or (isinstance(uids, str) and uids.isdigit()):
            self._named = {str(uids): None}
        elif not isinstance(uids, (str, range, slice)):
            listed = [UID(str(uid)) for uid in uids]
            self._named = dict.fromkeys(listed)
            uids = listed
        self._messages = FetchProducer(box, uids, {"body": True}, None)
        self._missing: deque[str] = deque()

    async def next(self) -> Received:
        """See :meth:`~netclients.streams.Producer.next`."""
        try:
            message = await self._messages.next()
        except StopAsyncIteration:
            return self._next_missing()
        try:
            uid = message.uid
            if self._named is not None:
                self._named.pop(uid, None)
            if message.error is not None:
                return Received(uid, error=message.error)
            return Received(uid, message.raw)
        except NetClientError as error:
            return Received(UID(""), error=error)

    def _next_missing(self) -> Received:
        if self._named is not None:
            self._missing.extend(self._named)
            self._named = None
        if not self._missing:
            raise StopAsyncIteration
        uid = UID(self._missing.popleft())
        return Received(uid, error=gone(uid, ""))

    async def aclose(self) -> None:
        """See :meth:`~netclients.streams.Producer.aclose`."""
        self.abort()

    def abort(self) -> None:
        """See :meth:`~netclients.streams.Producer.abort`."""
        self._messages.abort()
        self._named = None
        self._missing.clear()
