"""Servers whose data connections and listings are not what they should be."""

from __future__ import annotations

import gc
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from netclients import FTPClient, NetClientError, PhaseTimeout, PoolLimits, ProtocolError, Timeouts
from tests.faults.harness import ONCE, THRICE, assert_at_rest
from tests.faults.hostile import HostileServer, Session
from tests.faults.report import POINTS
from tests.faults.test_hostile_replies import SHORT, client_for

pytestmark = [pytest.mark.anyio]

ENTRIES = 1_000_000


class Canary:
    """A listener that must not be connected to."""

    def __init__(self, host: str) -> None:
        self.sock = socket.create_server((host, 0))
        self.sock.setblocking(False)
        self.port: int = self.sock.getsockname()[1]

    def was_connected(self) -> bool:
        try:
            self.sock.accept()[0].close()
        except BlockingIOError:
            return False
        return True


@pytest.fixture
def canary() -> Iterator[Canary]:
    found = Canary("127.0.0.2")
    yield found
    found.sock.close()


async def test_a_foreign_address_is_ignored(canary: Canary, tmp_path: Path) -> None:
    """227 names another host: the data still comes from the host of the control connection."""

    def pasv(session: Session) -> None:
        session.listen(port=canary.port)
        session.say(b"227 ok (127,0,0,2,%d,%d)\r\n" % (canary.port >> 8, canary.port & 255))

    with HostileServer({"EPSV": b"500 what\r\n", "PASV": pasv}) as server:
        async with client_for(server) as client:
            await client.download("f", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == server.content
    assert not canary.was_connected()


async def test_unreachable_epsv_falls_back_to_pasv_and_stays_there(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # bound, not listening
        port = closed.getsockname()[1]
        with HostileServer({"EPSV": b"229 ok (|||%d|)\r\n" % port}) as server:
            async with client_for(server) as client:
                for _ in range(3):
                    await client.download("f", tmp_path / "f")
        assert (server.verbs().count("EPSV"), server.verbs().count("PASV")) == (1, 3)


@pytest.mark.parametrize("said", [b"150 here\r\n", b"150 here\r\n226 done\r\n"], ids=["endless", "226 at once"])
async def test_more_data_than_size(said: bytes, tmp_path: Path) -> None:
    """It ends, and nothing stands under the final name; whether it is cut off early is up to the client."""
    with HostileServer(
        {"SIZE": b"213 7\r\n", "RETR": lambda session: session.transfer(b"x" * 500_000, before=said)}
    ) as server:
        async with client_for(server) as client:
            with pytest.raises(NetClientError):
                await client.download("f", tmp_path / "f")
            assert_at_rest(client)
    assert not (tmp_path / "f").exists()


async def test_endless_data_into_read_bytes_is_bounded() -> None:
    def endless(session: Session) -> None:
        session.say(b"150 here\r\n")
        with session.connect_data() as data:
            while True:
                data.sendall(bytes(1 << 20))

    from netclients.config import Bounds

    with HostileServer({"SIZE": b"500 what\r\n", "RETR": endless}) as server:
        client = FTPClient(server.url, retry=ONCE, bounds=Bounds(read=4 << 20))
        with pytest.raises(ProtocolError):
            await client.read_bytes("f")
        assert_at_rest(client)
        await client.aclose()


async def test_slow_drip_is_not_a_stall_but_silence_is(tmp_path: Path) -> None:
    def drip(session: Session) -> None:
        session.say(b"150 here\r\n")
        with session.connect_data() as data:
            for byte in session.server.content:
                data.sendall(bytes([byte]))
                if silence.wait(0.05):
                    session.hang()
        session.say(b"226 done\r\n")

    silence = threading.Event()
    with HostileServer({"RETR": drip}) as server:
        async with client_for(server, SHORT) as client:
            assert (await client.download("f", tmp_path / "f")).verified
            silence.set()
            with pytest.raises(PhaseTimeout) as caught:
                await client.download("f", tmp_path / "g")
            assert caught.value.phase == "stall"
            assert_at_rest(client)


async def test_data_that_nobody_accepts(tmp_path: Path) -> None:
    """150 comes, data never does; and for uploads: nobody reads."""

    def mute(session: Session) -> None:
        session.say(b"150 here\r\n")
        with session.connect_data():
            session.hang()

    with HostileServer({"RETR": mute, "STOR": mute, "MLSD": mute}) as server:
        async with client_for(server, SHORT) as client:
            for call in (
                lambda: client.download("f", tmp_path / "f"),
                lambda: client.upload(bytes(30 << 20), "f"),
                lambda: anext(client.scandir("d")),
            ):
                with pytest.raises(PhaseTimeout) as caught:
                    await call()
                assert caught.value.phase == "stall"
                assert_at_rest(client)


async def test_active_mode_refuses_foreign_peers(tmp_path: Path) -> None:
    intruder: list[bytes] = []

    def eprt(session: Session) -> None:
        session.target = ("127.0.0.1", int(session.argument.split("|")[3]))
        session.say(b"200 ok\r\n")

    def retr(session: Session) -> None:
        assert session.target is not None
        with socket.socket() as foreign:
            foreign.bind(("127.0.0.3", 0))
            foreign.connect(session.target)
            with session.connect_data() as data:
                session.say(b"150 here\r\n")
                foreign.settimeout(5)
                try:
                    foreign.sendall(b"poison!")
                    intruder.append(foreign.recv(10))
                except OSError:
                    intruder.append(b"")
                data.sendall(session.server.content)
        session.say(b"226 done\r\n")

    with HostileServer({"EPRT": eprt, "RETR": retr}) as server:
        client = FTPClient(server.url, retry=ONCE, active=True)
        await client.download("f", tmp_path / "f")
        await client.aclose()
    assert (tmp_path / "f").read_bytes() == server.content
    assert intruder == [b""]


# Listings


async def _lateness(work: object) -> float:
    """Run ``work`` beside a ticker of 5 ms; return how late that was at the worst, in seconds.

    Time in which other processes had the processor does not count: late is what this thread worked meanwhile. Nor
    does what earlier tests left in memory: the collector does not go through it.
    """
    worst = 0.0

    async def tick() -> None:
        nonlocal worst
        while True:
            due, worked = anyio.current_time() + 0.005, time.thread_time()
            await anyio.sleep(0.005)
            worst = max(worst, min(anyio.current_time() - due, time.thread_time() - worked))

    gc.collect()
    gc.freeze()
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(tick)
            await work()  # type: ignore[operator]
            group.cancel_scope.cancel()
    finally:
        gc.unfreeze()
    return worst


@pytest.mark.parametrize("verb", ["MLSD", "LIST"])
async def test_a_million_entries_in_bounded_memory_without_starving_the_loop(
    verb: str, anyio_backend: tuple[str, dict[str, bool]]
) -> None:
    entries = ENTRIES if anyio_backend == ("asyncio", {"use_uvloop": False}) else ENTRIES // 10
    if verb == "LIST":
        entries //= 5
    line = {
        "MLSD": b"type=file;size=7;modify=20260101120000; name%07d\r\n",
        "LIST": b"-rw-r--r-- 1 u g 7 Jan  1 12:00 name%07d\r\n",
    }[verb]
    listing = [b"".join(line % (block * 1000 + n) for n in range(1000)) for block in range(200)]

    def send(session: Session) -> None:
        session.say(b"150 here\r\n")
        with session.connect_data() as data:
            for number in range(entries // 1000):
                data.sendall(listing[number % 200])
        session.say(b"226 done\r\n")

    answers = {verb: send}
    if verb == "LIST":
        answers["FEAT"] = b"500 what\r\n"  # type: ignore[assignment]
    seen = 0

    async def work() -> None:
        nonlocal seen
        async with client.scandir("d") as found:
            async for _ in found:
                seen += 1

    with HostileServer(answers) as server:
        async with client_for(server) as client:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            worst = 1.0
            for _ in range(3):  # other processes may take the processor away, but not each time
                seen = 0
                worst = min(worst, await _lateness(work))
                assert seen == entries
                if worst < 0.05:
                    break
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            assert_at_rest(client)
    assert grown < 64 * 1024, f"{grown} KiB more"
    assert worst < 0.05, f"the loop stood still for {worst * 1000:.0f} ms"


@pytest.mark.parametrize("end", [b"", b"\r\n"], ids=["no end", "CRLF"])
async def test_listing_line_of_ten_megabytes(end: bytes) -> None:
    with HostileServer(listing=b"type=file; " + b"x" * (10 << 20) + end) as server:
        async with client_for(server) as client:
            with pytest.raises(ProtocolError):
                await anext(client.scandir("d"))
            assert_at_rest(client)


NAMES = [
    b"../x",
    b"/etc/passwd",
    b"..",
    b".",
    b"a/b",
    b"a\x1b[31mb",
    b"\x00",
    b"\xff\xfe",
    b"x\ty",
    b"\r",
    b"CON",
    b"-rf",
    b" ",
    b"a" * 5000,
]


@pytest.mark.parametrize("name", NAMES, ids=repr)
@pytest.mark.parametrize(
    "form", [b"type=file;size=7; %s\r\n", b"-rw-r--r-- 1 u g 7 Jan  1 12:00 %s\r\n"], ids=["MLSD", "LIST"]
)
async def test_evil_names_never_lead_out(form: bytes, name: bytes, tmp_path: Path) -> None:
    answers = {} if form.startswith(b"type") else {"FEAT": b"500 what\r\n"}
    inside = tmp_path / "inside"
    with HostileServer(answers, listing=form % name) as server:  # type: ignore[arg-type]
        async with client_for(server) as client:
            try:
                entries = [entry async for entry in client.scandir("d")]
            except NetClientError:
                entries = []
            assert all(entry.name not in (".", "..") and "/" not in entry.name for entry in entries)
            async with client.download_many([entry.path for entry in entries], inside) as items:
                outcomes = [item async for item in items]
            assert_at_rest(client)
    outside = [path for path in tmp_path.rglob("*") if path.is_file() and inside not in path.parents]
    assert outside == []
    assert all(item.error is None or isinstance(item.error, NetClientError) for item in outcomes)
    POINTS["hostile: names"] += 1


GARBAGE = [b"\x00" * 100, b"\xff" * 100, b"total 5\r\n", b"type=;; \r\n", b"=;=;=; x\r\n", b"size=abc;type=file; x\r\n"]
GARBAGE += [
    b"modify=99999999999999;type=file; x\r\n",
    b"d\r\n",
    b"-rw\r\n",
    b" \r\n",
    b"\r\n" * 50,
    b"type=file;size=-1; x\r\n",
]


@pytest.mark.parametrize("listing", GARBAGE, ids=lambda value: repr(value[:12]))
@pytest.mark.parametrize("verb", ["MLSD", "LIST"])
async def test_garbage_listings(verb: str, listing: bytes) -> None:
    answers = {} if verb == "MLSD" else {"FEAT": b"500 what\r\n"}
    with HostileServer(answers, listing=listing) as server:  # type: ignore[arg-type]
        async with client_for(server) as client:
            try:
                entries = [entry async for entry in client.scandir("d")]
            except NetClientError:
                entries = []
            assert len(entries) <= 50
            assert_at_rest(client)
            await client.read_bytes("f")


async def test_a_changing_file_is_not_pieced_together(tmp_path: Path) -> None:
    """Cut in the middle; at the second attempt the time is another one: begin anew, or fail for a sink."""
    times = iter([b"20260101120000", b"20260202120000", b"20260202120000"])

    def mdtm(session: Session) -> None:
        session.say(b"213 %s\r\n" % next(times, b"20260202120000"))

    def retr(session: Session) -> None:
        session.say(b"150 here\r\n")
        first = session.server.data_connections == 0
        start = int(offset.pop()) if offset else 0
        with session.connect_data() as data:
            data.sendall(b"OLD" * 20_000 if first else (b"new" * 30_000)[start:])
            if first:
                session.sock.shutdown(2)
        session.say(b"226 done\r\n")

    def rest(session: Session) -> None:
        offset.append(session.argument)
        session.say(b"350 ok\r\n")

    offset: list[str] = []
    with HostileServer({"MDTM": mdtm, "RETR": retr, "REST": rest}, content=b"x" * 90_000) as server:
        client = FTPClient(server.url, retry=THRICE, limits=PoolLimits(max_connections=1), timeouts=Timeouts(reply=5))
        await client.download("f", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == b"new" * 30_000
        assert_at_rest(client)
        await client.aclose()
