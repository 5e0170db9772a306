"""aioftp's client, connected by this library (extra ``aioftp``).

Code that already works with an ``aioftp.Client`` keeps doing so; :func:`aioftp_client` makes that client::

    async with aioftp_client("ftpes://user:pw@host/dir", proxy="socks5://127.0.0.1:1080") as client:
        await client.download("file.bin")

What is different from ``aioftp.Client.context``: names with several addresses race (Happy Eyeballs), control
and data connections go through the proxy, TLS on data connections begins after the command and resumes the
control connection's session, a TLS download that is cut off is an error, credentials never cross a plain
connection unasked, and connecting is repeated by the retry policy. Everything else is aioftp's: one
connection, its methods, its errors. asyncio only.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, cast

try:
    import aioftp
    from aioftp.client import ConnType, DataConnectionThrottleStreamIO
    from aioftp.common import async_enterable
except ImportError as _missing:  # pragma: no cover - needs an installation without the extra
    raise ImportError("netclients.interop.aioftp needs the extra: pip install 'netclients[aioftp]'") from _missing

from netclients.config import Bounds, Endpoint, Login, Timeouts, TLSMode, resolve_tls
from netclients.errors import (
    ConfigurationError,
    ConnectionLost,
    NetClientError,
    ProtocolError,
    TLSError,
    TruncatedTransfer,
    UnsupportedError,
)
from netclients.events import Events, Trace
from netclients.ftp.refusals import reply_error
from netclients.interop._asyncio_streams import StreamPair
from netclients.retry import RetryPolicy, retrying
from netclients.transport.dial import Dialer
from netclients.transport.readiness import running_asyncio_loop
from netclients.wire.replies import Reply

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncGenerator, Iterator

__all__ = ["AioftpOptions", "ConnectedClient", "aioftp_client"]

_ANONYMOUS = Login("anonymous", "anonymous@")
_SENDING = ("STOR", "STOU", "APPE")
_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class AioftpOptions(TypedDict, total=False):
    """What ``aioftp.Client`` takes and this library has no say in; the meaning is aioftp's."""

    socket_timeout: float | None
    read_speed_limit: int | None
    write_speed_limit: int | None
    path_timeout: float | None
    path_io_factory: type[Any]
    encoding: str
    parse_list_line_custom: Any
    parse_list_line_custom_first: bool
    passive_commands: tuple[str, ...]
    trust_server_pasv_ipv4_address: bool


@contextlib.asynccontextmanager
async def aioftp_client(
    url: str | Endpoint,
    *,
    auth: Login | tuple[str, str] | None = None,
    tls: TLSMode | Literal["implicit", "starttls", "none"] | None = None,
    ssl_context: ssl.SSLContext | None = None,
    proxy: str | None = None,
    timeouts: Timeouts | None = None,
    retry: RetryPolicy | None = None,
    events: Events | None = None,
    **options: Unpack[AioftpOptions],
) -> AsyncGenerator[ConnectedClient]:
    """Lend an ``aioftp.Client`` that is connected and logged in and stands in the URL's directory.

    The named parameters mean what they mean for :class:`~netclients.FTPClient`; ``events`` is told of
    repetitions only. ``options`` go to ``aioftp.Client``. The client says QUIT when the block ends well, and
    is closed at once when it does not.

    Raises:
        ConfigurationError: the arguments make no sense, or this is not asyncio.
        NetClientError: connecting or logging in failed. Later errors are aioftp's ``StatusCodeError``, and
            this library's ``TransportError``, ``PhaseTimeout``, ``ProtocolError`` and ``TruncatedTransfer``.
    """
    if running_asyncio_loop() is None:
        raise ConfigurationError("aioftp works on asyncio only")
    if unknown := options.keys() - AioftpOptions.__annotations__.keys():
        raise ConfigurationError(f"aioftp_client() does not take {', '.join(sorted(unknown))}")
    endpoint = url if isinstance(url, Endpoint) else Endpoint.parse(url)
    login = Login(*auth) if isinstance(auth, tuple) else (auth or endpoint.login)
    mode = resolve_tls(endpoint, tls, credentials=login is not None or ssl_context is not None)
    dialer = Dialer(context=ssl_context, proxy=proxy)
    timeouts = timeouts or Timeouts()

    async def connect() -> ConnectedClient:
        client = ConnectedClient(dialer, timeouts, proxy=proxy, implicit=mode is TLSMode.IMPLICIT, **options)
        await _log_in(client, endpoint, login or _ANONYMOUS, mode)
        return client

    client = await retrying(retry or RetryPolicy(), "connect", Trace("ftp", events), connect)
    try:
        yield client
        # A server that is gone by now needs no farewell: the work is done.
        with contextlib.suppress(aioftp.StatusCodeError, ConnectionError, TimeoutError):
            await client.quit()
    finally:
        client.close()


async def _log_in(client: ConnectedClient, endpoint: Endpoint, login: Login, mode: TLSMode) -> None:
    """Connect, with this library's errors for whatever goes wrong."""
    step = "greeting"
    try:
        await client.connect(endpoint.host, endpoint.port)
        if mode is not TLSMode.NONE:
            step = "AUTH TLS"
            await client.protect() if mode is TLSMode.IMPLICIT else await client.upgrade_to_tls()
        step = "PASS"
        await client.login(login.user, login.password, login.account or "")
        if endpoint.path:
            step = f"CWD {endpoint.path}"
            await client.change_directory(endpoint.path)
    except BaseException as error:
        client.close()
        if (translated := _translate(error, step)) is not None:
            raise translated from error
        raise


def _translate(error: BaseException, step: str) -> NetClientError | None:
    if isinstance(error, NetClientError):
        return None
    if isinstance(error, aioftp.StatusCodeError):
        code = str(error.received_codes[-1])
        lines = (error.info,) if isinstance(error.info, str) else tuple(error.info)
        if not (code.isascii() and code.isdigit()):
            return ProtocolError(f"no reply code: {code!r}")
        reply = Reply(int(code), tuple(line.lstrip(" -") for line in lines))
        if step == "AUTH TLS" and reply.kind == 5:
            return UnsupportedError(f"the server refuses TLS (tls='none' goes without): {reply}")
        return reply_error(step, reply, logged_in=False)
    if isinstance(error, ConnectionError):
        return ConnectionLost("the server closed the connection during login")
    if isinstance(error, (ValueError, IndexError)):
        return ProtocolError(f"aioftp could not read the server's reply to {step}: {error}")
    return None


class ConnectedClient(aioftp.Client):
    """An ``aioftp.Client`` whose connections are made by this library. Made by :func:`aioftp_client`."""

    def __init__(
        self,
        dialer: Dialer,
        timeouts: Timeouts,
        *,
        proxy: str | None = None,
        implicit: bool = False,
        **options: Unpack[AioftpOptions],
    ) -> None:
        super().__init__(**options)
        self._dialer = dialer
        self._proxy = proxy
        self._timeouts = timeouts
        self._implicit = implicit
        self._bounds = Bounds()
        self._private_data = False
        self._control: StreamPair | None = None

    # Connections

    async def connect(self, host: str, port: int = aioftp.DEFAULT_PORT) -> list[str]:  # type: ignore[override]
        """Open the control connection and return the lines of the greeting."""
        self._control = None
        self._private_data = False
        return await super().connect(host, port)

    async def _open_connection(self, host: str, port: int) -> _Streams:
        if self._control is None:
            pair = self._control = await self._open_control(host, port)
        else:
            pair = await self._open_data(self._control, host, port)
        return cast("asyncio.StreamReader", pair), cast("asyncio.StreamWriter", pair)

    async def _open_control(self, host: str, port: int) -> StreamPair:
        timeouts, bounds = self._timeouts, self._bounds
        stream = await self._dialer.connect(host, port, timeouts.connect)
        pair = StreamPair(
            stream,
            self._dialer,
            timeout=timeouts.reply,
            phase="reply",
            line_limit=bounds.line,
            reply_limit=bounds.reply,
        )
        if self._implicit:
            await pair.secure(host, timeouts.handshake)
        return pair

    async def _open_data(self, control: StreamPair, host: str, port: int) -> StreamPair:
        if host == self.server_host and not self._dialer.proxied:
            # A name may have several addresses: the data port is at the one that answered.
            host = control.stream.peer
        timeouts = self._timeouts
        stream = await self._dialer.connect(host, port, timeouts.connect, keepalive=False)
        return StreamPair(stream, self._dialer, timeout=timeouts.stall, phase="stall", line_limit=self._bounds.line)

    # TLS

    async def upgrade_to_tls(self, sslcontext: ssl.SSLContext | None = None) -> None:
        """AUTH TLS, the handshake, PBSZ and PROT P (RFC 4217); ``sslcontext`` replaces the TLS settings."""
        control = self._control
        if control is None:
            raise ConnectionError("Connect first")
        if self._implicit or control.session is not None:
            raise RuntimeError("the connection is under TLS already")
        if sslcontext is not None:
            self._dialer = Dialer(context=sslcontext, proxy=self._proxy)
        await self.command("AUTH TLS", "234")
        await control.secure(self.server_host, self._timeouts.handshake, dialer=self._dialer)
        await self.protect()

    async def protect(self) -> None:
        """PBSZ and PROT P: data connections are under TLS from now on."""
        await self._send_tls_protection_commands()
        self._private_data = True

    # Transfers

    @async_enterable
    async def get_stream(
        self,
        command: str | None = None,
        expected_codes: str | tuple[str, ...] = (),
        wait_codes: str | tuple[str, ...] = (),
        censor_after: int | None = None,
        conn_type: ConnType = "I",
        offset: int = 0,
    ) -> DataConnectionThrottleStreamIO:
        """Start a transfer: passive port, connection, command, and only then the TLS handshake."""
        reader, writer = await self.get_passive_connection(conn_type)
        pair = cast("StreamPair", reader)
        try:
            if offset:
                await self.command(f"REST {offset}", "350")
            await self.command(command, expected_codes, wait_codes, censor_after)
            if self._private_data:
                await self._secure_data(pair)
        except BaseException:
            pair.close()
            raise
        sending = (command or "")[:4].upper() in _SENDING
        return _DataStream(self, reader, writer, sending=sending)

    async def _secure_data(self, pair: StreamPair) -> None:
        assert self._control is not None
        try:
            session = self._control.session
            await pair.secure(self.server_host, self._timeouts.handshake, dialer=self._dialer, session=session)
        except TLSError:
            await self.raise_refusal()
            raise

    async def raise_refusal(self) -> None:
        """Read the reply that goes with a broken data connection; raise ``StatusCodeError`` if it says why.

        It tells more than the connection does: 522 session reuse required, 425 not built, 451 disk error.
        """
        with contextlib.suppress(ConnectionError, TimeoutError), self.waiting(self._timeouts.handshake):
            await self.command(None, "2xx", "1xx")

    @contextlib.contextmanager
    def waiting(self, seconds: float | None) -> Iterator[None]:
        """Let replies take this long inside the block."""
        control = self._control
        assert control is not None
        usual, control.timeout = control.timeout, seconds
        try:
            yield
        finally:
            control.timeout = usual

    async def finish_transfer(self, expected_codes: str | tuple[str, ...], wait_codes: str | tuple[str, ...]) -> None:
        """Read the reply that ends a transfer; it may take as long as ``timeouts.complete``."""
        with self.waiting(self._timeouts.complete):
            await self.command(None, expected_codes, wait_codes)


class _DataStream(DataConnectionThrottleStreamIO):
    """A data connection that ends in good order: an upload sends its close alert before the reply is read."""

    def __init__(
        self,
        client: ConnectedClient,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        sending: bool,
    ) -> None:
        super().__init__(client, reader, writer, throttles={"_": client.throttle}, timeout=client.socket_timeout)
        self._owner = client
        self._sending = sending

    async def read(self, count: int = -1) -> bytes:
        """Return what comes next; when the connection breaks, the server's word comes first."""
        try:
            return await super().read(count)
        except (TruncatedTransfer, ConnectionLost):
            await self._owner.raise_refusal()
            raise

    async def readline(self) -> bytes:
        """Return the next line; when the connection breaks, the server's word comes first."""
        try:
            return await super().readline()
        except (TruncatedTransfer, ConnectionLost):
            await self._owner.raise_refusal()
            raise

    async def write(self, data: bytes) -> None:
        """Send; when the connection breaks, the server's word comes first."""
        try:
            await super().write(data)
        except ConnectionLost:
            await self._owner.raise_refusal()
            raise

    async def finish(
        self, expected_codes: str | tuple[str, ...] = "2xx", wait_codes: str | tuple[str, ...] = "1xx"
    ) -> None:
        """Close the data connection and read the final reply."""
        try:
            if self._sending:
                await cast("StreamPair", self.writer).finish_sending()
        finally:
            self.close()
        await self._owner.finish_transfer(expected_codes, wait_codes)
