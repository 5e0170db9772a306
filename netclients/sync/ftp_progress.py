"""Progress reports on their way to the caller's thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from netclients.sync.relays import Relay

if TYPE_CHECKING:
    from netclients.ftp.results import Progress
    from netclients.sync.calls import Desk

__all__ = ["ProgressRelay"]


class ProgressRelay(Relay):
    """Progress reports: of each file, the latest one that the caller has not heard yet."""

    def __init__(self, desk: Desk, callback: Callable[[Progress], object]) -> None:
        super().__init__(desk)
        self._callback = callback
        self._latest: dict[str, Progress] = {}

    def __call__(self, progress: Progress) -> None:
        """Take one report in."""
        self._latest[progress.source] = progress
        self._collected()

    def _pack(self) -> Callable[[], object] | None:
        if not self._latest:
            return None
        latest, self._latest = self._latest, {}
        return partial(self._deliver, latest)

    def _deliver(self, latest: dict[str, Progress]) -> None:
        for progress in latest.values():
            self._callback(progress)
        self._was_taken()
