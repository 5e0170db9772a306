"""Postfix and Exim, cut in steps of seven bytes: what the maildirs hold, compared with what the receipts say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netclients import MailSender
from tests.servers import MailServer
from tests.smtp.truth import USERS, Copy, sweep

pytestmark = [pytest.mark.anyio, pytest.mark.servers("postfix", "exim")]


@pytest.fixture
def anyio_backend() -> object:
    """The embedded server is swept on all event loops; each point here costs a session of a real server."""
    return ("asyncio", {"use_uvloop": False})


class RealPostbox:
    def __init__(self, server: MailServer) -> None:
        self.server = server
        self.name = server.name
        self.host, self.port = server.host, server.ports["smtp"]

    def copies(self) -> list[Copy]:
        self.server.settled()
        return [Copy(stored.raw, stored.sender, user) for user in USERS for stored in self.server.mailbox(user)]


def maker(mode: str) -> Callable[..., MailSender]:
    return lambda url, **options: MailSender(url, pipelining=mode, **options)


@pytest.mark.parametrize("mode", ["off", "standard", "eager"])
@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.timeout(600)
async def test_every_seventh_byte(real_smtp: MailServer, mode: str, way: str) -> None:
    assert await sweep(RealPostbox(real_smtp), maker(mode), count=3, way=way, step=7) >= 40


@pytest.mark.parametrize("mode", ["standard", "eager"])
@pytest.mark.timeout(600)
async def test_fifty_in_flight(real_smtp: MailServer, mode: str) -> None:
    assert await sweep(RealPostbox(real_smtp), maker(mode), count=50, way="up", how="fin", step=2003) >= 3
