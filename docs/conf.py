"""Sphinx configuration: MyST pages, furo, the API from docstrings, tables and diagrams from the code."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from sphinx.application import Sphinx

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS.parent)]

import netclients  # noqa: E402 - the checkout beside this file is documented, installed or not

project = "netclients"
author = "The netclients maintainers"
project_copyright = author
version = release = netclients.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "from_code",
]
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "netclients"

# The API pages build without the extras.
EXTRAS = ("aioftp", "aiosmtplib", "aioimaplib", "trustme", "python_socks", "typer", "rich")
autodoc_mock_imports = [name for name in EXTRAS if importlib.util.find_spec(name) is None]
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_member_order = "bysource"
autodoc_class_signature = "mixed"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
default_role = "code"


def _list_benchmarks(app: Sphinx, name: str, content: list[str]) -> None:
    # Written by `nox -s bench`, so it may not exist.
    if name == "index" and (DOCS / "benchmarks.md").exists():
        content[0] = content[0].replace("\ncontributing\n", "\nbenchmarks\ncontributing\n")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _list_benchmarks)
