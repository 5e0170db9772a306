"""The blocking mail reader, and the commands below ``netclients mail``, on Dovecot and Cyrus."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from netclients import Q, compose
from netclients.cli.app import app
from netclients.sync import MailReader
from tests.servers import MailServer

DATA = bytes(range(256)) * 4000


def letter(number: int) -> bytes:
    return f"From: ada@example.org\r\nSubject: Nummer {number}\r\n\r\n{'text ' * number}\r\n".encode()


def with_attachment() -> bytes:
    message = compose(
        from_="Ada <ada@example.org>",
        to=["b@example.org"],
        subject="Größe",
        text="Hallo",
        attachments=[("a.bin", DATA)],
    )
    return b"".join(message.chunks())


@pytest.fixture(params=["imap", "imaps"])
def url(request: pytest.FixtureRequest, real_imap: MailServer) -> str:
    return real_imap.url(request.param, user="alice")


@pytest.fixture
def reader(url: str, real_imap: MailServer) -> Iterator[MailReader]:
    with MailReader(url, ssl_context=real_imap.ssl_context()) as reader:
        yield reader


def test_all_verbs(reader: MailReader, real_imap: MailServer, tmp_path: Path) -> None:
    real_imap.seed("alice", "INBOX", [letter(number) for number in range(1, 301)])
    name = "Ablage & Größe"
    reader.create_mailbox(name)
    try:
        assert {box.name for box in reader.list_mailboxes(status=["MESSAGES"])} >= {"INBOX", name}
        with reader.mailbox() as box:
            assert box.exists == 300
            uids = box.search(subject="Nummer")
            assert len(uids) == 300
            for info in box.fetch(envelope=True, flags=True):
                if info.envelope.subject == "Nummer 150":
                    box.store(info.uid, add=["\\Flagged"])
                    assert box.read(info.uid)["Subject"] == "Nummer 150"
            [flagged] = box.search(Q(flagged=True) & ~Q(deleted=True))
            assert [item.raw for item in box.read_many(uids)] == [letter(number) for number in range(1, 301)]
            assert b"".join(box.stream(flagged)) == letter(150)
            whole = with_attachment()
            uid = box.append(whole, flags=["\\Seen"])
            assert uid is not None
            [saved] = box.save_attachments(uid, tmp_path)
            assert saved.read_bytes() == DATA
            assert b"".join(box.stream(uid, "2")) == DATA
            assert len(box.copy([flagged, uid], name).uids) == 2
            assert len(box.move(uids[:10], name).uids) == 10
            assert box.delete(uids[10:20]).expunged
            box.refresh()
            assert box.exists == 281
        with reader.mailbox(name, readonly=True) as box:
            assert box.exists == 12
            assert box.sort("subject")[0]
            assert len(box.thread()) == 12
    finally:
        reader.delete_mailbox(name)
    with reader.connection() as connection:
        assert connection.select("INBOX").exists == 281
        content = bytearray()
        connection.uid_fetch(uid, body=True, sink=content.extend)
        assert content == whole


def test_commands(url: str, real_imap: MailServer, tmp_path: Path) -> None:
    real_imap.seed("alice", "INBOX", [letter(1), with_attachment()])
    inbox = f"{url}/INBOX"

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["mail", *arguments, "--ca-file", str(real_imap.ca_file)])
        assert (result.exit_code, result.stderr) == (0, "")
        return result.stdout

    assert "INBOX" in run("ls", "-l", url)
    first, second = (json.loads(line) for line in run("ls", "--json", inbox).splitlines())
    assert (first["subject"], second["subject"]) == ("Nummer 1", "Größe")
    assert run("search", inbox, "--subject", "Größe").split() == [second["uid"]]
    assert run("search", inbox, "OR", "SUBJECT", "Nummer", "DELETED").split() == [first["uid"]]
    assert run("read", inbox, second["uid"]).endswith(f"(application/octet-stream, {len(DATA)} bytes)\n\nHallo\n")
    assert run("save", inbox, second["uid"], "-o", str(tmp_path)) == f"{tmp_path / 'a.bin'}\n"
    assert (tmp_path / "a.bin").read_bytes() == DATA
    run("save", "--raw", inbox, first["uid"], "-o", str(tmp_path))
    assert (tmp_path / f"{first['uid']}.eml").read_bytes() == letter(1)
