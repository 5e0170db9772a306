"""Every byte of the dialogue with the embedded server, and many of its data, is a place where the network fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from netclients.testing import FTPServer
from netclients.testing.fault_plans import How
from tests.faults.harness import THRICE
from tests.faults.operations import OPERATIONS, DownloadToFile, DownloadToSink, Operation, Upload, set_stage
from tests.faults.points import Faulty, Way, proxied, sweep
from tests.servers import FTPTarget
from tests.servers.ports import claim_ports

pytestmark = [pytest.mark.anyio]

MEDIUM = b"".join(b"%07d\n" % number for number in range(60_000))


@pytest.fixture
def stride(anyio_backend: tuple[str, dict[str, bool]]) -> int:
    """asyncio takes every point, the other event loops a choice of them."""
    return 1 if anyio_backend == ("asyncio", {"use_uvloop": False}) else 7


@pytest.fixture
def faulty(embedded_ftp: FTPTarget) -> Iterator[Faulty]:
    with proxied(embedded_ftp) as found:
        yield found


@pytest.fixture
def faulty_tls(tmp_path: Path) -> Iterator[Faulty]:
    root = tmp_path / "ftp"
    root.mkdir()
    with (
        claim_ports() as ports,
        FTPServer(
            root,
            users={"alice": "alicepw"},
            tls="explicit",
            port=ports.control,
            passive_ports=range(ports.passive_min, ports.passive_max + 1),
        ) as server,
    ):
        target = FTPTarget(
            name="embedded",
            host=server.host,
            port=server.port,
            user="alice",
            password="alicepw",
            tls_mode="optional",
            ca_file=Path(server.ca_file),
            root=root,
        )
        with proxied(target, "starttls") as found:
            yield found


def local(tmp_path: Path) -> Path:
    directory = tmp_path / "local"
    directory.mkdir()
    return directory


@pytest.mark.parametrize("how", ["reset", "fin"])
@pytest.mark.parametrize("way", ["down", "up"])
async def test_dialogue_of_a_download_at_every_byte(
    faulty: Faulty, tmp_path: Path, way: Way, how: How, stride: int
) -> None:
    stage = set_stage(faulty.server, local(tmp_path))
    points = await sweep(faulty, DownloadToFile(), stage, way=way, how=how, step=stride)
    assert points >= 100 // stride


@pytest.mark.parametrize("operation", OPERATIONS[1:], ids=lambda operation: operation.name)
@pytest.mark.parametrize("way", ["down", "up"])
async def test_dialogue_of_other_calls(
    faulty: Faulty, tmp_path: Path, operation: Operation, way: Way, stride: int
) -> None:
    stage = set_stage(faulty.server, local(tmp_path))
    assert await sweep(faulty, operation, stage, way=way, step=5 * stride) >= 3


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_second_attempts_make_up_for_it(
    faulty: Faulty, tmp_path: Path, operation: Operation, stride: int
) -> None:
    stage = set_stage(faulty.server, local(tmp_path))
    assert await sweep(faulty, operation, stage, step=6 * stride, retry=THRICE) >= 3


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_dialogue_stalls(faulty: Faulty, tmp_path: Path, operation: Operation, stride: int) -> None:
    stage = set_stage(faulty.server, local(tmp_path))
    # Each point costs its timeout.
    assert await sweep(faulty, operation, stage, how="stall", step=67 * min(stride, 3)) >= 1


@pytest.mark.parametrize("how", ["reset", "fin", "stall"])
@pytest.mark.parametrize(
    ("operation", "way"),
    [(operation, "up" if isinstance(operation, Upload) else "down") for operation in OPERATIONS[:7]],
    ids=lambda value: value.name if isinstance(value, Operation) else value,
)
async def test_data(faulty: Faulty, tmp_path: Path, operation: Operation, way: Way, how: How, stride: int) -> None:
    stage = set_stage(faulty.server, local(tmp_path))
    length = 250 if operation.name == "scandir" else len(stage.data)
    step = max(1, length // (5 if how == "stall" else 40) * min(stride, 3))
    assert await sweep(faulty, operation, stage, kind="data", way=way, how=how, step=step) >= 2


@pytest.mark.parametrize("retry", [THRICE], ids=["thrice"])
@pytest.mark.parametrize("operation", [DownloadToFile(), DownloadToSink(), Upload()], ids=lambda o: o.name)
async def test_larger_data_is_continued(
    faulty: Faulty, tmp_path: Path, operation: Operation, stride: int, retry: object
) -> None:
    stage = set_stage(faulty.server, local(tmp_path), MEDIUM)
    way: Way = "up" if isinstance(operation, Upload) else "down"
    step = len(MEDIUM) // 23 * min(stride, 3)
    for how in ("reset", "fin"):
        points = await sweep(
            faulty,
            operation,
            stage,
            kind="data",
            way=way,
            how=how,
            step=step,
            start=1,
            retry=THRICE,  # type: ignore[arg-type]
        )
        assert points >= 5


@pytest.mark.parametrize("how", ["reset", "fin"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
async def test_dialogue_over_tls(
    faulty_tls: Faulty, tmp_path: Path, operation: Operation, how: How, stride: int
) -> None:
    stage = set_stage(faulty_tls.server, local(tmp_path))
    for way in ("down", "up"):
        points = await sweep(faulty_tls, operation, stage, way=way, how=how, step=149 * min(stride, 3))  # type: ignore[arg-type]
        assert points >= 3


@pytest.mark.parametrize("how", ["reset", "fin", "stall"])
@pytest.mark.parametrize("operation", OPERATIONS[:7], ids=lambda operation: operation.name)
async def test_data_over_tls(faulty_tls: Faulty, tmp_path: Path, operation: Operation, how: How, stride: int) -> None:
    stage = set_stage(faulty_tls.server, local(tmp_path))
    step = (900 if how == "stall" else 307) * min(stride, 3)
    for way in ("down", "up"):
        points = await sweep(faulty_tls, operation, stage, kind="data", way=way, how=how, step=step)  # type: ignore[arg-type]
        assert points >= 1
