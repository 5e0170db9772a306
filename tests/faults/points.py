"""Runs an operation into a fault, checks what must hold, and goes on to the next point."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from netclients import FTPClient, NetClientError, RetryPolicy, Timeouts
from netclients.testing import Cut, FaultProxy, Flow, Plan
from netclients.testing.fault_plans import How, Kind
from tests.faults.harness import IMPATIENT, ONCE, PATIENT, WARY, assert_at_rest, behind, client_of
from tests.faults.operations import Operation, Stage
from tests.faults.report import POINTS
from tests.servers import FTPTarget

Way = Literal["up", "down"]


@dataclass(frozen=True)
class Faulty:
    """A server behind a proxy; ``label`` names it in the report."""

    server: FTPTarget
    proxy: FaultProxy
    tls: str = "none"

    @property
    def label(self) -> str:
        return self.server.name if self.tls == "none" else f"{self.server.name} over TLS"

    def client(self, retry: RetryPolicy = ONCE, timeouts: Timeouts = PATIENT) -> FTPClient:
        return client_of(behind(self.server, self.proxy), tls=self.tls, retry=retry, timeouts=timeouts)


@contextlib.contextmanager
def proxied(server: FTPTarget, tls: str = "none") -> Iterator[Faulty]:
    """Put a proxy in front of a server; over TLS by the ports of another address, see FaultProxy."""
    target = (server.host, server.port)
    if tls == "none":
        with FaultProxy(target, ftp=True) as proxy:
            yield Faulty(server, proxy)
        return
    ports = range(server.port + 1, server.port + 255)  # tests/servers/ports.py: the rest of its block
    with FaultProxy(target, data_ports=ports, host="::1") as proxy:
        yield Faulty(server, proxy, tls)


def plan_of(way: Way, cut: Cut) -> Plan:
    return Plan(down=Flow(cut=cut)) if way == "down" else Plan(up=Flow(cut=cut))


async def strike(
    faulty: Faulty, operation: Operation, stage: Stage, kind: Kind, plan: Plan, *, retry: RetryPolicy = ONCE
) -> bool:
    """Run one operation while the first connection of ``kind`` suffers ``plan``; return whether it struck.

    Whatever happens: the result is right or the error is ours, nothing stands where it should not, the pool is
    at rest, and the same client works again.
    """
    proxy = faulty.proxy
    stalls = any(flow.cut and flow.cut.how == "stall" for flow in (plan.up, plan.down))
    struck_before = proxy.report.points

    def choose(number: int, of: Kind) -> Plan:
        # Some calls look at a listing first, over a data connection of its own, which may be too short for the cut.
        due = number == 0 if of == "control" else proxy.report.points == struck_before
        return plan if of == kind and due else Plan()

    proxy.set_plan(choose)
    stage.blind = kind == "data" and faulty.tls == "none" and plan.down.cut is not None and plan.down.cut.how == "fin"
    operation.prepare(stage)
    error: NetClientError | None = None
    impatient = IMPATIENT if faulty.server.name == "embedded" else WARY
    async with faulty.client(retry, impatient if stalls else PATIENT) as client:
        try:
            result = await operation.run(client, stage)
        except NetClientError as caught:
            error = caught
            operation.failed(stage)
        else:
            operation.done(stage, result)
        struck = proxy.report.points > struck_before
        assert_at_rest(client, error)
        proxy.set_plan(Plan())
        await _works_again(client, forgiving=error is None)
        assert_at_rest(client, "after the next call")
    if retry.attempts > 1 and operation.safe and struck:
        assert error is None, "a repeated call must succeed"
    if error is None and not struck:
        return False
    POINTS[f"{faulty.label}: {operation.name}"] += struck
    return struck


async def _works_again(client: FTPClient, *, forgiving: bool) -> None:
    try:
        answer = await client.read_bytes("probe.txt")
    except NetClientError:
        if not forgiving:
            raise
        # The operation went well in front of the fault, which then struck its idle connection.
        answer = await client.read_bytes("probe.txt")
    assert answer == b"the right answer"


async def sweep(
    faulty: Faulty,
    operation: Operation,
    stage: Stage,
    *,
    kind: Kind = "control",
    way: Way = "down",
    how: How = "reset",
    step: int = 1,
    start: int = 0,
    retry: RetryPolicy = ONCE,
) -> int:
    """Strike at every ``step``-th byte until the operation ends before it; return how many points that were."""
    points = 0
    for after in range(start, 1 << 20, step):
        try:
            struck = await strike(faulty, operation, stage, kind, plan_of(way, Cut(after, how)), retry=retry)
        except BaseException as error:
            error.add_note(f"{faulty.label}, {operation.name}: {kind} {way} {how} after byte {after}")
            raise
        if not struck:
            break
        points += 1
    return points
