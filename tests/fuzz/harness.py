"""What the fuzz targets share: how input is cut into pieces, how time is watched, how a run begins."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import atheris

_LARGE = 64 * 1024
_SECONDS_FOR_LARGE = 2.0  # instrumented; a quadratic loop over 64 KiB takes far longer


def pieces(data: bytes, cuts: bytes) -> Iterator[memoryview]:
    """Yield all of ``data`` in pieces whose sizes ``cuts`` says."""
    at = number = 0
    while at < len(data):
        size = 1 + (cuts[number % len(cuts)] if cuts else len(data))
        yield memoryview(bytearray(data[at : at + size]))
        at += size
        number += 1


def enlarged(data: bytes) -> bytes:
    """``data`` again and again, up to 64 KiB."""
    return data * (_LARGE // max(1, len(data)))


def in_linear_time(call: Callable[[bytes], object], data: bytes) -> None:
    """Run ``call`` on the enlarged input; raise if that takes longer than input of this size may."""
    large = enlarged(data)
    started = time.process_time()
    call(large)
    elapsed = time.process_time() - started
    if elapsed > _SECONDS_FOR_LARGE:
        raise AssertionError(f"{len(large)} bytes took {elapsed:.1f} s of processor time")


def run(target: Callable[[bytes], None], words: str = "ftp.dict") -> None:
    """Hand over to libFuzzer; its options are the program's arguments, ``words`` is the file with its dictionary."""
    atheris.Setup([*sys.argv, f"-dict={Path(__file__).with_name(words)}"], target)
    atheris.Fuzz()
