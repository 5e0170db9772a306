"""IMAP dialogues that the network cuts somewhere: what the mailboxes hold afterwards, compared with what was told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from netclients import NetClientError, OutcomeUnknown, Timeouts
from netclients.imap.connection import IMAPConnection
from netclients.imap.connection.appending import Appended
from netclients.testing import Cut, FaultProxy, Flow, Plan
from netclients.testing.fault_plans import How
from tests.faults.report import POINTS
from tests.imap.connections import connected

PATIENT = Timeouts(connect=20, handshake=5, reply=10, stall=10, pool=20, complete=10)


class Mailboxes(Protocol):
    """One server."""

    name: str
    host: str
    port: int
    login: str

    def subjects(self, mailbox: str) -> Counter[str]:
        """How often each subject is in the mailbox, once all that was sent has been worked off."""


@dataclass
class Ledger:
    """What was tried, by subject: ``done`` (an answer came), ``unknown`` (OutcomeUnknown), else not done."""

    told: dict[str, str] = field(default_factory=dict)

    async def enter(self, name: str, call: Awaitable[object]) -> bool:
        """Note how the call ends; return whether it ended well."""
        self.told[name] = "not done"
        try:
            await call
        except OutcomeUnknown:
            self.told[name] = "unknown"
            raise
        self.told[name] = "done"
        return True

    def compare(self, held: Counter[str], where: object) -> None:
        """Never twice; never missing where it was said to be done, never there where it was said not to be."""
        for name, told in self.told.items():
            count = held[name]
            allowed = {"done": {1}, "unknown": {0, 1}, "not done": {0}}[told]
            assert count in allowed, (where, name, told, count)


def letter(name: str) -> bytes:
    return b"Subject: %b\r\n\r\n%b\r\n" % (name.encode(), name.encode() * 3)


Dialogue = Callable[[IMAPConnection, str, Ledger, Ledger], Awaitable[None]]
"""Talks, and enters what it changes: in the inbox, in the other mailbox."""


async def changes(connection: IMAPConnection, run: str, inbox: Ledger, other: Ledger) -> None:
    """APPEND, several at once too, COPY, MOVE; one behind the other."""
    await connection.select("INBOX")
    raw = letter(f"{run}.a")
    await inbox.enter(f"{run}.a", connection.append("INBOX", Appended(len(raw), [raw])))
    found = await connection.uid_search(subject=f"{run}.a")
    assert len(found.numbers) == 1, (run, found.numbers)
    await other.enter(f"{run}.a", connection.uid_copy(found.numbers, "other"))
    raw = letter(f"{run}.m")
    await connection.append("INBOX", Appended(len(raw), [raw]))
    found = await connection.uid_search(subject=f"{run}.m")
    await other.enter(f"{run}.m", connection.uid_move(found.numbers, "other"))
    await connection.logout()


async def reading(connection: IMAPConnection, run: str, inbox: Ledger, other: Ledger) -> None:
    """Several commands at once: each gets its own reply or none."""
    await connection.select("INBOX", readonly=True)
    fetches = [connection.uid_fetch(uid, body=True) for uid in (1, 2, 3)]
    envelopes = connection.uid_fetch("1:3", envelope=True)
    status, searched, listed = connection.status("other"), connection.uid_search("1:2"), connection.list("INBOX")
    for uid, pending in zip((1, 2, 3), fetches, strict=True):
        assert [(one.uid, one.raw) for one in await pending] == [(str(uid), letter(f"seed{uid}"))]
    assert [one.envelope.subject for one in await envelopes] == ["seed1", "seed2", "seed3"]
    assert (await status).name == "other"
    assert (await searched).numbers == [1, 2]
    assert [mailbox.name for mailbox, _ in await listed] == ["INBOX"]
    await connection.logout()


async def sweep(
    server: Mailboxes, dialogue: Dialogue, *, way: str, how: How, step: int = 1, start: int = 0, **options: object
) -> int:
    """Cut the connection behind every ``step``-th byte; return how many points that were."""
    inbox, other = Ledger(), Ledger()
    # A stall is found out by time; a real server must have been given enough to answer at all.
    wait = 0.4 if server.name == "embedded" else 1.5
    impatient = Timeouts(connect=20, handshake=5, reply=wait, stall=wait, pool=20, complete=wait)
    points, at, patience = 0, start, False
    with FaultProxy((server.host, server.port)) as proxy:
        while True:
            proxy.set_plan(Plan(**{way: Flow(cut=Cut(at, how))}))
            before = proxy.report.points
            where = (way, how, at)
            url = f"imap://{server.login}@{proxy.host}:{proxy.port}"
            timeouts = impatient if how == "stall" and not patience else PATIENT
            failed = False
            try:
                async with connected(url, timeouts=timeouts, **options) as connection:  # type: ignore[arg-type]
                    await dialogue(connection, f"{way}{how}{at}", inbox, other)
            except NetClientError:
                failed = True
            if proxy.report.points == before:
                if failed and how == "stall" and not patience:
                    patience = True  # the machine was slow, not the network
                    continue
                assert not failed, where
                break
            points += 1
            at += step
    inbox.compare(server.subjects("INBOX"), (way, how))
    other.compare(server.subjects("other"), (way, how))
    told = Counter([*inbox.told.values(), *other.told.values()])
    if dialogue is changes and step < 20:  # a sweep that misses the places where it matters proves nothing
        assert told["done"], told
        assert told["unknown"], told
    POINTS[f"{server.name}: IMAP, {how} {way}"] += points
    return points
