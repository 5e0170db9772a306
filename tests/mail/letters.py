"""What the tests of mail share: composing with the least of arguments, and reading what came of it."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage, MIMEPart
from typing import Any

from netclients.mail import Message, compose

POLICY = policy.default.clone(max_line_length=None)


def letter(**arguments: Any) -> Message:
    """Compose with a sender and a recipient, unless they are given."""
    return compose(**{"from_": "ada@example.org", "to": "bob@example.org", **arguments})


def wire(message: Message) -> bytes:
    """Return all bytes of a message, which must be as it says."""
    chunks = list(message.chunks())
    data = b"".join(chunks)
    assert max(map(len, chunks), default=0) <= 256 * 1024
    assert all(chunks)
    assert len(data) == message.size
    assert message.content in (None, data)
    longest = max(map(len, data.split(b"\r\n")))
    assert message.longest_line == longest or (message.content is None and message.longest_line == 78 > longest)
    assert message.needs_8bit == (not data.isascii())
    assert message.needs_smtputf8 == (not header_of(data).isascii())
    if not message.binary:
        assert data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n")
        assert b"\0" not in data
    return data


def read(message: Message) -> EmailMessage:
    """Return what a reader makes of it, which must find nothing wrong."""
    parsed = message_from_bytes(wire(message), policy=policy.default)
    for part in parsed.walk():
        assert part.defects == []
        for value in part.values():
            # The standard library calls every address beyond ASCII a defect.
            assert value.defects == () or message.needs_smtputf8
    return parsed


def header_of(data: bytes) -> bytes:
    return b"" if data.startswith(b"\r\n") else data.partition(b"\r\n\r\n")[0]


def shape(part: MIMEPart) -> Any:
    """Return the types of a message as nested lists."""
    if part.get_content_type() == "message/rfc822":
        return ["message/rfc822", shape(part.get_content())]
    if part.is_multipart():
        return [part.get_content_type(), *map(shape, part.iter_parts())]
    return part.get_content_type()


def text_of(part: MIMEPart | None) -> str:
    """Return the text of a part; the standard library leaves the line ends of the wire in it."""
    assert part is not None
    text: str = part.get_content()
    assert text.count("\n") == text.count("\r\n")
    return text.replace("\r\n", "\n")
