"""A server, and the command line in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from netclients.cli.app import app
from netclients.testing import FTPServer

SECRET = "s3cret-word"
CONTENT = bytes(range(256)) * 4000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    root.mkdir()
    for name in ("one.bin", "two.bin"):
        (root / name).write_bytes(name.encode() + CONTENT)
    (root / "sub").mkdir()
    return root


@pytest.fixture
def server(root: Path) -> Iterator[FTPServer]:
    with FTPServer(root, users={"ada": SECRET}, tls="explicit") as server:
        yield server


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def cli(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., object]:
    """``cli("get", url, ..., input=...)``: in this process, without the machine's own credentials."""
    monkeypatch.setenv("HOME", str(home))
    for name in ("NETRC", "NETCLIENTS_USER", "NETCLIENTS_PASSWORD"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str | Path, **options: object) -> object:
        return CliRunner().invoke(app, [str(argument) for argument in arguments], **options)

    return run


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """For processes of their own."""
    keep = {"PATH", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP"}
    return {**{name: os.environ[name] for name in keep & os.environ.keys()}, "HOME": str(home)}


@pytest.fixture
def spawn(environment: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """``spawn("get", url, ..., stdin=..., env=...)``: a process, ended with the test at the latest."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str | Path, **options: object) -> subprocess.Popen[bytes]:
        settings: dict[str, object] = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "env": environment,
            "cwd": Path(__file__).parents[2],
            **options,
        }
        command = [sys.executable, "-m", "netclients.cli", *map(str, arguments)]
        processes.append(subprocess.Popen(command, **settings))
        return processes[-1]

    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
