"""The process behind :mod:`~netclients.cli.demo.servers`: servers that cut connections half-way."""

from __future__ import annotations

import json
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio

from netclients.cli.demo.addresses import AFTER, AMID, BEFORE, GONE, SHY
from netclients.testing import CutContent, CutData, FTPServer, Hangup, Reply, SMTPServer
from netclients.testing.certificates import ca_pem

if TYPE_CHECKING:
    from collections.abc import Mapping

_USERS = {"demo": "demo"}
_FILE_FAULTS = (
    CutData(argument="*small*", share=0.5, every=25, how="reset"),
    CutData(argument="*medium*", share=0.5, every=10, how="fin"),
    CutData(argument="*large*", share=0.5, every=4, how="reset"),
    CutData(argument="*huge*", share=0.5, every=2, how="fin", hangup=True),
)
_MAIL_FAULTS = (
    # Before any content: whatever was under way is sent again, nothing is in doubt.
    Hangup("RCPT", skip=20, every=40),
    Reply("MAIL", skip=30, every=60, text="421 4.3.2 Shutting down, come again."),
    CutContent(argument=f"{AMID}-*", after=256 * 1024, how="reset", times=2),
    # Once all of it is there.
    Hangup("CONTENT", argument=f"{BEFORE}-*"),
    Hangup("CONTENT", argument=f"{AFTER}-*", executed=True),
)


async def serve_files(root: str) -> None:
    """Serve ``root`` by FTP until standard input ends."""
    async with AsyncExitStack() as stack:
        plain = await stack.enter_async_context(FTPServer(root, faults=_FILE_FAULTS))
        secure = await stack.enter_async_context(
            FTPServer(root, users=_USERS, tls="explicit", tls_required=True, faults=_FILE_FAULTS)
        )
        servers = {"plain": plain, "secure": secure}
        severed = await _obey(servers)
        _say({name: {"cuts": server.stats.faults + severed[name]} for name, server in servers.items()})


async def serve_mail() -> None:
    """Take mail until standard input ends."""
    async with AsyncExitStack() as stack:
        plain = await stack.enter_async_context(SMTPServer(refuse=_Doorman(), faults=_MAIL_FAULTS, keep=False))
        secure = await stack.enter_async_context(
            SMTPServer(
                users=_USERS,
                tls="starttls",
                tls_required=True,
                require_auth=True,
                refuse=_Doorman(),
                faults=_MAIL_FAULTS,
                keep=False,
            )
        )
        servers = {"plain": plain, "secure": secure}
        severed = await _obey(servers)
        reports = {}
        for name, server in servers.items():
            copies = [(address, message.sha256) for message in server.messages for address in message.recipients]
            reports[name] = {"cuts": server.stats.faults + severed[name], "copies": copies}
        _say(reports)


class _Doorman:
    """Judges recipients, those of one server."""

    def __init__(self) -> None:
        self._is_new = True

    def __call__(self, address: str) -> str | None:
        if address.startswith(f"{GONE}-"):
            return "550 5.1.1 No such user."
        if address == SHY and self._is_new:
            self._is_new = False
            return "450 4.7.1 Greylisted, try again later."
        return None


async def _obey(servers: Mapping[str, FTPServer | SMTPServer]) -> Mapping[str, int]:
    """Say where the servers are, cut connections on demand, and return how many, when standard input has ended."""
    severed = dict.fromkeys(servers, 0)
    authorities = {"plain": None, "secure": ca_pem().decode()}
    _say({name: {"url": server.url, "authority": authorities[name]} for name, server in servers.items()})
    while line := await anyio.to_thread.run_sync(sys.stdin.readline):
        name = json.loads(line)["sever"]
        severed[name] += servers[name].sever()
    return severed


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "mail":
        anyio.run(serve_mail)
    else:
        anyio.run(serve_files, sys.argv[2])
