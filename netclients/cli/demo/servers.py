"""The demo's servers, seen from the client: a process of their own, so that both sides share no interpreter.

Parent and child speak in lines of JSON: the child says where its servers are; the parent says which one shall cut
all its connections, or that mail shall be delivered, and ends its input to end the child, which says at last what
its servers have done. The parent's death ends the input, too.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from netclients.errors import ConnectError

__all__ = ["ServerProcess"]

_CHILD = "netclients.cli.demo.serving"
_MAX_LINE = 64 * 1024 * 1024  # mailboxes are listed in one
_PATIENCE = 30  # seconds: a slow machine makes keys


@dataclass(frozen=True, slots=True)
class Address:
    """Where one server is, and the authority to trust (None: no TLS)."""

    url: str
    authority: str | None


class ServerProcess:
    """The child, seen from the parent; use it with ``async with``; its servers have names.

    ``kind`` is ``"ftp"``, whose servers have the files below ``root``, or ``"mail"``.
    """

    def __init__(self, kind: str, root: Path | None = None) -> None:
        self._arguments = [kind] if root is None else [kind, str(root)]
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        command = [sys.executable, "-m", _CHILD, *self._arguments]
        self._process = await anyio.open_process(command, stderr=None)
        assert self._process.stdout is not None
        self._lines = BufferedByteReceiveStream(self._process.stdout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    async def ready(self) -> Mapping[str, Address]:
        """Wait until the servers listen; return where."""
        return {name: Address(**value) for name, value in (await self._read()).items()}

    async def sever(self, name: str) -> None:
        """Make one server cut all connections that it has."""
        await self._ask({"sever": name})

    async def deliver(self) -> int:
        """Have the mail that was accepted put into the mailbox; return how many messages that were."""
        await self._ask({"deliver": True})
        return int((await self._read())["delivered"])

    async def _ask(self, wish: Mapping[str, object]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        await self._process.stdin.send(json.dumps(wish).encode() + b"\n")

    async def stop(self) -> Mapping[str, Mapping[str, Any]]:
        """End the servers; return what each has to tell.

        ``cuts`` is how often it has cut a connection, ``copies`` are pairs of recipient and SHA-256, one for each
        message in each mailbox.
        """
        assert self._process is not None
        assert self._process.stdin is not None
        await self._process.stdin.aclose()
        return await self._read()

    async def _read(self) -> dict[str, Any]:
        try:
            with anyio.fail_after(_PATIENCE):
                line = await self._lines.receive_until(b"\n", _MAX_LINE)
        except (TimeoutError, anyio.EndOfStream, anyio.IncompleteRead) as error:
            raise ConnectError("the demo's servers did not answer") from error
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with anyio.CancelScope(shield=True):
            if process.returncode is None:
                process.kill()
            await process.aclose()
