"""Whole dialogues on scripted streams: login, TLS, the pool's questions, and a client from end to end."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from netclients import FTPClient, RetryPolicy, errors
from netclients import settings as settings_module
from netclients.config import Bounds, Endpoint, Login, Timeouts, TLSMode
from netclients.events import Events, Trace
from netclients.ftp.commands import command
from netclients.ftp.connection import FTPConnection
from netclients.ftp.login import connect
from netclients.ftp.settings import Learned, Settings
from netclients.transport.memory import MemoryStream
from tests.transport.scripted import ScriptedDialer, stream

pytestmark = pytest.mark.anyio

LOGIN = "S: 220 ready\nC: USER bob\nS: 331 password\nC: PASS s3cret\nS: 230 in\n"
AGREE = "C: FEAT\nS: 211-\nS:  UTF8\nS: 211 end\nC: TYPE I\nS: 200 binary\nC: OPTS UTF8 ON\nS: 200 ok\n"


class Dialogue(Events):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def command(self, connection: int, command: str) -> None:
        self.lines.append(f"> {command}")

    def reply(self, connection: int, code: int, text: str) -> None:
        self.lines.append(f"< {code} {text}")

    def connection_closed(self, connection: int, reason: str) -> None:
        self.lines.append(f"closed: {reason}")


def settings_for(dialer: ScriptedDialer, **changes: object) -> Settings:
    settings = Settings(
        endpoint=Endpoint("ftp", "server", 21),
        login=Login("bob", "s3cret"),
        tls=TLSMode.NONE,
        timeouts=Timeouts(),
        bounds=Bounds(),
        encoding="utf-8",
        active=False,
        dialer=dialer,
        trace=Trace("ftp", None),
        learned=Learned(),
    )
    return replace(settings, **changes)  # type: ignore[arg-type]


def connection_on(script: str, *, chunk: int | None = None, **changes: object) -> tuple[FTPConnection, MemoryStream]:
    played = stream(script, chunk=chunk)
    connection = FTPConnection(settings_for(ScriptedDialer(), **changes), played)  # type: ignore[arg-type]
    return connection, played


async def greeted(script: str, **options: object) -> tuple[FTPConnection, MemoryStream]:
    connection, played = connection_on("S: 220 ready\n" + script, **options)  # type: ignore[arg-type]
    await connection.settle(connection.protocol.greeting, 5, "reply")
    return connection, played


# Logging in


@pytest.mark.parametrize("chunk", [None, 1])
async def test_login(chunk: int | None) -> None:
    dialer = ScriptedDialer(stream(LOGIN + AGREE, chunk=chunk))
    events = Dialogue()
    connection = await connect(settings_for(dialer, trace=Trace("ftp", events)))
    dialer.check()
    assert connection.clean
    assert connection.features.utf8
    assert connection.settings.learned.logged_in
    assert connection.welcome == "ready"
    assert events.lines[:6] == [
        "< 220 ready",
        "> USER bob",
        "< 331 password",
        "> PASS ***",
        "< 230 in",
        "> FEAT",
    ]
    assert "s3cret" not in str(events.lines)


@pytest.mark.parametrize(
    "script",
    [
        "S: 120 soon\nS: 220 ready\nC: USER bob\nS: 230 in\n",
        "S: 220-Welcome\nS: 220 ready\nC: USER bob\nS: 331 p\nC: PASS s3cret\nS: 202 superfluous\n",
        "S: 220 ready\nC: USER bob\nS: 331 p\nC: PASS s3cret\nS: 332 a\nC: ACCT acc\nS: 230 in\n",
        "S: 220 ready\nC: USER bob\nS: 332 a\nC: ACCT acc\nS: 230 in\n",
    ],
)
async def test_other_ways_in(script: str) -> None:
    dialer = ScriptedDialer(script + AGREE)
    await connect(settings_for(dialer, login=Login("bob", "s3cret", "acc")))
    dialer.check()


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("S: 421 too many", errors.TooManyConnections),
        ("S: 530 Sorry, the maximum number of clients is connected", errors.TooManyConnections),
        ("S: 500 go away", errors.AuthenticationError),
        ("S-close", errors.ConnectionLost),
        ("S-reset", errors.ConnectionLost),
        ("S-stall", errors.PhaseTimeout),
        ("S: SSH-2.0-OpenSSH_9.2", errors.ProtocolError),
        ("S*| 2200000000", errors.ProtocolError),
        ("S*: 220-more", errors.ProtocolError),
        ("S: 220 r\nC: USER bob\nS: 421 bye\nS-close", errors.TooManyConnections),
        ("S: 220 r\nC: USER bob\nS: 331 p\nC: PASS s3cret\nS: 530 no", errors.AuthenticationError),
        ("S: 220 r\nC: USER bob\nS: 331 p\nC: PASS s3cret\nS: 430 no", errors.TransientReplyError),
        ("S: 220 r\nC: USER bob\nS: 331 p\nC: PASS s3cret\nS: 332 account", errors.AuthenticationError),
        ("S: 220 r\nC: USER bob\nS: 331 p\nC: PASS s3cret\nS: 421 full", errors.TooManyConnections),
        ("S: 220 r\nC: USER bob\nS: 331 p\nC: PASS s3cret\nS| 230 i\nS-close", errors.ConnectionLost),
        ("S: 220 r\nC: USER bob\nS: 350 go on", errors.ProtocolError),
        ("S: 220 r\nC: USER bob\nS: 331 p\nC: PASS s3cret\nS: 331 again", errors.ProtocolError),
        ("S: 220 r\nC: USER bob\nS: 331 p\nC: PASS s3cret\nS: 350 more", errors.ProtocolError),
        ("S: 220 r\nC: USER bob\nS: 332 a\nC: ACCT acc\nS: 332 again", errors.ProtocolError),
        ("S: 220 r\nC: USER bob\nS: 332 a\nC: ACCT acc\nS: 350 more", errors.ProtocolError),
        (LOGIN + "C: FEAT\nS: 500 what\nC: TYPE I\nS: 504 no", errors.UnsupportedError),
    ],
)
async def test_logins_that_fail(script: str, error: type[errors.NetClientError]) -> None:
    dialer = ScriptedDialer(script)
    login = Login("bob", "s3cret", "acc" if "ACCT" in script else None)
    with pytest.raises(error) as caught:
        await connect(settings_for(dialer, login=login))
    assert type(caught.value) is error
    assert "s3cret" not in str(caught.value)
    assert dialer.made[0].aborted


async def test_a_530_after_a_login_that_worked_is_about_the_number() -> None:
    dialer = ScriptedDialer("S: 220 r\nC: USER bob\nS: 331 p\nC: PASS s3cret\nS: 530 no")
    with pytest.raises(errors.TooManyConnections):
        await connect(settings_for(dialer, learned=Learned(logged_in=True)))


FAILURES = ("Too many failed login attempts", "too many login failures, account locked", "Too many bad passwords")


@pytest.mark.parametrize("code", [421, 530])
@pytest.mark.parametrize("text", FAILURES)
async def test_too_many_failures_are_not_too_many_connections(code: int, text: str) -> None:
    script = f"S: 220 r\nC: USER bob\nS: 331 p\nC: PASS s3cret\nS: {code} {text}"
    with pytest.raises(errors.AuthenticationError) as caught:
        await connect(settings_for(ScriptedDialer(script)))
    assert caught.value.code == code
    # After a login that worked these can't be the wrong ones.
    with pytest.raises(errors.TooManyConnections):
        await connect(settings_for(ScriptedDialer(script), learned=Learned(logged_in=True)))


@pytest.mark.parametrize("code", [421, 530])
async def test_no_password_is_repeated_against_a_lock(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    client, dialer = client_on(
        monkeypatch, f"S: 220 r\nC: USER bob\nS: 331 p\nC: PASS s3cret\nS: {code} {FAILURES[0]}\nS-close"
    )
    with pytest.raises(errors.AuthenticationError):
        await client.exists("f")
    dialer.check()


# TLS


async def test_nothing_secret_before_tls() -> None:
    for refusal in ("500 what", "502 no", "530 no", "200 sure"):
        dialer = ScriptedDialer(f"S: 220 r\nC: AUTH TLS\nS: {refusal}")
        with pytest.raises(errors.UnsupportedError, match="refuses TLS"):
            await connect(settings_for(dialer, tls=TLSMode.STARTTLS))
        assert dialer.secured == 0
        assert dialer.made[0].aborted


@pytest.mark.parametrize("leftover", ["S: 234 ok\\r\\n230 in", "S: 234 ok\\r\\n2", "S: 234 ok\\r\\n230-x"])
async def test_what_stands_behind_the_agreement_to_tls_is_refused(leftover: str) -> None:
    dialer = ScriptedDialer(f"S: 220 r\nC: AUTH TLS\n{leftover}\nC~ .*")
    with pytest.raises(errors.ProtocolError):
        await connect(settings_for(dialer, tls=TLSMode.STARTTLS))
    assert dialer.secured == 0


async def test_starttls_then_protection() -> None:
    script = "S: 220 r\nC: AUTH TLS\nS: 234 ok\n" + LOGIN.split("\n", 1)[1]
    agree = "C: FEAT\nS: 500 ?\nC: TYPE I\nS: 200 ok\nC: PBSZ 0\nS: 200 ok\nC: PROT P\n"
    dialer = ScriptedDialer(script + agree + "S: 200 ok")
    connection = await connect(settings_for(dialer, tls=TLSMode.STARTTLS))
    assert (dialer.secured, connection.private_data) == (1, True)
    for refusal in ("534 no", "500 what", "431 later"):
        dialer = ScriptedDialer(script + agree + f"S: {refusal}")
        with pytest.raises(errors.TLSError, match="PROT P"):
            await connect(settings_for(dialer, tls=TLSMode.STARTTLS))
        assert dialer.made[0].aborted


# Commands and replies


async def test_expect_and_reply_to() -> None:
    connection, played = await greeted("C: NOOP\nS: 200 ok\nC: SIZE f\nS: 550 no\nC: SIZE f\nS: 550 no")
    assert (await connection.expect(command("NOOP"))).code == 200
    assert (await connection.reply_to(command("SIZE", b"f"))).code == 550
    with pytest.raises(errors.PermanentReplyError, match="SIZE f: 550 no"):
        await connection.expect(command("SIZE", b"f"))
    played.check()
    assert connection.clean


ONLY_2XX = [("NOOP", b""), ("SIZE", b"f"), ("DELE", b"f"), ("MKD", b"d"), ("RMD", b"d"), ("RNTO", b"f"), ("CWD", b"d")]


@pytest.mark.parametrize(("verb", "argument"), ONLY_2XX)
async def test_3xx_where_nothing_is_left_to_be_said(verb: str, argument: bytes) -> None:
    sent = command(verb, argument)
    connection, _ = await greeted(f"C: {sent}\nS: 350 go on\nC: {sent}\nS: 250 ok\n")
    with pytest.raises(errors.ProtocolError, match=f"the server answered {sent} by 350"):
        await connection.expect(sent)
    assert connection.marked
    assert (await connection.expect(sent)).code == 250


async def test_3xx_where_it_is_due() -> None:
    connection, _ = await greeted("C: REST 7\nS: 350 ok\nC: RNFR f\nS: 350 ok\nC: RNFR f\nS: 331 what\n")
    assert (await connection.expect(command("REST", b"7"))).code == 350
    assert (await connection.expect(command("RNFR", b"f"))).code == 350
    assert connection.clean
    with pytest.raises(errors.ProtocolError):
        await connection.expect(command("RNFR", b"f"))
    assert not connection.clean


@pytest.mark.parametrize("replies", ["S: 331 more", "S: 350 more"])
async def test_another_login_that_is_not_accepted(replies: str) -> None:
    connection, _ = await greeted(f"C: USER eve\nS: 331 p\nC: PASS pw\n{replies}", plain_asked_for=True)
    with pytest.raises(errors.ProtocolError):
        await connection.login("eve", "pw")


async def test_one_flight_for_a_server_that_reads_ahead() -> None:
    connection, played = await greeted("C: SIZE a\\r\\nSIZE b\nS| 213 1\\r\\n213 2\\r\\n")
    connection.protocol.pipelining = True
    first, second = connection.submit(command("SIZE", b"a")), connection.submit(command("SIZE", b"b"))
    await connection.settle(second, 5, "reply")
    assert (first.reply.text, second.reply.text) == ("1", "2")  # type: ignore[union-attr]
    played.check()


async def test_421_ends_the_session_for_all_that_wait() -> None:
    connection, _ = await greeted("C: SIZE a\\r\\nSIZE b\nS: 421 bye")
    connection.protocol.pipelining = True
    first, second = connection.submit(command("SIZE", b"a")), connection.submit(command("SIZE", b"b"))
    await connection.settle(first, 5, "reply")
    with pytest.raises(errors.ConnectionLost, match="421"):
        await connection.settle(second, 5, "reply")
    with pytest.raises(errors.ConnectionLost, match="is closed"):
        connection.submit(command("NOOP"))
    assert not connection.clean


async def test_a_silent_server() -> None:
    connection, _ = await greeted("C: NOOP\nS-stall", timeouts=Timeouts(reply=3))
    with pytest.raises(errors.PhaseTimeout) as caught:
        await connection.expect(command("NOOP"))
    assert (caught.value.phase, caught.value.seconds) == ("reply", 3)
    assert not connection.clean


async def test_events_are_told_only_to_those_who_listen() -> None:
    events = Dialogue()
    connection, _ = await greeted("C: NOOP\nS: 200 ok\n", trace=Trace("ftp", events))
    await connection.expect(command("NOOP"))
    connection.abort("why")
    connection.abort("again")
    assert events.lines == ["< 220 ready", "> NOOP", "< 200 ok", "closed: why"]


# The pool's questions


async def test_a_look_finds_what_has_come() -> None:
    for script in ("S: 421 idle for too long\nS-close", "S-close", "S-reset", "S: 226 what", "S| 2", "S: 200-x"):
        connection, _ = await greeted("C: NOOP\nS: 200 ok\n" + script)
        await connection.expect(command("NOOP"))
        try:
            connection.look()
        except errors.NetClientError:
            continue
        assert not connection.clean, script


async def test_a_marked_session_is_not_clean() -> None:
    connection, _ = await greeted("C: CWD d\nS: 250 ok\n")
    await connection.expect(command("CWD", b"d"))
    assert connection.marked
    assert not connection.clean


async def test_close_says_quit_if_nothing_is_owed() -> None:
    connection, played = await greeted("C: QUIT\nC-close")
    connection.close("done")
    connection.close("again")
    played.check()
    assert played.aborted
    busy, played = await greeted("C: NOOP\nC-close")
    busy.submit(command("NOOP"))
    await busy.flush()
    busy.close("done")
    played.check()


async def test_close_of_a_connection_that_is_gone() -> None:
    events = Dialogue()
    connection, _ = await greeted("S-reset", trace=Trace("ftp", events))
    connection.close("done")
    assert events.lines[-1] == "closed: done (the server was gone)"


async def test_a_prepared_port_is_used_once() -> None:
    connection, _ = await greeted("C: EPSV\nS: 229 ok (|||4711|)\nC: EPSV\nS: 500 no")
    for port in (4711, None):
        ticket = connection.submit(command("EPSV"))
        await connection.settle(ticket, 5, "reply")
        connection.keep_prepared(ticket)
        assert connection.take_prepared_port() == port
        assert connection.take_prepared_port() is None


# A client from end to end

EPSV = "C: EPSV\nS: 229 ok (|||2020|)\n"


def client_on(
    monkeypatch: pytest.MonkeyPatch, *streams: MemoryStream | str | Exception
) -> tuple[FTPClient, ScriptedDialer]:
    dialer = ScriptedDialer(*streams)
    monkeypatch.setattr(settings_module, "Dialer", lambda **_: dialer)
    client = FTPClient("ftp://bob:s3cret@server", tls="none", retry=RetryPolicy(attempts=2, initial=0, maximum=0))
    return client, dialer


async def collect(client: FTPClient, name: str) -> bytes:
    received = bytearray()
    await client.download(name, sink=received.extend, verify="none")
    return bytes(received)


@pytest.mark.parametrize("chunk", [None, 1])
async def test_a_download(monkeypatch: pytest.MonkeyPatch, chunk: int | None) -> None:
    control = LOGIN + AGREE + "C~ (SIZE|MDTM) f\nS: 550 no\nC~ (SIZE|MDTM) f\nS: 550 no\n" + EPSV
    control += "C: RETR f\nS: 150 comes\nS: 226 done\nC: QUIT\nC-close"
    client, dialer = client_on(monkeypatch, stream(control, chunk=chunk), stream("S| hello\nS-close", chunk=chunk))
    assert await collect(client, "f") == b"hello"
    assert client.stats.idle == 1
    await client.aclose()
    dialer.check()
    assert dialer.asked == [("server", 21), ("127.0.0.1", 2020)]
    assert all(one.aborted for one in dialer.made)


async def test_a_stall_in_the_data_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    control = LOGIN + AGREE + "C~ (SIZE|MDTM) f\nS: 550 no\nC~ (SIZE|MDTM) f\nS: 550 no\n" + EPSV
    control += "C: RETR f\nS: 150 comes\nS-stall"
    client, dialer = client_on(monkeypatch, control, "S| hel\nS-stall")
    object.__setattr__(client._context, "policy", RetryPolicy(attempts=1))
    with anyio.fail_after(5), pytest.raises(errors.PhaseTimeout) as caught:
        await collect(client, "f")
    assert caught.value.phase == "stall"
    assert all(one.aborted for one in dialer.made)
    stats = client.stats
    assert (stats.open, stats.in_use, stats.connecting) == (0, 0, 0)
