"""Attachments into files: names that senders chose, made harmless; nothing overwritten unasked."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from io import BufferedWriter
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from netclients.errors import LocalFileError, printable
from netclients.imap.parts import PartProducer, structure_of
from netclients.mail.received import clean_filename, numbered
from netclients.transport.threads import in_thread

if TYPE_CHECKING:
    from netclients.imap.mailbox import Mailbox
    from netclients.imap.types import UID, BodyPart

__all__ = ["save_attachments"]

T = TypeVar("T")
_MOST_NUMBERS = 10_000


async def save_attachments(box: Mailbox, uid: UID, directory: str | os.PathLike[str], *, overwrite: bool) -> list[Path]:
    """See :meth:`Mailbox.save_attachments`."""
    parts = [part for part in (await structure_of(box, uid)).walk() if _is_attachment(part)]
    target = Path(directory)
    await _in_thread(lambda: target.mkdir(parents=True, exist_ok=True), target)
    saved: list[Path] = []
    for part in parts:
        name = clean_filename(part.filename, f"part-{part.part}" + (".eml" if part.type == "message" else ""))
        # Overwritten is what was there before, not what has just been saved under the same name.
        replace = overwrite and name.casefold() not in {path.name.casefold() for path in saved}
        file = _NewFile(target, name)
        try:
            await _in_thread(file.create, file.path)
            await _fill(file, PartProducer(box, uid, part.part))
            saved.append(await _in_thread(partial(file.publish, overwrite=replace), file.path))
        finally:
            file.discard()
    return saved


def _is_attachment(part: BodyPart) -> bool:
    if part.type == "multipart" or part.part in ("", "TEXT"):
        return False
    return part.disposition == "attachment" or part.filename is not None


async def _fill(file: _NewFile, content: PartProducer) -> None:
    while True:
        try:
            piece = await content.next()
        except StopAsyncIteration:
            return
        await _in_thread(partial(file.write, piece), file.path)


class _NewFile:
    """A file that has another name, with ``.part`` behind it, until it is complete. All of its methods block."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = name
        self._file: BufferedWriter | None = None
        self.path = directory / name

    def create(self) -> None:
        for number in range(_MOST_NUMBERS):
            path = self._directory / f"{numbered(self._name, number)}.part"
            with suppress(FileExistsError):
                self._file = path.open("xb")
                self.path = path
                return
        raise FileExistsError(f"{self._name}.part and all its numbered names exist")

    def write(self, data: bytes) -> None:
        assert self._file is not None
        self._file.write(data)

    def publish(self, *, overwrite: bool) -> Path:
        """Give the file its name."""
        assert self._file is not None
        self._file.close()
        if overwrite:
            target = self._directory / self._name
            self.path.replace(target)
            self._file = None
            return target
        for number in range(_MOST_NUMBERS):
            target = self._directory / numbered(self._name, number)
            with suppress(FileExistsError):
                self._rename_exclusively(target)
                self._file = None
                return target
        raise FileExistsError(f"{self._name} and all its numbered names exist")

    def _rename_exclusively(self, target: Path) -> None:
        # A link can't replace what exists; a rename would.
        try:
            os.link(self.path, target)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            with target.open("xb"):
                pass
            try:
                self.path.replace(target)
            except OSError:
                target.unlink()
                raise
        else:
            self.path.unlink()

    def discard(self) -> None:
        """Remove it, if it has not got its name."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
            with suppress(OSError):
                self.path.unlink()


async def _in_thread(call: Callable[[], T], path: Path) -> T:
    try:
        return await in_thread(call)
    except (OSError, ValueError) as error:
        if isinstance(error, LocalFileError):
            raise
        shown = printable(str(path))
        raise LocalFileError(f"{shown}: {error}", errno=getattr(error, "errno", None), filename=str(path)) from error
