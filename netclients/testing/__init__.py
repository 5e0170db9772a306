"""Servers, faults and drivers for tests: your own and those of this library (extra ``testing``).

- :class:`FTPServer`: an FTP server on loopback, plain or TLS, with scripted faults
  (:mod:`~netclients.testing.ftp_faults`)
- :class:`SMTPServer`: an SMTP or LMTP server that keeps what it is sent, with scripted faults
  (:mod:`~netclients.testing.smtp_faults`)
- :class:`IMAPServer`: an IMAP server with mailboxes in memory, with scripted faults
  (:mod:`~netclients.testing.imap_faults`)
- :class:`NNTPServer`: an NNTP server with groups in memory, with the scripted faults of SMTP's
- :class:`POP3Server`: a POP3 server with maildrops in memory, with the scripted faults of SMTP's
- :class:`FaultProxy`: a proxy that makes the network misbehave, in front of any server
- :func:`cancel_everywhere`, :func:`random_cancellations`: cancel a call at every point where it waits
- :class:`ScriptedServer` and :func:`parse_script`: servers that play a written dialogue
- :mod:`~netclients.testing.certificates`: certificates for loopback, and contexts that trust them

Servers and proxy run on the asyncio loop (``async with``), or on a loop of their own in a new thread
(``with``), for trio and for blocking code.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cancel import Cancellations as Cancellations
    from .cancel import cancel_everywhere as cancel_everywhere
    from .cancel import random_cancellations as random_cancellations
    from .fault_plans import Cut as Cut
    from .fault_plans import FaultReport as FaultReport
    from .fault_plans import Flow as Flow
    from .fault_plans import Inject as Inject
    from .fault_plans import Plan as Plan
    from .faults import FaultProxy as FaultProxy
    from .ftp import FTPServer as FTPServer
    from .ftp import FTPServerStats as FTPServerStats
    from .ftp_faults import CutData as CutData
    from .ftp_faults import Delay as Delay
    from .ftp_faults import Fault as Fault
    from .ftp_faults import Hangup as Hangup
    from .ftp_faults import Reply as Reply
    from .ftp_faults import Stall as Stall
    from .imap import IMAPCommand as IMAPCommand
    from .imap import IMAPMessage as IMAPMessage
    from .imap import IMAPServer as IMAPServer
    from .imap import IMAPServerStats as IMAPServerStats
    from .imap_faults import CutReply as CutReply
    from .imap_faults import Meanwhile as Meanwhile
    from .imap_faults import Unsolicited as Unsolicited
    from .imap_faults import WrongTag as WrongTag
    from .nntp import NewsArticle as NewsArticle
    from .nntp import NNTPCommand as NNTPCommand
    from .nntp import NNTPServer as NNTPServer
    from .nntp import NNTPServerStats as NNTPServerStats
    from .pop3 import POP3Command as POP3Command
    from .pop3 import POP3Message as POP3Message
    from .pop3 import POP3Server as POP3Server
    from .pop3 import POP3ServerStats as POP3ServerStats
    from .script import Close as Close
    from .script import Expect as Expect
    from .script import ExpectClose as ExpectClose
    from .script import Generate as Generate
    from .script import Match as Match
    from .script import Reset as Reset
    from .script import Say as Say
    from .script import ScriptError as ScriptError
    from .script import StartTLS as StartTLS
    from .script import Step as Step
    from .script import parse_script as parse_script
    from .scripted_server import Played as Played
    from .scripted_server import ScriptedServer as ScriptedServer
    from .smtp import Received as Received
    from .smtp import SMTPServer as SMTPServer
    from .smtp import SMTPServerStats as SMTPServerStats
    from .smtp_faults import CutContent as CutContent
    from .smtp_faults import Greylist as Greylist
    from .smtp_faults import HangupAfter as HangupAfter
    from .smtp_faults import InjectClear as InjectClear

# Loaded on first use: a test that needs no FTP server needs no aioftp.
_HOME = {
    "Cancellations": "cancel",
    "Close": "script",
    "Cut": "fault_plans",
    "CutContent": "smtp_faults",
    "CutData": "ftp_faults",
    "CutReply": "imap_faults",
    "Delay": "ftp_faults",
    "Expect": "script",
    "ExpectClose": "script",
    "FTPServer": "ftp",
    "FTPServerStats": "ftp",
    "Fault": "ftp_faults",
    "FaultProxy": "faults",
    "FaultReport": "fault_plans",
    "Flow": "fault_plans",
    "Generate": "script",
    "Greylist": "smtp_faults",
    "Hangup": "ftp_faults",
    "HangupAfter": "smtp_faults",
    "IMAPCommand": "imap",
    "IMAPMessage": "imap",
    "IMAPServer": "imap",
    "IMAPServerStats": "imap",
    "Inject": "fault_plans",
    "InjectClear": "smtp_faults",
    "Match": "script",
    "Meanwhile": "imap_faults",
    "NNTPCommand": "nntp",
    "NNTPServer": "nntp",
    "NNTPServerStats": "nntp",
    "NewsArticle": "nntp",
    "POP3Command": "pop3",
    "POP3Message": "pop3",
    "POP3Server": "pop3",
    "POP3ServerStats": "pop3",
    "Plan": "fault_plans",
    "Played": "scripted_server",
    "Received": "smtp",
    "Reply": "ftp_faults",
    "Reset": "script",
    "SMTPServer": "smtp",
    "SMTPServerStats": "smtp",
    "Say": "script",
    "ScriptError": "script",
    "ScriptedServer": "scripted_server",
    "Stall": "ftp_faults",
    "StartTLS": "script",
    "Step": "script",
    "Unsolicited": "imap_faults",
    "WrongTag": "imap_faults",
    "cancel_everywhere": "cancel",
    "parse_script": "script",
    "random_cancellations": "cancel",
}

__all__ = [
    "Cancellations",
    "Close",
    "Cut",
    "CutContent",
    "CutData",
    "CutReply",
    "Delay",
    "Expect",
    "ExpectClose",
    "FTPServer",
    "FTPServerStats",
    "Fault",
    "FaultProxy",
    "FaultReport",
    "Flow",
    "Generate",
    "Greylist",
    "Hangup",
    "HangupAfter",
    "IMAPCommand",
    "IMAPMessage",
    "IMAPServer",
    "IMAPServerStats",
    "Inject",
    "InjectClear",
    "Match",
    "Meanwhile",
    "NNTPCommand",
    "NNTPServer",
    "NNTPServerStats",
    "NewsArticle",
    "POP3Command",
    "POP3Message",
    "POP3Server",
    "POP3ServerStats",
    "Plan",
    "Played",
    "Received",
    "Reply",
    "Reset",
    "SMTPServer",
    "SMTPServerStats",
    "Say",
    "ScriptError",
    "ScriptedServer",
    "Stall",
    "StartTLS",
    "Step",
    "Unsolicited",
    "WrongTag",
    "cancel_everywhere",
    "parse_script",
    "random_cancellations",
]


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    try:
        value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    except ModuleNotFoundError as error:
        if error.name in ("aioftp", "trustme"):
            raise ImportError(f"{name} needs {error.name}: install netclients[testing]") from error
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
