"""What SEARCH looks for (RFC 9051 section 6.4.4): criteria that callers compose, and the program made of them.

A :class:`Q` is checked when it is made and is a tree from then on: keys with their arguments (``keys``; raw text in
``raw``), and groups of them (``query``). :func:`criteria` writes it as pieces of a command, and tells what the command
needs besides: a character set, extensions.
"""

from netclients.imap.search.keys import Keywords
from netclients.imap.search.query import Criterion, Program, Q, criteria

__all__ = ["Criterion", "Keywords", "Program", "Q", "criteria"]
