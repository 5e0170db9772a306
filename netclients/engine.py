"""The driver: one protocol object on one stream.

::

    caller → submit → protocol → data_to_send → stream        (flush)
    caller ← ticket ← protocol ← receive_data ← stream        (poll, wait_for)

Nothing runs in the background. Whoever waits for a ticket reads, and what arrives for other tickets is kept
in them. The protocol decides what may be sent when; the engine moves bytes and keeps time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from netclients.errors import ConnectionLost, NetClientError
from netclients.transport.dial import Dialer
from netclients.transport.readiness import Deadline, Turn, checkpoint
from netclients.transport.stream import Buffer, ByteStream, Waitable, wait_any
from netclients.wire.pipeline import Ticket

__all__ = ["Engine", "SansIO"]

C = TypeVar("C")
R = TypeVar("R")
E_co = TypeVar("E_co", covariant=True)
S = TypeVar("S", bound=ByteStream)


class SansIO(Protocol[C, R, E_co]):
    """What every protocol's state machine can do, without I/O."""

    def submit(self, command: C) -> Ticket[C, R]:
        """Take a command; it is sent as soon as the protocol allows."""

    def receive_data(self, data: memoryview) -> None:
        """Consume bytes from the peer at once; keeps no reference to ``data``."""

    def receive_eof(self) -> None:
        """The peer has closed."""

    def next_event(self) -> E_co | None:
        """Return what has happened, oldest first; None when all is told."""

    def data_to_send(self) -> bytes:
        """Return the bytes that are due for the peer, and forget them."""


class Engine(Generic[C, R, E_co, S]):
    """Moves bytes between a stream and a protocol object.

    ``stream`` may be replaced, by its secured self. Received bytes pass through the dialer's scratch buffer.
    ``handed_over`` counts the bytes that the stream has taken: what was not among them has never reached the peer.
    """

    __slots__ = ("_dialer", "_turn", "closed_by_peer", "handed_over", "protocol", "stream")

    def __init__(self, stream: S, protocol: SansIO[C, R, E_co], dialer: Dialer) -> None:
        self.stream: S = stream
        self.protocol: SansIO[C, R, E_co] = protocol
        self.closed_by_peer: bool = False
        self.handed_over: int = 0
        self._dialer = dialer
        self._turn = Turn()

    def poll(self) -> bool:
        """Read what is there, without waiting; return whether anything was.

        Raises:
            ProtocolError: the peer sent nonsense.
            ConnectionLost: the peer reset the connection.
        """
        if self.closed_by_peer:
            return False
        scratch = self._dialer.scratch
        count = self.stream.try_recv_into(scratch)
        if count is None:
            return False
        if count == 0:
            self.closed_by_peer = True
            self.protocol.receive_eof()
        else:
            with memoryview(scratch) as whole, whole[:count] as view:
                self.protocol.receive_data(view)
        return True

    async def flush(self, timeout: float | None, phase: str = "reply") -> None:
        """Send what is due."""
        if data := self.protocol.data_to_send():
            await self.send(data, timeout, phase)

    async def send(self, data: Buffer, timeout: float | None, phase: str) -> None:
        """Send ``data``, and read meanwhile: a peer that must get rid of its replies first would never take it.

        ``timeout`` seconds may pass in which not a byte is taken, whatever the peer says meanwhile.

        Raises:
            ConnectionLost: the peer is gone. What it said before has been read.
        """
        stream = self.stream
        try:
            sent = stream.try_send(data)
            self.handed_over += sent
            if sent < len(data) or stream.unsent:
                with memoryview(data) as view:
                    await self._push(view[sent:], timeout, phase)
        except ConnectionLost:
            self._hear_last_words()
            raise

    async def _push(self, rest: memoryview, timeout: float | None, phase: str) -> None:
        stream = self.stream
        deadline = Deadline(timeout, phase)
        while len(rest) or stream.unsent:
            with deadline:
                await wait_any((stream,) if not self.closed_by_peer else (), (stream,), deadline.left(), phase)
            self._turn.waited()
            self.poll()
            stream.try_flush()
            if sent := stream.try_send(rest) if len(rest) else 0:
                self.handed_over += sent
                rest = rest[sent:]
                deadline = Deadline(timeout, phase)

    def _hear_last_words(self) -> None:
        """Take in what the peer said before it went: why, perhaps."""
        with contextlib.suppress(NetClientError):
            while self.poll():
                continue

    async def wait(
        self, timeout: float | None, phase: str, *, read: Sequence[Waitable] = (), write: Sequence[Waitable] = ()
    ) -> None:
        """Wait until the peer has sent something, or one of the others may be read or written."""
        readers: Sequence[Waitable] = read if self.closed_by_peer else (self.stream, *read)
        await wait_any(readers, write, timeout, phase)

    async def receive(self, timeout: float | None, phase: str) -> None:
        """Read once, waiting if need be.

        Raises:
            ConnectionLost: the peer has closed.
            PhaseTimeout: nothing came; it carries ``phase``.
        """
        others_had_their_turn = False
        while not self.poll():
            if self.closed_by_peer:
                raise ConnectionLost(f"{self.stream.peer} closed the connection")
            if others_had_their_turn:
                await self.wait(timeout, phase)
                self._turn.waited()
            else:
                # On a busy loop the answer is often there by then, which is cheaper than to wait for the socket.
                await checkpoint()
                others_had_their_turn = True
        # A peer that always has more to say must not keep this task from waiting for ever.
        await self._turn.pass_on()
