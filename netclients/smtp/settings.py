"""What a mail sender was told, and what it has learned about its server. Shared by its connections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from netclients import settings

if TYPE_CHECKING:
    from netclients.smtp.types import PipeliningMode

__all__ = ["Learned", "Settings"]


@dataclass(slots=True)
class Learned:
    """What the connections of one client found out about the server, so that each mistake is made once.

    ``eager``: it has kept step with transactions that were sent without waiting. ``rset``: it knows RSET, which
    every pipelined transaction begins with. ``recipients``: how many it takes at a time, None if that is not known.
    """

    eager: bool = True
    rset: bool = True
    recipients: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(settings.Settings):
    """How to reach the server and how to talk to it."""

    learned: Learned
    pipelining: PipeliningMode
    ehlo_name: str | None = None

    @property
    def lmtp(self) -> bool:
        """Whether the protocol is LMTP (RFC 2033)."""
        return self.endpoint.protocol == "lmtp"
