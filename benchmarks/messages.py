"""The messages that are sent and read: 7 KB each unless asked otherwise, all different, made while they are sent."""

from __future__ import annotations

from collections.abc import Iterator

SIZE = 7 * 1024
SENDER, RECIPIENT = "bob@example.test", "alice@example.test"

_HEAD = (
    b"From: Bob <bob@example.test>\r\nTo: Alice <alice@example.test>\r\nSubject: Message %d\r\n"
    b"Date: Mon, 05 Jan 2026 10:00:00 +0000\r\nMessage-ID: <%d.bench@example.test>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain; charset=us-ascii\r\n\r\nThis is number %d.\r\n"
)
_LINE = b"The quick brown fox jumps over the lazy dog and goes home to its den.\r\n"


def messages(count: int, first: int = 0, size: int = SIZE) -> Iterator[bytes]:
    """Yield so many messages of ``size`` bytes with CRLF line ends."""
    filling = _LINE * (size // len(_LINE))
    for number in range(first, first + count):
        head = _HEAD % (number, number, number)
        yield head + filling[: max(0, size - len(head) - 2)] + b"\r\n"
