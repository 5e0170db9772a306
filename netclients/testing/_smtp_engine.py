"""The connections of the embedded SMTP server: reads commands one by one, and lets faults interfere.

Commands are executed in the order in which they came, whether the client has waited or not, and replies leave in
that order, many at a time. aiosmtpd, which would be the natural base, reads through a ``StreamReader``, waits for the
network after each reply and knows no BDAT: nothing of its session would be left. So this stands on the same
:class:`~._channel.Channel` as the FTP server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl

from ._channel import LineTooLongError
from ._smtp_channel import MailChannel
from ._smtp_commands import address_of
from ._smtp_content import Contents, payload_of
from ._smtp_session import CutError, Session
from ._sockets import accept_forever, listening_socket
from .smtp_faults import Delay, Fault, Greylist, Hangup, HangupAfter, InjectClear, Reply, Stall

logger = logging.getLogger("netclients.testing.smtp")

_LINGER = 0.5
"""Seconds that an ended connection is read from, so that unread bytes don't turn the end into a reset."""

_OUTBOX = 64
"""How many replies wait for more at the most."""


_LAST_OF_GROUP = frozenset(("EHLO", "LHLO", "HELO", "STARTTLS", "AUTH", "DATA", "VRFY", "EXPN", "NOOP", "HELP", "QUIT"))
"""RFC 2920 section 3.1; AUTH by RFC 4954, STARTTLS by RFC 3207."""


class Engine(Contents):
    """Accepts connections and serves them until closed."""

    listener: socket.socket | None = None
    accepting: asyncio.Task[None] | None = None
    unix: str | None = None

    async def open(self, host: str, port: int, unix: str | None) -> tuple[str, int]:
        """Listen, and return the address. Raises OSError."""
        self.tasks: set[asyncio.Task[None]] = set()
        self.sessions: set[Session] = set()
        if unix is None:
            self.listener = listening_socket(host, port)
            host, port, *_ = self.listener.getsockname()
        else:
            self.listener = _unix_socket(unix)
            self.unix = unix
        self.accepting = asyncio.create_task(accept_forever(self.listener, self._accepted))
        return host, port

    async def shut(self) -> None:
        """Stop listening and cut all connections."""
        tasks = [*self.tasks]
        if self.accepting is not None:
            tasks.append(self.accepting)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.listener is not None:
            self.listener.close()
        if self.unix is not None:
            with contextlib.suppress(OSError):
                os.unlink(self.unix)

    def _accepted(self, sock: socket.socket) -> None:
        task = asyncio.create_task(self._serve(sock))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        # A task that is cancelled before it begins has no chance to close anything.
        task.add_done_callback(lambda _: sock.close())

    async def _serve(self, sock: socket.socket) -> None:
        self.counters.opened()
        channel = MailChannel(sock)
        session = Session(channel, self.counters.connections, "ENHANCEDSTATUSCODES" not in self.rules.without)
        session.task = asyncio.current_task()
        self.sessions.add(session)
        try:
            await self._converse(session)
        except CutError as cut:
            with contextlib.suppress(OSError, ssl.SSLError):
                await session.flush()
                if cut.stall:
                    while await channel.recv():
                        pass
            if cut.reset:
                channel.reset()
        except (OSError, ssl.SSLError):
            pass  # the client left
        except Exception:
            logger.exception("the SMTP server failed")
            raise
        finally:
            # No await before this: the slot is free as soon as the connection is over.
            self.counters.connections_open -= 1
            self.sessions.discard(session)
        await _say_goodbye(channel)

    async def _converse(self, session: Session) -> None:
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

    # Faults

    async def interfere(self, session: Session, verb: str, argument: str) -> bool:
        """Let scripted faults act; False if nothing is left to execute."""
        for fault in self.rules.faults.at_command(verb, argument):
            if not await self._act(session, fault):
                return False
        return True

    async def _act(self, session: Session, fault: Fault) -> bool:
        match fault:
            case Delay():
                await session.flush()
                await asyncio.sleep(fault.seconds)
            case Stall():
                raise CutError(stall=True)
            case Hangup(executed=True):
                await session.flush()
                session.doomed = fault
            case Hangup():
                raise CutError(reset=fault.reset)
            case HangupAfter():
                session.doomed = fault
            case InjectClear():
                session.injected = fault.text
            case Reply() | Greylist():
                if fault.text:
                    session.send_raw(fault.text)
                return False
            case _:
                pass
        return True

    def executed(self, session: Session) -> None:
        """Cut the connection if a fault wants it to end here; the last reply is lost, but for HangupAfter."""
        if session.doomed is not None:
            if isinstance(session.doomed, Hangup):
                session.outbox.clear()
            raise CutError(reset=session.doomed.reset)


async def _say_goodbye(channel: MailChannel) -> None:
    """End our direction first: closing a socket with unread bytes would reset it, and lose our last replies."""
    if channel.closed:
        return
    try:
        channel.send_fin()
        async with asyncio.timeout(_LINGER):
            await channel.drain()
    except (OSError, TimeoutError):
        pass
    finally:
        channel.close()


def _unix_socket(path: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        sock.listen(1024)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock
