"""The commands of the embedded NNTP server that read (RFC 3977 sections 6 to 8, RFC 6048, RFC 2980)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime

from netclients.wire.dots import stuffed

from ._mail_engine import MailEngine
from ._nntp_session import Counters, NewsArticle, NewsGroup, Rules, Session, Spool, matches

Handler = Callable[[Session, str], Awaitable[None]]

_OVERVIEW = ("Subject", "From", "Date", "Message-ID", "References", ":bytes", ":lines")
_TEXTS = {"ARTICLE": (220, "raw"), "HEAD": (221, "head"), "BODY": (222, "body"), "STAT": (223, "")}


class RefusedError(Exception):
    """The reply that refuses a command."""


class Reading(MailEngine[Session]):
    """Executes the commands that read."""

    rules: Rules
    counters: Counters
    spool: Spool

    def reading_handlers(self) -> Mapping[str, Handler]:
        """Return what executes the commands of this module."""
        handlers = {
            "GROUP": self.group,
            "LISTGROUP": self.listgroup,
            "LAST": lambda session, _: self._step_by(session, -1),
            "NEXT": lambda session, _: self._step_by(session, 1),
            "DATE": self.date,
            "HELP": self.help,
            "NEWGROUPS": self.newgroups,
            "NEWNEWS": self.newnews,
            "LIST": self.list,
            "OVER": self.over,
            "XOVER": self.over,
            "HDR": lambda session, argument: self._fields(session, argument, 225),
            "XHDR": lambda session, argument: self._fields(session, argument, 221),
            "XPAT": self.xpat,
            "XGTITLE": self.xgtitle,
            **{verb: self._reader_of(verb) for verb in _TEXTS},
        }
        return {verb: _refusing(handler) for verb, handler in handlers.items()}

    def send_list(self, session: Session, heading: str, lines: Iterable[str]) -> None:
        """Queue a reply with a list."""
        session.send_raw(heading)
        session.outbox.append(stuffed("".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape")))

    # Groups

    def _select(self, session: Session, name: str) -> NewsGroup:
        found = self.spool.groups.get(name) if name else session.group
        if found is None:
            raise RefusedError("411 No such newsgroup" if name else "412 No newsgroup selected")
        session.group = found
        session.current = found.first if found.articles else None
        return found

    async def group(self, session: Session, argument: str) -> None:
        """GROUP."""
        if not argument:
            raise RefusedError("501 Which one?")
        session.send_raw(_summary(self._select(session, argument)))

    async def listgroup(self, session: Session, argument: str) -> None:
        """LISTGROUP."""
        name, _, span = argument.partition(" ")
        group = self._select(session, name)
        first, last = _span(span) if span else (0, group.last)
        self.send_list(session, _summary(group), (str(n) for n in sorted(group.articles) if first <= n <= last))

    async def _step_by(self, session: Session, step: int) -> None:
        group, current = session.group, session.current
        if group is None:
            raise RefusedError("412 No newsgroup selected")
        if current is None:
            raise RefusedError("420 No current article")
        others = [n for n in group.articles if (n - current) * step > 0]
        if not others:
            raise RefusedError("421 No next article" if step > 0 else "422 No previous article")
        session.current = min(others) if step > 0 else max(others)
        session.send_raw(f"223 {session.current} {group.articles[session.current].message_id}")

    # Articles

    def _find(self, session: Session, argument: str) -> tuple[int, NewsArticle]:
        if argument.startswith("<"):
            article = self.spool.articles.get(argument)
            if article is None:
                raise RefusedError("430 No article with that message-id")
            return 0, article
        group = session.group
        if group is None:
            raise RefusedError("412 No newsgroup selected")
        number = _number(argument) if argument else session.current
        if number is None:
            raise RefusedError("420 No current article")
        if number not in group.articles:
            raise RefusedError("423 No article with that number" if argument else "420 No current article")
        return number, group.articles[number]

    def _reader_of(self, verb: str) -> Handler:
        code, part = _TEXTS[verb]

        async def read(session: Session, argument: str) -> None:
            number, article = self._find(session, argument)
            if number:
                session.current = number
            session.send_raw(f"{code} {number} {article.message_id}")
            if part:
                session.outbox.append(stuffed(getattr(article, part)))

        return read

    def _some(self, session: Session, argument: str) -> list[tuple[int, NewsArticle]]:
        """Return the articles of a range, or one."""
        if not argument or argument.startswith("<"):
            return [self._find(session, argument)]
        group = session.group
        if group is None:
            raise RefusedError("412 No newsgroup selected")
        first, last = _span(argument)
        found = [(n, article) for n, article in sorted(group.articles.items()) if first <= n <= last]
        if not found:
            raise RefusedError("423 No articles in that range")
        return found

    async def over(self, session: Session, argument: str) -> None:
        """OVER, XOVER."""
        found = self._some(session, argument)
        self.send_list(session, "224 Overview information follows", (_overview(n, each) for n, each in found))

    async def _fields(self, session: Session, argument: str, code: int) -> None:
        name, _, which = argument.partition(" ")
        if not name:
            raise RefusedError("501 Which field?")
        found = self._some(session, which)
        self.send_list(session, f"{code} Headers follow", (f"{n} {each.field(name)}" for n, each in found))

    async def xpat(self, session: Session, argument: str) -> None:
        """XPAT."""
        words = argument.split(" ")
        if len(words) < 3:
            raise RefusedError("501 Which pattern?")
        name, which, *wildmats = words
        found = [(n, each.field(name)) for n, each in self._some(session, which)]
        lines = (f"{n} {value}" for n, value in found if any(matches(wildmat, value) for wildmat in wildmats))
        self.send_list(session, "221 Headers follow", lines)

    # What the server knows

    async def date(self, session: Session, argument: str) -> None:
        """DATE."""
        session.send_raw(f"111 {datetime.now(UTC):%Y%m%d%H%M%S}")

    async def help(self, session: Session, argument: str) -> None:
        """HELP."""
        self.send_list(session, "100 Help text follows", ["This server is for tests.", ".", "Ask for anything."])

    async def newgroups(self, session: Session, argument: str) -> None:
        """NEWGROUPS."""
        since = _moment(argument)
        lines = [_active(group) for group in self.spool.matching("*") if group.created >= since]
        self.send_list(session, "231 New newsgroups follow", lines)

    async def newnews(self, session: Session, argument: str) -> None:
        """NEWNEWS."""
        wildmat, _, rest = argument.partition(" ")
        since = _moment(rest)
        found = (
            message_id
            for message_id, article in self.spool.articles.items()
            if article.arrived >= since and any(matches(wildmat, name) for name in article.numbers)
        )
        self.send_list(session, "230 New articles follow", found)

    async def xgtitle(self, session: Session, argument: str) -> None:
        """XGTITLE."""
        wildmat = argument or (session.group.name if session.group is not None else "*")
        lines = (f"{group.name}\t{group.description}" for group in self.spool.matching(wildmat))
        self.send_list(session, "282 List of groups follows", lines)

    variants: tuple[str, ...] = (
        *("ACTIVE", "ACTIVE.TIMES", "COUNTS", "DISTRIB.PATS", "DISTRIBUTIONS", "HEADERS", "MODERATORS", "MOTD"),
        *("NEWSGROUPS", "OVERVIEW.FMT", "SUBSCRIPTIONS"),
    )
    """What LIST knows."""

    async def list(self, session: Session, argument: str) -> None:
        """LIST."""
        name, _, rest = argument.partition(" ")
        groups = self.spool.matching(rest or "*")
        lines: Iterable[str]
        match name.upper() or "ACTIVE":
            case "ACTIVE":
                lines = map(_active, groups)
            case "ACTIVE.TIMES":
                lines = (f"{group.name} {group.created.timestamp():.0f} netclients" for group in groups)
            case "COUNTS":
                lines = (f"{g.name} {g.last} {g.first} {len(g.articles)} {g.status}" for g in groups)
            case "NEWSGROUPS":
                lines = (f"{group.name}\t{group.description}" for group in groups)
            case "OVERVIEW.FMT":
                lines = (*(name if name.startswith(":") else f"{name}:" for name in _OVERVIEW), "Xref:full")
            case "HEADERS":
                lines = (":", ":bytes", ":lines")
            case "DISTRIB.PATS":
                lines = ("10:local.*:local",)
            case "DISTRIBUTIONS":
                lines = ("local\tThis site",)
            case "MODERATORS":
                lines = ("*:%s@moderators.example.test",)
            case "MOTD":
                lines = ("Nothing is the matter.",)
            case "SUBSCRIPTIONS":
                lines = (group.name for group in groups)
            case _:
                raise RefusedError("501 Unknown LIST variant")
        self.send_list(session, "215 Information follows", lines)


def _refusing(handler: Handler) -> Handler:
    async def handle(session: Session, argument: str) -> None:
        try:
            await handler(session, argument)
        except RefusedError as refused:
            session.send_raw(str(refused))

    return handle


def _summary(group: NewsGroup) -> str:
    return f"211 {len(group.articles)} {group.first} {group.last} {group.name}"


def _active(group: NewsGroup) -> str:
    return f"{group.name} {group.last} {group.first} {group.status}"


def _overview(number: int, article: NewsArticle) -> str:
    xref = f"Xref: {article.field('xref')}"
    return "\t".join([str(number), *(article.field(name) for name in _OVERVIEW), xref])


def _number(word: str) -> int:
    if not (word.isascii() and word.isdecimal() and len(word) <= 16):
        raise RefusedError("501 That is no number")
    return int(word)


def _span(words: str) -> tuple[int, int]:
    first, dash, last = words.partition("-")
    begin = _number(first)
    return begin, _number(last) if last else (1 << 62 if dash else begin)


def _moment(words: str) -> datetime:
    try:
        return datetime.strptime(words.removesuffix(" GMT"), "%Y%m%d %H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise RefusedError("501 Which date?") from None
