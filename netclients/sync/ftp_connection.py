# ruff: noqa: D102 - docstrings are those of the asynchronous twins
"""One FTP connection for blocking code, lent by ``FTPClient.connection()``: a method for each command."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from netclients.ftp.connection import FTPConnection as AsyncFTPConnection
from netclients.ftp.data import Transfer as AsyncTransfer
from netclients.sync.calls import Desk, run_sync
from netclients.sync.client import Connection
from netclients.sync.docs import documented_like
from netclients.sync.sources import lend_iterator
from netclients.sync.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from netclients.ftp.commands import Command
    from netclients.ftp.types import Entry, Features, PassiveEndpoint, ServerKind, TransferType
    from netclients.streams import Stream as AsyncStream
    from netclients.transport.stream import Buffer
    from netclients.wire.replies import Reply

__all__ = ["FTPConnection", "Transfer"]

T = TypeVar("T")


@documented_like(AsyncFTPConnection)
class FTPConnection(Connection[AsyncFTPConnection]):
    """A logged-in control connection and the data connections that belong to it. For one thread at a time."""

    # What is known of it

    @property
    def features(self) -> Features:
        """What FEAT said."""
        return self._twin.features

    @property
    def kind(self) -> ServerKind:
        """The server program, as far as its greeting tells."""
        return self._twin.kind

    @property
    def welcome(self) -> str:
        """The server's greeting."""
        return self._twin.welcome

    @property
    def private_data(self) -> bool:
        """Whether data connections are protected (PROT P)."""
        return self._twin.private_data

    @property
    def number(self) -> int:
        """Unique within the process; log and hooks use it."""
        return self._twin.number

    @property
    def marked(self) -> bool:
        """Whether the session is not as after login, so that the connection can't be lent again."""
        return self._twin.marked

    @property
    def clean(self) -> bool:
        return run_sync(lambda: self._twin.clean)

    def encode(self, text: str) -> bytes:
        return self._twin.encode(text)

    def decode(self, raw: bytes) -> str:
        return self._twin.decode(raw)

    def path_command(self, verb: str, path: str) -> Command:
        return self._twin.path_command(verb, path)

    def home(self) -> str:
        return self._run(lambda: self._twin.home())

    # Any command

    def command(self, verb: str, *words: str) -> Reply:
        return self._run(lambda: self._twin.command(verb, *words))

    def site(self, *words: str) -> Reply:
        return self._run(lambda: self._twin.site(*words))

    def reply_to(self, sent: Command) -> Reply:
        return self._run(lambda: self._twin.reply_to(sent))

    def expect(self, sent: Command) -> Reply:
        return self._run(lambda: self._twin.expect(sent))

    # Session

    def login(self, user: str, password: str = "", account: str | None = None) -> None:
        self._run(lambda: self._twin.login(user, password, account))

    def acct(self, account: str) -> None:
        self._run(lambda: self._twin.acct(account))

    def feat(self) -> Features:
        return self._run(lambda: self._twin.feat())

    def opts(self, name: str, value: str = "") -> Reply:
        return self._run(lambda: self._twin.opts(name, value))

    def lang(self, tag: str = "") -> None:
        self._run(lambda: self._twin.lang(tag))

    def clnt(self, name: str) -> None:
        self._run(lambda: self._twin.clnt(name))

    def host(self, name: str) -> None:
        self._run(lambda: self._twin.host(name))

    def syst(self) -> str:
        return self._run(lambda: self._twin.syst())

    def help(self, topic: str = "") -> str:
        return self._run(lambda: self._twin.help(topic))

    def noop(self) -> None:
        self._run(lambda: self._twin.noop())

    def probe(self) -> None:
        self._run(lambda: self._twin.probe())

    def quit(self) -> None:
        self._run(lambda: self._twin.quit())

    def type(self, representation: TransferType) -> None:
        self._run(lambda: self._twin.type(representation))

    def allo(self, size: int) -> None:
        self._run(lambda: self._twin.allo(size))

    def abor(self) -> Reply:
        return self._run(lambda: self._twin.abor())

    def close(self, reason: str) -> None:
        run_sync(lambda: self._twin.close(reason))

    def abort(self, reason: str) -> None:
        run_sync(lambda: self._twin.abort(reason))

    # Directories

    def pwd(self) -> str:
        return self._run(lambda: self._twin.pwd())

    def cwd(self, path: str) -> None:
        self._run(lambda: self._twin.cwd(path))

    def cdup(self) -> None:
        self._run(lambda: self._twin.cdup())

    def mkd(self, path: str) -> None:
        self._run(lambda: self._twin.mkd(path))

    def rmd(self, path: str) -> None:
        self._run(lambda: self._twin.rmd(path))

    # Files

    def size(self, path: str) -> int:
        return self._run(lambda: self._twin.size(path))

    def mdtm(self, path: str) -> datetime:
        return self._run(lambda: self._twin.mdtm(path))

    def mfmt(self, path: str, modified: datetime) -> None:
        self._run(lambda: self._twin.mfmt(path, modified))

    def mlst(self, path: str) -> Entry:
        return self._run(lambda: self._twin.mlst(path))

    def stat(self, path: str = "") -> Reply:
        return self._run(lambda: self._twin.stat(path))

    def delete(self, path: str) -> None:
        self._run(lambda: self._twin.delete(path))

    def rename(self, source: str, target: str) -> None:
        self._run(lambda: self._twin.rename(source, target))

    # Data connections

    def epsv(self) -> PassiveEndpoint:
        return self._run(lambda: self._twin.epsv())

    def pasv(self) -> PassiveEndpoint:
        return self._run(lambda: self._twin.pasv())

    def retr(self, path: str, *, offset: int = 0) -> Transfer:
        return Transfer(self._run(lambda: self._twin.retr(path, offset=offset)), self)

    def stor(self, path: str, *, offset: int = 0) -> Transfer:
        return Transfer(self._run(lambda: self._twin.stor(path, offset=offset)), self)

    def appe(self, path: str) -> Transfer:
        return Transfer(self._run(lambda: self._twin.appe(path)), self)

    def stou(self) -> Transfer:
        return Transfer(self._run(lambda: self._twin.stou()), self)

    def begin(self, verb: Command, *, offset: int = 0) -> Transfer:
        return Transfer(self._run(lambda: self._twin.begin(verb, offset=offset)), self)

    def mlsd(self, path: str = "") -> Stream[Entry]:
        return self._stream(self._twin.mlsd(path))

    def list(self, path: str = "") -> Stream[Entry]:
        return self._stream(self._twin.list(path))

    def nlst(self, path: str = "") -> Stream[Entry]:
        return self._stream(self._twin.nlst(path))

    def dir(self, path: str = "") -> Stream[str]:
        return self._stream(self._twin.dir(path))

    def retrlines(self, path: str) -> Stream[str]:
        return self._stream(self._twin.retrlines(path))

    def storlines(self, path: str, lines: Iterable[str]) -> Reply:
        desk = Desk()
        lent = lend_iterator(desk, lines)
        return self._run(lambda: self._twin.storlines(path, lent), desk)

    def _stream(self, twin: AsyncStream[T]) -> Stream[T]:
        return Stream(twin, owner=self)


@documented_like(AsyncTransfer)
class Transfer:
    """One transfer under way. Whoever holds it calls :meth:`finish` or :meth:`abort` in the end."""

    def __init__(self, twin: AsyncTransfer, connection: FTPConnection) -> None:
        self._twin = twin
        self._connection = connection

    @property
    def connection(self) -> FTPConnection:
        """The control connection."""
        return self._connection

    @property
    def received(self) -> int:
        """Bytes of data received."""
        return self._twin.received

    @property
    def sent(self) -> int:
        """Bytes of data sent."""
        return self._twin.sent

    @property
    def closed_cleanly(self) -> bool | None:
        """After the end: whether the server's TLS close alert came; None without TLS."""
        return self._twin.closed_cleanly

    def receive_into(self, buffer: bytearray | memoryview) -> int:
        return self._connection._run(lambda: self._twin.receive_into(buffer))

    def send(self, data: Buffer) -> None:
        self._connection._run(lambda: self._twin.send(data))

    def finish(self, *, sending: bool) -> Reply:
        return self._connection._run(lambda: self._twin.finish(sending=sending))

    def check(self) -> None:
        self._twin.check()

    def abort(self) -> None:
        run_sync(self._twin.abort)
