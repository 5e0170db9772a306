"""Numbers that callers pass: checked before anything is sent."""

from __future__ import annotations

import operator
from math import inf

from netclients.errors import ConfigurationError

__all__ = ["positive", "whole_number"]

_SHOWN = 80  # characters: numbers may have millions of digits


def whole_number(name: str, value: object, least: int) -> int:
    """Return ``value`` as an int.

    Raises:
        ConfigurationError: it is none, or less than ``least``.
    """
    number = _index(value)
    if number is None or number < least:
        raise ConfigurationError(f"{name}={_shown(value)} must be a whole number, at least {least}")
    return number


def positive(name: str, value: object, *, or_zero: bool = False, finite: bool = False) -> float:
    """Return ``value`` as a float: more than 0, or 0 too; infinite, unless it must be ``finite``.

    Raises:
        ConfigurationError: it is no such number.
    """
    number = value if isinstance(value, float) else _index(value)
    if number is not None and (number > 0 or (or_zero and number == 0)) and not (finite and number == inf):
        try:
            return float(number)
        except OverflowError:
            pass
    wanted = "a number, at least 0" if or_zero else "a positive number"
    raise ConfigurationError(f"{name}={_shown(value)} must be {wanted}{' and finite' if finite else ''}")


def _index(value: object) -> int | None:
    # True is 1 to operator.index(), but to nobody who reads it.
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def _shown(value: object) -> str:
    try:
        shown = repr(value)
    except ValueError:  # int() refuses to write some
        return "…"
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
