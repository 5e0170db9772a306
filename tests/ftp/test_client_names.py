"""Names that break naive clients: each is downloaded, uploaded, listed, described, renamed and removed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from netclients import ConfigurationError, FTPClient, PermanentReplyError
from tests.servers import FTPTarget

pytestmark = pytest.mark.anyio

MakeClient = Callable[..., FTPClient]

NAMES = {
    "space": "two words",
    "leading": " leading",
    "trailing": "trailing ",
    "dash": "-la",
    "dashes": "--help",
    "apostrophe": "it's",
    "quote": 'say "hi"',
    "semicolon": "a; b;c=d",
    "globs": "a*b?[c]{d}",
    "umlaut": "grün",
    "composed": "gru\u0308n",
    "east": "日本語",
    "emoji": "\N{SLICE OF PIZZA}",
    "latin1": os.fsdecode(b"caf\xe9"),
    "percent": "100%25%s",
    "backslash": "back\\slash",
    "hash": "#1&2=$HOME`id`!",
    "tilde": "~root",
    "colon": "a:b|c<d>",
    "tab": "a\tb",
    "escape": "\x1b[31mred\x7f",
    "dots": "...",
    "hidden": ".hidden",
    "long": "x" * 200,
    "arrow": "a -> b",
    "line": "-rw-r--r-- 1 a b 3 Jan 1 2020 c",
}


# What the servers themselves refuse or replace by another name; the same with the standard library's client.
REPLACES = "Pure-FTPd stores it under another name"
IMPOSSIBLE = {
    ("pureftpd", "trailing"): REPLACES,
    ("pureftpd", "tab"): REPLACES,
    ("pureftpd", "escape"): REPLACES,
    ("pureftpd", "backslash"): "Pure-FTPd prohibits it",
}
NO_DIRECTORY = {("proftpd", "globs"): "ProFTPD makes no directory with an asterisk"}


@pytest.mark.parametrize("kind", NAMES)
async def test_a_name(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path, kind: str) -> None:
    name = NAMES[kind]
    if reason := IMPOSSIBLE.get((ftp_server.name, kind)):
        pytest.skip(reason)
    ftp_server.put(f"d/{name}", b"content")
    async with ftp(path="d") as client:
        done = await client.download(name, tmp_path / "out")
        assert (done.size, (tmp_path / "out").read_bytes()) == (7, b"content")
        assert [item.path async for item in client.download_many([name], tmp_path)] == [tmp_path / name]
        assert (tmp_path / name).read_bytes() == b"content"
        async with client.scandir() as entries:
            found = [entry async for entry in entries]
        assert [(one.name, one.path, one.raw_name) for one in found] == [(name, name, os.fsencode(name))]
        info = await client.stat(name)
        assert (info.name, info.path, info.size) == (name, name, 7)
        await client.upload(b"new content", name)
        assert os.listdir(ftp_server.root / "d") == [name]
        assert (ftp_server.root / "d" / name).read_bytes() == b"new content"
        await client.rename(name, "plain")
        await client.rename("plain", name)
        await client.remove(name)
        assert not await client.exists(name)
        assert client.stats.opened == 1
        if (ftp_server.name, kind) in NO_DIRECTORY:
            with pytest.raises(PermanentReplyError, match="Invalid directory name"):
                await client.makedirs(f"{name}/{name}")
            return
        await client.makedirs(f"{name}/{name}")
        await client.upload(b"deep", f"{name}/{name}/f", atomic=False)
        assert (ftp_server.root / "d" / name / name / "f").read_bytes() == b"deep"
        async with client.scandir(f"{name}/{name}") as entries:
            assert [entry.path async for entry in entries] == [f"{name}/{name}/f"]
        assert client.stats.opened == 1


@pytest.mark.parametrize("name", ["a\nb", "a\r\nDELE f", "a\0b", "\n", "f\r"])
async def test_names_that_would_end_the_command(
    ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path, name: str
) -> None:
    ftp_server.put("f", b"here")
    async with ftp() as client:
        calls: list[Callable[[], object]] = [
            lambda: client.download(name, tmp_path / "out"),
            lambda: client.upload(b"x", name),
            lambda: client.upload(b"x", name, atomic=False),
            lambda: client.stat(name),
            lambda: client.exists(name),
            lambda: client.remove(name),
            lambda: client.rename("f", name),
            lambda: client.rename(name, "f"),
            lambda: client.makedirs(name),
            lambda: client.read_bytes(name),
        ]
        for call in calls:
            with pytest.raises(ConfigurationError):
                await call()  # type: ignore[misc]
        with pytest.raises(ConfigurationError):
            async with client.open(name) as file:
                await file.read()
        with pytest.raises(ConfigurationError):
            async with client.scandir(name) as entries:
                [entry async for entry in entries]
        opened = client.stats.opened
        assert await client.read_bytes("f") == b"here"
    assert os.listdir(ftp_server.root) == ["f"]
    assert opened == 0


async def test_another_encoding(ftp_server: FTPTarget, ftp: MakeClient) -> None:
    raw = "grün".encode("latin-1")
    ftp_server.put(os.fsdecode(raw), b"latin")
    async with ftp(encoding="latin-1") as client:
        assert await client.read_bytes("grün") == b"latin"
        async with client.scandir() as entries:
            assert [(entry.name, entry.raw_name) async for entry in entries] == [("grün", raw)]
        with pytest.raises(ConfigurationError):
            await client.read_bytes("日本")
