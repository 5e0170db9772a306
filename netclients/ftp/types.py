"""Values of the FTP package: what a listing, a FEAT reply, a passive reply and a time say.

Everything here is a frozen, slotted dataclass or an enumeration: no behaviour beyond answering questions
about itself, no I/O.  ``listing`` and ``replies`` build these values, the connection hands them out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, StrEnum

__all__ = ["Entry", "EntryKind", "Features", "ParsedTime", "PassiveEndpoint", "ServerKind", "TransferType"]


class EntryKind(StrEnum):
    """What a name in a directory is.

    ``OTHER`` stands for devices, sockets, FIFOs and for whatever a server describes in words of its own.
    """

    FILE = "file"
    DIR = "dir"
    LINK = "link"
    OTHER = "other"


class TransferType(StrEnum):
    """The representation type of a transfer (RFC 959 §3.1.1); the value is the argument of ``TYPE``."""

    ASCII = "A"
    IMAGE = "I"


class ServerKind(Enum):
    """Server programs that the client can tell by their banner or their SYST reply.

    Used to pick defaults and to name quirks, never to decide whether a command exists: that is FEAT's word.
    """

    VSFTPD = "vsftpd"
    PROFTPD = "ProFTPD"
    PUREFTPD = "Pure-FTPd"
    FILEZILLA = "FileZilla Server"
    PYFTPDLIB = "pyftpdlib"
    IIS = "IIS"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ParsedTime:
    """A time that a server gave, and how exactly it was given.

    Attributes:
        value: Aware, in UTC.
        precision: The unit of the last digit given: a microsecond to a second for MDTM and MLSD, a minute or
            a day for LIST.  Two times that differ by less say nothing about which is newer.

    """

    value: datetime
    precision: timedelta


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in a directory, as MLSD, MLST, LIST or NLST described it.

    A fact that the server did not give is None, never a guess.

    Attributes:
        name: The last component, decoded; characters that the connection's encoding can't represent survive
            as surrogates.  Contains no ``/`` and no NUL, is never empty, ``.`` or ``..``; may contain other
            control characters, spaces at both ends and whatever else the server's file system allows.
        path: The directory that was listed, ``/`` and the name: what to pass to the next command.
        kind: File, directory, link or other.  ``OTHER`` also where the server did not tell (NLST).
        size: Bytes.  Of a directory or link, whatever the server says it is.
        modified: Aware, UTC.  LIST gives no zone: its times are taken as UTC.
        precision: How exact ``modified`` is (see `ParsedTime`); None without it.
        mode: Permission bits, 0 to 0o7777.
        facts: All that MLSD or MLST sent, by lower-cased fact name (RFC 3659 §7.5): ``size``, ``perm``,
            ``unique``, ``unix.group``…  LIST fills ``unix.ownername`` and ``unix.groupname`` (names) or
            ``unix.owner`` and ``unix.group`` (numbers).  Values are text as sent.
        raw_name: The name's bytes as they came.
        target: Where a link points, if the server said so: data to show, not a path to follow blindly.

    """

    name: str
    path: str
    kind: EntryKind
    size: int | None = None
    modified: datetime | None = None
    mode: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict, hash=False)
    raw_name: bytes = b""
    precision: timedelta | None = None
    target: str | None = None

    @property
    def is_file(self) -> bool:
        """Whether this is a plain file (a link to one is not)."""
        return self.kind is EntryKind.FILE

    @property
    def is_dir(self) -> bool:
        """Whether this is a directory (a link to one is not)."""
        return self.kind is EntryKind.DIR

    @property
    def is_link(self) -> bool:
        """Whether this is a symbolic link."""
        return self.kind is EntryKind.LINK


@dataclass(frozen=True, slots=True)
class PassiveEndpoint:
    """Where a server listens for a data connection (RFC 959 PASV, RFC 2428 EPSV).

    Attributes:
        host: The IPv4 address of a 227 reply as dotted text, to be compared and not to be trusted; None for
            229, which means the host of the control connection.
        port: 1 to 65535.

    """

    host: str | None
    port: int


@dataclass(frozen=True, slots=True)
class Features:
    """What FEAT announced (RFC 2389 §3.2).  Empty if the server has no FEAT or nothing to announce.

    Attributes:
        lines: Upper-cased feature name → the parameters of each line with that name, in the order sent
            (``AUTH``, ``SITE`` and ``MODE`` may come on several lines); ``""`` for a line without any.

    """

    lines: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)

    def has(self, name: str, parameter: str | None = None) -> bool:
        """Tell whether a feature is announced, in any letter case.

        Args:
            name: First word of the feature line: ``"MLST"``.
            parameter: If given, a word that one of its lines must contain: ``has("AUTH", "TLS")``.

        """
        found = self.lines.get(name.upper())
        if found is None or parameter is None:
            return found is not None
        return parameter.upper() in " ".join(found).upper().replace(";", " ").split()

    @property
    def utf8(self) -> bool:
        """Whether path names are UTF-8 (RFC 2640 §3.2)."""
        return self.has("UTF8")
