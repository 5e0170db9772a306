"""What the text of an FTP reply means: pure functions from text to values.

Every function takes the text, or the lines, of one complete reply, already decoded and without its code, and
returns a value or raises `ProtocolError`: never another exception, whatever the server sent, and in time
linear in its length.  Deviations that are tolerated on purpose carry a name that starts with ``quirk``.
"""

import re
from collections.abc import Callable, Sequence

from netclients.errors import ProtocolError
from netclients.ftp.times import parse_time
from netclients.ftp.types import Entry, Features, ParsedTime, PassiveEndpoint, ServerKind

__all__ = [
    "blames_credentials",
    "classify_limit",
    "identify_server",
    "parse_epsv",
    "parse_features",
    "parse_mdtm",
    "parse_mlst",
    "parse_passive",
    "parse_pasv",
    "parse_path",
    "parse_size",
    "parse_system",
]

_SHOWN = 120  # characters of a bad reply that go into an error message


def parse_passive(code: int, text: str) -> PassiveEndpoint:
    """Read the endpoint from a reply to PASV or EPSV, by its code.

    quirk_pasv_answered_229 (cpython#127478): some servers answer PASV in the form of EPSV; the code, not the
    command, decides.

    Args:
        code: 227 or 229.
        text: Text of the whole reply; several lines are joined by line feeds.

    Raises:
        ProtocolError: Another code, or no endpoint in the text.

    """
    if code == 227:
        return parse_pasv(text)
    if code == 229:
        return parse_epsv(text)
    raise ProtocolError(f"reply {code} names no data port: {_shown(text)}")


def parse_pasv(text: str) -> PassiveEndpoint:
    """Read ``h1,h2,h3,h4,p1,p2`` from a 227 reply (RFC 959 §4.1.2).

    The numbers are looked for anywhere, since RFC 1123 §4.1.2.6 warns that there may be no parentheses.
    quirk_multiline_227 (aioftp#142): the reply may have several lines, with the numbers in any of them.

    Raises:
        ProtocolError: No six numbers, one above 255, or port 0.

    """
    found = _PASV.search(text)
    if found is None:
        raise ProtocolError(f"no address in the reply to PASV: {_shown(text)}")
    numbers = [int(number) for number in found.groups()]
    port = numbers[4] << 8 | numbers[5]
    if max(numbers) > 255 or not port:
        raise ProtocolError(f"impossible address in the reply to PASV: {_shown(text)}")
    return PassiveEndpoint(".".join(map(str, numbers[:4])), port)


def parse_epsv(text: str) -> PassiveEndpoint:
    """Read ``(|||port|)`` from a 229 reply; any delimiter of RFC 2428 §3 will do.

    Raises:
        ProtocolError: No such text, or a port outside 1 to 65535.

    """
    found = _EPSV.search(text)
    if found is None:
        raise ProtocolError(f"no port in the reply to EPSV: {_shown(text)}")
    port = int(found[2])
    if not 0 < port < 65536:
        raise ProtocolError(f"impossible port in the reply to EPSV: {_shown(text)}")
    return PassiveEndpoint(None, port)


def parse_path(text: str) -> str:
    """Read the quoted path of a 257 reply; a doubled quote inside stands for one (RFC 959 appendix II).

    quirk_quotes_not_doubled (Pure-FTPd, aioftp's server): ``257 "/a"b" is…``.  Where the quoted text is not
    followed by a space or the end, it is taken to reach to the last quote of the reply, with nothing doubled.
    A name with ``" `` or ``""`` in it can't be understood on such a server.

    Raises:
        ProtocolError: No quoted text, an unclosed quote, an empty path (aioftp's server answers MKD with an
            empty 257), or one with NUL.

    """
    start = text.find('"')
    found = _QUOTED.match(text, start) if start >= 0 else None
    path = found[1].replace('""', '"') if found else text[start + 1 : text.rfind('"')]
    if start < 0 or text.rfind('"') == start or not path or "\0" in path:
        raise ProtocolError(f"no path in the reply: {_shown(text)}")
    return path


def parse_size(text: str) -> int:
    """Read the number of bytes from a 213 reply to SIZE (RFC 3659 §4.1).

    Raises:
        ProtocolError: Anything but one decimal number below 2**63.

    """
    digits = text.strip(" ")
    if not _SIZE.fullmatch(digits) or (size := int(digits)) >= 1 << 63:
        raise ProtocolError(f"no size in the reply to SIZE: {_shown(text)}")
    return size


def parse_mdtm(text: str) -> ParsedTime:
    """Read the time from a 213 reply to MDTM or MFMT (RFC 3659 §3.1): UTC, with fractions if sent.

    MFMT's ``Modify=…; name`` form is understood too.  The tolerated year 19100 is named in
    `netclients.ftp.times.parse_time`.

    Raises:
        ProtocolError: No time in the text, or one that no calendar has.

    """
    words = text.split(maxsplit=1)
    word = words[0] if words else ""
    if word[:7].lower() == "modify=":
        word = word[7:].partition(";")[0]
    parsed = parse_time(word)
    if parsed is None:
        raise ProtocolError(f"no time in the reply to MDTM: {_shown(text)}")
    return parsed


def parse_features(lines: Sequence[str]) -> Features:
    """Read the lines of a 211 reply to FEAT (RFC 2389 §3.2).

    The first and the last line are words for people.  Two deviations are accepted in the lines between:

    * quirk_feat_prefixed (lftp's source): each starts with ``211-``;
    * quirk_feat_unindented: the leading space is missing (wu-ftpd's descendants).

    A reply of one line announces nothing, whatever it says.
    """
    found: dict[str, tuple[str, ...]] = {}
    for line in lines[1:-1]:
        feature = line.removeprefix("211-").strip(" \t")
        name, _, parameters = feature.partition(" ")
        if name:
            name = name.upper()
            found[name] = (*found.get(name, ()), parameters.strip(" "))
    return Features(found)


def parse_mlst(
    lines: Sequence[str], path: str, encode: Callable[[str], bytes], decode: Callable[[bytes], str]
) -> Entry:
    """Read the one line of facts in a 250 reply to MLST (RFC 3659 §7.2).

    quirk_mlst_unindented: the space before the facts may be missing; quirk_facts_unterminated (NcFTPd) is
    handled by `netclients.ftp.listing.parse_mlst_line`.

    Args:
        lines: All lines of the reply, at least three.
        path: The path that MLST was asked for.  It, not the server's spelling of it, becomes `Entry.path`.
        encode: The connection's encoder, the inverse of ``decode``.
        decode: The connection's decoder, which never fails (``surrogateescape``).

    Raises:
        ProtocolError: No line of facts, or not exactly one.

    """
    from netclients.ftp.listing import parse_mlst_line  # most programs read no listing

    facts = [line for line in lines[1:-1] if line.strip(" ")]
    if len(facts) != 1:
        raise ProtocolError(f"the reply to MLST has {len(facts)} lines of facts instead of one")
    try:
        line = encode(facts[0])
    except UnicodeError:
        raise ProtocolError(f"the reply to MLST is in no encoding: {_shown(facts[0])}") from None
    return parse_mlst_line(line.removeprefix(b" "), path, decode)


def parse_system(text: str) -> str:
    """Return the system name of a 215 reply to SYST, upper-cased: its first word (RFC 959 §4.1.3).

    Raises:
        ProtocolError: The reply is empty.

    """
    words = text.split(maxsplit=1)
    if not words:
        raise ProtocolError("the reply to SYST is empty")
    return words[0].upper()


def identify_server(banner: str, system: str = "") -> ServerKind:
    """Guess the server program from the text of its 220 greeting and, if known, of its SYST reply."""
    said = banner.lower()
    for word, kind in _BANNERS:
        if word in said:
            return kind
    return ServerKind.IIS if system.lower().startswith("windows_nt") else ServerKind.UNKNOWN


def classify_limit(code: int, text: str) -> bool:
    """Tell whether a reply means "too many connections".

    With 421 the server hangs up.  With 530, which means a refused login by RFC 959, only the text tells this
    from a wrong password.  Either may come instead of the greeting.  421 for an idle timeout, a shutdown or
    maintenance is none, and so is whatever is about wrong passwords, be they "too many": see
    :func:`blames_credentials`.

    Args:
        code: 421, 530 or any other.
        text: The reply's text; letter case does not matter.

    """
    limit = _LIMITS.get(code)
    return limit is not None and limit.search(text) is not None and not blames_credentials(text)


def blames_credentials(text: str) -> bool:
    """Whether the text of a refusal is about passwords or attempts to log in that failed."""
    return _CREDENTIALS.search(text) is not None


def _shown(text: str) -> str:
    return ascii(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")


_PASV = re.compile(r"(?<![0-9,])" + ",".join([r"([0-9]{1,3})"] * 6) + "(?![0-9,])")
_EPSV = re.compile(r"\(([!-/:-~])\1\1([0-9]{1,5})\1\)")
_QUOTED = re.compile(r'"((?:[^"]|"")*+)"(?=\s|$)')
_SIZE = re.compile(r"[0-9]{1,19}")

_BANNERS = (
    ("vsftpd", ServerKind.VSFTPD),
    ("pure-ftpd", ServerKind.PUREFTPD),
    ("proftpd", ServerKind.PROFTPD),
    ("filezilla server", ServerKind.FILEZILLA),
    ("pyftpdlib", ServerKind.PYFTPDLIB),
    ("microsoft ftp service", ServerKind.IIS),
)

# quirk_421_connections: vsftpd "There are too many connected users", "… connections from your internet
# address", Pure-FTPd "Too many connections (2) from this IP", pyftpdlib "Too many connections", lftp#335.
# quirk_421_users: Pure-FTPd "2 users (the maximum) are already logged in", FileZilla "Too many users".
# quirk_530_maximum: ProFTPD's MaxClients, MaxClientsPerHost, MaxClientsPerUser (after PASS) and
# MaxConnectionsPerHost (as the greeting): "Sorry, the maximum number of … (2) … are already connected."
# quirk_530_too_many: "too many connections", "sessions", "users" of one account, ftp-deploy#29.
_LIMITS = {
    421: re.compile(r"too many .{0,40}?(?:connect|user|client|session)|\(the maximum\)|maximum number", re.IGNORECASE),
    530: re.compile(
        r"maximum number .{0,40}?(?:client|host|user|connection)"
        r"|too many .{0,40}?(?:connection|session|user|client|login)",
        re.IGNORECASE,
    ),
}
_CREDENTIALS = re.compile(
    r"fail|passw|incorrect|invalid|authenticat|(?:too many|bad|wrong|log-?[io]n) (?:attempt|tries)",
    re.IGNORECASE,
)
