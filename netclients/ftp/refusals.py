"""Which error an FTP reply stands for (RFC 959 section 4.2.1)."""

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
from netclients.ftp.replies import blames_credentials, classify_limit
from netclients.wire.replies import Reply

__all__ = ["reply_error"]

_LOGIN_VERBS = ("USER", "PASS", "ACCT", "AUTH", "greeting")
_CREDENTIAL_VERBS = ("USER", "PASS", "ACCT")


def reply_error(sent: str, reply: Reply, *, logged_in: bool) -> NetClientError:
    """Return the error that ``reply`` to the command ``sent`` (secrets redacted) stands for.

    ``logged_in``: the same credentials have worked before, so that a 530 must be about something else: the
    number of connections, as a rule. Where they have not, only what servers are known to say about that number
    counts: the same password, sent again and again, would lock the account.
    """
    code, text = reply.code, reply.text
    login = sent.split(" ", 1)[0] in _LOGIN_VERBS
    if code == 421:
        if sent.startswith(_CREDENTIAL_VERBS) and not logged_in and blames_credentials(text):
            return AuthenticationError(sent, code, text)
        if login or classify_limit(code, text):
            return TooManyConnections(sent, code, text)
        return ConnectionLost(f"the server closed the session: {reply}")
    if reply.kind == 4:
        return TransientReplyError(sent, code, text)
    if reply.kind == 5:
        if code == 522:
            # The session offered for a data connection has aged: a new control connection has a fresh one.
            return TransientReplyError(sent, code, text)
        if code == 530 and login and (logged_in or classify_limit(code, text)):
            return TooManyConnections(sent, code, text)
        if code in (530, 532) or (login and code in (331, 332, 430, 500, 501, 503, 534, 535)):
            return AuthenticationError(sent, code, text)
        if code in (500, 502, 504):
            return UnsupportedError(f"the server does not know {printable(sent)}: {reply}")
        return PermanentReplyError(sent, code, text)
    return ProtocolError(f"the server answered {printable(sent)} by {reply}")
