"""An FTP server on loopback for tests and demonstrations, with scripted faults.

It is aioftp's server with what that lacks, see ``_ftp_commands`` and ``_ftp_transfers``. It serves one
directory, keeps no log, and ends all its connections when it is left.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from ._ftp_engine import Engine
from ._server import EmbeddedServer, Severable
from .ftp_faults import Fault, FaultScript

R = TypeVar("R")

TLS = Literal["none", "explicit", "implicit"]


@dataclass(frozen=True, slots=True)
class FTPServerStats:
    """What an :class:`FTPServer` has done so far."""

    connections: int
    """Control connections accepted."""
    connections_open: int
    """Control connections open now."""
    connections_peak: int
    """The most that were open at once."""
    logins: int
    """Successful logins."""
    data_connections: int
    """Data connections made."""
    data_open: int
    """Data connections in use now."""
    sessions_reused: int
    """TLS data connections that resumed a session."""
    bytes_sent: int
    """Payload of downloads and listings, before TLS."""
    bytes_received: int
    """Payload of uploads, before TLS."""
    faults: int
    """How often scripted faults fired."""
    commands: Mapping[str, int]
    """Commands received, by verb in capitals."""


_SCHEMES = {"none": "ftp", "explicit": "ftpes", "implicit": "ftps"}


class FTPServer(EmbeddedServer):
    """An FTP server on loopback that serves one directory.

    ``async with FTPServer(root) as server`` runs it on the running asyncio loop; ``with FTPServer(root) as
    server`` on an event loop of its own, in a new thread, for trio and for blocking code. All properties and
    methods may be used from any thread.

    `users` maps names to passwords; None lets ``anonymous`` and ``ftp`` in. Everybody may read and write.
    `tls` ``"explicit"`` offers AUTH TLS (and demands it with `tls_required`), ``"implicit"`` starts with the
    handshake. Certificates are made for loopback; trust them by :meth:`client_context` or :attr:`ca_file`.
    `require_session_reuse` refuses TLS data connections that resume no session, with 522;
    `require_close_alert` refuses TLS uploads that end without a close alert, with 426.
    `max_connections` is how many may be connected, the next one gets 421; `max_logins` how many may be logged
    in, the next one gets 530 "too many".
    `faults` is a script of :mod:`netclients.testing.ftp_faults`. `without` names commands that the server
    shall not have, such as ``{"MLSD", "MLST", "EPSV"}``: FEAT does not list them then.
    `passive_ports` limits the ports of passive data connections. `data_timeout` is how long, in seconds, the
    server waits for a data connection, and for its handshake. `encoding` is that of names on the wire; bytes
    that are not valid in it pass unchanged.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        users: Mapping[str, str] | None = None,
        tls: TLS = "none",
        tls_required: bool = False,
        require_session_reuse: bool = False,
        require_close_alert: bool = True,
        max_connections: int | None = None,
        max_logins: int | None = None,
        faults: Iterable[Fault] | None = None,
        without: Collection[str] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        passive_ports: Sequence[int] = (),
        data_timeout: float = 10.0,
        encoding: str = "utf-8",
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self.root: Path = Path(root).resolve()
        super().__init__(host, port, scheme=_SCHEMES[tls], secured=tls != "none", ssl_context=ssl_context, users=users)
        engine = Engine(self.root, self._users, self.ssl_context, without)
        engine.implicit = tls == "implicit"
        engine.tls_required = tls_required
        engine.require_session_reuse = require_session_reuse
        engine.require_close_alert = require_close_alert
        engine.max_connections = max_connections
        engine.max_logins = max_logins
        engine.passive_ports = tuple(passive_ports)
        engine.data_timeout = data_timeout
        engine.encoding = encoding
        engine.faults = FaultScript(faults or ())
        self._engine = engine

    _name = "netclients-ftp-server"

    @classmethod
    def run_in_thread(cls, root: str | Path, **options: Any) -> AbstractContextManager[FTPServer]:
        """Another way to say ``with FTPServer(...)``: run it in a thread, with the same options."""
        return cls(root, **options)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._host, self._port = await self._engine.open(self._host, self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._engine.shut()
        self._forget_files()

    # What it does

    @property
    def stats(self) -> FTPServerStats:
        """What it has done so far."""
        return self._call(self._take_stats)

    def _take_stats(self) -> FTPServerStats:
        counters = self._engine.counters
        return FTPServerStats(
            connections=counters.connections,
            connections_open=counters.connections_open,
            connections_peak=counters.connections_peak,
            logins=counters.logins,
            data_connections=counters.data_connections,
            data_open=counters.data_open,
            sessions_reused=counters.sessions_reused,
            bytes_sent=counters.bytes_sent,
            bytes_received=counters.bytes_received,
            faults=self._engine.faults.fired,
            commands=dict(counters.commands),
        )

    def set_faults(self, faults: Iterable[Fault] = ()) -> None:
        """Replace the script of faults; counting starts anew."""
        script = FaultScript(faults)
        self._call(lambda: setattr(self._engine, "faults", script))

    def set_limits(self, *, max_connections: int | None = None, max_logins: int | None = None) -> None:
        """Replace both limits; None is no limit. Connections that exist stay."""

        def apply() -> None:
            self._engine.max_connections, self._engine.max_logins = max_connections, max_logins

        self._call(apply)

    def _sessions(self) -> Iterable[Severable]:
        return self._engine.sessions
