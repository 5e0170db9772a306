"""Blocks of ports for servers that need a fixed range, claimed so that test runs in parallel never share one.

A block is claimed by binding its first port and keeping the socket: the kernel releases the claim however
the run ends, and runs of other users see it too. All blocks lie below the range from which outgoing
connections take their ports.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

HOST = "127.0.0.1"
FIRST, END = 10_240, 32_512
BLOCK_SIZE = 256


@dataclass(frozen=True, slots=True)
class PortBlock:
    """One port for the control connection, the rest for passive data connections (both ends included).

    A server with several listeners takes ``listeners``: ``control`` and the ports that follow.
    """

    control: int
    passive_min: int
    passive_max: int
    listeners: tuple[int, ...]


@contextmanager
def claim_ports(listeners: int = 1) -> Iterator[PortBlock]:
    """A block of which nobody else has the claim, and whose first ports are free, as many as there are listeners."""
    starts = range(FIRST, END, BLOCK_SIZE)
    # Runs that start at the same moment should not all fight for the first block.
    for start in random.sample(starts, k=len(starts)):
        block = PortBlock(start + 1, start + 2, start + BLOCK_SIZE - 1, tuple(range(start + 1, start + 1 + listeners)))
        with socket.socket() as claim:
            if _bind(claim, start) and all(_is_free(port) for port in block.listeners):
                yield block
                return
    raise RuntimeError(f"no free block of {BLOCK_SIZE} ports between {FIRST} and {END}")


def is_open(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


def _bind(sock: socket.socket, port: int) -> bool:
    try:
        sock.bind((HOST, port))
    except OSError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: connections that linger in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return _bind(probe, port)
