"""Progress bars on standard error if that is a terminal, nothing otherwise."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Task, TaskID, TextColumn, TransferSpeedColumn
from rich.progress import Progress as Bars
from rich.text import Text

from netclients.errors import printable

if TYPE_CHECKING:
    from netclients.ftp.results import Progress

__all__ = ["Board", "make_board"]

_INTERVAL = 0.1  # seconds between two updates of one bar
_NAME = 40  # characters of a name that are shown


class Board:
    """Shows nothing, so that nobody need tell it of progress: ``live`` says so."""

    live: bool = False

    def moved(self, name: str, progress: Progress) -> None:
        """Show how far the file ``name`` is."""

    def ended(self, name: str) -> None:
        """Show that the file ``name`` is done, well or not."""


class _LiveBoard(Board):
    """A bar for each file under way, below one for all of them."""

    live = True

    def __init__(self, bars: Bars, total: int) -> None:
        self._bars = bars
        self._all = bars.add_task("all", total=total, counts_files=True) if total > 1 else None
        self._under_way: dict[str, _File] = {}

    def moved(self, name: str, progress: Progress) -> None:
        """See :meth:`Board.moved`."""
        file = self._under_way.get(name)
        if file is None:
            shown = printable(name)
            task = self._bars.add_task(escape(shown if len(shown) <= _NAME else f"…{shown[1 - _NAME :]}"), total=None)
            file = self._under_way[name] = _File(task)
        now = time.monotonic()
        if now >= file.due or progress.transferred == progress.total:
            file.due = now + _INTERVAL
            self._bars.update(file.task, completed=progress.transferred, total=progress.total)

    def ended(self, name: str) -> None:
        """See :meth:`Board.ended`."""
        file = self._under_way.pop(name, None)
        if self._all is not None:
            if file is not None:
                self._bars.remove_task(file.task)
            self._bars.advance(self._all)


@dataclass(slots=True)
class _File:
    """A file's bar, and when it may be updated again."""

    task: TaskID
    due: float = 0.0


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
