"""Values of POP3: replies, what a server offers, and what it tells of its messages.

Messages have numbers, from 1, for one session only; a unique-id (UIDL) is text and holds across sessions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from netclients.errors import printable

if TYPE_CHECKING:
    from netclients.mail.reading import UID, MessageInfo

__all__ = ["Capabilities", "Changes", "Language", "Listing", "Stat", "Status", "UniqueID"]


@dataclass(frozen=True, slots=True)
class Status:
    """A reply: ``+OK`` or ``-ERR``, or with ``challenge`` a ``+`` that goes on with an exchange (RFC 5034).

    ``code`` is the response code in capitals, such as ``"SYS/TEMP"`` (RFC 2449 section 8), None without; ``text`` the
    rest of the line. Behind some replies comes a text: ``body``, without stuffed dots; empty too if a sink has taken
    it, and ``size`` tells how long it was. A list comes as ``lines``.
    """

    ok: bool
    text: str = ""
    code: str | None = None
    challenge: bool = False
    body: bytes = b""
    lines: tuple[bytes, ...] = ()
    size: int = 0

    @property
    def told(self) -> tuple[None, str]:
        """What events and logs are told."""
        return None, str(self)

    def __str__(self) -> str:
        sign = "+" if self.challenge else "+OK" if self.ok else "-ERR"
        return " ".join(word for word in (sign, f"[{self.code}]" if self.code else "", printable(self.text)) if word)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server said to CAPA (RFC 2449): keywords (upper case) with their parameters.

    ``known``: it did answer; older servers don't, and may have more than they say.
    """

    keywords: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    known: bool = False

    def has(self, keyword: str) -> bool:
        """Whether the server offers it."""
        return keyword in self.keywords

    def lacks(self, keyword: str) -> bool:
        """Whether it is known not to be offered."""
        return self.known and keyword not in self.keywords

    @property
    def sasl(self) -> tuple[str, ...]:
        """SASL mechanisms (RFC 5034)."""
        return tuple(word.upper() for word in self.keywords.get("SASL", ()))

    @property
    def implementation(self) -> str:
        """What the server calls itself; empty if it does not say."""
        return " ".join(self.keywords.get("IMPLEMENTATION", ()))

    @property
    def login_delay(self) -> int | None:
        """Seconds that must lie between two logins; None: it does not say."""
        return _number(self.keywords.get("LOGIN-DELAY", ()))

    @property
    def expire(self) -> int | None:
        """Days that messages are kept: 0 is none, once they were read; None: for ever, or it does not say."""
        return _number(self.keywords.get("EXPIRE", ()))


def _number(words: tuple[str, ...]) -> int | None:
    word = words[0] if words else ""
    return int(word) if word.isascii() and word.isdecimal() and len(word) <= 20 else None


@dataclass(frozen=True, slots=True)
class Stat:
    """The maildrop as a whole: ``count`` messages of ``size`` bytes."""

    count: int
    size: int


@dataclass(frozen=True, slots=True)
class Listing:
    """One message's ``number`` and ``size`` in bytes."""

    number: int
    size: int


@dataclass(frozen=True, slots=True)
class UniqueID:
    """One message's ``number`` and unique-id."""

    number: int
    uid: str


@dataclass(frozen=True, slots=True)
class Language:
    """A language for texts (RFC 6856 section 3): its ``tag`` (RFC 5646), and its name in itself."""

    tag: str
    name: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What :meth:`~netclients.pop3.maildrop.Maildrop.sync` has found.

    ``added``: messages that are new, ``vanished``: the unique-ids of those that are gone; ``changed`` is empty, for a
    message of POP3 never changes. ``state``: JSON text to begin the next comparison with.
    """

    added: tuple[MessageInfo, ...]
    changed: tuple[MessageInfo, ...]
    vanished: tuple[UID, ...]
    state: str
