"""``netclients send``."""

from __future__ import annotations

import email
import email.policy
import json
import os
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest

from netclients.testing import CutContent, Greylist, Hangup, SMTPServer, Stall

from .conftest import SECRET
from .test_credentials import Terminal
from .test_pipes import wait_until

posix = pytest.mark.skipif(os.name != "posix", reason="Unix sockets, terminals, permissions")
ENVELOPE = ("--from", "ada@example.org", "--to", "bob@example.org")
RAW = b"From: ada@example.org\nSubject: raw\nMessage-ID: <raw@example.org>\n\n.line\nlast\n"
GONE = "550 5.1.1 No such user."


@pytest.fixture
def plain():
    """No TLS, no login."""
    with SMTPServer(refuse={"gone@example.org": GONE}) as server:
        yield server


@pytest.fixture
def guarded():
    """STARTTLS and a login are required."""
    with SMTPServer(users={"ada": SECRET}, tls="starttls", tls_required=True, require_auth=True) as server:
        yield server


def parsed(server):
    [received] = server.messages
    return email.message_from_bytes(received.content, policy=email.policy.default)


# Composed


def test_composed_from_options(cli, plain, tmp_path):
    (tmp_path / "größe.bin").write_bytes(bytes(range(256)) * 100)
    (tmp_path / "b.csv").write_text("a,b\n")
    (tmp_path / "page.html").write_text("<p>Grüße</p>", encoding="utf-8")
    result = cli(
        *("send", plain.url, "--from", "Ada Lovelace <ada@example.org>", "--to", "Bob <bob@example.org>"),
        *("--to", "eve@example.org", "--cc", "carl@example.org", "--bcc", "dora@example.org"),
        *("--subject", "Grüße", "--text", "Hallo Welt", "--html", tmp_path / "page.html"),
        *("--attach", tmp_path / "größe.bin", "--attach", tmp_path / "b.csv"),
    )
    everybody = [f"{name}@example.org" for name in ("bob", "eve", "carl", "dora")]
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "".join(f"accepted {address}\n" for address in everybody)
    [received] = plain.messages
    assert (received.sender, list(received.recipients)) == ("ada@example.org", everybody)
    message = parsed(plain)
    assert (message["Subject"], message["From"]) == ("Grüße", "Ada Lovelace <ada@example.org>")
    assert (message["To"], message["Cc"]) == ("Bob <bob@example.org>, eve@example.org", "carl@example.org")
    assert b"dora" not in received.content
    assert message.get_body(("plain",)).get_content() == "Hallo Welt\r\n"
    assert message.get_body(("html",)).get_content() == "<p>Grüße</p>\r\n"
    attached = {part.get_filename(): part.get_content() for part in message.iter_attachments()}
    assert attached == {"größe.bin": bytes(range(256)) * 100, "b.csv": "a,b\n"}
    assert plain.violations == []


def test_text_from_standard_input(cli, plain):
    result = cli("send", plain.url, *ENVELOPE, input="erste Zeile\nzweite: ü\n".encode())
    assert (result.exit_code, result.output) == (0, "accepted bob@example.org\n")
    assert parsed(plain).get_content() == "erste Zeile\r\nzweite: ü\r\n"
    assert parsed(plain)["Subject"] is None


def test_standard_input_is_not_touched_when_there_is_a_text(spawn, plain):
    process = spawn("send", plain.url, *ENVELOPE, "--text", "", stdin=subprocess.PIPE)
    assert process.wait(60) == 0
    assert parsed(plain).get_content().strip() == ""


def test_a_name_beyond_ascii(spawn, environment, plain):
    arguments = ("--from", "ada@example.org", "--to", "zoë@example.org", "--text", "x")
    process = spawn("send", plain.url, *arguments, env={**environment, "LC_ALL": "C"})
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, b"")
    assert stdout.startswith(b"accepted zo")
    assert plain.messages[0].recipients == ("zoë@example.org",)


# Raw


def test_raw_files_and_standard_input(cli, plain, tmp_path):
    unchanged = RAW.replace(b"\n", b"\r\n")
    (tmp_path / "lf.eml").write_bytes(RAW)
    (tmp_path / "crlf.eml").write_bytes(unchanged)
    names = ["--raw", tmp_path / "lf.eml", "--raw", "-", "--raw", tmp_path / "crlf.eml"]
    result = cli("send", plain.url, *ENVELOPE, "--to", "eve@example.org", *names, input=RAW)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "accepted bob@example.org\naccepted eve@example.org\n" * 3
    assert [message.content for message in plain.messages] == [unchanged] * 3
    assert {message.recipients for message in plain.messages} == {("bob@example.org", "eve@example.org")}
    assert plain.violations == []


def test_raw_with_the_null_sender(cli, plain):
    assert cli("send", plain.url, "--from", "", "--to", "bob@example.org", "--raw", "-", input=RAW).exit_code == 0
    assert plain.messages[0].sender == ""


def test_a_raw_file_among_others_is_missing(cli, plain, tmp_path):
    (tmp_path / "here.eml").write_bytes(RAW)
    names = ["--raw", tmp_path / "missing.eml", "--raw", tmp_path / "here.eml"]
    result = cli("send", plain.url, *ENVELOPE, *names, "--json")
    assert result.exit_code == 1
    by_source = {entry["source"]: entry for entry in map(json.loads, result.stdout.splitlines())}
    assert by_source[str(tmp_path / "missing.eml")]["error_type"] == "LocalFileError"
    assert by_source[str(tmp_path / "here.eml")]["ok"]
    assert result.stderr.count("missing.eml") >= 1
    assert len(plain.messages) == 1


def test_raw_with_a_bcc_is_not_sent(cli, plain):
    result = cli("send", plain.url, *ENVELOPE, "--raw", "-", input=b"Bcc: x@example.org\n" + RAW)
    assert result.exit_code == 2
    assert "Bcc" in result.stderr
    assert plain.messages == []


# Receipts


def test_json(cli, plain, tmp_path):
    arguments = ("--to", "gone@example.org", "--text", "x", "--json")
    result = cli("send", plain.url, *ENVELOPE, *arguments)
    assert (result.exit_code, result.stderr) == (1, "")
    [line] = result.stdout.splitlines()
    receipt = json.loads(line)
    assert receipt.pop("seconds") > 0
    assert receipt.pop("message_id") == parsed(plain)["Message-ID"]
    assert receipt == {
        "source": None,
        "ok": False,
        "accepted": ["bob@example.org"],
        "refused": {"gone@example.org": {"code": 550, "enhanced": "5.1.1", "text": "5.1.1 No such user."}},
        "unknown": [],
        "unsent": [],
        "attempts": 1,
        "error": None,
        "error_type": None,
    }


def test_one_is_refused(cli, plain):
    result = cli("send", plain.url, *ENVELOPE, "--to", "gone@example.org", "--text", "x")
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout == "accepted bob@example.org\nrefused gone@example.org: 550 5.1.1 No such user.\n"
    assert plain.messages[0].recipients == ("bob@example.org",)


def test_all_are_refused(cli, plain):
    result = cli("send", plain.url, "--from", "ada@example.org", "--to", "gone@example.org", "--text", "x")
    assert result.exit_code == 1
    assert result.stdout == "refused gone@example.org: 550 5.1.1 No such user.\n"
    assert "No such user" in result.stderr
    assert plain.messages == []


def test_put_off_and_sent_again(cli, plain):
    plain.set_faults([Greylist(recipients="eve@*")])
    result = cli("send", plain.url, *ENVELOPE, "--to", "eve@example.org", "--text", "x")
    assert (result.exit_code, result.stdout) == (0, "accepted bob@example.org\naccepted eve@example.org\n")
    assert [message.recipients for message in plain.messages] == [("bob@example.org",), ("eve@example.org",)]


def test_outcome_unknown(cli, plain):
    plain.set_faults([Hangup("CONTENT", executed=True)])
    result = cli("send", plain.url, *ENVELOPE, "--text", "x")
    assert (result.exit_code, result.stdout) == (1, "unknown bob@example.org\n")
    assert "unknown" in result.stderr
    assert len(plain.messages) == 1


# What fails


def test_wrong_password(cli, guarded):
    result = cli("send", guarded.url.replace(SECRET, "wrong-word"), *ENVELOPE, "--text", "x", "--insecure", "-v")
    assert result.exit_code == 3
    assert result.stdout == "unsent bob@example.org\n"
    assert "wrong-word" not in result.output
    assert "535" in result.stderr
    assert guarded.messages == []


def test_nobody_listens(cli):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # bound and not listening
        result = cli("send", f"smtp://127.0.0.1:{sock.getsockname()[1]}", *ENVELOPE, "--text", "x")
    assert (result.exit_code, result.stdout) == (4, "unsent bob@example.org\n")
    assert "Traceback" not in result.stderr


def test_a_certificate_that_nobody_trusts(cli, guarded):
    result = cli("send", guarded.url, *ENVELOPE, "--text", "x")
    assert result.exit_code == 4
    assert "certificate" in result.stderr
    assert SECRET not in result.output
    assert guarded.stats.logins == 0


def test_missing_attachment(cli, plain, tmp_path):
    for option in ("--attach", "--html"):
        result = cli("send", plain.url, *ENVELOPE, "--text", "x", option, tmp_path / "missing.pdf")
        assert (result.exit_code, result.stdout) == (1, "")
        assert "missing.pdf" in result.stderr
    assert plain.stats.connections == 0


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["ftp://127.0.0.1/", *ENVELOPE, "--text", "x"],
        ["smtp://127.0.0.1:99999", *ENVELOPE, "--text", "x"],
        ["smtp://127.0.0.1", "--to", "bob@example.org", "--text", "x"],
        ["smtp://127.0.0.1", "--from", "ada@example.org", "--text", "x"],
        ["smtp://127.0.0.1", "--from", "ada@example.org", "--to", "nobody", "--text", "x"],
        ["smtp://127.0.0.1", *ENVELOPE, "--text", "x", "--subject", "two\r\nlines: x"],
        ["smtp://127.0.0.1", *ENVELOPE, "--raw", "a", "--subject", "x"],
        ["smtp://127.0.0.1", *ENVELOPE, "--raw", "a", "--attach", "x"],
        ["smtp://127.0.0.1", "--from", "ada@example.org", "--raw", "a"],
        ["smtp://127.0.0.1", "--to", "bob@example.org", "--raw", "a"],
        ["smtp://127.0.0.1", *ENVELOPE, "--raw", "-", "--raw", "-"],
        ["smtp://127.0.0.1", *ENVELOPE, "--text", "x", "--insecure", "--ca-file", "x"],
        ["smtp://127.0.0.1", *ENVELOPE, "--text", "x", "--ca-file", "/nowhere/ca.pem"],
        ["smtp://127.0.0.1", *ENVELOPE, "--text", "x", "-c", "0"],
    ],
)
def test_usage(cli, arguments):
    result = cli("send", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


def test_a_text_that_is_not_utf8(cli, plain, tmp_path):
    (tmp_path / "page.html").write_bytes(b"\xff\xfe")
    assert cli("send", plain.url, *ENVELOPE, input=b"\xff\xfe").exit_code == 2
    assert cli("send", plain.url, *ENVELOPE, "--html", tmp_path / "page.html").exit_code == 2
    assert plain.stats.connections == 0


# TLS and credentials


def test_starttls_with_a_ca_file(cli, guarded):
    result = cli("send", guarded.url, *ENVELOPE, "--text", "x", "--ca-file", guarded.ca_file, "-v")
    assert (result.exit_code, result.stdout) == (0, "accepted bob@example.org\n")
    assert "STARTTLS" in result.stderr
    assert SECRET not in result.output
    [received] = guarded.messages
    assert (received.secure, received.authenticated) == (True, "ada")


def test_tls_from_the_first_byte_insecure(cli):
    with SMTPServer(users={"ada": SECRET}, tls="implicit") as server:
        assert server.url.startswith("smtps://")
        assert cli("send", server.url, *ENVELOPE, "--text", "x", "--insecure").exit_code == 0
        assert server.messages[0].secure


def bare_url(server):
    return f"smtp://127.0.0.1:{server.port}"


def test_credentials_from_the_environment(cli, guarded, monkeypatch):
    monkeypatch.setenv("NETCLIENTS_USER", "ada")
    monkeypatch.setenv("NETCLIENTS_PASSWORD", SECRET)
    result = cli("send", bare_url(guarded), *ENVELOPE, "--text", "x", "--insecure", "-v")
    assert result.exit_code == 0
    assert SECRET not in result.output
    assert guarded.messages[0].authenticated == "ada"


def test_credentials_from_netrc(cli, guarded, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login ada password {SECRET}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    result = cli("send", bare_url(guarded), *ENVELOPE, "--text", "x", "--insecure", "-v")
    assert result.exit_code == 0
    assert SECRET not in result.output
    assert guarded.messages[0].authenticated == "ada"


@posix
def test_password_from_a_prompt(environment, guarded):
    url = bare_url(guarded).replace("//", "//ada@")
    terminal = Terminal(environment, "send", url, *ENVELOPE, "--text", "x", "--insecure", "-v")
    terminal.read_until(b"Password for ada@127.0.0.1: ")
    terminal.type(SECRET.encode() + b"\n")
    assert terminal.end() == 0
    assert SECRET.encode() not in terminal.shown
    assert guarded.messages[0].authenticated == "ada"


# LMTP, pipes


@posix
def test_lmtp_over_a_unix_socket(cli):
    with (
        tempfile.TemporaryDirectory() as short,  # such paths have about 100 bytes at the most
        SMTPServer(
            lmtp=True, unix=Path(short, "lmtp"), final_replies={"full@example.org": "552 5.2.2 Full."}
        ) as server,
    ):
        assert server.url.startswith("lmtp+unix://")
        result = cli("send", server.url, *ENVELOPE, "--to", "full@example.org", "--text", "x")
        assert result.exit_code == 1
        assert result.stdout == "accepted bob@example.org\nrefused full@example.org: 552 5.2.2 Full.\n"
        assert server.messages[0].recipients == ("bob@example.org",)


def test_in_a_pipe(spawn, plain):
    process = spawn("send", plain.url, *ENVELOPE, "--raw", "-", "--json", stdin=subprocess.PIPE)
    stdout, stderr = process.communicate(RAW + b"x" * 70 + b"\n" * 100_000, timeout=60)
    assert (process.returncode, stderr) == (0, b"")
    assert json.loads(stdout)["accepted"] == ["bob@example.org"]
    assert plain.messages[0].size > 200_000


@posix
def test_interrupted(spawn, plain):
    plain.set_faults([Stall("CONTENT")])
    process = spawn("send", plain.url, *ENVELOPE, "--text", "x")
    wait_until(lambda: plain.stats.faults)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, b"")
    assert b"Traceback" not in stderr


@posix
def test_the_reader_of_the_receipts_has_gone(spawn, plain, tmp_path):
    (tmp_path / "raw.eml").write_bytes(RAW)
    reading, writing = os.pipe()
    os.close(reading)
    process = spawn("send", plain.url, *ENVELOPE, "--raw", tmp_path / "raw.eml", stdout=writing)
    os.close(writing)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, b"")
    assert len(plain.messages) == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_receipts_that_cannot_be_written(spawn, plain):
    with open("/dev/full", "wb") as full:
        process = spawn("send", plain.url, *ENVELOPE, "--text", "x", stdout=full)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"space" in stderr
    assert b"Traceback" not in stderr


def test_cut_amid_the_content_and_sent_again(cli, plain, tmp_path):
    (tmp_path / "big.bin").write_bytes(os.urandom(6_000_000))
    plain.set_faults([CutContent(after=100_000, times=1)])
    result = cli("send", plain.url, *ENVELOPE, "--text", "x", "--attach", tmp_path / "big.bin", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["attempts"] == 2
    [attached] = parsed(plain).iter_attachments()
    assert attached.get_content() == (tmp_path / "big.bin").read_bytes()
