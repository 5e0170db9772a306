"""Maildirs, as Postfix, Exim and Dovecot use them: read them, fill them, empty them."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .family import POLL, descendants
from .names import address_of, modified_utf7
from .stored import StoredMessage, stored_message

SESSIONS_GRACE = 0.2  # seconds for sessions whose client has just said goodbye
SESSIONS_END = 5.0
_SESSIONS = frozenset({"imap", "pop3"})
_LETTERS = {"\\draft": "D", "\\flagged": "F", "\\answered": "R", "\\seen": "S", "\\deleted": "T"}
_microseconds = itertools.count(time.time_ns() // 1000)


@dataclass(frozen=True, slots=True)
class Maildirs:
    """Below ``root`` there is a home for each of ``users``; ``dovecot`` is the process that has them open."""

    root: Path
    users: tuple[str, ...]
    dovecot: int | None = None

    def read(self, user: str, mailbox: str) -> list[StoredMessage]:
        """All messages, in the order in which they got there."""
        maildir = self._maildir(user, mailbox)
        paths = [path for name in ("new", "cur") if (maildir / name).is_dir() for path in (maildir / name).iterdir()]
        paths.sort(key=lambda path: (path.stat().st_ctime_ns, path.name))
        return [stored_message(path.read_bytes(), address_of(user), path) for path in paths]

    def write(self, user: str, mailbox: str, messages: Iterable[bytes], flags: Sequence[str]) -> None:
        maildir = self._maildir(user, mailbox)
        home = (self.root / user).stat()
        for directory in (self._maildir(user, "INBOX"), maildir):
            self._make(directory, home)
        if mailbox.upper() != "INBOX":
            (maildir / "maildirfolder").touch()
        letters = "".join(sorted(_LETTERS[flag.lower()] for flag in flags))
        owner = (home.st_uid, home.st_gid)
        with _open_directory(maildir / "tmp") as tmp, _open_directory(maildir / "cur") as cur:
            for message in messages:
                _put(message, tmp, cur, letters, owner)

    def clear(self) -> None:
        """End the sessions of Dovecot, then remove everything that is in the homes."""
        if self.dovecot is not None:
            _end_sessions(self.dovecot)
        # Nobody who still has a path in its hands finds the directory again.
        trash = Path(tempfile.mkdtemp(prefix="trash-", dir=self.root.parent))
        for number, entry in enumerate(entry for user in self.users for entry in _entries(self.root / user)):
            entry.rename(trash / str(number))
        shutil.rmtree(trash, ignore_errors=True)

    def _maildir(self, user: str, mailbox: str) -> Path:
        inbox = self.root / user / "Maildir"
        if mailbox.upper() == "INBOX":
            return inbox
        return inbox / f".{modified_utf7(mailbox).replace('/', '.')}"

    @staticmethod
    def _make(maildir: Path, home: os.stat_result) -> None:
        for directory in (maildir, *(maildir / name for name in ("cur", "new", "tmp"))):
            if not directory.exists():
                directory.mkdir(mode=0o700)
                os.chown(directory, home.st_uid, home.st_gid)


def _put(message: bytes, tmp: int, cur: int, letters: str, owner: tuple[int, int]) -> None:
    """As a delivery does, so that a session that looks meanwhile finds all of the message or nothing of it.

    The name tells the size with LF and with CRLF at the ends of lines, so that nobody has to count.
    """
    seconds, fraction = divmod(next(_microseconds), 1_000_000)
    lone = message.count(b"\n") - message.count(b"\r\n")
    name = f"{seconds}.M{fraction:06}P{os.getpid()}.seed,S={len(message)},W={len(message) + lone}:2,{letters}"
    file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600, dir_fd=tmp)
    try:
        os.fchown(file, *owner)
        while message:
            message = message[os.write(file, message) :]
    finally:
        os.close(file)
    os.rename(name, name, src_dir_fd=tmp, dst_dir_fd=cur)


@contextlib.contextmanager
def _open_directory(path: Path) -> Iterator[int]:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


def _entries(directory: Path) -> list[Path]:
    return list(directory.iterdir()) if directory.is_dir() else []


def _end_sessions(dovecot: int) -> None:
    began = time.monotonic()
    asked = False
    while sessions := [pid for pid in descendants(dovecot) if _command(pid) in _SESSIONS]:
        elapsed = time.monotonic() - began
        if elapsed > SESSIONS_END:
            return
        if elapsed > SESSIONS_GRACE and not asked:
            asked = True
            for pid in sessions:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
        time.sleep(POLL)


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
