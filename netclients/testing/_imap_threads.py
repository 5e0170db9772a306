"""THREAD's two algorithms: ORDEREDSUBJECT and REFERENCES (RFC 5256 section 3)."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from ._imap_fetch import parsed
from ._imap_sort import base_subject, when
from ._imap_store import Stored

_ID = re.compile(r"<[^<>\s]+>")


@dataclass(slots=True, eq=False)
class Node:
    """A message and its answers; without a message where only its answers are known."""

    message: tuple[int, Stored] | None = None
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)

    def shown(self, *, uid: bool) -> str:
        """Return a thread in parentheses."""
        parts: list[str] = []
        node = self
        while True:
            if node.message is not None:
                parts.append(str(node.message[1].uid if uid else node.message[0]))
            if len(node.children) != 1:
                break
            node = node.children[0]
        inner = "".join(child.shown(uid=uid) for child in node.children)
        return f"({' '.join([*parts, *([inner] if inner else [])])})"

    @property
    def date(self) -> dt.datetime:
        """When it was sent; of the first answer if it is not here itself."""
        node = self
        while node.message is None:
            node = node.children[0]
        return when(node.message[1])

    def adopt(self, child: Node) -> None:
        """Make another its child, unless that would make a circle."""
        node: Node | None = self
        while node is not None:
            if node is child:
                return
            node = node.parent
        if child.parent is not None:
            child.parent.children.remove(child)
        child.parent = self
        self.children.append(child)


def by_subject(messages: Iterable[tuple[int, Stored]]) -> list[Node]:
    """ORDEREDSUBJECT: the first of those with one subject, and the others as its answers."""
    groups: dict[str, list[Node]] = {}
    for pair in sorted(messages, key=_sent):
        groups.setdefault(base_subject(pair[1])[0], []).append(Node(pair))
    threads = []
    for first, *others in groups.values():
        first.children = others
        threads.append(first)
    return threads


def _sent(pair: tuple[int, Stored]) -> tuple[dt.datetime, int]:
    return when(pair[1]), pair[0]


def by_references(messages: Iterable[tuple[int, Stored]]) -> list[Node]:
    """REFERENCES: as the messages' References and In-Reply-To say, then by subject."""
    nodes: dict[str, Node] = {}
    for number, message in messages:
        own, references = _ids(message)
        if not own or (own in nodes and nodes[own].message is not None):
            own = f"{own} {number}"
        node = nodes.setdefault(own, Node())
        node.message = (number, message)
        previous: Node | None = None
        for reference in references:
            known = nodes.setdefault(reference, Node())
            if previous is not None and known.parent is None:
                previous.adopt(known)
            previous = known
        if node.parent is not None:  # what the message says itself counts more
            node.parent.children.remove(node)
            node.parent = None
        if previous is not None:
            previous.adopt(node)
    tops = [node for node in nodes.values() if node.parent is None]
    roots = [root for node in tops for root in _pruned(node)]
    threads = _merged(sorted(roots, key=lambda root: root.date))
    for thread in threads:
        _sort(thread)
    return sorted(threads, key=lambda root: root.date)


def _ids(message: Stored) -> tuple[str, list[str]]:
    part = parsed(message)
    own = _ID.search(part.first("MESSAGE-ID") or "")
    references = _ID.findall(part.first("REFERENCES") or "") or _ID.findall(part.first("IN-REPLY-TO") or "")[:1]
    return own[0] if own is not None else "", references


def _pruned(node: Node) -> list[Node]:
    """Drop nodes without a message: their children take their place; at the top only an only child does."""
    order = [node]
    for found in order:
        order += found.children
    for found in reversed(order):
        children: list[Node] = []
        for child in found.children:
            if child.message is None:
                children += child.children
            else:
                children.append(child)
        for child in children:
            child.parent = found
        found.children = children
    if node.message is not None or len(node.children) > 1:
        return [node]
    for child in node.children:
        child.parent = None
    return node.children


def _merged(roots: list[Node]) -> list[Node]:
    """Put threads with one subject together."""
    table: dict[str, Node] = {}
    for root in roots:
        subject, answer = _subject(root)
        known = table.get(subject)
        if subject and (
            known is None
            or (known.message is not None and root.message is None)
            or (known.message is not None and root.message is not None and _subject(known)[1] and not answer)
        ):
            table[subject] = root
    merged: list[Node] = []
    for root in roots:
        subject, answer = _subject(root)
        known = table.get(subject, root)
        if known is root:
            merged.append(root)
        elif known.message is None and root.message is None:
            for child in tuple(root.children):
                known.adopt(child)
        elif known.message is None or (answer and not _subject(known)[1]):
            known.adopt(root)
        else:
            both = Node(children=[known, root])
            merged[:] = [both if node is known else node for node in merged]
            known.parent = root.parent = both
            table[subject] = both
    return merged


def _subject(root: Node) -> tuple[str, bool]:
    node = root if root.message is not None else root.children[0]
    assert node.message is not None
    return base_subject(node.message[1])


def _sort(thread: Node) -> None:
    order = [thread]
    for node in order:
        node.children.sort(key=lambda child: child.date)
        order += node.children


THREADERS: Mapping[str, Callable[[list[tuple[int, Stored]]], list[Node]]] = {
    "ORDEREDSUBJECT": by_subject,
    "REFERENCES": by_references,
}
