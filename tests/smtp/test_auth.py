"""Logging in: every mechanism that a server offers, tokens that expire, and what never goes over a plain connection."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from netclients import (
    AuthenticationError,
    ConfigurationError,
    External,
    MailSender,
    OAuth,
    ProtocolError,
    RetryPolicy,
    TransientReplyError,
    UnsupportedError,
)
from netclients.events import Events
from netclients.testing import SMTPServer
from netclients.testing.smtp_faults import Reply
from tests.servers import MailServer

pytestmark = pytest.mark.anyio

TEXT = b"Subject: hi\r\n\r\nhello\r\n"
ONCE = RetryPolicy(attempts=1)
TWICE = RetryPolicy(attempts=2, initial=0, maximum=0)


class Dialogue(Events):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def command(self, connection: int, command: str) -> None:
        self.lines.append(command)


async def send(sender: MailSender) -> None:
    receipt = await sender.send(TEXT, "alice@example.test", ["bob@example.test"])
    assert receipt.ok


@pytest.fixture
def server() -> Iterator[SMTPServer]:
    with SMTPServer(users={"ada": "s3cret"}, tokens={"ada": "fresh"}, tls="starttls", require_auth=True) as server:
        yield server


# Real servers

PASSWORDS = [None, "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"]
CASES = [
    *(("dovecot", "submission", mechanism) for mechanism in PASSWORDS),
    *(("postfix", "submission", mechanism) for mechanism in PASSWORDS),
    *(("exim", "smtp", mechanism) for mechanism in (None, "CRAM-MD5", "PLAIN", "LOGIN")),
    ("postfix", "smtps", None),
]


@pytest.mark.parametrize(("name", "service", "mechanism"), CASES)
async def test_passwords(request: pytest.FixtureRequest, name: str, service: str, mechanism: str | None) -> None:
    server: MailServer = request.getfixturevalue(name)
    events = Dialogue()
    async with MailSender(
        server.url(service, user="alice"),
        ssl_context=server.ssl_context(),
        mechanisms=None if mechanism is None else [mechanism],
        events=events,
    ) as sender:
        await send(sender)
    [line] = [line for line in events.lines if line.startswith("AUTH")]
    assert line.split()[1] == (mechanism or ("CRAM-MD5" if name == "exim" else "SCRAM-SHA-256"))
    assert not any("alicepw" in line for line in events.lines)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls_versions(real_smtp: MailServer, version: ssl.TLSVersion) -> None:
    async with MailSender(real_smtp.url("smtp", tls="starttls"), ssl_context=real_smtp.ssl_context(version)) as sender:
        await send(sender)


@pytest.mark.parametrize("name", ["dovecot", "postfix"])
@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
async def test_a_refused_token_is_replaced_once(request: pytest.FixtureRequest, name: str, mechanism: str) -> None:
    server: MailServer = request.getfixturevalue(name)
    tokens = ["expired", "tok-alice"]

    async def fetch() -> str:
        return tokens.pop(0)

    async with MailSender(
        server.url("submission"),
        auth=OAuth("alice", fetch),
        ssl_context=server.ssl_context(),
        mechanisms=[mechanism],
    ) as sender:
        await send(sender)
    assert not tokens


@pytest.mark.parametrize("name", ["dovecot", "postfix", "exim"])
async def test_a_wrong_password_is_tried_once(request: pytest.FixtureRequest, name: str) -> None:
    server: MailServer = request.getfixturevalue(name)
    events = Dialogue()
    service = "smtp" if name == "exim" else "submission"
    async with MailSender(
        server.url(service), auth=("alice", "wrong"), ssl_context=server.ssl_context(), events=events, retry=TWICE
    ) as sender:
        for _ in range(2):
            with pytest.raises(AuthenticationError) as caught:
                await send(sender)
            assert caught.value.code == 535
            assert "wrong" not in str(caught.value)
    assert sum(line.startswith("AUTH") for line in events.lines) == 1


async def test_a_client_certificate(dovecot: MailServer) -> None:
    context = dovecot.ssl_context()
    context.load_cert_chain(dovecot.ca_file.parent / "client-alice.pem")
    async with MailSender(dovecot.url("submission"), auth=External("alice"), ssl_context=context) as sender:
        await send(sender)


# The embedded server


@pytest.mark.parametrize("mechanism", [None, "PLAIN", "LOGIN", "CRAM-MD5"])
async def test_embedded(server: SMTPServer, mechanism: str | None) -> None:
    mechanisms = None if mechanism is None else [mechanism]
    async with MailSender(server.url, ssl_context=server.client_context(), mechanisms=mechanisms) as sender:
        await send(sender)
    [message] = server.messages
    assert (message.authenticated, message.secure) == ("ada", True)


async def test_a_provider_is_asked_at_each_connection(server: SMTPServer) -> None:
    asked = []

    def token() -> str:
        asked.append(1)
        return "fresh"

    async with MailSender(
        server.url_at(server.host, server.port).replace("ada:s3cret@", ""),
        auth=OAuth("ada", token),
        ssl_context=server.client_context(),
    ) as sender:
        await send(sender)
        await send(sender)
        assert len(asked) == 1
        server.sever()
        await send(sender)
    assert len(asked) == 2


async def test_a_fixed_token_is_tried_once_and_a_new_one_may_follow_at_once(server: SMTPServer) -> None:
    url = server.url.replace("ada:s3cret@", "")
    tokens = ["stale", "stale", "fresh"]
    async with MailSender(
        url, auth=OAuth("ada", lambda: tokens.pop(0)), ssl_context=server.client_context(), retry=TWICE
    ) as sender:
        with pytest.raises(AuthenticationError):
            await send(sender)
        await send(sender)
    assert not tokens


@pytest.mark.parametrize("token", ["", "a\r\nb", None, 5])
async def test_a_provider_that_returns_no_token(server: SMTPServer, token: object) -> None:
    url = server.url.replace("ada:s3cret@", "")
    async with MailSender(
        url,
        auth=OAuth("ada", lambda: token),  # type: ignore[arg-type,return-value]
        ssl_context=server.client_context(),
        retry=ONCE,
    ) as sender:
        with pytest.raises(ConfigurationError, match="token"):
            await send(sender)
        assert sender.stats.open == 0


async def test_temporary_failures_are_tried_again(server: SMTPServer) -> None:
    server.set_faults([Reply("AUTH", "454 4.7.0 Temporary authentication failure", times=1)])
    async with MailSender(server.url, ssl_context=server.client_context(), retry=TWICE) as sender:
        await send(sender)
    server.set_faults([Reply("AUTH", "454 4.7.0 Temporary authentication failure")])
    async with MailSender(server.url, ssl_context=server.client_context(), retry=TWICE) as sender:
        with pytest.raises(TransientReplyError):
            await send(sender)


# Nothing secret in clear


async def test_credentials_need_tls(server: SMTPServer) -> None:
    """STARTTLS missing or refused: neither credentials nor message leave."""
    for faults in ([Reply("STARTTLS", "454 4.7.0 TLS not available")], [Reply("STARTTLS", "502 5.5.1 what")]):
        server.set_faults(faults)
        async with MailSender(server.url, ssl_context=server.client_context(), retry=ONCE) as sender:
            with pytest.raises((UnsupportedError, TransientReplyError)):
                await send(sender)
    with SMTPServer(users={"ada": "s3cret"}) as plain:
        async with MailSender(plain.url, retry=ONCE) as sender:
            with pytest.raises(UnsupportedError, match="STARTTLS"):
                await send(sender)
        assert not {"AUTH", "MAIL", "DATA"} & set(plain.stats.commands)
    assert not {"AUTH", "MAIL", "DATA"} & set(server.stats.commands)


async def test_plain_credentials_when_asked_for() -> None:
    with SMTPServer(users={"ada": "s3cret"}, require_auth=True) as plain:
        async with MailSender(plain.url, tls="none", retry=ONCE) as sender:
            await send(sender)
        assert plain.messages[0].authenticated == "ada"


def test_opportunistic_and_credentials_exclude_each_other() -> None:
    with pytest.raises(ConfigurationError):
        MailSender("smtp://ada:pw@example.org", tls="opportunistic")


async def test_login_on_a_plain_connection_is_refused() -> None:
    with SMTPServer(users={"ada": "s3cret"}) as plain:
        async with MailSender(plain.url.replace("ada:s3cret@", ""), retry=ONCE) as sender, sender.connection() as lent:
            with pytest.raises(ConfigurationError):
                await lent.login("ada", "s3cret")
        assert "AUTH" not in plain.stats.commands


# Scripted: servers that do not know the password, or talk nonsense


@pytest.mark.parametrize(
    "script",
    [
        "C~ AUTH SCRAM-SHA-256 .*\nS: 235 2.7.0 welcome\nC-close\n",
        "C~ AUTH SCRAM-SHA-256 .*\nS: 334 %%%\nC-close\n",
        "C~ AUTH SCRAM-SHA-256 .*\nS: 334 cj1hLHM9YWFhYSxpPTQwOTY=\nC-close\n",
    ],
)
async def test_a_server_that_does_not_know_the_password(scripted, script: str) -> None:
    sender, dialer = scripted(script, extensions="AUTH SCRAM-SHA-256 PLAIN", auth=("ada", "pw"), tls="none", retry=ONCE)
    async with sender:
        with pytest.raises(ProtocolError):
            await send(sender)
    dialer.check()


async def test_no_weaker_mechanism_than_allowed(scripted) -> None:
    sender, dialer = scripted(
        "C-close\n",
        extensions="AUTH PLAIN LOGIN",
        auth=("ada", "pw"),
        tls="none",
        mechanisms=["SCRAM-SHA-256", "CRAM-MD5"],
        retry=ONCE,
    )
    async with sender:
        with pytest.raises(UnsupportedError):
            await send(sender)
    dialer.check()


async def test_endless_challenges(scripted) -> None:
    script = "C~ AUTH LOGIN.*\n" + "S: 334 VXNlcm5hbWU6\nC~ .*\n" * 2 + "S: 334 VXNlcm5hbWU6\nC-close\n"
    sender, dialer = scripted(script, extensions="AUTH LOGIN", auth=("ada", "pw"), tls="none", retry=ONCE)
    async with sender:
        with pytest.raises(ProtocolError):
            await send(sender)
    dialer.check()
