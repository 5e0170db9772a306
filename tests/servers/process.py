"""Start a recipe, wait until it answers, stop it with everything that it started.

``launch``, ``wait_until`` and ``stop`` are for servers of every kind (see mail.py); the rest is FTP.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .family import GRACE, POLL, end_family
from .ports import HOST, PortBlock, claim_ports, is_open
from .recipes import HERE, INSTALL_ROOT, RECIPES, FTPRecipe
from .target import FTPTarget

START_TIMEOUT = 30.0
GREETING_TIMEOUT = 5.0


class ServerError(RuntimeError):
    """A server did not start, or did not stop."""


class Running(Protocol):
    """What starting, stopping and reporting need to know of a server of any kind."""

    @property
    def name(self) -> str: ...
    @property
    def process(self) -> subprocess.Popen[bytes]: ...
    @property
    def output_file(self) -> Path: ...
    @property
    def log_file(self) -> Path: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RealServer(FTPTarget):
    """A recipe that runs.

    ``log_file`` is the server's own log, ``output_file`` what it printed. ``command_log`` has the commands
    that it was sent, if it can log them and was started with ``LOG_PROTOCOL="yes"``.
    """

    log_file: Path
    command_log: Path | None
    output_file: Path
    process: subprocess.Popen[bytes]


@contextmanager
def work_directory() -> Iterator[Path]:
    """A directory for the files of servers, removed at the end.

    Its path is short, because Unix sockets live in it; everybody may pass through it, because servers drop
    root.
    """
    work = Path(tempfile.mkdtemp(prefix="nc-", dir="/tmp"))
    work.chmod(0o755)
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def own_directory(work: Path) -> Path:
    """A new directory for one server. One by port would come back with the port, and with the files of another."""
    own = Path(tempfile.mkdtemp(prefix="s-", dir=work))
    own.chmod(0o755)
    return own


def launch(script: str, environment: dict[str, str], output_file: Path) -> subprocess.Popen[bytes]:
    """Start a script of this directory, in its own session: Ctrl-C is for the tests, fixtures stop the server.

    Its output goes to a file, because a pipe that nobody drains blocks it.
    """
    with output_file.open("wb") as output:
        return subprocess.Popen(
            [HERE / script],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )


def wait_until(ready: Callable[[], bool], server: Running) -> None:
    """Poll until the server is ready; :class:`ServerError`, with the end of its logs, if it exits or takes too long."""
    deadline = time.monotonic() + START_TIMEOUT
    while not ready():
        if time.monotonic() > deadline:
            raise ServerError(report(server, f"did not greet within {START_TIMEOUT:.0f} s"))
        try:
            status = server.process.wait(POLL)
        except subprocess.TimeoutExpired:
            continue
        raise ServerError(report(server, f"exited with {status} before it greeted"))


def stop(server: Running, ports: Iterable[int], *, grace: float = GRACE) -> None:
    """End the server with all its processes; afterwards nobody listens on its ports."""
    end_family(server.process, grace)
    for port in ports:
        if is_open(port):
            raise ServerError(report(server, f"was stopped, but port {port} is still open"))


def report(server: Running, problem: str) -> str:
    """What is wrong, and the last that the server said of it."""
    lines = [f"{server.name} {problem}"]
    for path in (server.output_file, server.log_file):
        if path.exists():
            lines += [f"--- {path.name}", *path.read_text(errors="replace").splitlines()[-20:]]
    return "\n".join(lines)


@contextmanager
def running(name: str, work: Path, **knobs: str | int) -> Iterator[RealServer]:
    """Run the recipe ``name`` with these knobs (see README.md).

    Servers that share ``work`` share their certificate, and nothing else: each has a new directory below it.
    """
    recipe = RECIPES[name]
    settings = {knob: str(value) for knob, value in knobs.items()}
    recipe.check_knobs(settings)
    with claim_ports() as ports:
        server = _start(recipe, work, ports, settings)
        try:
            wait_until(lambda: _greets(server), server)
            yield server
        finally:
            stop(server, [server.port])


def _start(recipe: FTPRecipe, work: Path, ports: PortBlock, knobs: dict[str, str]) -> RealServer:
    own = own_directory(work)
    directory = own / recipe.directory.format(port=ports.control)
    user = recipe.user.format(port=ports.control)
    output_file = own / f"{directory.name}.out"
    environment = {
        **os.environ,
        **knobs,
        "ROOT": str(INSTALL_ROOT),
        "WORK": str(own),
        "CERT_DIR": str(work / "cert"),
        "PORT": str(ports.control),
        "FTP_USER": user,
        "PASV_MIN": str(ports.passive_min),
        "PASV_MAX": str(ports.passive_max),
    }
    process = launch(recipe.script, environment, output_file)
    return RealServer(
        name=recipe.name,
        host=HOST,
        port=ports.control,
        user=user,
        password=recipe.password,
        tls_mode=knobs.get("MODE", recipe.default_mode),
        ca_file=work / "cert" / "ca.pem",
        root=directory / recipe.root.format(port=ports.control),
        log_file=directory / recipe.log,
        command_log=directory / recipe.command_log if recipe.command_log else None,
        output_file=output_file,
        process=process,
    )


def _greets(server: RealServer) -> bool:
    """Whether the server answers. Ends the session in order: an open one counts as a client."""
    try:
        with socket.create_connection((HOST, server.port), timeout=GREETING_TIMEOUT) as plain:
            if server.tls_mode != "implicit":
                return _greeting_and_goodbye(plain)
            with server.ssl_context().wrap_socket(plain, server_hostname=HOST) as secure:
                return _greeting_and_goodbye(secure)
    except OSError:
        return False


def _greeting_and_goodbye(connection: socket.socket) -> bool:
    greeting = connection.recv(4096)
    connection.sendall(b"QUIT\r\n")
    while connection.recv(4096):
        pass
    return greeting.startswith(b"220")
