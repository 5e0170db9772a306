"""Iterators: batches, early ends, errors."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from netclients import RemoteFileNotFound
from netclients.sync import FTPClient
from tests.servers.target import FTPTarget
from tests.sync.conftest import settles

COUNT = 1500


@pytest.fixture
def full(embedded_ftp: FTPTarget) -> FTPTarget:
    (embedded_ftp.root / "dir").mkdir()
    for number in range(COUNT):
        (embedded_ftp.root / f"dir/{number}").touch()
    return embedded_ftp


def test_all_come_once_and_in_few_hops(ftp: FTPClient, full: FTPTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = ftp.scandir("dir")
    hops = 0
    take = entries._desk.take

    def counted() -> object:
        nonlocal hops
        hops += 1
        return take()

    monkeypatch.setattr(entries._desk, "take", counted)
    names = [entry.name for entry in entries]
    assert sorted(names, key=int) == [str(number) for number in range(COUNT)]
    assert hops < COUNT / 20
    assert list(entries) == []
    assert settles(ftp)


def test_break_frees_the_slot(ftp: FTPClient, full: FTPTarget) -> None:
    for entry in ftp.scandir("dir"):
        assert entry.name
        break
    assert settles(ftp)


def test_leaving_the_block_closes(ftp: FTPClient, full: FTPTarget) -> None:
    with ftp.scandir("dir") as entries:
        next(entries)
    assert ftp.stats.in_use == 0
    with pytest.raises(StopIteration):
        next(entries)
    entries.close()


def test_an_exception_in_the_block_closes(ftp: FTPClient, full: FTPTarget) -> None:
    def use() -> None:
        with ftp.scandir("dir") as entries:
            for _ in entries:
                raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()
    assert ftp.stats.in_use == 0


def test_dropping_the_last_reference_closes(ftp: FTPClient, full: FTPTarget) -> None:
    entries = ftp.scandir("dir")
    next(entries)
    del entries
    gc.collect()
    assert settles(ftp)


def test_one_that_was_never_begun(ftp: FTPClient, full: FTPTarget, tmp_path: Path) -> None:
    ftp.scandir("dir")
    ftp.scandir("dir").close()
    ftp.download_many(["dir/1"], tmp_path / "out")
    with ftp.download_many(["dir/1"], tmp_path / "out"):
        pass
    assert not (tmp_path / "out").exists()
    assert ftp.stats.opened == 0


def test_an_error_is_raised_once(ftp: FTPClient) -> None:
    entries = ftp.scandir("none")
    with pytest.raises(RemoteFileNotFound):
        next(entries)
    with pytest.raises(StopIteration):
        next(entries)
    assert settles(ftp)


def test_leaving_a_batch_early_leaves_no_worker(ftp: FTPClient, full: FTPTarget, tmp_path: Path) -> None:
    with ftp.download_many((f"dir/{number}" for number in range(COUNT)), tmp_path, concurrency=4) as items:
        next(items)
    assert ftp.stats.in_use == 0
    assert ftp.stats.connecting == 0
    for item in ftp.download_many((f"dir/{number}" for number in range(COUNT)), tmp_path, concurrency=4):
        assert item.error is None
        break
    del item
    assert settles(ftp)
