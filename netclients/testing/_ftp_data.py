"""Data connections of the embedded FTP server: PASV, EPSV, PORT, EPRT, and what travels over them.

The order of events is that of real servers: the data connection is made, the 150 reply sent, then comes the
TLS handshake, then the data; the final reply follows once the data connection has been ended.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Sequence
from pathlib import Path

from aioftp.common import Connection

from ._channel import Channel
from ._ftp_commands import Commands
from ._ftp_session import Session
from ._sockets import accept, listening_socket
from .ftp_faults import CutData, FaultScript


class CutError(Exception):
    """The data connection shall be cut now."""

    def __init__(self, fault: CutData) -> None:
        super().__init__(fault)
        self.fault = fault


class HangupError(Exception):
    """The control connection shall be cut now."""


class DataConnections(Commands):
    """Makes data connections, protects and ends them, around whatever work a transfer has."""

    def __init__(
        self,
        root: Path,
        users: dict[str, str] | None,
        context: ssl.SSLContext | None,
        without: Collection[str],
    ) -> None:
        super().__init__(root, users, context, without)
        self.faults = FaultScript()
        self.passive_ports: Sequence[int] = ()
        self.next_passive = 0
        self.data_timeout = 10.0
        self.require_session_reuse = False
        self.require_close_alert = True

    # Where the next data connection comes from

    def _listen(self, session: Session) -> int:
        """Listen for the next data connection and return the port; reply and return 0 if there is none."""
        session.forget_data()
        host = session.channel.local[0]
        for _ in range(max(1, len(self.passive_ports))):
            try:
                session.listener = listening_socket(host, self._next_port())
            except OSError:
                continue
            port: int = session.listener.getsockname()[1]
            return port
        session.reply("425", "No passive port is free.")
        return 0

    def _next_port(self) -> int:
        if not self.passive_ports:
            return 0
        self.next_passive += 1
        return self.passive_ports[(self.next_passive - 1) % len(self.passive_ports)]

    async def do_pasv(self, connection: Connection, rest: str) -> bool:
        """PASV: IPv4 only."""
        session: Session = connection.session
        if session.only_epsv or session.channel.family != socket.AF_INET:
            session.reply("501" if session.only_epsv else "425", "Use EPSV.")
            return True
        if not (port := self._listen(session)):
            return True
        numbers = f"{session.channel.local[0].replace('.', ',')},{port >> 8},{port & 255}"
        session.reply("227", f"Entering Passive Mode ({numbers}).")
        return True

    async def do_epsv(self, connection: Connection, rest: str) -> bool:
        """EPSV (RFC 2428), with an optional protocol number, or ALL."""
        session: Session = connection.session
        own = "1" if session.channel.family == socket.AF_INET else "2"
        if rest.upper() == "ALL":
            session.only_epsv = True
            session.reply("200", "EPSV only from now on.")
        elif rest not in ("", own):
            session.reply("522", f"Not this network protocol, use ({own}).")
        elif port := self._listen(session):
            session.reply("229", f"Entering Extended Passive Mode (|||{port}|)")
        return True

    async def do_port(self, connection: Connection, rest: str) -> bool:
        """PORT: only to the control peer, and to no privileged port."""
        try:
            numbers = [int(part) for part in rest.split(",")]
            address = ".".join(map(str, numbers[:4]))
            high, low = numbers[4:]
        except ValueError:
            connection.session.reply("501", "PORT takes six numbers.")
            return True
        self._aim(connection.session, address, high * 256 + low)
        return True

    async def do_eprt(self, connection: Connection, rest: str) -> bool:
        """EPRT (RFC 2428): only to the control peer, and to no privileged port."""
        try:
            _, protocol, address, port, _ = rest.split(rest[:1] or "|")
            number = int(port)
        except ValueError:
            connection.session.reply("501", "EPRT takes |protocol|address|port|.")
            return True
        if protocol not in ("1", "2"):
            connection.session.reply("522", "Not this network protocol, use (1,2).")
        else:
            self._aim(connection.session, address, number)
        return True

    def _aim(self, session: Session, address: str, port: int) -> None:
        session.forget_data()
        if session.only_epsv:
            session.reply("501", "Use EPSV.")
        elif not _same_host(address, session.channel.peer[0]) or not 1024 <= port < 65536:
            session.reply("500", "Illegal address for a data connection.")
        else:
            session.target = (session.channel.peer[0], port)
            session.reply("200", "I will connect there.")

    async def _open_data(self, session: Session) -> Channel:
        """Accept or make the data connection. Raises OSError, TimeoutError."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self.data_timeout):
            if session.target is not None:
                sock = socket.socket(session.channel.family, socket.SOCK_STREAM)
                sock.setblocking(False)
                try:
                    await loop.sock_connect(sock, session.target)
                except BaseException:
                    sock.close()
                    raise
                return Channel(sock)
            if session.listener is None:
                raise ConnectionRefusedError("no PASV or PORT")
            while True:
                sock = await accept(session.listener)
                try:
                    channel = Channel(sock)
                    if _same_host(channel.peer[0], session.channel.peer[0]):
                        return channel
                except OSError:
                    sock.close()  # reset before it was looked at
                    raise
                channel.close()  # somebody else's connection must not get this client's file

    async def _protect(self, session: Session, channel: Channel) -> bool:
        """Make the TLS handshake if PROT P asks for it; reply and return False if it fails."""
        if not session.protected:
            if self.tls_required:
                session.reply("522", "PROT P is required.")
            return not self.tls_required
        assert self.context is not None
        try:
            async with asyncio.timeout(self.data_timeout):
                await channel.start_tls(self.context)
        except (OSError, TimeoutError) as error:
            session.reply("425", f"The TLS handshake failed: {error}")
            return False
        reused = channel.tls is not None and channel.tls.session_reused
        self.counters.sessions_reused += bool(reused)
        if self.require_session_reuse and not reused:
            session.reply("522", "TLS session reuse is required.")
        return bool(reused) or not self.require_session_reuse

    async def transfer(self, session: Session, what: str, work: Callable[[Channel], Awaitable[None]]) -> None:
        """Open the data connection, do `work` on it, and reply."""
        try:
            channel = await self._open_data(session)
        except (OSError, TimeoutError):
            session.reply("425", "No data connection.")
            return
        finally:
            session.forget_data()
        self.counters.data_connections += 1
        self.counters.data_open += 1
        session.data = channel
        try:
            await session.say("150", f"Opening data connection for {what}.")
            if await self._protect(session, channel):
                await self._run(session, channel, work)
        finally:
            self.counters.data_open -= 1
            session.data = None
            if channel not in session.lingering:
                channel.close()

    async def _run(self, session: Session, channel: Channel, work: Callable[[Channel], Awaitable[None]]) -> None:
        try:
            await work(channel)
        except CutError as cut:
            await self._cut(session, channel, cut.fault)
        except (ConnectionError, ssl.SSLError, TimeoutError) as error:
            session.reply("426", f"Data connection lost: {error}")
        except OSError as error:
            session.reply("452", f"File system: {error.strerror}.")
        else:
            if channel.tls is None:
                channel.close()
            else:
                session.linger(channel)
            session.reply("226", "Transfer complete.")

    async def _cut(self, session: Session, channel: Channel, fault: CutData) -> None:
        if fault.how == "stall":
            await asyncio.Event().wait()
        if fault.how == "reset":
            channel.reset()
        else:
            if fault.alert:
                await channel.send_close_alert()
            channel.close()
        if fault.hangup:
            raise HangupError
        if fault.reply is not None:
            session.send_raw(fault.reply + "\r\n")


def _same_host(one: str, other: str) -> bool:
    try:
        return ipaddress.ip_address(one) == ipaddress.ip_address(other)
    except ValueError:
        return False
