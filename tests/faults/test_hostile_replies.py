"""Servers that answer nonsense, too much, or nothing: an error of ours, soon, in bounded memory."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from netclients import FTPClient, NetClientError, PhaseTimeout, PoolLimits, ProtocolError, ReplyError, Timeouts
from tests.faults.harness import ONCE, assert_at_rest, settles
from tests.faults.hostile import Answer, HostileServer, Session
from tests.faults.report import POINTS

pytestmark = [pytest.mark.anyio]

SHORT = Timeouts(connect=5, handshake=0.3, reply=0.3, stall=0.3, pool=5, complete=0.3)
LONG = Timeouts(connect=20, handshake=20, reply=20, stall=20, pool=20, complete=20)

Call = Callable[[FTPClient, Path], Awaitable[object]]


async def _list(client: FTPClient, _: Path) -> object:
    async with client.scandir("d") as entries:
        return [entry.name async for entry in entries]


CALLS: dict[str, Call] = {
    "download": lambda client, local: client.download("f", local / "f"),
    "sink": lambda client, local: client.download("f", sink=lambda view: None),
    "upload": lambda client, local: client.upload(b"content", "f"),
    "scandir": _list,
    "stat": lambda client, local: client.stat("f"),
    "exists": lambda client, local: client.exists("f"),
    "rename": lambda client, local: client.rename("a", "b"),
    "remove": lambda client, local: client.remove("f"),
    "makedirs": lambda client, local: client.makedirs("x/y"),
}
STEPS = ("greeting", "USER", "PASS", "FEAT", "TYPE", "SIZE", "MDTM", "EPSV", "RETR", "MLSD", "STOR", "RNFR", "RNTO")
STEPS = (*STEPS, "DELE", "MKD", "MLST")


def client_for(server: HostileServer, timeouts: Timeouts = LONG, connections: int = 1) -> FTPClient:
    return FTPClient(server.url, retry=ONCE, timeouts=timeouts, limits=PoolLimits(max_connections=connections))


async def outcome(server: HostileServer, call: Call, local: Path, timeouts: Timeouts = LONG) -> NetClientError | None:
    """Run one call; anything but a result or an error of ours comes out as it is."""
    error = None
    async with client_for(server, timeouts) as client:
        try:
            await call(client, local)
        except NetClientError as caught:
            error = caught
        assert_at_rest(client, error)
    assert not (local / "f").exists() or (local / "f").read_bytes() == server.content
    POINTS["hostile: replies"] += 1
    return error


def _flood(data: bytes, repeat: int | None = None) -> Answer:
    return lambda session: session.flood(data, repeat)


ENDLESS: dict[str, Answer] = {
    "a line of 100 MB": _flood(b"2" * (1 << 20), 100),
    "a line without end behind a code": _flood(b"220 " + b"x" * (1 << 20)),
    "lines without end": _flood(b"220-more\r\n" * 5000),
    "empty lines without end": _flood(b"\r\n" * 5000),
    "a reply without its last line": _flood(b"220-more\r\n220-and\r\n" + b"\n" * 60000),
    "replies to nothing": _flood(b"220 hello\r\n" * 5000),
    "preliminary replies without end": _flood(b"120 wait\r\n" * 5000),
}


@pytest.mark.timeout(15)
@pytest.mark.parametrize("what", ENDLESS)
@pytest.mark.parametrize("step", ["greeting", "PASS", "FEAT", "SIZE", "RETR"])
async def test_endless_replies_are_bounded(step: str, what: str, tmp_path: Path) -> None:
    with HostileServer({step: ENDLESS[what]}) as server:
        tracemalloc.start()
        started = time.monotonic()
        try:
            error = await outcome(server, CALLS["download"], tmp_path, SHORT)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert error is not None
    assert peak < 12 << 20, f"{peak} bytes"
    assert time.monotonic() - started < 8


NONSENSE: dict[str, bytes] = {
    "NUL": b"\0\0\0\r\n",
    "no code": b"hello there\r\n",
    "two digits": b"22 hello\r\n",
    "four digits": b"2200 hello\r\n",
    "code 000": b"000 hello\r\n",
    "code 999": b"999 hello\r\n",
    "0xFF": b"\xff\xfe\xff\r\n",
    "0xFF behind the code": b"550 \xff\xfe\x80\r\n",
    "no text": b"550\r\n",
    "Arabic digits": "٢٢٠ hello\r\n".encode(),
    "control characters": b"550 \x1b]0;x\x07\x00\x08\r\n",
    "only LF": b"550 no\n",
    "lone CR": b"550 no\rmore\r\n",
    "wrong last line": b"550-no\r\n551 no\r\n550 end\r\n",
    "HTTP": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a TLS record": b"\x16\x03\x01\x02\x00\x01\r\n",
    "code 100": b"100 wait\r\n",
    "code 299": b"299 fine\r\n",
    "code 399": b"399 go on\r\n",
    "code 421": b"421 bye\r\n",
    "code 450": b"450 later\r\n",
    "code 550": b"550 no\r\n",
    "nothing at all": b"",
}


@pytest.mark.parametrize("step", STEPS)
async def test_nonsense_at_every_step(step: str, tmp_path: Path) -> None:
    for what, said in NONSENSE.items():
        for name, call in CALLS.items():
            if step in _LATER.get(name, STEPS[:5]):
                with HostileServer({step: said}) as server:
                    try:
                        await outcome(server, call, tmp_path, _PATIENCE.get(what, SHORT))
                    except BaseException as error:
                        error.add_note(f"{what} in reply to {step} in {name}")
                        raise
                (tmp_path / "f").unlink(missing_ok=True)


_LATER = {
    "download": (*STEPS[:9],),
    "upload": ("SIZE", "EPSV", "STOR", "RNFR", "RNTO"),
    "scandir": ("EPSV", "MLSD"),
    "stat": ("MLST",),
    "exists": ("MLST",),
    "rename": ("RNFR", "RNTO"),
    "remove": ("DELE",),
    "makedirs": ("MKD",),
    "sink": ("SIZE", "MDTM", "RETR"),
}
_QUICK = Timeouts(connect=5, handshake=0.05, reply=0.05, stall=0.05, pool=5, complete=0.05)
_PATIENCE = {"nothing at all": _QUICK, "code 100": _QUICK, "wrong last line": _QUICK}


@pytest.mark.parametrize("how", ["one by one", "pipelined"])
@pytest.mark.parametrize("step", STEPS[:9])
async def test_closing_at_every_step(step: str, how: str, tmp_path: Path) -> None:
    def leave(session: Session) -> None:
        session.sock.shutdown(2)

    greeting = b"220 ProFTPD\r\n" if how == "pipelined" else b"220 hello\r\n"
    with HostileServer({"greeting": greeting, step: leave}) as server:
        error = await outcome(server, CALLS["download"], tmp_path)
    assert isinstance(error, ConnectionError)


PORTS = {
    "no parentheses": b"229 ok |||5|",
    "port 0": b"229 ok (|||0|)",
    "port 65536": b"229 ok (|||65536|)",
    "port with a sign": b"229 ok (|||-1|)",
    "port of a million digits": b"229 ok (|||" + b"1" * 1000 + b"|)",
    "Arabic digits": "229 ok (|||٢٢٠٠|)".encode(),
    "227 with port 0": b"227 ok (127,0,0,1,0,0)",
    "227 with 256": b"227 ok (127,0,0,1,256,1)",
    "227 with too few": b"227 ok (127,0,0,1,4)",
    "227 with garbage": b"227 (a,b,c,d,e,f)",
    "227 with nothing": b"227",
    "227 with thousands": b"227 " + b"1," * 20000,
    "another code": b"200 ok",
}


@pytest.mark.parametrize("what", PORTS)
@pytest.mark.parametrize("verb", ["EPSV", "PASV"])
async def test_bad_ports(verb: str, what: str, tmp_path: Path) -> None:
    answers: dict[str, Answer] = {verb: PORTS[what] + b"\r\n"}
    if verb == "PASV":
        answers["EPSV"] = b"500 what\r\n"
    with HostileServer(answers) as server:
        assert isinstance(await outcome(server, CALLS["download"], tmp_path), ProtocolError)
        assert "RETR" not in server.verbs()


SIZES = [
    b"213 -1",
    b"213 1e9",
    b"213 99999999999999999999",
    b"213 ",
    b"213 7 7",
    b"213 \xff",
    b"213 0x7",
    b"213 8",
    b"213 0",
]


@pytest.mark.parametrize("said", SIZES, ids=repr)
async def test_bogus_size(said: bytes, tmp_path: Path) -> None:
    with HostileServer({"SIZE": said + b"\r\n"}) as server:
        for name in ("download", "sink"):
            assert await outcome(server, CALLS[name], tmp_path) is not None, "seven bytes came"
        assert not (tmp_path / "f").exists()


@pytest.mark.parametrize(
    "said", [b"213 20261399999999", b"213 x", b"213 ", b"213 99999999999999", b"213 \xff"], ids=repr
)
async def test_bogus_time(said: bytes, tmp_path: Path) -> None:
    with HostileServer({"MDTM": said + b"\r\n"}) as server:
        await outcome(server, CALLS["download"], tmp_path)


async def test_quirks_around_a_transfer(tmp_path: Path) -> None:
    """Two 226, 200 before 150, 226 before the data has ended: all that real servers do."""

    def early(session: Session) -> None:
        session.say(b"150 here\r\n226 done\r\n")
        with session.connect_data() as data:
            data.sendall(session.server.content)

    table: dict[str, Answer] = {
        "two 226": lambda session: session.transfer(session.server.content, after=b"226 done\r\n226 again\r\n"),
        "200 before 150": lambda session: session.transfer(session.server.content, before=b"200 ok\r\n150 here\r\n"),
        "226 early": early,
        "no 150": lambda session: session.transfer(session.server.content, before=b"125 open\r\n"),
    }
    for what, answer in table.items():
        with HostileServer({"RETR": answer}, content=b"x" * 300_000) as server:
            async with client_for(server) as client:
                for number in range(3):
                    done = await client.download("f", tmp_path / f"f{number}")
                    assert (done.size, done.verified) == (300_000, True), what
                    assert (await client.stat("f")).size == 7
                assert_at_rest(client, what)


@pytest.mark.parametrize(
    "step", ["greeting", "USER", "PASS", "FEAT", "TYPE", "SIZE", "EPSV", "RETR", "final", "STOR", "DELE"]
)
async def test_a_silent_server_runs_into_the_timeout_of_its_phase(step: str, tmp_path: Path) -> None:
    answers: dict[str, Answer] = {step: Session.hang}
    if step == "final":

        def half(session: Session) -> None:
            session.transfer(session.server.content, after=b"")
            session.hang()

        answers = {"RETR": half}
    call = {"STOR": "upload", "DELE": "remove"}.get(step, "download")
    with HostileServer(answers) as server:
        error = await outcome(server, CALLS[call], tmp_path, SHORT)
    if step == "DELE":
        assert error is not None, "OutcomeUnknown will do"
        return
    assert isinstance(error, PhaseTimeout), repr(error)
    assert error.phase == ("complete" if step == "final" else "reply")


async def test_a_refused_password_is_tried_once(tmp_path: Path) -> None:
    with HostileServer({"PASS": b"530 wrong\r\n"}) as server:
        async with client_for(server, connections=4) as client:
            for _ in range(3):
                with pytest.raises(ReplyError):
                    await client.stat("f")
            assert_at_rest(client)
        assert await settles(lambda: server.verbs().count("PASS") == 1)
