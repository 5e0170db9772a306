"""Connected loopback sockets, the peer's side of TLS in a thread, and certificates."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import trustme

from netclients.transport.stream import SocketStream


@contextmanager
def pair() -> Iterator[tuple[SocketStream, socket.socket]]:
    """A stream of ours and the peer's blocking TCP socket."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    ours.setblocking(False)
    theirs.settimeout(20)
    with theirs:
        stream = SocketStream(ours, "127.0.0.1")
        try:
            yield stream, theirs
        finally:
            stream.abort()


@contextmanager
def peer(act: Callable[[socket.socket], None]) -> Iterator[tuple[str, int]]:
    """Accept one connection in a thread and let ``act`` have it; what it raises comes out at the end."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(20)
    failure: list[BaseException] = []

    def serve() -> None:
        try:
            sock, _ = listener.accept()
            sock.settimeout(20)
            with sock:
                act(sock)
        except BaseException as error:  # noqa: BLE001 - raised below
            failure.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()
    finally:
        thread.join(20)
        listener.close()
    assert not thread.is_alive()
    if failure:
        raise failure[0]


@cache
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(*names: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority().issue_cert(*(names or ("localhost", "127.0.0.1"))).configure_cert(context)
    return context


def client_context(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority().configure_trust(context)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context
