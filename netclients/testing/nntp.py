"""An NNTP server on loopback for tests and demonstrations, with groups in memory and scripted faults.

It ends all its connections when it is left. How it reads and answers is in ``_nntp_engine``, ``_nntp_commands`` and
``_nntp_reading``.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from . import certificates
from ._auth import chosen_mechanisms
from ._mail_server import TLS, MailServer
from ._nntp_engine import Engine
from ._nntp_session import NewsArticle, NewsGroup, NNTPCommand, Rules, Spool, header_field
from .ftp_faults import Fault
from .smtp_faults import MailFaultScript

__all__ = ["NNTPCommand", "NNTPServer", "NNTPServerStats", "NewsArticle"]


@dataclass(frozen=True, slots=True)
class NNTPServerStats:
    """What an :class:`NNTPServer` has done so far."""

    connections: int
    """Connections accepted."""
    connections_open: int
    """Connections open now."""
    connections_peak: int
    """The most that were open at once."""
    logins: int
    """Successful logins."""
    posted: int
    """Articles taken by POST, those for moderators too."""
    fed: int
    """Articles taken by IHAVE and TAKETHIS."""
    discarded: int
    """Bytes thrown away because they came in clear behind STARTTLS."""
    faults: int
    """How often scripted faults fired."""
    commands: Mapping[str, int]
    """Commands received, by verb in capitals."""


class NNTPServer(MailServer):
    """An NNTP server on loopback, with groups and articles in memory.

    ``async with NNTPServer() as server`` runs it on the running asyncio loop; ``with NNTPServer() as server`` on an
    event loop of its own, in a new thread, for trio and for blocking code. All properties and methods may be used
    from any thread, and while clients are connected.

    `groups` maps names to their status: ``"y"``, ``"n"`` (no posting) or ``"m"`` (moderated: posts without Approved are
    kept as :attr:`moderated`); by default there are misc.test, misc.closed and misc.moderated. `posting` False
    allows no posts at all; `settle` is how many seconds after its 240 a post can be read.

    Anybody reads, unless there are `users` (names and passwords) or `tokens` (names and tokens, for XOAUTH2 and
    OAUTHBEARER): then only who has logged in, if `login_required` is not False. `mechanisms` names the SASL mechanisms
    to offer instead of those that users and tokens make sense of. `login_in_clear` allows logins without TLS, by
    default where there is no TLS (483 otherwise). `mode_reader`: commands of readers want MODE READER first (401).

    `tls` ``"starttls"`` offers STARTTLS, ``"implicit"`` starts with the handshake. Certificates are made for loopback;
    trust them by :meth:`client_context` or :attr:`ca_file`.

    `without` names capabilities and commands that it shall not have, such as ``{"OVER", "CAPABILITIES"}``. Commands are
    executed in order. What a client must not do though it works is executed as well, and listed by :attr:`violations`.

    `max_connections` at once, the next one is refused by the greeting. `faults` is a script of
    :mod:`netclients.testing.smtp_faults`, with ``"CONNECT"`` for the greeting, ``"AUTH-RESPONSE"`` for each answer to a
    challenge, ``"CONTENT"`` for each article that has come (`argument` is its message-id), and otherwise the verbs of
    NNTP.
    """

    def __init__(
        self,
        *,
        groups: Mapping[str, str] | None = None,
        tls: TLS = "none",
        users: Mapping[str, str] | None = None,
        tokens: Mapping[str, str] | None = None,
        mechanisms: Iterable[str] | None = None,
        login_required: bool | None = None,
        login_in_clear: bool | None = None,
        mode_reader: bool = False,
        posting: bool = True,
        settle: float = 0.0,
        without: Collection[str] = (),
        max_connections: int | None = None,
        faults: Iterable[Fault] | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        certificate = None
        if tls != "none" and ssl_context is None:
            ssl_context, certificate = certificates.server_context(), certificates.server_pem()
        scheme = "nntps" if tls == "implicit" else "nntp"
        super().__init__(host, port, scheme=scheme, secured=tls != "none", ssl_context=ssl_context, users=users)
        self._rules = rules = Rules(
            implicit=tls == "implicit",
            context=None if tls == "none" else ssl_context,
            certificate=certificate,
            users=dict(users or {}),
            tokens=dict(tokens or {}),
            mechanisms=chosen_mechanisms(mechanisms, users, tokens),
            login_required=bool(users or tokens) if login_required is None else login_required,
            login_in_clear=tls == "none" if login_in_clear is None else login_in_clear,
            mode_reader=mode_reader,
            posting=posting,
            settle=settle,
            max_connections=max_connections,
            without=_capitals(without),
            faults=MailFaultScript(faults or ()),
        )
        self._spool = Spool()
        if groups is None:
            groups = {"misc.test": "y", "misc.closed": "n", "misc.moderated": "m"}
        for name, status in groups.items():
            self._spool.groups[name] = NewsGroup(name, f"Group {name}", status)
        self._engine = self._nntp = Engine(rules, self._spool)

    _name = "netclients-nntp-server"

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._host, self._port = await self._nntp.open(self._host, self._port)
        return self

    # Groups and articles

    def add_group(self, name: str, *, status: str = "y", description: str = "") -> None:
        """Make a group."""
        self._call(lambda: self._spool.groups.setdefault(name, NewsGroup(name, description, status)))

    def add(self, raw: bytes, *, message_id: str | None = None, groups: Collection[str] = ()) -> str:
        """Put an article into `groups`, by default those of its Newsgroups field, and return its message-id.

        Lines end with CRLF. Raises KeyError for a group that does not exist.
        """

        def put() -> str:
            named = groups or [name.strip() for name in header_field(raw, "Newsgroups").split(",")]
            for name in named:
                _ = self._spool.groups[name]
            name = message_id or header_field(raw, "Message-ID") or f"<{len(self._spool.known) + 1}@netclients.test>"
            self._spool.add(name, raw, named)
            return name

        return self._call(put)

    def remove(self, message_id: str) -> None:
        """Remove an article, as a cancel would. Raises KeyError."""
        self._call(lambda: self._spool.remove(message_id))

    def articles(self, group: str) -> dict[int, NewsArticle]:
        """Return a group's articles by their numbers. Raises KeyError."""
        return self._call(lambda: dict(self._spool.groups[group].articles))

    @property
    def moderated(self) -> list[bytes]:
        """Posts that wait for a moderator."""
        return self._call(self._spool.moderated.copy)

    # What it does

    @property
    def commands(self) -> list[NNTPCommand]:
        """The commands that have come so far, in order."""
        return self._call(self._nntp.counters.log.copy)

    @property
    def violations(self) -> list[str]:
        """What clients have done against the standards: one line each, with the number of the connection.

        Anything sent behind STARTTLS, AUTHINFO, COMPRESS, POST, IHAVE or MODE READER before their reply, or behind what
        selects a group or an article; lines of more than 512 bytes, or that end with a lone LF.
        """
        return self._call(self._nntp.counters.violations.copy)

    @property
    def stats(self) -> NNTPServerStats:
        """What it has done so far."""
        return self._call(self._take_stats)

    def _take_stats(self) -> NNTPServerStats:
        counters = self._nntp.counters
        return NNTPServerStats(
            connections=counters.connections,
            connections_open=counters.connections_open,
            connections_peak=counters.connections_peak,
            logins=counters.logins,
            posted=counters.posted,
            fed=counters.fed,
            discarded=counters.discarded,
            faults=self._rules.faults.fired,
            commands=dict(counters.commands),
        )

    def set_without(self, without: Collection[str]) -> None:
        """Replace the capabilities and commands that it shall not have."""
        taken = _capitals(without)
        self._call(lambda: setattr(self._rules, "without", taken))


def _capitals(names: Collection[str]) -> frozenset[str]:
    return frozenset(name.upper() for name in names)
