"""The embedded IMAP server's commands for whole mailboxes."""

from __future__ import annotations

from ._imap_commands import Commands, Done, RefusedError
from ._imap_lists import Listing, status_items
from ._imap_session import Rules, Session
from ._imap_store import Account, Mailbox
from ._imap_syntax import Arguments, mailbox_name


class Mailboxes(Commands):
    """Adds the commands that name mailboxes."""

    def __init__(self, rules: Rules, accounts: dict[str, Account]) -> None:
        super().__init__(rules, accounts)
        self.handlers = {
            **self.handlers,
            "CREATE": ("authenticated", self.create),
            "DELETE": ("authenticated", self.delete),
            "RENAME": ("authenticated", self.rename),
            "SUBSCRIBE": ("authenticated", self.subscribe),
            "UNSUBSCRIBE": ("authenticated", self.unsubscribe),
            "LIST": ("authenticated", self.list),
            "LSUB": ("authenticated", self.lsub),
            "STATUS": ("authenticated", self.status),
            "NAMESPACE": ("authenticated", self.namespace),
            "GETQUOTA": ("authenticated", self.getquota),
            "GETQUOTAROOT": ("authenticated", self.getquotaroot),
            "SETQUOTA": ("authenticated", self.setquota),
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

    # Mailboxes

    async def create(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """CREATE."""
        arguments.space()
        name = arguments.mailbox().rstrip("/")
        special_use = None
        if self.offers(session, "CREATE-SPECIAL-USE") and arguments.skip(b" (USE ("):
            special_use = arguments.special_use()
            arguments.expect(b"))")
        arguments.end()
        if not name or "//" in name or name.startswith("/"):
            raise RefusedError("Invalid mailbox name.", "CANNOT")
        if name in self.account(session).mailboxes:
            raise RefusedError("Mailbox already exists.", "ALREADYEXISTS")
        mailbox = self.account(session).create(name, special_use)
        code = f"MAILBOXID ({mailbox.mailbox_id})" if self.offers(session, "OBJECTID") else ""
        return Done("Create completed.", code)

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
        if "HIGHESTMODSEQ" in items:
            session.enabled.add("CONDSTORE")
        self._listing(session).status(name, mailbox, items)
        return Done("Status completed.")

    async def namespace(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """NAMESPACE (RFC 2342)."""
        arguments.end()
        session.untagged('NAMESPACE (("" "/")) NIL NIL')
        return Done("Namespace completed.")

    # Quotas (RFC 9208): one for all of an account

    async def getquota(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """GETQUOTA."""
        arguments.space()
        if arguments.text():
            raise RefusedError("No such quota root.")
        arguments.end()
        self._tell_quota(session)
        return Done("Getquota completed.")

    async def getquotaroot(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """GETQUOTAROOT."""
        arguments.space()
        name = arguments.mailbox()
        arguments.end()
        self.mailbox(session, name)
        session.send(b"* QUOTAROOT " + self.encoded(session, name) + b' ""')
        self._tell_quota(session)
        return Done("Getquotaroot completed.")

    async def setquota(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """SETQUOTA: users may not."""
        raise RefusedError("That is not yours to change.", "NOPERM")

    def _tell_quota(self, session: Session) -> None:
        limit = self.rules.quota
        used = -(-self.account(session).size // 1024)
        session.untagged('QUOTA "" ()' if limit is None else f'QUOTA "" (STORAGE {used} {limit // 1024})')

    @staticmethod
    def encoded(session: Session, name: str) -> bytes:
        """Return a mailbox name as this session reads it."""
        return mailbox_name(name, utf8=bool(session.enabled & {"UTF8=ACCEPT", "IMAP4REV2"}))
