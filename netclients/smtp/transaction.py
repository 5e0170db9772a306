"""One mail transaction on one connection: RSET, MAIL, RCPT, then DATA and the content, or BDAT.

How much of it is sent before replies have come is decided here; that a refused message's content, or the next
envelope, never lands in another transaction, too: each begins with RSET where anything is sent ahead, and the
content of DATA goes out only when all replies before it are known and agree.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from netclients.errors import ProtocolError
from netclients.smtp import commands
from netclients.smtp.delivery import Verdict
from netclients.wire import dots

if TYPE_CHECKING:
    from netclients.smtp.commands import Command
    from netclients.smtp.connection import SMTPConnection
    from netclients.smtp.delivery import Delivery, Plan
    from netclients.wire.pipeline import Ticket
    from netclients.wire.replies import Reply

__all__ = ["STREAMED_ABOVE", "Phase", "Transaction"]

STREAMED_ABOVE = 512 * 1024  # bytes of content that are sent as one piece at the most


class Phase(enum.Enum):
    """How far a transaction has come."""

    ENVELOPE = "replies to the envelope are awaited"
    STREAMING = "the content is to be streamed"
    CONTENT = "the content was submitted, and its reply is awaited"
    DONE = "all replies have come"


class Transaction:
    """Submits its commands to ``connection``, and reads its verdict from their replies.

    ``ahead``: the whole envelope is sent at once. ``eager``: and the content with it. ``guard``: it begins with RSET.
    """

    def __init__(
        self, connection: SMTPConnection, delivery: Delivery, plan: Plan, *, ahead: bool, eager: bool, guard: bool
    ) -> None:
        self.delivery: Delivery = delivery
        self.plan: Plan = plan
        self.phase: Phase = Phase.ENVELOPE
        self.eager: bool = eager and not plan.binary and plan.message.content is not None
        self.size: int = plan.message.size
        self._connection = connection
        self._ahead = ahead
        self._lmtp = connection.settings.lmtp
        self.answered_early: bool = False
        self._lone_dot = False
        self._rset = connection.submit(commands.command("RSET")) if guard else None
        self._mail = connection.submit(commands.mail(plan.sender, plan.parameters))
        self._rcpts: list[tuple[str, Ticket[Command, Reply]]] = []
        self._data: Ticket[Command, Reply] | None = None
        self.contents: list[Ticket[Command, Reply]] = []
        self._content_of: dict[str, Ticket[Command, Reply]] = {}
        delivery.attempts += 1
        connection.mails += 1
        if self._ahead:
            self._submit_recipients()
            if self.eager:
                self._submit_bdat()
            elif not plan.binary:
                self._data = connection.submit(commands.command("DATA"))

    # Sending

    def _submit_recipients(self) -> None:
        for address, encoded, parameters in self.plan.recipients:
            self._rcpts.append((address, self._connection.submit(commands.rcpt(encoded, parameters))))

    def _submit_bdat(self) -> None:
        message = self.plan.message
        held = message.content
        whole = held is not None and (self.eager or message.size <= STREAMED_ABOVE)
        payload = held if whole and held is not None else b""
        self._submit_content(commands.bdat(message.size, payload), streamed=not whole)

    def _submit_block(self) -> None:
        message = self.plan.message
        held = message.content
        whole = held is not None and message.size <= STREAMED_ABOVE
        block = dots.stuffed(held) if whole and held is not None else b""
        self._submit_content(commands.content(block, message.size), streamed=not whole)

    def _submit_content(self, content: Command, *, streamed: bool) -> None:
        ticket = self._connection.submit(content)
        ticket.open = streamed
        self.contents.append(ticket)
        self.phase = Phase.STREAMING if streamed else Phase.CONTENT
        if self._lmtp:
            accepted = [address for address, ticket in self._rcpts if _said_yes(ticket)]
            for address in accepted[1:]:
                self.contents.append(self._connection.submit(commands.further_reply(address.encode())))
            self._content_of = dict(zip(accepted, self.contents, strict=True))

    def advance(self) -> None:
        """Submit what the replies that have come allow.

        Raises:
            ProtocolError: the server is out of step; the connection is of no more use.
        """
        if self.phase is Phase.CONTENT and all(ticket.reply is not None for ticket in self.contents):
            self.phase = Phase.DONE
        elif self.phase is Phase.ENVELOPE:
            if self._ahead and self._data is not None:
                self._after_data()
            elif self._mail.reply is not None:
                self._step_by_step()

    def _step_by_step(self) -> None:
        """Without pipelining, or before BDAT: nothing is sent that earlier replies make senseless."""
        if not (_said_yes(self._mail) and self._guarded):
            self.phase = Phase.DONE
        elif not self._rcpts:
            self._submit_recipients()
        elif all(ticket.reply is not None for _, ticket in self._rcpts):
            if not self._anybody:
                self.phase = Phase.DONE
            elif self.plan.binary:
                self._submit_bdat()
            elif self._data is None:
                self._data = self._connection.submit(commands.command("DATA"))
            else:
                self._after_data()

    def _after_data(self) -> None:
        assert self._data is not None
        if (invitation := self._data.reply) is None:
            return
        if invitation.code != 354:
            self.phase = Phase.DONE
        elif _said_yes(self._mail) and self._guarded and self._anybody:
            self._submit_block()
        elif self._anybody or self._lmtp:
            # A message would go out from another one's sender; without a recipient, LMTP gives no reply.
            raise ProtocolError("the server wants the content of a transaction that it has refused")
        else:
            self._lone_dot = True
            self._submit_content(commands.content(b".\r\n", 0), streamed=False)

    @property
    def _guarded(self) -> bool:
        return self._rset is None or _said_yes(self._rset)

    @property
    def _anybody(self) -> bool:
        return any(_said_yes(ticket) for _, ticket in self._rcpts)

    def streamed(self, *, whole: bool) -> None:
        """The content was handed over, as a ``whole`` or until the server answered."""
        self.phase = Phase.CONTENT if whole else Phase.DONE

    # What came of it

    @property
    def leaves_clean(self) -> bool:
        """Whether the next transaction on this connection needs no RSET: the content was accepted, and only once."""
        return bool(self.contents) and all(_said_yes(ticket) for ticket in self.contents)

    @property
    def refuses_guard(self) -> bool:
        """Whether the server does not know RSET."""
        reply = self._rset.reply if self._rset is not None else None
        return reply is not None and reply.kind == 5

    @property
    def out_of_step(self) -> bool:
        """Whether a reply shows that the server executed this transaction in another one's state (503, 354)."""
        if any(_code(ticket) // 100 == 3 for ticket in self.contents):
            return True
        if _code(self._mail) == 503 or _code(self._rset) == 503:
            return True
        if _said_yes(self._mail) and any(_code(ticket) == 503 for _, ticket in self._rcpts):
            return True
        return self._anybody and any(_code(ticket) == 503 for ticket in self.contents)

    def verdict(self) -> Verdict:
        """Return what is known of each recipient; what was lost in a connection that is gone is told apart."""
        verdict = Verdict()
        for place, (address, _, _) in enumerate(self.plan.recipients):
            self._judge(verdict, address, self._rcpts[place][1] if self._rcpts else None)
        if verdict.unknown:
            verdict.doubt = "no reply tells whether the content was accepted, or in which transaction"
        return verdict

    def _judge(self, verdict: Verdict, address: str, rcpt: Ticket[Command, Reply] | None) -> None:
        content = self._content_for(address)
        answer = None if content is None else content.reply
        refusal = _refusal(self._mail) or _refusal(rcpt)
        delivered = answer is not None and answer.kind == 2 and not self._lone_dot
        if self._rset is not None and _refusal(self._rset) and delivered:
            refusal = None
            verdict.unknown.append(address)  # in whose transaction, nobody knows
        elif refusal is not None:
            if delivered and _refusal(self._mail) and self._accepted_by_itself(rcpt):
                verdict.unknown.append(address)
            else:
                self._refuse(verdict, address, refusal)
        elif answer is not None:
            if verdict.reply is None or answer.kind == 2:
                verdict.reply = answer
            if answer.kind == 2 and _said_yes(rcpt) and not self.answered_early:
                verdict.accepted.append(address)
            elif answer.kind == 3 or self.answered_early:
                verdict.unknown.append(address)  # it asks for what it has had
            else:
                self._refuse(verdict, address, answer)
        elif content is not None and self._in_doubt(content):
            verdict.unknown.append(address)
        elif self._data is not None and (refusal := _refusal(self._data)) is not None:
            self._refuse(verdict, address, refusal)
        else:
            verdict.unsettled.append(address)

    def _accepted_by_itself(self, rcpt: Ticket[Command, Reply] | None) -> bool:
        return rcpt is not None and (rcpt.reply is None or rcpt.reply.kind == 2)

    def _content_for(self, address: str) -> Ticket[Command, Reply] | None:
        if self._lmtp:
            return self._content_of.get(address)
        return self.contents[0] if self.contents else None

    def _in_doubt(self, content: Ticket[Command, Reply]) -> bool:
        if content.reply is not None or not self._connection.may_have_arrived(content):
            return False
        # What stands behind a command that was answered by 421 is not executed; LMTP's recipients stand side by side.
        ended = self._connection.protocol.goodbye is not None
        return not ended or any(ticket.reply is not None for ticket in self.contents)

    @property
    def doubtful(self) -> bool:
        """Whether the content may have been accepted, or was, and the caller will never hear of it."""
        return not self._lone_dot and any(self._in_doubt(ticket) or _said_yes(ticket) for ticket in self.contents)

    def _refuse(self, verdict: Verdict, address: str, reply: Reply) -> None:
        if reply.code == 421:
            verdict.unsettled.append(address)
        elif reply.kind == 4:
            verdict.deferred[address] = reply
        else:
            verdict.refused[address] = reply


def _said_yes(ticket: Ticket[Command, Reply] | None) -> bool:
    return ticket is not None and ticket.reply is not None and ticket.reply.kind == 2


def _code(ticket: Ticket[Command, Reply] | None) -> int:
    return ticket.reply.code if ticket is not None and ticket.reply is not None else 0


def _refusal(ticket: Ticket[Command, Reply] | None) -> Reply | None:
    """Return the reply if it is a refusal."""
    if ticket is None or ticket.reply is None or ticket.reply.kind in (2, 3):
        return None
    return ticket.reply
