"""The recipes themselves, with ftplib: each server starts, does what its knobs say, and stops."""

from __future__ import annotations

import ftplib
import io
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path

import anyio
import pytest

from tests.fix_servers import StartServer
from tests.servers import RECIPES, FTPTarget, RealServer, ServerError, running
from tests.servers.ports import claim_ports, is_open

TLS_VERSIONS = {"1.2": "TLSv1.2", "1.3": "TLSv1.3"}


class FTPS(ftplib.FTP_TLS):
    """ftplib, with the session of the control connection reused for data, and with implicit TLS."""

    reused: bool | None = None

    def connect_to(self, server: FTPTarget) -> FTPS:
        if server.tls_mode == "implicit":
            self._connect_implicitly(server)
        else:
            self.connect(server.host, server.port, timeout=20)
            self.auth()
        self.login(server.user, server.password)
        self.prot_p()
        return self

    def _connect_implicitly(self, server: FTPTarget) -> None:
        self.host = server.host
        plain = socket.create_connection((server.host, server.port), timeout=20)
        self.sock = self.context.wrap_socket(plain, server_hostname=server.host)
        self.af = self.sock.family
        self.file = self.sock.makefile("r", encoding=self.encoding)
        self.welcome = self.getresp()

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        assert isinstance(self.sock, ssl.SSLSocket)
        secure = self.context.wrap_socket(connection, server_hostname=self.host, session=self.sock.session)
        self.reused = secure.session_reused
        return secure, size


@contextmanager
def login(server: FTPTarget) -> Iterator[ftplib.FTP]:
    client = ftplib.FTP()
    try:
        client.connect(server.host, server.port, timeout=20)
        client.login(server.user, server.password)
        yield client
    finally:
        client.close()


def round_trip(client: ftplib.FTP, data: bytes = b"\x00\xff\r\n" * 50_000) -> None:
    received = io.BytesIO()
    client.storbinary("STOR a.bin", io.BytesIO(data))
    client.retrbinary("RETR a.bin", received.write)
    assert received.getvalue() == data
    assert set(client.nlst()) - {".", ".."} == {"a.bin"}


def test_round_trip_in_plain(ftp_server: FTPTarget) -> None:
    with login(ftp_server) as client:
        round_trip(client)
    assert (ftp_server.root / "a.bin").stat().st_size == 200_000


def test_round_trip_with_auth_tls(ftp_server: FTPTarget) -> None:
    with FTPS(context=ftp_server.ssl_context()).connect_to(ftp_server) as client:
        round_trip(client)


def test_each_test_begins_with_an_empty_root(real_ftp: RealServer) -> None:
    assert list(real_ftp.root.iterdir()) == []


def test_files_that_a_test_puts_there_belong_to_the_account(real_ftp: RealServer) -> None:
    real_ftp.put("a/b/c.txt", b"before")
    with login(real_ftp) as client:
        client.storbinary("STOR a/b/c.txt", io.BytesIO(b"after"))
        client.rename("a/b/c.txt", "a/d.txt")
        client.rmd("a/b")
    assert (real_ftp.root / "a/d.txt").read_bytes() == b"after"


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("name", RECIPES)
def test_pinned_tls_and_session_reuse(start_server: StartServer, name: str, version: str) -> None:
    server = start_server(name, MODE="force", TLS_VERSION=version)
    with FTPS(context=server.ssl_context()).connect_to(server) as client:
        assert isinstance(client.sock, ssl.SSLSocket)
        round_trip(client)
        assert client.sock.version() == TLS_VERSIONS[version]
        # Pure-FTPd resumes no TLS 1.3 session, and demands none.
        assert client.reused is (name != "pureftpd" or version == "1.2")


@pytest.mark.parametrize("name", RECIPES)
def test_forced_tls_refuses_a_plain_login(start_server: StartServer, name: str) -> None:
    server = start_server(name, MODE="force")
    with pytest.raises((ftplib.error_perm, ftplib.error_temp)), login(server):
        pass


@pytest.mark.parametrize("name", ["vsftpd", "proftpd"])
def test_implicit_tls(start_server: StartServer, name: str) -> None:
    server = start_server(name, MODE="implicit")
    with FTPS(context=server.ssl_context()).connect_to(server) as client:
        round_trip(client)


@pytest.mark.parametrize(
    ("name", "knob", "reply"),
    [
        ("vsftpd", "MAX_CLIENTS", "421 There are too many connected users"),
        ("vsftpd", "MAX_PER_IP", "421 There are too many connections from your internet address"),
        ("proftpd", "MAX_CLIENTS", "530 Sorry, the maximum number of allowed clients"),
        ("proftpd", "MAX_PER_IP", "530 Sorry, the maximum number of clients"),
        ("proftpd", "MAX_PER_USER", "530 Sorry, the maximum number of clients"),
        ("pureftpd", "MAX_CLIENTS", "421 2 users"),
        ("pureftpd", "MAX_PER_IP", "421 Too many connections"),
        ("pureftpd", "MAX_PER_USER", "421 I can't accept more than 2 connections as the same user"),
    ],
)
def test_limits(start_server: StartServer, name: str, knob: str, reply: str) -> None:
    server = start_server(name, **{knob: 2})
    with login(server), login(server), pytest.raises(ftplib.Error, match=reply), login(server):
        pass


def test_passive_mode_off(start_server: StartServer) -> None:
    with login(start_server("vsftpd", PASV="no")) as client:
        client.set_pasv(False)
        round_trip(client)
        client.set_pasv(True)
        with pytest.raises(ftplib.error_perm):
            client.nlst()


@pytest.mark.parametrize("name", RECIPES)
def test_foreign_passive_address(start_server: StartServer, name: str) -> None:
    with login(start_server(name, PASV_ADDRESS="192.0.2.7")) as client:
        assert "(192,0,2,7," in client.sendcmd("PASV")


def test_anonymous(start_server: StartServer) -> None:
    server = start_server("vsftpd", ANONYMOUS="yes")
    server.put("readme", b"hello")
    with ftplib.FTP() as client:
        client.connect(server.host, server.port)
        client.login()
        assert client.nlst() == ["readme"]


@pytest.mark.parametrize("name", ["vsftpd", "proftpd"])
def test_protocol_log(start_server: StartServer, name: str) -> None:
    server = start_server(name, LOG_PROTOCOL="yes")
    with login(server) as client:
        client.sendcmd("FEAT")
    assert server.command_log is not None
    assert "FEAT" in server.command_log.read_text()


@pytest.mark.parametrize(
    ("pieces", "answer"),
    [
        ([b"PASS alice", b"pw\r\nFEAT\r\nTYPE I\r\n"], b"230"),
        ([b"PASS alicepw", b"\r\nFEAT\r\nTYPE I\r\n"], b"230"),
        ([b"PASS alicepw\r", b"\nFEAT\r\nTYPE I\r\n"], b"530"),
    ],
    ids=["within the password", "before CR", "before LF"],
)
def test_quirk_proftpd_lone_lf(proftpd: RealServer, pieces: list[bytes], answer: bytes) -> None:
    """A right password is wrong if its LF comes alone: the reason for ``bearable`` in tests/faults/test_sweep_real.py.

    A ProFTPD that answers 230 to the last needs it no more.
    """
    with socket.create_connection((proftpd.host, proftpd.port), timeout=10) as sock, sock.makefile("rb") as replies:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        assert replies.readline().startswith(b"220")
        sock.sendall(b"USER alice\r\n")
        assert replies.readline().startswith(b"331")
        for piece in pieces:
            sock.sendall(piece)
            _wait_until_read(sock)
        assert replies.readline().startswith(answer)


def _wait_until_read(sock: socket.socket) -> None:
    """Until the server has taken what it was sent: the next piece then comes in a read of its own."""
    port = sock.getsockname()[1]
    deadline = time.monotonic() + 10
    while unread := _unread_at_peer_of(port):
        assert time.monotonic() < deadline, f"{unread} bytes were never read"
        time.sleep(0.002)


def _unread_at_peer_of(port: int) -> int:
    """What waits in the receive queue of the other end of this loopback connection (Linux)."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, _, remote, _, queues, *_ = line.split()
        if int(remote.rpartition(":")[2], 16) == port:
            return int(queues.rpartition(":")[2], 16)
    raise AssertionError("the server has closed the connection")


@pytest.mark.anyio
async def test_every_backend_may_reach_the_servers(ftp_server: FTPTarget) -> None:
    async with await anyio.connect_tcp(ftp_server.host, ftp_server.port) as stream:
        assert (await stream.receive()).startswith(b"220")


@pytest.mark.parametrize("name", RECIPES)
def test_servers_stop_with_the_sessions_that_they_serve(server_work: Path, name: str) -> None:
    with ExitStack() as stack:
        with running(name, server_work) as server:
            client = stack.enter_context(login(server))
        with pytest.raises((EOFError, OSError, ftplib.error_temp)):
            client.voidcmd("NOOP")
    assert server.process.returncode is not None
    assert not is_open(server.port)


@pytest.mark.servers("vsftpd")
def test_a_server_that_does_not_start_says_why(start_server: StartServer) -> None:
    with pytest.raises(ServerError, match="MODE=none: optional, force or implicit"):
        start_server("vsftpd", MODE="none")


def test_a_misspelt_knob_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="vsftpd has no MAX_CLIENT;"),
        running("vsftpd", tmp_path, MAX_CLIENT=3),
    ):
        pass


@pytest.mark.servers("vsftpd")
def test_a_server_on_the_ports_of_another_finds_no_files_of_it(
    server_work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with claim_ports() as ports:
        monkeypatch.setattr("tests.servers.process.claim_ports", lambda: nullcontext(ports))
        with running("vsftpd", server_work) as first:
            first.put("left", b"behind")
        with running("vsftpd", server_work) as second:
            assert second.port == first.port
            assert list(second.root.iterdir()) == []


def test_no_block_of_ports_is_given_twice() -> None:
    with claim_ports() as one, claim_ports() as other:
        assert one.passive_max < other.control or other.passive_max < one.control
