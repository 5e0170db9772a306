"""Tell when a mail server has done everything that clients have made it do.

That is: nothing that clients sent is unread, nobody works for a client that is gone, and no message is on its way
through the queues. A client that resets its connection is not waited for by anybody, and nevertheless the server goes
on to read and to obey what had arrived before (Linux keeps it), a whole message with its final dot perhaps.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Collection, Iterable
from pathlib import Path

from .family import descendants

POLL = 0.01
_CLOSE_WAIT = "08"
_TABLES = ("tcp", "tcp6", "udp", "udp6", "unix", "netlink")


def wait_until_quiet(pid: int, ports: Collection[int], queues: Iterable[Path], timeout: float) -> None:
    """Return once the server ``pid`` is idle; TimeoutError says what keeps it busy.

    Connections may stay open, but a transaction that has begun may have its place in the queue already.
    """
    queues = list(queues)
    deadline = time.monotonic() + timeout
    # In this order: who works for a client makes a message of it, and what has become a message stays in the queue.
    while busy := _unread(ports) or _working_for_nobody(pid) or _queued(queues):
        if time.monotonic() > deadline:
            raise TimeoutError(f"has not settled within {timeout:.0f} s: {', '.join(busy)}")
        time.sleep(POLL)


def _unread(ports: Collection[int]) -> list[str]:
    """Connections with something to read, with a client that has closed, or not accepted yet."""
    busy = []
    for line in _table("tcp"):
        _, local, remote, state, queues, *_ = line.split()
        port = int(local.rpartition(":")[2], 16)
        unread = int(queues.rpartition(":")[2], 16)  # of a listener: connections to be accepted
        if port in ports and (unread or state == _CLOSE_WAIT):
            busy.append(f"connection {port} from {remote} in state {state}, unread {unread}")
    return busy


def _working_for_nobody(pid: int) -> list[str]:
    """Processes that have a TCP socket of which the kernel keeps no account any more: the client has reset it."""
    suspects = [(process, inode) for process in descendants(pid) for inode in _sockets(process)]
    known = {word for table in _TABLES for line in _table(table) for word in line.split()[6:10]}
    # One that was closed in between is no socket any more.
    return [
        f"process {process}, whose client has reset the connection"
        for process, inode in suspects
        if inode not in known and inode in _sockets(process)
    ]


def _sockets(process: int) -> set[str]:
    found = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for entry in os.scandir(f"/proc/{process}/fd"):
            with contextlib.suppress(FileNotFoundError):
                target = os.readlink(entry.path)
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    return found


def _table(name: str) -> list[str]:
    try:
        return Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    except FileNotFoundError:  # no IPv6
        return []


def _queued(queues: list[Path]) -> list[str]:
    # What moves from one queue to another may hide from one look, not from two.
    looks = [path for _ in range(2) for queue in queues for path in queue.rglob("*") if path.is_file()]
    return [f"message {path.name}" for path in looks]
