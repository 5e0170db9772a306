"""Connections of the fault proxy: a socket to the client, one to the server, and a direction each way."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import socket
from collections.abc import Callable
from typing import cast

from ._proxy_flow import Direction
from ._proxy_ftp import ReplyRewriter
from ._sockets import accept_forever, listening_socket, reset_on_close
from .fault_plans import Kind, Plan


class Switchboard:
    """What listens, what is connected, and what has happened."""

    def __init__(self, choose: Callable[[int, Kind], Plan], ftp: bool) -> None:
        self.choose, self.ftp = choose, ftp
        self.host = ""
        self.listeners: set[Listener] = set()
        self.relays: set[Relay] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.count: dict[Kind, int] = {"control": 0, "data": 0}
        self.bytes = {"up": 0, "down": 0}
        self.ran: collections.Counter[str] = collections.Counter()

    def listen(self, host: str, port: int, kind: Kind, target: tuple[str, int]) -> Listener:
        """Forward connections to `target`. Raises OSError."""
        listener = Listener(listening_socket(host, port), lambda sock: self._accepted(sock, kind, target))
        self.listeners.add(listener)
        self.watch(listener.task)
        return listener

    def watch(self, task: asyncio.Task[None]) -> None:
        """Remember a task until it is done."""
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def forget(self, listener: Listener) -> None:
        """Stop listening."""
        listener.close()
        self.listeners.discard(listener)

    def _accepted(self, sock: socket.socket, kind: Kind, target: tuple[str, int]) -> None:
        index = self.count[kind]
        self.count[kind] += 1
        relay = Relay(self, sock, target, self.choose(index, kind), self.ftp and kind == "control")
        self.relays.add(relay)
        self.watch(relay.task)

    def sever(self, reset: bool) -> int:
        """Cut all connections, and return how many there were."""
        relays = list(self.relays)
        for relay in relays:
            relay.end(reset)
        return len(relays)

    async def close(self) -> None:
        """End everything."""
        for listener in list(self.listeners):
            self.forget(listener)
        self.sever(reset=True)
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports close their sockets in a callback


class Listener:
    """Accepts connections in a task of its own, until closed."""

    def __init__(self, sock: socket.socket, accepted: Callable[[socket.socket], None]) -> None:
        self._sock = sock
        self._accepted = accepted
        self.port: int = sock.getsockname()[1]
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        await accept_forever(self._sock, self._accepted)

    def close(self) -> None:
        """Stop listening, now."""
        self.task.cancel()
        # Closing has to wait for the task, since the loop still watches the descriptor.
        self.task.add_done_callback(lambda _: self._sock.close())
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)


class Relay:
    """One connection of a client, and its counterpart to the server."""

    def __init__(self, board: Switchboard, sock: socket.socket, target: tuple[str, int], plan: Plan, ftp: bool):
        self._board, self._plan = board, plan
        self._target = target
        self._ended = False
        self._up = Direction("up", plan.up, self)
        self._down = Direction("down", plan.down, self)
        self._client = Side(self, self._up, self._down)
        self._server = Side(self, self._down, self._up)
        self._published: dict[int, Listener] = {}
        if ftp:
            self._server.rewrite = ReplyRewriter(target[0], self._publish).feed
        self.task = asyncio.create_task(self._connect(sock))
        self.task.add_done_callback(lambda _: self._close_unless_connected(sock))

    async def _connect(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            if self._plan.refuse:
                self.ran("refuse")
                reset_on_close(sock)
                sock.close()
                self.end(reset=True)
                return
            await loop.connect_accepted_socket(lambda: self._client, sock)
            if delay := 2 * self._plan.up.latency + self._plan.down.latency:
                await asyncio.sleep(delay)
            await loop.create_connection(lambda: self._server, *self._target)
        except OSError:
            self.end(reset=True)

    def _close_unless_connected(self, sock: socket.socket) -> None:
        """Close the accepted socket if no transport does: the task may even be cancelled before it begins."""
        if not self._client.connected:
            sock.close()

    def _publish(self, host: str, port: int) -> tuple[str, int]:
        for listener in self._published.values():
            self._board.forget(listener)
        self._published.clear()
        listener = self._board.listen(self._board.host, 0, "data", (host, port))
        self._published[port] = listener
        return self._board.host, listener.port

    # What directions and sides report

    def ran(self, what: str) -> None:
        """Count a fault."""
        self._board.ran[what] += 1

    def moved(self, name: str, count: int) -> None:
        """Count forwarded bytes."""
        self._board.bytes[name] += count

    def end(self, reset: bool) -> None:
        """End both sides."""
        if self._ended:
            return
        self._ended = True
        self._up.close()
        self._down.close()
        self._client.end(reset)
        self._server.end(reset)
        for listener in self._published.values():
            self._board.forget(listener)
        self._board.relays.discard(self)
        if self.task is not asyncio.current_task():
            self.task.cancel()

    def finished(self) -> None:
        """End once neither direction will send any more."""
        if self._up.finished and self._down.finished:
            self.end(reset=self._up.stalled or self._down.stalled)

    def lost(self, error: Exception | None) -> None:
        """One side is gone: pass a reset on; after an orderly end on both sides this is the end."""
        if error is not None:
            self.end(reset=True)
        elif self._client.gone and self._server.gone:
            self.end(reset=False)


class Side(asyncio.Protocol):
    """The connection to the client, or to the server."""

    def __init__(self, relay: Relay, received: Direction, sent: Direction) -> None:
        self._relay, self._received, self._sent = relay, received, sent
        self._transport: asyncio.Transport | None = None
        self.gone = False
        self.rewrite: Callable[[bytes], bytes] | None = None

    @property
    def connected(self) -> bool:
        """The connection was made, and may be gone again."""
        return self._transport is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to carry."""
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._sent.precise:
            self._transport.set_write_buffer_limits(0)
        self._received.source = self._transport
        self._sent.sink = self._transport
        self._sent.run()

    def data_received(self, data: bytes) -> None:
        """Pass bytes on."""
        self._received.feed(self.rewrite(data) if self.rewrite else data)

    def eof_received(self) -> bool:
        """Pass the end on, and keep the other direction open."""
        self._received.feed_eof()
        return True

    def pause_writing(self) -> None:
        """The receiver is slow."""
        self._sent.block(True)

    def resume_writing(self) -> None:
        """The receiver caught up."""
        self._sent.block(False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that this side is gone."""
        self.gone = True
        self._relay.lost(exc)

    def end(self, reset: bool) -> None:
        """Close this side."""
        if self._transport is None or self._transport.is_closing():
            return
        if reset:
            reset_on_close(self._transport.get_extra_info("socket"))
            self._transport.abort()
        else:
            self._transport.close()
