"""What netclients is asked to do. Each function runs in a process of its own (see worker.py)."""

from __future__ import annotations

import ssl
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio

from benchmarks.account import Account, url
from netclients import FTPClient, PoolLimits, Progress

T = TypeVar("T")

TICK = 0.005


def client(account: Account, **options: Any) -> FTPClient:
    """Return a client for the account: TLS if there is a CA to verify by, plain otherwise."""
    ca_file = account.get("ca_file")
    if ca_file:
        context = ssl.create_default_context(cafile=ca_file)
        return FTPClient(url(account, "ftpes"), ssl_context=context, **options)
    return FTPClient(url(account, "ftp"), tls="none", **options)


def run(backend: str, job: Callable[[], Awaitable[T]]) -> T:
    """Run ``job`` on asyncio, uvloop or trio."""
    if backend == "uvloop":
        return anyio.run(job, backend="asyncio", backend_options={"use_uvloop": True})
    return anyio.run(job, backend=backend)


def timed(backend: str, job: Callable[[], Awaitable[int]]) -> dict[str, float]:
    """Run ``job``, which returns a number of bytes or files; return it and the seconds, without the loop's own."""

    async def measure() -> dict[str, float]:
        started = time.perf_counter()
        done = await job()
        return {"seconds": time.perf_counter() - started, "done": done}

    return run(backend, measure)


def download(account: Account, name: str, backend: str, destination: str | None = None) -> dict[str, float]:
    async def job() -> int:
        async with client(account) as ftp:
            if destination is not None:
                return (await ftp.download(name, destination)).size
            return (await ftp.download(name, sink=lambda view: None)).size

    return timed(backend, job)


def upload(account: Account, source: str, name: str, backend: str) -> dict[str, float]:
    async def job() -> int:
        async with client(account) as ftp:
            return (await ftp.upload(source, name)).size

    return timed(backend, job)


def download_many(
    account: Account, names: list[str], directory: str, backend: str, connections: int
) -> dict[str, float]:
    async def job() -> int:
        count = 0
        async with (
            client(account, limits=PoolLimits(max_connections=connections)) as ftp,
            ftp.download_many(names, directory, concurrency=connections) as items,
        ):
            async for item in items:
                item.raise_for_error()
                count += 1
        return count

    return timed(backend, job)


# How well the loop is left alone


def responsiveness(
    account: Account, backend: str, *, source: str | None, name: str, destination: str | None
) -> dict[str, float]:
    """Move a file beside a ticker on the same loop, then once more and cancel half-way.

    ``late``: the latest tick. ``cancel``: from the call of cancel() to the end of the transfer's task. Both in
    seconds.
    """

    async def transfer(ftp: FTPClient, progress: Callable[[Progress], object] | None = None) -> None:
        if source is not None:
            await ftp.upload(source, name, progress=progress)
        else:
            assert destination is not None
            await ftp.download(name, destination, progress=progress)

    async def job() -> dict[str, float]:
        async with client(account) as ftp:
            await ftp.exists(name)  # connected; what is measured is the transfer
            async with anyio.create_task_group() as group:
                ticker = Ticker()
                group.start_soon(ticker.run)
                await transfer(ftp)
                group.cancel_scope.cancel()
            cancelled_after = await cancel_half_way(partial(transfer, ftp))
            if destination is not None:
                Path(destination).unlink()
        return {"late": ticker.latest, "cancel": cancelled_after}

    return run(backend, job)


class Ticker:
    """Sleeps 5 ms at a time and keeps how late it was at the worst."""

    latest = 0.0

    async def run(self) -> None:
        while True:
            due = time.perf_counter() + TICK
            await anyio.sleep(TICK)
            self.latest = max(self.latest, time.perf_counter() - due)


async def cancel_half_way(transfer: Callable[[Callable[[Progress], object]], Awaitable[None]]) -> float:
    """Cancel ``transfer`` as soon as it reports half of its bytes; return how many seconds it took to end."""
    cancelled_at = 0.0
    with anyio.CancelScope() as scope:

        def progress(now: Progress) -> None:
            nonlocal cancelled_at
            if not cancelled_at and now.total is not None and now.transferred >= now.total / 2:
                cancelled_at = time.perf_counter()
                scope.cancel()

        await transfer(progress)
    ended_at = time.perf_counter()
    if not scope.cancelled_caught:
        raise RuntimeError("the transfer ended before it could be cancelled")
    return ended_at - cancelled_at


def idle_ticker(seconds: float) -> dict[str, float]:
    """The ticker with nothing beside it: what this machine makes of it."""

    async def job() -> dict[str, float]:
        ticker = Ticker()
        with anyio.move_on_after(seconds):
            await ticker.run()
        return {"late": ticker.latest}

    return run("asyncio", job)
