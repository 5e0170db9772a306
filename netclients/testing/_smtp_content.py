"""DATA and BDAT of the embedded SMTP server, and the verdict on a message."""

from __future__ import annotations

from collections.abc import Iterator

from ._mail_channel import Sink
from ._smtp_commands import Commands
from ._smtp_session import Content, Received, Rules, Session, Transaction

_LONGEST_LINE = 1000  # RFC 5321 section 4.5.3.1.6


class Contents(Commands):
    """Adds the commands that carry content."""

    def __init__(self, rules: Rules) -> None:
        super().__init__(rules)
        self.handlers = {**self.handlers, "DATA": self.data, "BDAT": self.bdat}

    async def data(self, session: Session, argument: str) -> None:
        """DATA: the content follows, up to a lone dot."""
        transaction = session.transaction
        if transaction is None:
            session.reply(503, "5.5.1", "Send MAIL first.")
        elif argument:
            session.reply(501, "5.5.4", "DATA takes no argument.")
        elif transaction.content is not None or transaction.option("BODY") == "BINARYMIME":
            session.reply(503, "5.5.1", "Use BDAT.")
        elif not transaction.recipients and not self.rules.data_without_recipients:
            session.reply(554, "5.5.1", "No valid recipients.")
        else:
            session.reply(354, "", "End with a lone dot.")
            self.executed(session)
            content = self._content(transaction)
            await session.flush()
            await session.channel.read_dotted(content.add)
            await self._conclude(session, transaction, content)

    async def bdat(self, session: Session, argument: str) -> None:
        """BDAT: so many bytes follow, perhaps the last ones (RFC 3030). They are read, refused or not."""
        size = payload_of(argument)
        last = argument.upper().endswith(" LAST")
        if not self.offers(session, "CHUNKING"):
            session.reply(502, "5.5.1", "BDAT is not offered.")
            return
        if size is None:
            session.reply(501, "5.5.4", "Syntax: BDAT size [LAST]")
            return
        transaction = session.transaction
        if transaction is None or not transaction.recipients:
            await self.skip(session, size)
            session.transaction = None
            text = "Send MAIL first." if transaction is None else "No valid recipients."
            session.reply(503 if transaction is None else 554, "5.5.1", text)
            return
        if transaction.content is None:
            transaction.content = self._content(transaction)
        content = transaction.content
        await self._read(session, size, content.add)
        if last:
            await self._conclude(session, transaction, content)
        elif content.too_large:
            session.transaction = None
            session.reply(552, "5.3.4", f"Messages are limited to {self.rules.size_limit} bytes.")
        else:
            session.reply(250, "2.0.0", f"{size} bytes received.")

    async def skip(self, session: Session, size: int) -> None:
        """Read a payload that is of no use."""
        await self._read(session, size, lambda _: None)

    async def _read(self, session: Session, size: int, sink: Sink) -> None:
        if session.channel.buffered < size:
            await session.flush()
        await session.channel.read_counted(size, sink)
        if session.channel.buffered and not self.offers(session, "PIPELINING"):
            self.object_to(session, "sent something behind BDAT, without PIPELINING")

    def _content(self, transaction: Transaction) -> Content:
        cut = self.rules.faults.at_content(transaction.sender)
        return Content(self.rules.keep, self.rules.size_limit, cut)

    # The verdict

    async def _conclude(self, session: Session, transaction: Transaction, content: Content) -> None:
        session.transaction = None
        if self.rules.lmtp:
            await self._conclude_each(session, transaction, content)
        elif await self.interfere(session, "CONTENT", transaction.sender):
            if self._acceptable(session, transaction, content):
                self._keep(session, transaction, transaction.recipients, content)
                session.reply(250, "2.0.0", f"Message {self.counters.messages} accepted.")
            self.executed(session)

    async def _conclude_each(self, session: Session, transaction: Transaction, content: Content) -> None:
        """LMTP: a verdict for each recipient (RFC 2033 section 4.2)."""
        accepted: list[tuple[str, tuple[str, ...]]] = []
        try:
            if not transaction.recipients:
                session.reply(503, "5.5.1", "No valid recipients.")
            for recipient in transaction.recipients:
                if not await self.interfere(session, "CONTENT", recipient[0]):
                    continue
                if (refusal := self.rules.final(recipient[0])) is not None:
                    session.send_raw(refusal)
                elif self._acceptable(session, transaction, content):
                    accepted.append(recipient)
                    session.reply(250, "2.1.5", f"<{recipient[0]}> delivered.")
                self.executed(session)
        finally:
            if accepted:
                self._keep(session, transaction, accepted, content)

    def _acceptable(self, session: Session, transaction: Transaction, content: Content) -> bool:
        if content.too_large:
            session.reply(552, "5.3.4", f"Messages are limited to {self.rules.size_limit} bytes.")
        elif not transaction.recipients:
            session.reply(554, "5.5.1", "No valid recipients.")
        else:
            return True
        return False

    def _keep(
        self,
        session: Session,
        transaction: Transaction,
        recipients: list[tuple[str, tuple[str, ...]]],
        content: Content,
    ) -> None:
        self.counters.messages += 1
        self.counters.bytes_received += content.size
        value = content.value
        for deed in _improper(value, transaction):
            self.object_to(session, deed)
        self.messages.append(
            Received(
                sender=transaction.sender,
                recipients=tuple(address for address, _ in recipients),
                content=value,
                size=content.size,
                sha256=content.sha256,
                mail_options=transaction.options,
                rcpt_options=tuple(options for _, options in recipients),
                authenticated=session.authenticated,
                secure=session.secure,
                connection=session.number,
            )
        )


def _improper(value: bytes, transaction: Transaction) -> Iterator[str]:
    """Yield what is wrong with a content, given what MAIL has said about it."""
    body = transaction.option("BODY")
    if body != "BINARYMIME":
        if not value.count(b"\r\n") == value.count(b"\r") == value.count(b"\n"):
            yield "content with a lone CR or LF"
        if _has_long_line(value):
            yield "content with a line of more than 1,000 bytes"
    if not value.isascii():
        if body not in ("8BITMIME", "BINARYMIME"):
            yield "content with bytes over 127, without BODY=8BITMIME"
        if transaction.option("SMTPUTF8") is None and not value.partition(b"\r\n\r\n")[0].isascii():
            yield "headers with bytes over 127, without SMTPUTF8"


def _has_long_line(value: bytes) -> bool:
    start = 0
    while len(value) - start > _LONGEST_LINE:
        end = value.rfind(b"\n", start, start + _LONGEST_LINE)
        if end < 0:
            return True
        start = end + 1
    return False


def payload_of(argument: str) -> int | None:
    """Return how many bytes follow a BDAT; None if its argument is nonsense."""
    size, _, rest = argument.partition(" ")
    return int(size) if size.isascii() and size.isdigit() and rest.upper() in ("", "LAST") else None
