"""Which error a refusal stands for."""

from __future__ import annotations

import pytest

from netclients.errors import AuthenticationError, PermanentReplyError, TooManyConnections, TransientReplyError
from netclients.imap.commands import command
from netclients.imap.refusals import reply_error
from netclients.imap.types import Code, Condition, Status


@pytest.mark.parametrize(
    ("sent", "code", "text", "kind"),
    [
        (
            "AUTHENTICATE PLAIN ***",
            "AUTHENTICATIONFAILED",
            "Too many failed logins, account locked",
            AuthenticationError,
        ),
        ("LOGIN ***", None, "Too many failed attempts", AuthenticationError),
        ("LOGIN ***", "UNAVAILABLE", "Maximum number of connections from user+IP exceeded", TooManyConnections),
        ("greeting", None, "Too many connections from your address", TooManyConnections),
        ("LOGIN ***", "LIMIT", "later", TooManyConnections),
        ("UID COPY 1 x", "INUSE", "later", TransientReplyError),
        ("UID COPY 1 x", "TRYCREATE", "no such mailbox", PermanentReplyError),
    ],
)
def test_refusals(sent: str, code: str | None, text: str, kind: type[Exception]) -> None:
    status = Status("a1", Condition.NO, None if code is None else Code(code), text)
    assert type(reply_error(sent, status)) is kind


def test_secrets_are_in_no_repr() -> None:
    assert "hunter2" not in repr(command("LOGIN", b"user", b"hunter2", shown="LOGIN ***"))
