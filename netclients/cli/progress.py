"""Progress bars on standard error if that is a terminal, nothing otherwise."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Task, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars
from rich.text import Text

from netclients.errors import printable

if TYPE_CHECKING:
    from netclients.ftp.download import OnProgress
    from netclients.ftp.results import Progress

__all__ = ["Board", "make_board"]

_INTERVAL = 0.1  # seconds between two updates of one bar
_NAME = 40  # characters of a name that are shown


class Board:
    """Shows nothing."""

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[OnProgress | None]:
        """Show one file while it is under way; yields what to call with its progress, if anything."""
        yield None


class _LiveBoard(Board):
    """A bar for each file under way, below one for all of them."""

    def __init__(self, bars: Bars, total: int) -> None:
        self._bars = bars
        self._all = bars.add_task("all", total=total, counts_files=True) if total > 1 else None

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[OnProgress | None]:
        """See :meth:`Board.file`."""
        shown = printable(name)
        task = self._bars.add_task(escape(shown if len(shown) <= _NAME else f"…{shown[1 - _NAME :]}"), total=None)
        due = 0.0

        def show(progress: Progress) -> None:
            nonlocal due
            now = time.monotonic()
            if now >= due or progress.transferred == progress.total:
                due = now + _INTERVAL
                self._bars.update(task, completed=progress.transferred, total=progress.total)

        try:
            yield show
        finally:
            if self._all is not None:
                self._bars.remove_task(task)
                self._bars.advance(self._all)


class _Amount(DownloadColumn):
    """Bytes; for the bar of all files, how many of them."""

    def render(self, task: Task) -> Text:
        """See :class:`rich.progress.ProgressColumn`."""
        if task.fields.get("counts_files"):
            return Text(f"{task.completed:.0f}/{task.total:.0f} files", style="progress.download")
        return super().render(task)


class _Speed(TransferSpeedColumn):
    """Bytes a second; nothing for the bar of all files."""

    def render(self, task: Task) -> Text:
        """See :class:`rich.progress.ProgressColumn`."""
        return Text("") if task.fields.get("counts_files") else super().render(task)


@contextlib.contextmanager
def make_board(total: int, *, wanted: bool = True) -> Iterator[Board]:
    """Yield the board for ``total`` files that suits standard error."""
    console = Console(stderr=True)
    if not wanted or not console.is_terminal:
        yield Board()
        return
    columns = (TextColumn("{task.description}"), BarColumn(), _Amount(binary_units=True), _Speed())
    # Standard output is left alone: results go there, maybe into a pipe.
    with Bars(*columns, console=console, redirect_stdout=False) as bars:
        yield _LiveBoard(bars, total)
