"""Connections through a proxy: SOCKS by python-socks (extra ``proxy``), HTTP CONNECT by ourselves.

The servers of all our protocols speak first. What they say may arrive right behind the proxy's own answer, so
that answer must be read to its last byte and not one further.
"""

from __future__ import annotations

import base64
import socket
from collections.abc import Awaitable, Callable

from netclients.errors import ConfigurationError, ConnectError, UnsupportedError, printable
from netclients.transport.readiness import running_asyncio_loop
from netclients.transport.stream import SocketStream

__all__ = ["Proxy"]

_HEAD = 16 * 1024

Dial = Callable[[str, int], Awaitable[socket.socket]]


class Proxy:
    """One proxy, from its URL: ``socks5://user:pw@host:1080``, ``socks4://…`` or ``http://host:3128``.

    Raises:
        UnsupportedError: the extra is not installed.
        ConfigurationError: not the URL of a proxy.
    """

    def __init__(self, url: str) -> None:
        try:
            from python_socks import ProxyType, parse_proxy_url
        except ImportError:
            raise UnsupportedError("proxy= needs the extra: pip install 'netclients[proxy]'") from None
        try:
            kind, self._host, self._port, self._user, self._password = parse_proxy_url(url)
        except ValueError:
            raise ConfigurationError("that is not the URL of a SOCKS or HTTP proxy") from None
        self._url = url
        self._tunnels = kind is ProxyType.HTTP

    async def connect(self, host: str, port: int, dial: Dial) -> socket.socket:
        """Return a socket that reaches ``host``, whose name the proxy resolves; ``dial`` reaches the proxy.

        Raises:
            ConnectError: the proxy is not there, or refuses.
        """
        return await (self._tunnel(host, port, dial) if self._tunnels else self._socks(host, port))

    async def _socks(self, host: str, port: int) -> socket.socket:
        import python_socks

        try:
            if running_asyncio_loop() is not None:
                from python_socks.async_.asyncio import Proxy as AsyncioProxy

                return await AsyncioProxy.from_url(self._url).connect(host, port)
            from python_socks.async_.trio import Proxy as TrioProxy

            wrapped = await TrioProxy.from_url(self._url).connect(host, port)
            raw = socket.socket(fileno=wrapped.detach())
            raw.setblocking(False)
        except (OSError, python_socks.ProxyError, python_socks.ProxyTimeoutError) as error:
            raise ConnectError(f"proxy: no connection to {printable(host)}:{port}: {error}") from error
        return raw

    async def _tunnel(self, host: str, port: int, dial: Dial) -> socket.socket:
        """Ask for a tunnel by CONNECT (RFC 9110 section 9.3.6)."""
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
        if self._user:
            secret = base64.b64encode(f"{self._user}:{self._password or ''}".encode()).decode()
            lines.append(f"Proxy-Authorization: Basic {secret}")
        sock = await dial(self._host, self._port)
        try:
            stream = SocketStream(sock, self._host)
            await stream.send_all("\r\n".join((*lines, "", "")).encode(), None, "connect")
            status = (await _read_head(stream)).split(b"\r\n", 1)[0]
        except BaseException:
            sock.close()
            raise
        version, _, code = status.partition(b" ")
        if not version.startswith(b"HTTP/1.") or not code.startswith(b"2"):
            sock.close()
            raise ConnectError(f"proxy: no connection to {where}: {printable(status.decode('latin-1'))}")
        return sock


async def _read_head(stream: SocketStream) -> bytes:
    head = bytearray()
    byte = bytearray(1)
    while not head.endswith(b"\r\n\r\n"):
        # One byte at a time: the head is short, and what follows it is not ours to take.
        if len(head) > _HEAD or not await stream.recv_into(byte, None, "connect"):
            raise ConnectError("proxy: its answer to CONNECT made no sense")
        head += byte
    return bytes(head)
