"""A mail reader on Dovecot and Cyrus: the same jobs end to end, many messages, and very large ones."""

from __future__ import annotations

import base64
import datetime as dt
import subprocess
import sys
import textwrap
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import anyio
import pytest

from netclients import (
    ConfigurationError,
    MailReader,
    PermanentReplyError,
    PoolLimits,
    Q,
    RetryPolicy,
    UIDValidityChanged,
)
from netclients.testing import FaultProxy
from tests.servers import MailServer

pytestmark = [pytest.mark.anyio]

AGAIN = RetryPolicy(attempts=4, initial=0.05, maximum=0.2)
PIECE = 256 * 1024


def letter(number: int, size: int = 0) -> bytes:
    head = b"From: boss@example.test\r\nSubject: letter %d\r\nMessage-ID: <%d@x>\r\n\r\n" % (number, number)
    lines = b"".join(b"%08d %08d\r\n" % (number, line) for line in range(max(1, size // 19)))
    return head + lines


def reader_of(server: MailServer, connections: int = 4, **options: Any) -> MailReader:
    return MailReader(
        server.url("imaps", user="alice"),
        ssl_context=server.ssl_context(),
        limits=PoolLimits(max_connections=connections),
        retry=AGAIN,
        **options,
    )


async def test_from_one_end_to_the_other(real_imap: MailServer, tmp_path: Path) -> None:
    real_imap.seed("alice", "INBOX", [letter(number) for number in range(1, 6)])
    message = EmailMessage()
    message["Subject"] = "grüße"
    message["From"] = "ada@example.test"
    message.set_content("hello\n")
    message.add_attachment(bytes(range(256)) * 3000, maintype="application", subtype="x", filename="../日本.bin")
    async with reader_of(real_imap) as reader:
        await reader.create_mailbox("A b")
        await reader.rename_mailbox("A b", "日本 & mehr")
        assert "日本 & mehr" in [info.name async for info in reader.list_mailboxes("*", status=["MESSAGES"])]
        await reader.subscribe("日本 & mehr")
        assert "日本 & mehr" in [info.name async for info in reader.list_mailboxes(subscribed=True)]
        async with reader.mailbox("INBOX") as box:
            assert box.exists == 5
            uids = await box.search(unseen=True, from_="boss@", since=dt.date(2020, 1, 1))
            assert len(uids) == 5
            assert await box.search(Q(subject="letter 2") | Q(subject="letter 4")) == [uids[1], uids[3]]
            found = [m async for m in box.fetch("1:*", flags=True, size=True, envelope=True, structure=True)]
            assert [m.envelope.subject for m in found] == [f"letter {n}" for n in range(1, 6)]
            assert [m.size for m in found] == [len(letter(n)) for n in range(1, 6)]
            assert (await box.read(uids[0]))["Subject"] == "letter 1"
            items = [
                item async for item in box.read_many([*uids, "2000000000"])
            ]  # Cyrus finds nothing at all beside 4000000000
            assert [item.raw for item in items] == [*(letter(n) for n in range(1, 6)), b""]
            assert isinstance(items[-1].error, PermanentReplyError)
            await box.store(uids[:2], add=["\\Seen"], remove=["\\Flagged"])
            assert await box.search(seen=True) == uids[:2]
            copied = await box.copy(uids[:2], "日本 & mehr")
            assert [*copied.uids] == uids[:2]
            moved = await box.move(uids[2], "日本 & mehr")
            assert moved.expunged
            assert [*moved.uids] == [uids[2]]
            assert (await box.delete(uids[3])).expunged
            assert await box.search() == [uids[0], uids[1], uids[4]]
            uid = await box.append(message, flags=["\\Seen"])
            assert uid is not None
            [saved] = await box.save_attachments(uid, tmp_path)
            assert (saved.name, saved.read_bytes()) == ("日本.bin", bytes(range(256)) * 3000)
            assert b"".join([piece async for piece in box.stream(uid, "2")]) == bytes(range(256)) * 3000
            assert await box.sort("-arrival") != []
            assert await box.thread() != ()
            many = await box.append_many([letter(7), letter(8)])
            assert [item.raw async for item in box.read_many([uid for uid in many if uid])] == [letter(7), letter(8)]
        async with reader.mailbox("日本 & mehr", readonly=True) as box:
            assert box.exists == 3
            assert len([m.raw async for m in box.fetch(body=True)]) == 3
            with pytest.raises(ConfigurationError):
                await box.store("1:*", add=["\\Seen"])
        assert (await reader.namespaces()).personal
        assert (reader.stats.in_use, reader.stats.connecting) == (0, 0)


async def test_a_mailbox_made_anew(real_imap: MailServer) -> None:
    """A connection that has the old one open is no way into the new one."""
    async with reader_of(real_imap, 2) as reader:
        for count in range(3):
            await reader.create_mailbox("A")
            async with reader.mailbox("A") as box:
                assert box.exists == 0
                await box.append_many([letter(1)] * (count + 1))
            async with reader.mailbox("A") as box:
                assert box.exists == count + 1
            await reader.rename_mailbox("A", "B")
            await reader.create_mailbox("A")
            async with reader.mailbox("A") as box, reader.mailbox("B") as other:
                assert (box.exists, other.exists) == (0, count + 1)
            await reader.delete_mailbox("A")
            await reader.delete_mailbox("B")


async def test_somebody_else_makes_it_anew(real_imap: MailServer) -> None:
    async with reader_of(real_imap, 1) as reader, reader_of(real_imap, 1) as other:
        await reader.create_mailbox("A")
        async with reader.mailbox("A") as box:
            await box.append(letter(1))
        async with reader.mailbox("A") as box:
            before = box.uid_validity
            await other.delete_mailbox("A")
            await anyio.sleep(1.1)  # UIDVALIDITY of Dovecot and Cyrus is a time in seconds
            await other.create_mailbox("A")
            async with other.mailbox("A") as new:
                await new.append_many([letter(7), letter(8)])
            with pytest.raises((UIDValidityChanged, PermanentReplyError)):  # Dovecot: an internal error, and no BYE
                await box.delete("1:*")
        async with reader.mailbox("A") as box:
            assert box.exists == 2
            assert box.uid_validity != before
            assert [item.raw async for item in box.read_many("1:*")] == [letter(7), letter(8)]


async def test_affinity(real_imap: MailServer) -> None:
    real_imap.seed("alice", "INBOX", [letter(1)])
    async with reader_of(real_imap) as reader:
        for number in range(1, 6):
            async with reader.mailbox() as box:
                assert box.exists == number
                await box.append(letter(number))
        assert reader.stats.opened == 1


async def test_loops_with_commands_in_them(real_imap: MailServer) -> None:
    """Of messages that the next window is about as well: whose answer is whose?"""
    real_imap.seed("alice", "INBOX", [letter(number) for number in range(1, 401)])
    async with reader_of(real_imap, 2) as reader, reader.mailbox() as box:
        uids = await box.search()
        for items in ({"flags": True, "headers": ["Subject"]}, {"body": True}, {"envelope": True}):
            seen = []
            async for m in box.fetch("1:*", **items):  # type: ignore[arg-type]
                seen.append(m.uid)
                number = len(seen)
                if number % 60 == 1:
                    for ahead in (1, 30, 64, 65, 100, 200):
                        if number + ahead <= 400:
                            uid = uids[number + ahead - 1]
                            assert (await box.read(uid))["Subject"] == f"letter {number + ahead}"
                            [one] = [each async for each in box.fetch(uid, flags=True, envelope=True)]
                            assert one.envelope.subject == f"letter {number + ahead}"
                            await box.store(uid, add=["\\Seen"])
                    assert len(await box.search()) == 400
            assert seen == uids
        assert reader.stats.opened == 1


async def test_two_mailboxes_at_once(real_imap: MailServer) -> None:
    async def work(reader: MailReader, name: str, count: int) -> None:
        for _ in range(5):
            async with reader.mailbox(name) as box:
                found = [(await box.read(m.uid))["Subject"] async for m in box.fetch(flags=True)]
            assert found == [f"letter {count}"] * count

    real_imap.seed("alice", "A", [letter(3)] * 3)
    real_imap.seed("alice", "B", [letter(70)] * 70)
    for connections in (1, 2, 4):
        async with reader_of(real_imap, connections) as reader, anyio.create_task_group() as group:
            group.start_soon(work, reader, "A", 3)
            group.start_soon(work, reader, "B", 70)


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE + 19])
async def test_bodies_larger_than_a_piece(real_imap: MailServer, size: int) -> None:
    head = b"Subject: x\r\n\r\n"
    raw = (head + b"".join(b"%017d\r\n" % line for line in range(size // 19 + 1)))[: size - 2] + b"\r\n"
    raw = raw.replace(b"\r\r\n", b"x\r\n")
    async with reader_of(real_imap, 1) as reader, reader.mailbox() as box:
        uid = await box.append(raw)
        assert uid is not None
        assert b"".join([piece async for piece in box.stream(uid)]) == raw
        assert [m.raw async for m in box.fetch(uid, body=True)] == [raw]
        encoded = base64.encodebytes(raw).replace(b"\n", b"\r\n")
        coded = await box.append(b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encoded)
        assert coded is not None
        assert b"".join([piece async for piece in box.stream(coded, "1")]) == raw


@pytest.mark.parametrize("after", [3_000, 40_000, 200_000])
async def test_lost_amid_everything(real_imap: MailServer, after: int) -> None:
    real_imap.seed("alice", "INBOX", [letter(number, 1000) for number in range(1, 201)])
    raws = [letter(number, 1000) for number in range(1, 201)]
    with FaultProxy((real_imap.host, real_imap.ports["imap"])) as proxy:
        url = f"imap://alice:alicepw@{proxy.host}:{proxy.port}?tls=none"
        async with (
            MailReader(url, retry=AGAIN, limits=PoolLimits(max_connections=1)) as reader,
            reader.mailbox() as box,
        ):
            found = []
            got = 0
            async for m in box.fetch(body=True):
                found.append(m.raw)
                got += len(m.raw)
                if got > after:
                    got = 0
                    proxy.sever()
            assert found == raws
            proxy.sever()
            items = [item.raw async for item in box.read_many("1:*")]
            assert items == raws
        assert (reader.stats.in_use, reader.stats.connecting) == (0, 0)


async def test_five_thousand_bodies(real_imap: MailServer) -> None:
    raws = [letter(number, 2000) for number in range(1, 5001)]
    real_imap.seed("alice", "INBOX", raws)
    async with reader_of(real_imap) as reader, reader.mailbox() as box:
        number = 0
        async for item in box.read_many("1:*"):
            assert item.raw == raws[number]
            number += 1
        assert number == 5000


MEASURE = """\
    import asyncio, os, ssl, sys
    from netclients import MailReader

    def rss() -> int:
        return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def peak() -> int:
        # Not ru_maxrss: that has the peak of the process that forked this one, too.
        [line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024

    async def main() -> None:
        async with MailReader(sys.argv[1], ssl_context=ssl.create_default_context(cafile=sys.argv[2])) as reader:
            async with reader.mailbox() as box:
                {body}

    asyncio.run(main())
"""


def measured(server: MailServer, body: str) -> str:
    program = textwrap.dedent(MEASURE).replace("{body}", textwrap.indent(textwrap.dedent(body), " " * 12).strip())
    done = subprocess.run(
        [sys.executable, "-c", program, server.url("imaps", user="alice"), str(server.ca_file)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# A process of its own is measured: the loop of this one does not matter.
def test_the_flags_of_a_hundred_thousand(dovecot: MailServer) -> None:
    dovecot.seed("alice", "INBOX", (b"Subject: x\r\n\r\n" for _ in range(100_000)))
    told = measured(
        dovecot,
        """
        async def count(uids):
            number = 0
            async for m in box.fetch(uids, flags=True):
                m.flags
                number += 1
            return number
        assert await count("1:5000") == 5000
        before = rss()
        assert await count("1:*") == 100_000
        print(rss() - before)
        """,
    )
    assert int(told) < 16 * 1024 * 1024


def test_a_gigabyte(dovecot: MailServer, server_work: Path) -> None:
    path = server_work / "gigabyte.eml"
    line = b"0123456789" * 7 + b"\r\n"
    block = line * 14_000
    with path.open("wb") as file:
        file.write(b"Subject: 1 GB\r\n\r\n")
        for _ in range(2**30 // len(block)):
            file.write(block)
    try:
        told = measured(
            dovecot,
            f"""
            import hashlib, pathlib
            small = await box.append(b"Subject: x\\r\\n\\r\\nhello")
            assert (await box.read(small))["Subject"] == "x"
            before = rss()
            path = pathlib.Path({str(path)!r})
            uid = await box.append(path)
            seen, size = hashlib.blake2b(), 0
            async for piece in box.stream(uid):
                seen.update(piece)
                size += len(piece)
            grown = peak() - before
            with path.open("rb") as file:
                assert hashlib.file_digest(file, "blake2b").digest() == seen.digest()
            assert size == path.stat().st_size
            print(grown)
            """,
        )
    finally:
        path.unlink()
    assert int(told) < 64 * 1024 * 1024
