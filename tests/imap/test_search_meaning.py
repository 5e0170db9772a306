"""What is written of any criteria is read again, and holds for the same messages."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from netclients.errors import ConfigurationError
from netclients.imap.arguments import Literal
from netclients.imap.search import Q, criteria
from tests.imap.grammar import Value, read, text, wire

FLAGS = ("SEEN", "FLAGGED", "DRAFT")
Tree = tuple[Any, ...]

trees = st.recursive(
    st.sampled_from([("key", flag) for flag in FLAGS]),
    lambda inner: st.one_of(
        st.tuples(st.just("and"), inner, inner),
        st.tuples(st.just("or"), inner, inner),
        st.tuples(st.just("not"), inner),
    ),
    max_leaves=30,
)


def compose(tree: Tree) -> Q:
    match tree:
        case ("key", flag):
            return Q({flag.lower(): True})
        case ("and", left, right):
            return compose(left) & compose(right)
        case ("or", left, right):
            return compose(left) | compose(right)
        case (_, inner):
            return ~compose(inner)
    raise AssertionError(tree)


def holds(tree: Tree, message: frozenset[str]) -> bool:
    match tree:
        case ("key", flag):
            return flag in message
        case ("and", left, right):
            return holds(left, message) and holds(right, message)
        case ("or", left, right):
            return holds(left, message) or holds(right, message)
        case (_, inner):
            return not holds(inner, message)
    raise AssertionError(tree)


def found(program: list[Value], message: frozenset[str]) -> bool:
    words = list(program)
    results: list[bool] = []
    while words:
        results.append(one_key(words, message))
    return all(results)


def one_key(words: list[Value], message: frozenset[str]) -> bool:
    word = words.pop(0)
    if isinstance(word, list):
        return found(word, message)
    name = word[1].decode()
    if name == "NOT":
        return not one_key(words, message)
    if name == "OR":
        left, right = one_key(words, message), one_key(words, message)
        return left or right
    return name in message


@given(trees)
def test_what_is_written_means_what_was_composed(tree: Tree) -> None:
    written = wire(criteria(compose(tree)).pieces)
    program = read(written)
    for size in range(len(FLAGS) + 1):
        for flags in itertools.combinations(FLAGS, size):
            assert found(program, frozenset(flags)) == holds(tree, frozenset(flags)), written
    parentheses_that_are_needed(program)


def parentheses_that_are_needed(program: list[Value]) -> None:
    for value in program:
        if isinstance(value, list):
            assert len(value) > 1
            parentheses_that_are_needed(value)


@given(st.sampled_from(["subject", "gmail_raw", "gmail_labels", "text"]), st.text(), st.booleans())
def test_any_text_is_one_string(keyword: str, value: str, utf8: bool) -> None:
    try:
        pieces = criteria({keyword: value}, utf8=utf8).pieces
    except ConfigurationError:
        assert "\0" in value or not value.isprintable()
        return
    _, word = read(wire(pieces))
    if keyword != "gmail_labels" or utf8:
        assert text(word) == value.encode()


@given(st.text('ab "\\(){é\r\n', max_size=12))
def test_any_raw_text_is_one_list(value: str) -> None:
    try:
        pieces = criteria(value).pieces
    except ConfigurationError:
        return
    sent = wire(pieces)
    assert sent.startswith(b"(")
    assert b"\r\n" not in sent or any(isinstance(piece, Literal) for piece in pieces)
    depth = 0
    quotes = False
    line = b"".join(piece for piece in pieces if isinstance(piece, bytes)).replace(b"\\\\", b"").replace(b'\\"', b"")
    for index, byte in enumerate(line):
        quotes ^= byte == ord('"')
        depth += 0 if quotes else (byte == ord("(")) - (byte == ord(")"))
        assert depth > 0 or index == len(line) - 1
    assert (depth, quotes) == (0, False)
