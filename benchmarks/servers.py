"""The servers that are measured against, started from the recipes of ``tests/servers`` (Linux, root)."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.account import Account
from benchmarks.harness import RowMissing
from tests.servers import RECIPES, RealServer, running, work_directory

__all__ = [
    "account_of",
    "check_files",
    "fresh_directory",
    "kind_of_file_system",
    "small_files",
    "sparse_file",
    "vsftpd",
    "work_directory",
]


@contextmanager
def vsftpd(work: Path, **knobs: str | int) -> Iterator[RealServer]:
    """Run vsftpd.

    Raises:
        RowMissing: it can't run here.
    """
    missing = RECIPES["vsftpd"].missing()
    if missing is not None:
        raise RowMissing(f"vsftpd: {missing} (as root: tests/servers/install.sh)")
    with running("vsftpd", work, **knobs) as server:
        yield server


def account_of(server: RealServer) -> Account:
    """Return what a contender needs to know."""
    account: Account = {
        "host": server.host,
        "port": server.port,
        "user": server.user,
        "password": server.password,
    }
    if server.tls_mode == "force":
        account["ca_file"] = str(server.ca_file)
    return account


# Files


def sparse_file(server: RealServer, name: str, size: int) -> Path:
    """Make a file of zeros that needs no room on the disk, and read it once into the page cache."""
    path = server.put(name, b"")
    os.truncate(path, size)
    with path.open("rb") as file:
        while file.read(1024 * 1024):
            pass
    return path


def small_files(server: RealServer, directory: str, count: int, size: int) -> list[str]:
    """Make files of pseudo-random bytes; return their names."""
    source = random.Random(count)
    names = [f"{directory}/{number:05}.bin" for number in range(count)]
    for name in names:
        server.put(name, source.randbytes(size))
    return names


def fresh_directory(work: Path) -> Path:
    """Make a directory to download to, for one run.

    Nothing is removed between runs: ext4 searches the inodes that were freed last whenever it makes a file, so
    the next contender would pay for the clearing up.
    """
    return Path(tempfile.mkdtemp(prefix="out-", dir=work))


def check_files(directory: Path, count: int, size: int) -> None:
    """Everything has arrived, under its own name, and nothing else."""
    sizes = [path.stat().st_size for path in directory.rglob("*") if path.is_file()]
    if sizes != [size] * count:
        raise RuntimeError(f"{len(sizes)} files of {set(sizes)} bytes, not {count} of {size}")


def kind_of_file_system(path: Path) -> str:
    """Return the type of the file system that ``path`` is on: ext4, tmpfs, …"""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    return max((point, kind) for point, kind in mounts if path.is_relative_to(point))[1]
