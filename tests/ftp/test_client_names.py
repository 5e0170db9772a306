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


async def test_names(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    async with ftp() as client:
        for kind, name in NAMES.items():
            if (ftp_server.name, kind) in IMPOSSIBLE:
                continue
            try:
                await check(client, ftp_server, kind, name, tmp_path / kind)
            except Exception as error:
                error.add_note(f"the name: {kind}, {name!a}")
                raise
        # None of them cost the connection.
        assert client.stats.opened == 1


async def check(client: FTPClient, server: FTPTarget, kind: str, name: str, local: Path) -> None:
    path = f"{kind}/{name}"
    server.put(path, b"content")
    done = await client.download(path, local / "out")
    assert (done.size, (local / "out").read_bytes()) == (7, b"content")
    async with client.download_many([path], local) as items:
        assert [item.path async for item in items] == [local / path]
    assert (local / path).read_bytes() == b"content"
    async with client.scandir(kind) as entries:
        found = [entry async for entry in entries]
    assert [(one.name, one.path, one.raw_name) for one in found] == [(name, path, os.fsencode(name))]
    info = await client.stat(path)
    assert (info.name, info.path, info.size) == (name, path, 7)
    await client.upload(b"new content", path)
    assert os.listdir(server.root / kind) == [name]
    assert (server.root / kind / name).read_bytes() == b"new content"
    await client.rename(path, "plain")
    await client.rename("plain", path)
    await client.remove(path)
    assert not await client.exists(path)
    if (server.name, kind) in NO_DIRECTORY:
        with pytest.raises(PermanentReplyError, match="Invalid directory name"):
            await client.makedirs(f"{path}/{name}")
        return
    await client.makedirs(f"{path}/{name}")
    await client.upload(b"deep", f"{path}/{name}/f", atomic=False)
    assert (server.root / kind / name / name / "f").read_bytes() == b"deep"
    async with client.scandir(f"{path}/{name}") as entries:
        assert [entry.path async for entry in entries] == [f"{path}/{name}/f"]


async def test_names_that_would_end_the_command(ftp_server: FTPTarget, ftp: MakeClient, tmp_path: Path) -> None:
    ftp_server.put("f", b"here")
    async with ftp() as client:
        for name in ("a\nb", "a\r\nDELE f", "a\0b", "\n", "f\r"):
            calls: list[Callable[..., object]] = [
                lambda name=name: client.download(name, tmp_path / "out"),
                lambda name=name: client.upload(b"x", name),
                lambda name=name: client.upload(b"x", name, atomic=False),
                lambda name=name: client.stat(name),
                lambda name=name: client.exists(name),
                lambda name=name: client.remove(name),
                lambda name=name: client.rename("f", name),
                lambda name=name: client.rename(name, "f"),
                lambda name=name: client.makedirs(name),
                lambda name=name: client.read_bytes(name),
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
