"""A server that is 20 ms away, on one machine, in two ways.

``through_namespaces``: two network namespaces whose only link is a pair of TUN devices; a small process carries
each packet across after half a round trip. The kernel's TCP sees the latency, handshakes included, as on a real
network; no ``sch_netem`` is needed. ``through_proxy``: the project's own fault proxy, which delays bytes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.account import Account
from benchmarks.harness import ROOT, RowMissing, worker_command
from benchmarks.servers import account_of, second_vsftpd, vsftpd
from tests.servers import RealServer

Far = tuple[RealServer, Account, Sequence[str]]
"""The server whose files count, the address to use, and what to put in front of a contender's command."""

CLIENT, SERVER = "10.117.0.1", "10.117.0.2"


@contextlib.contextmanager
def through_proxy(work: Path, round_trip: float) -> Iterator[Far]:
    """Put the fault proxy, in a process of its own, in front of vsftpd."""
    with vsftpd(work) as server:
        account = account_of(server)
        with _background(
            "distance.serve_proxy", host=account["host"], port=account["port"], round_trip=round_trip
        ) as line:
            yield server, {**account, "port": int(line)}, ()


def serve_proxy(host: str, port: int, round_trip: float) -> None:
    """Run the proxy until standard input ends; print its port."""
    from netclients.testing import FaultProxy, Plan

    with FaultProxy((host, port), plan=Plan.round_trip(round_trip), ftp=True) as proxy:
        print(proxy.port, flush=True)
        sys.stdin.read()


@contextlib.contextmanager
def through_namespaces(work: Path, round_trip: float) -> Iterator[Far]:
    """Run vsftpd in one network namespace, contenders in another."""
    if shutil.which("ip") is None or not Path("/dev/net/tun").exists():
        raise RowMissing("network namespaces need iproute2 and /dev/net/tun")
    here, there = f"netclients-c{os.getpid()}", f"netclients-s{os.getpid()}"
    with contextlib.ExitStack() as stack:
        for name in (here, there):
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
        stack.enter_context(_background("distance.carry", here=here, there=there, delay=round_trip / 2))
        with vsftpd(work, PASV_ADDRESS=SERVER) as server:
            inside = ("ip", "netns", "exec", there)
            stack.enter_context(second_vsftpd(server, {"listen_address": SERVER}, inside))
            account: Account = {**account_of(server), "host": SERVER}
            yield server, account, ("ip", "netns", "exec", here)


def carry(here: str, there: str, delay: float) -> None:
    """Carry packets between the two namespaces, ``delay`` seconds under way, until standard input ends."""
    import asyncio

    ends = [_tun(here, CLIENT, SERVER), _tun(there, SERVER, CLIENT)]
    print("ready", flush=True)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        for source, target in (ends, ends[::-1]):
            loop.add_reader(source, _take, loop, source, target, delay)
        loop.add_reader(sys.stdin.fileno(), done.set)
        await done.wait()

    asyncio.run(run())


def _take(loop: Any, source: int, target: int, delay: float) -> None:
    while True:
        try:
            packet = os.read(source, 65536)
        except BlockingIOError:
            return
        loop.call_later(delay, os.write, target, packet)


def _tun(namespace: str, local: str, remote: str) -> int:
    """Make a TUN device, move it to the namespace, give it its addresses; return its descriptor."""
    import fcntl
    import struct

    tun_set, tun, no_information = 0x400454CA, 0x0001, 0x1000
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    made = fcntl.ioctl(fd, tun_set, struct.pack("16sH22x", b"nctun%d", tun | no_information))
    name = made[:16].rstrip(b"\0").decode()
    _ip("link", "set", name, "netns", namespace)
    _ip("-n", namespace, "address", "add", local, "peer", remote, "dev", name)
    _ip("-n", namespace, "link", "set", name, "up", "txqueuelen", "10000")
    _ip("-n", namespace, "link", "set", "lo", "up")
    return fd


def _ip(*words: str) -> None:
    ended = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RowMissing(f"ip {' '.join(words)}: {ended.stderr.strip()}")


@contextlib.contextmanager
def _background(function: str, **arguments: object) -> Iterator[str]:
    """Run a function of this package in a process beside ours until the end; yield its first line."""
    process = subprocess.Popen(
        worker_command(function, (), arguments), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RowMissing(f"{function} did not start")
        yield line
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
