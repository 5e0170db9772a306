#!/usr/bin/env python3
"""proxyfwd.py LISTEN_PORT TARGET_PORT ...: TCP forwarders on 127.0.0.1 that prepend a HAProxy PROXY v1 line.

Dovecot takes a client with the server's own address for a secure one, so on loopback it never demands
STARTTLS. Behind such a forwarder (``inet_listener`` with ``haproxy=yes``) it sees a foreign client, and
LOGINDISABLED is real.
"""

import asyncio
import sys

HEADER = b"PROXY TCP4 192.0.2.1 127.0.0.1 40000 143\r\n"


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
    except OSError:
        writer.close()


async def serve(listen_port: int, target_port: int) -> None:
    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target_reader, target_writer = await asyncio.open_connection("127.0.0.1", target_port)
        except OSError:
            writer.close()
            return
        target_writer.write(HEADER)
        await asyncio.gather(pump(reader, target_writer), pump(target_reader, writer))
        writer.close()
        target_writer.close()

    async with await asyncio.start_server(forward, "127.0.0.1", listen_port) as server:
        await server.serve_forever()


async def main(ports: list[int]) -> None:
    await asyncio.gather(*(serve(*pair) for pair in zip(ports[::2], ports[1::2], strict=True)))


if __name__ == "__main__":
    asyncio.run(main([int(port) for port in sys.argv[1:]]))
