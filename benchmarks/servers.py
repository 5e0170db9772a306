"""The servers that are measured against, started from the recipes of ``tests/servers`` (Linux, root)."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.account import Account
from benchmarks.harness import RowMissing
from tests.servers import (
    ALL_RECIPES,
    MAIL_RECIPES,
    RECIPES,
    MailServer,
    NewsServer,
    RealServer,
    running,
    running_mail,
    running_news,
    work_directory,
)
from tests.servers.family import end_family
from tests.servers.recipes import INSTALL_ROOT

__all__ = [
    "account_of",
    "check_files",
    "fresh_directory",
    "kind_of_file_system",
    "mail_server",
    "mailbox_server",
    "news_server",
    "second_vsftpd",
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


@contextmanager
def mail_server(name: str, work: Path, **knobs: str | int) -> Iterator[MailServer]:
    """Run a mail server.

    Raises:
        RowMissing: it can't run here.
    """
    missing = MAIL_RECIPES[name].missing()
    if missing is not None:
        raise RowMissing(f"{name}: {missing} (as root: tests/servers/install.sh)")
    with running_mail(name, work, **knobs) as server:
        yield server


@contextmanager
def mailbox_server(
    work: Path, messages: Iterable[bytes], *, name: str = "dovecot", user: str = "alice", **knobs: str | int
) -> Iterator[MailServer]:
    """Run Dovecot (alone) or Cyrus, for IMAP and POP3, with these messages in the inbox.

    Raises:
        RowMissing: it can't run here.
    """
    alone: dict[str, str | int] = {"RELAY": "no"} if name == "dovecot" else {}
    with mail_server(name, work, **{**alone, **knobs}) as server:
        server.seed(user, "INBOX", messages)
        yield server


@contextmanager
def news_server(
    work: Path, articles: Iterable[bytes], *, name: str = "inn", **knobs: str | int
) -> Iterator[tuple[NewsServer, str]]:
    """Run INN or Cyrus; yield it with the name of a group in which these articles are.

    Raises:
        RowMissing: it can't run here.
    """
    missing = ALL_RECIPES[name].missing()
    if missing is not None:
        raise RowMissing(f"{name}: {missing} (as root: tests/servers/install.sh)")
    with running_news(name, work, **knobs) as server:
        group = server.new_group()
        server.seed(group, articles)
        yield server, group


@contextmanager
def second_vsftpd(server: RealServer, settings: Mapping[str, str | int], prefix: Sequence[str] = ()) -> Iterator[None]:
    """Run another vsftpd on the same files and certificate, with other settings.

    It may have the ports of the first one's passive range, which nobody uses meanwhile.

    Raises:
        RowMissing: it does not start.
    """
    directory = server.root.parent
    lines = [
        line for line in (directory / "vsftpd.conf").read_text().splitlines() if line.partition("=")[0] not in settings
    ]
    lines += [f"{name}={value}" for name, value in settings.items()]
    file = directory / "second.conf"
    file.write_text("\n".join(lines) + "\n")
    program = shutil.which("vsftpd") or str(INSTALL_ROOT / "usr/sbin/vsftpd")
    process = subprocess.Popen(
        [*prefix, program, str(file)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(0.5)
        if process.poll() is not None:
            raise RowMissing("a second vsftpd did not start")
        yield
    finally:
        end_family(process)


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

    Nothing is removed between runs, and on ext4 each directory gets a block group of its own: whoever makes a file
    in a group where many were removed in the last minutes pays for a search through all of them, several times
    the price of the file.
    """
    _spread_subdirectories(work)
    return Path(tempfile.mkdtemp(prefix="out-", dir=work))


def _spread_subdirectories(directory: Path) -> None:
    """Do what ``chattr +T`` does, where the file system knows it."""
    get_flags, set_flags, top_of_hierarchy = 0x80086601, 0x40086602, 0x00020000
    fd = os.open(directory, os.O_RDONLY)
    try:
        flags = bytearray(8)
        fcntl.ioctl(fd, get_flags, flags)
        with_top = int.from_bytes(flags, sys.byteorder) | top_of_hierarchy
        fcntl.ioctl(fd, set_flags, with_top.to_bytes(8, sys.byteorder))
    except OSError:
        return
    finally:
        os.close(fd)


def check_files(directory: Path, count: int, size: int) -> None:
    """Everything has arrived, under its own name, and nothing else."""
    sizes = [path.stat().st_size for path in directory.rglob("*") if path.is_file()]
    if sizes != [size] * count:
        raise RuntimeError(f"{len(sizes)} files of {set(sizes)} bytes, not {count} of {size}")


def kind_of_file_system(path: Path) -> str:
    """Return the type of the file system that ``path`` is on: ext4, tmpfs, …"""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    return max((point, kind) for point, kind in mounts if path.is_relative_to(point))[1]
