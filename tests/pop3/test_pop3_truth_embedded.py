"""Every byte of a session with the embedded server is a place where the network fails."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from netclients.testing.pop3 import POP3Server
from tests.pop3.truth import sweep

pytestmark = [pytest.mark.anyio]


class EmbeddedPostbox:
    name = "embedded"
    login = "me:secret"

    def __init__(self, server: POP3Server) -> None:
        self.server = server
        self.host, self.port = server.host, server.port

    def fill(self, letters: list[bytes]) -> None:
        if messages := self.server.messages("me"):
            self.server.remove("me", *(message.uid for message in messages))
        for one in letters:
            self.server.add("me", one)

    def subjects(self) -> list[str]:
        deadline = time.monotonic() + 10
        while self.server.stats.connections_open:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        return [_subject(message.raw) for message in self.server.messages("me")]


def _subject(raw: bytes) -> str:
    found = re.match(rb"Subject: (\d+)", raw)
    assert found is not None
    return found[1].decode()


@pytest.fixture(params=[(), ("PIPELINING", "SASL", "APOP")], ids=["pipelined", "one by one"])
def postbox(request: pytest.FixtureRequest) -> Iterator[EmbeddedPostbox]:
    with POP3Server(without=request.param, mechanisms=["PLAIN"]) as server:
        yield EmbeddedPostbox(server)


@pytest.fixture
def stride(anyio_backend: tuple[str, dict[str, bool]]) -> int:
    """asyncio takes every point, the other event loops a choice of them."""
    return 1 if anyio_backend == ("asyncio", {"use_uvloop": False}) else 17


@pytest.mark.parametrize("raises", [False, True], ids=["ends well", "raises"])
@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.timeout(300)
async def test_at_every_byte(postbox: EmbeddedPostbox, way: str, raises: bool, stride: int) -> None:
    points = await sweep(postbox, way=way, step=stride, raises=raises)
    assert points >= (50 if way == "up" else 300) // stride


@pytest.mark.parametrize("how", ["fin", "close"])
@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.timeout(300)
async def test_other_ends(postbox: EmbeddedPostbox, way: str, how: str, stride: int) -> None:
    await sweep(postbox, way=way, how=how, step=5 * stride)  # type: ignore[arg-type]


async def test_stalls(postbox: EmbeddedPostbox) -> None:
    await sweep(postbox, way="down", how="stall", step=97)
