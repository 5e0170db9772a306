"""Messages: composed from addresses, texts and attachments, or taken as others made them.

``compose`` and ``message_of`` give a ``Message``, which any client of this library can send. Nothing here touches a
network. Files are read with blocking calls, so coroutines call these functions, and read a message's chunks, in worker
threads.

::

    addresses   text like "Ada <ada@example.org>" taken apart
    fields      header fields, encoded and folded
    pieces      bytes and files of which a content is made
    scanning    what a server must be told of them
    parts       texts, attachments, multiparts
    message     what all of it becomes
    compose     the front door;  raw, parsed: the side doors
    dkim        signatures
"""

from netclients.mail.addresses import Mailbox
from netclients.mail.compose import compose
from netclients.mail.dkim import DKIM, sign
from netclients.mail.message import Message
from netclients.mail.raw import Sendable, message_of

__all__ = ["DKIM", "Mailbox", "Message", "Sendable", "compose", "message_of", "sign"]
