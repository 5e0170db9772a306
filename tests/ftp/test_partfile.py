"""The local file under construction: resume, locks, full disks, and that nothing half-written gets a name."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from netclients.errors import LocalFileError
from netclients.ftp import partfile as partfile_module
from netclients.ftp.partfile import Fingerprint, PartFile

FIRST = Fingerprint(10, "2026-03-02T10:00:00+00:00")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "out.bin"


def part_of(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def names(target: Path) -> set[str]:
    return {path.name for path in target.parent.iterdir()}


def test_fingerprints() -> None:
    assert FIRST.same_as(Fingerprint(10, "2026-03-02T10:00:00+00:00"))
    assert not FIRST.same_as(Fingerprint(11, FIRST.modified))
    assert not FIRST.same_as(Fingerprint(10, "2026-03-02T10:00:01+00:00"))
    for unknown in (Fingerprint(None, FIRST.modified), Fingerprint(10, None), Fingerprint(None, None)):
        assert not unknown.same_as(unknown)


def test_all_at_once(target: Path) -> None:
    part = PartFile(str(target), resume=False)
    part.commit(memoryview(b"whole"))
    assert target.read_bytes() == b"whole"
    assert names(target) == {"out.bin"}


def test_missing_directories_are_made(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "c"
    PartFile(str(target), resume=False).commit(memoryview(b"x"))
    assert target.read_bytes() == b"x"


def test_in_pieces(target: Path) -> None:
    part = PartFile(str(target), resume=False)
    assert part.open() is None
    part.write(memoryview(b"abc"))
    part.write(memoryview(b"def"))
    assert (part.size, part_of(target).read_bytes()) == (6, b"abcdef")
    assert not target.exists()
    part.commit(memoryview(b"g"))
    assert (target.read_bytes(), names(target)) == (b"abcdefg", {"out.bin"})
    part.close()


def test_an_older_file_stays_until_the_new_one_is_complete(target: Path) -> None:
    target.write_bytes(b"old")
    part = PartFile(str(target), resume=False)
    part.open()
    part.write(memoryview(b"new"))
    assert target.read_bytes() == b"old"
    part.commit(memoryview(b""))
    assert target.read_bytes() == b"new"


def test_resume(target: Path) -> None:
    part = PartFile(str(target), resume=True)
    assert part.open() is None
    part.remember(FIRST)
    part.write(memoryview(b"abc"))
    part.close()
    again = PartFile(str(target), resume=True)
    assert again.open() == FIRST
    assert again.open() == FIRST
    assert again.size == 3
    again.remember(FIRST)
    again.commit(memoryview(b"def"))
    assert (target.read_bytes(), names(target)) == (b"abcdef", {"out.bin"})


def test_restart(target: Path) -> None:
    part = PartFile(str(target), resume=True)
    part.open()
    part.remember(FIRST)
    part.write(memoryview(b"abc"))
    part.restart()
    assert part.size == 0
    part.remember(Fingerprint(2, FIRST.modified))
    part.commit(memoryview(b"xy"))
    assert (target.read_bytes(), names(target)) == (b"xy", {"out.bin"})


def test_a_part_without_a_memory_is_discarded(target: Path) -> None:
    part_of(target).write_bytes(b"from whom?")
    part = PartFile(str(target), resume=True)
    assert part.open() is None
    assert part.size == 0
    part.close()


def test_a_part_is_discarded_unless_resumed(target: Path) -> None:
    part_of(target).write_bytes(b"longer than the new one")
    PartFile(str(target), resume=False).commit(memoryview(b"new"))
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("memo", [b"", b"{", b"[]", b"null", b"{}", b'{"size": 1}', b"\xff\xfe", b"7"])
def test_a_spoilt_memory_is_none(target: Path, memo: bytes) -> None:
    part_of(target).write_bytes(b"abc")
    target.with_name("out.bin.part.json").write_bytes(memo)
    part = PartFile(str(target), resume=True)
    assert part.open() is None
    assert part.size == 0
    part.close()


def test_an_empty_part_is_removed(target: Path) -> None:
    part = PartFile(str(target), resume=True)
    part.open()
    part.remember(FIRST)
    part.discard_if_empty()
    assert names(target) == set()
    part.discard_if_empty()
    full = PartFile(str(target), resume=True)
    full.open()
    full.write(memoryview(b"x"))
    full.discard_if_empty()
    full.close()
    assert names(target) == {"out.bin.part"}


@pytest.mark.skipif(partfile_module.fcntl is None, reason="no flock here")
def test_two_writers(target: Path) -> None:
    first, second = PartFile(str(target), resume=True), PartFile(str(target), resume=True)
    first.open()
    first.write(memoryview(b"abc"))
    with pytest.raises(LocalFileError, match="being written by another download"):
        second.open()
    assert part_of(target).read_bytes() == b"abc"
    first.close()
    second.open()
    second.close()


def test_where_there_are_no_locks(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partfile_module, "fcntl", None)
    PartFile(str(target), resume=False).commit(memoryview(b"x"))
    assert target.read_bytes() == b"x"


# What can't be


def test_a_directory_in_the_way(target: Path) -> None:
    target.mkdir()
    with pytest.raises(LocalFileError, match="can't write") as caught:
        PartFile(str(target), resume=True).open()
    assert (caught.value.errno, caught.value.filename) == (errno.EISDIR, str(target))
    with pytest.raises(LocalFileError):
        PartFile(str(target), resume=False).commit(memoryview(b"x"))


def test_a_file_where_a_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for act in (
        PartFile(str(tmp_path / "file" / "out"), resume=False).open,
        lambda: PartFile(str(tmp_path / "file" / "out"), resume=False).commit(memoryview(b"x")),
    ):
        with pytest.raises(LocalFileError, match="can't open"):
            act()


def test_a_link_in_the_place_of_the_part_is_not_followed(target: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    part_of(target).symlink_to(victim)
    with pytest.raises(LocalFileError):
        PartFile(str(target), resume=False).commit(memoryview(b"x"))
    assert victim.read_bytes() == b"precious"


def failing(error: int) -> object:
    def fail(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    return fail


def test_a_full_disk(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = PartFile(str(target), resume=False)
    part.open()
    part.write(memoryview(b"abc"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", failing(errno.ENOSPC))
        with pytest.raises(LocalFileError, match="can't write") as caught:
            part.commit(memoryview(b"def"))
    assert caught.value.errno == errno.ENOSPC
    part.close()
    assert part_of(target).read_bytes() == b"abc"
    assert not target.exists()


def test_short_writes_are_continued(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:2]))
    PartFile(str(target), resume=False).commit(memoryview(b"abcdefg"))
    assert target.read_bytes() == b"abcdefg"


@pytest.mark.parametrize(("call", "verb"), [("replace", "rename"), ("ftruncate", "open|truncate")])
def test_other_failures(target: Path, monkeypatch: pytest.MonkeyPatch, call: str, verb: str) -> None:
    part = PartFile(str(target), resume=True)
    part.open()
    part.write(memoryview(b"abc"))
    monkeypatch.setattr(os, call, failing(errno.EIO))
    act = part.restart if call == "ftruncate" else lambda: part.commit(memoryview(b""))
    with pytest.raises(LocalFileError, match=f"can't ({verb})"):
        act()
    part.close()
    if call == "ftruncate":
        with pytest.raises(LocalFileError, match=f"can't ({verb})"):
            PartFile(str(target), resume=True).open()


def test_a_memo_that_can_t_be_written(target: Path) -> None:
    target.with_name("out.bin.part.json").mkdir()
    part = PartFile(str(target), resume=True)
    part.open()
    with pytest.raises(LocalFileError, match=r"out\.bin\.part\.json"):
        part.remember(FIRST)
    part.close()


def test_a_memo_that_can_t_be_removed(target: Path) -> None:
    target.with_name("out.bin.part.json").mkdir()
    PartFile(str(target), resume=True).commit(memoryview(b"whole"))
    assert target.read_bytes() == b"whole"
