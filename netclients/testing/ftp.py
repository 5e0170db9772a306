"""An FTP server on loopback for tests and demonstrations, with scripted faults.

It is aioftp's server with what that lacks, see ``_ftp_commands`` and ``_ftp_transfers``. It serves one
directory, keeps no log, and ends all its connections when it is left.
"""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote

from . import certificates
from ._ftp_engine import Engine
from ._threads import call_in, in_thread
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


class FTPServer:
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
        self._users = None if users is None else dict(users)
        self._tls: TLS = tls
        if tls != "none" and ssl_context is None:
            ssl_context = certificates.server_context()
        self.ssl_context = ssl_context
        """The server's own context; its TLS versions, for example, may be changed at any time."""
        self._host, self._port = host, port
        self._files: tempfile.TemporaryDirectory[str] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        engine = Engine(self.root, self._users, ssl_context, without)
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

    @classmethod
    def run_in_thread(cls, root: str | Path, **options: Any) -> AbstractContextManager[FTPServer]:
        """Another way to say ``with FTPServer(...)``: run it in a thread, with the same options."""
        return cls(root, **options)

    def __enter__(self) -> Self:
        self._thread = in_thread(lambda: self, "netclients-ftp-server")
        self._thread.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.__exit__(kind, error, trace)

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._host, self._port = await self._engine.open(self._host, self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._engine.shut()
        if self._files is not None:
            self._files.cleanup()

    # Where it is

    @property
    def host(self) -> str:
        """The address it listens on."""
        return self._host

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """Its URL with the first user's credentials: scheme ``ftp``, ``ftpes`` or ``ftps``."""
        return self.url_at(self._host, self._port)

    def url_at(self, host: str, port: int) -> str:
        """Return the URL for another address, such as that of a proxy in front of the server."""
        scheme = {"none": "ftp", "explicit": "ftpes", "implicit": "ftps"}[self._tls]
        login = ""
        if self._users:
            name, password = next(iter(self._users.items()))
            login = f"{quote(name, safe='')}:{quote(password, safe='')}@"
        return f"{scheme}://{login}{f'[{host}]' if ':' in host else host}:{port}"

    def client_context(self) -> ssl.SSLContext:
        """Return a new client context that trusts this server and checks host names."""
        return certificates.client_context()

    @property
    def ca_file(self) -> str:
        """Path of a PEM file with the authority to trust; it is removed when the server is left."""
        if self._files is None:
            self._files = tempfile.TemporaryDirectory(prefix="netclients-testing-")
            Path(self._files.name, "ca.pem").write_bytes(certificates.ca_pem())
        return str(Path(self._files.name, "ca.pem"))

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

    def sever(self, *, reset: bool = True) -> int:
        """Cut all control and data connections by RST or FIN, and return how many clients that were."""

        def cut() -> int:
            sessions = list(self._engine.sessions)
            for session in sessions:
                session.cut(reset)
            return len(sessions)

        return self._call(cut)

    def _call(self, function: Callable[[], R]) -> R:
        if self._loop is None or self._loop.is_closed():
            return function()
        return call_in(self._loop, function)
