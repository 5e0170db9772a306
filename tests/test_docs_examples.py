"""Every example of the documentation runs, and the pages name only what exists."""

from __future__ import annotations

import ftplib
import hashlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import aioftp
import pytest
import trio

import netclients
from netclients import FTPClient, FTPConnection
from netclients.testing import FTPServer
from tests.interop.proxy_servers import Socks5Proxy

DOCS = Path(__file__).parent.parent / "docs"
EXAMPLES = sorted((DOCS / "examples").glob("*.py"))
PAGES = sorted(DOCS.rglob("*.md"))

BIG = bytes(range(256)) * 10_000
NOTES = "Hello.\nThis is the embedded server.\n"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"docs_example_{name}", DOCS / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "server"
    (root / "batch").mkdir(parents=True)
    (root / "big.bin").write_bytes(BIG)
    (root / "notes.txt").write_text(NOTES)
    for number in range(40):
        (root / "batch" / f"{number:04}.txt").write_text(f"{number}\n")
    return root


@pytest.fixture
def server(root: Path) -> Iterator[FTPServer]:
    with FTPServer.run_in_thread(root) as server:
        yield server


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "downloads"


# Examples


@pytest.mark.asyncio
async def test_first_download(server: FTPServer, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await load("first_download").main(server.url, directory)
    assert (directory / "notes.txt").read_text() == NOTES
    assert f"{len(NOTES)} bytes, complete: True" in capsys.readouterr().out


def test_embedded_server(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import runpy

    def stop(prompt: str) -> str:
        url = capsys.readouterr().out.split("=", 1)[1].strip()
        from netclients.sync import FTPClient

        with FTPClient(url) as ftp:
            assert len(list(ftp.scandir("batch"))) == 200
        return ""

    monkeypatch.setattr("builtins.input", stop)
    runpy.run_path(str(DOCS / "examples" / "embedded_server.py"), run_name="__main__")


@pytest.mark.asyncio
async def test_resume_and_verify(server: FTPServer, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from netclients import NetClientError, RetryPolicy
    from netclients.testing import CutData

    server.set_faults([CutData("RETR", after=1_500_000, how="fin", reply="226 Done.", times=1)])
    async with FTPClient(server.url, retry=RetryPolicy(attempts=1)) as ftp:
        with pytest.raises(NetClientError):
            await ftp.download("big.bin", directory / "big.bin", resume=True)
    assert (directory / "big.bin.part").exists()
    await load("resume_and_verify").main(server.url, directory)
    assert (directory / "big.bin").read_bytes() == BIG
    assert "2560000 bytes, of which 1500000 were there before" in capsys.readouterr().out


@pytest.mark.asyncio
async def test_checksum_while_downloading(server: FTPServer, directory: Path) -> None:
    await load("checksum_while_downloading").main(server.url, directory)
    assert (directory / "SHA256SUMS").read_text() == f"{hashlib.sha256(BIG).hexdigest()}  big.bin\n"


@pytest.mark.asyncio
async def test_batch(server: FTPServer, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    await load("batch").main(server.url, directory)
    assert len(list((directory / "batch").iterdir())) == 40
    assert "40 files came, 0 failed" in capsys.readouterr().out


@pytest.mark.asyncio
async def test_uploads(server: FTPServer, root: Path, directory: Path) -> None:
    await load("uploads").main(server.url, directory)
    names = sorted(path.name for path in (root / "inbox" / "2026").iterdir())
    assert names == ["report-1.txt", "squares.csv"]
    assert (root / "inbox" / "2026" / "squares.csv").read_bytes().startswith(b"0,0\n1,1\n2,4\n")


@pytest.mark.asyncio
async def test_upload_many(server: FTPServer, root: Path, directory: Path) -> None:
    await load("upload_many").main(server.url, directory)
    assert len(list((root / "inbox" / "outbox").iterdir())) == 20


@pytest.mark.asyncio
@pytest.mark.parametrize("mode", ["explicit", "implicit"])
async def test_tls(root: Path, directory: Path, mode: str) -> None:
    with FTPServer.run_in_thread(root, users={"ada": "secret"}, tls=mode) as server:
        await load("tls").main(server.url, directory, server.ca_file)
    assert (directory / "notes.txt").read_text() == NOTES


@pytest.mark.asyncio
async def test_proxy(server: FTPServer, directory: Path) -> None:
    with Socks5Proxy("user", "password").in_thread() as proxy:
        await load("proxy").main(server.url, directory, proxy.url("user", "password"))
        assert len(proxy.targets) == 2


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["limits_and_retries", "timeouts", "progress_and_events", "api_ftp"])
async def test_downloads_of_a_big_file(server: FTPServer, directory: Path, name: str) -> None:
    await load(name).main(server.url, directory)
    [copy] = directory.rglob("big.bin")
    assert copy.read_bytes() == BIG


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["names", "single_commands"])
async def test_reading(server: FTPServer, directory: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    await load(name).main(server.url, directory)
    assert capsys.readouterr().out


def test_blocking(server: FTPServer, directory: Path) -> None:
    load("blocking").main(server.url, directory)
    assert (directory / "notes.txt").read_text() == NOTES
    assert (directory / "batch" / "0001.txt").read_text() == "1\n"


def test_with_trio(server: FTPServer, directory: Path) -> None:
    trio.run(load("with_trio").main, server.url, directory)
    assert (directory / "batch" / "0001.txt").read_text() == "1\n"


@pytest.mark.asyncio
async def test_aioftp_adapter(server: FTPServer, directory: Path) -> None:
    await load("aioftp_adapter").main(server.url, directory)
    assert len(list(directory.iterdir())) == 10


_tests = load("test_your_code")
test_fetch = _tests.test_fetch
test_fetch_goes_on_after_a_cut = _tests.test_fetch_goes_on_after_a_cut


# Pages


def test_every_example_is_run_and_shown() -> None:
    shown = "\n".join(page.read_text() for page in PAGES)
    run = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for example in EXAMPLES:
        assert f"examples/{example.name}" in shown
        assert f'"{example.stem}"' in run or example.name in run


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_pages_name_what_exists(page: Path) -> None:
    text = page.read_text()
    owners = {"FTPClient": FTPClient, "FTPConnection": FTPConnection, "Events": netclients.Events}
    for owner, name in re.findall(r"`(FTPClient|FTPConnection|Events)\.(\w+)", text):
        assert hasattr(owners[owner], name) or name in {"features", "welcome", "kind"}, f"{owner}.{name}"
    for name in re.findall(r"from netclients import ([\w, ]+)\n", text):
        for part in name.split(", "):
            assert hasattr(netclients, part)


def public_methods(*owners: type) -> set[str]:
    return {
        name
        for owner in owners
        for name, value in inspect.getmembers(owner)
        if inspect.isroutine(value) and not name.startswith("_")
    }


def test_every_method_of_ftplib_is_in_its_table() -> None:
    text = (DOCS / "howto" / "from-ftplib.md").read_text()
    missing = [name for name in public_methods(ftplib.FTP, ftplib.FTP_TLS) if not re.search(rf"`{name}\b", text)]
    assert missing == []


def test_every_method_of_aioftp_is_in_its_table() -> None:
    text = (DOCS / "howto" / "from-aioftp.md").read_text()
    missing = [name for name in public_methods(aioftp.Client) if not re.search(rf"`{name}\b", text)]
    assert missing == []
