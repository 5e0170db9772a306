"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from netclients.cli.sizes import parse_size

__all__ = ["JSON", "CAFile", "Concurrency", "Insecure", "Rate", "Resume", "Verbose", "read_size"]


def read_size(text: str) -> float:
    """Read a number of bytes."""
    try:
        return parse_size(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Concurrency = Annotated[int, typer.Option("-c", "--concurrency", metavar="N", min=1, help="Connections to each host.")]
Rate = Annotated[
    float | None,
    typer.Option(
        "--limit-rate", metavar="RATE", parser=read_size, help="Bytes a second over all transfers: 500K, 10M."
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Continue what an earlier run left as NAME.part.")]
CAFile = Annotated[
    Path | None, typer.Option("--ca-file", metavar="FILE", help="Trust the authorities in this PEM file, only.")
]
Insecure = Annotated[bool, typer.Option("--insecure", help="Do not check TLS certificates.")]
JSON = Annotated[bool, typer.Option("--json", help="One JSON object a line on standard output.")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Show the dialogue, secrets as ***.")]
