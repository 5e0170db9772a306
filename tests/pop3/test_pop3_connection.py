"""Every command on the embedded server, every way to log in, and what must not happen on the way."""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import pytest

from netclients import (
    AuthenticationError,
    Bounds,
    ConfigurationError,
    ConnectionLost,
    External,
    OAuth,
    OutcomeUnknown,
    PermanentReplyError,
    ProtocolError,
    TransientReplyError,
    UnsupportedError,
)
from netclients.errors import NetClientError, TooManyConnections
from netclients.events import Events
from netclients.pop3.types import Language, Listing, Stat, UniqueID
from netclients.testing import ScriptedServer
from netclients.testing.pop3 import POP3Server
from netclients.testing.smtp_faults import Fault, Hangup, InjectClear, Reply
from tests.pop3.boxes import QUICK, connected, letter

pytestmark = pytest.mark.anyio


@pytest.fixture
def server() -> Iterator[POP3Server]:
    with POP3Server() as server:
        for number in range(1, 4):
            server.add("me", letter(number))
        yield server
        assert server.violations == []


async def test_commands(server: POP3Server) -> None:
    c = await connected(server.url, tls="none")
    size = len(letter(1))
    assert c.authenticated
    assert c.capabilities.has("PIPELINING")
    assert await c.stat() == Stat(3, 3 * size)
    assert await c.list() == tuple(Listing(number, size) for number in (1, 2, 3))
    assert await c.size_of(2) == size
    assert await c.uidl() == tuple(UniqueID(number, f"{number:08x}") for number in (1, 2, 3))
    assert await c.uid_of(3) == "00000003"
    assert await c.retr(1) == letter(1)
    assert await c.top(2, 1) == b"Subject: 2\r\n\r\n.\r\n"
    assert await c.top(2) == b"Subject: 2\r\n\r\n"
    await c.noop()
    await c.utf8()
    assert await c.languages() == (Language("en", "English"), Language("de", "Deutsch"))
    assert await c.lang("de") == "de Chosen."
    await c.dele(1)
    with pytest.raises(PermanentReplyError, match="DELE 1: No such message"):
        await c.dele(1)
    with pytest.raises(PermanentReplyError):
        await c.retr(1)
    await c.rset()
    assert c.deleted == set()
    await c.dele(2)
    assert (await c.command("noop")).ok
    assert (await c.command("LIST", multiline=True)).lines == (b"1 %d" % size, b"3 %d" % size)
    await c.quit()
    assert [message.uid for message in server.messages("me")] == ["00000001", "00000003"]
    with pytest.raises(ConnectionLost):
        await c.noop()


@pytest.mark.parametrize("verb", ["dele", "RSET", "QUIT", "AUTH", "STLS", "RETR", "PASS"])
async def test_raw_commands_have_limits(server: POP3Server, verb: str) -> None:
    c = await connected(server.url, tls="none")
    with pytest.raises(ConfigurationError, match="use the method"):
        await c.command(verb, "1")
    c.abort("done")


async def test_retr_to(server: POP3Server) -> None:
    c = await connected(server.url, tls="none")
    pieces: list[bytes] = []
    kept: list[memoryview] = []

    def sink(view: memoryview) -> None:
        pieces.append(bytes(view))
        kept.append(view)

    async def slow(view: memoryview) -> None:
        pieces.append(bytes(view))

    for take in (sink, slow):
        pieces.clear()
        assert await c.retr_to(1, take) == len(letter(1))
        assert b"".join(pieces) == letter(1)
    with pytest.raises(ValueError, match="released"):
        bytes(kept[0])

    def failing(_: memoryview) -> None:
        raise LookupError("no room")

    with pytest.raises(LookupError):
        await c.retr_to(1, failing)
    assert await c.retr(2) == letter(2)
    assert c.protocol.idle
    with pytest.raises(PermanentReplyError):
        await c.retr_to(9, sink)
    await c.quit()


async def test_pipelined(server: POP3Server) -> None:
    c = await connected(server.url, tls="none")
    tickets = [c.submit_retr(number) for number in (3, 9, 1, 2)]
    assert (await c.fetched(tickets[3])).body == letter(2)
    assert (await c.fetched(tickets[0])).body == letter(3)
    with pytest.raises(PermanentReplyError):
        await c.fetched(tickets[1])
    assert (await c.fetched(tickets[2])).body == letter(1)
    await c.quit()


@pytest.mark.parametrize("pipelining", [True, None, False])
async def test_pipelining_is_for_those_who_can(pipelining: bool | None) -> None:
    with POP3Server(without={"PIPELINING"}) as server:
        server.add("me", letter(1))
        c = await connected(server.url, tls="none", pipelining=pipelining)
        tickets = [c.submit_retr(1) for _ in range(20)]
        assert (await c.fetched(tickets[-1])).body == letter(1)
        await c.quit()
        assert bool(server.violations) == (pipelining is True)


async def test_bounds(server: POP3Server) -> None:
    c = await connected(server.url, tls="none", bounds=Bounds(read=20))
    with pytest.raises(ProtocolError, match="more than 20 bytes"):
        await c.retr(1)
    assert not c.clean
    c.abort("done")


# Logins

MECHANISMS = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"]


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_mechanisms(tls: str, mechanism: str) -> None:
    users = {"jörg": "pa ss wörd"}
    with POP3Server(tls=tls, users=users, mechanisms=[mechanism]) as server:
        c = await connected(server.url, ssl_context=server.client_context(), mechanisms=[mechanism])
        assert c.authenticated
        await c.quit()
        assert server.stats.commands["AUTH"] == 1
        url = server.url_at(server.host, server.port).replace("pa%20ss", "other")
        with pytest.raises(AuthenticationError) as caught:
            await connected(url, ssl_context=server.client_context())
        assert "other" not in str(caught.value)
        assert server.violations == []


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
async def test_tokens(mechanism: str) -> None:
    with POP3Server(tls="starttls", users={}, tokens={"ann": "t2"}, mechanisms=[mechanism]) as server:
        tokens = iter(["t1", "t2"])
        c = await connected(
            f"pop3://{server.host}:{server.port}",
            auth=OAuth("ann", lambda: next(tokens)),
            ssl_context=server.client_context(),
        )
        assert c.authenticated
        c.abort("done")


async def test_external() -> None:
    with POP3Server(tls="implicit", mechanisms=["EXTERNAL"]) as server:
        c = await connected(
            f"pop3s://{server.host}:{server.port}", auth=External("me"), ssl_context=server.client_context()
        )
        assert c.authenticated
        c.abort("done")


LOGINS = [
    ("none", {}, None, "AUTH"),
    ("none", {"SASL"}, None, "APOP"),
    ("none", {"SASL", "APOP"}, None, "PASS"),
    ("none", {"CAPA"}, None, "APOP"),
    ("none", {"CAPA", "APOP"}, None, "PASS"),
    ("none", set(), ["PLAIN"], "APOP"),
    ("none", {"APOP"}, ["PLAIN"], "AUTH"),
    ("starttls", set(), ["PLAIN"], "AUTH"),
    ("starttls", {"SASL"}, None, "PASS"),
    ("implicit", {"SASL"}, None, "PASS"),
    ("implicit", {"SASL", "USER"}, None, "APOP"),
    ("implicit", {"CAPA"}, None, "PASS"),
]


@pytest.mark.parametrize(("tls", "without", "mechanisms", "verb"), LOGINS)
async def test_the_best_way_in(tls: str, without: set[str], mechanisms: list[str] | None, verb: str) -> None:
    with POP3Server(tls=tls, without=without, mechanisms=mechanisms) as server:
        options = {"tls": "none"} if tls == "none" else {"ssl_context": server.client_context()}
        c = await connected(server.url, **options)
        assert c.authenticated
        await c.quit()
        assert [one.verb for one in server.commands if one.verb in ("AUTH", "APOP", "PASS")] == [verb]
        assert server.stats.logins == 1


async def test_no_way_in() -> None:
    with POP3Server(tls="implicit", without={"SASL"}) as server:
        with pytest.raises(UnsupportedError):
            await connected(server.url, ssl_context=server.client_context(), mechanisms=["PLAIN"])
        assert not {"AUTH", "PASS", "APOP", "USER"} & set(server.stats.commands)


async def test_nothing_secret_in_clear() -> None:
    with POP3Server() as server:
        c = await connected(f"pop3://{server.host}:{server.port}")
        for call in (c.user("me"), c.pass_("secret"), c.apop("me", "secret"), c.login("me", "secret")):
            with pytest.raises(ConfigurationError, match="plain"):
                await call
        c.abort("done")
        for without in ((), ("CAPA",)):
            server.set_without(without)
            with pytest.raises(UnsupportedError, match="TLS"):
                await connected(server.url)
        assert not {"AUTH", "PASS", "APOP", "USER"} & set(server.stats.commands)


@pytest.mark.parametrize("text", ["+OK\r\n", "-ERR no\r\n", "+OK\r\n.\r\n", "x", "TOP\r\n.\r\n"])
async def test_stls_injection(text: str) -> None:
    with POP3Server(tls="starttls", faults=[InjectClear(verb="STLS", text=text)]) as server:
        with pytest.raises(ProtocolError):
            await connected(server.url, ssl_context=server.client_context())
        assert not {"AUTH", "PASS", "APOP", "USER"} & set(server.stats.commands)


async def test_stls_forgets() -> None:
    """The timestamp came in clear: somebody may have chosen it."""
    with POP3Server(tls="starttls") as server:
        c = await connected(server.url, ssl_context=server.client_context())
        assert c.timestamp is None
        assert not c.capabilities.has("STLS")
        c.abort("done")


REFUSALS: list[tuple[Fault, type[NetClientError]]] = [
    (Reply("CONNECT", "-ERR [SYS/TEMP] full"), TooManyConnections),
    (Reply("CONNECT", "-ERR go away"), PermanentReplyError),
    (Reply("CONNECT", "hello"), ProtocolError),
    (Reply("AUTH", "-ERR [IN-USE] busy"), TransientReplyError),
    (Reply("AUTH", "-ERR [LOGIN-DELAY] slowly"), TransientReplyError),
    (Reply("AUTH", "-ERR [SYS/PERM] broken"), PermanentReplyError),
    (Reply("AUTH", "-ERR"), AuthenticationError),
    (Reply("AUTH-RESPONSE", "-ERR [AUTH] no"), AuthenticationError),
    (Reply("AUTH", "+ !!!"), ProtocolError),
    (Reply("CAPA", "-ERR [SYS/TEMP] later"), TransientReplyError),
    (Hangup("AUTH"), ConnectionLost),
]


@pytest.mark.parametrize(("fault", "kind"), REFUSALS)
async def test_refusals(fault: Fault, kind: type[NetClientError]) -> None:
    with POP3Server(faults=[fault], mechanisms=["CRAM-MD5"]) as server:
        with pytest.raises(kind) as caught:
            await connected(server.url, tls="none", timeouts=QUICK)
        assert type(caught.value) is kind


async def test_in_use(server: POP3Server) -> None:
    c = await connected(server.url, tls="none")
    with pytest.raises(TransientReplyError, match="open already"):
        await connected(server.url, tls="none")
    await c.quit()
    await (await connected(server.url, tls="none")).quit()


@pytest.mark.parametrize("name", ["a\r\nDELE 1", "a\nb", "a\0"])
async def test_injection(server: POP3Server, name: str) -> None:
    for auth in ((name, "x"), ("x", name)):
        for without in ((), ("SASL",), ("SASL", "APOP")):
            server.set_without(without)
            with pytest.raises((ConfigurationError, AuthenticationError)):
                await connected(f"pop3://{server.host}:{server.port}", auth=auth, tls="none")
    assert "DELE" not in server.stats.commands


async def test_extensions_that_are_missing() -> None:
    with POP3Server(without={"UIDL", "TOP", "UTF8", "LANG"}) as server:
        server.add("me", letter(1))
        c = await connected(server.url, tls="none")
        for call in (c.uidl(), c.uid_of(1), c.top(1), c.utf8(), c.lang(), c.languages()):
            with pytest.raises(UnsupportedError, match="does not have"):
                await call
        await c.quit()


# The end


class Doubts(Events):
    def __init__(self) -> None:
        self.unknown: list[str] = []

    def outcome_unknown(self, operation: str) -> None:
        self.unknown.append(operation)


async def test_quit_without_a_reply(server: POP3Server) -> None:
    server.set_faults([Hangup("QUIT", executed=True)])
    c = await connected(server.url, tls="none")
    await c.quit()  # nothing was to be done
    c = await connected(server.url, tls="none")
    await c.dele(1)
    with pytest.raises(OutcomeUnknown, match="QUIT after DELE of 1"):
        await c.quit()
    assert len(server.messages("me")) == 2


async def test_quit_that_is_refused(server: POP3Server) -> None:
    server.set_faults([Reply("QUIT", "-ERR some deleted messages not removed")])
    c = await connected(server.url, tls="none")
    await c.dele(1)
    with pytest.raises(PermanentReplyError, match="not removed"):
        await c.quit()
    assert c.protocol.ended


async def test_closing_deletes_nothing(server: POP3Server) -> None:
    c = await connected(server.url, tls="none")
    await c.dele(1)
    assert not c.clean
    c.close("done")
    assert len(server.messages("me")) == 3
    assert "QUIT" not in server.stats.commands


async def test_a_farewell_in_between() -> None:
    script = "S: +OK hi\nC: CAPA\nS: -ERR\nS: -ERR Disconnected for inactivity.\nS-close\n"
    with ScriptedServer(script) as server:
        c = await connected(f"pop3://127.0.0.1:{server.port}")
        await anyio.sleep(0.1)
        with pytest.raises(ConnectionLost):
            await c.noop()
        c.abort("done")
