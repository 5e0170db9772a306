"""The commands of the embedded NNTP server but for those that read (RFC 3977, 4642, 4643, 4644, 8054)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping

from ._auth import AuthCancelledError, offered_mechanisms, password_is, run_mechanism
from ._nntp_reading import Reading
from ._nntp_session import Counters, Rules, Session, Spool, header_field

Handler = Callable[[Session, str], Awaitable[None]]

_ALWAYS = frozenset(("CAPABILITIES", "MODE", "QUIT", "HELP", "DATE", "AUTHINFO", "STARTTLS", "COMPRESS"))
_FEEDS = frozenset(("IHAVE", "CHECK", "TAKETHIS"))


class Commands(Reading):
    """Executes commands by the rules, and keeps groups and articles."""

    def __init__(self, rules: Rules, spool: Spool) -> None:
        self.rules = rules
        self.counters = Counters()
        self.spool = spool
        self.handlers: Mapping[str, Handler] = {
            "CAPABILITIES": self.capabilities,
            "MODE": self.mode,
            "QUIT": self.quit,
            "STARTTLS": self.starttls,
            "AUTHINFO": self.authinfo,
            "COMPRESS": self.compress,
            "POST": self.post,
            "IHAVE": self.ihave,
            "CHECK": self.check,
            "TAKETHIS": self.takethis,
            **self.reading_handlers(),
        }

    async def execute(self, session: Session, verb: str, argument: str) -> None:
        """Execute one command."""
        handler = self.handlers.get(verb)
        if verb == "TAKETHIS" and handler is not None and verb not in self.rules.without:
            await handler(session, argument)  # its article is on the way, whatever is said to it
        elif handler is None or verb in self.rules.without:
            session.send_raw("500 Unknown command")
        elif verb not in _ALWAYS and self.rules.login_required and session.user is None:
            session.send_raw("480 Log in first")
        elif verb not in _ALWAYS and verb not in _FEEDS and not session.reader:
            session.send_raw("401 MODE-READER")
        else:
            await handler(session, argument)

    # The session

    def _offers(self, session: Session, capability: str) -> bool:
        rules = self.rules
        if capability in rules.without:
            return False
        if capability == "STARTTLS":
            able = rules.context is not None and not rules.implicit and not session.secure
            return able and session.user is None and not session.compressed
        if capability == "AUTHINFO":
            return bool(rules.users or rules.tokens) and session.user is None and not session.compressed
        if capability == "COMPRESS":
            return not session.compressed
        if capability == "POST":
            return rules.posting
        return True

    def _may_log_in(self, session: Session) -> bool:
        return session.secure or self.rules.login_in_clear

    async def capabilities(self, session: Session, argument: str) -> None:
        """CAPABILITIES."""
        lines = ["VERSION 2", "IMPLEMENTATION netclients.testing"]
        lines.append("READER" if session.reader else "MODE-READER")
        lines += [name for name in ("POST", "IHAVE", "STREAMING", "STARTTLS") if self._offers(session, name)]
        lines += [name for name in ("NEWNEWS", "HDR") if name not in self.rules.without]
        lines += ["OVER MSGID"] if "OVER" not in self.rules.without else []
        lines.append(f"LIST {' '.join(self.variants)}")
        if self._offers(session, "COMPRESS"):
            lines.append("COMPRESS DEFLATE")
        if self._offers(session, "AUTHINFO"):
            ways = "USER SASL" if self.rules.mechanisms else "USER"
            lines.append(f"AUTHINFO {ways}" if self._may_log_in(session) else "AUTHINFO")
            if self.rules.mechanisms and self._may_log_in(session):
                lines.append(f"SASL {' '.join(offered_mechanisms(self.rules, session.secure))}")
        self.send_list(session, "101 Capability list follows", lines)

    async def mode(self, session: Session, argument: str) -> None:
        """MODE READER, MODE STREAM."""
        if argument.upper() == "READER":
            session.reader = True
            session.send_raw("200 Posting allowed" if self.rules.posting else "201 Posting prohibited")
        elif argument.upper() == "STREAM" and "STREAMING" not in self.rules.without:
            session.send_raw("203 Streaming permitted")
        else:
            session.send_raw("501 Unknown MODE variant")

    async def quit(self, session: Session, argument: str) -> None:
        """QUIT."""
        session.send_raw("205 Bye")
        session.ending = True

    async def starttls(self, session: Session, argument: str) -> None:
        """STARTTLS: what came behind it in clear is thrown away, and so is all that was said."""
        if not self._offers(session, "STARTTLS"):
            session.send_raw("502 TLS is not offered now")
            return
        session.send_raw("382 Begin TLS negotiation now")
        self.executed(session)
        if session.injected:
            session.outbox.append(session.injected.encode())
        self.counters.discarded += session.channel.discard()
        await session.flush()
        await self.handshake(session)
        session.named, session.group, session.current = None, None, None

    async def compress(self, session: Session, argument: str) -> None:
        """COMPRESS."""
        if not self._offers(session, "COMPRESS"):
            session.send_raw("502 Compression is on, or not offered")
        elif argument.upper() != "DEFLATE":
            session.send_raw("503 No such algorithm")
        else:
            session.send_raw("206 Compression active")
            await session.flush()
            session.channel.compress()
            session.compressed = True

    # Logins

    async def authinfo(self, session: Session, argument: str) -> None:
        """AUTHINFO."""
        way, _, rest = argument.partition(" ")
        if not self._offers(session, "AUTHINFO"):
            session.send_raw("502 Command unavailable")
        elif not self._may_log_in(session):
            session.send_raw("483 Not without TLS")
        elif way.upper() == "USER" and rest:
            session.named = rest
            session.send_raw("381 Tell the password")
        elif way.upper() == "PASS":
            name, session.named = session.named, None
            if name is None:
                session.send_raw("482 AUTHINFO USER comes first")
            else:
                self._decide(session, password_is(self.rules, name, rest))
        elif way.upper() == "SASL" and rest:
            await self._sasl(session, *rest.split(" ", 1))
        else:
            session.send_raw("501 Syntax error")

    async def _sasl(self, session: Session, name: str, initial: str | None = None) -> None:
        if name.upper() not in offered_mechanisms(self.rules, session.secure):
            session.send_raw("503 Mechanism not recognized")
            return

        async def ask(challenge: str) -> str:
            session.send_raw(f"383 {challenge or '='}")
            line = (await session.read_line()).decode("utf-8", "surrogateescape")
            if not line.endswith("\n"):
                raise ConnectionResetError("the peer left amid AUTHINFO")
            text = line.rstrip("\r\n")
            if not await self.interfere(session, "AUTH-RESPONSE", "***"):
                raise AuthCancelledError
            if text == "*":
                session.send_raw("481 Authentication cancelled")
                raise AuthCancelledError
            return "" if text == "=" else text

        try:
            user = await run_mechanism(self.rules, name.upper(), initial, ask, session.channel.tls)
        except AuthCancelledError:
            return
        except ValueError:
            session.send_raw("482 Can't make sense of that")
            return
        self._decide(session, user)

    def _decide(self, session: Session, user: str | None) -> None:
        if user is None:
            session.send_raw("481 That is not right")
        else:
            self.counters.logins += 1
            session.user = user
            session.send_raw("281 Welcome")

    # Articles that come

    async def _article(self, session: Session) -> bytes:
        await session.flush()
        pieces: list[bytes] = []
        await session.channel.read_dotted(pieces.append)
        return b"".join(pieces)

    async def post(self, session: Session, argument: str) -> None:
        """POST."""
        if not self.rules.posting:
            session.send_raw("440 Posting not permitted")
            return
        session.send_raw("340 Send the article")
        raw = await self._article(session)
        if not await self.interfere(session, "CONTENT", header_field(raw, "Message-ID")):
            return
        session.send_raw(self._take_post(raw))

    def _take_post(self, raw: bytes) -> str:
        spool = self.spool
        groups = [name.strip() for name in header_field(raw, "Newsgroups").split(",")]
        known = [spool.groups[name] for name in groups if name in spool.groups]
        if missing := [name for name in ("From", "Subject", "Newsgroups") if not header_field(raw, name)]:
            return f"441 Posting failed: no {missing[0]}"
        message_id = header_field(raw, "Message-ID")
        if not message_id:
            message_id = f"<{os.urandom(8).hex()}@netclients.test>"
            raw = b"Message-ID: %s\r\n%s" % (message_id.encode(), raw)
        if message_id in spool.known:
            return f"441 Posting failed: a copy of {message_id} is here"
        if not known or any(group.status == "n" for group in known):
            return "441 Posting failed: no such group, or no posting there"
        if any(group.status == "m" for group in known) and not header_field(raw, "Approved"):
            spool.moderated.append(raw)
        else:
            self._file(message_id, raw, groups)
        self.counters.posted += 1
        return f"240 Article received {message_id}"

    def _file(self, message_id: str, raw: bytes, groups: list[str]) -> None:
        if self.rules.settle:
            self.spool.known.add(message_id)
            asyncio.get_running_loop().call_later(self.rules.settle, self.spool.add, message_id, raw, groups)
        else:
            self.spool.add(message_id, raw, groups)

    async def ihave(self, session: Session, argument: str) -> None:
        """IHAVE."""
        if argument in self.spool.known:
            session.send_raw("435 Not wanted")
            return
        session.send_raw("335 Send it")
        raw = await self._article(session)
        if await self.interfere(session, "CONTENT", argument):
            session.send_raw("235 Taken" if self._take_feed(argument, raw) else "437 Not a good article")

    async def check(self, session: Session, argument: str) -> None:
        """CHECK."""
        session.send_raw(f"{438 if argument in self.spool.known else 238} {argument}")

    async def takethis(self, session: Session, argument: str) -> None:
        """TAKETHIS."""
        raw = await self._article(session)
        if self.rules.login_required and session.user is None:
            session.send_raw("480 Log in first")
        elif await self.interfere(session, "CONTENT", argument):
            taken = argument not in self.spool.known and self._take_feed(argument, raw)
            session.send_raw(f"{239 if taken else 439} {argument}")

    def _take_feed(self, message_id: str, raw: bytes) -> bool:
        groups = [name.strip() for name in header_field(raw, "Newsgroups").split(",")]
        if header_field(raw, "Message-ID") != message_id or not any(name in self.spool.groups for name in groups):
            return False
        self.spool.add(message_id, raw, groups)
        self.counters.fed += 1
        return True
