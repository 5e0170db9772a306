"""Small proxies on loopback: SOCKS5 (RFC 1928, 1929) and HTTP CONNECT (RFC 9110 section 9.3.6)."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import NoReturn

from netclients.testing._threads import in_thread


class Refused(Exception):
    """The client may not, or can't, use this proxy."""


class Proxy:
    """Accepts clients, asks :meth:`negotiate` where each wants to go, and joins the two connections.

    ``targets`` lists the addresses that were asked for, ``refused`` counts the clients that were sent away.
    ``eager`` holds the proxy's agreement back until the server has spoken, so that both arrive together.
    """

    scheme = ""

    def __init__(self, user: str | None = None, password: str = "") -> None:
        self.user = user
        self.password = password
        self.targets: list[tuple[str, int]] = []
        self.refused = 0
        self.eager = False
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()

    def url(self, user: str | None = None, password: str = "") -> str:
        account = f"{user}:{password}@" if user else ""
        return f"{self.scheme}://{account}127.0.0.1:{self.port}"

    async def negotiate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int]:
        raise NotImplementedError

    def grant(self) -> bytes:
        raise NotImplementedError

    def refuse(self, writer: asyncio.StreamWriter, answer: bytes) -> NoReturn:
        self.refused += 1
        writer.write(answer)
        raise Refused

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            host, port = await self.negotiate(reader, writer)
            self.targets.append((host, port))
            far_reader, far_writer = await asyncio.open_connection(host, port)
            self._writers.add(far_writer)
            writer.write(self.grant() + await self._greeting(far_reader))
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
            far_writer.close()
            self._writers.discard(far_writer)
        except (Refused, OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self._writers.discard(writer)

    async def _greeting(self, reader: asyncio.StreamReader) -> bytes:
        """What a server says unasked reaches the client in one piece with the proxy's own words."""
        if not self.eager:
            return b""
        try:
            return await asyncio.wait_for(reader.read(4096), 0.2)
        except TimeoutError:
            return b""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in tuple(self._writers):
                writer.transport.abort()
            while self._writers:
                await asyncio.sleep(0.01)

    @contextlib.contextmanager
    def in_thread(self) -> Iterator[Proxy]:
        with in_thread(self.running, f"{self.scheme}-proxy"):
            yield self


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.transport.abort()


class Socks5Proxy(Proxy):
    """SOCKS5: with a user, only those who know the password may pass."""

    scheme = "socks5"

    async def negotiate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int]:
        _version, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        wanted = 0 if self.user is None else 2
        if wanted not in methods:
            self.refuse(writer, b"\x05\xff")
        writer.write(bytes((5, wanted)))
        if wanted == 2:
            await self._check_password(reader, writer)
        _version, _command, _reserved, kind = await reader.readexactly(4)
        if kind == 1:
            host = ".".join(map(str, await reader.readexactly(4)))
        else:
            [length] = await reader.readexactly(1)
            host = (await reader.readexactly(length)).decode()
        [port] = struct.unpack("!H", await reader.readexactly(2))
        return host, port

    async def _check_password(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        given = []
        await reader.readexactly(1)
        for _ in range(2):
            [length] = await reader.readexactly(1)
            given.append((await reader.readexactly(length)).decode())
        known = given == [self.user, self.password]
        if not known:
            self.refuse(writer, b"\x01\x01")
        writer.write(b"\x01\x00")

    def grant(self) -> bytes:
        return b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00"


class ConnectProxy(Proxy):
    """HTTP CONNECT with Basic authentication, if it has a user."""

    scheme = "http"

    async def negotiate(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, int]:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        _method, target, _version = head[0].split(" ")
        if self.user is not None:
            secret = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            if f"proxy-authorization: basic {secret}".lower() not in map(str.lower, head):
                self.refuse(writer, b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        host, _, port = target.rpartition(":")
        return host.strip("[]"), int(port)

    def grant(self) -> bytes:
        return b"HTTP/1.1 200 Connection established\r\n\r\n"
