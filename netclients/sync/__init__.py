"""The clients for code without an event loop: same names, arguments, results and docstrings, blocking.

::

    with FTPClient("ftp://127.0.0.1:2121", tls="none") as ftp:
        ftp.download("big.bin", "big.bin")
        for entry in ftp.scandir("."):
            print(entry.name)

All of them share one event loop in one background thread, which the first call starts and the end of the
process stops. They may be used from any number of threads. Ctrl-C ends the call under way, and what the call
holds is given back before KeyboardInterrupt goes on. Sinks, progress callbacks and what yields UIDs, or
yields or reads upload data, are called in the caller's own thread; only ``events=`` hooks are called in the
background thread.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netclients.sync.client import Lease as Lease
    from netclients.sync.ftp_client import FTPClient as FTPClient
    from netclients.sync.ftp_connection import FTPConnection as FTPConnection
    from netclients.sync.ftp_connection import Transfer as Transfer
    from netclients.sync.imap_connection import IMAPConnection as IMAPConnection
    from netclients.sync.mail_reader import MailReader as MailReader
    from netclients.sync.mail_sender import MailSender as MailSender
    from netclients.sync.mailbox import Mailbox as Mailbox
    from netclients.sync.remote_file import RemoteFile as RemoteFile
    from netclients.sync.smtp_connection import SMTPConnection as SMTPConnection
    from netclients.sync.streams import Stream as Stream

_HOMES = {
    "client": ("Lease",),
    "ftp_client": ("FTPClient",),
    "ftp_connection": ("FTPConnection", "Transfer"),
    "imap_connection": ("IMAPConnection",),
    "mail_reader": ("MailReader",),
    "mail_sender": ("MailSender",),
    "mailbox": ("Mailbox",),
    "remote_file": ("RemoteFile",),
    "smtp_connection": ("SMTPConnection",),
    "streams": ("Stream",),
}
_MODULE_OF = {name: f"netclients.sync.{module}" for module, names in _HOMES.items() for name in names}

__all__ = [
    "FTPClient",
    "FTPConnection",
    "IMAPConnection",
    "Lease",
    "MailReader",
    "MailSender",
    "Mailbox",
    "RemoteFile",
    "SMTPConnection",
    "Stream",
    "Transfer",
]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
