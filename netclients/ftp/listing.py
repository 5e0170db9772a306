"""Lines of a directory listing, one at a time: MLSD and MLST (RFC 3659 §7), LIST as Unix servers print it, NLST.

The client reads a listing from a data connection, cuts it into lines and hands each one, as bytes and without
its line end, to the function for the command it sent.  Each function returns an `Entry`, or None for a line
that names no entry of the directory, or raises `ProtocolError`: no other exception, in time linear in the line.

Names come from strangers.  One that would lead out of its directory, or that no file system can have, is an
error: empty, containing ``/`` or NUL, and ``..`` as anything but the parent that some servers list.  All other
names are kept as they are, control characters too: a Unix server may have such files, and only whoever prints
or stores them can say what to do.  `is_safe_name` is the same test for names from elsewhere.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from netclients.errors import ProtocolError
from netclients.ftp.types import Entry, EntryKind, ParsedTime

__all__ = [
    "is_safe_name",
    "parse_list_line",
    "parse_mlsd_line",
    "parse_mlst_line",
    "parse_nlst_line",
    "parse_time",
]

_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)


def parse_mlsd_line(line: bytes, directory: str, decode: Callable[[bytes], str]) -> Entry | None:
    """Read one line of an MLSD listing: ``fact=value;fact=value; name`` (RFC 3659 §7.2).

    Everything behind the first space is the name: with ``;``, ``=`` and further spaces, also leading ones.

    Args:
        line: The line without its line end.
        directory: The directory that was listed; becomes the front of `Entry.path`.
        decode: Bytes to text for names and values; must accept any bytes (``surrogateescape``).

    Returns:
        The entry, or None for the listed directory itself and its parent (``cdir``, ``pdir``).

    Raises:
        ProtocolError: The line is no list of facts, or the name is unsafe (see the module).

    """
    head, facts, raw = _split_facts(line, decode)
    name = decode(raw)
    kind = facts.get("type", "").lower()
    if kind in ("cdir", "pdir") or (kind == "dir" and name in (".", "..")):
        return None
    if not is_safe_name(name):
        raise ProtocolError(f"unsafe name in a listing: {_shown(line)}")
    return _entry(name, _join(directory, name), raw, facts)


def parse_mlst_line(line: bytes, path: str, decode: Callable[[bytes], str]) -> Entry:
    """Read the line of facts in a reply to MLST (RFC 3659 §7.2), without the space in front of it.

    The pathname behind the facts may be anything that the server calls the file; the path that was asked for
    is what the entry gets, and the last component of it is its name.

    Args:
        line: ``fact=value;fact=value; pathname``.
        path: The path that MLST was asked for.
        decode: As for `parse_mlsd_line`.

    Returns:
        The entry; ``cdir`` and ``pdir`` count as directories here.

    Raises:
        ProtocolError: The line is no list of facts.

    """
    raise NotImplementedError


def parse_list_line(line: bytes, directory: str, decode: Callable[[bytes], str], now: datetime) -> Entry | None:
    """Read one line of a LIST listing in the form of ``ls -l``, as Unix servers print it.

    Args:
        line: The line without its line end.
        directory: The directory that was listed; becomes the front of `Entry.path`.
        decode: As for `parse_mlsd_line`.
        now: The present, aware: decides the year of dates without one.

    Returns:
        The entry, or None for ``total 12``, an empty line, ``.`` and ``..``.

    Raises:
        ProtocolError: Another form of line, an impossible date, or an unsafe name (see the module).

    """
    raise NotImplementedError


def parse_nlst_line(line: bytes, directory: str, decode: Callable[[bytes], str], *, basename: bool = True) -> Entry | None:
    """Read one line of an NLST listing: a name (RFC 959 §4.1.3).

    Args:
        line: The line without its line end.
        directory: The directory that was listed; becomes the front of `Entry.path`.
        decode: As for `parse_mlsd_line`.
        basename: Take the last component of what the server sent: some give names as ``directory/name``.

    Returns:
        An entry of kind ``FILE``, though NLST does not tell; None for an empty line, ``.`` and ``..``.

    Raises:
        ProtocolError: The name is unsafe (see the module).

    """
    raise NotImplementedError


def parse_time(text: str) -> ParsedTime | None:
    """Read a time of RFC 3659 §2.3, ``YYYYMMDDHHMMSS[.fraction]`` in UTC; None if it is not one."""
    raise NotImplementedError


def is_safe_name(name: str) -> bool:
    """Tell whether a name is one component below its directory: no ``/``, no NUL, not empty, ``.`` or ``..``."""
    return name not in ("", ".", "..") and "/" not in name and "\0" not in name
