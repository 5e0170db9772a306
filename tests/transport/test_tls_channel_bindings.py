"""Both ends of a TLS connection compute the same channel binding, and say where no standard defines it."""

from __future__ import annotations

import socket
import ssl

import pytest

from netclients.transport.dial import Dialer
from tests.transport.sockets import client_context, peer, server_context

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("version", "doubtful"), [(ssl.TLSVersion.TLSv1_2, False), (ssl.TLSVersion.TLSv1_3, True)], ids=["1.2", "1.3"]
)
async def test_tls_unique_is_the_servers_too(version: ssl.TLSVersion, doubtful: bool) -> None:
    context = server_context()

    def serve(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as secured:
            secured.sendall(secured.get_channel_binding("tls-unique") or b"")

    dialer, seen = Dialer(context=client_context(version)), set()
    session = None
    for _ in range(2):
        # The second handshake is a resumed one (with TLS 1.2), where the server is the first to finish.
        with peer(serve) as address:
            raw = await dialer.connect(*address, 5)
            stream = await dialer.start_tls(raw, "localhost", 10, session=session)
            (binding,) = stream.channel_bindings()
            buffer = bytearray(100)
            count = await stream.recv_into(buffer, 10, "stall")
            assert (binding.kind, binding.data, binding.doubtful) == ("tls-unique", bytes(buffer[:count]), doubtful)
            seen.add(binding.data)
            resumed, session = stream.session_reused, stream.session
            await stream.aclose(5)
    assert resumed
    assert len(seen) == 2
