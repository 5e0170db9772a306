"""Every byte of a mail dialogue with the embedded server is a place where the network fails, in every mode."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from netclients import MailSender
from netclients.testing import SMTPServer
from tests.smtp.truth import DOMAIN, USERS, Copy, Ledger, send_all, sweep

pytestmark = [pytest.mark.anyio]

MODES = ["off", "standard", "eager"]
KNOWN = {f"{user}@{DOMAIN}" for user in USERS}


def refuse(address: str) -> str | None:
    return None if address in KNOWN else "550 5.1.1 No such user."


class EmbeddedPostbox:
    name = "embedded"

    def __init__(self, server: SMTPServer) -> None:
        self.server = server
        self.host, self.port = server.host, server.port

    def copies(self) -> list[Copy]:
        assert _comes_true(lambda: self.server.stats.connections_open == 0)
        messages = self.server.messages
        self.server.forget_messages()
        return [
            Copy(message.content, message.sender, recipient.partition("@")[0])
            for message in messages
            for recipient in message.recipients
        ]


def _comes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True


@pytest.fixture
def postbox() -> Iterator[EmbeddedPostbox]:
    with SMTPServer(refuse=refuse, data_without_recipients=True) as server:
        yield EmbeddedPostbox(server)


@pytest.fixture
def stride(anyio_backend: tuple[str, dict[str, bool]]) -> int:
    """asyncio takes every point, the other event loops a choice of them."""
    return 1 if anyio_backend == ("asyncio", {"use_uvloop": False}) else 13


def maker(mode: str):
    return lambda url, **options: MailSender(url, pipelining=mode, **options)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.timeout(300)
async def test_at_every_byte(postbox: EmbeddedPostbox, mode: str, way: str, stride: int) -> None:
    assert await sweep(postbox, maker(mode), count=3, way=way, step=stride) >= 300 // stride


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.timeout(300)
async def test_fifty_in_flight(postbox: EmbeddedPostbox, mode: str, way: str, stride: int) -> None:
    """Eager, all of them are under way at once; the end of the stream instead of a reset."""
    step = 97 if stride == 1 else 997
    assert await sweep(postbox, maker(mode), count=50, way=way, how="fin", step=step) >= 2000 // step


@pytest.mark.parametrize("mode", MODES)
async def test_stalls(postbox: EmbeddedPostbox, mode: str) -> None:
    assert await sweep(postbox, maker(mode), count=3, way="down", how="stall", step=211) >= 2


async def test_the_harness_notices_what_is_wrong(postbox: EmbeddedPostbox) -> None:
    """A copy too many, one too few, and a wrong sender are told."""
    async with maker("standard")(postbox.server.url) as sender:
        receipts = await send_all(sender, 0, 6)
    ledger = Ledger()
    ledger.enter(0, receipts, "here")
    copies = postbox.copies()
    ledger.compare(copies)
    for wrong in (copies + copies[:1], copies[1:], [Copy(copies[0].content, "x@y", copies[0].recipient), *copies[1:]]):
        with pytest.raises(AssertionError):
            ledger.compare(wrong)
