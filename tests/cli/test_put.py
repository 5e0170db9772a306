"""``netclients put``."""

from __future__ import annotations

import json
import subprocess

import pytest

from netclients.testing import Reply


def test_under_a_name(cli, server, root, tmp_path):
    local = tmp_path / "local"
    local.write_bytes(b"content")
    result = cli("put", local, f"{server.url}/renamed", "--insecure")
    assert (result.exit_code, result.output) == (0, "")
    assert (root / "renamed").read_bytes() == b"content"


def test_several_into_a_new_directory(cli, server, root, tmp_path):
    files = [tmp_path / name for name in ("a", "b")]
    for file in files:
        file.write_text(file.name)
    result = cli("put", *files, f"{server.url}/new/deep/", "--insecure", "--json")
    assert result.exit_code == 0
    places = {json.loads(line)["destination"] for line in result.stdout.splitlines()}
    assert places == {f"ftpes://127.0.0.1:{server.port}/new/deep/{name}" for name in ("a", "b")}
    assert (root / "new" / "deep" / "b").read_text() == "b"


def test_into_a_directory_that_nobody_may_make_or_see(cli, server, root, tmp_path):
    (root / "inbox").mkdir()
    server.set_faults([Reply(verb, text="550 Permission denied.") for verb in ("MKD", "MLST", "MLSD", "CWD")])
    local = tmp_path / "local"
    local.write_bytes(b"content")
    result = cli("put", local, f"{server.url}/inbox/", "--insecure")
    assert (result.exit_code, result.output) == (0, "")
    assert (root / "inbox" / "local").read_bytes() == b"content"


def test_one_of_several_is_missing(cli, server, root, tmp_path):
    (tmp_path / "here").write_bytes(b"content")
    result = cli("put", tmp_path / "here", tmp_path / "missing", f"{server.url}/d/", "--insecure", "--json")
    assert result.exit_code == 1
    by_source = {entry["source"]: entry for entry in map(json.loads, result.stdout.splitlines())}
    assert by_source[str(tmp_path / "here")]["verified"]
    failed = by_source[str(tmp_path / "missing")]
    assert failed["error_type"] == "LocalFileError"
    assert (failed["size"], failed["seconds"], failed["resumed_from"], failed["verified"]) == (None,) * 4
    assert (root / "d" / "here").read_bytes() == b"content"


def test_standard_input(spawn, server, root):
    process = spawn("put", "-", f"{server.url}/piped", "--insecure", stdin=subprocess.PIPE)
    _, stderr = process.communicate(b"from a pipe" * 100_000, timeout=60)
    assert (process.returncode, stderr) == (0, b"")
    assert (root / "piped").read_bytes() == b"from a pipe" * 100_000


def test_missing_local_file(cli, server, tmp_path):
    result = cli("put", tmp_path / "missing", f"{server.url}/x", "--insecure")
    assert result.exit_code == 1
    assert "missing" in result.stderr
    assert "STOR" not in server.stats.commands


@pytest.mark.parametrize(
    "arguments",
    [
        ["only-a-file"],
        ["a", "b", "ftp://127.0.0.1/name"],
        ["-", "ftp://127.0.0.1/directory/"],
        ["a/x", "b/x", "ftp://127.0.0.1/directory/"],
        ["-", "ftp://127.0.0.1/x", "--resume"],
        ["..", "ftp://127.0.0.1/directory/"],
    ],
)
def test_usage(cli, arguments):
    assert cli("put", *arguments).exit_code == 2
