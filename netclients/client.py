"""What all clients are: the owner of a pool, with a life."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Self, TypeVar

from netclients.pool import Pooled

if TYPE_CHECKING:
    from types import TracebackType

    from netclients.pool import Pool, PoolStats

__all__ = ["Client", "Lease"]

K = TypeVar("K", bound=Pooled)


class Client(Generic[K]):
    """Owns the connections to one server.

    Works with ``async with`` or without (then call :meth:`aclose`), belongs to one thread, connects when first
    needed, and may be used from one event loop after another.
    """

    _pool: Pool[K]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; running jobs fail, later ones raise ConfigurationError."""
        self._pool.close()

    def __del__(self) -> None:
        if hasattr(self, "_pool"):
            self._pool.drop()

    @property
    def stats(self) -> PoolStats:
        """Counters of the pool."""
        return self._pool.stats

    def connection(self) -> Lease[K]:
        """Lend one connection, for single commands: ``async with client.connection() as c``.

        It stands as after login. What changes its session ends its use afterwards.
        """
        return Lease(self, self._pool)


class Lease(Generic[K]):
    """One connection, lent: ``async with client.connection() as connection``."""

    def __init__(self, client: Client[K], pool: Pool[K]) -> None:
        # A client that is dropped closes its connections: it must live as long as one is lent.
        self._client = client
        self._pool = pool
        self._connection: K | None = None

    async def __aenter__(self) -> K:
        self._connection = await self._pool.acquire()
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            self._pool.release(connection)
