"""From a delivery to its receipt: a connection, as many transactions as it takes, and pauses between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from netclients.errors import ConnectionLost, NetClientError
from netclients.mail.raw import message_of
from netclients.retry import RetryPolicy
from netclients.smtp.courier import Courier
from netclients.smtp.delivery import Delivery, Verdict
from netclients.smtp.transaction import STREAMED_ABOVE

if TYPE_CHECKING:
    from netclients.mail.message import Message
    from netclients.pool import Pool
    from netclients.smtp.connection import SMTPConnection
    from netclients.smtp.settings import Settings
    from netclients.smtp.transaction import Transaction
    from netclients.smtp.types import Receipt
    from netclients.transport.rate import RateLimit

__all__ = ["Context", "carry", "send", "send_once"]

AtHand = Callable[[], Delivery | None]
"""Returns another message that can be sent right now, if there is one."""
Landed = Callable[[Delivery, float | None], None]
"""Is told that a delivery is to be tried again in so many seconds, or is over (None)."""


@dataclass(frozen=True, slots=True)
class Context:
    """One client's means."""

    pool: Pool[SMTPConnection]
    settings: Settings
    policy: RetryPolicy
    limit: RateLimit | None


async def send(context: Context, delivery: Delivery) -> Receipt:
    """Deliver one message; what goes wrong is in the receipt."""
    delay: float | None = 0.0

    def landed(_: Delivery, again: float | None) -> None:
        nonlocal delay
        delay = again

    while delay is not None:
        if delay:
            await anyio.sleep(delay)
        await carry(context, delivery, lambda: None, landed)
    return delivery.receipt()


async def send_once(
    connection: SMTPConnection,
    content: bytes | Message,
    sender: str,
    recipients: Sequence[str],
    mail_options: Sequence[str],
    rcpt_options: Sequence[str],
) -> Receipt:
    """Send one message over one connection, in one transaction.

    Raises:
        RecipientsRefused, OutcomeUnknown: see :meth:`netclients.MailSender.send`.
        NetClientError: what ended the connection before.
    """
    delivery = Delivery(message_of(content), sender, recipients, mail_options=mail_options, rcpt_options=rcpt_options)
    flight = _Flight(Courier(connection), RetryPolicy(attempts=1), lambda _, __: None)
    flight.begin(delivery)
    await flight.run(lambda: None)
    if delivery.waiting:
        delivery.fail(ConnectionLost("one transaction did not reach everybody"))
    receipt = delivery.receipt()
    if receipt.unknown or not receipt.accepted:
        receipt.raise_for_error()
    return receipt


async def carry(context: Context, first: Delivery, at_hand: AtHand, landed: Landed) -> None:
    """Send ``first``, and whatever else is at hand meanwhile, over one connection of the pool."""
    if (pause := _claim(context.limit, first)) > 0:
        await anyio.sleep(pause)
    try:
        connection = await context.pool.acquire()
    except NetClientError as error:
        again = first.again(
            Verdict(unsettled=list(first.waiting)),
            error,
            free=False,
            policy=context.policy,
            trace=context.settings.trace,
        )
        landed(first, again)
        return
    try:
        flight = _Flight(Courier(connection, context.limit), context.policy, landed)
        flight.begin(first)
        await flight.run(at_hand)
    finally:
        context.pool.release(connection)


class _Flight:
    """What one connection carries, until nothing more is at hand."""

    def __init__(self, courier: Courier, policy: RetryPolicy, landed: Landed) -> None:
        self._courier = courier
        self._policy = policy
        self._landed = landed

    def begin(self, delivery: Delivery) -> None:
        """Begin a message; one that the server can't take is over."""
        try:
            self._courier.begin(delivery)
        except ConnectionLost as error:
            self._settle(delivery, Verdict(unsettled=list(delivery.waiting)), error, free=self._courier.proven)
        except NetClientError as error:
            delivery.fail(error)
            self._landed(delivery, None)

    async def run(self, at_hand: AtHand) -> None:
        """Go on until all have landed, here or in the sea."""
        courier = self._courier
        try:
            while True:
                if courier.flight:
                    courier.prompt()
                while courier.room and (delivery := at_hand()) is not None:
                    _claim(courier.limit, delivery)
                    self.begin(delivery)
                if not courier.flight:
                    break
                for transaction in await courier.exchange():
                    self._land(transaction, None)
            await courier.tidy()
        except NetClientError as error:
            courier.connection.abort(f"{type(error).__name__}")
            for transaction in courier.lost():
                self._land(transaction, error)
        except BaseException:
            courier.tell_doubts()
            raise

    def _land(self, transaction: Transaction, error: NetClientError | None) -> None:
        connection = self._courier.connection
        goodbye = connection.protocol.goodbye
        if error is None and goodbye is not None:
            error = ConnectionLost(f"the server closed the session: {goodbye}")
        delivery, verdict = transaction.delivery, transaction.verdict()
        delivery.settle(verdict)
        delivery.limit(verdict, connection.settings.learned)
        old = self._courier.proven and isinstance(error, ConnectionLost)
        self._settle(delivery, verdict, error, free=old or transaction.refuses_guard)

    def _settle(self, delivery: Delivery, verdict: Verdict, error: NetClientError | None, *, free: bool) -> None:
        trace = self._courier.connection.settings.trace
        again = delivery.again(verdict, error, free=free, policy=self._policy, trace=trace)
        self._landed(delivery, again)


def _claim(limit: RateLimit | None, delivery: Delivery) -> float:
    """Count a message that is about to be sent; return how many seconds those before it still have to take.

    What is streamed is counted as it goes.
    """
    if limit is None or delivery.message.size > STREAMED_ABOVE:
        return 0.0
    pause = limit.pause
    limit.debt(delivery.message.size)
    return pause
