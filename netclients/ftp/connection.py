"""One FTP connection: a typed method for each command, no retries, no pool.

Made by :func:`netclients.ftp.login.connect`, lent by ``FTPClient.connection()``. A relative path is relative
to the working directory. All methods raise :class:`~netclients.errors.ReplyError` when the server refuses,
:class:`~netclients.errors.UnsupportedError` when it does not know the command,
:class:`~netclients.errors.ConnectionLost` and :class:`~netclients.errors.PhaseTimeout` when it is gone or
silent, and :class:`~netclients.errors.ConfigurationError` for arguments with CR, LF or NUL. A reply may take
``timeouts.reply`` seconds, if nothing else is said. What reads listings is imported when one is asked for.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from netclients.errors import AuthenticationError, ConfigurationError, UnsupportedError
from netclients.ftp.commands import Command, command, raw_command
from netclients.ftp.control import ControlConnection
from netclients.ftp.data import Transfer, open_transfer
from netclients.ftp.refusals import reply_error
from netclients.ftp.replies import (
    parse_features,
    parse_mdtm,
    parse_mlst,
    parse_passive,
    parse_path,
    parse_size,
    parse_system,
)
from netclients.ftp.types import Entry, Features, PassiveEndpoint, ServerKind, TransferType
from netclients.streams import Stream
from netclients.wire import arguments

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from netclients.ftp.settings import Settings
    from netclients.transport.stream import SocketStream
    from netclients.wire.replies import Reply

__all__ = ["FTPConnection"]

T = TypeVar("T")


class FTPConnection(ControlConnection):
    """A logged-in control connection and the data connections that belong to it.

    ``features`` is what FEAT said, ``kind`` the server program as far as its greeting (``welcome``) tells,
    ``private_data`` whether data connections are protected (PROT P).
    """

    def __init__(self, settings: Settings, stream: SocketStream) -> None:
        super().__init__(settings, stream)
        self.features: Features = Features()
        self.kind: ServerKind = ServerKind.UNKNOWN
        self.welcome: str = ""
        self.private_data: bool = False
        self._home: str | None = None

    def identify(self, kind: ServerKind) -> None:
        """Note which program the server is, and allow what that program is known to bear."""
        self.kind = kind
        self.protocol.pipelining = self.settings.reads_ahead(kind)
        self.protocol.pipelining_behind_transfers = self.settings.reads_after_transfer(kind)

    def encode(self, text: str) -> bytes:
        """Encode a path, or any text up to the end of a line."""
        return arguments.text(text, self.settings.encoding)

    def decode(self, raw: bytes) -> str:
        """Decode a name; bytes that the encoding does not know survive as surrogates."""
        return raw.decode(self.settings.encoding, "surrogateescape")

    def path_command(self, verb: str, path: str) -> Command:
        """Make a command whose argument is a path.

        Raises:
            ConfigurationError: the path is empty: it would mean the working directory.
        """
        if not path:
            raise ConfigurationError(f"{verb}: empty path")
        return command(verb, self.encode(path))

    async def home(self) -> str:
        """Return the directory of the login, asked for once while the session stands there."""
        if self._home is None:
            self._home = await self.pwd()
        return self._home

    # Any command

    async def command(self, verb: str, *words: str) -> Reply:
        """Send a command that has no method here; return its final reply, whatever its code.

        A pooled connection is closed after it instead of being used again: nobody knows what it did.

        Raises:
            UnsupportedError: CCC, which would put the rest of the session in clear (RFC 4217 section 6).
            ConfigurationError: a command that moves data; those have methods.
        """
        sent = raw_command(verb, *words, encoding=self.settings.encoding)
        if sent.verb == "CCC":
            raise UnsupportedError("CCC is refused: it would put the rest of the session in clear")
        if sent.traits.secret:
            self.require_privacy()
        if sent.traits.transfer:
            raise ConfigurationError(f"{sent.verb} moves data: use the method of that name")
        return await self.reply_to(sent)

    async def site(self, *words: str) -> Reply:
        """SITE: a command of this server's own (RFC 959). Returns the final reply, whatever its code."""
        return await self.command("SITE", *words)

    # Session (RFC 959, 2389, 2640, 7151)

    async def login(self, user: str, password: str = "", account: str | None = None) -> None:
        """USER, PASS, ACCT: log in again as somebody else (most servers refuse).

        Raises:
            ConfigurationError: the connection is plain, and nobody has asked for that.
        """
        self.require_privacy()
        self.mark()
        reply = await self._credential(command("USER", self.encode(user)))
        if reply.code == 331:
            reply = await self._credential(command("PASS", self.encode(password)))
        if reply.code == 332:
            if account is None:
                raise AuthenticationError("PASS ***", reply.code, "the server wants an account")
            await self._credential(command("ACCT", self.encode(account)))

    async def acct(self, account: str) -> None:
        """ACCT: send the account that the server wants (RFC 959 section 4.1.1)."""
        self.require_privacy()
        await self.expect(command("ACCT", self.encode(account)))

    async def _credential(self, sent: Command) -> Reply:
        reply = await self.reply_to(sent)
        if not sent.accepts(reply):
            # That the client's own credentials work says nothing about these.
            raise reply_error(str(sent), reply, logged_in=False)
        return reply

    async def feat(self) -> Features:
        """FEAT: what the server can do (RFC 2389 section 3)."""
        return parse_features((await self.expect(command("FEAT"))).lines)

    async def opts(self, name: str, value: str = "") -> Reply:
        """OPTS: set an option of another command (RFC 2389 section 4)."""
        self.mark()
        return await self.expect(command("OPTS", self.encode(f"{name} {value}".rstrip())))

    async def lang(self, tag: str = "") -> None:
        """LANG: the language of replies (RFC 2640 section 4); empty: the server's default."""
        self.mark()
        await self.expect(command("LANG", self.encode(tag)))

    async def clnt(self, name: str) -> None:
        """CLNT: say which program this is (in no RFC; servers that know it announce it by FEAT)."""
        await self.expect(command("CLNT", self.encode(name)))

    async def host(self, name: str) -> None:
        """HOST: choose a virtual host, before login (RFC 7151)."""
        self.mark()
        await self.expect(command("HOST", arguments.token(name)))

    async def syst(self) -> str:
        """SYST: the server's operating system, upper-cased (RFC 959 section 4.1.3)."""
        return parse_system((await self.expect(command("SYST"))).text)

    async def help(self, topic: str = "") -> str:
        """HELP: text for people (RFC 959 section 4.1.3)."""
        return (await self.expect(command("HELP", self.encode(topic)))).text

    async def noop(self) -> None:
        """NOOP: nothing but a reply (RFC 959 section 4.1.3)."""
        await self.expect(command("NOOP"))

    async def probe(self) -> None:
        """Ask for a sign of life."""
        await self.noop()

    async def quit(self) -> None:
        """QUIT: end the session; the connection is closed, whatever the reply (RFC 959 section 4.1.1)."""
        try:
            await self.expect(command("QUIT"))
        finally:
            self.abort("quit")

    async def type(self, representation: TransferType) -> None:
        """TYPE: the representation of the following transfers (RFC 959 sections 3.1.1 and 4.1.2).

        The client's methods rely on ``IMAGE``.
        """
        self.mark()
        await self.expect(command("TYPE", representation.value.encode("ascii")))

    async def allo(self, size: int) -> None:
        """ALLO: announce the ``size`` in bytes of the next upload (RFC 959 section 4.1.3)."""
        await self.expect(command("ALLO", arguments.number(size, "size")))

    async def abor(self) -> Reply:
        """ABOR with no transfer under way (RFC 959 section 4.1.3).

        A running one is ended by closing its data connection.
        """
        return await self.expect(command("ABOR"))

    # Directories

    async def pwd(self) -> str:
        """PWD: the working directory (RFC 959 section 4.1.3 and appendix II)."""
        return parse_path((await self.expect(command("PWD"))).text)

    async def cwd(self, path: str) -> None:
        """CWD: change the working directory (RFC 959 section 4.1.1)."""
        await self.expect(self.path_command("CWD", path))

    async def cdup(self) -> None:
        """CDUP: go to the parent directory (RFC 959 section 4.1.1)."""
        await self.expect(command("CDUP"))

    async def mkd(self, path: str) -> None:
        """MKD: make a directory (RFC 959 section 4.1.3)."""
        await self.expect(self.path_command("MKD", path))

    async def rmd(self, path: str) -> None:
        """RMD: remove an empty directory (RFC 959 section 4.1.3)."""
        await self.expect(self.path_command("RMD", path))

    # Files

    async def size(self, path: str) -> int:
        """SIZE: the number of bytes that RETR would send (RFC 3659 section 4)."""
        return parse_size((await self.expect(self.path_command("SIZE", path))).text)

    async def mdtm(self, path: str) -> datetime:
        """MDTM: the time of the last change, aware, in UTC (RFC 3659 section 3)."""
        return parse_mdtm((await self.expect(self.path_command("MDTM", path))).text).value

    async def mfmt(self, path: str, modified: datetime) -> None:
        """MFMT: set the time of the last change, in whole seconds (draft-somers-ftp-mfxx; in no RFC).

        Raises:
            ConfigurationError: ``modified`` has no time zone.
        """
        if modified.tzinfo is None:
            raise ConfigurationError("modified has no time zone")
        stamp = modified.astimezone(UTC).strftime("%Y%m%d%H%M%S")
        await self.expect(self.path_command("MFMT", f"{stamp} {path}"))

    async def mlst(self, path: str) -> Entry:
        """MLST: all facts of one name (RFC 3659 section 7)."""
        reply = await self.expect(self.path_command("MLST", path))
        return parse_mlst(reply.lines, path, self.encode, self.decode)

    async def stat(self, path: str = "") -> Reply:
        """STAT: the server's status, or a listing in the reply's text."""
        return await self.expect(command("STAT", self.encode(path)))

    async def delete(self, path: str) -> None:
        """DELE: remove a file."""
        await self.expect(self.path_command("DELE", path))

    async def rename(self, source: str, target: str) -> None:
        """RNFR and RNTO: give a file or directory another name."""
        rename_to = self.path_command("RNTO", target)
        rename_from = self.path_command("RNFR", source)
        with self.half_said():
            await self.expect(rename_from)
            reply = await self.reply_to(rename_to)
        self.judge(rename_to, reply)

    # Data connections

    async def epsv(self) -> PassiveEndpoint:
        """EPSV: where the server listens (RFC 2428). The transfer methods do this themselves."""
        self.mark()
        reply = await self.expect(command("EPSV"))
        return parse_passive(reply.code, reply.text)

    async def pasv(self) -> PassiveEndpoint:
        """PASV: where the server says that it listens; its host is not to be trusted."""
        self.mark()
        reply = await self.expect(command("PASV"))
        return parse_passive(reply.code, reply.text)

    async def retr(self, path: str, *, offset: int = 0) -> Transfer:
        """RETR: begin to receive a file, from byte ``offset`` (REST). Read the transfer, then ``finish`` it."""
        return await self.begin(self.path_command("RETR", path), offset=offset)

    async def stor(self, path: str, *, offset: int = 0) -> Transfer:
        """STOR: begin to send a file, from byte ``offset`` (REST). Send, then ``finish`` the transfer."""
        return await self.begin(self.path_command("STOR", path), offset=offset)

    async def appe(self, path: str) -> Transfer:
        """APPE: begin to send what is appended to a file."""
        return await self.begin(self.path_command("APPE", path))

    async def stou(self) -> Transfer:
        """STOU: begin to send a file whose name the server chooses and tells in its replies."""
        return await self.begin(command("STOU"))

    async def begin(self, verb: Command, *, offset: int = 0) -> Transfer:
        """Start a transfer and wait until the server agrees to it."""
        transfer = await open_transfer(self, verb, offset=offset)
        try:
            await transfer.start()
        except BaseException:
            transfer.abort()
            raise
        return transfer

    def mlsd(self, path: str = "") -> Stream[Entry]:
        """MLSD: a directory's entries with their facts (RFC 3659 section 7)."""
        from netclients.ftp.listing import parse_mlsd_line

        return self._listing("MLSD", path, lambda line: parse_mlsd_line(line, path, self.decode))

    def list(self, path: str = "") -> Stream[Entry]:
        """LIST: a directory's entries, as far as the server's format is understood."""
        from netclients.ftp.listing import parse_list_line

        now = datetime.now(UTC)
        return self._listing("LIST", path, lambda line: parse_list_line(line, path, self.decode, now, basename=True))

    def nlst(self, path: str = "") -> Stream[Entry]:
        """NLST: a directory's names."""
        from netclients.ftp.listing import parse_nlst_line

        return self._listing("NLST", path, lambda line: parse_nlst_line(line, path, self.decode))

    def dir(self, path: str = "") -> Stream[str]:
        """LIST: the lines as the server prints them."""
        return self._listing("LIST", path, self.decode)

    def retrlines(self, path: str) -> Stream[str]:
        """RETR in ASCII type: a text file's lines without their ends."""
        from netclients.ftp.lines import LineProducer

        async def open_text() -> Transfer:
            await self.type(TransferType.ASCII)
            return await self.retr(path)

        return Stream(LineProducer(open_text, self.decode))

    async def storlines(self, path: str, lines: AsyncIterator[str]) -> Reply:
        """STOR in ASCII type: send ``lines``, which have no ends of their own."""
        await self.type(TransferType.ASCII)
        transfer = await self.stor(path)
        try:
            async for line in lines:
                await transfer.send(self.encode(line) + b"\r\n")
            return await transfer.finish(sending=True)
        finally:
            transfer.abort()

    def _listing(self, verb: str, path: str, parse: Callable[[bytes], T | None]) -> Stream[T]:
        from netclients.ftp.lines import LineProducer

        sent = command(verb, self.encode(path))

        async def open_listing() -> Transfer:
            return await self.begin(sent)

        return Stream(LineProducer(open_listing, parse))
