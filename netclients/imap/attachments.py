"""Attachments into files: names that senders chose, made harmless; nothing overwritten unasked."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from io import BufferedWriter
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from netclients.errors import LocalFileError
from netclients.imap.parts import PartProducer, gone
from netclients.mail.received import clean_filename, numbered
from netclients.transport.threads import in_thread

if TYPE_CHECKING:
    from netclients.imap.connection import IMAPConnection
    from netclients.imap.mailbox import Mailbox
    from netclients.imap.types import UID, BodyPart

__all__ = ["save_attachments"]

T = TypeVar("T")
_MOST_NUMBERS = 10_000


async def save_attachments(box: Mailbox, uid: UID, directory: str | os.PathLike[str], *, overwrite: bool) -> list[Path]:
    """See :meth:`Mailbox.save_attachments`."""

    async def fetch(connection: IMAPConnection) -> list[BodyPart] | None:
        found = await connection.uid_fetch(uid, structure=True)
        return list(filter(_is_attachment, found[-1].structure.walk())) if found else None

    parts = await box.run("read", fetch)
    if parts is None:
        raise gone(uid, "")
    target = Path(directory)
    await _in_thread(lambda: target.mkdir(parents=True, exist_ok=True), target)
    return [await _save(box, uid, part, target, overwrite=overwrite) for part in parts]


def _is_attachment(part: BodyPart) -> bool:
    if part.type == "multipart" or part.part in ("", "TEXT"):
        return False
    return part.disposition == "attachment" or part.filename is not None


async def _save(box: Mailbox, uid: UID, part: BodyPart, directory: Path, *, overwrite: bool) -> Path:
    name = clean_filename(part.filename, f"part-{part.part}" + (".eml" if part.type == "message" else ""))
    file = await _in_thread(partial(_create_partial, directory, name), directory / name)
    path = Path(file.name)
    try:
        content = PartProducer(box, uid, part.part)
        while True:
            try:
                piece = await content.next()
            except StopAsyncIteration:
                break
            await _in_thread(partial(file.write, piece), path)
        await _in_thread(file.close, path)
        return await _in_thread(partial(_publish, path, directory, name, overwrite=overwrite), path)
    except BaseException:
        _discard(file, path)
        raise


def _discard(file: BufferedWriter, path: Path) -> None:
    with suppress(OSError):
        file.close()
    with suppress(OSError):
        path.unlink()


def _create_partial(directory: Path, name: str) -> BufferedWriter:
    for number in range(_MOST_NUMBERS):
        with suppress(FileExistsError):
            return (directory / f"{numbered(name, number)}.part").open("xb")
    raise FileExistsError(f"{name}.part and all its numbered names exist")


def _publish(path: Path, directory: Path, name: str, *, overwrite: bool) -> Path:
    """Give the file its name: a link can't replace what exists, a rename would."""
    if overwrite:
        target = directory / name
        path.replace(target)
        return target
    for number in range(_MOST_NUMBERS):
        target = directory / numbered(name, number)
        with suppress(FileExistsError):
            _rename_exclusively(path, target)
            return target
    raise FileExistsError(f"{name} and all its numbered names exist")


def _rename_exclusively(path: Path, target: Path) -> None:
    try:
        os.link(path, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        with target.open("xb"):
            pass
        path.replace(target)
    else:
        path.unlink()


async def _in_thread(call: Callable[[], T], path: Path) -> T:
    try:
        return await in_thread(call)
    except (OSError, ValueError) as error:
        if isinstance(error, LocalFileError):
            raise
        raise LocalFileError(f"{path}: {error}", errno=getattr(error, "errno", None), filename=str(path)) from error
