"""Messages: composed from addresses, texts and attachments, or taken as others made them.

``compose`` and ``message_of`` give a ``Message``, which any client of this library can send. Nothing here touches a
network. Files are read with blocking calls, so coroutines call these functions, and read a message's chunks, in worker
threads.

::

    addresses   text like "Ada <ada@example.org>" taken apart
    fields      header fields, encoded and folded
    pieces      bytes and files of which a content is made
    parts       texts, attachments, multiparts
    message     what all of it becomes
    compose     the front door;  raw, parsed: the side doors
    dkim        signatures
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netclients.mail.addresses import Mailbox as Mailbox
    from netclients.mail.compose import compose as compose
    from netclients.mail.dkim import DKIM as DKIM
    from netclients.mail.dkim import sign as sign
    from netclients.mail.message import Message as Message
    from netclients.mail.raw import Sendable as Sendable
    from netclients.mail.raw import message_of as message_of

_HOMES = {
    "DKIM": "netclients.mail.dkim",
    "Mailbox": "netclients.mail.addresses",
    "Message": "netclients.mail.message",
    "Sendable": "netclients.mail.raw",
    "compose": "netclients.mail.compose",
    "message_of": "netclients.mail.raw",
    "sign": "netclients.mail.dkim",
}

__all__ = ["DKIM", "Mailbox", "Message", "Sendable", "compose", "message_of", "sign"]


def __getattr__(name: str) -> Any:
    module = _HOMES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
