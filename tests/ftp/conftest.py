"""Clients of the servers under test, servers of special kinds, and what they saw."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import anyio
import pytest

from netclients import Events, FTPClient, RetryPolicy, Timeouts
from netclients.testing import FTPServer
from tests.servers import FTPTarget, RealServer, running

MakeClient = Callable[..., FTPClient]

SHORT = Timeouts(connect=5, handshake=5, reply=15, stall=15, pool=60, complete=15)
ONCE = RetryPolicy(attempts=1)


def client_for(server: FTPTarget, *, tls: str | None = None, path: str = "", **options: object) -> FTPClient:
    """A client that tries everything once: no retry hides what went wrong."""
    options.setdefault("timeouts", SHORT)
    options.setdefault("retry", ONCE)
    if (tls or server.tls_mode) not in ("none", "optional"):
        options.setdefault("ssl_context", server.ssl_context())
    return FTPClient(server.url(path, tls=tls), **options)  # type: ignore[arg-type]


@pytest.fixture
def client_of() -> MakeClient:
    """``client_of(server, tls=..., path=..., **options)``."""
    return client_for


@pytest.fixture
def ftp(ftp_server: FTPTarget) -> MakeClient:
    """A client of the server under test: ``ftp(**options)``."""
    return partial(client_for, ftp_server)


# Servers


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Callable[..., FTPServer]]:
    """``embedded(**options)`` runs an :class:`FTPServer` on ``tmp_path / "served"`` until the test ends."""
    with ExitStack() as stack:

        def start(**options: object) -> FTPServer:
            root = tmp_path / "served"
            root.mkdir(exist_ok=True)
            options.setdefault("users", {"alice": "alicepw"})
            return stack.enter_context(FTPServer(root, **options))  # type: ignore[arg-type]

        yield start


@pytest.fixture(scope="session")
def kept_servers(server_work: Path) -> Iterator[Callable[..., RealServer]]:
    """``kept_servers(name, **knobs)``: started once a session for each set of knobs; its files are cleared."""
    kept: dict[object, RealServer] = {}
    with ExitStack() as stack:

        def get(name: str, **knobs: str | int) -> RealServer:
            key = (name, *sorted(knobs.items()))
            if key not in kept:
                kept[key] = stack.enter_context(running(name, server_work, **knobs))
            kept[key].clear()
            return kept[key]

        yield get


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    where = tmp_path / "disk"
    where.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(where)], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a file system can't be mounted here")
    yield where
    subprocess.run(["umount", str(where)], check=True)


# What happened


class Recorder(Events):
    """Notes every call of a hook as ``(name, *arguments)``."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def __getattribute__(self, name: str) -> object:
        if name in Events.__dict__ and not name.startswith("_"):
            return lambda *args: self.calls.append((name, *args))
        return super().__getattribute__(name)

    def named(self, name: str) -> list[tuple[object, ...]]:
        """The arguments of all calls of one hook."""
        return [call[1:] for call in self.calls if call[0] == name]

    @property
    def verbs(self) -> list[str]:
        """The commands that were sent."""
        return [str(args[1]).split(" ", 1)[0] for args in self.named("command")]

    @property
    def received(self) -> int:
        """Bytes of data, over all transfers."""
        return sum(int(str(args[1])) for args in self.named("bytes_moved"))


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


async def poll(condition: Callable[[], object], *, seconds: float = 10) -> None:
    """Wait until ``condition`` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for did not happen"
        await anyio.sleep(0.005)


@pytest.fixture
def eventually() -> Callable[..., object]:
    """``await eventually(condition)``."""
    return poll
