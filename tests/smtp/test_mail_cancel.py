"""A mail sender is cancelled at every place where it waits, and at random; then the next message goes its way."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

import pytest

from netclients import MailSender, OutcomeUnknown, Outgoing, PoolLimits, RetryPolicy
from netclients.events import Events
from netclients.testing import SMTPServer, cancel_everywhere, random_cancellations
from netclients.testing.smtp_faults import Delay
from tests.faults.harness import descriptors, settles
from tests.faults.report import POINTS

pytestmark = [pytest.mark.anyio]

MODES = ["off", "standard", "eager"]
AGAIN = RetryPolicy(attempts=2, initial=0, maximum=0)
_IDENTIFIER = re.compile(rb"Message-ID: <([^>]*)>")


class Doubts(Events):
    def __init__(self) -> None:
        self.unknown: set[str] = set()

    def outcome_unknown(self, operation: str) -> None:
        self.unknown.add(operation.removeprefix("send <").removesuffix(">"))


@pytest.fixture
def server() -> Iterator[SMTPServer]:
    # A server in a thread may answer before the client looks: then there is nothing to cancel.
    with SMTPServer(users={"ada": "pw"}, tls="starttls", faults=[Delay("*", seconds=0.001)]) as server:
        yield server


def message(name: object) -> bytes:
    return b"Message-ID: <%s>\r\n\r\nhello\r\n" % str(name).encode()


def held(server: SMTPServer) -> Counter[str]:
    found = [_IDENTIFIER.search(received.content) for received in server.messages]
    return Counter(match[1].decode() for match in found if match)


async def checked(sender: MailSender, server: SMTPServer, name: str) -> None:
    stats = sender.stats
    assert (stats.in_use, stats.connecting, stats.waiting) == (0, 0, 0), stats
    assert (await sender.send(message(name), "a@x", ["b@x"])).ok
    assert held(server)[name] == 1


@pytest.mark.parametrize("mode", MODES)
async def test_send_at_every_await(server: SMTPServer, mode: str) -> None:
    """Connecting, TLS and login included. What was cancelled arrives once or not at all, and a doubt is told."""
    events = Doubts()
    names = iter(range(10_000))
    made: list[MailSender] = []
    sent: list[str] = []

    async def call() -> None:
        sender = MailSender(
            server.url, pipelining=mode, ssl_context=server.client_context(), retry=AGAIN, events=events
        )
        made.append(sender)
        sent.append(f"c{next(names)}")
        async with sender:
            assert (await sender.send(message(sent[-1]), "a@x", ["b@x"])).ok

    async def check() -> None:
        stats = made[-1].stats
        assert (stats.in_use, stats.connecting, stats.waiting) == (0, 0, 0)

    found = await cancel_everywhere(call, check=check)
    POINTS[f"cancelled: send, {mode}"] += found.points
    assert found.points >= 10
    assert await settles(lambda: server.stats.connections_open == 0)
    for name in sent:
        assert held(server)[name] <= 1


@pytest.mark.parametrize("mode", MODES)
async def test_send_over_a_warm_connection(server: SMTPServer, mode: str) -> None:
    events = Doubts()
    names = iter(range(10_000))
    sent: list[str] = []
    done: set[str] = set()
    async with MailSender(
        server.url,
        pipelining=mode,
        ssl_context=server.client_context(),
        retry=AGAIN,
        events=events,
        limits=PoolLimits(max_connections=1),
    ) as sender:
        await checked(sender, server, "first")

        async def call() -> None:
            name = f"w{next(names)}"
            sent.append(name)
            assert (await sender.send(message(name), "a@x", ["b@x"])).ok
            done.add(name)

        async def check() -> None:
            await checked(sender, server, f"n{next(names)}")

        found = await cancel_everywhere(call, check=check)
    POINTS[f"cancelled: send over a warm connection, {mode}"] += found.points
    assert found.points >= 2
    assert await settles(lambda: server.stats.connections_open == 0)
    counts = held(server)
    for name in sent:
        if name in done:
            assert counts[name] == 1
        elif name not in events.unknown:
            assert counts[name] == 0, "it arrived, and no doubt was told"
        else:
            assert counts[name] <= 1


@pytest.mark.parametrize("mode", MODES)
async def test_send_many_at_every_await(server: SMTPServer, mode: str) -> None:
    async with MailSender(
        server.url,
        pipelining=mode,
        ssl_context=server.client_context(),
        retry=AGAIN,
        limits=PoolLimits(max_connections=2),
    ) as sender:
        names = iter(range(100_000))

        async def call() -> None:
            items = (Outgoing(message(f"m{next(names)}"), "a@x", ["b@x"]) for _ in range(6))
            async with sender.send_many(items) as receipts:
                async for receipt in receipts:
                    assert receipt.ok

        async def check() -> None:
            await checked(sender, server, f"n{next(names)}")

        found = await cancel_everywhere(call, check=check, limit=40)
    POINTS[f"cancelled: send_many, {mode}"] += found.points
    assert found.points >= 3
    assert max(held(server).values()) == 1


async def test_at_random(server: SMTPServer) -> None:
    events = Doubts()
    done: set[str] = set()
    before = descriptors()
    async with MailSender(
        server.url,
        pipelining="eager",
        ssl_context=server.client_context(),
        retry=AGAIN,
        events=events,
        limits=PoolLimits(max_connections=4),
    ) as sender:

        async def call(number: int) -> None:
            name = f"r{number}"
            try:
                assert (await sender.send(message(name), "a@x", ["b@x"])).ok
            except OutcomeUnknown:
                events.unknown.add(name)
            done.add(name)

        async def check() -> None:
            await checked(sender, server, "last")

        found = await random_cancellations(call, check=check, calls=1000, concurrency=16, seed=7)
    POINTS["cancelled: mail at random"] += found.cancelled
    assert found.cancelled >= 500
    assert await settles(lambda: server.stats.connections_open == 0)
    counts = held(server)
    assert max(counts.values()) == 1
    assert {name for name in counts if name.startswith("r")} <= done | events.unknown
    assert not {name for name in descriptors() - before if name.startswith("socket")}
