"""The scripted stream itself: a dialogue is played, and whoever leaves it is told."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from netclients.errors import ConnectionLost, PhaseTimeout
from netclients.transport.memory import Close, Expect, ExpectClose, Generate, Match, MemoryStream, Reset, Say, Stall
from netclients.transport.stream import wait_any
from tests.transport.scripted import stream

pytestmark = pytest.mark.anyio


def read(played: MemoryStream, size: int = 100) -> bytes | None:
    buffer = bytearray(size)
    count = played.try_recv_into(buffer)
    return None if count is None else bytes(buffer[:count])


@pytest.mark.parametrize("chunk", [None, 1, 3])
def test_plays_a_dialogue(chunk: int | None) -> None:
    played = stream("S: 220 hi\nC: USER a\nC~ PASS .*\nS: 230 in\nS*3| x\nC: QUIT\nC-close", chunk=chunk)
    said = b""
    while (piece := read(played)) is not None:
        assert chunk is None or len(piece) <= chunk
        said += piece
    assert said == b"220 hi\r\n"
    for piece in (b"US", b"ER a\r\nPASS", b" secret\r\n", b"QUIT\r\n"):
        assert played.try_send(piece) == len(piece)
    while (piece := read(played)) is not None:
        said += piece
    assert said == b"220 hi\r\n230 in\r\nxxx"
    with pytest.raises(AssertionError, match="not played to its end"):
        played.check()
    played.abort()
    played.abort()
    played.check()
    assert played.peer == "127.0.0.1"
    assert played.socket is None
    with pytest.raises(ConnectionLost, match="from this side"):
        read(played)


@pytest.mark.parametrize(
    ("steps", "sent", "message"),
    [
        ([Expect(b"NOOP\r\n")], b"NOPE\r\n", r"step 1 of 1: expected b'NOOP\\r\\n', got b'NOPE\\r\\n'"),
        ([Expect(b"A\r\n")], b"A\r\nB", "step 2 of 1: expected nothing more, got b'B'"),
        ([], b"A", "expected nothing more, got b'A'"),
        ([Expect(b"A"), Match(re.compile(b"B.*"))], b"AC\n", r"step 2 of 2: expected a line like b'B\.\*'"),
    ],
)
def test_tells_what_is_wrong(steps: list, sent: bytes, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        MemoryStream(steps).try_send(sent)


def test_what_is_sent_early_waits_for_its_step() -> None:
    played = MemoryStream([Say(b"a"), Expect(b"B"), Say(b"cd"), Expect(b"E")])
    assert played.try_send(b"BE") == 2
    assert (read(played), read(played, 1), read(played, 1), read(played)) == (b"a", b"c", b"d", None)
    played.check()
    early = MemoryStream([Say(b"a"), Expect(b"B")])
    early.try_send(b"X")
    with pytest.raises(AssertionError, match="step 2 of 2"):
        read(early)


def test_an_unfinished_send_does_not_rewind_what_is_said() -> None:
    played = MemoryStream([Say(b"abc"), Expect(b"Z")])
    assert read(played, 1) == b"a"
    played.try_send(b"Z")
    assert read(played) == b"bc"


def test_half_close() -> None:
    played = MemoryStream([Expect(b"data"), ExpectClose(), Say(b"done"), Close()])
    played.try_send(b"data")
    played.send_eof()
    assert (read(played), read(played)) == (b"done", b"")
    assert played.try_send(b"into the void") == 13


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Expect(b"data"), "expected b'data', got b'd' and the end"),
        (Match(re.compile(b"d.*")), "expected a line like b'd.*', got b'd' and the end"),
        (ExpectClose(), "expected the client to leave, got b'd' and the end"),
    ],
)
def test_leaving_in_the_middle(step: object, message: str) -> None:
    played = MemoryStream([step])
    played.try_send(b"d")
    with pytest.raises(AssertionError, match=re.escape(message)):
        played.send_eof()


def test_reset() -> None:
    played = MemoryStream([Say(b"a"), Reset()])
    assert read(played) == b"a"
    for act in (lambda: read(played), lambda: played.try_send(b"x"), played.send_eof, lambda: played.local_address):
        with pytest.raises(ConnectionLost, match="reset by the script"):
            act()


def test_an_endless_reply() -> None:
    played = MemoryStream([Say(b"0123456789", None)])
    said = b"".join(read(played, 7) or b"" for _ in range(20_000))
    assert len(said) > 130_000
    assert (b"0123456789" * 14_000).startswith(said)
    for nothing in (Say(b"x", 0), Say(b""), Say(b"", None), Generate(lambda: [b"", b""])):
        assert MemoryStream([nothing]).try_recv_into(bytearray(1)) is None


def test_what_is_made_while_it_is_read() -> None:
    made = []

    def source() -> Iterator[bytes]:
        for number in range(3):
            made.append(number)
            yield b"%d, " % number
            yield b""

    played = MemoryStream([Generate(source), Say(b"end"), Close()])
    assert (read(played, 2), made) == (b"0,", [0])
    assert (read(played), read(played), read(played), read(played), read(played)) == (b" ", b"1, ", b"2, ", b"end", b"")


async def test_waiting_in_vain_is_the_timeout_of_the_phase() -> None:
    for steps in ([], [Stall()], [Expect(b"x")]):
        with pytest.raises(PhaseTimeout) as caught:
            await MemoryStream(steps).recv_into(bytearray(1), 30, "reply")
        assert (caught.value.phase, caught.value.seconds) == ("reply", 30)
    with pytest.raises(PhaseTimeout):
        await MemoryStream([Stall()]).send_all(b"x", 30, "stall")


async def test_a_wait_ends_while_any_stream_has_something() -> None:
    silent, talking = MemoryStream([Stall()]), MemoryStream([Say(b"x")])
    assert read(silent) is None
    await wait_any([silent, talking], [], 30, "reply")
    with pytest.raises(PhaseTimeout):
        await wait_any([silent], [silent], 30, "reply")


def test_a_client_that_spins_is_told() -> None:
    played = MemoryStream([])

    def spin() -> None:
        while read(played) is None:
            pass

    with pytest.raises(AssertionError, match="spins"):
        spin()
