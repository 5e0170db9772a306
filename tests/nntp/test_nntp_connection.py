"""Every command on the embedded server, every way to log in, and what must not happen on the way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from netclients import (
    AuthenticationError,
    Bounds,
    ConfigurationError,
    ConnectionLost,
    OAuth,
    OutcomeUnknown,
    PermanentReplyError,
    ProtocolError,
    TransientReplyError,
    UnsupportedError,
)
from netclients.errors import ReplyError, TooManyConnections
from netclients.nntp.types import Answer, Group
from netclients.testing import NNTPServer
from netclients.testing.smtp_faults import Fault, Hangup, InjectClear, Reply
from tests.nntp.groups import QUICK, connected, news

pytestmark = pytest.mark.anyio

BODY = b".\r\n..two\r\nlast\r\n"


@pytest.fixture
def server() -> Iterator[NNTPServer]:
    with NNTPServer() as server:
        for number in range(1, 6):
            server.add(news(number, body=BODY))
        yield server
        assert server.violations == []


async def test_reading(server: NNTPServer) -> None:
    c = await connected(server.url)
    assert c.posting
    assert not c.marked
    assert c.capabilities.has("OVER", "MSGID")
    assert c.capabilities.implementation == "NETCLIENTS.TESTING"
    assert await c.group("misc.test") == Group("misc.test", 5, 1, 5)
    assert c.selected == "misc.test"
    article = await c.article("<2@example.test>")
    assert (article.number, article.message_id, article.raw) == (None, "<2@example.test>", news(2, body=BODY))
    assert (await c.article(3)).number == 3
    assert (await c.article()).number == 3
    assert (await c.head(4)).raw == news(4).partition(b"\r\n\r\n")[0] + b"\r\n"
    assert (await c.body(4)).raw == BODY
    assert (await c.next()).message_id == "<5@example.test>"
    assert (await c.last()).number == 4
    assert (await c.stat("<1@example.test>")).number is None
    assert (await c.listgroup("misc.test", (2, 3))).numbers == (2, 3)
    assert (await c.listgroup()).numbers == (1, 2, 3, 4, 5)
    assert (await c.listgroup(None, (4, None))).numbers == (4, 5)
    pieces: list[bytes] = []

    async def keep(piece: memoryview) -> None:
        pieces.append(bytes(piece))

    info = await c.article_to("<1@example.test>", keep)
    assert b"".join(pieces) == news(1, body=BODY)
    assert info.size == len(news(1, body=BODY))
    pieces.clear()
    await c.body_to(1, keep)
    assert b"".join(pieces) == BODY
    await c.quit()


async def test_missing(server: NNTPServer) -> None:
    c = await connected(server.url)

    async def code(pending: object) -> int | None:
        with pytest.raises(PermanentReplyError) as caught:
            await pending  # type: ignore[misc]
        return caught.value.code

    assert await code(c.article()) == 412
    assert await code(c.article(1)) == 412
    assert await code(c.next()) == 412
    assert await code(c.group("misc.nothing")) == 411
    await c.group("misc.closed")
    assert await code(c.stat()) == 420
    await c.group("misc.test")
    assert await code(c.body(9)) == 423
    assert await code(c.head("<9@example.test>")) == 430
    assert await code(c.last()) == 422
    assert await code(c.overview((7, 9))) == 423
    assert not c.over
    with pytest.raises(UnsupportedError):
        await c.xzver((1, 2))
    with pytest.raises(UnsupportedError):
        await c.xfeature_compress_gzip()
    await c.quit()


async def test_overviews(server: NNTPServer) -> None:
    c = await connected(server.url)
    await c.group("misc.test")
    form = await c.list_overview_fmt()
    assert form.full == {"xref"}
    first, *others = await c.overview((1, None))
    assert len(others) == 4
    assert (first.number, first.subject, first.from_) == (1, "1", "Jörg <me@example.test>")
    assert first.date == datetime(2026, 11, 24, 10, tzinfo=UTC)
    assert (first.message_id, first.references) == ("<1@example.test>", ())
    assert (first.bytes, first.lines) == (len(news(1, body=BODY)), 3)
    assert dict(first.extra) == {"xref": "news.netclients.test misc.test:1"}
    [one] = await c.overview("<2@example.test>")
    assert one.number == 0
    await c.stat(3)
    [current] = await c.overview()
    assert current.number == 3
    assert [o.number for o in await c.xover((4, 9))] == [4, 5]
    found: list[int] = []

    async def keep(batch: list[object]) -> None:
        found.extend(o.number for o in batch)  # type: ignore[attr-defined]

    await c.overview_to((1, None), keep)
    await c.xover_to((1, 2), keep)
    assert found == [1, 2, 3, 4, 5, 1, 2]
    assert [(v.number, v.value) for v in await c.hdr("Subject", (1, 2))] == [(1, "1"), (2, "2")]
    assert [v.value for v in await c.hdr(":lines", "<1@example.test>")] == ["3"]
    assert [v.value for v in await c.xhdr("subject", (5, None))] == ["5"]
    assert [v.number for v in await c.xpat("subject", (1, None), "2", "4*")] == [2, 4]
    values: list[str] = []
    await c.hdr_to("subject", (2, 3), lambda batch: values.extend(v.value for v in batch))
    assert values == ["2", "3"]
    await c.quit()


async def test_lists(server: NNTPServer) -> None:
    c = await connected(server.url)
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert abs(await c.date() - datetime.now(UTC)) < timedelta(seconds=30)
    assert await c.help() == ("This server is for tests.", ".", "Ask for anything.")
    assert [(g.name, g.status) for g in await c.list_active("misc.*,!*.test")] == [
        ("misc.closed", "n"),
        ("misc.moderated", "m"),
    ]
    assert [g.count for g in await c.list_counts("misc.test")] == [5]
    assert all(g.creator == "netclients" for g in await c.list_active_times())
    assert [g.description for g in await c.list_newsgroups("*.test")] == ["Group misc.test"]
    assert [g.name for g in await c.xgtitle("*.test")] == ["misc.test"]
    assert len(await c.newgroups(hour_ago)) == 3
    assert len(await c.newnews("misc.*", hour_ago)) == 5
    assert await c.newnews("misc.*", hour_ago + timedelta(hours=2)) == ()
    assert (await c.list_distrib_pats())[0].distribution == "local"
    assert (await c.list_distributions())[0].name == "local"
    assert (await c.list_moderators())[0].address == "%s@moderators.example.test"
    assert await c.list_motd() == ("Nothing is the matter.",)
    assert await c.list_headers(1) == (":", ":bytes", ":lines")
    assert len(await c.list_subscriptions()) == 3
    names: list[str] = []
    await c.list_active_to(None, lambda batch: names.extend(g.name for g in batch))
    await c.list_newsgroups_to("*.test", lambda batch: names.extend(g.name for g in batch))
    await c.newnews_to("*", hour_ago, names.extend)
    assert len(names) == 3 + 1 + 5
    assert (await c.command("help", blocks={100})).lines
    assert c.marked
    for verb in ("POST", "starttls", "ARTICLE"):
        with pytest.raises(ConfigurationError):
            await c.command(verb)
    await c.quit()


async def test_many_in_flight(server: NNTPServer) -> None:
    ids = [server.add(news(f"many{number}", body=b"%d\r\n" % number)) for number in range(500)]
    c = await connected(server.url, window=50)
    pending = [c.article(each) for each in ids[:250]]
    lost = c.article("<nothing@example.test>")
    pending += [c.article(each) for each in ids[250:]]
    assert (await pending[-1]).raw.endswith(b"\r\n\r\n499\r\n")
    assert pending[0].reply is not None
    assert [(await each).message_id for each in pending] == ids
    with pytest.raises(PermanentReplyError, match="430"):
        await lost
    assert c.clean
    await c.quit()


async def test_what_depends_on_the_group_waits(server: NNTPServer) -> None:
    c = await connected(server.url)
    await c.group("misc.test")
    pending = [c.article(2), c.article(), c.stat(4), c.stat()]
    assert [(await each).number for each in pending] == [2, 2, 4, 4]
    await c.quit()


async def test_post(server: NNTPServer) -> None:
    c = await connected(server.url)
    text = news("posted", body=b".dots\r\n.\r\n")
    assert "<posted@example.test>" in await c.post(text)
    assert c.clean
    assert server.articles("misc.test")[6].raw == text
    for article, reason in [(text, "a copy"), (news("n", "misc.closed"), "no posting"), (b"a: b\r\n\r\n", "no From")]:
        with pytest.raises(PermanentReplyError, match=f"441.*{reason}"):
            await c.post(article)
    await c.post(news("m", "misc.moderated"))
    assert server.moderated == [news("m", "misc.moderated")]
    for broken in (b"a\nb\r\n", b"a\rb\r\n", b"a\0b\r\n"):
        with pytest.raises(ConfigurationError):
            await c.post(broken)
    assert c.clean
    await c.quit()


async def test_no_posting() -> None:
    with NNTPServer(posting=False) as server:
        c = await connected(server.url)
        assert not c.posting
        with pytest.raises(PermanentReplyError, match="440"):
            await c.post(news(1))
        assert c.clean
        await c.quit()


async def test_feeds(server: NNTPServer) -> None:
    c = await connected(server.url)
    await c.mode_stream()
    names = [f"<f{number}@example.test>" for number in range(20)]
    checks = [c.check(each) for each in [*names, "<1@example.test>"]]
    assert [await each for each in checks] == [Answer.WANTED] * 20 + [Answer.UNWANTED]
    given = [c.takethis(each, news(each[1:-14])) for each in names]
    given.append(c.takethis("<other@example.test>", news("another")))
    assert [await each for each in given] == [Answer.ACCEPTED] * 20 + [Answer.REJECTED]
    assert await c.ihave("<i@example.test>", news("i")) is Answer.ACCEPTED
    assert await c.ihave("<i@example.test>", news("i")) is Answer.UNWANTED
    assert await c.ihave("<j@example.test>", news("k")) is Answer.REJECTED
    assert c.clean
    server.set_faults([Reply("CHECK", "431 <a@b> Later"), Reply("IHAVE", "436 Later"), Reply("TAKETHIS", "400 Bye")])
    assert await c.check("<a@b>") is Answer.LATER
    assert await c.ihave("<a@b>", news(1)) is Answer.LATER
    with pytest.raises(ProtocolError, match="another article"):
        await c.check("<c@d>")
    await c.quit()


@pytest.mark.parametrize("verb", ["CONTENT", "TAKETHIS"])
async def test_a_lost_reply(server: NNTPServer, verb: str) -> None:
    server.set_faults([Hangup("CONTENT", executed=True)])
    c = await connected(server.url)
    with pytest.raises(OutcomeUnknown):
        await (c.post(news("lost")) if verb == "CONTENT" else c.takethis("<lost@example.test>", news("lost")))
    assert 6 in server.articles("misc.test")
    assert not c.clean
    c.abort("test")


@pytest.mark.parametrize("mechanism", [None, "PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256", "SCRAM-SHA-1-PLUS"])
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_logins(tls: str, mechanism: str | None) -> None:
    chosen = None if mechanism is None else [mechanism]
    with NNTPServer(tls=tls, users={"me": "se cret"}, mechanisms=chosen) as server:  # type: ignore[arg-type]
        c = await connected(server.url, ssl_context=server.client_context(), auth=None, compress=True)
        if mechanism is not None:
            c.abort("test")
            c = await connected(server.url, ssl_context=server.client_context(), mechanisms=chosen, compress=True)
        assert c.authenticated
        assert c.secured
        assert c.compressed
        assert not c.marked
        assert (await c.group("misc.test")).count == 0
        with pytest.raises(ConfigurationError):
            await c.starttls()
        with pytest.raises(ConfigurationError):
            await c.compress()
        with pytest.raises(ConfigurationError):
            await c.authinfo_user("me", "se cret")
        with pytest.raises(ConfigurationError):
            await c.mode_reader()
        await c.quit()
        assert server.violations == []
        assert not any("cret" in command.argument for command in server.commands)


async def test_login_comes_before_compression() -> None:
    with NNTPServer(users={"me": "secret"}) as server:
        c = await connected(f"nntp://{server.host}:{server.port}", tls="none")
        with pytest.raises(AuthenticationError, match="480") as caught:
            await c.group("misc.test")
        assert caught.value.code == 480
        await c.compress()
        assert not c.capabilities.has("AUTHINFO")
        with pytest.raises(ConfigurationError, match="before compression"):
            await c.authinfo_user("me", "secret")
        await c.quit()


async def test_refused_logins() -> None:
    with NNTPServer(tls="starttls", users={"me": "secret"}, tokens={"me": "good"}) as server:
        context = server.client_context()
        for auth in [("me", "wrong"), OAuth("me", "bad")]:
            with pytest.raises(AuthenticationError):
                await connected(server.url, ssl_context=context, auth=auth)
        c = await connected(server.url, ssl_context=context, auth=OAuth("me", "good"))
        await c.quit()
        c = await connected(f"nntp://{server.host}:{server.port}")
        with pytest.raises(ConfigurationError, match="plain connection"):
            await c.authinfo_user("me", "secret")
        with pytest.raises(ReplyError, match="480"):
            await c.list_active()
        await c.quit()
        asked = await connected(server.url, tls="starttls", ssl_context=context)
        await asked.quit()
        with pytest.raises(PermanentReplyError, match="483"):
            await connected(server.url, tls="none")
        assert server.violations == []


async def test_no_tls() -> None:
    with NNTPServer(users={"me": "secret"}) as server:
        with pytest.raises(UnsupportedError, match="STARTTLS"):
            await connected(server.url)
        assert "AUTHINFO" not in server.stats.commands
        server.set_without({"CAPABILITIES"})
        with pytest.raises(UnsupportedError, match="refuses TLS"):
            await connected(server.url)
        c = await connected(server.url, tls="none")
        assert c.authenticated
        await c.quit()


async def test_injection_behind_starttls() -> None:
    with NNTPServer(tls="starttls", users={"me": "secret"}, faults=[InjectClear(text="200 Injected\r\n")]) as server:
        with pytest.raises(ProtocolError, match=r"more behind|nobody asked"):
            await connected(server.url, ssl_context=server.client_context())
        assert "AUTHINFO" not in server.stats.commands


async def test_mode_reader() -> None:
    with NNTPServer(mode_reader=True) as server:
        c = await connected(server.url)
        assert server.stats.commands["MODE"] == 1
        assert await c.list_active()
        await c.quit()
        c = await connected(server.url, reader=False)
        with pytest.raises(PermanentReplyError, match="401"):
            await c.list_active()
        assert await c.check("<a@b>") is Answer.WANTED
        await c.quit()


async def test_too_many() -> None:
    with NNTPServer(max_connections=1) as server:
        c = await connected(server.url)
        with pytest.raises(TooManyConnections):
            await connected(server.url)
        await c.quit()


async def test_compressed(server: NNTPServer) -> None:
    big = server.add(news("big", body=b"x" * 70 + b"\r\n" + b"y\r\n" * 100_000))
    c = await connected(server.url, compress=True)
    assert c.compressed
    pending = [c.article(each) for each in (big, "<1@example.test>", big)]
    sizes = [len((await each).raw) for each in pending]
    assert sizes[0] == sizes[2] > 300_000
    assert await c.post(news("deflated"))
    await c.quit()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Reply("DATE", "403 Broken"), TransientReplyError),
        (Reply("DATE", "400 Bye"), ConnectionLost),
        (Reply("DATE", "500 What?"), UnsupportedError),
        (Reply("DATE", "502 No"), PermanentReplyError),
        (Reply("DATE", "111 yesterday"), ProtocolError),
        (Reply("DATE", "111 20269999999999"), ProtocolError),
        (Reply("DATE", "211 what"), ProtocolError),
        (Reply("DATE", "what"), ProtocolError),
        (Hangup("DATE"), ConnectionLost),
    ],
)
async def test_refusals(server: NNTPServer, fault: Fault, expected: type[Exception]) -> None:
    server.set_faults([fault])
    c = await connected(server.url, timeouts=QUICK)
    with pytest.raises(expected) as caught:
        await c.date()
    assert type(caught.value) is expected
    c.abort("test")


@pytest.mark.parametrize("text", ["223 0 <1@example.test>", "223 0", "220 x\r\n.", "220 0 <2@example.test>\r\n."])
async def test_out_of_step(server: NNTPServer, text: str) -> None:
    server.set_faults([Reply("ARTICLE", text), Reply("STAT", "223 0 <2@example.test>")])
    for verb in ("article", "stat"):
        c = await connected(server.url, timeouts=QUICK)
        assert c.clean
        with pytest.raises(ProtocolError):
            await getattr(c, verb)("<1@example.test>")
        assert not c.clean
        c.abort("test")
    c = await connected(server.url, timeouts=QUICK)
    with pytest.raises(ConfigurationError, match="no group"):
        await c.listgroup(None, (1, 2))
    await c.quit()


async def test_bounds(server: NNTPServer) -> None:
    c = await connected(server.url, bounds=Bounds(read=20))
    with pytest.raises(ProtocolError, match="more than 20 bytes"):
        await c.article("<1@example.test>")
    assert not c.clean
    c.abort("test")


async def test_a_sink_that_fails(server: NNTPServer) -> None:
    c = await connected(server.url)
    await c.group("misc.test")

    def fail(_: object) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError):
        await c.overview_to((1, None), fail)
    with pytest.raises(RuntimeError):
        await c.article_to(1, fail)
    assert (await c.stat(1)).number == 1
    await c.quit()


@pytest.mark.parametrize("name", ["", "a b", "a\r\nQUIT", "a*", "a\0", "ä\x85"])
async def test_arguments(server: NNTPServer, name: str) -> None:
    c = await connected(server.url)
    before = len(server.commands)
    for call in (c.group, c.check, c.article):
        with pytest.raises(ConfigurationError):
            await call(name)  # type: ignore[operator]
    with pytest.raises(ConfigurationError):
        await c.newnews("*", datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(ConfigurationError):
        await c.overview((-1, 2))
    assert len(server.commands) == before
    await c.quit()
