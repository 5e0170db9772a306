"""Row ``sync``: what the blocking shims cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from benchmarks.harness import MIB, Bench, Contender, RowMissing, Table, in_process, interleave
from benchmarks.row_download import in_seconds
from benchmarks.servers import account_of, fresh_directory, sparse_file, vsftpd, work_directory


def calls(bench: Bench) -> Iterable[Table]:
    """Row ``sync``."""
    try:
        from netclients.sync import FTPClient  # noqa: F401
    except (ImportError, AttributeError):
        raise RowMissing("netclients.sync has no FTPClient yet") from None
    count = bench.amount(2000, 100)
    size = bench.amount(512, 32) * MIB
    with work_directory() as work, vsftpd(work) as server:
        sparse_file(server, "big", size)
        account = account_of(server)

        def call(function: str) -> Callable[[], float]:
            def measure() -> float:
                result = in_process(function, account=account, name="big", count=count)
                return result["seconds"] / count * 1e6

            return measure

        single = [
            Contender("netclients.sync: exists()", call("ours_sync.calls")),
            Contender("a bare BlockingPortal.call of it", call("ours_sync.portal_calls"), factor=1.0),
        ]
        interleave(single, bench.runs, title="sync call")
        process = in_seconds(size, account=account, name="big")

        def to_file(function: str, **arguments: object) -> Callable[[], float]:
            def measure() -> float:
                target = fresh_directory(work) / "big"
                figure = process(function, destination=str(target), **arguments)()
                target.unlink()
                return figure

            return measure

        downloads = [
            Contender("netclients.sync", to_file("ours_sync.download")),
            Contender("netclients, asyncio", to_file("ours.download", backend="asyncio"), factor=0.95),
        ]
        title = f"Blocking download, {size // MIB} MiB, to a file"
        interleave(downloads, bench.runs, title=title)
    yield Table("One blocking call, with its round trip to the server on loopback", "µs", single)
    yield Table(title, "MiB/s", downloads)
