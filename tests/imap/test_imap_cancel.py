"""An IMAP connection is cancelled wherever it waits, amid literals too: nothing is done twice, and doubts are told."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from netclients import ConnectionLost, NetClientError
from netclients.events import Events
from netclients.imap.connection import IMAPConnection
from netclients.imap.connection.appending import Appended
from netclients.testing import IMAPServer, cancel_everywhere
from netclients.testing.imap_faults import Delay
from tests.faults.harness import settles
from tests.faults.report import POINTS
from tests.imap.connections import connected

pytestmark = [pytest.mark.anyio]

SLOW = [Delay("*", seconds=0.001), Delay("LITERAL", seconds=0.001)]


class Doubts(Events):
    def __init__(self) -> None:
        self.unknown: list[str] = []

    def outcome_unknown(self, operation: str) -> None:
        self.unknown.append(operation)


@pytest.fixture(params=["plain", "starttls", "deflate"])
def wrapping(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["LITERAL+", "synchronizing"])
def server(request: pytest.FixtureRequest, wrapping: str) -> Iterator[IMAPServer]:
    # A server in a thread may answer before the client looks: then there is nothing to cancel.
    with IMAPServer(
        tls="starttls" if wrapping == "starttls" else "none",
        without={"LITERAL+", "LITERAL-"} if request.param == "synchronizing" else (),
        faults=SLOW,
    ) as server:
        server.create_mailbox("me", "other")
        yield server


def options_of(server: IMAPServer, wrapping: str) -> dict[str, object]:
    if wrapping == "starttls":
        return {"ssl_context": server.client_context()}
    return {"compress": wrapping == "deflate"}


def content(name: str, size: int = 0) -> bytes:
    return b"Subject: %b\r\n\r\n%b" % (name.encode(), b"0123456789abcd\r\n" * (size // 16))


def held(server: IMAPServer, mailbox: str = "INBOX") -> Counter[str]:
    raws = [message.raw for message in server.messages("me", mailbox)]
    return Counter(raw.split(b"\r\n")[0].removeprefix(b"Subject: ").decode() for raw in raws)


async def test_connecting_and_a_session(server: IMAPServer, wrapping: str) -> None:
    server.add("me", "INBOX", content("one", 5000))
    options = options_of(server, wrapping)

    async def call() -> None:
        async with connected(server.url, **options) as connection:  # type: ignore[arg-type]
            await connection.select("INBOX")
            pending = connection.uid_fetch("1", body=True), connection.uid_search(subject="öne"), connection.list("*")
            assert [one.raw for one in await pending[0]] == [content("one", 5000)]
            assert (await pending[1]).numbers == []
            assert len(await pending[2]) == 2
            await connection.logout()

    async def check() -> None:
        assert await settles(lambda: server.stats.connections_open == 0)

    found = await cancel_everywhere(call, check=check)
    POINTS[f"cancelled: an IMAP session, {wrapping}"] += found.points
    assert found.points >= 10
    assert server.violations == []


Change = Callable[[IMAPConnection, str], Awaitable[object]]


async def append(connection: IMAPConnection, name: str) -> None:
    raw = content(name, 300_000)

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(raw), 100_000):
            yield raw[at : at + 100_000]

    await connection.append("INBOX", Appended(len(raw), chunks()))


async def append_two(connection: IMAPConnection, name: str) -> None:
    raw = content(name)
    await connection.append("INBOX", Appended(len(raw), [raw]), Appended(4, [b"more"]))


async def create(connection: IMAPConnection, name: str) -> None:
    await connection.create(f"{name} ü {{x}}")


@pytest.mark.parametrize("change", [append, append_two, create])
async def test_what_changes_something(server: IMAPServer, wrapping: str, change: Change) -> None:
    """It is done once or not at all; and where nobody can know, that is told."""
    options = options_of(server, wrapping)
    names = iter(f"c{number}" for number in range(100_000))
    runs: list[tuple[str, Doubts, bool]] = []

    async def call() -> None:
        events, name = Doubts(), next(names)
        runs.append((name, events, False))
        async with connected(server.url, events=events, **options) as connection:  # type: ignore[arg-type]
            await change(connection, name)
            runs[-1] = (name, events, True)

    async def check() -> None:
        assert await settles(lambda: server.stats.connections_open == 0)

    found = await cancel_everywhere(call, check=check, limit=60)
    POINTS[f"cancelled: {change.__name__}, {wrapping}"] += found.points
    assert found.points >= 5
    done = Counter(name.split(" ")[0] for name in server.mailbox_names("me")) if change is create else held(server)
    for name, events, completed in runs:
        if completed:
            assert done[name] == 1
        elif not events.unknown:
            assert done[name] == 0, f"{name} was done, and no doubt was told"
        else:
            assert done[name] <= 1


async def test_a_connection_that_was_cancelled_is_not_used_again(server: IMAPServer, wrapping: str) -> None:
    """It is not clean: replies to what was cancelled may come later. If it is used, nobody gets another one's reply."""
    options = options_of(server, wrapping)
    for name in ("a", "b", "c"):
        server.add("me", "INBOX", content(name, 500))
    made: list[IMAPConnection] = []

    async def call() -> None:
        async with connected(server.url, **options) as connection:  # type: ignore[arg-type]
            made.append(connection)
            await connection.select("INBOX")
            try:
                await connection.uid_fetch("1:2", body=True)
                await connection.status("other")
            finally:
                if not connection.clean:
                    with pytest.raises(NetClientError):
                        await _another(connection)

    async def _another(connection: IMAPConnection) -> None:
        found = await connection.uid_fetch("3", body=True)
        assert [one.raw for one in found] == [content("c", 500)]
        raise ConnectionLost("all is well")

    async def check() -> None:
        assert await settles(lambda: server.stats.connections_open == 0)

    found = await cancel_everywhere(call, check=check, limit=40)
    POINTS[f"cancelled: a fetch, {wrapping}"] += found.points


async def test_idle(server: IMAPServer, wrapping: str) -> None:
    options = options_of(server, wrapping)

    async def call() -> None:
        async with connected(server.url, **options) as connection:  # type: ignore[arg-type]
            await connection.select("INBOX")
            await connection.idle(0.01)
            await connection.noop()

    async def check() -> None:
        assert await settles(lambda: server.stats.connections_open == 0)

    found = await cancel_everywhere(call, check=check)
    POINTS[f"cancelled: IDLE, {wrapping}"] += found.points
    assert found.points >= 5
    assert server.violations == []
