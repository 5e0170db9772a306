"""What is asked for: items of FETCH, sections of a body, items of STATUS, keys of SORT."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from netclients.errors import ConfigurationError
from netclients.imap.arguments.strings import atom, listed, must_be_text, quoted, shown
from netclients.imap.arguments.values import number

__all__ = [
    "fetch_items",
    "header_name",
    "header_names",
    "partial",
    "section",
    "section_part",
    "sort_keys",
    "status_items",
]

_LARGEST_PART = 2**32 - 1
_LONGEST_NAME = 998  # RFC 5322 section 2.1.1: no line of a header is longer

_PART = re.compile(r"[1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*")
_SECTION = re.compile(
    rf"(?P<part>{_PART.pattern})?(?P<dot>\.)?"
    r"(?:(?P<text>TEXT|MIME|HEADER)|(?P<fields>HEADER\.FIELDS(?:\.NOT)?) \((?P<names>.*)\))?",
    re.IGNORECASE,
)
# RFC 5322 section 3.6.8: any printable ASCII but the colon. Those that an astring can't have are quoted.
_FIELD_NAME = re.compile(r"[!-9;-~]+")
_PLAIN_NAME = re.compile(r"[^\"\\(){%*]+")
_NAMES = re.compile(r'\s*(?:"((?:[^"\\]|\\["\\])*)"|([^\s"()]+))(?=\s|$)')
_ESCAPED = re.compile(r'\\(["\\])')

_ITEM = re.compile(r"(BODY|BINARY)(\.PEEK|\.SIZE)?\[([^\]]*)\](?:<([0-9]{1,19})\.([0-9]{1,19})>)?", re.IGNORECASE)
_WITH_PARAMETERS = re.compile(r"([^\s()]+)(?: \(([^()]+)\))?")
_NOT_PEEKING = {"RFC822": "BODY[]", "RFC822.TEXT": "BODY[TEXT]"}
_MACROS = ("ALL", "FAST", "FULL")

_SORT_KEYS = frozenset(
    # RFC 5256 section 3; RFC 5957; RFC 6203 section 5
    ("ARRIVAL", "CC", "DATE", "FROM", "SIZE", "SUBJECT", "TO", "DISPLAYFROM", "DISPLAYTO", "RELEVANCY")
)


def section(spec: str) -> bytes:
    """Encode what stands in the brackets of ``BODY[…]`` (RFC 9051 section 6.4.5, ``section-spec``).

    That is ``""``, ``"1.2"``, ``"HEADER"``, ``"TEXT"``, ``"1.2.MIME"``, ``"HEADER.FIELDS (Subject From)"``,
    ``"1.2.HEADER.FIELDS.NOT (Received)"``; names of fields may be quoted.

    Raises:
        ConfigurationError: it is none of these.
    """
    must_be_text(spec, "a section")
    found = _SECTION.fullmatch(spec)
    word = found and (found["text"] or found["fields"] or "")
    if not found or (found["dot"] is not None) != bool(found["part"] and word):
        raise ConfigurationError(f"{shown(spec)} is not a section of a message")
    assert word is not None
    if word.upper() == "MIME" and not found["part"]:
        raise ConfigurationError(f"{shown(spec)} is not a section of a message: MIME belongs to a part")
    encoded = section_part(found["part"]) if found["part"] else b""
    encoded += b"." * bool(found["dot"]) + word.upper().encode("ascii")
    return b"%b %b" % (encoded, header_names(_split_names(spec, found["names"]))) if found["fields"] else encoded


def section_part(spec: str) -> bytes:
    """Encode the number of a part, such as ``"1.2"``: what ``BINARY[…]`` takes (RFC 3516).

    Raises:
        ConfigurationError: it is none.
    """
    must_be_text(spec, "the number of a part")
    if not _PART.fullmatch(spec) or any(int(n) > _LARGEST_PART for n in spec.split(".")):
        raise ConfigurationError(f"{shown(spec)} is not the number of a part")
    return spec.encode("ascii")


def header_name(name: str) -> bytes:
    """Encode the name of a header field, in the case that it has; quoted where it must be.

    Raises:
        ConfigurationError: it is empty, or has a space, a colon or anything but printable ASCII.
    """
    must_be_text(name, "the name of a header field")
    if not _FIELD_NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise ConfigurationError(f"{shown(name)} is not the name of a header field")
    encoded = name.encode("ascii")
    return encoded if _PLAIN_NAME.fullmatch(name) and name.upper() != "NIL" else quoted(encoded)


def header_names(names: Iterable[str]) -> bytes:
    """Encode names of header fields as a list, in the order given.

    Raises:
        ConfigurationError: there are none, or one is no such name.
    """
    encoded = [header_name(name) for name in listed(names, "names of header fields")]
    if not encoded:
        raise ConfigurationError("no names of header fields were given")
    return b"(%b)" % b" ".join(encoded)


def partial(offset: int, count: int) -> bytes:
    """Encode which bytes of a section are wanted: ``<offset.count>`` (RFC 9051 section 6.4.5).

    Raises:
        ConfigurationError: ``offset`` is negative or ``count`` less than 1.
    """
    return b"<%b.%b>" % (number(offset), number(count, 1))


def fetch_items(
    *,
    flags: bool = False,
    size: bool = False,
    envelope: bool = False,
    structure: bool = False,
    body: bool | str = False,
    uid: bool = True,
    internal_date: bool = False,
    modseq: bool = False,
    headers: Sequence[str] | None = None,
    preview: bool | str = False,
    save_date: bool = False,
    email_id: bool = False,
    thread_id: bool = False,
    extra: Sequence[str] = (),
) -> bytes:
    r"""Encode the items of FETCH as a list (RFC 9051 section 6.4.5). Whatever is read, ``\Seen`` is not set.

    ``body``: the whole message, or one :func:`section` of it. ``headers``: only these fields. ``preview`` (RFC 8970):
    ``"lazy"`` takes only those that the server has at hand. ``extra``: items by their names, such as ``X-GM-LABELS``,
    ``BODY[1.2]<0.100>``, ``BINARY.SIZE[1]``; ``BODY[…]`` and ``BINARY[…]`` are asked for with PEEK.

    Raises:
        ConfigurationError: nothing is asked for, or something that is no item.
    """
    items = [
        name
        for wanted, name in (
            (uid, b"UID"),
            (flags, b"FLAGS"),
            (internal_date, b"INTERNALDATE"),
            (size, b"RFC822.SIZE"),
            (modseq, b"MODSEQ"),
            (envelope, b"ENVELOPE"),
            (structure, b"BODYSTRUCTURE"),
            (save_date, b"SAVEDATE"),
            (email_id, b"EMAILID"),
            (thread_id, b"THREADID"),
        )
        if wanted
    ]
    if preview:
        items.append(b"PREVIEW" if preview is True else b"PREVIEW (%b)" % atom(preview).upper())
    if headers is not None:
        items.append(b"BODY.PEEK[HEADER.FIELDS %b]" % header_names(headers))
    if body is not False:
        items.append(b"BODY.PEEK[%b]" % (b"" if body is True else section(body)))
    items += map(_extra, listed(extra, "items of FETCH"))
    if not items:
        raise ConfigurationError("nothing of the messages is asked for")
    return b"(%b)" % b" ".join(items)


def status_items(items: Iterable[str]) -> bytes:
    """Encode the items of STATUS as a list: ``MESSAGES``, ``UIDNEXT``, ``UNSEEN``, … (RFC 9051 section 6.3.11).

    Raises:
        ConfigurationError: there are none, or one is not a word.
    """
    words = [atom(item).upper() for item in listed(items, "items of STATUS")]
    if not words:
        raise ConfigurationError("no items of STATUS were given")
    return b"(%b)" % b" ".join(words)


def sort_keys(keys: str | Iterable[str]) -> bytes:
    """Encode the order that SORT is to make (RFC 5256 section 3): ``date``, ``-date`` or ``REVERSE DATE``, …

    Raises:
        ConfigurationError: there are none, or one is unknown.
    """
    encoded: list[str] = []
    for key in (keys,) if isinstance(keys, str) else listed(keys, "keys of SORT"):
        must_be_text(key, "a key of SORT")
        upper = key.upper()
        name = upper.removeprefix("-").removeprefix("REVERSE ")
        if name not in _SORT_KEYS or (key.startswith("-") and " " in key):
            raise ConfigurationError(f"{shown(key)} is not a key of SORT: {', '.join(sorted(_SORT_KEYS))}")
        encoded.append(name if upper == name else f"REVERSE {name}")
    if not encoded:
        raise ConfigurationError("no keys of SORT were given")
    return f"({' '.join(encoded)})".encode("ascii")


def _split_names(spec: str, names: str) -> Iterator[str]:
    position = 0
    while names[position:].strip():
        found = _NAMES.match(names, position)
        if not found:
            raise ConfigurationError(f"{shown(spec)} is not a section of a message")
        yield _ESCAPED.sub(r"\1", found[1]) if found[1] is not None else found[2]
        position = found.end()


def _extra(item: str) -> bytes:
    must_be_text(item, "an item of FETCH")
    if found := _ITEM.fullmatch(item):
        return _body(item, *found.groups())
    name = item.upper()
    if name in _MACROS:
        raise ConfigurationError(f"{name} can't stand among other items of FETCH: name what it means")
    if name in _NOT_PEEKING:
        raise ConfigurationError(f"{name} would mark messages as seen: ask for {_NOT_PEEKING[name]}")
    found = _WITH_PARAMETERS.fullmatch(item)
    if not found or "[" in found[1]:
        raise ConfigurationError(f"{shown(item)} is not an item of FETCH")
    if found[2] is None:
        return atom(found[1]).upper()
    return b"%b (%b)" % (atom(found[1]).upper(), b" ".join(atom(word) for word in found[2].split(" ")))


def _body(item: str, name: str, suffix: str | None, spec: str, offset: str | None, count: str | None) -> bytes:
    name, suffix = name.upper(), (suffix or ".PEEK").upper()
    sizes = suffix == ".SIZE"
    if sizes and (name == "BODY" or offset):
        raise ConfigurationError(f"{shown(item)} is not an item of FETCH")
    inner = section_part(spec) if spec and name == "BINARY" else section(spec)
    window = partial(int(offset), int(count)) if offset and count else b""
    return b"%b%b[%b]%b" % (name.encode("ascii"), suffix.encode("ascii"), inner, window)
