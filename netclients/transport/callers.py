"""Errors of the caller's own code: a sink, a source, a progress callback.

They may be of our tree, when such code uses another client. They must come out as they are, and never be taken
for a failure of the transfer that they end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from netclients.errors import NetClientError

__all__ = ["CallerError", "callers_errors"]


class CallerError(Exception):
    """Carries ``error`` past the code that handles the transfer's own errors."""

    def __init__(self, error: NetClientError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def callers_errors() -> Iterator[None]:
    """Run the caller's code; wrap an error that could be taken for one of ours."""
    try:
        yield
    except NetClientError as error:
        raise CallerError(error) from error
