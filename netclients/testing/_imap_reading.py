"""FETCH and STORE of the embedded IMAP server, with CONDSTORE and QRESYNC (RFC 7162)."""

from __future__ import annotations

from collections.abc import Iterable

from ._imap_commands import Done, RefusedError
from ._imap_fetch import Item, answer, read_items
from ._imap_mime import UnknownEncodingError
from ._imap_selecting import Selecting
from ._imap_session import Rules, Selected, Session
from ._imap_store import Account, Stored
from ._imap_syntax import Arguments, BadSyntaxError, NumberSet, number_ranges

_GONE = "Some of the requested messages no longer exist."


class Reading(Selecting):
    """Adds FETCH and STORE."""

    def __init__(self, rules: Rules, accounts: dict[str, Account]) -> None:
        super().__init__(rules, accounts)
        self.handlers = {**self.handlers, "FETCH": ("selected", self.fetch), "STORE": ("selected", self.store)}

    def writable(self, session: Session) -> Selected:
        """Return the selected mailbox. Raises RefusedError if it is read-only."""
        selected = self.chosen(session)
        if selected.read_only:
            raise RefusedError("Mailbox is read-only.")
        return selected

    def picked(self, session: Session, numbers: NumberSet, uid: bool) -> list[tuple[int, Stored]]:
        """Return the messages of a set. Raises BadSyntaxError for sequence numbers that don't exist."""
        selected = self.chosen(session)
        if numbers.saved and not self.offers(session, "SEARCHRES"):
            raise BadSyntaxError("Invalid messageset")
        if not uid and selected.reaches_beyond(numbers):
            raise BadSyntaxError("Invalid messageset")
        return selected.numbered(numbers, uid=uid)

    # FETCH

    async def fetch(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """FETCH."""
        arguments.space()
        numbers = arguments.number_set()
        arguments.space()
        items = read_items(arguments, lambda name: self.offers(session, name))
        since, vanished = None, False
        if self.offers(session, "CONDSTORE") and arguments.skip(b" ("):
            since, vanished = self._read_modifiers(session, arguments, uid)
        arguments.end()
        if since is not None or any(item.name == "MODSEQ" for item in items):
            session.enabled.add("CONDSTORE")
        if uid and all(item.name != "UID" for item in items):
            items.insert(0, Item("UID"))
        picked = self.picked(session, numbers, uid)
        if since is not None:
            if all(item.name != "MODSEQ" for item in items):
                items.append(Item("MODSEQ"))
            if vanished:
                self.tell_vanished(session, since, numbers)
            picked = [(number, message) for number, message in picked if message.modseq > since]
        gone = await self._show(session, picked, items)
        if gone and not uid:
            raise RefusedError(_GONE, "EXPUNGEISSUED")
        return Done("Fetch completed.")

    def _read_modifiers(self, session: Session, arguments: Arguments, uid: bool) -> tuple[int, bool]:
        since, vanished = None, False
        while True:
            name = arguments.atom()
            if name == "CHANGEDSINCE":
                arguments.space()
                since = arguments.number()
            elif name == "VANISHED" and uid and "QRESYNC" in session.enabled:
                vanished = True
            else:
                raise BadSyntaxError(f"Unknown modifier {name}.")
            if not arguments.skip(b" "):
                break
        arguments.expect(b")")
        if since is None:
            raise BadSyntaxError("VANISHED needs CHANGEDSINCE.")
        return since, vanished

    def tell_vanished(self, session: Session, since: int, numbers: NumberSet | None) -> None:
        """Queue which of these UIDs are gone since then."""
        selected = self.chosen(session)
        gone = sorted(uid for modseq, uid in selected.mailbox.vanished if modseq > since)
        if numbers is not None:
            gone = numbers.among(gone)
        known = {message.uid for message in selected.view}  # those are told by VANISHED without EARLIER
        ranges = number_ranges(uid for uid in gone if uid not in known)
        if ranges:
            session.untagged(f"VANISHED (EARLIER) {ranges}")

    async def _show(self, session: Session, picked: Iterable[tuple[int, Stored]], items: list[Item]) -> bool:
        """Queue the FETCH of each message, and say whether some are gone."""
        selected = self.chosen(session)
        marks = not selected.read_only and not all(item.peek for item in items)
        names = {item.name for item in items}
        news = [Item(name) for name in ("FLAGS", "MODSEQ") if name not in names]
        if "CONDSTORE" not in session.enabled:
            news = [item for item in news if item.name == "FLAGS"]

        def flags(item: Item, message: Stored) -> bytes | None:
            return f"FLAGS ({session.flag_list(message)})".encode() if item.name == "FLAGS" else None

        gone = False
        for number, message in picked:
            if message.expunged:
                gone = True
                continue
            seen = marks and selected.mailbox.set_flags(message, message.flags | {"\\Seen"}, by=selected)
            try:
                session.send(answer(number, message, [*items, *news] if seen else items, flags))
            except UnknownEncodingError:
                raise RefusedError("Unknown content transfer encoding.", "UNKNOWN-CTE") from None
            if "FLAGS" in names or seen:
                selected.told(message)
            await session.relieve()
        return gone

    # STORE

    async def store(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """STORE."""
        arguments.space()
        numbers = arguments.number_set()
        arguments.space()
        unchanged = None
        if self.offers(session, "CONDSTORE") and arguments.skip(b"(UNCHANGEDSINCE "):
            unchanged = arguments.number()
            arguments.expect(b") ")
            session.enabled.add("CONDSTORE")
        how = arguments.atom()
        silent = how.endswith(".SILENT")
        how = how.removesuffix(".SILENT")
        if how not in ("FLAGS", "+FLAGS", "-FLAGS"):
            raise BadSyntaxError("Unknown item to store.")
        arguments.space()
        flags = arguments.flags()
        arguments.end()
        selected = self.writable(session)
        gone = False
        modified: list[int] = []
        for number, message in self.picked(session, numbers, uid):
            if message.expunged:
                gone = True
                continue
            if unchanged is not None and message.modseq > unchanged:
                modified.append(message.uid if uid else number)
                continue
            new = {"FLAGS": flags, "+FLAGS": message.flags | flags, "-FLAGS": message.flags - flags}[how]
            changed = selected.mailbox.set_flags(message, new, by=selected)
            if not silent:
                session.send(session.flags_of(number, message, uid=uid))
                selected.told(message)
            elif "CONDSTORE" in session.enabled and (changed or unchanged is not None):
                # The client must learn the new mod-sequence, silent or not (RFC 7162 section 3.1.3).
                named = f"UID {message.uid} " if uid or "QRESYNC" in session.enabled else ""
                session.untagged(f"{number} FETCH ({named}MODSEQ ({message.modseq}))")
            await session.relieve()
        code = f"MODIFIED {number_ranges(modified)}" if modified else ""
        if gone and not uid:
            raise RefusedError(_GONE, code or "EXPUNGEISSUED")
        return Done("Store completed." if not modified else "Conditional STORE failed.", code)
