"""``IMAPConnection`` against Dovecot and Cyrus: every command, and every extension that each announces."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import AsyncIterator

import pytest

from netclients import (
    AuthenticationError,
    ConnectionLost,
    External,
    Login,
    NetClientError,
    OAuth,
    PermanentReplyError,
    TooManyConnections,
    TransientReplyError,
    UnsupportedError,
)
from netclients.imap.connection import IMAPConnection
from netclients.imap.connection.appending import Appended
from netclients.imap.protocol import State
from netclients.imap.types import UID, AppendUID, CopyUID, Expunge, Fetched, Number, Vanished
from tests.fix_mail import StartMailServer
from tests.imap.connections import connected
from tests.servers import MailServer

pytestmark = [pytest.mark.anyio, pytest.mark.servers("dovecot", "cyrus")]

NAMES = ["&", '"x"', "日本", "a b", "[Gmail]/Alle Nachrichten", "100%", "star*", "back\\slash", "ü" * 40, "{5}", "(x)"]
REFUSED = {"cyrus": {"100%", "back\\slash", '"x"', "{5}"}, "dovecot": set[str]()}
"""Names that a server does not take: it says so, and nothing else comes of it."""

SUBJECTS = [
    "* 1 EXISTS",
    "* BYE gone",
    "(",
    ")",
    "a1 OK done",
    "+ go on",
    'say "hi"',
    "back\\slash",
    "ends in \\",
    "{12}",
    "~{3+}",
    "NIL",
    "x" * 3000,
    "",
]
DAY = dt.datetime(2026, 1, 5, 10, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))


@pytest.fixture
async def connection(real_imap: MailServer) -> AsyncIterator[IMAPConnection]:
    async with logged_in(real_imap) as made:
        yield made


def logged_in(server: MailServer, user: str = "alice", **options: object):
    return connected(server.url("imap", user=user), **options)


def letters(count: int, *, size: int = 10) -> list[bytes]:
    return [
        b"Subject: number %d\r\nMessage-ID: <%d@x>\r\nFrom: bob@example.test\r\n\r\n%b\r\n" % (n, n, b"x" * size)
        for n in range(1, count + 1)
    ]


def message(content: bytes, **options: object) -> Appended:
    return Appended(len(content), [content], **options)  # type: ignore[arg-type]


def news(connection: IMAPConnection) -> list[object]:
    found = []
    while (one := connection.next_untagged()) is not None:
        found.append(one)
    return found


# TLS and logins


@pytest.mark.parametrize("service", ["imap", "imaps"])
async def test_tls(real_imap: MailServer, service: str) -> None:
    tls = {"tls": "starttls"} if service == "imap" else {"tls": "implicit"}
    url = real_imap.url(service, user="alice")
    async with connected(url, ssl_context=real_imap.ssl_context(), **tls) as connection:
        assert connection.secured
        assert not connection.has("STARTTLS")
        assert (await connection.select("INBOX")).exists == 0


DOVECOT = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]
CYRUS = [*DOVECOT, "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"]


@pytest.mark.parametrize(
    ("name", "mechanism"), [*(("dovecot", each) for each in DOVECOT), *(("cyrus", each) for each in CYRUS)]
)
async def test_mechanisms(request: pytest.FixtureRequest, name: str, mechanism: str) -> None:
    server: MailServer = request.getfixturevalue(name)
    context = server.ssl_context()
    url = server.url("imaps")
    options = {"ssl_context": context, "tls": "implicit", "mechanisms": [mechanism]}
    async with connected(url, auth=Login("alice", "alicepw"), **options) as connection:
        assert connection.protocol.state is State.AUTHENTICATED
        await connection.select("INBOX")
    with pytest.raises(AuthenticationError):
        async with connected(url, auth=Login("alice", "wrong"), **options):
            pass


async def test_the_strongest_mechanism(real_imap: MailServer) -> None:
    """Whatever the server offers, something is found."""
    async with connected(real_imap.url("imaps", user="alice"), ssl_context=real_imap.ssl_context()) as connection:
        assert connection.clean


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
async def test_tokens(dovecot: MailServer, mechanism: str) -> None:
    options = {"ssl_context": dovecot.ssl_context(), "mechanisms": [mechanism]}
    tokens = iter(["stale", dovecot.token("alice")])
    async with connected(dovecot.url("imaps"), auth=OAuth("alice", lambda: next(tokens)), **options) as connection:
        await connection.select("INBOX")
    with pytest.raises(AuthenticationError):
        async with connected(dovecot.url("imaps"), auth=OAuth("alice", "stale"), **options):
            pass


async def test_external(dovecot: MailServer) -> None:
    context = dovecot.ssl_context()
    context.load_cert_chain(dovecot.client_certificate)
    async with connected(dovecot.url("imaps"), auth=External("alice"), ssl_context=context) as connection:
        await connection.select("INBOX")


async def test_login_command(real_imap: MailServer) -> None:
    context = real_imap.ssl_context()
    async with connected(real_imap.url("imaps"), ssl_context=context, tls="implicit") as connection:
        assert connection.protocol.state is State.NOT_AUTHENTICATED
        with pytest.raises(AuthenticationError):
            await connection.login("alice", 'wro"ng')
        await connection.login("alice", "alicepw")
        assert (await connection.capability()) == connection.capabilities


@pytest.mark.parametrize("name", ["dovecot", "cyrus"])
async def test_logindisabled(start_mail_server: StartMailServer, name: str) -> None:
    server = start_mail_server(name, MODE="required")
    async with connected(server.url("imap")) as connection:
        assert connection.has("LOGINDISABLED")
        with pytest.raises(UnsupportedError, match="LOGINDISABLED"):
            await connection.login("alice", "alicepw")
    url = server.url("imap", user="alice", tls="starttls")
    async with connected(url, ssl_context=server.ssl_context(), tls="starttls") as connection:
        await connection.select("INBOX")


@pytest.mark.parametrize("name", ["dovecot", "cyrus"])
async def test_too_many_sessions(start_mail_server: StartMailServer, name: str) -> None:
    server = start_mail_server(name, MAX_PER_USER=1)
    async with logged_in(server), logged_in(server, "bob"):
        with pytest.raises((TooManyConnections, TransientReplyError, ConnectionLost)) as caught:
            async with logged_in(server):
                pass
        assert type(caught.value) is TooManyConnections


async def test_what_the_server_says_of_itself(real_imap: MailServer, connection: IMAPConnection) -> None:
    said = await connection.id({"name": "a test", "version": '1 "x"'})
    assert "dovecot" in str(said).lower() if real_imap.name == "dovecot" else "cyrus" in str(said).lower()
    await connection.noop()
    await connection.probe()
    await connection.logout()
    assert connection.closed_by_server or connection.protocol.ended


# Mailboxes


@pytest.mark.parametrize("name", NAMES)
async def test_names(real_imap: MailServer, connection: IMAPConnection, name: str) -> None:
    try:
        await connection.create(name)
    except PermanentReplyError:
        assert name in REFUSED[real_imap.name]
        await connection.noop()
        return
    assert name not in REFUSED[real_imap.name]
    assert (await connection.select(name)).name == name
    await connection.append(name, message(b"Subject: x\r\n\r\nx\r\n"))
    assert (await connection.status(name, ["MESSAGES", "UIDVALIDITY"])).messages == 1
    listed = {mailbox.name: mailbox for mailbox, _ in await connection.list("*")}
    assert name in listed
    assert (await connection.status(listed[name].raw_name)).messages == 1
    await connection.uid_copy("1", name)
    await connection.subscribe(name)
    assert name in [mailbox.name for mailbox, _ in await connection.lsub()]
    assert name in [mailbox.name for mailbox, _ in await connection.list("*", select=["SUBSCRIBED"])]
    await connection.unsubscribe(name)
    await connection.unselect()
    await connection.rename(name, "other")
    await connection.delete("other")
    left = {mailbox.name for mailbox, _ in await connection.list("*")}
    assert not {name, "other"} & left


async def test_select(real_imap: MailServer, connection: IMAPConnection) -> None:
    real_imap.seed("alice", "INBOX", letters(3))
    real_imap.seed("alice", "other", letters(1))
    box = await connection.select("INBOX", condstore=True)
    assert (box.exists, box.readonly, box.modseqs) == (3, False, True)
    assert box.uid_validity > 0
    assert box.uid_next is not None
    assert "\\Seen" in (box.permanent_flags or ())
    box = await connection.select("other", readonly=True)
    assert (box.name, box.exists, box.readonly) == ("other", 1, True)
    with pytest.raises(PermanentReplyError):
        await connection.select("none")
    assert connection.selected is None
    with pytest.raises(NetClientError):
        await connection.fetch("1", flags=True)
    await connection.select("INBOX")
    await connection.check()
    await connection.unselect()
    assert connection.protocol.state is State.AUTHENTICATED


async def test_list(real_imap: MailServer, connection: IMAPConnection) -> None:
    real_imap.seed("alice", "INBOX", letters(2))
    for name in ("a", "a/b", "a/b/c"):
        await connection.create(name)

    async def names(*args: object, **options: object) -> set[str]:
        return {mailbox.name for mailbox, _ in await connection.list(*args, **options)}  # type: ignore[arg-type]

    assert {"INBOX", "a", "a/b", "a/b/c"} <= await names()
    assert "a/b" not in await names("%")
    assert await names(["a/%", "INBOX"]) == {"INBOX", "a/b"}
    assert await names("%", reference="a/") == {"a/b"}
    children = {box.name: box.attributes for box, _ in await connection.list("*", returns=["CHILDREN"])}
    assert "\\HasChildren" in children["a"]
    assert "\\HasNoChildren" in children["a/b/c"]
    uses = {use for box, _ in await connection.list("*", returns=["SPECIAL-USE"]) for use in box.attributes}
    assert uses >= ({"\\Sent", "\\Drafts", "\\Trash"} if real_imap.name == "dovecot" else set())
    counts = {box.name: status for box, status in await connection.list("*", status=["MESSAGES", "SIZE"])}
    inbox = counts["INBOX"]
    assert inbox is not None
    assert inbox.messages == 2
    assert inbox.size


async def test_pipelined_lists_and_status(real_imap: MailServer, connection: IMAPConnection) -> None:
    """Each gets its own answers, in whatever order the server works."""
    real_imap.seed("alice", "INBOX", letters(3))
    await connection.create("other")
    for _ in range(5):
        first, listed, second, third, again = (
            connection.status("INBOX"),
            connection.list("*"),
            connection.status("other"),
            connection.status("INBOX", ["UIDNEXT"]),
            connection.list("other", status=["MESSAGES"]),
        )
        [(_, counts)] = await again
        assert counts is not None
        assert counts.messages == 0
        assert ((await first).messages, (await second).messages) == (3, 0)
        assert (await third).uid_next
        assert len(await listed) >= 2


async def test_special_use(cyrus: MailServer) -> None:
    async with logged_in(cyrus) as connection:
        await connection.create("Old mail", special_use="\\Archive")
        found = {box.name: box.attributes for box, _ in await connection.list("*", select=["SPECIAL-USE"])}
        assert "\\Archive" in found["Old mail"]


async def test_namespace_quota_metadata(real_imap: MailServer, connection: IMAPConnection) -> None:
    assert (await connection.namespace()).personal[0].delimiter == "/"
    root, quotas = await connection.getquotaroot("INBOX")
    assert root is not None
    assert quotas
    assert "STORAGE" in quotas[0].resources
    if real_imap.name == "dovecot":  # Cyrus lets administrators only
        assert (await connection.getquota(quotas[0].root)).resources.keys() == quotas[0].resources.keys()
    with pytest.raises(NetClientError):
        await connection.setquota(quotas[0].root, {"STORAGE": 1})
    await connection.setmetadata("INBOX", {"/private/comment": 'a "b" (c) {3}'})
    [found] = await connection.getmetadata("INBOX", ["/private/comment"])
    assert found.entries["/private/comment"] == b'a "b" (c) {3}'
    await connection.setmetadata("INBOX", {"/private/comment": b"l\xc3\xb6ng " * 100})
    [found] = await connection.getmetadata("INBOX", ["/private/comment"])
    assert found.entries["/private/comment"] == b"l\xc3\xb6ng " * 100
    await connection.setmetadata("INBOX", {"/private/comment": None})
    found_now = await connection.getmetadata("INBOX", ["/private/comment"])
    assert not any(value for one in found_now for value in one.entries.values())


@pytest.mark.parametrize("name", ["dovecot", "cyrus"])
async def test_quota_exceeded(start_mail_server: StartMailServer, name: str) -> None:
    server = start_mail_server(name, QUOTA=50)
    async with logged_in(server) as connection:
        with pytest.raises(PermanentReplyError) as caught:
            await connection.append("INBOX", message(b"Subject: x\r\n\r\n" + b"x" * 200_000))
        assert caught.value.response_code == "OVERQUOTA" or "Over quota" in str(caught.value)
    async with logged_in(server) as connection:
        assert await connection.append("INBOX", message(letters(1)[0]))


# Messages


async def test_fetch(real_imap: MailServer, connection: IMAPConnection) -> None:
    raw = (
        b"Subject: =?utf-8?q?gr=C3=BC=C3=9F?=\r\nFrom: Ada <ada@example.test>\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
        b"--b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
        b'Content-Disposition: attachment; filename="a)b.bin"\r\n\r\nAAH/\r\n--b--\r\n'
    )
    placed = await connection.append("INBOX", message(raw, flags=["\\Seen", "mine"], date=DAY))
    assert isinstance(placed, AppendUID)
    await connection.select("INBOX")
    [found] = await connection.fetch(
        "1",
        flags=True,
        size=True,
        envelope=True,
        structure=True,
        body=True,
        internal_date=True,
        modseq=True,
        headers=["Subject"],
        preview=True,
        save_date=True,
        extra=["BINARY.SIZE[2]", "BINARY[2]", "BODY[1]<0.3>", "BODY[2.MIME]"],
        email_id=real_imap.name == "cyrus",
        thread_id=real_imap.name == "cyrus",
    )
    assert found.uid == placed.uids[0]
    assert found.flags >= {"\\Seen", "mine"}
    assert (found.raw, found.size) == (raw, len(raw))
    assert found.envelope.subject == "grüß"
    assert found.internal_date == DAY
    assert found.modseq > 0
    assert found.section("2") in (b"\0\x01\xff", b"AAH/", b"AAH/\r\n")
    assert found.extra["BINARY.SIZE[2]"]
    assert found.section("1<0>") == b"hel"
    assert b"filename" in found.section("2.MIME")
    parts = {part.part: part for part in found.structure.walk()}
    assert parts["2"].filename == "a)b.bin"
    assert found.preview is None if real_imap.name == "cyrus" else (found.preview or "").startswith("hello")
    assert found.save_date is not None
    if real_imap.name == "cyrus":
        assert found.email_id


async def test_strange_subjects(real_imap: MailServer, connection: IMAPConnection) -> None:
    raws = [b"Subject: %b\r\n\r\n%b\r\n" % (text.encode(), text.encode()) for text in SUBJECTS]
    raws += [b"Subject: 8 bit \xfc\xdf \xc3\xbc\r\n\r\n\xff\xfe\r\n", b"Subject: =?utf-8?q?=0D=0Aa1_OK?=\r\n\r\n)\r\n"]
    real_imap.seed("alice", "INBOX", raws)
    await connection.select("INBOX")
    found = await connection.fetch("1:*", envelope=True, body=True, headers=["Subject"])
    assert [one.error for one in found] == [None] * len(raws)
    assert [one.raw for one in found] == raws
    got = [one.envelope.subject or "" for one in found[: len(SUBJECTS)]]
    assert [text.strip() for text in got] == SUBJECTS
    await connection.noop()


async def test_pipelined_fetches_of_the_same_messages(real_imap: MailServer, connection: IMAPConnection) -> None:
    real_imap.seed("alice", "INBOX", letters(20, size=2000))
    await connection.select("INBOX")
    uids = (await connection.uid_search("ALL")).numbers
    for _ in range(3):
        pending = [
            connection.uid_fetch(uids, flags=True),
            connection.uid_fetch(uids, body=True),
            connection.uid_fetch(uids[:3], envelope=True),
            *(connection.uid_fetch(uid, size=True) for uid in uids),
            connection.uid_fetch(uids[3:], structure=True),
        ]
        counts = [len(await one) for one in pending]
        assert counts == [20, 20, 3, *[1] * 20, 17]


async def test_pieces(real_imap: MailServer, connection: IMAPConnection) -> None:
    raw = b"Subject: x\r\n\r\n" + random.Random(1).randbytes(100_000).hex().encode() + b"\r\n"
    real_imap.seed("alice", "INBOX", [raw])
    await connection.select("INBOX")
    [uid] = (await connection.uid_search("ALL")).numbers
    pending = [connection.uid_fetch_piece(UID(str(uid)), "", at, 10_000) for at in range(0, 250_000, 10_000)]
    pieces = [await one for one in pending]
    assert b"".join(piece or b"" for piece in pieces) == raw


async def test_bodies_into_a_sink(real_imap: MailServer, connection: IMAPConnection) -> None:
    raw = b"Subject: x\r\n\r\n" + b"0123456789\r\n" * 200_000
    real_imap.seed("alice", "INBOX", [raw])
    await connection.select("INBOX")
    taken = bytearray()
    first = connection.fetch("1", body=True, envelope=True, sink=taken.extend)
    second = connection.fetch("1", headers=["Subject"])
    assert (await second)[0].section("HEADER.FIELDS (SUBJECT)").startswith(b"Subject: x")
    assert (await first)[0].envelope.subject == "x"
    assert taken == raw


async def test_store(real_imap: MailServer, connection: IMAPConnection) -> None:
    real_imap.seed("alice", "INBOX", letters(3))
    await connection.select("INBOX", condstore=True)
    uids = (await connection.uid_search("ALL")).numbers
    await connection.store("1:2", ["\\Seen", "mine"])
    found, _ = await connection.uid_store(uids[0], ["mine"], how="-", silent=False)
    assert "mine" not in found[-1].flags
    await connection.uid_store(uids, ["\\Flagged"], how="")
    assert [one.flags & {"\\Flagged", "\\Seen"} for one in await connection.fetch("1:3", flags=True)] == [
        {"\\Flagged"}
    ] * 3
    one, other = (
        connection.uid_store(uids[0], ["\\Seen"], silent=False),
        connection.uid_store(uids[0], ["\\Draft"], silent=False),
    )
    assert (await one)[0][-1].flags >= {"\\Seen"}
    assert (await other)[0][-1].flags >= {"\\Seen", "\\Draft"}
    before = max(one.modseq for one in await connection.fetch("1:3", modseq=True))
    await connection.store("2", ["\\Answered"])
    _, left = await connection.uid_store(uids, ["x"], unchanged_since=before)
    assert left == str(uids[1])


async def test_somebody_elses_flags_amid_a_fetch(real_imap: MailServer, connection: IMAPConnection) -> None:
    real_imap.seed("alice", "INBOX", letters(5))
    await connection.select("INBOX")
    uids = (await connection.uid_search("ALL")).numbers
    async with logged_in(real_imap) as other:
        await other.select("INBOX")
        await other.uid_store(uids, ["\\Flagged"])
    found = await connection.uid_fetch(uids, envelope=True)
    assert [int(one.uid) for one in found] == uids
    flags = await connection.uid_fetch(uids[:2], flags=True)
    assert all("\\Flagged" in one.flags for one in flags)
    assert {int(one.uid) for one in flags} == set(uids[:2])


async def test_copy_move_expunge(real_imap: MailServer, connection: IMAPConnection) -> None:
    real_imap.seed("alice", "INBOX", letters(6))
    await connection.create("other")
    await connection.select("INBOX")
    uids = (await connection.uid_search("ALL")).numbers
    copied = await connection.uid_copy(uids[:2], "other")
    assert isinstance(copied, CopyUID)
    assert list(map(int, copied.source)) == uids[:2]
    assert isinstance(await connection.copy("3", "other"), CopyUID)
    moved = await connection.uid_move(uids[0], "other")
    assert isinstance(moved, CopyUID)
    assert isinstance(await connection.move("1", "other"), CopyUID)
    assert (await connection.uid_search("ALL")).numbers == uids[2:]
    assert (await connection.status("other")).messages == 5
    with pytest.raises(PermanentReplyError) as caught:
        await connection.uid_copy(uids[2], "none")
    assert caught.value.response_code == "TRYCREATE"
    await connection.store("1:3", ["\\Deleted"])
    gone = await connection.uid_expunge(uids[2])
    assert len(gone) == 1
    assert isinstance(gone[0], (Expunge, Vanished))
    assert len(await connection.expunge()) == 2
    assert connection.selected is not None
    assert connection.selected.exists == 1
    await connection.store("1", ["\\Deleted"])
    await connection.close_mailbox()
    assert (await connection.status("INBOX")).messages == 0


async def test_qresync(real_imap: MailServer, connection: IMAPConnection) -> None:
    real_imap.seed("alice", "INBOX", letters(5))
    assert "QRESYNC" in await connection.enable("QRESYNC")
    box = await connection.select("INBOX")
    assert box.highest_modseq is not None
    before = box.uid_validity, box.highest_modseq
    uids = (await connection.uid_search("ALL")).numbers
    async with logged_in(real_imap) as other:
        await other.select("INBOX")
        await other.uid_store(uids[1], ["\\Flagged"])
        await other.uid_store(uids[2], ["\\Deleted"])
        await other.uid_expunge(uids[2])
    await connection.unselect()
    news(connection)
    box = await connection.select("INBOX", qresync=before)
    assert box.exists == 4
    heard = news(connection)
    assert (uids[2], uids[2]) in [pair for one in heard if isinstance(one, Vanished) for pair in one.ranges]
    assert str(uids[1]) in [one.uid for one in heard if isinstance(one, Fetched)]
    changed = await connection.uid_fetch("1:*", flags=True, changed_since=before[1], vanished=True)
    assert [int(one.uid) for one in changed] == [uids[1]]
    box = await connection.select("INBOX", qresync=(*before, uids))
    assert box.exists == 4


# Searching


async def test_search(real_imap: MailServer, connection: IMAPConnection) -> None:
    real_imap.seed("alice", "INBOX", letters(12))
    await connection.select("INBOX")
    uids = (await connection.uid_search("ALL")).numbers
    assert (await connection.search(subject="number 1")).numbers == [1, 10, 11, 12]
    pending = [connection.uid_search(subject=f"number {n}", larger=1) for n in range(2, 10)]
    assert [(await one).numbers for one in pending] == [[uid] for uid in uids[1:9]]
    found = await connection.uid_search(returns=["MIN", "MAX", "COUNT", "ALL"])
    assert (found.minimum, found.maximum, found.count, found.numbers) == (uids[0], uids[-1], 12, uids)
    assert (await connection.uid_search(subject="日本")).numbers == []
    assert (await connection.uid_search(younger=3600)).numbers
    assert (await connection.uid_search(modseq=1)).modseq
    assert (await connection.uid_search(subject="nothing")).numbers == []
    assert (await connection.sort("-subject")).numbers
    assert sorted((await connection.uid_sort(["date", "subject"], subject="number")).numbers) == uids
    assert await connection.thread("REFERENCES")
    assert await connection.uid_thread("ORDEREDSUBJECT")
    assert await connection.uid_thread("REFS")


async def test_searchres(dovecot: MailServer) -> None:
    dovecot.seed("alice", "INBOX", letters(5))
    async with logged_in(dovecot) as connection:
        await connection.select("INBOX")
        await connection.uid_search(subject="number 3", returns=["SAVE"])
        assert [one.envelope.subject for one in await connection.uid_fetch("$", envelope=True)] == ["number 3"]


async def test_fuzzy(cyrus: MailServer) -> None:
    cyrus.seed("alice", "INBOX", letters(5))
    async with logged_in(cyrus) as connection:
        await connection.select("INBOX")
        await connection.uid_search(fuzzy={"subject": "number"})  # type: ignore[typeddict-item]


@pytest.mark.parametrize("name", ["dovecot", "cyrus"])
async def test_all_numbers_on_one_line(start_mail_server: StartMailServer, name: str) -> None:
    """As it is without ESEARCH."""
    server = start_mail_server(name, WITHOUT="ESEARCH ESORT SEARCHRES CONTEXT=SEARCH")
    server.seed("alice", "INBOX", [b"Subject: x\r\n\r\n"] * 2000)
    async with logged_in(server) as connection:
        await connection.select("INBOX")
        assert not connection.has("ESEARCH")
        found = await connection.uid_search("ALL")
        assert len(found.numbers) == 2000
        assert sorted((await connection.uid_sort("arrival")).numbers) == found.numbers


# APPEND, literals


@pytest.mark.parametrize("name", ["dovecot", "cyrus"])
@pytest.mark.parametrize("without", ["", "LITERAL+"])
async def test_literals(start_mail_server: StartMailServer, name: str, without: str) -> None:
    server = start_mail_server(name, WITHOUT=without) if without else start_mail_server(name)
    async with logged_in(server) as connection:
        assert connection.has("LITERAL+") == (not without)
        await connection.create("日本 {x}" if name == "dovecot" else "日本 x")
        for size in (0, 4096, 4097, 300_000):
            raw = b"Subject: x\r\n\r\n" + b"0123456789abcd\r\n" * (size // 16)
            await connection.append("INBOX", message(raw, flags=["\\Seen"], date=DAY))
        raws = letters(3, size=5000)
        placed = await connection.append("INBOX", *(message(raw) for raw in raws))
        assert placed is not None
        assert len(placed.uids) == 3
        await connection.append("INBOX", message(b"Subject: b\r\n\r\n\xff\xfe", binary=True))
        await connection.select("INBOX")
        found = await connection.fetch("5:7", body=True)
        assert [one.raw for one in found] == raws
        assert (await connection.uid_search(subject="grüß", body='a"b\\c')).numbers == []
        await connection.status("INBOX")
        assert connection.clean


async def test_append_that_is_refused(real_imap: MailServer, connection: IMAPConnection) -> None:
    with pytest.raises(PermanentReplyError) as caught:
        await connection.append("none", message(b"x" * 100_000))
    assert caught.value.response_code == "TRYCREATE"


async def test_a_large_message(real_imap: MailServer, connection: IMAPConnection) -> None:
    line = b"0123456789abcdef" * 4 + b"\r\n"

    async def chunks() -> AsyncIterator[bytes]:
        yield b"Subject: large\r\n\r\n"
        for _ in range(500):
            yield line * 500

    size = 18 + 500 * 500 * len(line)
    await connection.append("INBOX", Appended(size, chunks()))
    await connection.select("INBOX")
    counted = 0

    def count(view: memoryview) -> None:
        nonlocal counted
        counted += len(view)

    await connection.fetch("1", body=True, sink=count)
    assert counted == size


# The session


async def test_compress(real_imap: MailServer) -> None:
    real_imap.seed("alice", "INBOX", letters(200, size=500))
    async with logged_in(real_imap, compress=True) as connection:
        await connection.select("INBOX")
        found = await connection.fetch("1:*", body=True, flags=True)
        assert len(found) == 200
        raw = b"Subject: x\r\n\r\n" + random.Random(5).randbytes(200_000).hex().encode() + b"\r\n"
        await connection.append("INBOX", message(raw))
        await connection.append("INBOX", *(message(one) for one in letters(5)))
        await connection.noop()
        assert (await connection.fetch("201", body=True))[0].raw == raw
        with pytest.raises(UnsupportedError):
            await connection.compress()
        pending = [connection.fetch(n, body=True) for n in range(1, 100)]
        assert [len(await one) for one in pending] == [1] * 99
        await connection.logout()


async def test_compress_under_tls(real_imap: MailServer) -> None:
    context = real_imap.ssl_context()
    url = real_imap.url("imaps", user="alice")
    async with connected(url, ssl_context=context, tls="implicit", compress=True) as connection:
        for raw in letters(3, size=100_000):
            await connection.append("INBOX", message(raw))
        await connection.select("INBOX")
        assert [one.raw for one in await connection.fetch("1:3", body=True)] == letters(3, size=100_000)


async def test_idle(real_imap: MailServer, connection: IMAPConnection) -> None:
    real_imap.seed("alice", "INBOX", letters(1))
    await connection.select("INBOX")
    await connection.idle(0.05)
    async with logged_in(real_imap) as other:
        await other.append("INBOX", message(letters(1)[0]))
    for _ in range(20):
        if connection.selected is not None and connection.selected.exists == 2:
            break
        await connection.idle(1)
    assert connection.selected is not None
    assert connection.selected.exists == 2
    await connection.noop()


async def test_notify(dovecot: MailServer) -> None:
    async with logged_in(dovecot) as connection:
        await connection.notify("SET (SELECTED (MessageNew MessageExpunge)) (PERSONAL (MessageNew MessageExpunge))")
        await connection.select("INBOX")
        await connection.notify("NONE")


async def test_commands_without_a_method(real_imap: MailServer, connection: IMAPConnection) -> None:
    status, data = await connection.command("STATUS", "INBOX", "(MESSAGES UNSEEN)")
    assert status.ok
    assert [one.messages for one in data if hasattr(one, "messages")] == [0]
    status, _ = await connection.command("XNOTHING")
    assert not status.ok


async def test_what_comes_unasked(real_imap: MailServer, connection: IMAPConnection) -> None:
    real_imap.seed("alice", "INBOX", letters(3))
    await connection.select("INBOX")
    news(connection)
    async with logged_in(real_imap) as other:
        await other.select("INBOX")
        await other.store("1", ["\\Deleted"])
        await other.expunge()
        await other.append("INBOX", message(letters(1)[0]))
    await connection.noop()
    heard = news(connection)
    assert Expunge(1) in heard  # type: ignore[arg-type]
    assert any(isinstance(one, Number) and one.name == "EXISTS" for one in heard)
    assert connection.selected is not None
    assert connection.selected.exists == 3


async def test_the_server_ends_the_session(real_imap: MailServer, connection: IMAPConnection) -> None:
    await connection.select("INBOX")
    real_imap.clear()

    async def stay() -> None:
        for _ in range(50):
            await connection.noop()
            await connection.idle(0.1)

    with pytest.raises(ConnectionLost):
        await stay()


async def test_numbers_are_right_while_others_expunge(real_imap: MailServer, connection: IMAPConnection) -> None:
    """What goes out by sequence number means what it meant when it was submitted, or is answered by an error."""
    real_imap.seed("alice", "INBOX", letters(9))
    await connection.select("INBOX")
    async with logged_in(real_imap) as other:
        await other.select("INBOX")
        await other.store("1:3", ["\\Deleted"])
        pending = connection.noop(), connection.fetch("4", envelope=True)
        await other.expunge()
        await pending[0]
        assert connection.selected is not None
        try:
            [found] = await pending[1]
        except NetClientError:
            return
        # Numbers count from what NOOP has told: four more messages are gone before this one, or none.
        gone = 9 - connection.selected.exists
        assert found.envelope.subject == f"number {4 + gone}"
