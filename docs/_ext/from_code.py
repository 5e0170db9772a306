"""What the pages take from the code when they are built, so that it can't be out of date.

``{transitions} MODULE``: diagram and table of a protocol's ``_TRANSITIONS``.
``{defaults} NAME``: the fields of a settings class with defaults and meaning.
``{traits}``: the FTP commands, and what each may share the wire with.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from dataclasses import MISSING, fields
from typing import Any

from diagram import draw
from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx


class _Directive(Directive):
    required_arguments = 0
    optional_arguments = 1
    has_content = False

    def table(self, head: list[str], rows: list[list[str]]) -> list[nodes.Node]:
        """Return a table whose cells are parsed as the page's own markup is."""
        columns = len(head)
        group = nodes.tgroup(cols=columns)
        group += [nodes.colspec(colwidth=1) for _ in range(columns)]
        group += nodes.thead("", self._row(head))
        group += nodes.tbody("", *[self._row(row) for row in rows])
        return [nodes.table("", group)]

    def _row(self, cells: list[str]) -> nodes.row:
        row = nodes.row()
        for cell in cells:
            entry = nodes.entry()
            self.state.nested_parse(StringList([cell.replace("``", "`")], source="code"), 0, entry)
            row += entry
        return row


class Transitions(_Directive):
    """The states of a protocol."""

    def run(self) -> list[nodes.Node]:
        module = importlib.import_module(self.arguments[0])
        edges = [(a.name, signal.name, b.name) for (a, signal), b in module._TRANSITIONS.items()]
        states = {state.name: state.value for state in module.State}
        rows = [[f"`{a}`", f"`{signal}`", f"`{b}`"] for a, signal, b in edges]
        return [
            nodes.raw("", draw(list(states), edges), format="html"),
            *self.table(["state", "meaning"], [[f"`{name}`", text] for name, text in states.items()]),
            *self.table(["in state", "on", "goes to"], rows),
        ]


class Defaults(_Directive):
    """The fields of a settings class."""

    def run(self) -> list[nodes.Node]:
        module, _, name = self.arguments[0].rpartition(".")
        owner = getattr(importlib.import_module(module), name)
        notes = _notes(owner)
        rows = [
            [f"`{field.name}`", f"`{field.default!r}`", *filter(None, [notes.get(field.name)])]
            for field in fields(owner)
            if field.default is not MISSING
        ]
        return self.table(["field", "default", "meaning"][: len(rows[0])], rows)


def _notes(owner: type[Any]) -> dict[str, str]:
    """Return the string that stands below each field."""
    [body] = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(body, ast.ClassDef)
    notes = {}
    for before, after in zip(body.body, body.body[1:], strict=False):
        if isinstance(before, ast.AnnAssign) and isinstance(after, ast.Expr):
            notes[ast.unparse(before.target)] = " ".join(str(ast.literal_eval(after.value)).split())
    return notes


class CommandTraits(_Directive):
    """The FTP commands."""

    def run(self) -> list[nodes.Node]:
        commands = importlib.import_module("netclients.ftp.commands")
        rows = []
        for verb, traits in sorted(commands._TRAITS.items()):
            marks = [
                word
                for word, said in (
                    ("data connection", traits.transfer),
                    ("secret", traits.secret),
                    ("changes the session", traits.marks),
                    ("settled by a probe after a lost reply, or not repeated", traits.lasting),
                )
                if said
            ]
            rows.append([f"`{verb}`", traits.pipelining.name.lower(), ", ".join(marks) or "none"])
        return self.table(["command", "pipelining", "traits"], rows)


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directives."""
    app.add_directive("transitions", Transitions)
    app.add_directive("defaults", Defaults)
    app.add_directive("traits", CommandTraits)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
