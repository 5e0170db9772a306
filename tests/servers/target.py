"""What a test needs to know of a server that it talks to, real or embedded."""

from __future__ import annotations

import os
import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

SCHEMES = {"none": "ftp", "starttls": "ftpes", "implicit": "ftps"}
TLS_OF_MODE = {"optional": "none", "force": "starttls", "force-control": "starttls", "implicit": "implicit"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FTPTarget:
    """Address, account, trust anchor and files of one running FTP server.

    ``tls_mode`` is ``optional`` (plain and AUTH TLS), ``force``, ``force-control`` (data may be plain) or
    ``implicit``. ``root`` is what the account sees as its login directory; tests may look and write there.
    """

    name: str
    host: str
    port: int
    user: str
    password: str
    tls_mode: str
    ca_file: Path | None
    root: Path

    def url(self, path: str = "", *, tls: str | None = None) -> str:
        """``tls`` is none, starttls or implicit; by default the least that the server accepts."""
        tls = tls or TLS_OF_MODE[self.tls_mode]
        query = "?tls=none" if tls == "none" else ""
        account = f"{quote(self.user, safe='')}:{quote(self.password, safe='')}"
        return f"{SCHEMES[tls]}://{account}@{self.host}:{self.port}/{quote(path)}{query}"

    def ssl_context(self, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """A context that trusts this server, pinned to one version of TLS if asked."""
        context = ssl.create_default_context(cafile=self.ca_file)
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context

    def put(self, path: str, data: bytes) -> Path:
        """Create a file below the root, with its directories, as if the account itself had done so."""
        target = self.root / path
        missing = [parent for parent in target.parents if not parent.exists()]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            owner = self.root.stat()
            for created in (target, *missing):
                os.chown(created, owner.st_uid, owner.st_gid)
        return target

    def clear(self) -> None:
        """Remove everything below the root."""
        for entry in self.root.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
