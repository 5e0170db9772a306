"""The reader's and writer's face of a stream, over a pair of sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from netclients import ConnectionLost, PhaseTimeout, ProtocolError
from netclients.interop._asyncio_streams import StreamPair
from netclients.transport.dial import Dialer
from netclients.transport.stream import SocketStream

pytestmark = pytest.mark.asyncio


class Far:
    """The other end, and the socket at this one."""

    def __init__(self) -> None:
        self.near, self.socket = socket.socketpair()
        self.near.setblocking(False)
        self.socket.settimeout(5)
        self.sendall = self.socket.sendall
        self.close = self.socket.close


@pytest.fixture
def far() -> Iterator[Far]:
    far = Far()
    yield far
    far.near.close()
    far.close()


def pair_to(far: Far, **options: float) -> StreamPair:
    settings = {"timeout": 5.0, "line_limit": 1000, **options}
    return StreamPair(SocketStream(far.near, "the far end"), Dialer(), phase="reply", **settings)  # type: ignore[arg-type]


async def test_read_all(far: Far) -> None:
    pair = pair_to(far)
    far.sendall(b"one\ntwo")
    far.close()
    assert await pair.readline() == b"one\n"
    assert not pair.at_eof()
    assert await pair.read() == b"two"
    assert pair.at_eof()
    assert await pair.read() == await pair.read(10) == await pair.readline() == b""


async def test_read_some(far: Far) -> None:
    pair = pair_to(far)
    far.sendall(b"0123456789")
    assert await pair.read(0) == b""
    assert await pair.read(3) == b"012"
    assert await pair.readexactly(4) == b"3456"
    far.close()
    with pytest.raises(asyncio.IncompleteReadError) as caught:
        await pair.readexactly(4)
    assert caught.value.partial == b"789"


@pytest.mark.parametrize("cut", range(1, 12))
async def test_lines_in_pieces(far: Far, cut: int) -> None:
    pair = pair_to(far)
    text = b"220 a\r\n\n end"
    far.sendall(text[:cut])
    asyncio.get_running_loop().call_later(0.01, far.sendall, text[cut:])
    lines = [await pair.readline(), await pair.readline()]
    await asyncio.sleep(0.02)
    far.close()
    lines.append(await pair.readline())
    assert lines == [b"220 a\r\n", b"\n", b" end"]


async def test_bounds(far: Far) -> None:
    pair = pair_to(far, reply_limit=100)
    for _ in range(3):
        # The bound is on what comes between two writes.
        far.sendall(b"x" * 79 + b"\n")
        assert len(await pair.readline()) == 80
        pair.write(b"NOOP\r\n")
        await pair.drain()
    far.sendall(b"y" * 79 + b"\n" + b"z" * 79 + b"\n")
    await pair.readline()
    with pytest.raises(ProtocolError, match="reply of more than 100"):
        await pair.readline()
    far.sendall(b"x" * 2000)
    with pytest.raises(ProtocolError, match="line of more than 1000"):
        await pair.readline()


async def test_silence_is_a_timeout(far: Far) -> None:
    pair = pair_to(far, timeout=0.05)
    with pytest.raises(PhaseTimeout) as caught:
        await pair.read(1)
    assert caught.value.phase == "reply"


async def test_writing_waits_for_the_reader(far: Far) -> None:
    pair = pair_to(far)
    data = bytes(5_000_000)
    pair.write(data)
    drained = asyncio.create_task(pair.drain())
    await asyncio.sleep(0.05)
    assert not drained.done()
    received = 0
    far.socket.setblocking(False)
    while received < len(data):
        received += len(await asyncio.get_running_loop().sock_recv(far.socket, 1 << 20))
    await drained


async def test_other_tasks_have_their_turn(far: Far) -> None:
    pair = pair_to(far)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def feed() -> None:
        far.sendall(bytes(20_000_000))
        far.close()

    counter = asyncio.create_task(count())
    feeding = asyncio.create_task(asyncio.to_thread(feed))
    total = 0
    while data := await pair.read(1 << 16):
        total += len(data)
    counter.cancel()
    await feeding
    assert total == 20_000_000
    assert turns > 10


async def test_closing(far: Far) -> None:
    pair = pair_to(far)
    assert pair.get_extra_info("peername") == ("the far end",)
    assert pair.transport.get_extra_info("socket") is far.near
    assert pair.get_extra_info("ssl_object", 7) == 7
    assert pair.session is None
    assert not pair.session_reused
    assert not pair.is_closing()
    pair.close()
    pair.close()
    await pair.wait_closed()
    assert pair.is_closing()
    assert far.socket.recv(1) == b""
    with pytest.raises(ConnectionLost):
        await pair.read(1)
