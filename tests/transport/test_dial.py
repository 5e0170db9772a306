"""Dialling on loopback: literal addresses, names, dead addresses, proxies that are none, listeners."""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import anyio
import pytest

from netclients.errors import ConfigurationError, ConnectError, PhaseTimeout, UnsupportedError
from netclients.transport import dial as dial_module
from netclients.transport.dial import Dialer, Listener, connect_address
from netclients.transport.stream import wait_any
from tests.transport.sockets import peer

pytestmark = pytest.mark.anyio


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no ::1")


@pytest.fixture
def refused() -> int:
    """A port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def resolve_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    async def getaddrinfo(host: str, port: int, **_: object) -> list[object]:
        found = []
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            where = (address, port, 0, 0) if ":" in address else (address, port)
            found.append((family, socket.SOCK_STREAM, 6, "", where))
        return found

    monkeypatch.setattr(anyio, "getaddrinfo", getaddrinfo)
    from anyio._core import _sockets

    monkeypatch.setattr(_sockets, "getaddrinfo", getaddrinfo)


async def greet(host: str, port: int, **options: object) -> str:
    """Connect, read one byte; return the peer's address."""
    stream = await Dialer().connect(host, port, 5, **options)  # type: ignore[arg-type]
    assert await stream.recv_into(bytearray(1), 5, "reply") == 1
    keepalive = bool(stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
    no_delay = bool(stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
    blocking = stream.socket.getblocking()
    stream.abort()
    assert keepalive is options.get("keepalive", True)
    assert no_delay or not keepalive
    assert not blocking
    return stream.peer


def say_x(sock: socket.socket) -> None:
    sock.sendall(b"x")
    sock.recv(1)


@pytest.mark.parametrize("keepalive", [True, False])
async def test_an_address(keepalive: bool) -> None:
    with peer(say_x) as (host, port):
        assert await greet(host, port, keepalive=keepalive) == "127.0.0.1"


async def test_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "127.0.0.1")
    with peer(say_x) as (_, port):
        assert await greet("some.name", port) == "127.0.0.1"


@needs_ipv6
async def test_a_dead_first_address(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve_to(monkeypatch, "::1", "127.0.0.1")  # the port is open on the second only
    with peer(say_x) as (_, port):
        assert await greet("some.name", port) == "127.0.0.1"


@needs_ipv6
async def test_no_address_answers(monkeypatch: pytest.MonkeyPatch, refused: int) -> None:
    resolve_to(monkeypatch, "::1", "127.0.0.1")
    with pytest.raises(ConnectError, match=f"no connection to some.name:{refused}"):
        await Dialer().connect("some.name", refused, 5)


async def test_the_only_address_refuses(monkeypatch: pytest.MonkeyPatch, refused: int) -> None:
    resolve_to(monkeypatch, "127.0.0.1")
    with pytest.raises(ConnectError, match=f"no connection to 127.0.0.1:{refused}"):
        await Dialer().connect("some.name", refused, 5)
    with pytest.raises(ConnectError, match="refused"):
        await Dialer().connect("127.0.0.1", refused, 5)


async def test_a_name_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(anyio, "getaddrinfo", getaddrinfo)
    with pytest.raises(ConnectError, match=r"no address for 'nowhere\.invalid'"):
        await Dialer().connect("nowhere.invalid", 21, 5)


@pytest.mark.parametrize("host", ["x" * 64 + ".example", "a..b", "\udcff", "ä" * 100])
async def test_a_name_that_is_none(host: str) -> None:
    with pytest.raises(ConnectError, match="no address for"):
        await Dialer().connect(host, 21, 5)


async def test_resolving_takes_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def getaddrinfo(*_: object, **__: object) -> list[object]:
        await anyio.sleep_forever()
        raise AssertionError

    monkeypatch.setattr(anyio, "getaddrinfo", getaddrinfo)
    with pytest.raises(PhaseTimeout, match=r"slow\.name:21") as caught:
        await Dialer().connect("slow.name", 21, 0.01)
    assert caught.value.phase == "connect"


@pytest.mark.skipif(sys.platform != "linux", reason="a full backlog drops SYNs only here")
async def test_a_host_that_does_not_answer() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
            fillers.append(filler)
        with pytest.raises(PhaseTimeout) as caught:
            await Dialer().connect("127.0.0.1", full.getsockname()[1], 0.05)
        assert caught.value.phase == "connect"
        with anyio.move_on_after(0.05) as scope:
            await Dialer().connect("127.0.0.1", full.getsockname()[1], 20)
        assert scope.cancelled_caught
        for filler in fillers:
            filler.close()


async def test_a_family_that_does_not_exist() -> None:
    with pytest.raises(ConnectError, match="no socket"):
        await connect_address(-5, ("127.0.0.1", 1), 1)


# Settings


def test_proxies() -> None:
    assert not Dialer().proxied
    assert Dialer(proxy="socks5://127.0.0.1:1080").proxied
    for url in ("gopher://x:1", "nonsense", "socks5://"):
        with pytest.raises(ConfigurationError, match="URL"):
            Dialer(proxy=url)


def test_a_proxy_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_socks", None)
    with pytest.raises(UnsupportedError, match=r"netclients\[proxy\]"):
        Dialer(proxy="socks5://127.0.0.1:1080")


async def test_a_proxy_that_is_not_there(refused: int) -> None:
    dialer = Dialer(proxy=f"socks5://127.0.0.1:{refused}")
    with pytest.raises(ConnectError, match=r"proxy: no connection to far\.example:21"):
        await dialer.connect("far.example", 21, 5)


async def test_a_proxy_that_is_silent() -> None:
    done = threading.Event()
    with peer(lambda _: done.wait(20) and None) as (host, port):
        dialer = Dialer(proxy=f"socks5://{host}:{port}")
        with pytest.raises(PhaseTimeout) as caught:
            await dialer.connect("far.example", 21, 0.05)
        assert caught.value.phase == "connect"
        done.set()


def test_scratch_is_kept_until_it_is_replaced() -> None:
    dialer = Dialer()
    first = dialer.scratch
    assert dialer.scratch is first
    dialer.replace_scratch()
    assert dialer.scratch is not first
    assert dialer.context is dialer.context


# Listeners


@pytest.mark.parametrize("address", ["127.0.0.1", pytest.param("::1", marks=needs_ipv6)])
async def test_a_listener_takes_its_peer(address: str) -> None:
    listener = Listener(address)
    assert listener.try_accept(address) is None
    with socket.create_connection((address, listener.port)) as caller:
        await wait_any([listener], [], 5, "connect")
        stream = listener.try_accept(address)
        assert stream is not None
        assert stream.peer == address
        caller.sendall(b"x")
        assert await stream.recv_into(bytearray(1), 5, "stall") == 1
        stream.abort()
    listener.close()
    assert not listener.stalled
    with pytest.raises(ConnectError, match="active data connection"):
        listener.try_accept(address)


@pytest.mark.skipif(sys.platform != "linux", reason="only there all of 127/8 is loopback")
async def test_a_listener_turns_others_away() -> None:
    listener = Listener("127.0.0.1")
    with socket.create_connection(("127.0.0.1", listener.port), source_address=("127.0.0.2", 0)) as stranger:
        await wait_any([listener], [], 5, "connect")
        assert listener.try_accept("127.0.0.1") is None
        stranger.settimeout(5)
        assert stranger.recv(1) == b""
        with socket.create_connection(("127.0.0.1", listener.port)) as friend:
            await wait_any([listener], [], 5, "connect")
            stream = listener.try_accept("127.0.0.1")
            assert stream is not None
            assert friend.getsockname() == stream.socket.getpeername()
            stream.abort()
    with socket.create_connection(("127.0.0.1", listener.port), source_address=("127.0.0.2", 0)):
        await wait_any([listener], [], 5, "connect")
        anybody = listener.try_accept(None)
        assert anybody is not None
        anybody.abort()
    listener.close()


def test_bad_listeners() -> None:
    with pytest.raises(ConfigurationError, match="not an IP address"):
        Listener("localhost")
    with pytest.raises(ConnectError, match=r"can't listen on 192\.0\.2\.1"):
        Listener("192.0.2.1")


@pytest.mark.parametrize(
    ("host", "family"),
    [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6), ("localhost", None), ("127.1", None), ("1", None)],
)
def test_literal_addresses(host: str, family: int | None) -> None:
    assert dial_module._literal_family(host) == family


# Unix sockets

needs_unix = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="this platform has no Unix sockets")


def unix_listener(path: Path, backlog: int = 5) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(backlog)
    listener.settimeout(20)
    return listener


@needs_unix
async def test_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with unix_listener(tmp_path / "s") as listener:
        stream = await Dialer(proxy=None).connect_unix(path, 5)
        theirs, _ = listener.accept()
        with theirs:
            assert stream.peer == path
            assert not stream.socket.getblocking()
            theirs.sendall(b"220 hello")
            buffer = bytearray(20)
            assert await stream.recv_into(buffer, 5, "reply") == 9
            await stream.send_all(b"LHLO", 5, "reply")
            assert theirs.recv(20) == b"LHLO"
            await stream.aclose()
            assert theirs.recv(20) == b""


@needs_unix
@pytest.mark.parametrize("name", ["missing", "file", "x" * 300, "left", "nul\0inside", "\ud800"])
async def test_a_unix_socket_that_is_none(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    unix_listener(tmp_path / "left").close()
    with pytest.raises(ConnectError, match="no connection to") as caught:
        await Dialer().connect_unix(str(tmp_path / name), 5)
    str(caught.value).encode()


@needs_unix
@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse at once")
async def test_a_unix_socket_whose_queue_is_full(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with unix_listener(tmp_path / "s", 0) as listener:
        first = await Dialer().connect_unix(path, 5)
        with pytest.raises(PhaseTimeout) as caught:
            await Dialer().connect_unix(path, 0.1)
        assert (caught.value.phase, caught.value.seconds) == ("connect", 0.1)
        timer = threading.Timer(0.1, lambda: listener.accept()[0].close())
        timer.start()
        second = await Dialer().connect_unix(path, 5)
        timer.join()
        for stream in (first, second):
            stream.abort()


async def test_no_unix_sockets_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dial_module, "socket", SimpleNamespace())
    with pytest.raises(UnsupportedError, match="Unix sockets"):
        await Dialer().connect_unix("/tmp/s", 5)
