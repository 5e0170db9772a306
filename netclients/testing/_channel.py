"""A socket that a test server drives itself, with or without TLS on top.

Servers for tests have to do what stream APIs hide: reset a connection, end it without a close alert, see
whether a TLS session was resumed, start the handshake after a reply. So this works on the raw socket, with
TLS over memory BIOs.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl

from ._sockets import reset_on_close

READ_SIZE = 128 * 1024
MAX_LINE = 64 * 1024


class LineTooLongError(Exception):
    """A line had no end within `MAX_LINE` bytes."""


class Channel:
    """One connected, non-blocking socket, used from one event loop by one reader and several writers."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._sending = asyncio.Lock()
        self._eof = False
        self.closed = False
        self.truncated = False
        """The peer ended a TLS connection without a close alert."""

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS object, once the handshake is done."""
        return self._tls

    @property
    def buffered(self) -> int:
        """How many received bytes :meth:`readline` has not returned yet."""
        return len(self._buffer)

    @property
    def peer(self) -> tuple[str, int]:
        """Address and port of the other side."""
        host, port, *_ = self._sock.getpeername()
        return host, port

    @property
    def local(self) -> tuple[str, int]:
        """Address and port of this side."""
        host, port, *_ = self._sock.getsockname()
        return host, port

    @property
    def family(self) -> int:
        """Address family of the socket."""
        return self._sock.family

    # Reading and writing

    async def recv(self, limit: int = READ_SIZE) -> bytes:
        """Return up to `limit` bytes, ``b""`` at the end."""
        if self._eof:
            return b""
        if self._tls is None:
            data = await self._loop.sock_recv(self._sock, limit)
        else:
            data = await self._recv_tls(self._tls, limit)
        self._eof = not data
        return data

    async def _recv_tls(self, tls: ssl.SSLObject, limit: int) -> bytes:
        while True:
            try:
                return tls.read(limit)
            except ssl.SSLWantReadError:
                await self._flush()
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLEOFError:
                self.truncated = True
                return b""
            await self._feed()

    async def _feed(self) -> None:
        data = await self._loop.sock_recv(self._sock, READ_SIZE)
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def readline(self) -> bytes:
        """Return one line with its line feed; what the peer left unfinished at its end; ``b""`` at the end.

        Raises LineTooLongError.
        """
        start = 0
        while (end := self._buffer.find(b"\n", start)) < 0:
            start = len(self._buffer)
            if start > MAX_LINE:
                raise LineTooLongError
            data = await self.recv()
            if not data:
                line = bytes(self._buffer)
                self._buffer.clear()
                return line
            self._buffer += data
        line = bytes(self._buffer[: end + 1])
        del self._buffer[: end + 1]
        return line

    async def send(self, data: bytes | memoryview) -> None:
        """Write all of `data`."""
        if self._tls is None:
            async with self._sending:
                await self._loop.sock_sendall(self._sock, data)
        else:
            self._tls.write(data)
            await self._flush()

    async def _flush(self) -> None:
        async with self._sending:
            if data := self._outgoing.read():
                await self._loop.sock_sendall(self._sock, data)

    # TLS

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Make the handshake, as server. Raises ssl.SSLError, or ConnectionError if the peer leaves."""
        tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._feed()
            except ssl.SSLEOFError as error:
                raise ConnectionResetError("the peer left during the TLS handshake") from error
            except ssl.SSLError:
                await self._flush()  # the alert that tells the peer why
                raise
            else:
                await self._flush()
                self._tls = tls
                return

    async def send_close_alert(self) -> None:
        """Send the TLS close alert, without waiting for the peer's; nothing on a plain connection."""
        if self._tls is None:
            return
        # It raises as it waits for the peer's alert, or finds unread data in front of it: ours is written.
        with contextlib.suppress(ssl.SSLError, ValueError):
            self._tls.unwrap()
        await self._flush()

    # Ending

    def send_fin(self) -> None:
        """End this direction only: the peer sees the end of the stream."""
        self._sock.shutdown(socket.SHUT_WR)

    async def drain(self) -> None:
        """Read until the peer's end and discard."""
        while await self._loop.sock_recv(self._sock, READ_SIZE):
            pass

    def close(self) -> None:
        """Close both directions. What was sent still arrives."""
        self.closed = True
        self._sock.close()

    def reset_on_close(self) -> None:
        """Make closing send a reset, whoever closes."""
        if not self.closed:
            reset_on_close(self._sock)

    def reset(self) -> None:
        """Close so that the peer sees a connection reset; what it has not read yet may be lost."""
        self.reset_on_close()
        self.close()
