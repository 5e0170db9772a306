"""Groups and articles (RFC 3977 section 6), overviews and fields (section 8), and their forerunners (RFC 2980)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from netclients.errors import ConfigurationError
from netclients.nntp import arguments, commands, replies
from netclients.nntp.arguments import Which
from netclients.nntp.commands import command
from netclients.nntp.compressed import YEncoded
from netclients.nntp.connection.dialogue import Dialogue
from netclients.nntp.overview import STANDARD, Overview, OverviewFormat
from netclients.nntp.sinks import Sink, Spool
from netclients.nntp.types import Article, ArticleInfo, Group, GroupDescription, HeaderValue, ListedGroup, Reply
from netclients.pending import Pending
from netclients.wire.blocks import Listed

__all__ = ["Reading"]

T = TypeVar("T")
Numbers = tuple[int, int | None]
"""First and last; None: to the end."""


class Reading(Dialogue):
    """Commands that read. ``overview_format`` is what LIST OVERVIEW.FMT has said."""

    overview_format: OverviewFormat = STANDARD
    selected: str | None = None
    """The current group."""

    # Groups

    async def group(self, name: str) -> Group:
        """GROUP: choose a group.

        Raises:
            PermanentReplyError: there is no such group (code 411).
        """
        group = replies.parse_group(await self.run(command("GROUP", arguments.group(name))), name)
        self.selected = name
        return group

    async def listgroup(self, name: str | None = None, numbers: Numbers | None = None) -> ListedGroup:
        """LISTGROUP: choose a group (None: the current one) and hear the numbers of its articles, or some of them."""
        if name is None and numbers is not None:
            if self.selected is None:
                raise ConfigurationError("no group is chosen: name the one whose numbers are to be listed")
            name = self.selected
        words = (b"" if name is None else arguments.group(name), _range(numbers))
        sent = commands.listing("LISTGROUP", *words, bounds=self.settings.bounds)
        reply = await self.run(sent)
        listed = tuple(map(replies.parse_number, reply.lines))
        if reply.text[:1].isdigit():
            group = replies.parse_group(reply, name)
        else:  # quirk_nameless
            group = Group(name or self.selected or "", len(listed), min(listed, default=1), max(listed, default=0))
        self.selected = name or self.selected
        return ListedGroup(group, listed)

    async def last(self) -> ArticleInfo:
        """LAST: go to the article before the current one."""
        return replies.parse_article(await self.run(command("LAST")), None)

    async def next(self) -> ArticleInfo:
        """NEXT: go to the article behind the current one."""
        return replies.parse_article(await self.run(command("NEXT")), None)

    # Articles

    def article(self, which: Which = None) -> Pending[Article]:
        """ARTICLE: one article, of at most ``Bounds.read`` bytes.

        Those by message-id, and those by number, go out one behind the other before their replies are there.

        Raises:
            PermanentReplyError: there is no such article (codes 420, 423, 430), or no group was chosen (412).
            ProtocolError: it is larger, or it is another one.
        """
        return self._text("ARTICLE", which)

    def head(self, which: Which = None) -> Pending[Article]:
        """HEAD: its header, without the empty line."""
        return self._text("HEAD", which)

    def body(self, which: Which = None) -> Pending[Article]:
        """BODY: what is behind the empty line."""
        return self._text("BODY", which)

    def _text(self, verb: str, which: Which) -> Pending[Article]:
        def result(reply: Reply) -> Article:
            info = replies.parse_article(reply, which)
            return Article(info.number, info.message_id, reply.body)

        return self.begin(commands.text(verb, arguments.which(which), limit=self.settings.bounds.read), result)

    async def article_to(self, which: Which, sink: Sink[memoryview]) -> ArticleInfo:
        """ARTICLE of any size: its pieces go to ``sink``; an awaitable that it returns is awaited before the next."""
        return await self._text_to("ARTICLE", which, sink)

    async def body_to(self, which: Which, sink: Sink[memoryview]) -> ArticleInfo:
        """BODY of any size: see :meth:`article_to`."""
        return await self._text_to("BODY", which, sink)

    async def _text_to(self, verb: str, which: Which, sink: Sink[memoryview]) -> ArticleInfo:
        with Spool[memoryview]() as spool:
            # A view of its own outlives the state machine's; the bytes below never change.
            sent = commands.text(verb, arguments.which(which), limit=0, sink=lambda piece: spool.take(piece[:]))

            async def deliver(piece: memoryview) -> None:
                with piece:
                    await spool.pass_on(sink, piece)

            reply = await self.spooled(sent, spool, deliver)
            return self.understood(lambda: replies.parse_article(reply, which))

    def stat(self, which: Which = None) -> Pending[ArticleInfo]:
        """STAT: whether there is such an article."""
        return self.begin(commands.stat(arguments.which(which)), lambda reply: replies.parse_article(reply, which))

    # Overviews

    async def list_overview_fmt(self) -> OverviewFormat:
        """LIST OVERVIEW.FMT: which fields overviews have; from here on they are read so."""
        reply = await self.run(commands.listing("LIST", b"OVERVIEW.FMT", bounds=self.settings.bounds))
        self.overview_format = OverviewFormat.of(reply.lines)
        return self.overview_format

    def overview(self, which: Numbers | Which = None) -> Pending[tuple[Overview, ...]]:
        """OVER: overviews of a range of numbers (first and last), of one article, or of the current one.

        Raises:
            PermanentReplyError: there are none (420, 423, 430); some servers return an empty list instead.
        """
        return self.listed(self._overview, "OVER", _some(which))

    async def overview_to(self, numbers: Numbers, sink: Sink[list[Overview]]) -> None:
        """OVER of any range: ``sink`` gets what has come, as it comes."""
        await self.told(sink, self._overview, "OVER", _range(numbers))

    def xover(self, which: Numbers | int | None = None) -> Pending[tuple[Overview, ...]]:
        """XOVER: OVER of before RFC 3977; it knows no message-ids."""
        return self.listed(self._overview, "XOVER", _some(which))

    async def xover_to(self, numbers: Numbers, sink: Sink[list[Overview]]) -> None:
        """XOVER of any range: see :meth:`overview_to`."""
        await self.told(sink, self._overview, "XOVER", _range(numbers))

    def xzver(self, numbers: Numbers) -> Pending[tuple[Overview, ...]]:
        """XZVER: XOVER, deflated and in yEnc (legacy, of some providers)."""
        bounds = self.settings.bounds
        inner = Listed(line=bounds.line, limit=bounds.response)
        hidden = YEncoded(inner)

        def result(_: Reply) -> tuple[Overview, ...]:
            hidden.finish()
            return tuple(map(self._overview, inner.lines))

        return self.begin(commands.listing("XZVER", _range(numbers), bounds=bounds, take=hidden.take), result)

    @property
    def _overview(self) -> Callable[[bytes], Overview]:
        form = self.overview_format
        return Overview if form is STANDARD else partial(Overview, form=form)

    # Fields

    def hdr(self, field: str, which: Numbers | Which = None) -> Pending[tuple[HeaderValue, ...]]:
        """HDR: one field, or metadata (``":bytes"``), of a range of numbers, of one article, or of the current one."""
        return self.listed(replies.parse_header, "HDR", arguments.field(field), _some(which))

    async def hdr_to(self, field: str, numbers: Numbers, sink: Sink[list[HeaderValue]]) -> None:
        """HDR of any range: ``sink`` gets what has come, as it comes."""
        await self.told(sink, replies.parse_header, "HDR", arguments.field(field), _range(numbers))

    def xhdr(self, field: str, which: Numbers | Which = None) -> Pending[tuple[HeaderValue, ...]]:
        """XHDR: HDR of before RFC 3977."""
        return self.listed(replies.parse_header, "XHDR", arguments.field(field), _some(which))

    def xpat(self, field: str, which: Numbers | str, *wildmats: str) -> Pending[tuple[HeaderValue, ...]]:
        """XPAT: XHDR of those articles whose field matches one of the ``wildmats``."""
        words = (arguments.field(field), _some(which), *map(arguments.wildmat, wildmats))
        return self.listed(replies.parse_header, "XPAT", *words)

    def xgtitle(self, wildmat: str | None = None) -> Pending[tuple[GroupDescription, ...]]:
        """XGTITLE: LIST NEWSGROUPS of before RFC 3977."""
        words = () if wildmat is None else (arguments.wildmat(wildmat),)
        return self.listed(replies.parse_description, "XGTITLE", *words)


def _range(numbers: Numbers | None) -> bytes:
    return b"" if numbers is None else arguments.article_range(*numbers)


def _some(which: Numbers | Which) -> bytes:
    return _range(which) if isinstance(which, tuple) else arguments.which(which)
