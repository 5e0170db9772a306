"""aiosmtplib's client, connected by this library (extra ``aiosmtplib``).

Code that already works with an ``aiosmtplib.SMTP`` keeps doing so; :func:`aiosmtplib_client` makes that object::

    async with aiosmtplib_client("smtp://user:pw@host", proxy="socks5://127.0.0.1:1080") as client:
        await client.send_message(message)

aiosmtplib reads and writes by callbacks of an asyncio transport, and begins TLS by ``loop.start_tls``. So what this
library brings is the connected socket (names with several addresses race, proxies), the decision about TLS, the
check that nothing came in clear behind the agreement to it, the rule that credentials never cross a plain connection
unasked, and the repetition of connecting. TLS itself is asyncio's, and so are the waits in the dialogue. Everything
else is aiosmtplib's: one connection, its methods, its errors. asyncio only.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import ssl
from typing import TYPE_CHECKING, Literal, TypeVar, cast

try:
    import aiosmtplib
    from aiosmtplib.protocol import SMTPProtocol
    from aiosmtplib.typing import Default
except ImportError as _missing:  # pragma: no cover - needs an installation without the extra
    raise ImportError(
        "netclients.interop.aiosmtplib needs the extra: pip install 'netclients[aiosmtplib]'"
    ) from _missing

from netclients.config import Login, OAuth, Timeouts, TLSMode, check_token, resolve_tls
from netclients.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectionLost,
    NetClientError,
    PhaseTimeout,
    ProtocolError,
    TLSError,
    UnsupportedError,
)
from netclients.events import Events, Trace
from netclients.retry import RetryPolicy, retrying
from netclients.settings import endpoint_of
from netclients.smtp.replies import reply_error
from netclients.transport.dial import Dialer
from netclients.transport.readiness import running_asyncio_loop
from netclients.wire import arguments
from netclients.wire.replies import Reply

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from netclients.config import Endpoint

__all__ = ["ConnectedClient", "aiosmtplib_client"]

T = TypeVar("T")

_START_TLS = {TLSMode.STARTTLS: True, TLSMode.OPPORTUNISTIC: None}  # in aiosmtplib's words


@contextlib.asynccontextmanager
async def aiosmtplib_client(
    url: str | Endpoint,
    *,
    auth: Login | OAuth | tuple[str, str] | None = None,
    tls: TLSMode | Literal["implicit", "starttls", "none", "opportunistic"] | None = None,
    ssl_context: ssl.SSLContext | None = None,
    proxy: str | None = None,
    timeouts: Timeouts | None = None,
    retry: RetryPolicy | None = None,
    events: Events | None = None,
    local_hostname: str | None = None,
) -> AsyncGenerator[ConnectedClient]:
    """Lend an ``aiosmtplib.SMTP`` that is connected, under TLS if that is required, and logged in.

    The parameters mean what they mean for :class:`~netclients.MailSender`; ``events`` is told of repetitions only,
    and ``local_hostname`` is aiosmtplib's. Of ``timeouts``, ``reply`` is also the time for STARTTLS with its
    handshake, and ``complete`` that for a whole message. The client says QUIT when the block ends well, and is
    closed at once when it does not.

    Raises:
        ConfigurationError: the arguments make no sense, or this is not asyncio.
        NetClientError: connecting or logging in failed. Later errors are aiosmtplib's.
    """
    if running_asyncio_loop() is None:
        raise ConfigurationError("aiosmtplib works on asyncio only")
    endpoint = endpoint_of(url, "aiosmtplib", "smtp")
    if endpoint.socket_path is not None:
        raise ConfigurationError("aiosmtplib_client() takes no Unix socket: aiosmtplib.SMTP(socket_path=) does")
    credentials = Login(*auth) if isinstance(auth, tuple) else (auth or endpoint.login)
    mode = resolve_tls(endpoint, tls, credentials=credentials is not None or ssl_context is not None)
    if mode is TLSMode.OPPORTUNISTIC and credentials is not None:
        raise ConfigurationError("credentials need TLS: opportunistic may end without")
    if credentials is not None and not isinstance(credentials, (Login, OAuth)):
        raise ConfigurationError("auth must be a Login, (user, password) or OAuth")
    if local_hostname is not None:
        arguments.domain(local_hostname)
    dialer = Dialer(context=ssl_context, proxy=proxy)
    timeouts = timeouts or Timeouts()
    plain_asked_for = (tls or endpoint.tls) == TLSMode.NONE

    async def connect_once() -> ConnectedClient:
        client = ConnectedClient(
            dialer,
            timeouts,
            endpoint,
            credentials=credentials,
            mode=mode,
            plain_asked_for=plain_asked_for,
            local_hostname=local_hostname,
        )
        await _connect(client, timeouts)
        return client

    async def connect() -> ConnectedClient:
        try:
            return await connect_once()
        except AuthenticationError:
            # A token that was refused may have expired a moment ago: its provider is asked once more.
            if not (isinstance(credentials, OAuth) and callable(credentials.token)):
                raise
        return await connect_once()

    client = await retrying(retry or RetryPolicy(), "connect", Trace("smtp", events), connect)
    try:
        yield client
        # A server that is gone by now needs no farewell: the work is done.
        with contextlib.suppress(aiosmtplib.SMTPException):
            await client.quit()
    finally:
        client.close()


async def _connect(client: ConnectedClient, timeouts: Timeouts) -> None:
    """Connect, with this library's errors for whatever goes wrong."""
    try:
        await client.connect()
    except BaseException as error:
        client.close()
        if (translated := _translate(error, timeouts)) is not None:
            raise translated from error
        raise


def _translate(error: BaseException, timeouts: Timeouts) -> NetClientError | None:
    if isinstance(error, NetClientError):
        return None
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return _refusal(error)
    if isinstance(error, TimeoutError):
        return PhaseTimeout("reply", timeouts.reply)
    if isinstance(error, ConnectionError):
        return ConnectionLost("the server closed the connection during login")
    if isinstance(error, aiosmtplib.SMTPException):
        return UnsupportedError(str(error))  # STARTTLS, AUTH or XOAUTH2, which the server does not offer
    if isinstance(error, ValueError):
        return ProtocolError(f"aiosmtplib could not read a reply of the server: {error}")
    return None


def _refusal(error: aiosmtplib.SMTPResponseException) -> NetClientError:
    if error.code < 0:
        return ProtocolError(error.message)
    reply = Reply(error.code, tuple(error.message.split("\n")))
    if isinstance(error, aiosmtplib.SMTPConnectResponseError):
        return reply_error("greeting", reply)
    if isinstance(error, aiosmtplib.SMTPHeloError):
        return reply_error("HELO", reply)
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return reply_error("AUTH", reply)
    if reply.kind == 5:
        return UnsupportedError(f"the server refuses TLS (tls='none' goes without): {reply}")
    return reply_error("STARTTLS", reply)


class ConnectedClient(aiosmtplib.SMTP):
    """An ``aiosmtplib.SMTP`` whose connections are made by this library. Made by :func:`aiosmtplib_client`.

    ``connect`` may be called again after ``quit`` or ``close``, with the same TLS and the same login.
    """

    def __init__(
        self,
        dialer: Dialer,
        timeouts: Timeouts,
        endpoint: Endpoint,
        *,
        credentials: Login | OAuth | None,
        mode: TLSMode,
        plain_asked_for: bool,
        local_hostname: str | None,
    ) -> None:
        login = credentials if isinstance(credentials, Login) else None
        super().__init__(
            hostname=endpoint.host,
            port=endpoint.port,
            username=credentials.user if credentials is not None else None,
            password=login.password if login is not None else None,
            oauth_token_generator=_generator(credentials) if isinstance(credentials, OAuth) else None,
            local_hostname=local_hostname,
            timeout=timeouts.reply,
            use_tls=mode is TLSMode.IMPLICIT,
            start_tls=_START_TLS.get(mode, False),
            tls_context=None if mode is TLSMode.NONE else dialer.context,
        )
        self._dialer = dialer
        self._timeouts = timeouts
        self._plain_asked_for = plain_asked_for

    async def _create_connection(self, timeout: float | None) -> aiosmtplib.SMTPResponse:
        """Dial, shake hands if TLS is implicit, and read the greeting: called by ``connect``."""
        if self.sock is not None or self.socket_path is not None or self.source_address is not None:
            raise ConfigurationError("sockets of this client are made by netclients")
        host: str = self.hostname or "localhost"
        self.hostname: str | None = host
        port = self.port or self._get_default_port()
        context = (self.tls_context or self._dialer.context) if self.use_tls else None
        stream = await self._dialer.connect(host, port, self._timeouts.connect)
        loop = asyncio.get_running_loop()
        protocol = _Protocol(loop, self._lost)
        # From here on the socket is the transport's, which closes it whatever happens.
        opening = loop.create_connection(
            lambda: protocol,
            sock=stream.socket,
            ssl=context,
            server_hostname=None if context is None else host,
            ssl_handshake_timeout=None if context is None else self._timeouts.handshake,
        )
        transport, _ = await _shaking_hands(opening, host, self._timeouts.handshake)
        self.transport: asyncio.BaseTransport | None = transport
        self.protocol: SMTPProtocol | None = protocol
        response = await protocol.read_response(timeout=timeout)
        if response.code != aiosmtplib.SMTPStatus.ready:
            raise aiosmtplib.SMTPConnectResponseError(response.code, response.message)
        return response

    def _lost(self, *which: SMTPProtocol) -> None:
        # aiosmtplib 5.1.2 and older do not say whose connection it was.
        if not which or which[0] is self.protocol:
            self.close()

    @property
    def supported_auth_methods(self) -> list[str]:
        """The one method by which a password is sent: trying it by each would lock accounts."""
        return super().supported_auth_methods[:1]

    async def execute_command(
        self, *args: bytes, timeout: float | Literal[Default.token] | None = Default.token
    ) -> aiosmtplib.SMTPResponse:
        """Send one command.

        Raises:
            ConfigurationError: it is AUTH, the connection is plain, and nobody has asked for that.
        """
        if args[0].upper() == b"AUTH" and not self._plain_asked_for and self.get_transport_info("sslcontext") is None:
            raise ConfigurationError("credentials would cross a plain connection; tls='none' asks for that")
        return await super().execute_command(*args, timeout=timeout)

    async def data(
        self, message: str | bytes, /, *, timeout: float | Literal[Default.token] | None = Default.token
    ) -> aiosmtplib.SMTPResponse:
        """Send DATA and the message; all of that may take as long as ``timeouts.complete``."""
        return await super().data(message, timeout=self._timeouts.complete if timeout is Default.token else timeout)


class _Protocol(SMTPProtocol):
    """Notices what comes in clear behind the agreement to TLS, which aiosmtplib throws away without a word."""

    _upgrading = False
    _intruded = False

    async def start_tls(
        self, tls_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> aiosmtplib.SMTPResponse:
        self._upgrading = True
        try:
            upgrade = super().start_tls(tls_context, server_hostname, timeout)
            return await _shaking_hands(upgrade, server_hostname, timeout)
        except aiosmtplib.SMTPServerDisconnected:
            if self._intruded:
                raise ProtocolError("the server sent more in clear behind its agreement to TLS") from None
            raise
        finally:
            self._upgrading = False

    def data_received(self, data: bytes) -> None:
        if not self._upgrading:
            super().data_received(data)
            return
        answered = self._answered
        super().data_received(data)
        if answered or (self._answered and self._buffer):
            self._intruded = True
            # aiosmtplib begins no handshake on a transport that is closing. (uvloop's is no asyncio.Transport.)
            cast("asyncio.Transport", self.transport).abort()

    @property
    def _answered(self) -> bool:
        return self._response_waiter is None or self._response_waiter.done()


async def _shaking_hands(opening: Awaitable[T], host: str | None, timeout: float | None) -> T:
    """Await what involves a TLS handshake, with this library's errors for those of ``ssl``."""
    try:
        return await opening
    except ssl.SSLError as error:
        reason = getattr(error, "verify_message", None)
        shown = f"certificate verify failed: {reason}" if reason else error.reason or str(error)
        raise TLSError(f"TLS handshake with {host}: {shown}") from error
    except ConnectionAbortedError as error:
        raise PhaseTimeout("handshake", timeout) from error  # that is how asyncio tells it
    except aiosmtplib.SMTPException:
        raise
    except ConnectionError as error:
        raise ConnectionLost(f"{host} closed the connection during the TLS handshake") from error


def _generator(credentials: OAuth) -> Callable[[], Awaitable[str]]:
    token = credentials.token

    async def generate() -> str:
        found = token() if callable(token) else token
        return check_token(await found if inspect.isawaitable(found) else found)

    return generate
