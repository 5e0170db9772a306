"""Addresses as people write them, taken apart: ``Ada Lovelace <ada@example.org>`` is a name and an address.

Text is parsed by the grammar of RFC 5322 section 3.4, with the characters of RFC 6532; what the grammar leaves in
doubt is refused, never guessed: one reading here and another at the server would send mail to the wrong person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, Union

from netclients.errors import ConfigurationError, printable
from netclients.wire import arguments

if TYPE_CHECKING:
    from email.headerregistry import Address

__all__ = [
    "AddressLike",
    "Addresses",
    "Mailbox",
    "all_in_ascii",
    "ascii_domain",
    "checked_address",
    "distinct",
    "must_be_text",
    "parse_mailboxes",
    "read_mailboxes",
]


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One address: ``name`` is shown to people ("" if there is none), ``address`` is ``local@domain``."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """What follows the last ``@``."""
        return self.address.rpartition("@")[2]


AddressLike: TypeAlias = Union[str, "tuple[str, str]", "Address", Mailbox]
"""Text, a pair of name and address, an :class:`email.headerregistry.Address`, or a :class:`Mailbox`."""

Addresses: TypeAlias = AddressLike | Iterable[AddressLike]
"""One, or several; text may hold several too, with commas between them."""

# A name without quotes, and an address without anything that could hide a bracket: nearly all there are.
_PLAIN = re.compile(r'([^\x00-\x1f"(),:;<>@\[\]\\\x7f]*)<([^\x00-\x20"(),:;<>\\\x7f]+)>')
_BARE = re.compile(r'[^\x00-\x20"(),:;<>\\\x7f]+')
_TOKENS = re.compile(
    r"(?P<space>[ \t]+)"
    r'|(?P<quoted>"(?:[^"\\\x00-\x08\x0a-\x1f\x7f]|\\[\t\x20-\x7e])*")'
    r'|(?P<angle><(?:[^"<>\\\x00-\x1f\x7f]|"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*")*>)'
    r"|(?P<literal>\[[^\[\]\\\x00-\x1f\x7f]*\])"
    r"|(?P<special>[,:;@(])"
    r'|(?P<atom>[^\x00-\x20"(),:;<>@\[\]\\\x7f]+)'
)
_COMMENT = re.compile(r"[()]|\\[\t\x20-\x7e]|[^()\\\x00-\x08\x0a-\x1f\x7f]+")
_ESCAPE = re.compile(r"\\(.)")


def checked_address(address: str, where: str) -> str:
    """Return ``address`` if it is ``local@domain`` (RFC 5321 Mailbox; RFC 6531 beyond ASCII).

    Raises:
        ConfigurationError: it is not; ``where`` tells whose it is.
    """
    try:
        arguments.mailbox(address)
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None
    if "@" not in address or (address.endswith('"') and address.startswith('"')):
        raise ConfigurationError(f"{where}: {printable(address)!r} has no domain")
    return address


def read_mailboxes(value: Addresses, where: str) -> tuple[Mailbox, ...]:
    """Return the mailboxes that the argument called ``where`` holds, in order.

    Raises:
        ConfigurationError: one of them is no address, or a group of addresses.
    """
    if isinstance(value, str) and not hasattr(value, "addresses"):
        return parse_mailboxes(value, where)
    return tuple(_each(value, where))


def _each(value: Any, where: str) -> Iterator[Mailbox]:
    # ("Ada", "ada@example.org") is a person, ("ada@example.org", "bob@example.org") are two.
    one_pair = _is_pair(value) and "@" not in value[0]
    if one_pair or isinstance(value, (str, bytes, bytearray)) or not isinstance(value, Iterable):
        yield from _single(value, where)
    else:
        for one in value:
            yield from _single(one, where)


def _single(value: Any, where: str) -> Iterable[Mailbox]:
    if isinstance(value, Mailbox):
        return [_mailbox(value.name, value.address, where)]
    if isinstance(value, str):
        # A header of an EmailMessage is text too, but has been taken apart already.
        parsed = getattr(value, "addresses", None)
        return parse_mailboxes(value, where) if parsed is None else _each(parsed, where)
    if hasattr(value, "addr_spec"):
        return [_mailbox(value.display_name, value.addr_spec, where)]
    if _is_pair(value):
        return [_mailbox(value[0], value[1], where)]
    raise ConfigurationError(f"{where}: a {type(value).__name__} is not an address")


def must_be_text(value: object, where: str) -> None:
    """Raise ConfigurationError unless ``value`` is text; ``where`` tells which argument it is."""
    if not isinstance(value, str):
        raise ConfigurationError(f"{where}: a {type(value).__name__} is not text")


def _is_pair(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and all(isinstance(text, str) for text in value)


def _mailbox(name: str, address: str, where: str) -> Mailbox:
    _check_name(name, where)
    return Mailbox(name, checked_address(address, where))


def _check_name(name: str, where: str) -> None:
    if "\r" in name or "\n" in name or "\0" in name:
        raise ConfigurationError(f"{where}: a name must not contain CR, LF or NUL: {printable(name)!r}")


def parse_mailboxes(text: str, where: str, *, groups: bool = False) -> tuple[Mailbox, ...]:
    """Return the mailboxes in ``text``, which has commas between them (RFC 5322 section 3.4).

    Args:
        text: as it stands in a header, unfolded.
        where: what to call it in an error.
        groups: take the members of ``friends: a@example.org, b@example.org;`` instead of refusing it.

    Raises:
        ConfigurationError: it is not a list of addresses, or there is none in it.
    """
    stripped = text.strip(" \t")
    if match := _PLAIN.fullmatch(stripped):
        name = match[1].rstrip(" \t")
        if "=?" not in name:
            return (Mailbox(name, checked_address(match[2], where)),)
    elif _BARE.fullmatch(stripped):
        return (Mailbox("", checked_address(stripped, where)),)
    found = tuple(_parse(text, where, groups))
    if not found and not groups:
        raise ConfigurationError(f"{where}: no address in {printable(text)!r}")
    return found


def _parse(text: str, where: str, groups: bool) -> Iterator[Mailbox]:
    in_group = False
    item: list[tuple[str, str]] = []
    for kind, found in [*_tokens(text, where), ("special", ",")]:
        if kind != "special" or found == "@":
            item.append((kind, found))
            continue
        if found == ":":
            if in_group or not item or not groups:
                raise ConfigurationError(f"{where}: groups of addresses can't be used here: {printable(text)!r}")
            in_group = True
        elif any(kind != "space" for kind, _ in item):
            yield _one(item, where, text)
        if found == ";":
            if not in_group:
                raise ConfigurationError(f"{where}: addresses are separated by commas: {printable(text)!r}")
            in_group = False
        item = []
    if in_group:
        raise ConfigurationError(f"{where}: a group without its semicolon: {printable(text)!r}")


def _tokens(text: str, where: str) -> Iterator[tuple[str, str]]:
    """Cut ``text`` into words, quoted strings, brackets and specials; comments become space."""
    position = 0
    while position < len(text):
        match = _TOKENS.match(text, position)
        if match is None:
            raise ConfigurationError(f"{where}: not an address: {printable(text)!r}")
        position = match.end()
        if match[0] == "(":
            position = _after_comment(text, position, where)
            yield "space", " "
        else:
            yield match.lastgroup or "", match[0]


def _after_comment(text: str, position: int, where: str) -> int:
    depth = 1
    while depth:
        match = _COMMENT.match(text, position)
        if match is None:
            raise ConfigurationError(f"{where}: a comment without its end: {printable(text)!r}")
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        position = match.end()
    return position


def _one(item: list[tuple[str, str]], where: str, text: str) -> Mailbox:
    while item[-1][0] == "space":
        item.pop()
    if item[-1][0] == "angle":
        phrase = item[:-1]
        if all(kind in ("space", "atom", "quoted") for kind, _ in phrase):
            name = _phrase(phrase)
            _check_name(name, where)
            return Mailbox(name, checked_address(item[-1][1][1:-1].strip(" \t"), where))
    else:
        address = "".join(token for _, token in item).strip(" \t")
        if "@" in address:
            return Mailbox("", checked_address(address, where))
    raise ConfigurationError(
        f"{where}: not an address: {printable(text)!r}; a name with special characters needs quotes, "
        "as in '\"Lovelace, Ada\" <ada@example.org>'"
    )


def _phrase(tokens: list[tuple[str, str]]) -> str:
    words = [_ESCAPE.sub(r"\1", token[1:-1]) if kind == "quoted" else token for kind, token in tokens]
    if not any(kind == "atom" and "=?" in token for kind, token in tokens):
        return "".join(" " if kind == "space" else word for (kind, _), word in zip(tokens, words, strict=True)).strip()
    return _decoded("".join(words)).strip()


def _decoded(text: str) -> str:
    """Decode the encoded words of RFC 2047; what can't be decoded stays as it is."""
    from email.errors import HeaderParseError
    from email.header import decode_header, make_header

    try:
        return str(make_header(decode_header(text)))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        return text


def distinct(mailboxes: Iterable[Mailbox]) -> tuple[str, ...]:
    """Return the addresses, each once; the case of domains makes no difference, that of local parts may."""
    found: dict[str, str] = {}
    for mailbox in mailboxes:
        local, _, domain = mailbox.address.rpartition("@")
        found.setdefault(f"{local}@{domain.lower()}", mailbox.address)
    return tuple(found.values())


def all_in_ascii(addresses: Iterable[str]) -> tuple[str, ...] | None:
    """Return ``addresses`` with their domains in A-labels (RFC 5891); None if that is not enough for one of them."""
    found: list[str] = []
    for address in addresses:
        local, _, domain = address.rpartition("@")
        labels = ascii_domain(domain) if local.isascii() else None
        if labels is None:
            return None
        found.append(f"{local}@{labels}")
    return tuple(found)


def ascii_domain(domain: str) -> str | None:
    """Return ``domain`` in A-labels; None if it has none."""
    if domain.isascii():
        return domain
    import idna

    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except UnicodeError:  # idna's errors are of this kind
        return None
