"""One NNTP connection: a typed method for each command, no retries, no pool.

Made by :func:`netclients.nntp.login.connect`. Most methods return a :class:`Pending`: the command is on its way as soon
as somebody waits for any of them, so that several share a round trip::

    pending = [connection.article(message_id) for message_id in message_ids]
    for each in pending:
        article = await each

All raise :class:`~netclients.errors.ReplyError` with the reply's code when the server refuses (480:
:class:`~netclients.errors.AuthenticationError`, it wants a login), :class:`~netclients.errors.UnsupportedError` when it
lacks the command, :class:`~netclients.errors.OutcomeUnknown` when the reply to an article is lost,
:class:`~netclients.errors.ConnectionLost` and :class:`~netclients.errors.PhaseTimeout` when the server is gone or
silent, and :class:`~netclients.errors.ConfigurationError` for arguments that are none.
"""

from __future__ import annotations

from netclients.nntp.connection.feeding import Feeding
from netclients.nntp.connection.listing import Listing
from netclients.nntp.connection.reading import Reading
from netclients.nntp.connection.session import Session
from netclients.pending import Pending

__all__ = ["NNTPConnection", "Pending"]


class NNTPConnection(Session, Reading, Listing, Feeding):
    """A connection that has been greeted, and logged in if there are credentials. Not for several tasks at once.

    ``capabilities`` is what the server offers now, ``welcome`` its greeting, ``posting`` whether it says that one may
    post, ``authenticated`` whether somebody has logged in, ``compressed`` whether COMPRESS is on, ``selected`` the
    current group.
    """
