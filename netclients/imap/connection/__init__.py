"""One IMAP connection: a typed method for each command, no retries, no pool.

Made by :func:`netclients.imap.login.connect`, lent by ``MailReader.connection()``. Most methods return a
:class:`Pending`: the command is on its way as soon as somebody waits for any of them, so that several share a round
trip::

    pending = [connection.uid_fetch(uid, body=True) for uid in uids]
    for each in pending:
        [message] = await each

All raise :class:`~netclients.errors.ReplyError` when the server refuses,
:class:`~netclients.errors.UnsupportedError` when it lacks the command,
:class:`~netclients.errors.OutcomeUnknown` when the reply to a command is lost that must not be repeated,
:class:`~netclients.errors.ConnectionLost` and :class:`~netclients.errors.PhaseTimeout` when the server is gone or
silent, and :class:`~netclients.errors.ConfigurationError` for arguments that are none.
"""

from __future__ import annotations

from netclients.imap.connection.appending import Appending
from netclients.imap.connection.mailboxes import Mailboxes
from netclients.imap.connection.messages import FetchItems, Messages
from netclients.imap.connection.searching import Searching
from netclients.imap.connection.session import Session
from netclients.pending import Pending

__all__ = ["FetchItems", "IMAPConnection", "Pending"]


class IMAPConnection(Session, Mailboxes, Messages, Searching, Appending):
    """A connection that has been greeted, and logged in if there are credentials. Not for several tasks at once.

    ``capabilities`` is what the server offers now, ``selected`` the mailbox that is open, ``welcome`` the greeting.
    """
