"""What the embedded POP3 server knows: its rules, its maildrops, and one connection's state."""

from __future__ import annotations

import ssl
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ._mail_session import Counters as MailCounters
from ._mail_session import MailSession
from .smtp_faults import MailFaultScript


@dataclass(frozen=True, slots=True)
class POP3Command:
    """One command as it came; of passwords only the place is shown."""

    connection: int
    """Number of the connection, beginning with 1."""
    verb: str
    """In capitals."""
    argument: str


@dataclass(frozen=True, slots=True)
class POP3Message:
    """One message of a maildrop."""

    uid: str
    raw: bytes


@dataclass(slots=True, eq=False)
class Maildrop:
    """One user's messages, and who has them open."""

    messages: list[POP3Message] = field(default_factory=list)
    next_uid: int = 1
    holder: Session | None = None
    left_at: float | None = None
    """When the last session began, in monotonic time."""


@dataclass(slots=True, eq=False)
class Rules:
    """How the server behaves; see :class:`~netclients.testing.POP3Server`."""

    implicit: bool = False
    context: ssl.SSLContext | None = None
    certificate: str | None = None
    """The server's certificate in PEM, if it is one of ours."""
    users: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)
    mechanisms: tuple[str, ...] = ()
    login_in_clear: bool = False
    login_delay: float | None = None
    max_connections: int | None = None
    without: Collection[str] = ()
    faults: MailFaultScript = field(default_factory=MailFaultScript)


class Counters(MailCounters):
    """What a server has done so far."""

    def __init__(self) -> None:
        super().__init__()
        self.deleted = 0
        self.log: list[POP3Command] = []


@dataclass(slots=True, eq=False)
class Session(MailSession):
    """One connection."""

    timestamp: str = ""
    named: str | None = None
    """The name given with USER."""
    user: str | None = None
    maildrop: Maildrop | None = None
    messages: list[POP3Message] = field(default_factory=list)
    """The maildrop as it was at the login; a message's number is its place, from 1."""
    marked: set[int] = field(default_factory=set)
    """Numbers of messages that QUIT removes."""

    def ok(self, text: str = "") -> None:
        """Queue a good reply."""
        self.send_raw(f"+OK {text}".rstrip())

    def err(self, text: str, code: str = "") -> None:
        """Queue a bad reply, with a response code (RFC 2449 section 8) if there is one."""
        self.send_raw(f"-ERR [{code}] {text}" if code else f"-ERR {text}")

    def send_raw(self, text: str) -> None:
        """Queue a line as it is, with CRLF behind it."""
        self.outbox.append(f"{text}\r\n".encode("utf-8", "surrogateescape"))
