"""Cancelled at every await, cut at every byte: no reply goes to the wrong caller, no article is lost unnoticed."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator

import pytest

from netclients import NetClientError, OutcomeUnknown
from netclients.nntp.connection import NNTPConnection
from netclients.nntp.types import Answer
from netclients.testing import Cut, FaultProxy, Flow, NNTPServer, Plan, cancel_everywhere
from tests.nntp.groups import QUICK, connected, news

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[NNTPServer]:
    with NNTPServer() as server:
        for number in range(1, 6):
            server.add(news(number, body=b"%d\r\n" % number))
        yield server
        assert server.violations == []


async def _read(c: NNTPConnection, _: str) -> None:
    pending = [c.article(f"<{number}@example.test>") for number in (1, 2, 3)]
    assert [(await each).raw[-3:-2] for each in pending] == [b"1", b"2", b"3"]


async def _overview(c: NNTPConnection, _: str) -> None:
    await c.group("misc.test")
    found: list[int] = []
    await c.overview_to((1, 5), lambda batch: found.extend(o.number for o in batch))
    assert found == [1, 2, 3, 4, 5]


async def _post(c: NNTPConnection, name: str) -> None:
    await c.post(news(name))


async def _ihave(c: NNTPConnection, name: str) -> None:
    assert await c.ihave(f"<{name}@example.test>", news(name)) is Answer.ACCEPTED


async def _takethis(c: NNTPConnection, name: str) -> None:
    assert await c.takethis(f"<{name}@example.test>", news(name)) is Answer.ACCEPTED


Work = Callable[[NNTPConnection, str], Awaitable[None]]
GIVING: list[Work] = [_post, _ihave, _takethis]


@pytest.mark.parametrize("work", [_read, _overview, *GIVING])
async def test_cancelled_everywhere(server: NNTPServer, work: Work) -> None:
    names = itertools.count(100)
    connections: list[NNTPConnection] = []

    async def call() -> None:
        connections.append(await connected(server.url_at(proxy.host, proxy.port)))
        await work(connections[0], str(next(names)))

    async def check() -> None:
        while connections:
            if (connection := connections.pop()).clean:
                assert (await connection.article("<4@example.test>")).raw.endswith(b"\r\n4\r\n")
            connection.abort("test")

    # Without a delay the server answers before anybody waits.
    with FaultProxy((server.host, server.port), plan=Plan.round_trip(0.01)) as proxy:
        found = await cancel_everywhere(call, check=check)
    assert found.points > 3
    assert found.cancelled > 0


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("work", GIVING)
async def test_cut_at_every_third_byte(server: NNTPServer, work: Work, direction: str) -> None:
    kinds = {"taken": 0, "unknown": 0, "failed": 0}
    with FaultProxy((server.host, server.port)) as proxy:
        for at in range(0, 520, 3):
            name = f"cut{at}"
            flow = Flow(cut=Cut(at, "reset" if at % 2 else "close"))
            proxy.set_plan(Plan(up=flow) if direction == "up" else Plan(down=flow))
            outcome, c = "taken", None
            try:
                c = await connected(server.url_at(proxy.host, proxy.port), timeouts=QUICK)
                await work(c, name)
            except OutcomeUnknown:
                outcome = "unknown"
            except NetClientError:
                outcome = "failed"
            finally:
                if c is not None:
                    c.abort("test")
            kinds[outcome] += 1
            there = any(each.message_id == f"<{name}@example.test>" for each in server.articles("misc.test").values())
            assert outcome == "unknown" or there == (outcome == "taken"), (at, outcome, there)
    assert kinds["failed"] > 3
    assert kinds["unknown"] > 0
