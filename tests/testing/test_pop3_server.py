"""The embedded POP3 server, by the standard library's client and by hand."""

from __future__ import annotations

import poplib
import socket
from collections.abc import Iterator

import pytest

from netclients.testing.pop3 import POP3Server
from netclients.testing.smtp_faults import Hangup, HangupAfter, Reply, Stall

MESSAGE = b"Subject: one\r\n\r\n.\r\n..two\r\nthree\r\n"


@pytest.fixture
def server() -> Iterator[POP3Server]:
    with POP3Server() as server:
        server.add("me", MESSAGE)
        server.add("me", b"Subject: two\r\n\r\nno end")
        yield server


clients: list[poplib.POP3] = []


@pytest.fixture(autouse=True)
def _no_client_stays_open() -> Iterator[None]:
    yield
    while clients:
        clients.pop().close()


class Client(poplib.POP3):
    """Notes each client before it connects: one that is refused by the greeting leaves its socket open."""

    def _create_socket(self, timeout: float) -> socket.socket:
        self.sock = super()._create_socket(timeout)  # type: ignore[misc]
        clients.append(self)
        self.file = None
        return self.sock


def client_of(server: POP3Server, *, login: bool = True, timeout: float = 10) -> poplib.POP3:
    client = Client(server.host, server.port, timeout=timeout)
    if login:
        client.user("me")
        client.pass_("secret")
    return client


def test_poplib(server: POP3Server) -> None:
    client = client_of(server)
    assert client.stat() == (2, len(MESSAGE) + 24)
    assert client.list()[1] == [b"1 %d" % len(MESSAGE), b"2 24"]
    assert client.uidl()[1] == [b"1 00000001", b"2 00000002"]
    assert client.uidl(2) == b"+OK 2 00000002"
    assert b"\r\n".join(client.retr(1)[1]) + b"\r\n" == MESSAGE
    assert client.retr(2)[1] == [b"Subject: two", b"", b"no end"]
    assert client.top(1, 1)[1] == [b"Subject: one", b"", b"."]
    assert client.top(1, 0)[1] == [b"Subject: one", b""]
    assert {"UIDL", "TOP", "PIPELINING", "SASL"} <= set(client.capa())
    client.dele(1)
    with pytest.raises(poplib.error_proto, match="No such message"):
        client.retr(1)
    client.rset()
    client.dele(2)
    client.quit()
    assert [message.raw for message in server.messages("me")] == [MESSAGE]
    assert server.stats.deleted == 1
    assert server.violations == []
    assert "PASS ***" in [f"{one.verb} {one.argument}" for one in server.commands]


def test_leaving_without_quit(server: POP3Server) -> None:
    client = client_of(server)
    client.dele(1)
    client.close()
    assert len(server.messages("me")) == 2


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_tls(tls: str) -> None:
    with POP3Server(tls=tls) as server:
        context = server.client_context()
        if tls == "implicit":
            client: poplib.POP3 = poplib.POP3_SSL("127.0.0.1", server.port, context=context, timeout=10)
        else:
            client = client_of(server, login=False)
            with pytest.raises(poplib.error_proto, match="Not without TLS"):
                client.user("me")
            client.stls(context)
        client.user("me")
        client.pass_("secret")
        client.quit()
        assert server.stats.logins == 1


def test_apop(server: POP3Server) -> None:
    client = client_of(server, login=False)
    with pytest.raises(poplib.error_proto):
        client.apop("me", "wrong")
    client.apop("me", "secret")
    client.quit()


def test_logins(server: POP3Server) -> None:
    client = client_of(server, login=False)
    for call in (client.stat, client.noop):
        with pytest.raises(poplib.error_proto, match="Log in first"):
            call()
    with pytest.raises(poplib.error_proto, match="USER comes first"):
        client.pass_("secret")
    client.user("me")
    with pytest.raises(poplib.error_proto, match="AUTH"):
        client.pass_("wrong")
    client.user("me")
    client.pass_("secret")
    with pytest.raises(poplib.error_proto, match="already"):
        client.user("me")
    other = client_of(server, login=False)
    other.user("me")
    with pytest.raises(poplib.error_proto, match="IN-USE"):
        other.pass_("secret")
    other.quit()
    client.quit()


def test_login_delay() -> None:
    with POP3Server(login_delay=60) as server:
        client_of(server).quit()
        with pytest.raises(poplib.error_proto, match="LOGIN-DELAY"):
            client_of(server)


def test_too_many_connections() -> None:
    with POP3Server(max_connections=1) as server:
        client = client_of(server)
        with pytest.raises(poplib.error_proto, match="SYS/TEMP"):
            client_of(server)
        client.quit()


def test_without(server: POP3Server) -> None:
    server.set_without(["uidl", "TOP"])
    client = client_of(server)
    assert not {"UIDL", "TOP"} & set(client.capa())
    for call in (client.uidl, lambda: client.top(1, 1)):
        with pytest.raises(poplib.error_proto, match="Unknown command"):
            call()
    client.quit()


def test_a_session_sees_the_maildrop_as_it_was(server: POP3Server) -> None:
    client = client_of(server)
    server.add("me", MESSAGE, uid="x")
    server.remove("me", "00000001")
    assert client.stat()[0] == 2
    client.dele(2)
    client.quit()
    assert [message.uid for message in server.messages("me")] == ["x"]
    with pytest.raises(KeyError):
        server.remove("me", "unknown")
    with pytest.raises(KeyError):
        server.add("nobody", b"")


def test_pipelining_and_violations(server: POP3Server) -> None:
    with socket.create_connection((server.host, server.port), timeout=10) as client:
        client.sendall(b"USER me\r\nPASS secret\r\nNOOP\r\nnoop\nQUIT\r\n")
        replies = client.makefile("rb").read().split(b"\r\n")
    assert [reply[:3] for reply in replies] == [b"+OK"] * 6 + [b""]
    assert server.violations == ["connection 1: NOOP ends with a lone LF"]
    server.set_without(["PIPELINING"])
    with socket.create_connection((server.host, server.port), timeout=10) as client:
        client.sendall(b"NOOP\r\nQUIT\r\n" + b"x" * 300 + b"\r\n")
        client.makefile("rb").read()
    assert any("without PIPELINING" in one for one in server.violations)
    assert any("behind QUIT" in one for one in server.violations)


def test_faults(server: POP3Server) -> None:
    server.set_faults([Reply("RETR", "-ERR broken", argument="1"), HangupAfter("NOOP"), Hangup("QUIT", executed=True)])
    client = client_of(server)
    with pytest.raises(poplib.error_proto, match="broken"):
        client.retr(1)
    client.retr(2)
    client.noop()
    with pytest.raises((EOFError, OSError, poplib.error_proto)):
        client.noop()
    client = client_of(server)
    client.dele(1)
    with pytest.raises((EOFError, OSError, poplib.error_proto)):
        client.quit()
    assert len(server.messages("me")) == 1
    server.set_faults([Stall("STAT")])
    client = client_of(server, timeout=0.2)
    with pytest.raises(TimeoutError):
        client.stat()
    client.close()
    assert server.stats.faults == 1


def test_sever(server: POP3Server) -> None:
    client = client_of(server)
    assert server.sever() == 1
    with pytest.raises((EOFError, OSError, poplib.error_proto)):
        client.noop()


def test_url(server: POP3Server) -> None:
    assert server.url == f"pop3://me:secret@127.0.0.1:{server.port}"
    with pytest.raises(ValueError, match="mechanisms"):
        POP3Server(mechanisms=["X"])


async def _inside() -> None:
    async with POP3Server() as server:
        assert server.stats.connections == 0


def test_on_the_running_loop() -> None:
    import asyncio

    asyncio.run(_inside())
