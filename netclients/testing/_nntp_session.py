"""What the embedded NNTP server knows: its rules, its groups and articles, and one connection's state."""

from __future__ import annotations

import fnmatch
import ssl
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ._imap_channel import IMAPChannel
from ._mail_session import Counters as MailCounters
from ._mail_session import MailSession
from .smtp_faults import MailFaultScript


@dataclass(frozen=True, slots=True)
class NNTPCommand:
    """One command as it came; of passwords only the place is shown."""

    connection: int
    """Number of the connection, beginning with 1."""
    verb: str
    """In capitals."""
    argument: str


@dataclass(frozen=True, slots=True)
class NewsArticle:
    """One article, and its numbers by the groups that it is in."""

    message_id: str
    raw: bytes
    numbers: Mapping[str, int]
    arrived: datetime

    @property
    def head(self) -> bytes:
        """The header, without the empty line."""
        head, found, _ = self.raw.partition(b"\r\n\r\n")
        return head + b"\r\n" if found else self.raw

    @property
    def body(self) -> bytes:
        """What is behind the empty line."""
        return self.raw.partition(b"\r\n\r\n")[2]

    def field(self, name: str) -> str:
        """Return a field's value on one line, empty if it is absent; metadata begin with a colon."""
        if name == ":bytes":
            return str(len(self.raw))
        if name == ":lines":
            return str(self.body.count(b"\n"))
        if name.lower() == "xref":
            return " ".join(["news.netclients.test", *(f"{group}:{n}" for group, n in self.numbers.items())])
        return header_field(self.raw, name)


def header_field(raw: bytes, name: str) -> str:
    """Return a field's value, unfolded and without tabs; empty if it is absent."""
    head = raw.partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    for line in head.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n"):
        found, colon, value = line.partition(":")
        if colon and found.lower() == name.lower():
            return value.strip().replace("\t", " ")
    return ""


@dataclass(slots=True, eq=False)
class NewsGroup:
    """A group. `status` is y, n or m (RFC 3977 section 7.6.3)."""

    name: str
    description: str = ""
    status: str = "y"
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    articles: dict[int, NewsArticle] = field(default_factory=dict)
    last: int = 0

    @property
    def first(self) -> int:
        """The lowest number, or one more than the highest if there is no article."""
        return min(self.articles, default=self.last + 1)


@dataclass(slots=True, eq=False)
class Spool:
    """All groups and articles."""

    groups: dict[str, NewsGroup] = field(default_factory=dict)
    articles: dict[str, NewsArticle] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    """Message-ids that were taken once: a second copy is refused."""
    moderated: list[bytes] = field(default_factory=list)
    """Posts that wait for a moderator."""

    def add(self, message_id: str, raw: bytes, groups: Iterable[str]) -> NewsArticle:
        """File an article in those of the groups that exist."""
        homes = [self.groups[name] for name in dict.fromkeys(groups) if name in self.groups]
        for home in homes:
            home.last += 1
        article = NewsArticle(message_id, raw, {home.name: home.last for home in homes}, datetime.now(UTC))
        for home in homes:
            home.articles[home.last] = article
        self.articles[message_id] = article
        self.known.add(message_id)
        return article

    def remove(self, message_id: str) -> None:
        """Forget an article; its identifier stays known. Raises KeyError."""
        article = self.articles.pop(message_id)
        for name, number in article.numbers.items():
            self.groups[name].articles.pop(number, None)

    def matching(self, wildmat: str) -> list[NewsGroup]:
        """Return the groups whose names match, in their order."""
        return [group for name, group in sorted(self.groups.items()) if matches(wildmat, name)]


def matches(wildmat: str, name: str) -> bool:
    """Tell whether a name matches: the last of the patterns that does decides (RFC 3977 section 4)."""
    found = False
    for pattern in wildmat.split(","):
        if fnmatch.fnmatchcase(name, pattern.removeprefix("!")):
            found = not pattern.startswith("!")
    return found


@dataclass(slots=True, eq=False)
class Rules:
    """How the server behaves; see :class:`~netclients.testing.NNTPServer`."""

    implicit: bool = False
    context: ssl.SSLContext | None = None
    certificate: str | None = None
    users: Mapping[str, str] = field(default_factory=dict)
    tokens: Mapping[str, str] = field(default_factory=dict)
    mechanisms: tuple[str, ...] = ()
    login_required: bool = False
    login_in_clear: bool = False
    mode_reader: bool = False
    posting: bool = True
    settle: float = 0.0
    max_connections: int | None = None
    without: Collection[str] = ()
    faults: MailFaultScript = field(default_factory=MailFaultScript)


class Counters(MailCounters):
    """What a server has done so far."""

    def __init__(self) -> None:
        super().__init__()
        self.posted = 0
        self.fed = 0
        self.log: list[NNTPCommand] = []


@dataclass(slots=True, eq=False)
class Session(MailSession):
    """One connection."""

    channel: IMAPChannel
    user: str | None = None
    named: str | None = None
    """The name given with AUTHINFO USER."""
    reader: bool = True
    compressed: bool = False
    group: NewsGroup | None = None
    current: int | None = None
    """Number of the current article."""

    def send_raw(self, text: str) -> None:
        """Queue a line as it is, with CRLF behind it."""
        self.outbox.append(f"{text}\r\n".encode("utf-8", "surrogateescape"))
