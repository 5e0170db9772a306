"""The commands of the embedded SMTP server, but for those that carry content (``_smtp_content``)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping

from ._auth import offered_mechanisms
from ._mail_engine import MailEngine
from ._smtp_auth import authenticate
from ._smtp_session import Counters, Received, Rules, Session, Transaction

Handler = Callable[[Session, str], Awaitable[None]]

_PATH = re.compile(r'(FROM|TO):[ ]?<((?:"(?:[^"\\]|\\.)*"|[^<>"])*)>(?: +(.*))?', re.IGNORECASE)
_SIMPLE = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "CHUNKING", "BINARYMIME")

_MAIL_OPTIONS = {
    "SIZE": "SIZE",
    "BODY": "8BITMIME",
    "SMTPUTF8": "SMTPUTF8",
    "RET": "DSN",
    "ENVID": "DSN",
    "AUTH": "AUTH",
    "REQUIRETLS": "REQUIRETLS",
}
_RCPT_OPTIONS = {"NOTIFY": "DSN", "ORCPT": "DSN"}


def address_of(argument: str) -> str:
    """Return the address in MAIL's or RCPT's argument; all of the argument if there is none."""
    found = _PATH.fullmatch(argument)
    return argument if found is None else found[2]


class Commands(MailEngine[Session]):
    """Executes commands by the rules, and remembers what came of it."""

    rules: Rules
    counters: Counters

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.counters = Counters()
        self.messages: list[Received] = []
        self.handlers: Mapping[str, Handler] = {
            "EHLO": self.ehlo,
            "LHLO": self.lhlo,
            "HELO": self.helo,
            "STARTTLS": self.starttls,
            "AUTH": self.auth,
            "MAIL": self.mail,
            "RCPT": self.rcpt,
            "RSET": self.rset,
            "NOOP": self.noop,
            "VRFY": self.vrfy,
            "HELP": self.help,
            "QUIT": self.quit,
        }

    # What is offered

    def offers(self, session: Session, extension: str) -> bool:
        """Whether this connection offers an extension now."""
        rules = self.rules
        if extension in rules.without:
            return False
        if extension == "BINARYMIME":
            return "CHUNKING" not in rules.without
        if extension == "STARTTLS":
            return rules.context is not None and not rules.implicit and not session.secure
        if extension == "REQUIRETLS":
            return session.secure
        if extension == "AUTH":
            return bool(rules.mechanisms) and (session.secure or rules.auth_in_clear)
        return True

    def _extensions(self, session: Session) -> list[str]:
        lines = [name for name in _SIMPLE if self.offers(session, name)]
        if self.offers(session, "SIZE"):
            limit = self.rules.size_limit
            lines.append("SIZE" if limit is None else f"SIZE {limit}")
        lines += [name for name in ("STARTTLS", "REQUIRETLS") if self.offers(session, name)]
        if self.offers(session, "AUTH"):
            lines.append(f"AUTH {' '.join(offered_mechanisms(self.rules, session.secure))}")
        return lines

    # Session

    async def ehlo(self, session: Session, argument: str) -> None:
        """EHLO: the extensions."""
        if self.rules.lmtp:
            session.reply(500, "5.5.1", "This is LMTP: say LHLO.")
        else:
            self._greet(session, argument, self._extensions(session))

    async def lhlo(self, session: Session, argument: str) -> None:
        """LHLO: EHLO of LMTP (RFC 2033)."""
        if self.rules.lmtp:
            self._greet(session, argument, self._extensions(session))
        else:
            session.reply(500, "5.5.1", "This is SMTP: say EHLO.")

    async def helo(self, session: Session, argument: str) -> None:
        """HELO: no extensions."""
        if self.rules.lmtp:
            session.reply(500, "5.5.1", "This is LMTP: say LHLO.")
        else:
            self._greet(session, argument, [])

    def _greet(self, session: Session, argument: str, extensions: list[str]) -> None:
        if not argument.strip():
            session.reply(501, "5.5.4", "A name is missing.")
            return
        session.greeted = argument.strip()
        session.transaction = None
        session.reply(250, "", "netclients.test", *extensions)

    async def starttls(self, session: Session, argument: str) -> None:
        """STARTTLS: what came behind it in clear is thrown away, and so is all that was said (RFC 3207)."""
        if not self.offers(session, "STARTTLS"):
            session.reply(503 if session.secure else 502, "5.5.1", "TLS is not offered now.")
        elif argument:
            session.reply(501, "5.5.4", "STARTTLS takes no argument.")
        else:
            session.reply(220, "2.0.0", "Ready to start TLS.")
            self.executed(session)
            if session.injected:
                session.outbox.append(session.injected.encode())
            self.counters.discarded += session.channel.discard()
            await session.flush()
            await self.handshake(session)
            session.greeted = session.authenticated = session.transaction = None

    async def auth(self, session: Session, argument: str) -> None:
        """AUTH (RFC 4954)."""
        if not self.offers(session, "AUTH"):
            if self.rules.mechanisms and not session.secure and self.rules.context is not None:
                session.reply(538, "5.7.11", "Encryption is required for that.")
            else:
                session.reply(502, "5.5.1", "AUTH is not offered.")
        elif session.authenticated is not None:
            session.reply(503, "5.5.1", "You are authenticated already.")
        elif session.transaction is not None:
            session.reply(503, "5.5.1", "Not within a transaction.")
        elif await authenticate(self.rules, session, argument, self.interfere):
            self.counters.logins += 1

    # Envelope

    async def mail(self, session: Session, argument: str) -> None:
        """MAIL: begins a transaction."""
        found = _PATH.fullmatch(argument)
        rules = self.rules
        if session.greeted is None:
            session.reply(503, "5.5.1", f"Say {'LHLO' if rules.lmtp else 'EHLO'} first.")
        elif rules.tls_required and not session.secure:
            session.reply(530, "5.7.0", "Must issue a STARTTLS command first.")
        elif rules.require_auth and session.authenticated is None:
            session.reply(530, "5.7.0", "Authentication required.")
        elif session.transaction is not None:
            session.reply(503, "5.5.1", "A transaction is open: sender already given.")
        elif found is None or found[1].upper() != "FROM":
            session.reply(501, "5.5.4", "Syntax: MAIL FROM:<address> [parameters]")
        elif rules.max_messages is not None and session.messages >= rules.max_messages:
            session.reply(421, "4.7.0", "Too many messages over this connection.")
        else:
            self._begin(session, found[2], tuple((found[3] or "").split()))

    def _begin(self, session: Session, sender: str, options: tuple[str, ...]) -> None:
        transaction = Transaction(sender, options)
        limit = self.rules.size_limit
        size = transaction.option("SIZE")
        if not self._known(session, options, _MAIL_OPTIONS):
            return
        if not sender.isascii() and transaction.option("SMTPUTF8") is None:
            session.reply(553, "5.6.7", "That address needs SMTPUTF8.")
        elif transaction.option("BODY") not in (None, "7BIT", "8BITMIME", "BINARYMIME") or (
            transaction.option("BODY") == "BINARYMIME" and not self.offers(session, "BINARYMIME")
        ):
            session.reply(501, "5.5.4", "BODY is unknown.")
        elif size is not None and not (size.isascii() and size.isdigit()):
            session.reply(501, "5.5.4", "SIZE is no number.")
        elif limit is not None and size is not None and int(size) > limit:
            session.reply(552, "5.3.4", f"Messages are limited to {limit} bytes.")
        else:
            session.transaction = transaction
            session.messages += 1
            session.reply(250, "2.1.0", "Sender OK.")

    def _known(self, session: Session, options: tuple[str, ...], known: Mapping[str, str]) -> bool:
        for option in options:
            extension = known.get(option.partition("=")[0].upper())
            if extension is None or not self.offers(session, extension):
                session.reply(555, "5.5.4", f"Parameter not recognized: {option}")
                return False
        return True

    async def rcpt(self, session: Session, argument: str) -> None:
        """RCPT: names one recipient."""
        transaction, found = session.transaction, _PATH.fullmatch(argument)
        limit = self.rules.max_recipients
        if transaction is None:
            session.reply(503, "5.5.1", "Send MAIL first.")
        elif found is None or found[1].upper() != "TO" or not found[2]:
            session.reply(501, "5.5.4", "Syntax: RCPT TO:<address> [parameters]")
        elif not found[2].isascii() and transaction.option("SMTPUTF8") is None:
            session.reply(553, "5.6.7", "That address needs SMTPUTF8.")
        elif self._known(session, options := tuple((found[3] or "").split()), _RCPT_OPTIONS):
            if (refusal := self.rules.refuse(found[2])) is not None:
                session.send_raw(refusal)
            elif limit is not None and len(transaction.recipients) >= limit:
                session.reply(452, "4.5.3", "Too many recipients.")
            else:
                transaction.recipients.append((found[2], options))
                session.reply(250, "2.1.5", "Recipient OK.")

    async def rset(self, session: Session, argument: str) -> None:
        """RSET: ends the transaction."""
        session.transaction = None
        session.reply(250, "2.0.0", "Forgotten.")

    # The rest

    async def noop(self, session: Session, argument: str) -> None:
        """NOOP: nothing."""
        session.reply(250, "2.0.0", "OK")

    async def vrfy(self, session: Session, argument: str) -> None:
        """VRFY: discloses nothing."""
        session.reply(252, "2.5.2", "Try to deliver.")

    async def help(self, session: Session, argument: str) -> None:
        """HELP: the commands."""
        session.reply(214, "2.0.0", "Commands:", " ".join(sorted(self.handlers)))

    async def quit(self, session: Session, argument: str) -> None:
        """QUIT: ends the connection."""
        session.reply(221, "2.0.0", "Bye.")
        session.ending = True
