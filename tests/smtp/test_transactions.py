"""Transactions on scripted streams: what is sent when, and what a receipt says of it."""

from __future__ import annotations

import pytest

from netclients import OutcomeUnknown, Outgoing, RecipientsRefused, RetryPolicy, UnsupportedError
from netclients.smtp.types import Receipt

pytestmark = pytest.mark.anyio

TEXT = b"Subject: x\r\n\r\n.dot\r\n"
BLOCK = "C: Subject: x\nC: \nC: ..dot\nC: .\n"
ENVELOPE = "C: RSET\nC: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\nC: DATA\n"
AGREED = "S: 250 2.0.0 reset\nS: 250 2.1.0 ok\nS: 250 2.1.5 ok\nS: 354 go\n"
ONE = ENVELOPE + AGREED + BLOCK + "S: 250 2.0.0 queued\n"
BDAT = f"C: BDAT {len(TEXT)} LAST\nC: Subject: x\nC: \nC: .dot\n"


def envelope(*recipients: str) -> str:
    return "C: RSET\nC: MAIL FROM:<a@x>\n" + "".join(f"C: RCPT TO:<{one}>\n" for one in recipients) + "C: DATA\n"


async def collect(sender, count: int, recipients=("b@x",)) -> list[Receipt]:
    items = (Outgoing(TEXT, "a@x", recipients) for _ in range(count))
    async with sender.send_many(items, concurrency=1) as receipts:
        return sorted([receipt async for receipt in receipts], key=lambda receipt: receipt.index)


@pytest.mark.parametrize("chunk", [None, 1])
async def test_one_message(scripted, chunk: int | None) -> None:
    sender, dialer = scripted(ONE, chunk=chunk)
    async with sender:
        receipt = await sender.send(TEXT, "a@x", ["b@x"])
        assert receipt.ok
        assert receipt.accepted == ("b@x",)
        assert receipt.reply is not None
        assert receipt.reply.enhanced == "2.0.0"
        assert sender.stats.idle == 1
    dialer.check()


async def test_content_and_next_envelope_leave_together(scripted) -> None:
    second = BLOCK + ENVELOPE + "S: 250 queued\n" + AGREED + BLOCK + "S: 250 queued\n"
    sender, dialer = scripted(ENVELOPE + AGREED + second)
    async with sender:
        receipts = await collect(sender, 2)
    assert [receipt.ok for receipt in receipts] == [True, True]
    dialer.check()


async def test_without_pipelining_nothing_is_sent_ahead(scripted) -> None:
    script = (
        "C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 250 ok\nC: DATA\nS: 354 go\n" + BLOCK + "S: 250 queued\n"
    )
    sender, dialer = scripted(script + script, extensions="SMTPUTF8")
    async with sender:
        assert all(receipt.ok for receipt in await collect(sender, 2))
    dialer.check()


async def test_without_pipelining_a_refusal_ends_it_and_rset_cleans_up(scripted) -> None:
    script = "C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 550 5.1.1 no\nC: RSET\nS: 250 ok\n"
    sender, dialer = scripted(script, extensions="SMTPUTF8")
    async with sender:
        with pytest.raises(RecipientsRefused) as caught:
            await sender.send(TEXT, "a@x", ["b@x"])
        assert sender.stats.idle == 1
    assert (caught.value.code, caught.value.enhanced, caught.value.temporary) == (550, "5.1.1", False)
    assert caught.value.receipt.refused["b@x"].text == "5.1.1 no"
    dialer.check()


async def test_some_refused(scripted) -> None:
    script = (
        envelope("b@x", "c@x")
        + "S: 250 reset\nS: 250 ok\nS: 250 ok\nS: 550 5.1.1 no\nS: 354 go\n"
        + BLOCK
        + "S: 250 queued\n"
    )
    sender, dialer = scripted(script)
    async with sender:
        receipt = await sender.send(TEXT, "a@x", ["b@x", "c@x"])
    assert receipt.accepted == ("b@x",)
    assert {address: reply.code for address, reply in receipt.refused.items()} == {"c@x": 550}
    assert not receipt.ok
    assert receipt.error is None
    dialer.check()


@pytest.mark.parametrize("last", ["S: 554 5.5.1 no valid recipients\n", "S: 354 go\nC: .\nS: 554 nobody\n"])
async def test_all_refused_though_data_may_be_accepted(scripted, last: str) -> None:
    script = (
        ENVELOPE + "S: 250 reset\nS: 250 ok\nS: 550 5.1.1 no\n" + last + "C: RSET\nS: 250 ok\n" * ("354" not in last)
    )
    sender, dialer = scripted(script)
    async with sender:
        with pytest.raises(RecipientsRefused):
            await sender.send(TEXT, "a@x", ["b@x"])
    dialer.check()


async def test_a_lone_dot_that_is_accepted_delivers_nothing(scripted) -> None:
    script = ENVELOPE + "S: 250 reset\nS: 250 ok\nS: 550 5.1.1 no\nS: 354 go\nC: .\nS: 250 queued\n"
    sender, dialer = scripted(script)
    async with sender:
        with pytest.raises(RecipientsRefused):
            await sender.send(TEXT, "a@x", ["b@x"])
    dialer.check()


async def test_a_server_that_wants_the_content_of_a_refused_sender(scripted) -> None:
    """The envelope would be another one's: the content is not sent, the connection is closed."""
    script = ENVELOPE + "S: 250 reset\nS: 550 5.1.8 no\nS: 250 ok\nS: 354 go\nC-close\n"
    sender, dialer = scripted(script)
    async with sender:
        with pytest.raises(RecipientsRefused) as caught:
            await sender.send(TEXT, "a@x", ["b@x"])
        assert caught.value.code == 550
        assert sender.stats.open == 0
    dialer.check()


async def test_a_server_that_refuses_rset_gets_one_message_at_a_time(scripted) -> None:
    refused = ENVELOPE + "S: 502 what\nS: 250 ok\nS: 250 ok\nS: 354 go\nC-close\n"
    plain = (
        "C: MAIL FROM:<a@x>\nS: 250 ok\nC: RCPT TO:<b@x>\nS: 250 ok\nC: DATA\nS: 354 go\n" + BLOCK + "S: 250 queued\n"
    )
    sender, dialer = scripted(refused, plain + plain)
    async with sender:
        assert all(receipt.ok for receipt in await collect(sender, 2))
    dialer.check()


# Deferred recipients


async def test_only_the_deferred_are_tried_again(scripted) -> None:
    first = (
        envelope("b@x", "c@x", "d@x")
        + "S: 250 reset\nS: 250 ok\nS: 250 ok\nS: 450 4.7.1 greylisted\nS: 550 5.1.1 no\nS: 354 go\n"
        + BLOCK
        + "S: 250 queued\n"
    )
    second = envelope("c@x") + AGREED + BLOCK + "S: 250 queued\n"
    sender, dialer = scripted(first + second)
    async with sender:
        receipt = await sender.send(TEXT, "a@x", ["b@x", "c@x", "d@x"])
    assert receipt.accepted == ("b@x", "c@x")
    assert set(receipt.refused) == {"d@x"}
    assert receipt.attempts == 2
    dialer.check()


async def test_a_deferral_that_does_not_end(scripted) -> None:
    once = ENVELOPE + "S: 250 reset\nS: 250 ok\nS: 450 4.7.1 greylisted\nS: 554 nobody\nC: RSET\nS: 250 ok\n"
    sender, dialer = scripted(once + once)
    async with sender:
        with pytest.raises(RecipientsRefused) as caught:
            await sender.send(TEXT, "a@x", ["b@x"])
    assert caught.value.temporary
    assert caught.value.receipt.attempts == 2
    dialer.check()


async def test_too_many_recipients_are_split_at_once(scripted) -> None:
    people = [f"{n}@x" for n in range(5)]
    full = "S: 452 4.5.3 too many\n"
    first = (
        envelope(*people)
        + "S: 250 r\nS: 250 ok\n"
        + "S: 250 ok\n" * 2
        + full * 3
        + "S: 354 go\n"
        + BLOCK
        + "S: 250 q\n"
    )
    second = envelope(*people[2:4]) + "S: 250 r\nS: 250 ok\n" + "S: 250 ok\n" * 2 + "S: 354 go\n" + BLOCK + "S: 250 q\n"
    third = envelope(people[4]) + AGREED + BLOCK + "S: 250 q\n"
    sender, dialer = scripted(first + second + third)
    async with sender:
        receipt = await sender.send(TEXT, "a@x", people)
    assert receipt.ok
    assert receipt.accepted == tuple(people)
    dialer.check()


async def test_limits_are_honoured(scripted) -> None:
    people = ["b@x", "c@x", "d@x"]
    first = envelope(*people[:2]) + "S: 250 r\nS: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\n" + BLOCK + "S: 250 q\n"
    second = envelope(people[2]) + AGREED + BLOCK + "S: 250 q\n"
    sender, dialer = scripted(first + second, extensions="PIPELINING,LIMITS RCPTMAX=2")
    async with sender:
        assert (await sender.send(TEXT, "a@x", people)).accepted == tuple(people)
    dialer.check()


# Refusals of the content


@pytest.mark.parametrize("reply", ["552 5.3.4 too big", "550 5.7.1 spam"])
async def test_a_refused_content(scripted, reply: str) -> None:
    sender, dialer = scripted(ENVELOPE + AGREED + BLOCK + f"S: {reply}\n")
    async with sender:
        with pytest.raises(RecipientsRefused) as caught:
            await sender.send(TEXT, "a@x", ["b@x"])
    assert str(caught.value.receipt.refused["b@x"]) == reply
    dialer.check()


async def test_a_deferred_content_is_tried_again(scripted) -> None:
    sender, dialer = scripted(ENVELOPE + AGREED + BLOCK + "S: 451 4.3.0 later\n" + ONE)
    async with sender:
        assert (await sender.send(TEXT, "a@x", ["b@x"])).ok
    dialer.check()


# Connections that end


async def test_a_lost_reply_is_unknown_and_nothing_is_repeated(scripted) -> None:
    sender, dialer = scripted(ENVELOPE + AGREED + BLOCK + "S-close\n")
    async with sender:
        with pytest.raises(OutcomeUnknown) as caught:
            await sender.send(TEXT, "a@x", ["b@x"])
    assert caught.value.receipt is not None
    assert caught.value.receipt.unknown == ("b@x",)
    dialer.check()


async def test_lost_before_the_content_is_sent_again(scripted) -> None:
    sender, dialer = scripted(ENVELOPE + "S: 250 reset\nS-close\n", ONE)
    async with sender:
        receipt = await sender.send(TEXT, "a@x", ["b@x"])
    assert receipt.ok
    assert receipt.attempts == 2
    dialer.check()


async def test_421_instead_of_the_reply_to_the_content_is_no_doubt(scripted) -> None:
    sender, dialer = scripted(ENVELOPE + AGREED + BLOCK + "S: 421 4.3.2 going down\nS-close\n", ONE)
    async with sender:
        assert (await sender.send(TEXT, "a@x", ["b@x"])).ok
    dialer.check()


async def test_421_in_mid_session_costs_nothing(scripted) -> None:
    """Not even an attempt: the connection was good for the message before."""
    first = ONE + ENVELOPE + "S: 421 4.7.0 enough for one session\nS-close\n"
    sender, dialer = scripted(first, ONE, retry=RetryPolicy(attempts=1))
    async with sender:
        assert (await sender.send(TEXT, "a@x", ["b@x"])).ok
        assert (await sender.send(TEXT, "a@x", ["b@x"])).ok
    dialer.check()


async def test_what_stands_behind_a_421_was_not_executed(scripted) -> None:
    """The first content is settled by its own reply; the second envelope is simply sent again."""
    first = ENVELOPE + AGREED + BLOCK + ENVELOPE + "S: 250 queued\nS: 421 4.3.2 bye\nS-close\n"
    sender, dialer = scripted(first, ONE)
    async with sender:
        receipts = await collect(sender, 2)
    assert [receipt.ok for receipt in receipts] == [True, True]
    dialer.check()


# Eager


async def test_eager_sends_whole_messages_without_waiting(scripted) -> None:
    whole = "C: RSET\nC: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\n" + BDAT
    replies = "S: 250 reset\nS: 250 ok\nS: 250 ok\nS: 250 queued\n"
    sender, dialer = scripted(whole * 3 + replies * 3, extensions="PIPELINING,CHUNKING", pipelining="eager")
    async with sender:
        receipts = await collect(sender, 3)
    assert [receipt.ok for receipt in receipts] == [True] * 3
    dialer.check()


async def test_eager_and_all_refused_stays_eager(scripted) -> None:
    whole = "C: RSET\nC: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\n" + BDAT
    script = (
        whole * 2
        + "S: 250 r\nS: 250 ok\nS: 550 no\nS: 503 no recipients\n"
        + "S: 250 r\nS: 250 ok\nS: 250 ok\nS: 250 q\n"
    )
    sender, dialer = scripted(script, extensions="PIPELINING,CHUNKING", pipelining="eager")
    async with sender:
        first, second = await collect(sender, 2)
        assert sender._settings.learned.eager
    assert first.refused["b@x"].code == 550
    assert second.ok
    dialer.check()


async def test_eager_and_out_of_step_is_unknown_and_eager_no_more(scripted) -> None:
    """MAIL is refused as nested, RCPT and the content are accepted: under whose sender, nobody knows."""
    whole = "C: RSET\nC: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\n" + BDAT
    script = whole + "S: 250 r\nS: 503 sender already given\nS: 250 ok\nS: 250 queued\nC-close\n"
    sender, dialer = scripted(script, ONE, extensions="PIPELINING,CHUNKING", pipelining="eager")
    async with sender:
        with pytest.raises(OutcomeUnknown):
            await sender.send(TEXT, "a@x", ["b@x"])
        assert not sender._settings.learned.eager
        assert (await sender.send(TEXT, "a@x", ["b@x"])).ok
    dialer.check()


async def test_eager_and_lost(scripted) -> None:
    """The first is settled, the second nobody knows, the third was refused before."""
    whole = "C: RSET\nC: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\n" + BDAT
    script = whole * 2 + "S: 250 r\nS: 250 ok\nS: 250 ok\nS: 250 q\nS: 250 r\nS: 250 ok\nS-close\n"
    sender, dialer = scripted(script, extensions="PIPELINING,CHUNKING", pipelining="eager")
    async with sender:
        first, second = await collect(sender, 2)
    assert first.ok
    assert second.unknown == ("b@x",)
    assert isinstance(second.error, OutcomeUnknown)
    dialer.check()


# LMTP


async def test_lmtp_answers_for_each_recipient(scripted) -> None:
    script = (
        envelope("b@x", "c@x", "d@x", "e@x")
        + "S: 250 r\nS: 250 ok\nS: 250 ok\nS: 550 no\nS: 250 ok\nS: 250 ok\nS: 354 go\n"
        + BLOCK
        + "S: 250 stored\nS: 552 5.2.2 full\nS: 450 4.2.0 busy\n"
        + envelope("e@x")
        + AGREED
        + BLOCK
        + "S: 250 stored\n"
    )
    sender, dialer = scripted(script, url="lmtp")
    async with sender:
        receipt = await sender.send(TEXT, "a@x", ["b@x", "c@x", "d@x", "e@x"])
    assert receipt.accepted == ("b@x", "e@x")
    assert {address: reply.code for address, reply in receipt.refused.items()} == {"c@x": 550, "d@x": 552}
    dialer.check()


async def test_lmtp_lost_between_two_replies(scripted) -> None:
    script = (
        envelope("b@x", "c@x")
        + "S: 250 r\nS: 250 ok\nS: 250 ok\nS: 250 ok\nS: 354 go\n"
        + BLOCK
        + "S: 250 stored\nS-close\n"
    )
    sender, dialer = scripted(script, url="lmtp")
    async with sender:
        with pytest.raises(OutcomeUnknown) as caught:
            await sender.send(TEXT, "a@x", ["b@x", "c@x"])
    assert caught.value.receipt is not None
    assert caught.value.receipt.accepted == ("b@x",)
    assert caught.value.receipt.unknown == ("c@x",)
    dialer.check()


async def test_lmtp_421_between_two_replies(scripted) -> None:
    """It is the answer for one; what became of the message to the others, nobody knows."""
    script = (
        envelope("b@x", "c@x", "d@x")
        + "S: 250 r\n"
        + "S: 250 ok\n" * 4
        + "S: 354 go\n"
        + BLOCK
        + "S: 250 stored\nS: 421 4.3.2 going down\nS-close\n"
    )
    again = envelope("c@x") + AGREED + BLOCK + "S: 250 stored\n"
    sender, dialer = scripted(script, again, url="lmtp")
    async with sender:
        with pytest.raises(OutcomeUnknown) as caught:
            await sender.send(TEXT, "a@x", ["b@x", "c@x", "d@x"])
    assert caught.value.receipt is not None
    assert caught.value.receipt.accepted == ("b@x", "c@x")
    assert caught.value.receipt.unknown == ("d@x",)
    dialer.check()


# What the server can't take


@pytest.mark.parametrize(
    ("content", "sender_address", "extensions", "message"),
    [
        (b"Subject: x\r\n\r\n" + b"x" * 100, "a@x", "PIPELINING,SIZE 50", "114 bytes"),
        ("Subject: x\r\n\r\nä".encode(), "a@x", "PIPELINING", "8BITMIME"),
        (b"Subject: x\r\n\r\n", "ä@x", "PIPELINING", "SMTPUTF8"),
    ],
)
async def test_nothing_is_sent_that_the_server_can_not_take(
    scripted, content: bytes, sender_address: str, extensions: str, message: str
) -> None:
    sender, dialer = scripted("", extensions=extensions)
    async with sender:
        with pytest.raises(UnsupportedError, match=message):
            await sender.send(content, sender_address, ["b@x"])
        assert sender.stats.idle == 1
    dialer.check()


async def test_parameters_where_needed_and_offered(scripted) -> None:
    content = "Subject: x\r\n\r\nä\r\n".encode()
    script = (
        f"C: RSET\nC: MAIL FROM:<ä@x> SIZE={len(content)} BODY=8BITMIME SMTPUTF8\nC: RCPT TO:<b@x>\nC: DATA\n"
        + AGREED
        + "C: Subject: x\nC: \nC: ä\nC: .\nS: 250 queued\n"
    )
    sender, dialer = scripted(script, extensions="PIPELINING,SIZE,8BITMIME,SMTPUTF8")
    async with sender:
        assert (await sender.send(content, "ä@x", ["b@x"])).ok
    dialer.check()
