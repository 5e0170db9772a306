"""Criteria that are composed, and how they are written (RFC 9051 section 6.4.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn, TypeAlias, Unpack

from netclients.errors import ConfigurationError, printable
from netclients.imap.arguments import Literal, Piece, astring, concatenated, label
from netclients.imap.arguments.strings import shown
from netclients.imap.search.keys import Key, Keywords, LabelText, keys_of
from netclients.imap.search.raw import raw_key

__all__ = ["Criterion", "Program", "Q", "criteria"]

# Groups within groups. Servers have limits too; and within this one a query can be compared, shown and pickled.
_DEEPEST = 100


@dataclass(frozen=True, slots=True)
class Program:
    """What stands behind SEARCH, SORT or THREAD.

    ``pieces`` are sent as they stand, one behind the other. ``charset`` is to be named before them: ``"UTF-8"``, or
    None. ``requires``: extensions that the server must have (``WITHIN``, ``CONDSTORE``, ``X-GM-EXT-1``, …); what raw
    text needs is not known.
    """

    pieces: tuple[Piece, ...]
    charset: str | None = None
    requires: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Group:
    """``operator``: AND, OR (never one member), NOT, FUZZY (always one). AND of none is ALL."""

    operator: str
    members: tuple[_Node, ...]
    depth: int


_Node: TypeAlias = Key | _Group


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Q:
    """Criteria of a search: ``Q(unseen=True, from_="boss@") | Q(subject="x") & ~Q(flagged=True)``.

    All that is given must hold: keywords (see :class:`Keywords`), other criteria, text in IMAP's words. ``&``, ``|``
    and ``~`` make new ones. ``Q()`` finds all messages.

    Raises:
        ConfigurationError: an unknown keyword, a value that it does not take, or more than 100 levels of groups. Empty
            lists and None are refused: a criterion that is left out finds messages that were not meant.
    """

    _node: _Node

    def __init__(self, *values: Criterion, **keywords: Unpack[Keywords]) -> None:
        nodes = [_node_of(value) for value in values]
        if keywords:
            nodes.append(_node_of(keywords))
        object.__setattr__(self, "_node", _group("AND", nodes))

    def __and__(self, other: Q) -> Q:
        return self._with("AND", other)

    def __or__(self, other: Q) -> Q:
        return self._with("OR", other)

    def _with(self, operator: str, other: object) -> Q:
        return _query(_group(operator, (self._node, other._node))) if isinstance(other, Q) else NotImplemented

    def __invert__(self) -> Q:
        node = self._node
        if isinstance(node, _Group) and node.operator == "NOT":
            return _query(node.members[0])
        return _query(_group("NOT", (node,)))

    def __bool__(self) -> NoReturn:
        # `Q(a=…) and Q(b=…)` would be its right side alone, without a word.
        raise ConfigurationError("a search is neither true nor false: combine with &, | and ~, not with and, or, not")

    def __repr__(self) -> str:
        pieces = criteria(self, utf8=True).pieces
        text = b"".join(repr(p.data).encode() if isinstance(p, Literal) else p for p in pieces)
        return f"<Q {printable(text.decode('utf-8', 'replace'))}>"


Criterion: TypeAlias = Q | str | Mapping[str, object] | Sequence["Criterion"]
"""What names messages: a :class:`Q`, text in IMAP's words, keywords and values, or several of these that all hold."""


def criteria(*values: Criterion | None, utf8: bool = False, **keywords: Unpack[Keywords]) -> Program:
    """Write what is to be searched for; all of it must hold. Nothing at all, or None, is ALL.

    With ``utf8`` (UTF8=ACCEPT is enabled, RFC 6855; or IMAP4rev2) text other than ASCII is quoted, and no character
    set is named, since the server would refuse one.

    Raises:
        ConfigurationError: see :class:`Q`.
    """
    given = [value for value in values if value is not None]
    whole = given[0] if len(given) == 1 and not keywords and isinstance(given[0], Q) else Q(*given, **keywords)
    pieces: list[Piece] = []
    charset: str | None = None
    requires: set[str] = set()
    for part in _written(whole._node):
        if isinstance(part, Key):
            pieces += (_encoded(text, utf8=utf8) for text in part.parts)
            if part.requires:
                requires.add(part.requires)
            if not utf8 and any(type(text) is str and not text.isascii() for text in part.parts):
                charset = "UTF-8"
        else:
            pieces.append(part)
            if part == b"FUZZY ":
                requires.add("SEARCH=FUZZY")
    return Program(concatenated(pieces), charset, frozenset(requires))


def _query(node: _Node) -> Q:
    query = object.__new__(Q)
    object.__setattr__(query, "_node", node)
    return query


def _node_of(value: object, level: int = 0) -> _Node:
    if level > _DEEPEST:
        raise ConfigurationError(f"a search has more than {_DEEPEST} levels")
    if isinstance(value, Q):
        return value._node
    if isinstance(value, str):
        return raw_key(value)
    if isinstance(value, Mapping):
        nodes: list[_Node] = []
        for name, of_name in value.items():
            if name == "fuzzy":
                nodes.append(_group("FUZZY", (_node_of(of_name, level + 1),)))
            else:
                nodes += keys_of(name, of_name)
    elif isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        nodes = [_node_of(one, level + 1) for one in value]
    else:
        raise ConfigurationError(f"{shown(value)} is not a criterion of a search")
    if not nodes:
        raise ConfigurationError(f"{shown(value)} has no criteria: Q() is what finds all messages")
    return _group("AND", nodes)


def _group(operator: str, nodes: Sequence[_Node]) -> _Node:
    members: list[_Node] = []
    depth = 1
    for node in nodes:
        if isinstance(node, Key):
            members.append(node)
        elif node.operator == operator and operator in ("AND", "OR"):
            members += node.members
            depth = max(depth, node.depth)
        else:
            members.append(node)
            depth = max(depth, node.depth + 1)
    if len(members) == 1 and operator in ("AND", "OR"):
        return members[0]
    if depth > _DEEPEST:
        raise ConfigurationError(f"a search has more than {_DEEPEST} levels")
    return _Group(operator, tuple(members), depth)


def _written(root: _Node) -> Iterator[Key | bytes]:
    """Yield keys and what stands between them, in order; parentheses only where one key must stand for several.

    OR takes two: more are halved until they are two, so that 10,000 of them are 14 levels deep and not 9,999.
    """
    if isinstance(root, _Group) and root.operator == "AND" and root.members:
        todo: list[_Node | bytes | tuple[_Node, ...]] = list(reversed(_spaced(root.members)))
    else:
        todo = [root]
    while todo:
        item = todo.pop()
        if isinstance(item, (Key, bytes)):
            yield item
        elif isinstance(item, tuple):
            if len(item) == 1:
                todo.append(item[0])
            else:
                yield b"OR "
                middle = len(item) // 2
                todo += (item[middle:], b" ", item[:middle])
        elif item.operator == "OR":
            todo.append(item.members)
        elif item.operator != "AND":
            yield item.operator.encode("ascii") + b" "
            todo.append(item.members[0])
        elif item.members:
            yield b"("
            todo += (b")", *reversed(_spaced(item.members)))
        else:
            yield b"ALL"


def _spaced(nodes: Sequence[_Node]) -> list[_Node | bytes | tuple[_Node, ...]]:
    spaced: list[_Node | bytes | tuple[_Node, ...]] = []
    for node in nodes:
        spaced += (node, b" ")
    return spaced[:-1]


def _encoded(part: bytes | str, *, utf8: bool) -> Piece:
    if isinstance(part, LabelText):
        return label(part, utf8=utf8)
    return astring(part, utf8=utf8) if isinstance(part, str) else part
