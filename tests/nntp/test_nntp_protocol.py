"""The state machine: each dialogue whole, byte by byte and cut anywhere; trailing data; what must not come."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pytest

from netclients.config import Bounds
from netclients.errors import ConfigurationError, ProtocolError
from netclients.nntp import arguments, commands, replies
from netclients.nntp.commands import Command, command
from netclients.nntp.compressed import YEncoded
from netclients.nntp.overview import Overview, OverviewFormat
from netclients.nntp.protocol import NNTPProtocol, State
from netclients.nntp.types import ArticleInfo, Group, HeaderValue, Reply
from netclients.wire.blocks import Listed
from netclients.wire.dots import stuffed
from netclients.wire.pipeline import Ticket

BOUNDS = Bounds(line=200, response=2000)
ARTICLE = commands.text("ARTICLE", b"<a@b>", limit=1000)
OVER = commands.listing("OVER", b"1-2", bounds=BOUNDS)
STAT = commands.stat(b"<a@b>")
GROUP = command("GROUP", b"misc.test")
LISTGROUP = commands.listing("LISTGROUP", b"misc.test", bounds=BOUNDS)
HI = b"200 hi\r\n"

ROWS = [
    pytest.param([], HI, [Reply(200, "hi")], id="greeting"),
    pytest.param([STAT], HI + b"223 0 <a@b>\r\n", [Reply(200, "hi"), Reply(223, "0 <a@b>")], id="STAT"),
    pytest.param([STAT], b"200 hi\n430\n", [Reply(200, "hi"), Reply(430)], id="bare LF, no text"),
    pytest.param(
        [ARTICLE, ARTICLE],
        HI + b"220 0 <a@b>\r\na\r\n.\r\n220 0 <a@b>\r\n..\r\n.\r\n",
        [
            Reply(200, "hi"),
            Reply(220, "0 <a@b>", body=b"a\r\n", size=3),
            Reply(220, "0 <a@b>", body=b".\r\n", size=3),
        ],
        id="texts",
    ),
    pytest.param(
        [ARTICLE, STAT, OVER],
        HI + b"430 no\r\n223 0 <a@b>\r\n224 ok\r\n1\ta\r\n2\tb\r\n.\r\n",
        [
            Reply(200, "hi"),
            Reply(430, "no"),
            Reply(223, "0 <a@b>"),
            Reply(224, "ok", lines=(b"1\ta", b"2\tb"), size=10),
        ],
        id="no text behind 430",
    ),
    pytest.param([OVER], HI + b"224 ok\r\n.\r\n", [Reply(200, "hi"), Reply(224, "ok")], id="an empty list"),
    pytest.param(
        [GROUP, LISTGROUP],
        HI + b"211 1 1 1 misc.test\r\n211 1 1 1 misc.test\r\n1\r\n.\r\n",
        [
            Reply(200, "hi"),
            Reply(211, "1 1 1 misc.test"),
            Reply(211, "1 1 1 misc.test", lines=(b"1",), size=3),
        ],
        id="211 with and without a list",
    ),
]


def cuts(data: bytes) -> Iterator[list[bytes]]:
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for cut in range(1, len(data)):
        yield [data[:cut], data[cut:]]


def play(sent: list[Command], pieces: list[bytes], *, gzip: bool = False) -> tuple[list[Reply | None], NNTPProtocol]:
    protocol = NNTPProtocol(BOUNDS)
    protocol.gzip = gzip
    tickets: list[Ticket[Command, Reply]] = [protocol.greeting, *map(protocol.submit, sent)]
    for piece in pieces:
        protocol.receive_data(memoryview(piece))
        protocol.data_to_send()
    return [ticket.reply for ticket in tickets], protocol


@pytest.mark.parametrize(("sent", "data", "expected"), ROWS)
def test_dialogues(sent: list[Command], data: bytes, expected: list[Reply]) -> None:
    greeting, _, rest = data.partition(b"\n")
    for pieces in cuts(rest) if rest and GROUP not in sent else [[rest[i : i + 1] for i in range(len(rest))]]:
        found, protocol = play(sent, [greeting + b"\n", *pieces])
        assert found == expected
        assert protocol.idle
        with pytest.raises(ProtocolError, match="nobody asked for"):
            protocol.receive_data(memoryview(b"200 trailing\r\n"))


def test_gzip() -> None:
    over = b"1\ta\r\n..2\tb\r\n"
    for whole in (
        HI + b"224 ok [COMPRESS=GZIP]\r\n" + zlib.compress(over) + b".\r\n223 0 <a@b>\r\n",
        HI + b"224 ok [COMPRESS=GZIP]\r\n" + zlib.compress(over + b".\r\n") + b"223 0 <a@b>\r\n",
        HI + b"224 ok [COMPRESS=GZIP]\r\n" + zlib.compress(over + b".\r\n") + b".\r\n223 0 <a@b>\r\n",
    ):
        for pieces in cuts(whole[len(HI) :]):
            found, protocol = play([OVER, STAT], [HI, *pieces], gzip=True)
            assert found[1] == Reply(224, "ok [COMPRESS=GZIP]", lines=(b"1\ta", b".2\tb"), size=11)
            assert found[2] == Reply(223, "0 <a@b>")
            assert protocol.idle


@pytest.mark.parametrize("text", [b"no zlib", zlib.compress(b"1\r\n.\r\nmore\r\n"), zlib.compress(b"x" * 5_000_000)])
def test_gzip_that_is_none(text: bytes) -> None:
    with pytest.raises(ProtocolError):
        play([OVER], [HI, b"224 [COMPRESS=GZIP]\r\n" + text + b".\r\n"], gzip=True)


def yenc(data: bytes) -> list[bytes]:
    coded = bytearray()
    for byte in data:
        value = (byte + 42) % 256
        coded += b"=%c" % ((value + 64) % 256) if value in b"\0\r\n=" else bytes((value,))
    return [b"=ybegin line=128 size=-1", bytes(coded), b"=yend crc32=0"]


def test_xzver() -> None:
    deflater = zlib.compressobj(wbits=-15)
    text = b"".join(b"%d\tsubject %d\r\n" % (n, n * n) for n in range(500))
    data = deflater.compress(text) + deflater.flush()
    inner = Listed(line=100, limit=100_000)
    hidden = YEncoded(inner)
    for line in yenc(data):
        hidden.take([line])
    hidden.finish()
    assert len(inner.lines) == 500
    assert inner.lines[-1] == b"499\tsubject 249001"
    with pytest.raises(ProtocolError, match="not whole"):
        YEncoded(Listed(line=100, limit=100)).finish()
    with pytest.raises(ProtocolError, match="yEnc"):
        YEncoded(Listed(line=100, limit=100)).take([b"1\tplain"])


def test_pipelining() -> None:
    protocol = NNTPProtocol(BOUNDS, window=4)
    protocol.receive_data(memoryview(HI))
    for sent in (STAT, ARTICLE, GROUP, STAT, command("POST"), STAT):
        protocol.submit(sent)
    assert protocol.data_to_send() == b"STAT <a@b>\r\nARTICLE <a@b>\r\nGROUP misc.test\r\n"
    protocol.receive_data(memoryview(b"430\r\n430\r\n"))
    assert protocol.data_to_send() == b""
    protocol.receive_data(memoryview(b"411\r\n"))
    assert protocol.data_to_send() == b"STAT <a@b>\r\n"
    protocol.receive_data(memoryview(b"430\r\n"))
    assert protocol.data_to_send() == b"POST\r\n"
    protocol.receive_data(memoryview(b"340 go on\r\n"))
    assert protocol.state is State.CONTENT
    assert not protocol.idle


def test_the_window() -> None:
    protocol = NNTPProtocol(BOUNDS, window=3)
    protocol.receive_data(memoryview(HI))
    for _ in range(5):
        protocol.submit(STAT)
    assert protocol.data_to_send().count(b"STAT") == 3
    protocol.receive_data(memoryview(b"430\r\n430\r\n"))
    assert protocol.data_to_send().count(b"STAT") == 2
    careful = NNTPProtocol(BOUNDS, pipelining=False)
    careful.receive_data(memoryview(HI))
    careful.submit(STAT)
    careful.submit(STAT)
    assert careful.data_to_send().count(b"STAT") == 1


def test_goodbyes() -> None:
    for data in (b"400 timeout\r\n", b"503 timeout\r\n"):
        protocol = NNTPProtocol(BOUNDS)
        protocol.receive_data(memoryview(HI + data))
        assert protocol.ended
        assert protocol.goodbye is not None
    found, protocol = play([STAT, STAT], [HI, b"400 bye\r\n430 no\r\n"])
    assert found[1:] == [Reply(400, "bye"), None]
    assert protocol.ended
    assert play([], [b"502 no\r\n"])[1].ended
    assert play([command("QUIT")], [HI, b"205 bye\r\n"])[1].ended


@pytest.mark.parametrize(
    "line", [b"", b"no reply", b"2000 hi", b"20 hi", b"200-hi", b".", b"600 hi", b"x" * 300, b"\xff\xfe"]
)
def test_nonsense(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        NNTPProtocol(BOUNDS).receive_data(memoryview(line + b"\r\n"))


def test_too_much() -> None:
    with pytest.raises(ProtocolError, match="more than"):
        play([ARTICLE], [HI, b"220 0 <a@b>\r\n" + b"x" * 1001])
    with pytest.raises(ProtocolError, match="more than"):
        play([OVER], [HI, b"224\r\n" + b"x\r\n" * 1000])


def test_content_is_stuffed() -> None:
    assert commands.content("POST", b".a\r\n").encode() == b"..a\r\n.\r\n"
    assert commands.takethis(b"<a@b>", b"").encode() == b"TAKETHIS <a@b>\r\n.\r\n"
    assert stuffed(b"a") == b"a\r\n.\r\n"
    assert str(commands.secret(b"AUTHINFO PASS x", "AUTHINFO PASS ***")) == "AUTHINFO PASS ***"


def test_overviews() -> None:
    form = OverviewFormat.of(
        [b"Subject:", b"From:", b"Date:", b"Message-ID:", b"References:", b"Bytes:", b"Lines:", b"Xref:full", b"X-Odd:"]
    )
    line = b"7\ts=?utf-8?q?=C3=BC?=\tf\tnever\t<a@b>\t<c@d> <e@f>\t\tmany\tXref: host g:7\todd\tmore"
    o = Overview(line, form)
    assert (o.number, o.date, o.message_id, o.references) == (7, None, "<a@b>", ("<c@d>", "<e@f>"))
    assert (o.bytes, o.lines) == (None, None)
    assert o.extra == {"xref": "host g:7", "x-odd": "odd", "10": "more"}
    assert Overview(b"7\t\xe9").subject == "é"
    short = Overview(b"8")
    assert (short.number, short.subject, short.references, short.lines, dict(short.extra)) == (8, "", (), None, {})
    with pytest.raises(ProtocolError):
        _ = Overview(b"x\ty").number
    with pytest.raises(ProtocolError, match=":lines"):
        OverviewFormat.of([b"Subject:", b"From:", b"Date:", b"Message-ID:", b"References:", b"Bytes:"])


def test_replies() -> None:
    assert replies.parse_group(Reply(211, "3 1 5 g"), "g") == Group("g", 3, 1, 5)
    assert replies.parse_article(Reply(220, "0 <a@b> retrieved"), "<a@b>") == ArticleInfo(None, "<a@b>")
    assert replies.parse_article(Reply(220, "5 <a@b>"), 5) == ArticleInfo(5, "<a@b>")
    assert replies.parse_article(Reply(220, "0"), "<a@b>").message_id == "<a@b>"
    for text, asked in [("0 <c@d>", "<a@b>"), ("4 <a@b>", 5), ("", 5), ("x <a@b>", None)]:
        with pytest.raises(ProtocolError):
            replies.parse_article(Reply(220, text), asked)
    assert replies.parse_header(b"<a@b> value") == HeaderValue(0, "value")
    assert replies.parse_header(b"5 ") == HeaderValue(5, "")
    for parse, line in [
        (replies.parse_active, b"g 1"),
        (replies.parse_active, b"g x 1 y"),
        (replies.parse_count, b"g 1 1 y"),
        (replies.parse_creation, b"g 99999999999999999999 x"),
        (replies.parse_header, b"x y"),
        (replies.parse_number, b""),
    ]:
        with pytest.raises(ProtocolError):
            parse(line)  # type: ignore[operator]
    found = replies.parse_capabilities([b"version 2", b"", b"SASL plain", b"SASL LOGIN", b"AUTHINFO SASL"])
    assert found.sasl == ("PLAIN", "LOGIN")
    assert found.lacks("OVER")


@pytest.mark.parametrize("value", ["<a>", "<a@b>", "<a!b@c>"])
def test_message_ids(value: str) -> None:
    assert arguments.message_id(value) == value.encode()


@pytest.mark.parametrize("value", ["a@b", "<a b>", "<a\r\n>", "<>", "<a><b>", "<ä>", 5])
def test_no_message_ids(value: str) -> None:
    with pytest.raises(ConfigurationError):
        arguments.message_id(value)
