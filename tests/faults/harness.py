"""What the fault tests share: impatient clients, what must hold at rest, and the count of points.

A *point* is one place where something went wrong: one byte of a dialogue, one suspension of a call. Every
test adds its points to :data:`~tests.faults.report.POINTS`; the summary of the run prints them by server.
"""

from __future__ import annotations

import gc
import os
import ssl
from dataclasses import replace

import anyio

from netclients import FTPClient, PoolLimits, RetryPolicy, Timeouts
from netclients.testing import FaultProxy
from tests.servers import FTPTarget

ONCE = RetryPolicy(attempts=1)
THRICE = RetryPolicy(attempts=3, initial=0, maximum=0)
PATIENT = Timeouts(connect=20, handshake=2, reply=3, stall=3, pool=20, complete=3)
WARY = Timeouts(connect=20, handshake=0.9, reply=0.9, stall=0.9, pool=20, complete=0.9)
"""For stalls of real servers: ProFTPD needs 0.15 seconds for a login."""
IMPATIENT = Timeouts(connect=20, handshake=0.15, reply=0.15, stall=0.15, pool=20, complete=0.15)

DATA = b"".join(b"%07d\n" % number for number in range(512))  # no two places are alike


def behind(target: FTPTarget, proxy: FaultProxy) -> FTPTarget:
    """The same server, seen through the proxy."""
    return replace(target, host=proxy.host, port=proxy.port)


def url_of(target: FTPTarget, tls: str) -> str:
    url = target.url(tls=tls)
    return url.replace(f"@{target.host}:", f"@[{target.host}]:") if ":" in target.host else url


def context_for(target: FTPTarget) -> ssl.SSLContext:
    """Trusts the server's authority. Names are not compared: the proxy has another address."""
    context = ssl.create_default_context(cafile=target.ca_file)
    context.check_hostname = False
    return context


def client_of(
    target: FTPTarget,
    *,
    tls: str = "none",
    retry: RetryPolicy = ONCE,
    timeouts: Timeouts = PATIENT,
    connections: int = 2,
    context: ssl.SSLContext | None = None,
    **options: object,
) -> FTPClient:
    if tls != "none":
        options["ssl_context"] = context or context_for(target)
    return FTPClient(
        url_of(target, tls),
        retry=retry,
        timeouts=timeouts,
        limits=PoolLimits(max_connections=connections),
        **options,  # type: ignore[arg-type]
    )


def assert_at_rest(client: FTPClient, where: object = "") -> None:
    """Nobody uses a connection, opens one, or waits for one."""
    stats = client.stats
    assert (stats.in_use, stats.connecting, stats.waiting) == (0, 0, 0), f"{stats} {where}"


def descriptors() -> set[str]:
    """What the process has open, sockets by their inode."""
    gc.collect()
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:
            continue  # the directory's own
    return found


async def settles(condition: object, seconds: float = 5.0) -> bool:
    """Whether ``condition()`` becomes true, for what another thread or process has to do first."""
    assert callable(condition)
    with anyio.move_on_after(seconds):
        while not condition():
            await anyio.sleep(0.005)
        return True
    return bool(condition())
