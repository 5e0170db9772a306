"""The connections of the embedded POP3 server: reads commands one by one, answers in that order, many at a time."""

from __future__ import annotations

import os
import socket

from ._channel import LineTooLongError
from ._mail_channel import MailChannel
from ._pop3_commands import Commands
from ._pop3_session import POP3Command, Session
from .smtp_faults import Fault, Reply

_OUTBOX = 64
"""How many pieces of replies wait for more at the most."""
_LONGEST_LINE = 255
"""Bytes with the line's end (RFC 2449 section 4)."""
_ALONE = frozenset(("STLS", "AUTH", "QUIT"))
_SECRET = frozenset(("PASS", "APOP", "AUTH"))


class Engine(Commands):
    """Accepts connections and serves them until closed."""

    def new_session(self, sock: socket.socket) -> Session:
        """Return the session of a new connection."""
        session = Session(MailChannel(sock), self.counters.connections)
        if "APOP" not in self.rules.without and self.rules.users:
            session.timestamp = f"<{os.urandom(8).hex()}@netclients.test>"
        return session

    async def converse(self, session: Session) -> None:
        """Serve a connection until it ends."""
        if self.rules.implicit:
            await self.handshake(session)
        if await self.interfere(session, "CONNECT", ""):
            self._welcome(session)
            self.executed(session)
        try:
            while not session.ending and await self._step(session):
                if len(session.outbox) >= _OUTBOX:
                    await session.flush()
        except LineTooLongError:
            session.err("Line too long.")
        await session.flush()
        await session.channel.send_close_alert()

    def _welcome(self, session: Session) -> None:
        limit = self.rules.max_connections
        if limit is not None and self.counters.connections_open > limit:
            session.err("Too many connections, try again later.", "SYS/TEMP")
            session.ending = True
        else:
            session.ok(f"netclients.test POP3 test server ready {session.timestamp}")

    async def _step(self, session: Session) -> bool:
        """Read and execute one command; False ends the connection."""
        line = await session.read_line()
        if not line.endswith(b"\n"):
            return False
        text = line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
        verb, _, argument = text.partition(" ")
        verb = verb.upper()
        if verb != "PASS":
            argument = argument.strip(" ")
        self._note(session, line, verb, argument)
        if not self.rules.faults.faults or await self.interfere(session, verb, argument):
            await self.execute(session, verb, argument)
            self.executed(session)
        return True

    def _note(self, session: Session, line: bytes, verb: str, argument: str) -> None:
        counters = self.counters
        counters.commands[verb] += 1
        counters.log.append(POP3Command(session.number, verb, "***" if verb in _SECRET else argument))
        if not line.endswith(b"\r\n"):
            self.object_to(session, f"{verb} ends with a lone LF")
        if len(line) > _LONGEST_LINE:
            self.object_to(session, f"{verb} is a line of {len(line)} bytes")
        if session.channel.buffered:
            if verb in _ALONE:
                self.object_to(session, f"sent something behind {verb}, before its reply")
            elif not self.offers(session, "PIPELINING"):
                self.object_to(session, f"sent something behind {verb}, without PIPELINING")

    def refuse(self, session: Session, fault: Fault) -> None:
        """Answer with a reply of a fault's."""
        if isinstance(fault, Reply) and fault.text:
            session.send_raw(fault.text)
            if "CONNECT" in fault.verb:
                session.ending = True
