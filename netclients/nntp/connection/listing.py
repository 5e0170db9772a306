"""What a server knows: lists, news, date and help (RFC 3977 section 7, RFC 6048)."""

from __future__ import annotations

from datetime import datetime

from netclients.mail.decoding import plain
from netclients.nntp import arguments, replies
from netclients.nntp.arguments import Which
from netclients.nntp.commands import command
from netclients.nntp.connection.dialogue import Dialogue
from netclients.nntp.sinks import Sink
from netclients.nntp.types import (
    ActiveGroup,
    CountedGroup,
    CreatedGroup,
    Distribution,
    DistributionPattern,
    GroupDescription,
    Moderator,
)
from netclients.pending import Pending

__all__ = ["Listing"]


class Listing(Dialogue):
    """Commands that ask for what concerns no single article. ``wildmat`` is a pattern for names of groups."""

    def date(self) -> Pending[datetime]:
        """DATE: what time it is, for the server."""
        return self.begin(command("DATE"), replies.parse_date)

    def help(self) -> Pending[tuple[str, ...]]:
        """HELP: a text for people."""
        return self.listed(plain, "HELP")

    def newgroups(self, since: datetime) -> Pending[tuple[ActiveGroup, ...]]:
        """NEWGROUPS: groups that were created since then."""
        return self.listed(replies.parse_active, "NEWGROUPS", arguments.moment(since))

    def newnews(self, wildmat: str, since: datetime) -> Pending[tuple[str, ...]]:
        """NEWNEWS: message-ids of articles that came since then."""
        return self.listed(plain, "NEWNEWS", arguments.wildmat(wildmat), arguments.moment(since))

    async def newnews_to(self, wildmat: str, since: datetime, sink: Sink[list[str]]) -> None:
        """NEWNEWS of any length: ``sink`` gets what has come, as it comes."""
        await self.told(sink, plain, "NEWNEWS", arguments.wildmat(wildmat), arguments.moment(since))

    def list_active(self, wildmat: str | None = None) -> Pending[tuple[ActiveGroup, ...]]:
        """LIST ACTIVE: groups, with their lowest and highest number."""
        return self.listed(replies.parse_active, "LIST", b"ACTIVE", _wildmat(wildmat))

    async def list_active_to(self, wildmat: str | None, sink: Sink[list[ActiveGroup]]) -> None:
        """LIST ACTIVE of any length: ``sink`` gets what has come, as it comes."""
        await self.told(sink, replies.parse_active, "LIST", b"ACTIVE", _wildmat(wildmat))

    def list_counts(self, wildmat: str | None = None) -> Pending[tuple[CountedGroup, ...]]:
        """LIST COUNTS: LIST ACTIVE, with how many articles there are (RFC 6048)."""
        return self.listed(replies.parse_count, "LIST", b"COUNTS", _wildmat(wildmat))

    def list_active_times(self, wildmat: str | None = None) -> Pending[tuple[CreatedGroup, ...]]:
        """LIST ACTIVE.TIMES: when groups were created, and by whom."""
        return self.listed(replies.parse_creation, "LIST", b"ACTIVE.TIMES", _wildmat(wildmat))

    def list_newsgroups(self, wildmat: str | None = None) -> Pending[tuple[GroupDescription, ...]]:
        """LIST NEWSGROUPS: what groups are about."""
        return self.listed(replies.parse_description, "LIST", b"NEWSGROUPS", _wildmat(wildmat))

    async def list_newsgroups_to(self, wildmat: str | None, sink: Sink[list[GroupDescription]]) -> None:
        """LIST NEWSGROUPS of any length: ``sink`` gets what has come, as it comes."""
        await self.told(sink, replies.parse_description, "LIST", b"NEWSGROUPS", _wildmat(wildmat))

    def list_distrib_pats(self) -> Pending[tuple[DistributionPattern, ...]]:
        """LIST DISTRIB.PATS: which distribution fits which groups."""
        return self.listed(replies.parse_pattern, "LIST", b"DISTRIB.PATS")

    def list_distributions(self) -> Pending[tuple[Distribution, ...]]:
        """LIST DISTRIBUTIONS (RFC 6048)."""
        return self.listed(replies.parse_distribution, "LIST", b"DISTRIBUTIONS")

    def list_headers(self, which: Which | tuple[int, int | None] = None) -> Pending[tuple[str, ...]]:
        """LIST HEADERS: fields that HDR knows, for ranges unless ``which`` is a message-id; ``":"`` is any field."""
        variant = b"" if which is None else b"MSGID" if isinstance(which, str) else b"RANGE"
        return self.listed(plain, "LIST", b"HEADERS", variant)

    def list_moderators(self) -> Pending[tuple[Moderator, ...]]:
        """LIST MODERATORS (RFC 6048): where articles for moderated groups are sent."""
        return self.listed(replies.parse_moderator, "LIST", b"MODERATORS")

    def list_motd(self) -> Pending[tuple[str, ...]]:
        """LIST MOTD (RFC 6048): what the server wants to tell people today."""
        return self.listed(plain, "LIST", b"MOTD")

    def list_subscriptions(self, wildmat: str | None = None) -> Pending[tuple[str, ...]]:
        """LIST SUBSCRIPTIONS (RFC 6048): groups for those who are new."""
        return self.listed(plain, "LIST", b"SUBSCRIPTIONS", _wildmat(wildmat))


def _wildmat(wildmat: str | None) -> bytes:
    return b"" if wildmat is None else arguments.wildmat(wildmat)
