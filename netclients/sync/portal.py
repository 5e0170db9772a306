"""One event loop in a thread of its own, for all blocking clients of the process.

The first call starts it. It ends with the process: after the main thread and after every other thread that has
made calls and that the interpreter waits for. A forked child starts one of its own.

::

    caller: post(start) ─────────→ loop: a task runs the coroutine
    caller: desk.serve() ←── work ── loop: callbacks, data, the end (None)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading
import weakref
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Protocol, TypeVarTuple

from netclients.errors import ConfigurationError, NetClientError

__all__ = ["Portal", "Posted", "portal", "running_portal"]

Ts = TypeVarTuple("Ts")

_EXIT_POLL = 0.01  # seconds between two looks at the threads that are still at work when the program ends


class Posted(Protocol):
    """A call that the loop has not begun with."""

    def lost(self) -> None:
        """The loop never will."""


class Portal:
    """The thread and its loop. Use :func:`portal` to get the one that runs.

    ``posted`` are calls on their way to the loop: one that comes while the loop ends must not wait for ever.
    ``forked``: this is the parent process's portal, seen in a child, where nothing of it runs.
    """

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop
        self.posted: set[Posted] = set()
        self.ended: bool = False
        self.forked = False
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._leaving: asyncio.Event
        self._callers: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        self._known = threading.local()
        # Not a daemon: one that still runs while the interpreter is taken apart can crash it.
        self._thread = threading.Thread(target=self._run, name="netclients-sync", daemon=False)

    def start(self) -> None:
        """Start the thread and wait until its loop runs.

        Raises:
            NetClientError: the system has no resources for it, or the interpreter is shutting down.
        """
        try:
            self._thread.start()
        except RuntimeError as error:
            raise NetClientError(f"can't start the event loop's thread: {error}") from error
        self._started.wait()
        if self._failure is not None:
            raise NetClientError(f"can't start the event loop: {self._failure}") from self._failure

    def _run(self) -> None:
        try:
            # The selector loop on every platform: it serves sockets natively, whatever the policy says.
            with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                runner.run(self._main())
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits for the start
            self._failure = error
        finally:
            self.ended = True
            self._started.set()
            for call in tuple(self.posted):
                call.lost()

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._leaving = asyncio.Event()
        self._started.set()
        await self._leaving.wait()
        # Threads do not tell when they end, so the loop looks. Nobody else has anything for it to do by now.
        while any(thread.is_alive() for thread in self._callers):  # noqa: ASYNC110
            await asyncio.sleep(_EXIT_POLL)

    def leave(self) -> None:
        """End the thread as soon as no other one that may make calls is waited for. Does not wait itself."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._leaving.set)

    # For callers

    def check_caller(self) -> None:
        """Note the calling thread as one that uses the portal.

        Raises:
            ConfigurationError: it is the portal's own, where waiting would never end.
        """
        if threading.get_ident() == self._thread.ident:
            raise ConfigurationError(
                "a blocking method was called in the event loop's thread, from an events= hook for example"
            )
        if not hasattr(self._known, "noted"):
            self._known.noted = True
            thread = threading.current_thread()
            # The interpreter does not wait for daemons, and it has left the main thread when it asks us to end.
            if not thread.daemon and thread is not threading.main_thread():
                self._callers.add(thread)

    def check_process(self) -> None:
        """Refuse to go on with what the parent process has begun.

        Raises:
            ConfigurationError: this process was forked since.
        """
        if self.forked:
            raise ConfigurationError("this was opened before the process was forked; it belongs to the parent")

    def post(self, function: Callable[[*Ts], object], *args: *Ts) -> None:
        """Have the loop call ``function`` soon, in the context of the caller.

        Raises:
            ConfigurationError: the loop has ended with the program.
        """
        try:
            self.loop.call_soon_threadsafe(function, *args, context=_context())
        except RuntimeError:
            raise ConfigurationError("the interpreter is shutting down") from None

    def post_if_running(self, function: Callable[[*Ts], object], *args: *Ts) -> None:
        """Have the loop call ``function`` soon; call it here if the loop has ended. For finalizers."""
        if self.forked:
            return  # the sockets are the parent's sessions
        try:
            self.loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            function(*args)


def _context() -> Context:
    """Return the caller's context variables, less the one that names the caller's own event loop."""
    context = copy_context()
    sniffio = sys.modules.get("sniffio")
    if sniffio is not None:
        context.run(sniffio.current_async_library_cvar.set, "asyncio")
    return context


# The one portal of the process


class _Process:
    """What this process has: its portal, and whether its main thread has ended."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.portal: Portal | None = None
        self.prepared = False
        self.exiting = False
        self.left_by_parents: list[Portal] = []

    def start(self) -> Portal:
        with self.lock:
            if self.portal is None:
                self.prepare()
                if self.exiting and threading.current_thread() is threading.main_thread():
                    raise ConfigurationError("the interpreter is shutting down")
                started = Portal()
                started.start()
                self.portal = started
                if self.exiting:
                    # A thread that is still waited for makes its first call after the main thread's end.
                    started.check_caller()
                    started.leave()
            return self.portal

    def prepare(self) -> None:
        if not self.prepared:
            self.prepared = True
            self.exiting = not _at_main_thread_end(self.main_thread_ends)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=self.forked)

    def main_thread_ends(self) -> None:
        with self.lock:
            self.exiting = True
            if self.portal is not None:
                self.portal.leave()

    def forked(self) -> None:
        # The parent's thread does not exist here. Its loop is kept, untouched: closing it would warn, and
        # changing its selector would change the parent's.
        self.lock = threading.Lock()
        if self.portal is not None:
            self.portal.forked = True
            self.left_by_parents.append(self.portal)
            self.portal = None


def _at_main_thread_end(function: Callable[[], None]) -> bool:
    """Have ``function`` called when the main thread ends; return False if it already has."""
    # atexit would be too late: it comes after the wait for other threads. The standard library's own executors
    # end their threads by this function.
    register: Callable[[Callable[[], None]], object] = vars(threading)["_register_atexit"]
    try:
        register(function)
    except RuntimeError:
        return False
    return True


_process = _Process()


def portal() -> Portal:
    """Return the running portal; start it if this is the first call in this process."""
    return _process.portal or _process.start()


def running_portal() -> Portal | None:
    """Return the portal if there is one: for finalizers, which must start nothing."""
    return _process.portal
