"""Every method of ``IMAPConnection``: on the embedded server, and on scripts for what no server here announces."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterator

import anyio
import pytest

from netclients import (
    AuthenticationError,
    ConfigurationError,
    ConnectionLost,
    Login,
    NetClientError,
    NotFetched,
    OAuth,
    OutcomeUnknown,
    PermanentReplyError,
    PhaseTimeout,
    ProtocolError,
    TooManyConnections,
    TransientReplyError,
    UnsupportedError,
)
from netclients.events import Events
from netclients.imap.connection import IMAPConnection
from netclients.imap.connection.appending import Appended
from netclients.imap.protocol import State
from netclients.imap.types import UID, Condition, CopyUID, Expunge, Fetched, Number, Vanished
from netclients.testing import IMAPServer
from netclients.testing.imap_faults import Delay, Hangup, Meanwhile, Reply, Unsolicited
from tests.faults.harness import settles
from tests.imap.connections import QUICK, connected, on_script, scripted

pytestmark = [pytest.mark.anyio]

NAMES = [
    "&",
    '"x"',
    "日本",
    "a b",
    "[Gmail]/Alle Nachrichten",
    "100%",
    "star*",
    "back\\slash",
    "tab\tbed",
    "&-",
    "ü" * 60,
]
SUBJECTS = ["* 1 EXISTS", "(", ")", "a1 OK done", 'say "hi"', "back\\slash", "{12}", "~{3+}", "x" * 5000]
TEXT = b"Subject: hello\r\nFrom: ada@example.test\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\n\r\nthe body\r\n"
DAY = dt.datetime(2026, 1, 5, 10, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))


@pytest.fixture
def server() -> Iterator[IMAPServer]:
    with IMAPServer() as server:
        yield server
        assert server.violations == []


@pytest.fixture
async def connection(server: IMAPServer) -> AsyncIterator[IMAPConnection]:
    async with connected(server.url) as made:
        yield made


def fill(server: IMAPServer, count: int = 5, mailbox: str = "INBOX") -> list[int]:
    return [
        server.add("me", mailbox, b"Subject: number %d\r\nMessage-ID: <%d@x>\r\n\r\nbody %d\r\n" % (n, n, n), date=DAY)
        for n in range(1, count + 1)
    ]


def message(content: bytes = TEXT, **options: object) -> Appended:
    return Appended(len(content), [content], **options)  # type: ignore[arg-type]


# The session


async def test_what_a_connection_knows(connection: IMAPConnection) -> None:
    assert "IMAP4REV1" in connection.capabilities
    assert connection.has("NO-SUCH", "MOVE")
    assert not connection.has("NO-SUCH")
    assert "ready" in connection.welcome
    assert connection.selected is None
    assert connection.clean
    with pytest.raises(UnsupportedError, match="NO-SUCH or NONE"):
        connection.require("NO-SUCH", "NONE")


async def test_capability_noop_id_enable(server: IMAPServer, connection: IMAPConnection) -> None:
    assert await connection.capability() == connection.capabilities
    await connection.noop()
    await connection.probe()
    assert (await connection.id({"name": 'a "b"', "version": None}))["name"]
    assert await connection.id() is not None
    assert connection.clean
    assert await connection.enable("UTF8=ACCEPT", "NO-SUCH") == {"UTF8=ACCEPT"}
    assert connection.protocol.utf8
    assert not connection.clean


async def test_logout(server: IMAPServer) -> None:
    async with connected(server.url) as connection:
        await connection.logout()
        assert connection.protocol.state is State.LOGOUT
        with pytest.raises(ConnectionLost):
            connection.noop()
    assert await settles(lambda: server.stats.connections_open == 0)


async def test_close_says_goodbye(server: IMAPServer) -> None:
    async with connected(server.url) as connection:
        connection.close("the test wants it")
    assert await settles(lambda: server.stats.commands.get("LOGOUT") == 1)


async def test_starttls_and_implicit_tls() -> None:
    for tls in ("starttls", "implicit"):
        with IMAPServer(tls=tls) as server:  # type: ignore[arg-type]
            async with connected(server.url, ssl_context=server.client_context()) as connection:
                assert connection.secured
                assert not connection.has("STARTTLS")
                assert connection.clean
            assert server.stats.discarded == 0


async def test_starttls_by_hand() -> None:
    with IMAPServer(tls="starttls", login_in_clear=True) as server:
        url = server.url.replace("me:secret@", "")
        async with connected(url, tls="none", ssl_context=server.client_context()) as connection:
            assert connection.protocol.state is State.NOT_AUTHENTICATED
            assert "STARTTLS" not in await connection.starttls()
            assert connection.secured
            await connection.login("me", "secret")
            assert connection.protocol.state is State.AUTHENTICATED
            with pytest.raises(UnsupportedError):
                await connection.starttls()


async def test_starttls_that_is_not_offered(server: IMAPServer) -> None:
    with pytest.raises(UnsupportedError, match="does not offer STARTTLS"):
        async with connected(server.url, tls="starttls"):
            pass
    assert "LOGIN" not in server.stats.commands
    assert "AUTHENTICATE" not in server.stats.commands


async def test_starttls_that_is_refused() -> None:
    with IMAPServer(tls="starttls", faults=[Reply("STARTTLS", "BAD not now")]) as server:
        with pytest.raises(UnsupportedError, match="refuses TLS"):
            async with connected(server.url, ssl_context=server.client_context()):
                pass
        assert not {"LOGIN", "AUTHENTICATE"} & set(server.stats.commands)


async def test_preauth() -> None:
    with IMAPServer(preauth="me") as server:
        async with connected(server.url) as connection:
            assert connection.protocol.state is State.AUTHENTICATED
            assert connection.has("MOVE")
        assert not {"LOGIN", "AUTHENTICATE"} & set(server.stats.commands)


async def test_preauth_where_starttls_is_wanted() -> None:
    with IMAPServer(preauth="me", tls="starttls") as server:
        with pytest.raises(UnsupportedError, match="PREAUTH"):
            async with connected(server.url, tls="starttls", ssl_context=server.client_context()):
                pass
        assert server.commands == []


async def test_nobody_logs_in_without_credentials(server: IMAPServer) -> None:
    async with connected(server.url.replace("me:secret@", "")) as connection:
        assert connection.protocol.state is State.NOT_AUTHENTICATED
        assert connection.has("AUTH=PLAIN")


MECHANISMS = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]


@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("mechanism", MECHANISMS)
async def test_mechanisms(mechanism: str, initial: bool) -> None:
    with IMAPServer(mechanisms=[mechanism], without=() if initial else {"SASL-IR"}) as server:
        async with connected(server.url) as connection:
            assert connection.clean
        with pytest.raises(AuthenticationError):
            async with connected(server.url.replace(":secret", ":wrong")):
                pass
        assert server.stats.logins == 1
        shown = [one.text for one in server.commands if one.name == "AUTHENTICATE"]
        assert all(mechanism in text for text in shown)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"])
async def test_mechanisms_bound_to_tls(mechanism: str) -> None:
    with IMAPServer(tls="implicit", mechanisms=[mechanism]) as server:
        async with connected(server.url, ssl_context=server.client_context(), mechanisms=[mechanism]):
            pass
        assert server.stats.logins == 1


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
async def test_tokens(mechanism: str) -> None:
    with IMAPServer(tokens={"me": "tok"}, mechanisms=[mechanism]) as server:
        asked = iter(["stale", "tok"])
        async with connected(server.url, auth=OAuth("me", lambda: next(asked)), tls="none"):
            pass
        assert server.stats.logins == 1
        with pytest.raises(AuthenticationError):
            async with connected(server.url, auth=OAuth("me", "stale"), tls="none"):
                pass


async def test_login_where_there_is_no_mechanism() -> None:
    with IMAPServer(mechanisms=[]) as server:
        async with connected(server.url.replace("me:secret@", ""), auth=Login("me", "secret"), tls="none"):
            pass
        assert server.stats.commands["LOGIN"] == 1


@pytest.mark.parametrize(
    "password", ['pass"word', "back\\slash", "pässwörd", "{5}", "a b", "", "x" * 5000, "\U0001f512"]
)
async def test_passwords(password: str) -> None:
    """Whatever they are, they are one argument, and neither shown nor logged."""
    told: list[str] = []

    class Log(Events):
        def command(self, connection: int, text: str) -> None:
            told.append(text)

    with IMAPServer(users={"me": password}, mechanisms=[]) as server:
        url = server.url.rpartition("@")[2]
        async with connected(f"imap://{url}", auth=Login("me", password), tls="none", events=Log()):
            pass
        assert server.stats.logins == 1
        assert server.violations == []
    assert not password or not any(password in text for text in told)


async def test_logindisabled() -> None:
    with IMAPServer(tls="starttls") as server:
        url = server.url.replace("me:secret@", "")
        async with connected(url, tls="none") as connection:
            with pytest.raises(UnsupportedError, match="LOGINDISABLED"):
                await connection.login("me", "secret")
        assert "LOGIN" not in server.stats.commands


async def test_credentials_cross_no_plain_connection() -> None:
    """Not even where the server would take them."""
    with IMAPServer() as server:
        async with connected(server.url.replace("me:secret@", ""), tls=None) as connection:
            with pytest.raises(ConfigurationError, match="plain"):
                await connection.login("me", "secret")
            with pytest.raises(ConfigurationError, match="plain"):
                await connection.authenticate(Login("me", "secret"))
        assert not {"LOGIN", "AUTHENTICATE"} & set(server.stats.commands)


async def test_compress(server: IMAPServer) -> None:
    fill(server, 50)
    async with connected(server.url, compress=True) as connection:
        assert connection.clean
        await connection.select("INBOX")
        assert len(await connection.fetch("1:*", body=True)) == 50
        big = b"Subject: big\r\n\r\n" + bytes(range(65, 91)) * 40_000
        assert await connection.append("INBOX", message(big))
        [found] = await connection.fetch("51", body=True)
        assert found.raw == big
        with pytest.raises(UnsupportedError):
            await connection.compress()
        await connection.noop()


async def test_compress_that_is_not_offered_or_refused() -> None:
    with IMAPServer(without={"COMPRESS=DEFLATE"}) as server:
        async with connected(server.url, compress=True) as connection:
            with pytest.raises(UnsupportedError):
                await connection.compress()
    with IMAPServer(faults=[Reply("COMPRESS", "NO [COMPRESSIONACTIVE] TLS does")]) as server:
        async with connected(server.url, compress=True) as connection:
            await connection.noop()
            assert connection.clean
            with pytest.raises(UnsupportedError, match="TLS does"):
                await connection.compress()
            assert connection.clean


async def test_idle(server: IMAPServer, connection: IMAPConnection) -> None:
    await connection.select("INBOX")
    assert await connection.idle(0.05) == []
    async with anyio.create_task_group() as group:
        group.start_soon(anyio.to_thread.run_sync, _add_when_idle, server)
        heard = await connection.idle(10)
    assert Number("EXISTS", 1) in heard
    await connection.noop()
    assert connection.selected is not None
    assert connection.selected.exists == 1


def _add_when_idle(server: IMAPServer) -> None:
    while server.stats.commands.get("IDLE", 0) < 2:
        pass
    fill(server, 1)


async def test_idle_ends_with_what_the_server_says_first(server: IMAPServer) -> None:
    with IMAPServer(faults=[Meanwhile("IDLE", do=lambda: server.stats), Unsolicited("IDLE", "* 7 EXISTS")]) as other:
        async with connected(other.url) as connection:
            await connection.select("INBOX")
            assert Number("EXISTS", 7) in await connection.idle(10)


async def test_a_command_that_has_no_method(server: IMAPServer, connection: IMAPConnection) -> None:
    fill(server, 2)
    status, data = await connection.command("status", "INBOX", "(MESSAGES)")
    assert status.ok
    assert [one.messages for one in data] == [2]  # type: ignore[union-attr]
    assert not connection.clean
    status, data = await connection.command("XNOTHING", "a", "b")
    assert status.condition is Condition.BAD


# Mailboxes


@pytest.mark.parametrize("utf8", [False, True])
@pytest.mark.parametrize("name", NAMES)
async def test_names(server: IMAPServer, connection: IMAPConnection, name: str, utf8: bool) -> None:
    if utf8:
        await connection.enable("UTF8=ACCEPT")
    await connection.create(name)
    assert name in server.mailbox_names("me")
    assert (await connection.select(name)).name == name
    assert await connection.append(name, message())
    assert (await connection.status(name, ["MESSAGES"])).messages == 1
    listed = {mailbox.name: mailbox for mailbox, _ in await connection.list("*")}
    assert name in listed
    assert (await connection.status(listed[name].raw_name, ["MESSAGES"])).messages == 1
    assert (await connection.select(listed[name].raw_name)).exists == 1
    await connection.uid_copy("1", name)
    await connection.subscribe(name)
    assert name in [mailbox.name for mailbox, _ in await connection.lsub()]
    await connection.unsubscribe(name)
    await connection.unselect()
    await connection.rename(name, "other")
    await connection.delete("other")
    assert not {name, "other"} & set(server.mailbox_names("me"))


async def test_select(server: IMAPServer, connection: IMAPConnection) -> None:
    fill(server, 3)
    box = await connection.select("inbox")
    assert (box.exists, box.readonly, box.uid_validity) == (3, False, server.uid_validity("me"))
    assert box.uid_next == 4
    assert "\\Seen" in box.flags
    assert box.permanent_flags is not None
    assert "\\*" in box.permanent_flags
    assert box.modseqs
    assert box.mailbox_id
    server.create_mailbox("me", "other")
    box = await connection.select("other", readonly=True)
    assert (box.name, box.exists, box.readonly) == ("other", 0, True)
    with pytest.raises(PermanentReplyError):
        await connection.select("none")
    assert connection.selected is None
    assert connection.protocol.state is State.AUTHENTICATED
    with pytest.raises(PermanentReplyError):
        await connection.fetch("1", flags=True)
    assert connection.clean


async def test_unselect_close_check(server: IMAPServer, connection: IMAPConnection) -> None:
    uids = fill(server, 3)
    server.set_flags("me", "INBOX", uids[0], ["\\Deleted"])
    await connection.select("INBOX")
    await connection.check()
    await connection.unselect()
    assert connection.selected is None
    assert len(server.messages("me")) == 3
    await connection.select("INBOX")
    await connection.close_mailbox()
    assert connection.selected is None
    assert len(server.messages("me")) == 2
    with pytest.raises(PermanentReplyError):
        await connection.unselect()


async def test_qresync(server: IMAPServer, connection: IMAPConnection) -> None:
    uids = fill(server, 5)
    await connection.enable("QRESYNC")
    box = await connection.select("INBOX", condstore=True)
    assert box.highest_modseq is not None
    before = box.uid_validity, box.highest_modseq
    await connection.unselect()
    server.set_flags("me", "INBOX", uids[1], ["\\Flagged"])
    server.expunge("me", "INBOX", uids[2])
    while connection.next_untagged():
        pass
    box = await connection.select("INBOX", qresync=before)
    assert box.exists == 4
    news = []
    while (one := connection.next_untagged()) is not None:
        news.append(one)
    assert [one.ranges for one in news if isinstance(one, Vanished)] == [((3, 3),)]
    assert [one.uid for one in news if isinstance(one, Fetched)] == ["2"]
    assert (await connection.select("INBOX", qresync=(*before, "1:2"))).exists == 4
    found = await connection.uid_fetch("1:*", changed_since=before[1], vanished=True, flags=True)
    assert [one.uid for one in found] == ["2"]
    with pytest.raises(ConfigurationError):
        connection.uid_fetch("1:*", vanished=True, flags=True)


async def test_create_with_a_use(server: IMAPServer, connection: IMAPConnection) -> None:
    await connection.create("Old mail", special_use="\\Archive")
    [(found, _)] = await connection.list("*", select=["SPECIAL-USE"])
    assert found.name == "Old mail"
    assert "\\Archive" in found.attributes


async def test_list(server: IMAPServer, connection: IMAPConnection) -> None:
    fill(server, 2)
    for name in ("a", "a/b", "a/b/c", "z"):
        server.create_mailbox("me", name)
    await connection.subscribe("z")

    async def names(*args: object, **options: object) -> list[str]:
        return sorted(mailbox.name for mailbox, _ in await connection.list(*args, **options))  # type: ignore[arg-type]

    assert await names() == ["INBOX", "a", "a/b", "a/b/c", "z"]
    assert await names("%") == ["INBOX", "a", "z"]
    assert await names("%", reference="a/") == ["a/b"]
    assert await names(["z", "a/%"]) == ["a/b", "z"]
    assert await names("*", select=["SUBSCRIBED"]) == ["INBOX", "z"]
    assert await names("none") == []
    counts = {box.name: status for box, status in await connection.list("*", status=["MESSAGES", "UIDNEXT"])}
    assert counts["INBOX"] is not None
    assert (counts["INBOX"].messages, counts["INBOX"].uid_next) == (2, 3)
    listed = {box.name: box for box, _ in await connection.list("*", returns=["CHILDREN"])}
    assert "\\HasChildren" in listed["a"].attributes
    assert listed["a"].delimiter == "/"


async def test_namespace_and_quota() -> None:
    with IMAPServer(quota=10_000) as server:
        fill(server, 2)
        async with connected(server.url) as connection:
            assert (await connection.namespace()).personal[0].delimiter == "/"
            root, quotas = await connection.getquotaroot("INBOX")
            assert root is not None
            assert root.mailbox == "INBOX"
            assert quotas[0].resources["STORAGE"][1] == 9
            assert (await connection.getquota(quotas[0].root)).resources == quotas[0].resources
            with pytest.raises(NetClientError):
                await connection.setquota(quotas[0].root, {"STORAGE": 5})


async def test_status(server: IMAPServer, connection: IMAPConnection) -> None:
    fill(server, 4)
    server.create_mailbox("me", "other")
    items = ["MESSAGES", "UIDNEXT", "UIDVALIDITY", "UNSEEN", "SIZE", "HIGHESTMODSEQ", "MAILBOXID"]
    found = await connection.status("iNBOX", items)
    assert (found.messages, found.unseen, found.uid_next) == (4, 4, 5)
    assert found.size
    assert found.mailbox_id
    pending = [connection.status(name) for name in ("INBOX", "other", "INBOX", "other")]
    assert [(await one).messages for one in pending] == [4, 0, 4, 0]
    with pytest.raises(PermanentReplyError):
        await connection.status("none")


# Messages


async def test_fetch(server: IMAPServer, connection: IMAPConnection) -> None:
    uids = fill(server, 3)
    server.set_flags("me", "INBOX", uids[1], ["\\Seen", "mine"])
    await connection.select("INBOX")
    found = await connection.fetch(
        "1:*",
        flags=True,
        size=True,
        envelope=True,
        structure=True,
        body=True,
        internal_date=True,
        modseq=True,
        headers=["Subject"],
        email_id=True,
        thread_id=True,
        extra=["BODY[TEXT]<0.4>", "BINARY.SIZE[1]", "BINARY[1]"],
    )
    assert [one.number for one in found] == [1, 2, 3]
    two = found[1]
    assert two.uid == str(uids[1])
    assert two.flags >= {"\\Seen", "mine"}
    assert two.envelope.subject == "number 2"
    assert two.raw == server.messages("me")[1].raw
    assert two.size == len(two.raw)
    assert two.internal_date == DAY
    assert two.modseq > 0
    assert two.structure.content_type == "text/plain"
    assert two.section("HEADER.FIELDS (SUBJECT)") == b"Subject: number 2\r\n\r\n"
    assert two.section("TEXT<0>") == b"body"
    assert two.section("1") == b"body 2\r\n"
    assert two.extra["BINARY.SIZE[1]"]
    assert two.email_id
    assert "\\Seen" not in server.messages("me")[0].flags
    assert await connection.uid_fetch("999", flags=True) == []
    [by_uid] = await connection.uid_fetch(uids[2], envelope=True)
    assert by_uid.number == 3


async def test_pipelined_fetches(server: IMAPServer, connection: IMAPConnection) -> None:
    uids = fill(server, 20)
    await connection.select("INBOX")
    pending = [connection.uid_fetch(uid, body=True) for uid in uids]
    pending += [connection.uid_fetch(uid, flags=True) for uid in uids]
    answers = [await one for one in reversed(pending)]
    assert [answer[0].uid for answer in answers] == [str(uid) for uid in (uids + uids)[::-1]]
    assert all(len(answer) == 1 for answer in answers)
    assert await pending[0] == answers[-1]


async def test_bodies_into_a_sink(server: IMAPServer, connection: IMAPConnection) -> None:
    raw = b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 50_000
    server.add("me", "INBOX", raw)
    await connection.select("INBOX")
    taken = bytearray()
    [found] = await connection.fetch("1", body=True, sink=taken.extend)
    assert taken == raw
    assert "BODY[]" in found
    with pytest.raises(NotFetched, match="600014 bytes went to the sink"):
        found.raw  # noqa: B018 - reading it is what is tested


async def test_pieces(server: IMAPServer, connection: IMAPConnection) -> None:
    raw = b"Subject: x\r\n\r\n" + bytes(range(32, 127)) * 50
    uid = UID(str(server.add("me", "INBOX", raw)))
    await connection.select("INBOX")
    pending = [connection.uid_fetch_piece(uid, "", at, 1000) for at in range(0, 6000, 1000)]
    pieces = [await one for one in pending]
    assert b"".join(piece or b"" for piece in pieces) == raw
    assert await connection.uid_fetch_piece(UID("77"), "", 0, 10) is None
    assert await connection.uid_fetch_piece(uid, "text", 0, 3) == b' !"'


async def test_encoded_sets(server: IMAPServer, connection: IMAPConnection) -> None:
    fill(server, 3)
    await connection.select("INBOX")
    assert len(await connection.uid_fetch_encoded(b"1:2", {"flags": True})) == 2
    assert await connection.uid_fetch_encoded(b"1:3", {"flags": True}, changed_since=10**6) == []
    with pytest.raises(ProtocolError, match="at most 2"):
        await connection.uid_fetch_encoded(b"1", {"body": True}, largest=2)


async def test_store(server: IMAPServer, connection: IMAPConnection) -> None:
    uids = fill(server, 3)
    await connection.select("INBOX")
    assert await connection.store("1:2", ["\\Seen", "mine"]) == ([], "")
    found, _ = await connection.uid_store(uids[0], ["mine"], how="-", silent=False)
    assert [(one.uid, one.flags >= {"\\Seen"}, "mine" in one.flags) for one in found] == [("1", True, False)]
    await connection.uid_store(uids, ["\\Flagged"], how="")
    assert [message.flags for message in server.messages("me")] == [{"\\Flagged"}] * 3
    await connection.uid_store(uids, [], how="")
    assert [message.flags for message in server.messages("me")] == [set()] * 3
    with pytest.raises(ConfigurationError, match="how="):
        connection.store("1", ["x"], how="*")  # type: ignore[arg-type]


async def test_store_what_nobody_has_changed(server: IMAPServer, connection: IMAPConnection) -> None:
    uids = fill(server, 3)
    box = await connection.select("INBOX", condstore=True)
    assert box.highest_modseq is not None
    server.set_flags("me", "INBOX", uids[1], ["theirs"])
    _, left = await connection.uid_store(uids, ["\\Deleted"], unchanged_since=box.highest_modseq)
    assert left == "2"
    assert ["\\Deleted" in message.flags for message in server.messages("me")] == [True, False, True]
    found, left = await connection.store("2", ["\\Seen"], unchanged_since=10**9, silent=False)
    assert left == ""
    assert found[0].modseq > box.highest_modseq


async def test_copy_and_move(server: IMAPServer, connection: IMAPConnection) -> None:
    uids = fill(server, 4)
    server.create_mailbox("me", "other")
    await connection.select("INBOX")
    validity = server.uid_validity("me", "other")
    assert await connection.copy("1:2", "other") == CopyUID(validity, ("1", "2"), ("1", "2"))  # type: ignore[arg-type]
    assert await connection.uid_copy([uids[2]], "other") == CopyUID(validity, ("3",), ("3",))  # type: ignore[arg-type]
    assert await connection.move("1", "other") == CopyUID(validity, ("1",), ("4",))  # type: ignore[arg-type]
    assert await connection.uid_move(uids[3], "other") == CopyUID(validity, ("4",), ("5",))  # type: ignore[arg-type]
    assert [message.uid for message in server.messages("me")] == [2, 3]
    assert connection.selected is not None
    assert connection.selected.exists == 2
    assert await connection.uid_copy("999", "other") is None
    with pytest.raises(PermanentReplyError) as caught:
        await connection.uid_copy("2", "none")
    assert caught.value.response_code == "TRYCREATE"


async def test_expunge(server: IMAPServer, connection: IMAPConnection) -> None:
    uids = fill(server, 5)
    for uid in uids[:4]:
        server.set_flags("me", "INBOX", uid, ["\\Deleted"])
    await connection.select("INBOX")
    assert await connection.uid_expunge(uids[0]) == [Expunge(1)]  # type: ignore[arg-type]
    assert [message.uid for message in server.messages("me")] == uids[1:]
    assert len(await connection.expunge()) == 3
    assert connection.selected is not None
    assert connection.selected.exists == 1
    assert await connection.expunge() == []


# Searching


@pytest.mark.parametrize("without", [(), ("ESEARCH",)])
async def test_search(without: tuple[str, ...]) -> None:
    with IMAPServer(without=without) as server:
        uids = fill(server, 12)
        server.expunge("me", "INBOX", uids[0])
        async with connected(server.url) as connection:
            await connection.select("INBOX")
            assert (await connection.search(subject="number 1")).numbers == [9, 10, 11]
            pending = [connection.uid_search(subject=f"number {n}") for n in range(2, 10)]
            assert [(await one).numbers for one in pending] == [[n] for n in range(2, 10)]
            assert (await connection.uid_search("ALL")).ranges == [(2, 12)]
            assert (await connection.uid_search(subject="日本")).numbers == []
            if without:
                with pytest.raises(UnsupportedError):
                    connection.uid_search(returns=["COUNT"])
            else:
                found = await connection.uid_search(returns=["MIN", "MAX", "COUNT"])
                assert (found.minimum, found.maximum, found.count, found.ranges) == (2, 12, 11, [])
        assert server.violations == []


async def test_sequence_numbers_are_sent_when_nothing_can_move_them(
    server: IMAPServer, connection: IMAPConnection
) -> None:
    """What the server would object to is among its violations."""
    uids = fill(server, 9)
    await connection.select("INBOX")
    pending = [
        connection.noop(),
        connection.fetch("1:9", flags=True),
        connection.search(number="1:5"),
        connection.uid_fetch("1:9", flags=True),
        connection.uid_search(number="1:5"),
        connection.uid_search("3"),
        connection.noop(),
        connection.copy("1", "INBOX"),
        connection.sort("date"),
        connection.thread(),
        connection.uid_thread(number="1:3"),
        connection.uid_expunge(uids),
        connection.store("1", ["\\Seen"]),
        connection.move("2", "INBOX"),
        connection.uid_sort("date", number="1:2"),
    ]
    for one in pending:
        await one  # type: ignore[misc]
    assert server.violations == []


async def test_sort_and_thread(server: IMAPServer, connection: IMAPConnection) -> None:
    for subject, parent in (("b", ""), ("Re: a", "<1@x>"), ("a", "")):
        number = len(server.messages("me"))
        references = f"References: {parent}\r\n" if parent else ""
        server.add("me", "INBOX", f"Subject: {subject}\r\nMessage-ID: <{number}@x>\r\n{references}\r\nx".encode())
    await connection.select("INBOX")
    assert (await connection.sort("subject")).numbers in ([2, 3, 1], [3, 2, 1])
    assert (await connection.uid_sort(["-subject"], subject="b")).numbers == [1]
    walked = [list(root.walk()) for root in await connection.thread("ORDEREDSUBJECT")]
    assert sorted(number for root in walked for _, number in root if number) == [1, 2, 3]
    assert await connection.uid_thread("REFERENCES", subject="b")
    with pytest.raises(UnsupportedError):
        connection.thread("REFS")
    with pytest.raises(ConfigurationError):
        connection.sort("colour")


# APPEND


@pytest.mark.parametrize("without", [(), ("LITERAL+",), ("LITERAL+", "LITERAL-")])
@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 300_000])
async def test_append(without: tuple[str, ...], size: int) -> None:
    with IMAPServer(without=without) as server:
        content = (b"0123456789abcde\n" * 20_000)[:size]
        async with connected(server.url) as connection:
            placed = await connection.append("INBOX", message(content, flags=["\\Seen", "mine"], date=DAY))
            assert placed is not None
            assert placed.uids == ("1",)
            [stored] = server.messages("me")
            assert (stored.raw, stored.flags, stored.date) == (content, {"\\Seen", "mine"}, DAY)
            assert connection.clean
        assert server.violations == []


async def test_append_of_chunks(server: IMAPServer, connection: IMAPConnection) -> None:
    async def later() -> AsyncIterator[bytes]:
        for chunk in (b"one", b"", b"two"):
            await anyio.sleep(0)
            yield chunk

    await connection.append("INBOX", Appended(6, later()))
    await connection.append("INBOX", Appended(6, iter([b"one", b"two"])))
    assert [stored.raw for stored in server.messages("me")] == [b"onetwo"] * 2


async def test_append_of_several(server: IMAPServer, connection: IMAPConnection) -> None:
    contents = [b"Subject: %d\r\n\r\nx" % number for number in range(5)]
    placed = await connection.append("INBOX", *(message(content, date=DAY) for content in contents))
    assert placed is not None
    assert placed.uids == ("1", "2", "3", "4", "5")
    assert [stored.raw for stored in server.messages("me")] == contents
    server.set_without({"MULTIAPPEND", "BINARY"})
    await connection.capability()
    with pytest.raises(UnsupportedError):
        await connection.append("INBOX", message(), message())
    with pytest.raises(UnsupportedError):
        await connection.append("INBOX", message(binary=True))
    assert len(server.messages("me")) == 5


@pytest.mark.parametrize("without", [(), ("LITERAL+",), ("LITERAL+", "LITERAL-")])
async def test_append_of_binary_and_utf8(without: tuple[str, ...]) -> None:
    with IMAPServer(without=without) as server:
        async with connected(server.url) as connection:
            await connection.append("INBOX", message(b"\0\xff\0", binary=True))
            await connection.enable("UTF8=ACCEPT")
            await connection.append("INBOX", message("Subject: grüß\r\n\r\n".encode()), message())
            await connection.append("INBOX", message(b"\0", binary=True))
        assert [len(stored.raw) for stored in server.messages("me")] == [3, 19, len(TEXT), 1]
        assert server.violations == []


async def test_utf8_is_a_literal8() -> None:
    """RFC 6855 section 4."""
    script = """
        C: t1 ENABLE UTF8=ACCEPT
        S: * ENABLED UTF8=ACCEPT
        S: t1 OK done
        C: t2 APPEND INBOX UTF8 (~{3}
        S: + go
        C| abc
        C: )
        S: t2 OK done
    """
    async with scripted(script, "ENABLE", "UTF8=ACCEPT") as connection:
        await connection.enable("UTF8=ACCEPT")
        assert await connection.append("INBOX", message(b"abc")) is None


async def test_utf8_is_not_for_rev2() -> None:
    script = """
        C: t1 ENABLE IMAP4REV2
        S: * ENABLED IMAP4rev2
        S: t1 OK done
        C: t2 APPEND "日本" {3+}
        C: abc
        S: t2 OK done
    """
    async with scripted(script, "ENABLE", "IMAP4rev2") as connection:
        await connection.enable("IMAP4REV2")
        await connection.append("日本", message(b"abc"))


@pytest.mark.parametrize("chunks", [[b"ab"], [b"abcd"], [b"ab", b"cd"], []])
async def test_append_of_another_size(server: IMAPServer, connection: IMAPConnection, chunks: list[bytes]) -> None:
    with pytest.raises(ConfigurationError, match="3 bytes"):
        await connection.append("INBOX", Appended(3, chunks))
    assert await settles(lambda: server.stats.connections_open == 0)
    assert server.messages("me") == []


async def test_append_whose_source_fails(server: IMAPServer, connection: IMAPConnection) -> None:
    def broken() -> Iterator[bytes]:
        yield b"ab"
        raise LookupError("disk")

    with pytest.raises(LookupError):
        await connection.append("INBOX", Appended(5, broken()))
    assert await settles(lambda: server.stats.connections_open == 0)
    assert server.messages("me") == []


@pytest.mark.parametrize("without", [(), ("LITERAL+", "LITERAL-")])
async def test_append_that_is_refused(without: tuple[str, ...]) -> None:
    with IMAPServer(without=without, append_limit=100) as server:
        async with connected(server.url) as connection:
            with pytest.raises(PermanentReplyError) as caught:
                await connection.append("INBOX", message(b"x" * 101))
            assert caught.value.response_code == "TOOBIG"
            with pytest.raises(PermanentReplyError):
                await connection.append("none", message())
            if without:  # it was never sent, so the connection is as it was
                assert connection.clean
            assert await connection.append("INBOX", message(b"x"))
        assert len(server.messages("me")) == 1


async def test_append_that_is_refused_amid_the_message() -> None:
    """The server would take the rest for commands, or take commands for the rest."""
    script = "C: t1 APPEND INBOX {100000+}\nC| " + "x" * 50_000 + "\nS: t1 NO [OVERQUOTA] full\n"

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * 50_000
        yield b"x" * 50_000

    async with scripted(script + "C-close\n", "LITERAL+") as connection:
        with pytest.raises(PermanentReplyError) as caught:
            await connection.append("INBOX", Appended(100_000, chunks()))
        assert caught.value.response_code == "OVERQUOTA"
        assert not connection.clean


# Errors


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ("NO no", PermanentReplyError),
        ("NO [UNAVAILABLE] later", TransientReplyError),
        ("NO [INUSE] later", TransientReplyError),
        ("NO [LIMIT] later", TransientReplyError),
        ("NO [NONEXISTENT] what", PermanentReplyError),
        ("BAD what", PermanentReplyError),
        ("BAD Unknown command", UnsupportedError),
        ("* BYE gone", ConnectionLost),
    ],
)
async def test_refusals(reply: str, error: type[NetClientError]) -> None:
    with IMAPServer(faults=[Reply("STATUS", reply)]) as server:
        async with connected(server.url) as connection:
            with pytest.raises(error) as caught:
                await connection.status("INBOX")
            assert type(caught.value) is error


@pytest.mark.parametrize(
    ("verb", "reply", "error"),
    [
        ("CONNECT", "* BYE [LIMIT] Too many connections", TooManyConnections),
        ("CONNECT", "* BYE [UNAVAILABLE] down", ConnectionLost),
        ("CONNECT", "* NO what", ProtocolError),
        ("AUTHENTICATE", "NO [AUTHENTICATIONFAILED] wrong", AuthenticationError),
        ("AUTHENTICATE", "NO [UNAVAILABLE] later", TransientReplyError),
        ("AUTHENTICATE", "NO [LIMIT] Maximum number of connections", TooManyConnections),
        ("AUTHENTICATE", "* BYE [LIMIT] Too many connections", TooManyConnections),
        ("AUTHENTICATE", "* BYE going down", ConnectionLost),
        ("AUTHENTICATE", "BAD what", PermanentReplyError),
    ],
)
async def test_refusals_of_a_login(verb: str, reply: str, error: type[NetClientError]) -> None:
    with IMAPServer(faults=[Reply(verb, reply)]) as server:
        with pytest.raises(error) as caught:
            async with connected(server.url):
                pass
        assert type(caught.value) is error
        if "BYE" in reply:
            assert reply.split()[-1] in str(caught.value), "the server's own words are told"
        assert await settles(lambda: server.stats.connections_open == 0)


async def test_too_many_connections() -> None:
    with IMAPServer(max_connections=1) as server:
        async with connected(server.url):
            with pytest.raises(TooManyConnections):
                async with connected(server.url):
                    pass


@pytest.mark.parametrize(
    "verb", ["COPY", "UID COPY", "MOVE", "UID MOVE", "APPEND", "CREATE", "RENAME", "DELETE", "EXPUNGE", "CLOSE"]
)
async def test_lost_replies_to_what_must_not_be_repeated(verb: str) -> None:
    with IMAPServer(faults=[Hangup(verb.removeprefix("UID "), executed=True)]) as server:
        fill(server, 2)
        server.create_mailbox("me", "other")
        async with connected(server.url) as connection:
            await connection.select("INBOX")
            with pytest.raises(OutcomeUnknown) as caught:
                await {
                    "COPY": lambda: connection.copy("1", "other"),
                    "UID COPY": lambda: connection.uid_copy("1", "other"),
                    "MOVE": lambda: connection.move("1", "other"),
                    "UID MOVE": lambda: connection.uid_move("1", "other"),
                    "APPEND": lambda: connection.append("INBOX", message()),
                    "CREATE": lambda: connection.create("new"),
                    "RENAME": lambda: connection.rename("other", "new"),
                    "DELETE": lambda: connection.delete("other"),
                    "EXPUNGE": lambda: connection.expunge(),
                    "CLOSE": lambda: connection.close_mailbox(),
                }[verb]()
            assert caught.value.command.startswith(verb)
            assert not connection.clean


@pytest.mark.parametrize("verb", ["STORE", "FETCH", "STATUS", "SELECT", "NOOP"])
async def test_lost_replies_to_what_may_be_repeated(verb: str) -> None:
    with IMAPServer(faults=[Hangup(verb, executed=True, skip=1 if verb == "SELECT" else 0)]) as server:
        fill(server, 1)
        async with connected(server.url) as connection:
            await connection.select("INBOX")
            with pytest.raises(ConnectionLost):
                await {
                    "STORE": lambda: connection.uid_store("1", ["\\Seen"]),
                    "FETCH": lambda: connection.uid_fetch("1", flags=True),
                    "STATUS": lambda: connection.status("INBOX"),
                    "SELECT": lambda: connection.select("INBOX"),
                    "NOOP": connection.noop,
                }[verb]()


async def test_silence() -> None:
    with IMAPServer(faults=[Delay("STATUS", seconds=60)]) as server:
        async with connected(server.url, timeouts=QUICK) as connection:
            with pytest.raises(PhaseTimeout) as caught:
                await connection.status("INBOX")
            assert caught.value.phase == "reply"


async def test_what_comes_unasked(server: IMAPServer, connection: IMAPConnection) -> None:
    await connection.select("INBOX")
    while connection.next_untagged():
        pass
    fill(server, 2)
    await connection.noop()
    news = []
    while (one := connection.next_untagged()) is not None:
        news.append(one)
    assert Number("EXISTS", 2) in news
    assert connection.selected is not None
    assert connection.selected.exists == 2


async def test_an_early_ok_to_starttls() -> None:
    """The server has agreed; if it did so before it was asked, then by chance or by an attacker."""
    connection = on_script("S| * OK [CAPABILITY IMAP4rev1 STARTTLS] here\\r\\nt1 OK go\\r\\n\n")
    with pytest.raises(ProtocolError, match="does not exist"):
        await connection.settle(connection.protocol.greeting, 1, "reply")


# What no server here announces


async def test_notify() -> None:
    async with scripted("C: t1 NOTIFY SET (SELECTED (MessageNew))\nS: t1 OK done\n", "NOTIFY") as connection:
        assert (await connection.notify("SET (SELECTED (MessageNew))")).ok
        assert not connection.clean


async def test_unauthenticate() -> None:
    async with scripted("C: t1 UNAUTHENTICATE\nS: t1 OK nobody\n", "UNAUTHENTICATE") as connection:
        await connection.unauthenticate()
        assert connection.protocol.state is State.NOT_AUTHENTICATED
        assert connection.capabilities == frozenset()


async def test_setquota() -> None:
    script = 'C: t1 SETQUOTA "" (STORAGE 512)\nS: * QUOTA "" (STORAGE 10 512)\nS: t1 OK done\n'
    async with scripted(script, "QUOTA") as connection:
        found = await connection.setquota("", {"STORAGE": 512})
        assert found is not None
        assert found.resources == {"STORAGE": (10, 512)}


async def test_metadata() -> None:
    script = """
        C~ t1 GETMETADATA "" \\(/shared/comment /private/x\\)
        S: * METADATA "" (/shared/comment {3}
        S: a)b /private/x NIL)
        S: t1 OK done
        C~ t2 SETMETADATA INBOX \\(/private/comment "x" /private/y NIL\\)
        S: t2 OK done
    """
    async with scripted(script, "METADATA") as connection:
        [found] = await connection.getmetadata("", ["/shared/comment", "/private/x"])
        assert found.entries == {"/shared/comment": b"a)b", "/private/x": None}
        await connection.setmetadata("INBOX", {"/private/comment": "x", "/private/y": None})


async def test_gmail() -> None:
    script = """
        C: t2 UID SEARCH X-GM-RAW has:attachment
        S: * SEARCH 5
        S: t2 OK done
        C: t3 UID FETCH 5 (UID X-GM-LABELS X-GM-MSGID X-GM-THRID)
        S: * 1 FETCH (UID 5 X-GM-LABELS (\\\\Inbox "a b") X-GM-MSGID 1278455344230334865 X-GM-THRID 12)
        S: t3 OK done
    """
    async with scripted(script, "X-GM-EXT-1", opened=True) as connection:
        assert (await connection.uid_search(gmail_raw="has:attachment")).numbers == [5]
        [found] = await connection.uid_fetch(5, extra=["X-GM-LABELS", "X-GM-MSGID", "X-GM-THRID"])
        assert found.gmail_labels == ("\\Inbox", "a b")
        assert (found.gmail_message_id, found.gmail_thread_id) == (1278455344230334865, 12)


async def test_rev2() -> None:
    script = """
        C: t1 ENABLE IMAP4REV2
        S: * ENABLED IMAP4rev2
        S: t1 OK done
        C: t2 SELECT "日本"
        S: * 3 EXISTS
        S: * OK [UIDVALIDITY 5] x
        S: * LIST () "/" 日本
        S: t2 OK [READ-WRITE] done
        C: t3 UID SEARCH RETURN (ALL) SEEN
        S: * ESEARCH (TAG "t3") UID ALL 1,5
        S: t3 OK done
        C: t4 UNSELECT
        S: t4 OK done
        C: t5 LIST "" * RETURN (STATUS (MESSAGES))
        S: * LIST () "/" 日本
        S: * STATUS 日本 (MESSAGES 3)
        S: t5 OK done
        C: t6 NAMESPACE
        S: * NAMESPACE (("" "/")) NIL NIL
        S: t6 OK done
    """
    async with scripted(script, "IMAP4rev2", chunk=7) as connection:
        await connection.enable("IMAP4REV2")
        assert (await connection.select("日本")).exists == 3
        assert (await connection.uid_search(seen=True)).numbers == [1, 5]
        await connection.unselect()
        [(found, counts)] = await connection.list("*", status=["MESSAGES"])
        assert found.name == "日本"
        assert counts is not None
        assert counts.messages == 3
        assert (await connection.namespace()).personal[0].prefix == ""


async def test_a_search_line_of_a_megabyte() -> None:
    numbers = [*range(1, 320_000, 2)]
    line = f"* SEARCH {' '.join(map(str, numbers))}"
    assert len(line) > 1_000_000
    async with scripted(f"C: t2 UID SEARCH ALL\nS: {line}\nS: t2 OK done\n", opened=True, chunk=65536) as connection:
        assert (await connection.uid_search()).numbers == numbers


async def test_a_refused_store_that_names_what_it_left() -> None:
    """RFC 7162 section 3.1.3, example 10."""
    script = """
        C: t2 UID STORE 1:3 (UNCHANGEDSINCE 5) +FLAGS.SILENT (x)
        S: t2 NO [MODIFIED 2] Some of the messages no longer exist.
    """
    async with scripted(script, "CONDSTORE", opened=True) as connection:
        assert await connection.uid_store("1:3", ["x"], unchanged_since=5) == ([], "2")


async def test_answers_of_two_commands_before_either_ends() -> None:
    """As Dovecot does it: what is about the same message waits, what is not goes out at once."""
    script = """
        C: t2 UID FETCH 1 (UID FLAGS)
        C: t3 UID FETCH 2 (UID FLAGS)
        S: * 2 FETCH (UID 2 FLAGS (b))
        S: * 1 FETCH (UID 1 FLAGS (a))
        S: t2 OK done
        S: t3 OK done
        C: t4 UID FETCH 1 (UID BODY.PEEK[])
        S: * 1 FETCH (UID 1 BODY[] {2}
        S: hi)
        S: t4 OK done
    """
    async with scripted(script, opened=True) as connection:
        pending = [
            connection.uid_fetch(1, flags=True),
            connection.uid_fetch(2, flags=True),
            connection.uid_fetch(1, body=True),
        ]
        first, second, third = [await one for one in pending]
        assert (first[0].flags, second[0].flags, third[0].raw) == ({"a"}, {"b"}, b"hi")


async def test_status_that_is_not_told() -> None:
    async with scripted("C: t1 STATUS INBOX (MESSAGES)\nS: t1 OK done\n") as connection:
        with pytest.raises(ProtocolError, match="does not say"):
            await connection.status("INBOX")


async def test_capabilities_that_are_not_told() -> None:
    async with scripted("C: t1 CAPABILITY\nS: t1 OK done\n") as connection:
        with pytest.raises(ProtocolError, match="does not say"):
            await connection.capability()


@pytest.mark.parametrize("method", ["namespace", "id", "getquota"])
async def test_answers_that_may_be_missing(method: str) -> None:
    sent = {"namespace": "NAMESPACE", "id": "ID NIL", "getquota": 'GETQUOTA ""'}[method]
    async with scripted(f"C: t1 {sent}\nS: t1 OK done\n", "NAMESPACE", "QUOTA") as connection:
        found = await getattr(connection, method)(*([""] if method == "getquota" else []))
        assert not any(found) if method == "id" else found is not None


@pytest.mark.parametrize(
    ("call", "needs"),
    [
        (lambda c: c.enable("X"), "ENABLE"),
        (lambda c: c.unauthenticate(), "UNAUTHENTICATE"),
        (lambda c: c.compress(), "COMPRESS=DEFLATE"),
        (lambda c: c.idle(1), "IDLE"),
        (lambda c: c.notify("NONE"), "NOTIFY"),
        (lambda c: c.select("x", condstore=True), "CONDSTORE"),
        (lambda c: c.select("x", qresync=(1, 1)), "QRESYNC"),
        (lambda c: c.unselect(), "UNSELECT"),
        (lambda c: c.create("x", special_use="\\Sent"), "CREATE-SPECIAL-USE"),
        (lambda c: c.list(["a", "b"]), "LIST-EXTENDED"),
        (lambda c: c.list("a", returns=["CHILDREN"]), "LIST-EXTENDED"),
        (lambda c: c.list("a", status=["MESSAGES"]), "LIST-STATUS"),
        (lambda c: c.namespace(), "NAMESPACE"),
        (lambda c: c.getquota(""), "QUOTA"),
        (lambda c: c.getquotaroot("x"), "QUOTA"),
        (lambda c: c.setquota("", {"X": 1}), "QUOTA"),
        (lambda c: c.getmetadata("", ["/x"]), "METADATA"),
        (lambda c: c.setmetadata("", {"/x": None}), "METADATA"),
        (lambda c: c.fetch("1", flags=True, changed_since=1), "CONDSTORE"),
        (lambda c: c.store("1", ["x"], unchanged_since=1), "CONDSTORE"),
        (lambda c: c.move("1", "x"), "MOVE"),
        (lambda c: c.uid_move("1", "x"), "MOVE"),
        (lambda c: c.uid_expunge("1"), "UIDPLUS"),
        (lambda c: c.uid_search(returns=["MIN"]), "ESEARCH"),
        (lambda c: c.uid_search(older=60), "WITHIN"),
        (lambda c: c.sort("date"), "SORT"),
        (lambda c: c.uid_thread("REFS"), "THREAD=REFS"),
    ],
)
async def test_what_a_server_lacks_is_not_sent(call, needs: str) -> None:
    async with scripted("", opened=True) as connection:
        with pytest.raises(UnsupportedError, match=needs):
            await call(connection)
        assert connection.clean


async def test_submitted_commands_share_a_round_trip() -> None:
    script = """
        C: t1 STATUS a (MESSAGES)
        C: t2 STATUS b (MESSAGES)
        C: t3 NOOP
        S: * STATUS b (MESSAGES 2)
        S: * STATUS a (MESSAGES 1)
        S: t3 OK done
        S: t2 OK done
        S: t1 OK done
    """
    async with scripted(script) as connection:
        first, second, third = connection.status("a"), connection.status("b"), connection.noop()
        await third
        assert ((await second).messages, (await first).messages) == (2, 1)
