"""An IMAP server on loopback for tests and demonstrations, with mailboxes in memory and scripted faults.

It keeps no log, and ends all its connections when it is left. How it reads and answers is in ``_imap_engine`` and the
modules that it builds on; what it stores is in ``_imap_store``.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from . import certificates
from ._auth import chosen_mechanisms
from ._imap_engine import Engine
from ._imap_session import IMAPCommand, Rules
from ._imap_store import Account, Mailbox, Stored
from ._mail_server import TLS, MailServer
from .ftp_faults import Fault
from .smtp_faults import MailFaultScript

__all__ = ["IMAPCommand", "IMAPMessage", "IMAPServer", "IMAPServerStats"]


@dataclass(frozen=True, slots=True)
class IMAPMessage:
    """One message of a mailbox, as it is now."""

    uid: int
    raw: bytes
    flags: frozenset[str]
    date: dt.datetime
    """INTERNALDATE."""
    modseq: int


@dataclass(frozen=True, slots=True)
class IMAPServerStats:
    """What an :class:`IMAPServer` has done so far."""

    connections: int
    """Connections accepted."""
    connections_open: int
    """Connections open now."""
    connections_peak: int
    """The most that were open at once."""
    logins: int
    """Successful logins."""
    discarded: int
    """Bytes thrown away because they came in clear behind STARTTLS."""
    faults: int
    """How often scripted faults fired."""
    commands: Mapping[str, int]
    """Commands received, by name in capitals, ``"UID FETCH"`` beside ``"FETCH"``."""


class IMAPServer(MailServer):
    """An IMAP server on loopback, with mailboxes in memory.

    ``async with IMAPServer() as server`` runs it on the running asyncio loop; ``with IMAPServer() as server`` on an
    event loop of its own, in a new thread, for trio and for blocking code. All properties and methods may be used
    from any thread, and while clients are connected: those that have the mailbox selected are told.

    Each of the `users` (names and passwords; one, ``"me"``, if none are given) has an empty INBOX. `tokens` maps
    names to tokens (XOAUTH2, OAUTHBEARER); `mechanisms` names the mechanisms to offer instead of those that users and
    tokens make sense of, SCRAM-SHA-1 and SCRAM-SHA-256 (``-PLUS``) and EXTERNAL among them. `login_in_clear` allows
    logins without TLS, by default where there is no TLS; LOGINDISABLED says so otherwise. `preauth` names the user as
    whom every connection is greeted.

    `tls` ``"starttls"`` offers STARTTLS, ``"implicit"`` starts with the handshake. Certificates are made for
    loopback; trust them by :meth:`client_context` or :attr:`ca_file`.

    IMAP4rev2 is announced with `rev2` only.
    `without` names capabilities and commands that it shall not have, such as ``{"MOVE", "UIDPLUS"}``. Commands are
    executed in order, pipelined or not. What a client must not do though it works is executed as well, and listed by
    :attr:`violations`.

    `append_limit` (bytes) is announced, and larger messages are refused, and so are those that bring an account over
    `quota` (bytes); `max_connections` at once, the next one is greeted with BYE. `faults` is a script of
    :mod:`netclients.testing.imap_faults`.
    """

    def __init__(
        self,
        *,
        tls: TLS = "none",
        users: Mapping[str, str] | None = None,
        tokens: Mapping[str, str] | None = None,
        mechanisms: Iterable[str] | None = None,
        login_in_clear: bool | None = None,
        preauth: str | None = None,
        rev2: bool = False,
        without: Collection[str] = (),
        append_limit: int | None = None,
        quota: int | None = None,
        max_connections: int | None = None,
        faults: Iterable[Fault] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        certificate = None
        if tls != "none" and ssl_context is None:
            ssl_context, certificate = certificates.server_context(), certificates.server_pem()
        if users is None:
            users = {"me": "secret"}
        scheme = "imaps" if tls == "implicit" else "imap"
        super().__init__(host, port, scheme=scheme, secured=tls != "none", ssl_context=ssl_context, users=users)
        self._rules = Rules(
            implicit=tls == "implicit",
            context=None if tls == "none" else ssl_context,
            certificate=certificate,
            users=dict(users),
            tokens=dict(tokens or {}),
            mechanisms=chosen_mechanisms(mechanisms, users, tokens),
            login_in_clear=tls == "none" if login_in_clear is None else login_in_clear,
            preauth=preauth,
            rev2=rev2,
            append_limit=append_limit,
            quota=quota,
            max_connections=max_connections,
            without=_capitals(without),
            faults=MailFaultScript(faults or ()),
        )
        self._accounts = {name: Account() for name in (*users, *(tokens or ()), *((preauth,) if preauth else ()))}
        self._engine = Engine(self._rules, self._accounts)

    _rules: Rules
    _engine: Engine
    _name = "netclients-imap-server"

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._host, self._port = await self._engine.open(self._host, self._port)
        return self

    # Mailboxes. All raise KeyError for a user, a mailbox or a message that does not exist.

    def add(
        self,
        user: str,
        mailbox: str,
        raw: bytes,
        *,
        flags: Iterable[str] = (),
        date: dt.datetime | None = None,
    ) -> int:
        """Put a message into a mailbox and return its UID; a `date` (now by default) has a time zone."""
        taken = frozenset(flags)
        return self._call(lambda: self._mailbox(user, mailbox).add(raw, taken, date).uid)

    def messages(self, user: str, mailbox: str = "INBOX") -> list[IMAPMessage]:
        """Return the messages of a mailbox, in the order of their UIDs."""
        return self._call(lambda: [_shown(message) for message in self._mailbox(user, mailbox).messages])

    def set_flags(self, user: str, mailbox: str, uid: int, flags: Iterable[str]) -> None:
        """Replace the flags of a message."""
        taken = frozenset(flags)

        def change() -> None:
            found = self._mailbox(user, mailbox)
            found.set_flags(_existing(found, uid), taken)

        self._call(change)

    def expunge(self, user: str, mailbox: str, *uids: int) -> None:
        """Remove messages, whatever their flags."""

        def remove() -> None:
            found = self._mailbox(user, mailbox)
            found.expunge([_existing(found, uid) for uid in uids])

        self._call(remove)

    def mailbox_names(self, user: str) -> list[str]:
        """Return the names of a user's mailboxes, sorted; ``/`` parts them."""
        return self._call(lambda: sorted(self._accounts[user].mailboxes))

    def create_mailbox(self, user: str, mailbox: str, *, special_use: str | None = None) -> None:
        r"""Make a mailbox, and those above it; `special_use` is an attribute such as ``"\\Sent"``."""
        self._call(lambda: self._accounts[user].create(mailbox, special_use))

    def delete_mailbox(self, user: str, mailbox: str) -> None:
        """Remove a mailbox; clients that have it selected are cut off."""
        self._call(lambda: self._accounts[user].delete(mailbox))

    def uid_validity(self, user: str, mailbox: str = "INBOX") -> int:
        """Return the UIDVALIDITY of a mailbox."""
        return self._call(lambda: self._mailbox(user, mailbox).uid_validity)

    def reset_uid_validity(self, user: str, mailbox: str = "INBOX") -> int:
        """Renumber a mailbox from UID 1 and return its new UIDVALIDITY; who has it selected is told BYE."""

        def reset() -> int:
            found = self._mailbox(user, mailbox)
            found.reset_uid_validity()
            return found.uid_validity

        return self._call(reset)

    def _mailbox(self, user: str, name: str) -> Mailbox:
        return self._accounts[user].mailboxes[name]

    # What it does

    @property
    def commands(self) -> list[IMAPCommand]:
        """The commands that have come so far, in order."""
        return self._call(self._engine.counters.log.copy)

    @property
    def violations(self) -> list[str]:
        """What clients have done against the standards: one line each, with the number of the connection.

        Anything sent behind STARTTLS, COMPRESS or AUTHENTICATE before their reply; literals that don't wait, without
        LITERAL+ or over the limit of LITERAL-; sequence numbers sent before the reply to a command during which
        EXPUNGE may be told (RFC 3501 section 5.5); lines that end with a lone LF.
        """
        return self._call(self._engine.counters.violations.copy)

    @property
    def stats(self) -> IMAPServerStats:
        """What it has done so far."""
        return self._call(self._take_stats)

    def _take_stats(self) -> IMAPServerStats:
        counters = self._engine.counters
        return IMAPServerStats(
            connections=counters.connections,
            connections_open=counters.connections_open,
            connections_peak=counters.connections_peak,
            logins=counters.logins,
            discarded=counters.discarded,
            faults=self._rules.faults.fired,
            commands=dict(counters.commands),
        )

    # How it behaves

    def set_without(self, without: Collection[str]) -> None:
        """Replace the capabilities and commands that it shall not have."""
        taken = _capitals(without)
        self._call(lambda: setattr(self._rules, "without", taken))

    def announce(self, text: str) -> int:
        """Say `text` (lines parted by CRLF) to every client now, and return how many that were.

        Whatever it is, at whatever moment: ``* BYE`` ends the connections too.
        """

        def say() -> int:
            sessions = list(self._engine.sessions)
            for session in sessions:
                self._engine.announce(session, text)
            return len(sessions)

        return self._call(say)


def _capitals(names: Collection[str]) -> frozenset[str]:
    return frozenset(name.upper() for name in names)


def _shown(message: Stored) -> IMAPMessage:
    return IMAPMessage(message.uid, message.raw, message.flags, message.date, message.modseq)


def _existing(mailbox: Mailbox, uid: int) -> Stored:
    found = mailbox.by_uid(uid)
    if found is None:
        raise KeyError(uid)
    return found
