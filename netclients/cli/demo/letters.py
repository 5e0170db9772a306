"""The demo's messages: a few hundred with attachments of mixed sizes, and what should become of each."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from netclients.cli.demo.addresses import ACCENTED, AFTER, AMID, BEFORE, DOMAIN, GONE, SHY
from netclients.mail.compose import compose

if TYPE_CHECKING:
    from netclients.mail.message import Message

__all__ = ["Letter", "make_letters"]

KIB = 1024
MIB = 1024 * KIB

# (name, how many, smallest, largest attachment): as with files, most are small, most bytes are in large ones.
_MIX = (
    ("small", 174, 1 * KIB, 16 * KIB),
    ("medium", 54, 32 * KIB, 192 * KIB),
    ("large", 10, 512 * KIB, 1 * MIB),
    # What the kernel takes in before it notices a cut is less than that.
    ("huge", 2, 5 * MIB, 5 * MIB),
)
_IN_MEMORY = 32 * KIB  # larger attachments are files
_DOUBTFUL = 3  # messages whose reply is lost before they are accepted, and as many after
_SUBJECTS = ("Report", "Zwölf Boxkämpfer", "Größe und Maß — žluťoučký kůň", "報告書", "Отчёт за неделю", "Re: ☕ at 4?")
_NAMES = ("Ada Lovelace", "Jürgen Groß", "Зоя", "O'Brien, Pat", "山田太郎")


@dataclass(frozen=True, slots=True)
class Letter:
    """One message, the SHA-256 of its bytes and of its attachment, and its recipients whom the server does not know."""

    message: Message
    sha256: str
    attachment: str
    gone: frozenset[str]


def make_letters(directory: Path) -> list[Letter]:
    """Compose the messages; larger attachments are files in the empty ``directory``. The sizes are always the same."""
    generator = random.Random(20)
    plan = [(kind, generator.randint(low, high)) for kind, count, low, high in _MIX for _ in range(count)]
    generator.shuffle(plan)
    senders = _senders([kind for kind, _ in plan])
    return [
        _letter(generator, directory, number, kind, size, senders.get(number))
        for number, (kind, size) in enumerate(plan)
    ]


def _senders(kinds: list[str]) -> dict[int, str]:
    """Choose which messages meet a fault."""
    small = [number for number, kind in enumerate(kinds) if kind == "small"]
    step = len(small) // (2 * _DOUBTFUL + 1)
    doubtful = small[step::step][: 2 * _DOUBTFUL]
    return {
        **{number: AMID for number, kind in enumerate(kinds) if kind == "huge"},
        **dict(zip(doubtful, (BEFORE, AFTER) * _DOUBTFUL, strict=True)),
    }


def _letter(generator: random.Random, directory: Path, number: int, kind: str, size: int, sender: str | None) -> Letter:
    readers = [f"reader-{one}@{DOMAIN}" for one in generator.sample(range(40), generator.randint(1, 3))]
    gone = []
    if sender is None:
        if number % 40 == 7:
            readers.append(SHY)
        if number % 30 == 11:
            readers.append(ACCENTED)
        if number % 10 == 3:
            gone.append(f"{GONE}-{number}@{DOMAIN}")
        if number % 80 == 3:
            readers = []
    attachment, sha256 = _attachment(generator, directory, f"{number:03}-{kind}-größe.bin", size)
    to, *others = [(generator.choice(_NAMES), address) for address in (*gone, *readers)]
    message = compose(
        from_=(generator.choice(_NAMES), f"{sender or 'writer'}-{number}@{DOMAIN}"),
        to=to,
        cc=others[::2],
        bcc=others[1::2],
        subject=f"{generator.choice(_SUBJECTS)} ({number})",
        text=f"{generator.choice(_SUBJECTS)}\n.\n..and a line with a dot in front\n" * generator.randint(1, 20),
        attachments=[attachment],
    )
    digest = hashlib.sha256()
    for chunk in message.chunks():
        digest.update(chunk)
    return Letter(message, digest.hexdigest(), sha256, frozenset(gone))


def _attachment(
    generator: random.Random, directory: Path, name: str, size: int
) -> tuple[Path | tuple[str, bytes], str]:
    content = generator.randbytes(size)
    sha256 = hashlib.sha256(content).hexdigest()
    if size <= _IN_MEMORY:
        return (name, content), sha256
    path = directory / name
    path.write_bytes(content)
    return path, sha256
