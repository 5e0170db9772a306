"""One POP3 connection: a typed method for each command, no retries.

Made by :func:`netclients.pop3.login.connect`. All methods raise :class:`~netclients.errors.ReplyError` when the server
refuses, :class:`~netclients.errors.UnsupportedError` when it does not have what the command needs,
:class:`~netclients.errors.ConnectionLost` and :class:`~netclients.errors.PhaseTimeout` when it is gone or silent, and
:class:`~netclients.errors.ConfigurationError` for arguments that are none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from netclients.config import Login
from netclients.conversation import Conversation
from netclients.errors import (
    ConfigurationError,
    ConnectionLost,
    NetClientError,
    OutcomeUnknown,
    PermanentReplyError,
    PhaseTimeout,
    ProtocolError,
    TransientReplyError,
    UnsupportedError,
)
from netclients.pop3 import commands, replies
from netclients.pop3.commands import Command, command
from netclients.pop3.protocol import POP3Protocol
from netclients.pop3.sinks import Spool
from netclients.pop3.types import Capabilities, Language, Listing, Stat, Status, UniqueID
from netclients.wire import arguments

if TYPE_CHECKING:
    from netclients.config import Credentials
    from netclients.pop3.settings import Settings
    from netclients.transport.stream import SocketStream
    from netclients.wire.pipeline import Ticket

__all__ = ["POP3Connection"]

_OWN_METHODS = frozenset((b"AUTH", b"APOP", b"PASS", b"STLS", b"RETR", b"TOP", b"DELE", b"RSET", b"QUIT"))


class POP3Connection(Conversation[Command, Status]):
    """A connection that was greeted, and has its maildrop open if there are credentials. Not for several tasks at once.

    ``capabilities`` is what the server offers, ``welcome`` its greeting, ``timestamp`` what APOP needs of that (None
    without), ``authenticated`` whether somebody has logged in. ``deleted`` has the numbers that QUIT deletes: closing
    the connection without QUIT deletes nothing.
    """

    def __init__(self, settings: Settings, stream: SocketStream) -> None:
        self.settings = settings
        self.protocol: POP3Protocol = POP3Protocol(settings.bounds)
        self.protocol.pipelining = settings.pipelining is True
        super().__init__(settings, stream, self.protocol)
        self.capabilities: Capabilities = Capabilities()
        self.welcome: str = ""
        self.timestamp: str | None = None
        self.authenticated: bool = False
        self.deleted: set[int] = set()

    def error(self, sent: str, reply: Status) -> NetClientError:
        """Return the error that ``reply`` to the command ``sent`` stands for."""
        return replies.reply_error(sent, reply)

    def farewell(self) -> None:
        """None: QUIT would delete what DELE has marked."""

    def submit(self, sent: Command) -> Ticket[Command, Status]:
        """See :meth:`~netclients.conversation.Conversation.submit`.

        A server's farewell, such as that it has waited long enough, must not be taken for the reply to ``sent``.
        """
        if self.protocol.idle:
            self.look()
        return super().submit(sent)

    # Session

    async def greet(self) -> str:
        """Wait for the greeting and return its text.

        Raises:
            TooManyConnections: the server has no room at the moment.
            ReplyError: it refuses.
        """
        reply = await self.answer(self.protocol.greeting)
        self.judge(self.protocol.greeting.command, reply)
        self.welcome = reply.text
        self.timestamp = replies.timestamp_of(reply)
        return self.welcome

    async def capa(self) -> Capabilities:
        """CAPA: hear what the server can do (RFC 2449). One that does not know it says nothing by that."""
        reply = await self.reply_to(commands.listing("CAPA", self.settings.bounds))
        if reply.code is not None:
            self.judge(command("CAPA"), reply)
        self._offer(replies.parse_capabilities(reply.lines) if reply.ok else Capabilities())
        return self.capabilities

    def _offer(self, capabilities: Capabilities) -> None:
        self.capabilities = capabilities
        wanted = self.settings.pipelining
        self.protocol.pipelining = capabilities.has("PIPELINING") if wanted is None else wanted

    async def stls(self) -> Capabilities:
        """STLS, and CAPA again: what was said in clear is forgotten (RFC 2595 section 4).

        Raises:
            UnsupportedError: the server refuses.
            ProtocolError: it sent more in clear than its agreement.
        """
        reply = await self.reply_to(command("STLS"))
        if not reply.ok:
            error = self.error("STLS", reply)
            if isinstance(error, TransientReplyError):
                raise error
            raise UnsupportedError(f"the server refuses TLS (tls='none' goes without): {reply}")
        await self.secure()
        self.timestamp = None
        self._offer(Capabilities())
        return await self.capa()

    async def user(self, name: str) -> None:
        """USER: who wants to log in; PASS follows. Only where a password may be shown."""
        self.require_privacy()
        await self.expect(command("USER", arguments.text(name)))

    async def pass_(self, password: str) -> None:
        """PASS: the password, as it is.

        Raises:
            AuthenticationError: it is not right.
            TransientReplyError: the maildrop is in use, or was opened a moment ago.
        """
        self.require_privacy()
        await self._log_in(commands.secret(b"PASS %s" % arguments.text(password), "PASS ***"))

    async def apop(self, user: str, password: str) -> None:
        """APOP: prove that the password is known, without showing it (RFC 1939 section 7).

        Raises:
            AuthenticationError: the server does not accept them.
            UnsupportedError: it has not sent a timestamp, or not in clear view of nobody else.
        """
        self.require_privacy()
        if self.timestamp is None:
            raise UnsupportedError("the server has not sent what APOP needs")
        if not user or " " in user:
            raise ConfigurationError("a name with spaces can't be used in APOP")
        secret = self.timestamp.encode("ascii") + arguments.text(password)
        digest = hashlib.md5(secret, usedforsecurity=False).hexdigest()
        line = b"APOP %s %s" % (arguments.text(user), digest.encode("ascii"))
        await self._log_in(commands.secret(line, "APOP ***"))

    async def _log_in(self, sent: Command) -> None:
        self.mark()
        await self.expect(sent)
        self.authenticated = True

    async def login(self, user: str, password: str) -> None:
        """Log in with a user and a password, in the best way that the server offers."""
        await self.auth(Login(user, password))

    async def auth(self, credentials: Credentials, *, mechanisms: Sequence[str] | None = None) -> None:
        """AUTH with any credentials, by the strongest mechanism (RFC 5034); ``mechanisms``: the only ones allowed.

        Raises:
            AuthenticationError: the server does not accept them.
            UnsupportedError: no mechanism fits; nothing was sent.
            ConfigurationError: the connection is plain, and nobody has asked for that.
        """
        from netclients.authentication import authenticate
        from netclients.pop3.authentication import AuthChannel

        self.require_privacy()
        self.mark()
        await authenticate(
            AuthChannel(self),
            self.capabilities.sasl,
            credentials,
            settings=self.settings,
            stream=self.stream,
            mechanisms=mechanisms,
        )
        self.authenticated = True

    async def utf8(self) -> None:
        """UTF8: messages may have headers in UTF-8 (RFC 6856).

        Raises:
            UnsupportedError: the server does not have it.
        """
        await self._expect_extension("UTF8", command("UTF8"))

    async def lang(self, tag: str = "*") -> str:
        """LANG: choose the language of the texts (``"*"``: the server's own); return what it says (RFC 6856)."""
        return (await self._expect_extension("LANG", command("LANG", arguments.token(tag)))).text

    async def languages(self) -> tuple[Language, ...]:
        """LANG without argument: which languages there are."""
        reply = await self._expect_extension("LANG", commands.listing("LANG", self.settings.bounds))
        return tuple(replies.parse_languages(reply.lines))

    async def noop(self) -> None:
        """NOOP."""
        await self.expect(command("NOOP"))

    async def probe(self) -> None:
        """Ask for a sign of life."""
        await self.noop()

    async def command(self, verb: str, *words: str, multiline: bool = False) -> Status:
        """Send a command that has no method here; return its reply. ``multiline``: a list follows a ``+OK``.

        A pooled connection is closed after it instead of being used again: nobody knows what it did.

        Raises:
            ConfigurationError: a command that changes who speaks next, or what is deleted; those have methods.
        """
        sent = commands.raw_command(verb, *words, bounds=self.settings.bounds if multiline else None)
        if sent.line.split(b" ", 1)[0] in _OWN_METHODS:
            raise ConfigurationError(f"{verb}: use the method of that name")
        return await self.reply_to(sent)

    # The maildrop

    async def stat(self) -> Stat:
        """STAT: how many messages there are, and how large they are together."""
        return replies.parse_stat((await self.expect(command("STAT"))).text)

    async def list(self) -> tuple[Listing, ...]:
        """LIST: number and size of every message."""
        reply = await self.fetched(self.submit(commands.listing("LIST", self.settings.bounds)))
        return tuple(map(replies.parse_listing, reply.lines))

    async def size_of(self, number: int) -> int:
        """LIST with an argument: the size of one message, in bytes."""
        reply = await self.expect(command("LIST", arguments.number(number)))
        return replies.parse_listing(reply.text.encode("utf-8", "surrogateescape")).size

    async def uidl(self) -> tuple[UniqueID, ...]:
        """UIDL: number and unique-id of every message. A server may give the same unique-id to several.

        Raises:
            UnsupportedError: the server does not have it.
        """
        reply = await self._expect_extension("UIDL", commands.listing("UIDL", self.settings.bounds))
        return tuple(map(replies.parse_unique_id, reply.lines))

    async def contents(self) -> tuple[tuple[Listing, ...], tuple[UniqueID, ...] | None]:
        """LIST and UIDL, sent together if the server allows; None: it does not have UIDL."""
        listing = self.submit(commands.listing("LIST", self.settings.bounds))
        uids = None if self.capabilities.lacks("UIDL") else self.submit(commands.listing("UIDL", self.settings.bounds))
        sizes = tuple(map(replies.parse_listing, (await self.fetched(listing)).lines))
        if uids is None:
            return sizes, None
        try:
            names = await self.fetched(uids)
        except PermanentReplyError as error:
            if error.response_code is not None or self.capabilities.has("UIDL"):
                raise
            return sizes, None
        return sizes, tuple(map(replies.parse_unique_id, names.lines))

    async def uid_of(self, number: int) -> str:
        """UIDL with an argument: the unique-id of one message."""
        reply = await self._expect_extension("UIDL", command("UIDL", arguments.number(number)))
        return replies.parse_unique_id(reply.text.encode("utf-8", "surrogateescape")).uid

    async def retr(self, number: int) -> bytes:
        """RETR: one message, of at most ``Bounds.read`` bytes; lines end with CRLF.

        Raises:
            ProtocolError: it is larger.
        """
        return (await self.fetched(self.submit_retr(number))).body

    async def retr_to(self, number: int, sink: Callable[[memoryview], Awaitable[object] | object]) -> int:
        """RETR: one message of any size; return that.

        Its pieces go to ``sink``, read-only and released when it returns; an awaitable that it returns is awaited
        before more is read.
        """
        with Spool() as spool:
            ticket = self.submit(commands.retr(number, 0, spool.take))
            reply = await self.fetched(ticket, lambda: spool.deliver(sink))
        return reply.size

    async def top(self, number: int, lines: int = 0) -> bytes:
        """TOP: the header of a message and the first ``lines`` of its body.

        Raises:
            UnsupportedError: the server does not have it.
        """
        return (await self._expect_extension("TOP", commands.top(number, lines, self.settings.bounds.read))).body

    async def dele(self, number: int) -> None:
        """DELE: mark a message; QUIT deletes it, and nothing else does."""
        ticket = self.submit_dele(number)
        try:
            self.judge(ticket.command, await self.answer(ticket))
        except PermanentReplyError:
            self.deleted.discard(number)
            raise

    async def rset(self) -> None:
        """RSET: nothing is to be deleted."""
        await self.expect(command("RSET"))
        self.deleted.clear()

    async def quit(self) -> None:
        """QUIT: delete what was marked, and end the session; the connection is closed, whatever happens.

        Raises:
            OutcomeUnknown: messages were marked, and the reply was lost: they are gone, or they are not.
            ReplyError: the server could not delete all of them.
        """
        sent = commands.quit_command(commits=bool(self.deleted))
        ticket = None
        try:
            ticket = self.submit(sent)
            timeouts = self.settings.timeouts
            limit, phase = (timeouts.complete, "complete") if sent.doubtful else (timeouts.reply, "reply")
            await self.settle(ticket, limit, phase)
            assert ticket.reply is not None
            self.judge(sent, ticket.reply)
            self.deleted.clear()
        except (ConnectionLost, PhaseTimeout, ProtocolError) as error:
            if self.deleted and ticket is not None and ticket.reply is None and self.may_have_arrived(ticket):
                raise OutcomeUnknown(f"QUIT after DELE of {len(self.deleted)}", str(error)) from error
            if self.deleted or isinstance(error, ProtocolError):
                raise
            # There was nothing left to be done, and the server has closed before it said so.
        finally:
            self.abort("quit")

    # Texts, one behind the other

    def submit_retr(self, number: int) -> Ticket[Command, Status]:
        """Queue RETR; :meth:`fetched` has its text. So several can be on their way, if the server allows."""
        return self.submit(commands.retr(number, self.settings.bounds.read))

    def submit_dele(self, number: int) -> Ticket[Command, Status]:
        """Queue DELE; :meth:`answer` has its reply."""
        ticket = self.submit(commands.dele(number))
        self.deleted.add(number)
        return ticket

    async def fetched(
        self, ticket: Ticket[Command, Status], between: Callable[[], Awaitable[object]] | None = None
    ) -> Status:
        """Wait for a command with a text behind its reply: for as long as some of it comes in time.

        ``between`` is awaited whenever something has come. All commands before this one are settled, too.

        Raises:
            ReplyError: the server refuses.
        """
        await self.flush()
        while ticket.reply is None:
            await self.receive_some()
            if between is not None:
                await between()
        self.judge(ticket.command, ticket.reply)
        return ticket.reply

    async def receive_some(self) -> None:
        """Wait for a piece of whatever is due, and send what that has made possible."""
        if self.protocol.ended:
            raise ConnectionLost(f"the server closed the session: {self.protocol.goodbye}")
        timeouts = self.settings.timeouts
        if self.protocol.partial:
            await self.receive(timeouts.stall, "stall")
        else:
            await self.receive(timeouts.reply, "reply")
        await self.flush()

    async def _expect_extension(self, keyword: str, sent: Command) -> Status:
        try:
            return await self.fetched(self.submit(sent))
        except PermanentReplyError as error:
            lacking = self.capabilities.lacks(keyword) or (not self.capabilities.known and b" " not in sent.line)
            if lacking and error.response_code is None:
                raise UnsupportedError(f"the server does not have {keyword}: {error}") from error
            raise
