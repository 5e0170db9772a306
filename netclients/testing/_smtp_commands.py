"""Commands of the embedded SMTP server that open a session and an envelope.

aiosmtpd's MAIL, RCPT, EHLO and STARTTLS know neither the null sender nor DSN, drop what they can't record, and
stand on stream APIs that hide what tests have to do; so they are replaced here. HELO, HELP and EXPN are its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ._smtp_auth import Authentication
from ._smtp_grammar import (
    MAIL_PARAMETERS,
    RCPT_PARAMETERS,
    ArgumentError,
    check_address,
    parse_parameters,
    parse_path,
)
from ._smtp_stream import Body, Stream

if TYPE_CHECKING:
    from ._smtp_engine import Engine

_HAS_ENHANCED = re.compile(rb"\d{3}[ -]([245]\.\d{1,3}\.\d{1,3}) ")
_HIGHEST_REPLY = re.compile(rb"[245]\d\d[ -]")


@dataclass(slots=True)
class Transaction:
    """One message on its way in."""

    sender: str
    options: tuple[str, ...]
    utf8: bool
    binary: bool
    body: Body
    recipients: list[str] = field(default_factory=list)
    recipient_options: list[tuple[str, ...]] = field(default_factory=list)
    chunked: bool = False
    """A BDAT has come."""
    failed: bool = False
    """A BDAT was refused: nothing but RSET helps (RFC 3030 section 2)."""
    number: int | None = None
    """That under which the message is kept, as soon as it is."""


class Commands(Authentication):
    """One connection's commands. Handlers have aiosmtpd's shape: ``(argument) -> None``, replies by :meth:`push`."""

    stream: Stream
    engine: Engine
    transaction: Transaction | None = None
    open: bool = True
    """False: the connection is closed when the replies are sent."""
    muted: bool = False
    """Final replies are dropped: the connection is about to be cut."""
    injected: str = ""
    """What somebody in the middle adds to the next reply to STARTTLS."""
    mails: int = 0
    """MAIL commands accepted on this connection."""

    # Replies

    async def push(self, status: str | bytes) -> None:
        """Queue one reply, with an enhanced status code (RFC 2034) if it has none, or without if that is off."""
        data = status.encode(errors="surrogateescape") if isinstance(status, str) else status
        if self.muted and not data.startswith(b"3"):
            return
        if "ENHANCEDSTATUSCODES" not in self.engine.extensions:
            if has := _HAS_ENHANCED.match(data):
                data = data[: has.start(1)] + data[has.end() :]
        elif not _HAS_ENHANCED.match(data) and _HIGHEST_REPLY.match(data):
            data = data[:4] + data[:1] + b".0.0 " + data[4:]
        self.stream.queue(data + b"\r\n")

    async def say(self, text: str) -> None:
        """Queue a scripted reply as it is; 421 ends the connection."""
        if text and not self.muted:
            self.stream.queue(text.encode(errors="surrogateescape") + b"\r\n")
        if text.startswith("421"):
            self.open = False

    @property
    def secure(self) -> bool:
        """Whether TLS is on."""
        return self.stream.tls is not None

    @property
    def greeted(self) -> bool:
        """EHLO, HELO or LHLO was said."""
        return self.session is not None and bool(self.session.host_name)

    # Opening a session

    async def smtp_HELO(self, hostname: str) -> None:  # noqa: N802 - aiosmtpd's way
        """HELO: plain old SMTP (RFC 5321 section 4.1.1.1)."""
        self.transaction = None
        await self._without_enhanced(super().smtp_HELO, hostname)

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802
        """EHLO and LHLO: list the extensions."""
        if not hostname or " " in hostname:
            await self.push("501 5.5.4 Syntax: EHLO hostname")
            return
        assert self.session is not None
        self.transaction = None
        self.session.extended_smtp = True
        self.session.host_name = hostname
        lines = [self.hostname, *self.engine.keywords(self)]
        reply = "".join(f"250-{line}\r\n" for line in lines[:-1]) + f"250 {lines[-1]}\r\n"
        if not self.muted:
            self.stream.queue(reply.encode())

    async def _without_enhanced(self, handler: Callable[[str], object], argument: str) -> None:
        """Run aiosmtpd's handler, and send the reply as it is (RFC 2034 section 4: none in that to HELO)."""
        push, self.push = self.push, self._push_bare  # type: ignore[method-assign]
        try:
            await handler(argument)  # type: ignore[misc]
        finally:
            self.push = push  # type: ignore[method-assign]
