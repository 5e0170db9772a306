"""Overviews: one line for each article (RFC 3977 section 8), read when somebody asks for a field.

Lines come by the hundred thousand, and most of their fields are never looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from netclients.errors import ProtocolError, printable
from netclients.mail import decoding

__all__ = ["STANDARD", "Overview", "OverviewFormat"]

_STANDARD = ("subject", "from", "date", "message-id", "references", ":bytes", ":lines")
# What servers of before RFC 3977 call them (section 8.4.2).
_ALIASES = {"bytes": ":bytes", "lines": ":lines"}


@dataclass(frozen=True, slots=True)
class OverviewFormat:
    """Which fields overviews have, in their order: names in small letters, metadata with a colon in front.

    Those in ``full`` come with their name in front of the value. ``regular``: the first seven are as RFC 3977 says.
    """

    fields: tuple[str, ...] = _STANDARD
    full: frozenset[str] = frozenset()
    regular: bool = True

    @classmethod
    def of(cls, lines: Iterable[bytes]) -> OverviewFormat:
        """Read the answer to LIST OVERVIEW.FMT. Lines that make no sense count as fields without a name.

        Raises:
            ProtocolError: one of the seven that all overviews have is missing.
        """
        fields: list[str] = []
        full = set()
        for line in lines:
            name = decoding.plain(line).strip().lower()
            if name.endswith(":full"):
                name = name.removesuffix(":full")
                full.add(name)
            name = name.removesuffix(":") if not name.startswith(":") else name
            fields.append(_ALIASES.get(name, name))
        if missing := set(_STANDARD).difference(fields):
            raise ProtocolError(f"the server's overviews have no {', '.join(sorted(missing))}")
        regular = tuple(fields[:7]) == _STANDARD and full.isdisjoint(_STANDARD)
        return cls(tuple(fields), frozenset(full), regular)

    def place(self, name: str) -> int:
        """Return where a field stands behind the number, from 1."""
        return self.fields.index(name) + 1


STANDARD = OverviewFormat()


class Overview:
    """One article's overview. A field that is absent is empty, or None if it is no text; ``raw`` is the whole line."""

    __slots__ = ("_cells", "_format", "raw")

    def __init__(self, raw: bytes, form: OverviewFormat = STANDARD) -> None:
        self.raw: bytes = raw
        self._format = form
        self._cells: list[bytes] | None = None

    def _cell(self, place: int) -> bytes:
        cells = self._cells
        if cells is None:
            cells = self._cells = self.raw.split(b"\t")
        return cells[place] if place < len(cells) else b""

    def _field(self, name: str, place: int) -> bytes:
        form = self._format
        return self._cell(place) if form.regular else self._value(name, form.place(name))

    def _value(self, name: str, place: int) -> bytes:
        value = self._cell(place)
        if name in self._format.full and value[: len(name) + 1].lower() == b"%s:" % name.encode():
            value = value[len(name) + 1 :].strip(b" ")
        return value

    @property
    def number(self) -> int:
        """The article's number in the group; 0 if it was asked for by its message-id.

        Raises:
            ProtocolError: the line begins with none.
        """
        cell = self._cell(0)
        if not cell.isdigit() or len(cell) > 20:
            raise ProtocolError(f"the server sent {printable(decoding.plain(self.raw[:80]))!r} as an overview")
        return int(cell)

    @property
    def subject(self) -> str:
        """Subject, decoded."""
        return decoding.text(self._field("subject", 1))

    @property
    def from_(self) -> str:
        """From, decoded."""
        return decoding.text(self._field("from", 2))

    @property
    def date(self) -> datetime | None:
        """Date; None if nobody can tell what it says."""
        return decoding.date(self._field("date", 3))

    @property
    def message_id(self) -> str:
        """Message-ID."""
        return decoding.plain(self._field("message-id", 4))

    @property
    def references(self) -> tuple[str, ...]:
        """Message-ids of the articles that this one answers, the oldest first."""
        return tuple(decoding.plain(self._field("references", 5)).split())

    @property
    def bytes(self) -> int | None:
        """Its size; None if the server does not say."""
        return _count(self._field(":bytes", 6))

    @property
    def lines(self) -> int | None:
        """How many lines its body has; None if the server does not say."""
        return _count(self._field(":lines", 7))

    @property
    def extra(self) -> Mapping[str, str]:
        """All other fields, by their name in small letters; those that the server does not name by their place."""
        cells, known = len(self.raw.split(b"\t")), self._format.fields
        names = (*known, *(str(place) for place in range(len(known) + 1, cells)))
        return {
            name: decoding.text(self._value(name, place))
            for place, name in enumerate(names, 1)
            if name not in _STANDARD and place < cells
        }

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Overview) and (self.raw, self._format) == (other.raw, other._format)

    def __hash__(self) -> int:
        return hash(self.raw)

    def __repr__(self) -> str:
        return f"Overview({self.raw!r})"


def _count(cell: bytes) -> int | None:
    cell = cell.strip()
    return int(cell) if cell.isdigit() and len(cell) <= 20 else None
