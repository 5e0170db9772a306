"""``MailSender`` on the embedded server: retries, limits, pools, batches, and what makes no sense."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from netclients import (
    DSN,
    ConfigurationError,
    ConnectError,
    ConnectionLost,
    LocalFileError,
    MailSender,
    Message,
    NetClientError,
    OAuth,
    OutcomeUnknown,
    Outgoing,
    PermanentReplyError,
    PhaseTimeout,
    PoolLimits,
    Receipt,
    RecipientsRefused,
    RetryPolicy,
    Timeouts,
    TLSMode,
    TooManyConnections,
    UnsupportedError,
    compose,
)
from netclients.events import Events
from netclients.testing import Cut, FaultProxy, Flow, Plan, ScriptedServer, SMTPServer
from netclients.testing.smtp_faults import Delay, Greylist, Hangup, Reply

pytestmark = pytest.mark.anyio

TEXT = b"Subject: hi\r\nMessage-ID: <1@x>\r\n\r\nhello\r\n"
AGAIN = RetryPolicy(attempts=3, initial=0, maximum=0)
MODES = ["off", "standard", "eager"]


@pytest.fixture
def server() -> Iterator[SMTPServer]:
    with SMTPServer(refuse={"bad@x": "550 5.1.1 No such user."}) as server:
        yield server


def sender_of(server: SMTPServer, **options) -> MailSender:
    options.setdefault("retry", AGAIN)
    return MailSender(server.url, **options)


async def collect(sender: MailSender, messages, **options) -> list[Receipt]:
    async with sender.send_many(messages, **options) as receipts:
        return sorted([receipt async for receipt in receipts], key=lambda receipt: receipt.index)


def outgoing(count: int, recipients=("b@x",)) -> Iterator[Outgoing]:
    for index in range(count):
        yield Outgoing(b"Message-ID: <%d@x>\r\n\r\nhello\r\n" % index, "a@x", recipients)


# API.md


async def test_the_example(server: SMTPServer, tmp_path: Path) -> None:
    (tmp_path / "report.pdf").write_bytes(b"%PDF" * 1000)
    (tmp_path / "logo.png").write_bytes(b"\x89PNG" * 100)
    message = compose(
        from_="Ada <ada@example.org>",
        to=["b@example.org"],
        cc=[],
        bcc=["c@example.org"],
        subject="Hi",
        text="Hello",
        html="<h4>Hello</h4><img src='cid:logo'>",
        attachments=[tmp_path / "report.pdf", ("name.csv", b"a,b\n", "text/csv")],
        inline={"logo": tmp_path / "logo.png"},
    )
    assert isinstance(message, Message)
    async with sender_of(server, pipelining="standard") as sender:
        receipt = await sender.send(message)
    assert receipt.accepted == ("b@example.org", "c@example.org")
    assert (receipt.refused, receipt.unknown, receipt.ok, receipt.error) == ({}, (), True, None)
    assert receipt.message_id == message.message_id
    assert receipt.reply is not None
    assert receipt.seconds > 0
    [received] = server.messages
    assert received.content == b"".join(message.chunks())
    assert len(received.content) == message.size
    assert b"c@example.org" not in received.content.replace(message.message_id.encode(), b"")
    assert received.sender == "ada@example.org"


async def test_raw_bytes_and_objects_of_the_email_package(server: SMTPServer) -> None:
    from email.message import EmailMessage

    message = EmailMessage()
    message["From"], message["To"], message["Bcc"] = "Ada <a@x>", "b@x, C <c@x>", "d@x"
    message["Subject"] = "grüße"
    message.set_content("hällo\n")
    async with sender_of(server) as sender:
        assert (await sender.send(message)).accepted == ("b@x", "c@x", "d@x")
        assert (await sender.send(TEXT, from_="a@x", to=["b@y"], mail_options=(), rcpt_options=(), dsn=None)).ok
        assert (await sender.send(TEXT, "a@x", "b@y")).ok
    assert b"d@x" not in server.messages[0].content


async def test_a_file_is_streamed(server: SMTPServer, tmp_path: Path) -> None:
    path = tmp_path / "message.eml"
    path.write_bytes(b"Subject: x\r\n\r\n" + b".dots\r\n" * 200_000)
    async with sender_of(server) as sender:
        assert (await sender.send(path, "a@x", ["b@x"])).ok
    assert server.messages[0].content == path.read_bytes()


@pytest.mark.parametrize("mode", MODES)
async def test_a_large_message_in_memory(server: SMTPServer, mode: str) -> None:
    content = b"Subject: x\r\n\r\n" + b".line\r\n" * 400_000
    async with sender_of(server, pipelining=mode) as sender:
        receipts = await collect(sender, [*outgoing(3), Outgoing(content, "a@x", ["b@x"]), *outgoing(3)])
        assert [receipt.ok for receipt in receipts] == [True] * 7
    assert content in [message.content for message in server.messages]


async def test_an_attachment_that_vanishes(server: SMTPServer, tmp_path: Path) -> None:
    path = tmp_path / "big.bin"
    path.write_bytes(bytes(2_000_000))
    message = compose(from_="a@x", to="b@x", text="x", attachments=[path])
    path.unlink()
    async with sender_of(server) as sender:
        with pytest.raises(LocalFileError):
            await sender.send(message)
        assert (await sender.send(TEXT, "a@x", ["b@x"])).ok
        assert sender.stats.in_use == 0
    assert len(server.messages) == 1


# Refusals, deferrals


@pytest.mark.parametrize("mode", MODES)
async def test_some_refused(server: SMTPServer, mode: str) -> None:
    async with sender_of(server, pipelining=mode) as sender:
        receipt = await sender.send(TEXT, "a@x", ["b@x", "bad@x", "c@x"])
        assert receipt.accepted == ("b@x", "c@x")
        assert receipt.refused["bad@x"].enhanced == "5.1.1"
        with pytest.raises(RecipientsRefused):
            await sender.send(TEXT, "a@x", ["bad@x"])
        assert (await sender.send(TEXT, "a@x", ["b@x"])).ok
    assert [message.recipients for message in server.messages] == [("b@x", "c@x"), ("b@x",)]


@pytest.mark.parametrize("mode", MODES)
async def test_greylisting(server: SMTPServer, mode: str) -> None:
    server.set_faults([Greylist("c@*", times=2)])
    async with sender_of(server, pipelining=mode) as sender:
        receipt = await sender.send(TEXT, "a@x", ["b@x", "c@x"])
    assert receipt.ok
    assert receipt.attempts == 3
    assert [message.recipients for message in server.messages] == [("b@x",), ("c@x",)]


@pytest.mark.parametrize("mode", MODES)
async def test_greylisting_that_does_not_end(server: SMTPServer, mode: str) -> None:
    server.set_faults([Greylist("c@*", times=None)])
    async with sender_of(server, pipelining=mode) as sender:
        receipt = await sender.send(TEXT, "a@x", ["b@x", "c@x"])
    assert receipt.accepted == ("b@x",)
    assert receipt.refused["c@x"].code == 450
    assert receipt.error is None


@pytest.mark.parametrize("mode", MODES)
async def test_452_in_the_middle_of_500(mode: str) -> None:
    people = tuple(f"p{n}@x" for n in range(500))
    with SMTPServer(max_recipients=200) as server:
        async with sender_of(server, pipelining=mode) as sender:
            receipt = await sender.send(TEXT, "a@x", people)
            assert receipt.ok
            assert sender._settings.learned.recipients == 200
        assert sorted(len(message.recipients) for message in server.messages) == [100, 200, 200]
        assert {address for message in server.messages for address in message.recipients} == set(people)


@pytest.mark.parametrize("reply", ["530 5.7.0 Authentication required", "552 5.3.4 too big", "550 5.7.1 no"])
@pytest.mark.parametrize("verb", ["MAIL", "CONTENT"])
async def test_refused_for_everybody(server: SMTPServer, verb: str, reply: str) -> None:
    server.set_faults([Reply(verb, reply)])
    async with sender_of(server) as sender:
        with pytest.raises(RecipientsRefused) as caught:
            await sender.send(TEXT, "a@x", ["b@x", "c@x"])
    assert set(caught.value.refused) == {"b@x", "c@x"}
    assert caught.value.code == int(reply[:3])
    assert caught.value.receipt.attempts == 1
    assert not server.messages


# Connections that end


@pytest.mark.parametrize("mode", MODES)
async def test_a_reply_that_is_lost(server: SMTPServer, mode: str) -> None:
    server.set_faults([Hangup("CONTENT", executed=True, times=1)])
    async with sender_of(server, pipelining=mode) as sender:
        with pytest.raises(OutcomeUnknown) as caught:
            await sender.send(TEXT, "a@x", ["b@x"])
    assert caught.value.receipt is not None
    assert caught.value.receipt.unknown == ("b@x",)
    assert len(server.messages) == 1, "nothing is repeated"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("verb", ["MAIL", "RCPT", "RSET", "CONNECT", "EHLO"])
async def test_421_at_any_command(server: SMTPServer, mode: str, verb: str) -> None:
    server.set_faults([Reply(verb, "421 4.3.2 Shutting down", times=1)])
    async with sender_of(server, pipelining=mode) as sender:
        assert all(receipt.ok for receipt in await collect(sender, outgoing(5)))
    assert len(server.messages) == 5


@pytest.mark.parametrize("mode", MODES)
async def test_sessions_that_are_short(mode: str) -> None:
    """421 after each third message costs no attempt."""
    with SMTPServer(max_messages=3) as server:
        async with sender_of(server, pipelining=mode, retry=RetryPolicy(attempts=1)) as sender:
            assert all(receipt.ok for receipt in await collect(sender, outgoing(20), concurrency=2))
        assert len(server.messages) == 20


async def test_a_connection_that_died_while_idle(server: SMTPServer) -> None:
    async with sender_of(server, retry=RetryPolicy(attempts=1)) as sender:
        assert (await sender.send(TEXT, "a@x", ["b@x"])).ok
        for reset in (False, True):
            server.sever(reset=reset)
            assert (await sender.send(TEXT, "a@x", ["b@x"])).ok


async def test_a_failing_quit_costs_nothing(server: SMTPServer) -> None:
    server.set_faults([Hangup("QUIT")])
    async with sender_of(server) as sender:
        receipt = await sender.send(TEXT, "a@x", ["b@x"])
    assert receipt.ok


async def test_nobody_listens() -> None:
    with SMTPServer() as server:
        url = server.url
    async with MailSender(url, retry=AGAIN) as sender:
        with pytest.raises(ConnectError):
            await sender.send(TEXT, "a@x", ["b@x"])
        [receipt] = await collect(sender, outgoing(1))
        assert isinstance(receipt.error, ConnectError)
        assert receipt.unsent == ("b@x",)


async def test_too_many_connections() -> None:
    with SMTPServer(max_connections=2) as server:
        async with sender_of(server, limits=PoolLimits(max_connections=8)) as sender:
            assert all(receipt.ok for receipt in await collect(sender, outgoing(200)))
        assert server.stats.connections_peak <= 3
        assert len(server.messages) == 200


async def test_a_server_without_room() -> None:
    with SMTPServer(max_connections=0) as server:
        async with sender_of(server) as sender:
            with pytest.raises(TooManyConnections):
                await sender.send(TEXT, "a@x", ["b@x"])


# Many


async def test_a_thousand_senders_through_a_pool_of_ten(server: SMTPServer) -> None:
    receipts: list[Receipt] = []
    async with sender_of(server, limits=PoolLimits(max_connections=10)) as sender:

        async def one(index: int) -> None:
            receipts.append(await sender.send(b"Message-ID: <%d@x>\r\n\r\n" % index, "a@x", ["b@x"]))

        async with anyio.create_task_group() as group:
            for index in range(1000):
                group.start_soon(one, index)
        stats = sender.stats
        assert (stats.in_use, stats.waiting, stats.connecting) == (0, 0, 0)
        assert stats.opened <= 10
    assert all(receipt.ok for receipt in receipts)
    assert len({message.content for message in server.messages}) == 1000


@pytest.mark.parametrize("mode", MODES)
async def test_sending_within_the_loop_over_receipts(server: SMTPServer, mode: str) -> None:
    """No worker holds the only connection while its receipts wait to be taken."""
    limits = PoolLimits(max_connections=1)
    timeouts = Timeouts(pool=5)
    async with sender_of(server, pipelining=mode, limits=limits, timeouts=timeouts) as sender:
        count = 0
        async with sender.send_many(outgoing(300)) as receipts:
            async for receipt in receipts:
                assert receipt.ok
                count += 1
                if count % 50 == 0:
                    assert (await sender.send(TEXT, "a@x", ["b@x"])).ok
        assert count == 300


async def test_a_window_of_the_messages_is_in_memory(server: SMTPServer) -> None:
    taken = 0

    def endless() -> Iterator[Outgoing]:
        nonlocal taken
        for message in outgoing(100_000):
            taken += 1
            yield message

    async with sender_of(server, limits=PoolLimits(max_connections=2)) as sender:
        async with sender.send_many(endless()) as receipts:
            async for _ in receipts:
                break
            await anyio.sleep(0.05)
        assert taken < 100


async def test_memory_does_not_grow_with_the_number(server: SMTPServer) -> None:
    async def peak(count: int) -> int:
        gc.collect()
        tracemalloc.start()
        try:
            async with sender_of(server, pipelining="eager") as sender, sender.send_many(outgoing(count)) as receipts:
                async for receipt in receipts:
                    assert receipt.ok
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    with SMTPServer(keep=False):
        await peak(200)
        few = await peak(400)
        server.forget_messages()
        many = await peak(4000)
    assert many < few + 4_000_000, (few, many)


async def test_an_asynchronous_source(server: SMTPServer) -> None:
    async def slow():
        for message in outgoing(5):
            await anyio.sleep(0)
            yield message

    async with sender_of(server) as sender:
        assert [receipt.index for receipt in await collect(sender, slow())] == [0, 1, 2, 3, 4]


async def test_a_source_that_fails(server: SMTPServer) -> None:
    """What it yielded before is sent and told; then its error comes."""

    def failing() -> Iterator[Outgoing]:
        yield from outgoing(5)
        raise LookupError("no more")

    async with sender_of(server) as sender, sender.send_many(failing()) as receipts:
        for _ in range(5):
            assert (await anext(receipts)).ok
        with pytest.raises(LookupError, match="no more"):
            await anext(receipts)


async def test_messages_that_make_no_sense_do_not_stop_the_others(server: SMTPServer) -> None:
    items = [
        *outgoing(1),
        Outgoing(b"x\nbare LF", "a@x", ["b@x"]),
        Outgoing(TEXT, "a@x", []),
        Outgoing(TEXT, "a@x", ["b@x> NOTIFY=NEVER"]),
        Outgoing(5, "a@x", ["b@x"]),  # type: ignore[arg-type]
        Outgoing(TEXT, "a@x", ["ä@x"]),
    ]
    async with sender_of(server) as sender:
        receipts = await collect(sender, items)
    assert [receipt.ok for receipt in receipts] == [True, False, False, False, False, True]
    assert all(isinstance(receipt.error, ConfigurationError) for receipt in receipts[1:5])


@pytest.mark.parametrize("messages", ["text", b"bytes", 5, None])
async def test_no_messages(server: SMTPServer, messages: object) -> None:
    async with sender_of(server) as sender:
        with pytest.raises(ConfigurationError):
            sender.send_many(messages)  # type: ignore[arg-type]


async def test_leaving_early_frees_the_connections(server: SMTPServer) -> None:
    server.set_faults([Delay("RSET", seconds=0.01)])
    async with sender_of(server) as sender:
        async with sender.send_many(outgoing(1000)) as receipts:
            async for _ in receipts:
                break
        stats = sender.stats
        assert (stats.in_use, stats.connecting, stats.waiting) == (0, 0, 0)
        assert (await sender.send(TEXT, "a@x", ["b@x"])).ok


# What is asked of the server


async def test_notifications(server: SMTPServer) -> None:
    dsn = DSN(notify=("SUCCESS", "FAILURE"), ret="HDRS", envelope_id="x+1 y", original_recipients={"b@x": "old@x"})
    async with sender_of(server) as sender:
        assert (await sender.send(TEXT, "a@x", ["b@x", "c@x"], dsn=dsn)).ok
    [message] = server.messages
    assert {"RET=HDRS", "ENVID=x+2B1+20y"} <= set(message.mail_options)
    assert message.rcpt_options == (("NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;old@x"), ("NOTIFY=SUCCESS,FAILURE",))
    with SMTPServer(without={"DSN"}) as plain:
        async with sender_of(plain) as sender:
            with pytest.raises(UnsupportedError, match="DSN"):
                await sender.send(TEXT, "a@x", ["b@x"], dsn=dsn)


@pytest.mark.parametrize(
    "arguments",
    [
        {"notify": ("NEVER", "SUCCESS")},
        {"notify": ("SOMETIMES",)},
        {"ret": "ALL"},
        {"envelope_id": "ä"},
        {"original_recipients": {"b@x": "x y"}},
    ],
)
def test_notifications_that_make_no_sense(arguments: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        DSN(**arguments)  # type: ignore[arg-type]


async def test_require_tls() -> None:
    with SMTPServer(tls="starttls") as server:
        async with sender_of(server, ssl_context=server.client_context()) as sender:
            assert (await sender.send(TEXT, "a@x", ["b@x"], require_tls=True)).ok
        assert "REQUIRETLS" in server.messages[0].mail_options
    with SMTPServer() as plain:
        async with sender_of(plain) as sender:
            with pytest.raises(UnsupportedError, match="REQUIRETLS"):
                await sender.send(TEXT, "a@x", ["b@x"], require_tls=True)


@pytest.mark.parametrize("mode", MODES)
async def test_binary_content(server: SMTPServer, mode: str) -> None:
    content = b"Subject: x\r\n\r\nbare\nand\rand\0 and\r\n.\r\n"
    async with sender_of(server, pipelining=mode) as sender:
        with pytest.raises(ConfigurationError, match="bare"):
            await sender.send(content.replace(b"\0", b""), "a@x", ["b@x"])
        assert (await sender.send(content, "a@x", ["b@x"], binary=True)).ok
        with pytest.raises(RecipientsRefused):
            await sender.send(content, "a@x", ["bad@x"], binary=True)
        assert (await sender.send(b"x: y\n\nz\r", "a@x", ["b@x"], normalize=True)).ok
    assert [message.content for message in server.messages] == [content, b"x: y\r\n\r\nz\r\n"]
    with SMTPServer(without={"BINARYMIME"}) as plain:
        async with sender_of(plain, pipelining=mode) as sender:
            with pytest.raises(UnsupportedError, match="BINARYMIME"):
                await sender.send(content, "a@x", ["b@x"], binary=True)


async def test_domains_in_other_scripts() -> None:
    with SMTPServer(without={"SMTPUTF8"}) as server:
        async with sender_of(server) as sender:
            assert (await sender.send(TEXT, "a@bücher.example", ["b@例え.テスト"])).ok
            with pytest.raises(UnsupportedError, match="SMTPUTF8"):
                await sender.send(TEXT, "a@x", ["ä@x"])
        assert server.messages[0].recipients == ("b@xn--r8jz45g.xn--zckzah",)


async def test_composed_mail_needs_no_extension(tmp_path: Path) -> None:
    bare = {"8BITMIME", "SMTPUTF8", "SIZE", "PIPELINING", "CHUNKING", "DSN"}
    message = compose(from_="Ä <a@x>", to="b@bücher.example", subject="grüße 日本", text="hällo")
    with SMTPServer(without=bare) as server:
        async with sender_of(server) as sender:
            assert (await sender.send(message)).ok
        assert server.messages[0].content.isascii()


async def test_size_is_checked_before() -> None:
    with SMTPServer(size_limit=1000) as server:
        async with sender_of(server) as sender:
            with pytest.raises(UnsupportedError, match="1,000"):
                await sender.send(b"x: y\r\n\r\n" + b"z" * 2000, "a@x", ["b@x"])
        assert "MAIL" not in server.stats.commands


async def test_limit_rate(server: SMTPServer) -> None:
    async with sender_of(server, limit_rate=100_000) as sender:
        with anyio.fail_after(20):
            started = anyio.current_time()
            receipts = await collect(sender, [Outgoing(b"x: y\r\n\r\n" + b"z" * 10_000, "a@x", ["b@x"])] * 6)
            assert anyio.current_time() - started >= 0.4
    assert all(receipt.ok for receipt in receipts)


# LMTP


async def test_lmtp_over_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    replies = {"c@x": "552 5.2.2 Mailbox full", "d@x": "450 4.2.1 Busy"}
    with SMTPServer(lmtp=True, unix=path, final_replies=replies, refuse={"bad@x": "550 5.1.1 no"}) as server:
        async with sender_of(server) as sender:
            receipt = await sender.send(TEXT, "a@x", ["b@x", "bad@x", "c@x", "d@x"])
        assert receipt.accepted == ("b@x",)
        assert {address: reply.code for address, reply in receipt.refused.items()} == {
            "bad@x": 550,
            "c@x": 552,
            "d@x": 450,
        }
        assert receipt.attempts == 3


# One connection


async def test_every_command(server: SMTPServer) -> None:
    async with sender_of(server) as sender, sender.connection() as lent:
        assert (await lent.ehlo("me.example")).has("PIPELINING")
        await lent.noop()
        await lent.mail("a@x", ["BODY=8BITMIME"])
        await lent.rcpt("b@x", ["NOTIFY=NEVER"])
        with pytest.raises(PermanentReplyError):
            await lent.rcpt("bad@x")
        assert (await lent.data(b".x\r\n")).kind == 2
        await lent.mail("")
        await lent.rcpt("b@x")
        assert (await lent.bdat(b"a\r\n")).kind == 2
        assert (await lent.bdat(b"b\r\n", last=True)).kind == 2
        await lent.mail("a@x")
        await lent.rset()
        receipt = await lent.sendmail("a@x", ["b@x", "bad@x"], TEXT)
        assert (receipt.accepted, set(receipt.refused)) == (("b@x",), {"bad@x"})
        assert (await lent.command("NOOP")).kind == 2
        for call in (lambda: lent.vrfy("b@x"), lambda: lent.expn("list"), lent.help):
            try:
                await call()
            except NetClientError:
                continue
        await lent.quit()
    assert [message.content for message in server.messages] == [b".x\r\n", b"a\r\nb\r\n", TEXT]
    assert server.messages[1].sender == ""


async def test_a_connection_left_within_a_transaction_is_not_lent_again(server: SMTPServer) -> None:
    async with sender_of(server) as sender:
        async with sender.connection() as lent:
            await lent.mail("a@x")
        assert sender.stats.open == 0
        async with sender.connection() as lent:
            await lent.command("XCLIENT")
        assert sender.stats.open == 0


@pytest.mark.parametrize("verb", ["DATA", "bdat", "AUTH", "starttls", "", "A B", "NOOP\r\nQUIT"])
async def test_commands_that_have_methods_or_are_none(server: SMTPServer, verb: str) -> None:
    async with sender_of(server) as sender, sender.connection() as lent:
        with pytest.raises(ConfigurationError):
            await lent.command(verb)


# Arguments


@pytest.mark.parametrize(
    "options",
    [
        {"url": "ftp://x"},
        {"url": "smtp://"},
        {"url": 5},
        {"url": "lmtp+unix://"},
        {"url": "lmtp+unix://host/path"},
        {"pipelining": "fast"},
        {"tls": "maybe"},
        {"auth": 5},
        {"auth": ("", "pw")},
        {"auth": ("a\r\n", "pw")},
        {"ehlo_name": "a b"},
        {"ehlo_name": "a\r\nMAIL FROM:<x@y>"},
        {"limit_rate": 0},
        {"limit_rate": "x"},
        {"mechanisms": ["WEAK"]},
    ],
)
def test_constructors_that_make_no_sense(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        MailSender(**{"url": "smtp://example.org", **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments",
    [
        {"from_": "a@x> SIZE=1"},
        {"from_": "a@x\r\nDATA"},
        {"from_": 5},
        {"to": ["b@x", "c\0@x"]},
        {"to": [5]},
        {"to": 5},
        {"to": b"b@x"},
        {"to": []},
        {"to": [["b@x"]]},
        {"mail_options": ["BODY=8BITMIME\r\nRCPT"]},
        {"mail_options": [5]},
        {"mail_options": "SMTPUTF8"},
        {"rcpt_options": ["NOTIFY = NEVER"]},
        {"message": "text"},
        {"message": None},
    ],
)
async def test_calls_that_make_no_sense(server: SMTPServer, arguments: dict[str, object]) -> None:
    async with sender_of(server) as sender:
        with pytest.raises(ConfigurationError):
            await sender.send(**{"message": TEXT, "from_": "a@x", "to": ["b@x"], **arguments})  # type: ignore[arg-type]
    assert not server.stats.commands


class Told(Events):
    def __init__(self) -> None:
        self.unknown: list[str] = []

    def outcome_unknown(self, operation: str) -> None:
        self.unknown.append(operation)


@pytest.mark.parametrize("mode", MODES)
async def test_cancelled_while_the_last_reply_is_awaited(server: SMTPServer, mode: str) -> None:
    server.set_faults([Delay("CONTENT", seconds=5)])
    events = Told()
    async with sender_of(server, pipelining=mode, events=events) as sender:
        with anyio.move_on_after(0.3) as scope:
            await sender.send(TEXT, "a@x", ["b@x"])
        assert scope.cancelled_caught
        assert events.unknown == ["send <1@x>"]
        assert sender.stats.open == 0


# What a hostile tester has found


async def test_one_who_is_put_off_keeps_the_message_from_nobody(scripted) -> None:
    """RCPTMAX=1, and the first of four is always full: the others get theirs before his time comes again."""
    script = ""
    for recipient, full in (("full@x", True), ("b@x", False), ("c@x", False), ("full@x", True)):
        script += f"C: RSET\nC: MAIL FROM:<a@x>\nC: RCPT TO:<{recipient}>\nC: DATA\nS: 250 r\nS: 250 ok\n"
        if full:
            script += "S: 452 4.2.2 full\nS: 554 nobody\n"
        else:
            script += "S: 250 ok\nS: 354 go\nC: Subject: hi\nC: Message-ID: <1@x>\nC: \nC: hello\nC: .\nS: 250 ok\n"
    # After a refused transaction each session is tidied up.
    script = script.replace("S: 554 nobody\n", "S: 554 nobody\nC: RSET\nS: 250 ok\n")
    sender, dialer = scripted(script, extensions="PIPELINING,LIMITS RCPTMAX=1")
    async with sender:
        receipt = await sender.send(TEXT, "a@x", ["full@x", "b@x", "c@x"])
    assert receipt.accepted == ("b@x", "c@x")
    assert receipt.refused["full@x"].code == 452
    assert receipt.unsent == ()
    dialer.check()


@pytest.mark.parametrize(
    ("reply", "learned"), [("452 Mailbox full", None), ("452 too many recipients", 1), ("452 4.5.3 x", 1)]
)
async def test_a_full_mailbox_is_no_limit(server: SMTPServer, reply: str, learned: int | None) -> None:
    server.set_faults([Reply("RCPT", reply, argument="full@*")])
    async with sender_of(server) as sender:
        receipt = await sender.send(TEXT, "a@x", ["b@x", "full@x"])
        assert receipt.accepted == ("b@x",)
        assert sender._settings.learned.recipients == learned


@pytest.mark.parametrize("reply", ["550 5.7.0 enough", "451 4.7.0 enough", "421 4.7.0 enough"])
@pytest.mark.parametrize("many", [True, False])
async def test_mailmax(scripted, reply: str, many: bool) -> None:
    """The third message goes over another connection; the reply to a third one is never seen."""
    one = "C: RSET\nC: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\nC: DATA\n"
    agreed = "S: 250 r\nS: 250 ok\nS: 250 ok\nS: 354 go\n"
    block = "C: Subject: hi\nC: Message-ID: <1@x>\nC: \nC: hello\nC: .\n"
    two = one + agreed + block + "S: 250 ok\n" + one + agreed + block + "S: 250 ok\nC-close\n"
    together = one + agreed + block + one + "S: 250 ok\n" + agreed + block + "S: 250 ok\nC-close\n"
    script = together if many else two
    sender, dialer = scripted(
        script, script, extensions="PIPELINING,LIMITS MAILMAX=2", limits=PoolLimits(max_connections=1)
    )
    async with sender:
        if many:
            items = (Outgoing(TEXT, "a@x", ["b@x"]) for _ in range(4))
            assert all(receipt.ok for receipt in await collect(sender, items))
        else:
            for _ in range(4):
                assert (await sender.send(TEXT, "a@x", ["b@x"])).ok
    dialer.check()


async def test_sendmail_never_loses_the_rest_in_silence(scripted) -> None:
    script = (
        "C: RSET\nC: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nC: DATA\n"
        "S: 250 r\nS: 250 ok\nS: 250 ok\nS: 452 4.5.3 too many\nS: 354 go\n"
        "C: Subject: hi\nC: Message-ID: <1@x>\nC: \nC: hello\nC: .\nS: 250 ok\n"
        "C: RSET\nC: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\nC: DATA\nS: 421 enough\nS-close\n"
    )
    sender, _ = scripted(script)
    async with sender, sender.connection() as lent:
        receipt = await lent.sendmail("a@x", ["b@x", "c@x"], TEXT)
        assert receipt.unsent == ("c@x",)
        assert receipt.error is not None
        with pytest.raises(NetClientError):
            await lent.sendmail("a@x", ["b@x"], TEXT)


LARGE = b"Subject: x\r\n\r\n" + (b"x" * 70 + b"\r\n") * 40_000


def early(reply: str) -> str:
    head = "S: 220 here\nC: EHLO me\nS: 250-here\nS: 250 PIPELINING\n"
    envelope = "C: RSET\nC: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\nC: DATA\nS: 250 r\nS: 250 ok\nS: 250 ok\nS: 354 go\n"
    return f"{head}{envelope}C: Subject: x\nC: \nC: {'x' * 70}\n{reply}"


@pytest.mark.parametrize(
    ("reply", "refused", "unknown"),
    [("S: 552 5.3.4 too big\n", ["b@x"], ()), ("S: 250 fine\n", [], ("b@x",))],
)
async def test_a_reply_amid_the_content_ends_the_connection(
    reply: str, refused: list[str], unknown: tuple[str, ...]
) -> None:
    """The server still reads on to the dot: nothing that is said now is a command to it."""
    next_one = (
        "S: 220 here\nC: EHLO me\nS: 250-here\nS: 250 PIPELINING\n"
        "C: RSET\nC: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\nC: DATA\nS: 250 r\nS: 250 ok\nS: 250 ok\nS: 354 go\n"
        "C: Subject: hi\nC: Message-ID: <1@x>\nC: \nC: hello\nC: .\nS: 250 ok\nC: QUIT\n"
    )
    with ScriptedServer([early(reply), next_one], ignore_rest=True) as server:
        async with MailSender(
            f"smtp://127.0.0.1:{server.port}",
            ehlo_name="me",
            retry=RetryPolicy(attempts=1),
            limits=PoolLimits(max_connections=1),
        ) as sender:
            items = [Outgoing(LARGE, "a@x", ["b@x"]), Outgoing(TEXT, "a@x", ["b@x"])]
            first, second = await collect(sender, items)
    assert (sorted(first.refused), first.unknown, first.accepted) == (refused, unknown, ())
    assert second.ok


async def test_a_stall_is_one_though_the_server_mumbles() -> None:
    """Bytes of a reply that never ends give a content that is not taken no more time."""
    large = b"Subject: x\r\n\r\n" + (b"x" * 70 + b"\r\n") * 300_000
    mumbling = Plan(up=Flow(cut=Cut(100_000, "stall")), down=Flow(rate=400))
    with ScriptedServer(early("S*| 2\n"), ignore_rest=True) as scripted_server:
        timeouts = Timeouts(connect=5, reply=5, stall=0.5, complete=5)
        with FaultProxy(("127.0.0.1", scripted_server.port), plan=mumbling) as proxy:
            async with MailSender(
                f"smtp://127.0.0.1:{proxy.port}", ehlo_name="me", retry=RetryPolicy(attempts=1), timeouts=timeouts
            ) as sender:
                with anyio.fail_after(10), pytest.raises(PhaseTimeout) as caught:
                    await sender.send(large, "a@x", ["b@x"])
    assert caught.value.phase == "stall"


async def test_a_source_that_is_cancelled_is_no_good_end(server: SMTPServer, anyio_backend_name: str) -> None:
    if anyio_backend_name != "asyncio":
        pytest.skip("only asyncio's cancellation is an exception that anybody may raise")

    async def source():
        yield Outgoing(TEXT, "a@x", ["b@x"])
        raise asyncio.CancelledError

    async with sender_of(server) as sender, sender.send_many(source()) as receipts:
        assert (await anext(receipts)).ok
        with pytest.raises(NetClientError, match="cancelled"):
            await anext(receipts)


async def test_a_token_provider_that_is_cancelled_hangs_nobody(anyio_backend_name: str) -> None:
    if anyio_backend_name != "asyncio":
        pytest.skip("only asyncio's cancellation is an exception that anybody may raise")

    async def token() -> str:
        raise asyncio.CancelledError

    with SMTPServer(tokens={"ada": "x"}, tls="starttls") as server:
        async with MailSender(
            server.url, auth=OAuth("ada", token), ssl_context=server.client_context(), retry=AGAIN
        ) as sender:
            with anyio.fail_after(10), pytest.raises(NetClientError, match="cancelled"):
                await collect(sender, outgoing(5))


@pytest.mark.parametrize("item", [{"from_": 0}, {"from_": b""}, {"from_": []}, {"dsn": "x"}])
async def test_one_odd_item_costs_only_itself(server: SMTPServer, item: dict[str, object]) -> None:
    odd = Outgoing(TEXT, **{"from_": "a@x", "to": ["b@x"], **item})  # type: ignore[arg-type]
    async with sender_of(server) as sender:
        receipts = await collect(sender, [*outgoing(2), odd, *outgoing(2)])
    assert [receipt.ok for receipt in receipts] == [True, True, False, True, True]
    assert isinstance(receipts[2].error, ConfigurationError)


@pytest.mark.parametrize("mode", ["off", "standard"])
async def test_lmtp_with_and_without_pipelining(mode: str) -> None:
    for without in ((), ("PIPELINING",)):
        with SMTPServer(lmtp=True, without=without) as server:
            async with sender_of(server, pipelining=mode) as sender:
                receipts = await collect(sender, outgoing(20, ("b@x", "c@x", "d@x")))
            assert all(receipt.accepted == ("b@x", "c@x", "d@x") for receipt in receipts)


async def test_opportunistic_tls_goes_on_without() -> None:
    for refusal in ("454 4.7.0 not now", "502 5.5.1 what"):
        with SMTPServer(tls="starttls", faults=[Reply("STARTTLS", refusal)]) as server:
            async with sender_of(server, tls="opportunistic", ssl_context=server.client_context()) as sender:
                assert (await sender.send(TEXT, "a@x", ["b@x"])).ok


def test_loopback_behind_a_proxy_is_another_machine() -> None:
    assert MailSender("smtp://127.0.0.1")._settings.tls is TLSMode.NONE
    assert MailSender("smtp://127.0.0.1", proxy="http://proxy:3128")._settings.tls is TLSMode.STARTTLS


async def test_a_session_that_a_borrower_has_changed_is_not_lent_again() -> None:
    with SMTPServer(users={"ada": "s3cret"}, tls="starttls") as server:
        url = server.url.replace("ada:s3cret@", "")
        async with sender_of(server, ssl_context=server.client_context()) as sender:
            async with sender.connection() as lent:
                await lent.helo()
            assert sender.stats.open == 0
        async with MailSender(url, tls="none", ssl_context=server.client_context()) as sender:
            async with sender.connection() as lent:
                await lent.starttls()
                await lent.login("ada", "s3cret")
            assert (await sender.send(TEXT, "a@x", ["b@x"])).ok
        assert server.messages[0].authenticated is None


@pytest.mark.parametrize("hello", ["ehlo", "helo", "lhlo"])
async def test_hello_on_a_connection_that_is_closed(server: SMTPServer, hello: str) -> None:
    async with sender_of(server) as sender, sender.connection() as connection:
        connection.abort("test")
        with pytest.raises(ConnectionLost, match="closed"):
            await getattr(connection, hello)()
