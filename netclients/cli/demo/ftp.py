"""The FTP scenario: hundreds of files from a plain and a TLS server that cut connections half-way."""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from netclients.cli.demo.corpus import Corpus, make_corpus
from netclients.cli.demo.scenario import Leg
from netclients.cli.demo.servers import Address, ServerProcess
from netclients.errors import printable
from netclients.events import Events
from netclients.ftp.client import FTPClient
from netclients.retry import RetryPolicy

if TYPE_CHECKING:
    from netclients.cli.demo.board import Board

__all__ = ["FTPScenario"]

_NAMES = {"plain": "FTP", "secure": "FTPS"}
_CONNECTIONS = 8
# Loopback needs no long pauses; every attempt may meet another cut.
_RETRY = RetryPolicy(attempts=10, initial=0.02, maximum=0.2)


class FTPScenario:
    """Plain first, then the same over TLS."""

    async def run(self, board: Board, work: Path) -> list[Leg]:
        """See :meth:`~netclients.cli.demo.scenario.Scenario.run`."""
        board.say("starting two FTP servers on loopback, one with TLS, and making files")
        originals = work / "originals"
        originals.mkdir()
        async with ServerProcess("ftp", originals) as servers:
            corpus = await to_thread.run_sync(make_corpus, originals)
            addresses = await servers.ready()
            legs = [_Leg(board, servers, corpus, name) for name in addresses]
            for leg in legs:
                await leg.run(addresses[leg.server], work / leg.server)
            reports = await servers.stop()
        return [leg.result(reports[leg.server]["cuts"]) for leg in legs]


class _Leg(Events):
    """All files from one server; counts what its client tells."""

    def __init__(self, board: Board, servers: ServerProcess, corpus: Corpus, name: str) -> None:
        self._board = board
        self._servers = servers
        self._corpus = corpus
        self.server = name
        self._name = _NAMES[name]
        self._moved = self._retries = self._resumed = self._verified = 0
        self._seconds = 0.0
        self._half_way = anyio.Event()

    async def run(self, address: Address, destination: Path) -> None:
        """Download, then verify."""
        corpus, board = self._corpus, self._board
        board.begin(self._name, "downloading", len(corpus.checksums), "files", corpus.size)
        started = time.monotonic()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._cut_half_way)
            await self._download(address, destination)
            tasks.cancel_scope.cancel()
        self._seconds = time.monotonic() - started
        self._verified = await to_thread.run_sync(corpus.count_verified, destination)
        board.say(f"{self._name}: {self._verified} of {len(corpus.checksums)} checksums are right")

    async def _cut_half_way(self) -> None:
        await self._half_way.wait()
        self._board.say(f"{self._name}: half of it is here; the server cuts all connections")
        await self._servers.sever(self.server)

    async def _download(self, address: Address, destination: Path) -> None:
        context = ssl.create_default_context(cadata=address.authority) if address.authority else None
        async with (
            FTPClient(address.url, ssl_context=context, retry=_RETRY, events=self) as ftp,
            ftp.download_many(self._corpus.checksums, destination, concurrency=_CONNECTIONS) as items,
        ):
            async for item in items:
                if item.error is not None:
                    self._board.say(f"{item.source}: {printable(str(item.error))}")
                self._board.advance(self._name, items=1)

    def result(self, cuts: int) -> Leg:
        """Return the row."""
        return Leg(
            name=self._name,
            unit="files",
            items=len(self._corpus.checksums),
            verified=self._verified,
            size=self._corpus.size,
            seconds=self._seconds,
            cuts=cuts,
            retries=self._retries,
            resumed=self._resumed,
        )

    # What the client tells

    def bytes_moved(self, connection: int, received: int, sent: int) -> None:
        """See :meth:`Events.bytes_moved`."""
        self._moved += received
        self._board.advance(self._name, size=received)
        if self._moved > self._corpus.size // 2:
            self._half_way.set()

    def command(self, connection: int, command: str) -> None:
        """See :meth:`Events.command`: REST tells at which byte a transfer goes on."""
        verb, _, argument = command.partition(" ")
        if verb == "REST":
            self._resumed += int(argument)

    def retry(self, operation: str, attempt: int, delay: float, error: Exception) -> None:
        """See :meth:`Events.retry`."""
        self._retries += 1
