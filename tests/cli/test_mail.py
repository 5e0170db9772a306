"""``netclients mail``."""

from __future__ import annotations

import datetime as dt
import email
import json
import os
import signal
import socket
from pathlib import Path

import pytest

from netclients import compose
from netclients.cli.mail import saving
from netclients.cli.mail.screen import column, plain_text, visible
from netclients.testing import CutReply, IMAPServer, Reply

from .conftest import SECRET
from .test_credentials import Terminal

posix = pytest.mark.skipif(os.name != "posix", reason="signals, terminals, permissions")
DATA = bytes(range(256)) * 3000
WHEN = dt.datetime(2026, 1, 31, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=1)))
EVIL = (
    b"From: \x1b[31mEve <eve@example.org>\r\nSubject: =?utf-8?q?=1B]0;gotcha=07_=E2=80=AEabc?=\r\n"
    b"\r\nbell\x07 \x1b[2J\tend\r\n"
)


def composed(**more):
    message = compose(
        from_="Ada Größe <ada@example.org>",
        to=["Bob <bob@example.org>"],
        cc=["carl@example.org"],
        subject="Zwölf Boxkämpfer — 報告書",
        text="Hallo Welt\nzweite Zeile: ü\n",
        **more,
    )
    return b"".join(message.chunks())


@pytest.fixture
def server():
    """Three messages without a login's protection: no TLS."""
    with IMAPServer(users={"ada": SECRET}) as server:
        raw = composed(attachments=[("größe.bin", DATA), ("../b.csv", b"a,b\n", "text/csv")])
        server.add("ada", "INBOX", raw, flags=["\\Seen", "\\Flagged"], date=WHEN)
        server.add("ada", "INBOX", EVIL, date=WHEN)
        server.add("ada", "INBOX", b"Subject: third\r\n\r\nbody\r\n", date=WHEN + dt.timedelta(days=3))
        server.create_mailbox("ada", "Gesendet/日本", special_use="\\Sent")
        yield server


@pytest.fixture
def url(server):
    return f"{server.url}?tls=none"


@pytest.fixture
def inbox(server):
    return f"{server.url}/INBOX?tls=none"


def rows(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


# ls


def test_mailboxes(cli, url):
    result = cli("mail", "ls", url)
    assert (result.exit_code, result.stderr) == (0, "")
    assert sorted(result.stdout.splitlines()) == ["Gesendet", "Gesendet/日本", "INBOX"]
    lines = [line.split() for line in cli("mail", "ls", "-l", url).stdout.splitlines()]
    assert ["3", "2", "INBOX"] in lines
    assert ["0", "0", "Sent", "Gesendet/日本"] in lines


def test_mailboxes_as_json(cli, url):
    plain, counted = rows(cli("mail", "ls", "--json", url)), rows(cli("mail", "ls", "--json", "-l", url))
    [inbox] = [row for row in counted if row["name"] == "INBOX"]
    assert (inbox["messages"], inbox["unseen"], inbox["delimiter"], inbox["selectable"]) == (3, 2, "/", True)
    [sent] = [row for row in plain if row["name"] == "Gesendet/日本"]
    assert (sent["special_use"], sent["messages"]) == ("\\Sent", None)
    assert "\\Sent" in sent["attributes"]


def test_messages(cli, inbox):
    result = cli("mail", "ls", inbox)
    assert (result.exit_code, result.stderr) == (0, "")
    first, second, third = result.stdout.splitlines()
    assert first.startswith("     1 2026-01-31 22:30 Ada Größe            Zwölf Boxkämpfer — 報告書")
    assert first.endswith("Flagged Recent Seen")
    assert "\\x1b]0;gotcha\\x07" in second
    assert third.split()[:4] == ["3", "2026-02-03", "22:30", "third"]
    assert result.stdout.replace("\n", "").isprintable()


def test_messages_as_json(cli, inbox, server):
    first, second, third = rows(cli("mail", "ls", "--json", inbox))
    assert (first["uid"], first["subject"], first["size"]) == ("1", "Zwölf Boxkämpfer — 報告書", len(raw(server)))
    assert first["from"] == [{"name": "Ada Größe", "address": "ada@example.org"}]
    assert first["cc"] == [{"name": "", "address": "carl@example.org"}]
    assert first["date"] == "2026-01-31T23:30:00+01:00"
    assert {"\\Seen", "\\Flagged"} <= set(first["flags"])
    assert first["message_id"]
    assert "\x1b" in second["subject"]
    assert (third["sent"], third["from"], third["to"]) == (None, [], [])


def raw(server, place=0):
    return server.messages("ada")[place].raw


def test_an_empty_mailbox(cli, server):
    assert cli("mail", "ls", f"{server.url}/Gesendet%2F%E6%97%A5%E6%9C%AC?tls=none").output == ""


def test_a_message_that_makes_no_sense(cli, inbox, server):
    answer = "* 1 FETCH (UID 1 FLAGS (\\Seen) RFC822.SIZE 10 ENVELOPE (broken\r\n{tag} OK done"
    server.set_faults([Reply("FETCH", answer)])
    result = cli("mail", "ls", inbox)
    assert result.exit_code in (1, 4)
    assert "netclients: " in result.stderr
    assert "Traceback" not in result.stderr


# read


def test_read(cli, inbox):
    result = cli("mail", "read", inbox, "1")
    assert (result.exit_code, result.stderr) == (0, "")
    head, _, text = result.stdout.partition("\n\n")
    lines = head.splitlines()
    assert lines[:3] == ["From: Ada Größe <ada@example.org>", "To: Bob <bob@example.org>", "Cc: carl@example.org"]
    assert "Subject: Zwölf Boxkämpfer — 報告書" in lines
    assert f"Attachment: größe.bin (application/octet-stream, {len(DATA)} bytes)" in lines
    assert lines[-1].endswith("b.csv (text/csv, 4 bytes)")
    assert text == "Hallo Welt\nzweite Zeile: ü\n"


def test_control_characters_are_never_printed_raw(cli, inbox):
    shown = cli("mail", "read", inbox, "2").stdout
    assert shown.replace("\n", "").replace("\t", "").isprintable()
    assert "bell\\x07 \\x1b[2J\tend\n" in shown
    assert "\\u202e" in shown


def test_reading_marks_nothing_as_seen(cli, inbox, server):
    for option in ((), ("--raw",), ("--json",)):
        assert cli("mail", "read", inbox, "3", *option).exit_code == 0
    assert "\\Seen" not in server.messages("ada")[2].flags
    assert server.stats.commands["EXAMINE"] == 3
    assert "SELECT" not in server.stats.commands


def test_read_as_json(cli, inbox):
    [read] = rows(cli("mail", "read", "--json", inbox, "1"))
    assert (read["uid"], read["subject"]) == ("1", "Zwölf Boxkämpfer — 報告書")
    assert read["text"].splitlines() == ["Hallo Welt", "zweite Zeile: ü"]
    assert [one["size"] for one in read["attachments"]] == [len(DATA), 4]
    assert read["attachments"][0]["name"] == "größe.bin"


def test_read_raw(spawn, inbox, server):
    process = spawn("mail", "read", "--raw", inbox, "1")
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (0, b"")
    assert stdout == raw(server)


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"Content-Type: text/html; charset=latin-1\r\n\r\n<p>Gr\xfc\xdfe &amp; <b>mehr</b></p>", "Grüße & mehr"),
        (b"Content-Type: text/plain; charset=x-none\r\n\r\nsome\xff", "some\N{REPLACEMENT CHARACTER}"),
        (b"Content-Type: text/plain; charset=base64\r\n\r\nsome", "some"),
        (b"Content-Type: image/png\r\n\r\nxx", "Attachment"),
        (b"Content-Type: multipart/mixed\r\n\r\nno boundary", ""),
        (b"", ""),
        (
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst\r\n--b\r\n\r\nsecond\r\n--b--\r\n",
            "first",
        ),
        (b"Date: nonsense\r\nFrom: <<<>>>@\r\nSubject: =?x?\r\n\r\ntext", "text"),
    ],
)
def test_odd_messages(cli, inbox, server, content, shown):
    uid = server.add("ada", "INBOX", content)
    result = cli("mail", "read", inbox, str(uid))
    assert (result.exit_code, result.stderr) == (0, "")
    assert shown in result.stdout
    assert cli("mail", "read", "--json", inbox, str(uid)).exit_code == 0


def test_a_forwarded_message_is_an_attachment(cli, inbox, server):
    outer = email.message.EmailMessage()
    outer["Subject"] = "outer"
    outer.set_content("see below")
    inner = email.message.EmailMessage()
    inner.set_content("inside")
    outer.add_attachment(inner)
    uid = server.add("ada", "INBOX", outer.as_bytes(policy=email.policy.SMTP))
    shown = cli("mail", "read", inbox, str(uid)).stdout
    assert "Attachment: (without a name) (message/rfc822, " in shown
    assert shown.endswith("\n\nsee below\n")


# search


@pytest.mark.parametrize(
    ("arguments", "uids"),
    [
        ((), ["1", "2", "3"]),
        (("--from", "ada"), ["1"]),
        (("--from", "ada", "--from", "eve"), []),
        (("--to", "bob", "--cc", "carl"), ["1"]),
        (("--subject", "third"), ["3"]),
        (("--subject", "Boxkämpfer"), ["1"]),
        (("--text", "third"), ["3"]),
        (("--body", "body"), ["3"]),
        (("--unseen",), ["2", "3"]),
        (("--seen", "--flagged"), ["1"]),
        (("--answered",), []),
        (("--since", "2026-02-01"), ["3"]),
        (("--before", "2026-02-01", "--unseen"), ["2"]),
        (("--on", "2026-01-31"), ["1", "2"]),
        (("--larger", "100K"), ["1"]),
        (("--smaller", "100K", "--subject", "third"), ["3"]),
        (("OR SUBJECT third FROM ada",), ["1", "3"]),
        (("OR", "SUBJECT", "third", "FLAGGED", "--unseen"), ["3"]),
    ],
)
def test_search(cli, inbox, arguments, uids):
    result = cli("mail", "search", inbox, *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.split() == uids


def test_search_forms(cli, inbox, url):
    assert rows(cli("mail", "search", "--json", url, "--flagged")) == [{"uid": "1"}]
    [row] = rows(cli("mail", "search", "--json", "-l", inbox, "--flagged"))
    assert row["subject"] == "Zwölf Boxkämpfer — 報告書"
    table = cli("mail", "search", "-l", inbox, "--unseen").stdout.splitlines()
    assert [line.split()[0] for line in table] == ["2", "3"]
    assert cli("mail", "search", "-l", inbox, "--answered").output == ""


@pytest.mark.parametrize("wrong", [("--since", "yesterday"), ("--larger", "much"), ("NOT",), ("(",)])
def test_searches_that_make_no_sense(cli, inbox, wrong):
    result = cli("mail", "search", inbox, *wrong)
    assert result.exit_code in (1, 2)
    assert result.stdout == ""


# save


def test_save_attachments(cli, inbox, out):
    result = cli("mail", "save", inbox, "1", "3", "-o", out)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [str(out / "größe.bin"), str(out / "b.csv")]
    assert (out / "größe.bin").read_bytes() == DATA
    assert (out / "b.csv").read_bytes() == b"a,b\n"
    again = rows(cli("mail", "save", "--json", inbox, "1", "-o", out))
    assert [Path(row["path"]).name for row in again] == ["größe (1).bin", "b (1).csv"]
    assert [row["size"] for row in again] == [len(DATA), 4]
    (out / "b.csv").write_text("other")
    assert cli("mail", "save", "--overwrite", inbox, "1", "-o", out).exit_code == 0
    assert (out / "b.csv").read_bytes() == b"a,b\n"
    assert len(list(out.iterdir())) == 4


def test_save_messages(cli, inbox, out, server):
    result = cli("mail", "save", "--raw", inbox, "1", "3", "-o", out)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [str(out / "1.eml"), str(out / "3.eml")]
    assert (out / "1.eml").read_bytes() == raw(server)
    assert (out / "3.eml").read_bytes() == raw(server, 2)
    [row] = rows(cli("mail", "save", "--raw", "--json", inbox, "1", "-o", out))
    assert Path(row["path"]).name == "1 (1).eml"
    (out / "1.eml").write_text("other")
    assert cli("mail", "save", "--raw", "--overwrite", inbox, "1", "-o", out).exit_code == 0
    assert (out / "1.eml").read_bytes() == raw(server)
    assert sorted(path.name for path in out.iterdir()) == ["1 (1).eml", "1.eml", "3.eml"]


@pytest.mark.parametrize("option", [(), ("--raw",)])
def test_a_message_that_is_gone(cli, inbox, out, option):
    result = cli("mail", "save", *option, inbox, "99", "1", "-o", out)
    assert result.exit_code == 1
    assert result.stderr.startswith("netclients: message 99: ")
    assert str(out) in result.stdout
    assert not any(path.suffix == ".part" for path in out.iterdir())
    gone, *others = rows(cli("mail", "save", "--json", *option, inbox, "99", "1", "-o", out))
    assert (gone["uid"], gone["path"], gone["error_type"]) == ("99", None, "PermanentReplyError")
    assert all(row["error"] is None for row in others)


def test_a_connection_lost_for_good(cli, inbox, out, server):
    server.set_faults([CutReply("FETCH", reply=0, after=20, every=1)])
    result = cli("mail", "save", "--raw", inbox, "1", "-o", out)
    assert result.exit_code == 4
    assert list(out.iterdir()) == []


def test_places_that_can_not_be_written(cli, inbox, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    assert cli("mail", "save", inbox, "1", "-o", tmp_path / "file").exit_code == 2
    result = cli("mail", "save", "--raw", inbox, "1", "-o", tmp_path / "file" / "below")
    assert (result.exit_code, result.stdout) == (1, "")
    monkeypatch.setattr(saving, "_MOST_NUMBERS", 1)
    (tmp_path / "1.eml").write_text("")
    result = cli("mail", "save", "--raw", inbox, "1", "-o", tmp_path)
    assert result.exit_code == 1
    assert "numbered names exist" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["1.eml", "file"]


# Options, credentials, exit codes


@pytest.fixture
def guarded():
    with IMAPServer(users={"ada": SECRET}, tls="starttls") as server:
        server.add("ada", "INBOX", b"Subject: safe\r\n\r\nbody\r\n")
        yield server


def test_tls(cli, guarded):
    assert "safe" in cli("mail", "ls", "--ca-file", guarded.ca_file, f"{guarded.url}/INBOX").stdout
    assert "safe" in cli("mail", "ls", "--insecure", f"{guarded.url}/INBOX").stdout
    untrusted = cli("mail", "ls", guarded.url)
    assert (untrusted.exit_code, untrusted.stdout) == (4, "")
    assert cli("mail", "ls", "--insecure", "--ca-file", guarded.ca_file, guarded.url).exit_code == 2


def test_implicit_tls(cli):
    with IMAPServer(users={"ada": SECRET}, tls="implicit") as server:
        assert server.url.startswith("imaps://")
        assert cli("mail", "ls", "--ca-file", server.ca_file, server.url).stdout == "INBOX\n"


def test_credentials_of_the_environment(cli, guarded, monkeypatch):
    bare = guarded.url.replace(f"ada:{SECRET}@", "")
    monkeypatch.setenv("NETCLIENTS_USER", "ada")
    monkeypatch.setenv("NETCLIENTS_PASSWORD", SECRET)
    result = cli("mail", "ls", "-v", "--ca-file", guarded.ca_file, f"{bare}/INBOX")
    assert result.exit_code == 0
    assert "AUTHENTICATE" in result.stderr
    assert "***" in result.stderr
    assert SECRET not in result.output


def test_credentials_of_netrc(cli, guarded, home):
    (home / ".netrc").write_text(f"machine 127.0.0.1 login ada password {SECRET}\n")
    (home / ".netrc").chmod(0o600)
    bare = guarded.url.replace(f"ada:{SECRET}@", "")
    assert cli("mail", "ls", "--ca-file", guarded.ca_file, bare).stdout == "INBOX\n"


@posix
def test_a_password_from_a_prompt(guarded, environment):
    bare = guarded.url.replace(f":{SECRET}@", "@")
    terminal = Terminal(environment, "mail", "ls", "--ca-file", str(guarded.ca_file), bare)
    terminal.read_until(b"Password for ada@127.0.0.1")
    terminal.type(SECRET.encode() + b"\n")
    assert terminal.end() == 0
    assert b"INBOX" in terminal.shown
    assert SECRET.encode() not in terminal.shown


def test_exit_codes(cli, url, inbox, server):
    wrong = url.replace(SECRET, "wrong-word")
    refused = cli("mail", "ls", wrong)
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert "wrong-word" not in refused.output
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert cli("mail", "ls", f"imap://127.0.0.1:{closed.getsockname()[1]}").exit_code == 4
    assert cli("mail", "ls", url.replace("?", "/none?")).exit_code == 1
    assert cli("mail", "read", inbox, "99").exit_code == 1
    for usage in (
        ("mail",),
        ("mail", "ls", "ftp://example.org"),
        ("mail", "ls", "imap://[bad"),
        ("mail", "read", inbox, "1:*"),
        ("mail", "read", inbox, "x"),
        ("mail", "read", inbox),
        ("mail", "read", "--raw", "--json", inbox, "1"),
        ("mail", "save", inbox),
        ("mail", "save", inbox, "nonsense"),
    ):
        assert cli(*usage).exit_code == 2, usage


@posix
def test_interrupted(spawn, inbox, server, out):
    server.set_faults([CutReply("FETCH", reply=0, after=20, how="stall", every=1)])
    process = spawn("mail", "save", "-v", "--raw", inbox, "1", "-o", out)
    for line in process.stderr:
        if b"FETCH" in line:
            break
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    assert list(out.iterdir()) == []


def test_a_reader_that_leaves(spawn, inbox, server):
    for _ in range(3000):
        server.add("ada", "INBOX", b"Subject: more of them, one like the other\r\n\r\nbody\r\n")
    process = spawn("mail", "ls", inbox)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(60) == 0
    assert process.stderr.read() == b""


# The screen


def test_visible():
    assert visible("a\r\nb\tc\rd\x1b\x9b\u202e\udc80\n") == "a\nb\tc\\rd\\x1b\\x9b\\u202e\\udc80\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [("", "    "), ("ab", "ab  "), ("abcd", "abcd"), ("abcde", "abc…"), ("日本語", "日… "), ("\x1b", "\\x1b")],
)
def test_columns(text, shown):
    assert column(text, 4) == shown


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("plain", "plain\n"),
        ("<p>a&lt;b</p><p>c</p>", "a<b\n\nc\n"),
        ("a<br>b<BR/>c", "a\nb\nc\n"),
        ("<style>p { x > y }</style>a<script>if (a<b) {}</script>b", "ab\n"),
        ("<head><title>x</title></head>a", "a\n"),
        ("1 < 2 and <3", "1 < 2 and <3\n"),
        ("<!-- hidden -->a<?x?>b", "ab\n"),
        ("  a \r\n b<a href='x'>c</a> ", "a bc\n"),
        ("<script>never ends", "\n"),
    ],
)
def test_plain_text(source, text):
    assert plain_text(source) == text


def test_html_takes_linear_time():
    for hostile in ("<" * 500_000, "<script>" * 100_000, "<!--" * 100_000, "&" * 500_000, "<p>" * 200_000):
        plain_text(hostile)
