"""Values of SMTP: what a server offers, what is asked of it, and what became of a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from netclients.errors import ConfigurationError
from netclients.wire import arguments

if TYPE_CHECKING:
    from netclients.errors import NetClientError
    from netclients.wire.replies import Reply

__all__ = ["DSN", "Extensions", "Notify", "PipeliningMode", "Receipt"]

PipeliningMode = Literal["off", "standard", "eager"]
"""How much is sent before replies have come; see :class:`~netclients.MailSender`."""

Notify = Literal["NEVER", "SUCCESS", "FAILURE", "DELAY"]


@dataclass(frozen=True, slots=True)
class Extensions:
    """What a server said to EHLO or LHLO: its own name, and keywords (upper case) with their parameters."""

    domain: str = ""
    keywords: Mapping[str, str] = field(default_factory=dict)

    def has(self, keyword: str) -> bool:
        """Whether the server offers it."""
        return keyword in self.keywords

    @property
    def size(self) -> int | None:
        """The largest message that it takes, in bytes; None: it does not say (RFC 1870)."""
        return _positive(self.keywords.get("SIZE", ""))

    @property
    def auth(self) -> tuple[str, ...]:
        """SASL mechanisms (RFC 4954)."""
        return tuple(self.keywords.get("AUTH", "").upper().split())

    @property
    def limits(self) -> Mapping[str, int]:
        """MAILMAX, RCPTMAX, RCPTDOMAINMAX, as far as the server tells them (RFC 9422)."""
        found = {}
        for word in self.keywords.get("LIMITS", "").split():
            name, _, value = word.partition("=")
            if (limit := _positive(value)) is not None:
                found[name.upper()] = limit
        return found


def _positive(value: str) -> int | None:
    # Twenty digits are RFC 1870's most.
    if value.isascii() and value.isdecimal() and len(value) <= 20:
        return int(value) or None
    return None


@dataclass(frozen=True, slots=True)
class DSN:
    """Which delivery status notifications to ask for (RFC 3461).

    ``notify``: when, for every recipient; ``("NEVER",)`` alone, or any of the others. ``ret``: how much of the message
    comes back. ``envelope_id`` comes back with it. ``original_recipients``: for an address, the one that it was
    made from.
    """

    notify: tuple[Notify, ...] = ()
    ret: Literal["FULL", "HDRS"] | None = None
    envelope_id: str | None = None
    original_recipients: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = {"NEVER", "SUCCESS", "FAILURE", "DELAY"}
        if not known.issuperset(self.notify):
            raise ConfigurationError(f"DSN.notify={self.notify!r}: choose from {', '.join(sorted(known))}")
        if "NEVER" in self.notify and len(self.notify) > 1:
            raise ConfigurationError("DSN.notify: NEVER stands alone")
        if self.ret not in (None, "FULL", "HDRS"):
            raise ConfigurationError(f"DSN.ret={self.ret!r}: choose FULL or HDRS")
        self.mail_parameters()
        for address in self.original_recipients:
            self.rcpt_parameters(address)

    def mail_parameters(self) -> list[str]:
        """Return the parameters of MAIL."""
        found = [] if self.ret is None else [f"RET={self.ret}"]
        if self.envelope_id is not None:
            found.append(f"ENVID={arguments.xtext(self.envelope_id)}")
        return found

    def rcpt_parameters(self, address: str) -> list[str]:
        """Return the parameters of RCPT for ``address``."""
        found = [f"NOTIFY={','.join(self.notify)}"] if self.notify else []
        if (original := self.original_recipients.get(address)) is not None:
            arguments.mailbox(original)
            found.append(f"ORCPT=rfc822;{arguments.xtext(original)}")
        return found


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one message.

    ``accepted``: recipients for whom the server has taken responsibility. ``refused``: the others, with its reply.
    ``unknown``: those for whom the message may or may not have been accepted, because the reply was lost.
    ``unsent``: those whom it certainly did not reach, because the connection failed before. ``reply`` is the
    last reply to the content. ``attempts`` counts transactions; ``index`` is the message's place in its batch.
    """

    message_id: str
    accepted: tuple[str, ...] = ()
    refused: Mapping[str, Reply] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()
    unsent: tuple[str, ...] = ()
    reply: Reply | None = None
    seconds: float = 0.0
    attempts: int = 0
    index: int = 0
    error: NetClientError | None = None

    @property
    def ok(self) -> bool:
        """Whether every recipient was accepted."""
        return bool(self.accepted) and not (self.refused or self.unknown or self.unsent or self.error)

    def raise_for_error(self) -> None:
        """Raise ``error`` if there is one."""
        if self.error is not None:
            raise self.error
