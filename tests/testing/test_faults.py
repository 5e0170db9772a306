"""The fault proxy, fault by fault, in front of an echo server."""

from __future__ import annotations

import contextlib
import ftplib
import io
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from netclients.testing import Cut, FaultProxy, Flow, FTPServer, Inject, Plan
from tests.servers.ports import claim_ports


class _Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        total = 0
        try:
            while data := self.request.recv(65536):
                total += len(data)
                self.request.sendall(data)
        except ConnectionError:
            self.server.log.append("reset")  # type: ignore[attr-defined]
        else:
            self.server.log.append(total)  # type: ignore[attr-defined]
        self.server.ended.release()  # type: ignore[attr-defined]


class _Server(socketserver.ThreadingTCPServer):
    """Echoes until the end of the stream, and logs how many bytes came, or ``reset``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Echo)
        self.log: list[object] = []
        self.ended = threading.Semaphore(0)

    def result(self) -> object:
        assert self.ended.acquire(timeout=10)
        return self.log[-1]


@pytest.fixture
def echo() -> Iterator[_Server]:
    with _Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _connect(proxy: FaultProxy) -> socket.socket:
    sock = socket.create_connection((proxy.host, proxy.port), timeout=10)
    with contextlib.suppress(OSError):  # it may have been reset already
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def _read_all(sock: socket.socket) -> tuple[bytes, str]:
    """Return what comes until the end, and which end it is."""
    data = b""
    try:
        while block := sock.recv(65536):
            data += block
    except ConnectionResetError:
        return data, "reset"
    except TimeoutError:
        return data, "timeout"
    return data, "end"


def _talk(proxy: FaultProxy, data: bytes) -> tuple[bytes, str]:
    """Send `data`, leave the connection open, and return what comes until the end, and which end it is."""
    try:
        with _connect(proxy) as sock:
            sock.sendall(data)
            return _read_all(sock)
    except ConnectionResetError:
        return b"", "reset"  # so early that even connecting notices


def _ask(proxy: FaultProxy, data: bytes) -> tuple[bytes, str]:
    with _connect(proxy) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return _read_all(sock)


def test_passes_everything_both_ways(echo: _Server) -> None:
    data = bytes(range(256)) * 8192
    with FaultProxy(echo.server_address[:2]) as proxy:
        with _connect(proxy) as sock:
            sender = threading.Thread(target=lambda: (sock.sendall(data), sock.shutdown(socket.SHUT_WR)))
            sender.start()
            assert _read_all(sock) == (data, "end")
            sender.join()
        assert echo.result() == len(data)
        report = proxy.report
    assert (report.control, report.bytes_up, report.bytes_down) == (1, len(data), len(data))
    assert report.points == 0


@pytest.mark.parametrize("after", [0, 1, 5, 10])
@pytest.mark.parametrize(("how", "end"), [("reset", "reset"), ("fin", "end"), ("close", "end")])
def test_cuts_what_comes_down(echo: _Server, after: int, how: str, end: str) -> None:
    cut = Cut(after, how)  # type: ignore[arg-type]
    with FaultProxy(echo.server_address[:2], plan=Plan(down=Flow(cut=cut))) as proxy:
        assert _talk(proxy, b"0123456789" if after else b"") == (b"0123456789"[:after], end)
        assert proxy.report.ran == {f"down.{how}": 1}


@pytest.mark.parametrize(("how", "seen"), [("reset", ["reset"]), ("fin", [4]), ("close", [4, "reset"])])
def test_cuts_what_goes_up(echo: _Server, how: str, seen: list[object]) -> None:
    cut = Cut(4, how)  # type: ignore[arg-type]
    with FaultProxy(echo.server_address[:2], plan=Plan(up=Flow(cut=cut))) as proxy:
        with _connect(proxy) as sock:
            sock.sendall(b"0123456789")
            data, end = _read_all(sock)
            assert b"0123".startswith(data)
            assert end == ("reset" if how == "reset" else "end")
        assert echo.result() in seen  # an echo on a closed connection is answered by a reset
        assert proxy.report.ran == {f"up.{how}": 1}


def test_stall_keeps_the_connection_open(echo: _Server) -> None:
    with FaultProxy(echo.server_address[:2], plan=Plan(down=Flow(cut=Cut(3, "stall")))) as proxy:
        with _connect(proxy) as sock:
            sock.sendall(b"0123456789")
            sock.settimeout(0.3)
            assert _read_all(sock) == (b"012", "timeout")
            assert proxy.report.open == 1
        echo.result()
        assert proxy.report.ran == {"down.stall": 1}


def test_cut_behind_a_pattern(echo: _Server) -> None:
    with FaultProxy(echo.server_address[:2], plan=Plan(down=Flow(cut=Cut(rb"226[^\n]*\n", "fin")))) as proxy:
        assert _ask(proxy, b"150 go\r\n226 done\r\n221 bye\r\n") == (b"150 go\r\n226 done\r\n", "end")


def test_pattern_parted_by_packets(echo: _Server) -> None:
    plan = Plan(up=Flow(chunk=1), down=Flow(inject=(Inject(rb"ready\r\n", b"INJECTED"),)))
    with FaultProxy(echo.server_address[:2], plan=plan) as proxy:
        assert _ask(proxy, b"220 ready\r\nmore") == (b"220 ready\r\nINJECTEDmore", "end")


def test_injects_in_one_piece_with_the_byte_in_front(echo: _Server) -> None:
    plan = Plan(down=Flow(inject=(Inject(0, b"<"), Inject(4, b">"))))
    with FaultProxy(echo.server_address[:2], plan=plan) as proxy:
        with _connect(proxy) as sock:
            assert sock.recv(10) == b"<"
            sock.sendall(b"0123")
            assert sock.recv(10) == b"0123>"
        assert proxy.report.ran == {"down.inject": 2}


def test_one_byte_chunks(echo: _Server) -> None:
    data = bytes(range(256)) * 4
    with FaultProxy(echo.server_address[:2], plan=Plan(up=Flow(chunk=1), down=Flow(chunk=1))) as proxy:
        assert _ask(proxy, data) == (data, "end")


@pytest.mark.parametrize(
    ("sent", "packets"),
    [
        ([b"ab\r\nc"], [b"a", b"b", b"\r\n", b"c"]),
        ([b"a\r", b"\nb"], [b"a", b"\r\n", b"b"]),
        ([b"\r\r\n\n\r"], [b"\r", b"\r\n", b"\n", b"\r"]),
    ],
)
def test_some_bytes_stay_together(sent: list[bytes], packets: list[bytes]) -> None:
    got = []
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        # Far enough apart that each packet is read alone.
        FaultProxy(listener.getsockname(), plan=Plan(up=Flow(chunk=1, rate=10, whole=b"\r\n"))) as proxy,
        _connect(proxy) as sock,
    ):
        listener.settimeout(10)
        server, _ = listener.accept()
        with server:
            for piece in sent:
                sock.sendall(piece)
                time.sleep(0.02)  # or the proxy might read both at once, which would show nothing
            sock.shutdown(socket.SHUT_WR)
            while packet := server.recv(100):
                got.append(packet)
    assert got == packets


def test_larger_chunks_give_way_to_what_stays_together(echo: _Server) -> None:
    data = b"".join(b"%d\r\n" % number for number in range(1000))
    plan = Plan(up=Flow(chunk=3, whole=b"\r\n"), down=Flow(chunk=4, whole=b"\r\n"))
    with FaultProxy(echo.server_address[:2], plan=plan) as proxy:
        assert _ask(proxy, data) == (data, "end")


def test_latency_delays_but_keeps_pipelines_flowing(echo: _Server) -> None:
    with FaultProxy(echo.server_address[:2], plan=Plan.round_trip(0.2)) as proxy, _connect(proxy) as sock:
        sock.sendall(b"x")
        assert sock.recv(1) == b"x"  # the connection stands now, on both sides
        start = time.monotonic()
        for number in range(50):
            sock.sendall(b"%02d" % number)
        got = b""
        while len(got) < 100:
            got += sock.recv(100)
        took = time.monotonic() - start
    assert got == b"".join(b"%02d" % number for number in range(50))
    assert 0.2 <= took < 2  # 50 round trips, one after the other, would be 10 seconds


def test_latency_counts_the_handshake(echo: _Server) -> None:
    with FaultProxy(echo.server_address[:2], plan=Plan.round_trip(0.1)) as proxy:
        start = time.monotonic()
        assert _ask(proxy, b"x") == (b"x", "end")
        assert time.monotonic() - start >= 0.2


def test_rate_caps_bandwidth(echo: _Server) -> None:
    data = bytes(100_000)
    with FaultProxy(echo.server_address[:2], plan=Plan(down=Flow(rate=200_000))) as proxy:
        start = time.monotonic()
        assert _ask(proxy, data) == (data, "end")
        assert time.monotonic() - start > 0.4


def test_chosen_by_number(echo: _Server) -> None:
    bad = Plan(refuse=True)
    with FaultProxy(echo.server_address[:2], plan=lambda n, kind: bad if n == 1 else Plan()) as proxy:
        assert _ask(proxy, b"a") == (b"a", "end")
        assert _talk(proxy, b"") == (b"", "reset")
        assert _ask(proxy, b"c") == (b"c", "end")
        proxy.set_plan(Plan(down=Flow(cut=Cut(0, "fin"))))
        assert _ask(proxy, b"d") == (b"", "end")
        assert proxy.report.ran == {"refuse": 1, "down.fin": 1}


def test_refused_by_the_system_and_back(echo: _Server) -> None:
    with FaultProxy(echo.server_address[:2]) as proxy:
        proxy.refuse_connections()
        with pytest.raises(ConnectionRefusedError):
            _connect(proxy)
        proxy.refuse_connections(False)
        assert _ask(proxy, b"a") == (b"a", "end")


def test_server_down_is_a_reset() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    with FaultProxy(address) as proxy:
        assert _talk(proxy, b"") == (b"", "reset")


def test_sever(echo: _Server) -> None:
    with FaultProxy(echo.server_address[:2]) as proxy:
        socks = [_connect(proxy) for _ in range(5)]
        for sock in socks:
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
        assert proxy.sever() == 5
        for sock in socks:
            assert _read_all(sock) == (b"", "reset")
            sock.close()
        assert proxy.report.open == 0
        assert proxy.report.points == 5


@pytest.mark.parametrize("extended", [False, True])
def test_ftp_data_goes_through_the_proxy(tmp_path: Path, extended: bool) -> None:
    (tmp_path / "a").write_bytes(bytes(100_000))
    data_plan = Plan(down=Flow(cut=Cut(70_000, "reset")))
    with (
        FTPServer(tmp_path) as server,
        FaultProxy((server.host, server.port), ftp=True, data_plan=data_plan) as proxy,
        ftplib.FTP() as client,
    ):
        client.connect(proxy.host, proxy.port, timeout=10)
        client.login()
        if extended:
            client.af = socket.AF_INET6  # what makes ftplib use EPSV
        out = io.BytesIO()
        with pytest.raises(ConnectionResetError):
            client.retrbinary("RETR a", out.write)
        assert len(out.getvalue()) <= 70_000
        with contextlib.suppress(ftplib.error_temp):
            client.voidresp()  # 426, or 226 from a server whose buffers had taken it all
        proxy.set_plan(Plan())
        out = io.BytesIO()
        client.retrbinary("RETR a", out.write)
        assert len(out.getvalue()) == 100_000
        assert client.storbinary("STOR b", io.BytesIO(b"up")).startswith("226")
        report = proxy.report
    assert report.data == 2
    assert report.ran == {"down.reset": 1}


@pytest.mark.parametrize("chunk", [1, None])
def test_ftp_over_tls_by_data_ports(tmp_path: Path, chunk: int | None) -> None:
    (tmp_path / "a").write_bytes(bytes(5_000))
    flow = Flow(chunk=chunk)
    with (
        claim_ports() as block,
        FTPServer(
            tmp_path, tls="explicit", passive_ports=(ports := range(block.passive_min, block.passive_min + 20))
        ) as server,
        FaultProxy((server.host, server.port), plan=Plan(flow, flow), ftp=True, data_ports=ports, host="::1") as proxy,
        ftplib.FTP_TLS(context=server.client_context()) as client,
    ):
        client.connect(proxy.host, proxy.port, timeout=10)
        client.login()
        client.prot_p()
        out = io.BytesIO()
        client.retrbinary("RETR a", out.write)
        assert len(out.getvalue()) == 5_000
        assert proxy.report.data == 1


@pytest.mark.anyio
async def test_on_the_running_loop(echo: _Server, anyio_backend_name: str) -> None:
    if anyio_backend_name != "asyncio":
        pytest.skip("needs asyncio; `with` serves the others")
    import anyio

    async with FaultProxy(echo.server_address[:2], plan=Plan(down=Flow(latency=0.01))) as proxy:
        async with await anyio.connect_tcp(proxy.host, proxy.port) as stream:
            await stream.send(b"hello")
            assert await stream.receive() == b"hello"
        assert proxy.report.control == 1
