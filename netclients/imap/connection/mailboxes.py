"""Commands about mailboxes as a whole (RFC 9051 section 6.3, and extensions)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netclients.errors import ProtocolError
from netclients.imap import arguments
from netclients.imap.arguments import Piece
from netclients.imap.commands import Subject, command
from netclients.imap.connection.dialogue import Dialogue
from netclients.imap.names import decode_mailbox
from netclients.imap.types import ListedMailbox, MailboxStatus, Metadata, Namespaces, Quota, QuotaRoot
from netclients.pending import Pending

if TYPE_CHECKING:
    from netclients.imap.arguments import NumberSet
    from netclients.imap.commands import Command
    from netclients.imap.selected import Selected
    from netclients.imap.types import Response, Status

__all__ = ["Mailboxes"]

# Within the class, list is a command.
_Listing = list[tuple[ListedMailbox, MailboxStatus | None]]
_Annotations = list[Metadata]


class Mailboxes(Dialogue):
    """Mailbox commands. Names are text; bytes are sent as they are (``raw_name`` of a listed mailbox)."""

    def select(
        self,
        mailbox: str | bytes,
        *,
        readonly: bool = False,
        condstore: bool = False,
        qresync: tuple[int, int] | tuple[int, int, NumberSet] | None = None,
    ) -> Pending[Selected]:
        """SELECT, or EXAMINE if ``readonly``: open a mailbox (sections 6.3.2 and 6.3.3).

        ``condstore`` asks for mod-sequences, ``qresync`` (UIDVALIDITY, mod-sequence, and the known UIDs if wanted) for
        what has changed since (RFC 7162): that comes as untagged data.

        Raises:
            UnsupportedError: the server lacks the extension.
        """
        words: list[Piece | Sequence[Piece]] = [self._name(mailbox)]
        if qresync is not None:
            self.require("QRESYNC")
            known = b" " + arguments.uid_set(qresync[2]) if len(qresync) == 3 else b""
            words.append(
                b"(QRESYNC (%b %b%b))" % (arguments.number(qresync[0], 1), arguments.modseq(qresync[1]), known)
            )
        elif condstore:
            self.require("CONDSTORE", "QRESYNC")
            words.append(b"(CONDSTORE)")
        shown = mailbox if isinstance(mailbox, str) else mailbox.decode("utf-8", "replace")
        sent = replace(command("EXAMINE" if readonly else "SELECT", *words), mailbox=shown)
        return Pending(self, self.submit(sent), lambda _: self._opened())

    def _opened(self) -> Selected:
        selected = self.selected
        if selected is None:
            raise ProtocolError("no mailbox is open any more")
        return selected

    def unselect(self) -> Pending[None]:
        """UNSELECT: no mailbox is open any more, and nothing is expunged (RFC 3691).

        Raises:
            UnsupportedError: the server has no UNSELECT.
        """
        self.require("UNSELECT", "IMAP4REV2")
        return self.done(command("UNSELECT"))

    def close_mailbox(self) -> Pending[None]:
        r"""CLOSE: expunge ALL that anybody has marked as ``\Deleted``, and have no mailbox open (section 6.4.1)."""
        return self.done(command("CLOSE"))

    def check(self) -> Pending[None]:
        """CHECK: let the server tidy the mailbox up (RFC 3501 section 6.4.1)."""
        return self.done(command("CHECK"))

    def create(self, mailbox: str | bytes, *, special_use: str | None = None) -> Pending[Status]:
        r"""CREATE a mailbox (section 6.3.4), for a use such as ``"\\Archive"`` if wanted (RFC 6154).

        Raises:
            UnsupportedError: the server has no CREATE-SPECIAL-USE.
        """
        if special_use is None:
            return self.begin(command("CREATE", self._name(mailbox)))
        self.require("CREATE-SPECIAL-USE")
        return self.begin(command("CREATE", self._name(mailbox), b"(USE (%b))" % arguments.flag(special_use)))

    def delete(self, mailbox: str | bytes) -> Pending[None]:
        """DELETE a mailbox with all its messages (section 6.3.5)."""
        return self.done(command("DELETE", self._name(mailbox)))

    def rename(self, old: str | bytes, new: str | bytes) -> Pending[None]:
        """RENAME a mailbox, and those below it (section 6.3.6)."""
        return self.done(command("RENAME", self._name(old), self._name(new)))

    def subscribe(self, mailbox: str | bytes) -> Pending[None]:
        """SUBSCRIBE (section 6.3.7)."""
        return self.done(command("SUBSCRIBE", self._name(mailbox)))

    def unsubscribe(self, mailbox: str | bytes) -> Pending[None]:
        """UNSUBSCRIBE (section 6.3.8)."""
        return self.done(command("UNSUBSCRIBE", self._name(mailbox)))

    def list(
        self,
        pattern: str | Iterable[str] = "*",
        *,
        reference: str = "",
        select: Iterable[str] = (),
        returns: Iterable[str] = (),
        status: Iterable[str] = (),
    ) -> Pending[_Listing]:
        """LIST mailboxes that match (section 6.3.9); ``%`` stops at a level, ``*`` does not.

        ``select`` and ``returns`` are options of RFC 5258, such as ``"SUBSCRIBED"``, ``"CHILDREN"``, ``"SPECIAL-USE"``
        (RFC 6154); ``status``: items of STATUS for each of them (RFC 5819), such as ``"MESSAGES"``.

        Raises:
            UnsupportedError: the server lacks the extension that an option needs.
        """
        patterns = (pattern,) if isinstance(pattern, str) else tuple(pattern)
        selects = [arguments.atom(name) for name in select]
        wanted = [arguments.atom(name) for name in returns]
        if status:
            self.require("LIST-STATUS", "IMAP4REV2")
            wanted.append(b"STATUS " + arguments.status_items(status))
        if selects or wanted or len(patterns) > 1:
            self.require("LIST-EXTENDED", "IMAP4REV2", "SPECIAL-USE")
        utf8 = self.protocol.utf8
        globs = [arguments.list_pattern(each, utf8=utf8) for each in patterns]
        words: list[Piece | Sequence[Piece]] = [b"(%b)" % b" ".join(selects)] if selects else []
        words.append(self._name(reference) if reference else b'""')
        words.append(globs[0] if len(globs) == 1 else arguments.parenthesized(*globs))
        if wanted:
            words.append(b"RETURN (%b)" % b" ".join(wanted))
        return self._listed(command("LIST", *words))

    def lsub(self, pattern: str = "*", *, reference: str = "") -> Pending[_Listing]:
        """LSUB: list subscribed mailboxes, for servers without LIST-EXTENDED (RFC 3501 section 6.3.9)."""
        glob = arguments.list_pattern(pattern, utf8=self.protocol.utf8)
        return self._listed(command("LSUB", self._name(reference) if reference else b'""', glob))

    def _listed(self, sent: Command) -> Pending[_Listing]:
        mailboxes: list[ListedMailbox] = []
        counts: dict[str, MailboxStatus] = {}

        def collect(response: Response) -> bool:
            if isinstance(response, ListedMailbox):
                mailboxes.append(response)
            elif isinstance(response, MailboxStatus):
                counts[response.name] = response
            else:
                return False
            return True

        ticket = self.submit(sent.collecting(collect))
        return Pending(self, ticket, lambda _: [(mailbox, counts.get(mailbox.name)) for mailbox in mailboxes])

    async def namespace(self) -> Namespaces:
        """NAMESPACE: where one's own mailboxes are, those of others, and those shared (RFC 2342)."""
        self.require("NAMESPACE", "IMAP4REV2")
        found = await self.gather(command("NAMESPACE"), Namespaces)
        return found[-1] if found else Namespaces((), (), ())

    def status(self, mailbox: str | bytes, items: Iterable[str] = ("MESSAGES",)) -> Pending[MailboxStatus]:
        """STATUS: counts of a mailbox that need not be open (section 6.3.11, RFC 7162, RFC 8438, RFC 8474)."""
        sent = command("STATUS", self._name(mailbox), arguments.status_items(items))
        name = mailbox if isinstance(mailbox, str) else decode_mailbox(mailbox, utf8=self.protocol.utf8)
        found: list[MailboxStatus] = []

        def collect(response: Response) -> bool:
            if not isinstance(response, MailboxStatus) or not _same(response.name, name):
                return False
            found.append(response)
            return True

        def result(_: Status) -> MailboxStatus:
            if not found:
                raise ProtocolError("the server does not say the status of the mailbox")
            return found[-1]

        about = Subject("mailbox", detail="INBOX" if name.upper() == "INBOX" else name)
        return Pending(self, self.submit(replace(sent, collect=collect, about=about)), result)

    async def getquota(self, root: str) -> Quota:
        """GETQUOTA: how much of a quota root is used (RFC 9208 section 4.1)."""
        self.require("QUOTA")
        found = await self.gather(command("GETQUOTA", arguments.astring(root)), Quota)
        return found[-1] if found else Quota(root, {})

    def getquotaroot(self, mailbox: str | bytes) -> Pending[tuple[QuotaRoot | None, tuple[Quota, ...]]]:
        """GETQUOTAROOT: which quotas hold for a mailbox, and how much of them is used (RFC 9208 section 4.2)."""
        self.require("QUOTA")
        roots: list[QuotaRoot] = []
        quotas: list[Quota] = []

        def collect(response: Response) -> bool:
            if isinstance(response, QuotaRoot):
                roots.append(response)
            elif isinstance(response, Quota):
                quotas.append(response)
            else:
                return False
            return True

        ticket = self.submit(command("GETQUOTAROOT", self._name(mailbox)).collecting(collect))
        return Pending(self, ticket, lambda _: (roots[-1] if roots else None, tuple(quotas)))

    async def setquota(self, root: str, limits: Mapping[str, int]) -> Quota | None:
        """SETQUOTA: limits by resource, STORAGE in KiB (RFC 9208 section 4.3); for administrators mostly."""
        self.require("QUOTA", "QUOTASET")
        pairs = b" ".join(b"%b %b" % (arguments.atom(name), arguments.number(limit)) for name, limit in limits.items())
        found = await self.gather(command("SETQUOTA", arguments.astring(root), b"(%b)" % pairs), Quota)
        return found[-1] if found else None

    def getmetadata(self, mailbox: str | bytes, entries: Iterable[str]) -> Pending[_Annotations]:
        """GETMETADATA: annotations of a mailbox, or of the server if its name is empty (RFC 5464 section 4.2)."""
        self.require("METADATA", "METADATA-SERVER")
        names = [arguments.astring(entry) for entry in entries]
        return self.gather(
            command("GETMETADATA", self._name(mailbox) if mailbox else b'""', arguments.parenthesized(*names)),
            Metadata,
        )

    def setmetadata(self, mailbox: str | bytes, entries: Mapping[str, str | bytes | None]) -> Pending[None]:
        """SETMETADATA: set annotations; None removes one (RFC 5464 section 4.3)."""
        self.require("METADATA", "METADATA-SERVER")
        words: list[Piece] = []
        for entry, value in entries.items():
            words += [arguments.astring(entry), b"NIL" if value is None else arguments.string(value)]
        return self.done(
            command("SETMETADATA", self._name(mailbox) if mailbox else b'""', arguments.parenthesized(*words))
        )

    def _name(self, mailbox: str | bytes) -> Piece:
        return arguments.mailbox(mailbox, utf8=self.protocol.utf8)


def _same(one: str, other: str) -> bool:
    return one == other or one.upper() == other.upper() == "INBOX"
