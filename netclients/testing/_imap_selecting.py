"""SELECT, EXAMINE, CLOSE and UNSELECT of the embedded IMAP server, with what QRESYNC adds (RFC 7162)."""

from __future__ import annotations

from dataclasses import dataclass

from ._imap_commands import Done
from ._imap_mailboxes import Mailboxes
from ._imap_session import Rules, Selected, Session
from ._imap_store import ALWAYS_FLAGS, Account, Mailbox
from ._imap_syntax import Arguments, BadSyntaxError, NumberSet, number_ranges


@dataclass(frozen=True, slots=True)
class Known:
    """What a client says it knows of a mailbox."""

    uid_validity: int
    modseq: int
    uids: NumberSet | None


class Selecting(Mailboxes):
    """Adds the commands that begin and end the selection of a mailbox."""

    def __init__(self, rules: Rules, accounts: dict[str, Account]) -> None:
        super().__init__(rules, accounts)
        self.handlers = {
            **self.handlers,
            "SELECT": ("authenticated", self.select),
            "EXAMINE": ("authenticated", self.examine),
            "CLOSE": ("selected", self.close),
            "UNSELECT": ("selected", self.unselect),
        }

    @staticmethod
    def chosen(session: Session) -> Selected:
        """Return the selected mailbox."""
        assert session.selected is not None
        return session.selected

    async def select(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """SELECT."""
        return await self._select(session, arguments, read_only=False)

    async def examine(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """EXAMINE."""
        return await self._select(session, arguments, read_only=True)

    async def _select(self, session: Session, arguments: Arguments, *, read_only: bool) -> Done:
        arguments.space()
        name = arguments.mailbox()
        known = None
        if self.offers(session, "CONDSTORE") and arguments.skip(b" ("):
            known = self._read_parameters(session, arguments)
        arguments.end()
        if session.selected is not None:
            self.deselect(session)
            if self.offers(session, "QRESYNC"):
                session.untagged("OK [CLOSED] Previous mailbox closed.")
        mailbox = self.mailbox(session, name)
        selected = session.selected = Selected(name, mailbox, read_only, lambda: self.wake(session))
        self._describe(session, selected)
        if known is not None and known.uid_validity == mailbox.uid_validity:
            await self._resynchronize(session, selected, known)
        return Done("Selected.", "READ-ONLY" if read_only else "READ-WRITE")

    def _read_parameters(self, session: Session, arguments: Arguments) -> Known | None:
        known = None
        while True:
            name = arguments.atom()
            if name == "QRESYNC" and "QRESYNC" in session.enabled:
                arguments.space()
                known = _read_known(arguments)
            elif name == "CONDSTORE":
                session.enabled.add("CONDSTORE")
            else:
                raise BadSyntaxError(f"Unknown parameter {name}.")
            if not arguments.skip(b" "):
                break
        arguments.expect(b")")
        return known

    def _describe(self, session: Session, selected: Selected) -> None:
        mailbox, revised = selected.mailbox, "IMAP4REV2" in session.enabled
        flags = " ".join((*ALWAYS_FLAGS, *mailbox.keywords))
        session.untagged(f"FLAGS ({flags})")
        kept = "" if selected.read_only else f"{flags} \\*"
        session.untagged(f"OK [PERMANENTFLAGS ({kept})] {'None' if selected.read_only else 'These'} are kept.")
        session.untagged(f"{len(selected.view)} EXISTS")
        if not revised:
            session.untagged(f"{len(selected.recent)} RECENT")
            unseen = next((n for n, message in enumerate(selected.view, 1) if "\\Seen" not in message.flags), None)
            if unseen is not None:
                session.untagged(f"OK [UNSEEN {unseen}] First unseen.")
        session.untagged(f"OK [UIDVALIDITY {mailbox.uid_validity}] UIDs valid.")
        session.untagged(f"OK [UIDNEXT {mailbox.uid_next}] Predicted next UID.")
        if self.offers(session, "CONDSTORE"):
            session.untagged(f"OK [HIGHESTMODSEQ {mailbox.highest_modseq}] Highest.")
        if self.offers(session, "OBJECTID"):
            session.untagged(f"OK [MAILBOXID ({mailbox.mailbox_id})] Its identity.")
        if revised:
            session.send(b'* LIST () "/" ' + self.encoded(session, selected.name))

    async def _resynchronize(self, session: Session, selected: Selected, known: Known) -> None:
        gone = sorted(uid for modseq, uid in selected.mailbox.vanished if modseq > known.modseq)
        here = [message.uid for message in selected.view]
        if known.uids is not None:
            gone, here = known.uids.among(gone), known.uids.among(here)
        if gone:
            session.untagged(f"VANISHED (EARLIER) {number_ranges(gone)}")
        wanted = set(here)
        for number, message in enumerate(selected.view, 1):
            if message.modseq > known.modseq and message.uid in wanted:
                session.send(session.flags_of(number, message, uid=True))
                await session.relieve()

    def wake(self, session: Session) -> None:
        """Something has happened in the selected mailbox."""

    async def close(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """CLOSE: what is deleted goes, without a word."""
        arguments.end()
        selected = self.chosen(session)
        self.deselect(session)
        deleted = [] if selected.read_only else [m for m in selected.view if "\\Deleted" in m.flags]
        selected.mailbox.expunge(deleted)
        return Done("Close completed.", highest_modseq(session, selected.mailbox) if deleted else "")

    async def unselect(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """UNSELECT (RFC 3691)."""
        arguments.end()
        self.deselect(session)
        return Done("Unselect completed.")


def highest_modseq(session: Session, mailbox: Mailbox) -> str:
    """Return the response code for a client that has enabled QRESYNC (RFC 7162 section 3.2.7)."""
    return f"HIGHESTMODSEQ {mailbox.highest_modseq}" if "QRESYNC" in session.enabled else ""


def _read_known(arguments: Arguments) -> Known:
    arguments.expect(b"(")
    uid_validity = arguments.number()
    arguments.space()
    modseq = arguments.number()
    uids = None
    if arguments.skip(b" ") and not arguments.next_is(b"("):
        uids = arguments.number_set()
        arguments.skip(b" ")
    if arguments.skip(b"("):  # pairs of sequence numbers and UIDs: they would only make the reply shorter
        arguments.number_set()
        arguments.space()
        arguments.number_set()
        arguments.expect(b")")
    arguments.expect(b")")
    return Known(uid_validity, modseq, uids)
