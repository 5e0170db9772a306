"""End a process with all its descendants, by their own pids.

A process group does not do: vsftpd makes each of its sessions the leader of a new one, and they outlive the
server.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

GRACE = 5.0
POLL = 0.02


def end_family(process: subprocess.Popen[bytes], grace: float = GRACE) -> None:
    """TERM to everybody; KILL to those who are still there after ``grace`` seconds."""
    family = _freeze(process.pid) if process.poll() is None else _orphans(process.pid)
    for pid in family:
        _send(pid, signal.SIGTERM)
    for pid in family:
        _send(pid, signal.SIGCONT)
    for pid in _remaining(process, family, grace):
        _send(pid, signal.SIGKILL)
    _remaining(process, family, GRACE)
    process.wait(GRACE)


def descendants(pid: int) -> list[int]:
    """The processes below this one, in no order."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        children.setdefault(_status(entry)[1], []).append(int(entry.name))
    found, look = [], [pid]
    while look:
        below = children.get(look.pop(), [])
        found += below
        look += below
    return found


def _freeze(pid: int) -> list[int]:
    """Stop a process and its descendants; what is stopped can't fork, so nobody is missed."""
    _send(pid, signal.SIGSTOP)
    return [pid, *(descendant for child in _children(pid) for descendant in _freeze(child))]


def _orphans(leader: int) -> list[int]:
    """The processes of a session whose leader, which the server was, is no more."""
    members = [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _status(entry)[2] == leader]
    return [] if leader in members else members  # another process may have got its number


def _remaining(process: subprocess.Popen[bytes], family: list[int], seconds: float) -> list[int]:
    deadline = time.monotonic() + seconds
    while (alive := [pid for pid in family if _is_alive(pid)]) and time.monotonic() < deadline:
        process.poll()
        time.sleep(POLL)
    return alive


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # it may be quicker
        os.kill(pid, number)


def _children(pid: int) -> list[int]:
    return [int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _status(entry)[1] == pid]


def _is_alive(pid: int) -> bool:
    state, _, _ = _status(Path(f"/proc/{pid}"))
    return state not in ("", "Z")


def _status(entry: Path) -> tuple[str, int, int]:
    """State, parent and session of a process, or nothing if it is gone."""
    try:
        # The name of the program stands in parentheses and may contain anything.
        state, parent, _, session, *_ = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return "", 0, 0
    return state, int(parent), int(session)
