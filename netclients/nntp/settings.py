"""What a reader of news was told."""

from __future__ import annotations

from dataclasses import dataclass

from netclients import settings

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(settings.Settings):
    """How to reach the server and how to talk to it.

    ``pipelining``: commands may be sent before earlier ones are answered (RFC 3977 section 3.5: to all servers);
    ``window``: how many of them. ``reader``: the session is to read and post, not to feed. ``compress``: COMPRESS is
    used if the server has it.
    """

    pipelining: bool = True
    window: int = 256
    reader: bool = True
    compress: bool = False
