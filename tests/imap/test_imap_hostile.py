"""IMAP servers that send too much, nonsense, or in clear what must be secret; arguments that would be commands."""

from __future__ import annotations

import time
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from netclients import ConfigurationError, ConnectionLost, Login, NetClientError, ProtocolError, UnsupportedError
from netclients.config import Bounds
from netclients.imap.connection import IMAPConnection
from netclients.imap.connection.appending import Appended
from netclients.imap.login import connect
from netclients.testing import IMAPServer, ScriptedServer
from netclients.testing.imap_faults import InjectClear
from tests.imap.connections import QUICK, connected, scripted, settings_of, with_tags

pytestmark = [pytest.mark.anyio]

GREETING = "S: * PREAUTH [CAPABILITY IMAP4rev1 LITERAL+ COMPRESS=DEFLATE IDLE] here\n"
BOUNDS = Bounds(data=1_000_000, literal=1_000_000, response=2_000_000)
CALLS: dict[str, Callable[[IMAPConnection], Any]] = {
    "NOOP": lambda c: c.noop(),
    "SEARCH": lambda c: c.uid_search("ALL"),
    "FETCH": lambda c: c.uid_fetch("1:9", body=True),
    "LIST": lambda c: c.list("*"),
    "APPEND": lambda c: c.append("INBOX", Appended(3, [b"abc"])),
    "IDLE": lambda c: c.idle(5),
}


async def attempt(script: str, call: str, **options: object) -> NetClientError:
    """Play it to a client, and return how its call ends."""
    options = {"bounds": BOUNDS, **options}
    with ScriptedServer(script, ignore_rest=True) as server:

        async def talk() -> None:
            async with connected(f"imap://127.0.0.1:{server.port}", **options) as connection:  # type: ignore[arg-type]
                await CALLS[call](connection)

        with pytest.raises(NetClientError) as caught, anyio.fail_after(60):
            await talk()
        return caught.value


FLOODS = {
    "an endless line": "S*| " + "x" * 4096,
    "an endless untagged line": "S*| * 1 FETCH (FLAGS (" + "x" * 4096,
    "a SEARCH without an end": "S| * SEARCH \nS*| " + "1234567 " * 512,
    "a literal of 4 GB": "S: * 1 FETCH (UID 1 BODY[] {4294967295}\nS*| " + "x" * 4096,
    "a literal of more than there are numbers": "S: * 1 FETCH (UID 1 BODY[] {99999999999999999999}",
    "literals without an end": "S| * 1 FETCH (\nS*: X {1}\\r\\nx ",
    "an endless FETCH": "S*: * 1 FETCH (UID 1 BODY[] {3}\\r\\nabc)",
    "an endless LIST": 'S*: * LIST () "/" ' + "x" * 4000,
}


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("call", ["NOOP", "SEARCH", "FETCH", "LIST"])
async def test_floods(flood: str, call: str) -> None:
    """They end, by an error or by the time that the caller has given, and take no more memory than the bounds say."""
    tracemalloc.start()
    started = time.process_time()
    with ScriptedServer(f"{GREETING}{FLOODS[flood]}\n", ignore_rest=True) as server:
        try:
            with anyio.move_on_after(3):
                url = f"imap://127.0.0.1:{server.port}"
                async with connected(url, bounds=BOUNDS, timeouts=QUICK) as connection:
                    await CALLS[call](connection)
        except NetClientError:
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 * 1024 * 1024
    assert time.process_time() - started < 30


@pytest.mark.parametrize("flood", ["an endless line", "an endless untagged line", "a literal of 4 GB"])
async def test_floods_are_told(flood: str) -> None:
    assert isinstance(await attempt(f"{GREETING}{FLOODS[flood]}\n", "NOOP"), ProtocolError)


@pytest.mark.parametrize("kind", ["BODYSTRUCTURE", "X", "ENVELOPE"])
async def test_ten_thousand_levels(kind: str) -> None:
    """Such an item can't be read; the connection goes on."""
    deep = "(" * 10_000 + ")" * 10_000
    script = f"C: t2 FETCH 1 (UID BODYSTRUCTURE)\nS: * 1 FETCH (UID 1 {kind} {deep})\nS: t2 OK done\n"
    async with scripted(script, opened=True) as connection:
        [found] = await connection.fetch("1", structure=True)
        assert found.error is not None or kind == "X"
        assert found.uid == "1"


@pytest.mark.parametrize(
    "line",
    [
        *("x1 OK done", "OK", "+ go on", "* ", "*", "\\x00", "\\xff\\xfe", "\\x16\\x03\\x01", "", "220 ready", "()"),
        *("* * *", "** OK", "a b c", "{3}", "* 99999999999999999999999 EXISTS"),
    ],
)
@pytest.mark.parametrize("call", CALLS)
async def test_nonsense(line: str, call: str) -> None:
    """Whatever it is: an error of ours, and no hang."""
    error = await attempt(f"{GREETING}S: {line}\nS-close\n", call, timeouts=QUICK)
    assert str(error).isprintable()


@pytest.mark.parametrize("greeting", ["x", "\\x00\\x01", "* FETCH", "a1 OK in", "+ go", "* NO", "HTTP/1.1 400 Bad"])
async def test_greetings(greeting: str) -> None:
    assert isinstance(await attempt(f"S: {greeting}\nS-close\n", "NOOP", timeouts=QUICK), NetClientError)


# TLS


async def test_clear_text_behind_starttls() -> None:
    injected = InjectClear(text="* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n")
    with IMAPServer(tls="starttls", faults=[injected]) as server:
        with pytest.raises(ProtocolError, match="STARTTLS"):
            async with connected(server.url, ssl_context=server.client_context()):
                pass
        assert not {"LOGIN", "AUTHENTICATE"} & set(server.stats.commands)


async def test_half_a_line_behind_starttls() -> None:
    with IMAPServer(tls="starttls", faults=[InjectClear(text="* CAP")]) as server:
        with pytest.raises(NetClientError):
            async with connected(server.url, ssl_context=server.client_context()):
                pass
        assert not {"LOGIN", "AUTHENTICATE"} & set(server.stats.commands)


async def test_preauth_where_tls_is_required() -> None:
    """Nothing is sent on a session whose beginning an attacker may have made up."""
    with ScriptedServer(GREETING + "C-close\n") as server:
        with pytest.raises(UnsupportedError, match="PREAUTH"):
            await connect(settings_of(f"imap://me:secret@127.0.0.1:{server.port}", tls="starttls"))
        server.check()


@pytest.mark.parametrize("offer", ["IMAP4rev1", "IMAP4rev1 LOGINDISABLED", "IMAP4rev1 AUTH=PLAIN"])
async def test_starttls_that_was_taken_out(offer: str) -> None:
    with ScriptedServer(f"S: * OK [CAPABILITY {offer}] here\nC-close\n") as server:
        with pytest.raises(UnsupportedError, match="STARTTLS"):
            await connect(settings_of(f"imap://me:secret@127.0.0.1:{server.port}", tls="starttls"))
        server.check()


# COMPRESS


def escaped(data: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)


async def compressed(data: bytes, call: str = "NOOP", *, finish: bool = False) -> NetClientError:
    """What a call ends by when this comes, deflated, behind COMPRESS."""
    deflater = zlib.compressobj(9, wbits=-15)
    packed = deflater.compress(data) + deflater.flush(zlib.Z_FINISH if finish else zlib.Z_SYNC_FLUSH)
    return await behind_compress(packed, call)


async def behind_compress(packed: bytes, call: str = "NOOP") -> NetClientError:
    sent = {"NOOP": b"t2 NOOP\r\n", "FETCH": b"t2 UID FETCH 1:9 (UID BODY.PEEK[])\r\n"}[call]
    deflater = zlib.compressobj(6, wbits=-15)
    line = deflater.compress(sent) + deflater.flush(zlib.Z_SYNC_FLUSH)
    # Once the first compressed command is there, so that it is not refused for standing behind the agreement.
    script = f"{GREETING}C: t1 COMPRESS DEFLATE\nS: t1 OK go\nC| {escaped(line)}\nS| {escaped(packed)}\nS-close\n"
    with ScriptedServer(script, ignore_rest=True) as server:
        settings = settings_of(f"imap://127.0.0.1:{server.port}", bounds=BOUNDS, timeouts=QUICK)
        connection = await _with_tags(settings)

        async def talk() -> None:
            await connection.compress()
            await CALLS[call](connection)

        try:
            with pytest.raises(NetClientError) as caught, anyio.fail_after(30):
                await talk()
        finally:
            connection.abort("the test is over")
        return caught.value


async def _with_tags(settings: Any) -> IMAPConnection:
    connection = await connect(settings)
    with_tags(connection.protocol)
    return connection


async def test_bytes_behind_the_agreement_to_compress() -> None:
    script = f"{GREETING}C: t1 COMPRESS DEFLATE\nS| t1 OK go\\r\\n* 1 EXISTS\\r\\n\nS-close\n"
    with ScriptedServer(script, ignore_rest=True) as server:
        connection = await _with_tags(settings_of(f"imap://127.0.0.1:{server.port}"))
        with pytest.raises(ProtocolError, match="COMPRESS"):
            await connection.compress()
        connection.abort("the test is over")


@pytest.mark.parametrize("garbage", [b"* OK in clear\r\n", b"\xff" * 20, b"\x07" * 20, b"\x16\x03\x01\x02\x00\x01"])
async def test_garbage_behind_compress(garbage: bytes) -> None:
    assert isinstance(await behind_compress(garbage), ProtocolError)


async def test_a_bomb() -> None:
    deflater = zlib.compressobj(9, wbits=-15)
    pieces = [deflater.compress(piece) for piece in (b"* 1 FETCH (UID 1 X ", *[b"x" * 1_000_000] * 100)]
    bomb = b"".join(pieces) + deflater.flush(zlib.Z_SYNC_FLUSH)
    tracemalloc.start()
    error = await behind_compress(bomb, "FETCH")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(error, ProtocolError)
    assert peak < 32 * 1024 * 1024


async def test_the_compressed_data_ends() -> None:
    assert isinstance(await compressed(b"* BYE\r\n", finish=True), (ConnectionLost, ProtocolError))


# Arguments

EVIL = ["x\r\na1 LOGOUT", "x\na1 LOGOUT", "x\rLOGOUT", "x\0", "x\r\n"]
# Each puts the text into another argument.
PLACES: dict[str, Callable[[IMAPConnection, str], Any]] = {
    "select": lambda c, x: c.select(x),
    "select bytes": lambda c, x: c.select(x.encode()),
    "create": lambda c, x: c.create(x),
    "create, use": lambda c, x: c.create("a", special_use=x),
    "delete": lambda c, x: c.delete(x),
    "rename": lambda c, x: c.rename("a", x),
    "subscribe": lambda c, x: c.subscribe(x),
    "list": lambda c, x: c.list(x),
    "list, reference": lambda c, x: c.list("*", reference=x),
    "list, select": lambda c, x: c.list("*", select=[x]),
    "list, returns": lambda c, x: c.list("*", returns=[x]),
    "list, status": lambda c, x: c.list("*", status=[x]),
    "lsub": lambda c, x: c.lsub(x),
    "status": lambda c, x: c.status(x),
    "status, items": lambda c, x: c.status("INBOX", [x]),
    "getquota": lambda c, x: c.getquota(x),
    "setquota": lambda c, x: c.setquota("", {x: 1}),
    "getmetadata": lambda c, x: c.getmetadata("", [x]),
    "setmetadata": lambda c, x: c.setmetadata("", {x: "1"}),
    "setmetadata, value": lambda c, x: c.setmetadata("", {"/private/x": x}),
    "fetch": lambda c, x: c.fetch(x, flags=True),
    "uid_fetch": lambda c, x: c.uid_fetch(x, flags=True),
    "fetch, headers": lambda c, x: c.fetch("1", headers=[x]),
    "fetch, body": lambda c, x: c.fetch("1", body=x),
    "fetch, extra": lambda c, x: c.fetch("1", extra=[x]),
    "fetch, preview": lambda c, x: c.fetch("1", preview=x),
    "piece": lambda c, x: c.uid_fetch_piece("1", x, 0, 1),
    "store": lambda c, x: c.store("1", [x]),
    "store, numbers": lambda c, x: c.store(x, ["a"]),
    "copy": lambda c, x: c.copy("1", x),
    "uid_move": lambda c, x: c.uid_move(x, "INBOX"),
    "uid_expunge": lambda c, x: c.uid_expunge(x),
    "search": lambda c, x: c.search(x),
    "search, subject": lambda c, x: c.search(subject=x),
    "search, returns": lambda c, x: c.uid_search(returns=[x]),
    "search, header": lambda c, x: c.search(header=(x, "y")),
    "sort": lambda c, x: c.sort(x),
    "thread": lambda c, x: c.thread(x),  # type: ignore[arg-type]
    "append": lambda c, x: c.append(x, Appended(1, [b"x"])),
    "append, flags": lambda c, x: c.append("INBOX", Appended(1, [b"x"], flags=[x])),
    "id": lambda c, x: c.id({"name": x}),
    "id, field": lambda c, x: c.id({x: "name"}),
    "enable": lambda c, x: c.enable(x),
    "notify": lambda c, x: c.notify(x),
    "login": lambda c, x: c.login(x, x),
    "command": lambda c, x: c.command(x),
    "command, word": lambda c, x: c.command("NOOP", x),
}


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("place", PLACES)
async def test_injection(place: str, evil: str) -> None:
    """It is refused before anything is sent, or it is one string, as a literal; never a line of its own."""
    with IMAPServer(without={"LITERAL+", "LITERAL-"}, faults=()) as server:
        async with connected(server.url) as connection:
            before = len(server.commands)
            capabilities = connection.protocol.capabilities
            assert capabilities is not None
            connection.protocol.capabilities = capabilities | {"METADATA", "QUOTASET", "NOTIFY", "PREVIEW"}
            try:
                pending = PLACES[place](connection, evil)
                await pending
            except NetClientError:
                pass
            if not connection.protocol.ended and connection.protocol.idle:
                await connection.noop()
            sent = [one.name for one in server.commands[before:]]
        assert "LOGOUT" not in sent
        assert len(sent) <= 2
        assert not any("LOGOUT" in one.tag or one.tag == "a1" for one in server.commands)
        assert server.violations == []


async def test_what_command_refuses() -> None:
    async with scripted("") as connection:
        for verb in ("LOGIN", "authenticate", "STARTTLS", "COMPRESS", "IDLE", "APPEND", "SELECT", "EXAMINE", "A B", ""):
            with pytest.raises(ConfigurationError):
                await connection.command(verb, "x")
        for word in ("{5}", "{5+}", "~{5}", "x {0} ", "a\r\nb", "a\0"):
            with pytest.raises(ConfigurationError):
                await connection.command("XTEST", word)
        assert connection.protocol.idle


@pytest.mark.parametrize("user", ["a\0b", "a\r\nb"])
async def test_names_that_no_login_takes(user: str) -> None:
    with IMAPServer() as server:
        with pytest.raises(NetClientError):
            async with connected(f"imap://127.0.0.1:{server.port}", auth=Login(user, "x"), tls="none"):
                pass
        assert not any(one.name == "LOGOUT" for one in server.commands)
