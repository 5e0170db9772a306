"""Mailboxes of the embedded server, and readers of them."""

from __future__ import annotations

import select
from collections.abc import Iterable
from typing import Any

from netclients import Mailbox, MailReader, PoolLimits, RetryPolicy
from netclients.testing import IMAPServer
from tests.faults.harness import settles

AGAIN = RetryPolicy(attempts=4, initial=0, maximum=0)
ONCE = RetryPolicy(attempts=1)

PLAIN = frozenset({
    "ACL", "APPENDLIMIT", "BINARY", "CHILDREN", "COMPRESS=DEFLATE", "CONDSTORE", "CREATE-SPECIAL-USE", "ENABLE",
    "ESEARCH", "ID", "IDLE", "LIST-EXTENDED", "LIST-STATUS", "LITERAL+", "LITERAL-", "METADATA", "MOVE", "MULTIAPPEND",
    "NAMESPACE", "OBJECTID", "PREVIEW", "PREVIEW=FUZZY", "QRESYNC", "QUOTA", "QUOTA=RES-STORAGE", "SASL-IR", "SAVEDATE",
    "SEARCHRES", "SORT", "SORT=DISPLAY", "SPECIAL-USE", "STATUS=SIZE", "THREAD=ORDEREDSUBJECT", "THREAD=REFERENCES",
    "THREAD=REFS", "UIDPLUS", "UNSELECT", "UTF8=ACCEPT", "WITHIN",
})  # fmt: skip
"""A server of 1996: IMAP4rev1 and nothing else."""
CYRUS_2 = PLAIN - {"UIDPLUS", "NAMESPACE", "LITERAL+", "SORT", "THREAD=REFERENCES", "UNSELECT", "IDLE", "MULTIAPPEND"}
"""A server of 2005: no MOVE, no ESEARCH, no LIST-EXTENDED."""
AGES = {"new": frozenset[str](), "middle": CYRUS_2, "old": PLAIN}


def reader_of(server: IMAPServer, connections: int = 4, **options: Any) -> MailReader:
    options.setdefault("retry", AGAIN)
    return MailReader(f"{server.url}?tls=none", limits=PoolLimits(max_connections=connections), **options)


def letter(number: int, body: bytes = b"hello\r\n") -> bytes:
    return b"From: boss@example.test\r\nSubject: letter %d\r\nMessage-ID: <%d@x>\r\n\r\n%b" % (number, number, body)


def fill(server: IMAPServer, count: int, mailbox: str = "INBOX", flags: Iterable[str] = ()) -> list[int]:
    return [server.add("me", mailbox, letter(number), flags=flags) for number in range(1, count + 1)]


def names(server: IMAPServer, *wanted: str) -> list[str]:
    """Return the commands that have come, without those of a login; only the ``wanted`` ones if there are any."""
    got = [command.name for command in server.commands]
    if wanted:
        return [name for name in got if name in wanted]
    return [name for name in got if name not in ("LOGIN", "AUTHENTICATE", "CAPABILITY", "LOGOUT")]


def at_rest(reader: MailReader) -> bool:
    stats = reader.stats
    return (stats.in_use, stats.connecting, stats.waiting) == (0, 0, 0)


async def hung_up(box: Mailbox) -> None:
    """Wait until the server's goodbye is here, without reading it."""
    assert box._connection is not None
    stream = box._connection.stream
    assert stream.socket is not None
    descriptor = stream.socket.fileno()
    assert await settles(lambda: bool(select.select([descriptor], [], [], 0)[0]))
