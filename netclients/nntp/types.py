"""Values of NNTP: replies, what a server offers, and what it tells of groups and articles.

An article has a number in each group that it is in, an ``int`` here, and a message-id, text in angle brackets, that is
the same everywhere.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from netclients.errors import printable

__all__ = [
    "ActiveGroup",
    "Answer",
    "Article",
    "ArticleInfo",
    "Capabilities",
    "CountedGroup",
    "CreatedGroup",
    "Distribution",
    "DistributionPattern",
    "Group",
    "GroupDescription",
    "HeaderValue",
    "ListedGroup",
    "Moderator",
    "Reply",
]


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply: ``code`` and the ``text`` behind it (RFC 3977 section 3.2).

    Behind some comes a block: ``body``, without stuffed dots; empty too if a sink has taken it, and ``size`` tells how
    long it was. A list comes as ``lines``.
    """

    code: int
    text: str = ""
    body: bytes = b""
    lines: tuple[bytes, ...] = ()
    size: int = 0

    @property
    def kind(self) -> int:
        """The code's first digit: 1 information, 2 done, 3 go on, 4 not now, 5 no."""
        return self.code // 100

    @property
    def told(self) -> tuple[int, str]:
        """What events and logs are told."""
        return self.code, self.text

    def __str__(self) -> str:
        return f"{self.code} {printable(self.text)}"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server offers (RFC 3977 section 5.2): parameters by keyword, both in capitals.

    ``known``: it has answered CAPABILITIES. Servers of before 2006 have no such command, and may have anything.
    """

    keywords: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known: bool = False

    def has(self, keyword: str, parameter: str | None = None) -> bool:
        """Whether the server offers it, with this parameter if one is given."""
        parameters = self.keywords.get(keyword)
        return parameters is not None and (parameter is None or parameter in parameters)

    def lacks(self, keyword: str, parameter: str | None = None) -> bool:
        """Whether it is known not to be offered."""
        return self.known and not self.has(keyword, parameter)

    @property
    def sasl(self) -> tuple[str, ...]:
        """SASL mechanisms (RFC 4643 section 2.4.2), if they may be used now."""
        return self.keywords.get("SASL", ()) if self.has("AUTHINFO", "SASL") else ()

    @property
    def implementation(self) -> str:
        """What the server calls itself; empty if it does not say."""
        return " ".join(self.keywords.get("IMPLEMENTATION", ()))


@dataclass(frozen=True, slots=True)
class Group:
    """A group: about how many articles it has, and their lowest and highest number (RFC 3977 section 6.1.1).

    An empty one has ``last`` below ``first``, or a ``count`` of 0.
    """

    name: str
    count: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class ListedGroup:
    """A group and the ``numbers`` of its articles."""

    group: Group
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ArticleInfo:
    """Which article it is. ``number`` is None if it was asked for by its message-id; ``size``: bytes that were sent."""

    number: int | None
    message_id: str
    size: int = 0


@dataclass(frozen=True, slots=True)
class Article:
    """An article, or its header or body, as it is: ``raw``. Lines end with CRLF."""

    number: int | None
    message_id: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class ActiveGroup:
    """A line of LIST ACTIVE. ``status``: y, n (no posting), m (moderated), x, j, ``=other.group`` (RFC 6048)."""

    name: str
    last: int
    first: int
    status: str


@dataclass(frozen=True, slots=True)
class CountedGroup:
    """A line of LIST COUNTS (RFC 6048 section 2.2)."""

    name: str
    last: int
    first: int
    count: int
    status: str


@dataclass(frozen=True, slots=True)
class CreatedGroup:
    """A line of LIST ACTIVE.TIMES: when a group was created, and by whom."""

    name: str
    created: datetime
    creator: str


@dataclass(frozen=True, slots=True)
class GroupDescription:
    """A line of LIST NEWSGROUPS. What is not UTF-8 in it is taken for ISO 8859-1."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class DistributionPattern:
    """A line of LIST DISTRIB.PATS (RFC 3977 section 7.6.5): of those that match, the heaviest counts."""

    weight: int
    wildmat: str
    distribution: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """A line of LIST DISTRIBUTIONS (RFC 6048 section 2.3)."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class Moderator:
    """A line of LIST MODERATORS (RFC 6048 section 2.4); ``%s`` in the address stands for the group, with dashes."""

    wildmat: str
    address: str


@dataclass(frozen=True, slots=True)
class HeaderValue:
    """One article's value of one field (HDR); ``number`` is 0 if it was asked for by its message-id."""

    number: int
    value: str


class Answer(enum.Enum):
    """What a server says to an article that is offered to it (IHAVE, CHECK, TAKETHIS)."""

    WANTED = "it wants the article"
    ACCEPTED = "it has taken the article"
    LATER = "it can't say now: offer it later"
    UNWANTED = "it has the article, or does not want it"
    REJECTED = "it has refused the article, for good"
