"""One coroutine that runs in the portal while a thread waits for it, and the desk between the two.

The waiting thread is not idle: it does the work that the loop leaves on the desk, which is how callbacks run in
the caller's thread. An exception there, KeyboardInterrupt above all, cancels the coroutine and waits for its
cleanup before it goes on.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from netclients.errors import ConfigurationError, NetClientError
from netclients.sync.portal import Portal, portal

__all__ = ["Call", "Desk", "Finishing", "give_back", "let_go", "run", "run_sync"]

T = TypeVar("T")

Work = Callable[[], object]

_CLEANUP = 5.0  # seconds that an interrupted call may take to give back what it holds
# On Windows, Ctrl-C does not end a wait for a lock: the handlers run between two short ones.
_POLL = 0.1 if sys.platform == "win32" else None


class Closable(Protocol):
    """What holds connections in the loop."""

    def aclose(self) -> Coroutine[Any, Any, None]:
        """Give them back."""

    def __del__(self) -> None:
        """Give them back at once."""


class Finishing(Protocol):
    """What holds something back for the caller until enough has come together."""

    def finish(self) -> None:
        """Leave the rest on the desk; nothing more comes."""


class Desk:
    """Work that waits for a thread to do it, in order; None says that no more will come."""

    def __init__(self) -> None:
        self.portal: Portal = portal()
        self.relays: list[Finishing] = []
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        self._questions: set[Future[Any]] = set()
        self.closed: bool = False

    def put(self, work: Work | None) -> None:
        """Leave work here. From any thread."""
        self._work.put(work)

    def take(self) -> Work | None:
        """Wait for the next piece of work."""
        if _POLL is None:
            return self._work.get()
        while True:
            try:
                return self._work.get(timeout=_POLL)
            except Empty:
                continue

    def ask(self, question: Callable[[], T]) -> Future[T]:
        """Leave a question: a function whose result, or Exception, the future gets. From any thread."""
        future: Future[T] = Future()

        def answer() -> None:
            try:
                if future.set_running_or_notify_cancel():
                    future.set_result(question())
            except Exception as error:  # noqa: BLE001 - raised where the question was asked
                future.set_exception(error)
            except BaseException:
                # An interrupt in the question itself; one in what follows finds the answer given.
                if not future.done():
                    future.set_exception(NetClientError("the caller was interrupted"))
                raise
            finally:
                self._questions.discard(future)

        self._questions.add(future)
        self.put(answer)
        if self.closed:
            self._refuse()
        return future

    def close(self) -> None:
        """Refuse all questions from now on: nobody will answer."""
        self.closed = True
        self._refuse()

    def _refuse(self) -> None:
        for future in tuple(self._questions):
            self._questions.discard(future)
            if not future.done() and (future.running() or future.set_running_or_notify_cancel()):
                future.set_exception(NetClientError("the caller has gone"))

    def drain(self, timeout: float) -> bool:
        """Throw work away until the end comes; return False if it did not come in ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        try:
            while self._work.get(timeout=max(0.0, deadline - time.monotonic())) is not None:
                pass
        except Empty:
            return False
        return True


class Call(Generic[T]):
    """A coroutine in the portal. ``result`` or ``error`` is there when its desk says None.

    ``make`` is called there: a coroutine that was made here would be lost, with a warning, if Ctrl-C came before it
    is handed over.
    """

    __slots__ = ("_make", "_task", "desk", "error", "result")

    def __init__(self, make: Callable[[], Awaitable[T]], desk: Desk) -> None:
        self._make = make
        self._task: asyncio.Task[None] | None = None
        self.desk: Desk = desk
        self.result: T
        self.error: BaseException | None = None

    def start(self) -> None:
        """Begin; whoever calls this sees to :meth:`abandon`, whatever happens.

        Raises:
            ConfigurationError: this is the portal's own thread, or its loop has ended.
        """
        portal = self.desk.portal
        try:
            portal.check_caller()
            portal.posted.add(self)
            portal.post(self._start)
        except ConfigurationError:
            self.lost()
            raise
        if portal.ended:
            self.lost()

    def _start(self) -> None:
        self.desk.portal.posted.discard(self)
        self._task = self.desk.portal.loop.create_task(self._run())

    async def _run(self) -> None:
        # The end is told from inside the task: its own callbacks would come one turn of the loop later.
        try:
            self.result = await self._make()
        except asyncio.CancelledError:
            self.error = ConfigurationError("the interpreter is shutting down")
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            self.error = error
        for relay in self.desk.relays:
            relay.finish()
        self.desk.put(None)

    def lost(self) -> None:
        """The loop has ended and will never begin with this."""
        self.desk.portal.posted.discard(self)
        self.error = ConfigurationError("the interpreter is shutting down")
        self.desk.put(None)

    def outcome(self) -> T:
        """Return the result or raise the error, after the end."""
        error, self.error = self.error, None
        if error is None:
            return self.result
        try:
            raise error
        finally:
            del error  # the traceback holds this frame: without it, no cycle

    def abandon(self) -> None:
        """Cancel, and wait a bounded time until everything is given back."""
        self.cancel()
        self.desk.drain(_CLEANUP)

    def cancel(self) -> None:
        """Cancel without waiting."""
        self.desk.close()
        self.desk.portal.post_if_running(self._cancel)

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()
        else:
            # An interrupt came before the start was posted.
            self.desk.put(None)


def run(make: Callable[[], Awaitable[T]], desk: Desk | None = None) -> T:
    """Run the coroutine, or await whatever else ``make`` returns, in the portal; do what is left on ``desk`` meanwhile.

    Returns its result, or raises what it raised.
    """
    call = Call(make, desk or Desk())
    take = call.desk.take
    try:
        call.start()
        while (work := take()) is not None:
            work()
    except BaseException:
        call.abandon()
        raise
    return call.outcome()


def run_sync(function: Callable[[], T]) -> T:
    """Run a plain function in the portal: what it makes belongs to that loop."""

    async def call() -> T:
        return function()

    return run(call)


def give_back(portal: Portal | None, held: Closable) -> None:
    """Close ``held`` in the loop and wait for it, or here if the loop does not run any more."""
    if portal is not None and portal.forked:
        return  # the connections are the parent's
    try:
        run(held.aclose)
    except ConfigurationError:
        let_go(held)


def let_go(held: Closable) -> None:
    """Do what the finalizer of ``held`` would do, in this thread instead of the one that drops it."""
    held.__del__()
