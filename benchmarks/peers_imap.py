"""What the others are asked to read: the same. Each runs in a process of its own (see worker.py).

The clock starts when the mailbox is open. imaplib and aioimaplib hand over lines as the server has sent them.
"""

from __future__ import annotations

import asyncio
import imaplib
import time
from collections.abc import Awaitable, Callable
from typing import Any

from benchmarks.account import Account

_FLAGS = "(UID FLAGS RFC822.SIZE)"
_ENVELOPE = "(UID ENVELOPE)"
_BODY = "(UID BODY.PEEK[])"
_PORTION = 500  # lines that aioimaplib can take in one answer; a thousand end in RecursionError

# imaplib: untyped


def imaplib_flags(account: Account, mailbox: str) -> dict[str, float]:
    return _imaplib(account, mailbox, lambda imap: len(_fetched(imap, _FLAGS)))


def imaplib_envelopes(account: Account, mailbox: str) -> dict[str, float]:
    return _imaplib(account, mailbox, lambda imap: len(_fetched(imap, _ENVELOPE)))


def imaplib_bodies(account: Account, mailbox: str) -> dict[str, float]:
    def job(imap: imaplib.IMAP4) -> int:
        return sum(len(part[1]) for part in _fetched(imap, _BODY) if isinstance(part, tuple))

    return _imaplib(account, mailbox, job)


def imaplib_single(account: Account, mailbox: str, count: int) -> dict[str, float]:
    def job(imap: imaplib.IMAP4) -> int:
        return sum(len(imap.uid("FETCH", str(uid), _FLAGS)[1]) for uid in range(1, count + 1))

    return _imaplib(account, mailbox, job)


def _fetched(imap: imaplib.IMAP4, items: str) -> list[Any]:
    answer, data = imap.fetch("1:*", items)
    if answer != "OK":
        raise RuntimeError(answer)
    return data


def _imaplib(account: Account, mailbox: str, job: Callable[[imaplib.IMAP4], int]) -> dict[str, float]:
    imaplib._MAXLINE = 10_000_000  # type: ignore[attr-defined]
    with imaplib.IMAP4(account["host"], account["port"]) as imap:
        imap.login(account["user"], account["password"])
        imap.select(mailbox, readonly=True)
        started = time.perf_counter()
        done = job(imap)
        return {"seconds": time.perf_counter() - started, "done": done}


# imapclient: typed; it takes UIDs as numbers only


def imapclient_flags(account: Account, mailbox: str, count: int) -> dict[str, float]:
    def job(imap: Any) -> int:
        found = imap.fetch(range(1, count + 1), ["FLAGS", "RFC822.SIZE"])
        return sum(bool(each[b"RFC822.SIZE"] and each[b"FLAGS"] is not None) for each in found.values())

    return _imapclient(account, mailbox, job)


def imapclient_envelopes(account: Account, mailbox: str, count: int) -> dict[str, float]:
    def job(imap: Any) -> int:
        done = 0
        for each in imap.fetch(range(1, count + 1), ["ENVELOPE"]).values():
            envelope = each[b"ENVELOPE"]
            sender = envelope.from_[0]
            done += bool(envelope.subject and b"%b@%b" % (sender.mailbox, sender.host))
        return done

    return _imapclient(account, mailbox, job)


def imapclient_bodies(account: Account, mailbox: str, count: int) -> dict[str, float]:
    def job(imap: Any) -> int:
        return sum(len(each[b"BODY[]"]) for each in imap.fetch(range(1, count + 1), ["BODY.PEEK[]"]).values())

    return _imapclient(account, mailbox, job)


def imapclient_single(account: Account, mailbox: str, count: int) -> dict[str, float]:
    def job(imap: Any) -> int:
        return sum(len(imap.fetch(uid, ["FLAGS", "RFC822.SIZE"])) for uid in range(1, count + 1))

    return _imapclient(account, mailbox, job)


def _imapclient(account: Account, mailbox: str, job: Callable[[Any], int]) -> dict[str, float]:
    import imapclient

    with imapclient.IMAPClient(account["host"], account["port"], ssl=False) as imap:
        imap.login(account["user"], account["password"])
        imap.select_folder(mailbox, readonly=True)
        started = time.perf_counter()
        done = job(imap)
        return {"seconds": time.perf_counter() - started, "done": done}


# aioimaplib: untyped; in portions where a whole answer is more than it can take


def aioimaplib_flags(account: Account, mailbox: str, count: int) -> dict[str, float]:
    async def job(imap: Any) -> int:
        return await _in_portions(imap, count, _FLAGS)

    return _aioimaplib(account, mailbox, job)


def aioimaplib_envelopes(account: Account, mailbox: str, count: int) -> dict[str, float]:
    async def job(imap: Any) -> int:
        return await _in_portions(imap, count, _ENVELOPE)

    return _aioimaplib(account, mailbox, job)


def aioimaplib_bodies(account: Account, mailbox: str, count: int) -> dict[str, float]:
    async def job(imap: Any) -> int:
        size = 0
        for first in range(1, count + 1, _PORTION):
            answer = await imap.fetch(f"{first}:{min(count, first + _PORTION - 1)}", _BODY)
            size += sum(len(line) for line in answer.lines if isinstance(line, bytearray))
        return size

    return _aioimaplib(account, mailbox, job)


def aioimaplib_single(account: Account, mailbox: str, count: int) -> dict[str, float]:
    async def job(imap: Any) -> int:
        done = 0
        for uid in range(1, count + 1):
            answer = await imap.uid("fetch", str(uid), _FLAGS)
            done += answer.result == "OK"
        return done

    return _aioimaplib(account, mailbox, job)


async def _in_portions(imap: Any, count: int, items: str) -> int:
    done = 0
    for first in range(1, count + 1, _PORTION):
        answer = await imap.fetch(f"{first}:{min(count, first + _PORTION - 1)}", items)
        done += sum(b" FETCH (" in line for line in answer.lines)
    return done


def _aioimaplib(account: Account, mailbox: str, job: Callable[[Any], Awaitable[int]]) -> dict[str, float]:
    import aioimaplib

    async def measure() -> dict[str, float]:
        imap = aioimaplib.IMAP4(account["host"], account["port"], timeout=120)
        await imap.wait_hello_from_server()
        await imap.login(account["user"], account["password"])
        await imap.select(mailbox)  # it has no FETCH behind EXAMINE
        started = time.perf_counter()
        done = await job(imap)
        seconds = time.perf_counter() - started
        await imap.logout()
        return {"seconds": seconds, "done": done}

    return asyncio.run(measure())
