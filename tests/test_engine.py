"""The driver on scripted streams, with a protocol that is as simple as can be."""

from __future__ import annotations

import anyio
import pytest

from netclients.engine import Engine
from netclients.errors import ConnectionLost, PhaseTimeout
from netclients.transport.dial import Dialer
from netclients.transport.memory import Close, Expect, MemoryStream, Reset, Say, Stall, Step
from tests.transport.sockets import pair

pytestmark = pytest.mark.anyio


class Echo:
    """Sends what is submitted, keeps what arrives."""

    def __init__(self) -> None:
        self.received = b""
        self.eof = False
        self.views: list[memoryview] = []
        self.due = b""

    def submit(self, command: bytes) -> None:
        self.due += command

    def receive_data(self, data: memoryview) -> None:
        self.views.append(data)
        self.received += data

    def receive_eof(self) -> None:
        self.eof = True

    def next_event(self) -> None:
        return None

    def data_to_send(self) -> bytes:
        due, self.due = self.due, b""
        return due


def engine_on(*steps: Step, chunk: int | None = None) -> tuple[Engine, Echo]:
    protocol = Echo()
    return Engine(MemoryStream(steps, chunk=chunk), protocol, Dialer()), protocol  # type: ignore[arg-type]


def test_poll_reads_what_is_there_and_keeps_no_view() -> None:
    engine, protocol = engine_on(Say(b"abcdef"), chunk=4)
    assert engine.poll()
    assert engine.poll()
    assert not engine.poll()
    assert protocol.received == b"abcdef"
    for view in protocol.views:
        with pytest.raises(ValueError, match="released"):
            bytes(view)


def test_poll_tells_the_end_once() -> None:
    engine, protocol = engine_on(Say(b"bye"), Close())
    assert [engine.poll() for _ in range(4)] == [True, True, False, False]
    assert (protocol.received, protocol.eof, engine.closed_by_peer) == (b"bye", True, True)


async def test_flush_sends_what_is_due() -> None:
    engine, protocol = engine_on(Expect(b"HELLO"), Say(b"hi"))
    await engine.flush(5)
    protocol.submit(b"HELLO")
    await engine.flush(5)
    await engine.receive(5, "reply")
    assert protocol.received == b"hi"


async def test_flush_has_the_reply_timeout() -> None:
    engine, protocol = engine_on(Stall())
    protocol.submit(b"HELLO")
    with pytest.raises(PhaseTimeout) as caught:
        await engine.flush(7)
    assert (caught.value.phase, caught.value.seconds) == ("reply", 7)


async def test_receive_waits_for_a_socket() -> None:
    with pair() as (stream, theirs):
        protocol = Echo()
        engine = Engine(stream, protocol, Dialer())  # type: ignore[arg-type]

        async def answer() -> None:
            while not stream._holders:
                await anyio.lowlevel.checkpoint()
            theirs.sendall(b"late")

        async with anyio.create_task_group() as group:
            group.start_soon(answer)
            await engine.receive(10, "reply")
        assert protocol.received == b"late"


async def test_receive_at_the_end() -> None:
    engine, _ = engine_on(Close())
    await engine.receive(5, "reply")  # the end is told to the protocol
    for _ in range(2):
        with pytest.raises(ConnectionLost, match=r"127\.0\.0\.1 closed the connection"):
            await engine.receive(5, "reply")


async def test_receive_from_a_reset_connection() -> None:
    engine, _ = engine_on(Reset())
    with pytest.raises(ConnectionLost, match="reset"):
        await engine.receive(5, "reply")


async def test_receive_in_vain() -> None:
    engine, _ = engine_on(Stall())
    with pytest.raises(PhaseTimeout) as caught:
        await engine.receive(9, "complete")
    assert caught.value.phase == "complete"


async def test_waiting_for_others_too() -> None:
    engine, _ = engine_on(Stall())
    data = MemoryStream([Say(b"x")])
    with anyio.fail_after(5):
        await engine.wait(30, "stall", read=[data])
    assert data.try_recv_into(bytearray(9)) == 1
    assert data.try_recv_into(bytearray(9)) is None
    assert not engine.poll()
    with pytest.raises(PhaseTimeout):
        await engine.wait(30, "stall", read=[data])


async def test_a_closed_connection_is_not_waited_for() -> None:
    engine, _ = engine_on(Close())
    engine.poll()
    other = MemoryStream([Stall()])
    assert other.try_send(b"x") == 0
    with pytest.raises(PhaseTimeout):
        await engine.wait(30, "stall", write=[other])


async def test_a_peer_that_talks_without_end_leaves_others_their_turn() -> None:
    engine, protocol = engine_on(Say(b"x" * 65536, None))
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while ticks < 3:
            ticks += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        with anyio.fail_after(20):
            while ticks < 3:
                protocol.views.clear()
                protocol.received = b""
                await engine.receive(5, "reply")
