"""The embedded SMTP server, driven by raw sockets and the standard library's client."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import scramp

from netclients.testing import (
    CutContent,
    Delay,
    Greylist,
    Hangup,
    HangupAfter,
    InjectClear,
    Reply,
    SMTPServer,
    Stall,
)

BODY = b"Subject: hello\r\n\r\n.hidden\r\n..more\r\n\r\n.\x2e\r\nend\r\n"
STUFFED = BODY.replace(b"\r\n.", b"\r\n..")
ENVELOPE = b"MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n"


class Peer:
    """A client that sends what it is told, and reads replies."""

    def __init__(self, server: SMTPServer, *, hello: bool = True) -> None:
        self.server = server
        if server.unix is None:
            self.sock = socket.create_connection((server.host, server.port), timeout=10)
        else:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.settimeout(10)
            self.sock.connect(server.unix)
        if server.url.startswith(("smtps", "lmtps")):
            self.sock = server.client_context().wrap_socket(self.sock, server_hostname="localhost")
        self.file = self.sock.makefile("rb")
        if hello:
            assert self.reply()[0] == 220
            verb = "LHLO" if server.url.startswith("lmtp") else "EHLO"
            code, text = self.say(f"{verb} me")
            assert code == 250
            self.extensions = text.split("\n")[1:]

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reply(self) -> tuple[int, str]:
        lines = []
        while True:
            line = self.file.readline()
            if not line.endswith(b"\r\n"):
                raise EOFError(line)
            lines.append(line[4:-2].decode())
            if line[3:4] == b" ":
                return int(line[:3]), "\n".join(lines)

    def codes(self, count: int) -> list[int]:
        return [self.reply()[0] for _ in range(count)]

    def say(self, line: str) -> tuple[int, str]:
        self.send(f"{line}\r\n".encode())
        return self.reply()

    def starttls(self) -> None:
        assert self.say("STARTTLS")[0] == 220
        self.file.close()
        self.sock = self.server.client_context().wrap_socket(self.sock, server_hostname="localhost")
        self.file = self.sock.makefile("rb")

    def rest(self) -> bytes:
        return self.file.read()

    def close(self) -> None:
        self.file.close()
        self.sock.close()


@contextlib.contextmanager
def peer(server: SMTPServer, *, hello: bool = True) -> Iterator[Peer]:
    with contextlib.closing(Peer(server, hello=hello)) as client:
        yield client


@contextlib.contextmanager
def serving(**options: Any) -> Iterator[tuple[SMTPServer, Peer]]:
    with SMTPServer(**options) as server, peer(server) as client:
        yield server, client


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


# The standard library's client


@pytest.mark.parametrize("tls", ["none", "starttls", "implicit"])
def test_smtplib(tls: Any) -> None:
    with SMTPServer(tls=tls, users={"me": "p:/@ss"}, require_auth=True) as server:
        context = server.client_context()
        client: smtplib.SMTP
        if tls == "implicit":
            client = smtplib.SMTP_SSL(server.host, server.port, context=context, timeout=10)
        else:
            client = smtplib.SMTP(server.host, server.port, timeout=10)
        with client:
            if tls == "starttls":
                client.starttls(context=context)
            client.login("me", "p:/@ss")
            refused = client.sendmail(
                "a@x", ["b@x", "c@x"], BODY, mail_options=["BODY=8BITMIME", "RET=HDRS"], rcpt_options=["NOTIFY=NEVER"]
            )
        assert refused == {}
        (message,) = server.messages
        assert (message.sender, message.recipients, message.content) == ("a@x", ("b@x", "c@x"), BODY)
        assert message.mail_options == (f"size={len(BODY)}", "BODY=8BITMIME", "RET=HDRS")
        assert message.rcpt_options == (("NOTIFY=NEVER",), ("NOTIFY=NEVER",))
        assert (message.authenticated, message.secure, message.connection) == ("me", tls != "none", 1)
        assert message.sha256 == hashlib.sha256(BODY).hexdigest()
        scheme = "smtps" if tls == "implicit" else "smtp"
        assert server.url == f"{scheme}://me:p%3A%2F%40ss@127.0.0.1:{server.port}"
        stats = server.stats
        assert (stats.connections, stats.logins, stats.messages, stats.bytes_received) == (1, 1, 1, len(BODY))
        assert server.violations == []


@pytest.mark.parametrize("method", ["auth_plain", "auth_login", "auth_cram_md5"])
def test_smtplib_mechanisms(method: str) -> None:
    with SMTPServer(users={"me": "pw"}) as server, smtplib.SMTP(server.host, server.port, timeout=10) as client:
        client.ehlo()
        name = method.removeprefix("auth_").replace("_", "-").upper()
        client.user, client.password = "me", "wrong"
        with pytest.raises(smtplib.SMTPAuthenticationError, match=r"5\.7\.8"):
            client.auth(name, getattr(client, method))
        client.user, client.password = "me", "pw"
        assert client.auth(name, getattr(client, method))[0] == 235
        assert client.docmd("AUTH", name)[0] == 503


# Pipelining and content


def test_pipelined_commands_are_answered_in_order() -> None:
    with serving(refuse={"bad@x": "550 5.1.1 No such user."}) as (server, client):
        client.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<bad@x>\r\nRCPT TO:<b@x>\r\nBOGUS\r\nDATA\r\n")
        assert client.codes(5) == [250, 550, 250, 500, 354]
        client.send(STUFFED + b".\r\nRSET\r\n" + ENVELOPE + b"RCPT TO:<bad@x>\r\nDATA\r\n")
        assert client.codes(6) == [250, 250, 250, 250, 550, 354]
        client.send(b".\r\nQUIT\r\n")
        assert client.codes(2) == [250, 221]
        assert client.rest() == b""
        assert [message.content for message in server.messages] == [BODY, b""]
        assert [message.recipients for message in server.messages] == [("b@x",)] * 2
        assert server.violations == []


def test_content_in_any_pieces() -> None:
    with serving() as (server, client):
        client.send(ENVELOPE + b"DATA\r\n")
        client.codes(3)
        for byte in STUFFED + b".\r\n":
            client.send(bytes((byte,)))
            time.sleep(0.0005)
        assert client.reply()[0] == 250
        assert server.messages[0].content == BODY


@pytest.mark.parametrize(
    "content",
    [
        b"a\n.\nb\r\n",
        b"a\r\n.\rb\r\n",
        b"a\r.\r\n.\n\r\n",
        b"\r\n\r\n",
        b"x" * 300_000 + b"\r\n",
        b"\r" * 200_000 + b"\r\n",
    ],
    ids=["lf", "cr", "mixed", "empty lines", "long line", "many CR"],
)
def test_only_crlf_ends_a_line(content: bytes) -> None:
    with serving() as (server, client):
        client.send(ENVELOPE + b"DATA\r\n")
        client.codes(3)
        stuffed = (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]
        client.send(stuffed + b".\r\nNOOP\r\n")
        assert client.codes(2) == [250, 250]
        assert server.messages[0].content == content


def test_large_content_is_hashed_only() -> None:
    line = b"." + b"x" * 77 + b"\r\n"
    with serving(keep=False) as (server, client):
        client.send(ENVELOPE + b"DATA\r\n")
        client.codes(3)
        client.send(b"." + line.join([b""] * 2) + (b"." + line) * 99_999 + b".\r\n")
        assert client.reply()[0] == 250
        (message,) = server.messages
        assert (message.content, message.size) == (b"", 100_000 * len(line))
        assert message.sha256 == hashlib.sha256(line * 100_000).hexdigest()


def test_bdat() -> None:
    with serving() as (server, client):
        binary = b"A: b\r\n\r\n" + bytes(range(256)) * 100
        client.send(b"MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<b@x>\r\nBDAT 5\r\n" + binary[:5])
        assert client.codes(3) == [250, 250, 250]
        client.send(b"BDAT 0\r\nBDAT %d\r\n" % (len(binary) - 5) + binary[5:] + b"BDAT 0 LAST\r\n")
        assert client.codes(3) == [250, 250, 250]
        client.send(ENVELOPE + b"BDAT 3 last\r\nabcNOOP\r\n")
        assert client.codes(4) == [250, 250, 250, 250]
        assert [message.content for message in server.messages] == [binary, b"abc"]
        assert server.messages[0].sender == ""
        assert server.violations == []


@pytest.mark.parametrize(
    ("options", "commands", "codes"),
    [
        ({}, b"BDAT 4 LAST\r\nQUIT", [503]),
        ({"refuse": lambda _: "550 no"}, ENVELOPE + b"BDAT 4 LAST\r\nQUITBDAT 4 LAST\r\nQUIT", [250, 550, 554, 503]),
        ({"size_limit": 3}, ENVELOPE + b"BDAT 4\r\nQUITBDAT 4 LAST\r\nQUIT", [250, 250, 552, 503]),
        ({"size_limit": 3}, ENVELOPE + b"BDAT 4 LAST\r\nQUIT", [250, 250, 552]),
        ({"faults": [Reply("BDAT", "451 later")]}, ENVELOPE + b"BDAT 4 LAST\r\nQUIT", [250, 250, 451]),
        ({"faults": [Reply("CONTENT", "451 later")]}, ENVELOPE + b"BDAT 4 LAST\r\nQUIT", [250, 250, 451]),
        ({}, ENVELOPE + b"BDAT x LAST\r\n", [250, 250, 501]),
        ({"without": {"chunking"}}, ENVELOPE + b"BDAT 4 LAST\r\nVRFYDATA\r\n", [250, 250, 502, 500]),
        ({}, ENVELOPE + b"BDAT 1\r\nxDATA\r\n", [250, 250, 250, 503]),
        ({}, ENVELOPE.replace(b"x>\r", b"x> BODY=BINARYMIME\r", 1) + b"DATA\r\n", [250, 250, 503]),
    ],
)
def test_refused_content_stays_in_step(options: dict[str, Any], commands: bytes, codes: list[int]) -> None:
    with serving(**options) as (server, client):
        client.send(commands + b"RSET\r\n")
        assert client.codes(len(codes) + 1) == [*codes, 250]
        assert server.messages == []


# Extensions


def test_extensions() -> None:
    with serving(size_limit=1000) as (_, client):
        assert client.extensions == [
            "PIPELINING",
            "8BITMIME",
            "SMTPUTF8",
            "DSN",
            "ENHANCEDSTATUSCODES",
            "CHUNKING",
            "BINARYMIME",
            "SIZE 1000",
        ]
        assert client.say("MAIL FROM:<a@x> SIZE=1001")[1].startswith("5.3.4")
        assert client.say("MAIL FROM:<a@x> size=1000 BODY=8BITMIME RET=FULL ENVID=q")[0] == 250
        assert client.say("RCPT TO:<b@x> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b@x")[0] == 250
        client.send(b"DATA\r\n")
        client.reply()
        client.send(b"x" * 999 + b"\r\n.\r\n")
        assert client.reply()[1].startswith("5.3.4")


def test_extensions_that_are_not_offered() -> None:
    names = {"pipelining", "8bitmime", "smtputf8", "dsn", "enhancedstatuscodes", "chunking", "size"}
    with serving(without=names | {"RSET"}) as (server, client):
        assert client.extensions == []
        for option in ("SIZE=1", "BODY=8BITMIME", "SMTPUTF8", "RET=FULL", "ENVID=q", "REQUIRETLS", "AUTH=<>", "X=1"):
            assert client.say(f"MAIL FROM:<a@x> {option}")[0] == 555
        assert client.say("MAIL FROM:<a@x>") == (250, "Sender OK.")
        assert client.say("RCPT TO:<b@x> NOTIFY=NEVER")[0] == 555
        assert client.say("RCPT TO:<b@x>")[0] == 250
        assert client.say("RSET")[0] == 502
        assert server.violations == []


def test_syntax_and_order() -> None:
    with SMTPServer() as server, peer(server, hello=False) as client:
        assert client.reply()[0] == 220
        assert client.say("MAIL FROM:<a@x>")[0] == 503
        assert client.say("LHLO me")[0] == 500
        assert client.say("EHLO")[0] == 501
        assert client.say("HELO me") == (250, "netclients.test")
        for line in ("MAIL <a@x>", "MAIL TO:<a@x>", "MAIL FROM:a@x", "MAIL FROM:<a@x>SIZE=1", "MAIL FROM:<a@x> SIZE=x"):
            assert client.say(line)[0] == 501
        assert client.say("MAIL FROM:<ä@x>")[1].startswith("5.6.7")
        assert client.say("MAIL FROM:<a@x> BODY=QUANTUM")[0] == 501
        assert client.say("RCPT TO:<b@x>")[0] == 503
        assert client.say("DATA")[0] == 503
        assert client.say("mail from:<ä@x> smtputf8")[0] == 250
        assert client.say("MAIL FROM:<a@x>")[0] == 503
        assert client.say("RCPT TO:<>")[0] == 501
        assert client.say('RCPT TO:<"a>b <\\"c"@x>')[0] == 250
        assert client.say("RCPT TO:<ö@x>")[0] == 250
        assert client.say("DATA now")[0] == 501
        assert client.say("AUTH PLAIN")[0] == 502
        assert client.say("STARTTLS")[0] == 502
        assert client.say("VRFY a")[0] == 252
        assert client.say("HELP")[0] == 214
        client.send(b"DATA\r\n")
        client.reply()
        assert client.say(".")[0] == 250
        assert server.messages[0].recipients == ('"a>b <\\"c"@x', "ö@x")
        client.send(b"x" * 200_000)
        assert client.reply() == (500, "5.5.2 Line too long.")
        assert client.rest() == b""


# TLS


def test_what_came_behind_starttls_is_thrown_away() -> None:
    with serving(tls="starttls", tls_required=True) as (server, client):
        assert "STARTTLS" in client.extensions
        assert client.say("MAIL FROM:<a@x>")[0] == 530
        client.send(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@x>\r\n")
        assert client.reply()[0] == 220
        client.file.close()
        client.sock = server.client_context().wrap_socket(client.sock, server_hostname="localhost")
        client.file = client.sock.makefile("rb")
        assert client.say("MAIL FROM:<a@x>")[0] == 503
        code, text = client.say("EHLO me")
        assert code == 250
        assert "STARTTLS" not in text
        assert "REQUIRETLS" in text
        assert client.say("STARTTLS")[0] == 503
        assert client.say("MAIL FROM:<a@x> REQUIRETLS")[0] == 250
        assert server.stats.discarded == 31
        assert server.violations == [
            "connection 1: sent something behind STARTTLS, which has to be the last of its group"
        ]


def test_failed_handshakes_harm_nobody() -> None:
    with SMTPServer(tls="implicit") as server:
        with socket.create_connection((server.host, server.port), timeout=10) as sock:
            sock.sendall(b"EHLO me\r\n")
            with contextlib.suppress(ConnectionError):
                while sock.recv(100):
                    pass
        with socket.create_connection((server.host, server.port), timeout=10) as sock, pytest.raises(ssl.SSLError):
            ssl.create_default_context().wrap_socket(sock, server_hostname="localhost")
        with peer(server) as client:
            assert client.say("QUIT")[0] == 221
            assert client.rest() == b""


# AUTH


def test_auth_needs_tls_where_there_is_tls() -> None:
    with serving(tls="starttls", users={"me": "pw"}) as (_, client):
        assert not any(line.startswith("AUTH") for line in client.extensions)
        assert client.say("AUTH PLAIN")[0] == 538
        client.starttls()
        assert "AUTH PLAIN LOGIN CRAM-MD5" in client.say("EHLO me")[1]


def test_auth_failures() -> None:
    with serving(users={"me": "pw"}, require_auth=True) as (server, client):
        assert client.say("MAIL FROM:<a@x>")[0] == 530
        assert client.say("AUTH KERBEROS")[0] == 504
        assert client.say("AUTH XOAUTH2")[0] == 504
        assert client.say("AUTH PLAIN ???")[0] == 501
        assert client.say(f"AUTH PLAIN {b64(b'nonsense')}")[0] == 501
        assert client.say("AUTH PLAIN") == (334, "")
        assert client.say("*")[0] == 501
        assert client.say(f"AUTH PLAIN {b64(b'you' + bytes(1) + b'me' + bytes(1) + b'pw')}")[0] == 535
        assert client.say("AUTH LOGIN =") == (334, b64(b"Password:"))
        assert client.say("=")[0] == 501
        assert server.stats.logins == 0
        assert client.say(f"AUTH PLAIN {b64(bytes(1) + b'me' + bytes(1) + b'pw')}")[0] == 235
        assert client.say("MAIL FROM:<a@x> AUTH=<>")[0] == 250


def test_tokens() -> None:
    with serving(tokens={"me": "t1"}) as (server, client):
        assert client.extensions[-1] == "AUTH XOAUTH2 OAUTHBEARER"
        xoauth2 = f"AUTH XOAUTH2 {b64(b'user=me' + bytes((1,)) + b'auth=Bearer t1' + bytes((1, 1)))}"
        bearer = b"n,a=me,\x01host=x\x01port=25\x01auth=Bearer t1\x01\x01"
        server.set_tokens({"me": "t2"})
        code, challenge = client.say(xoauth2)
        assert code == 334
        assert b"invalid_token" in base64.b64decode(challenge)
        assert client.say("")[0] == 535
        assert client.say(f"AUTH OAUTHBEARER {b64(bearer)}")[0] == 334
        assert client.say("AQ==")[0] == 535
        assert client.say(f"AUTH OAUTHBEARER {b64(b'n,,')}")[0] == 501
        server.set_tokens({"me": "t1"})
        assert client.say(xoauth2)[0] == 235
        with peer(server) as second:
            assert second.say("AUTH OAUTHBEARER")[0] == 334
            assert second.say(b64(bearer))[0] == 235


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("SCRAM-SHA-1", None),
        ("SCRAM-SHA-256", None),
        ("SCRAM-SHA-256-PLUS", "tls-server-end-point"),
        ("SCRAM-SHA-256-PLUS", "tls-unique"),
    ],
)
def test_scram(name: str, kind: str | None) -> None:
    mechanisms = ["SCRAM-SHA-1", "SCRAM-SHA-256", name]
    with serving(tls="implicit", users={"me": "pw"}, mechanisms=mechanisms) as (server, client):
        assert isinstance(client.sock, ssl.SSLSocket)
        certificate = client.sock.getpeercert(binary_form=True)
        unique = client.sock.get_channel_binding()
        assert certificate is not None
        assert unique is not None
        data = unique if kind == "tls-unique" else hashlib.sha256(certificate).digest()
        binding = kind and (kind, data)
        for password, code in (("wrong", 535), ("pw", 235)):
            scram = scramp.ScramClient([name], "me", password, channel_binding=binding)
            reply = client.say(f"AUTH {name} {b64(scram.get_client_first().encode())}")
            assert reply[0] == 334
            scram.set_server_first(base64.b64decode(reply[1]).decode())
            reply = client.say(b64(scram.get_client_final().encode()))
            if code == 235:
                scram.set_server_final(base64.b64decode(reply[1]).decode())
                reply = client.say("")
            assert reply[0] == code
        assert server.stats.logins == 1


def test_external() -> None:
    with serving(users={"me": "pw"}, mechanisms=["external"]) as (_, client):
        assert client.say(f"AUTH EXTERNAL {b64(b'you')}")[0] == 535
        assert client.say("AUTH EXTERNAL =")[0] == 235
    with pytest.raises(ValueError, match="known are"):
        SMTPServer(mechanisms=["NTLM"])


# Refusals and limits


def test_recipients_that_are_refused_by_function() -> None:
    def refuse(address: str) -> str | None:
        return None if address.endswith("@x") else "550-5.7.1 We\r\n550 5.7.1 do not relay."

    with serving(refuse=refuse, data_without_recipients=True) as (server, client):
        client.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n")
        assert [client.reply() for _ in range(3)][1:] == [
            (550, "5.7.1 We\n5.7.1 do not relay."),
            (354, "End with a lone dot."),
        ]
        assert client.say(".")[0] == 554
        assert server.messages == []


def test_limits() -> None:
    with SMTPServer(max_recipients=2, max_messages=2, max_connections=1) as server:
        with peer(server) as client:
            with peer(server, hello=False) as second:
                assert second.reply()[0] == 421
                assert second.rest() == b""
            client.send(ENVELOPE + b"RCPT TO:<c@x>\r\nRCPT TO:<d@x>\r\nDATA\r\n")
            assert client.codes(5) == [250, 250, 250, 452, 354]
            client.send(BODY + b".\r\n" + ENVELOPE + b"RSET\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n")
            assert client.codes(5) == [250, 250, 250, 250, 421]
            assert client.rest() == b""
        deadline = time.monotonic() + 5
        while server.stats.connections_open and time.monotonic() < deadline:
            time.sleep(0.01)
        with peer(server) as client:
            assert client.say("NOOP")[0] == 250
        assert server.stats.connections_peak == 2


# Faults


def test_greylisting_counts_each_recipient() -> None:
    with serving(faults=[Greylist("*@x", times=2)]) as (server, client):
        client.say("MAIL FROM:<a@x>")
        codes = [client.say(f"RCPT TO:<{address}>")[0] for address in ("b@x", "c@x", "b@x", "d@y", "b@x", "c@x", "c@x")]
        assert codes == [450, 450, 450, 250, 250, 450, 250]
        assert server.stats.faults == 4


def test_replies_by_script() -> None:
    faults = [
        Reply("MAIL", "451 4.3.0 later", times=1),
        Reply("RCPT", "550 5.1.1 no", argument="bad@x"),
        Reply("CONTENT", "451 4.3.0 disk", times=1),
        Reply("NOOP", ""),
        Reply("*", "421 4.3.2 going", skip=8, times=1),
    ]
    with serving(faults=faults) as (server, client):
        client.send(b"NOOP\r\nMAIL FROM:<a@x>\r\nMAIL FROM:<a@x>\r\nRCPT TO:<bad@x> NOTIFY=NEVER\r\nRCPT TO:<b@x>\r\n")
        assert client.codes(4) == [451, 250, 550, 250]
        client.send(b"DATA\r\n")
        assert client.reply()[0] == 354
        client.send(b".\r\nMAIL FROM:<a@x>\r\nVRFY a\r\nVRFY a\r\nVRFY a\r\nVRFY a\r\n")
        assert client.codes(4) == [451, 250, 252, 252]
        assert client.reply() == (421, "4.3.2 going")
        assert client.rest() == b""
        assert server.messages == []


def test_greeting_by_script() -> None:
    with SMTPServer(faults=[Reply("CONNECT", "554 5.7.1 go away", times=1)]) as server:
        with peer(server, hello=False) as client:
            assert client.reply()[0] == 554
            assert client.say("QUIT")[0] == 221
        with peer(server) as client:
            assert client.say("QUIT")[0] == 221


@pytest.mark.parametrize("content", [b"BDAT 3 LAST\r\nabc", b"DATA\r\n"])
@pytest.mark.parametrize("executed", [False, True])
def test_cut_before_and_after_acceptance(content: bytes, executed: bool) -> None:
    with serving(faults=[Hangup("CONTENT", executed=executed)]) as (server, client):
        client.send(ENVELOPE + content)
        assert client.codes(2) == [250, 250]
        if content.startswith(b"DATA"):
            assert client.reply()[0] == 354
            client.send(b"abc\r\n.\r\n" + ENVELOPE)
        assert client.rest() == b""
        assert len(server.messages) == executed


@pytest.mark.parametrize("verb", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "BDAT", "QUIT"])
@pytest.mark.parametrize("executed", [False, True])
@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("tls", ["none", "implicit"])
def test_hangup_at_commands(verb: str, executed: bool, reset: bool, tls: Any) -> None:
    with SMTPServer(tls=tls, faults=[Hangup(verb, executed=executed, reset=reset)]) as server:
        ended: Any = (EOFError, ConnectionError, ssl.SSLEOFError)
        with pytest.raises(ended), contextlib.closing(Peer(server, hello=False)) as client:  # noqa: PT012
            lines = [b"EHLO x", *ENVELOPE.split(b"\r\n")[:2]]
            lines.append(b"BDAT 2 LAST\r\nab" if verb == "BDAT" else b"DATA" if verb == "DATA" else b"QUIT")
            client.reply()
            for line in lines:
                client.send(line + (b"" if line.endswith(b"ab") else b"\r\n"))
                client.reply()
        assert len(server.messages) == (verb == "BDAT" and executed)
        assert server.stats.faults == 1


@pytest.mark.parametrize("reset", [False, True])
def test_hangup_after_the_reply(reset: bool) -> None:
    with serving(faults=[HangupAfter("RCPT", skip=1, reset=reset)]) as (server, client):
        client.send(ENVELOPE + b"RCPT TO:<c@x>\r\n")
        if reset:
            with pytest.raises(ConnectionError):  # which may overtake the replies
                client.rest()
        else:
            assert client.codes(3) == [250, 250, 250]
            assert client.rest() == b""
    with serving(faults=[HangupAfter("CONTENT")]) as (server, client):
        client.send(ENVELOPE + b"BDAT 1 LAST\r\nx" + ENVELOPE)
        assert client.codes(3) == [250, 250, 250]
        assert client.rest() == b""
        assert len(server.messages) == 1


def test_injection_behind_starttls() -> None:
    with serving(tls="starttls", faults=[InjectClear()]) as (_, client):
        client.send(b"STARTTLS\r\n")
        assert client.sock.recv(1000) == b"220 2.0.0 Ready to start TLS.\r\n250 2.0.0 Injected.\r\n"
        secured = client.server.client_context().wrap_socket(client.sock, server_hostname="localhost")
        with secured:
            secured.sendall(b"EHLO me\r\n")
            assert secured.recv(1000).startswith(b"250-netclients.test")


def test_cut_amid_content() -> None:
    with SMTPServer(faults=[CutContent(1000, argument="big@x", how="fin")]) as server:
        with peer(server) as client:
            client.send(b"MAIL FROM:<big@x>\r\nRCPT TO:<b@x>\r\nBDAT 1000 LAST\r\n" + bytes(1000))
            assert client.codes(3) == [250, 250, 250]
            client.send(b"MAIL FROM:<big@x>\r\nRCPT TO:<b@x>\r\nBDAT 1001 LAST\r\n" + bytes(1001))
            assert client.rest().count(b"\r\n") == 2
        server.set_faults([CutContent(how="stall")])
        with peer(server) as client:
            client.send(ENVELOPE + b"DATA\r\n")
            client.codes(3)
            client.send(STUFFED + b".\r\n")
            client.sock.settimeout(0.2)
            with pytest.raises(TimeoutError):
                client.reply()
        assert len(server.messages) == 1


def test_stall_and_delay() -> None:
    with serving(faults=[Delay("RCPT", seconds=0.3), Stall("DATA")]) as (_, client):
        client.send(ENVELOPE + b"DATA\r\n")
        assert client.reply()[0] == 250
        started = time.monotonic()
        assert client.reply()[0] == 250
        assert time.monotonic() - started > 0.2
        client.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.reply()


def test_faults_in_auth() -> None:
    with serving(users={"me": "pw"}, faults=[Reply("AUTH-RESPONSE", "454 4.7.0 later", skip=1)]) as (_, client):
        assert client.say("AUTH LOGIN")[0] == 334
        assert client.say(b64(b"me"))[0] == 334
        assert client.say(b64(b"pw"))[0] == 454
        assert client.say("NOOP")[0] == 250


# LMTP


@pytest.mark.parametrize("bdat", [False, True])
def test_lmtp(bdat: bool) -> None:
    options: dict[str, Any] = {"refuse": {"no@x": "550 5.1.1 no"}, "final_replies": {"full@x": "452 4.2.2 full"}}
    with serving(lmtp=True, **options) as (server, client):
        assert client.say("EHLO me")[0] == 500
        client.send(b"MAIL FROM:<a@x>\r\nRCPT TO:<no@x>\r\nRCPT TO:<b@x>\r\nRCPT TO:<full@x>\r\nRCPT TO:<c@x>\r\n")
        assert client.codes(5) == [250, 550, 250, 250, 250]
        if bdat:
            client.send(b"BDAT 1\r\naBDAT 1 LAST\r\nb")
            assert client.reply()[0] == 250
        else:
            assert client.say("DATA")[0] == 354
            client.send(b"ab\r\n.\r\n")
        assert [client.reply() for _ in range(3)] == [
            (250, "2.1.5 <b@x> delivered."),
            (452, "4.2.2 full"),
            (250, "2.1.5 <c@x> delivered."),
        ]
        (message,) = server.messages
        assert message.recipients == ("b@x", "c@x")
        assert message.content == (b"ab" if bdat else b"ab\r\n")
        assert server.url == f"lmtp://127.0.0.1:{server.port}"


@pytest.mark.parametrize("executed", [False, True])
def test_lmtp_cut_between_replies(executed: bool) -> None:
    with serving(lmtp=True, faults=[Hangup("CONTENT", executed=executed, argument="c@x")]) as (server, client):
        client.send(ENVELOPE + b"RCPT TO:<c@x>\r\nRCPT TO:<d@x>\r\nDATA\r\n")
        client.codes(5)
        client.send(b".\r\n")
        assert client.reply()[0] == 250
        assert client.rest() == b""
        assert server.messages[0].recipients == (("b@x", "c@x") if executed else ("b@x",))


def test_lmtp_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "mail box"
    with SMTPServer(lmtp=True, unix=path) as server:
        assert server.url == f"lmtp+unix://{tmp_path}/mail%20box"
        with smtplib.LMTP(str(path)) as client:
            assert client.sendmail("a@x", ["b@x"], BODY) == {}
        assert server.messages[0].content == BODY
    assert not path.exists()


def test_final_replies_are_for_lmtp() -> None:
    with pytest.raises(ValueError, match="LMTP"):
        SMTPServer(final_replies={})


# Violations


@pytest.mark.parametrize(
    ("sent", "deeds"),
    [
        (b"NOOP\n", ["NOOP ends with a lone LF"]),
        (b"NOOP\r\nNOOP\r\n", ["sent something behind NOOP, which has to be the last of its group"]),
        (
            ENVELOPE + b"DATA\r\nx\r\n.\r\n",
            ["sent something behind DATA, which has to be the last of its group"],
        ),
        (ENVELOPE + b"BDAT 3 LAST\r\na\nb", ["content with a lone CR or LF"]),
        (ENVELOPE + b"BDAT 3 LAST\r\na\rb", ["content with a lone CR or LF"]),
        (ENVELOPE + b"BDAT 1000 LAST\r\n" + b"x" * 998 + b"\r\n", []),
        (ENVELOPE + b"BDAT 1001 LAST\r\n" + b"x" * 999 + b"\r\n", ["content with a line of more than 1,000 bytes"]),
        (ENVELOPE + b"BDAT 6 LAST\r\na\r\n\r\n\xff", ["content with bytes over 127, without BODY=8BITMIME"]),
        (
            b"MAIL FROM:<a@x> BODY=8BITMIME\r\nRCPT TO:<b@x>\r\nBDAT 3 LAST\r\na\xc3\xa4",
            ["headers with bytes over 127, without SMTPUTF8"],
        ),
    ],
)
def test_violations(sent: bytes, deeds: Iterable[str]) -> None:
    with serving() as (server, client):
        client.send(sent)
        client.sock.shutdown(socket.SHUT_WR)
        client.rest()
        assert server.violations == [f"connection 1: {deed}" for deed in deeds]


def test_pipelining_that_is_not_offered() -> None:
    with serving(without={"PIPELINING"}) as (server, client):
        client.send(ENVELOPE + b"BDAT 1 LAST\r\nxRSET\r\n")
        assert client.codes(4) == [250, 250, 250, 250]
        assert server.violations == [
            f"connection 1: sent something behind {verb}, without PIPELINING" for verb in ("MAIL", "RCPT", "BDAT")
        ]


# Running it


@pytest.mark.asyncio
async def test_on_the_running_loop() -> None:
    async with SMTPServer(tls="implicit") as server:
        reader, writer = await asyncio.open_connection(
            server.host, server.port, ssl=server.client_context(), server_hostname="localhost"
        )
        writer.write(b"EHLO x\r\n" + ENVELOPE + b"BDAT 3 LAST\r\nabc")
        while await reader.readline() != b"250 2.0.0 Message 1 accepted.\r\n":
            pass
        assert server.stats.messages == 1
        server.forget_messages()
        assert server.messages == []
        assert server.sever(reset=False) == 1
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            assert await reader.read() == b""
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


def test_leaving_it_is_quick_and_ends_all_connections() -> None:
    server = SMTPServer()
    with server:
        first, second = Peer(server), Peer(server)
        second.send(ENVELOPE + b"DATA\r\n")
        second.codes(3)
        assert Path(server.ca_file).read_text(encoding="ascii").startswith("-----BEGIN")
        started = time.monotonic()
    assert time.monotonic() - started < 0.4
    for client in (first, second):
        assert client.rest() == b""
        client.close()
    assert server.stats.connections_open == 0


def test_throughput_of_pipelined_messages() -> None:
    count, body = 2000, b"Subject: x\r\n\r\n" + b"hello\r\n" * 100
    message = ENVELOPE + b"BDAT %d LAST\r\n" % len(body) + body
    with serving() as (server, client):
        started = time.monotonic()
        sender = threading.Thread(target=lambda: [client.send(message * 20) for _ in range(count // 20)])
        sender.start()
        assert set(client.codes(3 * count)) == {250}
        sender.join()
        assert count / (time.monotonic() - started) > 1500
        assert server.stats.messages == count
