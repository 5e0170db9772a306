"""``ls``: entries as they come, for people or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from netclients.cli.credentials import Credentials
from netclients.cli.targets import parse_target
from netclients.errors import NetClientError, PermanentReplyError, printable
from netclients.ftp.types import EntryKind

if TYPE_CHECKING:
    from netclients.cli.session import Session
    from netclients.ftp.client import FTPClient
    from netclients.ftp.types import Entry

__all__ = ["ls"]

_LETTERS = {EntryKind.FILE: "-", EntryKind.DIR: "d", EntryKind.LINK: "l", EntryKind.OTHER: "?"}


def ls(session: Session, url: str, *, long: bool) -> Coroutine[Any, Any, int]:
    """Plan to print the entries of a directory, or the one of a file; what is returned does it.

    Raises:
        ConfigurationError: the arguments make no sense.
    """
    session.check()
    target = parse_target(url, Credentials())
    render = _as_json if session.json else _as_line if long else _as_name
    return _list(session.client(target.server), target.path, render)


async def _list(client: FTPClient, path: str, render: Callable[[Entry], str]) -> int:
    async with client as ftp:
        try:
            async with ftp.scandir(path or ".") as entries:
                async for entry in entries:
                    sys.stdout.write(render(entry) + "\n")
        except PermanentReplyError as error:
            sys.stdout.write(render(await _file_instead(ftp, path, error)) + "\n")
    return 0


async def _file_instead(ftp: FTPClient, path: str, refusal: PermanentReplyError) -> Entry:
    """Return the entry of ``path`` if it is no directory; else the refusal stands."""
    if type(refusal) is not PermanentReplyError:
        raise refusal
    try:
        entry = await ftp.stat(path)
    except NetClientError:
        raise refusal from None
    if entry.kind is EntryKind.DIR:
        raise refusal
    return entry


def _as_name(entry: Entry) -> str:
    return printable(entry.name)


def _as_line(entry: Entry) -> str:
    mode = "?" * 9 if entry.mode is None else _permissions(entry.mode)
    size = "?" if entry.size is None else str(entry.size)
    time = "?" if entry.modified is None else f"{entry.modified:%Y-%m-%d %H:%M}"
    target = f" -> {printable(entry.target)}" if entry.target else ""
    return f"{_LETTERS[entry.kind]}{mode} {size:>12} {time:>16} {printable(entry.name)}{target}"


def _permissions(mode: int) -> str:
    return "".join(letter if mode >> 8 - place & 1 else "-" for place, letter in enumerate("rwxrwxrwx"))


def _as_json(entry: Entry) -> str:
    fields = {
        "name": entry.name,
        "path": entry.path,
        "kind": entry.kind.value,
        "size": entry.size,
        "modified": entry.modified.isoformat() if entry.modified else None,
        "mode": None if entry.mode is None else f"{entry.mode:04o}",
        "target": entry.target,
    }
    return json.dumps(fields)
