"""What the servers and the proxy of this package share: two ways to run them, where they are, and whom to trust."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, TypeVar
from urllib.parse import quote

from . import certificates
from ._threads import call_in, in_thread

__all__ = ["EmbeddedServer", "Runnable", "Severable"]

R = TypeVar("R")


class Runnable(ABC):
    """Runs on the running asyncio loop (``async with``), or on a loop of its own in a new thread (``with``).

    All properties and methods may be used from any thread.
    """

    _name: str
    _host: str
    _port: int
    _loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> Self:
        self._thread = in_thread(lambda: self, self._name)
        self._thread.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.__exit__(kind, error, trace)

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def host(self) -> str:
        """The address it listens on."""
        return self._host

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    def _call(self, function: Callable[[], R]) -> R:
        if self._loop is None or self._loop.is_closed():
            return function()
        return call_in(self._loop, function)


class Severable(Protocol):
    """A session that can be cut."""

    def cut(self, reset: bool) -> None:
        """End it, by RST or by FIN."""


class EmbeddedServer(Runnable):
    """A server with certificates for loopback and, perhaps, users."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        scheme: str,
        secured: bool,
        ssl_context: ssl.SSLContext | None,
        users: Mapping[str, str] | None,
    ) -> None:
        if secured and ssl_context is None:
            ssl_context = certificates.server_context()
        self.ssl_context = ssl_context
        """The server's own context; its TLS versions, for example, may be changed at any time."""
        self._host, self._port = host, port
        self._scheme = scheme
        self._users = None if users is None else dict(users)
        self._files: tempfile.TemporaryDirectory[str] | None = None

    @abstractmethod
    def _sessions(self) -> Iterable[Severable]:
        """Return the sessions that are under way."""

    def _forget_files(self) -> None:
        if self._files is not None:
            self._files.cleanup()

    @property
    def url(self) -> str:
        """Its URL with the first user's credentials."""
        return self.url_at(self._host, self._port)

    def url_at(self, host: str, port: int) -> str:
        """Return the URL for another address, such as that of a proxy in front of the server."""
        login = ""
        if self._users:
            name, password = next(iter(self._users.items()))
            login = f"{quote(name, safe='')}:{quote(password, safe='')}@"
        return f"{self._scheme}://{login}{f'[{host}]' if ':' in host else host}:{port}"

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

    def sever(self, *, reset: bool = True) -> int:
        """Cut all connections by RST or FIN, and return how many clients that were."""

        def cut() -> int:
            sessions = list(self._sessions())
            for session in sessions:
                session.cut(reset)
            return len(sessions)

        return self._call(cut)
