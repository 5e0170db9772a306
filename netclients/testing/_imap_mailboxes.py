"""The embedded IMAP server's commands for whole mailboxes."""

from __future__ import annotations

from ._imap_commands import Commands, Done, RefusedError
from ._imap_lists import Listing, status_items
from ._imap_session import Rules, Selected, Session
from ._imap_store import ALWAYS_FLAGS, Account, Mailbox
from ._imap_syntax import Arguments


class Mailboxes(Commands):
    """Adds the commands that name mailboxes."""

    def __init__(self, rules: Rules, accounts: dict[str, Account]) -> None:
        super().__init__(rules, accounts)
        self.handlers = {
            **self.handlers,
            "SELECT": ("authenticated", self.select),
            "EXAMINE": ("authenticated", self.examine),
            "CREATE": ("authenticated", self.create),
            "DELETE": ("authenticated", self.delete),
            "RENAME": ("authenticated", self.rename),
            "SUBSCRIBE": ("authenticated", self.subscribe),
            "UNSUBSCRIBE": ("authenticated", self.unsubscribe),
            "LIST": ("authenticated", self.list),
            "LSUB": ("authenticated", self.lsub),
            "STATUS": ("authenticated", self.status),
            "NAMESPACE": ("authenticated", self.namespace),
            "CLOSE": ("selected", self.close),
            "UNSELECT": ("selected", self.unselect),
        }

    @staticmethod
    def account(session: Session) -> Account:
        """Return the account of the session's user."""
        assert session.account is not None
        return session.account

    def mailbox(self, session: Session, name: str, code: str = "NONEXISTENT") -> Mailbox:
        """Return a mailbox. Raises RefusedError."""
        found = self.account(session).mailboxes.get(name)
        if found is None:
            raise RefusedError(f"Mailbox doesn't exist: {name}", code)
        return found

    # Selecting

    async def select(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """SELECT."""
        return self._select(session, arguments, read_only=False)

    async def examine(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """EXAMINE."""
        return self._select(session, arguments, read_only=True)

    def _select(self, session: Session, arguments: Arguments, *, read_only: bool) -> Done:
        arguments.space()
        name = arguments.mailbox()
        arguments.end()
        if session.selected is not None:
            self.deselect(session)
        mailbox = self.mailbox(session, name)
        selected = session.selected = Selected(name, mailbox, read_only, lambda: self.wake(session))
        flags = " ".join((*ALWAYS_FLAGS, *mailbox.keywords))
        session.untagged(f"FLAGS ({flags})")
        kept = "" if read_only else f"{flags} \\*"
        session.untagged(f"OK [PERMANENTFLAGS ({kept})] {'None' if read_only else 'These'} are kept.")
        session.untagged(f"{len(selected.view)} EXISTS")
        session.untagged(f"{len(selected.recent)} RECENT")
        unseen = next((n for n, message in enumerate(selected.view, 1) if "\\Seen" not in message.flags), None)
        if unseen is not None:
            session.untagged(f"OK [UNSEEN {unseen}] First unseen.")
        session.untagged(f"OK [UIDVALIDITY {mailbox.uid_validity}] UIDs valid")
        session.untagged(f"OK [UIDNEXT {mailbox.uid_next}] Predicted next UID")
        self.selected(session, mailbox)
        return Done("Selected.", "READ-ONLY" if read_only else "READ-WRITE")

    def selected(self, session: Session, mailbox: Mailbox) -> None:
        """Tell what extensions have to say of a mailbox that is selected."""

    def wake(self, session: Session) -> None:
        """Something has happened in the selected mailbox."""

    async def close(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """CLOSE: what is deleted goes, without a word."""
        arguments.end()
        selected = session.selected
        assert selected is not None
        self.deselect(session)
        if not selected.read_only:
            selected.mailbox.expunge([m for m in selected.view if "\\Deleted" in m.flags])
        return Done("Close completed.")

    async def unselect(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """UNSELECT (RFC 3691)."""
        arguments.end()
        self.deselect(session)
        return Done("Unselect completed.")

    # Mailboxes

    async def create(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """CREATE."""
        arguments.space()
        name = arguments.mailbox().rstrip("/")
        arguments.end()
        if not name or "//" in name or name.startswith("/"):
            raise RefusedError("Invalid mailbox name.", "CANNOT")
        if name in self.account(session).mailboxes:
            raise RefusedError("Mailbox already exists.", "ALREADYEXISTS")
        self.account(session).create(name)
        return Done("Create completed.")

    async def delete(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """DELETE."""
        arguments.space()
        name = arguments.mailbox()
        arguments.end()
        mailbox = self.mailbox(session, name)
        if name == "INBOX":
            raise RefusedError("INBOX can't be deleted.", "CANNOT")
        if session.selected is not None and session.selected.mailbox is mailbox:
            self.deselect(session)
        self.account(session).delete(name)
        return Done("Delete completed.")

    async def rename(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """RENAME."""
        arguments.space()
        old = arguments.mailbox()
        arguments.space()
        new = arguments.mailbox().rstrip("/")
        arguments.end()
        self.mailbox(session, old)
        try:
            self.account(session).rename(old, new)
        except KeyError:
            raise RefusedError("Target mailbox already exists.", "ALREADYEXISTS") from None
        return Done("Rename completed.")

    async def subscribe(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """SUBSCRIBE."""
        arguments.space()
        name = arguments.mailbox()
        arguments.end()
        self.mailbox(session, name)
        self.account(session).subscriptions.add(name)
        return Done("Subscribe completed.")

    async def unsubscribe(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """UNSUBSCRIBE."""
        arguments.space()
        self.account(session).subscriptions.discard(arguments.mailbox())
        arguments.end()
        return Done("Unsubscribe completed.")

    async def list(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """LIST, and LIST-EXTENDED (RFC 5258)."""
        self._listing(session).list(arguments)
        return Done("List completed.")

    async def lsub(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """LSUB."""
        self._listing(session).lsub(arguments)
        return Done("Lsub completed.")

    def _listing(self, session: Session) -> Listing:
        return Listing(session, self.account(session), lambda name: self.offers(session, name))

    async def status(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """STATUS."""
        arguments.space()
        name = arguments.mailbox()
        arguments.space()
        items = status_items(arguments, lambda capability: self.offers(session, capability))
        arguments.end()
        mailbox = self.mailbox(session, name)
        self._listing(session).status(name, mailbox, items)
        return Done("Status completed.")

    async def namespace(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """NAMESPACE (RFC 2342)."""
        arguments.end()
        session.untagged('NAMESPACE (("" "/")) NIL NIL')
        return Done("Namespace completed.")
