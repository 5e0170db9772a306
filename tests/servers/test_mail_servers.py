"""The mail recipes, with smtplib: each server starts, takes mail, delivers it unchanged, and stops."""

from __future__ import annotations

import os
import signal
import smtplib
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fix_mail import MailPark, StartMailServer
from tests.servers import MAIL_RECIPES, MailServer, ServerError, canonical, running_mail
from tests.servers.family import descendants
from tests.servers.ports import is_open

SENDER = "bob@example.test"
MESSAGE = (
    "From: Bob <bob@example.test>\r\n"
    "Bcc: secret@example.test\r\n"
    "Subject: folded,\r\n"
    " and without Date or Message-ID\r\n"
    "\r\n"
    ".dot\r\n"
    "..\r\n"
    "From here on: \N{SNOWMAN}, \ttrailing space \r\n"
    "\r\n"
).encode()


class LMTP(smtplib.LMTP):
    """LMTP over a Unix socket too, and with one reply for each recipient."""

    def deliver(self, sender: str, recipients: list[str], message: bytes) -> list[int]:
        self.ehlo()
        self.mail(sender)
        for recipient in recipients:
            self.rcpt(recipient)
        first, _ = self.data(message)
        return [first, *(self.getreply()[0] for _ in recipients[1:])]


@contextmanager
def client_of(server: MailServer, service: str) -> Iterator[smtplib.SMTP]:
    port = server.ports[service]
    if service in ("smtps", "submissions"):
        with smtplib.SMTP_SSL(server.host, port, timeout=20, context=server.ssl_context()) as client:
            yield client
    else:
        with smtplib.SMTP(server.host, port, timeout=20) as client:
            if service == "submission":
                client.starttls(context=server.ssl_context())
            yield client


def assert_delivered(
    server: MailServer, user: str = "alice", *, sender: str = SENDER, message: bytes = MESSAGE
) -> None:
    server.settled()
    [stored] = server.mailbox(user)
    assert (stored.sender, stored.recipient) == (sender, server.address(user))
    assert canonical(stored) == message


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("postfix", "smtp"),
        ("postfix", "smtps"),
        ("postfix", "submission"),
        ("exim", "smtp"),
        ("exim", "smtps"),
        ("dovecot", "submission"),
        ("dovecot", "submissions"),
    ],
)
def test_every_service_delivers_what_it_is_given(mail_park: MailPark, name: str, service: str) -> None:
    server = mail_park.fresh(name)
    with client_of(server, service) as client:
        if service != "smtp":
            client.login("carol", server.password("carol"))
        assert client.sendmail(SENDER, [server.address()], MESSAGE) == {}
    assert_delivered(server)
    assert server.mailbox("bob") == []


@pytest.mark.parametrize("over", ["TCP", "Unix"])
def test_lmtp(dovecot: MailServer, over: str) -> None:
    host = dovecot.host if over == "TCP" else str(dovecot.unix_sockets["lmtp"])
    with LMTP(host, dovecot.ports["lmtp"]) as client:
        assert client.deliver(SENDER, [dovecot.address(), dovecot.address("dave")], MESSAGE) == [250, 250]
    assert_delivered(dovecot)
    assert_delivered(dovecot, "dave")


def test_sink(smtp_sink: MailServer) -> None:
    with client_of(smtp_sink, "smtp") as client:
        assert client.sendmail(SENDER, ["anybody@elsewhere.test"], MESSAGE) == {}
    smtp_sink.settled()


def test_each_test_begins_with_empty_mailboxes(postfix: MailServer, exim: MailServer, dovecot: MailServer) -> None:
    for server in (postfix, exim, dovecot):
        assert [server.mailbox(user) for user in server.users] == [[]] * len(server.users)


def test_unknown_and_foreign_recipients_are_refused(real_smtp: MailServer) -> None:
    with client_of(real_smtp, "smtp") as client:
        refused = client.sendmail(SENDER, ["nobody@example.test", "x@elsewhere.test", real_smtp.address()], MESSAGE)
    assert {address: code for address, (code, _) in refused.items()} == {
        "nobody@example.test": 550,
        "x@elsewhere.test": 554 if real_smtp.name == "postfix" else 550,
    }
    assert_delivered(real_smtp)


def test_utf8_addresses(real_smtp: MailServer) -> None:
    with client_of(real_smtp, "smtp") as client:
        client.ehlo()
        client.sendmail("jörg@example.test", ["jörg@example.test"], MESSAGE, ["SMTPUTF8", "BODY=8BITMIME"])
    assert_delivered(real_smtp, "jörg", sender="jörg@example.test")


def test_the_null_path(real_smtp: MailServer) -> None:
    with client_of(real_smtp, "smtp") as client:
        client.sendmail("", [real_smtp.address()], MESSAGE)
    assert_delivered(real_smtp, sender="")


def test_mailboxes_keep_the_order_of_delivery(real_smtp: MailServer) -> None:
    with client_of(real_smtp, "smtp") as client:
        for number in range(5):
            client.sendmail(SENDER, [real_smtp.address()], f"Subject: {number}\r\n\r\n".encode())
            real_smtp.settled()
    subjects = [canonical(stored) for stored in real_smtp.mailbox("alice")]
    assert subjects == [f"Subject: {number}\r\n\r\n".encode() for number in range(5)]


@pytest.mark.parametrize("reset", [False, True], ids=["end", "reset"])
def test_hundreds_of_cut_dialogues_are_survived(real_smtp: MailServer, reset: bool) -> None:
    """No limit of errors, connections or rate slows the 301st down."""
    dialogue = f"EHLO x\r\nMAIL FROM:<{SENDER}>\r\nRCPT TO:<{real_smtp.address()}>\r\nDATA\r\nhalf a mess".encode()
    for number in range(300):
        with socket.create_connection((real_smtp.host, real_smtp.ports["smtp"]), timeout=20) as connection:
            assert connection.recv(100).startswith(b"220")
            connection.sendall(dialogue[: 1 + number % len(dialogue)])
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    before = time.monotonic()
    with client_of(real_smtp, "smtp") as client:
        client.sendmail(SENDER, [real_smtp.address()], MESSAGE)
    assert_delivered(real_smtp)
    assert time.monotonic() - before < 5


def test_settled_waits_for_sessions_whose_client_has_reset_the_connection(real_smtp: MailServer) -> None:
    with socket.create_connection((real_smtp.host, real_smtp.ports["smtp"]), timeout=20) as connection:
        assert connection.recv(100).startswith(b"220")
        sessions = descendants(real_smtp.process.pid)
        for pid in sessions:
            os.kill(pid, signal.SIGSTOP)
        connection.sendall(b"EHLO x\r\n")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with pytest.raises(ServerError, match="whose client has reset the connection"):
        real_smtp.settled(0.2)
    for pid in sessions:
        os.kill(pid, signal.SIGCONT)
    real_smtp.settled()


def test_hundreds_of_errors_and_resets_in_one_session(real_smtp: MailServer) -> None:
    with client_of(real_smtp, "smtp") as client:
        client.ehlo()
        for _ in range(200):
            assert client.rset()[0] == 250
            client.mail(SENDER)
            assert client.rcpt("nobody@example.test")[0] == 550
        client.rset()
        client.sendmail(SENDER, [real_smtp.address()], MESSAGE)
    assert_delivered(real_smtp)


def test_unsettled_says_what_is_on_its_way(real_smtp: MailServer) -> None:
    with client_of(real_smtp, "smtp") as client:
        client.ehlo()
        client.mail(SENDER)
        client.rcpt(real_smtp.address())
        client.putcmd("DATA")
        client.getreply()
        client.send(b"Subject: half\r\n\r\n")
        with pytest.raises(ServerError, match="has not settled within 0 s"):
            real_smtp.settled(0.3)
        client.close()
    real_smtp.settled()
    assert real_smtp.mailbox("alice") == []


@pytest.mark.parametrize(
    ("name", "knobs", "offer"),
    [
        ("postfix", {"MAX_MESSAGE_SIZE": 1_000_000}, "SIZE 1000000"),
        ("exim", {"MAX_MESSAGE_SIZE": "1M"}, "SIZE 1048576"),
        ("dovecot", {"MAX_MESSAGE_SIZE": "1M"}, "SIZE 1048576"),
    ],
)
def test_knobs(start_mail_server: StartMailServer, name: str, knobs: dict[str, str | int], offer: str) -> None:
    server = start_mail_server(name, **knobs)
    with client_of(server, "submission" if name == "dovecot" else "smtp") as client:
        assert offer in client.ehlo()[1].decode().splitlines()


def test_extra_lines_of_configuration(start_mail_server: StartMailServer) -> None:
    server = start_mail_server("postfix", EXTRA="smtpd_discard_ehlo_keywords = pipelining, chunking")
    with client_of(server, "smtp") as client:
        client.ehlo()
        assert not client.has_extn("pipelining")


def test_a_misspelt_knob_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="exim has no DELIVERIES;"), running_mail("exim", tmp_path, DELIVERIES="no"):
        pass


@pytest.mark.parametrize("name", MAIL_RECIPES)
def test_servers_stop_with_the_sessions_that_they_serve(server_work: Path, name: str) -> None:
    with running_mail(name, server_work) as server:
        service = "smtp" if name not in ("dovecot", "cyrus") else "imap"
        session = socket.create_connection((server.host, server.ports[service]), timeout=20)
        assert session.recv(1)
    with session:
        while session.recv(4096):
            pass
    assert server.process.returncode is not None
    assert not any(is_open(port) for port in server.ports.values())


def test_a_server_that_died_is_started_again(mail_park: MailPark, smtp_sink: MailServer) -> None:
    smtp_sink.process.kill()
    smtp_sink.process.wait(10)
    assert is_open(mail_park.fresh("smtp_sink").ports["smtp"])
