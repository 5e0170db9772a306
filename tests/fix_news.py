"""Fixtures for the real news servers, under the policy of ``fix_servers``.

``inn`` and ``cyrus_news`` run once a session, and have empty groups when a test begins; ``real_nntp`` runs a test on
both, ``start_news_server`` starts a configuration of its own for one test::

    async def test_login(start_news_server: StartNewsServer) -> None:
        server = start_news_server("inn", MODE="auth")

    async def test_many(real_nntp: NewsServer) -> None:
        group = real_nntp.new_group()
        real_nntp.seed(group, [b"Subject: 1\\r\\n\\r\\nbody\\r\\n"] * 100)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers import MailServer, NewsServer, ServerError, news_of, running_news

StartNewsServer = Callable[..., NewsServer]
"""``start_news_server(name, **knobs)``: runs until the test ends; tests/servers/README.md lists the knobs."""


class NewsPark:
    """The session's INN, started by the first test that wants it, and again if it died."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._stack = ExitStack()
        self._inn: NewsServer | None = None

    def fresh(self) -> NewsServer:
        if self._inn is None or not _cleared(self._inn):
            self.close()
            self._inn = self._stack.enter_context(running_news("inn", self._work))
        return self._inn

    def close(self) -> None:
        self._stack.close()


def _cleared(server: NewsServer) -> bool:
    if server.process.poll() is not None:
        return False
    try:
        server.clear()
    except (ServerError, OSError):
        return False
    return True


@pytest.fixture(scope="session")
def news_park(server_work: Path) -> Iterator[NewsPark]:
    park = NewsPark(server_work)
    try:
        yield park
    finally:
        park.close()


@pytest.fixture
def inn(news_park: NewsPark) -> NewsServer:
    """Everybody reads, ``reader`` posts; ``feed`` takes articles from this machine."""
    return news_park.fresh()


@pytest.fixture
def cyrus_news(cyrus: MailServer) -> NewsServer:
    """Only who has logged in reads."""
    server = news_of(cyrus)
    server.clear()
    return server


@pytest.fixture(params=["inn", "cyrus"])
def real_nntp(request: pytest.FixtureRequest) -> NewsServer:
    server: NewsServer = request.getfixturevalue("cyrus_news" if request.param == "cyrus" else request.param)
    return server


@pytest.fixture
def start_news_server(server_work: Path) -> Iterator[StartNewsServer]:
    with ExitStack() as stack:

        def start(name: str, **knobs: str | int) -> NewsServer:
            return stack.enter_context(running_news(name, server_work, **knobs))

        yield start
