"""The maildrop of ``MailReader`` on the embedded server: reading, deleting, committing, comparing, reconnecting."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from netclients import (
    Bounds,
    ConfigurationError,
    ConnectionLost,
    NotFetched,
    OutcomeUnknown,
    PermanentReplyError,
    ProtocolError,
    TransientReplyError,
    UnsupportedError,
)
from netclients.pop3.maildrop import Maildrop
from netclients.testing import ScriptedServer
from netclients.testing.pop3 import POP3Server
from netclients.testing.smtp_faults import Hangup, Reply
from tests.pop3.boxes import ONCE, QUICK, letter, maildrop

pytestmark = pytest.mark.anyio

COUNT = 10


@pytest.fixture
def server() -> Iterator[POP3Server]:
    with POP3Server() as server:
        for number in range(COUNT):
            server.add("me", letter(number))
        yield server
        assert server.violations == []


def held(server: POP3Server) -> list[str]:
    return [message.uid for message in server.messages("me")]


def box_of(server: POP3Server, **options: object) -> Maildrop:
    options.setdefault("timeouts", QUICK)
    return maildrop(server.url, tls="none", **options)


# Reading


async def test_what_there_is(server: POP3Server) -> None:
    async with box_of(server) as box:
        assert (box.exists, box.total_size) == (COUNT, COUNT * len(letter(0)))
        async with box.fetch() as infos:
            found = [(info.uid, info.size) async for info in infos]
        assert found == [(uid, len(letter(0))) for uid in held(server)]
        async with box.fetch([held(server)[3], "unknown"]) as infos:
            [info] = [info async for info in infos]
        with pytest.raises(NotFetched):
            _ = info.envelope
        message = await box.read(info.uid)
        assert message["Subject"] == "3"
        with pytest.raises(PermanentReplyError, match="does not exist"):
            await box.read("unknown")
        with pytest.raises(ConfigurationError):
            await box.read(3)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="closed"):
        await box.read("00000001")


@pytest.mark.parametrize("window", [1, 2, 3, 256])
@pytest.mark.parametrize("without", [(), ("PIPELINING",)])
async def test_read_many(server: POP3Server, window: int, without: tuple[str, ...]) -> None:
    server.set_without(without)
    async with box_of(server, window=window) as box:
        async with box.read_many() as items:
            found = [(item.uid, item.raw) async for item in items]
        assert found == [(message.uid, message.raw) for message in server.messages("me")]
        wanted = [held(server)[5], "unknown", held(server)[2]]
        async with box.read_many(wanted) as items:
            result = [item async for item in items]
        assert [item.uid for item in result] == wanted
        assert result[0].message["Subject"] == "5"
        with pytest.raises(PermanentReplyError):
            result[1].raise_for_error()


async def test_commands_within_the_loop(server: POP3Server) -> None:
    async with box_of(server, window=4) as box:
        async with box.read_many() as items:
            async for item in items:
                other = await box.read(held(server)[0])
                assert other["Subject"] == "0"
                if item.message["Subject"] in ("2", "5"):
                    await box.delete(item.uid)
        assert box.exists == COUNT - 2
    assert len(held(server)) == COUNT - 2


async def test_leaving_the_loop(server: POP3Server) -> None:
    async with box_of(server) as box:
        async with box.read_many() as items:
            async for _ in items:
                break
        async for _ in box.read_many():
            break
        assert (await box.read(held(server)[7]))["Subject"] == "7"
    assert server.stats.connections == 1


async def test_stream(server: POP3Server) -> None:
    uid = server.add("me", letter("large", 3_000_000))
    async with box_of(server) as box:
        async with box.stream(uid) as chunks:
            pieces = [chunk async for chunk in chunks]
        assert len(pieces) > 1
        assert b"".join(pieces) == letter("large", 3_000_000)
        async with box.stream(uid) as chunks:
            async for _ in chunks:
                with pytest.raises(ConfigurationError, match="being streamed"):
                    await box.read(uid)
                with pytest.raises(ConfigurationError, match="being streamed"):
                    await anext(box.read_many())
                with pytest.raises(ConfigurationError, match="being streamed"):
                    await anext(box.stream(uid))
                await box.delete(uid)
                break
        assert (await box.read(held(server)[0]))["Subject"] == "0"
        with pytest.raises(PermanentReplyError):
            await anext(box.stream("unknown"))
        left = box.stream(uid)
        await anext(left)
    assert uid not in held(server)


async def test_bounds(server: POP3Server) -> None:
    uid = server.add("me", letter("large", 5000))
    async with box_of(server, bounds=Bounds(read=1000)) as box:
        with pytest.raises(ProtocolError, match=r"Bounds\.read"):
            await box.read(uid)
        async with box.read_many() as items:
            result = [item async for item in items]
        assert [item.error is None for item in result] == [True] * COUNT + [False]
        async with box.stream(uid) as chunks:
            assert b"".join([chunk async for chunk in chunks]) == letter("large", 5000)


# Deleting


async def test_delete(server: POP3Server) -> None:
    before = held(server)
    async with box_of(server) as box:
        await box.delete(before[1])
        await box.delete([before[3], before[3], before[5]])
        await box.delete([])
        with pytest.raises(PermanentReplyError, match="unknown"):
            await box.delete([before[7], "unknown"])
        assert box.to_be_deleted == (before[1], before[3], before[5])
        assert box.exists == COUNT - 3
        assert held(server) == before
    assert held(server) == [uid for uid in before if uid not in (before[1], before[3], before[5])]


async def test_undelete(server: POP3Server) -> None:
    async with box_of(server) as box:
        await box.delete(held(server))
        box.undelete()
    assert len(held(server)) == COUNT
    assert "DELE" not in server.stats.commands


async def test_an_exception_deletes_nothing(server: POP3Server) -> None:
    before = held(server)
    with pytest.raises(LookupError):  # noqa: PT012
        async with box_of(server) as box:
            await box.delete(before)
            raise LookupError
    assert held(server) == before
    assert not {"DELE", "QUIT"} & set(server.stats.commands)


async def test_commit(server: POP3Server) -> None:
    before = held(server)
    with pytest.raises(LookupError):  # noqa: PT012
        async with box_of(server) as box:
            await box.delete(before[:2])
            await box.commit()
            assert held(server) == before[2:]
            await box.commit()
            assert (await box.read(before[2]))["Subject"] == "2"
            with pytest.raises(PermanentReplyError):
                await box.read(before[0])
            assert box.exists == COUNT - 2
            await box.delete(before[2:])
            raise LookupError
    assert held(server) == before[2:]


async def test_many_deletions(server: POP3Server) -> None:
    for number in range(700):
        server.add("me", letter(number))
    before = held(server)
    async with box_of(server, window=64) as box:
        await box.delete(before[:-1])
    assert held(server) == before[-1:]


async def test_a_refused_deletion_deletes_nothing(server: POP3Server) -> None:
    server.set_faults([Reply("DELE", "-ERR locked", argument="3")])
    before = held(server)
    with pytest.raises(PermanentReplyError, match="locked"):
        async with box_of(server) as box:
            await box.delete(before)
    assert held(server) == before
    assert "QUIT" not in server.stats.commands


async def test_a_deletion_that_may_work_later(server: POP3Server) -> None:
    server.set_faults([Reply("DELE", "-ERR [SYS/TEMP] later", times=1)])
    before = held(server)
    async with box_of(server) as box:
        await box.delete(before[:2])
    assert held(server) == before[2:]
    server.set_faults([Reply("DELE", "-ERR [SYS/TEMP] later")])
    with pytest.raises(TransientReplyError):
        async with box_of(server) as box:
            await box.delete(before[2])
    assert held(server) == before[2:]


async def test_the_reply_to_quit_is_lost(server: POP3Server) -> None:
    server.set_faults([Hangup("QUIT", executed=True)])
    before = held(server)
    with pytest.raises(OutcomeUnknown):
        async with box_of(server) as box:
            await box.delete(before[0])
    assert held(server) == before[1:]
    assert server.stats.commands["QUIT"] == 1


async def test_quit_without_deletions_does_not_matter(server: POP3Server) -> None:
    server.set_faults([Hangup("QUIT")])
    async with box_of(server) as box:
        assert box.exists == COUNT


async def test_going_on_behind_a_doubt(server: POP3Server) -> None:
    server.set_faults([Hangup("QUIT", executed=True, times=1)])
    before = held(server)
    async with box_of(server) as box:
        await box.delete(before[0])
        with pytest.raises(OutcomeUnknown):
            await box.commit()
        assert box.to_be_deleted == (before[0],)
        assert (await box.sync(None)).vanished == ()
    assert held(server) == before[1:]


# Reconnecting


async def test_a_lost_connection(server: POP3Server) -> None:
    before = held(server)
    async with box_of(server) as box:
        await box.delete(before[1])
        server.sever()
        server.remove("me", before[0])
        assert (await box.read(before[2]))["Subject"] == "2"
        with pytest.raises(PermanentReplyError):
            await box.read(before[0])
        server.sever()
    assert held(server) == before[2:]
    assert server.stats.connections == 3


async def test_a_lost_connection_amid_reading(server: POP3Server) -> None:
    server.set_faults([Hangup("RETR", skip=4, times=1), Hangup("RETR", skip=9, times=1)])
    async with box_of(server, window=3) as box, box.read_many() as items:
        found = [item.raw async for item in items]
    assert found == [message.raw for message in server.messages("me")]
    assert server.stats.connections == 3


async def test_what_was_to_be_deleted_is_gone_already(server: POP3Server) -> None:
    before = held(server)
    async with box_of(server) as box:
        await box.delete(before[:2])
        server.sever()
        server.remove("me", before[0])
    assert held(server) == before[2:]


async def test_a_streamed_message_is_not_repeated(server: POP3Server) -> None:
    uid = server.add("me", letter("large", 30_000_000))
    async with box_of(server) as box:
        with pytest.raises(ConnectionLost):  # noqa: PT012
            async with box.stream(uid) as chunks:
                await anext(chunks)
                server.sever()
                async for _ in chunks:
                    pass
        assert (await box.read(held(server)[0]))["Subject"] == "0"


async def test_in_use_for_a_moment(server: POP3Server) -> None:
    server.set_faults([Reply("AUTH", "-ERR [IN-USE] still there", times=1)])
    async with box_of(server) as box:
        assert box.exists == COUNT
    server.set_faults([Reply("AUTH", "-ERR [IN-USE] still there")])
    with pytest.raises(TransientReplyError):
        async with box_of(server):
            pass


# Servers that name messages badly


async def test_no_unique_ids(server: POP3Server) -> None:
    server.set_without(["UIDL"])
    async with box_of(server) as box:
        async with box.fetch() as infos:
            assert [info.uid async for info in infos] == [str(number) for number in range(1, COUNT + 1)]
        assert (await box.read("3"))["Subject"] == "2"
        with pytest.raises(UnsupportedError, match="UIDL"):
            await box.sync()
        await box.delete("1")
        await box.commit()
        with pytest.raises(UnsupportedError, match="without UIDL"):
            await box.read("3")
    assert len(held(server)) == COUNT - 1


async def test_no_unique_ids_and_no_capabilities(server: POP3Server) -> None:
    server.set_without(["UIDL", "CAPA"])
    async with box_of(server) as box:
        assert (await box.read("3"))["Subject"] == "2"


async def test_numbers_do_not_outlive_their_session(server: POP3Server) -> None:
    server.set_without(["UIDL"])
    with pytest.raises(ConnectionLost):  # noqa: PT012
        async with box_of(server) as box:
            await box.delete("1")
            server.sever()
            await box.read("3")
    with pytest.raises((ConnectionLost, UnsupportedError)):  # noqa: PT012
        async with box_of(server) as box:
            await box.delete("1")
            server.sever()
    assert len(held(server)) == COUNT


async def test_unique_ids_that_are_not(server: POP3Server) -> None:
    server.add("me", letter("first"), uid="same")
    server.add("me", letter("second"), uid="same")
    before = held(server)
    async with box_of(server) as box:
        async with box.read_many() as items:
            subjects = [item.message["Subject"] async for item in items]
        assert subjects[-2:] == ["first", "second"]
        with pytest.raises(UnsupportedError, match="2 messages same"):
            await box.delete("same")
        changes = await box.sync(None)
        assert len(changes.added) == COUNT + 2
        await box.delete(before[0])
    assert held(server) == before[1:]


async def test_a_unique_id_that_is_repeated_after_a_reconnect(server: POP3Server) -> None:
    before = held(server)
    with pytest.raises(UnsupportedError):  # noqa: PT012
        async with box_of(server) as box:
            await box.delete([before[0], before[1]])
            server.add("me", letter("other"), uid=before[0])
            server.sever()
    assert held(server) == [*before, before[0]]


LOGIN = "S: +OK hi\nC: CAPA\nS: +OK\nS: UIDL\nS: .\n"


@pytest.mark.parametrize("uids", ["1 a", "1 a\nS: 3 c", "1 a\nS: 1 b", "1 a\nS: 2 b\nS: 3 c", "1 a\nS: 2"])
async def test_lists_that_disagree(uids: str) -> None:
    script = f"{LOGIN}C: LIST\nS: +OK\nS: 1 10\nS: 2 10\nS: .\nC: UIDL\nS: +OK\nS: {uids}\nS: .\nS-close\n"
    with ScriptedServer(script) as server, pytest.raises(ProtocolError):
        async with maildrop(f"pop3://127.0.0.1:{server.port}", tls="none", retry=ONCE):
            pass


# Comparing


async def test_sync(server: POP3Server) -> None:
    before = held(server)
    async with box_of(server) as box:
        changes = await box.sync()
        assert [info.uid for info in changes.added] == before
        assert (changes.changed, changes.vanished) == ((), ())
        assert json.loads(changes.state)
        again = await box.sync(changes.state)
        assert (again.added, again.vanished) == ((), ())
    new = server.add("me", letter("new"))
    server.remove("me", before[4], before[6])
    async with box_of(server) as box:
        changes = await box.sync(changes.state)
        assert [info.uid for info in changes.added] == [new]
        assert sorted(changes.vanished) == [before[4], before[6]]
        await box.delete(new)
        await box.commit()
        assert (await box.sync(changes.state)).vanished == (new,)


@pytest.mark.parametrize("state", ["", "x", "[]", "{}", '{"pop3": 1}', '{"pop3": 1, "uids": [1]}', "[" * 100_000, 7])
async def test_states_that_are_none(server: POP3Server, state: str) -> None:
    async with box_of(server) as box:
        with pytest.raises(ConfigurationError, match="no state"):
            await box.sync(state)
