"""What jobs report: progress while they run, a result when they end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from netclients.errors import NetClientError

__all__ = ["Download", "Item", "Progress", "Upload"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a transfer is, in bytes from the file's start. ``total`` is None while it is not known."""

    source: str
    transferred: int
    total: int | None


@dataclass(frozen=True, slots=True)
class Download:
    """A finished download.

    ``path`` is the local file, None with a sink; ``size`` its bytes, of which the first ``resumed_from`` were
    there before; ``verified`` tells whether a matching SIZE or a TLS close alert confirmed that all has come.
    """

    path: Path | None
    size: int
    seconds: float
    resumed_from: int
    verified: bool


@dataclass(frozen=True, slots=True)
class Upload:
    """A finished upload. ``path`` is the remote file; the other fields are as in :class:`Download`."""

    path: str
    size: int
    seconds: float
    resumed_from: int
    verified: bool


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a batch: done, or failed with ``error`` after ``attempts``.

    ``path`` is where it went (a local path for downloads, a remote one for uploads), None if that could not be
    decided; ``size`` is in bytes, 0 if it failed. ``source`` is as it was given; an upload that has a destination of
    its own and no local path is known by that. The other fields are as in :class:`Download`.
    """

    source: str
    path: Path | str | None
    size: int
    attempts: int
    error: NetClientError | None = None
    seconds: float = 0.0
    resumed_from: int = 0
    verified: bool = False

    def raise_for_error(self) -> None:
        """Raise the item's error, if it has one."""
        if self.error is not None:
            raise self.error
