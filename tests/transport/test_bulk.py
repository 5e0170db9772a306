"""Bulk data: sinks that keep what they get, files, uploads, rates, and turns for other tasks."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint

from netclients.errors import ConnectionLost, LocalFileError, PhaseTimeout
from netclients.transport import bulk as bulk_module
from netclients.transport.bulk import FileBuffer, receive_to_file, receive_to_sink, send_from
from netclients.transport.dial import Dialer
from netclients.transport.memory import Close, Expect, MemoryStream, Reset, Say, Stall
from netclients.transport.rate import Meter, RateLimit
from netclients.transport.source import ByteSource
from netclients.transport.stream import Buffer, SocketStream
from tests.transport.clock import Clock
from tests.transport.sockets import pair

pytestmark = pytest.mark.anyio

DATA = bytes(range(251)) * 40


async def never() -> None:
    raise AssertionError("nothing to wait for")


async def to_sink(sink: object, data: bytes = DATA, *, chunk: int | None = 1000, dialer: Dialer | None = None) -> Meter:
    meter = Meter()
    stream = MemoryStream([Say(data), Close()], chunk=chunk)
    await receive_to_sink(stream, sink, never, meter, dialer or Dialer())  # type: ignore[arg-type]
    return meter


# Sinks


async def test_everything_arrives_in_order() -> None:
    received = bytearray()
    meter = await to_sink(received.extend)
    assert received == DATA
    assert meter.total == len(DATA)


async def test_views_are_read_only_and_end_with_the_call() -> None:
    views: list[memoryview] = []

    def sink(view: memoryview) -> None:
        assert view.readonly
        assert view.nbytes == len(view) <= 1000
        views.append(view)

    await to_sink(sink)
    for view in views:
        with pytest.raises(ValueError, match="released"):
            bytes(view)


async def test_an_awaitable_is_awaited_and_its_view_stays_until_then() -> None:
    received = bytearray()
    dialer = Dialer()

    async def sink(view: memoryview) -> None:
        await checkpoint()
        scratch = dialer.scratch  # another connection of the same client reads meanwhile
        scratch[:] = b"!" * len(scratch)
        await checkpoint()
        received.extend(view)

    await to_sink(sink, dialer=dialer)
    assert received == DATA


@pytest.mark.parametrize("awaitable", [False, True])
@pytest.mark.parametrize("keep", [lambda view: view[3:9], lambda view: memoryview(view), lambda view: view.cast("b")])
async def test_what_is_kept_never_changes(awaitable: bool, keep: object) -> None:
    kept: list[tuple[memoryview, bytes]] = []
    dialer = Dialer()

    def sink(view: memoryview) -> object:
        part = keep(view)  # type: ignore[operator]
        kept.append((part, bytes(part)))
        return checkpoint() if awaitable else None

    await to_sink(sink, dialer=dialer)
    received = bytearray()
    await to_sink(received.extend, b"!" * 300_000, chunk=None, dialer=dialer)
    assert len(kept) == 11
    for part, content in kept:
        assert bytes(part) == content
    assert bytes(received) == b"!" * 300_000


async def test_a_sink_that_raises_ends_the_transfer() -> None:
    kept = []
    dialer = Dialer()

    def sink(view: memoryview) -> None:
        kept.append((view[:4], bytes(view[:4])))
        raise KeyError

    with pytest.raises(KeyError):
        await to_sink(sink, dialer=dialer)
    await to_sink(lambda _: None, b"!" * 1000, dialer=dialer)
    assert bytes(kept[0][0]) == kept[0][1]


async def test_waiting_is_the_callers_business() -> None:
    waits = []

    async def idle() -> None:
        waits.append(1)
        if len(waits) == 3:
            raise PhaseTimeout("stall", 1)

    stream = MemoryStream([Say(b"x"), Stall()])
    received = bytearray()
    with pytest.raises(PhaseTimeout):
        await receive_to_sink(stream, received.extend, idle, Meter(), Dialer())
    assert (received, len(waits)) == (b"x", 3)


# Files


async def to_file(data: bytes, cap: int, *, chunk: int | None = None, meter: Meter | None = None) -> list[bytes]:
    stored: list[bytes] = []
    buffer = FileBuffer(lambda: cap, lambda content: stored.append(bytes(content)))
    stream = MemoryStream([Say(data), Close()], chunk=chunk)
    await receive_to_file(stream, buffer, never, meter or Meter())
    with buffer.content() as rest:
        return [*stored, bytes(rest)]


@pytest.mark.parametrize("chunk", [None, 1, 1000, 16 * 1024])
@pytest.mark.parametrize("size", [0, 1, 16 * 1024, 16 * 1024 + 1, 100_000])
async def test_a_file_is_stored_in_pieces(size: int, chunk: int | None) -> None:
    if chunk == 1 and size > 20_000:
        size = 20_000
    data = (DATA * 10)[:size]
    pieces = await to_file(data, 32 * 1024, chunk=chunk)
    assert b"".join(pieces) == data
    assert all(len(piece) <= 32 * 1024 for piece in pieces)
    assert all(len(piece) == 32 * 1024 for piece in pieces[:-1])


async def test_a_small_file_stays_in_memory() -> None:
    assert await to_file(b"small", 1 << 20) == [b"small"]


async def test_waiting_for_a_file_is_the_callers_business() -> None:
    waits = []

    async def idle() -> None:
        waits.append(1)
        if len(waits) > 1:
            raise PhaseTimeout("stall", 1)

    buffer = FileBuffer(lambda: 1, lambda _: None)
    with pytest.raises(PhaseTimeout):
        await receive_to_file(MemoryStream([Say(b"x")]), buffer, idle, Meter())
    assert len(waits) == 2
    with buffer.content() as content:
        assert bytes(content) == b"x"
    buffer.clear()
    with buffer.content() as content:
        assert bytes(content) == b""


async def test_a_disk_that_fails_ends_the_transfer() -> None:
    def store(_: memoryview) -> None:
        raise LocalFileError("disk full")

    stream = MemoryStream([Say(DATA * 100), Close()])
    with pytest.raises(LocalFileError, match="disk full"):
        await receive_to_file(stream, FileBuffer(lambda: 1, store), never, Meter())


# Worker threads, from socket to file


class InThread(MemoryStream):
    """Notes which thread received, and how much at a time."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.received: list[tuple[int, int]] = []

    def try_recv_into(self, buffer: bytearray | memoryview) -> int | None:
        count = super().try_recv_into(buffer)
        self.received.append((threading.get_ident(), count or 0))
        return count


def full_buffer(stored: list[bytes], size: int = 16 * 1024) -> FileBuffer:
    buffer = FileBuffer(lambda: size, lambda content: stored.append(bytes(content)))
    with buffer.room(None) as room:
        room[:] = b"\0" * len(room)
        count = len(room)
    assert buffer.took(count)
    return buffer


async def test_who_writes_also_receives_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    stored: list[bytes] = []
    buffer = full_buffer(stored)
    moved = buffer.write_on(MemoryStream([Say(DATA * 10)]), 1 << 30)
    assert (moved.count, moved.error) == (len(DATA) * 10, None)
    with buffer.content() as rest:
        assert b"".join(stored) + rest == bytes(16 * 1024) + DATA * 10
    assert {len(piece) for piece in stored} == {16 * 1024}


async def test_who_writes_receives_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    stream = MemoryStream([Say(DATA * 10)])
    assert full_buffer([]).write_on(stream, 5000).count == 5000

    def slowly(_: memoryview) -> None:
        clock.now += bulk_module._TRIP * 1.1

    buffer = FileBuffer(lambda: 1, slowly)
    assert buffer.write_on(stream, 1 << 30).count == 0  # it is others' turn
    buffer = FileBuffer(lambda: 1, lambda _: None)
    assert buffer.write_on(stream, 1 << 30).count == len(DATA) * 10 - 5000


@pytest.mark.parametrize("end", [Close(), Reset()], ids=["end", "reset"])
async def test_a_file_is_received_in_worker_threads_and_all_of_it_counts(end: Close | Reset) -> None:
    stored: list[bytes] = []
    reports: list[int] = []
    writers: set[int] = set()

    def store(content: memoryview) -> None:
        writers.add(threading.get_ident())
        stored.append(bytes(content))

    data = DATA * 30
    stream = InThread([Say(data), end], chunk=10_000)
    buffer = FileBuffer(lambda: 32 * 1024, store)
    meter = Meter(report=reports.append)
    if isinstance(end, Reset):
        with pytest.raises(ConnectionLost, match="reset"):
            await receive_to_file(stream, buffer, never, meter)
    else:
        await receive_to_file(stream, buffer, never, meter)
    with buffer.content() as rest:
        assert b"".join(stored) + rest == data
    assert meter.total == reports[-1] == len(data)
    assert reports == sorted(reports)
    assert threading.get_ident() not in writers
    # The first writer goes on as long as something comes; a slow machine may need a few of them.
    by_threads = sum(count for thread, count in stream.received if thread in writers)
    assert by_threads > 0
    assert by_threads + sum(count for thread, count in stream.received if thread not in writers) == len(data)


async def test_a_stream_that_a_thread_uses_is_closed_afterwards() -> None:
    entered, go_on = threading.Event(), threading.Event()
    stored: list[bytes] = []
    seen_open: list[bool] = []

    def store(content: memoryview) -> None:
        entered.set()
        assert go_on.wait(10)
        seen_open.append(stream.socket.fileno() >= 0)
        stored.append(bytes(content))

    async def until(event: threading.Event) -> None:
        while not event.is_set():
            await anyio.sleep(0.001)

    with pair() as (stream, theirs):
        theirs.sendall(bytes(16 * 1024))
        outcome: list[BaseException] = []

        async def receive() -> None:
            try:
                await receive_to_file(stream, FileBuffer(lambda: 1, store), waits_for(stream), Meter())
            except ConnectionLost as error:
                outcome.append(error)

        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                group.start_soon(receive)
                await until(entered)
                stream.abort()
                assert theirs.recv(1) == b""  # the peer knows at once
                assert stream.socket.fileno() >= 0  # the number must not become another file's meanwhile
                go_on.set()
        assert stream.socket.fileno() == -1
    assert (stored, seen_open) == ([bytes(16 * 1024)], [True])
    assert [str(error) for error in outcome] == ["the connection was closed from this side"]


async def test_a_cancelled_transfer_waits_for_its_thread() -> None:
    entered, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def store(_: memoryview) -> None:
        entered.set()
        assert go_on.wait(10)
        done.set()

    with pair() as (stream, theirs), anyio.fail_after(20):
        theirs.sendall(bytes(16 * 1024))
        async with anyio.create_task_group() as group:
            group.start_soon(receive_to_file, stream, FileBuffer(lambda: 1, store), waits_for(stream), Meter())
            while not entered.is_set():
                await anyio.sleep(0.001)
            group.cancel_scope.cancel()
            go_on.set()
        assert done.is_set()
        stream.abort()
        assert stream.socket.fileno() == -1  # nobody holds it any more


# Uploads


def waits_for(stream: SocketStream) -> Callable[[], Awaitable[None]]:
    return lambda: stream.wait(read=True, timeout=10, phase="stall")


class Pieces(MemoryStream):
    """Notes how much it was given at a time."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.pieces: list[int] = []

    def try_send(self, data: Buffer) -> int:
        self.pieces.append(len(data))
        return super().try_send(data)


@pytest.fixture
def large_file(tmp_path: Path) -> Path:
    path = tmp_path / "large"
    path.write_bytes(DATA * 60)  # more than two chunks
    return path


async def prepared(path: Path) -> ByteSource:
    source = ByteSource(path)
    await source.prepare()
    return source


async def test_sending_a_file_at_a_rate(large_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = await prepared(large_file)
    clock = Clock(monkeypatch)
    data = large_file.read_bytes()
    stream = Pieces([Expect(data)])
    limit = RateLimit(200_000)
    meter = Meter([limit])
    await send_from(stream, source, never, meter)
    await source.aclose()
    stream.check()
    assert meter.total == len(data)
    assert max(stream.pieces) == limit.step == 20_000
    assert clock.now - 100 == pytest.approx(len(data) / 200_000, abs=0.2)


async def test_sending_a_file_to_a_slow_reader(large_file: Path) -> None:
    data = large_file.read_bytes() * 10
    large_file.write_bytes(data)
    source = await prepared(large_file)
    received = bytearray()
    waits = 0
    with pair() as (stream, theirs):
        theirs.setblocking(False)

        async def idle() -> None:
            nonlocal waits
            waits += 1
            received.extend(theirs.recv(1 << 20))
            await checkpoint()

        meter = Meter()
        await send_from(stream, source, idle, meter)
        stream.send_eof()
        theirs.setblocking(True)
        while piece := theirs.recv(1 << 20):
            received.extend(piece)
    await source.aclose()
    assert bytes(received) == data
    assert meter.total == len(data)
    assert waits > 0


async def test_sending_a_file_to_nobody(large_file: Path) -> None:
    """A peer that takes nothing more: the caller's wait ends it; what the network took has been counted."""
    large_file.write_bytes(DATA * 1000)
    source = await prepared(large_file)

    async def idle() -> None:
        raise PhaseTimeout("stall", 1)

    with pair() as (stream, theirs):
        meter = Meter()
        with pytest.raises(PhaseTimeout):
            await send_from(stream, source, idle, meter)
        stream.send_eof()
        received = 0
        while piece := theirs.recv(1 << 20):
            received += len(piece)
    await source.aclose()
    assert 0 < received == meter.total < len(DATA) * 1000


async def test_sending_a_file_to_a_peer_that_resets(large_file: Path) -> None:
    large_file.write_bytes(DATA * 1000)
    source = await prepared(large_file)
    with pair() as (stream, theirs):

        async def idle() -> None:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            theirs.close()
            await checkpoint()

        meter = Meter()
        with pytest.raises(ConnectionLost):
            await send_from(stream, source, idle, meter)
        assert 0 < meter.total < len(DATA) * 1000
        stream.abort()
        assert stream.socket.fileno() == -1
    await source.aclose()


async def test_sending(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = MemoryStream([Expect(DATA)])
    meter = Meter()
    await send_from(stream, ByteSource([DATA[:100], b"", DATA[100:]]), never, meter)
    stream.check()
    assert meter.total == len(DATA)


async def test_sending_to_a_slow_reader() -> None:
    data = bytes(4 << 20)
    received = 0
    with pair() as (stream, theirs):
        theirs.setblocking(False)

        async def idle() -> None:
            nonlocal received
            received += len(theirs.recv(1 << 20))
            await checkpoint()

        await send_from(stream, ByteSource(data), idle, Meter())
        stream.send_eof()
        theirs.setblocking(True)
        while piece := theirs.recv(1 << 20):
            received += len(piece)
    assert received == len(data)


async def test_sending_ends_when_nothing_is_held_back() -> None:
    class Holding(MemoryStream):
        held = 3

        @property
        def unsent(self) -> bool:
            return self.held > 0

        def try_flush(self) -> None:
            self.held -= 1

    waits = []

    async def idle() -> None:
        waits.append(1)

    await send_from(Holding([Expect(b"x")]), ByteSource(b"x"), idle, Meter())
    assert len(waits) == 2


# Rates and turns


async def test_a_rate_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    limit = RateLimit(10_000)
    meter = Meter([None, limit])
    assert meter.step == limit.step == 1000
    await to_file(DATA, 1 << 20, meter=meter)
    assert clock.now - 100 == pytest.approx(len(DATA) / 10_000, abs=0.2)


async def test_a_ticker_runs_beside_a_transfer_that_never_waits() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        stream = MemoryStream([Say(bytes(1 << 18), 256), Close()])
        await receive_to_sink(stream, lambda _: None, never, Meter(), Dialer())
        group.cancel_scope.cancel()
    assert ticks >= 15  # 64 MiB, a turn between each 4
