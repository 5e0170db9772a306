"""No message is deleted that was not named, and none after an exception: cut a session anywhere, and count."""

from __future__ import annotations

from typing import Protocol

from netclients import OutcomeUnknown, Timeouts
from netclients.errors import NetClientError
from netclients.pop3.maildrop import Maildrop
from netclients.testing import Cut, FaultProxy, Flow, Plan
from netclients.testing.fault_plans import How
from tests.faults.report import POINTS
from tests.pop3.boxes import AGAIN, letter, maildrop

PATIENT = Timeouts(connect=20, handshake=5, reply=10, stall=10, pool=20, complete=10)
IMPATIENT = Timeouts(connect=20, handshake=5, reply=0.15, stall=0.15, pool=20, complete=0.15)

COUNT = 5
NAMED = (1, 3)


class OopsError(Exception):
    """What a caller's own code raises."""


class Postbox(Protocol):
    """One maildrop of a server. ``stride``: every how manieth byte is tried."""

    name: str
    host: str
    port: int
    login: str

    def fill(self, letters: list[bytes]) -> None:
        """Put these messages there, and nothing else."""

    def subjects(self) -> list[str]:
        """Wait until no session is open; tell what is left."""


async def work(box: Maildrop, *, raises: bool) -> None:
    """Read all, delete two of them, and perhaps fail."""
    async with box:
        async with box.read_many() as items:
            received = [item async for item in items]
        assert [item.raw for item in received] == [letter(number) for number in range(COUNT)], received
        await box.delete([received[number].uid for number in NAMED])
        assert (await box.read(received[0].uid))["Subject"] == "0"
        if raises:
            raise OopsError


async def once(postbox: Postbox, url: str, timeouts: Timeouts, *, raises: bool, where: object) -> None:
    postbox.fill([letter(number) for number in range(COUNT)])
    error: Exception | None = None
    try:
        await work(maildrop(url, tls="none", timeouts=timeouts, retry=AGAIN), raises=raises)
    except (NetClientError, OopsError) as caught:
        error = caught
    left = postbox.subjects()
    everything = [str(number) for number in range(COUNT)]
    kept = [subject for subject in everything if int(subject) not in NAMED]
    if error is None:
        assert left == kept, where
    elif isinstance(error, OutcomeUnknown):
        assert not raises, where
        assert left in (kept, everything), (where, left)
    else:
        assert left == everything, (where, left, error)
    assert (error is None) or not isinstance(error, OopsError) or raises


async def sweep(postbox: Postbox, *, way: str, how: How = "reset", step: int = 1, raises: bool = False) -> int:
    """Cut the first connection behind every ``step``-th byte; return how many points that were."""
    points = at = 0
    with FaultProxy((postbox.host, postbox.port)) as proxy:
        while True:
            plan = Plan(**{way: Flow(cut=Cut(at, how))})
            proxy.set_plan(lambda number, kind, plan=plan: plan if number == 0 else Plan())  # type: ignore[misc]
            before = proxy.report.points
            timeouts = IMPATIENT if how == "stall" else PATIENT
            url = f"pop3://{postbox.login}@{proxy.host}:{proxy.port}"
            await once(postbox, url, timeouts, raises=raises, where=(way, how, at))
            if proxy.report.points == before:
                break
            points += 1
            at += step
    POINTS[f"{postbox.name}: POP3, {how} {way}"] += points
    return points
