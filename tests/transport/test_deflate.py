"""Compression of a byte stream: every byte arrives, nothing is held back, and a bomb costs no memory."""

from __future__ import annotations

import random
import socket
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.errors import ConnectionLost, PhaseTimeout, ProtocolError
from netclients.transport.deflate import DeflateStream
from netclients.transport.memory import MemoryStream
from netclients.transport.steps import Close, Generate, Reset, Say, Stall
from netclients.transport.stream import ByteStream, SocketStream


class Pipe(ByteStream):
    """What is sent is kept; ``incoming`` is received, at most ``chunk`` bytes at a time."""

    def __init__(self, incoming: bytes = b"", *, chunk: int = 1 << 20, takes: int = 1 << 20) -> None:
        self.incoming = bytearray(incoming)
        self.chunk = chunk
        self.takes = takes
        self.sent = bytearray()
        self.ended = False
        self.calls: list[str] = []

    def try_recv_into(self, buffer: bytearray | memoryview) -> int | None:
        count = min(len(buffer), self.chunk, len(self.incoming))
        if not count:
            return 0 if self.ended else None
        buffer[:count] = self.incoming[:count]
        del self.incoming[:count]
        return count

    def try_send(self, data: bytes | bytearray | memoryview) -> int:
        taken = bytes(data[: self.takes])
        self.sent += taken
        return len(taken)

    @property
    def socket(self) -> None:
        return None

    @property
    def peer(self) -> str:
        return "peer"

    @property
    def local_address(self) -> str | None:
        return "here"

    def hold(self) -> None:
        self.calls.append("hold")

    def let_go(self) -> None:
        self.calls.append("let_go")

    def try_close(self) -> bool:
        self.calls.append("try_close")
        return False

    def abort(self) -> None:
        self.calls.append("abort")

    async def aclose(self, timeout: float | None = None) -> None:
        self.calls.append(f"aclose {timeout}")


def deflated(*pieces: bytes, flush: int = zlib.Z_SYNC_FLUSH) -> bytes:
    deflater = zlib.compressobj(9, wbits=-15)
    return b"".join(deflater.compress(piece) + deflater.flush(flush) for piece in pieces)


def inflated(data: bytes) -> bytes:
    return zlib.decompressobj(-15).decompress(data)


def received(stream: ByteStream, *, room: int = 4096) -> bytes:
    """All that can be read without waiting."""
    found = bytearray()
    buffer = bytearray(room)
    while count := stream.try_recv_into(buffer):
        assert count <= room
        found += buffer[:count]
    return bytes(found)


def send(stream: ByteStream, data: bytes) -> None:
    """Send all of it to a peer that takes it."""
    while data:
        data = data[stream.try_send(data) :]
    while stream.unsent:
        stream.try_flush()


DATA = [
    b"",
    b"x",
    b"a1 NOOP\r\n",
    b"x" * 1_000_000,
    bytes(range(256)) * 1000,
    random.Random(1).randbytes(300_000),
]


@pytest.mark.parametrize("room", [1, 7, 4096, 1 << 20])
@pytest.mark.parametrize("chunk", [1, 13, 1 << 20])
@pytest.mark.parametrize("data", DATA, ids=len)
def test_received(data: bytes, chunk: int, room: int) -> None:
    if len(data) // min(chunk, room) > 100_000:
        data = data[:50_000]
    assert received(DeflateStream(Pipe(deflated(data), chunk=chunk)), room=room) == data


@pytest.mark.parametrize("flush", [zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH])
@pytest.mark.parametrize("room", [1, 100, 257, 258, 259, 4096])
def test_what_was_flushed_can_be_read_at_once(flush: int, room: int) -> None:
    """However full the reader's buffer is when the last byte comes: a reply must not wait for the next one."""
    for size in (*range(250, 270), 5000, 5001):
        pipe = Pipe()
        stream = DeflateStream(pipe)
        deflater = zlib.compressobj(9, wbits=-15)
        for piece in (b"x" * size, b"ab" * size, b"+ OK\r\n"):
            pipe.incoming += deflater.compress(piece) + deflater.flush(flush)
            assert received(stream, room=room) == piece


@pytest.mark.parametrize("takes", [1, 100, 1 << 20])
@pytest.mark.parametrize("data", DATA, ids=len)
def test_sent(data: bytes, takes: int) -> None:
    pipe = Pipe(takes=takes)
    stream = DeflateStream(pipe)
    send(stream, data[:100_000] if takes == 1 else data)
    assert inflated(bytes(pipe.sent)) == (data[:100_000] if takes == 1 else data)


def test_each_send_can_be_read_by_the_peer_at_once() -> None:
    pipe = Pipe()
    stream = DeflateStream(pipe)
    peer = zlib.decompressobj(-15)
    for line in (b"a1 NOOP\r\n", b"a2 NOOP\r\n", b"x" * 70_000):
        send(stream, line)
        assert peer.decompress(bytes(pipe.sent)) == line
        pipe.sent.clear()


def test_repetition_across_sends_is_made_use_of() -> None:
    pipe = Pipe()
    stream = DeflateStream(pipe)
    line = random.Random(2).randbytes(500)
    send(stream, line)
    first = len(pipe.sent)
    send(stream, line)
    assert len(pipe.sent) - first < 50


def test_a_peer_that_takes_nothing() -> None:
    """What was taken is held back, and nothing more is taken until it is gone."""
    pipe = Pipe(takes=0)
    stream = DeflateStream(pipe)
    assert stream.try_send(b"x" * 200_000) == 65536
    assert stream.unsent
    assert stream.try_send(b"x") == 0
    pipe.takes = 3
    stream.try_flush()
    assert len(pipe.sent) == 3
    assert stream.unsent
    pipe.takes = 1 << 20
    stream.try_flush()
    assert not stream.unsent
    assert inflated(bytes(pipe.sent)) == b"x" * 65536


def test_nothing_is_sent_for_nothing() -> None:
    pipe = Pipe()
    stream = DeflateStream(pipe)
    assert stream.try_send(b"") == 0
    assert pipe.sent == b""


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_kinds_of_buffers(kind: type) -> None:
    pipe = Pipe()
    assert DeflateStream(pipe).try_send(kind(b"hello")) == 5
    assert inflated(bytes(pipe.sent)) == b"hello"


def test_the_end() -> None:
    pipe = Pipe(deflated(b"bye"))
    pipe.ended = True
    stream = DeflateStream(pipe)
    buffer = bytearray(100)
    assert [stream.try_recv_into(buffer) for _ in range(3)] == [3, 0, 0]


@pytest.mark.parametrize("room", [1, 10, 100])
@pytest.mark.parametrize("size", [1, 5, 1000, 100_000])
def test_a_finished_stream_is_whole(room: int, size: int) -> None:
    pipe = Pipe(deflated(b"x" * size, flush=zlib.Z_FINISH))
    pipe.ended = True
    assert received(DeflateStream(pipe), room=room) == b"x" * size


@pytest.mark.parametrize("behind", [b"* OK in clear\r\n", b"\0"])
@pytest.mark.parametrize("together", [True, False])
def test_more_behind_the_end_of_the_compressed_data(behind: bytes, together: bool) -> None:
    pipe = Pipe(deflated(b"all", flush=zlib.Z_FINISH))
    stream = DeflateStream(pipe)
    if together:
        pipe.incoming += behind
    buffer = bytearray(100)
    assert stream.try_recv_into(buffer) == 3
    if not together:
        pipe.incoming += behind
    with pytest.raises(ProtocolError, match="behind the end"):
        stream.try_recv_into(buffer)


@pytest.mark.parametrize(
    "data",
    [b"* OK in clear\r\n", b"\x78\x9c\x03\x00\x00\x00\x00\x01", b"\x16\x03\x01\x02\x00", b"\xff" * 10, b"\x07garbage"],
)
def test_what_is_not_compressed(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="broken"):
        received(DeflateStream(Pipe(data)))


def test_data_that_breaks_in_the_middle() -> None:
    good = deflated(b"hello " * 100)
    with pytest.raises(ProtocolError, match="broken"):
        received(DeflateStream(Pipe(good + b"\xff\xff\xff\xff")))


def test_a_bomb_costs_the_readers_buffer() -> None:
    bomb = deflated(b"\0" * 200_000_000)
    stream = DeflateStream(Pipe(bomb))
    buffer = bytearray(65536)
    tracemalloc.start()
    began = time.process_time()
    total = 0
    while count := stream.try_recv_into(buffer):
        total += count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 200_000_000
    assert peak < 2_000_000
    assert time.process_time() - began < 20


def test_data_that_comes_to_nothing() -> None:
    """Empty blocks without an end would keep the reader, and the event loop, for ever."""

    class Endless(Pipe):
        def try_recv_into(self, buffer: bytearray | memoryview) -> int | None:
            empty = b"\0\0\0\xff\xff" * (len(buffer) // 5)
            buffer[: len(empty)] = empty
            self.calls.append("read")
            return len(empty)

    pipe = Endless()
    with pytest.raises(ProtocolError, match="nothing"):
        DeflateStream(pipe).try_recv_into(bytearray(1000))
    assert len(pipe.calls) < 30


def test_now_and_then_nothing_is_in_order() -> None:
    """A server may flush as often as it likes."""
    pipe = Pipe()
    stream = DeflateStream(pipe)
    deflater = zlib.compressobj(9, wbits=-15)
    for _ in range(5):
        pipe.incoming += deflater.compress(b"x") + deflater.flush(zlib.Z_SYNC_FLUSH) + b"\0\0\0\xff\xff" * 100_000
        assert received(stream) == b"x"


def test_the_rest_is_that_of_the_stream_below() -> None:
    memory = MemoryStream([Stall()])
    stream = DeflateStream(memory)
    assert stream.below is memory
    assert stream.socket is memory.socket is None
    assert (stream.peer, stream.local_address) == (memory.peer, memory.local_address)
    assert stream.secured is False
    assert stream.closed_cleanly is memory.closed_cleanly
    assert stream.try_recv_into(bytearray(1)) is None
    assert stream.stalled is memory.stalled is True
    stream.abort()
    assert memory.aborted


def test_calls_are_passed_on() -> None:
    pipe = Pipe()
    stream = DeflateStream(pipe)
    stream.hold()
    stream.let_go()
    assert stream.try_close() is False
    stream.abort()
    assert pipe.calls == ["hold", "let_go", "try_close", "abort"]


@contextmanager
def pair() -> Iterator[tuple[DeflateStream, DeflateStream]]:
    one, other = socket.socketpair()
    with one, other:
        for end in (one, other):
            end.setblocking(False)
        yield DeflateStream(SocketStream(one, "a")), DeflateStream(SocketStream(other, "b"))


@pytest.mark.anyio
async def test_over_sockets() -> None:
    """Both ways; a wait ends when something has come."""
    import anyio

    data = random.Random(3).randbytes(500_000) + b"y" * 3_000_000
    with pair() as (one, other):

        async def echo() -> None:
            buffer = bytearray(65536)
            while count := await other.recv_into(buffer, 20, "stall"):
                await other.send_all(buffer[:count], 20, "stall")

        async with anyio.create_task_group() as group:
            group.start_soon(echo)
            group.start_soon(one.send_all, data, 20, "stall")
            found = bytearray()
            buffer = bytearray(10_000)
            while len(found) < len(data):
                found += buffer[: await one.recv_into(buffer, 20, "stall")]
            await one.aclose()
        assert found == data


@pytest.mark.anyio
async def test_a_silent_and_a_lost_peer() -> None:
    buffer = bytearray(10)
    with pytest.raises(PhaseTimeout):
        await DeflateStream(MemoryStream([Stall()])).recv_into(buffer, 1, "stall")
    with pytest.raises(ConnectionLost):
        await DeflateStream(MemoryStream([Reset()])).recv_into(buffer, 1, "stall")
    stream = DeflateStream(MemoryStream([Say(deflated(b"hi")), Close()]))
    assert [await stream.recv_into(buffer, 1, "stall") for _ in range(2)] == [2, 0]
    pieces = Generate(lambda: iter([deflated(b"one")[:2], deflated(b"one")[2:]]))
    stream = DeflateStream(MemoryStream([pieces, Close()]))
    assert [await stream.recv_into(buffer, 1, "stall") for _ in range(3)] == [1, 2, 0]


@given(st.lists(st.binary(max_size=2000), max_size=8), st.integers(1, 300), st.integers(1, 300), st.integers(1, 300))
def test_any_data_passes(pieces: list[bytes], chunk: int, room: int, takes: int) -> None:
    there = Pipe(takes=takes)
    out = DeflateStream(there)
    for piece in pieces:
        send(out, piece)
    back = DeflateStream(Pipe(bytes(there.sent), chunk=chunk))
    assert received(back, room=room) == b"".join(pieces)


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_input_is_inflated_or_a_protocol_error(data: bytes, chunk: int) -> None:
    try:
        found = received(DeflateStream(Pipe(data, chunk=chunk)))
    except ProtocolError:
        return
    assert len(found) <= 1032 * len(data)
