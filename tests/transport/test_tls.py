"""TLS against the ssl module's own sockets: handshake, records, sessions, close alerts both ways."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable

import anyio
import pytest

from netclients.errors import ConnectionLost, NetClientError, PhaseTimeout, TLSError
from netclients.transport.dial import Dialer
from netclients.transport.tls import TLSStream
from tests.transport.sockets import client_context, peer, server_context

pytestmark = pytest.mark.anyio

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
SecureAct = Callable[[ssl.SSLSocket], None]


def tls_peer(act: SecureAct, context: ssl.SSLContext | None = None) -> object:
    context = context or server_context()

    def serve(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True, suppress_ragged_eofs=False) as secured:
            secured.settimeout(20)
            act(secured)

    return peer(serve)


def failing_peer(context: ssl.SSLContext | None = None) -> object:
    """A peer whose handshake is expected to fail."""

    def serve(sock: socket.socket) -> None:
        with pytest.raises(OSError):
            (context or server_context()).wrap_socket(sock, server_side=True).recv(1)

    return peer(serve)


async def dial(
    address: tuple[str, int], host: str = "localhost", dialer: Dialer | None = None, timeout: float = 10
) -> TLSStream:
    dialer = dialer or Dialer(context=client_context())
    return await dialer.start_tls(await dialer.connect(*address, 5), host, timeout)


async def read(stream: TLSStream) -> bytes:
    received = bytearray()
    buffer = bytearray(20_000)
    while count := await stream.recv_into(buffer, 10, "stall"):
        received += buffer[:count]
    return bytes(received)


@pytest.mark.parametrize("version", VERSIONS)
async def test_bytes_both_ways(version: ssl.TLSVersion) -> None:
    data = os.urandom(3_000_000)

    def act(sock: ssl.SSLSocket) -> None:
        received = bytearray()
        while len(received) < len(data):
            received += sock.recv(65536)
        assert received == data
        sock.sendall(bytes(received))
        sock.unwrap()

    with tls_peer(act) as address:
        stream = await dial(address, dialer=Dialer(context=client_context(version)))
        assert stream.version == {771: "TLSv1.2", 772: "TLSv1.3"}[version]
        assert (stream.peer, stream.closed_cleanly, stream.unsent) == ("127.0.0.1", False, False)
        assert stream.local_address == "127.0.0.1"
        await stream.send_all(data, 10, "stall")
        assert await read(stream) == data
        assert stream.closed_cleanly
        await stream.aclose(5)
        assert stream._stream._socket.fileno() == -1


@pytest.mark.parametrize("version", VERSIONS)
async def test_one_byte_at_a_time(version: ssl.TLSVersion) -> None:
    def act(sock: ssl.SSLSocket) -> None:
        for byte in b"hello":
            sock.sendall(bytes([byte]))
        sock.unwrap()

    with tls_peer(act) as address:
        stream = await dial(address, dialer=Dialer(context=client_context(version)))
        received = b""
        buffer = bytearray(1)
        while await stream.recv_into(buffer, 10, "stall"):
            received += buffer
        assert (received, stream.closed_cleanly) == (b"hello", True)
        await stream.aclose(5)


# The end


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_end_without_an_alert_is_known(version: ssl.TLSVersion) -> None:
    def act(sock: ssl.SSLSocket) -> None:
        sock.sendall(b"half of it")
        sock.shutdown(socket.SHUT_WR)  # which forgets about TLS
        while sock.recv(4096):
            pass

    with tls_peer(act) as address:
        stream = await dial(address, dialer=Dialer(context=client_context(version)))
        assert await read(stream) == b"half of it"
        assert not stream.closed_cleanly
        stream.abort()


async def test_we_say_goodbye_and_wait_for_theirs() -> None:
    heard = []

    def act(sock: ssl.SSLSocket) -> None:
        heard.append(sock.recv(10))  # our alert
        sock.unwrap()

    with tls_peer(act) as address:
        stream = await dial(address)
        await stream.aclose(5)
    assert heard == [b""]
    assert stream.closed_cleanly


async def test_data_that_comes_during_our_goodbye_is_read_away() -> None:
    enough = threading.Event()

    def act(sock: ssl.SSLSocket) -> None:
        sock.sendall(os.urandom(100_000))
        enough.set()
        assert sock.recv(10) == b""
        sock.unwrap()

    with tls_peer(act) as address:
        stream = await dial(address)
        enough.wait(10)
        await stream.aclose(5)
    assert stream.closed_cleanly


async def test_a_peer_that_does_not_answer_our_goodbye() -> None:
    done = threading.Event()

    with tls_peer(lambda _: done.wait(20) and None) as address:
        stream = await dial(address)
        with anyio.fail_after(10):
            await stream.aclose(0.05)
        assert not stream.closed_cleanly
        assert stream._stream._socket.fileno() == -1
        done.set()


async def test_a_goodbye_to_a_peer_that_is_gone() -> None:
    with tls_peer(lambda sock: sock.shutdown(socket.SHUT_RDWR)) as address:
        stream = await dial(address)
        await read(stream)
        await stream.aclose(5)
        assert stream._stream._socket.fileno() == -1


async def test_garbage_between_records() -> None:
    def serve(sock: socket.socket) -> None:
        secured = server_context().wrap_socket(sock, server_side=True)
        raw = socket.socket(fileno=secured.detach())
        raw.settimeout(20)
        with raw:
            raw.sendall(b"this is no TLS record" * 10)
            raw.recv(1000)

    with peer(serve) as address:
        stream = await dial(address)
        with pytest.raises(ConnectionLost, match="TLS with"):
            await read(stream)
        stream.abort()


# Trust


@pytest.mark.parametrize("host", ["other.example", "127.0.0.2", "localhost.evil"])
async def test_the_certificate_must_be_the_hosts(host: str) -> None:
    with failing_peer() as address:
        with pytest.raises(TLSError, match="certificate verify failed") as caught:
            await dial(address, host)
        assert isinstance(caught.value, ConnectionError)


async def test_an_unknown_authority() -> None:
    with failing_peer() as address, pytest.raises(TLSError, match="certificate verify failed"):
        await dial(address, dialer=Dialer())


async def test_no_version_in_common() -> None:
    context = server_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    dialer = Dialer(context=client_context(ssl.TLSVersion.TLSv1_3))
    with failing_peer(context) as address, pytest.raises(TLSError):
        await dial(address, dialer=dialer)


async def test_a_host_name_that_is_none() -> None:
    with peer(lambda sock: None) as address:
        dialer = Dialer(context=client_context())
        stream = await dialer.connect(*address, 5)
        with pytest.raises(NetClientError):
            await dialer.start_tls(stream, "." + "x" * 300, 5)
        assert stream._socket.fileno() == -1


@pytest.mark.parametrize("answer", [b"220 plain text\r\n", b"\x16\x03\x01", b"", b"\x15\x03\x03\x00\x02\x02\x28"])
async def test_a_peer_that_does_not_speak_tls(answer: bytes) -> None:
    def serve(sock: socket.socket) -> None:
        sock.sendall(answer)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(4096):
            pass

    with peer(serve) as address, pytest.raises((TLSError, ConnectionLost)):
        await dial(address)


async def test_a_silent_handshake() -> None:
    done = threading.Event()
    with peer(lambda _: done.wait(20) and None) as address:
        with pytest.raises(PhaseTimeout) as caught:
            await dial(address, timeout=0.05)
        assert caught.value.phase == "handshake"
        done.set()


async def test_a_cancelled_handshake_closes_the_stream() -> None:
    done = threading.Event()
    with peer(lambda _: done.wait(20) and None) as address:
        dialer = Dialer(context=client_context())
        stream = await dialer.connect(*address, 5)
        with anyio.move_on_after(0.05) as scope:
            await dialer.start_tls(stream, "localhost", 10)
        assert scope.cancelled_caught
        assert stream._socket.fileno() == -1
        done.set()


def drip(sock: socket.socket) -> None:
    """Begin a long record, and send it a byte at a time for a few seconds."""
    with contextlib.suppress(OSError):
        sock.sendall(b"\x16\x03\x03\x40\x00")
        for _ in range(200):
            sock.sendall(b"\x02")
            time.sleep(0.02)


async def test_a_handshake_that_drips_in() -> None:
    with peer(drip) as address:
        with anyio.fail_after(3), pytest.raises(PhaseTimeout) as caught:
            await dial(address, timeout=0.3)
        assert (caught.value.phase, caught.value.seconds) == ("handshake", 0.3)


async def test_a_goodbye_that_drips_in() -> None:
    def serve(sock: socket.socket) -> None:
        secured = server_context().wrap_socket(sock, server_side=True)
        with socket.socket(fileno=secured.detach()) as raw:
            drip(raw)

    with peer(serve) as address:
        stream = await dial(address)
        with anyio.fail_after(3):
            await stream.aclose(0.3)
        assert stream._stream._socket.fileno() == -1


# Sessions


@pytest.mark.parametrize("version", VERSIONS)
async def test_sessions_are_reused(version: ssl.TLSVersion) -> None:
    context = server_context()
    reused: list[bool] = []

    def act(sock: ssl.SSLSocket) -> None:
        reused.append(bool(sock.session_reused))
        sock.sendall(b"x")
        sock.recv(10)
        sock.unwrap()

    dialer = Dialer(context=client_context(version))
    session = None
    for number in range(3):
        with tls_peer(act, context) as address:
            stream = dialer.secure(await dialer.connect(*address, 5), "localhost", session=session)
            await stream.handshake(5)
            assert await stream.recv_into(bytearray(9), 5, "stall") == 1  # tickets of TLS 1.3 come before it
            session = stream.session
            assert session is not None
            assert stream.session_reused is (number > 0)
            await stream.aclose(5)
    assert reused == [False, True, True]


async def test_an_older_version_on_demand() -> None:
    def act(sock: ssl.SSLSocket) -> None:
        sock.recv(10)
        sock.unwrap()

    context = client_context()
    dialer = Dialer(context=context)
    before = context.maximum_version
    with tls_peer(act) as address:
        stream = await dialer.start_tls(await dialer.connect(*address, 5), "localhost", 5, newest=False)
        assert stream.version == "TLSv1.2"
        assert context.maximum_version == before
        await stream.aclose(5)
    assert not Dialer(context=client_context(ssl.TLSVersion.TLSv1_3)).allows_tls12


async def test_what_waits_behind_a_slow_peer_is_bounded() -> None:
    go = threading.Event()
    received = []

    def act(sock: ssl.SSLSocket) -> None:
        go.wait(20)
        while piece := sock.recv(1 << 20):
            received.append(len(piece))
        sock.unwrap()

    with tls_peer(act) as address:
        stream = await dial(address)
        data = bytes(1 << 20)
        taken = 0
        while count := stream.try_send(data):
            assert count <= 256 * 1024
            taken += count
        assert stream.unsent
        assert stream.try_send(data) == 0
        assert stream.try_send(b"") == 0
        go.set()
        await stream.flush(10, "stall")
        await stream.aclose(10)
    assert sum(received) == taken
