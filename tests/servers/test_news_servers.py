"""INN and Cyrus with plain sockets: logins on every service, seeding, posting, groups, emptying, knobs."""

from __future__ import annotations

import socket
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from tests.fix_news import NewsPark, StartNewsServer
from tests.servers import NewsServer, ServerError, running_news
from tests.servers.ports import is_open

ARTICLE = b"Subject: one\r\n\r\n.dot\r\n..\r\n body \r\n"


class Reader:
    def __init__(self, server: NewsServer, service: str = "nntp", *, login: bool = True) -> None:
        self._server = server
        self._socket = socket.create_connection((server.host, server.ports[service.split()[0]]), timeout=20)
        if service == "nntps":
            self._socket = server.ssl_context().wrap_socket(self._socket, server_hostname=server.host)
        self._lines = self._socket.makefile("rb")
        self.greeting = self._lines.readline()
        if service == "nntp STARTTLS":
            self.starttls()
        if login:
            assert self.login().startswith("281")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.close()
        self._socket.close()

    def starttls(self) -> None:
        assert self.command("STARTTLS").startswith("382")
        self._socket = self._server.ssl_context().wrap_socket(self._socket, server_hostname=self._server.host)
        self._lines = self._socket.makefile("rb")

    def login(self) -> str:
        reply = self.command(f"AUTHINFO USER {self._server.user}")
        return self.command(f"AUTHINFO PASS {self._server.password()}") if reply.startswith("381") else reply

    def command(self, line: str) -> str:
        self._socket.sendall(line.encode() + b"\r\n")
        return self._lines.readline().decode().rstrip()

    def block(self, line: str) -> list[bytes]:
        assert self.command(line)[0] in "12"
        return list(iter(self._lines.readline, b".\r\n"))

    def post(self, group: str, message_id: str) -> str:
        assert self.command("POST").startswith("340")
        head = f"From: a@example.test\r\nNewsgroups: {group}\r\nSubject: p\r\nMessage-ID: {message_id}\r\n"
        return self.command(f"{head}Date: 20 Nov 2026 10:00:00 +0000\r\n\r\nbody\r\n.")


@pytest.mark.parametrize("service", ["nntp", "nntp STARTTLS", "nntps"])
def test_services(real_nntp: NewsServer, service: str) -> None:
    group = real_nntp.new_group()
    [message_id] = real_nntp.seed(group, [ARTICLE])
    with Reader(real_nntp, service) as reader:
        assert reader.command(f"GROUP {group}") == f"211 1 1 1 {group}"
        assert b"".join(reader.block(f"BODY {message_id}")) == b"..dot\r\n...\r\n body \r\n"
        reply = reader.post(group, posted := f"<{service.replace(' ', '.')}@post.{group}>")
        # Of Cyrus: see CyrusNews in news.py.
        assert reply.startswith("240") or (real_nntp.name == "cyrus" and reply.endswith("(Permission denied)"))
    assert real_nntp.article(posted).endswith(b"\r\n\r\nbody\r\n")


def test_seeded_articles_come_back(real_nntp: NewsServer) -> None:
    group = real_nntp.new_group()
    articles = [b"Subject: %d\r\nX-Mine: \xc3\xa4\r\n\r\n%b" % (n, b".line\r\n" * (n + 1)) for n in range(100)]
    message_ids = real_nntp.seed(group, articles)
    with Reader(real_nntp) as reader:
        reader.command(f"GROUP {group}")
        overview = reader.block("OVER 1-")
    assert [line.split(b"\t")[4].decode() for line in overview] == message_ids
    head, _, body = real_nntp.article(message_ids[7]).partition(b"\r\n\r\n")
    assert body == b".line\r\n" * 8
    assert {b"Subject: 7", b"X-Mine: \xc3\xa4"} <= set(head.split(b"\r\n"))


def test_an_article_may_bring_its_own_fields(inn: NewsServer) -> None:
    own = b"Message-ID: <mine@seed.test>\r\nDate: 1 Jan 2001 00:00:00 +0000\r\nNewsgroups: misc.test,misc.other\r\n"
    assert inn.seed("misc.test", [own + ARTICLE]) == ["<mine@seed.test>"]
    assert inn.groups()["misc.test"] == inn.groups()["misc.other"] == (1, 1, "y")
    with pytest.raises(ServerError, match=r"439 <mine@seed.test>"):
        inn.seed("misc.test", [own + ARTICLE])


def test_clear(real_nntp: NewsServer) -> None:
    for _ in range(2):
        group = real_nntp.new_group()
        real_nntp.seed(group, [ARTICLE] * 5)
        real_nntp.seed("misc.test", [ARTICLE] * 5)
        assert real_nntp.groups()["misc.test"] == (5, 1, "y")
        real_nntp.clear()
        groups = real_nntp.groups()
        assert group not in groups
        assert (groups["misc.test"][0], groups["misc.closed"][2]) == (0, "n")


def test_groups_without_posting(real_nntp: NewsServer) -> None:
    with Reader(real_nntp) as reader:
        assert reader.post("misc.closed", "<closed@post.test>").startswith("441")


def test_a_moderated_group(inn: NewsServer) -> None:
    group = inn.new_group(flag="m")
    with Reader(inn) as reader:
        assert reader.post(group, "<moderated@post.test>").startswith("240")
    [waiting] = inn.moderated.iterdir()
    assert b"Message-ID: <moderated@post.test>" in waiting.read_bytes()
    inn.seed(group, [b"Approved: me@example.test\r\n" + ARTICLE])
    assert inn.groups()[group] == (1, 1, "m")


def test_descriptions(inn: NewsServer) -> None:
    group = inn.new_group()
    with Reader(inn, login=False) as reader:
        assert f"{group}\tTest group {group}\r\n".encode() in reader.block("LIST NEWSGROUPS")


@pytest.mark.servers("inn")
def test_modes_of_inn(start_news_server: StartNewsServer) -> None:
    for mode, code in (("auth", "480"), ("required", "483")):
        server = start_news_server("inn", MODE=mode)
        with Reader(server, login=False) as reader:
            if mode == "auth":
                assert reader.command("GROUP misc.test").startswith(code)
            else:
                assert reader.login().startswith(code)
                reader.starttls()
            assert reader.login().startswith("281")
            assert reader.command("GROUP misc.test").startswith("211 0")


@pytest.mark.servers("inn")
def test_another_overview_of_inn(start_news_server: StartNewsServer) -> None:
    server = start_news_server("inn", OVMETHOD="ovsqlite")
    server.seed("misc.test", [ARTICLE] * 10)
    with Reader(server, login=False) as reader:
        reader.command("GROUP misc.test")
        assert len(reader.block("OVER 1-10")) == 10


@pytest.mark.servers("cyrus")
def test_cyrus_that_wants_tls_first(start_news_server: StartNewsServer) -> None:
    server = start_news_server("cyrus", MODE="required")
    server.seed("misc.test", [ARTICLE])
    with Reader(server, login=False) as reader:
        assert reader.login().startswith("483")
        reader.starttls()
        assert reader.login().startswith("281")


@pytest.mark.servers("inn")
def test_inn_stops_with_the_sessions_that_it_serves(server_work: Path) -> None:
    with running_news("inn", server_work) as server:
        readers = [Reader(server, service) for service in ("nntp", "nntps")]
        readers[0].command("MODE READER")
    for reader in readers:
        with reader, pytest.raises((OSError, AssertionError)):
            assert reader.command("DATE")
    assert server.process.returncode is not None
    assert not any(is_open(port) for port in server.ports.values())


def test_a_server_that_died_is_started_again(news_park: NewsPark, inn: NewsServer) -> None:
    inn.process.kill()
    inn.process.wait(10)
    assert is_open(news_park.fresh().ports["nntp"])
