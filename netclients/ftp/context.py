"""What the jobs of one client share: connections, policy, rate, and the memory for buffers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netclients.transport.rate import Meter, RateLimit

if TYPE_CHECKING:
    from collections.abc import Callable

    from netclients.events import Trace
    from netclients.ftp.connection import FTPConnection
    from netclients.ftp.settings import Settings
    from netclients.pool import Pool
    from netclients.retry import RetryPolicy

__all__ = ["Context"]

_BUFFERS = 16 * 1024 * 1024  # bytes, for all downloads to files that run at the same time
_SMALLEST = 16 * 1024
_LARGEST = 1024 * 1024
_LARGE = 1024 * 1024  # bytes from which a broken download is worth continuing
_A_ROW = 8


@dataclass(slots=True)
class Context:
    """One client's means. ``writing`` counts the downloads to files that are under way.

    ``uploading`` holds the remote names that uploads under way write to: two writers of one file would mix.
    """

    pool: Pool[FTPConnection]
    settings: Settings
    policy: RetryPolicy
    limit: RateLimit | None
    writing: int = 0
    uploading: set[str] = field(default_factory=set)
    _small_ones: int = 0

    @property
    def trace(self) -> Trace:
        """Where to tell what happens."""
        return self.settings.trace

    def finished(self, size: int) -> None:
        """Note the size of a file that was downloaded, in bytes."""
        self._small_ones = self._small_ones + 1 if size < _LARGE else 0

    @property
    def large_files(self) -> bool:
        """Whether the next file may well be a large one: after a row of small ones that is unlikely."""
        return self._small_ones < _A_ROW

    @property
    def buffer_size(self) -> int:
        """How large one download's buffer may become now, in bytes: few get large ones, many get small ones."""
        return max(_SMALLEST, min(_LARGEST, _BUFFERS // max(1, self.writing)))

    def meter(self, limit_rate: float | RateLimit | None, report: Callable[[int], object] | None) -> Meter:
        """Return a meter for one transfer: the client's rate limit, and one of its own if it has one."""
        own = limit_rate if limit_rate is None or isinstance(limit_rate, RateLimit) else RateLimit(limit_rate)
        return Meter((self.limit, own), report)
