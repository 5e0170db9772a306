# ruff: noqa: D102 - docstrings are those of the asynchronous twin
"""``MailSender`` for blocking code: each method runs its asynchronous twin in the portal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from netclients.smtp.client import MailSender as AsyncMailSender
from netclients.sync.calls import Desk, run
from netclients.sync.client import Client, Lease
from netclients.sync.docs import documented_like
from netclients.sync.smtp_connection import SMTPConnection
from netclients.sync.sources import lend_iterable
from netclients.sync.streams import Stream

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Sequence

    from netclients.config import Bounds, Credentials, Endpoint, PoolLimits, Timeouts, TLSMode
    from netclients.events import Events
    from netclients.retry import RetryPolicy
    from netclients.smtp.client import Outgoing, Sendable
    from netclients.smtp.connection import SMTPConnection as AsyncSMTPConnection
    from netclients.smtp.types import DSN, PipeliningMode, Receipt

__all__ = ["MailSender"]


@documented_like(AsyncMailSender)
class MailSender(Client[AsyncMailSender]):
    """Sends mail through one server, by SMTP or LMTP, for blocking code.

    Works with ``with`` or without (then call :meth:`close`), connects when first needed, and may be used from
    any number of threads at once. What yields messages runs in the thread that iterates over the receipts; a token
    provider runs in the background thread.
    """

    def __init__(
        self,
        url: str | Endpoint,
        *,
        auth: Credentials | tuple[str, str] | None = None,
        tls: TLSMode | Literal["implicit", "starttls", "none", "opportunistic"] | None = None,
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
        self._twin = AsyncMailSender(
            url,
            auth=auth,
            tls=tls,
            ssl_context=ssl_context,
            pipelining=pipelining,
            mechanisms=mechanisms,
            ehlo_name=ehlo_name,
            timeouts=timeouts,
            retry=retry,
            limits=limits,
            bounds=bounds,
            proxy=proxy,
            events=events,
            limit_rate=limit_rate,
        )

    def connection(self) -> Lease[AsyncSMTPConnection, SMTPConnection]:
        return Lease(self, self._twin.connection(), lambda twin, owner: SMTPConnection(twin, owner=owner))

    def send(
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
        return run(
            lambda: self._twin.send(
                message,
                from_,
                to,
                mail_options=mail_options,
                rcpt_options=rcpt_options,
                dsn=dsn,
                require_tls=require_tls,
                normalize=normalize,
                binary=binary,
            )
        )

    def send_many(self, messages: Iterable[Sendable | Outgoing], *, concurrency: int | None = None) -> Stream[Receipt]:
        desk = Desk()
        return Stream(
            self._twin.send_many(lend_iterable(desk, messages), concurrency=concurrency), desk=desk, owner=self
        )
