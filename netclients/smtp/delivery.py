"""One message on its way: who has it, who is left, and when to try again.

::

    Delivery → transaction → settle: accepted, refused, unknown | waiting: at once, later, or given up → Receipt
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from netclients.errors import (
    ConfigurationError,
    ConnectionLost,
    NetClientError,
    OutcomeUnknown,
    RecipientsRefused,
    TransientReplyError,
    UnsupportedError,
    printable,
)
from netclients.mail.addresses import all_in_ascii
from netclients.retry import RetryPolicy, Schedule
from netclients.smtp.replies import names_recipient_limit, too_many_recipients
from netclients.smtp.types import DSN, Extensions, Receipt
from netclients.wire import arguments

if TYPE_CHECKING:
    from netclients.events import Trace
    from netclients.mail.message import Message
    from netclients.smtp.settings import Learned
    from netclients.wire.replies import Reply

__all__ = ["Delivery", "Plan", "Verdict"]


@dataclass(frozen=True, slots=True)
class Plan:
    """How one message is given to one server: its sender and its recipients as bytes, parameters, and its form."""

    message: Message
    sender: bytes
    parameters: tuple[bytes, ...]
    recipients: tuple[tuple[str, bytes, tuple[bytes, ...]], ...]
    binary: bool


@dataclass(slots=True)
class Verdict:
    """What one transaction came to, for each of its recipients.

    ``deferred``: refused for now. ``unsettled``: the connection failed before the message was theirs.
    """

    accepted: list[str] = field(default_factory=list)
    refused: dict[str, Reply] = field(default_factory=dict)
    deferred: dict[str, Reply] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    reply: Reply | None = None
    doubt: str = ""


class Delivery:
    """A message, its envelope, and what has become of it so far.

    ``waiting`` are the recipients that are to be tried (again). Those who were put off come again when nobody is left
    who was not, so that one of them keeps the message from nobody else.

    Raises:
        ConfigurationError: no recipient, or an address or option that is none.
    """

    def __init__(
        self,
        message: Message,
        sender: str,
        recipients: Sequence[str],
        *,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
        dsn: DSN | None = None,
        require_tls: bool = False,
        index: int = 0,
    ) -> None:
        self.message = message
        self.index = index
        self.waiting: list[str] = _addresses(recipients)
        self._put_off: dict[str, Reply] = {}
        self.accepted: list[str] = []
        self.refused: dict[str, Reply] = {}
        self.unknown: list[str] = []
        self.reply: Reply | None = None
        self.attempts = 0
        self._sender = sender
        self._dsn = dsn
        self._require_tls = require_tls
        if not self.waiting:
            raise ConfigurationError("the message has no recipient")
        if sender != "":
            arguments.mailbox(sender)
        if not isinstance(dsn, DSN | None):
            raise ConfigurationError(f"dsn is a DSN, not a {type(dsn).__name__}")
        self._mail_options = _parameters(mail_options)
        self._rcpt_options = _parameters(rcpt_options)
        self._doubt = ""
        self._failure: NetClientError | None = None
        self._schedule: Schedule | None = None
        self._started = time.monotonic()

    # Before a transaction

    def plan(self, extensions: Extensions, *, secured: bool, most: int | None = None) -> Plan:
        """Return how to give the message to a server with these extensions; to ``most`` recipients at a time.

        Raises:
            UnsupportedError: the server can't take it; nothing was sent.
        """
        message = self.message
        addresses = [self._sender, *self._next()[:most]]
        envelope = addresses
        if (message.needs_8bit and not extensions.has("8BITMIME")) or (
            message.needs_smtputf8 and not extensions.has("SMTPUTF8")
        ):
            message = message.as_7bit() or message
        if message.needs_8bit and not extensions.has("8BITMIME"):
            raise UnsupportedError("the message has 8-bit content, and the server does not offer 8BITMIME")
        if not extensions.has("SMTPUTF8"):
            envelope = [_in_ascii(address) for address in addresses]
            if message.needs_smtputf8:
                raise UnsupportedError("the message has a header in UTF-8, and the server does not offer SMTPUTF8")
        utf8 = message.needs_smtputf8 or not all(map(str.isascii, envelope))
        if message.binary and not (extensions.has("BINARYMIME") and extensions.has("CHUNKING")):
            raise UnsupportedError("the message has bare CR, LF or NUL, and the server does not offer BINARYMIME")
        size = extensions.size
        if size is not None and message.size > size:
            raise UnsupportedError(f"the message has {message.size:,} bytes, the server takes {size:,}")
        parameters = [*self._extended(message, extensions, utf8=utf8, secured=secured), *self._mail_options]
        return Plan(
            message,
            envelope[0].encode(),
            tuple(parameters),
            tuple(
                (address, encoded.encode(), self._rcpt_parameters(address))
                for address, encoded in zip(addresses[1:], envelope[1:], strict=True)
            ),
            message.binary,
        )

    def _next(self) -> list[str]:
        return [address for address in self.waiting if address not in self._put_off] if self._put_off else self.waiting

    def _extended(self, message: Message, extensions: Extensions, *, utf8: bool, secured: bool) -> list[bytes]:
        found = [b"SIZE=%d" % message.size] if extensions.has("SIZE") else []
        if message.binary:
            found.append(b"BODY=BINARYMIME")
        elif message.needs_8bit:
            found.append(b"BODY=8BITMIME")
        if utf8:
            found.append(b"SMTPUTF8")
        if self._dsn is not None:
            if not extensions.has("DSN"):
                raise UnsupportedError("notifications were asked for, and the server does not offer DSN")
            found += [parameter.encode("ascii") for parameter in self._dsn.mail_parameters()]
        if self._require_tls:
            if not (secured and extensions.has("REQUIRETLS")):
                raise UnsupportedError("require_tls=True, and the server does not offer REQUIRETLS on this connection")
            found.append(b"REQUIRETLS")
        return found

    def _rcpt_parameters(self, address: str) -> tuple[bytes, ...]:
        if self._dsn is None:
            return self._rcpt_options
        return (*(item.encode("ascii") for item in self._dsn.rcpt_parameters(address)), *self._rcpt_options)

    # After one

    def settle(self, verdict: Verdict) -> None:
        """Note what a transaction came to."""
        self.accepted += verdict.accepted
        self.refused.update(verdict.refused)
        self.unknown += verdict.unknown
        self._doubt = verdict.doubt or self._doubt
        self.reply = verdict.reply or self.reply
        done = {*verdict.accepted, *verdict.refused, *verdict.unknown}
        self.waiting = [address for address in self.waiting if address not in done]

    def again(
        self, verdict: Verdict, error: NetClientError | None, *, free: bool, policy: RetryPolicy, trace: Trace
    ) -> float | None:
        """Return in how many seconds to try those who still wait; None: it is over.

        ``error`` is what ended the connection, if that did. ``free``: the connection had been of use before, so that
        its end says nothing about this message.
        """
        if not self.waiting:
            return None
        for address, reply in verdict.deferred.items():
            if not (verdict.accepted and too_many_recipients(reply)):
                self._put_off[address] = reply
        in_order = free or (error is None and not verdict.unsettled)
        if in_order and len(self.waiting) > len(self._put_off):
            return 0.0  # somebody was not put off
        if self._schedule is None:
            self._schedule = Schedule(policy, f"send {self.message.message_id or 'a message'}", trace)
        for reply in self._put_off.values():
            error = error or TransientReplyError("send", reply.code, reply.text, enhanced=reply.enhanced)
        error = error or ConnectionLost("the connection was lost")
        delay = self._schedule.after(error)
        if delay is None:
            self._give_up(error)
        self._put_off.clear()
        return delay

    def _give_up(self, error: NetClientError) -> None:
        self.refused.update(self._put_off)
        self.waiting = self._next()
        if self.waiting:
            self._failure = error

    def fail(self, error: NetClientError) -> None:
        """Those who still wait will not get it; an earlier reason stands."""
        self._failure = self._failure or error

    def limit(self, verdict: Verdict, learned: Learned) -> None:
        """Learn how many recipients the server takes at a time, if it has just said so."""
        if verdict.accepted and any(map(names_recipient_limit, verdict.deferred.values())):
            learned.recipients = len(verdict.accepted)

    def receipt(self) -> Receipt:
        """Return what has become of the message."""
        receipt = Receipt(
            message_id=self.message.message_id,
            accepted=tuple(self.accepted),
            refused=dict(self.refused),
            unknown=tuple(self.unknown),
            unsent=tuple(self.waiting),
            reply=self.reply,
            seconds=time.monotonic() - self._started,
            attempts=self.attempts,
            index=self.index,
        )
        return replace(receipt, error=self._error(receipt))

    def _error(self, receipt: Receipt) -> NetClientError | None:
        if receipt.unknown:
            shown = f"message {receipt.message_id}" if receipt.message_id else "message"
            return OutcomeUnknown(shown, self._doubt, receipt=receipt)
        if receipt.unsent:
            return self._failure
        if not receipt.accepted and receipt.refused:
            return RecipientsRefused(receipt)
        return None


def _addresses(recipients: object) -> list[str]:
    if isinstance(recipients, (str, bytes)) or not isinstance(recipients, Iterable):
        raise ConfigurationError(f"recipients are a list of addresses, not {type(recipients).__name__}")
    found = list(recipients)
    for address in found:
        arguments.mailbox(address)
    return list(dict.fromkeys(found))


def _parameters(options: object) -> tuple[bytes, ...]:
    if isinstance(options, (str, bytes)) or not isinstance(options, Iterable):
        raise ConfigurationError(f"ESMTP parameters come as a list, not as {type(options).__name__}")
    return tuple(map(arguments.esmtp_parameter, options))


def _in_ascii(address: str) -> str:
    """Return an address as a server without SMTPUTF8 takes it: the domain, but not the local part, has another form."""
    if address.isascii():
        return address
    found = all_in_ascii([address])
    if found is None:
        raise UnsupportedError(f"{printable(address)} is not in ASCII, and the server does not offer SMTPUTF8")
    return found[0]
