"""What a server says about mailboxes: LIST, STATUS, NAMESPACE, quotas, METADATA; and about itself: ID.

Deviations that are tolerated on purpose carry a name that starts with ``quirk``.
"""

from __future__ import annotations

from collections.abc import Iterator

from netclients.errors import ProtocolError
from netclients.imap.names import decode_mailbox
from netclients.imap.replies.numbers import number
from netclients.imap.replies.tokens import Tokens, octets, word
from netclients.imap.types import (
    Identity,
    ListedMailbox,
    MailboxStatus,
    Metadata,
    Namespace,
    Namespaces,
    Quota,
    QuotaRoot,
)
from netclients.mail.envelopes import Value

__all__ = [
    "read_identity",
    "read_listed",
    "read_metadata",
    "read_namespaces",
    "read_quota",
    "read_quota_root",
    "read_status_of_mailbox",
]


def read_listed(response: str, tokens: Tokens, utf8: bool) -> ListedMailbox:
    """LIST and LSUB (RFC 9051 section 7.3.1, RFC 5258)."""
    attributes, delimiter, name = tokens.value(), tokens.value(), tokens.value()
    extended: dict[str, object] = {}
    if not tokens.ended:
        for key, value in _pairs(_list(tokens.value())):
            extended[word(key).upper()] = frozen(value)
    _end(tokens)
    raw = octets(name)
    return ListedMailbox(
        decode_mailbox(raw, utf8=utf8),
        _delimiter(delimiter),
        tuple(word(one) for one in _list(attributes)),
        raw,
        extended,
        response,
    )


_COUNTS = {
    "MESSAGES": "messages",
    "RECENT": "recent",
    "UNSEEN": "unseen",
    "UIDNEXT": "uid_next",
    "UIDVALIDITY": "uid_validity",
    "HIGHESTMODSEQ": "highest_modseq",
    "DELETED": "deleted",
    "SIZE": "size",
}


def read_status_of_mailbox(tokens: Tokens, utf8: bool) -> MailboxStatus:
    """STATUS (RFC 9051 section 7.3.4)."""
    raw = octets(tokens.value())
    counts: dict[str, int] = {}
    extra: dict[str, object] = {}
    mailbox_id: str | None = None
    for key, value in _pairs(_list(tokens.value())):
        name = word(key).upper()
        if name in _COUNTS:
            counts[_COUNTS[name]] = number(value)
        elif name == "MAILBOXID":
            mailbox_id = word(value[0] if isinstance(value, list) and len(value) == 1 else value)
        else:
            extra[name] = frozen(value)
    _end(tokens)
    return MailboxStatus(decode_mailbox(raw, utf8=utf8), mailbox_id=mailbox_id, extra=extra, **counts)


def read_namespaces(tokens: Tokens, utf8: bool) -> Namespaces:
    """NAMESPACE (RFC 2342)."""
    personal, others, shared = (tuple(_namespaces(tokens.value(), utf8)) for _ in range(3))
    _end(tokens)
    return Namespaces(personal, others, shared)


def _namespaces(value: Value, utf8: bool) -> Iterator[Namespace]:
    for one in [] if value is None else _list(value):
        prefix, delimiter = [*_list(one), None, None][:2]  # what follows are extensions that nobody has defined
        yield Namespace(decode_mailbox(octets(prefix), utf8=utf8), _delimiter(delimiter))


def read_identity(tokens: Tokens, utf8: bool) -> Identity:
    """ID (RFC 2971)."""
    value = tokens.value()
    _end(tokens)
    pairs = _pairs([] if value is None else _list(value))
    return Identity({word(key).lower(): None if text is None else word(text) for key, text in pairs})


def read_quota(tokens: Tokens, utf8: bool) -> Quota:
    """QUOTA (RFC 9208)."""
    root, values = tokens.value(), _list(tokens.value())
    _end(tokens)
    if len(values) % 3:
        raise ProtocolError("the server sent a quota that has not three values for each resource")
    triples = zip(values[::3], values[1::3], values[2::3], strict=True)
    return Quota(
        decode_mailbox(octets(root), utf8=utf8),
        {word(name).upper(): (number(usage), number(limit)) for name, usage, limit in triples},
    )


def read_quota_root(tokens: Tokens, utf8: bool) -> QuotaRoot:
    """QUOTAROOT (RFC 9208)."""
    mailbox, *roots = (decode_mailbox(octets(one), utf8=utf8) for one in [tokens.value(), *tokens.rest()])
    return QuotaRoot(mailbox, tuple(roots))


def read_metadata(tokens: Tokens, utf8: bool) -> Metadata:
    """METADATA (RFC 5464): entries with their values, or unasked the names of those that have changed."""
    mailbox = decode_mailbox(octets(tokens.value()), utf8=utf8)
    rest = tokens.rest()
    if len(rest) == 1 and isinstance(rest[0], list):
        pairs = _pairs(rest[0])
        return Metadata(mailbox, {word(key): None if value is None else octets(value) for key, value in pairs})
    return Metadata(mailbox, {}, tuple(word(one) for one in rest))


def frozen(value: Value) -> object:
    """Return data that has no type here: text where it was an atom, bytes where it was a string, lists as tuples."""
    if not isinstance(value, list):
        return value
    return tuple(frozen(one) for one in value)  # bounded: the tokens bound nesting


def _delimiter(value: Value) -> str | None:
    if value is None:
        return None
    found = word(value)
    return found or None  # quirk_empty_delimiter


def _list(value: Value) -> list[Value]:
    if not isinstance(value, list):
        raise ProtocolError("the server sent something else where a list was due")
    return value


def _pairs(values: list[Value]) -> Iterator[tuple[Value, Value]]:
    if len(values) % 2:
        raise ProtocolError("the server sent a name without a value")
    return zip(values[::2], values[1::2], strict=True)


def _end(tokens: Tokens) -> None:
    if not tokens.ended:
        raise tokens.fault()
