"""The process behind :mod:`~netclients.cli.demo.servers`: servers that cut connections half-way."""

from __future__ import annotations

import json
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import anyio

from netclients.cli.demo.addresses import AFTER, AMID, BEFORE, GONE, SHY
from netclients.testing import CutContent, CutData, CutReply, FTPServer, Hangup, IMAPServer, Reply, SMTPServer
from netclients.testing.certificates import ca_pem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
_READING_FAULTS = (
    # Amid an answer about several messages, amid an attachment, and before anything is said.
    CutReply("FETCH", argument="*ENVELOPE*", reply=10, after=200, every=4, how="reset"),
    CutReply("FETCH", argument="*BODY.PEEK[[]2]*", after=500, skip=10, every=20, how="reset"),
    Hangup("FETCH", argument="*BODYSTRUCTURE*", skip=20, every=25),
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
    """Take mail, and let it be read, until standard input ends."""
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
            )
        )
        mailbox = await stack.enter_async_context(IMAPServer(users=_USERS, tls="starttls", faults=_READING_FAULTS))
        severed = await _obey({"plain": plain, "secure": secure, "mailbox": mailbox}, deliver=_Postman(secure, mailbox))
        reports: dict[str, object] = {"mailbox": {"cuts": mailbox.stats.faults + severed["mailbox"]}}
        for name, server in {"plain": plain, "secure": secure}.items():
            copies = [(address, message.sha256) for message in server.messages for address in message.recipients]
            reports[name] = {"cuts": server.stats.faults + severed[name], "copies": copies}
        _say(reports)


class _Postman:
    """Puts what one server has accepted into the mailbox of the other."""

    def __init__(self, source: SMTPServer, mailbox: IMAPServer) -> None:
        self._source = source
        self._mailbox = mailbox

    def __call__(self) -> int:
        """Return how many messages that were."""
        messages = self._source.messages
        for message in messages:
            self._mailbox.add("demo", "INBOX", message.content)
        return len(messages)


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


async def _obey(
    servers: Mapping[str, FTPServer | SMTPServer | IMAPServer], deliver: Callable[[], int] | None = None
) -> Mapping[str, int]:
    """Say where the servers are, do what is asked for, and return how many connections were cut on demand.

    All that until standard input has ended.
    """
    severed = dict.fromkeys(servers, 0)
    authority = ca_pem().decode()
    _say({name: {"url": server.url, "authority": _authority(name, authority)} for name, server in servers.items()})
    while line := await anyio.to_thread.run_sync(sys.stdin.readline):
        wish = json.loads(line)
        if "sever" in wish:
            severed[wish["sever"]] += servers[wish["sever"]].sever()
        elif deliver is not None:
            _say({"delivered": deliver()})
    return severed


def _authority(name: str, authority: str) -> str | None:
    return None if name == "plain" else authority


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    if sys.argv[1] == "mail":
        anyio.run(serve_mail)
    else:
        anyio.run(serve_files, sys.argv[2])
