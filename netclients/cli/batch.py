"""The files of one command: sorted by server, a client and a batch of the library for each, one board for all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import anyio

from netclients.cli.failures import combine, complain, exit_code
from netclients.cli.jobs import as_json
from netclients.cli.progress import Board, make_board
from netclients.errors import NetClientError
from netclients.events import Trace
from netclients.ftp.results import Item
from netclients.retry import RetryPolicy, retrying

if TYPE_CHECKING:
    from netclients.cli.jobs import Job
    from netclients.cli.session import Session
    from netclients.config import Endpoint
    from netclients.ftp.client import FTPClient
    from netclients.ftp.download import OnProgress
    from netclients.ftp.results import Progress
    from netclients.streams import Stream

    Start = Callable[[FTPClient, Sequence[Job], OnProgress | None], Stream[Item]]

__all__ = ["run_jobs"]


async def run_jobs(session: Session, jobs: Sequence[Job], start: Start) -> int:
    """Run all, tell of each as it ends, and return the exit code. ``start`` begins the batch of one server."""
    groups: dict[Endpoint, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.server, []).append(job)
    clients = [session.client(server, hosts=len(groups)) for server in groups]
    codes: list[int] = []
    on_one_screen = session.json and sys.stdout.isatty()
    with make_board(len(jobs), wanted=not on_one_screen) as board:

        def settle(job: Job, item: Item) -> None:
            board.ended(job.source)
            codes.append(exit_code(item.error))
            _report(session, job, item)

        async with anyio.create_task_group() as tasks:
            for client, group in zip(clients, groups.values(), strict=True):
                tasks.start_soon(_run_group, client, group, start, board, settle)
    return combine(codes)


async def _run_group(
    client: FTPClient, jobs: Sequence[Job], start: Start, board: Board, settle: Callable[[Job, Item], None]
) -> None:
    """Do the jobs of one server."""
    by_path = {job.remote: job for job in jobs}
    by_source = {job.item_source: job for job in jobs}

    def moved(progress: Progress) -> None:
        board.moved(by_path[progress.source].source, progress)

    async with client:
        try:
            await _knock(client)
        except NetClientError as error:
            for job in jobs:
                settle(job, Item(job.item_source, None, 0, 1, error))
            return
        async with start(client, jobs, moved if board.live else None) as items:
            async for item in items:
                settle(by_source[item.source], item)


async def _knock(client: FTPClient) -> None:
    """Log in once, before many connections do: a wrong password or a dead host is met one time, not N times."""

    async def log_in() -> None:
        async with client.connection():
            pass

    await retrying(RetryPolicy(), "connect", Trace("ftp", None), log_in)


def _report(session: Session, job: Job, item: Item) -> None:
    if session.json:
        sys.stdout.write(as_json(job, item) + "\n")
        sys.stdout.flush()
    elif item.error is not None:
        complain(item.error, job.source)
