"""What the import contracts in pyproject.toml can't say: which names the code may mention, and where."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "netclients"
SEES_SOCKETS = ("transport", "interop", "testing")
MAKES_CONTEXTS = "cli"  # from the files that its options name


def modules(*but: str) -> list[str]:
    names = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
    return sorted(name.as_posix() for name in names if name.parts[0] not in but)


def tree_of(name: str) -> ast.Module:
    return ast.parse((PACKAGE / name).read_text("utf-8"))


def executed(node: ast.AST) -> Iterator[ast.AST]:
    """Yield all nodes but those for type checkers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        yield child
        yield from executed(child)


def imported(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module)):
            return [module]
    return []


@pytest.mark.parametrize("name", modules(*SEES_SOCKETS, MAKES_CONTEXTS))
def test_ssl_and_socket_are_imported_for_annotations_only(name: str) -> None:
    found = {module.partition(".")[0] for node in executed(tree_of(name)) for module in imported(node)}
    assert not found & {"ssl", "socket", "select", "selectors"}


@pytest.mark.parametrize("name", modules(*SEES_SOCKETS))
def test_only_the_transport_touches_sockets(name: str) -> None:
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("socket", "getsockname", "getpeername"), f"{name}:{node.lineno}"


def test_annotations_only_is_told_from_the_rest() -> None:
    code = "if TYPE_CHECKING:\n    import ssl\ndef f():\n    from socket import socket"
    assert [module for node in executed(ast.parse(code)) for module in imported(node)] == ["socket"]
