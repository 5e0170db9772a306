"""Many jobs at once: sorted by server, each server with one client and a few workers."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import anyio

from netclients.cli.failures import combine, complain, exit_code
from netclients.cli.jobs import Outcome
from netclients.cli.progress import Board, make_board
from netclients.errors import ConfigurationError, NetClientError, printable

if TYPE_CHECKING:
    from netclients.cli.jobs import Job
    from netclients.cli.session import Connected, Session
    from netclients.config import Endpoint
    from netclients.ftp.client import FTPClient
    from netclients.ftp.download import OnProgress

    Prepare = Callable[[FTPClient], Awaitable[None]]

__all__ = ["run_jobs"]


async def run_jobs(session: Session, jobs: Sequence[Job], *, prepare: Prepare | None = None) -> int:
    """Run all, tell of each as it ends, and return the exit code. ``prepare`` runs once for each server.

    Raises:
        ConfigurationError: two jobs have one destination; nothing was sent.
    """
    _refuse_collisions(jobs)
    groups: dict[Endpoint, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.target.server, []).append(job)
    hosts = [(session.client(server, hosts=len(groups)), group) for server, group in groups.items()]
    codes: list[int] = []

    def settle(outcome: Outcome) -> None:
        codes.append(exit_code(outcome.error))
        _report(session, outcome)

    on_one_screen = session.json and sys.stdout.isatty()
    with make_board(len(jobs), wanted=not on_one_screen) as board:
        async with anyio.create_task_group() as tasks:
            for connected, group in hosts:
                host = _Host(connected, group, board, settle)
                tasks.start_soon(host.run, session.concurrency, prepare)
    return combine(codes)


def _refuse_collisions(jobs: Iterable[Job]) -> None:
    taken: set[str] = set()
    for job in jobs:
        place = job.destination
        key = place.casefold() if sys.platform in ("win32", "darwin") else place
        if key in taken:
            raise ConfigurationError(f"two sources for one destination: {printable(place)}")
        taken.add(key)


def _report(session: Session, outcome: Outcome) -> None:
    if session.json:
        sys.stdout.write(outcome.as_json() + "\n")
        sys.stdout.flush()
    elif outcome.error is not None:
        complain(outcome.error, outcome.job.source)


class _Host:
    """The jobs of one server."""

    def __init__(
        self, connected: Connected, jobs: Sequence[Job], board: Board, settle: Callable[[Outcome], None]
    ) -> None:
        self._connected = connected
        self._count = len(jobs)
        self._jobs: Iterator[Job] = iter(jobs)
        self._board = board
        self._settle = settle

    async def run(self, concurrency: int, prepare: Prepare | None) -> None:
        """Do all jobs, ``concurrency`` at a time."""
        client = self._connected.client
        async with client:
            try:
                await self._connected.knock()
                if prepare is not None:
                    await prepare(client)
            except NetClientError as error:
                self._give_up(error)
                return
            async with anyio.create_task_group() as tasks:
                for _ in range(min(concurrency, self._count)):
                    tasks.start_soon(self._work)

    def _give_up(self, error: NetClientError) -> None:
        for job in self._jobs:
            self._settle(Outcome(job, None, 1, error))

    async def _work(self) -> None:
        for job in self._jobs:
            with self._board.file(job.source) as progress:
                outcome = await self._do(job, progress)
            self._settle(outcome)

    async def _do(self, job: Job, progress: OnProgress | None) -> Outcome:
        try:
            result = await job.run(self._connected.client, progress)
        except NetClientError as error:
            return Outcome(job, None, self._connected.attempts(job.operation), error)
        return Outcome(job, result, self._connected.attempts(job.operation), None)
