"""Docstrings of the blocking classes, taken over from their asynchronous twins."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import TypeVar

__all__ = ["documented_like"]

C = TypeVar("C", bound=type)

_WORDS = (
    ("async with ", "with "),
    ("async for ", "for "),
    ("await ", ""),
    ("aclose", "close"),
    ("(async) ", ""),
    (" (or the awaitable that it returned)", ""),
)
_ARGUMENTS = re.compile(r"^Args:\n(?:    .*\n)+", re.MULTILINE)


def documented_like(twin: type, **renamed: str) -> Callable[[C], C]:
    """Give each method that has no docstring the one of ``twin``'s method of that name (or its ``renamed`` one).

    The arguments of the constructor are added to the class's own docstring.
    """

    def fill(cls: C) -> C:
        for name, member in vars(cls).items():
            target = member.fget if isinstance(member, property) else member
            original = getattr(twin, renamed.get(name, name), None)
            if not name.startswith("_") and callable(target) and target.__doc__ is None and original is not None:
                member.__doc__ = _blocking(inspect.getdoc(original) or "")
        arguments = _ARGUMENTS.search(inspect.getdoc(twin) or "")
        if arguments is not None:
            cls.__doc__ = f"{inspect.getdoc(cls)}\n\n{_blocking(arguments.group())}"
        return cls

    return fill


def _blocking(text: str) -> str:
    for word, replacement in _WORDS:
        text = text.replace(word, replacement)
    return text
