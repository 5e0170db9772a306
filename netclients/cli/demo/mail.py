"""The mail scenario: hundreds of messages to a server that refuses, puts off, and cuts connections half-way.

What the second one has accepted is read back over IMAP.
"""

from __future__ import annotations

import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import to_thread

from netclients.cli.demo.letters import Letter, make_letters
from netclients.cli.demo.mailboxes import audit
from netclients.cli.demo.reading import ReadingLeg
from netclients.cli.demo.scenario import Leg
from netclients.cli.demo.servers import Address, ServerProcess
from netclients.config import PoolLimits
from netclients.errors import OutcomeUnknown, RecipientsRefused, printable
from netclients.retry import RetryPolicy
from netclients.smtp.client import MailSender

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from netclients.cli.demo.board import Board
    from netclients.smtp.types import Receipt

__all__ = ["MailScenario"]

_NAMES = {"plain": "SMTP", "secure": "SMTP+TLS"}
_CONNECTIONS = 8
_RETRY = RetryPolicy(attempts=10, initial=0.02, maximum=0.2)


class MailScenario:
    """Plain first, then the same with STARTTLS and a login; then the messages are read."""

    async def run(self, board: Board, work: Path) -> list[Leg]:
        """See :meth:`~netclients.cli.demo.scenario.Scenario.run`."""
        board.say(
            "starting two SMTP servers on loopback, one with STARTTLS, and an IMAP server, and composing messages"
        )
        attachments = work / "attachments"
        attachments.mkdir()
        async with ServerProcess("mail") as servers:
            letters = await to_thread.run_sync(make_letters, attachments)
            addresses = await servers.ready()
            legs = [_Leg(board, letters, name) for name in _NAMES]
            for leg in legs:
                await leg.run(addresses[leg.server])
            await servers.deliver()
            reading = ReadingLeg(board, letters, legs[-1].receipts)
            await reading.run(addresses["mailbox"], work / "saved")
            reports = await servers.stop()
        return [*(leg.result(reports[leg.server]) for leg in legs), reading.result(reports["mailbox"]["cuts"])]


class _Leg:
    """All messages to one server."""

    def __init__(self, board: Board, letters: Sequence[Letter], name: str) -> None:
        self._board = board
        self._letters = letters
        self._size = sum(letter.message.size for letter in letters)
        self.server = name
        self._name = _NAMES[name]
        self.receipts: list[Receipt] = []
        self._seconds = 0.0

    async def run(self, address: Address) -> None:
        """Send."""
        letters, board = self._letters, self._board
        board.begin(self._name, "sending", len(letters), "messages", self._size)
        started = time.monotonic()
        context = ssl.create_default_context(cadata=address.authority) if address.authority else None
        async with (
            MailSender(
                address.url, ssl_context=context, retry=_RETRY, limits=PoolLimits(max_connections=_CONNECTIONS)
            ) as sender,
            sender.send_many([letter.message for letter in letters]) as receipts,
        ):
            async for receipt in receipts:
                self.receipts.append(receipt)
                if not isinstance(receipt.error, RecipientsRefused | OutcomeUnknown | None):
                    board.say(f"{receipt.message_id}: {printable(str(receipt.error))}")
                board.advance(self._name, items=1, size=letters[receipt.index].message.size)
        self._seconds = time.monotonic() - started

    def result(self, report: Mapping[str, Any]) -> Leg:
        """Compare receipts and mailboxes, say what came of it, and return the row."""
        found = audit(self._letters, self.receipts, [(address, sha256) for address, sha256 in report["copies"]])
        self._board.say(
            f"{self._name}: {found.accepted} recipients were accepted, {found.refused} refused, and of "
            f"{found.unknown} nobody knows, as the reply was lost: {found.found} of them have the message"
        )
        self._board.say(
            f"{self._name}: for {found.right} of {len(self._letters)} messages the mailboxes say what the receipts say"
        )
        if found.strays:
            self._board.say(f"{self._name}: {found.strays} messages are where they should not be")
        return Leg(
            name=self._name,
            unit="messages",
            items=len(self._letters),
            verified=max(0, found.right - found.strays),
            size=self._size,
            seconds=self._seconds,
            cuts=report["cuts"],
            retries=sum(max(0, receipt.attempts - 1) for receipt in self.receipts),
        )
