"""Typed, asyncio-first clients for FTP and SMTP (IMAP, POP3 and NNTP to follow) over shared layers.

Names are loaded when they are first used: importing the package costs next to nothing, and a client of one
protocol loads no other.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netclients.config import Bounds as Bounds
    from netclients.config import Endpoint as Endpoint
    from netclients.config import External as External
    from netclients.config import Login as Login
    from netclients.config import OAuth as OAuth
    from netclients.config import PoolLimits as PoolLimits
    from netclients.config import Timeouts as Timeouts
    from netclients.config import TLSMode as TLSMode
    from netclients.errors import AuthenticationError as AuthenticationError
    from netclients.errors import ConfigurationError as ConfigurationError
    from netclients.errors import ConnectError as ConnectError
    from netclients.errors import ConnectionLost as ConnectionLost
    from netclients.errors import LocalFileError as LocalFileError
    from netclients.errors import NetClientError as NetClientError
    from netclients.errors import NotFetched as NotFetched
    from netclients.errors import OutcomeUnknown as OutcomeUnknown
    from netclients.errors import PermanentReplyError as PermanentReplyError
    from netclients.errors import PhaseTimeout as PhaseTimeout
    from netclients.errors import PoolTimeout as PoolTimeout
    from netclients.errors import ProtocolError as ProtocolError
    from netclients.errors import RecipientsRefused as RecipientsRefused
    from netclients.errors import RemoteFileNotFound as RemoteFileNotFound
    from netclients.errors import RemoteIsADirectory as RemoteIsADirectory
    from netclients.errors import RemotePermissionDenied as RemotePermissionDenied
    from netclients.errors import ReplyError as ReplyError
    from netclients.errors import TLSError as TLSError
    from netclients.errors import TooManyConnections as TooManyConnections
    from netclients.errors import TransientReplyError as TransientReplyError
    from netclients.errors import TransportError as TransportError
    from netclients.errors import TruncatedTransfer as TruncatedTransfer
    from netclients.errors import UIDValidityChanged as UIDValidityChanged
    from netclients.errors import UnsupportedError as UnsupportedError
    from netclients.events import Events as Events
    from netclients.ftp.client import FTPClient as FTPClient
    from netclients.ftp.connection import FTPConnection as FTPConnection
    from netclients.ftp.results import Download as Download
    from netclients.ftp.results import Item as Item
    from netclients.ftp.results import Progress as Progress
    from netclients.ftp.results import Upload as Upload
    from netclients.ftp.types import Entry as Entry
    from netclients.ftp.types import EntryKind as EntryKind
    from netclients.ftp.types import Features as Features
    from netclients.ftp.types import TransferType as TransferType
    from netclients.imap.connection import IMAPConnection as IMAPConnection
    from netclients.imap.listing import MailboxInfo as MailboxInfo
    from netclients.imap.mailbox import Mailbox as Mailbox
    from netclients.imap.search import Q as Q
    from netclients.imap.transfers import Copied as Copied
    from netclients.imap.transfers import Deleted as Deleted
    from netclients.imap.transfers import Moved as Moved
    from netclients.mail.compose import compose as compose
    from netclients.mail.dkim import DKIM as DKIM
    from netclients.mail.message import Message as Message
    from netclients.mail.reading import UID as UID
    from netclients.mail.reading import Address as Address
    from netclients.mail.reading import BodyPart as BodyPart
    from netclients.mail.reading import MessageInfo as MessageInfo
    from netclients.mail.received import Received as Received
    from netclients.pending import Pending as Pending
    from netclients.pool import PoolStats as PoolStats
    from netclients.reader import MailReader as MailReader
    from netclients.retry import RetryPolicy as RetryPolicy
    from netclients.smtp.client import MailSender as MailSender
    from netclients.smtp.client import Outgoing as Outgoing
    from netclients.smtp.connection import SMTPConnection as SMTPConnection
    from netclients.smtp.types import DSN as DSN
    from netclients.smtp.types import Extensions as Extensions
    from netclients.smtp.types import Receipt as Receipt
    from netclients.streams import Stream as Stream
    from netclients.wire.replies import Reply as Reply

__version__ = "0.1.0"

_HOMES = {
    "config": ("Bounds", "Endpoint", "External", "Login", "OAuth", "PoolLimits", "TLSMode", "Timeouts"),
    "errors": (
        "AuthenticationError",
        "ConfigurationError",
        "ConnectError",
        "ConnectionLost",
        "LocalFileError",
        "NetClientError",
        "NotFetched",
        "OutcomeUnknown",
        "PermanentReplyError",
        "PhaseTimeout",
        "PoolTimeout",
        "ProtocolError",
        "RecipientsRefused",
        "RemoteFileNotFound",
        "RemoteIsADirectory",
        "RemotePermissionDenied",
        "ReplyError",
        "TLSError",
        "TooManyConnections",
        "TransientReplyError",
        "TransportError",
        "TruncatedTransfer",
        "UIDValidityChanged",
        "UnsupportedError",
    ),
    "events": ("Events",),
    "ftp.client": ("FTPClient",),
    "ftp.connection": ("FTPConnection",),
    "ftp.results": ("Download", "Item", "Progress", "Upload"),
    "ftp.types": ("Entry", "EntryKind", "Features", "TransferType"),
    "imap.connection": ("IMAPConnection",),
    "imap.listing": ("MailboxInfo",),
    "imap.mailbox": ("Mailbox",),
    "imap.search": ("Q",),
    "imap.transfers": ("Copied", "Deleted", "Moved"),
    "mail.compose": ("compose",),
    "mail.dkim": ("DKIM",),
    "mail.message": ("Message",),
    "mail.reading": ("UID", "Address", "BodyPart", "MessageInfo"),
    "mail.received": ("Received",),
    "pending": ("Pending",),
    "pool": ("PoolStats",),
    "reader": ("MailReader",),
    "retry": ("RetryPolicy",),
    "smtp.client": ("MailSender", "Outgoing"),
    "smtp.connection": ("SMTPConnection",),
    "smtp.types": ("DSN", "Extensions", "Receipt"),
    "streams": ("Stream",),
    "wire.replies": ("Reply",),
}
_MODULE_OF = {name: f"netclients.{module}" for module, names in _HOMES.items() for name in names}

__all__ = ["__version__", *sorted(_MODULE_OF)]


def __getattr__(name: str) -> Any:
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
