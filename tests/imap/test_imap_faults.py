"""Every byte of a short IMAP dialogue is a place where the network fails: no wrong answer, nothing done twice."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from netclients import NetClientError, OutcomeUnknown
from netclients.imap.connection.appending import Appended
from netclients.testing import IMAPServer
from netclients.testing.imap_faults import CutContent, CutReply, WrongTag
from tests.faults.harness import settles
from tests.imap.connections import QUICK, connected
from tests.imap.truth import Ledger, changes, letter, reading, sweep
from tests.servers import MailServer

pytestmark = [pytest.mark.anyio]

_SUBJECT = re.compile(rb"Subject: (\S+)")
ONE_LOOP = ("asyncio", {"use_uvloop": False})


def counted(raws: list[bytes]) -> Counter[str]:
    return Counter(found[1].decode() for raw in raws if (found := _SUBJECT.match(raw)))


class Embedded:
    name = "embedded"
    login = "me:secret"

    def __init__(self, server: IMAPServer) -> None:
        self.server = server
        self.host, self.port = server.host, server.port

    def subjects(self, mailbox: str) -> Counter[str]:
        deadline = time.monotonic() + 10
        while self.server.stats.connections_open:
            assert time.monotonic() < deadline
        return counted([message.raw for message in self.server.messages("me", mailbox)])


class Real:
    login = "alice:alicepw"

    def __init__(self, server: MailServer) -> None:
        self.server = server
        self.name, self.host, self.port = server.name, server.host, server.ports["imap"]

    def subjects(self, mailbox: str) -> Counter[str]:
        self.server.settled()
        return counted([stored.raw for stored in self.server.mailbox("alice", mailbox)])


@pytest.fixture(params=["LITERAL+", "synchronizing"])
def embedded(request: pytest.FixtureRequest) -> Iterator[Embedded]:
    without = {"LITERAL+", "LITERAL-"} if request.param == "synchronizing" else set[str]()
    with IMAPServer(without=without) as server:
        server.create_mailbox("me", "other")
        for number in (1, 2, 3):
            server.add("me", "INBOX", letter(f"seed{number}"))
        yield Embedded(server)


@pytest.fixture
def real(real_imap: MailServer) -> Real:
    real_imap.seed("alice", "INBOX", [letter(f"seed{number}") for number in (1, 2, 3)])
    real_imap.seed("alice", "other", [])
    return Real(real_imap)


@pytest.fixture
def stride(anyio_backend: object) -> int:
    """asyncio takes every point, the other event loops a choice of them."""
    return 1 if anyio_backend == ONE_LOOP else 17


# The embedded server


@pytest.mark.parametrize("how", ["reset", "fin"])
@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.timeout(300)
async def test_changes_at_every_byte(embedded: Embedded, way: str, how: str, stride: int) -> None:
    assert await sweep(embedded, changes, way=way, how=how, step=stride) >= 400 // stride  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["reset", "fin"])
@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.timeout(300)
async def test_reading_at_every_byte(embedded: Embedded, way: str, how: str, stride: int) -> None:
    assert await sweep(embedded, reading, way=way, how=how, step=stride) >= 300 // stride  # type: ignore[arg-type]


@pytest.mark.parametrize("dialogue", [changes, reading])
@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.timeout(300)
async def test_stalls(embedded: Embedded, dialogue, way: str, stride: int) -> None:
    step = 13 if stride == 1 else 101
    assert await sweep(embedded, dialogue, way=way, how="stall", step=step) >= 300 // step


@pytest.mark.timeout(300)
async def test_compressed(embedded: Embedded, stride: int) -> None:
    for way in ("up", "down"):
        await sweep(embedded, changes, way=way, how="reset", step=3 * stride, compress=True)


@pytest.mark.parametrize("what", ["APPEND", "COPY", "MOVE"])
@pytest.mark.parametrize("how", ["fin", "reset", "stall"])
async def test_a_lost_reply_is_an_unknown_outcome(what: str, how: str) -> None:
    with IMAPServer(faults=[CutReply(what, reply=-1, after=1, how=how)]) as server:  # type: ignore[arg-type]
        server.create_mailbox("me", "other")
        server.add("me", "INBOX", letter("one"))
        async with connected(server.url, timeouts=QUICK) as connection:
            await connection.select("INBOX")
            raw = letter("new")
            with pytest.raises(OutcomeUnknown):
                await {
                    "APPEND": lambda: connection.append("other", Appended(len(raw), [raw])),
                    "COPY": lambda: connection.uid_copy("1", "other"),
                    "MOVE": lambda: connection.uid_move("1", "other"),
                }[what]()
        assert await settles(lambda: len(server.messages("me", "other")) == 1)
        assert server.stats.commands.get(what, 0) + server.stats.commands.get(f"UID {what}", 0) == 1


@pytest.mark.parametrize("how", ["fin", "reset", "stall"])
@pytest.mark.parametrize("after", [0, 1, 50_000, 99_999])
async def test_a_message_that_was_cut(how: str, after: int) -> None:
    """The server does not have it all, so that it can't have kept it: no doubt about that."""
    with IMAPServer(faults=[CutContent(after=after, how=how)]) as server:  # type: ignore[arg-type]
        async with connected(server.url, timeouts=QUICK) as connection:

            async def chunks():
                for _ in range(10):
                    yield b"x" * 10_000

            with pytest.raises(NetClientError) as caught:
                await connection.append("INBOX", Appended(100_000, chunks()))
        assert server.messages("me") == []
        # All of it may be in the network's hands by then.
        assert isinstance(caught.value, (OutcomeUnknown, ConnectionError, TimeoutError))


async def test_a_reply_under_a_wrong_tag() -> None:
    with IMAPServer(faults=[WrongTag("APPEND")]) as server:
        async with connected(server.url, timeouts=QUICK) as connection:
            with pytest.raises(OutcomeUnknown):
                await connection.append("INBOX", Appended(3, [b"abc"]))
            assert not connection.clean
        assert len(server.messages("me")) == 1


async def test_the_harness_notices_what_is_wrong() -> None:
    ledger = Ledger({"a": "done", "b": "unknown", "c": "not done"})
    ledger.compare(Counter({"a": 1}), "")
    ledger.compare(Counter({"a": 1, "b": 1}), "")
    for wrong in ({}, {"a": 2}, {"a": 1, "b": 2}, {"a": 1, "c": 1}):
        with pytest.raises(AssertionError):
            ledger.compare(Counter(wrong), "")


# Dovecot and Cyrus


@pytest.mark.servers("dovecot", "cyrus")
@pytest.mark.parametrize("dialogue", [changes, reading])
@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("how", ["reset", "fin"])
@pytest.mark.parametrize("anyio_backend", [ONE_LOOP], ids=["asyncio"])
@pytest.mark.timeout(600)
async def test_real_servers_at_every_seventh_byte(real: Real, dialogue, way: str, how: str) -> None:
    """The embedded server is swept on all event loops; each point here costs a session of a real server."""
    assert await sweep(real, dialogue, way=way, how=how, step=7) >= 40  # type: ignore[arg-type]


@pytest.mark.servers("dovecot", "cyrus")
@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("anyio_backend", [ONE_LOOP], ids=["asyncio"])
@pytest.mark.timeout(600)
async def test_real_servers_that_stall(real: Real, way: str) -> None:
    assert await sweep(real, changes, way=way, how="stall", step=71) >= 4
