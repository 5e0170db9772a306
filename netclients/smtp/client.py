"""``MailSender``: messages over pooled connections, with receipts that tell the truth.

::

    send, send_many → delivery (who is left) → pool → courier → SMTPConnection → server

A recipient that is refused for now is tried again, alone, in a new transaction; one whose outcome is not known never
is. Every method may be cancelled at any time; errors are those of :mod:`netclients.errors`.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Sequence
from dataclasses import dataclass
from email.message import Message as StandardMessage
from typing import TYPE_CHECKING

from netclients.client import Client
from netclients.config import Bounds, OAuth, PoolLimits, Timeouts, TLSMode
from netclients.errors import ConfigurationError
from netclients.mail.message import Message
from netclients.mail.raw import message_of
from netclients.numbers import whole_number
from netclients.pool import Pool
from netclients.retry import RetryPolicy
from netclients.settings import AnyTLS, Auth, common_settings, endpoint_of
from netclients.smtp.connection import SMTPConnection
from netclients.smtp.delivery import Delivery
from netclients.smtp.login import connect
from netclients.smtp.sending import Context, send
from netclients.smtp.settings import Learned, Settings
from netclients.streams import Stream
from netclients.transport.rate import RateLimit
from netclients.transport.threads import in_thread
from netclients.wire import arguments

if TYPE_CHECKING:
    import ssl

    from netclients.config import Endpoint
    from netclients.events import Events
    from netclients.smtp.types import DSN, PipeliningMode, Receipt

__all__ = ["MailSender", "Outgoing", "Sendable"]

Sendable = Message | StandardMessage | bytes | bytearray | memoryview | os.PathLike[str]
"""What can be sent: what ``compose`` made, a message of the ``email`` package, or raw bytes, in memory or in a file."""

_LARGE = 1024 * 1024  # bytes that are worth a worker thread to be looked through


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message of :meth:`MailSender.send_many` with what :meth:`MailSender.send` takes besides it."""

    message: Sendable
    from_: str | None = None
    to: Sequence[str] | None = None
    mail_options: Sequence[str] = ()
    rcpt_options: Sequence[str] = ()
    dsn: DSN | None = None
    require_tls: bool = False
    normalize: bool = False
    binary: bool = False


class MailSender(Client[SMTPConnection]):
    """Sends mail through one server, by SMTP or LMTP.

    Args:
        url: ``smtp://`` (STARTTLS, required unless the server is on this machine and there are no credentials),
            ``smtps://`` (TLS from the first byte), ``lmtp://``, ``lmtp+unix:///path``, with user and password as
            wanted; or an :class:`Endpoint`. Ports: 587, 465, 24.
        auth: credentials instead of the URL's: a :class:`Login`, ``(user, password)``, :class:`OAuth` with a token
            provider, or :class:`External`.
        tls: ``"implicit"``, ``"starttls"``, ``"none"`` or ``"opportunistic"``, against what the URL means.
        ssl_context: TLS settings; by default certificates and host names are verified.
        pipelining: ``"standard"`` sends the content of one message and the envelope of the next together, one round
            trip a message; ``"eager"``, where the server offers CHUNKING, does not wait at all; ``"off"`` sends one
            command at a time. All of them guard each message by RSET.
        mechanisms: the only SASL mechanisms that may be used; by default the strongest that the server offers.
        ehlo_name: what we call ourselves; by default our address.
        timeouts, retry, limits, bounds: how long, how often, how many, how much.
        proxy: URL of a SOCKS or HTTP CONNECT proxy (extra ``proxy``).
        events: told what happens.
        limit_rate: bytes of messages a second, over all connections.

    Works with ``async with`` or without (then call :meth:`aclose`), belongs to one thread, connects when first
    needed, and may be used from one event loop after another.

    Raises:
        ConfigurationError: the arguments make no sense.
    """

    def __init__(
        self,
        url: str | Endpoint,
        *,
        auth: Auth | None = None,
        tls: AnyTLS | None = None,
        ssl_context: ssl.SSLContext | None = None,
        pipelining: PipeliningMode = "standard",
        mechanisms: Sequence[str] | None = None,
        ehlo_name: str | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        limits: PoolLimits | None = None,
        bounds: Bounds | None = None,
        proxy: str | None = None,
        events: Events | None = None,
        limit_rate: float | None = None,
    ) -> None:
        endpoint = endpoint_of(url, "MailSender", "smtp", "lmtp")
        if pipelining not in ("off", "standard", "eager"):
            raise ConfigurationError(f"pipelining={pipelining!r}: choose off, standard or eager")
        if ehlo_name is not None:
            arguments.domain(ehlo_name)
        settings = self._settings = Settings(
            **common_settings(
                endpoint,
                auth=auth,
                tls=tls,
                ssl_context=ssl_context,
                timeouts=timeouts,
                bounds=bounds,
                proxy=proxy,
                events=events,
                mechanisms=mechanisms,
            ),
            learned=Learned(),
            pipelining=pipelining,
            ehlo_name=ehlo_name,
        )
        if settings.tls is TLSMode.OPPORTUNISTIC and settings.credentials is not None:
            raise ConfigurationError("credentials need TLS: opportunistic may end without")
        self._limits = limits or PoolLimits()
        # A token that was refused is not the next one.
        remember = not isinstance(settings.credentials, OAuth)
        self._pool: Pool[SMTPConnection] = Pool(
            self._connect, self._limits, settings.timeouts.pool, settings.trace, remember_refusals=remember
        )
        limit = None if limit_rate is None else RateLimit(limit_rate)
        self._context = Context(self._pool, self._settings, retry or RetryPolicy(), limit)

    async def _connect(self) -> SMTPConnection:
        return await connect(self._settings)

    async def send(
        self,
        message: Sendable,
        from_: str | None = None,
        to: Sequence[str] | str | None = None,
        *,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
        dsn: DSN | None = None,
        require_tls: bool = False,
        normalize: bool = False,
        binary: bool = False,
    ) -> Receipt:
        """Send one message; return what became of it, recipient by recipient.

        Envelope: ``from_`` and ``to`` if given, otherwise what the message's headers say, Bcc included, which is never
        sent. Raw bytes have none. ``mail_options`` and ``rcpt_options`` are further ESMTP parameters; ``dsn`` asks
        for notifications (RFC 3461), ``require_tls`` for TLS on the whole way (RFC 8689). Bare CR and LF of raw bytes
        are refused, or with ``normalize`` made into line ends, or with ``binary`` left to a server with BINARYMIME.

        Raises:
            RecipientsRefused: nobody was accepted.
            OutcomeUnknown: a reply was lost, and for somebody nobody knows; it carries the receipt.
            UnsupportedError: the server can't take this message; nothing was sent.
            LocalFileError: an attachment can't be read; nobody has received anything.
            AuthenticationError, ConnectError, TLSError, PhaseTimeout and other errors, if nobody was accepted: as of
                the last attempt.
        """
        addresses = (to,) if isinstance(to, str) else to
        outgoing = Outgoing(message, from_, addresses, mail_options, rcpt_options, dsn, require_tls, normalize, binary)
        receipt = await send(self._context, await self._prepare(outgoing, 0))
        if receipt.unknown or not receipt.accepted:
            receipt.raise_for_error()
        return receipt

    def send_many(
        self,
        messages: Iterable[Sendable | Outgoing] | AsyncIterable[Sendable | Outgoing],
        *,
        concurrency: int | None = None,
    ) -> Stream[Receipt]:
        """Send many messages over ``concurrency`` connections (default: as many as the pool has).

        Receipts come in the order in which the messages end; ``receipt.index`` is a message's place among ``messages``,
        ``receipt.error`` what :meth:`send` would have raised. A window of the messages is held in memory.
        """
        from netclients.smtp.batch import SendProducer

        count = self._limits.max_connections if concurrency is None else concurrency
        count = whole_number("concurrency", count, 1)
        return Stream(SendProducer(self._context, messages, self._prepare, count))

    async def _prepare(self, item: Sendable | Outgoing, index: int) -> Delivery:
        outgoing = item if isinstance(item, Outgoing) else Outgoing(item)
        source, normalize, binary = outgoing.message, outgoing.normalize, outgoing.binary
        large = isinstance(source, (bytes, bytearray, memoryview)) and len(source) > _LARGE
        if large or isinstance(source, os.PathLike):
            message = await in_thread(lambda: message_of(source, normalize=normalize, binary=binary))
        else:
            message = message_of(source, normalize=normalize, binary=binary)
        sender = message.from_ if outgoing.from_ is None else outgoing.from_
        recipients = message.recipients if outgoing.to is None else outgoing.to
        return Delivery(
            message,
            sender,
            recipients,
            mail_options=outgoing.mail_options,
            rcpt_options=outgoing.rcpt_options,
            dsn=outgoing.dsn,
            require_tls=outgoing.require_tls,
            index=index,
        )
