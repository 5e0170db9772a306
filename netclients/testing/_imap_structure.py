"""ENVELOPE, BODY and BODYSTRUCTURE of messages (RFC 3501 section 7.4.2), out of their bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ._imap_mime import Part, parameters_of
from ._imap_syntax import quoted

_PIECE = re.compile(
    r'\s+|(?P<comment>\()|(?P<quoted>"(?:[^"\\]|\\.)*"?)|(?P<literal>\[[^\]]*\]?)|(?P<special>[<>,;:@])'
    r'|(?P<word>[^\s()<>,;:@"\[]+)|(?P<other>.)',
    re.DOTALL,
)

_SIMPLE = re.compile(r"""(?:(?:"([^"\\]+)"|([\w.+-]+(?: [\w.+-]+)*))\s+)?<([\w.+-]+)@([\w.-]+)>""")
"""What most fields hold; it says what the rest of this says, sooner."""

_Address = tuple[str | None, str | None, str | None, str | None]


def envelope(message: Part) -> bytes:
    """Return an ENVELOPE."""
    sender = _addresses(message, "FROM")
    values = [
        quoted(message.first("DATE")),
        quoted(message.first("SUBJECT")),
        sender,
        _addresses(message, "SENDER", sender),
        _addresses(message, "REPLY-TO", sender),
        _addresses(message, "TO"),
        _addresses(message, "CC"),
        _addresses(message, "BCC"),
        quoted(message.first("IN-REPLY-TO")),
        quoted(message.first("MESSAGE-ID")),
    ]
    return b"(" + b" ".join(values) + b")"


def _addresses(message: Part, name: str, otherwise: bytes = b"NIL") -> bytes:
    text = ",".join(value.decode("utf-8", "surrogateescape") for value in message.fields.get(name, ()))
    found = addresses(text)
    if not found:
        return otherwise
    return b"(" + b"".join(b"(" + b" ".join(map(quoted, address)) + b")" for address in found) + b")"


def addresses(text: str) -> list[_Address]:
    """Return the addresses of a field: name, route, mailbox, host; a group begins and ends with no host."""
    simple = _SIMPLE.fullmatch(text)
    if simple is not None:
        return [(simple[1] or simple[2], None, simple[3], simple[4])]
    return list(_grouped(_pieces(text)))


def _pieces(text: str) -> Iterable[tuple[str, str]]:
    position = 0
    while position < len(text):
        found = _PIECE.match(text, position)
        assert found is not None
        position = found.end()
        kind = found.lastgroup
        if kind == "comment":
            start, depth = position, 1
            while position < len(text) and depth:
                depth += {"(": 1, ")": -1}.get(text[position], 0)
                position += 2 if text[position] == "\\" else 1
            yield "comment", text[start : position - 1]
        elif kind == "quoted":
            yield "word", re.sub(r"\\(.)", r"\1", found[0][1:].removesuffix('"'))
        elif kind is not None:
            yield ("word" if kind in ("literal", "other") else kind), found[0]
        else:
            yield "space", " "


def _grouped(pieces: Iterable[tuple[str, str]]) -> Iterable[_Address]:
    words: list[tuple[str, str]] = []
    group = angle = False
    for kind, text in pieces:
        if kind != "special" or text == "@" or (angle and text != ">"):
            words.append((kind, text))
            continue
        if text in "<>":
            angle = text == "<"
            words.append((kind, text))
        elif text == ":":
            group = True
            yield None, None, _phrase(words), None
            words = []
        else:
            yield from _one(words)
            words = []
            if text == ";" and group:
                group = False
                yield None, None, None, None
    yield from _one(words)
    if group:
        yield None, None, None, None


def _one(words: list[tuple[str, str]]) -> Iterable[_Address]:
    bare = [(kind, text) for kind, text in words if kind not in ("space", "comment")]
    if not bare:
        return
    comment = next((text for kind, text in words if kind == "comment"), None)
    if ("special", "<") in words:
        start = words.index(("special", "<"))
        name = _phrase(words[:start])
        inner = [text for kind, text in words[start + 1 :] if kind not in ("space", "comment") and text != ">"]
    else:
        name, inner = None, [text for _, text in bare]
    route = None
    if inner[:1] == ["@"] and ":" in inner:
        end = inner.index(":")
        route, inner = "".join(inner[:end]), inner[end + 1 :]
    if "@" in inner:
        at = len(inner) - 1 - inner[::-1].index("@")
        mailbox, host = "".join(inner[:at]), "".join(inner[at + 1 :])
    else:
        mailbox, host = "".join(inner), ""
    yield name or comment, route, mailbox, host


def _phrase(words: list[tuple[str, str]]) -> str | None:
    text = "".join(text for kind, text in words if kind != "comment").strip()
    return re.sub(r"\s+", " ", text) or None


# Structures


def structure(part: Part, *, extended: bool) -> bytes:
    """Return BODYSTRUCTURE, or BODY without extension data."""
    if part.is_multipart:
        return _multipart(part, extended)
    content = part.content
    items = [
        quoted(part.kind.lower()),
        quoted(part.subtype.lower()),
        _parameters(part.parameters),
        quoted(part.first("CONTENT-ID")),
        quoted(part.first("CONTENT-DESCRIPTION")),
        quoted((part.first("CONTENT-TRANSFER-ENCODING") or "7bit").lower()),
        b"%d" % len(content),
    ]
    if part.is_message:
        inner = part.parts[0]
        items += [envelope(inner), structure(inner, extended=extended), b"%d" % content.count(b"\n")]
    elif part.kind == "TEXT":
        items.append(b"%d" % content.count(b"\n"))
    if extended:
        items += [quoted(part.first("CONTENT-MD5")), *_extension(part)]
    return b"(" + b" ".join(items) + b")"


def _multipart(part: Part, extended: bool) -> bytes:
    inner = b"".join(structure(child, extended=extended) for child in part.parts)
    items = [inner, quoted(part.subtype.lower())]
    if extended:
        items += [_parameters(part.parameters), *_extension(part)]
    return b"(" + b" ".join(items) + b")"


def _extension(part: Part) -> list[bytes]:
    disposition = part.first("CONTENT-DISPOSITION")
    shown = b"NIL"
    if disposition is not None:
        kind = quoted(disposition.partition(";")[0].strip().lower())
        shown = b"(" + kind + b" " + _parameters(parameters_of(disposition)) + b")"
    languages = re.findall(r"[A-Za-z0-9-]+", part.first("CONTENT-LANGUAGE") or "")
    language = b"NIL" if not languages else b"(" + b" ".join(map(quoted, languages)) + b")"
    return [shown, language, quoted(part.first("CONTENT-LOCATION"))]


def _parameters(parameters: list[tuple[str, str]]) -> bytes:
    if not parameters:
        return b"NIL"
    return b"(" + b" ".join(quoted(text) for pair in parameters for text in (pair[0].lower(), pair[1])) + b")"
