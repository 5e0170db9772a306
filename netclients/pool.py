"""Connections that are kept, lent and limited, for every protocol alike.

Every change of state happens without an ``await``: a cancellation finds the pool before it or after it, never
in the middle. A caller gets an idle connection, or a *slot* (the right to open one), or a place in a
first-in-first-out queue; what a queued caller is given while it is being cancelled goes to the next one.

::

    acquire → idle connection ────────────────────────────┐
            → slot → connect ─────────────────────────────┤→ in use → release → next waiter, or idle, or closed
            → queue → granted a connection or a slot ─────┘
"""

from __future__ import annotations

import copy
import os
import random
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio

from netclients.config import PoolLimits
from netclients.errors import AuthenticationError, ConfigurationError, NetClientError, PoolTimeout, TooManyConnections
from netclients.events import Trace

__all__ = ["Pool", "PoolStats", "Pooled"]

_LIMIT_GROWS_AFTER = 15.0  # seconds without a refusal until one more connection is tried
_MOST_AT_ONCE = 16  # connections being opened at the same time: listen backlogs are short
_REFUSAL_HOLDS = 60.0  # seconds for which credentials that never worked are not tried again


class Pooled(ABC):
    """What the pool needs of a connection."""

    used_at: float = 0.0
    uses: int = 0
    expires_at: float = 0.0

    @property
    @abstractmethod
    def clean(self) -> bool:
        """Whether no reply is owed, nothing is buffered and the session is as after login, as far as is known."""

    @abstractmethod
    def look(self) -> None:
        """Take in what the server has said or done meanwhile, without waiting; raise if that was the end."""

    @abstractmethod
    async def probe(self) -> None:
        """Ask for a sign of life; raise if there is none."""

    @abstractmethod
    def close(self, reason: str) -> None:
        """Close at once, with a farewell where that needs no waiting."""

    @abstractmethod
    def abort(self, reason: str) -> None:
        """Close at once, without a word."""


K = TypeVar("K", bound=Pooled)


@dataclass(frozen=True, slots=True)
class PoolStats:
    """Counters of a pool. ``opened``, ``waits`` and ``wait_seconds`` count from the beginning."""

    open: int
    idle: int
    in_use: int
    connecting: int
    waiting: int
    limit: int
    opened: int
    waits: int
    wait_seconds: float


class _Waiter(Generic[K]):
    """A caller in the queue. ``granted`` without a connection means a slot."""

    __slots__ = ("abandoned", "connection", "error", "event", "granted")

    def __init__(self) -> None:
        self.event = anyio.Event()
        self.granted = False
        self.abandoned = False
        self.connection: K | None = None
        self.error: NetClientError | None = None


class Pool(Generic[K]):
    """Lends connections made by ``connect``. Belongs to one client; not for several threads at once.

    ``remember_refusals``: credentials that were refused and never worked are not tried again for a while.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[K]],
        limits: PoolLimits,
        timeout: float | None,
        trace: Trace,
        *,
        remember_refusals: bool = True,
    ) -> None:
        self._connect = connect
        self._limits = limits
        self._timeout = timeout
        self._trace = trace
        self._refusal_holds = _REFUSAL_HOLDS if remember_refusals else 0.0
        self._limit = limits.max_connections
        self._limit_changed = 0.0
        # How many may connect at once: one until the credentials have proven themselves, then more with each
        # success, so that neither a lockout nor a small listen backlog is met by a crowd.
        self._burst = 1
        self._idle: deque[K] = deque()
        self._in_use: set[K] = set()
        self._connecting = 0
        self._waiters: deque[_Waiter[K]] = deque()
        self._waiting = 0
        self._proven = False
        self._refusal: tuple[float, AuthenticationError] | None = None
        self._closed = False
        self._pid = os.getpid()
        self._opened = self._waits = 0
        self._wait_seconds = 0.0

    @property
    def stats(self) -> PoolStats:
        """A snapshot of the counters."""
        return PoolStats(
            open=len(self._idle) + len(self._in_use),
            idle=len(self._idle),
            in_use=len(self._in_use),
            connecting=self._connecting,
            waiting=self._waiting,
            limit=self._limit,
            opened=self._opened,
            waits=self._waits,
            wait_seconds=self._wait_seconds,
        )

    @property
    def wanted(self) -> bool:
        """Whether somebody waits for a connection."""
        return self._waiting > 0

    # Lending

    async def acquire(self, prefer: Callable[[K], bool] | None = None) -> K:
        """Return a connection that is ready for a command; :meth:`release` it in the end, whatever happens.

        Of the idle ones, one that ``prefer`` is true of, if there is any.

        Raises:
            PoolTimeout: none became free, or too many callers wait.
            NetClientError: what went wrong in connecting.
        """
        # A caller that was refused, or got a dead connection, keeps its place before those who wait.
        first = False
        while True:
            self._check_usable()
            connection = self._take_idle(prefer)
            if connection is None and not self._take_slot(first):
                connection = await self._queue(front=first)
            first = True
            if connection is None:
                connection = await self._open()
                if connection is not None:
                    return connection
            elif await self._alive(connection):
                return connection

    def release(self, connection: K) -> None:
        """Take a connection back: to the next waiter, to the idle ones, or closed if it is not clean."""
        if connection not in self._in_use:
            return
        connection.uses += 1
        if self._closed or not connection.clean:
            self._discard(connection, "not clean" if not self._closed else "client closed")
            return
        connection.used_at = now = time.monotonic()
        if self._expired(connection, now):
            self._in_use.discard(connection)
            connection.close("expired")
            self._pass_on_slots()
            return
        waiter = self._next_waiter()
        if waiter is not None:
            self._grant(waiter, connection)
            self._pass_on_slots()
            return
        self._in_use.discard(connection)
        if len(self._idle) >= self._limits.max_idle:
            connection.close("too many idle")
        else:
            self._idle.append(connection)
        self._expire_idle(now)

    def close_idle(self, which: Callable[[K], bool], reason: str) -> None:
        """Close those idle connections that ``which`` is true of."""
        for connection in [idle for idle in self._idle if which(idle)]:
            self._idle.remove(connection)
            connection.close(reason)

    def close(self) -> None:
        """Close all connections, also those in use; callers in the queue get an error."""
        self._closed = True
        for connection in self._idle:
            connection.close("client closed")
        self._idle.clear()
        for connection in tuple(self._in_use):
            connection.abort("client closed")
        while (waiter := self._next_waiter()) is not None:
            waiter.error = ConfigurationError("the client was closed")
            waiter.event.set()

    def drop(self) -> None:
        """Close the sockets without a word: nobody refers to the client any more."""
        for connection in (*self._idle, *self._in_use):
            connection.abort("client dropped")
        self._idle.clear()

    # Inside

    def _check_usable(self) -> None:
        if self._pid != os.getpid():
            self._leave_parent()
        if self._closed:
            raise ConfigurationError("the client was closed")
        if self._refusal is not None:
            until, error = self._refusal
            if time.monotonic() < until:
                raise _again(error)
            self._refusal = None

    def _leave_parent(self) -> None:
        # In a forked child: the sockets are the parent's sessions. Close our copies, say nothing.
        for connection in (*self._idle, *self._in_use):
            connection.abort("forked")
        self._idle.clear()
        self._in_use.clear()
        self._waiters.clear()
        self._connecting = self._waiting = 0
        self._pid = os.getpid()

    def _take_idle(self, prefer: Callable[[K], bool] | None) -> K | None:
        now = time.monotonic()
        self._expire_idle(now)
        if prefer is not None and (preferred := next(filter(prefer, self._idle), None)) is not None:
            self._idle.remove(preferred)
            self._idle.append(preferred)
        while self._idle:
            connection = self._idle.pop()
            if not self._expired(connection, now):
                self._in_use.add(connection)
                return connection
            connection.close("expired")
        return None

    def _expire_idle(self, now: float) -> None:
        # The longest unused stand on the left, so the first that is fresh ends the search.
        while self._idle and self._expired(self._idle[0], now):
            self._idle.popleft().close("idle for too long")

    def _expired(self, connection: K, now: float) -> bool:
        limits = self._limits
        return (
            now >= connection.expires_at
            or now - connection.used_at >= limits.idle_timeout
            or (limits.max_uses is not None and connection.uses >= limits.max_uses)
        )

    async def _alive(self, connection: K) -> bool:
        """Whether the connection can be used; if not, its place is free for the same caller."""
        unused = time.monotonic() - connection.used_at
        try:
            connection.look()
            if not connection.clean:
                self._drop(connection, "closed by the server while idle")
                return False
            if unused < self._limits.probe_after:
                return True
            await connection.probe()
        except NetClientError:
            self._drop(connection, "no sign of life")
            return False
        except BaseException:
            self._discard(connection, "cancelled")
            raise
        return True

    def _take_slot(self, first: bool) -> bool:
        return (first or not self._waiting) and self._reserve()

    def _reserve(self) -> bool:
        if self._connecting >= self._burst:
            return False
        if len(self._idle) + len(self._in_use) + self._connecting >= self._grown_limit():
            return False
        self._connecting += 1
        return True

    def _grown_limit(self) -> int:
        if self._limit < self._limits.max_connections:
            now = time.monotonic()
            if now - self._limit_changed >= _LIMIT_GROWS_AFTER:
                self._limit += 1
                self._limit_changed = now
        return self._limit

    async def _open(self) -> K | None:
        """Use a slot: open a connection; None if the server has no room besides this client's other connections.

        The slot is given back if there is no connection.
        """
        try:
            self._check_usable()
            connection = await self._connect()
        except BaseException as error:
            self._connecting -= 1
            full = isinstance(error, TooManyConnections) and self._lower_limit()
            if isinstance(error, AuthenticationError) and not self._proven:
                self._refuse_all(error)
            self._pass_on_slots()
            if full:
                return None
            raise
        self._connecting -= 1
        self._admit(connection)
        if self._closed:
            self._discard(connection, "client closed")
            raise ConfigurationError("the client was closed")
        return connection

    def _admit(self, connection: K) -> None:
        now = time.monotonic()
        connection.used_at = now
        connection.expires_at = now + self._limits.max_age * (1 - 0.1 * random.random())
        self._in_use.add(connection)
        self._opened += 1
        self._limit = max(self._limit, len(self._idle) + len(self._in_use))
        self._proven = True
        self._burst = min(2 * self._burst, _MOST_AT_ONCE)
        self._pass_on_slots()

    def _lower_limit(self) -> bool:
        # Only connections that exist count: refused callers must not wait for each other.
        others = len(self._idle) + len(self._in_use)
        if not others:
            return False
        self._limit = min(self._limit, others)
        self._burst = 1
        self._limit_changed = time.monotonic()
        return True

    def _refuse_all(self, error: AuthenticationError) -> None:
        self._refusal = (time.monotonic() + self._refusal_holds, error)
        while (waiter := self._next_waiter()) is not None:
            waiter.error = _again(error)
            waiter.event.set()

    async def _queue(self, *, front: bool) -> K | None:
        """Wait to be granted a connection, or a slot (None)."""
        limit = self._limits.max_waiting
        if limit is not None and self._waiting >= limit and not front:
            raise PoolTimeout("pool", None, f"{self._waiting} callers wait already")
        waiter: _Waiter[K] = _Waiter()
        if front:
            self._waiters.appendleft(waiter)
        else:
            self._waiters.append(waiter)
        self._waiting += 1
        self._pass_on_slots()
        started = time.monotonic()
        try:
            with anyio.move_on_after(self._timeout):
                await waiter.event.wait()
        except BaseException:
            self._take_back(waiter)
            raise
        waited = time.monotonic() - started
        self._waits += 1
        self._wait_seconds += waited
        self._trace.pool_wait(waited)
        if waiter.error is not None:
            raise waiter.error
        if not waiter.granted:
            self._take_back(waiter)
            raise PoolTimeout("pool", self._timeout, f"{self._limit} connections are in use")
        return waiter.connection

    def _take_back(self, waiter: _Waiter[K]) -> None:
        """A waiter leaves the queue; what it was granted goes to the next one."""
        if not waiter.granted:
            if waiter.error is None:
                waiter.abandoned = True
                self._waiting -= 1
        elif waiter.connection is None:
            self._connecting -= 1
            self._pass_on_slots()
        else:
            self.release(waiter.connection)

    def _next_waiter(self) -> _Waiter[K] | None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.abandoned:
                self._waiting -= 1
                return waiter
        return None

    def _grant(self, waiter: _Waiter[K], connection: K | None) -> None:
        waiter.connection = connection
        waiter.granted = True
        waiter.event.set()

    def _pass_on_slots(self) -> None:
        """Slots may have become free: those who wait longest get them."""
        while self._waiting and not self._closed and self._reserve():
            waiter = self._next_waiter()
            if waiter is None:
                self._connecting -= 1
                return
            self._grant(waiter, None)

    def _discard(self, connection: K, reason: str) -> None:
        self._drop(connection, reason)
        self._pass_on_slots()

    def _drop(self, connection: K, reason: str) -> None:
        self._in_use.discard(connection)
        connection.abort(reason)


def _again(error: AuthenticationError) -> AuthenticationError:
    # Each caller gets an error of its own: tracebacks are attached to the object that is raised.
    return copy.copy(error)
