"""What all commands share: options, clients, and what the clients tell."""

from __future__ import annotations

import ssl
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from netclients.config import Endpoint, PoolLimits, TLSMode, resolve_tls
from netclients.errors import ConfigurationError, printable
from netclients.events import Events, Trace
from netclients.ftp.client import FTPClient
from netclients.retry import RetryPolicy, retrying

__all__ = ["Session"]


class _Attempts(Events):
    """Counts the repetitions of each operation."""

    def __init__(self) -> None:
        self.repeated: Counter[str] = Counter()

    def retry(self, operation: str, attempt: int, delay: float, error: Exception) -> None:
        """See :meth:`Events.retry`."""
        self.repeated[operation] += 1


@dataclass(frozen=True)
class Session:
    """The options that commands have in common. ``limit_rate`` is in bytes a second, for all hosts together."""

    concurrency: int
    limit_rate: float | None
    ca_file: Path | None
    insecure: bool
    json: bool
    verbose: bool

    def client(self, server: Endpoint, *, hosts: int = 1) -> Connected:
        """Return a client for one of ``hosts`` servers, which share the rate evenly.

        Raises:
            ConfigurationError: the options make no sense.
        """
        events = _Attempts()
        # What to trust does not decide whether there is TLS: the URL and the credentials do.
        secured = resolve_tls(server, None, credentials=server.login is not None) is not TLSMode.NONE
        client = FTPClient(
            server,
            ssl_context=self._ssl_context if secured else None,
            limits=PoolLimits(max_connections=self.concurrency),
            events=events,
            limit_rate=self.limit_rate / hosts if self.limit_rate else None,
        )
        return Connected(client, events)

    def check(self) -> None:
        """Raise ConfigurationError if the options make no sense, before anything is sent."""
        _ = self._ssl_context

    @cached_property
    def _ssl_context(self) -> ssl.SSLContext | None:
        if self.ca_file is not None:
            return self._with_ca_file(self.ca_file)
        if not self.insecure:
            return None
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def _with_ca_file(self, ca_file: Path) -> ssl.SSLContext:
        if self.insecure:
            raise ConfigurationError("--ca-file and --insecure exclude each other")
        try:
            return ssl.create_default_context(cafile=ca_file)
        except ssl.SSLError:
            raise ConfigurationError(f"{printable(str(ca_file))} has no certificates in PEM format") from None
        except OSError as error:
            raise ConfigurationError(f"{printable(str(ca_file))}: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class Connected:
    """A client, and how often it repeated what."""

    client: FTPClient
    events: _Attempts

    def attempts(self, operation: str) -> int:
        """Return how often ``operation`` was tried."""
        return 1 + self.events.repeated[operation]

    async def knock(self) -> None:
        """Log in once, before many connections do: a wrong password or a dead host is met one time, not N times.

        Raises:
            NetClientError: the host can't be used.
        """

        async def log_in() -> None:
            async with self.client.connection():
                pass

        await retrying(RetryPolicy(), "connect", Trace("ftp", self.events), log_in)
