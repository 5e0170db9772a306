"""The open mailbox, as the server has described it so far (RFC 9051 sections 2.3, 6.3.2 and 7)."""

from __future__ import annotations

from netclients.imap.types import Code, Expunge, Flags, Number, Response, Vanished

__all__ = ["Selected"]


class Selected:
    """One mailbox from SELECT or EXAMINE on.

    ``exists``: messages in it now. ``recent``, ``unseen`` (the first one's sequence number), ``uid_next``,
    ``uid_validity``, ``highest_modseq``, ``mailbox_id`` are 0 or None if the server did not say. ``flags`` are those in
    use; ``permanent_flags`` those that can be set for good, with ``\\*`` if new ones can be made. ``modseqs``: it keeps
    mod-sequences (CONDSTORE, RFC 7162).
    """

    __slots__ = (
        "exists",
        "flags",
        "highest_modseq",
        "mailbox_id",
        "modseqs",
        "name",
        "permanent_flags",
        "readonly",
        "recent",
        "uid_next",
        "uid_validity",
        "uids_persist",
        "unseen",
    )

    def __init__(self, name: str, *, readonly: bool) -> None:
        self.name: str = name
        self.readonly: bool = readonly
        self.exists: int = 0
        self.recent: int = 0
        self.unseen: int | None = None
        self.uid_next: int | None = None
        self.uid_validity: int = 0
        self.uids_persist: bool = True
        self.highest_modseq: int | None = None
        self.modseqs: bool = False
        self.mailbox_id: str | None = None
        self.flags: tuple[str, ...] = ()
        self.permanent_flags: tuple[str, ...] | None = None

    def hear(self, response: Response) -> None:
        """Take untagged data."""
        match response:
            case Number(name="EXISTS", value=value):
                self.exists = value
            case Number(name="RECENT", value=value):
                self.recent = value
            case Expunge():
                self.exists = max(0, self.exists - 1)
            case Vanished(earlier=False, ranges=ranges):
                self.exists = max(0, self.exists - sum(last - first + 1 for first, last in ranges))
            case Flags(flags=flags):
                self.flags = flags
            case _:
                pass

    def hear_code(self, code: Code) -> None:
        """Take a response code."""
        match code:
            case Code(name="UIDVALIDITY", value=int(value)):
                self.uid_validity = value
            case Code(name="UIDNEXT", value=int(value)):
                self.uid_next = value
            case Code(name="UNSEEN", value=int(value)):
                self.unseen = value
            case Code(name="HIGHESTMODSEQ", value=int(value)):
                self.highest_modseq = value
                self.modseqs = True
            case Code(name="NOMODSEQ"):
                self.modseqs = False
            case Code(name="UIDNOTSTICKY"):
                self.uids_persist = False
            case Code(name="MAILBOXID", value=str(value)):
                self.mailbox_id = value
            case Code(name="PERMANENTFLAGS", value=tuple(value)):
                self.permanent_flags = tuple(str(flag) for flag in value)
            case Code(name="READ-ONLY"):
                self.readonly = True
            case Code(name="READ-WRITE"):
                self.readonly = False
            case _:
                pass
