"""Scripted faults of the embedded IMAP server, and what it holds against clients."""

from __future__ import annotations

import socket
import time

import pytest

from netclients.testing import (
    CutContent,
    CutReply,
    Delay,
    Fault,
    Hangup,
    HangupAfter,
    IMAPServer,
    InjectClear,
    Meanwhile,
    Reply,
    Stall,
    Unsolicited,
    WrongTag,
)
from tests.testing.imap_peer import Peer, peer, serving

RAW = b"Subject: x\r\n\r\nbody\r\n"


def rest(client: Peer) -> bytes:
    """Return all that comes before the end, whichever it is."""
    data = b""
    try:
        while piece := client.sock.recv(65536):
            data += piece
    except ConnectionResetError:
        return data + b"<reset>"
    return data


def test_replies_instead() -> None:
    faults = [
        Reply("SELECT", "NO [UNAVAILABLE] Later.", times=1),
        Reply("fetch", "BAD What?", argument="UID 1 *"),
        Reply("FETCH", "* 1 FETCH (FLAGS ({tag}))\r\n{tag} OK So there.", argument="1 *"),
        Reply("NOOP", "* BYE I leave.", skip=1),
        Reply("CHECK", ""),
    ]
    with serving(RAW, RAW, login=False, faults=faults) as (server, client):
        client.ok("LOGIN me secret")
        assert client.status("SELECT INBOX") == b"NO [UNAVAILABLE]"
        client.ok("SELECT INBOX")
        assert client.say("UID FETCH 1 FLAGS") == [b"BAD What?"]
        assert client.say("FETCH 1 FLAGS") == [b"* 1 FETCH (FLAGS (a5))", b"OK So there."]
        assert client.untagged("FETCH 2 UID") == [b"* 2 FETCH (UID 2)"]
        client.send(b"x CHECK\r\n")
        assert client.untagged("NOOP") == []
        client.send(b"y NOOP\r\n")
        assert client.rest() == b"* BYE I leave.\r\n"
        assert server.stats.faults == 5


def test_greeting() -> None:
    cases: list[tuple[Fault, bytes]] = [
        (Reply("CONNECT", "* BYE Not today."), b"* BYE Not today.\r\n"),
        (Hangup("CONNECT"), b""),
        (CutReply("CONNECT", after=4), b"* OK"),
    ]
    with IMAPServer() as server:
        for fault, expected in cases:
            server.set_faults([fault])
            with socket.create_connection((server.host, server.port), timeout=10) as sock, sock.makefile("rb") as file:
                assert file.read() == expected
        server.set_faults([Unsolicited("CONNECT", "a1 OK Early.", late=True)])
        with peer(server, login=False) as client:
            assert client.greeting.startswith(b"* OK ")
            assert client.line() == b"a1 OK Early."


ONE, TWO = (b"* %d FETCH (BODY[] {20}\r\n%b)\r\n" % (number, RAW) for number in (1, 2))


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (CutReply("FETCH", reply=0), b""),
        (CutReply("FETCH", reply=0, after=None), ONE),
        (CutReply("FETCH", reply=1, after=30), ONE + TWO[:30]),
        (CutReply("FETCH", reply=-1, after=-3), ONE + TWO + b"f OK Fetch completed"),
        (CutReply("FETCH", reply=0, how="reset"), b"<reset>"),
        (Hangup("FETCH", executed=True), b""),
        (HangupAfter("FETCH"), ONE + TWO + b"f OK Fetch completed.\r\n"),
        (Hangup("FETCH", reset=True), b"<reset>"),
    ],
)
def test_cuts(fault: Fault, expected: bytes) -> None:
    with serving(RAW, RAW, faults=[fault]) as (_, client):
        client.send(b"f FETCH 1:2 BODY.PEEK[]\r\n")
        assert rest(client) == expected


def test_stalls_and_delays() -> None:
    with serving(RAW, faults=[Delay("NOOP", seconds=0.2), CutReply("FETCH", after=5, how="stall")]) as (server, client):
        start = time.monotonic()
        client.ok("NOOP")
        assert time.monotonic() - start >= 0.2
        client.send(b"f FETCH 1 FLAGS\r\n")
        assert client.sock.recv(100) == b"* 1 F"
        client.sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            client.sock.recv(100)
        server.set_faults([Stall("LOGIN")])
        with peer(server, login=False) as second:
            second.send(b"a LOGIN me secret\r\n")
            second.sock.settimeout(0.1)
            with pytest.raises(TimeoutError):
                second.sock.recv(100)


def test_what_happens_meanwhile() -> None:
    with serving(*[RAW] * 3) as (server, client):
        server.set_faults(
            [
                Meanwhile("FETCH", do=lambda: server.expunge("me", "INBOX", 1), times=1),
                Unsolicited("FETCH", "* 9 EXISTS\r\n* 7 EXPUNGE", times=1),
                Unsolicited("FETCH", "* OK [ALERT] Late.", late=True, times=1),
                WrongTag("NOOP", tag="zz"),
                Meanwhile("SELECT", do=lambda: server.reset_uid_validity("me")),
                Meanwhile("CAPABILITY", do=lambda: server.set_without({"IDLE"})),
            ]
        )
        assert client.say("FETCH 2 UID") == [
            *(b"* 9 EXISTS", b"* 7 EXPUNGE", b"* 2 FETCH (UID 2)", b"* OK [ALERT] Late.", b"OK Fetch completed."),
        ]
        client.send(b"n NOOP\r\n")
        assert client.until("zz") == [b"* 1 EXPUNGE", b"zz OK NOOP completed."]
        assert b" IDLE " not in client.untagged("CAPABILITY")[0]
        before = server.uid_validity("me")
        client.ok("UNSELECT")
        assert b"* OK [UIDVALIDITY %d] UIDs valid." % before not in client.untagged("SELECT INBOX")


def test_announcements_and_severing() -> None:
    with serving(RAW) as (server, client), peer(server) as second:
        second.send(b"i IDLE\r\n")
        assert second.line() == b"+ idling"
        assert server.announce("* OK [ALERT] To all.") == 2
        assert client.line() == second.line() == b"* OK [ALERT] To all."
        assert server.announce("* BYE Closing.") == 2
        assert client.rest() == second.rest() == b"* BYE Closing.\r\n"
        with peer(server) as third:
            assert server.sever() == 1
            assert rest(third) == b"<reset>"


def test_literals_and_appends() -> None:
    faults = [
        Reply("LITERAL", "NO [TOOBIG] Too big.", argument="* APPEND *", times=1),
        CutContent(argument="INBOX", after=4, how="fin"),
    ]
    with serving(faults=faults) as (server, client):
        assert client.status("APPEND INBOX {20}") == b"NO [TOOBIG]"
        client.send(b"a APPEND INBOX {20}\r\n")
        assert client.line() == b"+ OK"
        client.send(RAW[:4])
        time.sleep(0.05)
        client.send(RAW[4:5])
        assert rest(client) == b""
        assert server.messages("me") == []


def test_faults_amid_logins_and_idle() -> None:
    faults = [Reply("AUTH-RESPONSE", "{tag} NO Enough.", times=1), Hangup("DONE", skip=1)]
    with serving(login=False, faults=faults) as (_, client):
        client.send(b"a AUTHENTICATE PLAIN\r\n")
        assert client.line() == b"+ "
        client.send(b"AA==\r\n")
        assert client.line() == b"a NO Enough."
        client.ok("LOGIN me secret")
        client.send(b"i IDLE\r\n")
        assert client.line() == b"+ idling"
        client.send(b"DONE\r\n")
        assert client.line() == b"i OK Idle completed."
        client.send(b"i IDLE\r\n")
        assert client.line() == b"+ idling"
        client.send(b"DONE\r\n")
        assert client.rest() == b""


def test_starttls_that_goes_wrong() -> None:
    with IMAPServer(tls="starttls") as server:
        server.set_faults([InjectClear(text="* OK [CAPABILITY IMAP4rev1] Injected.\r\n")])
        with peer(server, login=False) as client:
            client.send(b"s STARTTLS\r\n")
            assert client.line() == b"s OK Begin TLS negotiation now."
            assert client.line() == b"* OK [CAPABILITY IMAP4rev1] Injected."
        server.set_faults([Reply("STARTTLS", "OK Just so.", times=1)])
        with peer(server, login=False) as client:
            assert client.status("STARTTLS") == b"OK"
            assert b"LOGINDISABLED" in client.untagged("CAPABILITY")[0]
        with peer(server, login=False) as client:
            client.send(b"s STARTTLS\r\nx LOGIN me secret\r\n")
            assert client.line() == b"s OK Begin TLS negotiation now."
        assert server.stats.discarded == 19
        assert server.violations == ["connection 3: sent something behind STARTTLS before its reply"]
        assert "LOGIN" not in server.stats.commands


# Violations


@pytest.mark.parametrize(
    ("sent", "tags", "deeds"),
    [
        (b"1 NOOP\r\n2 FETCH 1 UID\r\n", 2, ["sent FETCH by sequence number behind NOOP, before its reply"]),
        (b"1 NOOP\r\n2 UID FETCH 1 UID\r\n3 STORE 1 FLAGS ()\r\n", 3,
         ["sent STORE by sequence number behind UID FETCH, before its reply"]),
        (b"1 NOOP\r\n2 UID SEARCH 1:*\r\n", 2, ["searched by sequence number behind NOOP, before its reply"]),
        (b"1 FETCH 1 UID\r\n2 SEARCH ALL\r\n3 UID FETCH 1 UID\r\n", 3, []),
        (b"1 FETCH 1 UID\r\n2 UID SEARCH UID 1\r\n3 UID SEARCH ALL\r\n", 3, []),
        (b"1 NOOP\r\n2 SELECT INBOX\r\n3 FETCH 1 UID\r\n", 3, []),
        (b"1 NOOP\n", 1, ["sent a line that ends with a lone LF"]),
        (b"1 COMPRESS DEFLATE\r\n2 ", 1, ["sent something behind COMPRESS before its reply"]),
        (b"1 APPEND INBOX {1}\r\nx\r\n", 2, ["sent a literal without waiting for the invitation"]),
    ],
)  # fmt: skip
def test_violations(sent: bytes, tags: int, deeds: list[str]) -> None:
    with serving(RAW) as (server, client):
        client.send(sent)
        replies = 0
        while replies < tags:
            replies += not client.line().startswith(b"*")
        assert server.violations == [f"connection 1: {deed}" for deed in deeds]


def test_literals_that_do_not_wait() -> None:
    with serving(without={"LITERAL+"}) as (server, client):
        assert client.append("INBOX", b"x" * 4096).startswith(b"OK")
        assert server.violations == []
        assert client.append("INBOX", b"x" * 4097).startswith(b"OK")
        server.set_without({"LITERAL+", "LITERAL-"})
        assert client.append("INBOX", b"x").startswith(b"OK")
        assert [line.partition(": ")[2] for line in server.violations] == [
            "sent a non-synchronizing literal of 4097 bytes with LITERAL-",
            "sent a non-synchronizing literal without LITERAL+",
        ]


def test_authenticate_that_does_not_wait() -> None:
    with serving(login=False) as (server, client):
        client.send(b"1 AUTHENTICATE PLAIN AG1lAHNlY3JldA==\r\n2 SELECT INBOX\r\n")
        assert client.until("2")[0].startswith(b"1 OK ")
        assert server.violations == ["connection 1: sent something behind AUTHENTICATE before its reply"]


def test_the_log_of_commands() -> None:
    with serving(RAW) as (server, client):
        client.append("INBOX", RAW, "(\\Seen) ")
        client.status("uid fetch 1 (FLAGS)")
        first, *others = server.commands
        assert (first.connection, first.tag, first.name, first.text) == (1, "a1", "LOGIN", "LOGIN ***")
        assert [(command.name, command.text) for command in others] == [
            ("SELECT", "SELECT INBOX"),
            ("APPEND", "APPEND INBOX (\\Seen) {20+}"),
            ("UID FETCH", "uid fetch 1 (FLAGS)"),
        ]


def test_lines_and_sizes_without_end() -> None:
    with serving() as (_, client):
        client.send(b"a NOOP " + b"x" * 70_000)
        assert client.rest() == b"* BYE Line too long.\r\n"
