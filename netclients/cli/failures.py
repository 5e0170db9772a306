"""Exit codes, and errors as people see them."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from netclients.errors import (
    AuthenticationError,
    ConfigurationError,
    NetClientError,
    PhaseTimeout,
    TooManyConnections,
    TransportError,
    printable,
)

__all__ = ["FAILED", "INTERRUPTED", "combine", "complain", "exit_code"]

FAILED = 1
USAGE = 2
AUTHENTICATION = 3
CONNECTION = 4
INTERRUPTED = 130


def exit_code(error: Exception | None) -> int:
    """Return the exit code that one error alone would mean."""
    match error:
        case None:
            return 0
        case ConfigurationError():
            return USAGE
        case AuthenticationError():
            return AUTHENTICATION
        case TransportError() | PhaseTimeout() | TooManyConnections():
            return CONNECTION
        case _:
            return FAILED


def combine(codes: Iterable[int]) -> int:
    """Return the exit code of several jobs: theirs if they all ended alike, else 1."""
    found = set(codes)
    if not found:
        return 0
    return found.pop() if len(found) == 1 else FAILED


def complain(error: Exception, about: str | None = None) -> None:
    """Tell on standard error what went wrong, and with which file or URL."""
    text = printable(str(error)) if isinstance(error, NetClientError | OSError) else type(error).__name__
    where = f"{printable(about)}: " if about else ""
    print(f"netclients: {where}{text}", file=sys.stderr, flush=True)  # noqa: T201 - the user's screen
