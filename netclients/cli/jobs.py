"""One file to be moved, and how that ended."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netclients.errors import printable

if TYPE_CHECKING:
    from netclients.config import Endpoint
    from netclients.ftp.results import Item

__all__ = ["Job", "as_json"]


@dataclass(frozen=True, slots=True)
class Job:
    """One file. ``source`` and ``destination`` are to be shown; ``remote`` is the path of one of them on ``server``."""

    server: Endpoint
    remote: str
    source: str
    destination: str
    item_source: str
    """What the batch calls it in its item."""


def as_json(job: Job, item: Item) -> str:
    """Return the documented object; ASCII, so that it passes every terminal and locale."""
    error = item.error
    fields = {
        "source": job.source,
        "destination": job.destination,
        "size": None if error else item.size,
        "seconds": None if error else round(item.seconds, 6),
        "resumed_from": None if error else item.resumed_from,
        "verified": None if error else item.verified,
        "attempts": item.attempts,
        "error": printable(str(error)) if error else None,
        "error_type": type(error).__name__ if error else None,
    }
    return json.dumps(fields)
