"""INN and Cyrus: what they announce is used."""

from __future__ import annotations

import contextlib
import secrets
import time
from datetime import UTC, datetime, timedelta

import pytest

from netclients import AuthenticationError, PermanentReplyError, UnsupportedError
from netclients.nntp.types import Answer
from tests.fix_news import StartNewsServer
from tests.nntp.groups import connected, news
from tests.servers import NewsServer

pytestmark = pytest.mark.anyio


def names(count: int) -> list[str]:
    mark = secrets.token_hex(6)
    return [f"{number}.{mark}" for number in range(count)]


async def test_read(inn: NewsServer) -> None:
    group = inn.new_group()
    ids = inn.seed(group, [b"Subject: %d\r\n\r\n.\r\n..two\r\n" % number for number in range(10)])
    c = await connected(inn.url(), tls="none")
    assert c.capabilities.has("READER")
    found = await c.group(group)
    assert (found.count, found.first, found.last) == (10, 1, 10)
    pending = [c.article(each) for each in ids]
    articles = [await each for each in pending]
    assert [article.message_id for article in articles] == ids
    assert all(article.raw.endswith(b"\r\n\r\n.\r\n..two\r\n") for article in articles)
    assert (await c.article(3)).message_id == ids[2]
    assert (await c.stat()).number == 3
    assert (await c.next()).message_id == ids[3]
    assert (await c.last()).message_id == ids[2]
    assert (await c.body()).raw == b".\r\n..two\r\n"
    assert (await c.head(4)).raw.endswith(b"\r\n")
    assert (await c.listgroup(group, (2, 4))).numbers == (2, 3, 4)
    with pytest.raises(PermanentReplyError) as caught:
        await c.article("<nothing@example.test>")
    assert caught.value.code == 430
    with pytest.raises(PermanentReplyError) as caught:
        await c.article(4711)
    assert caught.value.code == 423
    with pytest.raises(PermanentReplyError) as caught:
        await c.group("misc.nothing")
    assert caught.value.code == 411
    form = await c.list_overview_fmt()
    assert form.fields[:7] == ("subject", "from", "date", "message-id", "references", ":bytes", ":lines")
    overviews = await c.overview((1, None))
    assert [o.number for o in overviews] == list(range(1, 11))
    assert [o.subject for o in overviews] == [str(number) for number in range(10)]
    assert overviews[0].extra["xref"].endswith(f" {group}:1")
    batches: list[int] = []
    await c.overview_to((1, 10), lambda batch: batches.extend(o.number for o in batch))
    assert batches == list(range(1, 11))
    assert [value.value for value in await c.hdr("subject", (1, 2))] == ["0", "1"]
    assert [value.value for value in await c.hdr("subject", ids[4])] == ["4"]
    assert [value.number for value in await c.xpat("subject", (1, None), "7")] == [8]
    assert len(await c.xover((1, 3))) == 3
    assert len(await c.xhdr("Message-ID", (1, 3))) == 3
    await c.quit()


async def test_lists(inn: NewsServer) -> None:
    group = inn.new_group()
    inn.seed(group, [b"Subject: 1\r\n\r\n1\r\n"])
    c = await connected(inn.url(), tls="none")
    now = await c.date()
    assert abs(now - datetime.now(UTC)) < timedelta(minutes=1)
    assert await c.help()
    active = {each.name: each for each in await c.list_active("test.*,misc.*")}
    assert active[group].last == 1
    assert active["misc.closed"].status == "n"
    assert {each.name: each.count for each in await c.list_counts(group)} == {group: 1}
    assert group in {each.name for each in await c.list_active_times()}
    assert [each.name for each in await c.list_newsgroups(group)] == [group]
    assert ":" in await c.list_headers()
    assert group in {each.name for each in await c.newgroups(now - timedelta(hours=1))}
    assert len(await c.newnews(group, now - timedelta(hours=1))) == 1
    for optional in (
        c.list_distrib_pats,
        c.list_distributions,
        c.list_moderators,
        c.list_motd,
        c.list_subscriptions,
        c.xgtitle,
    ):
        with contextlib.suppress(UnsupportedError, PermanentReplyError):
            await optional()
        assert not c.over
    assert c.clean or c.marked
    await c.quit()


@pytest.mark.parametrize("tls", ["none", "starttls"])
@pytest.mark.parametrize("compress", [False, True])
async def test_post(inn: NewsServer, tls: str, compress: bool) -> None:
    group = inn.new_group()
    [name] = names(1)
    c = await connected(inn.url(user=inn.user), tls=tls, ssl_context=inn.ssl_context(), compress=compress)
    assert c.authenticated
    assert c.compressed == compress
    await c.post(news(name, group, b".dot\r\n"))
    assert not c.marked
    assert inn.article(f"<{name}@example.test>").endswith(b"\r\n\r\n.dot\r\n")
    with pytest.raises(PermanentReplyError) as caught:
        await c.post(b"Subject: nothing else\r\n\r\nbody\r\n")
    assert caught.value.code == 441
    assert len(await c.list_active("misc.*")) >= 4
    await c.quit()


async def test_a_login_is_wanted(start_news_server: StartNewsServer) -> None:
    server = start_news_server("inn", MODE="auth")
    c = await connected(server.url(), tls="none")
    with pytest.raises(AuthenticationError) as caught:
        await c.group("misc.test")
    assert caught.value.code == 480
    await c.quit()
    with pytest.raises(AuthenticationError):
        await connected(server.url(), auth=(server.user, "wrong"), tls="none")
    c = await connected(server.url(user=server.user), tls="starttls", ssl_context=server.ssl_context())
    assert (await c.group("misc.test")).name == "misc.test"
    await c.quit()


async def test_feed(inn: NewsServer) -> None:
    group = inn.new_group()
    c = await connected(inn.url("feed"), tls="none", reader=False)
    await c.mode_stream()
    found = names(50)
    ids = [f"<{name}@example.test>" for name in found]
    checks = [c.check(each) for each in ids]
    assert {await each for each in checks} == {Answer.WANTED}
    given = [c.takethis(each, b"Path: here\r\n" + news(name, group)) for each, name in zip(ids, found, strict=True)]
    assert {await each for each in given} == {Answer.ACCEPTED}
    assert await c.check(ids[0]) is Answer.UNWANTED
    assert await c.ihave(ids[0], news(found[0], group)) is Answer.UNWANTED
    [name] = names(1)
    assert await c.ihave(f"<{name}@example.test>", b"Path: here\r\n" + news(name, group)) is Answer.ACCEPTED
    assert await c.takethis("<bad@example.test>", b"nonsense\r\n") is Answer.REJECTED
    await c.quit()


async def test_two_thousand_articles(inn: NewsServer) -> None:
    group = inn.new_group()
    ids = inn.seed(group, [b"Subject: %d\r\n\r\n%s" % (n, (b"x" * 70 + b"\r\n") * 40) for n in range(2000)])
    c = await connected(inn.url(), tls="none")
    started = time.perf_counter()
    pending = [c.article(each) for each in ids]
    sizes = [len((await each).raw) for each in pending]
    print(f"{2000 / (time.perf_counter() - started):.0f} articles/s")
    assert min(sizes) > 2800
    await c.quit()


async def test_cyrus(cyrus_news: NewsServer) -> None:
    group = cyrus_news.new_group()
    ids = cyrus_news.seed(group, [b"Subject: %d\r\n\r\nbody\r\n" % number for number in range(5)])
    c = await connected(cyrus_news.url("nntps", user=cyrus_news.user), ssl_context=cyrus_news.ssl_context())
    assert (await c.group(group)).count == 5
    pending = [c.article(each) for each in ids]
    assert [(await each).message_id for each in pending] == ids
    await c.list_overview_fmt()
    assert [o.subject for o in await c.overview((1, None))] == [str(number) for number in range(5)]
    await c.quit()
