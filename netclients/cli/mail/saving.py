"""``mail save``: attachments, or whole messages, as files."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from netclients.cli.credentials import Credentials
from netclients.cli.failures import combine, complain, exit_code
from netclients.cli.targets import parse_target
from netclients.errors import ConfigurationError, LocalFileError, NetClientError, TransportError, printable
from netclients.mail.reading import UID
from netclients.mail.received import clean_filename, numbered

if TYPE_CHECKING:
    from netclients.cli.session import Session
    from netclients.imap.mailbox import Mailbox
    from netclients.reader import MailReader

__all__ = ["save"]

_MOST_NUMBERS = 10_000


def save(
    session: Session, url: str, uids: Sequence[str], directory: Path, *, raw: bool, overwrite: bool
) -> Coroutine[Any, Any, int]:
    """Plan to save messages or what hangs on them; what is returned does it.

    Raises:
        ConfigurationError: the arguments make no sense.
    """
    session.check()
    if directory.exists() and not directory.is_dir():
        raise ConfigurationError(f"-o {printable(str(directory))} is not a directory")
    target = parse_target(url, Credentials())
    save_one = _Saving(session, directory, raw=raw, overwrite=overwrite)
    return _save_all(session.reader(target.server), target.path or None, [UID(uid) for uid in uids], save_one)


async def _save_all(reader: MailReader, name: str | None, uids: Sequence[UID], saving: _Saving) -> int:
    codes = []
    async with reader, reader.mailbox(name, readonly=True) as box:
        for uid in uids:
            try:
                await saving.save(box, uid)
                codes.append(0)
            except (ConfigurationError, TransportError):
                raise
            except NetClientError as error:
                saving.failed(uid, error)
                codes.append(exit_code(error))
    return combine(codes)


class _Saving:
    """What is saved, and where."""

    def __init__(self, session: Session, directory: Path, *, raw: bool, overwrite: bool) -> None:
        self._json = session.json
        self._directory = directory
        self._raw = raw
        self._overwrite = overwrite

    async def save(self, box: Mailbox, uid: UID) -> None:
        """Save one message, or its attachments, and print where."""
        if self._raw:
            paths = [await self._save_message(box, uid)]
        else:
            paths = await box.save_attachments(uid, self._directory, overwrite=self._overwrite)
        for path in paths:
            if self._json:
                self._print_json(uid, path, None)
            else:
                sys.stdout.write(printable(str(path)) + "\n")

    def failed(self, uid: UID, error: NetClientError) -> None:
        """Tell that nothing, or not all of it, was saved."""
        complain(error, f"message {uid}")
        if self._json:
            self._print_json(uid, None, error)

    def _print_json(self, uid: UID, path: Path | None, error: NetClientError | None) -> None:
        fields = {
            "uid": uid,
            "path": None if path is None else str(path),
            "size": None if path is None else path.stat().st_size,
            "error": None if error is None else printable(str(error)),
            "error_type": None if error is None else type(error).__name__,
        }
        sys.stdout.write(json.dumps(fields) + "\n")

    async def _save_message(self, box: Mailbox, uid: UID) -> Path:
        name = f"{clean_filename(uid, 'message')}.eml"
        part = await to_thread.run_sync(self._create_part)
        try:
            with part.open("wb") as file:
                async with box.stream(uid) as chunks:
                    async for chunk in chunks:
                        await to_thread.run_sync(file.write, chunk)
            return await to_thread.run_sync(self._publish, part, name)
        except LocalFileError:
            raise
        except OSError as error:
            if isinstance(error, NetClientError):
                raise
            raise _local_error(self._directory / name, error) from error
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)

    def _create_part(self) -> Path:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(suffix=".part", prefix="message-", dir=self._directory)
        except OSError as error:
            raise _local_error(self._directory, error) from error
        os.close(descriptor)
        return Path(name)

    def _publish(self, part: Path, name: str) -> Path:
        """Give a complete file its name: a link can't replace what exists, a rename would."""
        if self._overwrite:
            return part.replace(self._directory / name)
        for number in range(_MOST_NUMBERS):
            path = self._directory / numbered(name, number)
            try:
                os.link(part, path)
            except FileExistsError:
                continue
            return path
        raise FileExistsError(f"{name} and all its numbered names exist")


def _local_error(path: Path, error: OSError) -> LocalFileError:
    shown = printable(str(path))
    return LocalFileError(f"{shown}: {error.strerror or error}", errno=error.errno, filename=str(path))
