"""What netclients is asked to read. Each function runs in a process of its own (see worker.py).

The clock starts when the mailbox is open, and stops when the caller has looked at what was asked for.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from benchmarks.account import Account, url
from benchmarks.ours import run
from benchmarks.ours_smtp import peak
from netclients import MailReader, PoolLimits
from netclients.imap.mailbox import Mailbox


def flags(account: Account, mailbox: str, backend: str) -> dict[str, float]:
    """Flags and sizes of all messages."""

    async def job(box: Mailbox) -> int:
        found = 0
        async with box.fetch(flags=True, size=True) as messages:
            async for message in messages:
                found += bool(message.uid and message.size and message.flags is not None)
        return found

    return _timed(account, mailbox, backend, job)


def envelopes(account: Account, mailbox: str, backend: str) -> dict[str, float]:
    """Subject and first sender of all messages."""

    async def job(box: Mailbox) -> int:
        found = 0
        async with box.fetch(envelope=True) as messages:
            async for message in messages:
                envelope = message.envelope
                found += bool(message.uid and envelope.subject and envelope.from_[0].address)
        return found

    return _timed(account, mailbox, backend, job)


def bodies(account: Account, mailbox: str, backend: str) -> dict[str, float]:
    """All messages as they are, by ``fetch``."""

    async def job(box: Mailbox) -> int:
        size = 0
        async with box.fetch(body=True) as messages:
            async for message in messages:
                size += len(message.raw) if message.uid else 0
        return size

    return _timed(account, mailbox, backend, job)


def read_many(account: Account, mailbox: str, backend: str) -> dict[str, float]:
    """All messages as they are, by ``read_many``."""

    async def job(box: Mailbox) -> int:
        size = 0
        async with box.read_many("1:*") as messages:
            async for message in messages:
                size += len(message.raw)
        return size

    return _timed(account, mailbox, backend, job)


def memory(account: Account, mailbox: str) -> dict[str, float]:
    """Flags and sizes of all messages.

    ``bytes``: how much the process has grown at its peak, beginning with the open mailbox.
    """

    async def job() -> dict[str, float]:
        async with _reader(account) as reader, reader.mailbox(mailbox, readonly=True) as box:
            async with box.fetch(1, flags=True, size=True) as messages:
                async for _ in messages:
                    pass
            gc.collect()
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            before, done = peak(), 0
            async with box.fetch(flags=True, size=True) as messages:
                async for message in messages:
                    done += bool(message.size and message.flags is not None)
            return {"bytes": peak() - before, "done": done}

    return run("asyncio", job)


def single(account: Account, mailbox: str, count: int, backend: str) -> dict[str, float]:
    """A command for each of ``count`` messages, all under way together."""

    async def job() -> dict[str, float]:
        async with _reader(account) as reader, reader.connection() as connection:
            await connection.select(mailbox, readonly=True)
            started = time.perf_counter()
            under_way = [connection.uid_fetch(uid, flags=True, size=True) for uid in range(1, count + 1)]
            done = 0
            for each in under_way:
                [message] = await each
                done += bool(message.uid and message.size and message.flags is not None)
            return {"seconds": time.perf_counter() - started, "done": done}

    return run(backend, job)


def _timed(account: Account, mailbox: str, backend: str, job: Callable[[Mailbox], Awaitable[int]]) -> dict[str, float]:
    async def measure() -> dict[str, float]:
        async with _reader(account) as reader, reader.mailbox(mailbox, readonly=True) as box:
            started = time.perf_counter()
            done = await job(box)
            return {"seconds": time.perf_counter() - started, "done": done}

    return run(backend, measure)


def _reader(account: Account) -> MailReader:
    return MailReader(url(account, "imap"), tls="none", limits=PoolLimits(max_connections=1))
