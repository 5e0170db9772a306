"""``netclients ls``."""

from __future__ import annotations

import json
import os
import sys

import pytest

posix = pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names that this file system can't have")


def test_names(cli, server):
    result = cli("ls", server.url, "--insecure")
    assert (result.exit_code, sorted(result.stdout.split())) == (0, ["one.bin", "sub", "two.bin"])


def test_long(cli, server, root):
    os.utime(root / "one.bin", (1_000_000_000, 1_000_000_000))
    (root / "one.bin").chmod(0o640)
    lines = cli("ls", "-l", server.url, "--insecure").stdout.splitlines()
    line = next(line for line in lines if line.endswith("one.bin"))
    assert line.split() == ["-rw-r-----", "1024007", "2001-09-09", "01:46", "one.bin"]
    assert any(line.startswith("d") and line.endswith("sub") for line in lines)


def test_json(cli, server, root):
    result = cli("ls", "--json", f"{server.url}/", "--insecure")
    entries = {entry["name"]: entry for entry in map(json.loads, result.stdout.splitlines())}
    one = entries["one.bin"]
    assert set(one) == {"name", "path", "kind", "size", "modified", "mode", "target"}
    assert (one["path"], one["kind"], one["size"]) == ("one.bin", "file", 1024007)
    assert one["modified"].endswith("+00:00")
    assert entries["sub"]["kind"] == "dir"


def test_a_file(cli, server):
    result = cli("ls", f"{server.url}/one.bin", "--insecure")
    assert (result.exit_code, result.stdout) == (0, "one.bin\n")


def test_missing(cli, server):
    result = cli("ls", f"{server.url}/missing", "--insecure")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "missing" in result.stderr


@posix
@pytest.mark.parametrize("option", [[], ["-l"], ["--json"]])
def test_control_characters_never_reach_the_terminal(cli, server, root, option):
    (root / "evil\x1b]0;title\x07\x9b1m").touch()
    (root / os.fsdecode(b"latin-\xe9")).touch()
    result = cli("ls", server.url, "--insecure", *option)
    assert result.exit_code == 0
    assert all(line.isprintable() for line in result.stdout.splitlines())
    if option == ["--json"]:
        assert "evil\x1b]0;title\x07\x9b1m" in {json.loads(line)["name"] for line in result.stdout.splitlines()}
    else:
        assert "evil\\x1b]0;title\\x07\\x9b1m" in result.stdout


@posix
def test_bare_environment_and_ascii(spawn, server, root):
    (root / "grün\x1b").touch()
    bare = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    process = spawn("ls", server.url, "--insecure", env=bare)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, b"")
    assert b"gr\\xfcn\\x1b" in stdout
