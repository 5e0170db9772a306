"""A server that is 20 ms away, on one machine, in two ways.

``through_namespaces``: two network namespaces whose only link is a pair of TUN devices; a small process carries
each packet across after half a round trip. The kernel's TCP sees the latency, handshakes included, as on a real
network; no ``sch_netem`` is needed. ``through_proxy``: the project's own fault proxy, which delays bytes.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.account import Account
from benchmarks.harness import ROOT, RowMissing, worker_command
from benchmarks.servers import account_of, second_vsftpd, vsftpd
from tests.servers import MailServer, NewsServer, RealServer

Far = tuple[RealServer, Account, Sequence[str]]
"""The server whose files count, the address to use, and what to put in front of a contender's command."""

FarMail = tuple[str, int, Sequence[str]]
"""Address and port of a mail or news server, and what to put in front of a contender's command."""

CLIENT, SERVER = "10.117.0.1", "10.117.0.2"


@contextlib.contextmanager
def through_proxy(work: Path, round_trip: float) -> Iterator[Far]:
    """Put the fault proxy, in a process of its own, in front of vsftpd."""
    with vsftpd(work) as server:
        account = account_of(server)
        with _proxy(account["host"], account["port"], round_trip, ftp=True) as port:
            yield server, {**account, "port": port}, ()


@contextlib.contextmanager
def mail_through_proxy(server: MailServer | NewsServer, round_trip: float, service: str = "smtp") -> Iterator[FarMail]:
    """Put the fault proxy, in a process of its own, in front of a service of a mail server."""
    with _proxy(server.host, server.ports[service], round_trip, ftp=False) as port:
        yield server.host, port, ()


@contextlib.contextmanager
def _proxy(host: str, port: int, round_trip: float, *, ftp: bool) -> Iterator[int]:
    with _background("distance.serve_proxy", host=host, port=port, round_trip=round_trip, ftp=ftp) as line:
        yield int(line)


def serve_proxy(host: str, port: int, round_trip: float, ftp: bool) -> None:
    """Run the proxy until standard input ends; print its port."""
    from netclients.testing import FaultProxy, Plan

    with FaultProxy((host, port), plan=Plan.round_trip(round_trip), ftp=ftp) as proxy:
        print(proxy.port, flush=True)
        sys.stdin.read()


@contextlib.contextmanager
def through_namespaces(work: Path, round_trip: float) -> Iterator[Far]:
    """Run vsftpd in one network namespace, contenders in another."""
    with (
        _namespaces(round_trip) as (here, there),
        vsftpd(work, PASV_ADDRESS=SERVER) as server,
        second_vsftpd(server, {"listen_address": SERVER}, _inside(there)),
    ):
        account: Account = {**account_of(server), "host": SERVER}
        yield server, account, _inside(here)


@contextlib.contextmanager
def mail_through_namespaces(
    server: MailServer | NewsServer, round_trip: float, service: str = "smtp"
) -> Iterator[FarMail]:
    """Run contenders in one network namespace; in the other one a relay hands all bytes on to a mail server."""
    port = server.ports[service]
    with (
        _namespaces(round_trip) as (here, there),
        _background("distance.relay", namespace=there, port=port, target=[server.host, port]),
    ):
        yield SERVER, port, _inside(here)


@contextlib.contextmanager
def _namespaces(round_trip: float) -> Iterator[tuple[str, str]]:
    """Make the two namespaces and the link between them."""
    if shutil.which("ip") is None or not Path("/dev/net/tun").exists():
        raise RowMissing("network namespaces need iproute2 and /dev/net/tun")
    here, there = f"netclients-c{os.getpid()}", f"netclients-s{os.getpid()}"
    with contextlib.ExitStack() as stack:
        for name in (here, there):
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
        stack.enter_context(_background("distance.carry", here=here, there=there, delay=round_trip / 2))
        yield here, there


def _inside(namespace: str) -> Sequence[str]:
    return ("ip", "netns", "exec", namespace)


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


def relay(namespace: str, port: int, target: list[Any]) -> None:
    """Accept connections in a namespace and carry their bytes to a server outside, until standard input ends."""
    import asyncio

    listener = _listen_in(namespace, port)

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*target)
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    async def run() -> None:
        done = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), done.set)
        async with await asyncio.start_server(accepted, sock=listener):
            print("ready", flush=True)
            await done.wait()

    asyncio.run(run())


def _listen_in(namespace: str, port: int) -> socket.socket:
    """Return a listener of that namespace: a socket stays where it was made, so a thread goes there and ends."""

    def listen() -> socket.socket:
        with open(f"/run/netns/{namespace}", "rb") as place:
            if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), 0):
                raise OSError(ctypes.get_errno(), "setns")
        return socket.create_server((SERVER, port))

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(listen).result()


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
