"""A local file under construction.

It grows as ``NAME.part`` and gets its name only when it is complete. Beside it, ``NAME.part.json`` remembers
size and time of the remote file, so that a later run continues only what has not changed. All functions here
block; those that move data are called in worker threads.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from dataclasses import asdict, dataclass

from netclients.errors import LocalFileError, printable

try:
    import fcntl
except ImportError:  # Windows refuses a second writer by itself
    fcntl = None  # type: ignore[assignment]

__all__ = ["Fingerprint", "PartFile"]

_FLAGS = os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What tells one version of a remote file from another: size in bytes and time of change (ISO 8601)."""

    size: int | None
    modified: str | None

    def same_as(self, other: Fingerprint) -> bool:
        """Whether both are known and equal; what is not known proves nothing."""
        return None not in (self.size, self.modified) and self == other


class PartFile:
    """The file behind one download to ``path``: :meth:`open` it, or :meth:`commit` all of a small one at once."""

    def __init__(self, path: str, *, resume: bool) -> None:
        self.path = path
        self.size: int = 0
        self._part = f"{path}.part"
        self._memo = f"{path}.part.json"
        self._resume = resume
        self._fd: int | None = None
        self._remembered: Fingerprint | None = None

    def open(self) -> Fingerprint | None:
        """Open the part file, make missing directories; return what is remembered about an earlier run's part.

        Without ``resume``, or without a memory, an earlier part is discarded.

        Raises:
            LocalFileError: the file can't be written, or somebody else is writing it.
        """
        if self._fd is not None:
            return self._remembered
        self._check_target()
        try:
            self._fd = self._open_part(os.O_RDWR)
            self._lock(self._fd)
            while not self._still_there(self._fd):
                # It got its name between being opened and being locked: that file is another's, and complete.
                os.close(self._fd)
                self._fd = self._open_part(os.O_RDWR)
                self._lock(self._fd)
            self._remembered = self._recall() if self._resume else None
            self.size = os.lseek(self._fd, 0, os.SEEK_END)
            if self._remembered is None and self.size:
                # Not for an empty file: some file systems write out at close what was truncated before.
                os.ftruncate(self._fd, 0)
                self.size = os.lseek(self._fd, 0, os.SEEK_SET)
        except OSError as error:
            self.close()
            raise self._failed("open", error) from error
        return self._remembered

    def _check_target(self) -> None:
        """Refuse what a rename would destroy: a directory, a device, a pipe."""
        try:
            mode = os.stat(self.path).st_mode
        except OSError:
            return  # nothing there, or opening the part will tell
        if stat.S_ISDIR(mode):
            raise self._failed("write", IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)), self.path)
        if not stat.S_ISREG(mode):
            raise LocalFileError(f"{printable(self.path)} is not a regular file", filename=self.path)

    def _open_part(self, flags: int) -> int:
        try:
            return os.open(self._part, flags | _FLAGS, 0o666)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.path) or ".", exist_ok=True)
            return os.open(self._part, flags | _FLAGS, 0o666)

    def _lock(self, fd: int) -> None:
        if fcntl is None:
            return
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LocalFileError(
                f"{printable(self._part)} is being written by another download", filename=self._part
            ) from None

    def _still_there(self, fd: int) -> bool:
        try:
            return os.path.samestat(os.fstat(fd), os.stat(self._part))
        except FileNotFoundError:
            return False

    def _recall(self) -> Fingerprint | None:
        import json  # few downloads have a memory

        try:
            with open(self._memo, encoding="utf-8") as file:
                memo = json.load(file)
            return Fingerprint(memo["size"], memo["modified"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def remember(self, fingerprint: Fingerprint) -> None:
        """Write down which version of the remote file the part belongs to."""
        if fingerprint == self._remembered:
            return
        import json  # few downloads have a memory

        try:
            with open(self._memo, "w", encoding="utf-8") as file:
                json.dump(asdict(fingerprint), file)
        except OSError as error:
            raise self._failed("write", error, self._memo) from error
        self._remembered = fingerprint

    def write(self, data: memoryview) -> None:
        """Append ``data``."""
        self.open()
        assert self._fd is not None
        try:
            while len(data):
                count = os.write(self._fd, data)
                self.size += count
                data = data[count:]
        except OSError as error:
            raise self._failed("write", error) from error

    def restart(self) -> None:
        """Discard everything that was written."""
        try:
            if self._fd is not None:
                os.ftruncate(self._fd, 0)
                os.lseek(self._fd, 0, os.SEEK_SET)
        except OSError as error:
            raise self._failed("truncate", error) from error
        self.size = 0

    def commit(self, data: memoryview) -> None:
        """Append the last ``data`` and give the file its name."""
        if self._fd is None:
            self._create()
        self.write(data)
        if os.name == "nt":
            self.close()  # open files can't be renamed there
        try:
            # Under the lock: nobody else may have opened it as his own part in between.
            os.replace(self._part, self.path)
        except OSError as error:
            raise self._failed("rename", error, self.path) from error
        self.close()
        if self._resume or self._remembered is not None:
            with contextlib.suppress(OSError):  # the file is complete, whatever becomes of its memo
                os.unlink(self._memo)

    def discard_if_empty(self) -> None:
        """Remove a part that this object has open and that has no bytes: there is nothing to continue."""
        if self._fd is not None and not self.size:
            for name in (self._part, self._memo):
                with contextlib.suppress(OSError):
                    os.unlink(name)
            self.close()

    def _create(self) -> None:
        """Open a part that nobody had: what :meth:`open` has to look for, a new file does not have."""
        self._check_target()
        try:
            self._fd = self._open_part(os.O_WRONLY | os.O_EXCL)
            self._lock(self._fd)
        except FileExistsError:
            self.open()
        except OSError as error:
            raise self._failed("open", error) from error

    def close(self) -> None:
        """Close the file and keep it as it is."""
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)

    def _failed(self, what: str, error: OSError, name: str | None = None) -> LocalFileError:
        if isinstance(error, LocalFileError):
            return error
        name = name or self._part
        return LocalFileError(f"can't {what} {printable(name)}: {error.strerror}", errno=error.errno, filename=name)
