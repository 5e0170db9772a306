"""What a server may send (RFC 3501, RFC 9051 section 7, and extensions), from bytes to values.

::

    framing     where a response ends; literals
    tokens      atoms, strings, lists
    numbers     numbers, and sets of them
    status      OK, NO, BAD, BYE, PREAUTH, and their codes
    fetch       what is said of one message;  envelopes, structures: its two large items
    mailboxes   what is said of mailboxes, and by the server of itself
    data        the rest: capabilities, flags, answers to SEARCH

:func:`parse` is the front door. Nothing here knows what was asked: that is for the state machine to compare.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from netclients.errors import ProtocolError, printable
from netclients.imap.replies import data, mailboxes
from netclients.imap.replies.fetch import fast_fetch, read_fetch
from netclients.imap.replies.framing import Frame, Framer, Limits, Sink
from netclients.imap.replies.status import STATUS, read_status
from netclients.imap.replies.tokens import NESTING, Tokens
from netclients.imap.types import Continuation, Expunge, Number, Response, SequenceNumber, Unknown

__all__ = ["Frame", "Framer", "Limits", "Sink", "parse", "parse_by_grammar"]


def parse(frame: Frame, *, utf8: bool = False, nesting: int = NESTING) -> Response:
    """Return what a response says.

    Data that can't be read comes back with an ``error``: as :class:`~netclients.imap.types.Fetched` if it is about a
    message, otherwise as :class:`~netclients.imap.types.Unknown`.

    Args:
        frame: The response.
        utf8: The server writes the names of mailboxes in UTF-8: UTF8=ACCEPT (RFC 6855) or IMAP4rev2 is enabled.
        nesting: How deep its lists may be nested.

    Raises:
        ProtocolError: It is no response at all: nobody knows whom it is for.
    """
    return fast_fetch(frame.parts) or parse_by_grammar(frame, utf8=utf8, nesting=nesting)


_DATA = re.compile(rb"\* +(?:([0-9]{1,20}) +)?([!-'*-~]+)")  # any word without parentheses


def parse_by_grammar(frame: Frame, *, utf8: bool = False, nesting: int = NESTING) -> Response:
    """Do what :func:`parse` does, without the fast ways for what comes often."""
    text = frame.parts[0]
    if text[:1] == b"+":  # "+ OK" is no tagged reply
        return Continuation(text[1:].removeprefix(b" "))
    status = STATUS.match(text)
    if status is not None:
        return read_status(status)
    found = _DATA.match(text)
    if found is None:
        raise ProtocolError(f"the server sent {printable(repr(text[:80]))} where a response was due")
    name = found[2].decode("ascii").upper()
    tokens = Tokens(frame.parts, found.end(), nesting)
    try:
        known = _read(name, found[1], tokens, utf8)
    except ProtocolError as error:
        return Unknown(name, frame.raw, error)
    return Unknown(name, frame.raw) if known is None else known


def _read(name: str, digits: bytes | None, tokens: Tokens, utf8: bool) -> Response | None:
    if digits is None:
        if name in _PLAIN:
            return _PLAIN[name](tokens)
        return _ABOUT_MAILBOXES[name](tokens, utf8) if name in _ABOUT_MAILBOXES else None
    number = int(digits)
    if name in ("EXISTS", "RECENT"):
        return Number(name, number)
    if name not in ("EXPUNGE", "FETCH"):
        return None
    if not number:
        raise ProtocolError("the server sent the sequence number 0")
    return Expunge(SequenceNumber(number)) if name == "EXPUNGE" else read_fetch(SequenceNumber(number), tokens)


_PLAIN: dict[str, Callable[[Tokens], Response]] = {
    "CAPABILITY": data.read_capabilities,
    "ENABLED": data.read_enabled,
    "FLAGS": data.read_flags,
    "SEARCH": lambda tokens: data.read_search("SEARCH", tokens),
    "SORT": lambda tokens: data.read_search("SORT", tokens),
    "ESEARCH": data.read_esearch,
    "THREAD": data.read_threads,
    "VANISHED": data.read_vanished,
}

_ABOUT_MAILBOXES: dict[str, Callable[[Tokens, bool], Response]] = {
    "LIST": lambda tokens, utf8: mailboxes.read_listed("LIST", tokens, utf8),
    "LSUB": lambda tokens, utf8: mailboxes.read_listed("LSUB", tokens, utf8),
    "STATUS": mailboxes.read_status_of_mailbox,
    "NAMESPACE": mailboxes.read_namespaces,
    "ID": mailboxes.read_identity,
    "QUOTA": mailboxes.read_quota,
    "QUOTAROOT": mailboxes.read_quota_root,
    "METADATA": mailboxes.read_metadata,
}
