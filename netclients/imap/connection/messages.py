"""Commands about messages of the open mailbox: read, mark, copy, move, remove (RFC 9051 section 6.4).

Each exists twice: by sequence numbers, and by UIDs as ``uid_…``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypedDict, Unpack

from netclients.errors import ConfigurationError, NotFetched, ProtocolError
from netclients.imap import arguments
from netclients.imap.commands import Subject, command
from netclients.imap.connection.dialogue import Dialogue
from netclients.imap.ranges import NumberRanges
from netclients.imap.types import UID, CopyUID, Expunge, Fetched, Status, Vanished
from netclients.pending import Pending

if TYPE_CHECKING:
    from netclients.imap.arguments import NumberSet, Piece
    from netclients.imap.commands import Command
    from netclients.imap.types import Response

__all__ = ["FetchItems", "Messages"]

Sink = Callable[[memoryview], None]
_MARKS = frozenset({b"UID", b"FLAGS", b"MODSEQ"})
_MOST_ANSWERS = 10_000_000
_MOST_REPEATS = 2
_FETCH = re.compile(rb"\* [0-9]+ FETCH ", re.IGNORECASE)
_BODY = re.compile(
    rb"[ (](?:(?:BODY|BINARY)\[[^\]]*\](?:<[0-9]+>)?|RFC822(?:\.HEADER|\.TEXT)?) ~?\{[0-9]+\+?\}$", re.IGNORECASE
)


class FetchItems(TypedDict, total=False):
    """What to fetch of each message: see :func:`netclients.imap.arguments.fetch_items`."""

    flags: bool
    size: bool
    envelope: bool
    structure: bool
    body: bool | str
    uid: bool
    internal_date: bool
    modseq: bool
    headers: Sequence[str] | None
    preview: bool | str
    save_date: bool
    email_id: bool
    thread_id: bool
    extra: Sequence[str]


class Messages(Dialogue):
    """Message commands."""

    def fetch(
        self,
        numbers: NumberSet,
        *,
        changed_since: int | None = None,
        sink: Sink | None = None,
        **items: Unpack[FetchItems],
    ) -> Pending[list[Fetched]]:
        r"""FETCH items of messages (section 6.4.5); ``\Seen`` is never set. In the order in which the server answers.

        ``changed_since``: only messages whose mod-sequence is higher (RFC 7162). ``sink`` is called with the bytes of
        literals (bodies) as they come, in views that are released afterwards, instead of keeping them.
        """
        return self._fetch("FETCH", arguments.sequence_set(numbers), items, changed_since, sink=sink, vanished=False)

    def uid_fetch(
        self,
        uids: NumberSet,
        *,
        changed_since: int | None = None,
        vanished: bool = False,
        sink: Sink | None = None,
        **items: Unpack[FetchItems],
    ) -> Pending[list[Fetched]]:
        """UID FETCH: see :meth:`fetch`. ``vanished``: tell of UIDs that are gone since, as untagged data (QRESYNC)."""
        return self._fetch("UID FETCH", arguments.uid_set(uids), items, changed_since, sink=sink, vanished=vanished)

    def uid_fetch_encoded(
        self, uids: bytes, items: FetchItems, changed_since: int | None = None, largest: int | None = None
    ) -> Pending[list[Fetched]]:
        """UID FETCH of a set that is encoded already; ``largest``: bytes of the longest string that may come."""
        return self._fetch("UID FETCH", uids, items, changed_since, sink=None, vanished=False, largest=largest)

    def uid_fetch_piece(self, uid: UID, section: str, offset: int, count: int) -> Pending[bytes | None]:
        """UID FETCH of a piece of one section: ``count`` bytes from ``offset``; fewer at its end, None: not there."""
        name = arguments.section(section).decode("ascii")
        item = f"BODY[{name.upper()}]<{offset}>"
        found: list[bytes] = []

        def collect(response: Response) -> bool:
            # Several pieces of one message may be on their way: they are told apart by where they begin.
            if type(response) is not Fetched or item not in response or ("UID" in response and response.uid != uid):
                return False
            if len(found) >= _MOST_REPEATS:
                raise ProtocolError("the server sends the same piece of a message again and again")
            found.append(response.section(f"{name}<{offset}>"))
            return True

        words = uid.encode("ascii"), b"(UID BODY.PEEK[%b]%b)" % (name.encode("ascii"), arguments.partial(offset, count))
        about = Subject("UID", NumberRanges(words[0]), item)
        sent = replace(command("UID FETCH", *words), collect=collect, largest=count, about=about)
        return Pending(self, self.submit(sent), lambda _: found[-1] if found else None)

    def _fetch(
        self,
        verb: str,
        which: bytes,
        items: FetchItems,
        changed_since: int | None,
        *,
        sink: Sink | None,
        vanished: bool,
        largest: int | None = None,
    ) -> Pending[list[Fetched]]:
        wanted = arguments.fetch_items(**items)
        words: list[Piece] = [which, wanted]
        if changed_since is not None:
            self.require("CONDSTORE", "QRESYNC")
            gone = b" VANISHED" if vanished else b""
            words.append(b"(CHANGEDSINCE %b%b)" % (arguments.modseq(changed_since), gone))
        elif vanished:
            raise ConfigurationError("vanished=True needs changed_since")
        found: list[Fetched] = []
        about = Subject("UID" if verb[0] == "U" else "number", named := NumberRanges(which))
        sent = command(verb, *words).collecting(
            _collector(found, named, wanted, uid=verb[0] == "U"), None if sink is None else _for_bodies(sink)
        )
        return Pending(self, self.submit(replace(sent, largest=largest, about=about)), lambda _: found)

    def store(
        self,
        numbers: NumberSet,
        flags: Iterable[str],
        *,
        how: Literal["+", "-", ""] = "+",
        silent: bool = True,
        unchanged_since: int | None = None,
    ) -> Pending[tuple[list[Fetched], str]]:
        """STORE: add flags (``+``), remove them (``-``), or replace them all (section 6.4.6).

        Returns what the server says of the messages, and the set of those that were left alone because somebody has
        changed them after mod-sequence ``unchanged_since`` (RFC 7162), empty text if there are none.
        """
        return self._store("STORE", arguments.sequence_set(numbers), flags, how, silent, unchanged_since)

    def uid_store(
        self,
        uids: NumberSet,
        flags: Iterable[str],
        *,
        how: Literal["+", "-", ""] = "+",
        silent: bool = True,
        unchanged_since: int | None = None,
    ) -> Pending[tuple[list[Fetched], str]]:
        """UID STORE: see :meth:`store`."""
        return self._store("UID STORE", arguments.uid_set(uids), flags, how, silent, unchanged_since)

    def _store(
        self, verb: str, which: bytes, flags: Iterable[str], how: str, silent: bool, unchanged_since: int | None
    ) -> Pending[tuple[list[Fetched], str]]:
        words: list[Piece] = [which]
        if how not in ("+", "-", ""):
            raise ConfigurationError(f"how={how!r}: choose +, - or an empty text")
        if unchanged_since is not None:
            self.require("CONDSTORE", "QRESYNC")
            words.append(b"(UNCHANGEDSINCE %b)" % arguments.modseq(unchanged_since))
        name = f"{how}FLAGS.SILENT" if silent else f"{how}FLAGS"
        words += [name.encode("ascii"), arguments.flag_list(flags)]
        found: list[Fetched] = []
        about = Subject("UID" if verb[0] == "U" else "number", named := NumberRanges(which))
        sent = command(verb, *words).collecting(_collector(found, named, b"(FLAGS)", uid=verb[0] == "U"))
        ticket = self.submit(replace(sent, about=about))
        return Pending(self, ticket, lambda status: (found, _modified(status)))

    def copy(self, numbers: NumberSet, mailbox: str | bytes) -> Pending[CopyUID | None]:
        """COPY (section 6.4.7); return what became of which, if the server says so (UIDPLUS, RFC 4315)."""
        return self._transfer("COPY", arguments.sequence_set(numbers), mailbox)

    def uid_copy(self, uids: NumberSet, mailbox: str | bytes) -> Pending[CopyUID | None]:
        """UID COPY: see :meth:`copy`."""
        return self._transfer("UID COPY", arguments.uid_set(uids), mailbox)

    def move(self, numbers: NumberSet, mailbox: str | bytes) -> Pending[CopyUID | None]:
        """MOVE (section 6.4.8, RFC 6851); see :meth:`copy`."""
        self.require("MOVE", "IMAP4REV2")
        return self._transfer("MOVE", arguments.sequence_set(numbers), mailbox)

    def uid_move(self, uids: NumberSet, mailbox: str | bytes) -> Pending[CopyUID | None]:
        """UID MOVE: see :meth:`move`."""
        self.require("MOVE", "IMAP4REV2")
        return self._transfer("UID MOVE", arguments.uid_set(uids), mailbox)

    def _transfer(self, verb: str, which: bytes, mailbox: str | bytes) -> Pending[CopyUID | None]:
        untagged: list[CopyUID] = []

        def collect(response: Response) -> bool:
            # MOVE says it ahead of the messages that go (RFC 6851 section 4.3).
            if isinstance(response, Status) and (copied := _copied(response)) is not None:
                untagged.append(copied)
                return True
            return False

        sent = command(verb, which, arguments.mailbox(mailbox, utf8=self.protocol.utf8)).collecting(collect)
        return Pending(self, self.submit(sent), lambda status: _copied(status) or (untagged[-1] if untagged else None))

    def expunge(self) -> Pending[list[Expunge | Vanished]]:
        r"""EXPUNGE ALL messages that anybody has marked as ``\Deleted`` (section 6.4.3)."""
        return self._expunge(command("EXPUNGE"))

    def uid_expunge(self, uids: NumberSet) -> Pending[list[Expunge | Vanished]]:
        r"""UID EXPUNGE: of these messages, those that are marked as ``\Deleted`` (RFC 4315 section 2.1).

        Raises:
            UnsupportedError: the server has no UIDPLUS.
        """
        self.require("UIDPLUS", "IMAP4REV2")
        return self._expunge(command("UID EXPUNGE", arguments.uid_set(uids)))

    def _expunge(self, sent: Command) -> Pending[list[Expunge | Vanished]]:
        found: list[Expunge | Vanished] = []

        def collect(response: Response) -> bool:
            if isinstance(response, (Expunge, Vanished)):
                found.append(response)
                return True
            return False

        return Pending(self, self.submit(sent.collecting(collect)), lambda _: found)


def _for_bodies(sink: Sink) -> Callable[[Sequence[bytes], int], Sink | None]:
    """Give the sink bodies, and not what else may be a literal: subjects, names of mailboxes."""

    def take(text: Sequence[bytes], _: int) -> Sink | None:
        return sink if _FETCH.match(text[0]) and _BODY.search(text[-1]) else None

    return take


def _collector(found: list[Fetched], named: NumberRanges, wanted: bytes, *, uid: bool) -> Callable[[Response], bool]:
    """Take what is said of the messages that were named; if more than flags was asked for, flags alone are news."""
    marks_only = _MARKS.issuperset(wanted[1:-1].split())
    # Each message may change in the middle of the answer, but not for ever.
    most = _MOST_ANSWERS if named.count is None else min(_MOST_ANSWERS, 10 * named.count + 1000)

    def collect(response: Response) -> bool:
        if type(response) is not Fetched or not (marks_only or response.error is not None or response.tells_more):
            return False
        try:
            if (int(response.uid) if uid else response.number) not in named:
                return False
        except NotFetched:
            if marks_only and response.error is None:
                return False  # news of nobody knows which message
        except ProtocolError:
            pass  # whoever asked will see that its UID is none
        found.append(response)
        if len(found) > most:
            raise ProtocolError(f"the server sent more than {most:,} answers about the messages that were named")
        return True

    return collect


def _modified(status: Status) -> str:
    if status.code is None or status.code.name != "MODIFIED":
        return ""
    value = status.code.value
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value or "")


def _copied(status: Status) -> CopyUID | None:
    return status.code.value if status.code is not None and isinstance(status.code.value, CopyUID) else None
