"""The connections of the embedded NNTP server: reads commands one by one, answers in that order, many at a time."""

from __future__ import annotations

import socket

from ._channel import LineTooLongError
from ._imap_channel import IMAPChannel
from ._nntp_commands import Commands
from ._nntp_session import NNTPCommand, Session
from .smtp_faults import Fault, Reply

_OUTBOX = 64
"""How many pieces of replies wait for more at the most."""
_ALONE = frozenset(("STARTTLS", "AUTHINFO", "COMPRESS", "POST", "IHAVE", "MODE READER"))
_STATEFUL = frozenset(("GROUP", "LISTGROUP", "NEXT", "LAST"))


class Engine(Commands):
    """Accepts connections and serves them until closed."""

    def new_session(self, sock: socket.socket) -> Session:
        """Return the session of a new connection."""
        return Session(IMAPChannel(sock), self.counters.connections, reader=not self.rules.mode_reader)

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
            session.send_raw("501 Line too long.")
        await session.flush()
        await session.channel.send_close_alert()

    def _welcome(self, session: Session) -> None:
        limit = self.rules.max_connections
        if limit is not None and self.counters.connections_open > limit:
            session.send_raw("400 Too many connections, try again later.")
            session.ending = True
        else:
            session.send_raw(f"{200 if self.rules.posting else 201} netclients.test NNTP test server ready")

    async def _step(self, session: Session) -> bool:
        """Read and execute one command; False ends the connection."""
        line = await session.read_line()
        if not line.endswith(b"\n"):
            return False
        text = line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
        verb, _, argument = text.partition(" ")
        verb, argument = verb.upper(), argument.strip(" ")
        self._note(session, line, verb, argument)
        if not self.rules.faults.faults or await self.interfere(session, verb, argument):
            await self.execute(session, verb, argument)
            self.executed(session)
        return True

    def _note(self, session: Session, line: bytes, verb: str, argument: str) -> None:
        counters = self.counters
        counters.commands[verb] += 1
        shown = argument
        if verb == "AUTHINFO":
            shown = " ".join([*argument.split()[: 2 if argument[:4].upper() == "SASL" else 1], "***"])
        counters.log.append(NNTPCommand(session.number, verb, shown))
        if not line.endswith(b"\r\n"):
            self.object_to(session, f"{verb} ends with a lone LF")
        if len(line) > 512 and verb != "AUTHINFO":
            self.object_to(session, f"{verb} is a line of {len(line)} bytes")
        name = f"MODE {argument.upper()}" if verb == "MODE" else verb
        if session.channel.buffered and name in _ALONE:
            self.object_to(session, f"sent something behind {name}, before its reply")
        if session.channel.buffered and verb in _STATEFUL:
            self.object_to(session, f"sent something behind {verb}, which may depend on it")

    def refuse(self, session: Session, fault: Fault) -> None:
        """Answer with a reply of a fault's."""
        if isinstance(fault, Reply) and fault.text:
            session.send_raw(fault.text)
            if "CONNECT" in fault.verb.upper() or fault.text.startswith("400"):
                session.ending = True
