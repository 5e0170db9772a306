"""What the embedded SMTP server knows: its rules, what it has counted and received, and one connection's state."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from ._mail_session import Counters as MailCounters
from ._mail_session import CutError, MailSession
from .smtp_faults import CutContent, MailFaultScript

Judge = Callable[[str], str | None]
"""Takes an address; returns the reply that refuses it, or None."""


@dataclass(frozen=True, slots=True)
class Received:
    """One message as the server has accepted it."""

    sender: str
    recipients: tuple[str, ...]
    """Those that it was accepted for."""
    content: bytes
    """Exactly what came, after dot-unstuffing; empty with ``keep=False``."""
    size: int
    """Length of the content."""
    sha256: str
    """Digest of the content, in hexadecimal."""
    mail_options: tuple[str, ...]
    """Parameters of MAIL, such as ``"BODY=8BITMIME"``."""
    rcpt_options: tuple[tuple[str, ...], ...]
    """Parameters of each recipient's RCPT."""
    authenticated: str | None
    """Who was logged in."""
    secure: bool
    """Whether it came over TLS."""
    connection: int
    """Number of the connection, beginning with 1."""


@dataclass(slots=True, eq=False)
class Rules:
    """How the server behaves; see :class:`~netclients.testing.SMTPServer`."""

    lmtp: bool = False
    implicit: bool = False
    context: ssl.SSLContext | None = None
    certificate: str | None = None
    """The server's certificate in PEM, if it is one of ours."""
    tls_required: bool = False
    users: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)
    mechanisms: tuple[str, ...] = ()
    require_auth: bool = False
    auth_in_clear: bool = False
    size_limit: int | None = None
    max_connections: int | None = None
    max_messages: int | None = None
    max_recipients: int | None = None
    without: Collection[str] = ()
    data_without_recipients: bool = False
    refuse: Judge = lambda _: None
    final: Judge = lambda _: None
    keep: bool = True
    faults: MailFaultScript = field(default_factory=MailFaultScript)


class Counters(MailCounters):
    """What a server has done so far."""

    def __init__(self) -> None:
        super().__init__()
        self.messages = 0
        self.bytes_received = 0


class Content:
    """Collects a message's content, as far as it is kept and within the limit."""

    def __init__(self, keep: bool, limit: int | None, cut: CutContent | None) -> None:
        self.size = 0
        self._keep, self._limit, self._cut = keep, limit, cut
        self._pieces: list[bytes] = []
        self._digest = hashlib.sha256()

    def add(self, piece: bytes) -> None:
        """Take a piece. Raises CutError where a fault lies in wait."""
        self.size += len(piece)
        if self._cut is not None and self.size > self._cut.after:
            raise CutError(reset=self._cut.how == "reset", stall=self._cut.how == "stall")
        self._digest.update(piece)
        if self.too_large:
            self._pieces.clear()
        elif self._keep:
            self._pieces.append(piece)

    @property
    def too_large(self) -> bool:
        """Whether it is over the limit."""
        return self._limit is not None and self.size > self._limit

    @property
    def value(self) -> bytes:
        """All that was kept."""
        return b"".join(self._pieces)

    @property
    def sha256(self) -> str:
        """Digest of all, kept or not."""
        return self._digest.hexdigest()


@dataclass(slots=True, eq=False)
class Transaction:
    """From MAIL to the reply to the content."""

    sender: str
    options: tuple[str, ...]
    recipients: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    content: Content | None = None
    """By BDAT, as far as it has come."""

    def option(self, keyword: str) -> str | None:
        """Return the value of a parameter of MAIL in capitals; empty if it has none, None if it was not given."""
        for option in self.options:
            name, _, value = option.partition("=")
            if name.upper() == keyword:
                return value.upper()
        return None


@dataclass(slots=True, eq=False)
class Session(MailSession):
    """One connection."""

    enhanced: bool = True
    """Whether replies carry enhanced codes (RFC 2034)."""
    greeted: str | None = None
    """The name given with EHLO, LHLO or HELO."""
    authenticated: str | None = None
    transaction: Transaction | None = None
    messages: int = 0
    """Transactions begun."""

    def reply(self, code: int, enhanced: str, *lines: str) -> None:
        """Queue a reply."""
        prefix = f"{enhanced} " if enhanced and self.enhanced else ""
        *head, last = lines
        text = "".join(f"{code}-{prefix}{line}\r\n" for line in head)
        self.send_raw(f"{text}{code} {prefix}{last}")

    def send_raw(self, text: str) -> None:
        """Queue a reply as it is, with CRLF behind it. A 421 ends the connection (RFC 5321 section 3.8)."""
        self.outbox.append(f"{text}\r\n".encode("utf-8", "surrogateescape"))
        if text.startswith("421"):
            self.ending = True
