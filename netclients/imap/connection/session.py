"""Commands about the session: who speaks, how, and what both can do (RFC 9051 sections 6.1 and 6.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from netclients.config import Login
from netclients.errors import ConfigurationError, PhaseTimeout, ProtocolError, UnsupportedError
from netclients.imap import arguments
from netclients.imap.commands import Command, command
from netclients.imap.connection.dialogue import Dialogue
from netclients.imap.types import Capabilities, Condition, Enabled, Identity, Status
from netclients.pending import Pending
from netclients.transport.deflate import DeflateStream
from netclients.transport.readiness import Deadline
from netclients.wire.arguments import checked

if TYPE_CHECKING:
    from netclients.config import Credentials
    from netclients.imap.types import Response
    from netclients.wire.pipeline import Ticket

__all__ = ["Session"]

_WITH_METHODS = frozenset({"AUTHENTICATE", "LOGIN", "STARTTLS", "COMPRESS", "IDLE", "APPEND", "SELECT", "EXAMINE"})
_FOR_PASSWORDS = frozenset(
    {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"}
)
_LONGEST_INITIAL = 8000  # bytes of an initial response on the command's line


class Session(Dialogue):
    """Session commands."""

    async def capability(self) -> frozenset[str]:
        """CAPABILITY: ask what the server can do (section 6.1.1)."""
        found = await self.gather(command("CAPABILITY"), Capabilities)
        if not found:
            raise ProtocolError("the server does not say what it can do")
        return found[-1].names

    def noop(self) -> Pending[None]:
        """NOOP: hear what is new (section 6.1.2)."""
        return self.done(command("NOOP"))

    async def probe(self) -> None:
        """Ask for a sign of life."""
        await self.noop()

    async def logout(self) -> None:
        """LOGOUT: end the session; the connection is closed (section 6.1.3)."""
        try:
            await self.begin(command("LOGOUT"))
        finally:
            self.abort("logout")

    async def id(self, fields: Mapping[str, str | None] | None = None) -> Mapping[str, str | None]:
        """ID: say who we are, hear who the server is (RFC 2971); names in lower case."""
        found = await self.gather(command("ID", arguments.id_fields(fields)), Identity)
        return found[-1].fields if found else {}

    async def enable(self, *capabilities: str) -> frozenset[str]:
        """ENABLE extensions that change what the server says (RFC 5161); return those that are on now.

        Raises:
            UnsupportedError: the server has no ENABLE.
        """
        self.require("ENABLE", "IMAP4REV2")
        sent = command("ENABLE", b" ".join(map(arguments.atom, capabilities)))
        found = await self.gather(sent, Enabled)
        return frozenset(name for each in found for name in each.names)

    async def starttls(self) -> frozenset[str]:
        """STARTTLS; what was said in clear is forgotten, and asked for again (section 6.2.1).

        Raises:
            UnsupportedError: the server refuses, or the connection is under TLS already.
            ProtocolError: it sent more in clear than its agreement.
        """
        if self.secured:
            raise UnsupportedError("the connection is under TLS already")
        ticket = self.submit(command("STARTTLS"))
        await self.settle(ticket, self.settings.timeouts.reply, "reply")
        status = ticket.reply
        assert status is not None
        if status.condition in (Condition.NO, Condition.BAD):
            raise UnsupportedError(f"the server refuses TLS (tls='none' goes without): {status}")
        self.judge(ticket.command, status)
        await self.secure()
        return await self.capability()

    async def login(self, user: str, password: str) -> None:
        """LOGIN with a user and a password, in clear but for TLS (section 6.2.3).

        Raises:
            AuthenticationError: the server does not accept them.
            UnsupportedError: it forbids LOGIN here (LOGINDISABLED); nothing was sent.
            ConfigurationError: the connection is plain, and nobody has asked for that.
        """
        self.require_privacy()
        if self.has("LOGINDISABLED"):
            raise UnsupportedError("the server forbids LOGIN on this connection (LOGINDISABLED)")
        utf8 = self.protocol.utf8
        words = arguments.astring(user, utf8=utf8), arguments.astring(password, utf8=utf8)
        await self.begin(command("LOGIN", *words, shown="LOGIN ***"))

    async def authenticate(self, credentials: Credentials, *, mechanisms: Sequence[str] | None = None) -> None:
        """AUTHENTICATE by the strongest SASL mechanism that the server offers (section 6.2.2, RFC 4959).

        ``mechanisms``: the only ones that may be used. A password falls back to LOGIN where nothing fits.

        Raises:
            AuthenticationError: the server does not accept the credentials.
            UnsupportedError: no mechanism fits.
            ConfigurationError: the connection is plain, and nobody has asked for that.
        """
        from netclients.authentication import authenticate

        self.require_privacy()
        offered = [name.removeprefix("AUTH=") for name in self.capabilities if name.startswith("AUTH=")]
        allowed = self.settings.mechanisms if mechanisms is None else mechanisms
        if isinstance(credentials, Login) and allowed is None and _FOR_PASSWORDS.isdisjoint(offered):
            await self.login(credentials.user, credentials.password)
            return
        self.mark()
        await authenticate(
            _Channel(self), offered, credentials, settings=self.settings, stream=self.stream, mechanisms=mechanisms
        )

    async def unauthenticate(self) -> None:
        """UNAUTHENTICATE: be nobody again (RFC 8437)."""
        self.require("UNAUTHENTICATE")
        await self.begin(command("UNAUTHENTICATE"))

    async def compress(self) -> None:
        """COMPRESS: everything from here on is deflated, both ways (RFC 4978).

        Raises:
            UnsupportedError: the server can't, or has it on already.
        """
        self.require("COMPRESS=DEFLATE")
        marked = self.marked
        status = await self.answer(self.submit(command("COMPRESS", b"DEFLATE")))
        if not status.ok:
            self.unmark(marked)
            raise UnsupportedError(f"the server does not compress: {status}")
        self.protocol.forbid_leftovers()
        self._engine.stream = DeflateStream(self.stream)
        self.unmark(marked)

    async def idle(self, seconds: float) -> list[Response]:
        """IDLE until the server says something, or for ``seconds`` (RFC 2177); return what it said.

        Servers end sessions that are idle for half an hour: ``seconds`` is best below 29 minutes.

        Raises:
            UnsupportedError: the server has no IDLE.
        """
        self.require("IDLE", "IMAP4REV2")
        heard: list[Response] = []

        def collect(response: Response) -> bool:
            heard.append(response)
            return True

        ticket = self.submit(command("IDLE").collecting(collect))
        await self.wait_for_leave(ticket)
        deadline = Deadline(seconds, "idle")
        try:
            while not heard and ticket.reply is None:
                self.check_alive(ticket)
                await self.receive(deadline.left(), "idle")
        except PhaseTimeout:
            pass  # nothing was said
        if ticket.reply is None:
            self.protocol.respond(b"DONE")
        await self.conclude(ticket)
        return heard

    async def wait_for_leave(self, ticket: Ticket[Command, Status]) -> bytes | None:
        """Wait for ``+`` and return its text; None if the command has ended instead."""
        timeout = self.settings.timeouts.reply
        await self.flush()
        with Deadline(timeout, "reply", ticket.command) as deadline:
            while ticket.reply is None and self.protocol.continuation is None:
                self.check_alive(ticket)
                await self.receive(deadline.left(), "reply")
        return self.protocol.take_continuation()

    def notify(self, events: str) -> Pending[Status]:
        """NOTIFY: say what to be told of unasked (RFC 5465); ``events`` in the RFC's words, such as ``"NONE"``.

        Raises:
            UnsupportedError: the server has no NOTIFY.
        """
        self.require("NOTIFY")
        return self.begin(command("NOTIFY", checked(events.encode("utf-8"))))

    async def command(self, verb: str, *words: str) -> tuple[Status, list[Response]]:
        """Send a command that has no method here; return the tagged reply, whatever it is, and all untagged data.

        A pooled connection is closed after it instead of being used again: nobody knows what it did.

        Raises:
            ConfigurationError: a word has CR, LF or NUL, or the command changes who speaks next.
        """
        name = arguments.atom(verb).decode("ascii").upper()
        if name in _WITH_METHODS:
            raise ConfigurationError(f"{verb}: use the method of that name")
        text = " ".join(words).encode("utf-8")
        if text.rstrip().endswith(b"}"):
            raise ConfigurationError(f"{verb}: the last word looks like the beginning of a literal")
        found: list[Response] = []

        def collect(response: Response) -> bool:
            found.append(response)
            return True

        self.mark()
        ticket = self.submit(command(name, *([checked(text)] if text else [])).collecting(collect))
        await self.settle(ticket, self.settings.timeouts.complete, "complete", patience=self.settings.timeouts.complete)
        assert ticket.reply is not None
        return ticket.reply, found


class _Channel:
    """See :class:`~netclients.authentication.SASLChannel`."""

    def __init__(self, connection: Session) -> None:
        self._connection = connection
        self._ticket: Ticket[Command, Status] | None = None

    @property
    def longest_initial(self) -> int:
        """Initial responses are an extension (RFC 4959)."""
        return _LONGEST_INITIAL if self._connection.has("SASL-IR", "IMAP4REV2") else 0

    async def begin(self, mechanism: str, initial: bytes | None) -> bytes | None:
        """AUTHENTICATE."""
        words = [arguments.atom(mechanism), *([] if initial is None else [initial])]
        self._ticket = self._connection.submit(command("AUTHENTICATE", *words, shown=f"AUTHENTICATE {mechanism} ***"))
        return await self._challenge()

    async def respond(self, response: bytes) -> bytes | None:
        """Send one line of base64."""
        self._connection.protocol.respond(response)
        return await self._challenge()

    async def _challenge(self) -> bytes | None:
        ticket = self._ticket
        assert ticket is not None
        challenge = await self._connection.wait_for_leave(ticket)
        if challenge is None:
            await self._connection.conclude(ticket)
        return challenge
