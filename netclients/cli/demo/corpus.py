"""The demo's files: a few hundred of mixed sizes, the same in every run, and their checksums."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Corpus", "make_corpus"]

KIB = 1024
MIB = 1024 * KIB

# (name, how many, smallest, largest): most files are small, most bytes are in large ones.
_MIX = (
    ("small", 200, 1 * KIB, 64 * KIB),
    ("medium", 80, 128 * KIB, 768 * KIB),
    ("large", 16, 2 * MIB, 4 * MIB),
    ("huge", 4, 8 * MIB, 8 * MIB),
)
_COPIES = 3  # the originals, and what two downloads make of them
_POOL = 8 * MIB + 4093  # not a round number, so that a block in the wrong place shows


@dataclass(frozen=True, slots=True)
class Corpus:
    """Files below ``root``; ``checksums`` by name, SHA-256."""

    root: Path
    checksums: dict[str, str]
    size: int

    def count_verified(self, copy: Path) -> int:
        """Return how many files in ``copy`` are what they should be."""
        return sum(_checksum(copy / name) == checksum for name, checksum in self.checksums.items())


def make_corpus(root: Path) -> Corpus:
    """Write the files into the empty directory ``root``, fewer bytes where the disk has little room."""
    generator = random.Random(20)
    pool = memoryview(generator.randbytes(_POOL))
    plan = [(kind, generator.randint(low, high)) for kind, count, low, high in _MIX for _ in range(count)]
    generator.shuffle(plan)
    needed, room = _COPIES * sum(size for _, size in plan), shutil.disk_usage(root).free // 2
    shrink = needed // max(room, 1) + 1
    checksums: dict[str, str] = {}
    total = 0
    for number, (kind, size) in enumerate(plan):
        name = f"{number:03}-{kind}.bin"
        checksums[name] = _write(root / name, _content(pool, number, size // shrink))
        total += size // shrink
    return Corpus(root, checksums, total)


def _write(path: Path, blocks: Iterator[memoryview]) -> str:
    digest = hashlib.sha256()
    with path.open("wb") as file:
        for block in blocks:
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def _content(pool: memoryview, number: int, size: int) -> Iterator[memoryview]:
    """Yield ``size`` bytes that no other file has at the same place."""
    start = number * 26_951 % len(pool)
    while size:
        block = pool[start : start + size]
        yield block
        size -= len(block)
        start = 0


def _checksum(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
