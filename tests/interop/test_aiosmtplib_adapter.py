"""aiosmtplib's client, connected by this library, on real servers and through a SOCKS proxy."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import pytest
import trio

from netclients import (
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    ConnectionLost,
    Events,
    OAuth,
    PhaseTimeout,
    ProtocolError,
    RetryPolicy,
    Timeouts,
    TLSError,
    TooManyConnections,
    UnsupportedError,
)
from netclients.interop.aiosmtplib import ConnectedClient, aiosmtplib_client
from netclients.testing import SMTPServer, cancel_everywhere
from netclients.testing.smtp_faults import Delay, Greylist, Hangup, HangupAfter, InjectClear, Reply, Stall
from tests.interop.proxy_servers import Proxy, Socks5Proxy
from tests.interop.test_aioftp_adapter import server_that
from tests.servers import MailServer

pytestmark = pytest.mark.asyncio

ONCE = RetryPolicy(attempts=1)
QUICK = RetryPolicy(attempts=4, initial=0.01, maximum=0.05)
SOON = Timeouts(reply=10, complete=10)
USERS = {"ada": "secret"}
LINES = "one\n.\n..dot\nlast\n"


@pytest.fixture
def socks() -> Iterator[Proxy]:
    with Socks5Proxy("gate", "sesame").in_thread() as proxy:
        yield proxy


def letter(to: str, number: int = 0) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "bob@example.test"
    message["To"] = to
    message["Subject"] = f"letter {number}"
    message.set_content(LINES)
    return message


async def use_everything(client: aiosmtplib.SMTP, to: str) -> None:
    """What code that has an aiosmtplib client does with it."""
    assert client.is_connected
    await client.noop()
    errors, text = await client.send_message(letter(to))
    assert errors == {}
    assert text
    await client.sendmail("bob@example.test", [to], letter(to, 1).as_bytes())
    await client.mail("bob@example.test")
    await client.rcpt(to)
    await client.rset()
    await client.mail("bob@example.test")
    await client.rcpt(to)
    await client.data(letter(to, 2).as_bytes())


# Real servers


@pytest.mark.parametrize("service", ["smtp", "submission", "smtps"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_postfix(postfix: MailServer, service: str, version: ssl.TLSVersion) -> None:
    url = postfix.url(service, user="bob")
    context = postfix.ssl_context(version)
    async with aiosmtplib_client(url, ssl_context=context, timeouts=SOON, retry=ONCE) as client:
        assert isinstance(client, aiosmtplib.SMTP)
        assert client.get_transport_info("ssl_object").version() == version.name.replace("v1_", "v1.")
        await use_everything(client, postfix.address("alice"))
    postfix.settled()
    stored = postfix.mailbox("alice")
    assert len(stored) == 3
    assert all(b"\n.\n..dot\nlast\n" in message.raw.replace(b"\r\n", b"\n") for message in stored)


async def test_postfix_through_a_socks_proxy(postfix: MailServer, socks: Proxy) -> None:
    async with aiosmtplib_client(
        postfix.url("submission", user="bob"),
        ssl_context=postfix.ssl_context(),
        proxy=socks.url("gate", "sesame"),
        timeouts=SOON,
        retry=ONCE,
    ) as client:
        await use_everything(client, postfix.address("alice"))
    assert socks.targets == [(postfix.host, postfix.ports["submission"])]
    postfix.settled()
    assert len(postfix.mailbox("alice")) == 3


async def test_the_sink(smtp_sink: MailServer, socks: Proxy) -> None:
    for proxy in (None, socks.url("gate", "sesame")):
        async with aiosmtplib_client(smtp_sink.url(), proxy=proxy, timeouts=SOON, retry=ONCE) as client:
            for _ in range(20):
                await use_everything(client, "anybody@example.test")


async def test_a_greeting_that_comes_with_the_proxys_word() -> None:
    proxy = Socks5Proxy()
    proxy.eager = True
    with SMTPServer() as server, proxy.in_thread():
        async with aiosmtplib_client(server.url, proxy=proxy.url(), timeouts=SOON, retry=ONCE) as client:
            await use_everything(client, "a@example.test")
        assert len(server.messages) == 3


async def test_the_wrong_proxy_password(socks: Proxy) -> None:
    with SMTPServer() as server, pytest.raises(ConnectError, match="proxy"):
        async with aiosmtplib_client(server.url, proxy=socks.url("gate", "shut"), retry=ONCE):
            raise AssertionError


# TLS


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_tls(tls: Any) -> None:
    with SMTPServer(tls=tls, users=USERS, require_auth=True) as server:
        async with aiosmtplib_client(server.url, ssl_context=server.client_context(), timeouts=SOON) as client:
            await use_everything(client, "a@example.test")
            await client.quit()
            # The same TLS and the same login, without being told again.
            await client.connect()
            await use_everything(client, "a@example.test")
        assert server.stats.logins == 2
        assert len(server.messages) == 6
        assert server.violations == []


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_the_certificate_is_checked(tls: Any) -> None:
    with SMTPServer(tls=tls, users=USERS) as server:
        with pytest.raises(TLSError, match="certificate verify failed"):
            async with aiosmtplib_client(server.url, retry=ONCE):
                raise AssertionError
        assert server.stats.commands.get("AUTH", 0) == 0


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_the_name_in_the_certificate_is_checked(tls: Any) -> None:
    class Detour(Socks5Proxy):
        async def negotiate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int]:
            self.targets.append(await super().negotiate(reader, writer))
            return server.host, server.port

    with SMTPServer(tls=tls, users=USERS) as server, Detour().in_thread() as proxy:
        url = server.url_at("mail.example.test", 587)
        with pytest.raises(TLSError, match="certificate verify failed"):
            async with aiosmtplib_client(url, ssl_context=server.client_context(), proxy=proxy.url(), retry=ONCE):
                raise AssertionError
        # The name is the proxy's business.
        assert proxy.targets[0] == ("mail.example.test", 587)
        assert server.stats.commands.get("AUTH", 0) == 0


async def test_a_server_without_starttls() -> None:
    with SMTPServer(users=USERS) as server:
        with pytest.raises(UnsupportedError, match="STARTTLS"):
            async with aiosmtplib_client(server.url, retry=ONCE):
                raise AssertionError
        assert server.stats.commands.get("AUTH", 0) == 0


async def test_a_server_that_refuses_starttls() -> None:
    faults = [Reply("STARTTLS", "502 5.5.1 Not today.")]
    with (
        SMTPServer(tls="starttls", users=USERS, faults=faults) as server,
        pytest.raises(UnsupportedError, match="refuses TLS"),
    ):
        async with aiosmtplib_client(server.url, retry=ONCE):
            raise AssertionError


async def test_opportunistic() -> None:
    with SMTPServer() as server:
        async with aiosmtplib_client(server.url, tls="opportunistic") as client:
            assert client.get_transport_info("sslcontext") is None
    with SMTPServer(tls="starttls") as server:
        context = server.client_context()
        async with aiosmtplib_client(server.url, tls="opportunistic", ssl_context=context) as client:
            assert client.get_transport_info("sslcontext") is not None


async def test_plaintext_behind_the_agreement_to_tls() -> None:
    with SMTPServer(tls="starttls", users=USERS, faults=[InjectClear()]) as server:
        with pytest.raises(ProtocolError, match="in clear"):
            async with aiosmtplib_client(server.url, ssl_context=server.client_context(), retry=QUICK):
                raise AssertionError
        assert server.stats.connections == 1
        assert server.stats.commands.get("AUTH", 0) == 0


async def test_plaintext_that_came_even_earlier() -> None:
    """Behind the reply to EHLO: it would be taken for the agreement, and the agreement for what lies behind."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await reader.readline()
        writer.write(b"250-me\r\n250 STARTTLS\r\n220 go on\r\n")
        await reader.readline()
        writer.write(b"220 go on\r\n")
        await reader.read()

    async with server_that(talk) as address:
        with pytest.raises(ProtocolError, match="in clear"):
            async with aiosmtplib_client(f"smtp://{address}", tls="starttls", retry=ONCE, timeouts=SOON):
                raise AssertionError


async def test_starttls_on_demand() -> None:
    with SMTPServer(tls="starttls", users=USERS) as server:
        url = server.url_at(server.host, server.port).replace("ada:secret@", "")
        async with aiosmtplib_client(url, timeouts=SOON) as client:
            await client.starttls(tls_context=server.client_context())
            await client.login("ada", "secret")
            with pytest.raises(aiosmtplib.SMTPException, match="already"):
                await client.starttls()


# Login


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
async def test_mechanisms(mechanism: str) -> None:
    with SMTPServer(tls="starttls", users=USERS, mechanisms=[mechanism], require_auth=True) as server:
        async with aiosmtplib_client(server.url, ssl_context=server.client_context()) as client:
            await use_everything(client, "a@example.test")


async def test_no_mechanism_that_aiosmtplib_knows() -> None:
    with SMTPServer(tls="starttls", users=USERS, mechanisms=["SCRAM-SHA-256"]) as server:
        with pytest.raises(UnsupportedError, match="authentication method"):
            async with aiosmtplib_client(server.url, ssl_context=server.client_context(), retry=QUICK):
                raise AssertionError
        assert server.stats.connections == 1


async def test_a_wrong_password_is_tried_once() -> None:
    with SMTPServer(tls="starttls", users=USERS) as server:
        context = server.client_context()
        with pytest.raises(AuthenticationError) as caught:
            async with aiosmtplib_client(server.url, auth=("ada", "wrong-secret"), ssl_context=context, retry=QUICK):
                raise AssertionError
        assert "wrong-secret" not in str(caught.value)
        assert server.stats.commands["AUTH"] == 1


async def test_credentials_need_tls() -> None:
    with SMTPServer(users=USERS) as server:
        url = server.url.replace("ada:secret@", "")
        async with aiosmtplib_client(url) as client:
            for login in (client.login, client.auth_plain, client.auth_login, client.auth_xoauth2):
                with pytest.raises(ConfigurationError, match="plain"):
                    await login("ada", "secret")
        assert server.stats.commands.get("AUTH", 0) == 0
        async with aiosmtplib_client(server.url, tls="none") as client:
            await client.noop()
        async with aiosmtplib_client(url + "?tls=none") as client:
            await client.login("ada", "secret")
        assert server.stats.logins == 2


async def test_tokens() -> None:
    asked = 0

    async def token() -> str:
        nonlocal asked
        asked += 1
        return "new" if asked > 1 else "expired"

    with SMTPServer(tls="starttls", tokens={"ada": "new"}, require_auth=True) as server:
        context = server.client_context()
        async with aiosmtplib_client(server.url, auth=OAuth("ada", token), ssl_context=context, retry=ONCE) as client:
            await use_everything(client, "a@example.test")
        assert asked == 2
        async with aiosmtplib_client(server.url, auth=OAuth("ada", "new"), ssl_context=context, retry=ONCE) as client:
            await client.noop()
        with pytest.raises(AuthenticationError):
            async with aiosmtplib_client(server.url, auth=OAuth("ada", "old"), ssl_context=context, retry=QUICK):
                raise AssertionError
    with SMTPServer(tls="starttls", users=USERS) as server:
        context = server.client_context()
        with pytest.raises(UnsupportedError, match="XOAUTH2"):
            async with aiosmtplib_client(server.url, auth=OAuth("ada", "new"), ssl_context=context, retry=QUICK):
                raise AssertionError


# Connecting that fails


class Seen(Events):
    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def retry(self, operation: str, attempt: int, delay: float, error: Exception) -> None:
        self.errors.append(error)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Reply("CONNECT", "421 4.3.2 Full.", times=1), TooManyConnections),
        (Hangup("CONNECT", times=1), ConnectionLost),
        (Hangup("EHLO", times=1), ConnectionLost),
        (Hangup("STARTTLS", times=1), ConnectionLost),
        (HangupAfter("STARTTLS", times=1), ConnectionLost),
        (Reply("EHLO", "421 4.3.2 Full.", times=1), TooManyConnections),
        (Reply("STARTTLS", "454 4.7.0 Not now.", times=1), None),
        (Reply("AUTH", "454 4.7.0 Not now.", times=1), None),
        (Stall("CONNECT", times=1), PhaseTimeout),
        (Stall("EHLO", times=1), PhaseTimeout),
    ],
    ids=lambda value: f"{type(value).__name__} {value.verb}" if hasattr(value, "verb") else "",
)
async def test_connecting_is_repeated(fault: Any, error: type[Exception] | None) -> None:
    events = Seen()
    with SMTPServer(tls="starttls", users=USERS, require_auth=True, faults=[fault]) as server:
        async with aiosmtplib_client(
            server.url,
            ssl_context=server.client_context(),
            retry=QUICK,
            events=events,
            timeouts=Timeouts(reply=0.5),
        ) as client:
            await use_everything(client, "a@example.test")
        assert server.stats.connections == 2
    assert len(events.errors) == 1
    if error is not None:
        assert type(events.errors[0]) is error


async def test_connection_refused_is_repeated_and_then_raised() -> None:
    events = Seen()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"smtp://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ConnectError):
            async with aiosmtplib_client(url, retry=QUICK, events=events):
                raise AssertionError
    assert len(events.errors) == 3


@pytest.mark.parametrize(
    "greeting",
    [b"\xff\xfe\xfa\r\n", b"220-" + b"x" * 70_000, b"220-no\r\n" * 20_000, b"999 what\r\n", b"250 what\r\n"],
    ids=["no text", "long line", "long reply", "no code", "wrong code"],
)
async def test_nonsense_for_a_greeting(greeting: bytes) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        with contextlib.suppress(ConnectionError):
            await reader.read()

    async with server_that(talk) as address:
        with pytest.raises(ProtocolError):
            async with aiosmtplib_client(f"smtp://{address}", retry=QUICK, timeouts=SOON):
                raise AssertionError


async def test_a_handshake_that_never_ends() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with server_that(talk) as address:
        with pytest.raises(PhaseTimeout) as caught:
            async with aiosmtplib_client(f"smtps://{address}", retry=ONCE, timeouts=Timeouts(handshake=0.2)):
                raise AssertionError
        assert caught.value.phase == "handshake"


async def test_a_challenge_that_is_none() -> None:
    faults = [Reply("AUTH", "334 abcde")]
    with SMTPServer(tls="starttls", users=USERS, mechanisms=["CRAM-MD5"], faults=faults) as server:
        with pytest.raises(ProtocolError):
            async with aiosmtplib_client(server.url, ssl_context=server.client_context(), retry=QUICK):
                raise AssertionError
        assert server.stats.connections == 1


async def test_a_server_that_hangs_up_within_the_handshake() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)

    async with server_that(talk) as address:
        with pytest.raises(ConnectionLost, match="handshake"):
            async with aiosmtplib_client(f"smtps://{address}", retry=ONCE):
                raise AssertionError


async def test_no_tls_where_it_should_be() -> None:
    with SMTPServer() as server, pytest.raises(TLSError):
        async with aiosmtplib_client(f"smtps://127.0.0.1:{server.port}", retry=ONCE, timeouts=SOON):
            raise AssertionError


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_connecting_is_cancelled_everywhere(tls: Any) -> None:
    with SMTPServer(tls=tls, users=USERS, require_auth=True) as server:
        context = server.client_context()

        async def call() -> None:
            async with aiosmtplib_client(server.url, ssl_context=context, timeouts=SOON, retry=ONCE) as client:
                await client.send_message(letter("a@example.test"))

        async def check() -> None:
            gc.collect()  # a socket that nobody has closed would warn
            for _ in range(200):
                if not server.stats.connections_open:
                    return
                await asyncio.sleep(0.01)
            raise AssertionError("a connection was left open")

        assert (await cancel_everywhere(call, check=check)).cancelled > 10


# Afterwards


async def test_the_servers_refusal_is_aiosmtplibs_error() -> None:
    with SMTPServer(refuse={"b@example.test": "550 5.1.1 No."}, faults=[Greylist(recipients="g*")]) as server:
        async with aiosmtplib_client(server.url, timeouts=SOON) as client:
            with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
                await client.send_message(letter("b@example.test"))
            with pytest.raises(aiosmtplib.SMTPRecipientsRefused):
                await client.send_message(letter("g@example.test"))
            await client.send_message(letter("g@example.test"))


async def test_a_message_may_take_longer_than_a_reply() -> None:
    with SMTPServer(faults=[Delay("CONTENT", seconds=0.6)]) as server:
        async with aiosmtplib_client(server.url, timeouts=Timeouts(reply=0.2, complete=10)) as client:
            await client.send_message(letter("a@example.test"))
        assert len(server.messages) == 1


async def test_a_client_that_lost_its_server_leaves_quietly() -> None:
    with SMTPServer() as server:
        async with aiosmtplib_client(server.url, timeouts=SOON) as client:
            server.sever()
    with SMTPServer(faults=[Hangup("QUIT")]) as server:
        async with aiosmtplib_client(server.url, timeouts=SOON) as client:
            await client.noop()


async def test_a_block_that_fails_says_no_farewell() -> None:
    with SMTPServer() as server:
        with pytest.raises(ZeroDivisionError):
            async with aiosmtplib_client(server.url):
                raise ZeroDivisionError
        assert server.stats.commands.get("QUIT", 0) == 0


# Arguments


async def test_arguments_are_checked() -> None:
    for url in ("http://127.0.0.1", "lmtp://127.0.0.1", "smtp+unix:///tmp/socket"):
        with pytest.raises(ConfigurationError):
            async with aiosmtplib_client(url):
                raise AssertionError
    for options in (
        {"auth": ("ada", "pw"), "tls": "opportunistic"},
        {"auth": "ada"},
        {"local_hostname": "me\r\nRSET"},
        {"local_hostname": ""},
    ):
        with pytest.raises(ConfigurationError):
            async with aiosmtplib_client("smtp://127.0.0.1", **options):
                raise AssertionError


async def test_sockets_are_ours() -> None:
    with SMTPServer() as server:
        async with aiosmtplib_client(server.url, local_hostname="me.example.test") as client:
            assert isinstance(client, ConnectedClient)
            assert client.local_hostname == "me.example.test"
            await client.quit()
            with pytest.raises(ConfigurationError, match="sockets"):
                await client.connect(source_address=("127.0.0.1", 0))


async def test_not_on_trio() -> None:
    async def use() -> None:
        async with aiosmtplib_client("smtp://127.0.0.1"):
            raise AssertionError

    with pytest.raises(ConfigurationError, match="asyncio"):
        await asyncio.to_thread(trio.run, use)


@pytest.mark.skipif(sys.platform == "win32", reason="uvloop does not run on this platform")
async def test_on_uvloop() -> None:
    import uvloop

    async def use(url: str, context: ssl.SSLContext) -> None:
        async with aiosmtplib_client(url, ssl_context=context, timeouts=SOON, retry=ONCE) as client:
            await use_everything(client, "a@example.test")

    for tls in ("starttls", "implicit"):
        with SMTPServer(tls=tls, users=USERS, require_auth=True) as server:
            await asyncio.to_thread(uvloop.run, use(server.url, server.client_context()))
            assert len(server.messages) == 3
    with SMTPServer(tls="starttls", users=USERS, faults=[InjectClear()]) as server:
        with pytest.raises(ProtocolError, match="in clear"):
            await asyncio.to_thread(uvloop.run, use(server.url, server.client_context()))
        assert server.stats.commands.get("AUTH", 0) == 0
