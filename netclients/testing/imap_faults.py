r"""Scripted faults of the embedded IMAP server, beside those of the FTP and SMTP servers, which serve it as well.

:class:`~.ftp_faults.Reply` answers instead of executing: a `text` that begins with OK, NO or BAD gets the command's
tag in front, any other is sent as it is, with ``{tag}`` for the tag; ``* BYE`` in it ends the connection too.
:class:`~.ftp_faults.Delay`, :class:`~.ftp_faults.Stall`, :class:`~.ftp_faults.Hangup`,
:class:`~.smtp_faults.HangupAfter`, :class:`~.smtp_faults.InjectClear` (with a `text` of IMAP) do what they do there.
Where a fault acts:

- ``"CONNECT"``: the greeting.
- A command's name (``"SELECT"``, ``"FETCH"``, ...): that command, by UIDs too; `argument` is matched with
  everything behind the name, and begins with ``UID`` for those by UIDs (``argument="UID 5 *"``).
- ``"LITERAL"``: the place where the server would invite a literal; `argument` is matched with all of the line.
- ``"AUTH-RESPONSE"``: each line with which a client answers a challenge.
- ``"DONE"``: the line that ends IDLE.
- :class:`~.smtp_faults.CutContent`: the message of an APPEND; its `argument` is matched with the mailbox.

::

    Reply("SELECT", "NO [UNAVAILABLE] Come back later.", times=1)
    Unsolicited("NOOP", "* 7 EXPUNGE")
    CutReply("FETCH", reply=2, after=40)                      # amid the third reply
    Meanwhile("IDLE", do=lambda: server.add("me", "INBOX", message))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Literal

from .ftp_faults import Delay, Fault, Hangup, Reply, Stall
from .smtp_faults import CutContent, HangupAfter, InjectClear

__all__ = [
    "CutContent",
    "CutReply",
    "Delay",
    "Fault",
    "Hangup",
    "HangupAfter",
    "InjectClear",
    "Meanwhile",
    "Reply",
    "Stall",
    "Unsolicited",
    "WrongTag",
]


@dataclass(frozen=True, slots=True)
class Unsolicited(Fault):
    """Says `text` (lines parted by CRLF) before the command is executed, or `late`, right before its tagged reply.

    Others have their turn behind it.
    """

    passes: ClassVar[bool] = True

    text: str = "* OK Still here"
    late: bool = False


@dataclass(frozen=True, slots=True)
class Meanwhile(Fault):
    """Calls `do` before the command is executed: whatever else may happen in a server just then.

    It runs on the server's loop, and may call all of the server's methods: add and expunge messages, let tokens
    expire, change UIDVALIDITY or capabilities. Others have their turn behind it.
    """

    passes: ClassVar[bool] = True

    do: Callable[[], object] = lambda: None


@dataclass(frozen=True, slots=True)
class WrongTag(Fault):
    """Executes the command, and gives its tagged reply another tag. Others have their turn behind it."""

    passes: ClassVar[bool] = True

    tag: str = "WRONG"


@dataclass(frozen=True, slots=True)
class CutReply(Fault):
    """Executes the command, and cuts the connection amid what it answers.

    Replies are counted from 0, the tagged one among them; `reply` -1 is the tagged one. `after` bytes of that reply
    are sent (its literals count; negative: all but so many; None: all of it). `how`: ``"fin"`` ends the connection
    (over TLS without a close alert), ``"reset"`` resets it, ``"stall"`` keeps it open and says nothing more.
    Others have their turn behind it.
    """

    passes: ClassVar[bool] = True

    reply: int = 0
    after: int | None = 0
    how: Literal["fin", "reset", "stall"] = "fin"
