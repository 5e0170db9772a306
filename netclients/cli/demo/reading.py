"""Reading back: what the mail server has accepted, over IMAP, compared byte by byte, attachments as files."""

from __future__ import annotations

import hashlib
import ssl
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from netclients.cli.demo.scenario import Leg
from netclients.errors import NetClientError, printable
from netclients.events import Events
from netclients.reader import MailReader
from netclients.retry import RetryPolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netclients.cli.demo.board import Board
    from netclients.cli.demo.letters import Letter
    from netclients.cli.demo.servers import Address
    from netclients.imap.mailbox import Mailbox
    from netclients.mail.reading import UID
    from netclients.smtp.types import Receipt

__all__ = ["ReadingLeg"]

_NAME = "IMAP+TLS"
_MAILBOXES = 3  # open at once, one connection each
_SAVED = 3  # of so many messages, the attachment of one is saved
_RETRY = RetryPolicy(attempts=10, initial=0.02, maximum=0.2)


class ReadingLeg(Events):
    """All messages from the mailbox; counts what its client tells.

    A message is right if each of its copies is, byte for byte; of some, the attachment is saved, and must be right as
    a file, too. What was accepted must be there; what nobody has sent must not.
    """

    def __init__(self, board: Board, letters: Sequence[Letter], receipts: Sequence[Receipt]) -> None:
        self._board = board
        self._letters = {letter.message.message_id: letter for letter in letters}
        accepted = (letters[receipt.index] for receipt in receipts if receipt.accepted)
        self._wanted = {letter.message.message_id for letter in accepted}
        self._read: set[str] = set()
        self._wrong: set[str] = set()
        self._size = self._saved = self._retries = 0
        self._seconds = 0.0

    async def run(self, address: Address, directory: Path) -> None:
        """Read, compare, save."""
        context = ssl.create_default_context(cadata=address.authority)
        started = time.monotonic()
        async with MailReader(address.url, ssl_context=context, retry=_RETRY, events=self) as reader:
            async with reader.mailbox(readonly=True) as box:
                sizes = {}
                async with box.fetch("1:*", size=True) as messages:
                    async for message in messages:
                        sizes[message.uid] = message.size
            self._size = sum(sizes.values())
            self._board.begin(_NAME, "reading", len(sizes), "messages", self._size)
            waiting = deque(_divided(list(sizes)))
            async with anyio.create_task_group() as tasks:
                for _ in range(_MAILBOXES):
                    tasks.start_soon(self._work, reader, waiting, directory)
        self._seconds = time.monotonic() - started
        right = len(self._read - self._wrong)
        self._board.say(
            f"{_NAME}: {right} of {len(self._read | self._wanted)} messages came back as they were sent, "
            f"{self._saved} attachments were saved"
        )

    async def _work(self, reader: MailReader, waiting: deque[list[UID]], directory: Path) -> None:
        async with reader.mailbox(readonly=True) as box:
            while waiting:
                await self._compare(box, waiting.popleft(), directory)

    async def _compare(self, box: Mailbox, uids: Sequence[UID], directory: Path) -> None:
        async with box.fetch(uids, envelope=True, body=True) as messages:
            async for message in messages:
                name, good = "", False
                try:
                    name = message.envelope.message_id or ""
                    letter = self._letters.get(name)
                    good = letter is not None and await self._is_right(box, message.uid, message.raw, letter, directory)
                    self._board.advance(_NAME, items=1, size=message.size)
                except NetClientError as error:
                    self._board.say(f"{_NAME}: {printable(str(error))}")
                self._read.add(name)
                if not good:
                    self._wrong.add(name)

    async def _is_right(self, box: Mailbox, uid: UID, raw: bytes, letter: Letter, directory: Path) -> bool:
        if not await to_thread.run_sync(_is_same, raw, letter):
            return False
        if int(uid) % _SAVED:
            return True
        paths = await box.save_attachments(uid, directory / uid)
        self._saved += len(paths)
        return await to_thread.run_sync(_checksums, paths) == [letter.attachment]

    def result(self, cuts: int) -> Leg:
        """Return the row."""
        return Leg(
            name=_NAME,
            unit="messages",
            items=len(self._read | self._wanted),
            verified=len(self._read - self._wrong),
            size=self._size,
            seconds=self._seconds,
            cuts=cuts,
            retries=self._retries,
        )

    # What the client tells

    def retry(self, operation: str, attempt: int, delay: float, error: Exception) -> None:
        """See :meth:`Events.retry`."""
        self._retries += 1


def _divided(uids: list[UID], size: int = 20) -> list[list[UID]]:
    return [uids[start : start + size] for start in range(0, len(uids), size)]


def _is_same(raw: bytes, letter: Letter) -> bool:
    """Compare with what is sent: the message is written once more, attachments are read again."""
    place = 0
    for chunk in letter.message.chunks():
        if raw[place : place + len(chunk)] != chunk:
            return False
        place += len(chunk)
    return place == len(raw)


def _checksums(paths: Sequence[Path]) -> list[str]:
    found = []
    for path in paths:
        with path.open("rb") as file:
            found.append(hashlib.file_digest(file, "sha256").hexdigest())
    return found
