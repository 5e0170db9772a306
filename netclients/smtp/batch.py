"""Many messages: a window of them in memory, as many connections as are wanted, receipts as each ends.

::

    messages → puller → feed (ready, or due later) → workers, one connection each → receipts

No worker holds a connection while it waits for messages, or for room among the receipts.
"""

from __future__ import annotations

import heapq
import itertools
import sys
import time
from collections import deque
from collections.abc import AsyncIterable, Callable, Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from netclients.errors import ConfigurationError, NetClientError
from netclients.smtp.sending import carry
from netclients.smtp.types import Receipt
from netclients.streams import Producer
from netclients.transport.readiness import Turn
from netclients.transport.workers import Crew, Outlet, Workers

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from netclients.smtp.delivery import Delivery
    from netclients.smtp.sending import Context

__all__ = ["SendProducer"]

T = TypeVar("T")

_AHEAD = 8  # messages in memory for each connection
_AHEAD_EAGER = 128
_HELD_BYTES = 64 * 1024 * 1024
_STAY = 20  # messages after which a connection goes to whoever waits for one


class _Feed:
    """What is to be sent next: new messages, and those whose time has come again."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._ready: deque[Delivery] = deque()
        self._later: list[tuple[float, int, Delivery]] = []
        self._numbers = itertools.count()
        self._waiting: deque[anyio.Event] = deque()
        self._open = True
        self._count = 0  # pulled, and not yet delivered to the consumer
        self._bytes = 0
        self._flying = 0

    # The puller's side

    async def room(self) -> None:
        """Wait until another message may be taken into memory."""
        while self._count >= self._window or self._bytes >= _HELD_BYTES:
            await self._changed(None)

    def add(self, delivery: Delivery) -> None:
        """Take in a new message."""
        self._ready.append(delivery)
        self._wake()

    def count(self, held: int) -> None:
        """Count a message in."""
        self._count += 1
        self._bytes += held

    def uncount(self, held: int) -> None:
        """The consumer has had its receipt."""
        self._count -= 1
        self._bytes -= held
        self._wake()

    def end(self) -> None:
        """No new ones will come."""
        self._open = False
        self._wake()

    # The workers' side

    async def take(self) -> Delivery | None:
        """Return the next message; None when there is none and none will come."""
        while True:
            if (delivery := self.at_hand()) is not None:
                return delivery
            if not (self._open or self._later or self._flying):
                return None
            await self._changed(self._until_due())

    def at_hand(self) -> Delivery | None:
        """Return a message if one is ready."""
        if self._later and self._later[0][0] <= time.monotonic():
            self._flying += 1
            return heapq.heappop(self._later)[2]
        if self._ready:
            self._flying += 1
            return self._ready.popleft()
        return None

    def put_back(self, delivery: Delivery, delay: float) -> None:
        """It is to be tried again."""
        self._flying -= 1
        heapq.heappush(self._later, (time.monotonic() + delay, next(self._numbers), delivery))
        self._wake()

    def done(self) -> None:
        """One is over."""
        self._flying -= 1
        self._wake()

    # Waiting

    def _until_due(self) -> float | None:
        return max(0.0, self._later[0][0] - time.monotonic()) if self._later else None

    async def _changed(self, timeout: float | None) -> None:
        event = anyio.Event()
        self._waiting.append(event)
        try:
            with anyio.move_on_after(timeout):
                await event.wait()
        finally:
            if not event.is_set():
                self._waiting.remove(event)

    def _wake(self) -> None:
        while self._waiting:
            self._waiting.popleft().set()


class SendProducer(Producer[Receipt], Generic[T]):
    """Sends all ``messages`` over ``concurrency`` connections. ``prepare`` makes a delivery of one and its index."""

    def __init__(
        self,
        context: Context,
        messages: Iterable[T] | AsyncIterable[T],
        prepare: Callable[[T, int], Awaitable[Delivery]],
        concurrency: int,
    ) -> None:
        if isinstance(messages, (str, bytes)) or not isinstance(messages, (Iterable, AsyncIterable)):
            raise ConfigurationError(f"messages must be an iterable of messages, not a {type(messages).__name__}")
        self._context = context
        self._messages = messages
        self._prepare = prepare
        eager = context.settings.pipelining == "eager"
        self._feed = _Feed(concurrency * (_AHEAD_EAGER if eager else _AHEAD))
        self._receipts: Outlet[tuple[Receipt, int]] = Outlet(sys.maxsize)
        self._pulled: Outlet[None] = Outlet(1)
        self._workers = Workers(Crew(self._pull, 1, self._pulled), Crew(self._work, concurrency, self._receipts))
        self._failure: Exception | None = None

    async def start(self) -> None:
        """See :meth:`~netclients.streams.Producer.start`."""
        await self._workers.open()

    async def next(self) -> Receipt:
        """See :meth:`~netclients.streams.Producer.next`."""
        self._workers.start()
        try:
            receipt, held = await self._receipts.get()
        except StopAsyncIteration:
            if self._failure is not None:
                raise self._failure from None
            raise
        self._feed.uncount(held)
        return receipt

    async def aclose(self) -> None:
        """See :meth:`~netclients.streams.Producer.aclose`."""
        await self._workers.aclose()

    def abort(self) -> None:
        """See :meth:`~netclients.streams.Producer.abort`."""
        self._workers.cancel()

    async def _pull(self) -> None:
        """Take messages as there is room; an error of their source comes after the last receipt."""
        try:
            if isinstance(self._messages, AsyncIterable):
                index = 0
                async for message in self._messages:
                    await self._take(message, index)
                    index += 1
            else:
                turn = Turn()
                for index, message in enumerate(self._messages):
                    await self._take(message, index)
                    await turn.pass_on()
        except Exception as error:  # noqa: BLE001 - raised to the consumer in the end
            self._failure = error
        except BaseException:
            # If that was not us, something that the source waits for was cancelled: no good end either.
            self._failure = NetClientError("the source of the messages was cancelled")
            raise
        finally:
            self._feed.end()

    async def _take(self, message: T, index: int) -> None:
        await self._feed.room()
        try:
            delivery = await self._prepare(message, index)
        except NetClientError as error:
            self._feed.count(0)
            self._receipts.put_now((Receipt("", index=index, error=error), 0))
            return
        self._feed.count(_held(delivery))
        self._feed.add(delivery)

    async def _work(self) -> None:
        while (delivery := await self._feed.take()) is not None:
            carried = 0

            def at_hand() -> Delivery | None:
                nonlocal carried
                if self._context.pool.wanted and carried >= _STAY:
                    return None
                carried += 1
                return self._feed.at_hand()

            await carry(self._context, delivery, at_hand, self._landed)

    def _landed(self, delivery: Delivery, again: float | None) -> None:
        if again is None:
            self._receipts.put_now((delivery.receipt(), _held(delivery)))
            self._feed.done()
        else:
            self._feed.put_back(delivery, again)


def _held(delivery: Delivery) -> int:
    """Return how many bytes a message holds in memory."""
    return len(delivery.message.content or b"")
