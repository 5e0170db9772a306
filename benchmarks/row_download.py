"""Rows ``download`` and ``tls``: one large file, thrown away as it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks import peers
from benchmarks.harness import MIB, Bench, Contender, Table, in_process, interleave, missing_module
from benchmarks.servers import account_of, sparse_file, vsftpd, work_directory

BACKENDS = ("asyncio", "uvloop", "trio")


def plain(bench: Bench) -> Iterable[Table]:
    """Row ``download``."""
    size = bench.amount(512, 32) * MIB
    with work_directory() as work, vsftpd(work) as server:
        sparse_file(server, "big", size)
        account = account_of(server)
        process = in_seconds(size, account=account, name="big")
        contenders = [
            *(on_backend(backend, process("ours.download", backend=backend)) for backend in BACKENDS),
            Contender(
                "aioftp",
                process("peers.aioftp_download"),
                factor=3.5,
                missing=missing_module("aioftp"),
            ),
            Contender("ftplib, 256 KiB blocks", process("peers.ftplib_download", block=256 * 1024), factor=1.0),
            Contender("ftplib, 8 KiB blocks (its default)", process("peers.ftplib_download", block=8192)),
            curl(size, lambda: peers.curl_download(account, "big"), factor=1.2),
            Contender("nothing but asyncio: sock_recv_into", process("peers.asyncio_download")),
        ]
        title = f"FTP download, {size // MIB} MiB, plain, discarded"
        interleave(contenders, bench.runs, title=title)
    yield Table(title, "MiB/s", contenders)


def tls(bench: Bench) -> Iterable[Table]:
    """Row ``tls``: data connections must resume the control connection's session."""
    size = bench.amount(512, 32) * MIB
    with work_directory() as work, vsftpd(work, MODE="force") as server:
        sparse_file(server, "big", size)
        source = sparse_source(work, size)
        account = account_of(server)
        process = in_seconds(size, account=account, name="big")
        down = [
            *(on_backend(backend, process("ours.download", backend=backend)) for backend in BACKENDS),
            curl(size, lambda: peers.curl_download(account, "big"), factor=1.8),
        ]
        title = f"FTP download, {size // MIB} MiB, TLS with session reuse required, discarded"
        interleave(down, bench.runs, title=title)
        process = in_seconds(size, account=account, name="up", source=str(source))
        up = [
            Contender("netclients, asyncio", process("ours.upload", backend="asyncio")),
            curl(size, lambda: peers.curl_upload(account, str(source), "up"), factor=0.95),
        ]
        up_title = f"FTP upload, {size // MIB} MiB, TLS with session reuse required"
        interleave(up, bench.runs, title=up_title)
    yield Table(title, "MiB/s", down, ["aioftp hangs and ftplib is refused (522) where session reuse is required."])
    yield Table(up_title, "MiB/s", up)


def in_seconds(size: int, **common: Any) -> Callable[..., Callable[[], float]]:
    """Return a maker of measures: MiB/s of a function that runs in its own process and must move ``size`` bytes."""

    def make(function: str, **arguments: Any) -> Callable[[], float]:
        def measure() -> float:
            result = in_process(function, **common, **arguments)
            if result["done"] != size:
                raise RuntimeError(f"{function} moved {result['done']} bytes, not {size}")
            return size / MIB / result["seconds"]

        return measure

    return make


def curl(size: int, measure: Callable[[], float], *, factor: float) -> Contender:
    """curl as a contender, by its own clock."""
    return Contender("curl", lambda: size / MIB / measure(), factor=factor, missing=peers.missing_program("curl"))


def on_backend(backend: str, measure: Callable[[], float]) -> Contender:
    """Ours on one of the three event loops."""
    return Contender(f"netclients, {backend}", measure, missing=missing_module(backend))


def sparse_source(work: Path, size: int) -> Path:
    """Make a local file of zeros to upload."""
    path = work / "source"
    with path.open("wb") as file:
        file.truncate(size)
    return path
