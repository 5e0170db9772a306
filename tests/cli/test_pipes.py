"""Standard output as a pipe, a full disk, a terminal; and Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from netclients.testing import CutData

posix = pytest.mark.skipif(os.name != "posix", reason="POSIX signals and terminals")
MIB = 1024 * 1024


def wait_until(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_files_one_after_the_other(spawn, server, root):
    for command in (["cat"], ["get", "-o", "-"]):
        process = spawn(*command, f"{server.url}/one.bin", f"{server.url}/two.bin", "--insecure")
        stdout, stderr = process.communicate(timeout=60)
        assert (process.returncode, stderr) == (0, b"")
        assert stdout == (root / "one.bin").read_bytes() + (root / "two.bin").read_bytes()


def test_a_failure_among_them(spawn, server, root):
    process = spawn("cat", f"{server.url}/missing", f"{server.url}/two.bin", "--insecure")
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert stdout == (root / "two.bin").read_bytes()
    assert stderr.count(b"\n") == 1


@pytest.mark.parametrize("command", [["cat"], ["get", "-o", "-"]])
def test_head(spawn, server, root, command):
    (root / "long").write_bytes(b"0123456789" * MIB)
    process = spawn(*command, f"{server.url}/long", "--insecure")
    assert process.stdout.read(10) == b"0123456789"
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 0


def test_head_of_a_listing(spawn, server, root):
    for number in range(3000):
        (root / f"a-rather-long-name-to-fill-the-pipe-{number}").touch()
    process = spawn("ls", "-l", server.url, "--insecure")
    assert process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", [["cat"], ["ls"], ["get", "--json"]])
def test_full(spawn, server, tmp_path, command):
    with open("/dev/full", "wb") as full:
        process = spawn(*command, f"{server.url}/one.bin", "--insecure", stdout=full, cwd=tmp_path)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"space" in stderr
    assert b"Traceback" not in stderr


@posix
def test_interrupt_keeps_the_part(spawn, server, root, out):
    content = os.urandom(6 * MIB)
    (root / "big").write_bytes(content)
    server.set_faults([CutData(after=4 * MIB, how="stall", times=1)])
    process = spawn("get", f"{server.url}/big", "-o", out, "--insecure")
    part = out / "big.part"
    wait_until(lambda: part.exists() and part.stat().st_size >= MIB)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    assert not (out / "big").exists()
    kept = part.stat().st_size

    again = spawn("get", f"{server.url}/big", "-o", out, "--insecure", "--resume", "--json")
    stdout, _ = again.communicate(timeout=60)
    assert again.returncode == 0
    assert json.loads(stdout)["resumed_from"] == kept
    assert (out / "big").read_bytes() == content


@posix
def test_interrupt_while_nobody_reads(spawn, server, root):
    (root / "long").write_bytes(bytes(20 * MIB))
    process = spawn("cat", f"{server.url}/long", "--insecure")
    assert process.stdout.read(1)
    wait_until(lambda: server.stats.bytes_sent > 0)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130


@posix
def test_interrupt_while_nobody_writes(spawn, server):
    process = spawn("put", "-", f"{server.url}/never", "--insecure", stdin=subprocess.PIPE)
    process.stdin.write(b"a beginning")
    process.stdin.flush()
    wait_until(lambda: server.stats.bytes_received > 0)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130


@posix
@pytest.mark.parametrize("option", [[], ["--json"], ["-v"]])
def test_bars_on_a_terminal_results_in_a_pipe(spawn, server, environment, out, option):
    import pty

    ours, theirs = pty.openpty()
    urls = [f"{server.url}/{name}" for name in ("one.bin", "two.bin")]
    try:
        process = spawn(
            "get", *urls, "-o", out, "--insecure", *option, stderr=theirs, env={**environment, "TERM": "xterm"}
        )
    finally:
        os.close(theirs)
    shown = read_all(ours)
    stdout = process.stdout.read()
    assert process.wait(60) == 0
    assert b"2/2 files" in shown
    assert (b"> RETR one.bin" in shown) == (option == ["-v"])
    assert len(stdout.splitlines()) == (2 if option == ["--json"] else 0)


def read_all(terminal: int) -> bytes:
    content = b""
    try:
        while chunk := os.read(terminal, 65536):
            content += chunk
    except OSError:  # Linux: the other side is closed
        return content
    finally:
        os.close(terminal)
    return content


def test_without_the_extra():
    blocked = "import sys; sys.modules['typer'] = None; from netclients.cli import main; main()"
    result = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert "netclients[cli]" in result.stderr
    assert "Traceback" not in result.stderr


def test_version(cli):
    from netclients import __version__

    assert cli("--version").stdout == f"netclients {__version__}\n"
