"""Commands that are on their way: several of them share a round trip, and each is waited for when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from netclients.wire.pipeline import Ticket

__all__ = ["Pending"]

T = TypeVar("T")


class _Concluding(Protocol):
    async def outcome(self, ticket: Ticket[Any, Any], result: Callable[[Any], T]) -> T:
        """Wait for the end of a command; return what its reply means, or raise what it stands for."""


class Pending(Generic[T]):
    """What a command will have to say: ``await`` it, once or more, in whichever order."""

    __slots__ = ("_connection", "_result", "_ticket")

    def __init__(self, connection: _Concluding, ticket: Ticket[Any, Any], result: Callable[[Any], T]) -> None:
        self._connection = connection
        self._ticket = ticket
        self._result = result

    def __await__(self) -> Generator[Any, Any, T]:
        return self._connection.outcome(self._ticket, self._result).__await__()

    @property
    def reply(self) -> Any:
        """The final reply to the command; None: it has not come yet."""
        return self._ticket.reply
