"""The entries of a directory: by MLSD, or by LIST inside the directory.

LIST takes options and patterns as well as names, and some servers answer it for a missing directory by an
empty listing. So the directory is entered first, which settles both, and left again afterwards.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from netclients.errors import PermanentReplyError, UnsupportedError
from netclients.ftp.commands import command
from netclients.ftp.lines import LineProducer
from netclients.ftp.listing import parse_list_line, parse_mlsd_line
from netclients.ftp.types import ServerKind
from netclients.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from netclients.ftp.connection import FTPConnection
    from netclients.ftp.data import Transfer
    from netclients.ftp.types import Entry

__all__ = ["Listing", "can_enter", "entries_of"]


class Listing:
    """One listing of ``path`` (empty: the login directory), begun in the way that the server knows.

    ``shown`` is the directory as the entries' own paths begin.
    """

    def __init__(self, path: str, shown: str) -> None:
        self._path = path
        self._shown = shown
        self._parse: Callable[[bytes], Entry | None] | None = None

    async def begin(self, connection: FTPConnection) -> Transfer:
        """Start the transfer.

        Raises:
            PermanentReplyError: there is no such directory, or it is not for us.
        """
        learned = connection.settings.learned
        if learned.mlsd and (connection.features.has("MLST") or connection.features.has("MLSD")):
            try:
                transfer = await connection.begin(command("MLSD", connection.encode(self._path)))
            except UnsupportedError:
                learned.mlsd = False
            else:
                self._parse = lambda line: parse_mlsd_line(line, self._shown, connection.decode)
                return transfer
        return await self._begin_list(connection)

    async def _begin_list(self, connection: FTPConnection) -> Transfer:
        now = datetime.now(UTC)
        self._parse = lambda line: parse_list_line(line, self._shown, connection.decode, now)
        # Elsewhere -a may be refused (cyberduck#13294); vsftpd hides dot files without it.
        sent = command("LIST", b"-a" if connection.kind is ServerKind.VSFTPD else b"")
        if not self._path:
            return await connection.begin(sent)
        excursion = _Excursion(connection)
        await excursion.enter(self._path)
        transfer = await connection.begin(sent)
        transfer.epilogue = excursion.leave
        return transfer

    def parse(self, line: bytes) -> Entry | None:
        """Read one line."""
        assert self._parse is not None
        return self._parse(line)


def entries_of(connection: FTPConnection, path: str) -> Stream[Entry]:
    """Return the entries of ``path`` over a connection that the caller holds."""
    listing = Listing(path, path)
    return Stream(LineProducer(lambda: listing.begin(connection), listing.parse))


class _Excursion:
    """Into a directory and back, after which the connection is as clean as before."""

    def __init__(self, connection: FTPConnection) -> None:
        self._connection = connection
        self._was_marked = connection.marked
        self._home = ""

    async def enter(self, path: str) -> None:
        self._home = await self._connection.home()
        try:
            await self._connection.cwd(path)
        except PermanentReplyError:
            self._connection.marked = self._was_marked
            raise

    async def leave(self) -> None:
        await self._connection.cwd(self._home)
        self._connection.marked = self._was_marked


async def can_enter(connection: FTPConnection, path: str) -> bool:
    """Whether ``path`` is a directory that may be entered; the connection stays where it was."""
    excursion = _Excursion(connection)
    try:
        await excursion.enter(path)
    except PermanentReplyError:
        return False
    await excursion.leave()
    return True
