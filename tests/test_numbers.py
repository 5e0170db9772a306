"""Numbers that callers pass: which count."""

from __future__ import annotations

import math

import pytest

from netclients.errors import ConfigurationError
from netclients.numbers import positive, whole_number

NOT_WHOLE = [True, False, 1.5, 2.0, math.inf, math.nan, "1", b"1", None, [], -1, -(10**10_000)]


def kind(value: object) -> str:
    return type(value).__name__  # not all of them can be written down


class Index:
    def __index__(self) -> int:
        return 3


@pytest.mark.parametrize("value", [0, 1, 10**100, Index()])
def test_whole_numbers(value: int) -> None:
    assert whole_number("n", value, 0) == value.__index__()


@pytest.mark.parametrize("value", NOT_WHOLE, ids=kind)
def test_what_is_no_whole_number(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^n=.{1,100} must be a whole number, at least 0$"):
        whole_number("n", value, 0)


@pytest.mark.parametrize("value", [1, 0.001, 2**100, math.inf, Index()])
def test_positive(value: float) -> None:
    assert positive("n", value) == (3 if isinstance(value, Index) else value)


@pytest.mark.parametrize(
    "value", [True, 0, 0.0, -1, -math.inf, math.nan, "1", b"1", None, [], 10**10_000, 10**400], ids=kind
)
def test_what_is_not_positive(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^n=.{1,100} must be a positive number$"):
        positive("n", value)


def test_zero_and_infinity() -> None:
    assert positive("n", 0, or_zero=True) == positive("n", -0.0, or_zero=True) == 0
    with pytest.raises(ConfigurationError, match=r"must be a number, at least 0$"):
        positive("n", -1, or_zero=True)
    with pytest.raises(ConfigurationError, match=r"must be a positive number and finite$"):
        positive("n", math.inf, finite=True)
