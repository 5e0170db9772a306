"""APPEND: messages into a mailbox, streamed, several at once where the server can (RFC 9051 section 6.3.12)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from netclients.errors import ConfigurationError, NetClientError, OutcomeUnknown
from netclients.imap import arguments
from netclients.imap.arguments import Piece
from netclients.imap.commands import Command, Upload, command
from netclients.imap.connection.dialogue import Dialogue
from netclients.imap.types import AppendUID
from netclients.transport.readiness import Deadline
from netclients.transport.threads import in_thread

if TYPE_CHECKING:
    from netclients.imap.types import Status
    from netclients.wire.pipeline import Ticket

__all__ = ["Appended", "Appending"]


@dataclass(frozen=True, slots=True)
class Appended:
    """One message to append: ``size`` bytes that ``chunks`` yields; ``date`` is its INTERNALDATE, with a zone.

    ``binary``: it may have NUL (RFC 3516).
    """

    size: int
    chunks: Iterable[bytes] | AsyncIterable[bytes]
    flags: Sequence[str] = ()
    date: datetime | None = None
    binary: bool = False


class Appending(Dialogue):
    """APPEND."""

    async def append(self, mailbox: str | bytes, *messages: Appended) -> AppendUID | None:
        """APPEND messages: all of them or none (MULTIAPPEND, RFC 3502); return their UIDs if the server tells.

        Nothing has to fit into memory: ``chunks`` are sent as they come (plain iterables are asked in worker threads),
        and no byte before the server's leave unless it has said that it needs none (LITERAL+, RFC 7888).

        Raises:
            UnsupportedError: several messages, or a binary one, and the server lacks MULTIAPPEND or BINARY.
            OutcomeUnknown: the reply is lost: the messages are there or not.
            ConfigurationError: a message yields another number of bytes than its size says. Nothing was appended.
        """
        if len(messages) > 1:
            self.require("MULTIAPPEND")
        if any(message.binary for message in messages):
            self.require("BINARY")
        words: list[Piece | Sequence[Piece | Upload]] = [arguments.mailbox(mailbox, utf8=self.protocol.utf8)]
        for message in messages:
            if message.flags:
                words.append(arguments.flag_list(message.flags))
            if message.date is not None:
                words.append(arguments.date_time(message.date))
            words.append(self._content(message))
        ticket = self.submit(command("APPEND", *words))
        try:
            for message in messages:
                if not await self._upload(ticket, message):
                    break
        except NetClientError as error:
            if self._may_be_done(ticket):
                raise OutcomeUnknown(str(ticket.command), str(error)) from error
            self._leave_amid(ticket, type(error).__name__)
            raise
        except BaseException:
            if self._may_be_done(ticket):
                self.settings.trace.outcome_unknown(str(ticket.command))
            self._leave_amid(ticket, "cancelled")
            raise
        status = await self.conclude(ticket)
        return status.code.value if status.code is not None and isinstance(status.code.value, AppendUID) else None

    def _leave_amid(self, ticket: Ticket[Command, Status], reason: str) -> None:
        # Half of it is with the server, which keeps it only as a whole; or it is due, and nobody would stream it.
        if ticket.open or not ticket.sent:
            self.abort(f"{reason} amid a message")

    def _content(self, message: Appended) -> Sequence[Piece | Upload]:
        if "UTF8=ACCEPT" in self.protocol.enabled and not message.binary:
            return [b"UTF8 (", Upload(message.size, binary=True), b")"]  # a literal8 (RFC 6855 section 4)
        return [Upload(message.size, message.binary)]

    async def _upload(self, ticket: Ticket[Command, Status], message: Appended) -> bool:
        """Stream one message; return False if the server has ended the command instead."""
        await self._wait_for_turn(ticket)
        if _over(ticket):
            return False
        left = message.size
        source = _Source(message.chunks)
        try:
            while left >= 0 and (chunk := await source.next()) is not None:
                left -= len(chunk)
                if left < 0:
                    break
                self.protocol.released_behind(ticket, len(chunk))
                await self._engine.send(chunk, self.settings.timeouts.stall, "stall")
                self.look()
                if _over(ticket) or self.protocol.ended:
                    self.abort("the server answered before it had the message")
                    if not _over(ticket):
                        self.check_alive(ticket)
                    return False
        finally:
            await source.aclose()
        if left:
            self.abort("the message is of another size")
            raise _wrong_size(message.size, left)
        self.protocol.uploaded()
        await self.flush()
        return True

    async def _wait_for_turn(self, ticket: Ticket[Command, Status]) -> None:
        timeout = self.settings.timeouts.reply
        await self.flush()
        with Deadline(timeout, "reply", ticket.command) as deadline:
            while not _over(ticket) and self.protocol.upload_due is None:
                self.check_alive(ticket)
                await self.receive(deadline.left(), "reply")
                await self.flush()


def _over(ticket: Ticket[Command, Status]) -> bool:
    return ticket.reply is not None


class _Source:
    """The caller's chunks, one after the other: asked here if that is asynchronous, otherwise in worker threads."""

    def __init__(self, chunks: Iterable[bytes] | AsyncIterable[bytes]) -> None:
        self._asynchronous = aiter(chunks) if isinstance(chunks, AsyncIterable) else None
        self._blocking: Iterator[bytes] = iter(()) if isinstance(chunks, AsyncIterable) else iter(chunks)

    async def next(self) -> bytes | None:
        """Return the next chunk; None: that was all."""
        if self._asynchronous is not None:
            return await anext(self._asynchronous, None)
        return await in_thread(self._next_blocking)

    def _next_blocking(self) -> bytes | None:
        return next(self._blocking, None)

    async def aclose(self) -> None:
        """Let a generator finish."""
        if isinstance(self._asynchronous, AsyncGenerator):
            await self._asynchronous.aclose()


def _wrong_size(size: int, left: int) -> ConfigurationError:
    return ConfigurationError(f"a message of {size} bytes turned out to be of {'more' if left < 0 else size - left}")
