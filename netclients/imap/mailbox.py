"""An open mailbox of ``MailReader`` over IMAP: search, read, mark, copy, move, remove, append."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from netclients.errors import (
    ConfigurationError,
    PermanentReplyError,
)
from netclients.imap import arguments
from netclients.imap.attachments import save_attachments
from netclients.imap.connection import FetchItems
from netclients.imap.opened import OpenMailbox
from netclients.imap.parts import PartProducer, RawProducer, read_on
from netclients.imap.reading import ReadProducer
from netclients.imap.transfers import Copied, Deleted, Moved, copy, delete, move
from netclients.imap.uploads import Uploadable, append_all
from netclients.imap.windows import FetchProducer, names_nothing
from netclients.mail.parsed import parse
from netclients.mail.reading import UID
from netclients.streams import Stream
from netclients.transport.threads import in_thread

if TYPE_CHECKING:
    import os
    from email.message import EmailMessage
    from pathlib import Path

    from netclients.imap.arguments import NumberSet
    from netclients.imap.connection import IMAPConnection
    from netclients.imap.connection.searching import Algorithm
    from netclients.imap.search import Criterion, Keywords
    from netclients.imap.types import Thread
    from netclients.mail.reading import MessageInfo
    from netclients.mail.received import Received

__all__ = ["Mailbox"]

_SMALL = 1024 * 1024  # bytes that are parsed without leaving the event loop


class Mailbox(OpenMailbox):
    """One mailbox, open. Made by ``MailReader.mailbox()``; not for several tasks at once.

    Messages are named by UIDs: one, several, or text such as ``"1:*"`` or ``"5,7:9"``. All methods may raise
    :class:`~netclients.errors.ReplyError` when the server refuses, and
    :class:`~netclients.errors.UIDValidityChanged` after a connection was lost.
    """

    # Finding

    async def search(self, *query: Criterion | None, **keywords: Unpack[Keywords]) -> list[UID]:
        """Search (RFC 9051 section 6.4.4): keywords, a :class:`netclients.Q`, or text in IMAP's words; all must hold.

        Raises:
            UnsupportedError: the server lacks the extension that a criterion needs.
        """
        found = await self.run("search", lambda connection: connection.uid_search(*query, **keywords))
        return [UID(str(number)) for number in found.numbers]

    async def sort(
        self, keys: str | Iterable[str], *query: Criterion | None, **keywords: Unpack[Keywords]
    ) -> list[UID]:
        """Search, ordered by ``keys`` such as ``"date"``, ``"-size"``, ``["subject", "arrival"]`` (RFC 5256).

        Raises:
            UnsupportedError: the server can't sort.
        """
        found = await self.run("sort", lambda connection: connection.uid_sort(keys, *query, **keywords))
        return [UID(str(number)) for number in found.numbers]

    async def thread(
        self, algorithm: Algorithm = "REFERENCES", *query: Criterion | None, **keywords: Unpack[Keywords]
    ) -> tuple[Thread, ...]:
        """Search, as conversations (RFC 5256): trees whose ``number`` is a UID.

        Raises:
            UnsupportedError: the server does not know the algorithm.
        """
        return await self.run("thread", lambda connection: connection.uid_thread(algorithm, *query, **keywords))

    # Reading

    def fetch(
        self, uids: NumberSet = "1:*", *, changed_since: int | None = None, **items: Unpack[FetchItems]
    ) -> Stream[MessageInfo]:
        r"""Fetch what is asked for of each message (RFC 9051 section 6.4.5); other commands may be given meanwhile.

        ``flags``, ``size``, ``internal_date``, ``envelope``, ``structure``, ``body`` (the whole message, at most
        ``Bounds.read`` bytes, as ``raw``; a section's name for a part of it), ``headers`` (names of fields),
        ``modseq``, ``preview``, ``email_id``, ``thread_id``, ``save_date``, ``extra`` (items by their names).
        ``changed_since``: a mod-sequence. What was not asked for raises ``NotFetched`` when it is looked at. ``\Seen``
        is never set. UIDs that don't exist are passed over.
        """
        return Stream(FetchProducer(self, _listed(uids), items, changed_since))

    async def read(self, uid: UID | int) -> EmailMessage:
        """Read one message (BODY.PEEK[]), parsed.

        Raises:
            PermanentReplyError: there is no such message.
            ProtocolError: it has more than ``Bounds.read`` bytes: see :meth:`stream`.
        """
        raw = await read_on(self, _one(uid), b"")
        if len(raw) > _SMALL:
            return await in_thread(lambda: parse((raw,)))
        return parse((raw,))

    def read_many(self, uids: NumberSet) -> Stream[Received]:
        """Read messages whole, each of at most ``Bounds.read`` bytes; one that is gone, or too large, has ``error``."""
        return Stream(ReadProducer(self, _listed(uids)))

    def stream(self, uid: UID | int, part: str | None = None) -> Stream[bytes]:
        """Stream one part, such as ``"1.2"`` (see :attr:`MessageInfo.structure`), decoded; None: the message as it is.

        It is fetched a piece at a time, several pieces ahead, so that its size does not matter.

        Raises:
            PermanentReplyError: there is no such message, or it has no such part.
        """
        if part is None:
            return Stream(RawProducer(self, _one(uid), ""))
        arguments.section(part)
        return Stream(PartProducer(self, _one(uid), part))

    async def save_attachments(
        self, uid: UID | int, directory: str | os.PathLike[str], *, overwrite: bool = False
    ) -> list[Path]:
        """Save a message's attachments into ``directory``, decoded, under names made harmless; return their paths.

        A name that exists gets a number, unless ``overwrite``. Each file appears when it is complete.

        Raises:
            LocalFileError: a file can't be written.
        """
        return await save_attachments(self, _one(uid), directory, overwrite=overwrite)

    # Changing

    async def store(
        self,
        uids: NumberSet,
        *,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
        replace: Iterable[str] | None = None,
        unchanged_since: int | None = None,
    ) -> tuple[UID, ...]:
        """Add and remove flags, or replace them all (RFC 9051 section 6.4.6).

        ``unchanged_since``: leave messages alone that have changed after this mod-sequence (RFC 7162); their UIDs are
        returned.

        Raises:
            ConfigurationError: nothing is asked for, or both ``replace`` and one of the others.
            UnsupportedError: ``unchanged_since``, and the server keeps no mod-sequences.
        """
        changes: list[tuple[Iterable[str], str]] = []
        if replace is not None:
            changes.append((_flags(replace), ""))
        changes += [(flags, how) for flags, how in ((_flags(add), "+"), (_flags(remove), "-")) if flags]
        if not changes or (replace is not None and len(changes) > 1):
            raise ConfigurationError("store() takes add= and remove=, or replace=")
        if unchanged_since is not None and len(changes) > 1:
            raise ConfigurationError("unchanged_since= goes with one of add=, remove= and replace=: one is a change")
        self._check_writable()
        sets = _sets(uids)

        async def store(connection: IMAPConnection, parts: Sequence[bytes] = sets) -> list[str]:
            answers = [
                connection.uid_store(part.decode("ascii"), flags, how=how, unchanged_since=unchanged_since)  # type: ignore[arg-type]
                for flags, how in changes
                for part in parts
            ]
            return [modified for answer in answers for _, modified in (await answer,) if modified]

        if unchanged_since is None:
            await self.run("store", store)
            return ()
        left: list[str] = []
        for part in sets:  # one at a time: what is repeated must not meet its own changes
            left += await self.run("store", partial(store, parts=(part,)), repeatable=False)
        return tuple(UID(uid) for modified in left for uid in modified.split(","))

    async def copy(self, uids: NumberSet, mailbox: str) -> Copied:
        """Copy messages into another mailbox (RFC 9051 section 6.4.7).

        Raises:
            PermanentReplyError: there is no such mailbox (``response_code`` is ``"TRYCREATE"``), or no room.
            OutcomeUnknown: the reply was lost.
        """
        return await copy(self, _sets(uids), mailbox)

    async def move(self, uids: NumberSet, mailbox: str) -> Moved:
        r"""Move messages into another mailbox (RFC 6851), by COPY, STORE and UID EXPUNGE where there is no MOVE.

        Without UIDPLUS either, they stay here marked as ``\Deleted``, and ``expunged`` is False.

        Raises:
            PermanentReplyError, OutcomeUnknown: see :meth:`copy`.
        """
        self._check_expungeable()
        return await move(self, _sets(uids), mailbox)

    async def delete(self, uids: NumberSet) -> Deleted:
        r"""Delete these messages and no others: mark them as ``\Deleted`` and expunge them by UID (RFC 4315).

        Without UIDPLUS they stay marked, and ``expunged`` is False: a plain EXPUNGE would take what others have marked.
        """
        self._check_expungeable()
        return await delete(self, _sets(uids))

    async def expunge_all(self) -> None:
        r"""EXPUNGE: remove ALL messages that anybody has marked as ``\Deleted`` (RFC 9051 section 6.4.3).

        Raises:
            OutcomeUnknown: the reply was lost.
        """
        self._check_expungeable()
        await self.run("expunge", lambda connection: connection.expunge())

    async def append(
        self, message: Uploadable, *, flags: Iterable[str] = (), date: datetime | None = None
    ) -> UID | None:
        """Append one message (RFC 9051 section 6.3.12), streamed; return its UID if the server tells (UIDPLUS).

        ``message``: what ``compose`` made, one of :mod:`email`, bytes, or the path of a file. ``date``: its
        INTERNALDATE, with a zone.

        Raises:
            OutcomeUnknown: the reply was lost: it is there, or not.
            LocalFileError: a file can't be read. Nothing was appended.
        """
        self._check_writable()
        [uid] = await append_all(self, [message], _flags(flags), date)
        return uid

    async def append_many(
        self, messages: Iterable[Uploadable], *, flags: Iterable[str] = (), date: datetime | None = None
    ) -> list[UID | None]:
        """Append several messages: all of them or none where the server can (MULTIAPPEND, RFC 3502), else one by one.

        Raises:
            OutcomeUnknown, LocalFileError: see :meth:`append`.
        """
        self._check_writable()
        return await append_all(self, list(messages), _flags(flags), date)

    async def refresh(self) -> None:
        """NOOP: hear what is new; ``exists`` and the like are as of now then."""
        await self.run("refresh", lambda connection: connection.noop())

    # Some servers answer OK to what changes a mailbox that is open for reading only, and do nothing.

    def _check_writable(self) -> None:
        if self.readonly:
            raise ConfigurationError(f"{self.name} was opened with readonly=True")

    def _check_expungeable(self) -> None:
        self._check_writable()
        if self._state.readonly:
            raise PermanentReplyError("SELECT", None, "open for reading only", response_code="READ-ONLY")


def _one(uid: UID | int) -> UID:
    encoded = arguments.uid_set(uid)
    if not encoded.isdigit():
        raise ConfigurationError(f"{uid!r} is not one UID")
    return UID(encoded.decode("ascii"))


def _listed(uids: NumberSet) -> NumberSet:
    """Return what can be looked at more than once."""
    if isinstance(uids, (str, int, range, slice)):
        return uids
    listed: list[Any] = list(uids)
    return listed


def _sets(uids: NumberSet) -> list[bytes]:
    """Encode UIDs, a set for each command: none for an empty list, as a search may have found nothing."""
    listed = _listed(uids)
    return [] if names_nothing(listed) else arguments.uid_sets(listed)


def _flags(flags: Iterable[str]) -> list[str]:
    return [flags] if isinstance(flags, str) else list(flags)
