"""Plain streams on real sockets: moving, waiting, closing, on every event loop."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time

import anyio
import pytest
from anyio.lowlevel import checkpoint

from netclients.errors import ConnectionLost, PhaseTimeout
from netclients.transport import readiness
from netclients.transport.memory import MemoryStream, Say, Stall
from netclients.transport.stream import SocketStream, wait_any
from tests.transport.sockets import pair

pytestmark = pytest.mark.anyio


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


async def soon(group: anyio.abc.TaskGroup, stream: SocketStream) -> None:
    """Return when another task waits on the stream."""
    while not stream._holders:
        await checkpoint()


async def test_bytes_both_ways() -> None:
    with pair() as (stream, theirs):
        buffer = bytearray(10)
        assert stream.try_recv_into(buffer) is None
        theirs.sendall(b"hello")
        assert await stream.recv_into(buffer, 5, "reply") == 5
        assert buffer[:5] == b"hello"
        await stream.send_all(b"world", 5, "reply")
        assert theirs.recv(10) == b"world"
        stream.send_eof()
        assert theirs.recv(10) == b""
        theirs.close()
        assert await stream.recv_into(buffer, 5, "reply") == 0
        assert (stream.peer, stream.closed_cleanly, stream.unsent, stream.stalled) == ("127.0.0.1", None, False, False)
        await stream.flush(5, "reply")
        await stream.aclose()


async def test_our_own_address() -> None:
    with pair() as (stream, theirs):
        assert stream.local_address == theirs.getpeername()[0] == "127.0.0.1"
        stream.abort()
        with pytest.raises(ConnectionLost, match="closed from this side"):
            _ = stream.local_address
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert SocketStream(ours, "/run/x").local_address is None


async def test_a_large_write_to_a_slow_reader() -> None:
    data = os.urandom(8 * 1024 * 1024)
    received = bytearray()

    def read(sock: socket.socket) -> None:
        while piece := sock.recv(100_000):
            received.extend(piece)

    with pair() as (stream, theirs):
        reader = threading.Thread(target=read, args=(theirs,))
        with memoryview(data) as view:
            taken = stream.try_send(view)
            while count := stream.try_send(view[taken:]):
                taken += count
            assert taken < len(data)  # full
            reader.start()
            await stream.send_all(view[taken:], 5, "stall")
        stream.send_eof()
        reader.join(10)
    assert received == data


async def test_timeouts_carry_their_phase() -> None:
    with pair() as (stream, _):
        with pytest.raises(PhaseTimeout) as caught:
            await stream.recv_into(bytearray(1), 0.01, "reply")
        assert (caught.value.phase, caught.value.seconds) == ("reply", 0.01)
        while stream.try_send(bytes(1 << 20)):
            pass
        with pytest.raises(PhaseTimeout, match="stall"):
            await stream.send_all(b"x", 0.01, "stall")
        assert stream._holders == 0


async def test_a_cancelled_wait_loses_nothing() -> None:
    with pair() as (stream, theirs):
        with anyio.move_on_after(0.01) as scope:
            await stream.wait(read=True, timeout=None, phase="reply")
        assert scope.cancelled_caught
        theirs.sendall(b"x")
        assert await stream.recv_into(bytearray(1), 5, "reply") == 1


async def test_a_reset_is_a_lost_connection() -> None:
    with pair() as (stream, theirs):
        reset(theirs)
        await stream.wait(read=True, timeout=5, phase="reply")
        with pytest.raises(ConnectionLost, match=r"connection to 127\.0\.0\.1 lost"):
            stream.try_recv_into(bytearray(1))
        with pytest.raises(ConnectionLost):
            stream.try_send(b"x")
        with pytest.raises(ConnectionLost):
            stream.send_eof()


# Several at once


async def test_wait_any_returns_for_any() -> None:
    with pair() as (first, _), pair() as (second, theirs), pair() as (third, _):
        theirs.sendall(b"x")
        await wait_any([first, second, third], [], 5, "reply")
        assert second.try_recv_into(bytearray(9)) == 1
        with pytest.raises(PhaseTimeout):
            await wait_any([first, second, third], [], 0.01, "reply")
        await wait_any([first], [third], 5, "reply")  # one can be written
        await wait_any([first], [first], 5, "reply")  # the same for both
        assert [one._holders for one in (first, second, third)] == [0, 0, 0]


async def test_wait_any_with_streams_that_have_no_socket() -> None:
    with pair() as (real, theirs):
        ready, stalled = MemoryStream([Say(b"x")]), MemoryStream([Stall()])
        await wait_any([real, ready], [], 5, "reply")
        stalled.try_recv_into(bytearray(1))
        await wait_any([ready, stalled], [], 5, "reply")
        with pytest.raises(PhaseTimeout):
            await wait_any([stalled], [], 5, "reply")
        theirs.sendall(b"x")
        await wait_any([real, stalled], [], 5, "reply")


async def test_two_tasks_on_two_streams() -> None:
    order = []

    async def wait_for(stream: SocketStream, name: str) -> None:
        await stream.wait(read=True, timeout=5, phase="reply")
        order.append(name)

    with pair() as (first, to_first), pair() as (second, to_second):
        async with anyio.create_task_group() as group:
            group.start_soon(wait_for, first, "first")
            group.start_soon(wait_for, second, "second")
            await soon(group, first)
            await soon(group, second)
            to_second.sendall(b"x")
            while not order:
                await checkpoint()
            to_first.sendall(b"x")
    assert order == ["second", "first"]


async def test_the_time_limit_is_kept() -> None:
    with pair() as (first, _), pair() as (second, _):
        for streams in ([first], [first, second]):
            started = time.monotonic()
            with pytest.raises(PhaseTimeout):
                await wait_any(streams, [], 0.05, "reply")
            assert 0.04 <= time.monotonic() - started < 5


# Closing


async def test_abort_wakes_the_task_that_waits() -> None:
    with pair() as (stream, theirs):

        async def wait() -> None:
            with pytest.raises(ConnectionLost, match="closed from this side"):
                await stream.recv_into(bytearray(9), 20, "reply")

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await soon(group, stream)
            stream.abort()
            assert stream._socket.fileno() != -1  # the waiting task closes it
        assert stream._socket.fileno() == -1
        assert theirs.recv(1) == b""


async def test_abort_while_a_writer_waits() -> None:
    with pair() as (stream, _):
        while stream.try_send(bytes(1 << 20)):
            pass
        caught: list[BaseException] = []

        async def write() -> None:
            try:
                await stream.send_all(b"x", 20, "stall")
            except ConnectionLost as error:
                caught.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(write)
            await soon(group, stream)
            stream.abort()
        assert "closed from this side" in str(caught[0])
        assert stream._socket.fileno() == -1


def test_abort_may_be_called_again() -> None:
    with pair() as (stream, theirs):
        stream.abort()
        stream.abort()
        assert theirs.recv(1) == b""
        with pytest.raises(ConnectionLost, match="closed from this side"):
            stream.try_recv_into(bytearray(1))
        with pytest.raises(ConnectionLost, match="closed from this side"):
            stream.try_send(b"x")


def test_abort_of_a_connection_that_is_gone_while_a_task_waits() -> None:
    with pair() as (stream, theirs):
        stream.hold()
        reset(theirs)
        with pytest.raises(ConnectionLost):
            stream.try_recv_into(bytearray(1))
        stream.abort()
        stream.let_go()
        assert stream._socket.fileno() == -1


def test_a_forked_child_does_not_shut_its_parents_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    with pair() as (stream, theirs):
        stream.hold()
        monkeypatch.setattr(os, "getpid", lambda: -1)
        stream.abort()
        theirs.sendall(b"still there")
        assert stream._socket.recv(20) == b"still there"
        stream.let_go()


async def test_loops_without_readers_wait_by_anyio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_has_add_reader", lambda _: False)
    with pair() as (first, theirs), pair() as (second, _):
        with pytest.raises(PhaseTimeout):
            await wait_any([first, second], [], 0.01, "reply")
        theirs.sendall(b"x")
        await wait_any([first, second], [], 5, "reply")
        await wait_any([second], [second], 5, "reply")


async def test_checkpoint_lets_others_run() -> None:
    ran = []

    async def other() -> None:
        ran.append(1)

    async with anyio.create_task_group() as group:
        group.start_soon(other)
        for _ in range(3):
            await readiness.checkpoint()
        assert ran == [1]
    with anyio.CancelScope() as scope:
        scope.cancel()
        await readiness.checkpoint()
    assert scope.cancelled_caught
