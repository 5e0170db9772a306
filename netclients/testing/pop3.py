"""A POP3 server on loopback for tests and demonstrations, with maildrops in memory and scripted faults.

It ends all its connections when it is left. How it reads and answers is in ``_pop3_engine`` and ``_pop3_commands``.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

from . import certificates
from ._auth import chosen_mechanisms
from ._pop3_engine import Engine
from ._pop3_session import Maildrop, POP3Command, POP3Message, Rules
from ._server import EmbeddedServer, Severable
from .ftp_faults import Fault
from .smtp_faults import MailFaultScript

__all__ = ["POP3Command", "POP3Message", "POP3Server", "POP3ServerStats"]

TLS = Literal["none", "starttls", "implicit"]


@dataclass(frozen=True, slots=True)
class POP3ServerStats:
    """What a :class:`POP3Server` has done so far."""

    connections: int
    """Connections accepted."""
    connections_open: int
    """Connections open now."""
    connections_peak: int
    """The most that were open at once."""
    logins: int
    """Successful logins."""
    deleted: int
    """Messages that QUIT has removed."""
    discarded: int
    """Bytes thrown away because they came in clear behind STLS."""
    faults: int
    """How often scripted faults fired."""
    commands: Mapping[str, int]
    """Commands received, by verb in capitals."""


class POP3Server(EmbeddedServer):
    """A POP3 server on loopback, with maildrops in memory.

    ``async with POP3Server() as server`` runs it on the running asyncio loop; ``with POP3Server() as server`` on an
    event loop of its own, in a new thread, for trio and for blocking code. All properties and methods may be used
    from any thread, and while clients are connected: a session sees the maildrop as it was at its login.

    Each of the `users` (names and passwords; one, ``"me"``, if none are given) has an empty maildrop, which one session
    at a time may open. `tokens` maps names to tokens (XOAUTH2, OAUTHBEARER); `mechanisms` names the mechanisms to offer
    instead of those that users and tokens make sense of, SCRAM-SHA-1 and SCRAM-SHA-256 (``-PLUS``) and EXTERNAL among
    them. `login_in_clear` allows logins without TLS, by default where there is no TLS; APOP is offered always.

    `tls` ``"starttls"`` offers STLS, ``"implicit"`` starts with the handshake. Certificates are made for loopback;
    trust them by :meth:`client_context` or :attr:`ca_file`.

    `without` names capabilities and commands that it shall not have, such as ``{"UIDL", "PIPELINING", "CAPA"}``.
    Commands are executed in order, pipelined or not. What a client must not do though it works is executed as well, and
    listed by :attr:`violations`.

    `login_delay` is how many seconds must lie between two logins; `max_connections` at once, the next one is refused
    by the greeting. `faults` is a script of :mod:`netclients.testing.smtp_faults`, with ``"CONNECT"`` for the greeting,
    ``"AUTH-RESPONSE"`` for each answer to a challenge, and otherwise the verbs of POP3.
    """

    def __init__(
        self,
        *,
        tls: TLS = "none",
        users: Mapping[str, str] | None = None,
        tokens: Mapping[str, str] | None = None,
        mechanisms: Iterable[str] | None = None,
        login_in_clear: bool | None = None,
        without: Collection[str] = (),
        login_delay: float | None = None,
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
        scheme = "pop3s" if tls == "implicit" else "pop3"
        super().__init__(host, port, scheme=scheme, secured=tls != "none", ssl_context=ssl_context, users=users)
        self._rules = Rules(
            implicit=tls == "implicit",
            context=None if tls == "none" else ssl_context,
            certificate=certificate,
            users=dict(users),
            tokens=dict(tokens or {}),
            mechanisms=chosen_mechanisms(mechanisms, users, tokens),
            login_in_clear=tls == "none" if login_in_clear is None else login_in_clear,
            login_delay=login_delay,
            max_connections=max_connections,
            without=_capitals(without),
            faults=MailFaultScript(faults or ()),
        )
        self._maildrops = {name: Maildrop() for name in (*users, *(tokens or ()))}
        self._engine = Engine(self._rules, self._maildrops)

    _name = "netclients-pop3-server"

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._host, self._port = await self._engine.open(self._host, self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._engine.shut()
        self._forget_files()

    # Maildrops. All raise KeyError for a user or a message that does not exist.

    def add(self, user: str, raw: bytes, *, uid: str | None = None) -> str:
        """Put a message into a maildrop and return its unique-id, which may be chosen: the same for several, too.

        A last line without an end gets one.
        """

        def put() -> str:
            maildrop = self._maildrops[user]
            name = f"{maildrop.next_uid:08x}" if uid is None else uid
            maildrop.next_uid += 1
            maildrop.messages.append(POP3Message(name, raw if not raw or raw.endswith(b"\r\n") else raw + b"\r\n"))
            return name

        return self._call(put)

    def messages(self, user: str) -> list[POP3Message]:
        """Return the messages of a maildrop, in their order."""
        return self._call(self._maildrops[user].messages.copy)

    def remove(self, user: str, *uids: str) -> None:
        """Remove messages, as another program would; sessions that have them open keep them to their end."""

        def take() -> None:
            maildrop = self._maildrops[user]
            for uid in uids:
                if all(message.uid != uid for message in maildrop.messages):
                    raise KeyError(uid)
                maildrop.messages[:] = [message for message in maildrop.messages if message.uid != uid]

        self._call(take)

    # What it does

    @property
    def commands(self) -> list[POP3Command]:
        """The commands that have come so far, in order."""
        return self._call(self._engine.counters.log.copy)

    @property
    def violations(self) -> list[str]:
        """What clients have done against the standards: one line each, with the number of the connection.

        Anything sent behind STLS, AUTH or QUIT before their reply; commands behind others without PIPELINING; lines of
        more than 255 bytes, or that end with a lone LF.
        """
        return self._call(self._engine.counters.violations.copy)

    @property
    def stats(self) -> POP3ServerStats:
        """What it has done so far."""
        return self._call(self._take_stats)

    def _take_stats(self) -> POP3ServerStats:
        counters = self._engine.counters
        return POP3ServerStats(
            connections=counters.connections,
            connections_open=counters.connections_open,
            connections_peak=counters.connections_peak,
            logins=counters.logins,
            deleted=counters.deleted,
            discarded=counters.discarded,
            faults=self._rules.faults.fired,
            commands=dict(counters.commands),
        )

    # How it behaves

    def set_faults(self, faults: Iterable[Fault] = ()) -> None:
        """Replace the script of faults; counting starts anew."""
        script = MailFaultScript(faults)
        self._call(lambda: setattr(self._rules, "faults", script))

    def set_tokens(self, tokens: Mapping[str, str]) -> None:
        """Replace the tokens that XOAUTH2 and OAUTHBEARER accept: those of before have expired."""
        taken = dict(tokens)
        self._call(lambda: setattr(self._rules, "tokens", taken))

    def set_without(self, without: Collection[str]) -> None:
        """Replace the capabilities and commands that it shall not have."""
        taken = _capitals(without)
        self._call(lambda: setattr(self._rules, "without", taken))

    def _sessions(self) -> Iterable[Severable]:
        return self._engine.sessions


def _capitals(names: Collection[str]) -> frozenset[str]:
    return frozenset(name.upper() for name in names)
