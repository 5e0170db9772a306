"""What the others are asked to do: the same work, in the fastest fair way that each of them has.

The Python ones run in a process of their own (see worker.py) and count from before the connection is made;
curl counts its own time, and lftp's is that of the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import ftplib
import shutil
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from benchmarks.account import Account, url
from benchmarks.harness import PATIENCE

BLOCK = 256 * 1024


def missing_program(name: str) -> str | None:
    """Why the program can't take part."""
    return None if shutil.which(name) else f"{name} is not installed (Debian: apt install {name})"


# ftplib


@contextlib.contextmanager
def ftplib_client(account: Account) -> Iterator[ftplib.FTP]:
    ftp = ftplib.FTP()
    ftp.connect(account["host"], account["port"])
    ftp.login(account["user"], account["password"])
    try:
        yield ftp
    finally:
        ftp.close()


def ftplib_download(account: Account, name: str, block: int) -> dict[str, float]:
    done = 0

    def take(data: bytes) -> None:
        nonlocal done
        done += len(data)

    started = time.perf_counter()
    with ftplib_client(account) as ftp:
        ftp.retrbinary(f"RETR {name}", take, block)
    return {"seconds": time.perf_counter() - started, "done": done}


def ftplib_download_many(account: Account, names: list[str], directory: str, connections: int) -> dict[str, float]:
    left = iter(names)

    def work() -> None:
        with ftplib_client(account) as ftp:
            for name in left:
                target = Path(directory, name)
                with target.open("wb") as file:
                    ftp.retrbinary(f"RETR {name}", file.write, BLOCK)

    started = time.perf_counter()
    for name in names:
        Path(directory, name).parent.mkdir(parents=True, exist_ok=True)
    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"seconds": time.perf_counter() - started, "done": len(names)}


# aioftp


def aioftp_download(account: Account, name: str) -> dict[str, float]:
    import aioftp

    async def job() -> int:
        done = 0
        async with (
            aioftp.Client.context(account["host"], account["port"], account["user"], account["password"]) as ftp,
            ftp.download_stream(name) as stream,
        ):
            async for block in stream.iter_by_block(BLOCK):
                done += len(block)
        return done

    return _timed(job)


def aioftp_download_many(account: Account, names: list[str], directory: str, connections: int) -> dict[str, float]:
    import aioftp

    left = iter(names)

    async def work() -> None:
        async with aioftp.Client.context(account["host"], account["port"], account["user"], account["password"]) as ftp:
            for name in left:
                with Path(directory, name).open("wb") as file:  # aioftp's own files go through threads: slower
                    async with ftp.download_stream(name) as stream:
                        async for block in stream.iter_by_block(BLOCK):
                            file.write(block)

    async def job() -> int:
        for name in names:
            Path(directory, name).parent.mkdir(parents=True, exist_ok=True)
        await asyncio.gather(*(work() for _ in range(connections)))
        return len(names)

    return _timed(job)


# Nothing but asyncio


def asyncio_download(account: Account, name: str) -> dict[str, float]:
    """What is possible: one buffer and ``sock_recv_into``, without a turn for anybody else. Blocking login."""

    async def job() -> int:
        done = 0
        loop = asyncio.get_running_loop()
        buffer = bytearray(1024 * 1024)
        with ftplib_client(account) as ftp:
            ftp.voidcmd("TYPE I")
            data = ftp.transfercmd(f"RETR {name}")
            data.setblocking(False)
            while count := await loop.sock_recv_into(data, buffer):
                done += count
            data.close()
            ftp.voidresp()
        return done

    return _timed(job)


def _timed(job: Callable[[], Awaitable[int]]) -> dict[str, float]:
    async def measure() -> dict[str, float]:
        started = time.perf_counter()
        done = await job()
        return {"seconds": time.perf_counter() - started, "done": done}

    return asyncio.run(measure())


# Programs


def _curl(*options: str) -> float:
    ended = subprocess.run(
        ["curl", "-sS", "--disable-eprt", *options, "-w", "%{time_total}"],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return float(ended.stdout)


def curl_download(account: Account, name: str, destination: str = "/dev/null") -> float:
    ca_file = account.get("ca_file")
    secure = ("--ssl-reqd", "--cacert", ca_file) if ca_file else ()
    return _curl(*secure, "-o", destination, url(account, "ftp", name))


def curl_upload(account: Account, source: str, name: str) -> float:
    ca_file = account.get("ca_file")
    secure = ("--ssl-reqd", "--cacert", ca_file) if ca_file else ()
    return _curl(*secure, "-T", source, url(account, "ftp", name))


_TUNED = ("set ftp:use-mdtm no", "set ftp:use-size no", "set ftp:sync-mode off", "set mirror:use-pget-n 1")


def lftp_mirror(
    account: Account, remote: str, directory: str, connections: int, prefix: tuple[str, ...] = (), *, tuned: bool = True
) -> float:
    """Mirror a remote directory: one listing, then so many files at a time; ``tuned`` as fast as lftp can be made."""
    script = "; ".join(
        [
            "set ftp:ssl-allow no",
            "set xfer:log no",
            *(_TUNED if tuned else ()),
            f"set net:connection-limit {connections}",
            f"open {url(account, 'ftp')}",
            f"mirror --parallel={connections} --no-perms --no-umask {remote} {directory}",
        ]
    )
    started = time.perf_counter()
    subprocess.run([*prefix, "lftp", "--norc", "-c", script], capture_output=True, timeout=PATIENCE, check=True)
    return time.perf_counter() - started
