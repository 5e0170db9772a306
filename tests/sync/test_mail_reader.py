"""The blocking mail reader does what its twin does."""

from __future__ import annotations

import datetime as dt
import email.message
import gc
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from netclients import (
    AuthenticationError,
    ConfigurationError,
    ConnectError,
    MessageInfo,
    NotFetched,
    PermanentReplyError,
    PoolLimits,
    Q,
    RetryPolicy,
    UIDValidityChanged,
    UnsupportedError,
    compose,
)
from netclients.sync import Mailbox, MailReader
from netclients.testing import CutReply, Hangup, IMAPServer
from tests.sync.conftest import Script

QUICK = RetryPolicy(attempts=3, initial=0.01, maximum=0.02)
COUNT = 450  # several windows of whatever is fetched


def raw(number: int, size: int = 100) -> bytes:
    head = f"From: ada@example.org\r\nTo: bob@example.org\r\nSubject: Nummer {number}\r\n\r\n"
    return head.encode() + b"x" * size + b"\r\n"


@pytest.fixture
def server() -> Iterator[IMAPServer]:
    with IMAPServer() as server:
        yield server


@pytest.fixture
def full(server: IMAPServer) -> IMAPServer:
    for number in range(1, COUNT + 1):
        server.add("me", "INBOX", raw(number))
    return server


@pytest.fixture
def reader(server: IMAPServer) -> Iterator[MailReader]:
    with MailReader(server.url, tls="none", retry=QUICK, limits=PoolLimits(max_connections=3)) as reader:
        yield reader


def settles(reader: MailReader) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if not reader.stats.in_use and not reader.stats.connecting:
            return True
        time.sleep(0.01)
    return False


# Mailboxes


def test_mailboxes(reader: MailReader, server: IMAPServer) -> None:
    reader.create_mailbox("A")
    reader.create_mailbox("Post", special_use="\\Sent")
    reader.rename_mailbox("A", "Ä&b")
    reader.subscribe("Post")
    assert [box.name for box in reader.list_mailboxes()] == ["INBOX", "Post", "Ä&b"]
    assert [box.name for box in reader.list_mailboxes("*", subscribed=True)] == ["INBOX", "Post"]
    patterns = (pattern for pattern in ("IN%", "P%"))
    with reader.list_mailboxes(patterns, status=["MESSAGES"]) as boxes:
        assert [(box.name, box.status and box.status.messages) for box in boxes] == [("INBOX", 0), ("Post", 0)]
    found = reader.special_mailbox("\\sent")
    assert found is not None
    assert found.name == "Post"
    assert reader.special_mailbox("\\Junk") is None
    reader.subscribe("Post", on=False)
    reader.delete_mailbox("Post")
    assert server.mailbox_names("me") == ["INBOX", "Ä&b"]
    with pytest.raises(PermanentReplyError):
        reader.delete_mailbox("Post")
    assert reader.namespaces().personal[0].delimiter == "/"
    assert reader.stats.opened == 1


def test_quota() -> None:
    with IMAPServer(quota=1_000_000) as server, MailReader(server.url, tls="none") as reader:
        [quota] = reader.quota()
        assert quota.resources["STORAGE"] == (0, 976)


# An open mailbox


def test_all_verbs(reader: MailReader, server: IMAPServer, tmp_path: Path) -> None:
    reader.create_mailbox("Archive")
    message = compose(
        from_="Ada <ada@example.org>",
        to=["bob@example.org"],
        subject="Größe",
        text="Hallo",
        attachments=[("a.bin", bytes(range(256)) * 1000)],
    )
    (tmp_path / "raw.eml").write_bytes(raw(3))
    with reader.mailbox("INBOX") as box:
        assert (box.name, box.readonly, box.exists, box.uid_next) == ("INBOX", False, 0, 1)
        assert box.uid_validity == server.uid_validity("me")
        assert box.highest_modseq is not None
        assert "\\Seen" in box.flags
        assert box.permanent_flags is not None
        uid = box.append(message, flags=(flag for flag in ["\\Seen"]))
        assert uid == "1"
        date = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
        assert box.append_many((m for m in [raw(2), tmp_path / "raw.eml"]), date=date) == ["2", "3"]
        box.refresh()
        assert box.exists == 3

        assert box.search(seen=True) == ["1"]
        assert box.search(Q(subject="Nummer") & ~Q(subject="2")) == ["3"]
        assert box.search("SUBJECT Nummer", uid=(uid for uid in [2, 9])) == ["2"]
        assert box.sort("-arrival", uid=iter([2, 3])) == ["2", "3"]
        assert box.sort((key for key in ["size"]), seen=False)[:1] == ["2"]
        assert [thread.number for thread in box.thread(uid=iter([2]))] == [2]

        [info] = box.fetch((one for one in [1]), flags=True, size=True, envelope=True)
        assert (info.uid, info.flags - {"\\Recent"}, info.size) == ("1", {"\\Seen"}, message.size)
        assert info.envelope.subject == "Größe"
        with pytest.raises(NotFetched):
            _ = info.structure
        assert box.read(1)["Subject"] == "Größe"
        assert [(item.uid, item.error is None) for item in box.read_many(iter([3, 2, 9]))] == [
            ("2", True),
            ("3", True),
            ("9", False),
        ]
        assert b"".join(box.stream(1, "2")) == bytes(range(256)) * 1000
        assert b"".join(box.stream(3)) == raw(3)
        [saved] = box.save_attachments(1, tmp_path)
        assert saved == tmp_path / "a.bin"
        assert saved.read_bytes() == bytes(range(256)) * 1000
        [again] = box.save_attachments(1, tmp_path, overwrite=True)
        assert again == saved

        assert box.store(iter([2, 3]), add=(f for f in ["\\Flagged"])) == ()
        assert server.messages("me")[1].flags == {"\\Flagged"}
        before = box.highest_modseq
        box.store(2, replace=["\\Draft"])
        assert box.store(2, remove=["\\Draft"], unchanged_since=before) == ("2",)
        assert len(box.copy(iter([2]), "Archive").uids) == 1
        moved = box.move(iter([3]), "Archive")
        assert moved.expunged
        assert dict(moved.uids) == {"3": "2"}
        assert box.delete(iter([2])).expunged
        box.store(1, add=["\\Deleted"])
        box.expunge_all()
        box.refresh()
        assert box.exists == 0
    with pytest.raises(ConfigurationError):
        box.refresh()
    assert settles(reader)
    assert server.violations == []


def test_messages_as_email_objects(reader: MailReader, server: IMAPServer) -> None:
    message = email.message.EmailMessage()
    message["Subject"] = "by email"
    message.set_content("Hello")
    with reader.mailbox() as box:
        uid = box.append(message)
        assert uid is not None
        assert box.read(uid)["Subject"] == "by email"


def test_refusals(reader: MailReader, server: IMAPServer) -> None:
    with pytest.raises(PermanentReplyError), reader.mailbox("none"):
        pass
    box = reader.mailbox("INBOX", readonly=True)
    with pytest.raises(ConfigurationError, match="not open"):
        _ = box.exists
    with box:
        with pytest.raises(PermanentReplyError):
            box.read(1)
        with pytest.raises(PermanentReplyError):
            b"".join(box.stream(1))
        with pytest.raises(ConfigurationError, match="readonly"):
            box.store(1, add=["\\Seen"])
        with pytest.raises(ConfigurationError):
            box.fetch("nonsense")
        with pytest.raises(ConfigurationError, match="asynchronous"):
            box.copy(Asynchronous(), "X")  # type: ignore[arg-type]
    assert settles(reader)


class Asynchronous:
    def __aiter__(self) -> Asynchronous:
        return self


def test_errors_of_the_beginning(server: IMAPServer) -> None:
    wrong = server.url.replace("secret", "wrong")
    with MailReader(wrong, tls="none") as reader, pytest.raises(AuthenticationError), reader.mailbox():
        pass
    with pytest.raises(ConfigurationError):
        MailReader("ftp://example.org")
    gone = MailReader("imap://127.0.0.1:1", retry=RetryPolicy(attempts=1))
    with pytest.raises(ConnectError):
        list(gone.list_mailboxes())


def test_a_lost_connection(reader: MailReader, server: IMAPServer) -> None:
    server.add("me", "INBOX", raw(1))
    with reader.mailbox() as box:
        server.set_faults([Hangup("FETCH", times=1)])
        assert box.read(1)["Subject"] == "Nummer 1"
        server.reset_uid_validity("me")
        with pytest.raises(UIDValidityChanged):
            box.read(1)


def test_tls_and_the_clients_life() -> None:
    with IMAPServer(tls="starttls") as server:
        server.add("me", "INBOX", raw(1))
        # Nobody holds the client but the mailbox, nobody the mailbox but the stream.
        with MailReader(server.url, ssl_context=server.client_context()).mailbox() as box:
            gc.collect()
            assert box.read(1)["Subject"] == "Nummer 1"
            messages = box.fetch(size=True)
            gc.collect()
            assert [message.uid for message in messages] == ["1"]
            assert server.violations == []


# Streams


def test_a_fetch_in_order_and_its_items(reader: MailReader, full: IMAPServer) -> None:
    with reader.mailbox(readonly=True) as box:
        assert [int(info.uid) for info in box.fetch(flags=True)] == list(range(1, COUNT + 1))
        infos = list(box.fetch(envelope=True))
        assert [info.envelope.subject for info in infos] == [f"Nummer {n}" for n in range(1, COUNT + 1)]
        assert all(item.raw == raw(int(item.uid)) for item in box.read_many("1:*"))
    assert settles(reader)


def test_commands_in_the_middle_of_a_loop(reader: MailReader, full: IMAPServer) -> None:
    reader.create_mailbox("Even")
    with reader.mailbox() as box:
        seen = []
        for info in box.fetch(envelope=True):
            seen.append(int(info.uid))
            if not seen[-1] % 50:
                assert box.read(info.uid)["Subject"] == info.envelope.subject
                box.store(info.uid, add=["\\Flagged"])
                box.copy(info.uid, "Even")
                with box.fetch(info.uid, flags=True) as inner:
                    assert [one.flags - {"\\Recent"} for one in inner] == [{"\\Flagged"}]
        assert seen == list(range(1, COUNT + 1))
        assert box.search(flagged=True) == [str(n) for n in range(50, COUNT + 1, 50)]
    assert len(full.messages("me", "Even")) == COUNT // 50
    assert full.violations == []
    assert settles(reader)


def test_two_loops_side_by_side(reader: MailReader, full: IMAPServer) -> None:
    with reader.mailbox(readonly=True) as box:
        pairs = zip(box.fetch(envelope=True), box.read_many("1:*"), strict=True)
        assert all(info.uid == item.uid and item.raw == raw(int(info.uid)) for info, item in pairs)


def leave_by_break(box: Mailbox) -> None:
    for _ in box.read_many("1:*"):
        break


def leave_a_block(box: Mailbox) -> None:
    with box.fetch(body=True) as infos:
        next(infos)


def leave_by_an_exception(box: Mailbox) -> None:
    def use() -> None:
        with box.fetch(envelope=True) as infos:
            for _ in infos:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()


@pytest.mark.parametrize("leave", [leave_by_break, leave_a_block, leave_by_an_exception])
def test_leaving_early(reader: MailReader, full: IMAPServer, leave: Callable[[Mailbox], None]) -> None:
    with reader.mailbox(readonly=True) as box:
        for _ in range(3):
            leave(box)
            assert box.read(COUNT)["Subject"] == f"Nummer {COUNT}"
    assert settles(reader)
    assert reader.stats.opened == 1


def test_what_is_read_ahead_is_bounded(reader: MailReader, server: IMAPServer) -> None:
    for number in range(1, 41):
        server.add("me", "INBOX", raw(number, 1_500_000))
    with reader.mailbox(readonly=True) as box, box.read_many("1:*") as items:
        assert next(items).raw == raw(1, 1_500_000)
        time.sleep(0.5)
        asked = [command for command in server.commands if command.name == "UID FETCH"]
        pieces = len(asked)
        assert pieces < 100
        assert len(items._ready) < 3
        assert all(item.raw == raw(int(item.uid), 1_500_000) for item in items)
    assert len([command for command in server.commands if command.name == "UID FETCH"]) > pieces


def test_errors_of_a_stream_come_once(reader: MailReader, full: IMAPServer) -> None:
    full.set_faults([Hangup("FETCH", every=1)])
    with reader.mailbox(readonly=True) as box:
        infos = box.fetch(flags=True)
        with pytest.raises(Exception, match="closed"):
            next(infos)
        assert list(infos) == []
    assert settles(reader)


def test_a_fetch_goes_on_after_a_lost_connection(reader: MailReader, full: IMAPServer) -> None:
    full.set_faults([CutReply("FETCH", reply=30, after=10, skip=1, times=2)])
    with reader.mailbox(readonly=True) as box:
        assert [int(info.uid) for info in box.fetch(envelope=True)] == list(range(1, COUNT + 1))
    assert full.stats.faults == 2


def test_callbacks_run_in_the_callers_thread(reader: MailReader, server: IMAPServer) -> None:
    threads: set[int] = set()

    def noted(*values: object) -> Iterator[object]:
        for value in values:
            threads.add(threading.get_ident())
            yield value

    with reader.mailbox() as box:
        box.append_many(noted(raw(1), raw(2)), flags=noted("\\Seen"))  # type: ignore[arg-type]
        box.store(noted(1, 2), add=noted("\\Draft"))  # type: ignore[arg-type]
        assert box.search(uid=noted(1)) == ["1"]  # type: ignore[arg-type]
        assert len(list(box.fetch(noted(1, 2), flags=True))) == 2  # type: ignore[arg-type]
    assert threads == {threading.get_ident()}


def test_threads_share_a_client(full: IMAPServer) -> None:
    with MailReader(full.url, tls="none", limits=PoolLimits(max_connections=3)) as reader:

        def subjects(start: int) -> list[str | None]:
            with reader.mailbox(readonly=True) as box:
                return [info.envelope.subject for info in box.fetch(range(start, start + 50), envelope=True)]

        with ThreadPoolExecutor(8) as threads:
            for start, found in zip(range(1, 401, 50), threads.map(subjects, range(1, 401, 50)), strict=True):
                assert found == [f"Nummer {number}" for number in range(start, start + 50)]
        assert reader.stats.opened <= 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_leaves_the_mailbox_alone(script: Script, server: IMAPServer) -> None:
    server.add("me", "INBOX", raw(1))
    done = script(
        """
        import os, sys, warnings
        from netclients import ConfigurationError
        from netclients.sync import MailReader

        warnings.simplefilter("ignore")  # about a fork with threads
        reader = MailReader(sys.argv[1], tls="none")
        with reader.mailbox() as box:
            box.read(1)
            child = os.fork()
            if not child:
                for refused in (lambda: box.read(1), lambda: box.fetch("1")):
                    try:
                        refused()
                    except ConfigurationError:
                        print("refused", flush=True)
                box.__exit__(None, None, None)
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            print(box.read(1)["Subject"])
        """,
        server.url,
    )
    assert done.stdout == "refused\nrefused\nNummer 1\n"


INTERRUPTED = """
    import os, signal, sys, threading, time
    from netclients import Timeouts
    from netclients.sync import MailReader

    reader = MailReader(sys.argv[1], tls="none", timeouts=Timeouts(stall=50, reply=50))

    def interrupt():
        while not reader.stats.in_use:
            pass
        time.sleep(0.2)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    started = time.monotonic()
    try:
        {work}
    except KeyboardInterrupt:
        print("interrupted")
    assert time.monotonic() - started < 20
    stats = reader.stats
    assert (stats.in_use, stats.connecting, stats.waiting) == (0, 0, 0), stats
    assert len(list(reader.list_mailboxes())) == 1
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process can't send itself Ctrl-C there")
@pytest.mark.parametrize(
    "work",
    [
        "with reader.mailbox() as box: box.read(1)",
        "with reader.mailbox() as box: list(box.fetch(body=True))",
        "with reader.mailbox() as box: list(box.read_many('1'))",
        "with reader.mailbox() as box: b''.join(box.stream(1))",
        "with reader.mailbox() as box: box.save_attachments(1, sys.argv[2])",
        "with reader.connection() as c: c.select('INBOX'); c.fetch(1, body=True)",
        "with reader.connection() as c: c.select('INBOX'); c.fetch(1, body=True, sink=lambda view: None)",
        "with reader.mailbox() as box: [next(box.fetch(flags=True)), signal.raise_signal(signal.SIGINT)]",
    ],
)
def test_ctrl_c_frees_the_slot(server: IMAPServer, script: Script, tmp_path: Path, work: str) -> None:
    server.add("me", "INBOX", raw(1, 500_000))
    server.set_faults([CutReply("FETCH", reply=0, after=100, how="stall", every=1)])
    done = script(INTERRUPTED.format(work=work), server.url, str(tmp_path))
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="a process can't send itself Ctrl-C there")
@pytest.mark.parametrize(
    "work",
    [
        "with reader.connection() as c: c.select('INBOX'); c.fetch(1, body=True, sink=interrupt_here)",
        "with reader.mailbox() as box: box.store(iter(lambda: interrupt_here(0), 1), add=['x'])",
    ],
)
def test_ctrl_c_in_a_callback(server: IMAPServer, script: Script, work: str) -> None:
    server.add("me", "INBOX", raw(1, 500_000))
    source = INTERRUPTED.replace(
        "threading.Thread(target=interrupt, daemon=True).start()",
        "interrupt_here = lambda view: signal.raise_signal(signal.SIGINT)",
    )
    done = script(source.format(work=work), server.url)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


def test_info_types(reader: MailReader, server: IMAPServer) -> None:
    server.add("me", "INBOX", raw(1))
    with reader.mailbox() as box:
        [info] = box.fetch(body=True)
        assert isinstance(info, MessageInfo)
        assert info.raw == raw(1)
    with pytest.raises(UnsupportedError), reader.connection() as connection:
        connection.require("X-NONE")
