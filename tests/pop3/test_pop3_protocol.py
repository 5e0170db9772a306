"""The state machine: each dialogue whole, byte by byte and cut anywhere; trailing data; what must not come."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.config import Bounds
from netclients.errors import (
    AuthenticationError,
    ConfigurationError,
    PermanentReplyError,
    ProtocolError,
    ReplyError,
    TooManyConnections,
    TransientReplyError,
)
from netclients.pop3 import commands, replies
from netclients.pop3.commands import Command, command
from netclients.pop3.protocol import POP3Protocol, State
from netclients.pop3.types import Capabilities, Language, Listing, Stat, Status, UniqueID
from netclients.wire.dots import stuffed

BOUNDS = Bounds(line=200, response=2000)
RETR = commands.retr(1, 1000)
LIST = commands.listing("LIST", BOUNDS)
STAT = command("STAT")
AUTH = commands.secret(b"AUTH PLAIN", "AUTH PLAIN", auth=True)

ROWS = [
    pytest.param([], b"+OK ready\r\n", [Status(True, "ready")], id="greeting"),
    pytest.param([STAT], b"+OK\r\n+OK 2 320\r\n", [Status(True), Status(True, "2 320")], id="STAT"),
    pytest.param([STAT], b"+OK\n-ERR\n", [Status(True), Status(False)], id="bare LF"),
    pytest.param([STAT], b"+ok\r\n-err no\r\n", [Status(True), Status(False, "no")], id="quirk: small letters"),
    pytest.param(
        [STAT], b"+OK\r\n-ERR [SYS/TEMP] later\r\n", [Status(True), Status(False, "later", "SYS/TEMP")], id="code"
    ),
    pytest.param(
        [STAT], b"+OK\r\n-ERR [in-use]\r\n", [Status(True), Status(False, "", "IN-USE")], id="code without text"
    ),
    pytest.param([STAT], b"+OK\r\n-ERR [no code\r\n", [Status(True), Status(False, "[no code")], id="no code"),
    pytest.param(
        [RETR, RETR],
        b"+OK\r\n+OK 3\r\na\r\n.\r\n+OK\r\n..\r\n.\r\n",
        [Status(True), Status(True, "3", body=b"a\r\n", size=3), Status(True, body=b".\r\n", size=3)],
        id="texts",
    ),
    pytest.param(
        [RETR, STAT, RETR],
        b"+OK\r\n-ERR no such message\r\n+OK 0 0\r\n+OK\r\n.\r\n",
        [Status(True), Status(False, "no such message"), Status(True, "0 0"), Status(True)],
        id="no text behind -ERR",
    ),
    pytest.param(
        [LIST],
        b"+OK\r\n+OK\r\n1 120\r\n2 200\r\n.\r\n",
        [Status(True), Status(True, lines=(b"1 120", b"2 200"), size=14)],
        id="a list",
    ),
    pytest.param([AUTH], b"+OK\r\n+ abc=\r\n", [Status(True), Status(True, "abc=", challenge=True)], id="a challenge"),
    pytest.param([AUTH], b"+OK\r\n+\r\n", [Status(True), Status(True, challenge=True)], id="an empty challenge"),
    pytest.param([AUTH], b"+OK\r\n+ \r\n", [Status(True), Status(True, challenge=True)], id="another"),
    pytest.param([AUTH], b"+OK\r\n+OK in\r\n", [Status(True), Status(True, "in")], id="no challenge"),
]


def cuts(data: bytes) -> Iterator[list[bytes]]:
    yield [data]
    yield [data[i : i + 1] for i in range(len(data))]
    for cut in range(1, len(data)):
        yield [data[:cut], data[cut:]]


def play(
    sent: list[Command], pieces: list[bytes], *, trailing: bytes = b""
) -> tuple[list[Status | None], POP3Protocol]:
    protocol = POP3Protocol(BOUNDS)
    protocol.pipelining = True
    tickets = [protocol.greeting, *map(protocol.submit, sent)]
    for piece in [*pieces, trailing]:
        scratch = bytearray(piece)
        with memoryview(scratch) as view:
            protocol.receive_data(view)
        scratch[:] = b"!" * len(scratch)
        protocol.data_to_send()
    return [ticket.reply for ticket in tickets], protocol


@pytest.mark.parametrize(("sent", "wire", "expected"), ROWS)
def test_rows(sent: list[Command], wire: bytes, expected: list[Status]) -> None:
    # What may be sent only behind the greeting's reply waits for the greeting, so this comes by itself.
    greeting = wire.index(b"\n") + 1
    for pieces in cuts(wire[greeting:]):
        found, protocol = play(sent, [wire[:greeting], *pieces])
        assert found == expected
        assert protocol.idle
        found, protocol = play(sent, [wire[:greeting], *pieces], trailing=b"+O")
        assert found == expected
        assert protocol.partial
        assert not protocol.idle
        with pytest.raises(ProtocolError):
            protocol.forbid_leftovers()


NONSENSE = [b"OK\r\n", b"+OKAY\r\n", b"* OK\r\n", b"\r\n", b"+ go on\r\n", b"220 ready\r\n", b"\xff\xfe\r\n", b"+\r\n"]


@pytest.mark.parametrize("line", NONSENSE)
def test_what_is_no_reply(line: bytes) -> None:
    with pytest.raises(ProtocolError, match="where a reply was due"):
        play([], [line])
    with pytest.raises(ProtocolError, match="where a reply was due"):
        play([STAT], [b"+OK\r\n", line])
    with pytest.raises(ProtocolError):
        play([], [b"+OK\r\n", line])  # nobody has asked


def test_a_reply_that_nobody_asked_for() -> None:
    with pytest.raises(ProtocolError, match="nobody asked for"):
        play([], [b"+OK\r\n+OK more\r\n"])


def test_a_farewell_that_nobody_asked_for() -> None:
    _, protocol = play([], [b"+OK\r\n", b"-ERR Disconnected for inactivity.\r\n"])
    assert protocol.ended
    assert protocol.state is State.UPDATE
    assert str(protocol.goodbye) == "-ERR Disconnected for inactivity."
    assert protocol.data_to_send() == b""


def test_a_server_that_leaves_dots_as_they_are_is_out_of_step() -> None:
    with pytest.raises(ProtocolError, match="'behind' where a reply was due"):
        play([RETR, STAT], [b"+OK\r\n", b"+OK\r\nbefore\r\n.\r\nbehind\r\n.\r\n+OK 1 9\r\n"])
    with pytest.raises(ProtocolError, match="'behind'"):
        play([RETR], [b"+OK\r\n", b"+OK\r\nbefore\r\n.\r\n", b"behind\r\n.\r\n"])


def test_states() -> None:
    protocol = POP3Protocol(BOUNDS)
    assert not protocol.ready
    protocol.receive_data(memoryview(b"+OK\r\n"))
    assert protocol.state is State.AUTHORIZATION
    for reply, state in ((b"-ERR no\r\n", State.AUTHORIZATION), (b"+OK\r\n", State.TRANSACTION)):
        protocol.submit(commands.secret(b"PASS x", "PASS ***"))
        assert protocol.data_to_send() == b"PASS x\r\n"
        protocol.receive_data(memoryview(reply))
        assert protocol.state is state
    protocol.submit(commands.quit_command(commits=True))
    protocol.data_to_send()
    protocol.receive_data(memoryview(b"-ERR some are left\r\nanything"))
    assert protocol.state is State.UPDATE
    protocol.receive_eof()
    assert protocol.state is State.CLOSED


def test_refused_by_the_greeting() -> None:
    found, protocol = play([STAT], [b"-ERR [SYS/TEMP] full\r\n"])
    assert found == [Status(False, "full", "SYS/TEMP"), None]
    assert protocol.ended


@pytest.mark.parametrize("pipelining", [True, False])
def test_pipelining(pipelining: bool) -> None:
    protocol = POP3Protocol(BOUNDS)
    protocol.pipelining = pipelining
    protocol.receive_data(memoryview(b"+OK\r\n"))
    for sent in (RETR, commands.dele(2), commands.quit_command(commits=True), STAT):
        protocol.submit(sent)
    first = protocol.data_to_send()
    assert first == (b"RETR 1\r\nDELE 2\r\nQUIT\r\n" if pipelining else b"RETR 1\r\n")
    for verb in ("STLS", "CAPA", "USER", "UTF8"):
        other = POP3Protocol(BOUNDS)
        other.pipelining = pipelining
        other.receive_data(memoryview(b"+OK\r\n"))
        for sent in (STAT, command(verb), STAT):
            other.submit(sent)
        assert other.data_to_send() == b"STAT\r\n"
        other.receive_data(memoryview(b"+OK\r\n"))
        assert other.data_to_send() == verb.encode() + b"\r\n"
        assert other.data_to_send() == b""


def test_bounds() -> None:
    with pytest.raises(ProtocolError, match="line"):
        play([], [b"+OK " + b"x" * 300])
    with pytest.raises(ProtocolError, match="1000 bytes"):
        play([RETR], [b"+OK\r\n", b"+OK\r\n" + b"x" * 1100])
    with pytest.raises(ProtocolError, match="line"):
        play([LIST], [b"+OK\r\n", b"+OK\r\n" + b"x" * 300])
    with pytest.raises(ProtocolError, match="list"):
        play([LIST], [b"+OK\r\n", b"+OK\r\n" + b"1 2\r\n" * 100])


PARTS = st.sampled_from([b"+OK", b"-ERR", b" ", b"\r\n", b"\n", b".", b"1 2", b"[IN-USE]", b"+ ", b"\xff", b".\r\n"])


@given(st.lists(PARTS).map(b"".join), st.integers(1, 6))
def test_splitting_changes_nothing(wire: bytes, size: int) -> None:
    def outcome(pieces: list[bytes]) -> object:
        protocol = POP3Protocol(BOUNDS)
        protocol.pipelining = True
        tickets = [protocol.greeting, *map(protocol.submit, (RETR, LIST, STAT, AUTH))]
        try:
            protocol.receive_data(memoryview(b"+OK\r\n"))
            protocol.data_to_send()
            for piece in pieces:
                protocol.receive_data(memoryview(piece))
        except ProtocolError as error:
            return str(error), [ticket.reply for ticket in tickets]
        return protocol.state, protocol.partial, [ticket.reply for ticket in tickets]

    assert outcome([wire]) == outcome([wire[i : i + size] for i in range(0, len(wire), size)])


@given(st.lists(st.binary(max_size=30)))
def test_texts_come_back(texts: list[bytes]) -> None:
    wire = b"".join(b"+OK\r\n" + stuffed(text) for text in texts)
    found, _ = play([RETR] * len(texts), [b"+OK\r\n", wire])
    assert [reply.body for reply in found[1:] if reply] == [
        text if not text or text.endswith(b"\r\n") else text + b"\r\n" for text in texts
    ]


# Words


def test_what_replies_say() -> None:
    assert replies.parse_stat("2 320 more") == Stat(2, 320)
    assert replies.parse_listing(b" 1  120 anything") == Listing(1, 120)
    assert replies.parse_unique_id(b"1 a b ") == UniqueID(1, "a b")
    assert replies.parse_unique_id(b"1 " + b"\xfe" * 100).uid == "\udcfe" * 100
    assert replies.parse_languages([b"en English", b"", b"de Deutsch"]) == [
        Language("en", "English"),
        Language("de", "Deutsch"),
    ]
    for line in (b"", b"1", b"x 1", b"1 -1", b"-1 1", b"1 " + b"9" * 21):
        with pytest.raises(ProtocolError):
            replies.parse_listing(line)
    for line in (b"", b"1", b"1 ", b"x y"):
        with pytest.raises(ProtocolError):
            replies.parse_unique_id(line)


def test_capabilities() -> None:
    found = replies.parse_capabilities(
        [b"TOP", b"", b"sasl PLAIN scram-sha-1", b"LOGIN-DELAY 900 USER", b"EXPIRE NEVER", b"IMPLEMENTATION a b"]
    )
    assert found.known
    assert found.has("TOP")
    assert found.lacks("UIDL")
    assert found.sasl == ("PLAIN", "SCRAM-SHA-1")
    assert (found.login_delay, found.expire, found.implementation) == (900, None, "a b")
    assert not Capabilities().lacks("UIDL")


TIMESTAMPS = [
    ("ready <1.2@host>", "<1.2@host>"),
    ("<a@b> <c@d>", "<a@b>"),
    ("ready", None),
    ("<no-at>", None),
    ("<a b@c>", None),
    ("<a@b\x01>", None),
    ("<ä@b>", None),
    ("<a@>", None),
]


@pytest.mark.parametrize(("text", "timestamp"), TIMESTAMPS)
def test_timestamps(text: str, timestamp: str | None) -> None:
    assert replies.timestamp_of(Status(True, text)) == timestamp


ERRORS = [
    ("RETR 1", Status(False, "no"), PermanentReplyError),
    ("RETR 1", Status(False, "no", "SYS/PERM"), PermanentReplyError),
    ("RETR 1", Status(False, "no", "SYS/TEMP"), TransientReplyError),
    ("PASS ***", Status(False, "no", "IN-USE"), TransientReplyError),
    ("PASS ***", Status(False, "no", "LOGIN-DELAY"), TransientReplyError),
    ("PASS ***", Status(False, "no"), AuthenticationError),
    ("PASS ***", Status(False, "no", "AUTH"), AuthenticationError),
    ("AUTH PLAIN ***", Status(False, "no"), AuthenticationError),
    ("AUTH PLAIN ***", Status(False, "no", "SYS/PERM"), PermanentReplyError),
    ("greeting", Status(False, "no", "SYS/TEMP"), TooManyConnections),
    ("greeting", Status(False, "no"), PermanentReplyError),
    ("PASS ***", Status(True, "what", challenge=True), ProtocolError),
]


@pytest.mark.parametrize(("sent", "reply", "kind"), ERRORS)
def test_errors(sent: str, reply: Status, kind: type[Exception]) -> None:
    error = replies.reply_error(sent, reply)
    assert type(error) is kind
    if isinstance(error, ReplyError):
        assert error.response_code == reply.code
        assert error.code is None


@pytest.mark.parametrize("word", ["a\r\nDELE 1", "a\nb", "a\0b"])
def test_nothing_breaks_out_of_its_line(word: str) -> None:
    with pytest.raises(ConfigurationError):
        commands.raw_command("XYZ", word)
    with pytest.raises(ConfigurationError):
        commands.raw_command(word)
    with pytest.raises(ConfigurationError):
        commands.secret(b"PASS " + word.encode(), "PASS ***")


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_one_call_encodes_one_line(number: int, lines: int) -> None:
    for sent in (commands.retr(number, 1), commands.dele(number), commands.top(number, lines, 1)):
        encoded = sent.encode()
        assert encoded.count(b"\r\n") == 1
        assert encoded.endswith(b"\r\n")
        assert encoded.split()[1] == str(number).encode()
    with pytest.raises(ConfigurationError):
        commands.retr(-1 - number, 1)


def test_secrets_are_not_shown() -> None:
    assert str(commands.secret(b"PASS secret", "PASS ***")) == "PASS ***"
