# ruff: noqa: D102 - docstrings are those of the asynchronous twins
"""What all blocking clients are: the face of an asynchronous one that lives in the portal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from netclients.client import Client as AsyncClient
from netclients.pool import Pooled
from netclients.sync.calls import give_back, let_go, run
from netclients.sync.docs import documented_like
from netclients.sync.portal import portal, running_portal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import TracebackType

    from netclients.client import Lease as AsyncLease
    from netclients.pool import PoolStats
    from netclients.sync.calls import Desk

__all__ = ["Client", "Connection", "Lease"]

T = TypeVar("T")
K = TypeVar("K", bound=Pooled)
C = TypeVar("C")
A = TypeVar("A", bound=AsyncClient[Any])


@documented_like(AsyncClient, close="aclose")
class Client(Generic[A]):
    """Owns the connections to one server; may be used from any number of threads at once."""

    _twin: A

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        give_back(running_portal(), self._twin)

    def __del__(self) -> None:
        # The sockets are closed in the loop's thread, whichever thread drops the last reference.
        portal = running_portal()
        if portal is not None and hasattr(self, "_twin"):
            portal.post_if_running(let_go, self._twin)

    @property
    def stats(self) -> PoolStats:
        return self._twin.stats


class Connection(Generic[K]):
    """One connection, lent by a client, which lives as long as somebody uses it. For one thread at a time."""

    def __init__(self, twin: K, *, owner: object = None) -> None:
        self._twin = twin
        self._portal = portal()
        self._owner = owner

    def _run(self, make: Callable[[], Awaitable[T]], desk: Desk | None = None) -> T:
        self._portal.check_process()
        return run(make, desk)


class Lease(Generic[K, C]):
    """One connection, lent: ``with client.connection() as connection``. ``wrap`` makes it a blocking one."""

    def __init__(self, owner: object, twin: AsyncLease[K], wrap: Callable[[K, object], C]) -> None:
        self._owner = owner
        self._twin = twin
        self._wrap = wrap

    def __enter__(self) -> C:
        try:
            return self._wrap(run(lambda: self._twin.__aenter__()), self._owner)
        except BaseException:
            # An interrupt may have come between the loan and this thread.
            run(lambda: self._twin.__aexit__(None, None, None))
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run(lambda: self._twin.__aexit__(kind, error, trace))
