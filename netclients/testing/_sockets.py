"""Listening, accepting and resetting, shared by the servers and the proxy."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
import sys
from collections.abc import Callable

_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def listening_socket(host: str, port: int) -> socket.socket:
    """Return a non-blocking socket that listens on an IPv4 or IPv6 address. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.create_server((host, port), family=family, backlog=1024)
    sock.setblocking(False)
    return sock


async def accept(listener: socket.socket) -> socket.socket:
    """Return the next connection. Unlike ``loop.sock_accept`` it loses none when it is cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        with contextlib.suppress(BlockingIOError, InterruptedError):
            return listener.accept()[0]
        ready: asyncio.Future[None] = loop.create_future()
        try:
            loop.add_reader(listener, _finish, ready)
        except NotImplementedError:  # the proactor loop of Windows
            return (await loop.sock_accept(listener))[0]
        try:
            await ready
        finally:
            loop.remove_reader(listener)


def _finish(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def accept_forever(listener: socket.socket, accepted: Callable[[socket.socket], object]) -> None:
    """Hand every new connection over; ends by cancellation only."""
    while True:
        try:
            sock = await accept(listener)
        except OSError as error:
            if error.errno in _OUT_OF_DESCRIPTORS:
                await asyncio.sleep(0.05)  # until other connections have ended
            elif error.errno != errno.ECONNABORTED:
                raise
        else:
            accepted(sock)
            await asyncio.sleep(0)  # a burst of connections must not keep the loop from serving them


def reset_on_close(sock: socket.socket) -> None:
    """Make closing this socket send a RST instead of a FIN."""
    # A struct of two shorts on Windows, of two ints elsewhere.
    linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
