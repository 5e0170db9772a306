"""The calls that the fault tests break, and what must hold after each, whether it worked or failed."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netclients import FTPClient
from tests.faults.harness import DATA
from tests.servers import FTPTarget

NAMES = [f"name{number}" for number in range(5)]


@dataclass
class Stage:
    """Where one operation takes place; ``data`` is what it moves, ``seen`` what came out of it.

    ``blind``: the listing's end is cut off where nothing can tell: in clear, by FIN, and the server says 226.
    """

    server: FTPTarget
    local: Path
    data: bytes = DATA
    seen: bytearray = field(default_factory=bytearray)
    names: list[str] = field(default_factory=list)
    blind: bool = False

    def there(self, name: str) -> bytes | None:
        """Content of a file on the server."""
        path = self.server.root / name
        return path.read_bytes() if path.exists() else None

    def here(self, name: str) -> bytes | None:
        path = self.local / name
        return path.read_bytes() if path.exists() else None

    def wipe(self, *names: str) -> None:
        for name in names:
            (self.server.root / name).unlink(missing_ok=True)


class Operation:
    """One call. ``safe``: with a second attempt it must succeed, whatever happened to the first."""

    name = ""
    safe = True

    def prepare(self, stage: Stage) -> None:
        """Set the stage, before every run."""

    async def run(self, client: FTPClient, stage: Stage) -> Any:
        raise NotImplementedError

    def done(self, stage: Stage, result: Any) -> None:
        """It says that it worked."""

    def failed(self, stage: Stage) -> None:
        """It raised an error."""


class DownloadToFile(Operation):
    name = "download to a file"

    def prepare(self, stage: Stage) -> None:
        for path in stage.local.glob("got.bin*"):
            path.unlink()

    async def run(self, client: FTPClient, stage: Stage) -> Any:
        return await client.download("file.bin", stage.local / "got.bin")

    def done(self, stage: Stage, result: Any) -> None:
        assert stage.here("got.bin") == stage.data
        assert result.verified
        assert result.size == len(stage.data)

    def failed(self, stage: Stage) -> None:
        assert stage.here("got.bin") is None
        assert stage.data.startswith(stage.here("got.bin.part") or b"")


class DownloadToSink(Operation):
    name = "download to a sink"

    def prepare(self, stage: Stage) -> None:
        stage.seen.clear()

    async def run(self, client: FTPClient, stage: Stage) -> Any:
        return await client.download("file.bin", sink=stage.seen.extend)

    def done(self, stage: Stage, result: Any) -> None:
        assert bytes(stage.seen) == stage.data
        assert result.verified

    def failed(self, stage: Stage) -> None:
        assert stage.data.startswith(bytes(stage.seen))


class OpenAndRead(DownloadToSink):
    name = "open and read"

    async def run(self, client: FTPClient, stage: Stage) -> Any:
        async with client.open("file.bin") as file:
            while chunk := await file.read(1000):
                stage.seen += chunk

    def done(self, stage: Stage, result: Any) -> None:
        assert bytes(stage.seen) == stage.data


class Upload(Operation):
    name = "upload"

    def prepare(self, stage: Stage) -> None:
        stage.wipe("up.bin", "up.bin.part")

    async def run(self, client: FTPClient, stage: Stage) -> Any:
        source = stage.local / "source.bin"
        if not source.exists():
            source.write_bytes(stage.data)
        return await client.upload(source, "up.bin")

    def done(self, stage: Stage, result: Any) -> None:
        assert stage.there("up.bin") == stage.data
        assert stage.there("up.bin.part") is None
        assert result.verified
        assert result.size == len(stage.data)

    def failed(self, stage: Stage) -> None:
        assert stage.there("up.bin") in (None, stage.data)


class UploadDirectly(Upload):
    name = "upload without rename"

    async def run(self, client: FTPClient, stage: Stage) -> Any:
        return await client.upload(stage.data, "up.bin", atomic=False)

    def failed(self, stage: Stage) -> None:
        assert stage.data.startswith(stage.there("up.bin") or b"")


class UploadOnce(Upload):
    name = "upload from an iterator"
    safe = False

    async def run(self, client: FTPClient, stage: Stage) -> Any:
        async def pieces() -> AsyncGenerator[bytes, None]:
            for start in range(0, len(stage.data), 1000):
                yield stage.data[start : start + 1000]

        async with contextlib.aclosing(pieces()) as source:
            return await client.upload(source, "up.bin")


class Scandir(Operation):
    name = "scandir"
    safe = False  # once the first entry is out, it is not begun again

    def prepare(self, stage: Stage) -> None:
        stage.names.clear()

    async def run(self, client: FTPClient, stage: Stage) -> Any:
        async with client.scandir("listed") as entries:
            async for entry in entries:
                stage.names.append(entry.name)

    def done(self, stage: Stage, result: Any) -> None:
        if stage.blind:
            self.failed(stage)
        else:
            assert sorted(stage.names) == NAMES

    def failed(self, stage: Stage) -> None:
        assert len(set(stage.names)) == len(stage.names)
        assert set(stage.names) <= set(NAMES)


class Rename(Operation):
    name = "rename"

    def prepare(self, stage: Stage) -> None:
        stage.wipe("to.txt")
        stage.server.put("from.txt", b"one and only")

    async def run(self, client: FTPClient, stage: Stage) -> Any:
        await client.rename("from.txt", "to.txt")

    def done(self, stage: Stage, result: Any) -> None:
        assert (stage.there("from.txt"), stage.there("to.txt")) == (None, b"one and only")

    def failed(self, stage: Stage) -> None:
        files = [content for name in ("from.txt", "to.txt") if (content := stage.there(name)) is not None]
        assert files == [b"one and only"]


class Remove(Operation):
    name = "remove"

    def prepare(self, stage: Stage) -> None:
        stage.server.put("gone.txt", b"x")

    async def run(self, client: FTPClient, stage: Stage) -> Any:
        await client.remove("gone.txt")

    def done(self, stage: Stage, result: Any) -> None:
        assert stage.there("gone.txt") is None


OPERATIONS: list[Operation] = [
    DownloadToFile(),
    DownloadToSink(),
    OpenAndRead(),
    Upload(),
    UploadDirectly(),
    UploadOnce(),
    Scandir(),
    Rename(),
    Remove(),
]


def set_stage(server: FTPTarget, local: Path, data: bytes = DATA) -> Stage:
    """Put what the operations need on the server."""
    server.put("file.bin", data)
    server.put("probe.txt", b"the right answer")
    for name in NAMES:
        server.put(f"listed/{name}", b"")
    return Stage(server, local, data)
