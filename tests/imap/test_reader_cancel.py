"""A mail reader is cancelled at every place where it waits, and at random; then the next call is answered right."""

from __future__ import annotations

import base64
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from netclients import Mailbox, MailReader
from netclients.events import Events
from netclients.testing import IMAPServer, cancel_everywhere, random_cancellations
from netclients.testing.imap_faults import Delay
from tests.faults.harness import descriptors, settles
from tests.faults.report import POINTS
from tests.imap.boxes import at_rest, fill, letter, reader_of

pytestmark = [pytest.mark.anyio]

PIECE = 256 * 1024
CONTENT = os.urandom(2 * PIECE)
STAY = "1:19,100:230"  # messages that no job removes
THIRTEEN = ["13", *(str(uid) for uid in range(130, 140))]
BIG = (
    b"Subject: big\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello\r\n--b\r\n"
    b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=big\r\n\r\n"
    + base64.encodebytes(CONTENT).replace(b"\n", b"\r\n")
    + b"--b--\r\n"
)


class Doubts(Events):
    def __init__(self) -> None:
        self.unknown: Counter[str] = Counter()

    def outcome_unknown(self, operation: str) -> None:
        self.unknown[operation.split(" ")[0]] += 1


@pytest.fixture
def server() -> Iterator[IMAPServer]:
    # A server in a thread may answer before the client looks: then there is nothing to cancel.
    with IMAPServer(mechanisms=["PLAIN"], faults=[Delay("*", seconds=0.001)]) as server:
        server.create_mailbox("me", "Archive")
        fill(server, 230)
        server.add("me", "INBOX", BIG)
        yield server


async def _fetch(box: Mailbox, _: Path) -> None:
    assert len([m.raw async for m in box.fetch(STAY, body=True)]) == 150


async def _flags(box: Mailbox, _: Path) -> None:
    assert len([m.flags async for m in box.fetch(STAY, flags=True)]) == 150


async def _read(box: Mailbox, _: Path) -> None:
    assert (await box.read(231))["Subject"] == "big"


async def _read_many(box: Mailbox, _: Path) -> None:
    assert len([item.raw async for item in box.read_many([1, 2, 231, 900])]) == 4


async def _stream(box: Mailbox, _: Path) -> None:
    assert b"".join([piece async for piece in box.stream(231)]) == BIG


async def _part(box: Mailbox, _: Path) -> None:
    assert b"".join([piece async for piece in box.stream(231, "2")]) == CONTENT


async def _search(box: Mailbox, _: Path) -> None:
    assert await box.search(subject="letter 13") == THIRTEEN
    assert (await box.sort("size", "UID 1,231"))[-1] == "231"


async def _store(box: Mailbox, _: Path) -> None:
    await box.store("1:5", add=["\\Seen"], remove=["x"])


async def _copy(box: Mailbox, _: Path) -> None:
    await box.copy([1, 2], "Archive")


async def _move(box: Mailbox, _: Path) -> None:
    await box.move((await box.search("UID 20:99"))[:1], "Archive")


async def _delete(box: Mailbox, _: Path) -> None:
    await box.delete((await box.search("UID 20:99"))[:1])


async def _append(box: Mailbox, _: Path) -> None:
    assert await box.append(BIG)


async def _append_many(box: Mailbox, _: Path) -> None:
    assert len(await box.append_many([letter(1), letter(2)])) == 2


async def _save(box: Mailbox, directory: Path) -> None:
    [path] = await box.save_attachments(231, directory)
    assert path.read_bytes() == CONTENT


JOBS: dict[str, Callable[[Mailbox, Path], Awaitable[None]]] = {
    job.__name__.strip("_"): job
    for job in (
        _fetch,
        _flags,
        _read,
        _read_many,
        _stream,
        _part,
        _search,
        _store,
        _copy,
        _move,
        _delete,
        _append,
        _append_many,
        _save,
    )
}


async def answers(box: Mailbox) -> None:
    """The next calls are answered right."""
    assert await box.search(subject="letter 13") == THIRTEEN
    assert [(m.uid, m.raw) async for m in box.fetch([1, 7], body=True)] == [("1", letter(1)), ("7", letter(7))]
    assert (await box.read(13))["Subject"] == "letter 13"


@pytest.mark.parametrize("job", JOBS)
async def test_at_every_await(server: IMAPServer, job: str, tmp_path: Path) -> None:
    """In a mailbox that stays open, over one connection."""
    events = Doubts()
    async with reader_of(server, 1, events=events) as reader:
        async with reader.mailbox() as box:

            async def call() -> None:
                await JOBS[job](box, tmp_path)

            async def check() -> None:
                assert reader.stats.in_use <= 1
                await answers(box)
                assert not list(tmp_path.glob("*.part"))
                assert all(path.read_bytes() == CONTENT for path in tmp_path.iterdir())

            found = await cancel_everywhere(call, check=check, limit=25)
        assert at_rest(reader)
        async with reader.mailbox() as box:
            await answers(box)
    POINTS[f"cancelled: {job} in a mailbox"] += found.points
    assert found.points >= 2
    assert server.violations == []
    if job in ("append", "append_many"):
        lost = [message for message in server.messages("me")[231:] if message.raw not in (BIG, letter(1), letter(2))]
        assert lost == []
        assert events.unknown["APPEND"] >= 1


@pytest.mark.parametrize("job", ["open", "list", "lend", "create", "quota"])
async def test_from_the_first_connection_on(server: IMAPServer, job: str) -> None:
    made: list[MailReader] = []
    numbers = iter(range(10_000))

    async def work(reader: MailReader) -> None:
        if job == "open":
            async with reader.mailbox() as box:
                assert len(await box.search()) == 231
            async with reader.mailbox("Archive") as box:
                assert box.exists == 0
        elif job == "list":
            assert [info.name async for info in reader.list_mailboxes("A*", status=["MESSAGES"])] == ["Archive"]
        elif job == "lend":
            async with reader.mailbox():
                pass
            async with reader.connection() as connection:
                await connection.noop()
        elif job == "create":
            name = f"new{next(numbers)}"
            await reader.create_mailbox(name)
            await reader.rename_mailbox(name, f"{name}b")
            await reader.delete_mailbox(f"{name}b")
        else:
            await reader.quota()

    async def call() -> None:
        reader = reader_of(server, 1)
        made.append(reader)
        async with reader:
            await work(reader)

    async def check() -> None:
        assert at_rest(made[-1])

    found = await cancel_everywhere(call, check=check)
    POINTS[f"cancelled: {job}"] += found.points
    assert found.points >= 5
    assert await settles(lambda: server.stats.connections_open == 0)


async def test_at_random(server: IMAPServer, tmp_path: Path) -> None:
    """Under load, through a pool that is too small."""
    names = [*JOBS]
    before = descriptors()
    async with reader_of(server, 3) as reader:

        async def call(number: int) -> None:
            job = names[number % len(names)]
            directory = tmp_path / str(number)
            async with reader.mailbox() as box:
                await JOBS[job](box, directory)
            async with reader.mailbox("Archive", readonly=True) as box:
                await box.search()

        async def check() -> None:
            assert at_rest(reader)
            async with reader.mailbox() as box:
                await answers(box)

        found = await random_cancellations(call, check=check, calls=300, concurrency=8, seed=5, timeout=60)
    POINTS["cancelled: mail reading at random"] += found.cancelled
    assert found.cancelled >= 100
    assert await settles(lambda: server.stats.connections_open == 0)
    assert not list(tmp_path.glob("*/*.part"))
    assert not {name for name in descriptors() - before if name.startswith("socket")}
    assert server.violations == []
