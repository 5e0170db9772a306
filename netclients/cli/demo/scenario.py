"""What a scenario of the demo is given, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from netclients.cli.demo.board import Board

__all__ = ["Leg", "Scenario"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """One part of a scenario, as one row of the table.

    ``items`` is how many of ``unit`` (``"files"``, ``"messages"``) were wanted, ``verified`` how many of them are
    certainly where they should be, with the right checksum; ``size`` is in bytes. ``cuts`` counts the connections that
    the server cut on purpose, ``retries`` what the client did about it; ``resumed`` is how many bytes it did not have
    to ask for again, None where there is no such thing.
    """

    name: str
    unit: str
    items: int
    verified: int
    size: int
    seconds: float
    cuts: int
    retries: int
    resumed: int | None = None

    @property
    def good(self) -> bool:
        """Whether all arrived."""
        return self.verified == self.items


class Scenario(Protocol):
    """One protocol's demonstration."""

    async def run(self, board: Board, work: Path) -> list[Leg]:
        """Show it on ``board``, with ``work`` for files; return the rows."""
        ...
