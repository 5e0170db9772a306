"""URLs from the command line and from lists: which server, which path, and how to show them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from netclients.cli.credentials import Credentials
from netclients.config import Endpoint
from netclients.errors import ConfigurationError, printable

__all__ = ["Target", "parse_target", "read_urls"]


@dataclass(frozen=True, slots=True)
class Target:
    """One URL. ``server`` has the credentials and no path; ``shown`` has no credentials."""

    server: Endpoint
    path: str
    shown: str

    @property
    def name(self) -> str:
        """The path's last part.

        Raises:
            ConfigurationError: it is no name for a file.
        """
        name = self.path.rpartition("/")[2]
        if name in ("", ".", ".."):
            raise ConfigurationError(f"{printable(self.shown)} is not the URL of a file")
        return name


def parse_target(url: str, credentials: Credentials) -> Target:
    """Read a URL and find its credentials.

    Raises:
        ConfigurationError: it can't be understood.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        # Python's message may quote a part of the password.
        raise ConfigurationError(
            "bad host or port in a URL (in user and password, write / ? # @ : as %2F %3F %23 %40 %3A)"
        ) from None
    endpoint = Endpoint.parse(url)
    shown = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    if endpoint.socket_path is not None:
        return Target(endpoint, "", shown)
    login = credentials.complete(endpoint.host, endpoint.login, has_password=parts.password is not None)
    return Target(replace(endpoint, path="", login=login), endpoint.path, shown)


def read_urls(urls: Iterable[str], url_list: str | None) -> Iterator[str]:
    """Yield the URLs of the command line, then those of the list; empty lines and ``#`` comments are none.

    Raises:
        ConfigurationError: the list can't be read, or there is no URL at all.
    """
    count = 0
    for url in (*urls, *_lines_of(url_list)):
        line = url.strip()
        if line and not line.startswith("#"):
            count += 1
            yield line
    if not count:
        raise ConfigurationError("no URL was given")


def _lines_of(url_list: str | None) -> Iterator[str]:
    if url_list is None:
        return
    try:
        if url_list == "-":
            yield from sys.stdin or ()
            return
        with Path(url_list).open(encoding="utf-8", errors="surrogateescape") as file:
            yield from file
    except OSError as error:
        raise ConfigurationError(f"{printable(url_list)}: {error.strerror}") from None
