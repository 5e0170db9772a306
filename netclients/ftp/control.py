"""One FTP control connection: the conversation, and the data connections that belong to it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from netclients.conversation import Conversation
from netclients.errors import NetClientError, ReplyError, UnsupportedError
from netclients.ftp.commands import Command, command
from netclients.ftp.protocol import FTPProtocol
from netclients.ftp.refusals import reply_error
from netclients.ftp.replies import parse_passive
from netclients.transport.tls import TLSStream
from netclients.wire.replies import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from netclients.ftp.data import Transfer
    from netclients.ftp.settings import Settings
    from netclients.transport.stream import SocketStream
    from netclients.wire.pipeline import Ticket

__all__ = ["ControlConnection"]


class ControlConnection(Conversation[Command, Reply]):
    """What every method of ``FTPConnection`` stands on. Not for several tasks at once."""

    def __init__(self, settings: Settings, stream: SocketStream) -> None:
        self.settings = settings
        self.protocol: FTPProtocol = FTPProtocol(settings.bounds, settings.encoding)
        super().__init__(settings, stream, self.protocol)
        self._prepared_port: int | None = None
        self._transfer: Transfer | None = None

    @contextlib.contextmanager
    def half_said(self) -> Iterator[None]:
        """Around commands of which the first (REST, RNFR) changes the meaning of the next: all of them, or no reuse."""
        was_marked = self.marked
        self.mark()
        try:
            yield
        except (ReplyError, UnsupportedError):
            self.unmark(was_marked)  # refused: nothing is pending
            raise
        self.unmark(was_marked)

    def error(self, sent: str, reply: Reply) -> NetClientError:
        """Return the error that ``reply`` to the command ``sent`` stands for."""
        if reply.kind == 3:
            self.mark()  # nobody knows what the server waits for now
        return reply_error(sent, reply, logged_in=self.settings.learned.logged_in)

    def farewell(self) -> Command:
        """QUIT."""
        return command("QUIT")

    # Data connections

    @property
    def newest_tls(self) -> bool:
        """Whether the server bears resumed TLS 1.3 sessions on data connections."""
        return self.settings.learned.tls13_data

    def secure_data(self, stream: SocketStream) -> TLSStream:
        """Prepare TLS for a data connection: the control connection's host and its session (RFC 4217 section 10)."""
        control = self._engine.stream
        session = control.session if isinstance(control, TLSStream) else None
        host = self.settings.endpoint.host
        return self.settings.dialer.secure(stream, host, session=session, newest=self.newest_tls)

    def transfer_began(self, transfer: Transfer) -> None:
        """Note the one transfer that is under way: the connection is of no other use until it has ended."""
        self._transfer = transfer

    def transfer_ended(self) -> None:
        """The transfer has had its final reply."""
        self._transfer = None

    # A data port that was asked for ahead of its transfer

    def take_prepared_port(self) -> int | None:
        """Return the port, once."""
        port, self._prepared_port = self._prepared_port, None
        return port

    def keep_prepared(self, ticket: Ticket[Command, Reply]) -> None:
        """Remember the port that an EPSV behind a transfer was answered with, if it was."""
        reply = ticket.reply
        if reply is not None and reply.kind == 2:
            self._prepared_port = parse_passive(reply.code, reply.text).port

    # The pool's side

    @property
    def clean(self) -> bool:
        """See :attr:`~netclients.pool.Pooled.clean`."""
        return self._transfer is None and not self._outdated and super().clean

    @property
    def _outdated(self) -> bool:
        """Whether the session is of a TLS version that the server turned out not to bear."""
        if self.newest_tls:
            return False
        stream = self._engine.stream
        return isinstance(stream, TLSStream) and stream.version == "TLSv1.3" and self.settings.dialer.allows_tls12

    def abort(self, reason: str) -> None:
        """Close at once."""
        if self._transfer is not None and not self._closed:
            self._transfer.abort()
        super().abort(reason)
