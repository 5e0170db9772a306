"""Rows ``imap``, ``imap-memory`` and ``imap-latency``: mailboxes of Dovecot read, near, large, and far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks import distance
from benchmarks.account import Account
from benchmarks.harness import MIB, Bench, Contender, RowMissing, Table, in_process, interleave, missing_module
from benchmarks.messages import messages
from benchmarks.row_download import BACKENDS, on_backend
from benchmarks.row_many import ROUND_TRIP
from benchmarks.servers import mail_server, work_directory
from tests.servers import MailServer

OPEN = "The clock starts when the mailbox is open; Dovecot has its caches, and has been asked the same before."
UNTYPED = "imaplib and aioimaplib return lines as the server has sent them; netclients and imapclient return values."
PORTIONS = "aioimaplib is asked for 500 messages at a time: answers of 1,000 lines end in RecursionError."
SIZE = 8 * 1024
USER = "alice"


def near(bench: Bench) -> Iterable[Table]:
    """Row ``imap``: flags and sizes, envelopes, bodies."""
    count = bench.amount(5000, 100)
    with work_directory() as work, mail_server("dovecot", work) as server:
        _fill(server, "Letters", count, SIZE)
        account = _account(server)
        for what, function, expected, bars in (
            ("flags and sizes", "flags", count, {"imaplib": 0.5}),
            ("envelopes, subject and first sender read", "envelopes", count, {"imapclient": 2.5}),
            ("bodies of 8 KB", "bodies", count * SIZE, {"imaplib": 0.834, "imapclient": 3.0}),
        ):
            contenders = _readers(account, "Letters", count, function, expected, bars)
            title = f"{count:,} messages: {what}, Dovecot"
            contenders[1].measure()  # fills the caches of Dovecot
            interleave(contenders, bench.runs, title=title)
            yield Table(title, "ms", contenders, [OPEN, UNTYPED, PORTIONS])


def _readers(
    account: Account, mailbox: str, count: int, function: str, expected: int, bars: dict[str, float]
) -> list[Contender]:
    def measured(name: str, **arguments: Any) -> Callable[[], float]:
        return _milliseconds(expected, name, account=account, mailbox=mailbox, **arguments)

    ours = [on_backend(backend, measured(f"ours_imap.{function}", backend=backend)) for backend in BACKENDS]
    if function == "bodies":
        ours.append(Contender("netclients, asyncio, read_many", measured("ours_imap.read_many", backend="asyncio")))
    return [
        *ours,
        Contender("imaplib", measured(f"peers_imap.imaplib_{function}"), factor=bars.get("imaplib")),
        Contender(
            "imapclient",
            measured(f"peers_imap.imapclient_{function}", count=count),
            factor=bars.get("imapclient"),
            missing=missing_module("imapclient"),
        ),
        Contender(
            "aioimaplib",
            measured(f"peers_imap.aioimaplib_{function}", count=count),
            missing=missing_module("aioimaplib"),
        ),
    ]


def in_bulk(bench: Bench) -> Iterable[Table]:
    """Row ``imap-memory``."""
    more, fewer = bench.amount(100_000, 3000), bench.amount(10_000, 1500)
    with work_directory() as work, mail_server("dovecot", work) as server:
        account = _account(server)
        for mailbox, count in (("More", more), ("Fewer", fewer)):
            _fill(server, mailbox, count, 0)

        def grown(mailbox: str, count: int) -> Callable[[], float]:
            def measure() -> float:
                result = in_process("ours_imap.memory", account=account, mailbox=mailbox)
                if result["done"] != count:
                    raise RuntimeError(f"{result['done']} messages fetched, not {count}")
                return result["bytes"] / MIB

            return measure

        contenders = [
            Contender(f"{more:,} messages", grown("More", more)),
            Contender(f"{fewer:,} messages", grown("Fewer", fewer), factor=0.91),
        ]
        title = "Memory of fetch(flags=True, size=True), Dovecot"
        contenders[0].measure()  # Dovecot makes its index
        interleave(contenders, bench.runs, title=title)
    note = "Growth of the resident memory to its peak, beginning with the open mailbox; at most 10 % more is 0.91."
    yield Table(title, "MiB", contenders, [note])


def far_away(bench: Bench) -> Iterable[Table]:
    """Row ``imap-latency``: many small commands at a round trip of 20 ms, made in two ways."""
    count = bench.amount(200, 20)
    for way in (distance.mail_through_namespaces, distance.mail_through_proxy):
        where = f"20 ms round trip ({way.__name__.removeprefix('mail_').replace('_', ' ')})"
        title = f"{count} commands, each for one message, Dovecot, {where}"
        try:
            with (
                work_directory() as work,
                mail_server("dovecot", work) as server,
                _distant(server, count, way) as (account, prefix),
            ):

                def measured(
                    name: str, account: Account = account, prefix: Sequence[str] = prefix, **arguments: Any
                ) -> Callable[[], float]:
                    return _milliseconds(
                        count, name, prefix, account=account, mailbox="Letters", count=count, **arguments
                    )

                contenders = [
                    Contender("netclients, pipelined", measured("ours_imap.single", backend="asyncio")),
                    Contender("imaplib, one by one", measured("peers_imap.imaplib_single"), factor=20.0),
                    *(
                        Contender(
                            f"{peer}, one by one", measured(f"peers_imap.{peer}_single"), missing=missing_module(peer)
                        )
                        for peer in ("imapclient", "aioimaplib")
                    ),
                ]
                interleave(contenders, bench.runs, title=title)
        except RowMissing as reason:
            yield Table(title, "ms", [], [f"Left out: {reason}"])
            continue
        yield Table(title, "ms", contenders, [OPEN.partition(";")[0] + "."])


@contextmanager
def _distant(server: MailServer, count: int, way: Callable[..., Any]) -> Iterator[tuple[Account, Sequence[str]]]:
    _fill(server, "Letters", count, SIZE)
    with way(server, ROUND_TRIP, "imap") as (host, port, prefix):
        yield {**_account(server), "host": host, "port": port}, prefix


def _fill(server: MailServer, mailbox: str, count: int, size: int) -> None:
    """Put messages into a mailbox: the first half seen, some of them flagged."""
    half, flagged = count // 2, count // 20
    server.seed(USER, mailbox, messages(flagged, 0, size), flags=["\\Seen", "\\Flagged"])
    server.seed(USER, mailbox, messages(half - flagged, flagged, size), flags=["\\Seen"])
    server.seed(USER, mailbox, messages(count - half, half, size))


def _account(server: MailServer) -> Account:
    return {"host": server.host, "port": server.ports["imap"], "user": USER, "password": server.password(USER)}


def _milliseconds(expected: int, function: str, prefix: Sequence[str] = (), **arguments: Any) -> Callable[[], float]:
    """Return a measure: the time of a function that runs in its own process, and must have found so much."""

    def measure() -> float:
        result = in_process(function, prefix=prefix, **arguments)
        if result["done"] != expected:
            raise RuntimeError(f"{function} has read {result['done']}, not {expected}")
        return result["seconds"] * 1000

    return measure
