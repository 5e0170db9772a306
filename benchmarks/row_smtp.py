"""Rows ``smtp``, ``smtp-latency``, ``smtp-memory`` and ``compose``: mail, near and far, much of it, and large."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from benchmarks import distance
from benchmarks.harness import MIB, Bench, Contender, RowMissing, Table, in_process, interleave, missing_module
from benchmarks.row_download import BACKENDS, on_backend
from benchmarks.row_many import ROUND_TRIP
from benchmarks.servers import mail_server, work_directory

Maker = Callable[..., Callable[[], float]]

OPEN = "The clock starts when the connection has carried one message. netclients: `send_many` of a generator."


def near(bench: Bench) -> Iterable[Table]:
    """Row ``smtp``."""
    count = bench.amount(5000, 100)
    with work_directory() as work, mail_server("smtp_sink", work) as server:
        make = _sends(server.host, server.ports["smtp"])
        contenders = [
            *(
                on_backend(backend, make(count, "ours_smtp.send", backend=backend, pipelining="standard"))
                for backend in BACKENDS
            ),
            Contender(
                "netclients, asyncio, pipelining off",
                make(count, "ours_smtp.send", backend="asyncio", pipelining="off"),
            ),
            _aiosmtplib("sendmail", make(count, "peers_smtp.aiosmtplib_sendmail"), factor=2.0),
            _aiosmtplib("send_message", make(count, "peers_smtp.aiosmtplib_send_message"), factor=2.0),
            Contender("smtplib, sendmail", make(count, "peers_smtp.smtplib_sendmail")),
        ]
        title = f"{count:,} messages of 7 KB over one connection, smtp-sink"
        interleave(contenders, bench.runs, title=title)
    yield Table(title, "msg/s", contenders, [OPEN])


def far_away(bench: Bench) -> Iterable[Table]:
    """Row ``smtp-latency``: Postfix at a round trip of 20 ms, made in two ways; a table for each mode."""
    few, many = bench.amount(80, 10), bench.amount(1000, 100)
    for way in (distance.mail_through_namespaces, distance.mail_through_proxy):
        where = f"20 ms round trip ({way.__name__.removeprefix('mail_').replace('_', ' ')})"
        title = f"Messages of 7 KB over one connection, Postfix, {where}"
        try:
            with (
                work_directory() as work,
                mail_server("postfix", work, DELIVERY="discard") as server,
                way(server, ROUND_TRIP) as (host, port, prefix),
            ):
                make = _sends(host, port, prefix, server.settled)

                def ours(pipelining: str, count: int, make: Maker = make) -> Callable[[], float]:
                    return make(count, "ours_smtp.send", backend="asyncio", pipelining=pipelining)

                standard = Contender("netclients, standard", ours("standard", few))
                eager = Contender("netclients, eager (CHUNKING)", ours("eager", many))
                peer = _aiosmtplib("sendmail", make(few, "peers_smtp.aiosmtplib_sendmail"), factor=3.3)
                stdlib = Contender("smtplib, sendmail", make(few, "peers_smtp.smtplib_sendmail"))
                interleave([standard, eager, peer, stdlib], bench.runs, title=title)
        except RowMissing as reason:
            yield Table(title, "msg/s", [], [f"Left out: {reason}"])
            continue
        yield Table(title, "msg/s", [standard, peer, stdlib], [OPEN])
        again = _aiosmtplib("sendmail", peer.measure, factor=25.0)
        again.figures = peer.figures
        note = f"The figures of aiosmtplib are those of the table above. {many:,} messages, the others {few}."
        yield Table(f"The same, eager: {where}", "msg/s", [eager, again], [note])


def in_bulk(bench: Bench) -> Iterable[Table]:
    """Row ``smtp-memory``."""
    more, fewer = bench.amount(100_000, 1000), bench.amount(10_000, 500)
    with work_directory() as work, mail_server("smtp_sink", work) as server:

        def grown(count: int) -> Callable[[], float]:
            def measure() -> float:
                result = in_process("ours_smtp.memory", host=server.host, port=server.ports["smtp"], count=count)
                if result["done"] != count:
                    raise RuntimeError(f"{result['done']} messages sent, not {count}")
                return result["bytes"] / MIB

            return measure

        contenders = [
            Contender(f"{more:,} messages", grown(more)),
            Contender(f"{fewer:,} messages", grown(fewer), factor=0.91),
        ]
        title = "Memory of send_many of a generator, messages of 7 KB, 8 connections, smtp-sink"
        interleave(contenders, bench.runs, title=title)
    note = "Growth of the resident memory to its peak, beginning with one connection; at most 10 % more is 0.91."
    yield Table(title, "MiB", contenders, [note])


def composing(bench: Bench) -> Iterable[Table]:
    """Row ``compose``."""
    size, times = bench.amount(10, 1) * MIB, bench.amount(10, 1)

    def composed(function: str) -> Callable[[], float]:
        def measure() -> float:
            result = in_process(function, size=size, times=times)
            if result["done"] < size * 4 / 3 * times:
                raise RuntimeError(f"{function}: a message was too short")
            return result["seconds"] * 1000

        return measure

    contenders = [
        Contender("netclients, compose() and its chunks()", composed("ours_smtp.compose_attachment")),
        Contender("EmailMessage and as_bytes()", composed("peers_smtp.email_message"), factor=1.0),
        Contender("MIMEMultipart and as_bytes()", composed("peers_smtp.mime_multipart"), factor=1.0),
    ]
    title = f"A message with an attachment of {size // MIB} MiB, from bytes to bytes"
    interleave(contenders, bench.runs, title=title)
    yield Table(title, "ms", contenders)


def _sends(host: str, port: int, prefix: Sequence[str] = (), settled: Callable[[], None] | None = None) -> Maker:
    """Return a maker of measures: messages a second of a function that runs in its own process."""

    def make(count: int, function: str, **arguments: Any) -> Callable[[], float]:
        def measure() -> float:
            result = in_process(function, prefix=prefix, host=host, port=port, count=count, **arguments)
            if result["done"] != count:
                raise RuntimeError(f"{function} sent {result['done']} messages, not {count}")
            if settled is not None:
                settled()  # delivers what it has before the next one's turn
            return count / result["seconds"]

        return measure

    return make


def _aiosmtplib(method: str, measure: Callable[[], float], *, factor: float) -> Contender:
    return Contender(f"aiosmtplib, {method}", measure, factor=factor, missing=missing_module("aiosmtplib"))
