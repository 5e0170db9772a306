"""The blocking IMAP connection: plain results, sinks and content in the caller's thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from netclients import ConfigurationError, Login, PermanentReplyError, UnsupportedError
from netclients.imap.commands import command
from netclients.imap.connection.appending import Appended
from netclients.imap.types import Expunge, Fetched, Number
from netclients.mail.reading import UID
from netclients.sync import IMAPConnection, MailReader
from netclients.sync.relays import LiteralRelay
from netclients.testing import IMAPServer

RAW = b"Subject: %d\r\n\r\ntext\r\n"
LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 200_000


class Boom(Exception):
    pass


@pytest.fixture
def server() -> Iterator[IMAPServer]:
    with IMAPServer(quota=100_000_000) as server:
        for number in (1, 2, 3):
            server.add("me", "INBOX", RAW % number)
        yield server


@pytest.fixture
def reader(server: IMAPServer) -> Iterator[MailReader]:
    with MailReader(server.url, tls="none") as reader:
        yield reader


@pytest.fixture
def connection(reader: MailReader) -> Iterator[IMAPConnection]:
    with reader.connection() as connection:
        yield connection


def test_what_is_known(connection: IMAPConnection) -> None:
    assert connection.welcome
    assert not connection.secured
    assert connection.number > 0
    assert "IDLE" in connection.capabilities
    assert connection.has("IDLE", "X-NONE")
    assert connection.clean
    assert connection.selected is None
    with pytest.raises(UnsupportedError):
        connection.require("X-NONE")


def test_session(connection: IMAPConnection, server: IMAPServer) -> None:
    assert connection.capability() == connection.capabilities
    connection.noop()
    connection.probe()
    assert isinstance(connection.id({"name": "test"}), dict)
    assert connection.enable("CONDSTORE") <= {"CONDSTORE"}
    connection.select("INBOX")
    server.add("me", "INBOX", RAW % 4)
    heard = connection.idle(5)
    assert any(isinstance(one, Number) and one.value == 4 for one in heard)
    assert connection.idle(0.01) == [] or connection.next_untagged() is None
    status, _ = connection.command("NOOP")
    assert status.ok
    assert connection.marked
    assert connection.reply_to(command("NOOP")).ok
    assert connection.expect(command("NOOP")).ok
    with pytest.raises(PermanentReplyError):
        connection.expect(command("DELETE", b"none"))


def test_logging_in() -> None:
    with (
        IMAPServer(tls="starttls", login_in_clear=True) as server,
        MailReader(server.url.replace("me:secret@", ""), tls="none", ssl_context=server.client_context()) as reader,
    ):
        with reader.connection() as connection:
            assert "IMAP4REV1" in connection.starttls()
            connection.login("me", "secret")
        with reader.connection() as connection:
            connection.authenticate(Login("me", "secret"), mechanisms=["PLAIN"])
            connection.logout()
            assert not connection.clean


def test_compressed_and_unknown(connection: IMAPConnection) -> None:
    connection.compress()
    connection.noop()
    for lacking in (connection.unauthenticate, lambda: connection.notify("NONE")):
        with pytest.raises(UnsupportedError):
            lacking()
    connection.abort("test")
    assert not connection.clean


def test_mailboxes(connection: IMAPConnection) -> None:
    assert connection.create("A").ok
    connection.create("S", special_use="\\Sent")
    connection.rename("A", "B")
    connection.subscribe("B")
    listed = connection.list(iter(["B", "IN*"]), returns=iter(["CHILDREN"]), status=iter(["MESSAGES"]))
    assert {(mailbox.name, counts and counts.messages) for mailbox, counts in listed} == {("B", 0), ("INBOX", 3)}
    assert [mailbox.name for mailbox, _ in connection.lsub()] == ["B", "INBOX"]
    connection.unsubscribe("B")
    connection.delete("B")
    assert connection.status("INBOX", iter(["MESSAGES", "UIDNEXT"])).uid_next == 4
    assert connection.namespace().personal
    root, [quota] = connection.getquotaroot("INBOX")
    assert root is not None
    assert connection.getquota(quota.root).resources == quota.resources
    with pytest.raises(PermanentReplyError):
        connection.setquota(quota.root, {"STORAGE": 1})
    for lacking in (
        lambda: connection.getmetadata("INBOX", iter(["/private/comment"])),
        lambda: connection.setmetadata("INBOX", {"/private/comment": None}),
    ):
        with pytest.raises(UnsupportedError):
            lacking()
    assert connection.select("INBOX", readonly=True, condstore=True).exists == 3
    connection.unselect()
    connection.select("INBOX")
    connection.check()
    connection.close_mailbox()
    assert connection.selected is None


def test_messages(connection: IMAPConnection) -> None:
    connection.create("A")
    connection.select("INBOX")
    assert [one.uid for one in connection.fetch(iter([1, 2]), uid=True)] == ["1", "2"]
    assert [one.raw for one in connection.uid_fetch(iter([3]), body=True)] == [RAW % 3]
    assert connection.uid_fetch_piece(UID("1"), "", 0, 7) == b"Subject"
    found, modified = connection.store(iter([1]), iter(["\\Seen"]), silent=False)
    assert [one.flags - {"\\Recent"} for one in found] == [{"\\Seen"}]
    assert modified == ""
    connection.uid_store(iter([2]), iter(["\\Deleted"]))
    for copied in (connection.copy(iter([1]), "A"), connection.uid_copy(iter([1]), "A")):
        assert copied is not None
        assert copied.source == ("1",)
    assert connection.search(seen=True).numbers == [1]
    assert connection.uid_search("ALL", returns=iter(["COUNT"])).count == 3
    assert connection.sort(iter(["-arrival"])).numbers
    assert connection.uid_sort("size").numbers == [1, 2, 3]
    assert len(connection.thread()) == len(connection.uid_thread("ORDEREDSUBJECT")) == 3
    assert [type(one) for one in connection.uid_expunge(iter([1, 2]))] == [Expunge]
    assert connection.expunge() == []
    moved = connection.move(iter([1]), "A")
    assert moved is not None
    assert connection.uid_move(iter([3]), "A") is not None


class Taken:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.threads: set[int] = set()
        self.views: list[memoryview] = []

    def __call__(self, view: memoryview) -> None:
        self.content.extend(view)
        self.threads.add(threading.get_ident())
        self.views.append(view)


def test_a_sink_in_the_callers_thread(connection: IMAPConnection, server: IMAPServer) -> None:
    server.add("me", "INBOX", LARGE)
    connection.select("INBOX")
    for fetch in (connection.fetch, connection.uid_fetch):
        taken = Taken()
        [answer] = fetch(4, body=True, sink=taken)
        assert isinstance(answer, Fetched)
        assert taken.content == LARGE
        assert taken.threads == {threading.get_ident()}
        assert len(taken.views) > 3
        with pytest.raises(ValueError, match="released"):
            bytes(taken.views[0])
        connection.noop()


def test_slices_of_views_may_be_kept(connection: IMAPConnection, server: IMAPServer) -> None:
    connection.select("INBOX")
    kept: list[memoryview] = []
    connection.fetch(1, body=True, sink=lambda view: kept.append(view[:7]))
    assert b"".join(kept)[:7] == b"Subject"


def test_a_slow_sink_slows_the_server(
    connection: IMAPConnection, server: IMAPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("me", "INBOX", LARGE * 4)
    connection.select("INBOX")
    waiting: list[int] = []
    deliver = LiteralRelay._deliver

    def slowly(relay: LiteralRelay, piece: bytes) -> None:
        time.sleep(0.001)
        waiting.append(relay._waiting)
        deliver(relay, piece)

    monkeypatch.setattr(LiteralRelay, "_deliver", slowly)
    taken = Taken()
    connection.fetch(4, body=True, sink=taken)
    assert taken.content == LARGE * 4
    assert max(waiting) < 3 * 1024 * 1024


def test_an_exception_of_a_sink(reader: MailReader, server: IMAPServer) -> None:
    server.add("me", "INBOX", LARGE)

    def sink(_: memoryview) -> None:
        raise Boom

    def fetch() -> None:
        with reader.connection() as connection:
            connection.select("INBOX")
            connection.fetch(4, body=True, sink=sink)

    with pytest.raises(Boom):
        fetch()
    assert reader.stats.in_use == 0
    with reader.connection() as connection:
        connection.noop()


def test_appending_in_the_callers_thread(connection: IMAPConnection, server: IMAPServer) -> None:
    threads: set[int] = set()

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(LARGE), 70_000):
            threads.add(threading.get_ident())
            yield LARGE[start : start + 70_000]

    found = connection.append("INBOX", Appended(len(LARGE), pieces(), ["\\Seen"]), Appended(5, [b"a\r", b"", b"\nb\n"]))
    assert found is not None
    assert found.uids == ("4", "5")
    assert threads == {threading.get_ident()}
    assert [message.raw for message in server.messages("me")[3:]] == [LARGE, b"a\r\nb\n"]


def test_an_exception_amid_an_appended_message(reader: MailReader, server: IMAPServer) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"begun"
        raise Boom

    class Asynchronous:
        def __aiter__(self) -> Asynchronous:
            return self

        async def __anext__(self) -> bytes:
            raise StopAsyncIteration

    with pytest.raises(Boom), reader.connection() as connection:
        connection.append("INBOX", Appended(100, pieces()))
    with pytest.raises(ConfigurationError, match="asynchronous"), reader.connection() as connection:
        connection.append("INBOX", Appended(0, Asynchronous()))
    assert len(server.messages("me")) == 3
    assert reader.stats.in_use == 0
