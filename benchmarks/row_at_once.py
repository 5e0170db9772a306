"""Row ``at-once``: a thousand plain downloads at the same time; memory of the client alone, and files a second.

The server is vsftpd: its two processes a session cost the client nothing, and with ``local_max_rate`` a file lasts
until all thousand are under way. Any port may be a passive one here: with ports asked for ahead, a thousand
connections have a thousand of them open.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from benchmarks.harness import Bench, Contender, Table, in_process, interleave
from benchmarks.row_many import SIZE
from benchmarks.servers import (
    account_of,
    check_files,
    fresh_directory,
    second_vsftpd,
    small_files,
    sparse_file,
    vsftpd,
    work_directory,
)

KIB = 1024
LIMIT = 64.0  # KiB a download
RATE = 32 * KIB  # bytes a second for each: the slow file lasts two minutes


def at_once(bench: Bench) -> Iterable[Table]:
    """Row ``at-once``."""
    many = bench.amount(1000, 50)
    few = 10
    ports = {"pasv_min_port": 0, "pasv_max_port": 0}
    with work_directory() as work, vsftpd(work) as server:
        account = account_of(server)
        account["port"] += 1
        server.put("small", b"x")
        sparse_file(server, "slow", 120 * RATE)
        names = small_files(server, "files", bench.amount(4000, 200), SIZE)

        def grown(to_disk: bool) -> Callable[[], float]:
            def measure() -> float:
                directory = str(fresh_directory(work)) if to_disk else None
                result = in_process(
                    "ours_at_once.memory", account=account, name="slow", count=many, directory=directory
                )
                return result["bytes"] / many / KIB

            return measure

        def rate(concurrency: int) -> Callable[[], float]:
            def measure() -> float:
                directory = fresh_directory(work)
                result = in_process(
                    "ours_at_once.files_a_second",
                    account=account,
                    names=names,
                    directory=str(directory),
                    concurrency=concurrency,
                )
                check_files(directory, len(names), SIZE)
                return len(names) / result["seconds"]

            return measure

        memory = [
            Contender("netclients, to files", grown(True), limit=LIMIT),
            Contender("netclients, to sinks", grown(False), limit=LIMIT),
        ]
        title = f"Memory of each of {many:,} plain downloads at once"
        with second_vsftpd(server, {**ports, "listen_port": account["port"], "local_max_rate": RATE}):
            interleave(memory, bench.runs, title=title)
        speed = [
            Contender(f"netclients, {many:,} at once", rate(many)),
            Contender(f"netclients, {few} at once", rate(few), factor=0.8),
        ]
        speed_title = f"{len(names):,} files of 10 KiB to disk over connections that are logged in"
        with second_vsftpd(server, {**ports, "listen_port": account["port"]}):
            interleave(speed, bench.runs, title=speed_title)
    yield Table(title, "KiB", memory, ["Growth of the client's resident memory at its peak, all under way."])
    yield Table(speed_title, "files/s", speed)
