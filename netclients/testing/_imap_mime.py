"""Messages as the embedded IMAP server shows them: parts with their places in the raw bytes, sections, header fields.

All that counts bytes or lines counts those of the raw message.
"""

from __future__ import annotations

import base64
import quopri
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:((?:[^\n]*\n)(?:[ \t][^\n]*\n?)*|[^\n]*)")
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_TOKEN = re.compile(r"[^\x00-\x20()<>@,;:\\\"/\[\]?=\x7f]+")
_PARAMETER = re.compile(r";\s*([^\x00-\x20()<>@,;:\\\"/\[\]?=]+)\s*=\s*(\"(?:[^\"\\]|\\.)*\"?|[^\s;]*)", re.DOTALL)
_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*\)", re.DOTALL)

MAX_DEPTH = 50
"""What is nested deeper is shown as bytes."""


@dataclass(slots=True, eq=False)
class Part:
    """One body part, or the whole message: where its header and its body are."""

    raw: bytes
    start: int
    body: int
    end: int
    kind: str = "TEXT"
    subtype: str = "PLAIN"
    parameters: list[tuple[str, str]] = field(default_factory=list)
    fields: dict[str, list[bytes]] = field(default_factory=dict)
    """Values by name in capitals, unfolded."""
    depth: int = 0
    found: list[Part] | None = None
    """Its parts, once they have been looked for."""

    @property
    def parts(self) -> list[Part]:
        """Those of a multipart; of a message/rfc822 the message in it."""
        if self.found is None:
            self.found = _parts(self)
        return self.found

    @property
    def header(self) -> bytes:
        """Header with its empty line."""
        return self.raw[self.start : self.body]

    @property
    def content(self) -> bytes:
        """Body, as it is."""
        return self.raw[self.body : self.end]

    @property
    def is_multipart(self) -> bool:
        """Whether it consists of parts."""
        return self.kind == "MULTIPART"

    @property
    def is_message(self) -> bool:
        """Whether it holds a message."""
        return self.kind == "MESSAGE" and self.subtype == "RFC822" and bool(self.parts)

    def first(self, name: str) -> str | None:
        """Return the first field of that name (in capitals), None if there is none."""
        values = self.fields.get(name)
        return values[0].decode("utf-8", "surrogateescape") if values else None

    def parameter(self, name: str) -> str | None:
        """Return a parameter of Content-Type by its name in capitals."""
        return next((value for key, value in self.parameters if key.upper() == name), None)


def parse(raw: bytes) -> Part:
    """Return a message's structure."""
    return _parsed(raw, 0, len(raw), "TEXT", 0)


def _parsed(raw: bytes, start: int, end: int, default: str, depth: int) -> Part:
    body = _body_start(raw, start, end)
    part = Part(raw, start, body, end, depth=depth)
    part.fields = _fields(raw[start:body])
    _read_type(part, default)
    if depth == MAX_DEPTH and part.kind in ("MULTIPART", "MESSAGE"):
        part.kind, part.subtype = "APPLICATION", "OCTET-STREAM"
    return part


def _parts(part: Part) -> list[Part]:
    raw, depth = part.raw, part.depth + 1
    if part.is_multipart:
        boundary = (part.parameter("BOUNDARY") or "").encode("utf-8", "surrogateescape")
        inner = "MESSAGE" if part.subtype == "DIGEST" else "TEXT"
        found = [_parsed(raw, low, high, inner, depth) for low, high in _between(raw, part.body, part.end, boundary)]
        # Broken: one empty part, as there must be one.
        return found or [Part(raw, part.end, part.end, part.end, parameters=[("charset", "us-ascii")])]
    if part.kind == "MESSAGE" and part.subtype == "RFC822":
        return [_parsed(raw, part.body, part.end, "TEXT", depth)]
    return []


def _body_start(raw: bytes, start: int, end: int) -> int:
    if raw.startswith(b"\r\n", start, end):
        return start + 2
    if raw.startswith(b"\n", start, end):
        return start + 1
    found = _EMPTY_LINE.search(raw, start, end)
    return end if found is None else found.end()


def _fields(header: bytes) -> dict[str, list[bytes]]:
    fields: dict[str, list[bytes]] = {}
    for name, value in _FIELD.findall(header):
        fields.setdefault(name.decode("ascii").upper(), []).append(_unfolded(value))
    return fields


def _unfolded(value: bytes) -> bytes:
    value = value.strip()
    return re.sub(rb"\r?\n(?=[ \t])", b"", value) if b"\n" in value else value


def _read_type(part: Part, default: str) -> None:
    text = part.first("CONTENT-TYPE")
    if text is not None:
        text = _COMMENT.sub("", text) if "(" in text else text
        kind, _, rest = text.partition("/")
        subtype = _TOKEN.match(rest.lstrip())
        if subtype is not None and _TOKEN.fullmatch(kind.strip()):
            part.kind, part.subtype = kind.strip().upper(), subtype[0].upper()
            part.parameters = parameters_of(text)
            if part.kind == "TEXT" and part.parameter("CHARSET") is None:
                part.parameters.insert(0, ("charset", "us-ascii"))
            return
    if default == "MESSAGE":
        part.kind, part.subtype = "MESSAGE", "RFC822"
    else:
        part.parameters = [("charset", "us-ascii")]


def parameters_of(text: str) -> list[tuple[str, str]]:
    """Return the parameters of a header field as they are written, unquoted."""
    found = []
    for name, value in _PARAMETER.findall(text):
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1] if value.endswith('"') else value[1:])
        found.append((name, value))
    return found


def _between(raw: bytes, start: int, end: int, boundary: bytes) -> Iterable[tuple[int, int]]:
    """Yield where the parts between the boundary's lines begin and end."""
    if not boundary:
        return
    delimiter = re.compile(rb"(?:\A|(?:\r?\n))--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    view = raw[start:end]
    low: int | None = None
    position = 0
    while (found := delimiter.search(view, position)) is not None:
        if low is not None:
            yield start + low, start + max(low, found.start())
        if found[1]:
            return
        low = found.end()
        low += 2 if view.startswith(b"\r\n", low) else 1 if view.startswith(b"\n", low) else 0
        # The line end behind one boundary may be the one in front of the next.
        position = found.end()
    if low is not None and low <= len(view):
        yield start + low, end


# Sections


class UnknownEncodingError(Exception):
    """A part's Content-Transfer-Encoding is unknown."""


def decoded_content(part: Part) -> bytes:
    """Return a part's content without its transfer encoding. Raises UnknownEncodingError."""
    encoding = (part.first("CONTENT-TRANSFER-ENCODING") or "7bit").strip().lower()
    if encoding == "base64":
        data = re.sub(rb"[^A-Za-z0-9+/]", b"", part.content.partition(b"=")[0])
        return base64.b64decode(data[: len(data) - (len(data) % 4 == 1)] + b"==")
    if encoding == "quoted-printable":
        return quopri.decodestring(part.content)
    if encoding not in ("7bit", "8bit", "binary"):
        raise UnknownEncodingError
    return part.content


def section(message: Part, numbers: Collection[int], kind: str, names: Collection[str] = ()) -> bytes | None:
    """Return a section of a message (RFC 3501 section 6.4.5), None if there is none.

    `kind` is empty, HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or MIME.
    """
    part = find(message, numbers)
    if part is None:
        return None
    if kind == "MIME":
        return part.header
    if numbers and not kind:
        return part.content
    if numbers:
        if not part.is_message:
            return None
        part = part.parts[0]
    if not kind:
        return part.raw[part.start : part.end]
    if kind == "TEXT":
        return part.content
    if kind == "HEADER":
        return part.header
    return picked_fields(part.header, names, without=kind.endswith(".NOT"))


def find(message: Part, numbers: Iterable[int]) -> Part | None:
    """Return the part with that number, None if there is none. No numbers: the message."""
    part = message
    for depth, number in enumerate(numbers):
        if depth and part.is_message:
            part = part.parts[0]
        elif depth and not part.is_multipart:
            return None
        if part.is_multipart:
            if not 0 < number <= len(part.parts):
                return None
            part = part.parts[number - 1]
        elif number != 1:
            return None
    return part


def picked_fields(header: bytes, names: Collection[str], *, without: bool) -> bytes:
    """Return those fields of a header that are named (in capitals), or the others, and an empty line."""
    lines: list[bytes] = []
    wanted = False
    for line in header.splitlines(keepends=True):
        if not line.strip(b"\r\n"):
            continue
        if not line.startswith((b" ", b"\t")):
            name = line.partition(b":")[0].strip().upper().decode("ascii", "replace")
            wanted = (name in names) != without
        if wanted:
            lines.append(line)
    return b"".join(lines) + b"\r\n"
