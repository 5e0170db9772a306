"""What the sender hands over is what Postfix, Exim and Dovecot store, byte by byte, in every mode of pipelining.

Lines of any length come through: Postfix cuts them at 2,048 octets in its queue files and joins them again, Exim has a
limit only where it hands on by SMTP or LMTP. What a message without a proper header section becomes is up to the
server: see ``OWN_WAYS``.
"""

from __future__ import annotations

import pytest

from netclients import DSN, AuthenticationError, MailSender, Outgoing, RecipientsRefused, RetryPolicy
from netclients.errors import NetClientError
from netclients.smtp.types import PipeliningMode
from tests.fix_mail import StartMailServer
from tests.servers import MailServer, canonical

pytestmark = pytest.mark.anyio

SENDER = "bob@example.test"
HEAD = b"From: bob@example.test\r\nSubject: s\r\n\r\n"
MODES: tuple[PipeliningMode, ...] = ("off", "standard", "eager")
DOORS = ("postfix", "exim", "dovecot:lmtp", "dovecot:lmtp+unix", "dovecot:submission", "dovecot:submissions")
AGAIN = RetryPolicy(attempts=5, initial=0, maximum=0)

CONTENTS = {
    "dots": HEAD + b".\r\n..\r\n.dot\r\n...\r\nno dot.\r\n\r\n.\r\n",
    "lines of 998": HEAD + b"x" * 998 + b"\r\n." + b"y" * 997 + b"\r\n",
    "lines of 2,000": HEAD + b"x" * 2_000 + b"\r\n." + b"y" * 1_999 + b"\r\nend\r\n",
    "a line of dots": HEAD + b"." * 20_000 + b"\r\n",
    "a long header": b"From: bob@example.test\r\nSubject: " + b"s" * 1_900 + b"\r\n folded\r\n\tagain\r\n\r\nx\r\n",
    "8-bit": HEAD + bytes(range(128, 256)) + b"\r\n\xff\r\n",
    "controls": HEAD + bytes(byte for byte in range(1, 128) if byte not in b"\r\n") + b"\r\n",
    "spaces": HEAD + b" \r\n\t\r\nx \r\n\r\n\r\n\r\n",
    "From": HEAD + b"From here\r\n>From there\r\n",
    "an empty body": HEAD,
    "no header": b"\r\nonly a body\r\n",
}

# Sent, and stored by Postfix and by Exim; Dovecot's LMTP stores what was sent.
OWN_WAYS = {
    "nothing": (b"", b"", b"\r\n"),
    "no empty line": (b"Subject: x\r\n", b"Subject: x\r\n", b"Subject: x\r\n\r\n"),
    "no field": (b".\r\n", b"\r\n.\r\n", b"\r\n.\r\n"),
    "a space before the colon": (b"Subject : x\r\n\r\n", b"Subject: x\r\n\r\n", b"Subject : x\r\n\r\n"),
}


@pytest.fixture
def anyio_backend() -> object:
    """The dialogue is the same on every event loop (its other tests show that); here the servers differ."""
    return ("asyncio", {"use_uvloop": False})


@pytest.fixture(params=DOORS)
def door(request: pytest.FixtureRequest) -> tuple[MailServer, str]:
    """A server, and the service by which mail gets in."""
    name, _, service = request.param.partition(":")
    return request.getfixturevalue(name), service or "smtp"


def sender_to(server: MailServer, service: str = "smtp", mode: PipeliningMode = "standard", **options) -> MailSender:
    if service.startswith("submission"):
        options["ssl_context"] = server.ssl_context()
        # Dovecot offers no STARTTLS to clients on this machine.
        tls = "none" if service == "submission" and server.name == "dovecot" else None
        return MailSender(server.url(service, user="carol", tls=tls), pipelining=mode, **options)
    return MailSender(server.url(service), pipelining=mode, **options)


def stored_by(server: MailServer, user: str = "alice") -> list[bytes]:
    server.settled()
    return [canonical(stored) for stored in server.mailbox(user)]


# Content


@pytest.mark.servers("postfix", "exim", "dovecot")
@pytest.mark.parametrize("mode", MODES)
async def test_content_arrives_as_it_was_sent(door: tuple[MailServer, str], mode: PipeliningMode) -> None:
    server, service = door
    items = [Outgoing(content, SENDER, [server.address()]) for content in CONTENTS.values()]
    async with sender_to(server, service, mode) as sender:
        receipts = [receipt async for receipt in sender.send_many(items, concurrency=1)]
    assert [(receipt.index, receipt.accepted) for receipt in receipts] == [
        (index, (server.address(),)) for index in range(len(items))
    ]
    arrived = stored_by(server)
    assert [name for name, content in CONTENTS.items() if arrived.count(content) != 1] == []
    assert {stored.sender for stored in server.mailbox("alice")} == {SENDER}
    assert len(arrived) == len(items)


@pytest.mark.parametrize("name", OWN_WAYS)
async def test_quirk_of_servers_with_strange_headers(
    postfix: MailServer, exim: MailServer, dovecot: MailServer, name: str
) -> None:
    sent, by_postfix, by_exim = OWN_WAYS[name]
    expected = [(postfix, "smtp", by_postfix), (exim, "smtp", by_exim), (dovecot, "lmtp", sent)]
    for server, service, stored in expected:
        async with sender_to(server, service) as sender:
            await sender.send(sent, SENDER, server.address())
        assert stored_by(server) == [stored], server.name
        server.clear()


@pytest.mark.servers("postfix", "exim", "dovecot")
@pytest.mark.parametrize("mode", MODES)
async def test_forty_megabytes(door: tuple[MailServer, str], mode: PipeliningMode) -> None:
    server, service = door
    big = HEAD + (b"." + b"x" * 75 + b"\r\n") * (40_000_000 // 78)
    async with sender_to(server, service, mode) as sender:
        receipt = await sender.send(big, SENDER, server.address())
    assert receipt.ok
    [arrived] = stored_by(server)
    assert arrived == big


@pytest.mark.parametrize("mode", MODES)
async def test_utf8_addresses(real_smtp: MailServer, mode: PipeliningMode) -> None:
    content = "From: jörg@example.test\r\nSubject: Grüße\r\n\r\n☃\r\n".encode()
    async with sender_to(real_smtp, mode=mode) as sender:
        receipt = await sender.send(content, "jörg@example.test", ["jörg@example.test", real_smtp.address()])
    assert receipt.ok
    for user in ("jörg", "alice"):
        assert stored_by(real_smtp, user) == [content]
        assert [stored.sender for stored in real_smtp.mailbox(user)] == ["jörg@example.test"]


async def test_hundreds_of_messages_in_flight(real_smtp: MailServer) -> None:
    contents = [HEAD + b"%d\r\n.\r\n" % number for number in range(300)]
    items = [Outgoing(content, SENDER, [real_smtp.address()]) for content in contents]
    async with sender_to(real_smtp) as sender:
        receipts = [receipt async for receipt in sender.send_many(items, concurrency=4)]
    assert all(receipt.ok for receipt in receipts)
    assert sorted(stored_by(real_smtp)) == sorted(contents)


# Receipts


@pytest.mark.parametrize("mode", MODES)
async def test_the_receipt_says_who_was_refused(real_smtp: MailServer, mode: PipeliningMode) -> None:
    known = [real_smtp.address(user) for user in ("alice", "carol")]
    async with sender_to(real_smtp, mode=mode) as sender:
        receipt = await sender.send(HEAD, SENDER, [known[0], "nobody@example.test", known[1], "x@elsewhere.test"])
        assert set(receipt.accepted) == set(known)
        assert {address: reply.code for address, reply in receipt.refused.items()} == {
            "nobody@example.test": 550,
            "x@elsewhere.test": 554 if real_smtp.name == "postfix" else 550,
        }
        with pytest.raises(RecipientsRefused, match="550"):
            await sender.send(HEAD, SENDER, "nobody@example.test")
        assert (await sender.send(HEAD, SENDER, known[1])).ok
    assert (stored_by(real_smtp, "alice"), stored_by(real_smtp, "carol")) == ([HEAD], [HEAD, HEAD])


@pytest.mark.parametrize("mode", MODES)
async def test_lmtp_answers_for_each_recipient(dovecot: MailServer, mode: PipeliningMode) -> None:
    async with sender_to(dovecot, "lmtp", mode) as sender:
        receipt = await sender.send(HEAD, SENDER, [dovecot.address(), "nobody@example.test", dovecot.address("dave")])
    assert set(receipt.accepted) == {dovecot.address(), dovecot.address("dave")}
    assert receipt.refused["nobody@example.test"].code == 550
    assert (stored_by(dovecot), stored_by(dovecot, "dave")) == ([HEAD], [HEAD])


async def test_success_is_notified(postfix: MailServer) -> None:
    dsn = DSN(notify=("SUCCESS",), ret="HDRS", envelope_id="q+1=2")
    async with sender_to(postfix) as sender:
        await sender.send(HEAD, SENDER, postfix.address(), dsn=dsn)
    assert stored_by(postfix) == [HEAD]
    [notification] = postfix.mailbox("bob")
    assert notification.sender == ""
    assert b"q+1=2" in notification.raw


# Limits


@pytest.mark.parametrize("name", ["postfix", "exim"])
async def test_more_recipients_than_a_transaction_may_have(start_mail_server: StartMailServer, name: str) -> None:
    server = start_mail_server(name, MAX_RECIPIENTS=2)
    everybody = [server.address(user) for user in ("alice", "bob", "carol", "dave")]
    async with sender_to(server, retry=AGAIN) as sender:
        receipt = await sender.send(HEAD, SENDER, everybody)
    assert (set(receipt.accepted), receipt.refused) == (set(everybody), {})
    assert [stored_by(server, user) for user in ("alice", "bob", "carol", "dave")] == [[HEAD]] * 4


@pytest.mark.servers("exim")
@pytest.mark.parametrize("mode", MODES)
async def test_more_messages_than_a_session_may_have(start_mail_server: StartMailServer, mode: PipeliningMode) -> None:
    server = start_mail_server("exim", MAX_MESSAGES=3)
    contents = [HEAD + b"%d\r\n" % number for number in range(10)]
    async with sender_to(server, mode=mode, retry=AGAIN) as sender:
        receipts = [
            receipt
            async for receipt in sender.send_many([Outgoing(one, SENDER, [server.address()]) for one in contents])
        ]
    assert [receipt.error for receipt in receipts if not receipt.ok] == []
    assert sorted(stored_by(server)) == contents


@pytest.mark.parametrize("name", ["postfix", "exim"])
async def test_a_message_that_is_too_large(start_mail_server: StartMailServer, name: str) -> None:
    server = start_mail_server(name, MAX_MESSAGE_SIZE=100_000)
    async with sender_to(server) as sender:
        with pytest.raises(NetClientError, match=r"(?i)size|large|100,?000"):
            await sender.send(HEAD + b"x\r\n" * 50_000, SENDER, server.address())
        assert (await sender.send(HEAD, SENDER, server.address())).ok
    assert stored_by(server) == [HEAD]


# Logins


@pytest.mark.parametrize("service", ["submission", "smtp", "smtps"])
async def test_logins(postfix: MailServer, service: str) -> None:
    context = postfix.ssl_context()
    async with MailSender(postfix.url(service, user="carol"), ssl_context=context) as sender:
        assert (await sender.send(HEAD, SENDER, postfix.address())).ok
    wrong = postfix.url(service, user="carol").replace("carolpw", "wrong")
    async with MailSender(wrong, ssl_context=context) as sender:
        with pytest.raises(AuthenticationError):
            await sender.send(HEAD, SENDER, postfix.address())
    assert stored_by(postfix) == [HEAD]


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"])
async def test_mechanisms(postfix: MailServer, mechanism: str) -> None:
    url = postfix.url("submission", user="carol")
    async with MailSender(url, ssl_context=postfix.ssl_context(), mechanisms=(mechanism,)) as sender:
        assert (await sender.send(HEAD, SENDER, postfix.address())).ok
