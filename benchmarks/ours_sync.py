"""The blocking twin of netclients. Each function runs in a process of its own (see worker.py)."""

from __future__ import annotations

import ssl
import time

from anyio.from_thread import start_blocking_portal

from benchmarks.account import Account, url
from benchmarks.ours import client
from netclients.sync import FTPClient

WARM_UP = 20


def blocking_client(account: Account) -> FTPClient:
    ca_file = account.get("ca_file")
    if ca_file:
        return FTPClient(url(account, "ftpes"), ssl_context=ssl.create_default_context(cafile=ca_file))
    return FTPClient(url(account, "ftp"), tls="none")


def calls(account: Account, name: str, count: int) -> dict[str, float]:
    """Ask ``exists`` again and again."""
    with blocking_client(account) as ftp:
        for _ in range(WARM_UP):
            ftp.exists(name)
        started = time.perf_counter()
        for _ in range(count):
            ftp.exists(name)
        return {"seconds": time.perf_counter() - started, "done": count}


def portal_calls(account: Account, name: str, count: int) -> dict[str, float]:
    """Do the same by a bare portal and the asynchronous client."""
    with start_blocking_portal() as portal:
        ftp = client(account)
        for _ in range(WARM_UP):
            portal.call(ftp.exists, name)
        started = time.perf_counter()
        for _ in range(count):
            portal.call(ftp.exists, name)
        seconds = time.perf_counter() - started
        portal.call(ftp.aclose)
    return {"seconds": seconds, "done": count}


def download(account: Account, name: str, destination: str) -> dict[str, float]:
    started = time.perf_counter()
    with blocking_client(account) as ftp:
        done = ftp.download(name, destination).size
    return {"seconds": time.perf_counter() - started, "done": done}
