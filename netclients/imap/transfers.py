"""Copying, moving and deleting messages: by one command where the server has it, else by steps that lose nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netclients.imap.types import UID

if TYPE_CHECKING:
    from netclients.imap.connection import IMAPConnection
    from netclients.imap.mailbox import Mailbox
    from netclients.imap.types import CopyUID

__all__ = ["Copied", "Deleted", "Moved", "copy", "delete", "move"]

_DELETED = "\\Deleted"


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of copied messages: ``uids`` maps old UIDs to new ones, under ``uid_validity`` over there.

    Empty, and None, if the server does not tell (it lacks UIDPLUS).
    """

    uid_validity: int | None = None
    uids: Mapping[UID, UID] = field(default_factory=dict[UID, UID])


@dataclass(frozen=True, slots=True)
class Moved(Copied):
    r"""What became of moved messages. ``expunged``: they are gone from here; otherwise they are marked ``\Deleted``."""

    expunged: bool = True


@dataclass(frozen=True, slots=True)
class Deleted:
    r"""``expunged``: the messages are gone; otherwise they are marked as ``\Deleted``, until somebody expunges."""

    expunged: bool


async def copy(box: Mailbox, sets: Sequence[bytes], mailbox: str) -> Copied:
    """See :meth:`Mailbox.copy`. One set after the other: each is copied as a whole or not at all."""
    copies: list[CopyUID | None] = []
    for part in sets:

        async def copy_part(connection: IMAPConnection, uids: str = part.decode("ascii")) -> CopyUID | None:
            return await connection.uid_copy(uids, mailbox)

        copies.append(await box.run("copy", copy_part))
    return Copied(*_mapping(copies))


async def move(box: Mailbox, sets: Sequence[bytes], mailbox: str) -> Moved:
    """See :meth:`Mailbox.move`."""
    if not sets:
        return Moved()
    if not await box.run("move", _can_move):
        copied = await copy(box, sets, mailbox)
        gone = await delete(box, sets)
        return Moved(copied.uid_validity, copied.uids, gone.expunged)
    moves: list[CopyUID | None] = []
    for part in sets:

        async def move_part(connection: IMAPConnection, uids: str = part.decode("ascii")) -> CopyUID | None:
            return await connection.uid_move(uids, mailbox)

        moves.append(await box.run("move", move_part))
    return Moved(*_mapping(moves))


async def _can_move(connection: IMAPConnection) -> bool:
    return connection.has("MOVE", "IMAP4REV2")


async def delete(box: Mailbox, sets: Sequence[bytes]) -> Deleted:
    """See :meth:`Mailbox.delete`. It may be repeated: only the messages that were named go."""
    if not sets:
        return Deleted(expunged=True)

    async def mark_and_expunge(connection: IMAPConnection) -> bool:
        marks = [connection.uid_store(part.decode("ascii"), [_DELETED]) for part in sets]
        for mark in marks:
            await mark
        if not connection.has("UIDPLUS", "IMAP4REV2"):
            return False
        for part in sets:
            await connection.uid_expunge(part.decode("ascii"))
        return True

    return Deleted(await box.run("delete", mark_and_expunge))


def _mapping(copies: Sequence[CopyUID | None]) -> tuple[int | None, dict[UID, UID]]:
    known = [each for each in copies if each is not None]
    uids = {old: new for each in known for old, new in zip(each.source, each.destination, strict=False)}
    return (known[-1].uid_validity if known else None), uids
