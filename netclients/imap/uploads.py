"""From whatever a caller has to messages that APPEND streams."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.message import Message as StandardMessage
from functools import partial
from typing import TYPE_CHECKING

from netclients.errors import ConfigurationError, LocalFileError, printable
from netclients.imap.connection.appending import Appended
from netclients.imap.types import UID
from netclients.mail.message import Message
from netclients.mail.raw import message_of
from netclients.transport.threads import in_thread

if TYPE_CHECKING:
    from netclients.imap.connection import IMAPConnection
    from netclients.imap.mailbox import Mailbox
    from netclients.imap.types import AppendUID

__all__ = ["Uploadable", "append_all"]

Uploadable = Message | StandardMessage | bytes | bytearray | memoryview | os.PathLike[str]
"""What can be appended: what ``compose`` made, a message of :mod:`email`, or raw bytes, in memory or in a file."""

_PIECE = 256 * 1024
_AT_ONCE = 100  # messages in one command


async def append_all(
    box: Mailbox, messages: Sequence[Uploadable], flags: Sequence[str], date: datetime | None
) -> list[UID | None]:
    """Append messages to the mailbox; return their UIDs, None where the server does not tell.

    Raises:
        OutcomeUnknown: the reply was lost.
        LocalFileError: a file can't be read. Nothing of this command was appended.
    """
    uids: list[UID | None] = []
    several = await box.run("append", _takes_several)
    count = _AT_ONCE if several else 1
    for start in range(0, len(messages), count):
        sources = messages[start : start + count]

        async def append(connection: IMAPConnection, sources: Sequence[Uploadable] = sources) -> AppendUID | None:
            # Made anew for each attempt: each begins with the first byte.
            batch = [await in_thread(partial(_appended, source, flags, date)) for source in sources]
            return await connection.append(box.name, *batch)

        found = await box.run("append", append)
        known = () if found is None or len(found.uids) != len(sources) else found.uids
        uids += known or [None] * len(sources)
    return uids


async def _takes_several(connection: IMAPConnection) -> bool:
    return connection.has("MULTIAPPEND")


def _appended(source: Uploadable, flags: Sequence[str], date: datetime | None) -> Appended:
    if isinstance(source, (bytes, bytearray, memoryview)):
        content = bytes(source)
        return Appended(len(content), _pieces(content), flags, date, binary=b"\0" in content)
    if isinstance(source, (Message, StandardMessage)):
        message = source if isinstance(source, Message) else message_of(source)
        return Appended(message.size, message.chunks(), flags, date)
    if isinstance(source, os.PathLike):
        path = os.fspath(source)
        size = _size(path)
        return Appended(size, _file(path, size), flags, date)
    raise ConfigurationError(f"{type(source).__name__} is no message: give bytes, a path, or a message object")


def _pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _PIECE):
        yield content[start : start + _PIECE]


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError) as error:
        raise _local_error(path, error) from error


def _file(path: str, size: int) -> Iterator[bytes]:
    left = size
    try:
        with open(path, "rb") as file:
            while piece := file.read(_PIECE):
                left -= len(piece)
                if left < 0:
                    break
                yield piece
    except (OSError, ValueError) as error:
        raise _local_error(path, error) from error
    if left:
        raise LocalFileError(f"{printable(path)} has changed while it was read", filename=path)


def _local_error(path: str, error: Exception) -> LocalFileError:
    return LocalFileError(f"{printable(path)}: {error}", errno=getattr(error, "errno", None), filename=path)
