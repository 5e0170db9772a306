"""What SMTP's replies say: extensions, and which error a refusal stands for (RFC 5321 section 4.2)."""

from __future__ import annotations

from netclients.errors import (
    AuthenticationError,
    ConnectionLost,
    NetClientError,
    PermanentReplyError,
    ProtocolError,
    TooManyConnections,
    TransientReplyError,
    UnsupportedError,
    printable,
)
from netclients.smtp.types import Extensions
from netclients.wire.replies import Reply

__all__ = ["names_recipient_limit", "parse_extensions", "reply_error", "too_many_recipients"]

_OPENING_VERBS = ("greeting", "EHLO", "LHLO", "HELO", "STARTTLS", "AUTH")
_TOO_MANY_RECIPIENTS = ("4.5.3", "5.5.3")


def parse_extensions(reply: Reply) -> Extensions:
    """Read the reply to EHLO or LHLO (RFC 5321 section 4.1.1.1); keywords are taken in any case."""
    words = reply.lines[0].split(maxsplit=1)
    keywords: dict[str, str] = {}
    for line in reply.lines[1:]:
        keyword, _, parameters = line.strip().partition(" ")
        keyword = keyword.upper()
        if not keyword:
            continue  # smtp-sink ends its reply so
        if keyword.startswith("AUTH="):
            # quirk_auth_equals: servers of before RFC 2554, and those that please clients of that time.
            keyword, parameters = "AUTH", f"{keyword.removeprefix('AUTH=')} {parameters}"
        known = keywords.get(keyword)
        keywords[keyword] = parameters.strip() if not known else f"{known} {parameters}".strip()
    return Extensions(words[0] if words else "", keywords)


def too_many_recipients(reply: Reply) -> bool:
    """Whether a refused RCPT may succeed in a transaction of its own (RFC 5321 section 4.5.3.1.10).

    552 is what servers of before RFC 5321 say; it means a full mailbox too, which its enhanced code tells.
    """
    if reply.code == 452:
        return reply.enhanced in (None, *_TOO_MANY_RECIPIENTS)
    return reply.code in (451, 552) and reply.enhanced in _TOO_MANY_RECIPIENTS


def names_recipient_limit(reply: Reply) -> bool:
    """Whether such a reply says that it is about the number, and not about a mailbox that is full (452 is both)."""
    return reply.enhanced in _TOO_MANY_RECIPIENTS or "too many recipients" in reply.text.lower()


def reply_error(sent: str, reply: Reply) -> NetClientError:
    """Return the error that ``reply`` to the command ``sent`` (secrets redacted) stands for."""
    code, text, enhanced = reply.code, reply.text, reply.enhanced
    verb = sent.split(" ", 1)[0]
    if code == 421:
        if verb in _OPENING_VERBS:
            return TooManyConnections(sent, code, text, enhanced=enhanced)
        return ConnectionLost(f"the server closed the session: {reply}")
    if reply.kind == 4:
        return TransientReplyError(sent, code, text, enhanced=enhanced)
    if reply.kind == 5:
        if code in (500, 502, 504) and verb != "greeting":
            return UnsupportedError(f"the server does not know {printable(sent)}: {reply}")
        if code in (530, 535) or (verb == "AUTH" and code != 503):
            return AuthenticationError(sent, code, text, enhanced=enhanced)
        return PermanentReplyError(sent, code, text, enhanced=enhanced)
    return ProtocolError(f"the server answered {printable(sent)} by {reply}")
