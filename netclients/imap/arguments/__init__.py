"""Arguments of IMAP commands (RFC 9051 section 9): each kind has one function here that checks it and encodes it.

A command line is made of pieces: bytes that stand on the line, and :class:`Literal`, which is announced by its size
and sent behind it. One call makes exactly one argument, whatever is in its value: nothing leaves its quotes, its list
or its line. What can't be an argument of its kind is a :class:`~netclients.errors.ConfigurationError`.

:func:`joined`, :func:`parenthesized` and :func:`concatenated` put pieces together.
"""

from netclients.imap.arguments.items import (
    fetch_items,
    header_name,
    header_names,
    partial,
    section,
    section_part,
    sort_keys,
    status_items,
)
from netclients.imap.arguments.sets import NumberSet, sequence_set, uid_set, uid_sets
from netclients.imap.arguments.strings import (
    Literal,
    Piece,
    astring,
    atom,
    concatenated,
    flag,
    flag_list,
    joined,
    label,
    list_pattern,
    mailbox,
    parenthesized,
    string,
)
from netclients.imap.arguments.values import charset, date, date_time, id_fields, modseq, number, object_id

__all__ = [
    "Literal",
    "NumberSet",
    "Piece",
    "astring",
    "atom",
    "charset",
    "concatenated",
    "date",
    "date_time",
    "fetch_items",
    "flag",
    "flag_list",
    "header_name",
    "header_names",
    "id_fields",
    "joined",
    "label",
    "list_pattern",
    "mailbox",
    "modseq",
    "number",
    "object_id",
    "parenthesized",
    "partial",
    "section",
    "section_part",
    "sequence_set",
    "sort_keys",
    "status_items",
    "string",
    "uid_set",
    "uid_sets",
]
