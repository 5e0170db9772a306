"""Servers, faults and drivers for tests: your own and those of this library (extra ``testing``).

- :class:`FTPServer`: an FTP server on loopback, plain or TLS, with scripted faults
  (:mod:`~netclients.testing.ftp_faults`)
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

# Loaded on first use: a test that needs no FTP server needs no aioftp.
_HOME = {
    "Cancellations": "cancel",
    "Cut": "fault_plans",
    "CutData": "ftp_faults",
    "Delay": "ftp_faults",
    "FTPServer": "ftp",
    "FTPServerStats": "ftp",
    "Fault": "ftp_faults",
    "FaultProxy": "faults",
    "FaultReport": "fault_plans",
    "Flow": "fault_plans",
    "Hangup": "ftp_faults",
    "Inject": "fault_plans",
    "Plan": "fault_plans",
    "Reply": "ftp_faults",
    "Stall": "ftp_faults",
    "cancel_everywhere": "cancel",
    "random_cancellations": "cancel",
}

__all__ = [
    "Cancellations",
    "Cut",
    "CutData",
    "Delay",
    "FTPServer",
    "FTPServerStats",
    "Fault",
    "FaultProxy",
    "FaultReport",
    "Flow",
    "Hangup",
    "Inject",
    "Plan",
    "Reply",
    "Stall",
    "cancel_everywhere",
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
