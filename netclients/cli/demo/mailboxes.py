"""Do the receipts tell the truth? They are compared with what the server has."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from netclients.cli.demo.letters import Letter
    from netclients.smtp.types import Receipt

__all__ = ["Audit", "audit"]


@dataclass(frozen=True, slots=True)
class Audit:
    """Recipients, counted over all messages, and how many messages are ``right``.

    A message is right if whoever was accepted has it once, byte for byte, whoever was refused is nobody that the server
    knows, and has nothing, and whoever is ``unknown`` does not have it twice. ``found``: unknown ones who have it.
    ``strays``: copies in mailboxes to which they were not sent, or with a content that nobody has sent.
    """

    accepted: int
    refused: int
    unknown: int
    found: int
    right: int
    strays: int


def audit(letters: Sequence[Letter], receipts: Sequence[Receipt], copies: Iterable[tuple[str, str]]) -> Audit:
    """Compare; ``copies`` are pairs of recipient and SHA-256, one for each message in each mailbox."""
    mailboxes = Counter(copies)
    found = right = 0
    known: set[tuple[str, str]] = set()
    for receipt in receipts:
        letter = letters[receipt.index]
        known.update((address, letter.sha256) for address in letter.message.recipients)
        found += sum(mailboxes[address, letter.sha256] > 0 for address in receipt.unknown)
        right += _is_right(letter, receipt, mailboxes)
    return Audit(
        accepted=sum(len(receipt.accepted) for receipt in receipts),
        refused=sum(len(receipt.refused) for receipt in receipts),
        unknown=sum(len(receipt.unknown) for receipt in receipts),
        found=found,
        right=right,
        strays=sum(count for copy, count in mailboxes.items() if copy not in known),
    )


def _is_right(letter: Letter, receipt: Receipt, mailboxes: Counter[tuple[str, str]]) -> bool:
    def most(addresses: Iterable[str]) -> int:
        return max((mailboxes[address, letter.sha256] for address in addresses), default=0)

    told = (*receipt.accepted, *receipt.refused, *receipt.unknown)
    return (
        sorted(told) == sorted(letter.message.recipients)
        and letter.gone == receipt.refused.keys()
        and all(mailboxes[address, letter.sha256] == 1 for address in receipt.accepted)
        and most(receipt.refused) == 0
        and most(receipt.unknown) <= 1
    )
