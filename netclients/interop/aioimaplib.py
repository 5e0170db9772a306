"""aioimaplib's client, connected by this library (extra ``aioimaplib``).

Code that already works with an ``aioimaplib.IMAP4`` keeps doing so; :func:`aioimaplib_client` makes that object::

    async with aioimaplib_client("imap://user:pw@host", proxy="socks5://127.0.0.1:1080") as client:
        await client.select("INBOX")

This library dials (names with several addresses race, proxies), begins TLS, STARTTLS too, which aioimaplib lacks, and
logs in by any mechanism that it knows. What follows is aioimaplib's: its methods, its answers, its errors. Bytes pass
through a transport that this library gives it::

    aioimaplib's protocol → write → _Bridge → TLSStream or SocketStream → server
    aioimaplib's protocol ← data_received ← _Bridge ←

asyncio only. **aioimaplib is under the GPL-3.0**, and so is what is distributed together with it; ``netclients`` is
under the MIT licence, needs it nowhere else, and imports it only here.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

try:
    import aioimaplib
except ImportError as _missing:  # pragma: no cover - needs an installation without the extra
    raise ImportError(
        "netclients.interop.aioimaplib needs the extra: pip install 'netclients[aioimaplib]'"
    ) from _missing

from netclients.errors import ConfigurationError, ConnectionLost, NetClientError, ProtocolError
from netclients.imap.login import connect
from netclients.imap.protocol import State
from netclients.retry import RetryPolicy, retrying
from netclients.settings import AnyTLS, Auth, Settings, common_settings, endpoint_of
from netclients.transport.readiness import Turn, running_asyncio_loop

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Callable, Sequence

    from netclients.config import Endpoint, Timeouts
    from netclients.events import Events
    from netclients.imap.connection import IMAPConnection
    from netclients.transport.stream import ByteStream

__all__ = ["aioimaplib_client"]

_SECRET = frozenset({"LOGIN", "AUTHENTICATE"})
_PIECE = 64 * 1024  # bytes that aioimaplib is given at a time: it copies what it can't read yet


@contextlib.asynccontextmanager
async def aioimaplib_client(
    url: str | Endpoint,
    *,
    auth: Auth | None = None,
    tls: AnyTLS | None = None,
    ssl_context: ssl.SSLContext | None = None,
    mechanisms: Sequence[str] | None = None,
    proxy: str | None = None,
    timeouts: Timeouts | None = None,
    retry: RetryPolicy | None = None,
    events: Events | None = None,
    conn_lost_cb: Callable[[Exception | None], None] | None = None,
) -> AsyncGenerator[aioimaplib.IMAP4]:
    """Lend an ``aioimaplib.IMAP4`` that is connected, under TLS if that is required, and logged in.

    The parameters mean what they mean for :class:`~netclients.MailReader`; ``conn_lost_cb`` is aioimaplib's, and its
    ``timeout`` is ``timeouts.reply``. Without credentials the client is not logged in: its ``login`` and ``xoauth2``
    do that. It says LOGOUT when the block ends well, and is closed at once when it does not.

    Raises:
        ConfigurationError: the arguments make no sense, or this is not asyncio.
        NetClientError: connecting or logging in failed. Later errors are aioimaplib's.
    """
    if running_asyncio_loop() is None:
        raise ConfigurationError("aioimaplib works on asyncio only")
    settings = Settings(
        **common_settings(
            endpoint_of(url, "aioimaplib", "imap"),
            auth=auth,
            tls=tls,
            ssl_context=ssl_context,
            timeouts=timeouts,
            bounds=None,
            proxy=proxy,
            events=events,
            mechanisms=mechanisms,
        )
    )
    connection = await retrying(retry or RetryPolicy(), "connect", settings.trace, lambda: connect(settings))
    try:
        _check_end(connection)
        client = _ConnectedClient(connection, conn_lost_cb)
    except BaseException:
        connection.abort("not handed over")
        raise
    try:
        yield client
        await client.say_goodbye()
    finally:
        client.disconnect()


def _check_end(connection: IMAPConnection) -> None:
    try:
        connection.protocol.forbid_leftovers()
    except ProtocolError as error:
        # aioimaplib would see the second half of something.
        raise ProtocolError("the server sent half a response behind the login") from error


class _ConnectedClient(aioimaplib.IMAP4):  # type: ignore[misc] # it has no types
    """An ``aioimaplib.IMAP4`` whose connection was made by this library. Made by :func:`aioimaplib_client`."""

    def __init__(
        self, connection: IMAPConnection, conn_lost_cb: Callable[[Exception | None], None] | None = None
    ) -> None:
        self._connection = connection
        settings = connection.settings
        endpoint = settings.endpoint
        super().__init__(
            endpoint.host, endpoint.port, timeout=settings.timeouts.reply, conn_lost_cb=conn_lost_cb, ssl_context=None
        )

    def create_client(
        self,
        host: str,
        port: int,
        loop: asyncio.AbstractEventLoop | None,
        conn_lost_cb: Callable[[Exception | None], None] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Put aioimaplib's protocol on the connection that is there already: called by ``IMAP4``."""
        running = asyncio.get_running_loop()
        self.protocol: _Protocol = _Protocol(running, self._connection, conn_lost_cb)
        self._bridge = _Bridge(self._connection, self.protocol)
        self.protocol.begin(self._bridge)
        self._bridge.start()
        # wait_hello_from_server() awaits this.
        self._client_task = running.create_future()
        self._client_task.set_result(None)

    async def say_goodbye(self) -> None:
        """LOGOUT, if there is anybody to say it to; a server that does not answer has nothing to do any more."""
        if self._bridge.is_closing() or self.get_state() == aioimaplib.LOGOUT or self.has_pending_idle():
            return
        with contextlib.suppress(aioimaplib.AioImapException, TimeoutError):
            await self.logout()

    def disconnect(self) -> None:
        """Close at once."""
        self._bridge.close()


class _Protocol(aioimaplib.IMAP4ClientProtocol):  # type: ignore[misc] # it has no types
    """aioimaplib's protocol, behind the login; it learns that its connection is lost."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: IMAPConnection,
        conn_lost_cb: Callable[[Exception | None], None] | None,
    ) -> None:
        super().__init__(loop, conn_lost_cb)
        self.pending_sync_command: Any = None
        self._connection = connection
        self._lost: str | None = None

    def begin(self, transport: _Bridge) -> None:
        """Stand where the session stands."""
        self.connection_made(transport)
        known = self._connection.protocol.state is State.AUTHENTICATED
        self.state: str = aioimaplib.AUTH if known else aioimaplib.NONAUTH
        self.capabilities: set[str] = set(self._connection.capabilities)
        versions = [name for name in aioimaplib.AllowedVersions if name in self.capabilities]
        self.imap_version: str | None = versions[0] if versions else None

    async def execute(self, command: Any, scrub: str | None = None) -> Any:
        """Send one command.

        Raises:
            ConfigurationError: it shows credentials, the connection is plain, and nobody has asked for that.
            aioimaplib.Abort: the connection is lost, or has been lost before the reply.
        """
        if command.name in _SECRET:
            self._connection.require_privacy()
        if self._lost is not None:
            raise aioimaplib.Abort(self._lost)
        return await super().execute(command, scrub=scrub)

    def send(self, line: str, scrub: str | None = None) -> None:
        """Send one line; also what had to wait for another command, which the lost connection has ended."""
        if self._lost is not None:
            raise aioimaplib.Abort(self._lost)
        super().send(line, scrub=scrub)

    def connection_lost(self, exc: Exception | None) -> None:
        """End what waits for a reply, which aioimaplib itself leaves to its timeout."""
        self._lost = "the connection was closed" if exc is None else f"the connection was lost: {exc}"
        pending = [self.pending_sync_command, *self.pending_async_commands.values()]
        self.pending_sync_command = None
        self.pending_async_commands.clear()
        for command in pending:
            if command is not None:
                command._exception = aioimaplib.Abort(self._lost)
                command.close(self._lost.encode("utf-8", "replace"), "KO")
        super().connection_lost(exc)


class _Bridge(asyncio.Transport):
    """What aioimaplib takes for a transport of asyncio, over a stream of this library."""

    def __init__(self, connection: IMAPConnection, protocol: _Protocol) -> None:
        super().__init__()
        self._connection = connection
        self._stream: ByteStream = connection.stream
        self._protocol = protocol
        self._timeouts = connection.settings.timeouts
        self._outgoing = bytearray()
        self._closing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._writing = False

    def start(self) -> None:
        """Begin to read."""
        self._spawn(self._read())

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self) -> None:
        buffer, turn = bytearray(_PIECE), Turn()
        try:
            while not self._closing:
                count = self._stream.try_recv_into(buffer)
                if count is None:
                    await self._stream.wait(read=True, timeout=None, phase="reply")
                    turn.waited()
                    continue
                if count == 0:
                    raise ConnectionLost("the server closed the connection")
                self._protocol.data_received(bytes(buffer[:count]))
                await turn.pass_on()
        except Exception as error:  # noqa: BLE001 - RecursionError and whatever else aioimaplib may raise
            self._lose(error)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send, now as far as it fits, the rest later."""
        if self._closing:
            return
        self._outgoing += data
        if not self._writing:
            self._writing = True
            try:
                if not self._push():
                    self._spawn(self._write())
            except NetClientError as error:
                asyncio.get_running_loop().call_soon(self._lose, error)

    def _push(self) -> bool:
        """Hand over what fits; return whether that was all."""
        while self._outgoing and (sent := self._stream.try_send(self._outgoing)):
            del self._outgoing[:sent]
        self._stream.try_flush()
        self._writing = bool(self._outgoing) or self._stream.unsent
        return not self._writing

    async def _write(self) -> None:
        try:
            while not self._push():
                await self._stream.wait(write=True, timeout=self._timeouts.stall, phase="stall")
        except NetClientError as error:
            self._lose(error)

    def _lose(self, error: Exception | None) -> None:
        if self._closing:
            return
        self._closing = True
        self._connection.abort("closed" if error is None else f"{type(error).__name__}")
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._protocol.connection_lost(error)

    def close(self) -> None:
        """Close; over TLS with a close alert, if that can be sent without waiting."""
        if not self._closing:
            with contextlib.suppress(NetClientError):
                self._stream.try_close()
            self._lose(None)

    def abort(self) -> None:
        """Close at once."""
        self._lose(None)

    def is_closing(self) -> bool:
        """Whether the connection has ended."""
        return self._closing

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return ``"socket"`` or ``"peername"`` (the address alone), and the default for anything else."""
        if name == "socket":
            return self._stream.socket
        return (self._stream.peer,) if name == "peername" else default
