"""SEARCH, SORT and THREAD of the embedded IMAP server, with ESEARCH (RFC 4731) and SEARCHRES (RFC 5182)."""

from __future__ import annotations

from collections.abc import Collection

from ._imap_commands import Done, RefusedError
from ._imap_reading import Reading
from ._imap_search import Criteria
from ._imap_session import Rules, Session
from ._imap_sort import SORT_KEYS, sort_key
from ._imap_store import Account, Stored
from ._imap_syntax import Arguments, BadSyntaxError, number_ranges
from ._imap_threads import THREADERS

_RETURNED = frozenset(("MIN", "MAX", "ALL", "COUNT", "SAVE"))

Found = list[tuple[int, Stored]]


class Finding(Reading):
    """Adds SEARCH, SORT and THREAD."""

    def __init__(self, rules: Rules, accounts: dict[str, Account]) -> None:
        super().__init__(rules, accounts)
        self.handlers = {
            **self.handlers,
            "SEARCH": ("selected", self.search),
            "SORT": ("selected", self.sort),
            "THREAD": ("selected", self.thread),
        }

    async def search(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """SEARCH."""
        arguments.space()
        returned: Collection[str] = ()
        extended = self.offers(session, "ESEARCH") and arguments.skip(b"RETURN (")
        if extended:
            returned = self._read_returned(session, arguments)
            arguments.space()
        if arguments.skip(b"CHARSET "):
            _read_charset(arguments)
            arguments.space()
        found, modseq = self._matching(session, arguments, uid)
        if "SAVE" in returned:
            self._save(session, found, returned)
        if extended or "IMAP4REV2" in session.enabled:
            self._tell_extended(session, found, returned, uid, modseq)
        else:
            numbers = "".join(f" {message.uid if uid else number}" for number, message in found)
            session.untagged(f"SEARCH{numbers}{f' (MODSEQ {modseq})' if modseq else ''}")
        return Done("Search completed.")

    def _read_returned(self, session: Session, arguments: Arguments) -> Collection[str]:
        found = set()
        while not arguments.skip(b")"):
            arguments.skip(b" ")
            option = arguments.atom()
            if option not in _RETURNED or (option == "SAVE" and not self.offers(session, "SEARCHRES")):
                raise BadSyntaxError(f"Unknown option {option}.")
            found.add(option)
        return found or {"ALL"}

    def _matching(self, session: Session, arguments: Arguments, uid: bool) -> tuple[Found, int]:
        """Return what meets the criteria, and the highest mod-sequence of that if they name MODSEQ, otherwise 0."""
        criteria = Criteria(arguments, self.chosen(session), lambda name: self.offers(session, name))
        test = criteria.read()
        arguments.end()
        if criteria.numbers and uid and session.hazard:
            self.object_to(session, f"searched by sequence number behind {session.hazard}, before its reply")
        found = [
            (number, message)
            for number, message in enumerate(self.chosen(session).view, 1)
            if not message.expunged and test(number, message)
        ]
        if criteria.modseq:
            session.enabled.add("CONDSTORE")
            return found, max((message.modseq for _, message in found), default=0)
        return found, 0

    def _save(self, session: Session, found: Found, returned: Collection[str]) -> None:
        uids = [message.uid for _, message in found]
        if uids and not {"ALL", "COUNT"} & {*returned} and {"MIN", "MAX"} & {*returned}:
            uids = [uids[index] for option, index in (("MIN", 0), ("MAX", -1)) if option in returned]
        self.chosen(session).saved = uids

    def _tell_extended(self, session: Session, found: Found, returned: Collection[str], uid: bool, modseq: int) -> None:
        if returned == {"SAVE"}:
            return
        numbers = [message.uid if uid else number for number, message in found]
        parts = [f'ESEARCH (TAG "{session.tag}")', *(["UID"] if uid else [])]
        if numbers:
            parts += [f"MIN {numbers[0]}"] if "MIN" in returned else []
            parts += [f"MAX {numbers[-1]}"] if "MAX" in returned else []
            parts += [f"ALL {number_ranges(numbers)}"] if "ALL" in returned or not returned else []
        parts += [f"COUNT {len(numbers)}"] if "COUNT" in returned else []
        parts += [f"MODSEQ {modseq}"] if modseq else []
        session.untagged(" ".join(parts))

    async def sort(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """SORT (RFC 5256)."""
        arguments.space()
        arguments.expect(b"(")
        keys: list[tuple[str, bool]] = []
        reverse = False
        while not arguments.skip(b")"):
            arguments.skip(b" ")
            name = arguments.atom()
            if name != "REVERSE" and name not in SORT_KEYS:
                raise BadSyntaxError(f"Unknown sort key {name}.")
            if name != "REVERSE":
                keys.append((name, reverse))
            reverse = name == "REVERSE"
        if not keys or reverse:
            raise BadSyntaxError("A sort key is missing.")
        found, modseq = self._charted(session, arguments, uid)
        for name, backwards in reversed(keys):
            found.sort(key=sort_key(name), reverse=backwards)
        numbers = "".join(f" {message.uid if uid else number}" for number, message in found)
        session.untagged(f"SORT{numbers}{f' (MODSEQ {modseq})' if modseq else ''}")
        return Done("Sort completed.")

    def _charted(self, session: Session, arguments: Arguments, uid: bool) -> tuple[Found, int]:
        """Read a charset and criteria, and return what meets them."""
        arguments.space()
        _read_charset(arguments)
        arguments.space()
        return self._matching(session, arguments, uid)

    async def thread(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """THREAD (RFC 5256)."""
        arguments.space()
        algorithm = arguments.atom()
        if algorithm not in THREADERS or not self.offers(session, f"THREAD={algorithm}"):
            raise BadSyntaxError(f"Unknown algorithm {algorithm}.")
        found, _ = self._charted(session, arguments, uid)
        threads = "".join(thread.shown(uid=uid) for thread in THREADERS[algorithm](found))
        session.untagged(f"THREAD {threads}".rstrip())
        return Done("Thread completed.")


def _read_charset(arguments: Arguments) -> None:
    if arguments.text().upper() not in ("UTF-8", "US-ASCII"):
        raise RefusedError("Unknown charset.", "BADCHARSET (US-ASCII UTF-8)")
