"""The embedded IMAP server, driven by raw sockets and the standard library's client: logins, mailboxes, messages."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import hashlib
import hmac
import imaplib
import ssl
import time
import zlib
from typing import Any

import pytest
import scramp

from netclients.testing import IMAPServer
from tests.testing.imap_peer import peer, serving

ONE = b"From: a@x\r\nSubject: one\r\n\r\nfirst\r\n"
TWO = b"From: b@x\r\nSubject: two\r\n\r\nsecond\r\n"


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# The standard library's client


@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
def test_imaplib(tls: Any) -> None:
    with IMAPServer(tls=tls, users={"me": "p:/@ss"}) as server:
        client: imaplib.IMAP4
        if tls == "implicit":
            client = imaplib.IMAP4_SSL(server.host, server.port, ssl_context=server.client_context(), timeout=10)
        else:
            client = imaplib.IMAP4(server.host, server.port, timeout=10)
        with client:
            if tls == "starttls":
                assert "LOGINDISABLED" in client.capabilities
                client.starttls(server.client_context())
                assert "LOGINDISABLED" not in client.capabilities
            client.login("me", "p:/@ss")
            date = imaplib.Time2Internaldate(dt.datetime(2020, 2, 3, 4, 5, 6, tzinfo=dt.UTC))
            assert client.append("INBOX", "(\\Flagged)", date, ONE)[0] == "OK"
            assert client.append("INBOX", "", date, TWO)[0] == "OK"
            assert client.append("nowhere", "", date, TWO)[0] == "NO"
            assert client.select() == ("OK", [b"2"])
            assert client.response("UIDNEXT") == ("UIDNEXT", [b"3"])
            assert client.fetch("1", "(FLAGS RFC822.SIZE)") == (
                "OK",
                [b"1 (FLAGS (\\Flagged \\Recent) RFC822.SIZE 34)"],
            )
            assert client.fetch("1:*", "BODY.PEEK[]") == (
                "OK",
                [(b"1 (BODY[] {34}", ONE), b")", (b"2 (BODY[] {35}", TWO), b")"],
            )
            assert client.search(None, "SUBJECT", "one") == ("OK", [b"1"])
            assert client.uid("SEARCH", "UNSEEN") == ("OK", [b"1 2"])
            assert client.store("2", "+FLAGS", "\\Deleted") == ("OK", [b"2 (FLAGS (\\Deleted \\Recent))"])
            assert client.create("Old/2020")[0] == "OK"
            assert client.copy("1", "Old/2020")[0] == "OK"
            assert client.expunge() == ("OK", [b"2"])
            assert client.status("Old/2020", "(MESSAGES UNSEEN)") == ("OK", [b"Old/2020 (MESSAGES 1 UNSEEN 1)"])
            assert client.list('""', "Old*") == (
                "OK",
                [b'(\\HasChildren) "/" Old', b'(\\HasNoChildren) "/" Old/2020'],
            )
        (message,) = server.messages("me")
        assert (message.uid, message.raw) == (1, ONE)
        assert message.flags == {"\\Flagged"}
        assert message.date == dt.datetime(2020, 2, 3, 4, 5, 6, tzinfo=dt.UTC)
        assert server.mailbox_names("me") == ["INBOX", "Old", "Old/2020"]
        assert [message.raw for message in server.messages("me", "Old/2020")] == [ONE]
        scheme = "imaps" if tls == "implicit" else "imap"
        assert server.url == f"{scheme}://me:p%3A%2F%40ss@127.0.0.1:{server.port}"
        stats = server.stats
        assert (stats.connections, stats.logins, stats.commands["APPEND"]) == (1, 1, 3)
        assert server.violations == []


@pytest.mark.asyncio
async def test_on_the_running_loop() -> None:
    async with IMAPServer() as server:
        server.add("me", "INBOX", ONE)
        reader, writer = await asyncio.open_connection(server.host, server.port)
        assert (await reader.readline()).startswith(b"* OK [CAPABILITY IMAP4rev1 ")
        writer.write(b"1 LOGIN me secret\r\n2 SELECT INBOX\r\n3 FETCH 1 UID\r\n4 LOGOUT\r\n")
        dialogue = await reader.read()
        assert b"* 1 FETCH (UID 1)\r\n3 OK " in dialogue
        assert dialogue.endswith(b"* BYE Logging out\r\n4 OK Logout completed.\r\n")
        writer.close()
        await writer.wait_closed()
        for _ in range(100):
            if not server.stats.connections_open:
                break
            await asyncio.sleep(0.01)
        assert server.stats.connections_open == 0


# Logins


def test_mechanisms() -> None:
    users, tokens = {"me": "pw"}, {"me": "t0"}
    mechanisms = ["PLAIN", "LOGIN", "CRAM-MD5", "XOAUTH2", "OAUTHBEARER", "EXTERNAL", "SCRAM-SHA-256"]
    with IMAPServer(users=users, tokens=tokens, mechanisms=mechanisms) as server:

        def attempt(*lines: str) -> bytes:
            with peer(server, login=False) as client:
                client.send(f"A AUTHENTICATE {lines[0]}\r\n".encode())
                for line in lines[1:]:
                    assert client.line().startswith(b"+ ")
                    client.send(f"{line}\r\n".encode())
                return client.line().split(b"]")[0]

        in_ = b"A OK [CAPABILITY IMAP4rev1"
        assert attempt("PLAIN", b64(b"\0me\0pw")).startswith(in_)
        assert attempt(f"plain {b64(b'me' + bytes(1) + b'me' + bytes(1) + b'pw')}").startswith(in_)
        assert attempt("LOGIN", b64(b"me"), b64(b"pw")).startswith(in_)
        assert attempt("EXTERNAL =").startswith(in_)
        bearer = b64(b"n,a=me,\x01auth=Bearer t0\x01\x01")
        assert attempt(f"OAUTHBEARER {bearer}").startswith(in_)
        refused = b"A NO [AUTHENTICATIONFAILED"
        assert attempt("PLAIN", b64(b"\0me\0wrong")) == refused
        assert attempt(f"XOAUTH2 {b64(b'user=me' + bytes([1]) + b'auth=Bearer t1' + bytes([1, 1]))}", "") == refused
        assert attempt("PLAIN", "*") == b"A BAD Error in IMAP command AUTHENTICATE: Authentication cancelled."
        assert attempt("PLAIN", "?").startswith(b"A BAD")
        assert attempt("NTLM") == b"A NO Unsupported authentication mechanism."
        server.set_tokens({"me": "t1"})
        assert attempt(f"OAUTHBEARER {bearer}", "AQ==") == refused
        with peer(server, login=False) as client:
            client.send(b"A AUTHENTICATE CRAM-MD5\r\n")
            challenge = base64.b64decode(client.line()[2:])
            digest = hmac.new(b"pw", challenge, hashlib.md5).hexdigest()
            client.send(f"{b64(f'me {digest}'.encode())}\r\n".encode())
            assert client.line().startswith(in_)
        with peer(server, login=False) as client:
            scram = scramp.ScramClient(["SCRAM-SHA-256"], "me", "pw")
            client.send(f"A AUTHENTICATE SCRAM-SHA-256 {b64(scram.get_client_first().encode())}\r\n".encode())
            scram.set_server_first(base64.b64decode(client.line()[2:]).decode())
            client.send(f"{b64(scram.get_client_final().encode())}\r\n".encode())
            scram.set_server_final(base64.b64decode(client.line()[2:]).decode())
            client.send(b"\r\n")
            assert client.line().startswith(in_)
        assert {command.text for command in server.commands if " " in command.text} == {
            *(f"AUTHENTICATE {name}" for name in ("PLAIN", "LOGIN", "CRAM-MD5", "NTLM")),
            *(f"AUTHENTICATE {name} ***" for name in ("plain", "EXTERNAL", "XOAUTH2", "OAUTHBEARER", "SCRAM-SHA-256")),
        }
        assert server.violations == []


def test_no_login_without_tls() -> None:
    with serving(login=False, tls="starttls") as (server, client):
        assert b"STARTTLS LOGINDISABLED" in client.greeting
        assert client.status("LOGIN me secret") == b"NO [PRIVACYREQUIRED]"
        assert client.status("AUTHENTICATE PLAIN AA==") == b"NO [PRIVACYREQUIRED]"
        client.starttls()
        assert client.untagged("CAPABILITY")[0].endswith(b" AUTH=PLAIN AUTH=LOGIN AUTH=CRAM-MD5")
        assert client.status("STARTTLS") == b"BAD"
        assert client.status('LOGIN "me" {6+}\r\nsecret').startswith(b"OK")
        assert client.status("LOGIN me secret") == b"BAD"
        assert [command.text for command in server.commands if command.name == "LOGIN"] == ["LOGIN ***"] * 3


def test_preauth_and_limits() -> None:
    with IMAPServer(preauth="me", max_connections=1) as server, peer(server, login=False) as client:
        assert client.greeting.startswith(b"* PREAUTH [CAPABILITY IMAP4rev1 ")
        assert client.ok("SELECT INBOX")
        with peer(server, login=False) as second:
            assert second.greeting.startswith(b"* BYE [LIMIT] ")
            assert second.rest() == b""


def test_tls_sessions_end_with_an_alert() -> None:
    with serving(tls="implicit") as (_, client):
        assert isinstance(client.sock, ssl.SSLSocket)
        assert client.untagged("LOGOUT") == [b"* BYE Logging out"]
        assert client.rest() == b""  # an end without alert would raise


def test_compression() -> None:
    with serving(ONE) as (server, client):
        assert client.status("COMPRESS LZW") == b"BAD"
        assert client.ok("COMPRESS DEFLATE")
        deflater, inflater = zlib.compressobj(wbits=-15), zlib.decompressobj(wbits=-15)

        def say(line: bytes) -> bytes:
            client.send(deflater.compress(line) + deflater.flush(zlib.Z_SYNC_FLUSH))
            plain = b""
            while not plain.startswith(b"z ") and b"\r\nz " not in plain:
                plain += inflater.decompress(client.sock.recv(65536))
            return plain

        assert say(b"z FETCH 1 BODY.PEEK[TEXT]\r\n").startswith(b"* 1 FETCH (BODY[TEXT] {7}\r\nfirst\r\n)\r\nz OK ")
        assert say(b"z COMPRESS DEFLATE\r\n").startswith(b"z NO [COMPRESSIONACTIVE]")
        assert b"COMPRESS=DEFLATE" not in say(b"z CAPABILITY\r\n")
        assert server.violations == []


# Capabilities


def test_capabilities_that_are_taken_away() -> None:
    without = {
        "move",
        "IDLE",
        "UIDPLUS",
        "QUOTA",
        "NAMESPACE",
        "CONDSTORE",
        "LITERAL+",
        "UNSELECT",
        "ENABLE",
        "ESEARCH",
    }
    with serving(ONE, without=without) as (server, client):
        told = client.untagged("CAPABILITY")[0].decode().upper().split()
        assert not {name.upper() for name in without} & {*told}
        assert not {"QRESYNC", "UTF8=ACCEPT", "SEARCHRES", "QUOTA=RES-STORAGE"} & {*told}
        assert "LITERAL-" in told
        for command in (
            *("MOVE 1 INBOX", "IDLE", "UID EXPUNGE 1", "GETQUOTAROOT INBOX", "NAMESPACE", "UNSELECT", "ENABLE X"),
            *("SELECT INBOX (CONDSTORE)", "FETCH 1 MODSEQ", "SEARCH MODSEQ 1", "SEARCH RETURN (ALL) ALL"),
        ):
            assert client.status(command) == b"BAD", command
        assert client.status("COPY 1 INBOX") == b"OK"
        assert client.append("INBOX", ONE) == b"OK"
        server.set_without(())
        assert client.append("INBOX", ONE).startswith(b"OK [APPENDUID ")
        assert b" MOVE " in client.untagged("CAPABILITY")[0]


def test_commands_in_the_wrong_state_or_form() -> None:
    with serving(login=False) as (_, client):
        for command in (
            *("SELECT INBOX", "FETCH 1 FLAGS", "NOSUCH", "LOGIN me", "LOGIN", "UID NOOP", "CAPABILITY x", "ID", "ID ("),
            *("ENABLE CONDSTORE", "STARTTLS"),
        ):
            assert client.status(command) == b"BAD", command
        client.send(b"\r\n")
        assert client.line().startswith(b"* BAD ")
        assert client.ok("LOGIN me secret")
        for command in ("FETCH 1 FLAGS", "CLOSE", "SELECT", "SELECT a b", "LIST", "STATUS INBOX ()", "APPEND INBOX"):
            assert client.status(command) == b"BAD", command
        assert client.untagged('ID ("name" "x" "os" NIL)') == [b'* ID ("name" "netclients.testing")']
        assert client.untagged("ID NIL") == [b'* ID ("name" "netclients.testing")']
        assert client.untagged("ENABLE CONDSTORE X") == [b"* ENABLED CONDSTORE"]


# Size and speed


def test_five_thousand_messages() -> None:
    with IMAPServer() as server:
        for _ in range(5000):
            server.add("me", "INBOX", ONE)
        with peer(server) as client:
            client.ok("SELECT INBOX")
            start = time.perf_counter()
            assert len(client.untagged("FETCH 1:* FLAGS")) == 5000
            assert time.perf_counter() - start < 2  # 0.1 s on an idle machine
            assert client.untagged("UID STORE 1:* +FLAGS.SILENT (\\Deleted)") == []
            start = time.perf_counter()
            assert client.untagged("EXPUNGE") == [b"* 1 EXPUNGE"] * 5000
            assert time.perf_counter() - start < 2
        assert server.messages("me") == []
