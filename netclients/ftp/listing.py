"""Lines of a directory listing, one at a time: MLSD, MLST (RFC 3659 §7), NLST, and LIST of Unix servers.

The client reads a listing from a data connection, cuts it into lines and hands each one, as bytes and without
its line end, to the function for the command it sent.  Each function returns an `Entry`, or None for a line
that names no entry of the directory, or raises `ProtocolError`: no other exception, in time linear in the
line.  Lines end with CRLF or LF: a name with a line feed can't be told from two lines.

Names come from strangers.  One that would lead out of its directory, or that no file system can have, is an
error: empty, containing ``/`` or NUL, and ``.`` or ``..`` as anything but the directory and the parent that
some servers list.  All other names are kept as they are, control characters too: a Unix server may have such
files, and only whoever prints or stores them can say what to do.  `is_safe_name` is the same test.

Deviations that are tolerated on purpose carry a name that starts with ``quirk``.
"""

import re
from calendar import isleap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from netclients.errors import ProtocolError
from netclients.ftp.times import parse_time
from netclients.ftp.types import Entry, EntryKind

__all__ = [
    "is_safe_name",
    "parse_list_line",
    "parse_mlsd_line",
    "parse_mlst_line",
    "parse_nlst_line",
]

_MINUTE = timedelta(minutes=1)
_DAY = timedelta(days=1)


def parse_mlsd_line(line: bytes, directory: str, decode: Callable[[bytes], str]) -> Entry | None:
    """Read one line of an MLSD listing: ``fact=value;fact=value; name`` (RFC 3659 §7.2).

    Everything behind the space after the facts is the name: with ``;``, ``=`` and further spaces.

    Args:
        line: The line without its line end.
        directory: The directory that was listed; becomes the front of `Entry.path`.
        decode: Bytes to text, for names and values; must accept any bytes (``surrogateescape``).

    Returns:
        The entry, or None for the listed directory itself and its parent: ``cdir`` and ``pdir``, and
        quirk_dots_listed, a ``dir`` called ``.`` or ``..``.  None also for quirk_blank_line, which names nothing.

    Raises:
        ProtocolError: The line is no list of facts, or the name is unsafe (see the module).

    """
    if not line:
        return None
    facts, raw = _split_facts(line, decode)
    name = decode(raw)
    if name in _NOT_NAMES or "/" in name or "\0" in name:
        kind = facts.get("type", "").lower()
        if kind in ("cdir", "pdir") or (kind == "dir" and name in (".", "..")):
            return None
        raise ProtocolError(f"unsafe name in a listing: {_shown(line)}")
    entry = _entry_of_facts(name, _join(directory, name), facts, raw)
    if entry.kind is EntryKind.DIR and facts["type"].lower() != "dir":
        return None
    return entry


def parse_mlst_line(line: bytes, path: str, decode: Callable[[bytes], str]) -> Entry:
    """Read the line of facts in a reply to MLST (RFC 3659 §7.2), without the space in front of it.

    The pathname behind the facts may be whatever the server calls the file (absolute, relative, the last
    component): what counts is the path that was asked for.

    Args:
        line: ``fact=value;fact=value; pathname``.
        path: The path that MLST was asked for: `Entry.path`, and its last component `Entry.name`; a path
            without one (``/``) is its own name.
        decode: As for `parse_mlsd_line`.

    Returns:
        The entry; ``cdir`` and ``pdir`` count as directories here.

    Raises:
        ProtocolError: The line is no list of facts.

    """
    facts, raw = _split_facts(line, decode)
    name = path.rstrip("/").rpartition("/")[2] or path
    return _entry_of_facts(name, path, facts, raw.rstrip(b"/").rpartition(b"/")[2] or raw)


def parse_list_line(
    line: bytes, directory: str, decode: Callable[[bytes], str], now: datetime, *, basename: bool = False
) -> Entry | None:
    """Read one line of a LIST listing in the form of ``ls -l``, as Unix servers print it.

    A date without a year is the last one that is not more than a day ahead of ``now``: servers omit the year
    of the past six months, and clocks differ.  (ProFTPD and Pure-FTPd omit it in the future too, so that what
    is dated ahead reads as a year ago.  MLSD has no such doubt.)

    Args:
        line: The line without its line end.
        directory: The directory that was listed; becomes the front of `Entry.path`.
        decode: As for `parse_mlsd_line`.
        now: The present, aware: decides the year of dates without one.
        basename: Take the last component of the name: ProFTPD and Pure-FTPd answer LIST of a file with the
            path as it was asked for.

    Returns:
        The entry, or None for ``total 12``, an empty line, ``.`` and ``..``.

    Raises:
        ProtocolError: Another form of line, an impossible date, or an unsafe name (see the module).

    """
    found = _UNIX.fullmatch(line) or _UNIX_SPACED.fullmatch(line)
    if found is None:
        if not line.strip() or _TOTAL.fullmatch(line):
            return None
        raise ProtocolError(f"unknown form of listing: {_shown(line)}")
    letter, bits, owner, group, size_text, month, day, hour, minute, year, raw = found.groups()
    kind = _KIND_OF_LETTER[letter]
    size = None if b"," in size_text else _size(size_text.decode("ascii"))
    target = None
    if kind is EntryKind.LINK:
        raw, target = _split_link(raw, size, decode)
    if basename:
        raw = raw.rstrip(b"/").rpartition(b"/")[2]
    name = decode(raw)
    if name in (".", ".."):
        return None
    if not is_safe_name(name):
        raise ProtocolError(f"unsafe name in a listing: {_shown(line)}")
    modified = _list_time(month, day, hour, minute, year, now)
    if modified is None:
        raise ProtocolError(f"impossible date in a listing: {_shown(line)}")
    facts = {("unix.owner" if owner.isdigit() else "unix.ownername"): decode(owner)}
    if group is not None:
        facts["unix.group" if group.isdigit() else "unix.groupname"] = decode(group.rstrip(b" "))
    precision = _DAY if hour is None else _MINUTE
    path = _join(directory, name)
    return Entry(name, path, kind, size, modified, _mode(bits), facts, raw, precision, target)


def parse_nlst_line(
    line: bytes, directory: str, decode: Callable[[bytes], str], *, basename: bool = True
) -> Entry | None:
    """Read one line of an NLST listing: a name (RFC 959 §4.1.3).

    Args:
        line: The line without its line end.
        directory: The directory that was listed; becomes the front of `Entry.path`.
        decode: As for `parse_mlsd_line`.
        basename: Take the last component of what the server sent: vsftpd, ProFTPD and Pure-FTPd answer
            ``NLST directory`` with ``directory/name``.

    Returns:
        An entry of kind ``OTHER``, since NLST does not tell; None for an empty line, ``.`` and ``..``.

    Raises:
        ProtocolError: The name is unsafe (see the module).

    """
    if not line:
        return None
    raw = line.rpartition(b"/")[2] if basename else line
    name = decode(raw)
    if name in (".", ".."):
        return None
    if not is_safe_name(name):
        raise ProtocolError(f"unsafe name in a listing: {_shown(line)}")
    return Entry(name, _join(directory, name), EntryKind.OTHER, raw_name=raw)


def is_safe_name(name: str) -> bool:
    """Tell whether a name is one component of a path: without ``/`` and NUL, not empty, ``.`` or ``..``."""
    return name not in _NOT_NAMES and "/" not in name and "\0" not in name


_NOT_NAMES = frozenset(("", ".", ".."))


def _split_facts(line: bytes, decode: Callable[[bytes], str]) -> tuple[dict[str, str], bytes]:
    """Cut a line into its facts, names in lower case, and the bytes of the pathname."""
    head, space, raw = line.partition(b" ")
    if not space:
        raise ProtocolError(f"no name behind the facts: {_shown(line)}")
    if head[-1:] != b";" and head:
        head, raw = _quirk_split(line, head, raw)
    facts = {}
    for fact in decode(head).split(";"):
        name, equals, value = fact.partition("=")
        if equals:
            facts[name.lower()] = value
        elif fact:
            raise ProtocolError(f"no fact=value in a listing: {_shown(line)}")
    return facts, raw


def _quirk_split(line: bytes, head: bytes, raw: bytes) -> tuple[bytes, bytes]:
    """Cut a line whose first space does not follow a semicolon.

    quirk_spaces_in_facts (proftpd#1367, proftpd#1495: ``UNIX.groupname=domain users;``): in a fact that holds
    free text the value goes on, up to the next semicolon with a space behind it.
    quirk_facts_unterminated (NcFTPd): in any other fact the semicolon is missing, and the name begins.
    """
    last = head.rpartition(b";")[2].lower()
    if last.startswith(_FREE_TEXT):
        end = line.find(b"; ", len(head))
        if end >= 0:
            return line[:end], line[end + 2 :]
    return head, raw


_FREE_TEXT = (b"unix.groupname=", b"unix.ownername=", b"unix.group=", b"unix.owner=", b"type=os.unix=")


def _entry_of_facts(name: str, path: str, facts: dict[str, str], raw: bytes) -> Entry:
    kind_text = facts.get("type", "")
    kind = _KIND_OF_TYPE.get(kind_text)
    target = None
    if kind is None:
        kind, target = _other_type(kind_text)
    modified = precision = None
    modify = facts.get("modify")
    if modify is not None and (time := parse_time(modify)) is not None:
        modified = time.value
        precision = time.precision
    size = facts.get("size")
    mode = facts.get("unix.mode", "")
    return Entry(
        name,
        path,
        kind,
        None if size is None else _size(size),
        modified,
        int(mode, 8) & 0o7777 if _OCTAL.fullmatch(mode) else None,
        facts,
        raw,
        precision,
        target,
    )


_KIND_OF_TYPE = {"file": EntryKind.FILE, "dir": EntryKind.DIR}
_OCTAL = re.compile("[0-7]{1,7}")


def _other_type(text: str) -> tuple[EntryKind, str | None]:
    """Understand what is not plainly ``file`` or ``dir``: other letter case, links, what else there is."""
    lowered = text.lower()
    if lowered in ("dir", "cdir", "pdir"):
        return EntryKind.DIR, None
    if lowered == "file":
        return EntryKind.FILE, None
    # Pure-FTPd and the RFC's examples say "OS.unix=slink:target", ProFTPD says "OS.unix=symlink"; either may
    # leave the target out.
    word, _, target = lowered.partition(":")
    if word in ("os.unix=slink", "os.unix=symlink"):
        return EntryKind.LINK, text[len(word) + 1 :] if target else None
    return EntryKind.OTHER, None


def _size(text: str) -> int | None:
    """Return a count of bytes, or None for what is none: ``-1``, an empty value, an absurdly long number."""
    return int(text) if len(text) < 20 and text.isascii() and text.isdigit() else None


# The columns of ls -l: type and mode, links, owner, group (may be missing: node-ftp#188), size or device
# number, date, and after exactly one space the name, which may begin and end with spaces.
_FRONT = rb"([-bcdlps])([-r][-w][-xsS][-r][-w][-xsSlL][-r][-w][-xtT])[.+@]?+ ++[0-9]++ ++"
_BACK = (
    rb"([0-9]++(?:, *+[0-9]++)?+) ++(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) ++([0-9]{1,2}) ++"
    rb"(?:([0-9]{1,2}):([0-9]{2})|([0-9]{4})) (.++)"
)
_UNIX = re.compile(_FRONT + rb"([^ ]++) ++(?:([^ ]++) ++)?" + _BACK, re.DOTALL)
# quirk_spaces_in_owner (fireftp#139, fireftp#160: "Domain Users"): the first word is the owner, the others up
# to a number, the size, are the group.
_UNIX_SPACED = re.compile(_FRONT + rb"([^ ]++) ++((?:(?![0-9]++ )[^ ]++ ++){1,8}+)" + _BACK, re.DOTALL)
_TOTAL = re.compile(rb"total [0-9]++ *+", re.IGNORECASE)

_KIND_OF_LETTER = {
    b"-": EntryKind.FILE,
    b"d": EntryKind.DIR,
    b"l": EntryKind.LINK,
    b"b": EntryKind.OTHER,
    b"c": EntryKind.OTHER,
    b"p": EntryKind.OTHER,
    b"s": EntryKind.OTHER,
}
_MONTHS = {
    name: number for number, name in enumerate(b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), start=1)
}


def _split_link(raw: bytes, size: int | None, decode: Callable[[bytes], str]) -> tuple[bytes, str | None]:
    """Cut ``name -> target``.  Either may contain an arrow: a link's size is the length of its target."""
    if size is not None:
        cut = len(raw) - size - 4
        if cut > 0 and raw[cut : cut + 4] == b" -> ":
            return raw[:cut], decode(raw[cut + 4 :])
    name, arrow, target = raw.partition(b" -> ")
    return name, decode(target) if arrow else None


def _list_time(
    month: bytes, day: bytes, hour: bytes | None, minute: bytes, year: bytes | None, now: datetime
) -> datetime | None:
    """Build the time of a LIST line; None if no calendar has it."""
    number = _MONTHS[month]
    try:
        if year is not None:
            return datetime(int(year), number, int(day), tzinfo=UTC)
        value = datetime(2000, number, int(day), int(hour or 0), int(minute), tzinfo=UTC)  # 2000 had a leap day
    except ValueError:
        return None
    limit = now + _DAY
    past = limit.year
    while (number == 2 and day == b"29" and not isleap(past)) or value.replace(year=past) > limit:
        past -= 1
    return value.replace(year=past)


@lru_cache(maxsize=512)
def _mode(bits: bytes) -> int:
    """Return the permission bits of ``rwxr-sr-t``."""
    mode = 0
    for position, letter in enumerate(bits):
        mode |= (letter not in b"-STlL") << (8 - position)
    for position, special in ((2, 0o4000), (5, 0o2000), (8, 0o1000)):
        if bits[position] in b"sStTlL":
            mode |= special
    return mode


def _join(directory: str, name: str) -> str:
    if directory in ("", "."):
        return name
    return directory + name if directory[-1] == "/" else f"{directory}/{name}"


def _shown(line: bytes) -> str:
    return repr(line if len(line) <= 120 else line[:120] + b"...")
