"""Where one response ends: lines, and the literals between them, cut out of a byte stream.

Bytes go in as views that the caller may reuse at once; complete responses come out as :class:`Frame`. A response is
one line, or several with a literal between each two: a line that ends in ``{n}`` (``~{n}`` for binary) has n bytes of
anything behind it, and then goes on (RFC 9051 section 4.3). Only what is incomplete is copied and kept, in linear time:
nothing is looked at twice, and no memory is set aside for what a server merely announces.

A line of text for people (a status response, ``+``) has no literals, whatever it ends in.

Deviations that are tolerated on purpose carry a name that starts with ``quirk``.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from netclients.errors import ProtocolError
from netclients.mail.reading import Streamed

__all__ = ["Frame", "Framer", "Limits", "Sink"]

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server may make the client hold of one response; more raises :class:`ProtocolError`."""

    line: int = 8 * _MIB
    """Bytes of one line: SEARCH answers with all numbers on one."""
    literal: int = 64 * _MIB
    """Bytes of one literal that no sink takes."""
    response: int = 256 * _MIB
    """Bytes of one response: all its lines, and the literals that no sink takes."""
    literals: int = 10_000
    """How many literals one response has."""


class Frame:
    """One response: ``parts`` is text, literal, text, literal, …, text.

    Texts have no line end; those before a literal still end in its marker ``{n}``. A literal that a sink has taken is
    an empty :class:`~netclients.mail.reading.Streamed`.
    """

    __slots__ = ("parts",)

    def __init__(self, parts: tuple[bytes, ...]) -> None:
        self.parts: tuple[bytes, ...] = parts

    @property
    def raw(self) -> bytes:
        """The response as it was sent, without the last line end and without what sinks have taken."""
        if len(self.parts) == 1:
            return self.parts[0]
        return b"".join(b"\r\n" + part if index % 2 else part for index, part in enumerate(self.parts))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frame) and self.parts == other.parts

    def __hash__(self) -> int:
        return hash(self.parts)

    def __repr__(self) -> str:
        return f"<Frame {self.parts[0][:80]!r}{' …' if len(self.parts) > 1 or len(self.parts[0]) > 80 else ''}>"


Sink = Callable[[Sequence[bytes], int], Callable[[memoryview], None] | None]
"""Asked before each literal, with the parts that its response has so far (the last one ends in the literal's marker; a
live list, not to be changed or kept) and the literal's size. Returns what takes the bytes, or None to have them in the
frame."""

_MARKER = re.compile(rb"~?\{([0-9]{1,20})\+?\}")  # quirk_plus: RFC 7888 has {n+} for clients only
_LONGEST_MARKER = 24
# Up to its literal, a FETCH of a body.
_USUAL = re.compile(rb"(\* [0-9]{1,10} FETCH \([^{}\r\n]{0,500}~?\{([0-9]{1,9})\})\r\n")
_USUAL_END = b")\r\n"
_FOR_PEOPLE = re.compile(rb"\+|(?:\*|[!-~]+) +(?:OK|NO|BAD|BYE|PREAUTH)(?: |$)", re.IGNORECASE)
_COST = 64  # bytes that a literal takes in memory besides its content: empty ones must not be free


class Framer:
    """Cut responses out of a stream. ``sink``, if set, is asked for each literal where its bytes shall go."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits: Limits = limits or Limits()
        self.sink: Sink | None = None
        self._tail = bytearray()  # a line without its end
        self._parts: list[bytes] = []  # of a response that is not complete
        self._size = 0  # bytes of it
        self._missing = 0  # bytes of the literal that have not come
        self._content: io.BytesIO | None = None
        self._taker: Callable[[memoryview], None] | None = None

    @property
    def partial(self) -> bool:
        """Whether a response has begun and not ended."""
        return bool(self._tail or self._parts)

    def feed(self, view: memoryview) -> Iterator[Frame]:
        """Yield the responses that ``view`` completes. Run the iterator to its end before the next call.

        Raises:
            ProtocolError: a limit is passed; whatever a taker raises goes through. The stream is lost then.
        """
        at = 0
        if self._missing:
            at = self._literal_goes_on(view)
            if self._missing:
                return
        data = bytes(view[at:]) if at else bytes(view)
        # A literal's marker may also have come before: then the data begins with the line end.
        if not self._parts and b"}\r\n" not in data and b"}\n" not in data and data[:1] not in b"\r\n":
            yield from self._lines(data)
        else:
            yield from self._mixed(data)

    def _lines(self, data: bytes) -> Iterator[Frame]:
        """Yield the responses in data that has no literals."""
        if self._tail:
            end = data.find(b"\n") + 1
            if not end:
                self._keep(data)
                return
            self._tail += data[:end]
            line = bytes(self._tail)
            self._tail.clear()
            data = data[end:]
            yield Frame((self._line(line[:-1]),))
        *lines, rest = data.split(b"\n")
        if len(data) <= self.limits.line and data.count(b"\r\n") == len(lines):
            *lines, rest = data.split(b"\r\n")
            yield from map(Frame, zip(lines, strict=False))
        else:
            for line in lines:
                yield Frame((self._line(line),))
        self._keep(rest)

    def _line(self, line: bytes) -> bytes:
        """Return a line without its end; quirk_bare_lf: that may be LF alone."""
        if line[-1:] == b"\r":
            line = line[:-1]
        if len(line) > self.limits.line:
            raise self._too_long()
        return line

    def _mixed(self, data: bytes) -> Iterator[Frame]:
        at = 0
        while True:
            if not self._parts and not self._tail:
                while (whole := self._whole(data, at)) is not None:
                    frame, at = whole
                    yield frame
            end = data.find(b"\n", at)
            if end < 0:
                self._keep(data[at:])
                return
            line = data[at:end]
            at = end + 1
            if self._tail:
                self._tail += line
                line = bytes(self._tail)
                self._tail.clear()
            line = self._line(line)
            if line[-1:] == b"}" and self._literal_begins(line):
                at = self._take(data, at)
                if self._missing:
                    return
            elif self._parts:
                self._grow(len(line))
                self._parts.append(line)
                frame = Frame(tuple(self._parts))
                self._parts.clear()
                self._size = 0
                yield frame
            else:
                yield Frame((line,))
            if at == len(data):
                return

    def _whole(self, data: bytes, at: int) -> tuple[Frame, int] | None:
        """Return what comes a thousand times, a FETCH with one literal that is all there, and where the rest begins.

        It is what the long way would give; anything else, and whatever is near a limit, is left to that.
        """
        found = _USUAL.match(data, at)
        if found is None:
            return None
        line, digits = found.groups()
        size, begin = int(digits), found.end()
        end = begin + size
        limits = self.limits
        if not data.startswith(_USUAL_END, end) or size > limits.literal or len(line) > limits.line:
            return None
        if len(line) + _COST + size + 1 > limits.response or limits.literals < 1:
            return None
        taker = None if self.sink is None else self.sink([line], size)
        content = data[begin:end]
        if taker is not None:
            if size:
                with memoryview(content) as piece:
                    taker(piece)
            content = Streamed(size)
        return Frame((line, content, b")")), end + 3

    def _keep(self, rest: bytes) -> None:
        self._tail += rest
        # The tail may end in the CR of a line end that is not complete yet.
        if len(self._tail) > self.limits.line + (self._tail[-1:] == b"\r"):
            raise self._too_long()

    def _literal_begins(self, line: bytes) -> bool:
        found = _MARKER.fullmatch(line, self._marker_at(line))
        if found is None or (not self._parts and _FOR_PEOPLE.match(line)):
            return False
        size = int(found[1])
        self._parts.append(line)
        self._grow(len(line) + _COST)
        if len(self._parts) > 2 * self.limits.literals:
            raise ProtocolError(f"the server sent a response with more than {self.limits.literals} literals")
        self._taker = self.sink(self._parts, size) if self.sink is not None else None
        if self._taker is not None:
            self._parts.append(Streamed(size))
        else:
            if size > self.limits.literal:
                raise ProtocolError(f"the server sent a literal of {size} bytes; the limit is {self.limits.literal}")
            self._grow(size)
        self._missing = size
        return True

    @staticmethod
    def _marker_at(line: bytes) -> int:
        at = line.rfind(b"{", max(0, len(line) - _LONGEST_MARKER))
        if at < 0:
            return len(line)
        return at - (at > 0 and line[at - 1] == 0x7E)

    def _take(self, data: bytes, at: int) -> int:
        """Take what has come of a literal; return where the rest of ``data`` begins."""
        end = at + self._missing
        if self._taker is None and end <= len(data):
            self._parts.append(data[at:end])
            self._missing = 0
            return end
        with memoryview(data) as view:
            if self._taker is None:
                self._content = io.BytesIO()
            return at + self._literal_goes_on(view[at:])

    def _literal_goes_on(self, view: memoryview) -> int:
        """Move what ``view`` has of the literal; return how much that was."""
        size = min(self._missing, len(view))
        self._missing -= size
        if self._taker is not None:
            if size:
                with view[:size].toreadonly() as piece:
                    self._taker(piece)
            if not self._missing:
                self._taker = None
        else:
            assert self._content is not None
            self._content.write(view[:size])
            if not self._missing:
                self._parts.append(self._content.getvalue())
                self._content = None
        return size

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self.limits.response:
            raise ProtocolError(f"the server sent a response of more than {self.limits.response} bytes")

    def _too_long(self) -> ProtocolError:
        return ProtocolError(f"the server sent a line of more than {self.limits.line} bytes")
