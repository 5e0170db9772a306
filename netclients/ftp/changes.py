"""Changes to the server's tree: rename, remove, make directories.

The reply to such a command may get lost after it took effect. Then the tree itself is asked: what shows that it
was done counts as done, what shows that it was not is done again, and anything else is
:class:`~netclients.errors.OutcomeUnknown`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from netclients.errors import (
    NetClientError,
    OutcomeUnknown,
    PermanentReplyError,
    RemoteFileNotFound,
    RemoteIsADirectory,
    ReplyError,
    UnsupportedError,
)
from netclients.ftp.lookup import explain, find
from netclients.ftp.types import Entry, EntryKind
from netclients.retry import Schedule

if TYPE_CHECKING:
    from netclients.ftp.connection import FTPConnection
    from netclients.ftp.context import Context
    from netclients.wire.replies import Reply

__all__ = ["make_directories", "remove", "rename"]

Act = Callable[["FTPConnection", "_Doubt"], Awaitable[None]]
Probe = Callable[["FTPConnection"], Awaitable["bool | None"]]


async def rename(context: Context, source: str, target: str, *, replace: bool = False) -> None:
    """Give ``source`` the name ``target``; ``replace`` makes room if the server does not replace by itself.

    Raises:
        RemoteIsADirectory: with ``replace``, ``target`` is a directory.
    """

    async def act(connection: FTPConnection, doubt: _Doubt) -> None:
        # Both are checked before the first is sent: a server that waits for RNTO takes nothing else.
        rename_from = connection.path_command("RNFR", source)
        rename_to = connection.path_command("RNTO", target)
        with connection.half_said():
            await connection.expect(rename_from)
            with doubt:
                reply = await connection.reply_to(rename_to)
        if reply.kind > 3 and replace and await _in_the_way(connection, target, str(rename_to), reply):
            await connection.delete(target)
            with connection.half_said():
                await connection.expect(rename_from)
                with doubt:
                    reply = await connection.reply_to(rename_to)
        connection.judge(rename_to, reply)

    async def done(connection: FTPConnection) -> bool | None:
        if await _entry(connection, source) is not None:
            return False
        return True if await _entry(connection, target) is not None else None

    await _change(context, f"RNTO {target}", source, act, done)


async def _in_the_way(connection: FTPConnection, target: str, sent: str, reply: Reply) -> bool:
    """Whether a file of that name made the server refuse; raise if it is a directory."""
    entry = await _entry(connection, target)
    if entry is not None and entry.kind is EntryKind.DIR:
        raise RemoteIsADirectory(sent, reply.code, reply.text)
    return entry is not None and reply.kind == 5


async def remove(context: Context, path: str) -> None:
    """Remove a file."""

    async def act(connection: FTPConnection, doubt: _Doubt) -> None:
        delete = connection.path_command("DELE", path)
        with doubt:
            reply = await connection.reply_to(delete)
        connection.judge(delete, reply)

    async def done(connection: FTPConnection) -> bool:
        return await _entry(connection, path) is None

    await _change(context, f"DELE {path}", path, act, done)


async def make_directories(context: Context, path: str) -> None:
    """Make a directory and those above it, as far as they are missing. May run for one path several times at once."""

    async def act(connection: FTPConnection, _: _Doubt) -> None:
        parts = path.rstrip("/").split("/")
        refusal: PermanentReplyError | None = None
        for end in range(1, len(parts) + 1):
            ancestor = "/".join(parts[:end])
            if not ancestor:
                continue
            try:
                await connection.mkd(ancestor)
            except PermanentReplyError as error:
                refusal = error
            else:
                refusal = None
        if refusal is None:
            return
        # 550 may mean that it exists, perhaps since a moment ago.
        try:
            entry = await find(connection, path)
        except PermanentReplyError:
            raise refusal from None
        if entry.kind not in (EntryKind.DIR, EntryKind.LINK):
            raise refusal

    async def done(_: FTPConnection) -> bool:
        return False  # to make what exists is harmless

    await _change(context, f"MKD {path}", None, act, done)


async def _change(context: Context, operation: str, path: str | None, act: Act, done: Probe) -> None:
    """Run ``act`` until it succeeds; after a lost reply let ``done`` decide."""
    schedule = Schedule(context.policy, operation, context.trace)
    doubt = _Doubt()
    while True:
        try:
            connection = await context.pool.acquire()
            try:
                if doubt.open:
                    settled = await done(connection)
                    if settled is None:
                        raise OutcomeUnknown(operation, "the connection was lost before the reply came")
                    if settled:
                        return
                    doubt.open = False
                await act(connection, doubt)
                return
            except PermanentReplyError as error:
                raise (error if path is None else await explain(connection, path, error)) from None
            finally:
                context.pool.release(connection)
        except NetClientError as error:
            await _pause(schedule, operation, error, doubt)


async def _pause(schedule: Schedule, operation: str, error: NetClientError, doubt: _Doubt) -> None:
    try:
        await schedule.pause(error)
    except NetClientError as last:
        if doubt.open and not isinstance(last, OutcomeUnknown):
            raise OutcomeUnknown(operation, str(last)) from last
        raise


class _Doubt:
    """Around the sending of a change and the wait for its reply: ``open`` from the one until the other."""

    def __init__(self) -> None:
        self.open = False

    def __enter__(self) -> None:
        self.open = True

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, (ReplyError, UnsupportedError)):
            self.open = False


async def _entry(connection: FTPConnection, path: str) -> Entry | None:
    try:
        return await find(connection, path)
    except RemoteFileNotFound:
        return None
    except UnsupportedError as error:
        raise OutcomeUnknown(path, str(error)) from error
