"""The connections of the embedded IMAP server: reads commands with their literals one by one, and executes them.

Commands are executed in the order in which they came, whether the client has waited or not.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass

from ._channel import LineTooLongError
from ._imap_channel import IMAPChannel
from ._imap_commands import Done, RefusedError
from ._imap_messages import Messages
from ._imap_session import IMAPCommand, Session
from ._imap_syntax import MARKER, Arguments, BadSyntaxError
from ._mail_session import CutError
from .ftp_faults import Fault, Reply
from .imap_faults import CutReply, Meanwhile, Unsolicited, WrongTag

_HEAD = re.compile(rb'([^\x00-\x20\x7f(){%*"\\+]+) (UID )?([^\x00-\x20\x7f(){%*"\\]+)', re.IGNORECASE)
_BY_UID = frozenset(("FETCH", "STORE", "SEARCH", "COPY", "MOVE", "EXPUNGE", "SORT", "THREAD"))
_BY_NUMBER = frozenset(("FETCH", "STORE", "SEARCH", "COPY", "MOVE", "SORT", "THREAD"))
_NO_EXPUNGES = frozenset(("FETCH", "STORE", "SEARCH", "SORT", "THREAD"))
"""Without UID: no EXPUNGE may be told meanwhile (RFC 3501 section 7.4.1)."""
_ENDS_VIEW = frozenset(("SELECT", "EXAMINE", "CLOSE", "UNSELECT", "LOGOUT"))
_ALONE = frozenset(("STARTTLS", "COMPRESS"))
"""Commands behind which nothing may be sent before their reply."""
_OUTBOX = 64
"""How many replies wait for more at the most."""

_OF_CAPABILITY = {
    "GETQUOTA": "QUOTA",
    "GETQUOTAROOT": "QUOTA",
    "SETQUOTA": "QUOTA",
}
"""What a command needs, where that has another name."""


@dataclass(slots=True)
class Received:
    """A command in pieces: text and literals in turn."""

    tag: str
    name: str
    uid: bool
    pieces: list[bytes]
    text: str

    @property
    def full_name(self) -> str:
        """With UID if it is there."""
        return f"UID {self.name}" if self.uid else self.name


class Engine(Messages):
    """Accepts connections and serves them until closed."""

    def new_session(self, sock: socket.socket) -> Session:
        """Return the session of a new connection."""
        return Session(IMAPChannel(sock), self.counters.connections)

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
            session.untagged("BYE Line too long.")
        await session.flush()
        await session.channel.send_close_alert()

    def _welcome(self, session: Session) -> None:
        limit = self.rules.max_connections
        late, session.late = session.late, []
        if limit is not None and self.counters.connections_open > limit:
            session.untagged("BYE [LIMIT] Too many connections, try again later.")
            session.ending = True
        elif self.rules.preauth is not None:
            code = self.logged_in(session, self.rules.preauth).code
            session.untagged(f"PREAUTH [{code}] Logged in as {session.user}")
        else:
            session.untagged(f"OK [CAPABILITY {self.capabilities(session)}] netclients.test IMAP server ready")
        for line in late:
            session.send(line.encode("utf-8", "surrogateescape"))

    # One command

    async def _step(self, session: Session) -> bool:
        """Read and execute one command; False ends the connection."""
        pipelined = session.channel.buffered > 0
        line = await session.read_line()
        if not line.endswith(b"\n"):
            return False
        if not line.endswith(b"\r\n"):
            self.object_to(session, "sent a line that ends with a lone LF")
        line = line.rstrip(b"\r\n")
        head = _HEAD.match(line)
        if head is None:
            session.untagged("BAD Error in IMAP command: tag or name is missing.")
            return True
        name = head[3].decode("ascii", "replace").upper()
        command = Received(head[1].decode("ascii", "replace"), name, head[2] is not None, [], "")
        session.tag = command.tag
        self.counters.commands[command.full_name] += 1
        complete = await self._read_pieces(session, command, line)
        text = b"".join(command.pieces[::2])[head.start(2 if command.uid else 3) :].decode("utf-8", "surrogateescape")
        command.text = self.redacted(name, text)
        self.counters.log.append(IMAPCommand(session.number, command.tag, command.full_name, command.text))
        if complete:
            self._watch(session, command, pipelined)
            await self._perform(session, command, line[head.end() :], text)
        return True

    async def _read_pieces(self, session: Session, command: Received, line: bytes) -> bool:
        """Read a command's literals and what follows them; False if one was refused."""
        complete = True
        command.pieces.append(line)
        while (marker := MARKER.search(line)) is not None:
            size, waiting = int(marker[2]), not marker[3]
            if waiting:
                if session.channel.buffered:
                    self.object_to(session, "sent a literal without waiting for the invitation")
                if not await self._invites(session, command, size):
                    return False
                session.send(b"+ OK")
                await session.flush()
            else:
                self._watch_literal(session, size)
            command.pieces.append(await self._read_literal(session, command, size))
            line = await session.channel.readline()
            if not line.endswith(b"\n"):
                raise ConnectionResetError("the peer left amid a command")
            line = line.rstrip(b"\r\n")
            command.pieces.append(line)
        return complete

    def _watch_literal(self, session: Session, size: int) -> None:
        if self.offers(session, "LITERAL+"):
            return
        if not self.offers(session, "LITERAL-"):
            self.object_to(session, "sent a non-synchronizing literal without LITERAL+")
        elif size > 4096:
            self.object_to(session, f"sent a non-synchronizing literal of {size} bytes with LITERAL-")

    async def _invites(self, session: Session, command: Received, size: int) -> bool:
        """Decide whether to ask for a literal; False if it is refused already."""
        text = command.pieces[-1].decode("utf-8", "surrogateescape")
        if self.rules.faults.faults and not await self.interfere(session, "LITERAL", text):
            return False
        try:
            if command.name == "APPEND" and session.account is not None:
                self._foresee_append(session, command, size)
        except RefusedError as refused:
            session.no(refused.text, refused.code)
            return False
        return True

    def _foresee_append(self, session: Session, command: Received, size: int) -> None:
        head = _HEAD.match(command.pieces[0])
        assert head is not None
        arguments = Arguments([command.pieces[0][head.end() :], *command.pieces[1:]])
        try:
            arguments.space()
            name = arguments.mailbox()
        except BadSyntaxError:
            return
        self.mailbox(session, name, "TRYCREATE")
        limit = self.rules.append_limit
        if limit is not None and size > limit:
            raise RefusedError(f"Messages are limited to {limit} bytes.", "TOOBIG")

    async def _read_literal(self, session: Session, command: Received, size: int) -> bytes:
        data = bytearray()
        cut = None
        if command.name == "APPEND" and self.rules.faults.faults:
            found = re.search(rb'APPEND (?:"((?:[^"\\]|\\.)*)"|(\S+))', command.pieces[0], re.IGNORECASE)
            name = b"" if found is None else found[1] or found[2]
            cut = self.rules.faults.at_content(name.decode("utf-8", "surrogateescape"))

        def take(piece: bytes) -> None:
            data.extend(piece)
            if cut is not None and len(data) > cut.after:
                raise CutError(reset=cut.how == "reset", stall=cut.how == "stall")

        await session.channel.read_counted(size, take)
        return bytes(data)

    def _watch(self, session: Session, command: Received, pipelined: bool) -> None:
        if command.name in _ALONE and session.channel.buffered:
            self.object_to(session, f"sent something behind {command.name} before its reply")
        session.hazard = session.ambiguous if pipelined else ""
        if session.hazard and command.name in _BY_NUMBER and not command.uid:
            deed = f"sent {command.name} by sequence number behind {session.hazard}, before its reply"
            self.object_to(session, deed)
        session.ambiguous = session.hazard
        if session.selected is None or command.name in _ENDS_VIEW:
            session.ambiguous = ""
        elif command.uid or command.name not in _NO_EXPUNGES:
            session.ambiguous = command.full_name

    async def _perform(self, session: Session, command: Received, rest: bytes, text: str) -> None:
        argument = text.partition(" ")[2]
        if command.uid:
            argument = f"UID {argument.partition(' ')[2]}"
        if self.rules.faults.faults and not await self.interfere(session, command.name, argument):
            session.cutting = None
            return
        expunges = command.uid or command.name not in _NO_EXPUNGES
        pieces = [rest, *command.pieces[1:]]
        arguments = Arguments(pieces, utf8=bool(session.enabled & {"UTF8=ACCEPT", "IMAP4REV2"}))
        try:
            done = await self._handled(session, command, arguments)
        except BadSyntaxError as error:
            session.tell_news(expunges=expunges)
            session.tagged("BAD", f"Error in IMAP command {command.full_name}: {error}")
        except RefusedError as refused:
            session.tell_news(expunges=expunges)
            session.no(refused.text, refused.code)
        else:
            if done is not None:
                session.tell_news(expunges=expunges)
                session.ok(done.text, done.code)
        session.cutting = None
        self.executed(session)

    async def _handled(self, session: Session, command: Received, arguments: Arguments) -> Done | None:
        state, handler = self.handlers.get(command.name, ("any", None))
        if (
            handler is None
            or not self.knows(session, command.name)
            or (command.uid and (command.name not in _BY_UID or not self._knows_uid(session, command.name)))
        ):
            raise BadSyntaxError("Unknown command.")
        if state == "new" and session.user is not None:
            raise BadSyntaxError("You are logged in already.")
        if state in ("authenticated", "selected") and session.user is None:
            raise BadSyntaxError("Log in first.")
        if state == "selected" and session.selected is None:
            raise BadSyntaxError("No mailbox selected.")
        return await handler(session, arguments, command.uid)

    def knows(self, session: Session, name: str) -> bool:
        """Whether a command is offered: those of an extension are unknown without it."""
        capability = _OF_CAPABILITY.get(name)
        return name not in self.rules.without and (capability is None or self.offers(session, capability))

    def _knows_uid(self, session: Session, name: str) -> bool:
        return name != "EXPUNGE" or self.offers(session, "UIDPLUS")

    def announce(self, session: Session, text: str) -> None:
        """Say something at once, whatever the connection is doing."""

        def say() -> None:
            session.send(text.encode("utf-8", "surrogateescape"))
            if "* BYE" in text:
                raise CutError

        task = asyncio.get_running_loop().create_task(self.push(session, say))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    # Faults

    async def act(self, session: Session, fault: Fault) -> bool:
        """Let one fault act; False if nothing is left to execute."""
        match fault:
            case Unsolicited(late=True):
                session.late.append(fault.text)
            case Unsolicited():
                session.send(fault.text.encode("utf-8", "surrogateescape"))
            case Meanwhile():
                fault.do()
            case WrongTag():
                session.wrong_tag = fault.tag
            case CutReply():
                session.cutting = _cutter(fault, session)
            case _:
                return await super().act(session, fault)
        return True

    def refuse(self, session: Session, fault: Fault) -> None:
        """Answer as a fault says."""
        if not isinstance(fault, Reply) or not fault.text:
            return
        text = fault.text.replace("{tag}", session.tag)
        if text.partition(" ")[0] in ("OK", "NO", "BAD"):
            text = f"{session.tag} {text}"
        session.send(text.encode("utf-8", "surrogateescape"))
        if "* BYE" in text:
            session.ending = True


def _cutter(fault: CutReply, session: Session) -> Callable[[bytes], tuple[bytes, CutError] | None]:
    count = -1
    last = f"{session.tag} ".encode()

    def cut(data: bytes) -> tuple[bytes, CutError] | None:
        nonlocal count
        count += 1
        if count != fault.reply and not (fault.reply == -1 and data.startswith(last)):
            return None
        return data[: fault.after], CutError(reset=fault.how == "reset", stall=fault.how == "stall")

    return cut
