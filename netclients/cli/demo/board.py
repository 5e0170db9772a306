"""How the demo shows what happens: live bars on a terminal, a line for each stage elsewhere."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)

from netclients.cli.sizes import human_size

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["Board", "make_board"]


class Board(ABC):
    """Takes what scenarios have to say."""

    @abstractmethod
    def say(self, text: str) -> None:
        """Tell of a stage that begins, or of an event."""

    @abstractmethod
    def begin(self, name: str, deed: str, items: int, unit: str, size: int) -> None:
        """A leg begins: ``"downloading"`` 300 ``"files"`` of ``size`` bytes in all."""

    @abstractmethod
    def advance(self, name: str, *, items: int = 0, size: int = 0) -> None:
        """So many more items or bytes are done."""


class PlainBoard(Board):
    """Lines."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        """See :meth:`Board.say`."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def begin(self, name: str, deed: str, items: int, unit: str, size: int) -> None:
        """See :meth:`Board.begin`."""
        self.say(f"{name}: {deed} {items} {unit}, {human_size(size)}")

    def advance(self, name: str, *, items: int = 0, size: int = 0) -> None:
        """See :meth:`Board.advance`."""


class LiveBoard(PlainBoard):
    """Bars, with the lines above them."""

    def __init__(self, console: Console, progress: Progress) -> None:
        super().__init__(console)
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}
        self._items: dict[str, int] = {}

    def begin(self, name: str, deed: str, items: int, unit: str, size: int) -> None:
        """See :meth:`Board.begin`."""
        self._items[name] = 0
        self._tasks[name] = self._progress.add_task(name, total=size, items=0, of=items, unit=unit)

    def advance(self, name: str, *, items: int = 0, size: int = 0) -> None:
        """See :meth:`Board.advance`."""
        self._items[name] += items
        self._progress.update(self._tasks[name], advance=size, items=self._items[name])


@contextlib.contextmanager
def make_board(console: Console) -> Iterator[Board]:
    """Yield the board that suits ``console``."""
    if not console.is_terminal:
        yield PlainBoard(console)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[items]}/{task.fields[of]} {task.fields[unit]}"),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        yield LiveBoard(console, progress)
