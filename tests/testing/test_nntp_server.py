"""The embedded NNTP server, by hand: what a library would not send, and what only the server's owner sees."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Self

import pytest

from netclients.testing import NNTPCommand, NNTPServer
from netclients.testing.smtp_faults import Delay, Hangup, HangupAfter, Reply, Stall

ARTICLE = b"From: a@b\r\nNewsgroups: misc.test\r\nSubject: one\r\nMessage-ID: <1@b>\r\n\r\n.\r\n..two\r\n"


@pytest.fixture
def server() -> Iterator[NNTPServer]:
    with NNTPServer() as server:
        server.add(ARTICLE)
        yield server


class Peer:
    """Sends lines and reads lines."""

    def __init__(self, server: NNTPServer) -> None:
        self.sock = socket.create_connection((server.host, server.port), 5)
        self.file = self.sock.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.sock.close()

    def say(self, text: str) -> str:
        self.sock.sendall(text.encode() + b"\r\n")
        return self.hear()

    def hear(self) -> str:
        return self.file.readline().decode().rstrip("\r\n")

    def block(self) -> list[str]:
        return list(iter(self.hear, "."))


def test_dialogue(server: NNTPServer) -> None:
    with Peer(server) as peer:
        assert peer.hear().startswith("200 ")
        for sent, reply in [
            ("group misc.test", "211 1 1 1 misc.test"),
            ("STAT", "223 1 <1@b>"),
            ("STAT x", "501 That is no number"),
            ("GROUP", "501 Which one?"),
            ("GROUP nothing", "411 No such newsgroup"),
            ("NEXT", "421 No next article"),
            ("XPAT subject 1", "501 Which pattern?"),
            ("LIST NOTHING", "501 Unknown LIST variant"),
            ("NEWNEWS * yesterday", "501 Which date?"),
            ("NONSENSE", "500 Unknown command"),
            ("MODE ODD", "501 Unknown MODE variant"),
            ("STARTTLS", "502 TLS is not offered now"),
            ("AUTHINFO USER me", "502 Command unavailable"),
            ("COMPRESS GZIP", "503 No such algorithm"),
        ]:
            assert peer.say(sent) == reply
        assert peer.say("ARTICLE").startswith("220 1 ")
        assert peer.block()[-3:] == ["", "..", "...two"]
        assert peer.say("QUIT").startswith("205 ")
        assert peer.hear() == ""
    assert server.commands[0] == NNTPCommand(1, "GROUP", "misc.test")
    assert server.stats.commands["STAT"] == 2
    assert server.violations == []


def test_violations_are_seen_and_executed(server: NNTPServer) -> None:
    with Peer(server) as peer:
        peer.hear()
        peer.sock.sendall(b"GROUP misc.test\r\nSTAT 1\n")
        assert peer.hear().startswith("211 ")
        assert peer.hear() == "223 1 <1@b>"
        peer.say("STAT " + "x" * 600)
    assert server.violations == [
        "connection 1: sent something behind GROUP, which may depend on it",
        "connection 1: STAT ends with a lone LF",
        "connection 1: STAT is a line of 607 bytes",
    ]


def test_articles_come_and_go() -> None:
    with NNTPServer(groups={"a": "y"}, settle=0.2) as server:
        server.add_group("b", description="The second")
        message_id = server.add(b"Subject: x\r\n\r\nx\r\n", groups=["a", "b"])
        assert server.articles("a")[1].message_id == server.articles("b")[1].message_id == message_id
        server.remove(message_id)
        assert server.articles("a") == {}
        with pytest.raises(KeyError):
            server.add(b"Newsgroups: nothing\r\n\r\n")
        with Peer(server) as peer:
            peer.hear()
            assert peer.say("POST").startswith("340 ")
            reply = peer.say("From: me\r\nSubject: s\r\nNewsgroups: a, b\r\n\r\nbody\r\n.")
            assert reply.startswith("240 ")
            posted = reply.rsplit(" ", 1)[1]
            assert peer.say(f"STAT {posted}").startswith("430 ")
            until = time.monotonic() + 5
            while not peer.say(f"STAT {posted}").startswith("223 "):
                assert time.monotonic() < until
                time.sleep(0.02)
        assert server.articles("b")[2].numbers == {"a": 2, "b": 2}
        assert server.stats.posted == 1


def test_faults(server: NNTPServer) -> None:
    server.set_faults([Reply("CONNECT", "400 full", times=1), Delay("DATE", seconds=0.05), HangupAfter("HELP")])
    with Peer(server) as peer:
        assert peer.hear() == "400 full"
        assert peer.hear() == ""
    with Peer(server) as peer:
        peer.hear()
        assert peer.say("DATE").startswith("111 ")
        assert peer.say("HELP").startswith("100 ")
        assert len(peer.block()) == 3
        assert peer.hear() == ""
    server.set_faults([Hangup("DATE"), Stall("HELP")])
    with Peer(server) as peer:
        peer.hear()
        assert peer.say("DATE") == ""
    with Peer(server) as peer:
        peer.hear()
        peer.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            peer.say("HELP")
    assert server.stats.faults == 2


def test_severed(server: NNTPServer) -> None:
    with Peer(server) as peer:
        peer.hear()
        assert server.sever(reset=False) == 1
        assert peer.hear() == ""


@pytest.mark.asyncio
async def test_on_a_running_loop() -> None:
    async with NNTPServer(users={"me": "pw"}) as server:
        assert server.url == f"nntp://me:pw@127.0.0.1:{server.port}"
