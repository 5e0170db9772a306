"""What netclients is asked to do with mail. Each function runs in a process of its own (see worker.py)."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.messages import RECIPIENT, SENDER, messages
from benchmarks.ours import run
from netclients import MailSender, Outgoing, PoolLimits
from netclients.mail import compose


def send(host: str, port: int, count: int, backend: str, pipelining: Any) -> dict[str, float]:
    """Send ``count`` messages over one connection that has carried one already."""

    async def job() -> dict[str, float]:
        async with _sender(host, port, pipelining=pipelining, limits=PoolLimits(max_connections=1)) as sender:
            await sender.send(next(messages(1)), SENDER, [RECIPIENT])
            started = time.perf_counter()
            done = await _send_many(sender, count)
            return {"seconds": time.perf_counter() - started, "done": done}

    return run(backend, job)


def memory(host: str, port: int, count: int) -> dict[str, float]:
    """Send ``count`` messages of a generator over as many connections as the pool has.

    ``bytes``: how much the process has grown at its peak, beginning with one connection.
    """

    async def job() -> dict[str, float]:
        async with _sender(host, port) as sender:
            await sender.send(next(messages(1)), SENDER, [RECIPIENT])
            gc.collect()
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            before = peak()
            done = await _send_many(sender, count)
            return {"bytes": peak() - before, "done": done}

    return run("asyncio", job)


def compose_attachment(size: int, times: int) -> dict[str, float]:
    """Compose a message with an attachment so many times, and take all of its chunks."""
    content = bytes(range(256)) * (size // 256)
    started = time.perf_counter()
    done = 0
    for _ in range(times):
        message = compose(
            from_=SENDER, to=RECIPIENT, subject="Report", text="Here it is.\n", attachments=[("report.bin", content)]
        )
        done += sum(map(len, message.chunks()))
    return {"seconds": (time.perf_counter() - started) / times, "done": done}


def _sender(host: str, port: int, **options: Any) -> MailSender:
    return MailSender(f"smtp://{host}:{port}", tls="none", **options)


async def _send_many(sender: MailSender, count: int) -> int:
    done = 0
    async with sender.send_many(_outgoing(count)) as receipts:
        async for receipt in receipts:
            if not receipt.ok:
                raise RuntimeError(f"not sent: {receipt}")
            done += 1
    return done


def _outgoing(count: int) -> Iterator[Outgoing]:
    for message in messages(count, 1):
        yield Outgoing(message, SENDER, [RECIPIENT])


def peak() -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
