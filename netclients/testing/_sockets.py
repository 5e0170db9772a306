"""Listening, accepting and resetting, shared by the servers and the proxy."""

from __future__ import annotations

import asyncio
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


async def accept_forever(listener: socket.socket, accepted: Callable[[socket.socket], object]) -> None:
    """Hand every new connection over; ends by cancellation only."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            sock, _ = await loop.sock_accept(listener)
        except OSError as error:
            if error.errno in _OUT_OF_DESCRIPTORS:
                await asyncio.sleep(0.05)  # until other connections have ended
            elif error.errno != errno.ECONNABORTED:
                raise
        else:
            accepted(sock)


def reset_on_close(sock: socket.socket) -> None:
    """Make closing this socket send a RST instead of a FIN."""
    # A struct of two shorts on Windows, of two ints elsewhere.
    linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
