"""A TCP proxy on loopback that makes the network misbehave, in front of any server.

Put it between a client and a server, and tell it by a :class:`Plan` what each connection suffers: latency,
a bandwidth cap, one-byte packets, resets, truncation, stalls, injected bytes.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import socket
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self, TypeVar, cast

from ._proxy_flow import Direction
from ._proxy_ftp import ReplyRewriter
from ._sockets import accept_forever, listening_socket, reset_on_close
from ._threads import call_in, in_thread
from .fault_plans import FaultReport, Kind, Plan, Planner

R = TypeVar("R")


class FaultProxy:
    """A proxy in front of the server at `target` (address and port).

    ``async with FaultProxy(("127.0.0.1", 21)) as proxy`` runs it on the running asyncio loop, ``with`` on a
    loop of its own, in a new thread. All properties and methods may be used from any thread.

    `plan` is the plan of all connections, or a function that chooses one by number and kind. `data_plan`
    replaces a fixed plan for the data connections of FTP.

    Data connections go through the proxy too with `ftp`, which rewrites the replies to PASV and EPSV; that
    can't work once TLS hides them. For FTP over TLS give the server a fixed range of passive ports, and name
    it as `data_ports`: the proxy listens on the same ports of another loopback address, `host` (such as
    ``127.0.0.2`` or ``::1``), and a client that uses EPSV connects there by itself. Active mode bypasses
    the proxy.
    """

    def __init__(
        self,
        target: tuple[str, int],
        *,
        plan: Plan | Planner | None = None,
        data_plan: Plan | None = None,
        ftp: bool = False,
        data_ports: Iterable[int] = (),
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.target = target
        self._host, self._port = host, port
        self._plan, self._data_plan = plan or Plan(), data_plan
        self._ftp = ftp
        self._data_ports = tuple(data_ports)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listener: Listener | None = None
        self._data_listeners: set[Listener] = set()
        self._relays: set[Relay] = set()
        self._count: dict[Kind, int] = {"control": 0, "data": 0}
        self._bytes = {"up": 0, "down": 0}
        self._ran: collections.Counter[str] = collections.Counter()

    # Life

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        try:
            self._listen()
            for port in self._data_ports:
                self._listen_for_data(port, (self.target[0], port))
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    def __enter__(self) -> Self:
        self._thread = in_thread(lambda: self, "netclients-fault-proxy")
        self._thread.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.__exit__(kind, error, trace)

    async def _close(self) -> None:
        listeners = [*self._data_listeners, *([self._listener] if self._listener else [])]
        for listener in listeners:
            listener.close()
        relays = list(self._relays)
        for relay in relays:
            relay.end(reset=True)
        tasks = [listener.task for listener in listeners] + [relay.task for relay in relays]
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports close their sockets in a callback

    def _listen(self) -> None:
        sock = listening_socket(self._host, self._port)
        self._host, self._port = sock.getsockname()[:2]
        self._listener = Listener(sock, lambda client: self._accepted(client, "control", self.target))

    def _listen_for_data(self, port: int, target: tuple[str, int]) -> Listener:
        sock = listening_socket(self._host, port)
        listener = Listener(sock, lambda client: self._accepted(client, "data", target))
        self._data_listeners.add(listener)
        return listener

    def _accepted(self, sock: socket.socket, kind: Kind, target: tuple[str, int]) -> None:
        index = self._count[kind]
        self._count[kind] += 1
        Relay(self, sock, target, self._choose(index, kind), self._ftp and kind == "control")

    def _choose(self, index: int, kind: Kind) -> Plan:
        if not isinstance(self._plan, Plan):
            return self._plan(index, kind)
        return self._data_plan if kind == "data" and self._data_plan is not None else self._plan

    # Public

    @property
    def host(self) -> str:
        """The address it listens on."""
        return self._host

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def report(self) -> FaultReport:
        """What it has seen and done so far."""
        return self._call(self._take_report)

    def _take_report(self) -> FaultReport:
        return FaultReport(
            control=self._count["control"],
            data=self._count["data"],
            open=len(self._relays),
            bytes_up=self._bytes["up"],
            bytes_down=self._bytes["down"],
            ran=dict(self._ran),
        )

    def set_plan(self, plan: Plan | Planner, data_plan: Plan | None = None) -> None:
        """Replace the plans; connections that exist keep theirs. Numbering starts anew."""

        def apply() -> None:
            self._plan, self._data_plan = plan, data_plan
            self._count = {"control": 0, "data": 0}

        self._call(apply)

    def sever(self, *, reset: bool = True) -> int:
        """Cut all connections at once, by RST or FIN, and return how many there were."""

        def cut() -> int:
            relays = list(self._relays)
            for relay in relays:
                relay.end(reset)
            self._ran["sever"] += len(relays)
            return len(relays)

        return self._call(cut)

    def refuse_connections(self, refuse: bool = True) -> None:
        """Stop listening, so that connecting is refused by the system; or listen again on the same port."""

        def apply() -> None:
            if refuse and self._listener is not None:
                self._listener.close()
                self._listener = None
            elif not refuse and self._listener is None:
                self._listen()

        self._call(apply)

    def _call(self, function: Callable[[], R]) -> R:
        if self._loop is None or self._loop.is_closed():
            return function()
        return call_in(self._loop, function)


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

    def __init__(
        self, proxy: FaultProxy, sock: socket.socket, target: tuple[str, int], plan: Plan, ftp: bool
    ):
        self._proxy, self._target, self._plan = proxy, target, plan
        self._ended = False
        self._up = Direction("up", plan.up, self)
        self._down = Direction("down", plan.down, self)
        self._client = Side(self, self._up, self._down)
        self._server = Side(self, self._down, self._up)
        self._published: dict[int, Listener] = {}
        if ftp:
            self._server.rewrite = ReplyRewriter(target[0], self._publish).feed
        proxy._relays.add(self)
        self.task = asyncio.create_task(self._connect(sock))

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
        except asyncio.CancelledError:
            if not self._client.connected:
                sock.close()
            raise

    def _publish(self, host: str, port: int) -> tuple[str, int]:
        for listener in self._published.values():
            self._forget(listener)
        self._published.clear()
        listener = self._proxy._listen_for_data(0, (host, port))
        self._published[port] = listener
        return self._proxy.host, listener.port

    def _forget(self, listener: Listener) -> None:
        listener.close()
        self._proxy._data_listeners.discard(listener)

    # What directions and sides report

    def ran(self, what: str) -> None:
        """Count a fault."""
        self._proxy._ran[what] += 1

    def moved(self, name: str, count: int) -> None:
        """Count forwarded bytes."""
        self._proxy._bytes[name] += count

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
            self._forget(listener)
        self._proxy._relays.discard(self)
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
