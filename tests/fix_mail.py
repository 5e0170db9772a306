"""Fixtures for the real mail servers, under the policy of ``fix_servers``.

``postfix``, ``exim``, ``dovecot``, ``cyrus`` and ``smtp_sink`` run once a session, each in its default configuration,
and have empty mailboxes when a test begins; ``real_smtp`` runs a test on Postfix and on Exim, ``real_imap`` and
``real_pop3`` on Dovecot and on Cyrus, ``start_mail_server`` starts a configuration of its own for one test::

    async def test_size(start_mail_server: StartMailServer) -> None:
        server = start_mail_server("exim", MAX_MESSAGE_SIZE="1M")

    async def test_many(real_imap: MailServer) -> None:
        real_imap.seed("alice", "INBOX", [b"Subject: 1\\r\\n\\r\\n"] * 1000)
"""

from __future__ import annotations

import imaplib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.servers import MailServer, ServerError, running_mail, running_pair

StartMailServer = Callable[..., MailServer]
"""``start_mail_server(name, **knobs)``: runs until the test ends; tests/servers/README.md lists the knobs."""

FRESH_TIMEOUT = 5.0  # seconds for what the test before has left in the queue


class MailPark:
    """The session's mail servers, each started by the first test that wants it."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._servers: dict[str, tuple[MailServer, ExitStack]] = {}

    def fresh(self, name: str) -> MailServer:
        """This server, with nothing in its mailboxes and nothing on the way there.

        One that died, or whose queue does not empty, is started again: its test has failed, the next should not.
        """
        if name in self._servers and not _cleared(self._servers[name][0]):
            self._stop(name)
        if name not in self._servers:
            self._start(name)
        return self._servers[name][0]

    def close(self) -> None:
        for name in list(self._servers):
            if name in self._servers:  # one of a pair goes with the other
                self._stop(name)

    def _start(self, name: str) -> None:
        stack = ExitStack()
        if name in ("postfix", "dovecot"):
            servers = stack.enter_context(running_pair(self._work))
        else:
            servers = {name: stack.enter_context(running_mail(name, self._work))}
        self._servers.update({name: (server, stack) for name, server in servers.items()})

    def _stop(self, name: str) -> None:
        _, stack = self._servers[name]
        self._servers = {other: entry for other, entry in self._servers.items() if entry[1] is not stack}
        stack.close()


def _cleared(server: MailServer) -> bool:
    if server.process.poll() is not None:
        return False
    try:
        server.settled(FRESH_TIMEOUT)
        server.clear()
    except (ServerError, OSError, imaplib.IMAP4.error):
        return False
    return True


@pytest.fixture(scope="session")
def mail_park(server_work: Path) -> Iterator[MailPark]:
    park = MailPark(server_work)
    try:
        yield park
    finally:
        park.close()


@pytest.fixture
def postfix(mail_park: MailPark) -> MailServer:
    """Delivers into maildirs; logins by way of its Dovecot."""
    return mail_park.fresh("postfix")


@pytest.fixture
def dovecot(mail_park: MailPark) -> MailServer:
    """LMTP over TCP and a Unix socket, submission that relays to Postfix, IMAP and POP3."""
    return mail_park.fresh("dovecot")


@pytest.fixture
def cyrus(mail_park: MailPark) -> MailServer:
    """IMAP, POP3, LMTP and NNTP."""
    return mail_park.fresh("cyrus")


@pytest.fixture
def exim(mail_park: MailPark) -> MailServer:
    """Delivers into maildirs."""
    return mail_park.fresh("exim")


@pytest.fixture
def smtp_sink(mail_park: MailPark) -> MailServer:
    """Accepts everything, keeps nothing."""
    return mail_park.fresh("smtp_sink")


@pytest.fixture(params=["postfix", "exim"])
def real_smtp(request: pytest.FixtureRequest) -> MailServer:
    server: MailServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture(params=["dovecot", "cyrus"])
def real_imap(request: pytest.FixtureRequest) -> MailServer:
    server: MailServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture(params=["dovecot", "cyrus"])
def real_pop3(request: pytest.FixtureRequest) -> MailServer:
    server: MailServer = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def start_mail_server(server_work: Path) -> Iterator[StartMailServer]:
    with ExitStack() as stack:

        def start(name: str, **knobs: str | int) -> MailServer:
            return stack.enter_context(running_mail(name, server_work, **knobs))

        yield start
