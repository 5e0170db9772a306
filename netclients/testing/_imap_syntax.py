"""The grammar of IMAP, on the server's side: reads the arguments of a command, and writes values into replies.

A command arrives as text and literals in turn (RFC 3501 section 4.3): what the text leaves open with ``{n}`` at its
end is the next piece.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

MARKER = re.compile(rb"(~?)\{(\d{1,19})(\+?)\}\Z")
"""What announces a literal at the end of a line: literal8 (RFC 3516), size, without waiting (RFC 7888)."""

_ATOM = re.compile(rb'[^\x00-\x20\x7f(){%*"\\\]]+')
_ASTRING = re.compile(rb'[^\x00-\x20\x7f(){%*"\\]+')
_PATTERN = re.compile(rb'[^\x00-\x20\x7f(){"\\]+')
_FLAG = re.compile(rb'\\?[^\x00-\x20\x7f(){%*"\\\]]+')
_QUOTED = re.compile(rb'"((?:[^"\\\r\n\x00]|\\["\\])*)"')
_PLAIN = re.compile(rb"[ !#-\[\]-~]{,1000}")
_NUMBER = re.compile(rb"\d{1,20}")
_SET = re.compile(rb"(?:\$|(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?(?:,(?:\d{1,10}|\*)(?::(?:\d{1,10}|\*))?)*)(?=[ )]|\Z)")
_ANY_CHARACTERS = re.compile(rb"[^\r\n]*")


class BadSyntaxError(Exception):
    """The command makes no sense; the text says why."""


@dataclass(frozen=True, slots=True)
class NumberSet:
    """A sequence-set: ranges of numbers, 0 for ``*``; `saved` for ``$`` (RFC 5182)."""

    ranges: tuple[tuple[int, int], ...] = ()
    saved: bool = False

    def among(self, numbers: Iterable[int]) -> list[int]:
        """Return those of rising numbers that are in it; ``*`` is taken for the greatest of all."""
        spans = sorted(sorted((low or 2**32, high or 2**32)) for low, high in self.ranges)
        found: list[int] = []
        index = 0
        for number in numbers:
            while index < len(spans) and spans[index][1] < number:
                index += 1
            if index < len(spans) and spans[index][0] <= number:
                found.append(number)
        return found


class Arguments:
    """A cursor over what stands behind a command's name."""

    def __init__(self, pieces: Sequence[bytes], *, utf8: bool = False) -> None:
        self._pieces = pieces
        self._index = 0
        self._at = 0
        self.utf8 = utf8

    # Looking

    @property
    def rest(self) -> bytes:
        """What is left of the text up to the next literal."""
        return self._pieces[self._index][self._at :]

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self._index == len(self._pieces) - 1 and self._at == len(self._pieces[-1])

    def next_is(self, text: bytes) -> bool:
        """Whether this comes next, in any case."""
        end = self._at + len(text)
        return self._pieces[self._index][self._at : end].upper() == text

    # Reading. All raise BadSyntaxError.

    def skip(self, text: bytes) -> bool:
        """Pass over this, in any case, if it comes next."""
        if not self.next_is(text):
            return False
        self._at += len(text)
        return True

    def expect(self, text: bytes) -> None:
        """Pass over this."""
        if not self.skip(text):
            raise BadSyntaxError(f"{text.decode()!r} is missing")

    def space(self) -> None:
        """Pass over one space."""
        if not self.skip(b" "):
            raise BadSyntaxError("An argument is missing")

    def end(self) -> None:
        """Make sure that nothing follows."""
        if not self.at_end:
            raise BadSyntaxError("Too many arguments")

    def match(self, pattern: re.Pattern[bytes]) -> bytes | None:
        """Return what comes next if it is of that form."""
        found = pattern.match(self._pieces[self._index], self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[0]

    def _take(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        found = self.match(pattern)
        if found is None:
            raise BadSyntaxError(f"{what} is missing or malformed")
        return found

    def atom(self) -> str:
        """Return an atom in capitals."""
        return self._take(_ATOM, "A word").decode("ascii", "replace").upper()

    def number(self) -> int:
        """Return a number."""
        return int(self._take(_NUMBER, "A number"))

    def literal(self) -> bytes | None:
        """Return a literal if one comes next."""
        text = self._pieces[self._index]
        found = MARKER.search(text)
        if found is None or found.start() != self._at:
            return None
        if self._index + 1 == len(self._pieces):
            raise BadSyntaxError("A literal is missing")
        value = self._pieces[self._index + 1]
        self._index, self._at = self._index + 2, 0
        return value

    def string(self) -> bytes:
        """Return a quoted string or a literal."""
        found = self.string_or_none()
        if found is None:
            raise BadSyntaxError("A string is missing or malformed")
        return found

    def string_or_none(self) -> bytes | None:
        """Return a quoted string or a literal if one comes next."""
        quoted = self.match(_QUOTED)
        if quoted is not None:
            return re.sub(rb"\\(.)", rb"\1", quoted[1:-1]) if b"\\" in quoted else quoted[1:-1]
        return self.literal()

    def astring(self) -> bytes:
        """Return an atom or a string."""
        found = self.match(_ASTRING)
        return self.string() if found is None else found

    def text(self) -> str:
        """Return an astring as text."""
        return self.astring().decode("utf-8", "surrogateescape")

    def mailbox(self) -> str:
        """Return a mailbox name; INBOX in capitals."""
        return self._name(self.astring())

    def pattern(self) -> str:
        """Return a list-mailbox."""
        found = self.match(_PATTERN)
        return self._name(self.string() if found is None else found)

    def _name(self, name: bytes) -> str:
        if name.upper() == b"INBOX":
            return "INBOX"
        try:
            return name.decode("utf-8") if self.utf8 else decoded_name(name)
        except ValueError as error:
            raise BadSyntaxError("A mailbox name is not in modified UTF-7") from error

    def flags(self) -> frozenset[str]:
        """Return a flag-list in parentheses, or flags without any."""
        if not self.skip(b"("):
            return frozenset(self._flags())
        found = frozenset(() if self.next_is(b")") else self._flags())
        self.expect(b")")
        return found

    def _flags(self) -> Iterable[str]:
        while True:
            yield canonical_flag(self._take(_FLAG, "A flag").decode("ascii", "replace"))
            if not self.skip(b" "):
                return

    def special_use(self) -> str:
        r"""Return an attribute such as ``\Sent``."""
        self.expect(b"\\")
        return "\\" + self.atom().capitalize()

    def number_set(self) -> NumberSet:
        """Return a sequence-set."""
        text = self._take(_SET, "A set of numbers")
        if text == b"$":
            return NumberSet(saved=True)
        ranges = []
        for part in text.split(b","):
            first, _, last = part.partition(b":")
            low, high = _bound(first), _bound(last or first)
            ranges.append((low, high))
        return NumberSet(tuple(ranges))

    def starts_set(self) -> bool:
        """Whether a sequence-set comes next."""
        return _SET.match(self._pieces[self._index], self._at) is not None

    def remainder(self) -> str:
        """Return the rest of the line."""
        return self._take(_ANY_CHARACTERS, "Text").decode("utf-8", "surrogateescape")


def _bound(text: bytes) -> int:
    if text == b"*":
        return 0
    number = int(text)
    if not 0 < number < 2**32:
        raise BadSyntaxError("Numbers begin with 1")
    return number


_SYSTEM_FLAGS = {f"\\{name.upper()}": f"\\{name}" for name in ("Answered", "Flagged", "Deleted", "Seen", "Draft")}


def canonical_flag(flag: str) -> str:
    r"""Return a flag as it is spelt in the standard: they are the same in any case. Raises BadSyntaxError."""
    if not flag.startswith("\\"):
        return flag
    known = _SYSTEM_FLAGS.get(flag.upper())
    if known is None:
        raise BadSyntaxError(f"{flag} can't be set")
    return known


# Writing


def quoted(value: str | bytes | None) -> bytes:
    """Return an nstring: NIL, quoted where that is possible, otherwise a literal."""
    if value is None:
        return b"NIL"
    data = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    if _PLAIN.fullmatch(data):
        return b'"' + data + b'"'
    if len(data) < 1000 and data.isascii() and not any(c in data for c in b"\r\n\0"):
        return b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return literal(data)


def literal(data: bytes) -> bytes:
    """Return a literal."""
    return b"{%d}\r\n%b" % (len(data), data)


def mailbox_name(name: str, *, utf8: bool = False) -> bytes:
    """Return a mailbox name as replies carry it: an atom if it is one."""
    data = name.encode("utf-8", "surrogateescape") if utf8 else encoded_name(name)
    if _ATOM.fullmatch(data) and data.isascii() and data.upper() != b"NIL":
        return data
    return b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def number_ranges(numbers: Iterable[int]) -> str:
    """Return rising numbers as a sequence-set."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join(f"{low}:{high}" if low != high else str(low) for low, high in ranges)


# Mailbox names in modified UTF-7 (RFC 3501 section 5.1.3)


def encoded_name(name: str) -> bytes:
    """Return a mailbox name in modified UTF-7."""

    def shifted(found: re.Match[str]) -> str:
        if found[0] == "&":
            return "&-"
        packed = base64.b64encode(found[0].encode("utf-16-be", "surrogatepass")).decode().rstrip("=")
        return f"&{packed.replace('/', ',')}-"

    return re.sub(r"&|[^\x20-\x7e]+", shifted, name).encode("ascii")


def decoded_name(name: bytes) -> str:
    """Return what :func:`encoded_name` was given. Raises ValueError."""

    def unshifted(found: re.Match[str]) -> str:
        if not found[1]:
            return "&"
        packed = found[1].replace(",", "/")
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True).decode("utf-16-be")

    return re.sub(r"&([^-&]*)-", unshifted, name.decode("ascii"))
