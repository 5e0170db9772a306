"""Servers that send too much, nonsense, or no end: right, or a clear error, within bounds, in time."""

from __future__ import annotations

import time
import tracemalloc

import anyio
import pytest

from netclients import Bounds, NetClientError, PhaseTimeout, ProtocolError, Timeouts
from netclients.testing import ScriptedServer
from netclients.testing.script import Generate, parse_script
from tests.pop3.boxes import ONCE, QUICK, connected, maildrop

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
PATIENT = Timeouts(reply=10, stall=10)
LOGIN = "S: +OK hi\nC: CAPA\nS: +OK\nS: UIDL\nS: PIPELINING\nS: .\n"
LISTS = "C: LIST\nC: UIDL\nS: +OK\nS: 1 10\nS: .\nS: +OK\nS: 1 a\nS: .\n"


@pytest.mark.parametrize(
    "flood",
    [
        "S*| x",  # no line end
        "S*: nonsense",
        "S*: +OK",
        "S*| +OK " + "x" * 4096,
    ],
)
@pytest.mark.parametrize("before", ["", LOGIN, "S: +OK hi\nC: CAPA\nS: +OK\n", LOGIN + LISTS + "C: RETR 1\nS: +OK\n"])
async def test_floods(before: str, flood: str) -> None:
    with ScriptedServer(f"{before}{flood}\n", ignore_rest=True) as server:
        url = f"pop3://127.0.0.1:{server.port}"
        tracemalloc.start()
        started = time.process_time()
        bounds = Bounds(read=4 * MIB, response=4 * MIB)
        with pytest.raises(NetClientError) as caught, anyio.fail_after(30):
            async with maildrop(url, tls="none", retry=ONCE, bounds=bounds, timeouts=PATIENT) as box:
                await box.read("a")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert isinstance(caught.value, ProtocolError)
    assert peak < 32 * MIB
    assert time.process_time() - started < 20


async def test_a_line_of_ten_megabytes() -> None:
    text = "x" * 10_000_000
    with ScriptedServer(
        f"S: +OK\nC: CAPA\nS: -ERR\nC: RETR 1\nS: +OK\nS: {text}\nS: .\nC: RETR 2\nS: +OK\nS: .\n"
    ) as server:
        c = await connected(f"pop3://127.0.0.1:{server.port}")
        assert await c.retr(1) == text.encode() + b"\r\n"
        assert await c.retr(2) == b""
        c.abort("done")


async def test_a_missing_dot() -> None:
    with ScriptedServer("S: +OK\nC: CAPA\nS: -ERR\nC: RETR 1\nS: +OK\nS: text\nS-close\n") as server:
        c = await connected(f"pop3://127.0.0.1:{server.port}")
        with pytest.raises(NetClientError, match="closed"):
            await c.retr(1)
        assert not c.clean
        c.abort("done")


async def test_a_missing_dot_and_silence() -> None:
    with ScriptedServer("S: +OK\nC: CAPA\nS: -ERR\nC: RETR 1\nS: +OK\nS: text\n", ignore_rest=True) as server:
        c = await connected(f"pop3://127.0.0.1:{server.port}", timeouts=QUICK)
        with pytest.raises(PhaseTimeout) as caught:
            await c.retr(1)
        assert caught.value.phase == "stall"
        c.abort("done")


@pytest.mark.parametrize("way", ["at once", "later"])
async def test_a_server_that_leaves_dots_as_they_are(way: str) -> None:
    """cpython#95252: the message ends too early. What comes behind it is no reply, and nobody is given it for one."""
    script = "S: +OK\nC: CAPA\nS: -ERR\nC: RETR 1\nS: +OK\nS: before\nS: .\n"
    rest = "S: behind\nS: .\n"
    script += rest + "S-close\n" if way == "at once" else "C: NOOP\n" + rest
    with ScriptedServer(script, ignore_rest=True) as server:
        c = await connected(f"pop3://127.0.0.1:{server.port}")
        with pytest.raises(ProtocolError, match="behind"):  # noqa: PT012
            assert await c.retr(1) == b"before\r\n"
            await c.noop()
        assert not c.clean
        c.abort("done")


async def test_an_endless_list() -> None:
    script = f"{LOGIN}C: LIST\nC: UIDL\nS: +OK\nS*: 1 10\n"
    with ScriptedServer(script, ignore_rest=True) as server:
        url = f"pop3://127.0.0.1:{server.port}"
        with pytest.raises(ProtocolError, match="list of more than"), anyio.fail_after(30):
            async with maildrop(url, tls="none", retry=ONCE, bounds=Bounds(response=MIB)):
                pass


@pytest.mark.parametrize("size", ["9" * 20, "0"])
async def test_sizes_that_are_not_true(size: str) -> None:
    lists = LISTS.replace("1 10", f"1 {size}")
    script = f"{LOGIN}{lists}C: RETR 1\nS: +OK\nS: text\nS: .\nC: QUIT\nS: +OK\n"
    if size != "0":
        script = f"{LOGIN}{lists}C: QUIT\nS: +OK\n"
    with ScriptedServer(script) as server:
        async with maildrop(f"pop3://127.0.0.1:{server.port}", tls="none") as box:
            async with box.read_many() as items:
                [item] = [item async for item in items]
            assert (item.raw == b"text\r\n") == (size == "0")


async def test_a_text_of_a_gigabyte_is_streamed() -> None:
    """Generated; what is held is a piece of it."""
    count = 1024
    block = b"x" * 70 + b"\r\n"
    chunk = block * (MIB // len(block))
    before = parse_script("S: +OK\nC: CAPA\nS: -ERR\nC: RETR 1\nS: +OK\n")
    after = parse_script("S: .\n")
    with ScriptedServer([*before, Generate(lambda: (chunk for _ in range(count))), *after]) as server:
        c = await connected(f"pop3://127.0.0.1:{server.port}")
        tracemalloc.start()
        assert await c.retr_to(1, lambda view: None) == count * len(chunk)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        c.abort("done")
    assert peak < 16 * MIB
