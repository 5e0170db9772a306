"""The embedded FTP server, driven by the standard library's client."""

from __future__ import annotations

import contextlib
import ftplib
import io
import os
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from netclients.testing import FTPServer

BODY = bytes(range(256)) * 4096  # 1 MiB: several blocks


class ImplicitFTP(ftplib.FTP_TLS):
    """Makes the handshake before the greeting."""

    @property
    def sock(self) -> Any:
        return self._sock

    @sock.setter
    def sock(self, value: socket.socket | None) -> None:
        if value is not None and not isinstance(value, ssl.SSLSocket):
            value = self.context.wrap_socket(value, server_hostname="localhost")
        self._sock = value


class ReusingFTP(ftplib.FTP_TLS):
    """Resumes the session of the control connection on data connections."""

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        conn, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        assert isinstance(self.sock, ssl.SSLSocket)
        return self.context.wrap_socket(conn, server_hostname="localhost", session=self.sock.session), size


@contextlib.contextmanager
def connected(
    server: FTPServer, kind: type[ftplib.FTP] | None = None, login: bool = True, encoding: str = "utf-8"
) -> Iterator[Any]:
    tls = server.url.split(":")[0]
    kinds = {"ftp": ftplib.FTP, "ftpes": ftplib.FTP_TLS, "ftps": ImplicitFTP}
    make: Any = kind or kinds[tls]
    options = {} if make is ftplib.FTP else {"context": server.client_context()}
    client = make(encoding=encoding, **options)
    with contextlib.closing(client):
        client.connect(server.host, server.port, timeout=10)
        if login:
            client.login("bob", "s3cret:/@")
            if tls != "ftp":
                client.prot_p()
            client.voidcmd("TYPE I")
        yield client


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "body").write_bytes(BODY)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "sub" / "grün.txt").write_text("one\ntwo\n", newline="")
    os.utime(tmp_path / "body", (1_000_000_000, 1_000_000_000))
    return tmp_path


@pytest.fixture(params=["none", "explicit", "implicit"])
def server(root: Path, request: pytest.FixtureRequest) -> Iterator[FTPServer]:
    with FTPServer(root, users={"bob": "s3cret:/@"}, tls=request.param) as server:
        yield server


@pytest.fixture
def plain(root: Path) -> Iterator[FTPServer]:
    with FTPServer(root, users={"bob": "s3cret:/@"}) as server:
        yield server


def _get(client: ftplib.FTP, name: str, **options: Any) -> bytes:
    out = io.BytesIO()
    assert client.retrbinary(f"RETR {name}", out.write, **options).startswith("226")
    return out.getvalue()


# Transfers


@pytest.mark.parametrize("active", [False, True])
def test_transfers(server: FTPServer, root: Path, active: bool) -> None:
    with connected(server) as client:
        client.set_pasv(not active)
        assert _get(client, "body") == BODY
        assert _get(client, "empty") == b""
        assert client.storbinary("STOR up", io.BytesIO(BODY)).startswith("226")
        assert (root / "up").read_bytes() == BODY
        client.storbinary("APPE up", io.BytesIO(b"tail"))
        assert (root / "up").read_bytes() == BODY + b"tail"
        assert sorted(client.nlst()) == ["body", "empty", "sub", "up"]
        stats = server.stats
    assert stats.bytes_received == len(BODY) + 4
    assert stats.data_connections == 5
    assert stats.commands["EPRT" if ":" in server.host else "PORT" if active else "PASV"] == 5
    assert stats.logins == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("active", [False, True])
def test_extended_commands(root: Path, host: str, active: bool) -> None:
    with FTPServer(root, users={"bob": "s3cret:/@"}, host=host) as server, connected(server) as client:
        client.af = socket.AF_INET6  # ftplib: EPSV and EPRT
        client.set_pasv(not active)
        if active and host == "127.0.0.1":
            with socket.create_server(("127.0.0.1", 0)) as listener:
                client.voidcmd(f"EPRT |1|127.0.0.1|{listener.getsockname()[1]}|")
                client.putcmd("RETR body")
                conn, _ = listener.accept()
                with conn, conn.makefile("rb") as file:
                    assert file.read() == BODY
                assert client.getresp().startswith("150")
                assert client.getresp().startswith("226")
        else:
            assert _get(client, "body") == BODY
        assert server.stats.commands["EPRT" if active else "EPSV"] == 1


def test_restart(server: FTPServer, root: Path) -> None:
    with connected(server) as client:
        assert _get(client, "body", rest=1_000_000) == BODY[1_000_000:]
        assert _get(client, "body") == BODY  # REST holds for one command
        assert _get(client, "body", rest=len(BODY)) == b""
        with pytest.raises(ftplib.error_perm, match="554"):
            _get(client, "body", rest=len(BODY) + 1)
        client.storbinary("STOR body", io.BytesIO(b"new"), rest=5)
        assert (root / "body").read_bytes() == BODY[:5] + b"new"
        client.storbinary("STOR body", io.BytesIO(b"all"))
        assert (root / "body").read_bytes() == b"all"
        with pytest.raises(ftplib.error_perm, match="501"):
            client.sendcmd("REST \N{SUPERSCRIPT TWO}")


def test_ascii_type_translates_line_ends(plain: FTPServer, root: Path) -> None:
    with connected(plain) as client:
        client.voidcmd("TYPE A")
        with client.transfercmd("RETR sub/grün.txt") as conn, conn.makefile("rb") as file:
            assert file.read() == b"one\r\ntwo\r\n"
        client.voidresp()
        client.storlines("STOR up", io.BytesIO(b"a\r\nb\r\n\rc"))
        assert (root / "up").read_bytes() == b"a\nb\n\rc\n"
        with pytest.raises(ftplib.error_perm, match="550"):
            client.sendcmd("SIZE body")


def test_final_reply_follows_the_end_of_the_data(plain: FTPServer, root: Path) -> None:
    (root / "huge").write_bytes(bytes(64 << 20))
    with connected(plain) as client, client.transfercmd("RETR huge") as conn:
        client.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.getresp()
        with conn.makefile("rb") as file:
            assert len(file.read()) == 64 << 20


def test_abort(plain: FTPServer, root: Path) -> None:
    (root / "huge").write_bytes(bytes(64 << 20))
    with connected(plain) as client:
        with client.transfercmd("RETR huge") as conn:
            assert conn.recv(1000)
            assert client.abort().startswith("426")
            assert client.getresp().startswith("226")
        assert client.sendcmd("ABOR").startswith("226")
        assert _get(client, "empty") == b""
        assert plain.stats.data_open == 0


def test_commands_during_a_transfer(plain: FTPServer, root: Path) -> None:
    (root / "huge").write_bytes(bytes(64 << 20))
    with connected(plain) as client, client.transfercmd("RETR huge") as conn:
        client.sock.sendall(b"NOOP\r\nPWD\r\n")
        assert "A transfer is running" in client.sendcmd("STAT")
        while conn.recv(1 << 20):
            pass
        assert [client.getresp()[:3] for _ in range(3)] == ["226", "200", "257"]


def test_pipelined_commands_run_in_order(plain: FTPServer, root: Path) -> None:
    with connected(plain) as client:
        client.sock.sendall(b"MKD a\r\nCWD a\r\nPWD\r\nRNFR ../empty\r\nRNTO moved\r\nRNTO again\r\n")
        replies = [client.getline() for _ in range(6)]
    assert [reply[:3] for reply in replies] == ["257", "250", "257", "350", "250", "503"]
    assert '"/a"' in replies[2]
    assert (root / "a" / "moved").exists()


def test_no_data_connection(root: Path) -> None:
    with FTPServer(root, users={"bob": "s3cret:/@"}, data_timeout=0.1) as server, connected(server) as client:
        with pytest.raises(ftplib.error_temp, match="425"):
            client.sendcmd("RETR body")
        client.makepasv()
        with pytest.raises(ftplib.error_temp, match="425"):
            client.sendcmd("RETR body")


@pytest.mark.parametrize("command", ["PORT 127,0,0,2,200,1", "PORT 127,0,0,1,0,80", "EPRT |1|10.0.0.1|5000|"])
def test_active_mode_only_to_the_client(plain: FTPServer, command: str) -> None:
    with connected(plain) as client, pytest.raises(ftplib.error_perm, match="500"):
        client.sendcmd(command)


def test_passive_ports(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            FTPServer(root, users={"bob": "s3cret:/@"}, passive_ports=[port]) as server,
            connected(server) as client,
        ):
            with pytest.raises(ftplib.error_temp, match="425"):
                client.makepasv()
            taken.close()
            for _ in range(3):
                assert client.makepasv()[1] == port
                assert _get(client, "empty") == b""


# Commands


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("NOOP", "200"),
        ("noop", "200"),
        ("SYST", "215 UNIX"),
        ("SIZE body", "213 1048576"),
        ("SIZE sub", "550"),
        ("SIZE none", "550"),
        ("MDTM body", "213 20010909014640"),
        ("MDTM none", "550"),
        ("MFMT 20200101000000 body", "213 Modify=20200101000000; body"),
        ("MFMT yesterday body", "501"),
        ("MFMT 20200101000000 none", "550"),
        ("MDTM 20200101000000 body", "213"),
        ("OPTS UTF8 ON", "200"),
        ("OPTS WHAT", "501"),
        ("ALLO 1000", "202"),
        ("ACCT x", "202"),
        ("SITE HELP", "214-"),
        ("SITE EXEC", "504"),
        ("HELP", "214-"),
        ("STAT", "211-"),
        ("STAT sub", "213-"),
        ("PWD", '257 "/" '),
        ("CWD sub", "250"),
        ("CWD body", "550"),
        ("CWD none", "550"),
        ("CDUP", "250"),
        ("MKD new", '257 "/new" created.'),
        ('MKD quo"ted', '257 "/quo""ted" created.'),
        ("MKD sub", "550"),
        ("MKD no/parent", "550"),
        ("RMD sub", "550"),
        ("RMD none", "550"),
        ("DELE body", "250"),
        ("DELE none", "550"),
        ("DELE sub", "550"),
        ("RNFR body", "350"),
        ("RNFR none", "550"),
        ("RNTO body", "503"),
        ("STOR sub", "550"),
        ("STOR no/parent", "553"),
        ("RETR none", "550"),
        ("RETR sub", "550"),
        ("RETR", "501"),
        ("TYPE A", "200"),
        ("TYPE E", "504"),
        ("EPSV 1", "229"),
        ("EPSV 2", "522"),
        ("EPSV ALL", "200"),
        ("PASV", "227"),
        ("PORT x", "501"),
        ("EPRT |3|x|5|", "522"),
        ("EPRT x", "501"),
        ("MLSD body", "501"),
        ("AUTH TLS", "502"),
        ("PROT P", "503"),
        ("PBSZ 0", "503"),
        ("ABOR", "226"),
        ("XYZZY", "500"),
        ("SIZE a\x00b", "501"),
        ("QUIT", "221"),
    ],
)
def test_commands(plain: FTPServer, command: str, reply: str) -> None:
    with connected(plain) as client:
        client.sock.sendall(f"{command}\r\n".encode())
        assert client.getmultiline().startswith(reply)
        if command != "QUIT":
            assert client.voidcmd("NOOP")


def test_feat_is_truthful(server: FTPServer) -> None:
    with connected(server) as client:
        lines = client.sendcmd("FEAT").split("\n")
        assert lines[0].startswith("211-")
        assert all(line.startswith(" ") for line in lines[1:-1])
        features = {line.split()[0] for line in lines[1:-1]}
        known = set(client.sendcmd("HELP").split("\n")[1].split())
        assert features - {"UTF8", "TVFS"} <= known
        assert ("AUTH" in features) == (server.ssl_context is not None)


def test_without(root: Path) -> None:
    without = {"MLSD", "mlst", "EPSV", "SIZE"}
    with FTPServer(root, users={"bob": "s3cret:/@"}, without=without) as server, connected(server) as client:
        assert not set(client.sendcmd("FEAT").split()) & {"MLST", "EPSV", "SIZE"}
        for command in ("MLSD", "MLST", "EPSV", "SIZE body"):
            with pytest.raises(ftplib.error_perm, match="500"):
                client.sendcmd(command)


def test_listings(server: FTPServer) -> None:
    with connected(server) as client:
        entries = dict(client.mlsd(""))
        assert {name: facts["type"] for name, facts in entries.items()} == {
            ".": "cdir",
            "..": "pdir",
            "body": "file",
            "empty": "file",
            "sub": "dir",
        }
        assert entries["body"]["size"] == "1048576"
        assert entries["body"]["modify"] == "20010909014640"
        assert "size" not in entries["sub"]
        lines: list[str] = []
        client.dir("-la", lines.append)
        assert len(lines) == 3
        assert lines[0].startswith("-rw")
        assert lines[0].endswith("1048576 Sep  9  2001 body")
        assert client.nlst("sub") == ["sub/grün.txt"]
        assert " /sub/grün.txt" in client.sendcmd("MLST sub/grün.txt").split("\n")[1]
        with pytest.raises(ftplib.error_perm, match="550"):
            client.nlst("none")


def test_mlst_facts_can_be_chosen(plain: FTPServer) -> None:
    with connected(plain) as client:
        assert client.sendcmd("OPTS MLST size;type;nonsense;") == "200 MLST OPTS Type;Size;"
        assert client.sendcmd("MLST body").split("\n")[1] == " Type=file;Size=1048576; /body"
        assert "MLST Type*;Size*;Modify;Perm;" in client.sendcmd("FEAT")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names must be valid text there")
def test_names_that_are_no_utf8_pass_unchanged(plain: FTPServer, root: Path) -> None:
    (Path(os.fsdecode(os.fsencode(root) + b"/gr\xfcn"))).write_bytes(b"latin")
    with connected(plain, encoding="latin-1") as client:
        assert "grün" in client.nlst()
        assert _get(client, "grün") == b"latin"


def test_rename_replaces(plain: FTPServer, root: Path) -> None:
    with connected(plain) as client:
        client.rename("empty", "body")
    assert (root / "body").read_bytes() == b""
    assert not (root / "empty").exists()


def test_paths_stay_inside_the_root(plain: FTPServer, root: Path) -> None:
    (root.parent / "outside").write_text("secret")
    try:
        with connected(plain) as client:
            for name in ("../outside", "/../outside", "sub/../../outside", str(root.parent / "outside")):
                with pytest.raises(ftplib.error_perm, match="550"):
                    client.size(name)
            client.cwd("..")
            assert client.pwd() == "/"
    finally:
        (root.parent / "outside").unlink()


# Login and TLS


@pytest.mark.parametrize(
    ("name", "password"), [("bob", "wrong"), ("eve", "s3cret:/@"), ("bob", ""), ("anonymous", "x")]
)
def test_wrong_credentials(server: FTPServer, name: str, password: str) -> None:
    with connected(server, login=False) as client:
        with pytest.raises(ftplib.error_perm, match="530"):
            client.login(name, password)
        for command in ("PWD", "PASV", "RETR body", "MLSD"):
            with pytest.raises(ftplib.error_perm, match="530"):
                client.sendcmd(command)
        client.login("bob", "s3cret:/@")


def test_anonymous(root: Path) -> None:
    with FTPServer(root) as server, contextlib.closing(ftplib.FTP()) as client:
        assert server.url == f"ftp://127.0.0.1:{server.port}"
        client.connect(server.host, server.port, timeout=10)
        client.login()
        client.voidcmd("TYPE I")
        assert client.size("body") == len(BODY)


def test_urls_and_certificates(server: FTPServer) -> None:
    assert server.url.endswith(f"://bob:s3cret%3A%2F%40@127.0.0.1:{server.port}")
    assert server.url_at("::1", 5).endswith("@[::1]:5")
    with open(server.ca_file) as file:
        assert "BEGIN CERTIFICATE" in file.read()
    ssl.create_default_context(cafile=server.ca_file)


def test_tls_required(root: Path) -> None:
    with FTPServer(root, users={"bob": "s3cret:/@"}, tls="explicit", tls_required=True) as server:
        with (
            connected(server, ftplib.FTP, login=False) as client,
            pytest.raises(ftplib.error_perm, match="530 TLS"),
        ):
            client.login("bob", "s3cret:/@")
        with connected(server) as client:
            with pytest.raises(ftplib.error_perm, match="536"):
                client.prot_c()
            assert _get(client, "body") == BODY


def test_plaintext_behind_auth_cuts_the_connection(root: Path) -> None:
    with FTPServer(root, tls="explicit") as server, connected(server, ftplib.FTP, login=False) as client:
        client.sock.sendall(b"AUTH TLS\r\nUSER anonymous\r\n")
        assert client.getresp().startswith("234")
        with pytest.raises((EOFError, ConnectionError)):
            client.getresp()


def test_login_starts_over_with_tls(root: Path) -> None:
    with FTPServer(root, tls="explicit") as server, connected(server, ftplib.FTP_TLS, login=False) as client:
        ftplib.FTP.login(client)
        client.auth()
        with pytest.raises(ftplib.error_perm, match="530"):
            client.pwd()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_session_reuse_can_be_required(root: Path, version: ssl.TLSVersion) -> None:
    options: Any = {"users": {"bob": "s3cret:/@"}, "tls": "explicit", "require_session_reuse": True}
    with FTPServer(root, **options) as server:
        assert server.ssl_context is not None
        server.ssl_context.maximum_version = version
        with connected(server, ReusingFTP) as client:
            for _ in range(3):
                assert _get(client, "body") == BODY
        assert server.stats.sessions_reused == 3
        with connected(server) as client:
            with pytest.raises(ssl.SSLError):  # ftplib does not expect a connection cut like this
                _get(client, "body")
            with pytest.raises(ftplib.error_perm, match="522"):
                client.voidresp()


def test_an_upload_without_close_alert_fails(root: Path) -> None:
    with FTPServer(root, users={"bob": "s3cret:/@"}, tls="explicit") as server, connected(server) as client:
        conn = client.transfercmd("STOR up")
        conn.sendall(b"half")
        conn.close()  # without unwrap()
        with pytest.raises(ftplib.error_temp, match="426"):
            client.voidresp()


def test_a_download_ends_with_a_close_alert(root: Path) -> None:
    with FTPServer(root, users={"bob": "s3cret:/@"}, tls="explicit") as server, connected(server) as client:
        with client.transfercmd("RETR empty") as conn:
            conn.suppress_ragged_eofs = False
            assert conn.recv(100) == b""
        client.voidresp()


def test_plain_bytes_instead_of_a_handshake(root: Path) -> None:
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(FTPServer(root, users={"bob": "s3cret:/@"}, tls="explicit"))
        client = stack.enter_context(connected(server))
        conn = stack.enter_context(ftplib.FTP.ntransfercmd(client, "STOR up")[0])
        conn.sendall(b"plain bytes, no handshake\r\n")
        with pytest.raises(ftplib.error_temp, match="425"):
            client.voidresp()


# Life


def test_counts_and_limits(root: Path) -> None:
    with FTPServer(root, users={"bob": "s3cret:/@"}, max_connections=2) as server:
        with connected(server), connected(server):
            with pytest.raises(ftplib.error_temp, match="421"), connected(server):
                pass
            server.set_limits(max_logins=2)
            with pytest.raises(ftplib.error_perm, match="530 Sorry, too many"), connected(server):
                pass
        stats = server.stats
    assert (stats.connections, stats.connections_peak, stats.logins) == (4, 3, 2)


def test_slots_are_free_once_a_client_has_left(root: Path) -> None:
    with FTPServer(root, users={"bob": "s3cret:/@"}, max_connections=1) as server:
        for _ in range(20):
            with connected(server) as client:
                client.sendcmd("QUIT")
                assert client.file.read() == ""  # the server has closed
        assert server.stats.connections_peak == 1


def test_sever(server: FTPServer) -> None:
    with connected(server) as one, connected(server) as other:
        assert server.sever() == 2
        for client in (one, other):
            with pytest.raises((ConnectionError, EOFError, ssl.SSLError)):
                client.voidcmd("NOOP")
        with connected(server) as client:
            client.voidcmd("NOOP")


def test_the_end_of_the_block_cuts_everything(root: Path) -> None:
    (root / "huge").write_bytes(bytes(64 << 20))
    with FTPServer(root, users={"bob": "s3cret:/@"}) as server, contextlib.ExitStack() as stack:
        client = stack.enter_context(connected(server))
        stack.enter_context(client.transfercmd("RETR huge"))
        afterwards = stack.pop_all()
    with afterwards, pytest.raises((ConnectionError, EOFError, ssl.SSLError)):
        client.voidresp()


def test_no_descriptor_is_left_open(root: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("needs /proc")

    def work() -> None:
        with (
            FTPServer(root, users={"bob": "s3cret:/@"}, tls="explicit") as server,
            connected(server) as client,
        ):
            client.makepasv()
            _get(client, "body")
            client.makepasv()

    work()
    before = len(os.listdir("/proc/self/fd"))
    work()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_line_without_end(plain: FTPServer) -> None:
    with connected(plain, login=False) as client:
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                client.sock.sendall(b"x" * 1000)
        with pytest.raises((ftplib.error_perm, EOFError, ConnectionError)):
            client.getresp()


def test_many_clients_at_once(root: Path) -> None:
    errors: list[BaseException] = []

    def work(server: FTPServer, number: int) -> None:
        try:
            with connected(server) as client:
                for turn in range(5):
                    client.storbinary(f"STOR f{number}.{turn}", io.BytesIO(b"%d" % number * 1000))
                    assert _get(client, f"f{number}.{turn}") == b"%d" % number * 1000
        except Exception as error:  # noqa: BLE001 - asserted below
            errors.append(error)

    with FTPServer(root, users={"bob": "s3cret:/@"}) as server:
        threads = [threading.Thread(target=work, args=(server, number)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stats = server.stats
    assert errors == []
    assert stats.connections == 20
    assert stats.data_connections == 200


def test_fast_enough_to_be_no_bottleneck(plain: FTPServer, root: Path) -> None:
    (root / "huge").write_bytes(bytes(64 << 20))
    with connected(plain) as client:
        start = time.monotonic()
        client.retrbinary("RETR huge", lambda _: None, 1 << 18)
        assert time.monotonic() - start < 2


@pytest.mark.anyio
async def test_on_the_running_loop(root: Path, anyio_backend_name: str) -> None:
    import anyio

    if anyio_backend_name != "asyncio":
        pytest.skip("needs asyncio; `with` serves the others")
    async with FTPServer(root, users={"bob": "s3cret:/@"}, tls="explicit") as server:

        def work() -> bytes:
            with connected(server) as client:
                return _get(client, "body")

        assert await anyio.to_thread.run_sync(work) == BODY
        assert server.stats.logins == 1
