"""The commands of the embedded POP3 server (RFC 1939, RFC 2449, RFC 2595, RFC 5034, RFC 6856)."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

from netclients.wire.dots import stuffed

from ._auth import AuthCancelledError, offered_mechanisms, password_is, run_mechanism
from ._mail_engine import MailEngine
from ._pop3_session import Counters, Maildrop, POP3Message, Rules, Session

Handler = Callable[[Session, str], Awaitable[None]]

_LANGUAGES = {"en": "English", "de": "Deutsch"}
_BEFORE_LOGIN = frozenset(("USER", "PASS", "APOP", "AUTH", "STLS"))
_EITHER_WAY = frozenset(("CAPA", "QUIT", "UTF8", "LANG"))


class NoSuchMessageError(Exception):
    """An argument names no message, or one that is marked."""


class Commands(MailEngine[Session]):
    """Executes commands by the rules, and keeps the maildrops."""

    rules: Rules
    counters: Counters

    def __init__(self, rules: Rules, maildrops: Mapping[str, Maildrop]) -> None:
        self.rules = rules
        self.counters = Counters()
        self.maildrops = maildrops
        self.handlers: Mapping[str, Handler] = {
            "CAPA": self.capa,
            "STLS": self.stls,
            "USER": self.user,
            "PASS": self.pass_,
            "APOP": self.apop,
            "AUTH": self.auth,
            "STAT": self.stat,
            "LIST": self.list,
            "UIDL": self.uidl,
            "RETR": self.retr,
            "TOP": self.top,
            "DELE": self.dele,
            "RSET": self.rset,
            "NOOP": self.noop,
            "UTF8": self.utf8,
            "LANG": self.lang,
            "QUIT": self.quit,
        }

    async def execute(self, session: Session, verb: str, argument: str) -> None:
        """Execute one command."""
        handler = self.handlers.get(verb)
        if handler is None or verb in self.rules.without:
            session.err("Unknown command.")
        elif verb not in _EITHER_WAY and (session.user is None) != (verb in _BEFORE_LOGIN):
            session.err("Log in first." if session.user is None else "You are logged in already.")
        else:
            try:
                await handler(session, argument)
            except NoSuchMessageError:
                session.err("No such message.")

    # What is offered

    def offers(self, session: Session, capability: str) -> bool:
        """Whether this connection offers a capability now."""
        rules = self.rules
        if capability in rules.without:
            return False
        if capability == "STLS":
            return rules.context is not None and not rules.implicit and not session.secure and session.user is None
        if capability == "SASL":
            return bool(rules.mechanisms) and self._may_log_in(session)
        if capability == "USER":
            return self._may_log_in(session)
        return True

    def _may_log_in(self, session: Session) -> bool:
        return session.secure or self.rules.login_in_clear

    async def capa(self, session: Session, argument: str) -> None:
        """CAPA (RFC 2449)."""
        lines = [
            name
            for name in ("TOP", "UIDL", "USER", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "STLS", "LANG")
            if self.offers(session, name)
        ]
        if self.offers(session, "SASL"):
            lines.append(f"SASL {' '.join(offered_mechanisms(self.rules, session.secure))}")
        if self.offers(session, "UTF8"):
            lines.append("UTF8 USER")
        if self.rules.login_delay is not None:
            lines.append(f"LOGIN-DELAY {self.rules.login_delay:.0f}")
        lines += ["EXPIRE NEVER", "IMPLEMENTATION netclients.testing"]
        self._send_list(session, "Capability list follows", lines)

    async def stls(self, session: Session, argument: str) -> None:
        """STLS: what came behind it in clear is thrown away, and so is all that was said (RFC 2595)."""
        if not self.offers(session, "STLS"):
            session.err("TLS is not offered now.")
            return
        session.ok("Begin TLS negotiation now.")
        self.executed(session)
        if session.injected:
            session.outbox.append(session.injected.encode())
        self.counters.discarded += session.channel.discard()
        await session.flush()
        await self.handshake(session)
        session.named = None

    # Logins

    async def user(self, session: Session, argument: str) -> None:
        """USER."""
        if not self.offers(session, "USER"):
            session.err("Not without TLS.")
        elif not argument:
            session.err("A name is missing.")
        else:
            session.named = argument
            session.ok("Tell the password.")

    async def pass_(self, session: Session, argument: str) -> None:
        """PASS; what is behind its blank is the password, blanks included."""
        name, session.named = session.named, None
        if name is None:
            session.err("USER comes first.")
        elif password_is(self.rules, name, argument) is None:
            session.err("That is not right.", "AUTH")
        else:
            self._open(session, name)

    async def apop(self, session: Session, argument: str) -> None:
        """APOP (RFC 1939 section 7)."""
        name, _, digest = argument.rpartition(" ")
        known = self.rules.users.get(name)
        right = hashlib.md5(f"{session.timestamp}{known}".encode(), usedforsecurity=False).hexdigest()
        if not session.timestamp:
            session.err("Unknown command.")
        elif known is None or not hmac.compare_digest(right, digest):
            session.err("That is not right.", "AUTH")
        else:
            self._open(session, name)

    async def auth(self, session: Session, argument: str) -> None:
        """AUTH (RFC 5034)."""
        name, _, initial = argument.partition(" ")
        name = name.upper()
        if not self.offers(session, "SASL") or name not in offered_mechanisms(self.rules, session.secure):
            session.err("Unrecognized authentication type.")
            return

        async def ask(challenge: str) -> str:
            session.send_raw(f"+ {challenge}")
            line = (await session.read_line()).decode("utf-8", "surrogateescape")
            if not line.endswith("\n"):
                raise ConnectionResetError("the peer left amid AUTH")
            text = line.rstrip("\r\n")
            if not await self.interfere(session, "AUTH-RESPONSE", text):
                raise AuthCancelledError
            if text == "*":
                session.err("Authentication cancelled.")
                raise AuthCancelledError
            return text

        try:
            user = await run_mechanism(self.rules, name, initial or None, ask, session.channel.tls)
        except AuthCancelledError:
            return
        except ValueError:
            session.err("Can't make sense of that.")
            return
        if user is None:
            session.err("That is not right.", "AUTH")
        else:
            self._open(session, user)

    def _open(self, session: Session, user: str) -> None:
        maildrop = self.maildrops[user]
        delay, now = self.rules.login_delay, time.monotonic()
        if maildrop.holder is not None:
            session.err("The maildrop is open already.", "IN-USE")
        elif delay is not None and maildrop.left_at is not None and now - maildrop.left_at < delay:
            session.err("The last login was a moment ago.", "LOGIN-DELAY")
        else:
            self.counters.logins += 1
            maildrop.holder, maildrop.left_at = session, now
            session.user, session.maildrop = user, maildrop
            session.messages = maildrop.messages.copy()
            session.ok(f"{len(session.messages)} messages.")

    def ended(self, session: Session) -> None:
        """Let go of the maildrop; nothing is removed by that."""
        if session.maildrop is not None and session.maildrop.holder is session:
            session.maildrop.holder = None

    # The maildrop

    def _find(self, session: Session, argument: str) -> tuple[int, POP3Message]:
        number = int(argument) if argument.isascii() and argument.isdecimal() and len(argument) < 10 else 0
        if not 0 < number <= len(session.messages) or number in session.marked:
            raise NoSuchMessageError
        return number, session.messages[number - 1]

    def _present(self, session: Session) -> Iterable[tuple[int, POP3Message]]:
        return ((n, message) for n, message in enumerate(session.messages, 1) if n not in session.marked)

    async def stat(self, session: Session, argument: str) -> None:
        """STAT."""
        sizes = [len(message.raw) for _, message in self._present(session)]
        session.ok(f"{len(sizes)} {sum(sizes)}")

    async def list(self, session: Session, argument: str) -> None:
        """LIST."""
        self._tell(session, argument, lambda message: str(len(message.raw)))

    async def uidl(self, session: Session, argument: str) -> None:
        """UIDL."""
        self._tell(session, argument, lambda message: message.uid)

    def _tell(self, session: Session, argument: str, of: Callable[[POP3Message], str]) -> None:
        if argument:
            number, message = self._find(session, argument)
            session.ok(f"{number} {of(message)}")
        else:
            self._send_list(session, "", (f"{n} {of(message)}" for n, message in self._present(session)))

    async def retr(self, session: Session, argument: str) -> None:
        """RETR."""
        _, message = self._find(session, argument)
        session.ok(f"{len(message.raw)} octets")
        session.outbox.append(stuffed(message.raw))

    async def top(self, session: Session, argument: str) -> None:
        """TOP."""
        number, _, count = argument.partition(" ")
        _, message = self._find(session, number)
        if not (count.isascii() and count.isdecimal() and len(count) < 10):
            session.err("How many lines?")
            return
        head, blank, body = message.raw.partition(b"\r\n\r\n")
        lines = body.split(b"\r\n")[: int(count)]
        session.ok()
        session.outbox.append(stuffed(head + blank + b"".join(line + b"\r\n" for line in lines if line or lines)))

    async def dele(self, session: Session, argument: str) -> None:
        """DELE."""
        number, _ = self._find(session, argument)
        session.marked.add(number)
        session.ok("Marked.")

    async def rset(self, session: Session, argument: str) -> None:
        """RSET."""
        session.marked.clear()
        session.ok()

    async def noop(self, session: Session, argument: str) -> None:
        """NOOP."""
        session.ok()

    async def utf8(self, session: Session, argument: str) -> None:
        """UTF8 (RFC 6856)."""
        session.ok()

    async def lang(self, session: Session, argument: str) -> None:
        """LANG (RFC 6856)."""
        if not argument:
            self._send_list(session, "", (f"{tag} {name}" for tag, name in _LANGUAGES.items()))
        elif argument == "*" or argument.lower() in _LANGUAGES:
            session.ok(f"{'en' if argument == '*' else argument.lower()} Chosen.")
        else:
            session.err("No such language.")

    async def quit(self, session: Session, argument: str) -> None:
        """QUIT: what was marked is removed now."""
        if session.maildrop is not None:
            doomed = {id(session.messages[number - 1]) for number in session.marked}
            left = [message for message in session.maildrop.messages if id(message) not in doomed]
            self.counters.deleted += len(session.maildrop.messages) - len(left)
            session.maildrop.messages[:] = left
            session.maildrop.holder = None
        session.ok("Bye.")
        session.ending = True

    def _send_list(self, session: Session, text: str, lines: Iterable[str]) -> None:
        session.ok(text)
        session.outbox.append(stuffed("".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape")))
