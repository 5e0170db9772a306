"""What SMTP's replies say: enhanced codes, extensions, and which error a refusal is."""

from __future__ import annotations

import pytest

from netclients import errors
from netclients.smtp.replies import parse_extensions, reply_error, too_many_recipients
from netclients.wire.replies import Reply


@pytest.mark.parametrize(
    ("code", "text", "enhanced"),
    [
        (250, "2.1.0 Ok", "2.1.0"),
        (550, "5.1.1 <a@x>: no", "5.1.1"),
        (250, "2.0.0", "2.0.0"),
        (452, "4.5.3 Too many", "4.5.3"),
        (250, "5.1.1 says the opposite", None),
        (250, "Ok 2.1.0", None),
        (250, "2.1.0Ok", None),
        (250, "", None),
        (250, "2.1234.0 x", None),
        (354, "2.0.0 go", None),
        (550, "5.10.123 x", "5.10.123"),
    ],
)
def test_enhanced_codes(code: int, text: str, enhanced: str | None) -> None:
    assert Reply(code, (text,)).enhanced == enhanced


def test_extensions() -> None:
    lines = (
        "mail.example.test Hello",
        "SIZE 1000",
        "pipelining",
        "AUTH PLAIN login",
        "AUTH=CRAM-MD5",
        "LIMITS RCPTMAX=20 X=1",
    )
    found = parse_extensions(Reply(250, lines))
    assert found.domain == "mail.example.test"
    assert found.size == 1000
    assert found.has("PIPELINING")
    assert not found.has("CHUNKING")
    assert found.auth == ("PLAIN", "LOGIN", "CRAM-MD5")
    assert found.limits == {"RCPTMAX": 20, "X": 1}


@pytest.mark.parametrize("size", ["", "0", "-1", "x", "1e3", "9" * 21, "\uff11"])
def test_a_size_that_says_nothing(size: str) -> None:
    assert parse_extensions(Reply(250, ("x", f"SIZE {size}"))).size is None


def test_extensions_of_an_empty_reply() -> None:
    assert parse_extensions(Reply(250, ("", "", " "))).domain == ""


@pytest.mark.parametrize(
    ("code", "text", "many"),
    [
        (452, "Too many recipients", True),
        (452, "4.5.3 Too many recipients", True),
        (452, "4.3.1 Insufficient system storage", False),
        (451, "4.5.3 later", True),
        (451, "4.7.1 greylisted", False),
        (552, "5.5.3 Too many recipients", True),
        (552, "5.2.2 Mailbox full", False),
        (552, "Mailbox full", False),
        (550, "5.1.1 no", False),
    ],
)
def test_too_many_recipients(code: int, text: str, many: bool) -> None:
    assert too_many_recipients(Reply(code, (text,))) is many


@pytest.mark.parametrize(
    ("sent", "code", "kind"),
    [
        ("greeting", 421, errors.TooManyConnections),
        ("greeting", 554, errors.PermanentReplyError),
        ("greeting", 500, errors.PermanentReplyError),
        ("EHLO x", 502, errors.UnsupportedError),
        ("RSET", 421, errors.ConnectionLost),
        ("AUTH PLAIN ***", 421, errors.TooManyConnections),
        ("AUTH PLAIN ***", 535, errors.AuthenticationError),
        ("AUTH PLAIN ***", 534, errors.AuthenticationError),
        ("AUTH PLAIN ***", 454, errors.TransientReplyError),
        ("AUTH PLAIN ***", 504, errors.UnsupportedError),
        ("AUTH PLAIN ***", 503, errors.PermanentReplyError),
        ("MAIL FROM:<a@x>", 530, errors.AuthenticationError),
        ("RCPT TO:<a@x>", 550, errors.PermanentReplyError),
        ("RCPT TO:<a@x>", 450, errors.TransientReplyError),
        ("RCPT TO:<a@x>", 354, errors.ProtocolError),
    ],
)
def test_errors(sent: str, code: int, kind: type[Exception]) -> None:
    assert type(reply_error(sent, Reply(code, ("no",)))) is kind
