"""What asyncio code calls a reader and a writer, over a stream of this library.

::

    foreign code → write, drain → SocketStream or TLSStream → server
    foreign code ← read, readline ←

Libraries that were written for ``asyncio.StreamReader`` and ``StreamWriter`` get one :class:`StreamPair` for
both. It has the methods that they use, and what asyncio's own have not: TLS with a session to resume, and an
error where a TLS connection ends without its close alert.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from netclients.errors import NetClientError, ProtocolError, TruncatedTransfer
from netclients.transport.readiness import checkpoint
from netclients.transport.tls import TLSStream

if TYPE_CHECKING:
    import ssl

    from netclients.transport.dial import Dialer
    from netclients.transport.stream import SocketStream

__all__ = ["StreamPair"]

_FAREWELL = 5.0  # seconds for the peer's close alert
_TURN = 1024 * 1024  # bytes that may be read from a full socket before other tasks run


class StreamPair:
    """Reader and writer of one connection, for one task at a time.

    Args:
        stream: the connection.
        dialer: lends its scratch buffer, and its TLS settings to :meth:`secure`.
        timeout: seconds for each wait; may be changed between two calls.
        phase: what a wait that is too long is called in :class:`~netclients.errors.PhaseTimeout`.
        line_limit: bytes of one line at the most.
        reply_limit: bytes between two writes at the most, None for data.
    """

    def __init__(
        self,
        stream: SocketStream,
        dialer: Dialer,
        *,
        timeout: float | None,
        phase: str,
        line_limit: int,
        reply_limit: int | None = None,
    ) -> None:
        self.stream: SocketStream | TLSStream = stream
        self.timeout = timeout
        self._dialer = dialer
        self._phase = phase
        self._line_limit = line_limit
        self._reply_limit = reply_limit
        self._buffer = bytearray()
        self._outgoing = bytearray()
        self._since_write = 0
        self._since_turn = 0
        self._eof = False
        self._closing = False

    # The reader's face

    async def read(self, n: int = -1) -> bytes:
        """Return up to ``n`` bytes as they come, ``b""`` at the end; without ``n``, all until the end.

        Raises:
            TruncatedTransfer: a TLS connection ended without its close alert.
        """
        if n < 0:
            while await self._fill():
                pass
            n = len(self._buffer)
        elif not self._buffer:
            await self._fill(n)
        return self._take(n)

    async def readline(self) -> bytes:
        """Return the next line with its end, what is left at the end, ``b""`` after that.

        Raises:
            ProtocolError: the line, or all lines since the last write, are longer than the limits.
        """
        searched = 0
        while (end := self._buffer.find(b"\n", searched)) < 0:
            searched = len(self._buffer)
            if searched > self._line_limit:
                raise ProtocolError(f"the server sent a line of more than {self._line_limit} bytes")
            if not await self._fill():
                end = len(self._buffer) - 1
                break
        line = self._take(end + 1)
        self._since_write += len(line)
        if self._reply_limit is not None and self._since_write > self._reply_limit:
            raise ProtocolError(f"the server sent a reply of more than {self._reply_limit} bytes")
        return line

    async def readexactly(self, n: int) -> bytes:
        """Return ``n`` bytes.

        Raises:
            asyncio.IncompleteReadError: there are fewer.
        """
        while len(self._buffer) < n:
            if not await self._fill():
                raise asyncio.IncompleteReadError(self._take(n), n)
        return self._take(n)

    def at_eof(self) -> bool:
        """Whether the end was reached and all was read."""
        return self._eof and not self._buffer

    async def _fill(self, most: int = _TURN) -> bool:
        """Read once, at most ``most`` bytes; return whether there was anything before the end."""
        if self._eof or most == 0:
            return False
        await self._take_turns()
        with memoryview(self._dialer.scratch)[:most] as view:
            # The scratch buffer is filled and emptied between two awaits, as it must be.
            while (count := self.stream.try_recv_into(view)) is None:
                self._since_turn = 0
                await self.stream.wait(read=True, timeout=self.timeout, phase=self._phase)
            self._buffer += view[:count]
        self._since_turn += count
        if count == 0:
            self._eof = True
            self._check_end()
        return count > 0

    async def _take_turns(self) -> None:
        if self._since_turn >= _TURN:
            self._since_turn = 0
            await checkpoint()

    def _check_end(self) -> None:
        if self.stream.closed_cleanly is False and self._reply_limit is None:
            raise TruncatedTransfer("the TLS data connection ended without a close alert")

    def _take(self, n: int) -> bytes:
        taken = bytes(self._buffer[:n])
        del self._buffer[:n]
        return taken

    # The writer's face

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes to be sent by :meth:`drain`."""
        self._outgoing += data

    async def drain(self) -> None:
        """Send what was written."""
        self._since_write = 0
        data, self._outgoing = self._outgoing, bytearray()
        await self._take_turns()
        await self.stream.send_all(data, self.timeout, self._phase)
        await self.stream.flush(self.timeout, self._phase)
        self._since_turn += len(data)

    def close(self) -> None:
        """Close at once; over TLS with a close alert, if that can be sent without waiting."""
        if self._closing:
            return
        self._closing = True
        try:
            if isinstance(self.stream, TLSStream):
                self.stream.try_close()
        except NetClientError:
            self._eof = True  # the peer is gone: no farewell
        finally:
            self.stream.abort()

    def is_closing(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closing

    async def wait_closed(self) -> None:
        """Return at once: there is nothing to wait for after :meth:`close`."""

    @property
    def transport(self) -> StreamPair:
        """Itself, for :meth:`get_extra_info`."""
        return self

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return ``"socket"`` or ``"peername"`` (the address alone), and the default for anything else."""
        if name == "socket":
            return self.stream.socket
        return (self.stream.peer,) if name == "peername" else default

    # TLS

    @property
    def session(self) -> ssl.SSLSession | None:
        """The TLS session that another connection may resume."""
        return self.stream.session if isinstance(self.stream, TLSStream) else None

    @property
    def session_reused(self) -> bool:
        """Whether this connection resumed another one's session."""
        return isinstance(self.stream, TLSStream) and self.stream.session_reused

    async def secure(
        self,
        host: str,
        timeout: float | None,
        *,
        dialer: Dialer | None = None,
        session: ssl.SSLSession | None = None,
    ) -> None:
        """Shake hands for TLS; the certificate must be ``host``'s. The connection is closed if that fails.

        Raises:
            ProtocolError: the server sent something in clear that would count as secure.
            TLSError: handshake or certificate.
        """
        if self._buffer:
            self.close()
            raise ProtocolError("the server sent more in clear behind its agreement to TLS")
        plain = self.stream
        assert not isinstance(plain, TLSStream)
        try:
            secured = (dialer or self._dialer).secure(plain, host, session=session)
            await secured.handshake(timeout)
        except BaseException:
            plain.abort()
            raise
        self.stream = secured

    async def finish_sending(self) -> None:
        """End an upload: everything sent, and over TLS the close alerts exchanged, for a bounded time."""
        await self.drain()
        if isinstance(self.stream, TLSStream):
            await self.stream.aclose(_FAREWELL)
