"""Running a command's work, and turning its end into an exit code, whatever that end is."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import anyio
import typer

from netclients.cli.failures import FAILED, INTERRUPTED, complain, exit_code
from netclients.errors import NetClientError

__all__ = ["execute"]


def execute(work: Callable[[], Coroutine[Any, Any, int] | int], *, verbose: bool) -> NoReturn:
    """Run ``work``, a function or coroutine function that returns an exit code, and leave with it."""
    with _dialogue(verbose):
        code = _outcome(work)
    raise typer.Exit(code)


def _outcome(work: Callable[[], Coroutine[Any, Any, int] | int]) -> int:
    try:
        result = work()
        return result if isinstance(result, int) else anyio.run(_wait_for, result)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BaseExceptionGroup as group:
        return _code_of(_first_leaf(group))
    except Exception as error:  # noqa: BLE001 - what is not known here is raised again
        return _code_of(error)


async def _wait_for(work: Coroutine[Any, Any, int]) -> int:
    code = await work
    sys.stdout.flush()
    return code


def _first_leaf(group: BaseExceptionGroup[Any]) -> BaseException:
    first: BaseException = group
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


def _code_of(error: BaseException) -> int:
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has seen enough (``| head``), which is no failure.
        _give_up_output()
        return 0
    if isinstance(error, NetClientError):
        complain(error)
        return exit_code(error)
    if isinstance(error, OSError):
        complain(error)
        _give_up_output()
        return FAILED
    raise error


def _give_up_output() -> None:
    """Forget what can't be written any more: Python tries once again at its end, and would complain."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


class _Screen(logging.Handler):
    """Writes to whatever standard error is at the time: progress bars put something of theirs there."""

    def emit(self, record: logging.LogRecord) -> None:
        """See :meth:`logging.Handler.emit`."""
        sys.stderr.write(self.format(record) + "\n")


@contextmanager
def _dialogue(wanted: bool) -> Iterator[None]:
    """Show the library's log on standard error meanwhile."""
    if not wanted:
        yield
        return
    log = logging.getLogger("netclients")
    handler = _Screen()
    handler.setFormatter(logging.Formatter("%(message)s"))
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        log.setLevel(before)
        log.removeHandler(handler)
