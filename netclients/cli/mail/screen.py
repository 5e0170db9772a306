"""What strangers have written, as a terminal may see it."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from rich.cells import cell_len, set_cell_size

from netclients.errors import NotFetched, ProtocolError, printable

if TYPE_CHECKING:
    from netclients.mail.reading import Address

__all__ = ["column", "names_of", "plain_text", "told", "visible"]

T = TypeVar("T")

_TAG = re.compile(r"/?[a-zA-Z][a-zA-Z0-9]*")
_SPACE = re.compile(r"[ \t\r\n\f]+")
_HIDDEN = frozenset({"script", "style", "head", "title"})
_BREAKS = frozenset(
    {"address", "article", "blockquote", "br", "dd", "div", "dl", "dt", "footer", "form", "header", "hr", "li", "ol"}
    | {"h1", "h2", "h3", "h4", "h5", "h6", "p", "pre", "section", "table", "tr", "ul"}
)


def visible(text: str) -> str:
    """Return ``text`` with all control characters escaped but line feeds and tabs; CRLF is one line feed."""
    text = text.replace("\r\n", "\n")
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode("ascii") for c in text)


def column(text: str, width: int) -> str:
    """Return ``text`` in exactly ``width`` columns of a terminal, escaped; what does not fit ends in an ellipsis."""
    text = printable(text)
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(set_cell_size(text, width - 1).rstrip() + "…", width)


def told(read: Callable[[], T]) -> T | None:
    """Return what a server has told, None if it has not, or makes no sense."""
    try:
        return read()
    except (NotFetched, ProtocolError):
        return None


def names_of(addresses: tuple[Address, ...]) -> str:
    """Return whom a reader would see: names, or addresses where there is none."""
    return ", ".join(address.name or address.address for address in addresses)


def plain_text(source: str) -> str:
    """Return what can be read in HTML, in linear time whatever it is: tags go, blocks become lines."""
    first, *pieces = source.split("<")
    words = [first]
    hidden = ""
    for piece in pieces:
        tag, _, text = piece.partition(">")
        match = _TAG.match(tag)
        name = match.group().lower() if match else ""
        if hidden:
            if name != f"/{hidden}":
                continue
            hidden = ""
        elif name in _HIDDEN:
            hidden = name
            continue
        elif not name and not tag.startswith(("!", "?")):
            words.append(f"<{piece}")
            continue
        if name.removeprefix("/") in _BREAKS:
            words.append("\0")
        words.append(text)
    lines = [_SPACE.sub(" ", line).strip() for line in html.unescape("".join(words)).split("\0")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n"
