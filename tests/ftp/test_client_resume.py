"""Downloads that go on where an earlier one ended, and those that must not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from netclients import FTPClient, LocalFileError, Progress, RetryPolicy
from netclients.testing import CutData, FTPServer
from tests.servers import FTPTarget

pytestmark = pytest.mark.anyio

MakeClient = Callable[..., FTPClient]
Embedded = Callable[..., FTPServer]

SIZE = 5_000_011
OLD = (bytes(range(251)) * 20_000)[:SIZE]
NEW = (bytes(range(250, -1, -1)) * 20_000)[:SIZE]
TIME = 1_700_000_000


def put(server: FTPTarget, data: bytes, time: int = TIME) -> None:
    os.utime(server.put("f", data), (time, time))


async def interrupted(client: FTPClient, target: Path) -> int:
    """Cancel a download about half-way; return how large its part is."""
    with anyio.CancelScope() as scope:

        def halfway(progress: Progress) -> None:
            if progress.transferred > SIZE // 2:
                scope.cancel()

        await client.download("f", target, resume=True, progress=halfway)
    assert scope.cancelled_caught
    assert not target.exists()
    part = target.with_name(target.name + ".part").stat().st_size
    assert 0 < part < SIZE
    return part


async def test_the_same_file_is_continued(
    ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path, recorder: Any
) -> None:
    put(ftp_server, OLD)
    target = tmp_path / "out"
    async with ftp() as client:
        part = await interrupted(client, target)
        assert (tmp_path / "out.part").read_bytes() == OLD[:part]
        assert client.stats.in_use == 0
    seen: list[int] = []
    async with ftp(events=recorder) as client:
        done = await client.download(
            "f", target, resume=True, progress=lambda progress: seen.append(progress.transferred)
        )
    assert target.read_bytes() == OLD
    assert (done.size, done.resumed_from, done.verified) == (SIZE, part, True)
    assert recorder.received == SIZE - part
    assert seen[0] > part
    assert seen[-1] == SIZE
    assert not list(tmp_path.glob("out.*"))


@pytest.mark.parametrize(
    ("data", "time"),
    [pytest.param(NEW, TIME + 100, id="time"), pytest.param(NEW[:-7], TIME, id="size")],
)
async def test_a_changed_file_starts_again(
    ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path, data: bytes, time: int
) -> None:
    put(ftp_server, OLD)
    target = tmp_path / "out"
    async with ftp() as client:
        await interrupted(client, target)
        put(ftp_server, data, time)
        done = await client.download("f", target, resume=True)
    assert target.read_bytes() == data
    assert (done.size, done.resumed_from, done.verified) == (len(data), 0, True)
    assert not list(tmp_path.glob("out.*"))


async def test_without_resume_the_part_is_discarded(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    put(ftp_server, OLD)
    target = tmp_path / "out"
    (tmp_path / "out.part").write_bytes(NEW[:1000])
    async with ftp() as client:
        done = await client.download("f", target)
        assert (done.resumed_from, target.read_bytes()) == (0, OLD)
        await interrupted(client, tmp_path / "again")
        done = await client.download("f", tmp_path / "again")
        assert (done.resumed_from, (tmp_path / "again").read_bytes()) == (0, OLD)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["again", "out"]


MEMOS = [None, b"", b"[1]", b'{"size": "x", "modified": 3}', b"\xff"]


async def test_a_part_without_a_memory_proves_nothing(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    put(ftp_server, OLD[:5000])
    async with ftp() as client:
        for memo in MEMOS:
            (tmp_path / "out.part").write_bytes(NEW[:1000])
            if memo is not None:
                (tmp_path / "out.part.json").write_bytes(memo)
            done = await client.download("f", tmp_path / "out", resume=True)
            assert (done.resumed_from, (tmp_path / "out").read_bytes()) == (0, OLD[:5000])
            assert not list(tmp_path.glob("out.*")), memo


async def test_a_part_that_is_complete_or_too_long(
    ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path, recorder: Any
) -> None:
    put(ftp_server, OLD)
    async with ftp(events=recorder) as client:
        await interrupted(client, tmp_path / "out")
        (tmp_path / "out.part").write_bytes(OLD)
        before = recorder.received
        done = await client.download("f", tmp_path / "out", resume=True)
        assert (done.resumed_from, (tmp_path / "out").read_bytes()) == (SIZE, OLD)
        assert recorder.received == before
        await interrupted(client, tmp_path / "long")
        (tmp_path / "long.part").write_bytes(OLD + b"x")
        await client.download("f", tmp_path / "long", resume=True)
        assert (tmp_path / "long").read_bytes() == OLD


async def test_nothing_to_resume(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    put(ftp_server, b"")
    async with ftp() as client:
        done = await client.download("f", tmp_path / "out", resume=True)
        assert (done.size, done.resumed_from) == (0, 0)
        assert (tmp_path / "out").read_bytes() == b""


async def test_two_writers_of_one_file(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    put(ftp_server, OLD)
    errors: list[LocalFileError] = []

    async with ftp() as client:

        async def one() -> None:
            try:
                await client.download("f", tmp_path / "out")
            except LocalFileError as error:
                errors.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(one)
            group.start_soon(one)
    # One after the other is fine, at once is an error of the second; never is the file anything but whole.
    assert len(errors) < 2
    assert (tmp_path / "out").read_bytes() == OLD


# By itself, after the network failed


async def test_a_cut_transfer_goes_on_at_the_same_byte(embedded: Embedded, tmp_path: Path) -> None:
    server = embedded(faults=[CutData(after=1_500_000, how="fin", times=2)])
    (server.root / "f").write_bytes(OLD)
    retry = RetryPolicy(attempts=3, initial=0.01, maximum=0.02)
    async with FTPClient(server.url, tls="none", retry=retry) as client:
        done = await client.download("f", tmp_path / "out")
        got = bytearray()
        server.set_faults([CutData(after=1_500_000, how="fin", times=2)])
        await client.download("f", sink=got.extend)
    assert (tmp_path / "out").read_bytes() == got == OLD
    assert (done.size, done.resumed_from, done.verified) == (SIZE, 0, True)
    assert server.stats.commands["REST"] == 4
    assert server.stats.bytes_sent < 2 * SIZE + 4 * 1_000_000


async def test_attempts_end_and_the_part_is_kept(embedded: Embedded, tmp_path: Path) -> None:
    server = embedded(faults=[CutData(after=100_000, how="fin")])
    (server.root / "f").write_bytes(OLD)
    retry = RetryPolicy(attempts=2, initial=0.01, maximum=0.02)
    async with FTPClient(server.url, tls="none", retry=retry) as client:
        with pytest.raises(Exception, match=r"426|reset|closed") as caught:
            await client.download("f", tmp_path / "out")
        assert type(caught.value).__module__ == "netclients.errors"
        server.set_faults()
        part = (tmp_path / "out.part").stat().st_size
        assert json.loads((tmp_path / "out.part.json").read_text())["size"] == SIZE
        done = await client.download("f", tmp_path / "out", resume=True)
    assert part > 0
    assert done.resumed_from == part
    assert (tmp_path / "out").read_bytes() == OLD
