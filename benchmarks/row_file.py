"""Row ``file``: one large file to disk, and from it; and whether the loop stays free meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.harness import MIB, Bench, Contender, Table, in_process, interleave, missing_module
from benchmarks.row_download import BACKENDS, curl, in_seconds, on_backend, sparse_source
from benchmarks.servers import account_of, kind_of_file_system, sparse_file, vsftpd, work_directory

LATEST = 50.0  # ms


def to_file(bench: Bench) -> Iterable[Table]:
    """Row ``file``."""
    size = bench.amount(512, 32) * MIB
    with work_directory() as work, vsftpd(work) as server:
        sparse_file(server, "big", size)
        source = sparse_source(work, size)
        place = f"the files are on {kind_of_file_system(work)}"
        account = account_of(server)
        target, uploaded = work / "target", server.root / "up"

        def then_check(measure: Callable[[], float], path: Path) -> Callable[[], float]:
            def checked() -> float:
                figure = measure()
                if path.stat().st_size != size:
                    raise RuntimeError(f"{path.name} has {path.stat().st_size} bytes")
                path.unlink()
                return figure

            return checked

        process = in_seconds(size, account=account, name="big", destination=str(target))
        down = [
            *(
                on_backend(backend, then_check(process("ours.download", backend=backend), target))
                for backend in BACKENDS
            ),
            curl(size, then_check(lambda: peers.curl_download(account, "big", str(target)), target), factor=0.95),
        ]
        down_title = f"FTP download, {size // MIB} MiB, plain, to a file"
        interleave(down, bench.runs, title=down_title)

        process = in_seconds(size, account=account, name="up", source=str(source))
        up = [
            *(
                on_backend(backend, then_check(process("ours.upload", backend=backend), uploaded))
                for backend in BACKENDS
            ),
            curl(size, then_check(lambda: peers.curl_upload(account, str(source), "up"), uploaded), factor=0.95),
        ]
        up_title = f"FTP upload, {size // MIB} MiB, plain, from a file"
        interleave(up, bench.runs, title=up_title)

        late, cancel = _free_loop(bench, account, target, source)
    yield Table(down_title, "MiB/s", down, [place])
    yield Table(up_title, "MiB/s", up, [place])
    yield Table("Latest tick of a 5 ms ticker on the same loop", "ms", late)
    yield Table("From a cancel half-way to the end of the transfer", "ms", cancel)


def _free_loop(bench: Bench, account: Any, target: Path, source: Path) -> tuple[list[Contender], list[Contender]]:
    late: list[Contender] = []
    cancel: list[Contender] = []
    for backend in BACKENDS:
        if missing_module(backend) is not None:
            continue
        for what, arguments in (
            ("download", {"name": "big", "source": None, "destination": str(target)}),
            ("upload", {"name": "up", "source": str(source), "destination": None}),
        ):
            name = f"netclients, {backend}, {what}"
            cancelled = Contender(name, lambda: 0.0, limit=LATEST)
            cancel.append(cancelled)

            def measure(backend: str = backend, arguments: Any = arguments, cancelled: Contender = cancelled) -> float:
                result = in_process("ours.responsiveness", account=account, backend=backend, **arguments)
                cancelled.figures.append(result["cancel"] * 1000)
                return result["late"] * 1000

            late.append(Contender(name, measure, limit=LATEST))
    late.append(Contender("the ticker alone", lambda: in_process("ours.idle_ticker", seconds=1.0)["late"] * 1000))
    interleave(late, bench.runs, title="ticker and cancel")
    return late, cancel
