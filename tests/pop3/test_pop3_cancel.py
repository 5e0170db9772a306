"""A maildrop is cancelled at every place where it waits; then the next session goes its way."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from netclients.events import Events
from netclients.testing import cancel_everywhere
from netclients.testing.pop3 import POP3Server
from netclients.testing.smtp_faults import Delay
from tests.faults.harness import settles
from tests.faults.report import POINTS
from tests.pop3.boxes import letter, maildrop

pytestmark = [pytest.mark.anyio]

COUNT = 4


class Doubts(Events):
    def __init__(self) -> None:
        self.unknown: list[str] = []

    def outcome_unknown(self, operation: str) -> None:
        self.unknown.append(operation)


@pytest.fixture
def server() -> Iterator[POP3Server]:
    # A server in a thread may answer before the client looks: then there is nothing to cancel.
    with POP3Server(tls="starttls", faults=[Delay("*", seconds=0.001)]) as server:
        yield server


def refill(server: POP3Server) -> list[str]:
    if messages := server.messages("me"):
        server.remove("me", *(message.uid for message in messages))
    return [server.add("me", letter(number, 50_000)) for number in range(COUNT)]


async def test_at_every_await(server: POP3Server) -> None:
    """TLS and login included. What was not named stays, and a doubt is told."""
    state: dict[str, object] = {}

    async def call() -> None:
        uids = state["uids"] = refill(server)
        events = state["events"] = Doubts()
        state["done"] = False
        async with maildrop(server.url, ssl_context=server.client_context(), events=events) as box:
            async with box.read_many() as items:
                assert [item.raw async for item in items] == [letter(number, 50_000) for number in range(COUNT)]
            async with box.stream(uids[1]) as chunks:
                assert b"".join([chunk async for chunk in chunks]) == letter(1, 50_000)
            await box.delete(uids[:2])
        state["done"] = True

    async def check() -> None:
        assert await settles(lambda: server.stats.connections_open == 0)
        left = [message.uid for message in server.messages("me")]
        uids, events = state["uids"], state["events"]
        assert isinstance(uids, list)
        assert isinstance(events, Doubts)
        if state["done"]:
            assert left == uids[2:]
        elif events.unknown:
            assert left in (uids, uids[2:])
        else:
            assert left == uids, "something was deleted, and no doubt was told"

    found = await cancel_everywhere(call, check=check)
    POINTS["cancelled: POP3"] += found.points
    assert found.points >= 10


@pytest.mark.parametrize("what", ["read", "read_many", "stream", "sync"])
async def test_the_next_command_is_right(server: POP3Server, what: str) -> None:
    """Within the block: what was cancelled is not answered to somebody else."""
    uids = refill(server)
    async with maildrop(server.url, ssl_context=server.client_context()) as box:

        async def read() -> None:
            await box.read(uids[0])

        async def read_many() -> None:
            async with box.read_many() as items:
                async for _ in items:
                    pass

        async def stream() -> None:
            async with box.stream(uids[0]) as chunks:
                async for _ in chunks:
                    pass

        async def sync() -> None:
            await box.sync()

        async def check() -> None:
            assert (await box.read(uids[2]))["Subject"] == "2"

        calls: dict[str, Callable[[], object]] = {
            "read": read,
            "read_many": read_many,
            "stream": stream,
            "sync": sync,
        }
        found = await cancel_everywhere(calls[what], check=check)  # type: ignore[arg-type]
    POINTS[f"cancelled: POP3, {what}"] += found.points
    assert await settles(lambda: server.stats.connections_open == 0)
    assert [message.uid for message in server.messages("me")] == uids
