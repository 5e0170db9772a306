"""What a reader of a maildrop was told."""

from __future__ import annotations

from dataclasses import dataclass

from netclients import settings

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(settings.Settings):
    """How to reach the server and how to talk to it.

    ``pipelining``: commands may be sent before earlier ones are answered; None: if the server says so. ``window``:
    how many of them.
    """

    pipelining: bool | None = None
    window: int = 256
