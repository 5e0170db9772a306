"""The same on vsftpd, ProFTPD and Pure-FTPd: the dialogue in steps of seven bytes, plain and over TLS."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from netclients.testing import Cut, Flow, Inject, Plan
from netclients.testing.fault_plans import Kind
from tests.faults.harness import THRICE
from tests.faults.operations import (
    OPERATIONS,
    DownloadToFile,
    DownloadToSink,
    Operation,
    Remove,
    Rename,
    Scandir,
    Upload,
    set_stage,
)
from tests.faults.points import plan_of, proxied, strike, sweep
from tests.servers import RealServer

pytestmark = [pytest.mark.anyio, pytest.mark.servers]

TRIO_TOO = [DownloadToFile(), Upload(), Scandir()]


@pytest.fixture(autouse=True)
def two_event_loops(anyio_backend: tuple[str, dict[str, bool]]) -> None:
    if anyio_backend[1].get("use_uvloop"):
        pytest.skip("asyncio and trio show it; the embedded server is swept on uvloop too")


def chosen(server: RealServer, anyio_backend: tuple[str, dict[str, bool]]) -> tuple[list[Operation], int]:
    """All operations on asyncio; three of them, in larger steps, elsewhere.

    ProFTPD takes 0.15 seconds for a login, thirty times as long as the others: it gets larger steps.
    """
    factor = 5 if server.name == "proftpd" else 1
    if anyio_backend == ("asyncio", {"use_uvloop": False}):
        return OPERATIONS, factor
    return TRIO_TOO, 4 * factor


async def test_dialogue(real_ftp: RealServer, tmp_path: Path, anyio_backend: tuple[str, dict[str, bool]]) -> None:
    operations, factor = chosen(real_ftp, anyio_backend)
    stage = set_stage(real_ftp, tmp_path)
    with proxied(real_ftp) as faulty:
        for operation in operations:
            step = (7 if isinstance(operation, DownloadToFile) else 41) * factor
            assert await sweep(faulty, operation, stage, step=step) >= 1
        assert await sweep(faulty, DownloadToSink(), stage, how="fin", step=29 * factor) >= 1
        assert await sweep(faulty, Upload(), stage, way="up", step=23 * factor) >= 1


async def test_second_attempts(
    real_ftp: RealServer, tmp_path: Path, anyio_backend: tuple[str, dict[str, bool]]
) -> None:
    operations, factor = chosen(real_ftp, anyio_backend)
    stage = set_stage(real_ftp, tmp_path)
    with proxied(real_ftp) as faulty:
        for operation in operations:
            assert await sweep(faulty, operation, stage, step=61 * factor, retry=THRICE) >= 0


async def test_data(real_ftp: RealServer, tmp_path: Path, anyio_backend: tuple[str, dict[str, bool]]) -> None:
    operations, factor = chosen(real_ftp, anyio_backend)
    stage = set_stage(real_ftp, tmp_path)
    with proxied(real_ftp) as faulty:
        for operation in operations:
            if isinstance(operation, (Rename, Remove)):
                continue
            way = "up" if isinstance(operation, Upload) else "down"
            step = (53 if isinstance(operation, Scandir) else 397) * factor
            for how in ("reset", "fin"):
                # A cut at byte 0 never reaches the server and costs a wait: test_phases has it.
                await sweep(faulty, operation, stage, kind="data", way=way, how=how, step=step, start=1)  # type: ignore[arg-type]
            await strike(faulty, operation, stage, "data", plan_of(way, Cut(1, "stall")))  # type: ignore[arg-type]


async def test_over_tls(real_ftp: RealServer, tmp_path: Path, anyio_backend: tuple[str, dict[str, bool]]) -> None:
    _, factor = chosen(real_ftp, anyio_backend)
    stage = set_stage(real_ftp, tmp_path)
    with proxied(real_ftp, "starttls") as faulty:
        for operation in TRIO_TOO:
            for kind, step in (("control", 431), ("data", 601)):
                for way in ("down", "up"):
                    points = await sweep(
                        faulty,
                        operation,
                        stage,
                        kind=kind,
                        way=way,  # type: ignore[arg-type]
                        start=1,
                        step=step * factor,
                    )
                    assert points >= 1
            await sweep(faulty, operation, stage, kind="data", how="fin", start=1, step=901 * factor)


PHASES: dict[str, tuple[Kind, Plan]] = {
    "connect": ("control", Plan(refuse=True)),
    "greeting": ("control", Plan(down=Flow(cut=Cut(0, "stall")))),
    "the password's reply": ("control", Plan(down=Flow(cut=Cut(rb"331[^\n]*\n", "stall")))),
    "the data port": ("control", Plan(up=Flow(cut=Cut(rb"EPSV\r\n", "stall")))),
    "the data connection": ("data", Plan(refuse=True)),
    "the final reply": ("control", Plan(down=Flow(cut=Cut(rb"150[^\n]*\n", "stall")))),
    "one byte at a time": ("control", Plan(up=Flow(chunk=1), down=Flow(chunk=1, cut=Cut(600)))),
    "a lie about the login": ("control", Plan(down=Flow(inject=(Inject(rb"331[^\n]*\n", b"230 hi\r\n"),)))),
}


def bearable(plan: Plan, server: RealServer) -> Plan:
    """quirk_proftpd_lone_lf: to ProFTPD 1.3 a command's CR and LF must go in one packet.

    Its pr_netio_telnet_gets2 looks for the CR in front of the LF in the same read, and overlooks the end of a line
    whose LF a read begins with. What follows becomes part of the line: of a password, with "530 Login incorrect".
    """
    if server.name != "proftpd" or plan.up.chunk is None:
        return plan
    return replace(plan, up=replace(plan.up, whole=b"\r\n"))


@pytest.mark.parametrize("phase", PHASES)
async def test_phases(real_ftp: RealServer, tmp_path: Path, phase: str) -> None:
    stage = set_stage(real_ftp, tmp_path)
    kind, plan = PHASES[phase]
    plan = bearable(plan, real_ftp)
    with proxied(real_ftp) as faulty:
        await strike(faulty, DownloadToFile(), stage, kind, plan)
