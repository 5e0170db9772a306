"""What all commands share: options, and the clients that they make."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from netclients.config import Endpoint, PoolLimits, TLSMode, resolve_tls
from netclients.errors import ConfigurationError, printable

if TYPE_CHECKING:
    from netclients.ftp.client import FTPClient
    from netclients.reader import MailReader
    from netclients.smtp.client import MailSender

__all__ = ["Session"]


@dataclass(frozen=True)
class Session:
    """The options that commands have in common. ``limit_rate`` is in bytes a second, for all hosts together."""

    concurrency: int
    limit_rate: float | None
    ca_file: Path | None
    insecure: bool
    json: bool

    def client(self, server: Endpoint, *, hosts: int = 1) -> FTPClient:
        """Return a client for one of ``hosts`` servers, which share the rate evenly.

        Raises:
            ConfigurationError: the options make no sense.
        """
        from netclients.ftp.client import FTPClient

        return FTPClient(
            server,
            ssl_context=self._context_if_secured(server),
            limits=PoolLimits(max_connections=self.concurrency),
            limit_rate=self.limit_rate / hosts if self.limit_rate else None,
        )

    def sender(self, server: Endpoint) -> MailSender:
        """Return a mail sender for a server.

        Raises:
            ConfigurationError: the options make no sense.
        """
        from netclients.smtp.client import MailSender

        return MailSender(
            server,
            ssl_context=self._context_if_secured(server),
            limits=PoolLimits(max_connections=self.concurrency),
            limit_rate=self.limit_rate,
        )

    def reader(self, server: Endpoint) -> MailReader:
        """Return a mail reader for a server.

        Raises:
            ConfigurationError: the options make no sense, or nobody reads mail by this protocol.
        """
        from netclients.reader import MailReader

        return MailReader(server, ssl_context=self._context_if_secured(server))

    def _context_if_secured(self, server: Endpoint) -> ssl.SSLContext | None:
        # What to trust does not decide whether there is TLS: the URL and the credentials do.
        secured = resolve_tls(server, None, credentials=server.login is not None) is not TLSMode.NONE
        return self._ssl_context if secured else None

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
