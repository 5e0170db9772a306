"""``netclients get``."""

from __future__ import annotations

import json
import logging
import socket
from pathlib import Path

import pytest

from netclients.testing import CutData, FTPServer

from .conftest import SECRET


def lines(result) -> list[dict]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def closed_port():
    # Bound and not listening: nobody else can take it meanwhile.
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


def test_one_file_silently(cli, server, root, out):
    result = cli("get", f"{server.url}/one.bin", "-o", out, "--insecure")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    assert (out / "one.bin").read_bytes() == (root / "one.bin").read_bytes()


def test_json_lines_and_one_failure(cli, server, root, out):
    urls = [f"{server.url}/{name}" for name in ("one.bin", "missing", "two.bin")]
    result = cli("get", *urls, "-o", out, "--ca-file", server.ca_file, "--json")
    assert result.exit_code == 1
    assert SECRET not in result.output
    by_name = {Path(entry["destination"]).name: entry for entry in lines(result)}
    done = by_name["one.bin"]
    assert done.pop("seconds") > 0
    assert done == {
        "source": f"ftpes://127.0.0.1:{server.port}/one.bin",
        "destination": str(out / "one.bin"),
        "size": (root / "one.bin").stat().st_size,
        "resumed_from": 0,
        "verified": True,
        "attempts": 1,
        "error": None,
        "error_type": None,
    }
    assert by_name["missing"]["error_type"] == "RemoteFileNotFound"
    assert by_name["two.bin"]["error"] is None


def test_list_from_file_and_standard_input(cli, server, out, tmp_path):
    listed = tmp_path / "urls"
    listed.write_text(f"# comment\n\n{server.url}/one.bin\n")
    assert cli("get", "-i", listed, "-o", out, "--insecure").exit_code == 0
    assert cli("get", "-i", "-", "-o", out, "--insecure", input=f"{server.url}/two.bin\n").exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == ["one.bin", "two.bin"]


def test_shares_connections(cli, server, root, out):
    names = [f"many-{number}" for number in range(12)]
    for name in names:
        (root / name).write_bytes(b"x" * 5000)
    result = cli("get", *(f"{server.url}/{name}" for name in names), "-o", out, "--insecure", "-c", "2")
    assert result.exit_code == 0
    assert server.stats.connections_peak <= 2
    assert server.stats.connections <= 2


def test_files_of_one_path_on_two_hosts_and_of_one_name_in_two_directories(cli, server, root, out, tmp_path):
    (root / "sub" / "one.bin").write_bytes(b"below")
    other_root = tmp_path / "other"
    other_root.mkdir()
    (other_root / "one.bin").write_bytes(b"other")
    with FTPServer(other_root) as other:
        first, second = tmp_path / "first", tmp_path / "second"
        assert cli("get", f"{server.url}/sub/one.bin", "-o", first, "--insecure").exit_code == 0
        assert cli("get", f"{other.url}/one.bin", "-o", second, "--insecure").exit_code == 0
        both = cli("get", f"{server.url}/sub/one.bin", f"{other.url}/one.bin", "-o", out, "--insecure")
    assert both.exit_code == 2
    assert (first / "one.bin").read_bytes() == b"below"
    assert (second / "one.bin").read_bytes() == b"other"


def test_two_hosts(cli, server, root, out, tmp_path):
    other_root = tmp_path / "other"
    other_root.mkdir()
    (other_root / "three.bin").write_bytes(b"three")
    with FTPServer(other_root) as other:
        urls = (f"{server.url}/one.bin", f"{other.url}/three.bin")
        assert cli("get", *urls, "-o", out, "--insecure", "--limit-rate", "100M").exit_code == 0
    assert (out / "three.bin").read_bytes() == b"three"
    assert (out / "one.bin").exists()


def test_a_cut_is_made_up_for(cli, server, root, out):
    server.set_faults([CutData(share=0.5, times=1)])
    result = cli("get", f"{server.url}/one.bin", "-o", out, "--insecure", "--json")
    assert result.exit_code == 0
    assert lines(result)[0]["attempts"] == 2
    assert (out / "one.bin").read_bytes() == (root / "one.bin").read_bytes()


def test_wrong_password_is_tried_once(cli, server, out):
    urls = [f"ftpes://ada:wrong-{SECRET}@127.0.0.1:{server.port}/{name}" for name in ("one.bin", "two.bin", "x")]
    result = cli("get", *urls, "-o", out, "--insecure")
    assert result.exit_code == 3
    assert SECRET not in result.output
    assert server.stats.commands["PASS"] == 1


def test_some_servers_refuse(cli, server, out):
    bad = f"ftpes://ada:wrong@127.0.0.1:{server.port}/one.bin"
    assert cli("get", bad, f"{server.url}/two.bin", "-o", out, "--insecure").exit_code == 1


def test_untrusted_certificate(cli, server, out):
    result = cli("get", f"{server.url}/one.bin", "-o", out)
    assert result.exit_code == 4
    assert "certificate" in result.stderr
    assert server.stats.logins == 0


def test_plain_needs_to_be_asked_for(cli, root, out):
    with FTPServer(root, users={"ada": SECRET}) as plain:
        assert cli("get", f"{plain.url}/one.bin", "-o", out).exit_code == 1
        assert "PASS" not in plain.stats.commands
        assert cli("get", f"{plain.url}/one.bin?tls=none", "-o", out).exit_code == 0


def test_no_server(cli, closed_port):
    result = cli("ls", f"ftp://127.0.0.1:{closed_port}/")
    assert result.exit_code == 4
    assert "refused" in result.stderr.lower()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["gopher://127.0.0.1/x"],
        ["ftp://"],
        ["ftp://127.0.0.1:99999/x"],
        ["ftp://127.0.0.1:0/x"],
        ["ftp://127.0.0.1/directory/"],
        ["ftp://127.0.0.1/.."],
        ["ftp://127.0.0.1/x\ny"],
        ["ftp://127.0.0.1/x", "-c", "0"],
        ["ftp://127.0.0.1/x", "--limit-rate", "fast"],
        ["ftp://127.0.0.1/x", "--ca-file", "/nonexistent/ca.pem"],
        ["ftp://127.0.0.1/x", "--ca-file", __file__],
        ["ftp://127.0.0.1/x", "--ca-file", __file__, "--insecure"],
        ["ftp://127.0.0.1/x", "-i", "/nonexistent/list"],
        ["ftp://127.0.0.1/x", "-o", __file__],
        ["ftp://127.0.0.1/x", "-o", "-", "--json"],
        ["ftp://127.0.0.1/x", "-o", "-", "--resume"],
        ["ftp://127.0.0.1/a/x", "ftp://127.0.0.1/b/x"],
        ["ftp://127.0.0.1/x", "ftp://127.0.0.1/x.part"],
        ["ftp://127.0.0.1/x", "--unknown"],
    ],
)
def test_usage(cli, arguments):
    result = cli("get", *arguments)
    assert result.exit_code == 2
    assert result.stderr
    assert not result.stdout


@pytest.mark.parametrize("password", ["hunter2/x", "hunter2#x", "hunter2?x"])
def test_a_mistyped_password_is_not_shown(cli, password):
    result = cli("get", f"ftp://ada:{password}@127.0.0.1/x")
    assert result.exit_code == 2
    assert "hunter2" not in result.output


def test_verbose_redacts_and_leaves_no_handler(cli, server, out):
    before = list(logging.getLogger("netclients").handlers)
    result = cli("get", f"{server.url}/one.bin", "-o", out, "--insecure", "-v")
    assert result.exit_code == 0
    assert "> PASS ***" in result.stderr
    assert "> RETR one.bin" in result.stderr
    assert SECRET not in result.output
    assert logging.getLogger("netclients").handlers == before
