"""Files in messages: read while the message is sent, in little memory, as often as need be, never half changed."""

from __future__ import annotations

import base64
import hashlib
import os
import tracemalloc
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from netclients.errors import ConfigurationError, LocalFileError
from netclients.mail import Message, compose, message_of
from tests.mail.letters import letter, wire

MIB = 1024 * 1024


def sparse(path: Path, size: int, head: bytes = b"") -> Path:
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return path


def peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_big_attachment_needs_little_memory(tmp_path: Path) -> None:
    path = sparse(tmp_path / "big.bin", 200 * MIB)
    sizes: list[int] = []

    def work() -> None:
        message = letter(attachments=[path])
        sizes.append(message.size)
        sizes.append(sum(map(len, message.chunks())))

    assert peak(work) < 4 * MIB
    assert sizes[0] == sizes[1] > 200 * MIB * 4 / 3


def test_a_big_raw_file_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "big.eml"
    with path.open("wb") as file:
        file.write(b"From: a@b\r\nMessage-ID: <x@y>\r\n\r\n")
        for _ in range(25):
            file.write((b"x" * 76 + b"\r\n") * (MIB // 78))

    def work() -> None:
        for normalize in (False, True):
            message = message_of(path, normalize=normalize)
            assert sum(map(len, message.chunks())) == message.size == path.stat().st_size

    assert peak(work) < 4 * MIB


def test_one_long_line_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "line.eml"
    with path.open("wb") as file:
        file.write(b"From: a@b\r\n\r\n")
        for _ in range(25):
            file.write(b"x" * MIB)

    def work() -> None:
        assert message_of(path).longest_line == 25 * MIB

    assert peak(work) < 4 * MIB


def test_a_header_section_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "header.eml"
    path.write_bytes(b"X-A: b\r\n" * 300_000)
    with pytest.raises(ConfigurationError, match="header section"):
        message_of(path)


def test_what_is_attached_arrives(tmp_path: Path) -> None:
    path = sparse(tmp_path / "a.bin", 5 * MIB + 7, os.urandom(3 * MIB))
    data = wire(letter(text="x", attachments=[path]))
    _, part = message_from_bytes(data).get_payload()  # type: ignore[misc]
    content = part.get_payload(decode=True)  # type: ignore[union-attr]
    assert hashlib.sha256(content).digest() == hashlib.sha256(path.read_bytes()).digest()  # type: ignore[arg-type]
    assert base64.encodebytes(path.read_bytes()).replace(b"\n", b"\r\n") in data


def _attached(path: Path) -> Message:
    return letter(attachments=[path])


def _shown(path: Path) -> Message:
    return letter(html="x", inline={"a": path})


def _message_within(path: Path) -> Message:
    return letter(attachments=[("m.eml", path, "message/rfc822")])


def _normalized(path: Path) -> Message:
    return message_of(path, normalize=True)


MAKERS = [_attached, _shown, _message_within, message_of, _normalized]

CONTENT = b"From: a@b\r\n\r\n" + b"body\r\n" * 100_000


@pytest.mark.parametrize("maker", MAKERS)
def test_the_same_bytes_every_time(maker: Callable[[Path], Message], tmp_path: Path) -> None:
    path = tmp_path / "f.bin"
    path.write_bytes(CONTENT)
    message = maker(path)
    assert message.content is None
    first = wire(message)
    os.chdir("/")
    assert wire(message) == first
    # A reader that was given up does not disturb the next one.
    chunks = message.chunks()
    next(chunks)
    assert wire(message) == first
    assert b"".join(chunks)


def _removed(path: Path) -> None:
    path.unlink()


def _longer(path: Path) -> None:
    path.write_bytes(CONTENT + b"x\r\n")


def _shorter(path: Path) -> None:
    path.write_bytes(CONTENT[:-6])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _other_content(path: Path) -> None:
    path.write_bytes(CONTENT.replace(b"body", b"BODY"))
    os.utime(path, (1, 1))


def _replaced_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


CHANGES = [_removed, _longer, _shorter, _empty, _other_content, _replaced_by_directory]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("maker", MAKERS)
def test_changes_before_it_is_sent_are_noticed(
    maker: Callable[[Path], Message], change: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "f.bin"
    path.write_bytes(CONTENT)
    message = maker(path)
    change(path)
    with pytest.raises(LocalFileError) as caught:
        b"".join(message.chunks())
    assert caught.value.filename == str(path)
    assert str(path) in str(caught.value)
    with pytest.raises(LocalFileError):
        message.as_email_message()


@pytest.mark.parametrize("change", [_longer, _shorter, _empty, _other_content])
@pytest.mark.parametrize("maker", MAKERS)
def test_changes_while_it_is_sent_are_noticed(
    maker: Callable[[Path], Message], change: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "f.bin"
    path.write_bytes(CONTENT)
    chunks = maker(path).chunks()
    next(chunks)
    next(chunks)
    change(path)
    with pytest.raises(LocalFileError):
        list(chunks)


@pytest.mark.parametrize("maker", MAKERS)
def test_files_that_cannot_be_read(maker: Callable[[Path], Message], tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path, Path("/dev/null"), tmp_path / "a\0b"):
        with pytest.raises(LocalFileError):
            maker(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for maker in MAKERS:
        with pytest.raises(LocalFileError, match="not a regular file"):
            maker(tmp_path / "pipe")


def test_relative_paths_are_those_of_the_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.bin").write_bytes(b"abc")
    monkeypatch.chdir(tmp_path)
    message = letter(attachments=[Path("a.bin")])
    monkeypatch.chdir("/")
    assert b"YWJj\r\n" in wire(message)


def test_names_beyond_ascii(tmp_path: Path) -> None:
    path = tmp_path / 'n\u00e4 \u4f60\u597d; "x".bin'
    path.write_bytes(b"x")
    parsed = letter(attachments=[path]).as_email_message()
    [part] = parsed.iter_attachments()
    assert part.get_filename() == path.name


def test_a_message_with_files_in_a_message_with_files(tmp_path: Path) -> None:
    path = sparse(tmp_path / "a.bin", 3 * MIB)
    inner = letter(subject="inner", attachments=[path])
    outer = letter(subject="outer", attachments=[inner, path])
    assert outer.content is None
    within, _ = outer.as_email_message().iter_attachments()
    assert within.get_content()["Subject"] == "inner"
    assert peak(lambda: sum(map(len, outer.chunks()))) < 4 * MIB


def test_any_path_like(tmp_path: Path) -> None:
    class Somewhere:
        def __fspath__(self) -> str:
            return str(tmp_path / "a.txt")

    (tmp_path / "a.txt").write_bytes(b"From: x@y\r\n\r\n")
    assert message_of(Somewhere()).size == 13
    for attachment in (Somewhere(), str(tmp_path / "a.txt"), ("b.txt", Somewhere())):
        values: Any = [attachment]
        assert b"attachment; filename" in wire(compose(from_="a@b", attachments=values))
