"""Attachments into files: whatever their senders called them, nothing outside the directory, nothing overwritten."""

from __future__ import annotations

import base64
import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from netclients import ConnectionLost, LocalFileError, PermanentReplyError
from netclients.imap import attachments
from netclients.testing import IMAPServer
from netclients.testing.imap_faults import Hangup
from tests.imap.boxes import ONCE, reader_of

pytestmark = [pytest.mark.anyio]


@pytest.fixture
def server() -> Iterator[IMAPServer]:
    with IMAPServer() as server:
        yield server


def with_attachments(named: Sequence[tuple[str | None, bytes]]) -> bytes:
    parts = [b"Content-Type: text/plain\r\n\r\nhello"]
    for name, content in named:
        # RFC 2231: any byte can be said.
        shown = "" if name is None else "; filename*=utf-8''" + "".join(f"%{byte:02X}" for byte in name.encode())
        parts.append(
            f"Content-Type: application/octet-stream\r\nContent-Disposition: attachment{shown}\r\n"
            "Content-Transfer-Encoding: base64\r\n\r\n".encode()
            + base64.encodebytes(content).replace(b"\n", b"\r\n")
        )
    return (
        b"Subject: files\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=BOUND\r\n\r\n--BOUND\r\n"
        + b"\r\n--BOUND\r\n".join(parts)
        + b"\r\n--BOUND--\r\n"
    )


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


HOSTILE = [
    "../../up.txt",
    "..\\..\\back.txt",
    "/etc/passwd",
    "C:\\windows\\system.ini",
    "CON",
    "nul.txt",
    ".bashrc",
    "x" * 300 + ".txt",
    "日" * 300,
    "a\r\nb\x1b[0m\x07.txt",
    "photo\u202egpj.exe",
    "",
    "..",
    "~",
    "a/b/c",
    "x:y|z",
]


async def test_hostile_names(server: IMAPServer, tmp_path: Path) -> None:
    uid = server.add("me", "INBOX", with_attachments([(name, name.encode()) for name in HOSTILE]))
    target = tmp_path / "new" / "dir"
    async with reader_of(server) as reader, reader.mailbox() as box:
        saved = await box.save_attachments(uid, target)
    assert [path.read_bytes() for path in saved] == [name.encode() for name in HOSTILE]
    assert [path.parent for path in saved] == [target] * len(HOSTILE)
    assert set(contents(target)) == {path.name for path in saved}
    assert len(set(saved)) == len(HOSTILE)
    for path in saved:
        assert path.name.isprintable()
        assert not path.name.startswith(".")
        assert len(os.fsencode(path.name)) <= 255
    assert {"up.txt", "back.txt", "passwd", "system.ini", "_CON", "_nul.txt", "bashrc", "c"} <= set(contents(target))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new"]


async def test_what_exists_stays(server: IMAPServer, tmp_path: Path) -> None:
    uid = server.add("me", "INBOX", with_attachments([("a.txt", b"new"), ("a.txt", b"newer"), (None, b"nameless")]))
    (tmp_path / "a.txt").write_bytes(b"mine")
    (tmp_path / "a.txt.part").write_bytes(b"mine, too")
    async with reader_of(server) as reader, reader.mailbox() as box:
        saved = await box.save_attachments(uid, str(tmp_path))
        assert [path.name for path in saved] == ["a (1).txt", "a (2).txt", "part-4"]
        again = await box.save_attachments(uid, tmp_path)
        assert [path.name for path in again] == ["a (3).txt", "a (4).txt", "part-4 (1)"]
    found = contents(tmp_path)
    assert (found.pop("a.txt"), found.pop("a.txt.part")) == (b"mine", b"mine, too")
    assert sorted(found.values()) == [b"nameless", b"nameless", b"new", b"new", b"newer", b"newer"]


async def test_overwriting(server: IMAPServer, tmp_path: Path) -> None:
    """What was there before is replaced, and not what has just been saved under the same name."""
    uid = server.add(
        "me", "INBOX", with_attachments([("a.txt", b"new"), ("A.TXT", b"newer"), ("a.txt", b"newest"), ("b", b"b")])
    )
    (tmp_path / "a.txt").write_bytes(b"old")
    async with reader_of(server) as reader, reader.mailbox() as box:
        saved = await box.save_attachments(uid, tmp_path, overwrite=True)
    assert [path.read_bytes() for path in saved] == [b"new", b"newer", b"newest", b"b"]
    assert contents(tmp_path)["a.txt"] == b"new"
    assert b"old" not in contents(tmp_path).values()


async def test_links_are_not_followed(server: IMAPServer, tmp_path: Path) -> None:
    uid = server.add("me", "INBOX", with_attachments([("a.txt", b"new")]))
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    target = tmp_path / "dir"
    target.mkdir()
    for name in ("a.txt", "a.txt.part"):
        (target / name).symlink_to(outside)
    async with reader_of(server) as reader, reader.mailbox() as box:
        [first] = await box.save_attachments(uid, target)
        assert first.name == "a (1).txt"
        [second] = await box.save_attachments(uid, target, overwrite=True)
        assert second.name == "a.txt"
        assert not second.is_symlink()
    assert outside.read_bytes() == b"mine"


async def test_nothing_to_save(server: IMAPServer, tmp_path: Path) -> None:
    uid = server.add("me", "INBOX", b"Subject: x\r\n\r\nhello\r\n")
    async with reader_of(server) as reader, reader.mailbox() as box:
        assert await box.save_attachments(uid, tmp_path) == []
        with pytest.raises(PermanentReplyError, match="does not exist"):
            await box.save_attachments(99, tmp_path)
    assert contents(tmp_path) == {}


async def test_messages_and_large_ones(server: IMAPServer, tmp_path: Path) -> None:
    inner = with_attachments([("inner.bin", bytes(range(256)) * 5000)])
    raw = (
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=OUT\r\n\r\n--OUT\r\n"
        b"Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n" + inner + b"\r\n--OUT--\r\n"
    )
    uid = server.add("me", "INBOX", raw)
    async with reader_of(server) as reader, reader.mailbox() as box:
        saved = await box.save_attachments(uid, tmp_path)
    assert [path.name for path in saved] == ["part-1.eml", "inner.bin"]
    assert saved[0].read_bytes() == inner
    assert saved[1].read_bytes() == bytes(range(256)) * 5000


async def test_a_file_system_without_links(server: IMAPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(attachments.os, "link", refuse)
    uid = server.add("me", "INBOX", with_attachments([("a.txt", b"new")]))
    (tmp_path / "a.txt").write_bytes(b"mine")
    async with reader_of(server) as reader, reader.mailbox() as box:
        await box.save_attachments(uid, tmp_path)
        assert contents(tmp_path) == {"a.txt": b"mine", "a (1).txt": b"new"}
        monkeypatch.setattr(attachments.Path, "replace", refuse)
        with pytest.raises(LocalFileError):
            await box.save_attachments(uid, tmp_path)
    assert contents(tmp_path) == {"a.txt": b"mine", "a (1).txt": b"new"}


@pytest.mark.parametrize("where", ["directory", "write", "publish"])
async def test_disk_errors(server: IMAPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    uid = server.add("me", "INBOX", with_attachments([("a.txt", b"first"), ("b.txt", b"second")]))
    target = tmp_path / "dir"
    expected = {"directory": errno.EEXIST, "write": errno.ENOSPC, "publish": errno.EACCES}[where]

    def fail(*_: object, **__: object) -> Any:
        raise OSError(expected, os.strerror(expected))

    if where == "directory":
        target.write_bytes(b"a file")
    elif where == "write":
        monkeypatch.setattr(attachments._NewFile, "write", fail)
    else:
        monkeypatch.setattr(attachments._NewFile, "_rename_exclusively", fail)
    async with reader_of(server) as reader, reader.mailbox() as box:
        with pytest.raises(LocalFileError) as caught:
            await box.save_attachments(uid, target)
        assert caught.value.errno == (expected if where != "publish" else errno.EACCES)
        assert str(target) in str(caught.value.filename)
        monkeypatch.undo()
        assert where == "directory" or contents(target) == {}
        assert await box.search() == [str(uid)], "the connection is as good as before"
        assert reader.stats.opened == 1


async def test_lost_amid_an_attachment(server: IMAPServer, tmp_path: Path) -> None:
    big = os.urandom(2_000_000)
    uid = server.add("me", "INBOX", with_attachments([("a", b"first"), ("big", big)]))
    async with reader_of(server) as reader, reader.mailbox() as box:
        server.set_faults([Hangup("FETCH", skip=5, every=3, times=2)])
        saved = await box.save_attachments(uid, tmp_path / "one")
        assert [path.read_bytes() for path in saved] == [b"first", big]
        assert server.stats.faults == 2
    server.set_faults([Hangup("FETCH", skip=5)])
    async with reader_of(server, retry=ONCE) as reader, reader.mailbox() as box:
        with pytest.raises(ConnectionLost):
            await box.save_attachments(uid, tmp_path / "two")
    assert contents(tmp_path / "two") == {"a": b"first"}
