"""The control connection of the embedded FTP server: reads commands one by one, and lets faults interfere.

aioftp runs pipelined commands at the same time; real servers run them in order, and so does this. While a
transfer runs, the control connection is watched: ABOR and its end stop the transfer, STAT is answered, and
other commands wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import re
import socket
import ssl
from types import SimpleNamespace
from typing import Any

import aioftp
from aioftp.common import Connection

from ._channel import Channel, LineTooLongError
from ._ftp_data import HangupError
from ._ftp_session import Session
from ._ftp_transfers import Transfers
from ._sockets import accept_forever, listening_socket
from .ftp_faults import Delay, Fault, Hangup, Reply, Stall

logger = logging.getLogger("netclients.testing.ftp")

_TRANSFERS = frozenset(("retr", "stor", "appe", "list", "nlst", "mlsd"))
_WITH_ARGUMENT = frozenset(
    "user mdtm mfmt size retr stor appe dele mkd rmd xmkd xrmd rnfr rnto cwd xcwd rest".split()  # noqa: SIM905
)
_KEEP_OFFSET = frozenset(("rest", "pasv", "epsv", "port", "eprt", "type"))
# ABOR arrives behind telnet's "interrupt process" and "synch" (RFC 959 section 4.1.3).
_TELNET = re.compile(rb"\xff[\xf2-\xf9]|\xff[\xfb-\xfe].")


class Engine(Transfers):
    """Accepts control connections and serves them until closed."""

    implicit = False
    max_connections: int | None = None
    greeting_text = "netclients test server ready."
    listener: socket.socket | None = None
    accepting: asyncio.Task[None] | None = None

    async def open(self, host: str, port: int) -> tuple[str, int]:
        """Listen, and return the address. Raises OSError."""
        self.listener = listening_socket(host, port)
        self.tasks: set[asyncio.Task[None]] = set()
        self.accepting = asyncio.create_task(accept_forever(self.listener, self._accepted))
        bound_host, bound_port, *_ = self.listener.getsockname()
        return bound_host, bound_port

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

    def _accepted(self, sock: socket.socket) -> None:
        task = asyncio.create_task(self._serve(sock))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        # A task that is cancelled before it begins has no chance to close anything.
        task.add_done_callback(lambda _: sock.close())

    async def _serve(self, sock: socket.socket) -> None:
        # Clients send ABOR as urgent data, of which the last byte would get lost otherwise.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        session = self._new_session(Channel(sock))
        session.task = asyncio.current_task()
        self.sessions.add(session)
        self.counters.opened()
        try:
            if self.implicit:
                assert self.context is not None
                await session.channel.start_tls(self.context)
            if await self._greet(session):
                while await self._step(session):
                    pass
            await session.flush()
            await session.channel.send_close_alert()
        except LineTooLongError:
            with contextlib.suppress(OSError):
                await session.say("500", "Line too long.")
        except (OSError, ssl.SSLError, HangupError):
            pass  # the client left, or a fault cut the connection
        except Exception:
            logger.exception("the FTP server failed")
            raise
        finally:
            # No await before this: the slot is free as soon as the connection is closed.
            self.counters.connections_open -= 1
            self.sessions.discard(session)
            await session.aclose()

    def _new_session(self, channel: Channel) -> Session:
        connection = Connection(command_connection=SimpleNamespace(throttles={}), wait_future_timeout=0)
        connection.path_io = self.path_io_factory(timeout=None, connection=connection)
        session = Session(channel, connection, self.encoding)
        connection.session = session
        connection.response = session.reply
        return session

    async def _greet(self, session: Session) -> bool:
        if not await self._interfere(session, "CONNECT", ""):
            return True
        if self.max_connections is not None and self.counters.connections_open > self.max_connections:
            session.reply("421", "Too many connections, try again later.")
            return False
        await session.say("220", self.greeting_text)
        return True

    # One command

    async def _step(self, session: Session) -> bool:
        """Read and execute one command; False ends the connection."""
        line = await session.read_line()
        if not line.endswith(b"\n"):
            return False
        verb, argument = self._parse(line)
        self.counters.commands[verb.upper()] += 1
        if not await self._interfere(session, verb.upper(), argument):
            await session.flush()
            return True
        keep = await self._execute(session, verb, argument)
        if session.muted:
            raise HangupError
        await session.flush()
        return keep

    def _parse(self, line: bytes) -> tuple[str, str]:
        text = _TELNET.sub(b"", line).rstrip(b"\r\n").decode(self.encoding, "surrogateescape")
        verb, _, argument = text.partition(" ")
        return verb.lower(), argument

    async def _execute(self, session: Session, verb: str, argument: str) -> bool:
        handler: Any = self.handlers.get(verb)
        if handler is None:
            session.reply("500", "Unknown command.")
            return True
        if self.needs_login(verb) and not session.logged_in:
            session.reply("530", "Log in first.")
            return True
        if verb in _WITH_ARGUMENT and not argument:
            session.reply("501", "An argument is missing.")
            return True
        try:
            work = handler(session.connection, argument)
            keep: bool = await (self._watched(session, work) if verb in _TRANSFERS else work)
        except aioftp.PathIOError as error:
            keep = _explain(session, error.reason[1] if error.reason else None)
        except (HangupError, ConnectionError, ssl.SSLError):
            raise
        except (OSError, ValueError) as error:
            keep = _explain(session, error)
        if verb not in _KEEP_OFFSET:
            session.offset = 0
        if verb != "rnfr":
            session.rename_from = None
        return keep

    async def _watched(self, session: Session, work: Any) -> bool:
        """Run a transfer, and obey the control connection meanwhile."""
        transfer: asyncio.Task[bool] = asyncio.create_task(work)
        try:
            while not transfer.done() and len(session.pending) < 1000:
                line = session.next_line()
                await asyncio.wait({transfer, line}, return_when=asyncio.FIRST_COMPLETED)
                if line.done() and not transfer.done():
                    session.line = None
                    if not await self._during_transfer(session, transfer, line.result()):
                        return True
            return await transfer
        finally:
            transfer.cancel()
            await asyncio.wait({transfer})

    async def _during_transfer(self, session: Session, transfer: asyncio.Task[bool], line: bytes) -> bool:
        """Obey one line; False if the transfer was aborted."""
        verb, _ = self._parse(line)
        if not line.endswith(b"\n"):
            raise ConnectionResetError("the control connection ended during a transfer")
        if verb == "abor":
            self.counters.commands["ABOR"] += 1
            transfer.cancel()
            await asyncio.wait({transfer})
            session.reply("426", "Transfer aborted.")
            session.reply("226", "ABOR done.")
            await session.flush()
            return False
        if verb == "stat":
            self.counters.commands["STAT"] += 1
            await session.say("211", ["Status:", "A transfer is running.", "End"])
        else:
            session.pending.append(line)
        return True

    # Faults

    async def _interfere(self, session: Session, verb: str, argument: str) -> bool:
        """Let scripted faults act on a command; False if nothing is left to execute."""
        for fault in self.faults.at_command(verb, argument):
            if not await self._act(session, fault):
                return False
        return True

    async def _act(self, session: Session, fault: Fault) -> bool:
        match fault:
            case Delay():
                await asyncio.sleep(fault.seconds)
            case Reply():
                if fault.text:
                    session.send_raw(fault.text + "\r\n")
                    await session.flush()
                return False
            case Stall():
                while await session.read_line():
                    pass
                raise HangupError
            case Hangup(executed=True):
                session.muted = True
            case Hangup():
                if fault.reset:
                    session.channel.reset()
                raise HangupError
            case _:
                pass
        return True


def _explain(session: Session, error: BaseException | None) -> bool:
    """Reply to an error of the file system or of an argument."""
    if isinstance(error, FileNotFoundError):
        session.reply("550", "No such file or directory.")
    elif isinstance(error, PermissionError):
        session.reply("550", "Permission denied.")
    elif isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
        session.reply("452" if full else "550", f"{error.strerror or error}.")
    else:
        session.reply("501", "Bad argument.")
    return True
