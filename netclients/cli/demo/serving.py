"""The process behind :mod:`~netclients.cli.demo.servers`: two FTP servers that cut transfers half-way."""

from __future__ import annotations

import json
import sys
from contextlib import AsyncExitStack

import anyio

from netclients.testing import CutData, FTPServer
from netclients.testing.certificates import ca_pem

_FAULTS = (
    CutData(argument="*small*", share=0.5, every=25, how="reset"),
    CutData(argument="*medium*", share=0.5, every=10, how="fin"),
    CutData(argument="*large*", share=0.5, every=4, how="reset"),
    CutData(argument="*huge*", share=0.5, every=2, how="fin", hangup=True),
)


async def serve(root: str) -> None:
    """Serve ``root`` until standard input ends."""
    async with AsyncExitStack() as stack:
        plain = await stack.enter_async_context(FTPServer(root, faults=_FAULTS))
        secure = await stack.enter_async_context(
            FTPServer(root, users={"demo": "demo"}, tls="explicit", tls_required=True, faults=_FAULTS)
        )
        servers = {"plain": plain, "secure": secure}
        severed = dict.fromkeys(servers, 0)
        authorities = {"plain": None, "secure": ca_pem().decode()}
        _say({name: {"url": server.url, "authority": authorities[name]} for name, server in servers.items()})
        while line := await anyio.to_thread.run_sync(sys.stdin.readline):
            name = json.loads(line)["sever"]
            severed[name] += servers[name].sever()
        _say({name: server.stats.faults + severed[name] for name, server in servers.items()})


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(serve, sys.argv[1])
