"""A TCP proxy on loopback that makes the network misbehave, in front of any server.

Put it between a client and a server, and tell it by a :class:`Plan` what each connection suffers: latency,
a bandwidth cap, one-byte packets, resets, truncation, stalls, injected bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import TracebackType
from typing import Self, TypeVar

from ._proxy_relay import Listener, Switchboard
from ._server import Runnable
from .fault_plans import FaultReport, Kind, Plan, Planner

R = TypeVar("R")


class FaultProxy(Runnable):
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
        self._data_ports = tuple(data_ports)
        self._board = Switchboard(self._choose, ftp)
        self._listener: Listener | None = None

    # Life

    _name = "netclients-fault-proxy"

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        try:
            self._listen()
            for port in self._data_ports:
                self._board.listen(self._host, port, "data", (self.target[0], port))
        except BaseException:
            await self._board.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._board.close()

    def _listen(self) -> None:
        self._listener = self._board.listen(self._host, self._port, "control", self.target)
        self._port = self._listener.port
        self._board.host = self._host

    def _choose(self, index: int, kind: Kind) -> Plan:
        if not isinstance(self._plan, Plan):
            return self._plan(index, kind)
        return self._data_plan if kind == "data" and self._data_plan is not None else self._plan

    # Public

    @property
    def report(self) -> FaultReport:
        """What it has seen and done so far."""
        return self._call(self._take_report)

    def _take_report(self) -> FaultReport:
        board = self._board
        return FaultReport(
            control=board.count["control"],
            data=board.count["data"],
            open=len(board.relays),
            bytes_up=board.bytes["up"],
            bytes_down=board.bytes["down"],
            ran=dict(board.ran),
        )

    def set_plan(self, plan: Plan | Planner, data_plan: Plan | None = None) -> None:
        """Replace the plans; connections that exist keep theirs. Numbering starts anew."""

        def apply() -> None:
            self._plan, self._data_plan = plan, data_plan
            self._board.count = {"control": 0, "data": 0}

        self._call(apply)

    def sever(self, *, reset: bool = True) -> int:
        """Cut all connections at once, by RST or FIN, and return how many there were."""

        def cut() -> int:
            severed = self._board.sever(reset)
            self._board.ran["sever"] += severed
            return severed

        return self._call(cut)

    def refuse_connections(self, refuse: bool = True) -> None:
        """Stop listening, so that connecting is refused by the system; or listen again on the same port."""

        def apply() -> None:
            if refuse and self._listener is not None:
                self._board.forget(self._listener)
                self._listener = None
            elif not refuse and self._listener is None:
                self._listen()

        self._call(apply)
