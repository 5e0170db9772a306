"""Dovecot and Cyrus with imaplib and poplib: logins on every service, seeding, emptying, knobs."""

from __future__ import annotations

import contextlib
import imaplib
import poplib
import socket
import time

import pytest

from tests.fix_mail import StartMailServer
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


@pytest.mark.parametrize("mechanism", ["EXTERNAL", "XOAUTH2", "OAUTHBEARER"])
def test_dovecot_without_a_password(dovecot: MailServer, mechanism: str) -> None:
    context = dovecot.ssl_context()
    context.load_cert_chain(dovecot.client_certificate)
    answers = {
        "EXTERNAL": b"alice",
        "XOAUTH2": f"user=alice\1auth=Bearer {dovecot.token()}\1\1".encode(),
        "OAUTHBEARER": f"n,a=alice,\1auth=Bearer {dovecot.token()}\1\1".encode(),
    }
    with imaplib.IMAP4_SSL(dovecot.host, dovecot.ports["imaps"], ssl_context=context, timeout=20) as client:
        assert client.authenticate(mechanism, lambda _: answers[mechanism])[0] == "OK"


def test_cyrus_offers_channel_binding_inside_of_tls(cyrus: MailServer) -> None:
    with imaplib.IMAP4_SSL(cyrus.host, cyrus.ports["imaps"], ssl_context=cyrus.ssl_context(), timeout=20) as client:
        assert "AUTH=SCRAM-SHA-256-PLUS" in client.capabilities


@pytest.mark.servers("dovecot", "cyrus")
@pytest.mark.parametrize("name", ["dovecot", "cyrus"])
def test_tls_before_the_login(start_mail_server: StartMailServer, name: str) -> None:
    server = start_mail_server(name, MODE="required")
    with imaplib.IMAP4(server.host, server.ports["imap"], timeout=20) as client:
        assert "LOGINDISABLED" in client.capabilities
        with pytest.raises(imaplib.IMAP4.error):
            client.login("alice", server.password())
        client.starttls(server.ssl_context())
        assert client.login("alice", server.password())[0] == "OK"
    mailbox = poplib.POP3(server.host, server.ports["pop3"], timeout=20)
    with pytest.raises(poplib.error_proto):
        mailbox.user("alice")
    mailbox.stls(server.ssl_context())
    mailbox.user("alice")
    assert mailbox.pass_(server.password()).startswith(b"+OK")
    mailbox.close()


@pytest.mark.parametrize("name", ["dovecot", "cyrus"])
def test_knobs(start_mail_server: StartMailServer, name: str) -> None:
    relay = {"RELAY": "no"} if name == "dovecot" else {}
    server = start_mail_server(
        name, WITHOUT="MOVE UIDPLUS LITERAL+", QUOTA=100, MAX_PER_USER=2, MECHANISMS="PLAIN", **relay
    )
    client = imap(server)
    assert [word for word in client.capabilities if word.startswith("AUTH=")] == ["AUTH=PLAIN"]
    offered = client.capability()[1][0].split()
    assert not {b"MOVE", b"UIDPLUS", b"LITERAL+"} & set(offered)
    assert {b"IDLE", b"CONDSTORE", b"COMPRESS=DEFLATE"} <= set(offered)
    assert client.append("INBOX", "", "", MESSAGE)[0] == "OK"
    assert client.append("INBOX", "", "", MESSAGE * 200)[0] == "NO"
    second = imap(server)
    with socket.create_connection((server.host, server.ports["imap"]), timeout=20) as third:
        third.sendall(f"a LOGIN alice {server.password()}\r\nb SELECT INBOX\r\nc LOGOUT\r\n".encode())
        assert b"b OK" not in b"".join(iter(lambda: third.recv(4096), b""))
    for session in (client, second):
        session.logout()


def test_urls(dovecot: MailServer) -> None:
    ports = dovecot.ports
    assert dovecot.url("imap", user="alice", tls="none") == f"imap://alice:alicepw@127.0.0.1:{ports['imap']}?tls=none"
    assert dovecot.url("pop3s") == f"pop3s://127.0.0.1:{ports['pop3s']}"


def test_thousands_of_messages(dovecot: MailServer) -> None:
    dovecot.seed("alice", "INBOX", (b"Subject: %d\r\n\r\n%b" % (n, b"x" * 8000) for n in range(5000)))
    with imap(dovecot) as client:
        assert client.select()[1] == [b"5000"]
        part = client.fetch("2500", "(BODY.PEEK[HEADER])")[1][0]
        assert part == (b"2500 (BODY[HEADER] {17}", b"Subject: 2499\r\n\r\n")
