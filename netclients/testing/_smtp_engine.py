"""The connections of the embedded SMTP server: reads commands one by one.

Commands are executed in the order in which they came, whether the client has waited or not, and replies leave in
that order, many at a time. aiosmtpd, which would be the natural base, knows no BDAT either: nothing of its session
would be left.
"""

from __future__ import annotations

import socket

from ._channel import LineTooLongError
from ._mail_channel import MailChannel
from ._smtp_commands import address_of
from ._smtp_content import Contents, payload_of
from ._smtp_session import Session
from .smtp_faults import Fault, Greylist, Reply

_OUTBOX = 64
"""How many replies wait for more at the most."""


_LAST_OF_GROUP = frozenset(("EHLO", "LHLO", "HELO", "STARTTLS", "AUTH", "DATA", "VRFY", "EXPN", "NOOP", "HELP", "QUIT"))
"""RFC 2920 section 3.1; AUTH by RFC 4954, STARTTLS by RFC 3207."""


class Engine(Contents):
    """Accepts connections and serves them until closed."""

    def new_session(self, sock: socket.socket) -> Session:
        """Return the session of a new connection."""
        enhanced = "ENHANCEDSTATUSCODES" not in self.rules.without
        return Session(MailChannel(sock), self.counters.connections, enhanced=enhanced)

    async def converse(self, session: Session) -> None:
        """Serve a connection until it ends."""
        if self.rules.implicit:
            await self.handshake(session)
        if await self.interfere(session, "CONNECT", ""):
            await self._welcome(session)
            self.executed(session)
        try:
            while not session.ending and await self._step(session):
                if len(session.outbox) >= _OUTBOX:
                    await session.flush()
        except LineTooLongError:
            session.reply(500, "5.5.2", "Line too long.")
        await session.flush()
        await session.channel.send_close_alert()

    async def _welcome(self, session: Session) -> None:
        limit = self.rules.max_connections
        if limit is not None and self.counters.connections_open > limit:
            session.reply(421, "4.7.0", "Too many connections, try again later.")
        else:
            session.reply(220, "", f"netclients.test {'LMTP' if self.rules.lmtp else 'ESMTP'} test server ready")

    # One command

    async def _step(self, session: Session) -> bool:
        """Read and execute one command; False ends the connection."""
        line = await session.read_line()
        if not line.endswith(b"\n"):
            return False
        text = line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
        verb, _, argument = text.partition(" ")
        verb, argument = verb.upper(), argument.strip(" ")
        self.counters.commands[verb] += 1
        if not line.endswith(b"\r\n"):
            self.object_to(session, f"{verb} ends with a lone LF")
        if session.channel.buffered and verb != "BDAT":
            self._watch_pipelining(session, verb)
        if self.rules.faults.faults and not await self._let(session, verb, argument):
            return True
        handler = self.handlers.get(verb)
        if handler is None or verb in self.rules.without:
            session.reply(502 if handler else 500, "5.5.1", "Command not implemented.")
        else:
            await handler(session, argument)
        self.executed(session)
        return True

    def _watch_pipelining(self, session: Session, verb: str) -> None:
        if verb in _LAST_OF_GROUP:
            self.object_to(session, f"sent something behind {verb}, which has to be the last of its group")
        elif not self.offers(session, "PIPELINING") or session.greeted is None:
            self.object_to(session, f"sent something behind {verb}, without PIPELINING")

    async def _let(self, session: Session, verb: str, argument: str) -> bool:
        """Let faults act on a command; False if nothing is left to execute."""
        matched = address_of(argument) if verb in ("MAIL", "RCPT") else argument
        if await self.interfere(session, verb, matched):
            return True
        if verb == "BDAT" and (size := payload_of(argument)) is not None:
            session.transaction = None
            await self.skip(session, size)
        return False

    def refuse(self, session: Session, fault: Fault) -> None:
        """Answer with a reply of a fault's."""
        if isinstance(fault, Reply | Greylist) and fault.text:
            session.send_raw(fault.text)
