"""Scripted faults of the embedded SMTP server, beside those of the FTP server, which serve it as well.

:class:`~.ftp_faults.Reply` refuses (a 421 ends the connection too), :class:`~.ftp_faults.Delay`,
:class:`~.ftp_faults.Stall` and :class:`~.ftp_faults.Hangup` do what they do in FTP. Where a fault acts:

- ``"CONNECT"``: the greeting.
- A verb (``"EHLO"``, ``"MAIL"``, ``"RCPT"``, ``"DATA"``, ``"BDAT"``, ...): that command. `argument` is matched
  with the bare address for MAIL and RCPT, with everything behind the verb for others. The payload of a BDAT
  that is refused is read all the same.
- ``"AUTH-RESPONSE"``: each line with which a client answers a challenge.
- ``"CONTENT"``: the message, once it is there in full, by DATA or by the last BDAT. `argument` is matched with
  the sender; in LMTP with the recipient, and each recipient counts.

::

    Reply("RCPT", "550 5.1.1 No such user.", argument="bob@*")
    Hangup("CONTENT", executed=True)        # accepted, and cut before the 250
    Reply("*", "421 4.3.2 Shutting down.", skip=7, times=1)
"""

from __future__ import annotations

import collections
import fnmatch
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from .ftp_faults import Delay, Fault, FaultScript, Hangup, Reply, Stall

__all__ = [
    "CutContent",
    "Delay",
    "Fault",
    "Greylist",
    "Hangup",
    "HangupAfter",
    "InjectClear",
    "MailFaultScript",
    "Reply",
    "Stall",
]


@dataclass(frozen=True, slots=True)
class Greylist(Fault):
    """Puts each recipient that matches the pattern `recipients` off, the first `times` times that it is named."""

    verb: str = field(default="RCPT", kw_only=True)
    times: int | None = field(default=1, kw_only=True)
    recipients: str = "*"
    text: str = "450 4.7.1 Greylisted, try again later."

    def concerns(self, verb: str, argument: str) -> bool:
        """Tell whether this is a recipient to put off."""
        return verb == self.verb and fnmatch.fnmatchcase(argument, self.recipients)


@dataclass(frozen=True, slots=True)
class HangupAfter(Fault):
    """Executes the command, sends its reply, and ends the connection, with `reset` by a RST."""

    reset: bool = False


@dataclass(frozen=True, slots=True)
class InjectClear(Fault):
    """Sends `text` in clear behind the reply to STARTTLS, in one piece with it, as somebody in the middle would."""

    verb: str = field(default="STARTTLS", kw_only=True)
    text: str = "250 2.0.0 Injected.\r\n"


@dataclass(frozen=True, slots=True)
class CutContent(Fault):
    """Cuts the connection amid a message's content, after `after` bytes of it, if it is longer.

    `argument` is matched with the sender. `how`: ``"fin"`` ends the connection (over TLS without a close alert),
    ``"reset"`` resets it, ``"stall"`` reads no further and keeps it open.
    """

    verb: str = field(default="CONTENT", kw_only=True)
    after: int = 0
    how: Literal["fin", "reset", "stall"] = "reset"

    def concerns(self, verb: str, argument: str) -> bool:
        """No command is meant, but a content."""
        return False


class MailFaultScript(FaultScript):
    """Counts commands and contents against a list of faults and says which of them fire."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        super().__init__(faults)
        self._argument = ""
        self._put_off: collections.Counter[tuple[int, str]] = collections.Counter()

    def at_command(self, verb: str, argument: str) -> list[Fault]:
        """Return the faults that fire at this command: those that let others pass, then at most one more."""
        self._argument = argument
        return super().at_command(verb, argument)

    def at_content(self, sender: str) -> CutContent | None:
        """Return the cut that lies in wait for a content that is about to come."""
        for index, fault in enumerate(self.faults):
            if isinstance(fault, CutContent) and fnmatch.fnmatchcase(sender, fault.argument) and self._counts(index):
                return fault
        return None

    def _counts(self, index: int) -> bool:
        fault = self.faults[index]
        if not isinstance(fault, Greylist):
            return super()._counts(index)
        key = index, self._argument
        if fault.times is not None and self._put_off[key] >= fault.times:
            return False
        self._put_off[key] += 1
        self._fired[index] += 1
        return True
