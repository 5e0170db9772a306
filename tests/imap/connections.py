"""IMAP connections for tests: to servers, and on scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from netclients import Timeouts
from netclients.imap.connection import IMAPConnection
from netclients.imap.login import connect
from netclients.imap.protocol import IMAPProtocol
from netclients.settings import Settings, common_settings, endpoint_of
from tests.transport.scripted import ScriptedDialer, stream

PATIENT = Timeouts(connect=20, handshake=20, reply=20, stall=20, pool=20, complete=20)
QUICK = Timeouts(connect=5, handshake=5, reply=0.3, stall=0.3, pool=5, complete=0.3)


def settings_of(url: str, **options: object) -> Settings:
    """What a client of this URL would have: ``auth``, ``ssl_context``, ``timeouts``, ``bounds`` and so on.

    Without ``tls`` there is none, unless there is an ``ssl_context``; None: as the client itself decides.
    """
    if options.get("ssl_context") is None:
        options.setdefault("tls", "none")
    names = ("auth", "tls", "ssl_context", "bounds", "proxy", "events", "mechanisms")
    made = {**dict.fromkeys(names), "timeouts": PATIENT, **options}
    return Settings(**common_settings(endpoint_of(url, "the test", "imap"), **made))  # type: ignore[arg-type]


@asynccontextmanager
async def connected(url: str, *, compress: bool = False, **options: object) -> AsyncIterator[IMAPConnection]:
    """A connection that is logged in; it is cut at the end."""
    connection = await connect(settings_of(url, **options), compress=compress)
    try:
        yield connection
    finally:
        connection.abort("the test is over")


def on_script(script: str, *, chunk: int | None = None, **options: object) -> IMAPConnection:
    """A connection whose server plays a script; its tags are t1, t2 and so on."""
    dialer = ScriptedDialer()
    settings = replace(settings_of("imap://127.0.0.1", **options), dialer=dialer)
    made = stream(script, chunk=chunk)
    connection = IMAPConnection(settings, made)  # type: ignore[arg-type]
    with_tags(connection.protocol)
    return connection


def with_tags(protocol: IMAPProtocol) -> None:
    protocol._tags = (f"t{number}" for number in range(1, 1_000_000))


@asynccontextmanager
async def scripted(
    script: str, *capabilities: str, opened: bool = False, chunk: int | None = None, **options: object
) -> AsyncIterator[IMAPConnection]:
    """A connection that has been greeted by PREAUTH; the script is what comes then, and is played to its end.

    ``opened``: INBOX is open, and has nine messages; tags begin with t2 then.
    """
    head = f"S: * PREAUTH [CAPABILITY IMAP4rev1 {' '.join(capabilities)}] here\n"
    if opened:
        head += "C: t1 SELECT INBOX\nS: * 9 EXISTS\nS: * OK [UIDVALIDITY 7] x\nS: t1 OK [READ-WRITE] done\n"
    connection = on_script(head + script, chunk=chunk, **options)
    await connection.settle(connection.protocol.greeting, 1, "reply")
    if opened:
        await connection.select("INBOX")
    yield connection
    connection.stream.check()  # type: ignore[attr-defined]
