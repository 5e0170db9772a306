"""Dovecot and Cyrus: everything that they announce, every mechanism, and the truth at every seventh byte."""

from __future__ import annotations

import time

import pytest

from netclients import AuthenticationError, OAuth, PermanentReplyError, UnsupportedError
from netclients.pop3.maildrop import Maildrop
from netclients.testing import FaultProxy, Plan
from tests.pop3.boxes import AGAIN, connected, letter, maildrop
from tests.pop3.truth import sweep
from tests.servers import MailServer

pytestmark = [pytest.mark.anyio]


def box_of(server: MailServer, service: str = "pop3s", **options: object) -> Maildrop:
    options.setdefault("retry", AGAIN)
    return maildrop(server.url(service, user="alice"), ssl_context=server.ssl_context(), **options)


def letters(count: int) -> list[bytes]:
    return [letter(number, 8000) for number in range(count)]


@pytest.mark.parametrize("service", ["pop3", "pop3s"])
async def test_commands(real_pop3: MailServer, service: str) -> None:
    real_pop3.seed("alice", "INBOX", letters(3))
    c = await connected(real_pop3.url(service, user="alice"), ssl_context=real_pop3.ssl_context())
    assert c.secured
    assert c.authenticated
    assert c.capabilities.known
    assert (await c.stat()).count == 3
    assert [one.number for one in await c.list()] == [1, 2, 3]
    uids = [one.uid for one in await c.uidl()]
    assert len(set(uids)) == 3
    assert await c.uid_of(2) == uids[1]
    assert await c.size_of(1) == len(letter(0, 8000))
    assert [await c.retr(number) for number in (1, 2, 3)] == letters(3)
    assert await c.top(3, 2) == b"Subject: 2\r\n\r\n.\r\n..two\r\n"
    await c.noop()
    with pytest.raises(PermanentReplyError):
        await c.retr(9)
    await c.dele(1)
    await c.rset()
    for extension, call in (("UTF8", c.utf8), ("LANG", c.languages)):
        if c.capabilities.has(extension):
            await call()
        else:
            with pytest.raises((UnsupportedError, PermanentReplyError)):
                await call()
    await c.dele(2)
    await c.quit()
    assert len(real_pop3.mailbox("alice")) == 2


async def test_every_mechanism(real_pop3: MailServer) -> None:
    url = real_pop3.url("pop3s")
    probe = await connected(url, ssl_context=real_pop3.ssl_context())
    offered = probe.capabilities.sasl
    probe.abort("done")
    tried = []
    for mechanism in offered:
        if mechanism in ("DIGEST-MD5", "EXTERNAL", "GSSAPI", "NTLM", "OTP"):
            continue
        tried.append(mechanism)
        auth: object = ("alice", real_pop3.password("alice"))
        if mechanism in ("XOAUTH2", "OAUTHBEARER"):
            auth = OAuth("alice", real_pop3.token("alice"))
        c = await connected(url, auth=auth, mechanisms=[mechanism], ssl_context=real_pop3.ssl_context())
        assert c.authenticated
        await c.stat()
        await c.quit()
    assert "PLAIN" in tried
    assert len(tried) >= 3


async def test_user_and_pass(real_pop3: MailServer) -> None:
    c = await connected(real_pop3.url("pop3s"), ssl_context=real_pop3.ssl_context())
    await c.user("alice")
    await c.pass_(real_pop3.password("alice"))
    await c.stat()
    await c.quit()


async def test_a_wrong_password(real_pop3: MailServer) -> None:
    with pytest.raises(AuthenticationError):
        await connected(real_pop3.url("pop3s"), auth=("alice", "wrong"), ssl_context=real_pop3.ssl_context())


async def test_maildrop(real_pop3: MailServer) -> None:
    real_pop3.seed("alice", "INBOX", letters(300))
    async with box_of(real_pop3) as box:
        assert box.exists == 300
        first = await box.sync()
        async with box.read_many() as items:
            received = [item async for item in items]
        assert [item.raw for item in received] == letters(300)
        async with box.stream(received[7].uid) as chunks:
            assert b"".join([chunk async for chunk in chunks]) == letters(300)[7]
        await box.delete([item.uid for item in received[10:]])
    assert len(real_pop3.mailbox("alice")) == 10
    async with box_of(real_pop3, "pop3") as box:
        changes = await box.sync(first.state)
        assert len(changes.vanished) == 290
        assert changes.added == ()


async def test_without_pipelining(real_pop3: MailServer) -> None:
    real_pop3.seed("alice", "INBOX", letters(20))
    async with box_of(real_pop3, pipelining=False) as box, box.read_many() as items:
        assert [item.raw async for item in items] == letters(20)


async def test_a_round_trip_of_20_ms(real_pop3: MailServer) -> None:
    """A few of them for the login; the messages come in a stream."""
    real_pop3.seed("alice", "INBOX", letters(300))
    with FaultProxy((real_pop3.host, real_pop3.ports["pop3"])) as proxy:
        proxy.set_plan(lambda number, kind: Plan.round_trip(0.02))
        url = f"pop3://alice:{real_pop3.password('alice')}@{proxy.host}:{proxy.port}"
        async with maildrop(url, tls="none", pipelining=True) as box, box.read_many() as items:
            started = time.monotonic()
            assert [item.raw async for item in items] == letters(300)
    assert time.monotonic() - started < 3  # one by one it would take 6


class RealPostbox:
    login = "alice:alicepw"

    def __init__(self, server: MailServer) -> None:
        self.server = server
        self.name = server.name
        self.host, self.port = server.host, server.ports["pop3"]

    def fill(self, letters: list[bytes]) -> None:
        self.server.clear()
        self.server.seed("alice", "INBOX", letters)

    def subjects(self) -> list[str]:
        self.server.settled()
        return sorted(one.raw.split(b"\r\n", 1)[0].split()[1].decode() for one in self.server.mailbox("alice"))


@pytest.fixture
def anyio_backend() -> object:
    """The dialogue is the same on every event loop (its other tests show that); here the servers differ."""
    return ("asyncio", {"use_uvloop": False})


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("raises", [False, True], ids=["ends well", "raises"])
@pytest.mark.timeout(300)
async def test_truth(dovecot: MailServer, way: str, raises: bool) -> None:
    await sweep(RealPostbox(dovecot), way=way, step=7 if way == "up" else 29, raises=raises)
