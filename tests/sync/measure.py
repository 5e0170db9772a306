"""Figures for the blocking layer, side by side: ``python -m tests.sync.measure [MiB]``.

A call is compared with ``anyio.from_thread.BlockingPortal.call`` of the same coroutine function; transfers and
listings with the asynchronous client, on vsftpd where it is installed, else on the embedded server.
"""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from netclients import FTPClient as AsyncFTPClient
from netclients.sync import FTPClient
from netclients.sync.calls import run

RUNS = 7


def timed(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def compare(title: str, unit: float, name: str, **contenders: Callable[[], object]) -> None:
    """Run all in turn, several times, and print medians, the best of each, and both ratios of ours to the first."""
    for function in contenders.values():
        function()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(RUNS):
        for key, function in contenders.items():
            times[key].append(timed(function))
    first, *_, last = times.values()
    shown = ", ".join(
        f"{key} {statistics.median(values) * unit:.1f} (best {min(values) * unit:.1f})" for key, values in times.items()
    )
    ratios = f"{statistics.median(last) / statistics.median(first):.2f} ({min(last) / min(first):.2f})"
    print(f"{title:24} {shown} {name}; time ratio {ratios}", flush=True)


async def nothing() -> None:
    """Not even a suspension."""


async def suspend() -> None:
    await asyncio.sleep(0)


def calls() -> None:
    count = 2000
    for title, coroutine in (("empty call", nothing), ("call that suspends", suspend)):
        with start_blocking_portal() as bare:
            by_anyio = partial(repeat, count, partial(bare.call, coroutine))
            ours = partial(repeat, count, partial(_run, coroutine))
            compare(title, 1e6 / count, "µs", BlockingPortal=by_anyio, ours=ours)


def repeat(count: int, function: Callable[[], object]) -> None:
    for _ in range(count):
        function()


def _run(function: Callable[[], Coroutine[None, None, None]]) -> None:
    run(function)


@contextmanager
def server(content: Path) -> Iterator[tuple[str, Path]]:
    from tests.servers import RECIPES, running, work_directory

    if RECIPES["vsftpd"].missing():
        from netclients.testing import FTPServer

        with FTPServer(content, users={"u": "p"}) as embedded:
            yield embedded.url + "?tls=none", content
    else:
        with work_directory() as work, running("vsftpd", work) as real:
            yield real.url(tls="none"), real.root


def transfers(size: int) -> None:
    with tempfile.TemporaryDirectory() as directory, server(Path(directory)) as (url, root):
        (root / "big").write_bytes(os.urandom(1 << 20) * size)
        (root / "up").mkdir()
        (root / "up").chmod(0o777)
        target = Path(directory, "local")
        with FTPClient(url) as ftp, asyncio.Runner() as runner:
            twin = AsyncFTPClient(url)

            def discard(_: memoryview) -> None:
                pass

            def read() -> None:
                with ftp.open("big") as file:
                    while file.read(65536):
                        pass

            def upload() -> None:
                with target.open("rb") as file:
                    ftp.upload(file, "up/x")

            def upload_async() -> None:
                with target.open("rb") as file:
                    runner.run(twin.upload(file, "up/x"))

            async def read_async() -> None:
                async with twin.open("big") as file:
                    while await file.read(65536):
                        pass

            def copy() -> None:
                with ftp.open("big") as file:
                    shutil.copyfileobj(file, io.BytesIO(), 65536)

            compare(
                "download to a sink",
                1e3,
                "ms",
                asynchronous=lambda: runner.run(twin.download("big", sink=discard)),
                ours=lambda: ftp.download("big", sink=discard),
            )
            compare(
                "sink and progress",
                1e3,
                "ms",
                asynchronous=lambda: runner.run(twin.download("big", sink=discard, progress=lambda p: None)),
                ours=lambda: ftp.download("big", sink=discard, progress=lambda p: None),
            )
            compare(
                "download to a path",
                1e3,
                "ms",
                asynchronous=lambda: runner.run(twin.download("big", target)),
                ours=lambda: ftp.download("big", target),
            )
            compare("file.read(64 KiB)", 1e3, "ms", asynchronous=lambda: runner.run(read_async()), ours=read)
            compare("upload of a file object", 1e3, "ms", asynchronous=upload_async, ours=upload)
            runner.run(twin.aclose())


def listing(entries: int) -> None:
    with tempfile.TemporaryDirectory() as directory, server(Path(directory)) as (url, root):
        for number in range(entries):
            (root / f"file-{number}").touch()
        with FTPClient(url) as ftp, asyncio.Runner() as runner:
            twin = AsyncFTPClient(url)

            async def scan_async() -> None:
                async with twin.scandir(".") as found:
                    async for _ in found:
                        pass

            def scan() -> None:
                for _ in ftp.scandir("."):
                    pass

            compare(f"{entries} entries", 1e3, "ms", asynchronous=lambda: runner.run(scan_async()), ours=scan)
            runner.run(twin.aclose())


if __name__ == "__main__":
    calls()
    transfers(int(sys.argv[1]) if len(sys.argv) > 1 else 256)
    listing(20_000)
