"""Rows ``many`` and ``latency``: small files over eight connections to disk, near and far."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from benchmarks import distance, peers
from benchmarks.account import Account
from benchmarks.harness import Bench, Contender, RowMissing, Table, in_process, interleave, missing_module
from benchmarks.servers import account_of, check_files, fresh_directory, small_files, vsftpd, work_directory

SIZE = 10 * 1024
CONNECTIONS = 8
ROUND_TRIP = 0.020


def on_loopback(bench: Bench) -> Iterable[Table]:
    """Row ``many``."""
    count = bench.amount(2000, 100)
    with work_directory() as work, vsftpd(work) as server:
        job = Job(account_of(server), work, small_files(server, "files", count, SIZE))
        contenders = [
            *(
                job.contender(f"netclients, {backend}", "ours.download_many", backend=backend)
                for backend in ("asyncio", "uvloop", "trio")
            ),
            job.contender("aioftp, 8 clients", "peers.aioftp_download_many", factor=1.2),
            job.lftp("lftp, tuned", factor=1.5),
            job.lftp("lftp, its defaults", factor=1.5, tuned=False),
            job.contender("ftplib, 8 threads", "peers.ftplib_download_many", factor=0.8),
        ]
        title = f"{count:,} files of 10 KiB over 8 connections, to disk"
        interleave(contenders, bench.runs, title=title)
    yield Table(title, "files/s", contenders, [NOTE])


def far_away(bench: Bench) -> Iterable[Table]:
    """Row ``latency``: the same, fewer files, at a round trip of 20 ms, made in two ways."""
    count = bench.amount(400, 40)
    for way in (distance.through_namespaces, distance.through_proxy):
        title = f"{count} files of 10 KiB over 8 connections, 20 ms round trip ({way.__name__.replace('_', ' ')})"
        try:
            with work_directory() as work, way(work, ROUND_TRIP) as (server, account, prefix):
                job = Job(account, work, small_files(server, "files", count, SIZE), prefix)
                contenders = [
                    job.contender("netclients, asyncio", "ours.download_many", backend="asyncio"),
                    job.contender("aioftp, 8 clients", "peers.aioftp_download_many", factor=2.0),
                    job.lftp("lftp, tuned"),
                    job.contender("ftplib, 8 threads", "peers.ftplib_download_many"),
                ]
                interleave(contenders, bench.runs, title=title)
        except RowMissing as reason:
            yield Table(title, "files/s", [], [f"Left out: {reason}"])
        else:
            yield Table(title, "files/s", contenders)


NOTE = (
    "netclients checks sizes and writes `NAME.part` before it renames; the others write the final name at once."
    " lftp: `mirror --parallel=8`; tuned means without SIZE and MDTM, and commands sent ahead: the fastest of six ways"
    " tried."
)


class Job:
    """The files of one run, and contenders that fetch them into a new directory each time."""

    def __init__(self, account: Account, work: Path, names: Sequence[str], prefix: Sequence[str] = ()) -> None:
        self._account = account
        self._work = work
        self._names = names
        self._prefix = tuple(prefix)

    def contender(self, name: str, function: str, *, factor: float | None = None, **arguments: object) -> Contender:
        def fetch(directory: str) -> float:
            result = in_process(
                function,
                prefix=self._prefix,
                account=self._account,
                names=self._names,
                directory=directory,
                connections=CONNECTIONS,
                **arguments,
            )
            return result["seconds"]

        module = "aioftp" if "aioftp" in function else str(arguments.get("backend", "asyncio"))
        return Contender(name, self._measure(fetch), factor=factor, missing=missing_module(module))

    def lftp(self, name: str, *, factor: float | None = None, tuned: bool = True) -> Contender:
        def fetch(directory: str) -> float:
            return peers.lftp_mirror(self._account, "files", directory, CONNECTIONS, self._prefix, tuned=tuned)

        return Contender(name, self._measure(fetch), factor=factor, missing=peers.missing_program("lftp"))

    def _measure(self, fetch: Callable[[str], float]) -> Callable[[], float]:
        def measure() -> float:
            directory = fresh_directory(self._work)
            seconds = fetch(str(directory))
            check_files(directory, len(self._names), SIZE)
            return len(self._names) / seconds

        return measure
