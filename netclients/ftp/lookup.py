"""What is behind a name: finding one entry, and telling *missing* from *forbidden*.

A 550 says neither. MLST does, or the listing of the parent directory; where neither can, the answer is that
nobody knows, and the server's own error stands.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from netclients.errors import (
    NetClientError,
    PermanentReplyError,
    RemoteFileNotFound,
    RemoteIsADirectory,
    RemotePermissionDenied,
    UnsupportedError,
)
from netclients.ftp.directory import can_enter, entries_of
from netclients.ftp.replies import parse_mdtm, parse_mlst, parse_size
from netclients.ftp.types import Entry, EntryKind

if TYPE_CHECKING:
    from netclients.ftp.connection import FTPConnection
    from netclients.wire.replies import Reply

__all__ = ["explain", "explain_new", "find"]

_MISSING = re.compile(r"no such (file|dir)|not found|can't find|cannot find|does(n't| not) exist", re.IGNORECASE)
# vsftpd without passive mode answers PASV by "550 Permission denied."
_ABOUT_NO_FILE = frozenset(("EPSV", "PASV", "EPRT", "PORT", "TYPE", "REST"))
_FORBIDDEN = re.compile(r"permission denied|not permitted|access (is )?denied|forbidden", re.IGNORECASE)


async def find(connection: FTPConnection, path: str) -> Entry:
    """Return the entry of ``path``.

    Raises:
        RemoteFileNotFound: MLST or the parent's listing shows that there is none.
        PermanentReplyError: the server's refusal, if it can't be told which of the two it is.
    """
    if connection.features.has("MLST") and connection.settings.learned.mlst:
        reply = await connection.reply_to(connection.path_command("MLST", path))
        if reply.kind == 2:
            return parse_mlst(reply.lines, path, connection.encode, connection.decode)
        if reply.code in (500, 502):
            # MLSD without MLST (FluentFTP#1635)
            connection.settings.learned.mlst = False
        elif reply.kind != 5:
            raise connection.error("MLST", reply)
        else:
            return await _find_after_refusal(connection, path, "MLST", reply)
    return await _find_by_facts(connection, path)


async def _find_by_facts(connection: FTPConnection, path: str) -> Entry:
    """For servers without MLST: a file has a size, a directory can be entered."""
    size_ticket = connection.submit(connection.path_command("SIZE", path))
    time_ticket = connection.submit(connection.path_command("MDTM", path))
    for ticket in (size_ticket, time_ticket):
        await connection.settle(ticket, connection.settings.timeouts.reply, "reply")
    size, modified = size_ticket.reply, time_ticket.reply
    assert size is not None
    assert modified is not None
    name = posixpath.basename(path.rstrip("/"))
    if size.kind == 2:
        time = parse_mdtm(modified.text) if modified.kind == 2 else None
        return Entry(
            name,
            path,
            EntryKind.FILE,
            size=parse_size(size.text),
            modified=time.value if time else None,
            precision=time.precision if time else None,
            raw_name=connection.encode(name),
        )
    if size.kind == 4:
        raise connection.error(f"SIZE {path}", size)
    if await can_enter(connection, path):
        return Entry(name, path, EntryKind.DIR, raw_name=connection.encode(name))
    return await _find_after_refusal(connection, path, "SIZE", size)


async def _find_after_refusal(connection: FTPConnection, path: str, verb: str, reply: Reply) -> Entry:
    refusal = PermanentReplyError(f"{verb} {path}", reply.code, reply.text)
    if verb == "MLST" and _MISSING.search(reply.text):
        raise _as(RemoteFileNotFound, refusal)
    parent, name = posixpath.split(path.rstrip("/"))
    if not name:
        raise refusal
    found = None
    try:
        async with entries_of(connection, parent) as entries:
            async for entry in entries:
                if entry.name == name:
                    found = entry
    except RemoteFileNotFound:
        raise _as(RemoteFileNotFound, refusal) from None
    except (PermanentReplyError, UnsupportedError):
        # A file in what is missing, or is no directory, is missing too.
        if parent and await _is_no_directory(connection, parent):
            raise _as(RemoteFileNotFound, refusal) from None
        raise refusal from None
    if found is None:
        raise _as(RemoteFileNotFound, refusal)
    return replace(found, path=path)


async def _is_no_directory(connection: FTPConnection, path: str) -> bool:
    try:
        return (await find(connection, path)).kind is EntryKind.FILE
    except RemoteFileNotFound:
        return True
    except NetClientError:
        return False


async def explain(
    connection: FTPConnection, path: str, refusal: PermanentReplyError, *, directory: bool = False
) -> NetClientError:
    """Return a better error for the ``refusal`` of a command on ``path``, or ``refusal`` itself.

    The command meant an existing file, or with ``directory`` a directory.
    """
    if not _is_vague(refusal):
        return refusal
    try:
        entry = await find(connection, path)
    except (RemoteFileNotFound, RemotePermissionDenied) as error:
        return _as(type(error), refusal)
    except NetClientError:
        return refusal
    if directory and entry.kind is EntryKind.FILE:
        return refusal
    if entry.kind is EntryKind.DIR and not directory:
        return _as(RemoteIsADirectory, refusal)
    return _as(RemotePermissionDenied, refusal)


async def explain_new(connection: FTPConnection, path: str, refusal: PermanentReplyError) -> NetClientError:
    """Return a better error for the ``refusal`` to write the file ``path``, which need not exist."""
    if not _is_vague(refusal):
        return refusal
    try:
        if (await find(connection, path)).kind is EntryKind.DIR:
            return _as(RemoteIsADirectory, refusal)
        return _as(RemotePermissionDenied, refusal)
    except NetClientError:
        parent = posixpath.dirname(path)
    if parent and await _is_no_directory(connection, parent):
        return _as(RemoteFileNotFound, refusal)
    return _as(RemotePermissionDenied, refusal) if _FORBIDDEN.search(refusal.text) else refusal


def _is_vague(refusal: PermanentReplyError) -> bool:
    if type(refusal) is not PermanentReplyError or refusal.code not in (501, 550, 553):
        return False
    return refusal.command.partition(" ")[0] not in _ABOUT_NO_FILE


def _as(kind: type[PermanentReplyError], refusal: PermanentReplyError) -> PermanentReplyError:
    return kind(refusal.command, refusal.code, refusal.text)
