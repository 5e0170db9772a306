"""The one error tree.

::

    NetClientError
    ├── ConfigurationError          what you asked for makes no sense      (ValueError)
    ├── UnsupportedError            the server lacks it
    ├── LocalFileError              the local file can't be read or written (OSError)
    ├── TransportError              the network                            (ConnectionError)
    │   ├── ConnectError            no connection could be made
    │   ├── TLSError                handshake or certificate
    │   └── ConnectionLost          closed or reset in mid-session
    ├── PhaseTimeout                a wait ended without an answer         (TimeoutError)
    │   └── PoolTimeout             no connection became free
    ├── ProtocolError               the peer sent nonsense, or too much
    ├── TruncatedTransfer           bytes are missing
    ├── ReplyError                  the server said no
    │   ├── TransientReplyError     it may work later (4xx)
    │   │   └── TooManyConnections  the server's limit on connections
    │   ├── RecipientsRefused       no recipient was accepted: nothing was sent
    │   └── PermanentReplyError     it will not (5xx, NO, -ERR)
    │       ├── AuthenticationError
    │       ├── RemoteFileNotFound                                         (FileNotFoundError)
    │       ├── RemotePermissionDenied                                     (PermissionError)
    │       └── RemoteIsADirectory                                         (IsADirectoryError)
    ├── NotFetched                  a field of a message that was not asked for
    ├── UIDValidityChanged          the UIDs that you hold name other messages now
    └── OutcomeUnknown              a command was sent, its reply never came

Every error can be pickled. None carries a secret: passwords never reach a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
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
]

_MAX_TEXT = 1000


def printable(text: str) -> str:
    """Return ``text`` with control characters and lone surrogates escaped, at most 1,000 characters.

    What a server sent is shown to people only through this.
    """
    if len(text) > _MAX_TEXT:
        text = text[:_MAX_TEXT] + "…"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def _rebuild(cls: type[NetClientError], args: tuple[Any, ...], state: dict[str, Any]) -> NetClientError:
    error: NetClientError = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class NetClientError(Exception):
    """Root of everything that this library raises."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by state, so that subclasses may take any arguments."""
        return _rebuild, (type(self), self.args, dict(self.__dict__))

    def __str__(self) -> str:
        # OSError's own __str__ would look for an errno that these errors do not have.
        return str(self.args[0]) if self.args else type(self).__name__


class ConfigurationError(NetClientError, ValueError):
    """The call or the configuration makes no sense; nothing was sent."""


class UnsupportedError(NetClientError):
    """The server lacks what the call needs."""


class LocalFileError(NetClientError, OSError):
    """A local file can't be opened, read or written (also: the disk is full).

    ``errno`` and ``filename`` are those of the operating system's error.
    """

    def __init__(self, message: str, *, errno: int | None = None, filename: str | None = None) -> None:
        super().__init__(message)
        self.errno = errno
        self.filename = filename

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep errno and filename, which OSError stores outside the instance's dict."""
        state = {**self.__dict__, "errno": self.errno, "filename": self.filename}
        return _rebuild_local, (self.args, state)


def _rebuild_local(args: tuple[Any, ...], state: dict[str, Any]) -> LocalFileError:
    error = LocalFileError(*args, errno=state.pop("errno"), filename=state.pop("filename"))
    error.__dict__.update(state)
    return error


class TransportError(NetClientError, ConnectionError):
    """The network failed."""


class ConnectError(TransportError):
    """No connection could be made."""


class TLSError(TransportError):
    """The TLS handshake failed, or the certificate is not to be trusted."""


class ConnectionLost(TransportError):
    """The peer closed or reset the connection in mid-session."""


class PhaseTimeout(NetClientError, TimeoutError):
    """A wait ended without an answer.

    ``phase`` names the field of :class:`~netclients.Timeouts` that ran out (``"connect"``,
    ``"handshake"``, ``"reply"``, ``"stall"``, ``"complete"``, ``"pool"``); ``seconds`` is its value.
    """

    def __init__(self, phase: str, seconds: float | None, what: str = "") -> None:
        waited = "" if seconds is None else f" after {seconds:g} s"
        super().__init__(f"{phase} timeout{waited}{': ' if what else ''}{what}")
        self.phase = phase
        self.seconds = seconds


class PoolTimeout(PhaseTimeout):
    """No connection became free in time, or too many callers wait already."""


class ProtocolError(NetClientError):
    """The peer sent what the protocol does not allow, or more than the bounds allow."""


class TruncatedTransfer(NetClientError):
    """A transfer ended before all its bytes had come.

    ``expected`` and ``received`` are sizes in bytes, None where not known.
    """

    def __init__(self, message: str, *, expected: int | None = None, received: int | None = None) -> None:
        super().__init__(message)
        self.expected = expected
        self.received = received


class ReplyError(NetClientError):
    """The server answered with an error.

    ``command`` is what was asked, secrets redacted, ``text`` the reply's text. ``code``: its three digits (FTP, SMTP,
    NNTP), with ``enhanced``, the enhanced status code of RFC 3463, where there is one. ``response_code``: what IMAP and
    POP3 put in brackets, such as ``"OVERQUOTA"`` (RFC 5530) or ``"IN-USE"`` (RFC 2449). None if there is none.
    """

    def __init__(
        self,
        command: str,
        code: int | None,
        text: str,
        *,
        enhanced: str | None = None,
        response_code: str | None = None,
    ) -> None:
        shown = " ".join(
            word for word in (str(code or ""), f"[{response_code}]" if response_code else "", printable(text)) if word
        )
        super().__init__(f"{printable(command)}: {shown}")
        self.command = command
        self.code = code
        self.text = text
        self.enhanced = enhanced
        self.response_code = response_code


class TransientReplyError(ReplyError):
    """The server refused for now: 4xx, or a response code that says so."""


class TooManyConnections(TransientReplyError):
    """The server allows no further connection at the moment."""


class PermanentReplyError(ReplyError):
    """The server refused for good: 5xx, NO, BAD, -ERR."""


class ServerReply(Protocol):
    """What an error tells of a reply; it is a :class:`~netclients.Reply`."""

    @property
    def code(self) -> int:
        """The three digits."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The text."""

    @property
    def text(self) -> str:
        """The text, its lines joined."""

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code (RFC 3463), if there is one."""

    @property
    def kind(self) -> int:
        """The first digit."""


class MailReceipt(Protocol):
    """What an error tells of a message; it is a :class:`~netclients.Receipt`."""

    @property
    def message_id(self) -> str:
        """The message's own name."""

    @property
    def accepted(self) -> tuple[str, ...]:
        """Recipients for whom the server has taken responsibility."""

    @property
    def refused(self) -> Mapping[str, ServerReply]:
        """Recipients whom it refused, with its last word about each."""

    @property
    def unknown(self) -> tuple[str, ...]:
        """Those for whom the reply was lost."""

    @property
    def unsent(self) -> tuple[str, ...]:
        """Those whom the message certainly did not reach, because the connection failed before."""

    @property
    def reply(self) -> ServerReply | None:
        """The last reply to the content."""

    @property
    def seconds(self) -> float:
        """How long it took."""

    @property
    def attempts(self) -> int:
        """How many transactions were begun."""

    @property
    def index(self) -> int:
        """The message's place in its batch."""

    @property
    def error(self) -> NetClientError | None:
        """What went wrong, in the receipt that a batch yields."""

    @property
    def ok(self) -> bool:
        """Whether every recipient was accepted."""


class RecipientsRefused(ReplyError):
    """A message reached nobody: its sender, all its recipients, or its content were refused.

    ``refused`` has the server's reply for each recipient, ``receipt`` tells the whole; ``code``, ``enhanced`` and
    ``text`` are those of the first. It is neither a :class:`TransientReplyError` nor a :class:`PermanentReplyError`,
    because recipients may be refused for different reasons: ``temporary`` tells whether a repetition may help.
    """

    def __init__(self, receipt: MailReceipt) -> None:
        address, reply = next(iter(receipt.refused.items()))
        super().__init__(f"nobody was accepted; {address}", reply.code, reply.text, enhanced=reply.enhanced)
        self.receipt = receipt

    @property
    def refused(self) -> Mapping[str, ServerReply]:
        """The server's last word about each recipient."""
        return self.receipt.refused

    @property
    def temporary(self) -> bool:
        """Whether one recipient at least was refused for now only (4xx): False if all were for good."""
        return any(reply.kind == 4 for reply in self.refused.values())


class AuthenticationError(PermanentReplyError):
    """The credentials were refused. Never retried."""


class RemoteFileNotFound(PermanentReplyError, FileNotFoundError):
    """The server has no file or directory of that name."""


class RemotePermissionDenied(PermanentReplyError, PermissionError):
    """The name exists, but the server does not allow the operation."""


class RemoteIsADirectory(PermanentReplyError, IsADirectoryError):
    """The name belongs to a directory where a file was meant."""


class NotFetched(NetClientError):
    """A field of a message was looked at that was not asked for, or that the server did not send."""


class UIDValidityChanged(NetClientError):
    """The mailbox was made anew: UIDs of before name other messages now, or none (RFC 9051 section 2.3.1.1).

    ``mailbox`` is its name, ``old`` and ``new`` are the values of UIDVALIDITY.
    """

    def __init__(self, mailbox: str, old: int, new: int) -> None:
        super().__init__(f"{printable(mailbox)}: UIDVALIDITY was {old}, is {new}")
        self.mailbox = mailbox
        self.old = old
        self.new = new


class OutcomeUnknown(NetClientError):
    """A command that changes something was sent, but whether it took effect could not be found out.

    ``command`` is what was sent. ``receipt`` tells what is known of a message that was sent; None otherwise.
    """

    def __init__(self, command: str, reason: str = "", *, receipt: MailReceipt | None = None) -> None:
        super().__init__(f"{printable(command)}: outcome unknown{': ' if reason else ''}{reason}")
        self.command = command
        self.receipt = receipt
