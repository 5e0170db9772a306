"""A thousand downloads at once with netclients. Each function runs in a process of its own (see worker.py)."""

from __future__ import annotations

import gc
import os
import resource
import time
from pathlib import Path

import anyio

from benchmarks.account import Account
from benchmarks.ours import client, run
from netclients import FTPClient, PoolLimits, Timeouts
from netclients.client import Lease
from netclients.ftp.connection import FTPConnection

AT_A_TIME = 16
PATIENCE = Timeouts(connect=60, reply=60, pool=120)


def memory(account: Account, name: str, count: int, directory: str | None) -> dict[str, float]:
    """Start ``count`` downloads of a slow file and stop when all are under way.

    ``bytes``: how much the process has grown at its largest, beginning with one connection.
    """
    _allow_descriptors()

    async def job() -> dict[str, float]:
        async with _client(account, count) as ftp:
            await ftp.download("small", sink=lambda view: None)
            gc.collect()
            before = largest = _resident()
            await _log_in(ftp, count)
            under_way: set[int] = set()
            async with anyio.create_task_group() as group:
                for number in range(count):
                    group.start_soon(_download, ftp, name, directory, number, under_way)
                settled = 0
                while settled < 10:
                    await anyio.sleep(0.1)
                    largest = max(largest, _resident())
                    settled += len(under_way) == count
                group.cancel_scope.cancel()
            return {"bytes": largest - before, "done": len(under_way)}

    return run("asyncio", job)


async def _download(ftp: FTPClient, name: str, directory: str | None, number: int, under_way: set[int]) -> None:
    def note(_: object) -> None:
        under_way.add(number)

    if directory is None:
        await ftp.download(name, sink=note)
    else:
        await ftp.download(name, Path(directory, str(number)), progress=note)
    raise RuntimeError("a download ended before all others had begun")


def files_a_second(account: Account, names: list[str], directory: str, concurrency: int) -> dict[str, float]:
    """Download all files to disk, ``concurrency`` at a time, over connections that are logged in beforehand."""
    _allow_descriptors()

    async def job() -> dict[str, float]:
        async with _client(account, concurrency) as ftp:
            await _log_in(ftp, concurrency)
            started = time.perf_counter()
            count = 0
            async with ftp.download_many(names, directory, concurrency=concurrency) as items:
                async for item in items:
                    item.raise_for_error()
                    count += 1
            return {"seconds": time.perf_counter() - started, "done": count}

    return run("asyncio", job)


async def _log_in(ftp: FTPClient, count: int) -> None:
    """Open all connections, a few at a time: vsftpd's queue for new ones has room for 32."""
    leases = [ftp.connection() for _ in range(count)]
    few = anyio.CapacityLimiter(AT_A_TIME)

    async def enter(lease: Lease[FTPConnection]) -> None:
        async with few:
            await lease.__aenter__()

    async with anyio.create_task_group() as group:
        for lease in leases:
            group.start_soon(enter, lease)
    for lease in leases:
        await lease.__aexit__(None, None, None)


def _client(account: Account, count: int) -> FTPClient:
    return client(account, limits=PoolLimits(max_connections=count, max_idle=count), timeouts=PATIENCE)


def _allow_descriptors() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
