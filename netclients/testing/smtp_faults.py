"""Scripted faults of the embedded SMTP server: what goes wrong, at which command, and how often.

They count as those of :mod:`~netclients.testing.ftp_faults` do, and :class:`Reply`, :class:`Delay`,
:class:`Stall` and :class:`Hangup` are the same. Verbs are SMTP's, and two more: ``"CONNECT"`` is the greeting,
``"CONTENT"`` the end of a message's content, behind its lone dot or its last BDAT. The argument of a command
is what follows the verb (``"TO:<a@b.example>"``); that of ``"CONTENT"`` is the sender, and in LMTP, where it
comes once for each recipient, the recipient.

A reply that begins with 421 closes the connection. Whatever becomes of a BDAT, its payload is read first.

========================================================  ===================================================
``Reply("RCPT", "550 5.1.1 Unknown", argument="TO:<x@*")``  refuses one recipient
``Reply("CONTENT", "451 4.3.0 Later", times=1)``          refuses the first message, after its content
``Reply("MAIL", "421 4.3.2 Going down", skip=10)``        ends the connection at the eleventh MAIL
``Hangup("CONTENT")``                                     cut when the content is there, nothing kept
``Hangup("CONTENT", executed=True)``                      the message is kept, its 250 gets lost
``HangupAfter("RCPT")``                                   cut after the reply was sent
``Greylist("*@b.example", times=2)``                      each of these recipients is deferred twice
========================================================  ===================================================
"""

from __future__ import annotations

import collections
import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass, field

from .ftp_faults import Delay, Fault, FaultScript, Hangup, Reply, Stall

__all__ = [
    "CutContent",
    "Delay",
    "Fault",
    "Greylist",
    "Hangup",
    "HangupAfter",
    "InjectClear",
    "Reply",
    "SMTPFaultScript",
    "Stall",
]


@dataclass(frozen=True, slots=True)
class HangupAfter(Fault):
    """Executes the command, sends its reply, and cuts the connection, with `reset` by a RST."""

    reset: bool = False


@dataclass(frozen=True, slots=True)
class Greylist(Fault):
    """Defers each recipient that matches `recipients`, a shell-style pattern, the first `times` times."""

    verb: str = field(default="RCPT", init=False)
    recipients: str = "*"
    times: int | None = field(default=1, kw_only=True)
    text: str = field(default="450 4.7.1 Greylisted, try again later.", kw_only=True)


@dataclass(frozen=True, slots=True)
class InjectClear(Fault):
    """Sends `text` in clear behind the reply to STARTTLS, in one piece with it: somebody in the middle."""

    verb: str = field(default="STARTTLS", init=False)
    text: str = "250 2.0.0 injected\r\n"


@dataclass(frozen=True, slots=True)
class CutContent(Fault):
    """Cuts the connection within the content of a message, once `after` bytes of it have come.

    It counts the messages that are longer. `text` is sent first, if there is any: a server that lost patience.
    """

    verb: str = field(default="CONTENT", init=False)
    after: int = 0
    text: str = ""
    reset: bool = False


class SMTPFaultScript(FaultScript):
    """Counts commands against a list of faults and says which of them fire."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        super().__init__(faults)
        self._deferred: collections.Counter[tuple[int, str]] = collections.Counter()
        self.cuts_content = any(isinstance(fault, CutContent) for fault in self.faults)

    def at_command(self, verb: str, argument: str) -> list[Fault]:
        """Return the faults that fire at this command: delays first, then at most one of another kind."""
        firing: list[Fault] = []
        for index, fault in enumerate(self.faults):
            if isinstance(fault, CutContent) or not fault.concerns(verb, argument):
                continue
            if isinstance(fault, Greylist):
                if self._defers(index, fault, argument):
                    return [*firing, Reply("RCPT", fault.text)]
            elif self._counts(index):
                firing.append(fault)
                if not isinstance(fault, Delay):
                    break
        return firing

    def at_content(self, sender: str, size: int) -> CutContent | None:
        """Return the cut that a message gets now that `size` bytes of it have come."""
        for index, fault in enumerate(self.faults):
            if (
                isinstance(fault, CutContent)
                and size > fault.after
                and fault.concerns("CONTENT", sender)
                and self._counts(index)
            ):
                return fault
        return None

    def _defers(self, index: int, fault: Greylist, argument: str) -> bool:
        recipient = argument.partition("<")[2].partition(">")[0].lower()
        if not fnmatch.fnmatchcase(recipient, fault.recipients.lower()):
            return False
        if fault.times is not None and self._deferred[index, recipient] >= fault.times:
            return False
        self._deferred[index, recipient] += 1
        self._fired[index] += 1
        return True
