"""Numbers of bytes, read from and shown to people. A K is 1024 bytes, as in ``ls -h`` and ``curl --limit-rate``."""

from __future__ import annotations

import re

__all__ = ["human_size", "parse_size"]

_UNITS = "KMGT"
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)


def human_size(count: float) -> str:
    """Return ``count`` bytes with three digits or so: ``"812 B"``, ``"1.5 MiB"``."""
    if count < 1024:
        return f"{count:.0f} B"
    step = 0
    while count >= 1024 and step < len(_UNITS):
        count /= 1024
        step += 1
    return f"{count:.{0 if count >= 100 else 1}f} {_UNITS[step - 1]}iB"


def parse_size(text: str) -> float:
    """Read ``"10M"``, ``"1.5g"``, ``"4096"``.

    Raises:
        ValueError: it is not a positive size.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a size: write 500K, 10M or 1.5G")
    count = float(match[1])
    if match[2]:
        count *= 1 << 10 * (1 + _UNITS.index(match[2].upper()))
    if not count > 0:
        raise ValueError(f"{text!r} is not more than nothing")
    return count
