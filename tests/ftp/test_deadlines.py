"""A server that always has one more byte to say: every time limit is for the whole wait, not for each byte."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable

import anyio
import pytest

from netclients import ConnectionLost, FTPClient, PhaseTimeout, RetryPolicy, Timeouts
from netclients.ftp import data as data_module
from netclients.ftp.commands import command
from netclients.testing import certificates
from netclients.transport.readiness import Deadline
from tests.faults.hostile import Answer, HostileServer, Session

pytestmark = pytest.mark.anyio

LIMIT = 0.3
SOON = 3  # seconds; a drip lasts longer
SHORT = Timeouts(connect=LIMIT, handshake=LIMIT, reply=LIMIT, stall=5, pool=5, complete=LIMIT)
ONCE = RetryPolicy(attempts=1)


def drip(say: Callable[[bytes], object], first: bytes, more: bytes = b"x") -> None:
    with contextlib.suppress(OSError):
        say(first)
        for _ in range(250):
            say(more)
            time.sleep(0.02)


def record(sock: socket.socket) -> None:
    """Begin a long TLS record."""
    drip(sock.sendall, b"\x16\x03\x03\x40\x00", b"\x02")


def client_of(server: HostileServer, *, active: bool = False, tls: bool = False) -> FTPClient:
    url = server.url.replace("?tls=none", "") if tls else server.url
    context = certificates.client_context() if tls else None
    return FTPClient(url, retry=ONCE, timeouts=SHORT, active=active, ssl_context=context)


def start_tls(session: Session) -> None:
    session.say(b"234 go\r\n")
    session.sock = certificates.server_context().wrap_socket(session.sock, server_side=True)


PROTECTED: dict[str, Answer] = {"AUTH": start_tls, "PBSZ": b"200 ok\r\n", "PROT": b"200 ok\r\n"}


def test_no_limit() -> None:
    assert Deadline(None, "reply").left() is None


async def test_a_deadline_tells_the_whole_limit() -> None:
    with pytest.raises(PhaseTimeout, match="reply timeout after 5 s: NOOP"), Deadline(5, "reply", command("NOOP")):
        raise PhaseTimeout("reply", 0.1)
    with pytest.raises(PhaseTimeout), Deadline(0, "reply") as deadline:
        deadline.left()


async def test_replies() -> None:
    with HostileServer({"NOOP": lambda session: drip(session.say, b"200-")}) as server:
        async with client_of(server) as client, client.connection() as connection:
            connection.submit(command("NOOP"))
            with anyio.fail_after(SOON), pytest.raises(PhaseTimeout) as caught:
                await connection.settle_all()
    assert (caught.value.phase, caught.value.seconds) == ("reply", LIMIT)


async def test_the_word_that_a_transfer_begins() -> None:
    with HostileServer({"RETR": lambda session: drip(session.say, b"150-")}) as server:
        async with client_of(server) as client, client.connection() as connection:
            with anyio.fail_after(SOON), pytest.raises(PhaseTimeout, match="RETR f") as caught:
                await connection.retr("f")
    assert (caught.value.phase, caught.value.seconds) == ("reply", LIMIT)


async def test_the_word_on_a_data_connection_that_has_ended() -> None:
    def retr(session: Session) -> None:
        session.connect_data().close()
        drip(session.say, b"150-")

    with HostileServer({"RETR": retr}) as server:
        async with client_of(server) as client, client.connection() as connection:
            with anyio.fail_after(SOON), pytest.raises(ConnectionLost, match="before the transfer began"):
                await connection.retr("f")


async def test_the_word_on_a_broken_transfer() -> None:
    def retr(session: Session) -> None:
        session.say(b"150 here\r\n")
        drip(session.say, b"426-")

    with HostileServer({"RETR": retr}) as server:
        async with client_of(server) as client, client.connection() as connection:
            transfer = await connection.retr("f")
            with anyio.fail_after(SOON):
                await transfer.hear_refusal()
            transfer.abort()


async def test_the_handshake_of_a_data_connection() -> None:
    def retr(session: Session) -> None:
        session.say(b"150 here\r\n")
        with session.connect_data() as data:
            record(data)

    with HostileServer({**PROTECTED, "RETR": retr}) as server:
        async with client_of(server, tls=True) as client, client.connection() as connection:
            with anyio.fail_after(SOON), pytest.raises(PhaseTimeout) as caught:
                await connection.retr("f")
    assert (caught.value.phase, caught.value.seconds) == ("handshake", LIMIT)


async def test_the_goodbye_of_a_data_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_module, "_FAREWELL", LIMIT)

    def stor(session: Session) -> None:
        session.say(b"150 go on\r\n")
        secured = certificates.server_context().wrap_socket(session.connect_data(), server_side=True)
        with socket.socket(fileno=secured.detach()) as raw:
            record(raw)

    with HostileServer({**PROTECTED, "STOR": stor}) as server:
        async with client_of(server, tls=True) as client, client.connection() as connection:
            transfer = await connection.stor("f")
            with anyio.fail_after(SOON), pytest.raises(PhaseTimeout) as caught:
                await transfer.finish(sending=True)
    assert caught.value.phase == "complete"


async def test_strangers_at_the_listener() -> None:
    def eprt(session: Session) -> None:
        session.target = ("127.0.0.1", int(session.argument.split("|")[3]))
        session.say(b"200 ok\r\n")

    def retr(session: Session) -> None:
        with contextlib.suppress(OSError):
            for _ in range(250):
                socket.create_connection(session.target, 1, source_address=("127.0.0.2", 0)).close()
                time.sleep(0.02)

    with HostileServer({"EPRT": eprt, "RETR": retr}) as server:
        async with client_of(server, active=True) as client, client.connection() as connection:
            with anyio.fail_after(SOON), pytest.raises(PhaseTimeout) as caught:
                await connection.retr("f")
    assert (caught.value.phase, caught.value.seconds) == ("connect", LIMIT)
