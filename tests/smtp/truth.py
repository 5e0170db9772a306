"""What the mailboxes hold, compared with what the receipts say, after the network has failed somewhere.

Each message has an identifier of its own and names its envelope sender in a header, so that a copy too many, one
that is missing, and one under another message's sender can be told.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from netclients import MailSender, Outgoing, PoolLimits, Receipt, RetryPolicy, Timeouts
from netclients.testing import Cut, FaultProxy, Flow, Plan
from netclients.testing.fault_plans import How
from tests.faults.report import POINTS

DOMAIN = "example.test"
USERS = ("alice", "bob", "carol", "dave")
AGAIN = RetryPolicy(attempts=3, initial=0, maximum=0)
PATIENT = Timeouts(connect=20, handshake=5, reply=10, stall=10, pool=20, complete=10)
IMPATIENT = Timeouts(connect=20, handshake=5, reply=0.15, stall=0.15, pool=20, complete=0.15)

_IDENTIFIER = re.compile(rb"(?im)^message-id: <([^>]*)>")
_SENDER = re.compile(rb"(?im)^x-envelope: (\S+)")


@dataclass(frozen=True)
class Copy:
    """One message in one mailbox: ``sender`` is the envelope's."""

    content: bytes
    sender: str
    recipient: str


class Postbox(Protocol):
    """The mailboxes of one server."""

    name: str
    host: str
    port: int

    def copies(self) -> list[Copy]:
        """Wait until all that was accepted has been delivered; return it, and forget it."""


def content_of(run: int, index: int) -> bytes:
    """About 150 bytes, with dots where they matter."""
    head = b"Message-ID: <%d.%d@x>\r\nX-Envelope: s%d@%s\r\n\r\n" % (run, index, index, DOMAIN.encode())
    return head + b".\r\n..two\r\n" + b"z" * 40 + b"\r\n.\r\n"


def recipients_of(index: int) -> list[str]:
    """One, two or three, some of whom nobody knows; of every fifth message all."""
    if index % 5 == 4:
        return [f"nobody@{DOMAIN}"]
    known = [f"{USERS[index % 4]}@{DOMAIN}"]
    if index % 2:
        known.append(f"{USERS[(index + 1) % 4]}@{DOMAIN}")
    if index % 3 == 0:
        known.insert(1, f"nobody{index}@{DOMAIN}")
    return known


def messages_of(run: int, count: int) -> Iterable[Outgoing]:
    for index in range(count):
        yield Outgoing(content_of(run, index), f"s{index}@{DOMAIN}", recipients_of(index))


@dataclass
class Ledger:
    """All receipts of several runs, to be compared with the mailboxes once."""

    receipts: dict[tuple[int, int], tuple[Receipt, object]] = field(default_factory=dict)

    def enter(self, run: int, receipts: list[Receipt], where: object) -> None:
        for receipt in receipts:
            self.receipts[run, receipt.index] = (receipt, where)
            told = [*receipt.accepted, *receipt.refused, *receipt.unknown, *receipt.unsent]
            assert sorted(told) == sorted(recipients_of(receipt.index)), (where, receipt)

    def compare(self, copies: list[Copy]) -> None:
        """Never twice, never silently lost, never in the wrong envelope."""
        held: Counter[tuple[str, str]] = Counter()
        for copy in copies:
            sender, identifier = _SENDER.search(copy.content), _IDENTIFIER.search(copy.content)
            assert sender is not None
            assert identifier is not None
            assert copy.sender == sender[1].decode(), f"delivered under the sender of another message: {copy}"
            held[identifier[1].decode(), copy.recipient] += 1
        for (run, index), (receipt, where) in self.receipts.items():
            for address in recipients_of(index):
                count = held.pop((f"{run}.{index}@x", address.partition("@")[0]), 0)
                if address in receipt.accepted:
                    assert count == 1, (where, address, count, receipt)
                elif address in receipt.unknown:
                    assert count <= 1, (where, address, count, receipt)
                else:
                    assert count == 0, (where, address, count, receipt)
        assert not held, f"nobody has sent these: {held}"


async def send_all(sender: MailSender, run: int, count: int) -> list[Receipt]:
    async with sender.send_many(messages_of(run, count)) as receipts:
        found = [receipt async for receipt in receipts]
    assert sorted(receipt.index for receipt in found) == list(range(count))
    stats = sender.stats
    assert (stats.in_use, stats.connecting, stats.waiting) == (0, 0, 0)
    return found


async def sweep(
    postbox: Postbox,
    make: Callable[..., MailSender],
    *,
    count: int,
    way: str,
    how: How = "reset",
    step: int = 1,
    start: int = 0,
    wary: bool = False,
) -> int:
    """Cut the first connection behind every ``step``-th byte; return how many points that were.

    A message that certainly was not accepted is sent again, so that nothing is unsent in the end.
    """
    ledger = Ledger()
    run, points, at = 0, 0, start
    with FaultProxy((postbox.host, postbox.port)) as proxy:
        while True:
            plan = Plan(**{way: Flow(cut=Cut(at, how))})
            proxy.set_plan(lambda number, kind, plan=plan: plan if number == 0 else Plan())
            before = proxy.report.points
            timeouts = IMPATIENT if how == "stall" else PATIENT
            limits = PoolLimits(max_connections=1)
            async with make(
                f"smtp://{proxy.host}:{proxy.port}", limits=limits, retry=AGAIN, timeouts=timeouts
            ) as sender:
                receipts = await send_all(sender, run, count)
            ledger.enter(run, receipts, (way, how, at))
            for receipt in receipts:
                assert not receipt.unsent, (way, how, at, receipt)
            if proxy.report.points == before:
                break
            points += 1
            run += 1
            at += step
    ledger.compare(postbox.copies())
    POINTS[f"{postbox.name}: mail, {how} {way}"] += points
    return points
