"""A mailbox that is open, and the connection under it.

It holds one connection from its opening to its end. If that is lost, the mailbox is opened over another one, its
UIDVALIDITY compared, and what only reads or marks goes on; what would do its work twice is not repeated.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Self, TypeVar

from netclients.errors import (
    ConfigurationError,
    NetClientError,
    OutcomeUnknown,
    PhaseTimeout,
    ProtocolError,
    TransientReplyError,
    TransportError,
    UIDValidityChanged,
)
from netclients.retry import Schedule

if TYPE_CHECKING:
    from netclients.imap.client import Context
    from netclients.imap.connection import IMAPConnection
    from netclients.imap.selected import Selected

__all__ = ["OpenMailbox"]

T = TypeVar("T")
_ENDS = (TransportError, PhaseTimeout, ProtocolError, OutcomeUnknown)  # what a connection is of no more use after


class OpenMailbox:
    """What is known of one mailbox, and the way to do something in it. Open for the length of an ``async with``."""

    def __init__(self, context: Context, name: str, *, readonly: bool) -> None:
        self._context = context
        self._connection: IMAPConnection | None = None
        self._selected: Selected | None = None
        self._uid_validity: int | None = None
        self._inside = False
        self.name: str = name
        self.readonly: bool = readonly

    # What the server says of it

    @property
    def exists(self) -> int:
        """How many messages it has, as far as the server has said."""
        return self._state.exists

    @property
    def uid_validity(self) -> int:
        """UIDVALIDITY: while it stays the same, a UID names the same message (RFC 9051 section 2.3.1.1)."""
        return self._state.uid_validity

    @property
    def uid_next(self) -> int | None:
        """UIDNEXT as the server has said last: later messages have this UID or a higher one; None: not known."""
        return self._state.uid_next

    @property
    def highest_modseq(self) -> int | None:
        """HIGHESTMODSEQ (RFC 7162); None if the server keeps no mod-sequences here."""
        return self._state.highest_modseq

    @property
    def flags(self) -> tuple[str, ...]:
        """Flags in use here."""
        return self._state.flags

    @property
    def permanent_flags(self) -> tuple[str, ...] | None:
        r"""Flags that can be set for good, ``\*`` among them if new ones can be made; None: not known."""
        return self._state.permanent_flags

    @property
    def _state(self) -> Selected:
        if self._selected is None:
            raise self._not_open()
        return self._selected

    def _not_open(self) -> ConfigurationError:
        return ConfigurationError(f"{self.name} is not open: async with reader.mailbox(…) opens it")

    # The connection

    @property
    def read_limit(self) -> int:
        """Bytes of the largest message that is kept in memory."""
        return self._context.settings.bounds.read

    async def run(self, what: str, call: Callable[[IMAPConnection], Awaitable[T]], *, repeatable: bool = True) -> T:
        """Do something over the connection; if that is lost, or the server has no time, once more over another.

        What must not be done twice is safe: if it may have been done, its error is ``OutcomeUnknown``. ``repeatable``:
        False if doing it again would tell something else.
        """
        schedule = Schedule(self._context.policy, f"{what} in {self.name}", self._context.settings.trace)
        while True:
            begun = False
            try:
                connection = await self._ready()
                begun = True
                return await call(connection)
            except NetClientError as error:
                if isinstance(error, _ENDS):
                    self._let_go(f"{type(error).__name__}")
                undone = not begun or isinstance(error, TransientReplyError)
                await schedule.pause(error, repeatable=repeatable or undone)

    async def _ready(self) -> IMAPConnection:
        if not self._inside:
            raise self._not_open()
        if self._connection is not None:
            if _lives(self._connection):
                return self._connection
            self._let_go("it has ended")
        connection = await self._context.acquire(self.name)
        try:
            selected = await self._open(connection)
            before = self._uid_validity
            if before is not None and (selected.uid_validity != before or not before or not selected.uids_persist):
                raise UIDValidityChanged(self.name, before, selected.uid_validity)
        except BaseException:
            self._context.pool.release(connection)
            raise
        self._uid_validity = selected.uid_validity
        self._selected = selected
        self._connection = connection
        return connection

    async def _open(self, connection: IMAPConnection) -> Selected:
        # Also if the connection has a mailbox of this name open: another one may have got the name meanwhile.
        selected = await connection.select(self.name, readonly=self.readonly, condstore=connection.has("CONDSTORE"))
        _forget_news(connection)
        return selected

    def _let_go(self, reason: str) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort(reason)
            self._context.pool.release(connection)

    async def __aenter__(self) -> Self:
        self._inside = True
        try:
            await self.run("open", _nothing)
        except BaseException:
            self._inside = False
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._inside = False
        connection, self._connection = self._connection, None
        if connection is not None:
            self._context.pool.release(connection)


def _lives(connection: IMAPConnection) -> bool:
    """Whether the connection can be used, after a look at what the server has said meanwhile."""
    try:
        connection.look()
    except NetClientError:
        return False
    return not connection.over


def _forget_news(connection: IMAPConnection) -> None:
    while connection.next_untagged() is not None:
        pass


async def _nothing(_: IMAPConnection) -> None:
    return None
