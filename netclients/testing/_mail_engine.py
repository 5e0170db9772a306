"""The connections of an embedded mail server: accepts them, serves them until they end, and lets faults interfere.

What is said over them is the protocol's affair. The libraries that would be the natural base read through a
``StreamReader`` and wait for the network after each reply; so this stands on the same :class:`~._channel.Channel`
as the FTP server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from ._channel import Channel
from ._mail_session import Counters, CutError, MailSession
from ._sockets import accept_forever, listening_socket
from .ftp_faults import Delay, Fault, Hangup, Stall
from .smtp_faults import HangupAfter, InjectClear, MailFaultScript

logger = logging.getLogger("netclients.testing")

S = TypeVar("S", bound=MailSession)

_LINGER = 0.5
"""Seconds that an ended connection is read from, so that unread bytes don't turn the end into a reset."""


class MailRules(Protocol):
    """What every server's rules say."""

    context: ssl.SSLContext | None
    faults: MailFaultScript


class MailEngine(ABC, Generic[S]):
    """Accepts connections and serves them until closed."""

    rules: MailRules
    counters: Counters
    listener: socket.socket | None = None
    accepting: asyncio.Task[None] | None = None
    unix: str | None = None

    @abstractmethod
    def new_session(self, sock: socket.socket) -> S:
        """Return the session of a new connection."""

    @abstractmethod
    async def converse(self, session: S) -> None:
        """Serve a connection until it ends."""

    @abstractmethod
    def refuse(self, session: S, fault: Fault) -> None:
        """Answer as a fault says that executes nothing."""

    async def open(self, host: str, port: int, unix: str | None = None) -> tuple[str, int]:
        """Listen, and return the address. Raises OSError."""
        self.tasks: set[asyncio.Task[None]] = set()
        self.sessions: set[S] = set()
        if unix is None:
            self.listener = listening_socket(host, port)
            host, port, *_ = self.listener.getsockname()
        else:
            self.listener = _unix_socket(unix)
            self.unix = unix
        self.accepting = asyncio.create_task(accept_forever(self.listener, self._accepted))
        return host, port

    def open_sessions(self) -> Iterable[S]:
        """Return the sessions that are under way."""
        return self.sessions

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
        session = self.new_session(sock)
        channel = session.channel
        session.task = asyncio.current_task()
        self.sessions.add(session)
        try:
            await self.converse(session)
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
            logger.exception("the server failed")
            raise
        finally:
            # No await before this: the slot is free as soon as the connection is over.
            self.counters.connections_open -= 1
            self.sessions.discard(session)
            self.ended(session)
        await _say_goodbye(channel)

    def ended(self, session: S) -> None:
        """Forget a connection that is over."""

    async def handshake(self, session: S) -> None:
        """Turn TLS on."""
        assert self.rules.context is not None
        try:
            await session.channel.start_tls(self.rules.context)
        except ssl.SSLError:
            raise CutError from None

    def object_to(self, session: S, deed: str) -> None:
        """Remember that a client has done what it must not."""
        self.counters.violations.append(f"connection {session.number}: {deed}")

    # Faults

    async def interfere(self, session: S, verb: str, argument: str) -> bool:
        """Let scripted faults act; False if nothing is left to execute."""
        for fault in self.rules.faults.at_command(verb, argument):
            if not await self.act(session, fault):
                return False
        return True

    async def act(self, session: S, fault: Fault) -> bool:
        """Let one fault act; False if nothing is left to execute."""
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
            case _:
                self.refuse(session, fault)
                return False
        return True

    def executed(self, session: S) -> None:
        """Cut the connection if a fault wants it to end here; the last reply is lost, but for HangupAfter."""
        if session.doomed is not None:
            if isinstance(session.doomed, Hangup):
                session.outbox.clear()
            raise CutError(reset=session.doomed.reset)


async def _say_goodbye(channel: Channel) -> None:
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
