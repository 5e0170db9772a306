"""What NNTP's replies say, line by line, and which error a refusal stands for (RFC 3977 section 3.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime

from netclients.errors import (
    AuthenticationError,
    ConnectionLost,
    NetClientError,
    PermanentReplyError,
    ProtocolError,
    TooManyConnections,
    TransientReplyError,
    UnsupportedError,
    printable,
)
from netclients.mail.decoding import plain
from netclients.nntp.types import (
    ActiveGroup,
    ArticleInfo,
    Capabilities,
    CountedGroup,
    CreatedGroup,
    Distribution,
    DistributionPattern,
    Group,
    GroupDescription,
    HeaderValue,
    Moderator,
    Reply,
)

__all__ = [
    "parse_active",
    "parse_article",
    "parse_capabilities",
    "parse_count",
    "parse_creation",
    "parse_date",
    "parse_description",
    "parse_distribution",
    "parse_group",
    "parse_header",
    "parse_moderator",
    "parse_number",
    "parse_pattern",
    "parse_reply",
    "reply_error",
]

_REPLY = re.compile(rb"([1-5][0-9]{2})(?:[ \t](.*))?", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,20}")
_DATE = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})")

# Not all 4xx may work later: most say that there is no such thing (411, 423, 430), or that something else comes first.
# 403: an internal fault; 431: CHECK, try again; 436: IHAVE, try again.
_TRANSIENT = (403, 431, 436)
_NEEDS_LOGIN = 480
_OPENING = ("greeting", "AUTHINFO", "***", "MODE READER")
# Providers count connections, and have no code for it.
_CROWDED = re.compile(
    r"too many|(?:connection|session)s? limit|limit (?:reached|exceeded)|max(?:imum)? .{0,20}connect", re.IGNORECASE
)


def parse_reply(line: bytes) -> Reply:
    """Read a reply's line.

    Raises:
        ProtocolError: it is none.
    """
    found = _REPLY.fullmatch(line)
    if found is None:
        shown = printable(line[:80].decode("utf-8", "replace"))
        raise ProtocolError(f"the server sent {shown!r} where a reply was due")
    return Reply(int(found[1]), (found[2] or b"").decode("utf-8", "surrogateescape"))


def parse_capabilities(lines: Iterable[bytes]) -> Capabilities:
    """Read the list of CAPABILITIES; words are taken in any case, several lines of one keyword as one."""
    keywords: dict[str, tuple[str, ...]] = {}
    for line in lines:
        keyword, *parameters = plain(line).upper().split() or [""]
        if keyword:
            keywords[keyword] = keywords.get(keyword, ()) + tuple(parameters)
    return Capabilities(keywords, known=True)


def parse_group(reply: Reply, asked: str | None) -> Group:
    """Read the reply to GROUP or LISTGROUP: ``count first last name``.

    quirk_nameless: some servers leave the name out, or say only "Article list follows" behind LISTGROUP's 211.

    Raises:
        ProtocolError: it tells nothing, or tells of another group than was ``asked`` for.
    """
    words = reply.text.split()
    if len(words) < 3 or not all(map(_NUMBER.fullmatch, words[:3])):
        raise _nonsense(str(reply), "a group")
    named = words[3] if len(words) > 3 else ""
    if asked is not None and named != asked and named.casefold() == asked.casefold():
        named = asked
    return Group(named if asked is None else asked, *map(int, words[:3]))


def parse_article(reply: Reply, asked: str | int | None) -> ArticleInfo:
    """Read which article a reply is about: ``number <message-id>``.

    Raises:
        ProtocolError: nobody can tell, or it is another one than was ``asked`` for.
    """
    words = reply.text.split(maxsplit=2)
    if not words or not _NUMBER.fullmatch(words[0]):
        raise _nonsense(str(reply), "an article")
    number, message_id = int(words[0]), words[1] if len(words) > 1 else ""
    wrong = isinstance(asked, int) and number != asked
    if isinstance(asked, str):
        # quirk_zero_id: "<0>", or nothing, where the id was known anyway.
        wrong = message_id.startswith("<") and message_id not in (asked, "<0>")
        message_id = asked
    if wrong:
        raise ProtocolError(f"the server answers for another article than {printable(str(asked))}: {reply}")
    return ArticleInfo(number if not isinstance(asked, str) else None, message_id, reply.size)


def parse_date(reply: Reply) -> datetime:
    """Read the reply to DATE."""
    found = _DATE.match(reply.text.strip())
    if found is None:
        raise _nonsense(str(reply), "a date")
    try:
        return datetime(*map(int, found.groups()), tzinfo=UTC)  # type: ignore[arg-type,misc]
    except ValueError:
        raise _nonsense(str(reply), "a date") from None


def parse_number(line: bytes) -> int:
    """Read a line of LISTGROUP."""
    return _number(plain(line).strip(), line)


def parse_active(line: bytes) -> ActiveGroup:
    """Read a line of LIST ACTIVE or NEWGROUPS."""
    words = plain(line).split()
    if len(words) < 3:
        raise _nonsense(plain(line), "a group")
    # quirk_no_status
    return ActiveGroup(words[0], _number(words[1], line), _number(words[2], line), words[3] if len(words) > 3 else "y")


def parse_count(line: bytes) -> CountedGroup:
    """Read a line of LIST COUNTS."""
    words = plain(line).split()
    if len(words) < 5:
        raise _nonsense(plain(line), "a group")
    last, first, count = (_number(word, line) for word in words[1:4])
    return CountedGroup(words[0], last, first, count, words[4])


def parse_creation(line: bytes) -> CreatedGroup:
    """Read a line of LIST ACTIVE.TIMES."""
    name, seconds, creator, *_ = [*plain(line).split(maxsplit=2), "", ""]
    try:
        created = datetime.fromtimestamp(_number(seconds, line), UTC)
    except (ValueError, OverflowError, OSError):
        raise _nonsense(plain(line), "a group") from None
    return CreatedGroup(name, created, creator)


def parse_description(line: bytes) -> GroupDescription:
    """Read a line of LIST NEWSGROUPS or XGTITLE."""
    name, description, *_ = [*plain(line).split(maxsplit=1), "", ""]
    return GroupDescription(name, description.strip())


def parse_pattern(line: bytes) -> DistributionPattern:
    """Read a line of LIST DISTRIB.PATS."""
    weight, _, rest = plain(line).partition(":")
    wildmat, _, value = rest.partition(":")
    return DistributionPattern(_number(weight, line), wildmat, value)


def parse_distribution(line: bytes) -> Distribution:
    """Read a line of LIST DISTRIBUTIONS."""
    name, description, *_ = [*plain(line).split(maxsplit=1), "", ""]
    return Distribution(name, description.strip())


def parse_moderator(line: bytes) -> Moderator:
    """Read a line of LIST MODERATORS."""
    wildmat, _, address = plain(line).partition(":")
    return Moderator(wildmat, address.strip())


def parse_header(line: bytes) -> HeaderValue:
    """Read a line of HDR: its value is as it was sent.

    quirk_xhdr_id: to XHDR with a message-id, servers repeat that instead of a number.
    """
    word, _, value = plain(line).partition(" ")
    return HeaderValue(0 if word.startswith("<") else _number(word, line), value)


def _number(word: str, line: bytes) -> int:
    if not _NUMBER.fullmatch(word):
        raise _nonsense(plain(line), "a number")
    return int(word)


def _nonsense(shown: str, what: str) -> ProtocolError:
    return ProtocolError(f"the server sent {printable(shown[:80])!r} where {what} was due")


def reply_error(sent: str, reply: Reply) -> NetClientError:
    """Return the error that ``reply`` to the command ``sent`` (secrets redacted) stands for.

    Of its ``code``: 480 wants a login (an :class:`~netclients.errors.AuthenticationError`), 483 wants TLS, 411 knows no
    such group, 412 none is chosen, 420 to 423 and 430 there is no such article.
    """
    code, text = reply.code, reply.text
    opening = sent.startswith(_OPENING)
    if opening and code in (400, 481, 482, 502) and (_CROWDED.search(text) or (code == 400 and sent == "greeting")):
        return TooManyConnections(sent, code, text)
    if code == 400:
        return ConnectionLost(f"the server closed the session: {reply}")
    if code in _TRANSIENT:
        return TransientReplyError(sent, code, text)
    if code == _NEEDS_LOGIN or (code in (381, 452, 481, 482) and sent.startswith(("AUTHINFO", "***"))):
        return AuthenticationError(sent, code, text)
    if code in (500, 503) and sent != "greeting":
        return UnsupportedError(f"the server does not know {printable(sent)}: {reply}")
    if reply.kind in (4, 5):
        return PermanentReplyError(sent, code, text)
    return ProtocolError(f"the server answered {printable(sent)} by {reply}")
