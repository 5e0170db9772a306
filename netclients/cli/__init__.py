"""The command ``netclients`` (extra ``cli``): the library's jobs for people and shell scripts.

Data: command line → options and targets → clients → outcomes → standard output, messages → standard error.
"""

from __future__ import annotations

import sys

__all__ = ["main"]

_NEEDED = frozenset({"typer", "rich", "click"})


def main() -> None:
    """Run the command line, or say what has to be installed for it."""
    try:
        from netclients.cli.app import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _NEEDED:
            raise
        sys.stderr.write(
            f"netclients: the command line needs {error.name}, which comes with: pip install 'netclients[cli]'\n"
        )
        sys.exit(2)
    run()
