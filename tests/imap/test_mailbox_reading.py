"""Reading from an open mailbox: search, windows, whole messages, streams; whatever the server does meanwhile."""

from __future__ import annotations

import base64
import datetime as dt
import quopri
import random
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from netclients import (
    UID,
    Bounds,
    ConfigurationError,
    ConnectionLost,
    Mailbox,
    NotFetched,
    PermanentReplyError,
    ProtocolError,
    Q,
    TransientReplyError,
    UnsupportedError,
)
from netclients.testing import IMAPServer
from netclients.testing.imap_faults import CutReply, Hangup, Meanwhile, Reply, Unsolicited
from tests.faults.harness import settles
from tests.imap.boxes import AGES, ONCE, PLAIN, at_rest, fill, letter, names, reader_of

pytestmark = [pytest.mark.anyio]

PIECE = 256 * 1024
RANDOM = random.Random(7)


@pytest.fixture
def server() -> Iterator[IMAPServer]:
    with IMAPServer() as server:
        yield server


@pytest.fixture(params=AGES)
def aged(request: pytest.FixtureRequest) -> Iterator[IMAPServer]:
    with IMAPServer(without=AGES[request.param]) as server:
        yield server


def noise(size: int) -> bytes:
    """Content in which no two places are alike, in lines."""
    lines = b"".join(b"%070d\r\n" % RANDOM.getrandbits(100) for _ in range(size // 72 + 1))
    return lines[: size - 2] + b"\r\n"


def large(number: int, size: int) -> bytes:
    head = b"Subject: large %d\r\n\r\n" % number
    return head + noise(size - len(head))


async def uids_of(box: Mailbox, uids: Any = "1:*", **items: Any) -> list[str]:
    return [message.uid async for message in box.fetch(uids, **(items or {"flags": True}))]


# As in the documentation


async def test_what_is_told_of_a_mailbox(aged: IMAPServer) -> None:
    fill(aged, 3)
    async with reader_of(aged) as reader, reader.mailbox("INBOX", readonly=True) as box:
        assert (box.exists, box.uid_validity, box.uid_next) == (3, aged.uid_validity("me"), 4)
        assert "\\Seen" in box.flags
        assert box.permanent_flags is not None
        if "CONDSTORE" not in aged._rules.without:
            assert box.highest_modseq == max(message.modseq for message in aged.messages("me"))
        else:
            assert box.highest_modseq is None


async def test_search(aged: IMAPServer) -> None:
    then = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    aged.add("me", "INBOX", letter(1), date=then)
    aged.add("me", "INBOX", letter(2), date=then, flags=["\\Seen"])
    aged.add("me", "INBOX", b"From: other@example.test\r\nSubject: K\xc3\xb6nig\r\n\r\n", date=then)
    aged.add("me", "INBOX", letter(4), date=dt.datetime(2020, 3, 1, tzinfo=dt.UTC))
    async with reader_of(aged) as reader, reader.mailbox() as box:
        assert await box.search(unseen=True, from_="boss@", since=dt.date(2026, 1, 1)) == ["1"]
        assert await box.search(Q(seen=True) | ~Q(from_="boss@")) == ["2", "3"]
        assert await box.search("SUBJECT letter NOT SEEN") == ["1", "4"]
        assert await box.search() == ["1", "2", "3", "4"]
        assert await box.search(subject="nothing like that") == []
        assert await box.search(Q(seen=True), "FROM boss") == ["2"]


async def test_sort_and_thread(server: IMAPServer) -> None:
    for size in (300, 100, 200):
        server.add("me", "INBOX", letter(size, b"x" * size))
    server.add("me", "INBOX", b"Subject: Re: letter 100\r\nMessage-ID: <a@x>\r\nReferences: <100@x>\r\n\r\n")
    async with reader_of(server) as reader, reader.mailbox() as box:
        assert await box.sort("size", "FROM boss") == ["2", "3", "1"]
        assert await box.sort(["-size"], from_="boss") == ["1", "3", "2"]
        threads = await box.thread()
        assert [list(thread.walk()) for thread in threads if thread.children] == [[(0, 2), (1, 4)]]
        server.set_without(PLAIN)
    async with reader_of(server) as reader, reader.mailbox() as box:
        with pytest.raises(UnsupportedError):
            await box.sort("size")
        with pytest.raises(UnsupportedError):
            await box.thread()
        assert await box.search("FROM boss") == ["1", "2", "3"]


async def test_fetch(aged: IMAPServer) -> None:
    date = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    aged.add("me", "INBOX", letter(1), flags=["\\Flagged"], date=date)
    async with reader_of(aged) as reader, reader.mailbox("INBOX", readonly=True) as box:
        async for m in box.fetch("1:*", flags=True, size=True, envelope=True, structure=False, body=False):
            assert (m.uid, m.flags - {"\\Recent"}, m.size) == ("1", {"\\Flagged"}, len(letter(1)))
            assert m.envelope.subject == "letter 1"
            assert m.envelope.from_[0].address == "boss@example.test"
            for name in ("internal_date", "structure", "raw", "modseq"):
                with pytest.raises(NotFetched):
                    getattr(m, name)
        [m] = [m async for m in box.fetch(1, internal_date=True, structure=True, headers=["Subject"], body=True)]
        assert m.internal_date == date
        assert (m.structure.content_type, m.structure.part) == ("text/plain", "1")
        assert m.raw == letter(1)
        assert m.section("HEADER.FIELDS (SUBJECT)").strip() == b"Subject: letter 1"
        [m] = [m async for m in box.fetch([1], body="TEXT")]
        assert m.section("TEXT") == b"hello\r\n"
    assert "\\Seen" not in aged.messages("me")[0].flags
    assert aged.violations == []


async def test_read(aged: IMAPServer) -> None:
    fill(aged, 2)
    async with reader_of(aged) as reader, reader.mailbox() as box:
        message = await box.read(UID("1"))
        assert message["Subject"] == "letter 1"
        assert message.get_content().strip() == "hello"
        assert (await box.read(2))["Subject"] == "letter 2"
        with pytest.raises(PermanentReplyError, match="message 3 does not exist"):
            await box.read(3)
        for wrong in ("1:2", "x", "", 0, True, "*"):
            with pytest.raises(ConfigurationError):
                await box.read(UID(wrong))  # type: ignore[arg-type]
    assert all("\\Seen" not in message.flags for message in aged.messages("me"))


async def test_read_many(aged: IMAPServer) -> None:
    fill(aged, 3)
    aged.expunge("me", "INBOX", 2)
    async with reader_of(aged) as reader, reader.mailbox() as box:
        items = [item async for item in box.read_many([3, 2, 1, 77])]
        assert [(item.uid, item.raw, item.error is None) for item in items] == [
            ("1", letter(1), True),
            ("3", letter(3), True),
            ("2", b"", False),
            ("77", b"", False),
        ]
        assert items[0].message["Subject"] == "letter 1"
        with pytest.raises(PermanentReplyError, match="message 77 does not exist"):
            _ = items[-1].message
        assert [item.uid async for item in box.read_many("1:*")] == ["1", "3"]
        assert [item.uid async for item in box.read_many(UID("2"))] == ["2"]
        assert [item.uid async for item in box.read_many(iter([UID("3"), UID("9")]))] == ["3", "9"]


async def test_nothing_was_found(server: IMAPServer) -> None:
    """What a search has found can be passed on, though that is nothing."""
    fill(server, 1)
    async with reader_of(server) as reader, reader.mailbox() as box:
        uids = await box.search(subject="nowhere")
        assert uids == []
        assert await uids_of(box, uids) == []
        assert [item async for item in box.read_many(uids)] == []
        assert await uids_of(box, range(5, 5)) == []
        assert await box.store(uids, add=["\\Seen"]) == ()
        assert (await box.copy(uids, "nowhere")).uids == {}
        assert (await box.move(uids, "nowhere")).expunged
        assert (await box.delete(uids)).expunged
    assert names(server) == ["SELECT", "UID SEARCH"]


# Windows


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 128, 129, 300])
async def test_windows_of_bodies(aged: IMAPServer, count: int) -> None:
    fill(aged, count)
    async with reader_of(aged) as reader, reader.mailbox() as box:
        found = [(m.uid, m.raw) async for m in box.fetch("1:*", body=True)]
    assert found == [(str(n), letter(n)) for n in range(1, count + 1)]
    fetched = names(aged, "UID FETCH")
    assert len(fetched) == max(1, -(-count // 64))
    assert aged.violations == []


@pytest.mark.parametrize(
    ("items", "windows"), [({"flags": True}, 3), ({"envelope": True}, 11), ({"headers": ["To"]}, 33)]
)
async def test_windows_by_what_is_asked_for(server: IMAPServer, items: dict[str, Any], windows: int) -> None:
    fill(server, 2100)
    async with reader_of(server) as reader, reader.mailbox() as box:
        assert await uids_of(box, **items) == [str(n) for n in range(1, 2101)]
    assert len(names(server, "UID FETCH")) == windows


async def test_the_next_window_is_asked_for_ahead(server: IMAPServer) -> None:
    fill(server, 200)
    async with reader_of(server) as reader, reader.mailbox() as box:
        messages = box.fetch("1:*", body=True)
        for _ in range(64):
            await anext(messages)
        assert await settles(lambda: len(names(server, "UID FETCH")) == 2)
        await anext(messages)
        assert await settles(lambda: len(names(server, "UID FETCH")) == 3)
        assert len([m async for m in messages]) == 135


async def test_huge_sparse_uids(aged: IMAPServer) -> None:
    for uid in (4_000_000_000, 7, 70_000):
        aged._call(lambda uid=uid: setattr(aged._mailbox("me", "INBOX"), "uid_next", max(uid, 1)))
    fill(aged, 1)
    first = aged.messages("me")[0].uid
    async with reader_of(aged) as reader, reader.mailbox() as box:
        assert await uids_of(box) == [str(first)]
        assert await uids_of(box, f"{first}:4294967295") == [str(first)]
        assert await uids_of(box, 2**32 - 1) == []
        with pytest.raises(ConfigurationError):
            box.fetch(2**32)


SETS: list[tuple[Any, Iterable[int]]] = [
    ("1:*", range(1, 1201)),
    ("*", [1200]),
    ("*:1", range(1, 1201)),
    ("1190:*", range(1190, 1201)),
    ("5000:*", [1200]),  # RFC 9051 section 9: * is one end, whatever the other is
    ("5,7:9", [5, 7, 8, 9]),
    ("9:7,5,8", [5, 7, 8, 9]),
    (5, [5]),
    (UID("5"), [5]),
    ([9, 8, 7, 5], [5, 7, 8, 9]),
    ([UID("9"), UID("5")], [5, 9]),
    ({3, 1200}, [3, 1200]),
    (range(1150, 1300), range(1150, 1201)),
    (slice(1198, None), [1198, 1199, 1200]),
    (range(1, 20_000, 2), range(1, 1201, 2)),
    ([*range(1, 20_000, 2)], range(1, 1201, 2)),
    (5000, []),
]


async def test_sets(aged: IMAPServer) -> None:
    fill(aged, 1200)
    async with reader_of(aged) as reader, reader.mailbox() as box:
        for asked, found in SETS:
            wanted = [str(uid) for uid in found]
            assert await uids_of(box, asked) == wanted
            assert [item.uid async for item in box.read_many(asked) if item.error is None] == wanted
    assert max(len(command.text) for command in aged.commands) < 8192


@pytest.mark.parametrize("count", [10, 1200])
async def test_a_list_of_ten_thousand_in_a_mailbox_of_few(server: IMAPServer, count: int) -> None:
    fill(server, count)
    async with reader_of(server) as reader, reader.mailbox() as box:
        listed = [UID(str(n)) for n in range(1, 60_000, 6)]
        assert await uids_of(box, listed) == [str(n) for n in range(1, count + 1, 6)]
        items = [item async for item in box.read_many(listed)]
        assert len(items) == 10_000
        assert len([item for item in items if item.error is None]) == len(range(1, count + 1, 6))
    assert max(len(command.text) for command in server.commands) < 8192


async def test_changed_since(server: IMAPServer) -> None:
    fill(server, 1500)
    async with reader_of(server) as reader, reader.mailbox() as box:
        before = box.highest_modseq
        assert before is not None
        server.set_flags("me", "INBOX", 1400, ["\\Seen"])
        found = [(m.uid, m.modseq > before) async for m in box.fetch(changed_since=before, flags=True)]
        assert found == [("1400", True)]


@pytest.mark.parametrize("answer", ['* ESEARCH (TAG "{tag}") UID ALL 1:4294967295', "* SEARCH 1 2"])
async def test_a_server_that_finds_more_than_there_can_be(server: IMAPServer, answer: str) -> None:
    fill(server, 100)
    server.set_faults([Reply("SEARCH", f"{answer}\r\n{{tag}} OK done")])
    async with reader_of(server, retry=ONCE) as reader, reader.mailbox() as box:
        if "ESEARCH" in answer:
            with pytest.raises(ProtocolError):
                await uids_of(box, body=True)
            with pytest.raises(ProtocolError):
                await box.search()
        else:
            assert await uids_of(box, body=True) == ["1", "2"]


# Commands in the middle, and streams that are left


async def test_commands_in_the_middle_of_a_loop(aged: IMAPServer) -> None:
    fill(aged, 200)
    aged.create_mailbox("me", "Done")
    seen = []
    async with reader_of(aged, 2) as reader, reader.mailbox() as box:
        async for m in box.fetch("1:*", flags=True, body=True):
            seen.append(m.uid)
            number = int(m.uid)
            if number % 50 == 1:
                await box.store(m.uid, add=["\\Seen"])
                assert (await box.read(min(200, number + 100)))["Subject"] == f"letter {min(200, number + 100)}"
                assert await box.search(uid=m.uid) == [m.uid]
            if number == 10:
                await box.copy([m.uid], "Done")
            if number == 20:
                await box.delete(["150"])  # type: ignore[list-item]
            if number == 30:
                await box.append(letter(201))
            if number == 40:
                inner = [each.uid async for each in box.fetch("41:100", flags=True)]
                assert inner == [str(n) for n in range(41, 101)]
            if number == 50:
                async for _ in reader.list_mailboxes():
                    break
            assert m.raw == letter(number)
    gone = {"150"} if "UIDPLUS" not in aged._rules.without else set()
    assert set(seen) == {str(n) for n in range(1, 201)} - gone
    assert len(seen) == len(set(seen))
    assert [m.uid for m in aged.messages("me") if "\\Seen" in m.flags] == [1, 51, 101, 151]
    assert len(aged.messages("me", "Done")) == 1
    assert aged.violations == []


@pytest.mark.parametrize("how", ["break", "block", "drop", "exception"])
@pytest.mark.parametrize("job", ["fetch", "bodies", "read_many", "raw", "part"])
async def test_streams_that_are_left(server: IMAPServer, job: str, how: str) -> None:
    fill(server, 300)
    big = server.add("me", "INBOX", large(1, 9 * PIECE))

    def start(box: Mailbox) -> Any:
        return {
            "fetch": lambda: box.fetch("1:*", envelope=True),
            "bodies": lambda: box.fetch("1:*", body=True),
            "read_many": lambda: box.read_many("1:*"),
            "raw": lambda: box.stream(big),
            "part": lambda: box.stream(big, "1"),
        }[job]()

    async with reader_of(server, 1) as reader:
        async with reader.mailbox() as box:
            for _ in range(2):
                if how == "break":
                    async for _ in start(box):
                        break
                elif how == "block":
                    async with start(box) as items:
                        await anext(items)
                    assert [item async for item in items] == []
                elif how == "drop":
                    items = start(box)
                    await anext(items)
                    del items
                else:
                    with pytest.raises(ZeroDivisionError):
                        await _divide(start(box))
                assert (await box.read(5))["Subject"] == "letter 5"
            async for _ in start(box):
                break
        assert at_rest(reader)
        async with reader.mailbox() as box:
            assert (await box.read(6))["Subject"] == "letter 6"
        assert at_rest(reader)


async def _divide(items: Any) -> None:
    async with items:
        async for _ in items:
            _ = 1 / 0


# Large bodies


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 5 * PIECE + 17])
async def test_bodies_larger_than_a_piece(aged: IMAPServer, size: int) -> None:
    raw = large(1, size)
    assert len(raw) == size
    uid = aged.add("me", "INBOX", raw)
    small = aged.add("me", "INBOX", letter(2))
    async with reader_of(aged) as reader, reader.mailbox() as box:
        assert [m.raw async for m in box.fetch(body=True)] == [raw, letter(2)]
        assert [item.raw async for item in box.read_many([uid, small])] == [raw, letter(2)]
        assert b"".join([piece async for piece in box.stream(uid)]) == raw
        assert (await box.read(uid))["Subject"] == "large 1"


async def test_bodies_larger_than_may_be_kept(server: IMAPServer) -> None:
    for limit in (1000, 2 * PIECE):
        server.add("me", "INBOX", large(1, limit))
        server.add("me", "INBOX", large(2, limit + 1))
        server.add("me", "INBOX", letter(3))
        async with reader_of(server, bounds=Bounds(read=limit)) as reader, reader.mailbox() as box:
            last = box.uid_next - 1 if box.uid_next else 0
            found = [(len(item.raw), item.error) async for item in box.read_many(range(last - 2, last + 1))]
            assert [size for size, _ in found] == [limit, 0, len(letter(3))]
            assert isinstance(found[1][1], ProtocolError)
            errors = [m.error async for m in box.fetch(range(last - 2, last + 1), body=True)]
            assert [type(error) for error in errors] == [type(None), ProtocolError, type(None)]
            with pytest.raises(ProtocolError, match="stream"):
                await box.read(last - 1)
            assert sum([len(piece) async for piece in box.stream(last - 1)]) == limit + 1
            assert (await box.read(last))["Subject"] == "letter 3"
        assert server.stats.connections_open <= 1


async def test_a_message_that_vanishes_under_the_reader(server: IMAPServer) -> None:
    """That is an error, not the end of the message."""
    uid = server.add("me", "INBOX", large(1, 30 * PIECE))
    async with reader_of(server) as reader, reader.mailbox() as box:
        pieces = box.stream(uid)
        assert len(await anext(pieces)) == PIECE
        server.expunge("me", "INBOX", uid)
        await box.refresh()
        with pytest.raises(PermanentReplyError, match="does not exist"):
            [piece async for piece in pieces]
        assert await box.search() == []


# Parts


def multipart(encoding: str, body: bytes, kind: str = "application/octet-stream") -> bytes:
    return (
        b"Subject: parts\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: text/plain\r\n\r\nhello\r\n"
        b"--b\r\nContent-Type: %b\r\nContent-Transfer-Encoding: %b\r\n"
        b"Content-Disposition: attachment; filename=x\r\n\r\n%b\r\n--b--\r\n"
    ) % (kind.encode(), encoding.encode(), body)


@pytest.mark.parametrize("size", [0, 1, 100, 3 * PIECE])
@pytest.mark.parametrize("encoding", ["base64", "BASE64", "quoted-printable", "8bit", "binary", "x-unknown"])
async def test_parts(server: IMAPServer, encoding: str, size: int) -> None:
    content = noise(max(size, 2))[:size] if encoding != "base64" else RANDOM.randbytes(size)
    if encoding.lower() == "base64":
        body = base64.encodebytes(content).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        body = quopri.encodestring(content.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    else:
        body = content
    uid = server.add("me", "INBOX", multipart(encoding, body))
    async with reader_of(server) as reader, reader.mailbox() as box:
        async with box.stream(uid, part="2") as chunks:
            assert b"".join([chunk async for chunk in chunks]) == content
        assert b"".join([chunk async for chunk in box.stream(uid, "1")]) == b"hello"
        for part in ("3", "1.2"):
            with pytest.raises(PermanentReplyError, match=f"part {part} of message 1 does not exist"):
                await anext(box.stream(uid, part))
        for part in ("x y", "1]"):
            with pytest.raises(ConfigurationError):
                box.stream(uid, part)
        with pytest.raises(PermanentReplyError, match="message 99 does not exist"):
            await anext(box.stream(99, "1"))
        with pytest.raises(PermanentReplyError, match="message 99 does not exist"):
            await anext(box.stream(99))
        assert at_rest(reader) is False
    assert at_rest(reader)


async def test_the_text_of_a_message_without_parts(server: IMAPServer) -> None:
    encoded = base64.encodebytes(b"hello").replace(b"\n", b"\r\n")
    uid = server.add("me", "INBOX", b"Content-Transfer-Encoding: base64\r\n\r\n" + encoded)
    empty = server.add("me", "INBOX", b"Subject: nothing\r\n\r\n")
    async with reader_of(server) as reader, reader.mailbox() as box:
        assert b"".join([chunk async for chunk in box.stream(uid, "1")]) == b"hello"
        assert [chunk async for chunk in box.stream(empty, "1")] == []


# Connections that are lost


@pytest.mark.parametrize("how", ["fin", "reset"])
@pytest.mark.parametrize("reply", [0, 1, 30, -1])
async def test_lost_amid_a_window(server: IMAPServer, reply: int, how: Any) -> None:
    fill(server, 200)
    for job in ("fetch", "read_many"):
        server.set_faults([CutReply("FETCH", reply=reply, after=9, how=how, skip=1, times=2)])
        async with reader_of(server, 1) as reader, reader.mailbox() as box:
            if job == "fetch":
                found = [(m.uid, m.raw) async for m in box.fetch(body=True)]
            else:
                found = [(item.uid, item.raw) async for item in box.read_many("1:*")]
        assert found == [(str(n), letter(n)) for n in range(1, 201)]
        assert server.stats.faults == 2
        assert at_rest(reader)


async def test_lost_again_and_again(server: IMAPServer) -> None:
    fill(server, 300)
    async with reader_of(server, 1) as reader, reader.mailbox() as box:
        found = []
        async for m in box.fetch("1:*", body=True):
            found.append(m.uid)
            if int(m.uid) % 25 == 0:
                server.sever()
    assert found == [str(n) for n in range(1, 301)]


@pytest.mark.parametrize("part", [None, "1"])
async def test_lost_amid_a_stream(server: IMAPServer, part: str | None) -> None:
    raw = large(1, 20 * PIECE + 5)
    uid = server.add("me", "INBOX", raw)
    async with reader_of(server, 1) as reader, reader.mailbox() as box:
        got = b""
        async for piece in box.stream(uid, part):
            got += piece
            if len(got) // PIECE % 4 == 1:
                server.sever()
    assert got == (raw if part is None else raw.partition(b"\r\n\r\n")[2])
    assert at_rest(reader)


async def test_lost_for_good(server: IMAPServer) -> None:
    """Network errors end a loop: they are not one message's affair."""
    for number in range(3):
        server.add("me", "INBOX", large(number, 3 * PIECE))
    async with reader_of(server, 1) as reader, reader.mailbox() as box:
        items = box.read_many("1:*")
        assert (await anext(items)).error is None
        server.set_faults([Hangup("FETCH")])
        with pytest.raises(ConnectionLost):
            await anext(items)
        server.set_faults()
        assert await box.search() == ["1", "2", "3"]
    assert at_rest(reader)


# Refusals


@pytest.mark.parametrize("times", [1, 3])
async def test_not_now(server: IMAPServer, times: int) -> None:
    raw = large(1, 9 * PIECE)
    fill(server, 70)
    uid = server.add("me", "INBOX", raw)
    async with reader_of(server) as reader, reader.mailbox() as box:
        for skip in (0, 1, 2):
            server.set_faults([Reply("FETCH", "NO [UNAVAILABLE] Not now.", times=times, skip=skip)])
            assert len([m async for m in box.fetch(body=True)]) == 71
            server.set_faults([Reply("FETCH", "NO [INUSE] Not now.", times=times, skip=skip)])
            assert b"".join([piece async for piece in box.stream(uid)]) == raw
            server.set_faults([Reply("SEARCH", "NO [LIMIT] Not now.", times=times)])
            assert len(await box.search()) == 71
        server.set_faults([Reply("SEARCH", "NO [LIMIT] Not now.")])
        with pytest.raises(TransientReplyError):
            await box.search()
        assert reader.stats.opened == 1, "a refusal is no reason to connect again"


@pytest.mark.parametrize("bad", [1, 64, 65, 130])
async def test_one_bad_message_does_not_take_the_window_with_it(server: IMAPServer, bad: int) -> None:
    fill(server, 130)
    windows = ["1:64", "65:128", "129:130"]
    window = next(w for w in windows if int(w.split(":")[0]) <= bad <= int(w.split(":")[1]))
    server.set_faults([
        Reply("FETCH", "NO [SERVERBUG] Can't read it.", argument=f"UID {window} *"),
        Reply("FETCH", "NO [SERVERBUG] Can't read it.", argument=f"UID {bad} *"),
    ])  # fmt: skip
    async with reader_of(server) as reader, reader.mailbox() as box:
        for _ in range(2):
            found = [m async for m in box.fetch("1:*", body=True)]
            assert [m.uid for m in found] == [str(n) for n in range(1, 131)]
            for m in found:
                if m.uid == str(bad):
                    assert isinstance(m.error, PermanentReplyError)
                    with pytest.raises(NotFetched, match="SERVERBUG"):
                        _ = m.raw
                else:
                    assert m.raw == letter(int(m.uid))
        items = {item.uid: item async for item in box.read_many(range(1, 131))}
        assert len(items) == 130
        assert [uid for uid, item in items.items() if item.error is not None] == [str(bad)]
        [alone] = [item async for item in box.read_many([bad])]
        assert isinstance(alone.error, PermanentReplyError)
        with pytest.raises(PermanentReplyError, match="SERVERBUG"):
            await box.read(bad)
        assert reader.stats.opened == 1


async def test_a_refused_window_and_a_lost_connection(server: IMAPServer) -> None:
    fill(server, 60)
    server.set_faults([
        Reply("FETCH", "NO Can't read it.", argument="UID 1:[*]*"),
        Hangup("FETCH", argument="UID 30 *", times=1),
        Reply("FETCH", "NO [UNAVAILABLE] Not now.", argument="UID 40 *", times=1),
        Reply("FETCH", "NO Can't read it.", argument="UID 50 *"),
    ])  # fmt: skip
    async with reader_of(server) as reader, reader.mailbox() as box:
        found = [(m.uid, m.error is None) async for m in box.fetch("1:*", body=True)]
    assert found == [(str(n), n != 50) for n in range(1, 61)]


async def test_a_window_with_messages_that_are_gone(server: IMAPServer) -> None:
    """EXPUNGEISSUED (RFC 5530): what is there comes all the same."""
    fill(server, 10)
    server.set_faults([Reply("FETCH", "NO [EXPUNGEISSUED] Some are gone.", argument="UID 1:[*]*")])
    async with reader_of(server) as reader, reader.mailbox() as box:
        server.expunge("me", "INBOX", 4)
        assert await uids_of(box) == [str(n) for n in range(1, 11) if n != 4]


async def test_a_command_that_the_server_does_not_understand(server: IMAPServer) -> None:
    """BAD is no message's affair."""
    fill(server, 10)
    async with reader_of(server) as reader, reader.mailbox() as box:
        server.set_faults([Reply("FETCH", "BAD What?")])
        with pytest.raises(PermanentReplyError):
            await uids_of(box)
    assert len(names(server, "UID FETCH")) == 1


# What the server says unasked, and nonsense


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "* 9 EXISTS",
        "* 1 EXPUNGE",
        "* 9 EXISTS\r\n* 3 EXPUNGE\r\n* 0 RECENT",
        "* 2 FETCH (FLAGS (\\Seen))",
        "* 2 FETCH (FLAGS (\\Seen) UID 2)",
        "* 2 FETCH (UID 2 FLAGS (\\Seen) MODSEQ (99))",
        "* OK [ALERT] Water is coming in.",
        "* FLAGS (\\Seen x)",
        "* VANISHED 77",
        "* XYZZY something",
        "* STATUS other (MESSAGES 3)",
        "* LIST () NIL x",
    ],
)
async def test_unasked(server: IMAPServer, text: str, late: bool) -> None:
    fill(server, 5)
    server.set_faults([Unsolicited("*", text, late=late, skip=3)])
    async with reader_of(server, retry=ONCE) as reader, reader.mailbox() as box:
        for _ in range(3):
            assert await box.search() == ["1", "2", "3", "4", "5"]
            assert [m.uid async for m in box.fetch(envelope=True)] == ["1", "2", "3", "4", "5"]
            assert [m.uid async for m in box.fetch(flags=True)] == ["1", "2", "3", "4", "5"]
            assert [(m.uid, m.raw) async for m in box.fetch(body=True)] == [(str(n), letter(n)) for n in range(1, 6)]
            assert (await box.read(2))["Subject"] == "letter 2"
            assert [item.uid async for item in box.read_many([2, 3])] == ["2", "3"]
            await box.store("2", add=["x"])
            await box.refresh()
        assert reader.stats.opened == 1


async def test_others_are_at_work(server: IMAPServer) -> None:
    """Messages come, go and change with each command: those that stay are told once, in order."""
    fill(server, 300)

    def meanwhile() -> None:
        here = [message.uid for message in server.messages("me")]
        server.add("me", "INBOX", letter(0))
        spare = [uid for uid in here if uid % 3 == 0 and uid <= 300]
        if spare:
            server.expunge("me", "INBOX", RANDOM.choice(spare))
        server.set_flags("me", "INBOX", 1, ["\\Seen" if RANDOM.random() < 0.5 else "\\Flagged"])

    server.set_faults([Meanwhile("FETCH", do=meanwhile), Meanwhile("NOOP", do=meanwhile)])
    async with reader_of(server) as reader, reader.mailbox() as box:
        for items in ({"body": True}, {"flags": True}):
            found = []
            async for m in box.fetch("1:300", **items):  # type: ignore[arg-type]
                found.append(int(m.uid))
                if len(found) % 40 == 0:
                    await box.refresh()
            assert found == sorted(set(found))
            assert {uid for uid in range(1, 301) if uid % 3} <= set(found)
        await box.refresh()
        assert box.exists == len(server.messages("me"))
    assert server.violations == []


@pytest.mark.parametrize(
    "broken",
    [
        "* 2 FETCH (UID 2 FLAGS (\\Seen) ENVELOPE (broken",
        "* 2 FETCH (UID 2 FLAGS ENVELOPE NIL)",
        "* 2 FETCH (UID 2 ENVELOPE (1 2 3) FLAGS ())",
        "* 2 FETCH (ENVELOPE",
        "* 2 FETCH",
    ],
)
async def test_malformed(server: IMAPServer, broken: str) -> None:
    fill(server, 1)
    good = '* {0} FETCH (UID {0} FLAGS () ENVELOPE (NIL "s" NIL NIL NIL NIL NIL NIL NIL NIL))'
    server.set_faults([Reply("FETCH", "\r\n".join([good.format(1), broken, good.format(3), "{tag} OK done"]))])
    async with reader_of(server, retry=ONCE) as reader, reader.mailbox() as box:
        subjects, wrong = [], []
        async for m in box.fetch("1:3", flags=True, envelope=True):
            try:
                subjects.append((m.uid, m.flags, m.envelope.subject))
            except (ProtocolError, NotFetched) as error:
                wrong.append(error)
        assert subjects == [("1", frozenset(), "s"), ("3", frozenset(), "s")]
        assert len(wrong) == 1 or broken.endswith("FETCH")


async def test_a_malformed_body_is_one_items_error(server: IMAPServer) -> None:
    fill(server, 3)
    lines = [
        "* 1 FETCH (UID 1 BODY[]<0> \"one\")",
        "* 2 FETCH (UID 2 BODY[]<0> (x y))",
        "* 3 FETCH (UID 3 BODY[]<0> \"three\")",
        "{tag} OK done",
    ]  # fmt: skip
    server.set_faults([Reply("FETCH", "\r\n".join(lines))])
    async with reader_of(server, retry=ONCE) as reader, reader.mailbox() as box:
        items = {item.uid: item async for item in box.read_many([1, 2, 3])}
    assert {uid: item.raw for uid, item in items.items()} == {"1": b"one", "2": b"", "3": b"three"}
    assert isinstance(items[UID("2")].error, ProtocolError)
