"""LIST for people: which mailboxes there are, what they are for, and how full they are."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netclients.errors import ReplyError
from netclients.streams import Producer

if TYPE_CHECKING:
    from netclients.imap.client import IMAPClient
    from netclients.imap.connection import IMAPConnection
    from netclients.imap.types import ListedMailbox, MailboxStatus

__all__ = ["SPECIAL_USES", "ListProducer", "MailboxInfo"]

SPECIAL_USES = ("\\All", "\\Archive", "\\Drafts", "\\Flagged", "\\Important", "\\Junk", "\\Sent", "\\Trash")
"""What a mailbox may be for (RFC 6154, RFC 8457)."""

_BY_NAME = {use.casefold(): use for use in SPECIAL_USES}
_NOT_THERE = frozenset({"\\noselect", "\\nonexistent"})


@dataclass(frozen=True, slots=True)
class MailboxInfo:
    r"""A mailbox. ``delimiter`` separates levels of its name, None if there are none; ``attributes`` as sent.

    ``special_use``: what it is for, such as ``"\\Sent"``, None if nothing is said. ``status``: its counts, if asked
    for, and if it can be opened at all (``selectable``). ``raw_name``: the name as the server wrote it.
    """

    name: str
    delimiter: str | None
    attributes: tuple[str, ...]
    special_use: str | None = None
    status: MailboxStatus | None = None
    raw_name: bytes = field(default=b"", repr=False)

    @property
    def selectable(self) -> bool:
        """Whether it can be opened; others are only levels above such."""
        return _NOT_THERE.isdisjoint(attribute.casefold() for attribute in self.attributes)


class ListProducer(Producer[MailboxInfo]):
    """Yields mailboxes; asked for at once, with as few commands as the server needs."""

    def __init__(
        self, client: IMAPClient, pattern: str | Iterable[str], *, subscribed: bool, status: tuple[str, ...]
    ) -> None:
        self._client = client
        self._pattern = (pattern,) if isinstance(pattern, str) else tuple(pattern)
        self._subscribed = subscribed
        self._status = status
        self._found: deque[MailboxInfo] | None = None

    async def next(self) -> MailboxInfo:
        """See :meth:`~netclients.streams.Producer.next`."""
        if self._found is None:
            self._found = deque(await self._client.run("list", self._list))
        if not self._found:
            raise StopAsyncIteration
        return self._found.popleft()

    async def _list(self, connection: IMAPConnection) -> list[MailboxInfo]:
        extended = connection.has("LIST-EXTENDED", "IMAP4REV2")
        status = self._status if connection.has("LIST-STATUS", "IMAP4REV2") else ()
        listed: list[tuple[ListedMailbox, MailboxStatus | None]] = []
        if extended:
            returns = ["CHILDREN", *(["SPECIAL-USE"] if connection.has("SPECIAL-USE", "IMAP4REV2") else [])]
            select = ["SUBSCRIBED"] if self._subscribed else []
            listed = await connection.list(self._pattern, select=select, returns=returns, status=status)
        else:
            ask = connection.lsub if self._subscribed else connection.list
            for pattern in self._pattern:
                listed += await ask(pattern)
        # A name that several patterns match comes once for each, from servers without LIST-EXTENDED.
        found = list({mailbox.raw_name: _info(mailbox, counts) for mailbox, counts in listed}.values())
        if self._status and not status:
            return await self._with_status(connection, found)
        return found

    async def _with_status(self, connection: IMAPConnection, found: list[MailboxInfo]) -> list[MailboxInfo]:
        answers = [
            connection.status(mailbox.raw_name, self._status) if mailbox.selectable else None for mailbox in found
        ]
        complete = []
        for mailbox, answer in zip(found, answers, strict=True):
            counts = None
            if answer is not None:
                with suppress(ReplyError):  # it can't be opened after all, or is gone
                    counts = await answer
            complete.append(
                MailboxInfo(
                    mailbox.name,
                    mailbox.delimiter,
                    mailbox.attributes,
                    mailbox.special_use,
                    counts,
                    mailbox.raw_name,
                )
            )
        return complete

    async def aclose(self) -> None:
        """See :meth:`~netclients.streams.Producer.aclose`."""
        self.abort()

    def abort(self) -> None:
        """See :meth:`~netclients.streams.Producer.abort`."""
        self._found = deque()


def _info(mailbox: ListedMailbox, status: MailboxStatus | None) -> MailboxInfo:
    uses = [_BY_NAME[name.casefold()] for name in mailbox.attributes if name.casefold() in _BY_NAME]
    return MailboxInfo(
        mailbox.name, mailbox.delimiter, mailbox.attributes, uses[0] if uses else None, status, mailbox.raw_name
    )
