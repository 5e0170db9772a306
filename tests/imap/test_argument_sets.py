"""Sets of numbers: whatever names messages becomes the shortest set of ranges."""

from __future__ import annotations

import enum
import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.errors import ConfigurationError
from netclients.imap.arguments import sequence_set, uid_set, uid_sets
from netclients.mail.reading import UID

LARGEST = 2**32 - 1


class Place(enum.IntEnum):
    THIRD = 3


def members(encoded: bytes) -> list[int]:
    numbers: list[int] = []
    for part in encoded.decode("ascii").split(","):
        first, _, last = part.partition(":")
        numbers += range(int(first), int(last or first) + 1)
    return numbers


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1:*", b"1:*"),
        ("5,7:9", b"5,7:9"),
        ("*:4,*", b"*:4,*"),
        ("9:7", b"9:7"),
        ("$", b"$"),
        (f"{LARGEST}", b"4294967295"),
        (7, b"7"),
        (Place.THIRD, b"3"),
        ([3, 1, 2, 2], b"1:3"),
        ((1, Place.THIRD), b"1,3"),
        ({5, 9, 4}, b"4:5,9"),
        (range(1, 10), b"1:9"),
        (range(1, LARGEST + 1), b"1:4294967295"),
        (range(9, 0, -4), b"1,5,9"),
        (slice(5, None), b"5:4294967295"),
        (slice(None), b"1:*"),
        (slice(None, 3), b"1:2"),
        (slice(2, 3, 1), b"2"),
    ],
)
def test_sets(value: Any, expected: bytes) -> None:
    assert uid_set(value) == sequence_set(value) == expected


def test_an_iterator_is_used_up_once() -> None:
    assert uid_set(iter([2, 1])) == b"1:2"


def test_uids_are_text() -> None:
    assert uid_set(UID("42")) == b"42"
    assert uid_set([UID("9"), UID("10"), UID("11")]) == b"9:11"
    assert uid_set([UID("3"), 1, 2]) == b"1:3"
    with pytest.raises(ConfigurationError, match="'9' is not one of sequence numbers"):
        sequence_set([UID("9")])


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            " ",
            "0",
            "01",
            "-1",
            "1:",
            ":1",
            "1,",
            "1 2",
            "1:2:3",
            "$,1",
            "4294967296",
            "99999999999",
            "x",
            "\u0661",
        ),
        *("1\r\n", "1)", "1 (FLAGS)", b"1:*", bytearray(b"1"), None, True, 0, -1, LARGEST + 1, 1.0, object()),
        *(
            [],
            (),
            [0],
            [-1, 5],
            [LARGEST + 1],
            [True],
            [1, None],
            [1.0],
            ["1:2"],
            [""],
            ["1", ""],
            ["+1"],
            [" 1"],
            ["1_0"],
        ),
        *(["\u0663"], ["9" * 5000], [b"1"], [[1]], range(5, 5), range(3), range(3, LARGEST + 2), range(-3, 3, 2)),
        *(slice(0, 3), slice(-1, None), slice(3, 3), slice(1, 9, 2), slice("1", None), slice(1, True)),
    ],
)
def test_what_is_no_set(value: Any) -> None:
    for encode in (uid_set, sequence_set, uid_sets):
        with pytest.raises(ConfigurationError) as caught:
            encode(value)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 250


@given(st.lists(st.integers(1, LARGEST) | st.integers(1, 50), min_size=1))
def test_sets_come_back(numbers: list[int]) -> None:
    encoded = uid_set(numbers)
    assert encoded == uid_set([UID(str(number)) for number in numbers])
    assert members(encoded) == sorted(set(numbers))
    assert encoded.count(b",") == sum(number + 1 not in numbers for number in set(numbers)) - 1


@given(st.sets(st.integers(1, 3000), min_size=1), st.integers(21, 200))
def test_long_sets_are_split(numbers: set[int], limit: int) -> None:
    sets = uid_sets(numbers, limit)
    assert max(map(len, sets)) <= limit
    assert [number for one in sets for number in members(one)] == sorted(numbers)


def test_sets_stay_whole_as_long_as_they_can() -> None:
    assert uid_sets("1:*") == [b"1:*"]
    assert uid_sets([1, 3, 5], 21) == [b"1,3,5"]
    wide = [4000000001, 4000000002, 4000000004, 4000000005, 4000000007]
    assert uid_sets(wide, 21) == [b"4000000001:4000000002", b"4000000004:4000000005", b"4000000007"]
    assert uid_sets(",".join(["5"] * 5000) + ",7:*")[-1].endswith(b",7:*")
    with pytest.raises(ConfigurationError, match="at least 21"):
        uid_sets("1", 20)


def test_a_line_has_room_for_the_command() -> None:
    sets = uid_sets(range(1, 60_000, 2))
    assert max(map(len, sets)) <= 7_900
    assert len(sets) < 25


def test_many_uids_are_quick() -> None:
    uids = [UID(str(number)) for number in range(1, 400_000) if number % 4]
    random.Random(1).shuffle(uids)
    started = time.process_time()
    assert uid_set(uids).count(b",") == 99_999
    # It takes about a tenth of a second; what is quadratic takes minutes.
    assert time.process_time() - started < 3
