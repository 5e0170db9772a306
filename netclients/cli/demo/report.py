"""The demo's table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.table import Table

from netclients.cli.sizes import human_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netclients.cli.demo.scenario import Leg

__all__ = ["table_of"]


def table_of(legs: Sequence[Leg]) -> Table:
    """Return one row for each leg."""
    # All of it fits into 80 columns.
    table = Table(box=SIMPLE, pad_edge=False, collapse_padding=True, show_edge=False)
    table.add_column("", no_wrap=True)
    for title in ("size", "time", "speed", "cut", "retried", "resumed"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("verified", no_wrap=True)
    for leg in legs:
        table.add_row(
            leg.name,
            human_size(leg.size),
            f"{leg.seconds:.1f} s",
            f"{human_size(leg.size / max(leg.seconds, 1e-9))}/s",
            str(leg.cuts),
            str(leg.retries),
            "-" if leg.resumed is None else human_size(leg.resumed),
            f"{leg.verified}/{leg.items} {leg.unit}",
            style="" if leg.good else "red",
        )
    return table
