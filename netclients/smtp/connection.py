"""One SMTP or LMTP connection: a typed method for each command, no retries, no pool.

Made by :func:`netclients.smtp.login.connect`, lent by ``MailSender.connection()``. All methods raise
:class:`~netclients.errors.ReplyError` when the server refuses,
:class:`~netclients.errors.UnsupportedError` when it does not know the command,
:class:`~netclients.errors.ConnectionLost` and :class:`~netclients.errors.PhaseTimeout` when it is gone or
silent, and :class:`~netclients.errors.ConfigurationError` for arguments that are none. A reply may take
``timeouts.reply`` seconds, if nothing else is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import anyio

from netclients.config import Login
from netclients.conversation import Conversation
from netclients.errors import ConfigurationError, NetClientError, UnsupportedError
from netclients.smtp import commands
from netclients.smtp.commands import Command, command
from netclients.smtp.protocol import SMTPProtocol
from netclients.smtp.replies import parse_extensions, reply_error
from netclients.smtp.types import Extensions
from netclients.transport.threads import in_thread
from netclients.wire import arguments, dots
from netclients.wire.replies import Reply

if TYPE_CHECKING:
    from netclients.config import Credentials
    from netclients.mail.message import Message
    from netclients.smtp.settings import Settings
    from netclients.smtp.types import Receipt
    from netclients.transport.rate import RateLimit
    from netclients.transport.stream import SocketStream
    from netclients.wire.pipeline import Ticket

__all__ = ["SMTPConnection"]


class SMTPConnection(Conversation[Command, Reply]):
    """A connection that has said hello, and logged in if there are credentials. Not for several tasks at once.

    ``extensions`` is what the server offers now, ``welcome`` its greeting, ``authenticated`` whether AUTH has
    succeeded, ``mails`` how many transactions were begun.
    """

    def __init__(self, settings: Settings, stream: SocketStream) -> None:
        self.settings = settings
        self.protocol: SMTPProtocol = SMTPProtocol(settings.bounds)
        super().__init__(settings, stream, self.protocol)
        self.extensions: Extensions = Extensions()
        self.welcome: str = ""
        self.authenticated: bool = False
        self.mails: int = 0

    def error(self, sent: str, reply: Reply) -> NetClientError:
        """Return the error that ``reply`` to the command ``sent`` stands for."""
        if reply.kind == 3:
            self.mark()  # nobody knows what the server waits for now
        return reply_error(sent, reply)

    def farewell(self) -> Command:
        """QUIT."""
        return command("QUIT")

    # Session

    async def ehlo(self, name: str | None = None) -> Extensions:
        """EHLO: say who we are, hear what the server can do (RFC 5321 section 4.1.1.1). It ends a transaction."""
        return await self._hello("EHLO", name)

    async def lhlo(self, name: str | None = None) -> Extensions:
        """LHLO: EHLO of LMTP (RFC 2033 section 4.1)."""
        return await self._hello("LHLO", name)

    async def helo(self, name: str | None = None) -> None:
        """HELO: for servers without extensions (RFC 5321 section 4.1.1.1). It ends a transaction."""
        await self.expect(command("HELO", self._own_name(name)))
        self._offer(Extensions())

    async def _hello(self, verb: str, name: str | None) -> Extensions:
        extensions = parse_extensions(await self.expect(command(verb, self._own_name(name))))
        self._offer(extensions)
        return extensions

    def _offer(self, extensions: Extensions) -> None:
        self.mark()
        self.extensions = extensions
        self.protocol.pipelining = extensions.has("PIPELINING") and self.settings.pipelining != "off"

    def _own_name(self, name: str | None) -> bytes:
        """Return our name: what the caller says, or the address that the server sees (RFC 5321 section 4.1.3)."""
        name = name or self.settings.ehlo_name
        if name is not None:
            return arguments.domain(name)
        host = self.stream.local_address
        if host is None:
            return b"localhost"
        return (f"[IPv6:{host}]" if ":" in host else f"[{host}]").encode("ascii")

    async def starttls(self) -> Extensions:
        """STARTTLS, and EHLO again: what was said in clear is forgotten (RFC 3207).

        Raises:
            UnsupportedError: the server refuses.
            ProtocolError: it sent more in clear than its agreement.
        """
        reply = await self.reply_to(command("STARTTLS"))
        if reply.code == 421 or reply.kind == 4:
            raise self.error("STARTTLS", reply)
        if reply.code != 220:
            raise UnsupportedError(f"the server refuses TLS (tls='none' goes without): {reply}")
        await self.secure()
        self._offer(Extensions())
        return await (self.lhlo() if self.settings.lmtp else self.ehlo())

    async def login(self, user: str, password: str) -> None:
        """AUTH with a user and a password, by the strongest mechanism that the server offers (RFC 4954).

        Raises:
            AuthenticationError: the server does not accept them.
            UnsupportedError: no mechanism fits.
            ConfigurationError: the connection is plain, and nobody has asked for that.
        """
        await self.auth(Login(user, password))

    async def auth(self, credentials: Credentials, *, mechanisms: Sequence[str] | None = None) -> None:
        """AUTH with any credentials; ``mechanisms``: the only ones that may be used.

        Raises:
            AuthenticationError, UnsupportedError, ConfigurationError: see :meth:`login`.
        """
        # Most relays want none.
        from netclients.authentication import authenticate
        from netclients.smtp.authentication import AuthChannel

        self.require_privacy()
        self.mark()  # whoever borrows the pool's next connection has not logged in so
        await authenticate(
            AuthChannel(self),
            self.extensions.auth,
            credentials,
            settings=self.settings,
            stream=self.stream,
            mechanisms=mechanisms,
        )
        self.authenticated = True

    async def noop(self) -> None:
        """NOOP: nothing but a reply (RFC 5321 section 4.1.1.9)."""
        await self.expect(command("NOOP"))

    async def probe(self) -> None:
        """Ask for a sign of life."""
        await self.noop()

    async def help(self, topic: str = "") -> str:
        """HELP: text for people (RFC 5321 section 4.1.1.8)."""
        return (await self.expect(command("HELP", arguments.text(topic)))).text

    async def vrfy(self, name: str) -> Reply:
        """VRFY: ask whether there is such a mailbox; most servers won't tell, by 252 (RFC 5321 section 4.1.1.6)."""
        return await self.expect(command("VRFY", arguments.text(name)))

    async def expn(self, name: str) -> Reply:
        """EXPN: ask for the members of a list (RFC 5321 section 4.1.1.7)."""
        return await self.expect(command("EXPN", arguments.text(name)))

    async def quit(self) -> None:
        """QUIT: end the session; the connection is closed, whatever the reply (RFC 5321 section 4.1.1.10)."""
        try:
            await self.expect(command("QUIT"))
        finally:
            self.abort("quit")

    async def command(self, verb: str, *words: str) -> Reply:
        """Send a command that has no method here; return its final reply, whatever its code.

        A pooled connection is closed after it instead of being used again: nobody knows what it did.

        Raises:
            ConfigurationError: a command that changes who speaks next; those have methods.
        """
        sent = commands.raw_command(verb, *words)
        if sent.line.split(b" ", 1)[0] in (b"DATA", b"BDAT", b"AUTH", b"STARTTLS"):
            raise ConfigurationError(f"{verb}: use the method of that name")
        return await self.reply_to(sent)

    # Transactions

    async def mail(self, sender: str, options: Sequence[str] = ()) -> Reply:
        """MAIL: begin a transaction (RFC 5321 section 4.1.1.2).

        ``sender`` "" is the null reverse-path; ``options`` are parameters such as ``"BODY=8BITMIME"``.
        """
        address = arguments.mailbox(sender) if sender else b""
        self.mails += 1
        return await self.expect(commands.mail(address, map(arguments.esmtp_parameter, options)))

    async def rcpt(self, recipient: str, options: Sequence[str] = ()) -> Reply:
        """RCPT: one recipient more (RFC 5321 section 4.1.1.3); ``options`` such as ``"NOTIFY=NEVER"``."""
        address = arguments.mailbox(recipient)
        return await self.expect(commands.rcpt(address, map(arguments.esmtp_parameter, options)))

    async def rset(self) -> None:
        """RSET: forget the transaction (RFC 5321 section 4.1.1.5)."""
        await self.expect(command("RSET"))

    async def data(self, content: bytes) -> Reply:
        """DATA, and ``content`` as a dot block; return the reply to it (RFC 5321 sections 4.1.1.4 and 4.5.2).

        Lines of ``content`` end with CRLF; dots are stuffed here. The reply to DATA may take ``timeouts.reply``
        seconds, the one to the content ``timeouts.complete``.
        """
        await self.expect(command("DATA"))
        return await self._expect_content(commands.content(dots.stuffed(content), len(content)))

    async def bdat(self, chunk: bytes, *, last: bool = False) -> Reply:
        """BDAT: send ``chunk``, a part of the content as it is, without dot-stuffing (RFC 3030 section 2).

        The command tells its length in bytes; ``last``: the message is complete. The reply may take
        ``timeouts.complete`` seconds.
        """
        return await self._expect_content(commands.bdat(len(chunk), bytes(chunk), last=last))

    async def _expect_content(self, sent: Command) -> Reply:
        ticket = self.submit(sent)
        await self.settle(ticket, self.settings.timeouts.complete, "complete")
        assert ticket.reply is not None
        self.judge(sent, ticket.reply)
        return ticket.reply

    async def sendmail(
        self,
        from_: str,
        to: Sequence[str],
        content: bytes | Message,
        *,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> Receipt:
        """Send one message in one transaction, as a whole: MAIL, RCPT, DATA. Nothing is repeated.

        Raises:
            RecipientsRefused: nobody was accepted.
            OutcomeUnknown: the reply to the content was lost.
        """
        from netclients.smtp.sending import send_once

        return await send_once(self, content, from_, to, mail_options, rcpt_options)

    # Content

    async def stream_content(
        self,
        ticket: Ticket[Command, Reply],
        size: int,
        chunks: Iterator[bytes],
        stuffer: dots.DotStuffer | None,
        limit: RateLimit | None = None,
    ) -> bool:
        """Send the ``size`` bytes that belong behind ``ticket`` (which is open, and flushed), read in worker threads.

        As a dot block by ``stuffer``, or as they are. Return False if the server has answered before the end: it won't
        have the rest, and the connection is of no more use.
        """
        while (chunk := await in_thread(_next(chunks))) is not None:
            size -= len(chunk)
            if limit is not None and (pause := limit.debt(len(chunk))) > 0:
                await anyio.sleep(pause)
            if stuffer is not None:
                chunk = stuffer.feed(chunk)
            elif not size:
                ticket.open = False
            if not await self._send_piece(ticket, chunk):
                return False
        if stuffer is None:
            return True
        ticket.open = False
        return await self._send_piece(ticket, stuffer.finish())

    async def _send_piece(self, ticket: Ticket[Command, Reply], piece: bytes) -> bool:
        self.protocol.released_behind(ticket, len(piece))
        await self._engine.send(piece, self.settings.timeouts.stall, "stall")
        if not ticket.open:
            await self.flush()  # the tickets of further replies, which may be here already
        self.look()
        return not ticket.open or (ticket.reply is None and not self.protocol.ended)


def _next(chunks: Iterator[bytes]) -> Callable[[], bytes | None]:
    return lambda: next(chunks, None)
