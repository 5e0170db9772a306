"""The embedded IMAP server's commands for messages."""

from __future__ import annotations

import asyncio
import datetime as dt
import email.utils
import re
from collections.abc import Iterable

from ._imap_commands import Done, RefusedError
from ._imap_fetch import Item, answer, read_items
from ._imap_mailboxes import Mailboxes
from ._imap_search import Criteria
from ._imap_session import Rules, Selected, Session
from ._imap_store import Account, Stored
from ._imap_syntax import Arguments, BadSyntaxError, NumberSet, number_ranges

_DATE_TIME = re.compile(rb'"([ \d]\d-[A-Za-z]{3}-\d{4} \d\d:\d\d:\d\d [+-]\d{4})"')


class Messages(Mailboxes):
    """Adds the commands that touch messages."""

    def __init__(self, rules: Rules, accounts: dict[str, Account]) -> None:
        super().__init__(rules, accounts)
        self.handlers = {
            **self.handlers,
            "APPEND": ("authenticated", self.append),
            "CHECK": ("selected", self.noop),
            "EXPUNGE": ("selected", self.expunge),
            "SEARCH": ("selected", self.search),
            "FETCH": ("selected", self.fetch),
            "STORE": ("selected", self.store),
            "COPY": ("selected", self.copy),
            "MOVE": ("selected", self.move),
            "IDLE": ("authenticated", self.idle),
        }

    @staticmethod
    def chosen(session: Session) -> Selected:
        """Return the selected mailbox."""
        assert session.selected is not None
        return session.selected

    def writable(self, session: Session) -> Selected:
        """Return the selected mailbox. Raises RefusedError if it is read-only."""
        selected = self.chosen(session)
        if selected.read_only:
            raise RefusedError("Mailbox is read-only.", "READ-ONLY")
        return selected

    def picked(self, session: Session, numbers: NumberSet, uid: bool) -> list[tuple[int, Stored]]:
        """Return the messages of a set. Raises BadSyntaxError for sequence numbers that don't exist."""
        selected = self.chosen(session)
        if not uid and selected.reaches_beyond(numbers):
            raise BadSyntaxError("Invalid messageset")
        return selected.numbered(numbers, uid=uid)

    # Reading

    async def fetch(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """FETCH."""
        arguments.space()
        numbers = arguments.number_set()
        arguments.space()
        items = read_items(arguments, lambda name: False)
        arguments.end()
        if uid and all(item.name != "UID" for item in items):
            items.insert(0, Item("UID"))
        gone = await self.show(session, self.picked(session, numbers, uid), items)
        if gone:
            raise RefusedError("Some of the requested messages no longer exist.", "EXPUNGEISSUED")
        return Done("Fetch completed.")

    async def show(self, session: Session, picked: Iterable[tuple[int, Stored]], items: list[Item]) -> bool:
        """Queue the FETCH of each message, and say whether some are gone."""
        selected = self.chosen(session)
        marks = not selected.read_only and not all(item.peek for item in items)
        telling = any(item.name == "FLAGS" for item in items)
        gone = False
        for number, message in picked:
            if message.expunged:
                gone = True
                continue
            seen = marks and selected.mailbox.set_flags(message, message.flags | {"\\Seen"}, by=selected)
            shown = [*items, Item("FLAGS")] if seen and not telling else items
            session.send(answer(number, message, shown, lambda item, message: self.own_value(session, item, message)))
            if telling or seen:
                selected.told(message)
            await session.relieve()
        return gone

    def own_value(self, session: Session, item: Item, message: Stored) -> bytes | None:
        """Return an item that depends on the session, None for others."""
        return f"FLAGS ({session.flag_list(message)})".encode() if item.name == "FLAGS" else None

    async def search(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """SEARCH."""
        arguments.space()
        criteria = Criteria(arguments, self.chosen(session), lambda name: self.offers(session, name))
        if arguments.skip(b"CHARSET "):
            self.read_charset(arguments, criteria)
            arguments.space()
        test = criteria.read()
        arguments.end()
        found = [
            (number, message)
            for number, message in enumerate(self.chosen(session).view, 1)
            if not message.expunged and test(number, message)
        ]
        numbers = "".join(f" {message.uid if uid else number}" for number, message in found)
        session.untagged(f"SEARCH{numbers}")
        return Done("Search completed.")

    @staticmethod
    def read_charset(arguments: Arguments, criteria: Criteria) -> None:
        """Take a charset. Raises RefusedError."""
        charset = arguments.text().upper()
        if charset not in ("UTF-8", "US-ASCII"):
            raise RefusedError("Unknown charset.", "BADCHARSET (US-ASCII UTF-8)")

    # Changing

    async def store(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """STORE."""
        arguments.space()
        numbers = arguments.number_set()
        arguments.space()
        how = arguments.atom()
        silent = how.endswith(".SILENT")
        how = how.removesuffix(".SILENT")
        if how not in ("FLAGS", "+FLAGS", "-FLAGS"):
            raise BadSyntaxError("Unknown item to store.")
        arguments.space()
        flags = arguments.flags()
        arguments.end()
        selected = self.writable(session)
        picked = self.picked(session, numbers, uid)
        for number, message in picked:
            if message.expunged:
                continue
            new = {"FLAGS": flags, "+FLAGS": message.flags | flags, "-FLAGS": message.flags - flags}[how]
            selected.mailbox.set_flags(message, new, by=selected)
            if not silent:
                session.send(session.flags_of(number, message, uid=uid))
                selected.told(message)
            await session.relieve()
        return Done("Store completed.")

    async def expunge(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """EXPUNGE, and UID EXPUNGE (RFC 4315)."""
        selected = self.writable(session)
        candidates: Iterable[Stored] = selected.view
        if uid:
            arguments.space()
            candidates = [message for _, message in selected.numbered(arguments.number_set(), uid=True)]
        arguments.end()
        selected.mailbox.expunge([message for message in candidates if "\\Deleted" in message.flags])
        return Done("Expunge completed.")

    async def append(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """APPEND."""
        arguments.space()
        name = arguments.mailbox()
        arguments.space()
        flags = frozenset[str]()
        if arguments.next_is(b"("):
            flags = arguments.flags()
            arguments.space()
        date = self.read_date(arguments)
        raw = arguments.literal()
        if raw is None:
            raise BadSyntaxError("A literal is missing.")
        arguments.end()
        mailbox = self.mailbox(session, name, "TRYCREATE")
        self.check_size(raw)
        message = mailbox.add(raw, flags, date)
        return Done("Append completed.", self.uidplus(f"APPENDUID {mailbox.uid_validity} {message.uid}"))

    def check_size(self, raw: bytes) -> None:
        """Raise RefusedError for a message that is too large."""
        limit = self.rules.append_limit
        if limit is not None and len(raw) > limit:
            raise RefusedError(f"Messages are limited to {limit} bytes.", "TOOBIG")

    @staticmethod
    def read_date(arguments: Arguments) -> dt.datetime | None:
        """Take a date-time and the space behind it if one comes next."""
        if not arguments.next_is(b'"'):
            return None
        text = arguments.match(_DATE_TIME)
        try:
            assert text is not None
            date = email.utils.parsedate_to_datetime(text[1:-1].decode().strip().replace("-", " ", 2))
        except (AssertionError, ValueError):
            raise BadSyntaxError("A date-time is malformed.") from None
        arguments.space()
        return date if date.tzinfo is not None else date.replace(tzinfo=dt.UTC)

    def uidplus(self, code: str) -> str:
        """Return a response code of UIDPLUS if it is offered."""
        return "" if "UIDPLUS" in self.rules.without else code

    async def copy(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """COPY."""
        _, code = self._copied(session, arguments, uid)
        return Done("Copy completed.", code)

    async def move(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """MOVE (RFC 6851): COPYUID comes before the expunges."""
        selected = self.writable(session)
        picked, code = self._copied(session, arguments, uid)
        if code:
            session.untagged(f"OK [{code}] Moved.")
        selected.mailbox.expunge([message for _, message in picked])
        return Done("Move completed.")

    def _copied(self, session: Session, arguments: Arguments, uid: bool) -> tuple[list[tuple[int, Stored]], str]:
        arguments.space()
        numbers = arguments.number_set()
        arguments.space()
        name = arguments.mailbox()
        arguments.end()
        target = self.mailbox(session, name, "TRYCREATE")
        picked = self.picked(session, numbers, uid)
        if any(message.expunged for _, message in picked):
            raise RefusedError("Some of the requested messages no longer exist.", "EXPUNGEISSUED")
        made = [target.add(message.raw, message.flags, message.date).uid for _, message in picked]
        if not made:
            return picked, ""
        olds = number_ranges(message.uid for _, message in picked)
        return picked, self.uidplus(f"COPYUID {target.uid_validity} {olds} {number_ranges(made)}")

    # Waiting

    async def idle(self, session: Session, arguments: Arguments, uid: bool) -> Done | None:
        """IDLE (RFC 2177): news are told at once."""
        arguments.end()
        session.send(b"+ idling")
        session.tell_news(expunges=True)
        await session.flush()
        session.idling = True
        try:
            line = await session.read_line()
        finally:
            session.idling = False
        if not line:
            raise ConnectionResetError("the peer left amid IDLE")
        text = line.rstrip(b"\r\n")
        if not await self.interfere(session, "DONE", text.decode("utf-8", "replace")):
            return None
        if text.upper() != b"DONE":
            self.object_to(session, "sent something else than DONE to end IDLE")
            raise BadSyntaxError("Expected DONE.")
        return Done("Idle completed.")

    def wake(self, session: Session) -> None:
        """Something has happened in the selected mailbox: a session in IDLE is told."""
        if session.idling and session.pushing is None:
            session.pushing = asyncio.get_running_loop().create_task(self._push(session))

    async def _push(self, session: Session) -> None:
        session.pushing = None
        if not session.idling:
            return
        try:
            session.tell_news(expunges=True)
            await session.flush()
        except Exception:  # noqa: BLE001 - the connection is over: its own task must see to it
            session.cut(reset=False)
