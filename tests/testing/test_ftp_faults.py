"""The scripted faults of the embedded FTP server, one by one."""

from __future__ import annotations

import contextlib
import ftplib
import io
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netclients.testing import CutData, Delay, Fault, FTPServer, Hangup, Reply, Stall
from netclients.testing.ftp_faults import FaultScript

BODY = bytes(range(256)) * 4096


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FTPServer]:
    (tmp_path / "body").write_bytes(BODY)
    (tmp_path / "short").write_bytes(b"short")
    with FTPServer(tmp_path) as server:
        yield server


@contextlib.contextmanager
def connected(server: FTPServer) -> Iterator[ftplib.FTP]:
    with contextlib.closing(ftplib.FTP()) as client:
        client.connect(server.host, server.port, timeout=10)
        client.login()
        client.voidcmd("TYPE I")
        yield client


def _read(conn: socket.socket) -> tuple[int, str]:
    """Return how many bytes come until the end, and which end it is."""
    size = 0
    try:
        while data := conn.recv(65536):
            size += len(data)
    except ConnectionResetError:
        return size, "reset"
    except TimeoutError:
        return size, "timeout"
    return size, "end"


def _cut_off(client: ftplib.FTP) -> bool:
    try:
        client.getresp()
    except (EOFError, ConnectionError):
        return True
    return False


def test_reply_once_and_for_good(server: FTPServer) -> None:
    with connected(server) as client:
        server.set_faults([Reply("SIZE", "550 no", times=1), Reply("NOOP", "250-several\r\n250 lines")])
        with pytest.raises(ftplib.error_perm, match="550 no"):
            client.size("body")
        assert client.size("body") == len(BODY)
        for _ in range(2):
            assert client.sendcmd("NOOP") == "250-several\n250 lines"
        assert server.stats.faults == 3


def test_argument_skip_and_every(server: FTPServer) -> None:
    with connected(server) as client:
        server.set_faults([Reply("SIZE", "550 no", argument="b*", skip=1, every=2)])
        outcomes = []
        for _ in range(6):
            try:
                client.size("body")
                outcomes.append("ok")
            except ftplib.error_perm:
                outcomes.append("no")
            assert client.size("short") == 5
    assert outcomes == ["ok", "no", "ok", "no", "ok", "no"]


def test_no_reply_at_all(server: FTPServer) -> None:
    with connected(server) as client:
        server.set_faults([Reply("SIZE", "")])
        client.putcmd("SIZE body")
        assert client.sendcmd("NOOP").startswith("200")


def test_greeting(server: FTPServer) -> None:
    server.set_faults([Reply("CONNECT", "421 go away", times=1), Hangup("CONNECT", times=1)])
    with pytest.raises(ftplib.error_temp, match="421"), connected(server):
        pass
    with pytest.raises(EOFError), connected(server):
        pass
    with connected(server):
        pass


def test_delay_lets_the_next_fault_have_its_turn(server: FTPServer) -> None:
    with connected(server) as client:
        server.set_faults([Delay("*", 0.1), Reply("NOOP", "200 late")])
        start = time.monotonic()
        assert client.sendcmd("NOOP") == "200 late"
        assert time.monotonic() - start >= 0.1


def test_stall(server: FTPServer) -> None:
    with connected(server) as client:
        server.set_faults([Stall("NOOP")])
        assert client.sock is not None
        client.sock.settimeout(0.2)
        client.putcmd("NOOP")
        client.putcmd("PWD")
        with pytest.raises(TimeoutError):
            client.getresp()
        assert server.stats.connections_open == 1


@pytest.mark.parametrize("reset", [False, True])
def test_hangup(server: FTPServer, tmp_path: Path, reset: bool) -> None:
    with connected(server) as client:
        server.set_faults([Hangup("DELE", reset=reset)])
        client.putcmd("DELE short")
        with pytest.raises(ConnectionError if reset else EOFError):
            client.getresp()
    assert (tmp_path / "short").exists()


@pytest.mark.parametrize("command", ["DELE short", "MKD new", "RMD none"])
def test_hangup_after_the_effect(server: FTPServer, tmp_path: Path, command: str) -> None:
    with connected(server) as client:
        server.set_faults([Hangup(command[:4].strip(), executed=True)])
        client.putcmd(command)
        assert _cut_off(client)
    assert (tmp_path / "short").exists() == (command != "DELE short")
    assert (tmp_path / "new").exists() == (command == "MKD new")


def test_lost_final_reply_of_an_upload(server: FTPServer, tmp_path: Path) -> None:
    with connected(server) as client:
        server.set_faults([Hangup("STOR", executed=True)])
        with pytest.raises(EOFError):
            client.storbinary("STOR up", io.BytesIO(BODY))
    assert (tmp_path / "up").read_bytes() == BODY


@pytest.mark.parametrize("after", [0, 1, 100_000])
@pytest.mark.parametrize(("how", "end"), [("reset", "reset"), ("fin", "end")])
def test_cut_download(server: FTPServer, after: int, how: str, end: str) -> None:
    with connected(server) as client:
        server.set_faults([CutData(after=after, how=how)])  # type: ignore[arg-type]
        with client.transfercmd("RETR body") as conn:
            assert _read(conn) == (after, end)
        with pytest.raises(ftplib.error_temp, match="426"):
            client.voidresp()
        with client.transfercmd("RETR short") as conn:  # not longer than 100,000 bytes
            assert _read(conn)[0] == min(after, 5) if after < 5 else 5


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("alert", [False, True])
def test_a_server_that_lies(tmp_path: Path, tls: bool, alert: bool) -> None:
    (tmp_path / "body").write_bytes(BODY)
    fault = CutData(share=0.5, how="fin", reply="226 Transfer complete.", alert=alert)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(FTPServer(tmp_path, tls="explicit" if tls else "none", faults=[fault]))
        client = ftplib.FTP_TLS(context=server.client_context()) if tls else ftplib.FTP()
        stack.enter_context(contextlib.closing(client))
        client.connect(server.host, server.port, timeout=10)
        client.login()
        if isinstance(client, ftplib.FTP_TLS):
            client.prot_p()
        conn = stack.enter_context(client.transfercmd("RETR body"))
        size = 0
        try:
            if isinstance(conn, ssl.SSLSocket):
                conn.suppress_ragged_eofs = False
            while data := conn.recv(65536):
                size += len(data)
            ended = True
        except ssl.SSLEOFError:
            ended = False
        assert size == len(BODY) // 2
        assert ended == (alert or not tls)
        assert client.voidresp().startswith("226")


def test_silence_after_the_cut(server: FTPServer) -> None:
    with connected(server) as client:
        server.set_faults([CutData(after=10, how="fin", reply=None)])
        with client.transfercmd("RETR body") as conn:
            assert _read(conn) == (10, "end")
        assert client.sendcmd("NOOP").startswith("200")


def test_hangup_in_the_middle(server: FTPServer) -> None:
    with connected(server) as client:
        server.set_faults([CutData(after=10, hangup=True)])
        with client.transfercmd("RETR body") as conn:
            assert _read(conn) == (10, "reset")
        assert _cut_off(client)


def test_stall_in_the_middle_and_abort(server: FTPServer) -> None:
    with connected(server) as client:
        server.set_faults([CutData(after=10, how="stall")])
        with client.transfercmd("RETR body") as conn:
            conn.settimeout(0.2)
            assert _read(conn) == (10, "timeout")
            assert client.abort().startswith("426")
            assert client.getresp().startswith("226")
        assert client.sendcmd("NOOP").startswith("200")


@pytest.mark.parametrize("after", [0, 1, 300_000])
def test_cut_upload(server: FTPServer, tmp_path: Path, after: int) -> None:
    with connected(server) as client:
        server.set_faults([CutData("STOR", after=after, times=1)])
        with pytest.raises((ftplib.error_temp, ConnectionError)):
            client.storbinary("STOR up", io.BytesIO(BODY))
    assert (tmp_path / "up").read_bytes() == BODY[:after]


def test_truncated_upload_that_succeeds(server: FTPServer, tmp_path: Path) -> None:
    with connected(server) as client:
        server.set_faults([CutData("STOR", after=3, how="fin", reply="226 Complete.")])
        with client.transfercmd("STOR up") as conn:
            conn.sendall(b"123456")
        assert client.voidresp().startswith("226")
    assert (tmp_path / "up").read_bytes() == b"123"


def test_cut_listing(server: FTPServer) -> None:
    with connected(server) as client:
        server.set_faults([CutData("MLSD", after=30, how="fin")])
        with client.transfercmd("MLSD") as conn:
            assert _read(conn) == (30, "end")
        with pytest.raises(ftplib.error_temp):
            client.voidresp()


def test_cuts_count_only_what_is_long_enough() -> None:
    script = FaultScript([CutData(after=100, times=2)])
    assert script.at_transfer("RETR", "a", 100) is None
    assert script.at_transfer("RETR", "a", 101) is not None
    assert script.at_transfer("STOR", "a", None) is None
    assert script.at_transfer("RETR", "a", 1000) is not None
    assert script.at_transfer("RETR", "a", 1000) is None
    assert script.fired == 2


def test_a_bare_fault_does_nothing(server: FTPServer) -> None:
    with connected(server) as client:
        server.set_faults([Fault("*")])
        assert client.sendcmd("NOOP").startswith("200")
