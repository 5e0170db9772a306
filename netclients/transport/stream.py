"""One connection's bytes.

A :class:`ByteStream` moves bytes by two calls that never wait, ``try_recv_into`` and ``try_send``; waiting
is a third thing, :func:`wait_any`, so that one task can watch several streams (a data connection and its
control connection) without a helper task. :class:`SocketStream` is the plain one, for asyncio, uvloop and
trio alike; TLS (``tls.py``) and scripted streams (``memory.py``) have the same face.
"""

from __future__ import annotations

import os
import socket
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

from netclients.errors import ConnectionLost, PhaseTimeout, TransportError
from netclients.transport.readiness import wait_for_sockets

__all__ = ["Buffer", "ByteStream", "SocketStream", "Waitable", "wait_any"]

Buffer = bytes | bytearray | memoryview


class Waitable(Protocol):
    """Something that :func:`wait_any` can wait for."""

    @property
    def socket(self) -> socket.socket | None:
        """What to wait on; None for something that is always ready, unless it is ``stalled``."""

    @property
    def stalled(self) -> bool:
        """Whether something without a socket will never be ready again."""

    def hold(self) -> None:
        """A task begins to wait on the socket: closing it now would leave that task waiting for ever."""

    def let_go(self) -> None:
        """The task no longer waits."""


class ByteStream(ABC):
    """A connection. Whoever holds it calls :meth:`abort` or :meth:`aclose` in the end."""

    @abstractmethod
    def try_recv_into(self, buffer: bytearray | memoryview) -> int | None:
        """Fill ``buffer`` from its start. Return the number of bytes, 0 at the end, None if it would block.

        Raises:
            ConnectionLost: the peer reset the connection.
        """

    @abstractmethod
    def try_send(self, data: Buffer) -> int:
        """Hand over as much of ``data`` as fits; return how many bytes were taken, 0 if it would block.

        Raises:
            ConnectionLost: the peer is gone.
        """

    @property
    @abstractmethod
    def socket(self) -> socket.socket | None:
        """What to wait on; None for a stream without one, which is always ready."""

    @property
    @abstractmethod
    def peer(self) -> str:
        """The peer's address, without its port."""

    @property
    @abstractmethod
    def local_address(self) -> str | None:
        """Our address, as the peer sees it if nothing stands in between, without port and zone; None: there is none.

        Raises:
            ConnectionLost: the connection is closed.
        """

    @abstractmethod
    def abort(self) -> None:
        """Close at once, without a word to the peer. May be called again, and while a task waits."""

    async def aclose(self, timeout: float | None = None) -> None:
        """Close in good order within ``timeout`` seconds; what the order is, depends on the stream."""
        self.abort()

    @property
    def secured(self) -> bool:
        """Whether the connection is under TLS."""
        return False

    def try_close(self) -> bool:
        """Say goodbye to the peer, where the stream has a way to, without waiting; return whether that is done."""
        return True

    @property
    def stalled(self) -> bool:
        """Whether a stream without a socket has nothing to give or take, and never will."""
        return False

    def hold(self) -> None:
        """A task begins to wait on the socket: closing it now would leave that task waiting for ever."""
        return

    def let_go(self) -> None:
        """The task no longer waits."""
        return

    @property
    def closed_cleanly(self) -> bool | None:
        """After the end: whether the peer said that it was the end. None where it has no means to."""
        return None

    @property
    def unsent(self) -> bool:
        """Whether bytes that were taken are still held back and wait for :meth:`try_flush`."""
        return False

    def try_flush(self) -> None:
        """Hand what is held back to the network, as far as it fits."""
        return

    async def wait(self, *, read: bool = False, write: bool = False, timeout: float | None, phase: str) -> None:
        """Wait until a ``try_`` call may succeed.

        Raises:
            PhaseTimeout: ``timeout`` seconds passed; it carries ``phase``.
        """
        await wait_any([self] if read else [], [self] if write else [], timeout, phase)

    async def recv_into(self, buffer: bytearray | memoryview, timeout: float | None, phase: str) -> int:
        """Fill ``buffer`` with what comes next; return the number of bytes, 0 at the end."""
        while (count := self.try_recv_into(buffer)) is None:
            await self.wait(read=True, timeout=timeout, phase=phase)
        return count

    async def send_all(self, data: Buffer, timeout: float | None, phase: str) -> None:
        """Send all of ``data``; each wait may take ``timeout`` seconds."""
        sent = self.try_send(data)
        if sent < len(data):
            with memoryview(data) as view:
                while sent < len(view):
                    await self.wait(write=True, timeout=timeout, phase=phase)
                    sent += self.try_send(view[sent:])
        await self.flush(timeout, phase)

    async def flush(self, timeout: float | None, phase: str) -> None:
        """Wait until nothing is held back."""
        self.try_flush()
        while self.unsent:
            await self.wait(write=True, timeout=timeout, phase=phase)
            self.try_flush()


async def wait_any(readers: Sequence[Waitable], writers: Sequence[Waitable], timeout: float | None, phase: str) -> None:
    """Wait until one of the streams may be read or written.

    Raises:
        PhaseTimeout: ``timeout`` seconds passed; it carries ``phase``.
    """
    read_sockets = [sock for stream in readers if (sock := stream.socket)]
    write_sockets = [sock for stream in writers if (sock := stream.socket)]
    if len(read_sockets) + len(write_sockets) < len(readers) + len(writers):
        scripted = [stream for stream in (*readers, *writers) if stream.socket is None]
        if not all(stream.stalled for stream in scripted):
            return
        if not read_sockets and not write_sockets:
            raise PhaseTimeout(phase, timeout)
    held = (*readers, *writers)
    for stream in held:
        stream.hold()
    try:
        ready = await wait_for_sockets(read_sockets, write_sockets, timeout)
    finally:
        for stream in held:
            stream.let_go()
    if not ready:
        raise PhaseTimeout(phase, timeout)


class SocketStream(ByteStream):
    """A connected, non-blocking TCP or Unix socket."""

    __slots__ = ("_aborted", "_broken", "_holders", "_peer", "_pid", "_socket")

    def __init__(self, sock: socket.socket, peer: str) -> None:
        self._socket = sock
        self._peer = peer
        self._pid = os.getpid()
        self._holders = 0
        self._aborted = False
        self._broken: OSError | None = None

    @property
    def socket(self) -> socket.socket:
        """The socket itself."""
        return self._socket

    @property
    def peer(self) -> str:
        """The address, or the path of a Unix socket."""
        return self._peer

    @property
    def local_address(self) -> str | None:
        """See :attr:`ByteStream.local_address`; a Unix socket has none."""
        try:
            name = self._socket.getsockname()
        except OSError as error:
            raise self._lost(error) from error
        return str(name[0]).partition("%")[0] if isinstance(name, tuple) else None

    def try_recv_into(self, buffer: bytearray | memoryview) -> int | None:
        """See :meth:`ByteStream.try_recv_into`."""
        if self._broken is not None:
            raise self._lost(self._broken) from self._broken
        try:
            return self._socket.recv_into(buffer)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._lost(error) from error

    def try_send(self, data: Buffer) -> int:
        """See :meth:`ByteStream.try_send`."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise self._lost(error) from error

    def _lost(self, error: OSError) -> TransportError:
        if self._aborted:
            return ConnectionLost("the connection was closed from this side")
        return ConnectionLost(f"connection to {self._peer} lost: {error.strerror or error}")

    def peek(self) -> int | None:
        """Return 1 if a byte waits to be received, 0 if the peer has closed or reset, None if neither."""
        try:
            return len(self._socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return None
        except OSError as error:
            # The kernel tells it once; afterwards it would look like an end in good order.
            self._broken = error
            return 0

    def send_eof(self) -> None:
        """Tell the peer that nothing more will be sent."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError as error:
            raise self._lost(error) from error

    def abort(self) -> None:
        """See :meth:`ByteStream.abort`."""
        if self._aborted:
            return
        self._aborted = True
        if not self._holders:
            self._close()
        elif self._pid == os.getpid():
            # Wakes the waiting task, which then closes. A forked child must not shut its parent's socket.
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # not connected any more, so the task is awake already

    def hold(self) -> None:
        """See :meth:`ByteStream.hold`."""
        self._holders += 1

    def let_go(self) -> None:
        """See :meth:`ByteStream.let_go`; closes what was aborted meanwhile."""
        self._holders -= 1
        if self._aborted and not self._holders:
            self._close()

    def _close(self) -> None:
        self._socket.close()
