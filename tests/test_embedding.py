"""Imported into somebody else's program, netclients changes nothing there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from netclients.testing import FTPServer

REPOSITORY = Path(__file__).parents[1]

STATE = """
import asyncio, builtins, gc, locale, logging, os, signal, socket, ssl, sys, threading, warnings

def state():
    loggers = {name: logger for name, logger in logging.root.manager.loggerDict.items()
               if isinstance(logger, logging.Logger)}
    return {
        "root handlers": list(logging.root.handlers),
        "handlers": {name: list(l.handlers) for name, l in loggers.items() if l.handlers},
        "levels": {name: l.level for name, l in loggers.items() if l.level},
        "propagate": {name for name, l in loggers.items() if not l.propagate},
        "disabled": logging.root.manager.disable,
        "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "wakeup": signal.set_wakeup_fd(-1),
        "excepthook": (sys.excepthook, threading.excepthook, sys.unraisablehook),
        "hooks": (sys.gettrace(), sys.getprofile(), sys.displayhook, sys.breakpointhook, sys.getswitchinterval()),
        "asyncgen": sys.get_asyncgen_hooks(),
        "meta_path": list(sys.meta_path), "path_hooks": list(sys.path_hooks), "path": list(sys.path),
        "policy": type(asyncio.get_event_loop_policy()),
        "ssl": (ssl.create_default_context, ssl._create_default_https_context, ssl.SSLContext),
        "socket": (socket.socket, socket.create_connection, socket.getaddrinfo, socket.getdefaulttimeout()),
        "open": (builtins.open, os.open, builtins.print, builtins.__import__),
        "warnings": (list(warnings.filters), warnings.showwarning),
        "gc": (gc.isenabled(), gc.get_threshold(), list(gc.callbacks)),
        "umask": (os.umask(0o22), os.umask(0o22))[1], "cwd": os.getcwd(), "locale": locale.setlocale(locale.LC_ALL),
        "recursion": sys.getrecursionlimit(), "environment": dict(os.environ),
    }

def check(before, what):
    after = state()
    different = {key: (before[key], after[key]) for key in before if before[key] != after[key]}
    assert not different, (what, different)
"""

IMPORT = """
import anyio, anyio._backends._asyncio, tenacity     # what they do themselves is theirs
before = state()
threads = set(threading.enumerate())
import netclients
check(before, "import")
for name in netclients.__all__:
    getattr(netclients, name)
check(before, "names")
assert set(threading.enumerate()) == threads
"""

USE = """
from netclients import FTPClient, NetClientError

async def use(first=True):
    async with FTPClient(sys.argv[1], tls="none") as ftp:
        await ftp.upload(b"x" * 100_000, "f")
        assert await ftp.read_bytes("f") == b"x" * 100_000
        async for entry in ftp.scandir():
            assert entry.name == "f"
        # No file, no worker thread.
        assert not first or set(threading.enumerate()) == threads, threading.enumerate()
        await ftp.download("f", sys.argv[2])
        try:
            await ftp.read_bytes("missing")
        except NetClientError:
            pass
        async with ftp.download_many(["f"], sys.argv[2] + ".d") as items:
            async for item in items:
                item.raise_for_error()

"""

ASYNCIO = """
asyncio.run(use())
check(before, "use")
# Those that read and write files are told to end with the loop.
for thread in set(threading.enumerate()) - threads:
    thread.join(10)
assert set(threading.enumerate()) == threads, threading.enumerate()
"""

TRIO = """
import trio
before["signals"] = state()["signals"]
before["excepthook"] = state()["excepthook"]
anyio.run(use, backend="trio")
check(before, "use")
# trio keeps its worker threads for a while.
assert all("Trio" in thread.name for thread in set(threading.enumerate()) - threads), threading.enumerate()
"""

QUIET = """
import gc
gc.collect()
assert not logging.getLogger("netclients").handlers
"""


def python(code: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", code, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    # Not a word on the way, neither from log handlers of last resort nor from unclosed sockets.
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_importing_changes_nothing() -> None:
    python(STATE + IMPORT + QUIET)


@pytest.mark.parametrize("loop", [ASYNCIO, TRIO], ids=["asyncio", "trio"])
def test_using_changes_nothing(tmp_path: Path, loop: str) -> None:
    root = tmp_path / "served"
    root.mkdir()
    with FTPServer(root, users={"alice": "alicepw"}) as server:
        python(STATE + IMPORT + USE + loop + QUIET, server.url, str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == b"x" * 100_000


def test_inside_a_running_loop_nothing_is_left(tmp_path: Path) -> None:
    root = tmp_path / "served"
    root.mkdir()
    code = """
async def main():
    loop = asyncio.get_running_loop()
    handler, factory = loop.get_exception_handler(), loop.get_task_factory()
    await use()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}, asyncio.all_tasks()
    assert (loop.get_exception_handler(), loop.get_task_factory()) == (handler, factory)
    open_files = [name for name in os.listdir("/proc/self/fd")] if os.path.exists("/proc/self/fd") else []
    await use(first=False)
    if open_files:
        assert len(os.listdir("/proc/self/fd")) == len(open_files)
asyncio.run(main())
"""
    with FTPServer(root, users={"alice": "alicepw"}) as server:
        python(STATE + IMPORT + USE + code, server.url, str(tmp_path / "out"))
