"""An SMTP or LMTP server on loopback for tests and demonstrations, with scripted faults.

It keeps what it is sent in memory, keeps no log, and ends all its connections when it is left. How it reads and
answers is in ``_smtp_engine``, ``_smtp_commands`` and ``_smtp_content``.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import quote

from . import certificates
from ._auth import chosen_mechanisms
from ._mail_server import TLS, MailServer
from ._smtp_engine import Engine
from ._smtp_session import Judge, Received, Rules
from .ftp_faults import Fault
from .smtp_faults import MailFaultScript

__all__ = ["Received", "SMTPServer", "SMTPServerStats"]


@dataclass(frozen=True, slots=True)
class SMTPServerStats:
    """What an :class:`SMTPServer` has done so far."""

    connections: int
    """Connections accepted."""
    connections_open: int
    """Connections open now."""
    connections_peak: int
    """The most that were open at once."""
    logins: int
    """Successful AUTH commands."""
    messages: int
    """Messages accepted."""
    bytes_received: int
    """Their size."""
    discarded: int
    """Bytes thrown away because they came in clear behind STARTTLS."""
    faults: int
    """How often scripted faults fired."""
    commands: Mapping[str, int]
    """Commands received, by verb in capitals."""


class SMTPServer(MailServer):
    """An SMTP server on loopback, or with `lmtp` an LMTP server, that keeps what it is sent.

    ``async with SMTPServer() as server`` runs it on the running asyncio loop; ``with SMTPServer() as server`` on an
    event loop of its own, in a new thread, for trio and for blocking code. All properties and methods may be used
    from any thread.

    `tls` ``"starttls"`` offers STARTTLS (and demands it with `tls_required`), ``"implicit"`` starts with the
    handshake. Certificates are made for loopback; trust them by :meth:`client_context` or :attr:`ca_file`.
    `users` maps names to passwords (AUTH PLAIN, LOGIN, CRAM-MD5), `tokens` maps names to tokens (XOAUTH2,
    OAUTHBEARER); `mechanisms` names those to offer instead, SCRAM-SHA-1 and SCRAM-SHA-256 (``-PLUS``) and EXTERNAL
    among them. `auth_in_clear` offers AUTH without TLS, by default
    where there is no TLS. `require_auth` refuses MAIL without.
    `unix` is the path of a Unix socket to listen on instead of `host` and `port`.

    It offers PIPELINING, 8BITMIME, SMTPUTF8, DSN, ENHANCEDSTATUSCODES, CHUNKING, BINARYMIME, SIZE, and over TLS
    REQUIRETLS; `without` names extensions and commands that it shall not have, such as ``{"CHUNKING", "RSET"}``.
    Commands are executed in order, pipelined or not. What a client must not do though it works is executed as well,
    and listed by :attr:`violations`.

    `refuse` maps recipients to the replies that refuse them, ``{"bad@x": "550 5.1.1 No such user."}``, or is a
    function of the address that returns such a reply or None. `final_replies` does the same for the replies of LMTP
    behind the content. `size_limit` (bytes) is announced, and larger messages are refused with 552; `max_recipients`
    of a message, the next one gets 452; `max_messages` of a connection, the next MAIL gets 421; `max_connections` at
    once, the next one is greeted with 421. With `data_without_recipients` DATA is accepted when all recipients were
    refused, as many servers do; the message is not. `faults` is a script of :mod:`netclients.testing.smtp_faults`.

    With ``keep=False`` the contents of messages are counted and hashed only.
    """

    def __init__(
        self,
        *,
        lmtp: bool = False,
        tls: TLS = "none",
        tls_required: bool = False,
        users: Mapping[str, str] | None = None,
        tokens: Mapping[str, str] | None = None,
        mechanisms: Iterable[str] | None = None,
        require_auth: bool = False,
        auth_in_clear: bool | None = None,
        without: Collection[str] = (),
        size_limit: int | None = None,
        max_recipients: int | None = None,
        max_messages: int | None = None,
        max_connections: int | None = None,
        refuse: Mapping[str, str] | Judge | None = None,
        final_replies: Mapping[str, str] | Judge | None = None,
        data_without_recipients: bool = False,
        faults: Iterable[Fault] | None = None,
        keep: bool = True,
        host: str = "127.0.0.1",
        port: int = 0,
        unix: str | os.PathLike[str] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        if final_replies is not None and not lmtp:
            raise ValueError("final_replies are LMTP's: for SMTP use Reply('CONTENT', ...)")
        certificate = None
        if tls != "none" and ssl_context is None:
            ssl_context, certificate = certificates.server_context(), certificates.server_pem()
        scheme = ("lmtp" if lmtp else "smtp") + ("s" if tls == "implicit" else "")
        super().__init__(host, port, scheme=scheme, secured=tls != "none", ssl_context=ssl_context, users=users)
        self._unix = None if unix is None else os.fspath(unix)
        self._rules = Rules(
            lmtp=lmtp,
            implicit=tls == "implicit",
            context=None if tls == "none" else ssl_context,
            certificate=certificate,
            tls_required=tls_required,
            users=dict(users or {}),
            tokens=dict(tokens or {}),
            mechanisms=chosen_mechanisms(mechanisms, users, tokens),
            require_auth=require_auth,
            auth_in_clear=tls == "none" if auth_in_clear is None else auth_in_clear,
            size_limit=size_limit,
            max_connections=max_connections,
            max_messages=max_messages,
            max_recipients=max_recipients,
            without=frozenset(name.upper() for name in without),
            data_without_recipients=data_without_recipients,
            refuse=_judge(refuse),
            final=_judge(final_replies),
            keep=keep,
            faults=MailFaultScript(faults or ()),
        )
        self._engine = Engine(self._rules)

    _rules: Rules
    _engine: Engine
    _name = "netclients-smtp-server"

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._host, self._port = await self._engine.open(self._host, self._port, self._unix)
        return self

    # Where it is

    @property
    def unix(self) -> str | None:
        """The path of the Unix socket it listens on."""
        return self._unix

    @property
    def url(self) -> str:
        """Its URL with the first user's credentials: scheme ``smtp``, ``smtps``, ``lmtp`` or ``lmtp+unix``."""
        if self._unix is not None:
            return f"{'lmtp' if self._rules.lmtp else 'smtp'}+unix://{quote(self._unix)}"
        return super().url

    # What it does

    @property
    def messages(self) -> list[Received]:
        """What it has accepted so far, in order."""
        return self._call(self._engine.messages.copy)

    def forget_messages(self) -> None:
        """Empty :attr:`messages`."""
        self._call(self._engine.messages.clear)

    @property
    def violations(self) -> list[str]:
        """What clients have done against the standards: one line each, with the number of the connection.

        Commands behind one that must be the last of its group (RFC 2920), or any without PIPELINING; content sent
        before 354; lone CR and LF; lines of more than 1,000 bytes; bytes over 127 without BODY=8BITMIME, or in
        headers without SMTPUTF8. The content is looked at only if it is kept.
        """
        return self._call(self._engine.counters.violations.copy)

    @property
    def stats(self) -> SMTPServerStats:
        """What it has done so far."""
        return self._call(self._take_stats)

    def _take_stats(self) -> SMTPServerStats:
        counters = self._engine.counters
        return SMTPServerStats(
            connections=counters.connections,
            connections_open=counters.connections_open,
            connections_peak=counters.connections_peak,
            logins=counters.logins,
            messages=counters.messages,
            bytes_received=counters.bytes_received,
            discarded=counters.discarded,
            faults=self._rules.faults.fired,
            commands=dict(counters.commands),
        )


def _judge(replies: Mapping[str, str] | Judge | None) -> Judge:
    if replies is None:
        return lambda _: None
    return replies if callable(replies) else dict(replies).get
