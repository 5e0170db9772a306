"""Tokens: atoms, strings and lists (RFC 9051 section 4), read from the parts of a response.

Values are those of :data:`~netclients.mail.envelopes.Value`: NIL is None, an atom or a number is str, a string is
bytes, a list is a list. Nesting is followed without recursion, and bounded.

Deviations that are tolerated on purpose carry a name that starts with ``quirk``.
"""

from __future__ import annotations

import re

from netclients.errors import ProtocolError
from netclients.mail.envelopes import Value

__all__ = ["NESTING", "Tokens", "octets", "unquoted", "word"]

NESTING = 64
"""How deep lists may be nested."""

# quirk_spaces: there may be several, before a closing parenthesis too, and none between lists.
# quirk_wide_atoms: whatever is no space, parenthesis, quote or brace may stand in an atom: "]", "*", "%", 8 bits.
# quirk_backslash: in a string a backslash before any other character than a quote and itself stands for itself.
_TOKEN = re.compile(
    rb"""\ *+(?:
      (?P<atom>[^\x00\r\n\ ()"{]++)(?=[\ ()]|\Z)
    | "(?P<plain>[^"\\\x00\r\n]*+)"(?=[\ ()]|\Z)
    | (?P<open>\()
    | (?P<close>\))
    | "(?P<escaped>[^"\\\x00\r\n]*+(?:\\[^\x00\r\n][^"\\\x00\r\n]*+)*)"(?=[\ ()]|\Z)
    | (?P<literal>~?\{[0-9]{1,20}\+?\})\Z
    )""",
    re.VERBOSE,
)
_ATOM, _PLAIN, _OPEN, _CLOSE, _ESCAPED, _LITERAL = range(1, 7)
_END = re.compile(rb" *+\Z")
_ESCAPE = re.compile(rb'\\(["\\])')


def unquoted(content: bytes) -> bytes:
    """Return what a string means that stood between quotes."""
    return _ESCAPE.sub(rb"\1", content) if b"\\" in content else content


def word(value: Value) -> str:
    """Return an atom or a string as text without loss.

    Raises:
        ProtocolError: it is neither.
    """
    if isinstance(value, str):
        return value
    return octets(value).decode("utf-8", "surrogateescape")


def octets(value: Value) -> bytes:
    """Return an atom or a string as it was sent (an astring: NIL is those three letters).

    Raises:
        ProtocolError: it is a list.
    """
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if value is None:
        return b"NIL"
    raise ProtocolError("the server sent a list where a string was due")


class Tokens:
    """Read values one after the other; ``text`` and ``at`` are where it stands."""

    __slots__ = ("_index", "_nesting", "_parts", "at", "text")

    def __init__(self, parts: tuple[bytes, ...], at: int = 0, nesting: int = NESTING) -> None:
        self._parts = parts
        self._index = 0
        self._nesting = nesting
        self.text: bytes = parts[0]
        self.at: int = at

    def match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Step over what ``pattern`` matches here, if it does."""
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return found

    @property
    def ended(self) -> bool:
        """Whether nothing but spaces follows."""
        return self._index == len(self._parts) - 1 and _END.match(self.text, self.at) is not None

    def rest(self) -> list[Value]:
        """Read all values up to the end of the response."""
        values: list[Value] = []
        while not self.ended:
            values.append(self.value())
        return values

    def value(self) -> Value:
        """Read one value.

        Raises:
            ProtocolError: there is none, or it is nested too deep.
        """
        stack: list[list[Value]] = []
        match, text, at = _TOKEN.match, self.text, self.at
        while True:
            found = match(text, at)
            if found is None:
                self.at = at
                raise self.fault()
            at = found.end()
            kind = found.lastindex
            value: Value
            if kind == _ATOM:
                value = _atom(found[1])
            elif kind == _PLAIN:
                value = found[2]
            elif kind == _OPEN:
                if len(stack) >= self._nesting:
                    raise ProtocolError(f"the server sent lists nested more than {self._nesting} deep")
                stack.append([])
                continue
            elif kind == _CLOSE:
                if not stack:
                    self.at = at - 1
                    raise self.fault()
                value = stack.pop()
            elif kind == _ESCAPED:
                value = unquoted(found[5])
            else:
                value, text, at = self._literal()
            if not stack:
                self.at = at
                return value
            stack[-1].append(value)

    def _literal(self) -> tuple[bytes, bytes, int]:
        if self._index + 2 >= len(self._parts):
            raise self.fault()
        self._index += 2
        self.text = self._parts[self._index]
        return self._parts[self._index - 1], self.text, 0

    def fault(self) -> ProtocolError:
        """Return the error that what stands here can't be read."""
        shown = self.text[self.at : self.at + 40]
        return ProtocolError(
            f"the server sent what can't be read: {shown!r}" if shown else "the response ends too early"
        )


def _atom(raw: bytes) -> str | None:
    if len(raw) == 3 and raw.upper() == b"NIL":
        return None
    return raw.decode("utf-8", "surrogateescape")
