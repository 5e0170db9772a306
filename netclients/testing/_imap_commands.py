"""The embedded IMAP server's commands that need no mailbox: capabilities, logins, TLS, compression."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, NamedTuple

from ._auth import AuthCancelledError, offered_mechanisms, password_is, run_mechanism
from ._imap_channel import IMAPChannel
from ._imap_session import Counters, Rules, Session
from ._imap_store import Account
from ._imap_syntax import Arguments, BadSyntaxError, quoted
from ._mail_engine import MailEngine

State = Literal["any", "new", "authenticated", "selected"]


class Done(NamedTuple):
    """How a command has ended: what its tagged OK says."""

    text: str
    code: str = ""


class RefusedError(Exception):
    """The command ends with NO."""

    def __init__(self, text: str, code: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.code = code


Handler = Callable[[Session, Arguments, bool], Awaitable[Done | None]]
"""Takes session, arguments, and whether it is a UID command. None: the tagged reply is queued already."""

_BEFORE_LOGIN = ("SASL-IR", "LITERAL+", "LITERAL-", "ID", "ENABLE", "IDLE")
_AFTER_LOGIN = (
    *("NAMESPACE", "CHILDREN", "LIST-EXTENDED", "LIST-STATUS", "SPECIAL-USE", "CREATE-SPECIAL-USE"),
    *("UIDPLUS", "MOVE", "UNSELECT", "MULTIAPPEND", "BINARY", "UTF8=ACCEPT", "CONDSTORE", "QRESYNC"),
    *("ESEARCH", "SEARCHRES", "WITHIN", "SORT", "THREAD=ORDEREDSUBJECT", "THREAD=REFERENCES"),
    *("STATUS=SIZE", "OBJECTID", "QUOTA", "QUOTA=RES-STORAGE", "COMPRESS=DEFLATE"),
)
_ENABLED = ("CONDSTORE", "QRESYNC", "UTF8=ACCEPT", "IMAP4REV2")
_NEEDS = {
    "QRESYNC": ("CONDSTORE", "ENABLE"),
    "UTF8=ACCEPT": ("ENABLE",),
    "SEARCHRES": ("ESEARCH",),
    "LIST-STATUS": ("LIST-EXTENDED",),
    "CREATE-SPECIAL-USE": ("SPECIAL-USE",),
    "QUOTA=RES-STORAGE": ("QUOTA",),
}
"""What a capability makes no sense without."""


class Commands(MailEngine[Session]):
    """Executes commands by the rules."""

    rules: Rules
    counters: Counters

    def __init__(self, rules: Rules, accounts: dict[str, Account]) -> None:
        self.rules = rules
        self.accounts = accounts
        self.counters = Counters()
        self.handlers: Mapping[str, tuple[State, Handler]] = {
            "CAPABILITY": ("any", self.capability),
            "NOOP": ("any", self.noop),
            "LOGOUT": ("any", self.logout),
            "ID": ("any", self.id),
            "STARTTLS": ("new", self.starttls),
            "AUTHENTICATE": ("new", self.authenticate),
            "LOGIN": ("new", self.login),
            "ENABLE": ("authenticated", self.enable),
            "COMPRESS": ("any", self.compress),
        }

    # What is offered

    def offers(self, session: Session, capability: str) -> bool:
        """Whether this connection has a capability now."""
        rules = self.rules
        if capability in rules.without:
            return False
        if capability == "LITERAL-":
            return "LITERAL+" in rules.without
        if any(needed in rules.without for needed in _NEEDS.get(capability, ())):
            return False
        if capability == "IMAP4REV2":
            return rules.rev2
        if capability == "STARTTLS":
            return rules.context is not None and not rules.implicit and not session.secure and session.user is None
        if capability == "LOGIN":
            return session.secure or rules.login_in_clear
        if capability == "COMPRESS=DEFLATE":
            return not session.compressed
        return True

    def capabilities(self, session: Session) -> str:
        """Return what follows CAPABILITY."""
        names = ["IMAP4rev1", *(["IMAP4rev2"] if self.rules.rev2 else []), *_BEFORE_LOGIN]
        if session.user is None:
            names.append("STARTTLS")
            if self.offers(session, "LOGIN"):
                names += [f"AUTH={name}" for name in offered_mechanisms(self.rules, session.secure)]
            else:
                names.append("LOGINDISABLED")
        else:
            names += _AFTER_LOGIN
        if self.rules.append_limit is not None and "APPENDLIMIT" not in self.rules.without:
            names.append(f"APPENDLIMIT={self.rules.append_limit}")
        return " ".join(name for name in names if self.offers(session, name.upper()))

    async def capability(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """CAPABILITY."""
        arguments.end()
        session.untagged(f"CAPABILITY {self.capabilities(session)}")
        return Done("Capability completed.")

    async def enable(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """ENABLE (RFC 5161): what is unknown is passed over."""
        enabled = []
        while True:
            arguments.space()
            name = arguments.atom()
            if name in _ENABLED and self.offers(session, name):
                session.enabled.add(name)
                enabled.append(name)
            if arguments.at_end:
                break
        if "QRESYNC" in session.enabled:
            session.enabled.add("CONDSTORE")
        session.untagged(" ".join(["ENABLED", *enabled]))
        return Done("Enabled.")

    # Any state

    async def noop(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """NOOP: news follow."""
        arguments.end()
        return Done("NOOP completed.")

    async def logout(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """LOGOUT."""
        arguments.end()
        self.deselect(session)
        session.untagged("BYE Logging out")
        session.ending = True
        return Done("Logout completed.")

    async def id(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """ID (RFC 2971)."""
        arguments.space()
        if not arguments.skip(b"NIL"):
            arguments.expect(b"(")
            while not arguments.skip(b")"):
                arguments.skip(b" ")
                arguments.string()
                arguments.space()
                if not arguments.skip(b"NIL"):
                    arguments.string()
        arguments.end()
        session.send(b"* ID (" + b" ".join(map(quoted, ("name", "netclients.testing"))) + b")")
        return Done("ID completed.")

    # Security

    async def starttls(self, session: Session, arguments: Arguments, uid: bool) -> None:
        """STARTTLS: what came behind it in clear is thrown away."""
        arguments.end()
        if not self.offers(session, "STARTTLS"):
            raise BadSyntaxError("TLS is not offered now.")
        session.ok("Begin TLS negotiation now.")
        self.executed(session)
        if session.injected:
            session.outbox.append(session.injected.encode())
        self.counters.discarded += session.channel.discard()
        await session.flush()
        await self.handshake(session)

    async def compress(self, session: Session, arguments: Arguments, uid: bool) -> None:
        """COMPRESS (RFC 4978)."""
        arguments.space()
        if arguments.atom() != "DEFLATE" or "COMPRESS=DEFLATE" in self.rules.without:
            raise BadSyntaxError("Unknown compression.")
        arguments.end()
        if session.compressed:
            raise RefusedError("Already compressed.", "COMPRESSIONACTIVE")
        session.ok("Begin compression.")
        await session.flush()
        assert isinstance(session.channel, IMAPChannel)
        session.channel.compress()
        session.compressed = True

    async def login(self, session: Session, arguments: Arguments, uid: bool) -> Done:
        """LOGIN."""
        arguments.space()
        user = arguments.text()
        arguments.space()
        password = arguments.text()
        arguments.end()
        if not self.offers(session, "LOGIN"):
            raise RefusedError("Not without TLS.", "PRIVACYREQUIRED")
        if password_is(self.rules, user, password) is None:
            raise RefusedError("Authentication failed.", "AUTHENTICATIONFAILED")
        return self.logged_in(session, user)

    async def authenticate(self, session: Session, arguments: Arguments, uid: bool) -> Done | None:
        """AUTHENTICATE, with an initial response (RFC 4959)."""
        arguments.space()
        name, initial = arguments.atom(), None
        if arguments.skip(b" "):
            initial = arguments.remainder()
            if "SASL-IR" in self.rules.without:
                raise BadSyntaxError("Too many arguments")
        arguments.end()
        if not self.offers(session, "LOGIN"):
            raise RefusedError("Not without TLS.", "PRIVACYREQUIRED")
        if name not in offered_mechanisms(self.rules, session.secure):
            raise RefusedError("Unsupported authentication mechanism.")

        async def ask(challenge: str) -> str:
            session.send(f"+ {challenge}".encode())
            line = (await session.read_line()).decode("utf-8", "surrogateescape")
            if not line.endswith("\n"):
                raise ConnectionResetError("the peer left amid AUTHENTICATE")
            text = line.rstrip("\r\n")
            if not await self.interfere(session, "AUTH-RESPONSE", text):
                raise AuthCancelledError
            if text == "*":
                raise BadSyntaxError("Authentication cancelled.")
            return text

        try:
            user = await run_mechanism(self.rules, name, initial, ask, session.channel.tls)
        except AuthCancelledError:
            return None  # what a fault answered ends it
        except ValueError:
            raise BadSyntaxError("Can't make sense of that.") from None
        if session.channel.buffered:
            self.object_to(session, "sent something behind AUTHENTICATE before its reply")
        if user is None:
            raise RefusedError("Authentication failed.", "AUTHENTICATIONFAILED")
        return self.logged_in(session, user)

    def logged_in(self, session: Session, user: str) -> Done:
        """Let a user in."""
        session.user = user
        session.account = self.accounts[user]
        self.counters.logins += 1
        return Done("Logged in", f"CAPABILITY {self.capabilities(session)}")

    def deselect(self, session: Session) -> None:
        """Watch no mailbox any longer."""
        if session.selected is not None:
            session.selected.close()
            session.selected = None

    def ended(self, session: Session) -> None:
        """Forget a connection that is over."""
        self.deselect(session)
        if session.pushing is not None:
            session.pushing.cancel()

    @staticmethod
    def redacted(name: str, text: str) -> str:
        """Return a command without its secrets."""
        if name == "LOGIN":
            return f"{text[:5]} ***"
        return re.sub(r"(?i)\A(AUTHENTICATE +\S+) +.*", r"\1 ***", text, flags=re.DOTALL)
