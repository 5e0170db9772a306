"""Criteria in IMAP's own words, as a caller writes them."""

from __future__ import annotations

import re

from netclients.errors import ConfigurationError
from netclients.imap.arguments.strings import shown
from netclients.imap.search.keys import Key

__all__ = ["raw_key"]

_FORBIDDEN = re.compile(r"[\r\n\0]")
_TOKEN = re.compile(r'"((?:[^"\\]|\\["\\])*)"|([()])|([^ ()"]+)| +')
_ESCAPED = re.compile(r'\\(["\\])')


def raw_key(text: str) -> Key:
    """Return ``text`` as one criterion, in parentheses. Words and quoted strings that are not ASCII become strings.

    Raises:
        ConfigurationError: it is empty, has CR, LF or NUL, or its quotes or parentheses don't match: then it would not
            be one criterion.
    """
    if _FORBIDDEN.search(text):
        raise ConfigurationError(f"a search must not contain CR, LF or NUL: {shown(text)}")
    if not text.strip(" "):
        raise ConfigurationError("an empty text is no search")
    parts: list[bytes | str] = [b"("]
    position = depth = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        depth += {"(": 1, ")": -1}.get(token[2], 0) if token else 0
        if not token or depth < 0:
            break
        parts.append(token[0].encode("ascii") if token[0].isascii() else _string(token[1], token[3]))
        position = token.end()
    if position < len(text) or depth:
        raise ConfigurationError(f"quotes or parentheses of a search don't match: {shown(text)}")
    return Key((*parts, b")"))


def _string(quoted: str | None, word: str) -> str:
    text = word if quoted is None else _ESCAPED.sub(r"\1", quoted)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ConfigurationError(f"{shown(text)} can't be written in UTF-8") from None
    return text
