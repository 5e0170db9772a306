"""aioimaplib's client, connected by this library, on real servers and through a SOCKS proxy."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import aioimaplib
import pytest
import trio

from netclients import (
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    ConnectionLost,
    Events,
    NetClientError,
    OAuth,
    PhaseTimeout,
    ProtocolError,
    RetryPolicy,
    Timeouts,
    TLSError,
    UnsupportedError,
)
from netclients.interop.aioimaplib import _ConnectedClient, aioimaplib_client
from netclients.testing import IMAPServer, cancel_everywhere
from netclients.testing.imap_faults import Hangup, HangupAfter, InjectClear, Reply, Stall
from tests.interop.proxy_servers import Proxy, Socks5Proxy
from tests.interop.test_aioftp_adapter import server_that
from tests.servers import MailServer

pytestmark = pytest.mark.asyncio

ONCE = RetryPolicy(attempts=1)
QUICK = RetryPolicy(attempts=4, initial=0.01, maximum=0.05)
SOON = Timeouts(reply=10, complete=10)
USERS = {"ada": "secret"}
LETTER = b"From: bob@example.test\r\nTo: ada@example.test\r\nSubject: Hello\r\n\r\none\r\n.\r\nlast\r\n"


@pytest.fixture
def socks() -> Iterator[Proxy]:
    with Socks5Proxy("gate", "sesame").in_thread() as proxy:
        yield proxy


async def use_everything(client: Any) -> None:
    """What code that has an aioimaplib client does with it."""
    await client.wait_hello_from_server()
    assert client.get_state() == "AUTH"
    assert client.has_capability("IDLE")
    assert (await client.select("INBOX")).result == "OK"
    assert (await client.append(LETTER, "INBOX", "\\Flagged")).result == "OK"
    found = await client.uid_search("ALL", charset=None)
    uid = found.lines[0].split()[-1].decode()
    fetched = await client.uid("fetch", uid, "(FLAGS BODY.PEEK[])")
    assert LETTER in [bytes(line) for line in fetched.lines]
    assert (await client.uid("store", uid, "+FLAGS", "(\\Seen)")).result == "OK"
    idle = await client.idle_start(timeout=10)
    assert client.has_pending_idle()
    client.idle_done()
    assert (await asyncio.wait_for(idle, 10)).result == "OK"
    assert (await client.noop()).result == "OK"


# Real servers


@pytest.mark.parametrize(("service", "tls"), [("imap", "starttls"), ("imap", "none"), ("imaps", None)])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_dovecot(dovecot: MailServer, service: str, tls: str | None, version: ssl.TLSVersion) -> None:
    url, context = dovecot.url(service, user="alice", tls=tls), dovecot.ssl_context(version)
    async with aioimaplib_client(url, ssl_context=context, timeouts=SOON, retry=ONCE) as client:
        assert isinstance(client, aioimaplib.IMAP4)
        await use_everything(client)
    assert [message.raw.replace(b"\n", b"\r\n") for message in dovecot.mailbox("alice")] == [LETTER]


async def test_dovecot_through_a_socks_proxy(dovecot: MailServer, socks: Proxy) -> None:
    async with aioimaplib_client(
        dovecot.url("imap", user="alice"),
        ssl_context=dovecot.ssl_context(),
        proxy=socks.url("gate", "sesame"),
        timeouts=SOON,
        retry=ONCE,
    ) as client:
        await use_everything(client)
    assert socks.targets == [(dovecot.host, dovecot.ports["imap"])]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_much_both_ways(tls: Any) -> None:
    large = LETTER + b"x" * 70 + b"\r\n"
    large += (b"y" * 70 + b"\r\n") * 60_000
    with IMAPServer(tls=tls, users=USERS) as server:
        context = server.client_context()
        async with aioimaplib_client(server.url, ssl_context=context, timeouts=SOON, retry=ONCE) as client:
            await client.append(large, "INBOX")
            await client.select("INBOX")
            fetched = await client.fetch("1", "(BODY.PEEK[])")
        assert [bytes(line) for line in fetched.lines if isinstance(line, bytearray)] == [large]
        assert [message.raw for message in server.messages("ada")] == [large]


# TLS


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_tls(tls: Any) -> None:
    with IMAPServer(tls=tls, users=USERS) as server:
        async with aioimaplib_client(server.url, ssl_context=server.client_context(), timeouts=SOON) as client:
            await use_everything(client)
        assert server.stats.logins == 1
        assert server.stats.commands["LOGOUT"] == 1
        assert server.violations == []


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_the_certificate_is_checked(tls: Any) -> None:
    with IMAPServer(tls=tls, users=USERS) as server:
        with pytest.raises(TLSError, match="certificate verify failed"):
            async with aioimaplib_client(server.url, retry=ONCE):
                raise AssertionError
        assert server.stats.logins == 0


async def test_a_server_without_starttls() -> None:
    with IMAPServer(users=USERS) as server:
        with pytest.raises(UnsupportedError, match="STARTTLS"):
            async with aioimaplib_client(server.url, retry=ONCE):
                raise AssertionError
        assert server.stats.logins == 0


async def test_plaintext_behind_the_agreement_to_tls() -> None:
    with IMAPServer(tls="starttls", users=USERS, faults=[InjectClear()]) as server:
        with pytest.raises(ProtocolError, match="behind its agreement"):
            async with aioimaplib_client(server.url, ssl_context=server.client_context(), retry=QUICK):
                raise AssertionError
        assert server.stats.connections == 1
        assert server.stats.logins == 0


async def test_preauth_behind_which_there_is_no_tls() -> None:
    with IMAPServer(preauth="ada") as server:
        with pytest.raises(UnsupportedError, match="PREAUTH"):
            async with aioimaplib_client(server.url, tls="starttls", retry=ONCE):
                raise AssertionError
        url = f"imap://{server.host}:{server.port}"
        async with aioimaplib_client(url, tls="none", retry=ONCE, timeouts=SOON) as client:
            await use_everything(client)


# Login


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256"])
async def test_mechanisms(mechanism: str) -> None:
    with IMAPServer(tls="starttls", users=USERS, mechanisms=[mechanism]) as server:
        async with aioimaplib_client(server.url, ssl_context=server.client_context(), timeouts=SOON) as client:
            await use_everything(client)


async def test_a_wrong_password_is_tried_once() -> None:
    with IMAPServer(tls="starttls", users=USERS) as server:
        context = server.client_context()
        with pytest.raises(AuthenticationError) as caught:
            async with aioimaplib_client(server.url, auth=("ada", "wrong-secret"), ssl_context=context, retry=QUICK):
                raise AssertionError
        assert "wrong-secret" not in str(caught.value)
        assert server.stats.connections == 1


async def test_credentials_need_tls() -> None:
    with IMAPServer(users=USERS) as server:
        url = f"imap://{server.host}:{server.port}"
        async with aioimaplib_client(url, timeouts=SOON) as client:
            assert client.get_state() == "NONAUTH"
            for login in (client.login, client.xoauth2):
                with pytest.raises(ConfigurationError, match="plain"):
                    await login("ada", "secret")
        assert server.stats.logins == 0
        async with aioimaplib_client(url, tls="none", timeouts=SOON) as client:
            assert (await client.login("ada", "secret")).result == "OK"
            await use_everything(client)


async def test_login_later_under_tls() -> None:
    with IMAPServer(tls="starttls", users=USERS) as server:
        url, context = f"imap://{server.host}:{server.port}", server.client_context()
        async with aioimaplib_client(url, ssl_context=context, timeouts=SOON) as client:
            assert (await client.login("ada", "secret")).result == "OK"
            await use_everything(client)


async def test_tokens() -> None:
    asked = 0

    async def token() -> str:
        nonlocal asked
        asked += 1
        return "new" if asked > 1 else "expired"

    with IMAPServer(tls="starttls", tokens={"ada": "new"}) as server:
        context = server.client_context()
        async with aioimaplib_client(server.url, auth=OAuth("ada", token), ssl_context=context, retry=ONCE) as client:
            await use_everything(client)
        assert asked == 2


# Connecting that fails


class Seen(Events):
    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def retry(self, operation: str, attempt: int, delay: float, error: Exception) -> None:
        self.errors.append(error)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Reply("CONNECT", "* BYE [UNAVAILABLE] Full.", times=1), NetClientError),
        (Hangup("CONNECT", times=1), ConnectionLost),
        (Hangup("STARTTLS", times=1), ConnectionLost),
        (HangupAfter("STARTTLS", times=1), ConnectionLost),
        (Stall("CONNECT", times=1), PhaseTimeout),
        (Stall("STARTTLS", times=1), PhaseTimeout),
    ],
    ids=lambda value: f"{type(value).__name__} {value.verb}" if hasattr(value, "verb") else "",
)
async def test_connecting_is_repeated(fault: Any, error: type[Exception]) -> None:
    events = Seen()
    with IMAPServer(tls="starttls", users=USERS, faults=[fault]) as server:
        async with aioimaplib_client(
            server.url,
            ssl_context=server.client_context(),
            retry=QUICK,
            events=events,
            timeouts=Timeouts(reply=1),
        ) as client:
            await use_everything(client)
        assert server.stats.connections == 2
    assert len(events.errors) == 1
    assert isinstance(events.errors[0], error)


async def test_connection_refused_is_repeated_and_then_raised() -> None:
    events = Seen()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"imap://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ConnectError):
            async with aioimaplib_client(url, retry=QUICK, events=events):
                raise AssertionError
    assert len(events.errors) == 3


async def test_half_a_response_behind_the_login() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* PREAUTH [CAPABILITY IMAP4rev1] ready\r\n* 3 EX")
        await reader.read()

    async with server_that(talk) as address:
        with pytest.raises(ProtocolError, match="half a response"):
            async with aioimaplib_client(f"imap://{address}", retry=ONCE, timeouts=SOON):
                raise AssertionError


# A connection that is lost: aioimaplib itself would wait until its timeout


@contextlib.asynccontextmanager
async def logged_in(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **options: Any
) -> AsyncIterator[_ConnectedClient]:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* PREAUTH [CAPABILITY IMAP4rev1 IDLE] ready\r\n")
        await serve(reader, writer)

    async with server_that(talk) as address:
        url = f"imap://{address}"
        async with aioimaplib_client(url, retry=ONCE, timeouts=Timeouts(reply=50), **options) as client:
            yield client


async def test_a_connection_that_is_lost_ends_what_waits() -> None:
    told: list[Exception | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()

    async with logged_in(serve, conn_lost_cb=told.append) as client:
        async with asyncio.timeout(10):
            with pytest.raises(aioimaplib.Abort, match="lost"):
                await client.select("INBOX")
            with pytest.raises(aioimaplib.Abort, match="lost"):
                await client.noop()
        assert [type(error) for error in told] == [ConnectionLost]


async def test_an_answer_that_aioimaplib_cannot_read_ends_it_at_once() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"* 1 EXISTS\r\n" * 4000)
        await reader.read()

    async with logged_in(serve) as client, asyncio.timeout(10):
        with pytest.raises(aioimaplib.Abort, match="recursion"):
            await client.select("INBOX")


async def test_a_server_that_does_not_read_ends_it_by_the_clock() -> None:
    told: list[Exception | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"+ go on\r\n")
        await asyncio.sleep(60)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* PREAUTH [CAPABILITY IMAP4rev1 IDLE] ready\r\n")
        await serve(reader, writer)

    async with server_that(talk) as address:
        timeouts = Timeouts(reply=50, stall=0.5)
        async with aioimaplib_client(
            f"imap://{address}", retry=ONCE, timeouts=timeouts, conn_lost_cb=told.append
        ) as client:
            async with asyncio.timeout(10):
                with pytest.raises(aioimaplib.Abort, match="lost"):
                    await client.append(b"x" * 50_000_000, "INBOX")
    assert [type(error) for error in told] == [PhaseTimeout]


async def test_a_block_that_ends_badly_closes_at_once() -> None:
    with IMAPServer(users=USERS) as server:
        with pytest.raises(ZeroDivisionError):
            async with aioimaplib_client(server.url, tls="none"):
                raise ZeroDivisionError
        assert server.stats.commands.get("LOGOUT", 0) == 0


async def test_a_block_that_ends_amid_idle() -> None:
    with IMAPServer(users=USERS) as server:
        async with asyncio.timeout(10), aioimaplib_client(server.url, tls="none") as client:
            await client.select("INBOX")
            idle = await client.idle_start(timeout=10)
        with pytest.raises(aioimaplib.Abort, match="closed"):
            await idle


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_it_is_cancelled_everywhere(tls: Any) -> None:
    with IMAPServer(tls=tls, users=USERS) as server:
        context = server.client_context()

        async def call() -> None:
            async with aioimaplib_client(server.url, ssl_context=context, retry=ONCE, timeouts=SOON) as client:
                await client.select("INBOX")

        async def check() -> None:
            gc.collect()  # a socket that nobody has closed would warn
            for _ in range(200):
                if not server.stats.connections_open:
                    return
                await asyncio.sleep(0.01)
            raise AssertionError("a connection was left open")

        assert (await cancel_everywhere(call, check=check)).cancelled > 5


# Arguments


async def test_arguments_are_checked() -> None:
    for url in ("http://127.0.0.1", "pop3://127.0.0.1"):
        with pytest.raises(ConfigurationError):
            async with aioimaplib_client(url):
                raise AssertionError
    with pytest.raises(ConfigurationError):
        async with aioimaplib_client("imap://127.0.0.1", auth="ada"):  # type: ignore[arg-type]
            raise AssertionError


async def test_not_on_trio() -> None:
    async def use() -> None:
        async with aioimaplib_client("imap://127.0.0.1"):
            raise AssertionError

    with pytest.raises(ConfigurationError, match="asyncio"):
        await asyncio.to_thread(trio.run, use)


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not run on this platform")
async def test_on_uvloop() -> None:
    import uvloop

    async def use(url: str, context: ssl.SSLContext) -> None:
        async with aioimaplib_client(url, ssl_context=context, timeouts=SOON, retry=ONCE) as client:
            await use_everything(client)

    for tls in ("starttls", "implicit"):
        with IMAPServer(tls=tls, users=USERS) as server:
            await asyncio.to_thread(uvloop.run, use(server.url, server.client_context()))
            assert len(server.messages("ada")) == 1
