"""Changing an open mailbox: flags, copies, moves, deletions, appended messages; with and without the extensions."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from netclients import (
    ConfigurationError,
    LocalFileError,
    OutcomeUnknown,
    PermanentReplyError,
    UnsupportedError,
    compose,
)
from netclients.testing import IMAPServer
from netclients.testing.imap_faults import CutContent, Hangup, Meanwhile, Reply
from tests.imap.boxes import AGES, PLAIN, at_rest, fill, hung_up, letter, names, reader_of

pytestmark = [pytest.mark.anyio]

RAW = b"Subject: raw\r\n\r\nhello\r\n"


@pytest.fixture
def server() -> Iterator[IMAPServer]:
    with IMAPServer() as server:
        server.create_mailbox("me", "Archive")
        yield server


@pytest.fixture(params=AGES)
def aged(request: pytest.FixtureRequest) -> Iterator[IMAPServer]:
    with IMAPServer(without=AGES[request.param]) as server:
        server.create_mailbox("me", "Archive")
        yield server


def lacks(server: IMAPServer, capability: str) -> bool:
    return capability in server._rules.without


def flags(server: IMAPServer) -> dict[int, set[str]]:
    return {message.uid: set(message.flags) - {"\\Recent"} for message in server.messages("me")}


# Flags


async def test_store(aged: IMAPServer) -> None:
    fill(aged, 4)
    async with reader_of(aged) as reader, reader.mailbox() as box:
        assert await box.store([1, 2], add=["\\Seen", "work"]) == ()
        assert await box.store("2:3", add="\\Flagged", remove=["\\Seen"]) == ()
        assert await box.store(4, replace=["x"]) == ()
        assert flags(aged) == {1: {"\\Seen", "work"}, 2: {"work", "\\Flagged"}, 3: {"\\Flagged"}, 4: {"x"}}
        await box.store("1:*", replace=())
        assert flags(aged) == {1: set(), 2: set(), 3: set(), 4: set()}
        for wrong in ({}, {"add": ["x"], "replace": ["y"]}, {"add": ["a b"]}, {"add": ()}):
            with pytest.raises(ConfigurationError):
                await box.store(1, **wrong)
    assert aged.violations == []


async def test_store_of_what_nobody_has_changed(server: IMAPServer) -> None:
    fill(server, 12)
    async with reader_of(server) as reader, reader.mailbox() as box:
        before = box.highest_modseq
        assert before is not None
        for uid in (3, 7, 8, 9):
            server.set_flags("me", "INBOX", uid, ["theirs"])
        assert await box.store("1:10", add=["ours"], unchanged_since=before) == ("3", "7", "8", "9")
        assert {uid for uid, has in flags(server).items() if "ours" in has} == {1, 2, 4, 5, 6, 10}
        with pytest.raises(ConfigurationError, match="one"):
            await box.store(11, add=["a"], remove=["b"], unchanged_since=before)
        server.set_faults([Hangup("STORE", executed=True, times=1)])
        with pytest.raises(ConnectionError):
            await box.store(11, add=["x"], unchanged_since=before)
        assert names(server).count("UID STORE") == 2, "done again, it would say that somebody else has changed it"
        server.set_faults([Hangup("CONNECT", times=1)])
        assert await box.store(12, add=["x"], unchanged_since=before) == ()
    server.set_without(PLAIN)
    async with reader_of(server) as reader, reader.mailbox() as box:
        with pytest.raises(UnsupportedError):
            await box.store(1, add=["x"], unchanged_since=before)


async def test_store_after_a_lost_reply(server: IMAPServer) -> None:
    fill(server, 2)
    server.set_faults([Hangup("STORE", executed=True, times=1)])
    async with reader_of(server) as reader, reader.mailbox() as box:
        await box.store("1:2", add=["\\Seen"])
    assert flags(server) == {1: {"\\Seen"}, 2: {"\\Seen"}}
    assert names(server).count("UID STORE") == 2


async def test_long_lists(aged: IMAPServer) -> None:
    fill(aged, 50)
    listed = range(1, 60_000, 2)
    kept = {uid for uid in range(1, 51) if uid % 2 == 0}
    async with reader_of(aged) as reader, reader.mailbox() as box:
        await box.store([*listed], add=["odd"])
        assert {uid for uid, has in flags(aged).items() if "odd" in has} == set(range(1, 51, 2))
        copied = await box.copy([*listed], "Archive")
        assert len(aged.messages("me", "Archive")) == 25
        if not lacks(aged, "UIDPLUS"):
            assert [*map(int, copied.uids)] == [*range(1, 51, 2)]
        moved = await box.move([*listed], "Archive")
        assert moved.expunged is not lacks(aged, "UIDPLUS")
        assert len(aged.messages("me", "Archive")) == 50
        left = {uid for uid, has in flags(aged).items() if "\\Deleted" not in has}
        assert left == kept
    assert max(len(command.text) for command in aged.commands) < 8192
    assert "EXPUNGE" not in names(aged)


# Copy, move, delete


async def test_copy(aged: IMAPServer) -> None:
    fill(aged, 3, flags=["\\Seen"])
    async with reader_of(aged) as reader, reader.mailbox() as box:
        copied = await box.copy([1, 3], "Archive")
        assert [message.raw for message in aged.messages("me", "Archive")] == [letter(1), letter(3)]
        if lacks(aged, "UIDPLUS"):
            assert (copied.uid_validity, copied.uids) == (None, {})
        else:
            assert copied.uid_validity == aged.uid_validity("me", "Archive")
            assert copied.uids == {"1": "1", "3": "2"}
        with pytest.raises(PermanentReplyError) as caught:
            await box.copy(1, "nowhere")
        assert caught.value.response_code == "TRYCREATE"
    assert len(aged.messages("me")) == 3


@pytest.mark.parametrize("lacking", [set(), {"MOVE"}, {"UIDPLUS"}, {"MOVE", "UIDPLUS"}])
async def test_move(server: IMAPServer, lacking: set[str]) -> None:
    """Others have marked a message as well: it is none of our business."""
    server.set_without(lacking)
    fill(server, 4)
    server.set_flags("me", "INBOX", 4, ["\\Deleted"])
    async with reader_of(server) as reader, reader.mailbox() as box:
        moved = await box.move([1, 3], "Archive")
        assert [message.raw for message in server.messages("me", "Archive")] == [letter(1), letter(3)]
        assert moved.expunged is (lacking != {"MOVE", "UIDPLUS"})
        if moved.expunged:
            assert flags(server) == {2: set(), 4: {"\\Deleted"}}
        else:
            assert flags(server) == {1: {"\\Deleted"}, 2: set(), 3: {"\\Deleted"}, 4: {"\\Deleted"}}
        assert moved.uids == ({} if "UIDPLUS" in lacking else {"1": "1", "3": "2"})
        with pytest.raises(PermanentReplyError):
            await box.move(2, "nowhere")
        assert flags(server)[2] == set(), "what was not copied stays"
    assert "EXPUNGE" not in names(server)
    assert "CLOSE" not in names(server)


async def test_delete(aged: IMAPServer) -> None:
    fill(aged, 4)
    aged.set_flags("me", "INBOX", 4, ["\\Deleted"])
    async with reader_of(aged) as reader, reader.mailbox() as box:
        deleted = await box.delete([1, 2, 77])
        assert deleted.expunged is not lacks(aged, "UIDPLUS")
        if deleted.expunged:
            assert flags(aged) == {3: set(), 4: {"\\Deleted"}}
        else:
            assert flags(aged) == {1: {"\\Deleted"}, 2: {"\\Deleted"}, 3: set(), 4: {"\\Deleted"}}
    assert "EXPUNGE" not in names(aged)
    assert "CLOSE" not in names(aged)


async def test_expunge_all(aged: IMAPServer) -> None:
    fill(aged, 4)
    aged.set_flags("me", "INBOX", 4, ["\\Deleted"])
    async with reader_of(aged) as reader, reader.mailbox() as box:
        await box.expunge_all()
        assert box.exists == 3
    assert set(flags(aged)) == {1, 2, 3}


@pytest.mark.parametrize("job", ["copy", "move", "expunge_all", "append", "append_many"])
async def test_lost_replies(server: IMAPServer, job: str) -> None:
    fill(server, 2)
    verb = {"expunge_all": "EXPUNGE", "append_many": "APPEND"}.get(job, job.upper())
    server.set_faults([Hangup(verb, executed=True, times=1)])
    async with reader_of(server) as reader:
        async with reader.mailbox() as box:
            calls: dict[str, Any] = {
                "copy": lambda: box.copy(1, "Archive"),
                "move": lambda: box.move(1, "Archive"),
                "expunge_all": lambda: box.expunge_all(),
                "append": lambda: box.append(RAW),
                "append_many": lambda: box.append_many([RAW, RAW]),
            }
            with pytest.raises(OutcomeUnknown):
                await calls[job]()
            assert len(await box.search()) == len(server.messages("me"))
        assert at_rest(reader)
    executed = [name for name in names(server) if name.endswith(verb)]
    assert len(executed) == 1
    assert len(server.messages("me", "Archive")) == (job in ("copy", "move"))


async def test_a_move_without_move_is_lost_between_its_steps(server: IMAPServer) -> None:
    server.set_without({"MOVE"})
    fill(server, 3)
    server.set_faults([Hangup("STORE", executed=True, times=1), Hangup("EXPUNGE", executed=True, times=1)])
    async with reader_of(server) as reader, reader.mailbox() as box:
        assert (await box.move([1, 2], "Archive")).expunged
    assert set(flags(server)) == {3}
    assert len(server.messages("me", "Archive")) == 2
    assert names(server).count("UID COPY") == 1


@pytest.mark.parametrize("job", ["copy", "move", "append", "append_many"])
async def test_not_now(server: IMAPServer, job: str) -> None:
    """A refusal has changed nothing: it is asked again, from the first byte on."""
    fill(server, 2)
    verb = {"append_many": "APPEND"}.get(job, job.upper())
    server.set_faults([Reply(verb, "NO [UNAVAILABLE] Not now.", times=2)])
    async with reader_of(server) as reader, reader.mailbox() as box:
        if job == "copy":
            await box.copy(1, "Archive")
        elif job == "move":
            await box.move(1, "Archive")
        elif job == "append":
            assert await box.append(RAW) == "3"
        else:
            assert await box.append_many([RAW, letter(9)]) == ["3", "4"]
            assert server.messages("me")[-1].raw == letter(9)
        assert reader.stats.opened == 1
    assert server.stats.faults == 2


# Append


async def test_append(aged: IMAPServer, tmp_path: Path) -> None:
    composed = compose(from_="ada@example.test", to="bob@example.test", subject="composed", text="grüße")
    classic = EmailMessage()
    classic["Subject"] = "classic"
    classic.set_content("hello")
    path = tmp_path / "message.eml"
    path.write_bytes(RAW)
    date = dt.datetime(2020, 2, 3, 4, 5, 6, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    async with reader_of(aged) as reader, reader.mailbox() as box:
        uids = [
            await box.append(composed, flags=["\\Seen", "work"], date=date),
            await box.append(classic, flags="\\Flagged"),
            await box.append(RAW),
            await box.append(bytearray(RAW)),
            await box.append(memoryview(RAW)),
            await box.append(path),
        ]
        assert uids == ([None] * 6 if lacks(aged, "UIDPLUS") else ["1", "2", "3", "4", "5", "6"])
        assert (await box.read(1))["Subject"] == "composed"
        await box.refresh()
        assert box.exists == 6
        for wrong in ("text", None, 5, ["x"]):
            with pytest.raises(ConfigurationError):
                await box.append(wrong)  # type: ignore[arg-type]
        with pytest.raises(ConfigurationError):
            await box.append(RAW, date=dt.datetime(2020, 1, 1))  # noqa: DTZ001
    stored = aged.messages("me")
    assert stored[0].date == date
    assert stored[0].flags == {"\\Seen", "work"}
    assert stored[1].flags == {"\\Flagged"}
    assert [message.raw for message in stored[2:]] == [RAW] * 4
    assert b"Subject: classic\r\n" in stored[1].raw
    assert aged.violations == []


async def test_append_many(aged: IMAPServer) -> None:
    letters = [letter(number) for number in range(250)]
    async with reader_of(aged) as reader, reader.mailbox() as box:
        assert await box.append_many([]) == []
        uids = await box.append_many(iter(letters), flags="\\Seen")
        assert uids == ([None] * 250 if lacks(aged, "UIDPLUS") else [str(n) for n in range(1, 251)])
    assert [message.raw for message in aged.messages("me")] == letters
    assert all(message.flags == {"\\Seen"} for message in aged.messages("me"))
    assert names(aged).count("APPEND") == (250 if lacks(aged, "MULTIAPPEND") else 3)
    assert aged.violations == []


async def test_append_nul(server: IMAPServer) -> None:
    async with reader_of(server) as reader, reader.mailbox() as box:
        uid = await box.append(b"Subject: x\r\n\r\n\0\0")
        assert uid is not None
        assert [item.raw async for item in box.read_many(uid)] == [b"Subject: x\r\n\r\n\0\0"]
    server.set_without({"BINARY"})
    async with reader_of(server) as reader, reader.mailbox() as box:
        with pytest.raises(UnsupportedError):
            await box.append(b"Subject: x\r\n\r\n\0\0")
        assert await box.append(RAW) == "2"
        assert reader.stats.opened == 1


async def test_append_large(aged: IMAPServer, tmp_path: Path) -> None:
    path = tmp_path / "large.eml"
    path.write_bytes(b"Subject: large\r\n\r\n" + b"0123456789abcd\r\n" * 200_000)
    async with reader_of(aged) as reader, reader.mailbox() as box:
        await box.append(path)
        assert b"".join([piece async for piece in box.stream(1)]) == path.read_bytes()
    assert aged.violations == []


@pytest.mark.parametrize("change", ["vanishes", "grows", "shrinks", "missing", "directory"])
async def test_append_files_that_change(aged: IMAPServer, tmp_path: Path, change: str) -> None:
    path = tmp_path / "large.eml"
    if change == "directory":
        path.mkdir()
    elif change != "missing":
        path.write_bytes(b"Subject: large\r\n\r\n" + b"x" * 3_000_000)

    def meanwhile() -> None:
        if change == "vanishes":
            path.unlink()
        elif change == "grows":
            with path.open("ab") as file:
                file.write(b"more")
        elif change == "shrinks":
            os.truncate(path, 1_000_000)

    aged.set_without(aged._rules.without | {"LITERAL+"})
    aged.set_faults([Meanwhile("LITERAL", do=meanwhile)])
    async with reader_of(aged) as reader:
        async with reader.mailbox() as box:
            with pytest.raises(LocalFileError) as caught:
                await box.append(path)
            assert caught.value.filename == str(path)
            aged.set_faults()
            await box.append(RAW)
            await box.copy("1:*", "Archive")
        assert at_rest(reader)
    assert [message.raw for message in aged.messages("me")] == [RAW]
    assert len(aged.messages("me", "Archive")) == 1


@pytest.mark.parametrize("how", ["fin", "reset"])
async def test_lost_amid_a_message(server: IMAPServer, how: Any) -> None:
    """Half a message is nothing: it is sent once more, all of it."""
    raw = b"Subject: large\r\n\r\n" + b"x" * 2_000_000
    server.set_faults([CutContent(after=300_000, how=how, argument="INBOX", times=1)])
    async with reader_of(server) as reader, reader.mailbox() as box:
        assert await box.append(raw) == "1"
    assert [message.raw for message in server.messages("me")] == [raw]


async def test_refused(server: IMAPServer) -> None:
    with IMAPServer(append_limit=1000, without={"LITERAL+"}) as small:
        async with reader_of(small) as reader, reader.mailbox() as box:
            with pytest.raises(PermanentReplyError) as caught:
                await box.append(b"Subject: x\r\n\r\n" + b"x" * 2000)
            assert caught.value.response_code == "TOOBIG"
            assert await box.append(RAW) == "1"
            assert reader.stats.opened == 1
    server.set_faults([Reply("APPEND", "NO [OVERQUOTA] Full.")])
    async with reader_of(server) as reader, reader.mailbox() as box:
        with pytest.raises(PermanentReplyError) as caught:
            await box.append_many([RAW, RAW])
        assert caught.value.response_code == "OVERQUOTA"
        assert await box.search() == []


async def test_changes_over_a_connection_that_has_ended_meanwhile(server: IMAPServer) -> None:
    fill(server, 1)
    async with reader_of(server) as reader, reader.mailbox() as box:
        for call in (lambda: box.append(RAW), lambda: box.copy(1, "Archive"), lambda: box.expunge_all()):
            server.sever()
            await hung_up(box)
            await call()
    assert len(server.messages("me")) == 2
    assert len(server.messages("me", "Archive")) == 1
