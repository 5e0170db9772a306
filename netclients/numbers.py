"""Numbers that callers pass: checked before anything is sent."""

from __future__ import annotations

import operator

from netclients.errors import ConfigurationError

__all__ = ["whole_number"]


def whole_number(name: str, value: object, least: int) -> int:
    """Return ``value`` as an int.

    Raises:
        ConfigurationError: it is none, or less than ``least``.
    """
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = least - 1
    if number < least:
        raise ConfigurationError(f"{name}={value!r} must be a whole number, at least {least}")
    return number
