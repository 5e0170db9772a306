"""SEARCH, SORT and THREAD (RFC 9051 section 6.4.4, RFC 4731, RFC 5256)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Unpack

from netclients.errors import ProtocolError, UnsupportedError
from netclients.imap import arguments
from netclients.imap.arguments import Piece
from netclients.imap.commands import command
from netclients.imap.connection.dialogue import Dialogue
from netclients.imap.search import criteria
from netclients.imap.types import ESearch, Search, Thread, Threads
from netclients.pending import Pending

if TYPE_CHECKING:
    from netclients.imap.commands import Command
    from netclients.imap.search import Criterion, Keywords, Program
    from netclients.imap.types import Response

__all__ = ["MOST_FOUND", "Searching"]

MOST_FOUND = 10_000_000
"""Messages of a mailbox, whatever the server says."""

# A word of a sequence set's letters. Sizes look like one too, which costs no more than a round trip.
_NUMBERS = re.compile(rb"(?:^|[ (])(?<!UID )[0-9*][0-9:,*]*(?![^ )])", re.IGNORECASE)

Algorithm = Literal["REFERENCES", "ORDEREDSUBJECT", "REFS"]


class Searching(Dialogue):
    """Search commands. Criteria are those of :class:`netclients.Q`: keywords, a ``Q``, or text in IMAP's words."""

    def search(self, *query: Criterion | None, **keywords: Unpack[Keywords]) -> Pending[Found]:
        """SEARCH: sequence numbers of the messages for which all criteria hold."""
        return self._search("SEARCH", self._program(query, keywords), ())

    def uid_search(
        self, *query: Criterion | None, returns: Iterable[str] = (), **keywords: Unpack[Keywords]
    ) -> Pending[Found]:
        """UID SEARCH: UIDs. ``returns``: what to be told instead of all, such as ``"MIN"``, ``"COUNT"`` (RFC 4731).

        Raises:
            UnsupportedError: the server lacks the extension that a criterion or ``returns`` needs.
        """
        return self._search("UID SEARCH", self._program(query, keywords), tuple(returns))

    def _search(self, verb: str, program: Program, returns: Sequence[str]) -> Pending[Found]:
        words: list[Piece | Sequence[Piece]] = []
        if returns or self.has("ESEARCH", "IMAP4REV2"):
            self.require("ESEARCH", "IMAP4REV2")
            # Ranges are a good deal shorter than numbers.
            words.append(b"RETURN (%b)" % b" ".join(map(arguments.atom, returns or ("ALL",))))
        if program.charset is not None:
            words.append(b"CHARSET " + arguments.charset(program.charset))
        words.append(program.pieces)
        return self._numbers(verb, "SEARCH", words, tagged=self.has("ESEARCH", "IMAP4REV2"))

    def sort(self, keys: str | Iterable[str], *query: Criterion | None, **keywords: Unpack[Keywords]) -> Pending[Found]:
        """SORT: sequence numbers, ordered by ``keys`` such as ``"date"``, ``"-size"``, ``"subject"`` (RFC 5256)."""
        return self._sort("SORT", keys, self._program(query, keywords))

    def uid_sort(
        self, keys: str | Iterable[str], *query: Criterion | None, **keywords: Unpack[Keywords]
    ) -> Pending[Found]:
        """UID SORT: see :meth:`sort`."""
        return self._sort("UID SORT", keys, self._program(query, keywords))

    def _sort(self, verb: str, keys: str | Iterable[str], program: Program) -> Pending[Found]:
        self.require("SORT")
        charset = arguments.charset(program.charset or "UTF-8")
        return self._numbers(verb, "SORT", [arguments.sort_keys(keys), charset, program.pieces])

    def thread(
        self, algorithm: Algorithm = "REFERENCES", *query: Criterion | None, **keywords: Unpack[Keywords]
    ) -> Pending[tuple[Thread, ...]]:
        """THREAD: sequence numbers as conversations (RFC 5256)."""
        return self._thread("THREAD", algorithm, self._program(query, keywords))

    def uid_thread(
        self, algorithm: Algorithm = "REFERENCES", *query: Criterion | None, **keywords: Unpack[Keywords]
    ) -> Pending[tuple[Thread, ...]]:
        """UID THREAD: see :meth:`thread`."""
        return self._thread("UID THREAD", algorithm, self._program(query, keywords))

    def _thread(self, verb: str, algorithm: str, program: Program) -> Pending[tuple[Thread, ...]]:
        self.require(f"THREAD={algorithm}")
        charset = arguments.charset(program.charset or "UTF-8")
        found: list[Threads] = []

        def collect(response: Response) -> bool:
            if isinstance(response, Threads):
                found.append(response)
                return True
            return False

        sent = self._careful(command(verb, arguments.atom(algorithm), charset, program.pieces)).collecting(collect)
        return Pending(self, self.submit(sent), lambda _: found[-1].threads if found else ())

    def _program(self, query: tuple[Criterion | None, ...], keywords: Keywords) -> Program:
        program = criteria(*query, utf8=self.protocol.utf8, **keywords)
        missing = [name for name in sorted(program.requires) if not self._offers(name)]
        if missing:
            raise UnsupportedError(f"the server does not offer {', '.join(missing)}")
        return program

    def _offers(self, extension: str) -> bool:
        return self.has(extension, "QRESYNC") if extension == "CONDSTORE" else self.has(extension)

    def _numbers(
        self, verb: str, name: str, words: list[Piece | Sequence[Piece]], *, tagged: bool = False
    ) -> Pending[Found]:
        found = Found()

        def collect(response: Response) -> bool:
            if isinstance(response, ESearch) and name == "SEARCH":
                found.take_ranges(response)
            elif isinstance(response, Search) and response.name == name:
                found.take_numbers(response)
            else:
                return False
            return True

        sent = replace(self._careful(command(verb, *words)), collect=collect, tagged=tagged)
        return Pending(self, self.submit(sent), lambda _: found)

    @staticmethod
    def _careful(sent: Command) -> Command:
        """Criteria may name messages by sequence numbers, those of UID SEARCH too (RFC 9051 section 5.5)."""
        if any(isinstance(piece, bytes) and _NUMBERS.search(piece) for piece in sent.pieces):
            return replace(sent, traits=replace(sent.traits, numbers=True))
        return sent


class Found:
    """What a search has found.

    ``ranges``: in the server's order, inclusive; ``numbers`` spells them out. ``minimum``, ``maximum``, ``count`` as
    asked for. ``modseq``: the highest of all that was found, if mod-sequences were searched for (RFC 7162).
    """

    __slots__ = ("count", "maximum", "minimum", "modseq", "ranges")

    def __init__(self) -> None:
        self.ranges: list[tuple[int, int]] = []
        self.minimum: int | None = None
        self.maximum: int | None = None
        self.count: int | None = None
        self.modseq: int | None = None

    @property
    def numbers(self) -> list[int]:
        """All that was found, one by one.

        Raises:
            ProtocolError: more than there can be: ten bytes of an answer may stand for four billion.
        """
        if (count := sum(last - first + 1 for first, last in self.ranges)) > MOST_FOUND:
            raise ProtocolError(f"the server has found {count:,} messages")
        return [number for first, last in self.ranges for number in range(first, last + 1)]

    def take_ranges(self, answer: ESearch) -> None:
        """ESEARCH."""
        self.ranges += answer.ranges or ()
        if answer.partial is not None:
            self.ranges += answer.partial[1]
        self.minimum, self.maximum, self.count = answer.minimum, answer.maximum, answer.count
        self.modseq = answer.modseq

    def take_numbers(self, answer: Search) -> None:
        """SEARCH or SORT."""
        ranges = self.ranges
        for number in answer.numbers:
            if ranges and ranges[-1][1] == number - 1:
                ranges[-1] = (ranges[-1][0], number)
            else:
                ranges.append((number, number))
        if answer.modseq is not None:
            self.modseq = answer.modseq
