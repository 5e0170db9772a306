"""Articles for the server: POST, IHAVE (RFC 3977 section 6.3), CHECK and TAKETHIS (RFC 4644)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from netclients.errors import ConfigurationError, ProtocolError, printable
from netclients.nntp import arguments, commands
from netclients.nntp.commands import Command, command
from netclients.nntp.connection.dialogue import Dialogue
from netclients.nntp.types import Answer, Reply
from netclients.pending import Pending

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Feeding"]

_STRAY = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")
_IHAVE: Mapping[int, Answer] = {
    335: Answer.WANTED,
    235: Answer.ACCEPTED,
    435: Answer.UNWANTED,
    436: Answer.LATER,
    437: Answer.REJECTED,
}
_STREAM: Mapping[int, Answer] = {
    238: Answer.WANTED,
    239: Answer.ACCEPTED,
    431: Answer.LATER,
    438: Answer.UNWANTED,
    439: Answer.REJECTED,
}


class Feeding(Dialogue):
    """Commands that give articles: bytes whose lines end with CRLF."""

    async def post(self, article: bytes) -> str:
        """POST: give a reader's article to the server; return the text of its reply.

        Raises:
            PermanentReplyError: it takes no posts (440), or not this one (441).
            OutcomeUnknown: the reply is lost.
            ConfigurationError: a line does not end with CRLF, or there is a NUL.
        """
        _check(article)
        marked = self.marked
        await self._invited(command("POST"), marked)
        reply = await self._sent("POST", article, marked)
        return reply.text

    async def ihave(self, message_id: str, article: bytes) -> Answer:
        """IHAVE: offer an article and, if it is wanted, give it.

        Raises:
            OutcomeUnknown: the last reply is lost.
            ConfigurationError: see :meth:`post`.
        """
        _check(article)
        marked = self.marked
        reply = await self._invited(command("IHAVE", arguments.message_id(message_id)), marked)
        if reply.code == 335:
            reply = await self._sent("IHAVE", article, marked)
        return self._answer(_IHAVE, "IHAVE", reply)

    async def _invited(self, sent: Command, marked: bool) -> Reply:
        reply = await self.reply_to(sent)
        if reply.code not in (335, 340):
            self.unmark(marked)
        self.judge(sent, reply)
        return reply

    async def _sent(self, verb: str, article: bytes, marked: bool) -> Reply:
        ticket = self.submit(commands.content(verb, article))
        reply = await self.conclude(ticket, lambda _, __: self.unmark(marked))
        if not ticket.command.accepts(reply):
            raise self.error(verb, reply)
        return reply

    async def mode_stream(self) -> None:
        """MODE STREAM: whether CHECK and TAKETHIS are known; it changes nothing (RFC 4644 section 2.3)."""
        marked = self.marked
        reply = await self.reply_to(sent := command("MODE STREAM"))
        self.unmark(marked)
        self.judge(sent, reply)

    def check(self, message_id: str) -> Pending[Answer]:
        """CHECK: whether an article is wanted. Many go out one behind the other."""
        return self.begin(command("CHECK", arguments.message_id(message_id)), self._about(message_id))

    def takethis(self, message_id: str, article: bytes) -> Pending[Answer]:
        """TAKETHIS: give an article unasked. Many go out one behind the other.

        Raises:
            OutcomeUnknown: the reply is lost.
            ConfigurationError: see :meth:`post`.
        """
        _check(article)
        return self.begin(commands.takethis(arguments.message_id(message_id), article), self._about(message_id))

    def _about(self, message_id: str) -> Callable[[Reply], Answer]:
        """Return what reads a reply, which begins with the message-id that it is about."""

        def read(reply: Reply) -> Answer:
            told = reply.text.split(maxsplit=1)
            if told and told[0].startswith("<") and told[0] != message_id:
                raise ProtocolError(f"the server answers for another article than {printable(message_id)}: {reply}")
            return self._answer(_STREAM, f"CHECK or TAKETHIS {message_id}", reply)

        return read

    def _answer(self, known: Mapping[int, Answer], sent: str, reply: Reply) -> Answer:
        try:
            return known[reply.code]
        except KeyError:
            raise self.error(sent, reply) from None


def _check(article: bytes) -> None:
    if (stray := _STRAY.search(article)) is not None:
        raise ConfigurationError(f"lines of an article end with CRLF, and it has no NUL: byte {stray.start()}")
