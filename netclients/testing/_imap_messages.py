"""APPEND, COPY, MOVE, EXPUNGE and IDLE of the embedded IMAP server."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import email.utils
import re
import ssl
from collections.abc import Callable, Iterable

from ._imap_commands import Done, RefusedError
from ._imap_finding import Finding
from ._imap_selecting import highest_modseq
from ._imap_session import Rules, Session
from ._imap_store import Account, Stored
from ._imap_syntax import Arguments, BadSyntaxError, number_ranges
from ._mail_session import CutError

_DATE_TIME = re.compile(rb'"([ \d]\d-[A-Za-z]{3}-\d{4} \d\d:\d\d:\d\d [+-]\d{4})"')


class Messages(Finding):
    """Adds the commands that make messages and let them go, and IDLE."""

    def __init__(self, rules: Rules, accounts: dict[str, Account]) -> None:
        super().__init__(rules, accounts)
        self.handlers = {
            **self.handlers,
            "APPEND": ("authenticated", self.append),
            "CHECK": ("selected", self.noop),
            "EXPUNGE": ("selected", self.expunge),
            "COPY": ("selected", self.copy),
            "MOVE": ("selected", self.move),
            "IDLE": ("authenticated", self.idle),
        }

    # Changing

    async def expunge(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """EXPUNGE, and UID EXPUNGE (RFC 4315)."""
        selected = self.writable(session)
        candidates: Iterable[Stored] = selected.view
        if uid:
            arguments.space()
            candidates = [message for _, message in selected.numbered(arguments.number_set(), uid=True)]
        arguments.end()
        deleted = [message for message in candidates if "\\Deleted" in message.flags]
        selected.mailbox.expunge(deleted)
        return Done("Expunge completed.", highest_modseq(session, selected.mailbox) if deleted else "")

    async def append(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """APPEND: all messages or none (RFC 3502)."""
        arguments.space()
        name = arguments.mailbox()
        messages = [self._read_message(session, arguments)]
        while not arguments.at_end and self.offers(session, "MULTIAPPEND"):
            messages.append(self._read_message(session, arguments))
        arguments.end()
        mailbox = self.mailbox(session, name, "TRYCREATE")
        self._check_sizes(session, [raw for raw, _, _ in messages])
        uids = [mailbox.add(*message).uid for message in messages]
        return Done("Append completed.", self._uidplus(f"APPENDUID {mailbox.uid_validity} {number_ranges(uids)}"))

    def _read_message(self, session: Session, arguments: Arguments) -> tuple[bytes, frozenset[str], dt.datetime | None]:
        arguments.space()
        flags = frozenset[str]()
        if arguments.next_is(b"("):
            flags = arguments.flags()
            arguments.space()
        date = _read_date(arguments)
        wrapped = "UTF8=ACCEPT" in session.enabled and arguments.skip(b"UTF8 (")
        raw = arguments.literal()
        if raw is None:
            raise BadSyntaxError("A literal is missing.")
        if wrapped:
            arguments.expect(b")")
        return raw, flags, date

    def _check_sizes(self, session: Session, messages: list[bytes]) -> None:
        limit, quota = self.rules.append_limit, self.rules.quota
        if limit is not None and any(len(raw) > limit for raw in messages):
            raise RefusedError(f"Messages are limited to {limit} bytes.", "TOOBIG")
        if quota is not None and self.account(session).size + sum(map(len, messages)) > quota:
            raise RefusedError("Quota exceeded.", "OVERQUOTA")

    def _uidplus(self, code: str) -> str:
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
        return Done("Move completed.", highest_modseq(session, selected.mailbox) if picked else "")

    def _copied(self, session: Session, arguments: Arguments, uid: bool) -> tuple[list[tuple[int, Stored]], str]:
        arguments.space()
        numbers = arguments.number_set()
        arguments.space()
        name = arguments.mailbox()
        arguments.end()
        target = self.mailbox(session, name, "TRYCREATE")
        picked = self.picked(session, numbers, uid)
        if uid:
            picked = [(number, message) for number, message in picked if not message.expunged]
        elif any(message.expunged for _, message in picked):
            raise RefusedError("Some of the requested messages no longer exist.", "EXPUNGEISSUED")
        if self.rules.quota is not None:
            self._check_sizes(session, [message.raw for _, message in picked])
        made = [target.add(message.raw, message.flags, message.date).uid for _, message in picked]
        if not made:
            return picked, ""
        olds = number_ranges(message.uid for _, message in picked)
        return picked, self._uidplus(f"COPYUID {target.uid_validity} {olds} {number_ranges(made)}")

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
        await self.push(session, lambda: session.tell_news(expunges=True))

    @staticmethod
    async def push(session: Session, say: Callable[[], object]) -> None:
        """Tell a client something while its connection waits for a command."""
        try:
            with contextlib.suppress(CutError):
                say()
                await session.flush()
                return
            await session.flush()
        except (OSError, ssl.SSLError):
            pass
        session.cut(reset=False)


def _read_date(arguments: Arguments) -> dt.datetime | None:
    """Take a date-time and the space behind it if one comes next."""
    if not arguments.next_is(b'"'):
        return None
    found = arguments.match(_DATE_TIME)
    try:
        assert found is not None
        date = email.utils.parsedate_to_datetime(found[1:-1].decode().strip().replace("-", " ", 2))
    except (AssertionError, ValueError):
        raise BadSyntaxError("A date-time is malformed.") from None
    arguments.space()
    return date if date.tzinfo is not None else date.replace(tzinfo=dt.UTC)
