"""Session commands: capabilities, TLS, login, compression, the end (RFC 3977 section 5, RFC 4642, 4643, 8054)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from netclients.config import Login
from netclients.errors import (
    ConfigurationError,
    ConnectionLost,
    PhaseTimeout,
    TransientReplyError,
    UnsupportedError,
)
from netclients.nntp import commands, replies
from netclients.nntp.commands import command, secret
from netclients.nntp.connection.dialogue import Dialogue
from netclients.nntp.types import Capabilities, Reply
from netclients.transport.deflate import DeflateStream
from netclients.wire import arguments

if TYPE_CHECKING:
    from netclients.config import Credentials

__all__ = ["Session"]

_OWN_METHODS = (b"AUTHINFO", b"STARTTLS", b"COMPRESS", b"POST", b"IHAVE", b"TAKETHIS", b"MODE", b"XFEATURE", b"QUIT")
_OWN_BLOCKS = (b"ARTICLE", b"HEAD", b"BODY", b"XZVER")


class Session(Dialogue):
    """Session commands."""

    async def greet(self) -> str:
        """Wait for the greeting and return its text; ``posting``: the server says that one may post.

        Raises:
            TooManyConnections: the server has no room at the moment.
            ReplyError: it refuses.
        """
        reply = await self.answer(self.protocol.greeting)
        self.judge(self.protocol.greeting.command, reply)
        self.welcome: str = reply.text
        self.posting: bool = reply.code == 200
        return self.welcome

    async def fetch_capabilities(self) -> Capabilities:
        """CAPABILITIES: hear what the server can do now. One that does not know it says nothing by that."""
        sent = commands.listing("CAPABILITIES", bounds=self.settings.bounds)
        reply = await self.reply_to(sent)
        if reply.code == 101:
            self.capabilities = replies.parse_capabilities(reply.lines)
        elif reply.code in (500, 501, 502):
            self.capabilities: Capabilities = Capabilities()
        else:
            self.judge(sent, reply)
        return self.capabilities

    async def mode_reader(self) -> bool:
        """MODE READER: the session is to read; return whether one may post (RFC 3977 section 5.3)."""
        if self.authenticated:
            raise ConfigurationError("MODE READER comes before the login, if at all (RFC 4643 section 2.2)")
        self.posting = (await self.run(command("MODE READER"))).code == 200
        self.capabilities = Capabilities()
        return self.posting

    async def starttls(self) -> Capabilities:
        """STARTTLS, and CAPABILITIES again: what was said in clear is forgotten (RFC 4642).

        Raises:
            UnsupportedError: the server refuses.
            ProtocolError: it sent more in clear than its agreement.
            ConfigurationError: somebody has logged in, or compression is on.
        """
        if self.authenticated or self.compressed or self.secured:
            raise ConfigurationError("STARTTLS comes first: before logins and compression, and once")
        reply = await self.reply_to(command("STARTTLS"))
        if reply.code != 382:
            error = self.error("STARTTLS", reply)
            if isinstance(error, (TransientReplyError, ConnectionLost)):
                raise error
            raise UnsupportedError(f"the server refuses TLS (tls='none' goes without): {reply}")
        marked = self.marked
        self.mark()  # cancelled from here on, it is of no use any more
        await self.secure()
        self.capabilities = Capabilities()
        found = await self.fetch_capabilities()
        self.unmark(marked)
        return found

    # Login

    async def authinfo_user(self, user: str, password: str) -> None:
        """AUTHINFO USER and, if the server asks for it, AUTHINFO PASS. Only where a password may be shown.

        Raises:
            AuthenticationError: the server does not accept them.
            ConfigurationError: the connection is plain, and nobody has asked for that.
        """
        self._begin_login()
        name = arguments.text(user)
        reply = await self.run(secret(b"AUTHINFO USER %s" % name, "AUTHINFO USER ***"))
        if reply.code == 381:
            sent = secret(b"AUTHINFO PASS %s" % arguments.text(password), "AUTHINFO PASS ***")
            reply = await self.run(sent)
            if reply.code != 281:
                raise self.error("AUTHINFO PASS", reply)
        self.authenticated: bool = True

    async def authinfo_sasl(self, credentials: Credentials, *, mechanisms: Sequence[str] | None = None) -> None:
        """AUTHINFO SASL with any credentials, by the strongest mechanism; ``mechanisms``: the only ones allowed.

        Raises:
            AuthenticationError: the server does not accept them.
            UnsupportedError: no mechanism fits; nothing was sent.
            ConfigurationError: the connection is plain, and nobody has asked for that.
        """
        from netclients.authentication import authenticate
        from netclients.nntp.authentication import AuthChannel

        self._begin_login()
        await authenticate(
            AuthChannel(self),
            self.capabilities.sasl,
            credentials,
            settings=self.settings,
            stream=self.stream,
            mechanisms=mechanisms,
        )
        self.authenticated = True

    async def login(self, credentials: Credentials) -> None:
        """Log in, in the best way that the server offers, and hear what it can do then.

        A password that may be shown, because the connection is under TLS, goes by AUTHINFO USER if it can: servers
        announce SASL mechanisms, but know no users for them (quirk_sasl_nobody). ``mechanisms`` of a client's settings
        ask for SASL.

        Raises:
            AuthenticationError: the server does not accept the credentials.
            UnsupportedError: it has no way to log in with such credentials.
        """
        plain = isinstance(credentials, Login) and self.settings.mechanisms is None
        if not (plain and self.secured and self.capabilities.has("AUTHINFO", "USER")):
            try:
                await self.authinfo_sasl(credentials)
            except UnsupportedError:
                # Servers of before RFC 4643, and those that say nothing before they are asked, take AUTHINFO USER.
                if not plain:
                    raise
        if not self.authenticated:
            assert isinstance(credentials, Login)
            await self.authinfo_user(credentials.user, credentials.password)
        await self.fetch_capabilities()

    def _begin_login(self) -> None:
        if self.authenticated:
            raise ConfigurationError("somebody has logged in on this connection already (RFC 4643 section 2.2)")
        if self.compressed:
            raise ConfigurationError("the login comes before compression (RFC 8054 section 2.2.2)")
        self.require_privacy()
        self.mark()

    # Compression

    async def compress(self) -> None:
        """COMPRESS DEFLATE: everything from here on is deflated, both ways; no login comes behind it (RFC 8054).

        Raises:
            UnsupportedError: the server does not have it, or can't now.
        """
        if self.compressed:
            raise ConfigurationError("the connection is compressed already")
        reply = await self.reply_to(command("COMPRESS DEFLATE"))
        if reply.code == 400:
            raise self.error("COMPRESS DEFLATE", reply)
        if reply.code != 206:
            raise UnsupportedError(f"the server does not compress: {reply}")
        self.protocol.forbid_leftovers()
        self._engine.stream = DeflateStream(self.stream)
        self.compressed = True
        self.capabilities = Capabilities()
        await self.fetch_capabilities()

    async def xfeature_compress_gzip(self) -> None:
        """XFEATURE COMPRESS GZIP: lists come compressed (legacy, of some providers)."""
        await self.run(command("XFEATURE COMPRESS GZIP"))
        self.protocol.gzip = True

    # The rest

    async def quit(self) -> None:
        """QUIT: end the session; the connection is closed."""
        try:
            await self.reply_to(command("QUIT"))
        except (ConnectionLost, PhaseTimeout):
            pass  # there was nothing left to be done
        finally:
            self.abort("quit")

    async def probe(self) -> None:
        """Ask for a sign of life."""
        reply = await self.reply_to(command("DATE"))
        if reply.kind == 4 and reply.code != 480:
            raise self.error("DATE", reply)

    async def command(self, verb: str, *words: str, blocks: Collection[int] = ()) -> Reply:
        """Send a command that has no method here; return its reply. ``blocks``: codes that are followed by a list.

        A pooled connection is closed after it instead of being used again: nobody knows what it did.

        Raises:
            ConfigurationError: a command that changes who speaks next; those have methods.
        """
        sent = commands.raw_command(verb, *words, bounds=self.settings.bounds, codes=frozenset(blocks))
        name = sent.line.split(b" ", 1)[0]
        if name in _OWN_METHODS or (name in _OWN_BLOCKS and not blocks):
            raise ConfigurationError(f"{verb}: use the method of that name")
        return await self.reply_to(sent)
