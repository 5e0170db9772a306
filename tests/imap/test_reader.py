"""``MailReader`` over IMAP: mailboxes by name, namespaces, quotas, connections, and the pool behind them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack

import anyio
import pytest

from netclients import (
    AuthenticationError,
    ConfigurationError,
    MailReader,
    OAuth,
    OutcomeUnknown,
    PermanentReplyError,
    PoolLimits,
    PoolTimeout,
    Timeouts,
    UIDValidityChanged,
    UnsupportedError,
)
from netclients.testing import IMAPServer
from netclients.testing.imap_faults import Hangup, HangupAfter, Reply
from tests.faults.harness import settles
from tests.imap.boxes import AGAIN, AGES, ONCE, PLAIN, at_rest, fill, hung_up, names, reader_of

pytestmark = [pytest.mark.anyio]


@pytest.fixture
def server() -> Iterator[IMAPServer]:
    with IMAPServer() as server:
        yield server


@pytest.fixture(params=AGES)
def aged(request: pytest.FixtureRequest) -> Iterator[IMAPServer]:
    with IMAPServer(without=AGES[request.param]) as server:
        yield server


# Mailboxes by name


async def test_made_renamed_removed(aged: IMAPServer) -> None:
    async with reader_of(aged) as reader:
        await reader.create_mailbox("A")
        await reader.rename_mailbox("A", "B")
        assert aged.mailbox_names("me") == ["B", "INBOX"]
        await reader.delete_mailbox("B")
        assert aged.mailbox_names("me") == ["INBOX"]
        with pytest.raises(PermanentReplyError) as caught:
            await reader.create_mailbox("INBOX")
        assert caught.value.response_code == "ALREADYEXISTS"
        with pytest.raises(PermanentReplyError):
            await reader.delete_mailbox("B")
        assert at_rest(reader)
    assert aged.violations == []


@pytest.mark.parametrize(
    "name", ["&", '"x"', "日本", "a b", "[Gmail]/Alle Nachrichten", "100%", "star*", "{12}", "a\\b"]
)
async def test_names(aged: IMAPServer, name: str) -> None:
    async with reader_of(aged) as reader:
        await reader.create_mailbox(name)
        found = {info.name: info async for info in reader.list_mailboxes()}
        assert name in found
        async with reader.mailbox(name) as box:
            uid = await box.append(b"Subject: x\r\n\r\n")
            assert box.name == name
            assert [m.uid async for m in box.fetch()] == ([uid] if uid else ["1"])
        await reader.rename_mailbox(name, "plain")
        assert name not in aged.mailbox_names("me")


async def test_listing(aged: IMAPServer) -> None:
    aged.create_mailbox("me", "Work/2026/May")
    aged.create_mailbox("me", "Sent", special_use="\\Sent")
    fill(aged, 3, "Sent")
    async with reader_of(aged) as reader:
        found = {info.name: info async for info in reader.list_mailboxes("*")}
        assert set(found) == set(aged.mailbox_names("me"))
        assert all(info.delimiter == "/" and info.status is None for info in found.values())
        assert found["INBOX"].selectable
        assert [info.name async for info in reader.list_mailboxes("Work/%")] == ["Work/2026"]
        several = [info.name async for info in reader.list_mailboxes(["Sent", "IN*", "S*"])]
        assert sorted(several) == ["INBOX", "Sent"]
        counted = {info.name: info async for info in reader.list_mailboxes(status=["MESSAGES", "UIDNEXT"])}
        assert counted["Sent"].status is not None
        assert (counted["Sent"].status.messages, counted["Sent"].status.uid_next) == (3, 4)
        [one] = [info async for info in reader.list_mailboxes("Sent", status="MESSAGES")]
        assert one.status is not None
        assert one.status.messages == 3
        assert at_rest(reader)
    assert aged.violations == []


async def test_status_of_what_cannot_be_opened(server: IMAPServer) -> None:
    server.set_without(PLAIN)
    server.create_mailbox("me", "Gone")
    server.set_faults([Reply("STATUS", "NO No such mailbox.", argument="Gone*")])
    async with reader_of(server) as reader:
        found = {info.name: info.status async for info in reader.list_mailboxes(status=["MESSAGES"])}
    assert found["Gone"] is None
    assert found["INBOX"] is not None


async def test_subscriptions(aged: IMAPServer) -> None:
    aged.create_mailbox("me", "A")
    aged.create_mailbox("me", "B")
    async with reader_of(aged) as reader:
        await reader.subscribe("A")
        assert {info.name async for info in reader.list_mailboxes(subscribed=True)} == {"A", "INBOX"}
        await reader.subscribe("A", on=False)
        assert {info.name async for info in reader.list_mailboxes(subscribed=True)} == {"INBOX"}


async def test_special_mailbox(server: IMAPServer) -> None:
    server.create_mailbox("me", "Gesendet", special_use="\\Sent")
    async with reader_of(server) as reader:
        found = await reader.special_mailbox("\\sent")
        assert found is not None
        assert (found.name, found.special_use) == ("Gesendet", "\\Sent")
        assert await reader.special_mailbox("\\Trash") is None
        await reader.create_mailbox("Mülleimer", special_use="\\Trash")
        found = await reader.special_mailbox("\\Trash")
        assert found is not None
        assert found.name == "Mülleimer"


async def test_special_mailbox_of_an_old_server() -> None:
    with IMAPServer(without=PLAIN) as server:
        server.create_mailbox("me", "Sent", special_use="\\Sent")
        async with reader_of(server) as reader:
            assert await reader.special_mailbox("\\Sent") is None
            with pytest.raises(UnsupportedError):
                await reader.create_mailbox("Trash", special_use="\\Trash")


async def test_a_listing_that_is_left(server: IMAPServer) -> None:
    server.create_mailbox("me", "A")
    async with reader_of(server, 1) as reader:
        async for _ in reader.list_mailboxes():
            break
        assert at_rest(reader)
        async with reader.list_mailboxes() as listing:
            async for _ in listing:
                break
        assert [info.name async for info in reader.list_mailboxes("A")] == ["A"]
        assert reader.stats.opened == 1


async def test_namespaces_and_quota() -> None:
    with IMAPServer(quota=1024 * 1024) as server:
        fill(server, 1)
        async with reader_of(server) as reader:
            [personal] = (await reader.namespaces()).personal
            assert (personal.prefix, personal.delimiter) == ("", "/")
            [quota] = await reader.quota()
            used, most = quota.resources["STORAGE"]
            assert (used <= 1, most) == (True, 1024)
    with IMAPServer(without=PLAIN) as server:
        async with reader_of(server) as reader:
            with pytest.raises(UnsupportedError):
                await reader.namespaces()
            with pytest.raises(UnsupportedError):
                await reader.quota()
            assert at_rest(reader)


async def test_the_url_names_the_mailbox(server: IMAPServer) -> None:
    server.create_mailbox("me", "Work")
    async with (
        MailReader(f"{server.url}/Work?tls=none") as reader,
        reader.mailbox() as box,
        reader.mailbox("INBOX") as other,
    ):
        assert (box.name, other.name) == ("Work", "INBOX")


async def test_no_such_mailbox(server: IMAPServer) -> None:
    async with reader_of(server, 1) as reader:
        box = reader.mailbox("nowhere")
        with pytest.raises(PermanentReplyError):
            await box.__aenter__()
        with pytest.raises(ConfigurationError):
            await box.search()
        assert at_rest(reader)
        async with reader.mailbox() as inbox:
            assert inbox.exists == 0
        assert reader.stats.opened == 1


async def test_a_mailbox_outside_its_block(server: IMAPServer) -> None:
    async with reader_of(server) as reader:
        box = reader.mailbox()
        with pytest.raises(ConfigurationError, match="not open"):
            await box.search()
        with pytest.raises(ConfigurationError, match="not open"):
            _ = box.exists
        async with box:
            assert await box.search() == []
        with pytest.raises(ConfigurationError, match="not open"):
            await box.search()
        assert at_rest(reader)
        assert reader.stats.opened == 1


# What must not be done twice


@pytest.mark.parametrize("verb", ["CREATE", "RENAME", "DELETE"])
async def test_a_lost_reply(server: IMAPServer, verb: str) -> None:
    server.create_mailbox("me", "A")
    server.set_faults([Hangup(verb, executed=True, times=1)])
    async with reader_of(server) as reader:
        calls = {
            "CREATE": lambda: reader.create_mailbox("B"),
            "RENAME": lambda: reader.rename_mailbox("A", "B"),
            "DELETE": lambda: reader.delete_mailbox("A"),
        }
        with pytest.raises(OutcomeUnknown):
            await calls[verb]()
        assert at_rest(reader)
    assert names(server).count(verb) == 1


async def test_refused_for_the_moment(server: IMAPServer) -> None:
    server.set_faults([Reply("CREATE", "NO [UNAVAILABLE] Not now.", times=2)])
    async with reader_of(server) as reader:
        await reader.create_mailbox("A")
        assert "A" in server.mailbox_names("me")
    assert names(server).count("CREATE") == 3


async def test_nothing_was_sent_when_connecting_failed(server: IMAPServer) -> None:
    """What must not be done twice may well be done once."""
    server.set_faults([Hangup("CONNECT", times=2)])
    async with reader_of(server) as reader:
        await reader.create_mailbox("A")
    assert names(server).count("CREATE") == 1


# Connections


async def test_a_lent_connection_stands_as_after_login(aged: IMAPServer) -> None:
    async with reader_of(aged, 1) as reader:
        async with reader.mailbox() as box:
            await box.search()
        async with reader.connection() as connection:
            assert connection.selected is None
            with pytest.raises(PermanentReplyError):
                await connection.check()
            await connection.select("INBOX")
            opened = reader.stats.opened
        async with reader.connection() as connection:
            assert connection.selected is None
            assert reader.stats.opened == opened + 1, "what a caller has done to a session ends its use"
            with pytest.raises(PermanentReplyError):
                await connection.check()
        assert at_rest(reader)
    assert "CLOSE" not in names(aged)


@pytest.mark.parametrize("connections", [1, 2, 4])
async def test_two_tasks_with_two_mailboxes(server: IMAPServer, connections: int) -> None:
    for mailbox, count in (("A", 3), ("B", 5)):
        server.create_mailbox("me", mailbox)
        fill(server, count, mailbox)

    async def work(reader: MailReader, mailbox: str, count: int) -> None:
        for _ in range(10):
            async with reader.mailbox(mailbox) as box:
                assert box.exists == count
                assert len(await box.search()) == count
                assert len([m.flags async for m in box.fetch(flags=True)]) == count

    async with reader_of(server, connections) as reader, anyio.create_task_group() as group:
        group.start_soon(work, reader, "A", 3)
        group.start_soon(work, reader, "B", 5)
    assert reader.stats.opened <= min(2, connections)
    assert server.violations == []


async def test_affinity(server: IMAPServer) -> None:
    server.create_mailbox("me", "B")
    async with reader_of(server) as reader:
        async with reader.mailbox() as box, reader.mailbox("B") as other:
            uids = fill(server, 2)
            assert (box.exists, other.exists) == (0, 0)
        for _ in range(3):
            async with reader.mailbox() as box:
                assert box.exists == 2, "what has come meanwhile is known"
                assert await box.search() == [str(uid) for uid in uids]
            async with reader.mailbox("B") as other:
                assert other.exists == 0
        assert [info.name async for info in reader.list_mailboxes()] == ["B", "INBOX"]
        assert reader.stats.opened <= 3
    assert set(names(server, "SELECT", "EXAMINE")) == {"SELECT"}


async def test_a_name_may_mean_another_mailbox_meanwhile(server: IMAPServer) -> None:
    """An idle connection still has the old one open: nobody gets it under the name that it had."""
    server.create_mailbox("me", "A")
    async with reader_of(server) as reader, reader_of(server) as other:
        async with reader.mailbox("A") as box:
            await box.append(b"Subject: old\r\n\r\nx\r\n")
        await other.rename_mailbox("A", "B")
        await other.create_mailbox("A")
        async with reader.mailbox("A") as box:
            assert box.exists == 0
            await box.delete("1:*")
        async with other.mailbox("B") as kept:
            assert kept.exists == 1


async def test_an_open_slice_names_no_message_before_it(server: IMAPServer) -> None:
    fill(server, 3)
    async with reader_of(server) as reader, reader.mailbox() as box:
        assert [message.uid async for message in box.fetch(slice(100, None), flags=True)] == []
        await box.delete(slice(100, None))
        await box.refresh()
        assert box.exists == 3


async def test_readonly_is_readonly(server: IMAPServer) -> None:
    """A connection on which the mailbox is open for writing is none for a reader who must not write."""
    [uid] = fill(server, 1)
    async with reader_of(server, 1) as reader:
        async with reader.mailbox() as box:
            await box.store(uid, add=["\\Seen"])
        async with reader.mailbox(readonly=True) as box:
            for call in (
                lambda: box.store(uid, add=["\\Deleted"]),
                lambda: box.delete(uid),
                lambda: box.move(uid, "INBOX"),
                lambda: box.expunge_all(),
            ):
                with pytest.raises(ConfigurationError, match="readonly"):
                    await call()
        async with reader.mailbox() as box:
            await box.store(uid, add=["\\Flagged"])
    assert server.messages("me")[0].flags >= {"\\Seen", "\\Flagged"}
    assert names(server, "SELECT", "EXAMINE") == ["SELECT", "EXAMINE", "SELECT"]


@pytest.mark.parametrize("others", [0, 1])
async def test_a_mailbox_made_anew_is_not_the_one_that_a_connection_has_open(server: IMAPServer, others: int) -> None:
    """Be it the connection that removes it, or another one."""
    server.create_mailbox("me", "A")
    fill(server, 3, "A")
    async with reader_of(server, 1 + others) as reader:
        async with reader.mailbox("A") as box, AsyncExitStack() as stack:
            assert box.exists == 3
            for _ in range(others):
                await stack.enter_async_context(reader.connection())
        opened = reader.stats.opened
        await reader.delete_mailbox("A")
        assert reader.stats.open == 1, "the one that had it open has been closed"
        assert reader.stats.opened == opened + (not others)
        await reader.create_mailbox("A")
        async with reader.mailbox("A") as box:
            assert box.exists == 0
            assert await box.search() == []
        fill(server, 2, "A")
        async with reader.mailbox("A"), AsyncExitStack() as stack:
            for _ in range(others):
                await stack.enter_async_context(reader.connection())
        await reader.rename_mailbox("A", "B")
        await reader.create_mailbox("A")
        async with reader.mailbox("A") as box:
            assert await box.search() == []
        async with reader.mailbox("B") as box:
            assert len(await box.search()) == 2
        assert at_rest(reader)


@pytest.mark.parametrize("verb", ["DELETE", "RENAME"])
async def test_removed_over_the_connection_that_had_it_open(server: IMAPServer, verb: str) -> None:
    server.create_mailbox("me", "A")
    async with reader_of(server, 1) as reader, anyio.create_task_group() as group, reader.mailbox("A"):
        if verb == "DELETE":
            group.start_soon(reader.delete_mailbox, "A")
        else:
            group.start_soon(reader.rename_mailbox, "A", "B")
        assert await settles(lambda: reader.stats.waiting == 1)
    assert names(server) == ["SELECT", "UNSELECT", verb]


async def test_a_pool_that_is_used_up(server: IMAPServer) -> None:
    async with reader_of(server, 1, timeouts=Timeouts(pool=0.05)) as reader:
        async with reader.mailbox():
            with pytest.raises(PoolTimeout):
                await reader.namespaces()
        await reader.namespaces()


async def test_the_server_closes_idle_connections(server: IMAPServer) -> None:
    fill(server, 1)
    server.create_mailbox("me", "A")
    async with reader_of(server, retry=ONCE) as reader:
        async with reader.mailbox() as box:
            uids = await box.search()
            server.announce("* BYE Idle for too long.")
            await hung_up(box)
            assert await box.search() == uids, "it is opened again, and that is no attempt that failed"
            server.sever()
            await hung_up(box)
            await box.copy(uids, "A")
            server.sever()
            await hung_up(box)
        await reader.namespaces()
        assert at_rest(reader)
    assert len(server.messages("me", "A")) == 1


async def test_uid_validity_changes(server: IMAPServer) -> None:
    fill(server, 2)
    async with reader_of(server) as reader:
        async with reader.mailbox() as box:
            old = box.uid_validity
            new = server.reset_uid_validity("me")
            for _ in range(2):
                with pytest.raises(UIDValidityChanged) as caught:
                    await box.delete("1")
                assert (caught.value.mailbox, caught.value.old, caught.value.new) == ("INBOX", old, new)
            with pytest.raises(UIDValidityChanged):
                async for _ in box.fetch(flags=True):
                    pass
            assert box.uid_validity == old
        assert at_rest(reader)
        async with reader.mailbox() as box:
            assert box.uid_validity == new
    assert len(server.messages("me")) == 2


async def test_uid_validity_changes_between_pieces_of_a_body(server: IMAPServer) -> None:
    """It is the end of the loop, not one message's affair."""
    for _ in range(3):
        server.add("me", "INBOX", b"Subject: x\r\n\r\n" + b"x" * 600_000)
    async with reader_of(server) as reader, reader.mailbox() as box:
        items = box.read_many([1, 2, 3])
        assert (await anext(items)).uid == "1"
        server.reset_uid_validity("me")
        with pytest.raises(UIDValidityChanged):
            await anext(items)


# Logging in


async def test_a_token_expires() -> None:
    tokens = ["three", "two", "one"]
    with IMAPServer(tokens={"ada": "one"}, users={}) as server:
        fill_in = server.add("ada", "INBOX", b"Subject: x\r\n\r\n")
        async with MailReader(
            f"imap://{server.host}:{server.port}?tls=none",
            auth=OAuth("ada", lambda: tokens.pop() if tokens else "last"),
            retry=AGAIN,
            limits=PoolLimits(max_connections=1),
        ) as reader:
            async with reader.mailbox() as box:
                server.set_tokens({"ada": "two"})
                server.sever()
                assert await box.search() == [str(fill_in)]
            server.set_tokens({"ada": "none"})
            server.sever()
            with pytest.raises(AuthenticationError):
                await reader.namespaces()
            assert at_rest(reader)


@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
@pytest.mark.parametrize("compress", [False, True])
async def test_ways_in(tls: str, compress: bool) -> None:
    with IMAPServer(tls=tls) as server:  # type: ignore[arg-type]
        uids = fill(server, 20)
        context = None if tls == "none" else server.client_context()
        url = f"{server.url}?tls=none" if tls == "none" else server.url
        async with MailReader(url, ssl_context=context, compress=compress) as reader, reader.mailbox() as box:
            assert [int(item.uid) async for item in box.read_many("1:*")] == uids
        assert ("COMPRESS" in names(server)) == compress
        assert server.violations == []
        assert server.stats.discarded == 0


async def test_the_server_leaves_after_each_reply(server: IMAPServer) -> None:
    """Whatever was done last, the next call goes its way."""
    uids = fill(server, 3)
    for verb in ("SELECT", "SEARCH", "FETCH", "STORE", "EXPUNGE", "NOOP", "LIST"):
        server.set_faults([HangupAfter(verb, times=2)])
        new = server.add("me", "INBOX", b"Subject: new\r\n\r\n")
        async with reader_of(server) as reader:
            async with reader.mailbox() as box:
                assert len(await box.search("ALL")) == 4
                await box.store(uids[0], add=["\\Seen"])
                assert [m.uid async for m in box.fetch(uids[0])] == ["1"]
                await box.refresh()
                assert (await box.delete([new])).expunged
            assert [info.name async for info in reader.list_mailboxes()] == ["INBOX"]
            assert at_rest(reader)
    assert len(server.messages("me")) == 3
