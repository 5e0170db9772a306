"""Making connections: names to addresses, addresses to sockets, sockets to TLS.

A :class:`Dialer` belongs to one client and knows how that client wants to be connected: through which proxy,
with which TLS settings. One address is dialled directly; several race (Happy Eyeballs, RFC 8305).
"""

from __future__ import annotations

import errno
import os
import socket
import ssl
from typing import TYPE_CHECKING, Any

import anyio

from netclients.errors import (
    ConfigurationError,
    ConnectError,
    NetClientError,
    PhaseTimeout,
    UnsupportedError,
    printable,
)
from netclients.transport.readiness import Deadline, running_asyncio_loop, wait_for_sockets
from netclients.transport.stream import SocketStream
from netclients.transport.tls import Scratch, TLSStream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from netclients.transport.proxy import Proxy

__all__ = ["Dialer", "Listener"]

_STAGGER = 0.25  # seconds between attempts, RFC 8305 section 5
_KNOCK = 0.02  # seconds until a Unix socket with a full queue is asked again
_SCRATCH = 1024 * 1024
_REPLACEMENT = 256 * 1024
_UNDER_WAY = (errno.EALREADY, errno.EINPROGRESS, errno.EWOULDBLOCK)


class Dialer:
    """How one client connects.

    ``context`` is used for every TLS connection, made by ``ssl.create_default_context()`` when first needed.
    ``proxy`` is a URL (``socks5://user:pw@host:1080``, ``http://host:3128``), for which the extra ``proxy``
    must be installed. ``scratch`` is a buffer for use within one call.
    """

    def __init__(self, *, context: ssl.SSLContext | None = None, proxy: str | None = None) -> None:
        self._context = context
        self._proxy = None if proxy is None else _proxy(proxy)
        self._scratch: bytearray | None = None
        self._scratch_size = _SCRATCH
        self._records: Scratch | None = None

    @property
    def proxied(self) -> bool:
        """Whether connections go through a proxy, so that the peer's address is not known here."""
        return self._proxy is not None

    @property
    def context(self) -> ssl.SSLContext:
        """The TLS settings: verified certificates and host names, TLS 1.2 at least."""
        if self._context is None:
            self._context = ssl.create_default_context()
        return self._context

    @property
    def scratch(self) -> bytearray:
        """A mebibyte for data that is consumed before the next ``await``; 256 KiB once somebody has kept one."""
        if self._scratch is None:
            self._scratch = bytearray(self._scratch_size)
        return self._scratch

    def replace_scratch(self) -> None:
        """Leave the present scratch buffer to whoever holds on to it: a thousand may, so the next ones are smaller."""
        self._scratch = None
        self._scratch_size = _REPLACEMENT

    async def connect(self, host: str, port: int, timeout: float | None, *, keepalive: bool = True) -> SocketStream:
        """Connect to ``host``, a name or an address.

        ``keepalive`` is for a dialogue: small messages leave at once, and the kernel keeps middleboxes from
        forgetting the connection while it is idle.

        Raises:
            ConnectError: no address answered.
            PhaseTimeout: phase ``connect``, for all addresses together.
        """
        if self._proxy is not None:
            proxy = self._proxy
            sock = await _limited(lambda: proxy.connect(host, port, _dial), timeout, f"{host}:{port}")
            peer = host
        elif (family := _literal_family(host)) is not None:
            sock = await connect_address(family, (host, port), timeout)
            peer = host
        else:
            sock = await _limited(lambda: _connect_by_name(host, port), timeout, f"{host}:{port}")
            peer = ""
        try:
            peer = peer or sock.getpeername()[0]
            if keepalive:
                _keep_alive(sock)
        except OSError as error:
            sock.close()
            raise ConnectError(f"{host}:{port} closed the connection at once: {error.strerror}") from error
        return SocketStream(sock, peer)

    async def connect_unix(self, path: str, timeout: float | None) -> SocketStream:
        """Connect to the Unix socket at ``path``, which becomes the stream's peer. No proxy stands in between.

        Raises:
            UnsupportedError: this platform has no Unix sockets.
            ConnectError: nobody listens there, or the path can't be one.
            PhaseTimeout: phase ``connect``: whoever listens does not accept.
        """
        if not hasattr(socket, "AF_UNIX"):
            raise UnsupportedError("this platform has no Unix sockets")
        return SocketStream(await _connect_unix(path, timeout), path)

    async def start_tls(
        self,
        stream: SocketStream,
        host: str,
        timeout: float | None,
        *,
        session: ssl.SSLSession | None = None,
        newest: bool = True,
    ) -> TLSStream:
        """Secure ``stream``; the certificate must be ``host``'s. The stream is closed if that fails."""
        try:
            secured = self.secure(stream, host, session=session, newest=newest)
            await secured.handshake(timeout)
        except BaseException:
            stream.abort()
            raise
        return secured

    def secure(
        self, stream: SocketStream, host: str, *, session: ssl.SSLSession | None = None, newest: bool = True
    ) -> TLSStream:
        """Wrap ``stream`` for TLS without shaking hands yet, with TLS 1.2 at the most unless ``newest``."""
        if self._records is None:
            self._records = Scratch()
        context = self.context
        if newest or not self.allows_tls12:
            return TLSStream(stream, context, host, self._records, session)
        # A context can't be copied, and a session belongs to its context; the version is read when wrapping.
        # Another thread that wraps with the same context right now would get TLS 1.2 too, which it allows.
        maximum = context.maximum_version
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        try:
            return TLSStream(stream, context, host, self._records, session)
        finally:
            context.maximum_version = maximum

    @property
    def allows_tls12(self) -> bool:
        """Whether the settings leave TLS 1.2 as a choice."""
        return self.context.minimum_version <= ssl.TLSVersion.TLSv1_2


def _proxy(url: str) -> Proxy:
    from netclients.transport.proxy import Proxy  # most clients have none

    return Proxy(url)


async def _limited(connect: Callable[[], Awaitable[socket.socket]], timeout: float | None, what: str) -> socket.socket:
    sock = None
    with anyio.move_on_after(timeout):
        sock = await connect()
    if sock is None:
        raise PhaseTimeout("connect", timeout, what)
    return sock


def _literal_family(host: str) -> int | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, UnicodeError):
            continue
        return family
    return None


async def _dial(host: str, port: int) -> socket.socket:
    family = _literal_family(host)
    if family is not None:
        return await connect_address(family, (host, port), None)
    return await _connect_by_name(host, port)


async def _connect_by_name(host: str, port: int) -> socket.socket:
    try:
        found: Sequence[Any] = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConnectError(f"no address for {host!r}: {error}") from error
    if len(found) == 1:
        return await connect_address(found[0][0], found[0][4], None)
    try:
        if running_asyncio_loop() is not None:
            from aiohappyeyeballs import start_connection

            return await start_connection(list(found), happy_eyeballs_delay=_STAGGER, interleave=1)
        return await _race_by_anyio(host, port)
    except OSError as error:
        raise ConnectError(f"no connection to {host}:{port}: {error}") from error


async def _race_by_anyio(host: str, port: int) -> socket.socket:
    stream = await anyio.connect_tcp(host, port, happy_eyeballs_delay=_STAGGER)
    try:
        sock: socket.socket = stream.extra_attributes[anyio.abc.SocketAttribute.raw_socket]().dup()
    finally:
        await stream.aclose()
    sock.setblocking(False)
    return sock


async def connect_address(family: int, address: tuple[Any, ...], timeout: float | None) -> socket.socket:
    """Connect a new socket to one address, within ``timeout`` seconds."""
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise ConnectError(f"no socket: {error}") from error
    try:
        sock.setblocking(False)
        try:
            sock.connect(address)
        except BlockingIOError:
            await _established(sock, address, timeout)
    except BaseException as error:
        sock.close()
        if isinstance(error, OSError) and not isinstance(error, NetClientError):
            where = f"{address[0]}:{address[1]}"
            raise ConnectError(f"no connection to {where}: {error.strerror or error}") from error
        raise
    return sock


async def _established(sock: socket.socket, address: tuple[Any, ...], timeout: float | None) -> None:
    # On loopback the handshake is over by now, although the first connect() said otherwise.
    code = sock.connect_ex(address)
    if code in _UNDER_WAY:
        if not await wait_for_sockets((), (sock,), timeout):
            raise PhaseTimeout("connect", timeout, f"{address[0]}:{address[1]}")
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code not in (0, errno.EISCONN):
        raise OSError(code, os.strerror(code))


async def _connect_unix(path: str, timeout: float | None) -> socket.socket:
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        raise ConnectError(f"no socket: {error}") from error
    try:
        sock.setblocking(False)
        await _knock(sock, path, timeout)
    except BaseException as error:
        sock.close()
        # ValueError: the path has a character that the file system's encoding lacks.
        if isinstance(error, (OSError, ValueError)) and not isinstance(error, NetClientError):
            reason = getattr(error, "strerror", None) or error
            raise ConnectError(f"no connection to {printable(path)}: {reason}") from error
        raise
    return sock


async def _knock(sock: socket.socket, path: str, timeout: float | None) -> None:
    # A full queue refuses by EAGAIN and tells nobody when there is room, so waiting for the socket would not do.
    with Deadline(timeout, "connect", path) as deadline:
        while (code := sock.connect_ex(path)) in _UNDER_WAY:
            left = deadline.left()
            await anyio.sleep(_KNOCK if left is None else min(_KNOCK, left))
    if code not in (0, errno.EISCONN):
        raise OSError(code, os.strerror(code))


def _keep_alive(sock: socket.socket) -> None:
    if sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)


class Listener:
    """A listening socket for one expected connection, for protocols in which the server calls back."""

    def __init__(self, address: str, port: int = 0) -> None:
        family = _literal_family(address)
        if family is None:
            raise ConfigurationError(f"{address!r} is not an IP address to listen on")
        self.family: socket.AddressFamily = socket.AddressFamily(family)
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        try:
            self._socket.setblocking(False)
            self._socket.bind((address, port))
            self._socket.listen(1)
        except OSError as error:
            self._socket.close()
            raise ConnectError(f"can't listen on {address}: {error}") from error

    @property
    def socket(self) -> socket.socket:
        """What to wait on."""
        return self._socket

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._socket.getsockname()[1])

    def try_accept(self, peer: str | None) -> SocketStream | None:
        """Return the connection if it has come; None if not. Connections from others than ``peer`` are closed."""
        while True:
            try:
                sock, address = self._socket.accept()
            except BlockingIOError:
                return None
            except OSError as error:
                raise ConnectError(f"active data connection: {error}") from error
            if peer is None or address[0] == peer:
                sock.setblocking(False)
                return SocketStream(sock, address[0])
            sock.close()

    @property
    def stalled(self) -> bool:
        """See :attr:`~netclients.transport.stream.Waitable.stalled`."""
        return False

    def hold(self) -> None:
        """See :meth:`~netclients.transport.stream.Waitable.hold`: only its owner closes a listener."""

    def let_go(self) -> None:
        """See :meth:`~netclients.transport.stream.Waitable.let_go`."""

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()
