"""Dovecot and Cyrus with imaplib and poplib: logins on every service, seeding, emptying, knobs."""

from __future__ import annotations

import contextlib
import imaplib
import poplib
import time

import pytest

from tests.servers import MailServer, canonical

MESSAGE = b"From: Bob <bob@example.test>\r\nSubject: \xc3\xa4\r\n\r\n.dot\r\n" + b"x" * 900 + b" \r\n\r\n"


def imap(server: MailServer, service: str = "imap", user: str = "alice") -> imaplib.IMAP4:
    client: imaplib.IMAP4
    if service == "imaps":
        client = imaplib.IMAP4_SSL(server.host, server.ports[service], ssl_context=server.ssl_context(), timeout=20)
    else:
        client = imaplib.IMAP4(server.host, server.ports[service], timeout=20)
        if service == "imap with STARTTLS":
            client.starttls(server.ssl_context())
    client.login(user, server.password(user))
    return client


def pop3(server: MailServer, *, tls: bool = False, user: str = "alice") -> poplib.POP3:
    client: poplib.POP3
    if tls:
        client = poplib.POP3_SSL(server.host, server.ports["pop3s"], context=server.ssl_context(), timeout=20)
    else:
        client = poplib.POP3(server.host, server.ports["pop3"], timeout=20)
    client.user(user)
    client.pass_(server.password(user))
    return client


def names(client: imaplib.IMAP4) -> set[str]:
    return {line.rpartition(b'"/" ')[2].decode().strip('"') for line in client.list()[1] if isinstance(line, bytes)}


def subjects(client: imaplib.IMAP4, mailbox: str = "INBOX") -> list[int]:
    client.select(mailbox)
    _, parts = client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    return [int(part[1].split()[1]) for part in parts if isinstance(part, tuple)]


@pytest.mark.parametrize("service", ["imap", "imaps"])
def test_imap(real_imap: MailServer, service: str) -> None:
    with imap(real_imap, service) as client:
        assert client.append("INBOX", "", "", MESSAGE)[0] == "OK"
    [stored] = real_imap.mailbox("alice")
    assert canonical(stored) == MESSAGE


@pytest.mark.parametrize("tls", [False, True])
def test_pop3(real_pop3: MailServer, tls: bool) -> None:
    real_pop3.seed("alice", "INBOX", [MESSAGE])
    client = pop3(real_pop3, tls=tls)
    assert b"\r\n".join((*client.retr(1)[1], b"")) == MESSAGE
    client.dele(1)
    client.quit()
    assert real_pop3.mailbox("alice") == []


@pytest.mark.parametrize("mailbox", ["INBOX", "Archive", "Lists/netclients", "Entwürfe & mehr"])
def test_seeded_messages_come_back_byte_for_byte(real_imap: MailServer, mailbox: str) -> None:
    messages = [b"Subject: %d\r\n\r\n%b" % (number, b"line\r\n" * number) for number in range(600)]
    real_imap.seed("carol", mailbox, messages, flags=["\\Seen", "\\Flagged"])
    assert [stored.raw for stored in real_imap.mailbox("carol", mailbox)] == messages
    with imap(real_imap, user="carol") as client:
        if mailbox.isascii():
            assert mailbox in names(client)
            client.select(f'"{mailbox}"')
            _, parts = client.fetch("1:*", "(BODY.PEEK[])")
            assert [part[1] for part in parts if isinstance(part, tuple)] == messages
            assert len(client.search(None, "SEEN FLAGGED")[1][0].split()) == 600


def test_seeding_while_a_session_looks(real_imap: MailServer) -> None:
    real_imap.seed("alice", "INBOX", [MESSAGE] * 3)
    with imap(real_imap) as client:
        assert client.select()[1] == [b"3"]
        real_imap.seed("alice", "INBOX", [MESSAGE] * 4)
        deadline = time.monotonic() + 5
        while client.response("EXISTS")[1] != [b"7"]:
            assert time.monotonic() < deadline
            client.noop()


def test_clear(real_imap: MailServer) -> None:
    client = imap(real_imap)
    before = names(client)
    client.create("Mine/deep")
    client.subscribe("Mine/deep")
    client.select("Mine/deep")
    real_imap.seed("alice", "Mine/deep", [MESSAGE] * 100)
    real_imap.seed("alice", "INBOX", [MESSAGE] * 100)
    real_imap.seed("bob", "INBOX", [MESSAGE] * 100)
    real_imap.clear()
    with contextlib.suppress(imaplib.IMAP4.abort):
        client.noop()  # Cyrus may say BYE first
    with pytest.raises((imaplib.IMAP4.abort, OSError)):
        client.noop()
    client.shutdown()
    with imap(real_imap) as client:
        assert names(client) == before
        assert b"Mine/deep" not in repr(client.lsub()[1]).encode()
        assert client.select()[1] == [b"0"]
    assert real_imap.mailbox("bob") == []
