"""LIST, LSUB and STATUS of the embedded IMAP server (RFC 3501, 5258, 5819, 6154)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from ._imap_session import Session
from ._imap_store import Account, Mailbox
from ._imap_syntax import Arguments, BadSyntaxError, mailbox_name

Offers = Callable[[str], bool]

_STATUS: Mapping[str, tuple[str, Callable[[Mailbox], str]]] = {
    "MESSAGES": ("", lambda mailbox: f"{len(mailbox.messages)}"),
    "RECENT": ("", lambda mailbox: f"{sum(message.recent for message in mailbox.messages)}"),
    "UIDNEXT": ("", lambda mailbox: f"{mailbox.uid_next}"),
    "UIDVALIDITY": ("", lambda mailbox: f"{mailbox.uid_validity}"),
    "UNSEEN": ("", lambda mailbox: f"{mailbox.unseen}"),
    "HIGHESTMODSEQ": ("CONDSTORE", lambda mailbox: f"{mailbox.highest_modseq}"),
    "SIZE": ("STATUS=SIZE", lambda mailbox: f"{mailbox.size}"),
    "MAILBOXID": ("OBJECTID", lambda mailbox: f"({mailbox.mailbox_id})"),
    "DELETED": ("QUOTA", lambda mailbox: f"{len(mailbox.deleted)}"),
    "DELETED-STORAGE": ("QUOTA", lambda mailbox: f"{sum(len(message.raw) for message in mailbox.deleted)}"),
}


def status_items(arguments: Arguments, offers: Offers) -> list[str]:
    """Return the items in parentheses. Raises BadSyntaxError."""
    arguments.expect(b"(")
    items = [arguments.atom()]
    while arguments.skip(b" "):
        items.append(arguments.atom())
    arguments.expect(b")")
    for item in items:
        needs = _STATUS.get(item, ("unknown",))[0]
        if item not in _STATUS or (needs and not offers(needs)):
            raise BadSyntaxError(f"Unknown status item {item}.")
    return items


@dataclass(slots=True)
class Asked:
    """What a LIST asks for."""

    reference: str = ""
    patterns: tuple[str, ...] = ()
    selection: Collection[str] = ()
    returned: Collection[str] = ()
    items: Collection[str] = ()
    extended: bool = False


class Listing:
    """Lists the mailboxes of an account to a session."""

    def __init__(self, session: Session, account: Account, offers: Offers) -> None:
        self._session = session
        self._account = account
        self._offers = offers

    def list(self, arguments: Arguments) -> None:
        """Answer LIST. Raises BadSyntaxError."""
        asked = self._read(arguments)
        if asked.patterns == ("",) and not asked.extended:
            self._session.untagged('LIST (\\Noselect) "/" ""')
            return
        for name, attributes, extra in self._listed(asked):
            self._say("LIST", name, attributes, extra)
            if "STATUS" in asked.returned and (mailbox := self._account.mailboxes.get(name)) is not None:
                self.status(name, mailbox, asked.items)

    def lsub(self, arguments: Arguments) -> None:
        """Answer LSUB. Raises BadSyntaxError."""
        arguments.space()
        reference = arguments.mailbox()
        arguments.space()
        pattern = _compiled(reference, arguments.pattern())
        arguments.end()
        above: set[str] = set()
        for name in sorted(self._account.subscriptions):
            if pattern.fullmatch(name):
                self._say("LSUB", name, [])
                continue
            # RFC 3501 section 6.3.9: with % a name stands for what is subscribed below it.
            for parent in _parents(name):
                if pattern.fullmatch(parent) and parent not in self._account.subscriptions | above:
                    above.add(parent)
                    self._say("LSUB", parent, ["\\Noselect"])

    def status(self, name: str, mailbox: Mailbox, items: Collection[str]) -> None:
        """Queue a STATUS."""
        values = " ".join(f"{item} {_STATUS[item][1](mailbox)}" for item in items)
        self._session.send(b"* STATUS " + self._encoded(name) + f" ({values})".encode())

    def _say(self, kind: str, name: str, attributes: Collection[str], extra: str = "") -> None:
        head = f'* {kind} ({" ".join(attributes)}) "/" '.encode()
        self._session.send(head + self._encoded(name) + extra.encode())

    def _encoded(self, name: str) -> bytes:
        return mailbox_name(name, utf8=bool(self._session.enabled & {"UTF8=ACCEPT", "IMAP4REV2"}))

    def _read(self, arguments: Arguments) -> Asked:
        asked = Asked()
        extended = self._offers("LIST-EXTENDED")
        arguments.space()
        if extended and arguments.skip(b"("):
            asked.extended = True
            asked.selection = _options(arguments, {"SUBSCRIBED", "REMOTE", "RECURSIVEMATCH", "SPECIAL-USE"})
            if set(asked.selection) == {"RECURSIVEMATCH"}:
                raise BadSyntaxError("RECURSIVEMATCH alone makes no sense.")
            arguments.space()
        asked.reference = arguments.mailbox()
        arguments.space()
        if extended and arguments.skip(b"("):
            asked.extended = True
            patterns = [arguments.pattern()]
            while arguments.skip(b" "):
                patterns.append(arguments.pattern())
            arguments.expect(b")")
            asked.patterns = tuple(patterns)
        else:
            asked.patterns = (arguments.pattern(),)
        if extended and arguments.skip(b" RETURN ("):
            asked.extended = True
            asked.returned = self._returned(asked, arguments)
        arguments.end()
        return asked

    def _returned(self, asked: Asked, arguments: Arguments) -> Collection[str]:
        found = set()
        while not arguments.skip(b")"):
            arguments.skip(b" ")
            option = arguments.atom()
            if option not in ("SUBSCRIBED", "CHILDREN", "SPECIAL-USE", "STATUS"):
                raise BadSyntaxError(f"Unknown option {option}.")
            if option == "STATUS":
                if not self._offers("LIST-STATUS"):
                    raise BadSyntaxError("Unknown option STATUS.")
                arguments.space()
                asked.items = status_items(arguments, self._offers)
            found.add(option)
        return found

    def _listed(self, asked: Asked) -> Iterator[tuple[str, Collection[str], str]]:
        account = self._account
        patterns = [_compiled(asked.reference, pattern) for pattern in asked.patterns]
        subscribed = "SUBSCRIBED" in asked.selection
        names = set(account.mailboxes)
        if subscribed:
            names |= account.subscriptions
        if not subscribed or "RECURSIVEMATCH" in asked.selection:
            names.update(parent for name in tuple(names) for parent in _parents(name))
        for name in sorted(names):
            if not any(pattern.fullmatch(name) for pattern in patterns):
                continue
            mailbox = account.mailboxes.get(name)
            chosen = (not subscribed or name in account.subscriptions) and (
                "SPECIAL-USE" not in asked.selection or (mailbox is not None and mailbox.special_use is not None)
            )
            extra = ""
            if "RECURSIVEMATCH" in asked.selection and subscribed:
                below = {other for other in account.subscriptions if other.startswith(f"{name}/")}
                # Told only for what the patterns don't reach (RFC 5258 section 3.5).
                if any(not any(pattern.fullmatch(other) for pattern in patterns) for other in below):
                    extra = ' ("CHILDINFO" ("SUBSCRIBED"))'
            if chosen or extra:
                yield name, self._attributes(name, mailbox, asked), extra

    def _attributes(self, name: str, mailbox: Mailbox | None, asked: Asked) -> Collection[str]:
        attributes = []
        if mailbox is None:
            attributes.append("\\NonExistent" if asked.extended else "\\Noselect")
        if self._offers("CHILDREN"):
            has = any(True for _ in self._account.children(name))
            attributes.append("\\HasChildren" if has else "\\HasNoChildren")
        if mailbox is not None and mailbox.special_use is not None and self._offers("SPECIAL-USE"):
            attributes.append(mailbox.special_use)
        if name in self._account.subscriptions and ({*asked.selection, *asked.returned} & {"SUBSCRIBED"}):
            attributes.append("\\Subscribed")
        return attributes


def _options(arguments: Arguments, known: Collection[str]) -> Collection[str]:
    found = set()
    while not arguments.skip(b")"):
        arguments.skip(b" ")
        option = arguments.atom()
        if option not in known:
            raise BadSyntaxError(f"Unknown option {option}.")
        found.add(option)
    return found


def _parents(name: str) -> Iterator[str]:
    parts = name.split("/")
    for depth in range(len(parts) - 1, 0, -1):
        yield "/".join(parts[:depth])


def _compiled(reference: str, pattern: str) -> re.Pattern[str]:
    text = "".join({"*": ".*", "%": "[^/]*"}.get(c) or re.escape(c) for c in reference + pattern)
    # INBOX is the same in any case (RFC 3501 section 5.1).
    return re.compile(re.sub(r"\A(?i:inbox)(?=/|\Z)", "INBOX", text), re.DOTALL)
