"""Commands of the embedded FTP server that need no data connection.

aioftp's server brings users, paths and the plain file commands. It lacks FEAT, SIZE, MDTM, MFMT, NOOP, HELP,
ALLO, ACCT, SITE, OPTS and AUTH, which are added here; some that it has are replaced because real servers do
otherwise (MKD made parents, RNTO refused to overwrite, PWD did not double quotes).
"""

from __future__ import annotations

import calendar
import errno
import os
import ssl
import stat
import time
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Any

import aioftp
from aioftp.common import Connection

from ._ftp_session import ALL_FACTS, Counters, Session

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HALF_YEAR = 182 * 86400
_NO_LOGIN_NEEDED = frozenset(
    (
        "user",
        "pass",
        "acct",
        "auth",
        "pbsz",
        "prot",
        "feat",
        "opts",
        "help",
        "noop",
        "quit",
        "syst",
        "ccc",
        "clnt",
    )
)


class Commands(aioftp.Server):
    """Adds commands to aioftp's server. Handlers have its shape: ``(connection, argument) -> keep open``."""

    def __init__(
        self,
        root: Path,
        users: dict[str, str] | None,
        context: ssl.SSLContext | None,
        without: Collection[str],
    ) -> None:
        super().__init__([aioftp.User(base_path=root)])
        self.anonymous = users is None
        names = {"anonymous": "", "ftp": ""} if users is None else users
        self.accounts = {name: aioftp.User(name, names[name], base_path=root) for name in names}
        self.context = context
        self.tls_required = False
        self.max_logins: int | None = None
        self.counters = Counters()
        self.without = frozenset(name.upper() for name in without)
        self.sessions: set[Session] = set()
        self.handlers: dict[str, Any] = {
            name: self.commands_mapping[name] for name in ("cdup", "cwd", "dele", "quit", "rmd", "syst")
        }
        own = (name for name in dir(self) if name.startswith("do_"))
        self.handlers.update((name.removeprefix("do_"), getattr(self, name)) for name in own)
        for name in ("cup", "cwd", "mkd", "pwd", "rmd"):
            self.handlers["x" + name] = self.handlers["cdup" if name == "cup" else name]
        for name in self.without:
            self.handlers.pop(name.lower(), None)

    def needs_login(self, verb: str) -> bool:
        """Tell whether a verb (lower case) is refused before login."""
        return verb not in _NO_LOGIN_NEEDED

    # Login and TLS

    async def do_user(self, connection: Connection, rest: str) -> bool:
        """USER: refused on a plain connection if TLS is required."""
        session: Session = connection.session
        if self.tls_required and session.tls is None:
            session.reply("530", "TLS first, please.")
            return True
        # Unknown names are asked for a password too, as real servers do.
        session.logged_in = False
        del connection.logged
        connection.user = self.accounts.get(rest, aioftp.User(rest, None))
        connection.current_directory = connection.user.home_path
        session.reply("331", "Password, please.")
        return True

    async def do_pass(self, connection: Connection, rest: str) -> bool:
        """PASS: 530 for a wrong password or too many logins."""
        session: Session = connection.session
        if not connection.future.user.done() or session.logged_in:
            session.reply("503", "USER first.")
        elif connection.user.password is None or not (self.anonymous or connection.user.password == rest):
            session.reply("530", "Login incorrect.")
        elif self.max_logins is not None and sum(s.logged_in for s in self.sessions) >= self.max_logins:
            session.reply("530", "Sorry, too many users are logged in.")
        else:
            connection.logged = True
            session.logged_in = True
            self.counters.logins += 1
            session.reply("230", "Logged in.")
        return True

    async def do_acct(self, connection: Connection, rest: str) -> bool:
        """ACCT: superfluous."""
        connection.session.reply("202", "No account needed.")
        return True

    async def do_auth(self, connection: Connection, rest: str) -> bool:
        """AUTH TLS (RFC 4217): the handshake follows the reply; login starts over."""
        session: Session = connection.session
        if self.context is None:
            session.reply("502", "No TLS here.")
        elif rest.upper() not in ("TLS", "TLS-C", "SSL"):
            session.reply("504", "Only TLS.")
        elif session.tls is not None:
            session.reply("503", "TLS is on already.")
        else:
            await session.say("234", "Go ahead.")
            if session.channel.buffered or session.pending:
                return False  # plaintext in front of the handshake is an attack, or a broken client
            await session.channel.start_tls(self.context)
            session.logged_in = False
            del connection.logged
        return True

    async def do_pbsz(self, connection: Connection, rest: str) -> bool:
        """PBSZ: zero is the only size over TLS."""
        if connection.session.tls is None:
            connection.session.reply("503", "AUTH first.")
        else:
            connection.session.reply("200", "PBSZ=0")
        return True

    async def do_prot(self, connection: Connection, rest: str) -> bool:
        """PROT C or P."""
        session: Session = connection.session
        level = rest.upper()
        if session.tls is None:
            session.reply("503", "AUTH first.")
        elif level == "P" or (level == "C" and not self.tls_required):
            session.protected = level == "P"
            session.reply("200", f"Protection level {level}.")
        else:
            session.reply("536" if level in ("C", "E", "S") else "504", "Not this level.")
        return True

    # About the server

    async def do_feat(self, connection: Connection, rest: str) -> bool:
        """FEAT (RFC 2389)."""
        features = ["UTF8", "SIZE", "MDTM", "MFMT", "REST STREAM", "EPSV", "EPRT", "PASV", "TVFS", "CLNT"]
        if self.context is not None:
            features += ["AUTH TLS", "PBSZ", "PROT"]
        features = [name for name in features if name.split()[0] not in self.without]
        if "MLST" not in self.without:
            chosen = connection.session.facts
            features.append("MLST " + "".join(f"{name}{'*' * (name in chosen)};" for name in ALL_FACTS))
        connection.session.reply("211", ["Features:", *features, "End"], True)
        return True

    async def do_opts(self, connection: Connection, rest: str) -> bool:
        """OPTS UTF8 ON, and OPTS MLST with the facts that listings shall have."""
        session: Session = connection.session
        name, _, value = rest.upper().partition(" ")
        if name == "UTF8" and value in ("", "ON"):
            session.reply("200", "UTF-8 it is.")
        elif name == "MLST" and "MLST" not in self.without:
            wanted = value.split(";")
            session.facts = [fact for fact in ALL_FACTS if fact.upper() in wanted]
            session.reply("200", "MLST OPTS " + "".join(f"{fact};" for fact in session.facts))
        else:
            session.reply("501", "No such option.")
        return True

    async def do_clnt(self, connection: Connection, rest: str) -> bool:
        """CLNT: whoever it is."""
        connection.session.reply("200", "Noted.")
        return True

    async def do_noop(self, connection: Connection, rest: str) -> bool:
        """NOOP."""
        connection.session.reply("200", "NOOP ok.")
        return True

    async def do_help(self, connection: Connection, rest: str) -> bool:
        """HELP: all verbs."""
        connection.session.reply("214", ["Commands:", " ".join(sorted(self.handlers)).upper(), "End"], True)
        return True

    async def do_site(self, connection: Connection, rest: str) -> bool:
        """SITE HELP, and nothing else."""
        if rest.upper() == "HELP":
            connection.session.reply("214", ["SITE commands:", "HELP", "End"], True)
        else:
            connection.session.reply("504", "No such SITE command.")
        return True

    async def do_allo(self, connection: Connection, rest: str) -> bool:
        """ALLO: files grow by themselves."""
        connection.session.reply("202", "Not needed.")
        return True

    async def do_type(self, connection: Connection, rest: str) -> bool:
        """TYPE A, I and L 8."""
        value = rest.upper()
        if value not in ("A", "A N", "I", "L 8"):
            connection.session.reply("504", "No such type.")
        else:
            connection.session.ascii = value[0] == "A"
            connection.session.reply("200", f"Type is {value}.")
        return True

    async def do_rest(self, connection: Connection, rest: str) -> bool:
        """REST (RFC 3659): for the next command only."""
        if rest.isascii() and rest.isdigit() and len(rest) < 19:
            connection.session.offset = int(rest)
            connection.session.reply("350", f"Restarting at {rest}.")
        else:
            connection.session.reply("501", "REST takes a number of bytes.")
        return True

    # Files

    async def do_pwd(self, connection: Connection, rest: str) -> bool:
        """PWD."""
        connection.session.reply("257", f"{_quoted(connection.current_directory)} is the working directory.")
        return True

    async def do_mkd(self, connection: Connection, rest: str) -> bool:
        """MKD: one directory."""
        real, virtual = self.get_paths(connection, rest)
        real.mkdir()
        connection.session.reply("257", f"{_quoted(virtual)} created.")
        return True

    async def do_size(self, connection: Connection, rest: str) -> bool:
        """SIZE (RFC 3659), not in ASCII mode, where it would have to read the file."""
        real, _ = self.get_paths(connection, rest)
        if connection.session.ascii:
            connection.session.reply("550", "SIZE is not available in ASCII mode.")
        else:
            connection.session.reply("213", str(_stat_file(real).st_size))
        return True

    async def do_mdtm(self, connection: Connection, rest: str) -> bool:
        """MDTM (RFC 3659); with a time in front of the name it sets it, as several servers do."""
        first, _, name = rest.partition(" ")
        real, _ = self.get_paths(connection, rest)
        if name and len(first) == 14 and first.isdigit() and not real.exists():
            return await self.do_mfmt(connection, rest)
        connection.session.reply("213", format_time(_stat_file(real).st_mtime))
        return True

    async def do_mfmt(self, connection: Connection, rest: str) -> bool:
        """MFMT: set the modification time, in UTC."""
        value, _, name = rest.partition(" ")
        try:
            seconds = calendar.timegm(time.strptime(value, "%Y%m%d%H%M%S"))
        except ValueError:
            connection.session.reply("501", "MFMT takes YYYYMMDDHHMMSS and a name.")
            return True
        real, _ = self.get_paths(connection, name)
        os.utime(real, (seconds, seconds))
        connection.session.reply("213", f"Modify={value}; {name}")
        return True

    async def do_rnfr(self, connection: Connection, rest: str) -> bool:
        """RNFR."""
        real, _ = self.get_paths(connection, rest)
        real.lstat()
        connection.session.rename_from = str(real)
        connection.session.reply("350", "Now RNTO.")
        return True

    async def do_rnto(self, connection: Connection, rest: str) -> bool:
        """RNTO, right after RNFR; replaces an existing file."""
        session: Session = connection.session
        real, _ = self.get_paths(connection, rest)
        if session.rename_from is None:
            session.reply("503", "RNFR first.")
        else:
            os.replace(session.rename_from, real)
            session.reply("250", "Renamed.")
        return True

    async def do_mlst(self, connection: Connection, rest: str) -> bool:
        """MLST (RFC 3659), with the whole path."""
        real, virtual = self.get_paths(connection, rest)
        fact_line = facts_of(real, connection.session.facts, kind=None)
        connection.session.reply("250", [f"Listing {virtual}", f"{fact_line} {virtual}", "End"], True)
        return True


def _quoted(path: PurePosixPath) -> str:
    return '"' + str(path).replace('"', '""') + '"'


def _stat_file(path: Path) -> os.stat_result:
    result = path.stat()
    if not stat.S_ISREG(result.st_mode):
        raise IsADirectoryError(errno.EISDIR, "not a plain file")
    return result


def format_time(seconds: float) -> str:
    """Return a time as RFC 3659 has it: YYYYMMDDHHMMSS, UTC."""
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(seconds))


def facts_of(path: Path, wanted: Collection[str], kind: str | None) -> str:
    """Return the facts of one entry (RFC 3659 section 7); `kind` replaces the type (``cdir``, ``pdir``)."""
    try:
        info = path.stat()
    except FileNotFoundError:
        info = path.lstat()  # a link to nowhere is an entry all the same
    directory = stat.S_ISDIR(info.st_mode)
    link = stat.S_ISLNK(info.st_mode)
    values = {
        "Type": kind or ("dir" if directory else "OS.unix=slink" if link else "file"),
        "Size": str(info.st_size),
        "Modify": format_time(info.st_mtime),
        "Perm": "cdeflmp" if directory else "adfrw",
        "UNIX.mode": f"0{stat.S_IMODE(info.st_mode):03o}",
        "Unique": f"{info.st_dev:x}g{info.st_ino:x}",
    }
    if directory:
        del values["Size"]
    return "".join(f"{name}={values[name]};" for name in wanted if name in values)


def ls_line(path: Path, name: str) -> str:
    """Return one line in the manner of ``ls -l``, times in UTC."""
    info = path.lstat()
    when = time.gmtime(info.st_mtime)
    recent = 0 <= time.time() - info.st_mtime < _HALF_YEAR
    clock = f"{when.tm_hour:02}:{when.tm_min:02}" if recent else f" {when.tm_year:04}"
    target = f" -> {os.readlink(path)}" if stat.S_ISLNK(info.st_mode) else ""
    return (
        f"{stat.filemode(info.st_mode)} {info.st_nlink:>4} ftp      ftp      {info.st_size:>12} "
        f"{_MONTHS[when.tm_mon - 1]} {when.tm_mday:>2} {clock} {name}{target}"
    )
