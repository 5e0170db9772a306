# ruff: noqa: D102 - docstrings are those of the asynchronous twins
"""One SMTP or LMTP connection for blocking code, lent by ``MailSender.connection()``: a method for each command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netclients.smtp.connection import SMTPConnection as AsyncSMTPConnection
from netclients.sync.calls import run_sync
from netclients.sync.client import Connection
from netclients.sync.docs import documented_like

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netclients.config import Credentials
    from netclients.mail.message import Message
    from netclients.smtp.commands import Command
    from netclients.smtp.types import Extensions, Receipt
    from netclients.wire.replies import Reply

__all__ = ["SMTPConnection"]


@documented_like(AsyncSMTPConnection)
class SMTPConnection(Connection[AsyncSMTPConnection]):
    """A connection that has said hello, and logged in if there are credentials. For one thread at a time."""

    # What is known of it

    @property
    def extensions(self) -> Extensions:
        """What the server offers now."""
        return self._twin.extensions

    @property
    def welcome(self) -> str:
        """The server's greeting."""
        return self._twin.welcome

    @property
    def authenticated(self) -> bool:
        """Whether AUTH has succeeded."""
        return self._twin.authenticated

    @property
    def mails(self) -> int:
        """How many transactions were begun."""
        return self._twin.mails

    @property
    def secured(self) -> bool:
        return self._twin.secured

    @property
    def number(self) -> int:
        """Unique within the process; log and hooks use it."""
        return self._twin.number

    @property
    def marked(self) -> bool:
        """Whether the session is not as after login, so that the connection can't be lent again."""
        return self._twin.marked

    @property
    def clean(self) -> bool:
        return run_sync(lambda: self._twin.clean)

    # Session

    def ehlo(self, name: str | None = None) -> Extensions:
        return self._run(lambda: self._twin.ehlo(name))

    def lhlo(self, name: str | None = None) -> Extensions:
        return self._run(lambda: self._twin.lhlo(name))

    def helo(self, name: str | None = None) -> None:
        self._run(lambda: self._twin.helo(name))

    def starttls(self) -> Extensions:
        return self._run(lambda: self._twin.starttls())

    def login(self, user: str, password: str) -> None:
        self._run(lambda: self._twin.login(user, password))

    def auth(self, credentials: Credentials, *, mechanisms: Sequence[str] | None = None) -> None:
        self._run(lambda: self._twin.auth(credentials, mechanisms=mechanisms))

    def noop(self) -> None:
        self._run(lambda: self._twin.noop())

    def probe(self) -> None:
        self._run(lambda: self._twin.probe())

    def help(self, topic: str = "") -> str:
        return self._run(lambda: self._twin.help(topic))

    def vrfy(self, name: str) -> Reply:
        return self._run(lambda: self._twin.vrfy(name))

    def expn(self, name: str) -> Reply:
        return self._run(lambda: self._twin.expn(name))

    def quit(self) -> None:
        self._run(lambda: self._twin.quit())

    def command(self, verb: str, *words: str) -> Reply:
        return self._run(lambda: self._twin.command(verb, *words))

    def reply_to(self, sent: Command) -> Reply:
        return self._run(lambda: self._twin.reply_to(sent))

    def expect(self, sent: Command) -> Reply:
        return self._run(lambda: self._twin.expect(sent))

    # Transactions

    def mail(self, sender: str, options: Sequence[str] = ()) -> Reply:
        return self._run(lambda: self._twin.mail(sender, options))

    def rcpt(self, recipient: str, options: Sequence[str] = ()) -> Reply:
        return self._run(lambda: self._twin.rcpt(recipient, options))

    def rset(self) -> None:
        self._run(lambda: self._twin.rset())

    def data(self, content: bytes) -> Reply:
        return self._run(lambda: self._twin.data(content))

    def bdat(self, chunk: bytes, *, last: bool = False) -> Reply:
        return self._run(lambda: self._twin.bdat(chunk, last=last))

    def sendmail(
        self,
        from_: str,
        to: Sequence[str],
        content: bytes | Message,
        *,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> Receipt:
        return self._run(
            lambda: self._twin.sendmail(from_, to, content, mail_options=mail_options, rcpt_options=rcpt_options)
        )

    # Its end

    def close(self, reason: str) -> None:
        run_sync(lambda: self._twin.close(reason))

    def abort(self, reason: str) -> None:
        run_sync(lambda: self._twin.abort(reason))
