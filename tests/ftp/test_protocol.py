"""The state machine of the FTP control connection, without I/O: every transition, every quirk."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.config import Bounds
from netclients.errors import ProtocolError
from netclients.ftp import protocol as protocol_module
from netclients.ftp.commands import command
from netclients.ftp.protocol import FTPProtocol, State
from netclients.wire.dialogue import Completed, Preliminary, Sent, Unsolicited
from netclients.wire.pipeline import Ticket
from netclients.wire.replies import Reply

ROOT = "220 ready"


def feed(protocol: FTPProtocol, *lines: str) -> None:
    for line in lines:
        protocol.receive_data(memoryview(line.encode() + b"\r\n"))


def send(protocol: FTPProtocol, *verbs: str) -> list[Ticket]:
    tickets = [protocol.submit(command(verb, b"x" if verb in ("RETR", "STOR", "SIZE") else b"")) for verb in verbs]
    protocol.data_to_send()
    return tickets


def events(protocol: FTPProtocol) -> list[object]:
    found = []
    while (event := protocol.next_event()) is not None:
        found.append(event)
    return found


def told(protocol: FTPProtocol) -> list[tuple[str, str, int]]:
    """Events as (kind, verb, code)."""
    found = []
    for event in events(protocol):
        match event:
            case Sent(ticket=ticket):
                found.append(("sent", ticket.command.verb, 0))
            case Preliminary(ticket=ticket, reply=reply):
                found.append(("preliminary", ticket.command.verb, reply.code))
            case Completed(ticket=ticket, reply=reply):
                found.append(("completed", ticket.command.verb, reply.code))
            case Unsolicited(reply=reply):
                found.append(("unsolicited", "", reply.code))
    return found


def greeted(*, pipelining: bool = False, behind: bool = False, bounds: Bounds | None = None) -> FTPProtocol:
    protocol = FTPProtocol(bounds)
    feed(protocol, ROOT)
    protocol.pipelining = pipelining
    protocol.pipelining_behind_transfers = behind
    events(protocol)
    return protocol


def in_state(state: State) -> FTPProtocol:
    protocol = FTPProtocol()
    if state is not State.GREETING:
        feed(protocol, ROOT)
    match state:
        case State.TRANSFERRING:
            send(protocol, "RETR")
            feed(protocol, "150 here it comes")
        case State.CLOSING:
            feed(protocol, "421 bye")
        case State.CLOSED:
            protocol.receive_eof()
    events(protocol)
    assert protocol.state is state
    return protocol


# The table

S = State


@pytest.mark.parametrize(
    ("state", "sent", "line", "after"),
    [
        (S.GREETING, [], "120 later", S.GREETING),
        (S.GREETING, [], "220 ready", S.READY),
        (S.GREETING, [], "530 go away", S.READY),
        (S.GREETING, [], "421 full", S.CLOSING),
        (S.READY, ["NOOP"], "200 ok", S.READY),
        (S.READY, ["NOOP"], "500 what", S.READY),
        (S.READY, ["NOOP"], "150 strange", S.READY),
        (S.READY, ["NOOP"], "421 bye", S.CLOSING),
        (S.READY, [], "421 idle for too long", S.CLOSING),
        (S.READY, ["RETR"], "150 comes", S.TRANSFERRING),
        (S.READY, ["RETR"], "125 comes", S.TRANSFERRING),
        (S.READY, ["RETR"], "200 soon", S.TRANSFERRING),
        (S.READY, ["RETR"], "226 nothing in it", S.READY),
        (S.READY, ["RETR"], "550 no", S.READY),
        (S.READY, ["RETR"], "421 bye", S.CLOSING),
        (S.TRANSFERRING, [], "150 again", S.TRANSFERRING),
        (S.TRANSFERRING, [], "226 done", S.READY),
        (S.TRANSFERRING, [], "426 broken", S.READY),
        (S.TRANSFERRING, [], "451 disk", S.READY),
        (S.TRANSFERRING, [], "421 bye", S.CLOSING),
        (S.CLOSING, [], "421 bye again", S.CLOSING),
    ],
)
def test_transitions(state: State, sent: list[str], line: str, after: State) -> None:
    for chunks in ([line + "\r\n"], [*line, "\r", "\n"]):
        protocol = in_state(state)
        send(protocol, *sent)
        for chunk in chunks:
            protocol.receive_data(memoryview(chunk.encode()))
        assert protocol.state is after


@pytest.mark.parametrize("line", ["150 comes", "226 done", "421 bye again"])
def test_what_is_said_behind_a_goodbye_changes_nothing(line: str) -> None:
    protocol = greeted(pipelining=True)
    send(protocol, "NOOP", "RETR")
    feed(protocol, "421 bye", line)
    assert protocol.state is State.CLOSING


def test_what_the_table_does_not_know_is_an_error() -> None:
    protocol = in_state(State.CLOSED)
    with pytest.raises(ProtocolError, match="makes no sense now: the connection has ended"):
        feed(protocol, "421 bye")


@pytest.mark.parametrize("state", State)
def test_the_end_comes_in_any_state(state: State) -> None:
    protocol = in_state(state)
    protocol.receive_eof()
    assert protocol.state is State.CLOSED
    assert told(protocol) == []
    assert not protocol.idle
    protocol.submit(command("NOOP"))
    assert protocol.data_to_send() == b""


def test_the_table_names_every_state() -> None:
    table = protocol_module._TRANSITIONS
    assert {state for state, _ in table} | set(table.values()) == set(State)
    assert {after for (state, _), after in table.items() if state is State.CLOSED} == {State.CLOSED}


# The greeting


def test_nothing_is_sent_before_the_greeting() -> None:
    protocol = FTPProtocol()
    ticket = protocol.submit(command("USER", b"bob"))
    assert protocol.data_to_send() == b""
    feed(protocol, "120 in a minute")
    assert protocol.data_to_send() == b""
    assert protocol.greeting.preliminary == Reply(120, ("in a minute",))
    feed(protocol, "220-Welcome", "220 ready")
    assert protocol.data_to_send() == b"USER bob\r\n"
    assert protocol.greeting.reply == Reply(220, ("Welcome", "ready"))
    assert ticket.sent
    assert told(protocol) == [
        ("preliminary", "greeting", 120),
        ("completed", "greeting", 220),
        ("sent", "USER", 0),
    ]


def test_a_greeting_that_is_a_goodbye() -> None:
    protocol = FTPProtocol()
    feed(protocol, "421 too many connections")
    assert told(protocol) == [("completed", "greeting", 421)]
    assert protocol.greeting.reply
    protocol.submit(command("USER", b"bob"))
    assert protocol.data_to_send() == b""


# Replies and tickets


def test_replies_go_to_their_tickets() -> None:
    protocol = greeted(pipelining=True)
    first, second = protocol.submit(command("NOOP")), protocol.submit(command("SIZE", b"f"))
    assert protocol.data_to_send() == b"NOOP\r\nSIZE f\r\n"
    protocol.receive_data(memoryview(b"200 ok\r\n213 17\r\n"))
    assert (first.reply, second.reply) == (Reply(200, ("ok",)), Reply(213, ("17",)))
    assert protocol.idle


def test_421_answers_the_oldest_command_only() -> None:
    protocol = greeted(pipelining=True)
    first, second = send(protocol, "NOOP", "PWD")
    feed(protocol, "421 bye")
    assert (first.reply, second.reply) == (Reply(421, ("bye",)), None)
    assert not protocol.idle
    assert told(protocol)[2:] == [("completed", "NOOP", 421)]


@pytest.mark.parametrize("line", ["200 ok", "150 data", "226 done", "331 password", "550 no"])
def test_a_reply_that_nobody_asked_for(line: str) -> None:
    with pytest.raises(ProtocolError, match="nobody asked for"):
        feed(greeted(), line)


def test_a_reply_too_many_behind_a_right_one() -> None:
    protocol = greeted()
    [ticket] = send(protocol, "NOOP")
    with pytest.raises(ProtocolError):
        protocol.receive_data(memoryview(b"200 ok\r\n200 ok\r\n"))
    assert ticket.reply == Reply(200, ("ok",))


@pytest.mark.parametrize("data", [b"hello\r\n", b"\r\n", b"999 x\r\n", b"\x16\x03\x01\x02\r\n"])
def test_nonsense(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        greeted().receive_data(memoryview(data))


def test_bounds() -> None:
    bounds = Bounds(line=100, reply=300)
    with pytest.raises(ProtocolError, match="line of more than 100"):
        greeted(bounds=bounds).receive_data(memoryview(b"2" * 101))
    protocol = greeted(bounds=bounds)
    send(protocol, "STAT")
    with pytest.raises(ProtocolError, match="reply of more than 300"):
        feed(protocol, "211-x", *["y" * 90] * 4)


def test_the_encoding_is_the_sessions() -> None:
    protocol = FTPProtocol(encoding="latin-1")
    protocol.receive_data(memoryview(b"220 gr\xfc\xdf\r\n"))
    assert protocol.greeting.reply == Reply(220, ("grüß",))


# Quirks


@pytest.mark.parametrize("verb", ["LIST", "STOR", "RETR"])
def test_200_before_150(verb: str) -> None:
    protocol = greeted()
    [ticket] = send(protocol, verb)
    feed(protocol, "200 ok", "150 comes")
    assert ticket.reply is None
    feed(protocol, "226 done")
    assert ticket.reply == Reply(226, ("done",))
    assert protocol.state is State.READY
    assert [kind for kind, _, _ in told(protocol)] == ["sent", "preliminary", "preliminary", "completed"]


def test_200_after_150_is_final() -> None:
    protocol = greeted()
    [ticket] = send(protocol, "RETR")
    feed(protocol, "150 comes", "200 done")
    assert ticket.reply
    assert protocol.state is State.READY


def test_a_repeated_226_answers_nothing() -> None:
    protocol = greeted()
    send(protocol, "RETR")
    feed(protocol, "150 comes", "226 done", "226 really")  # nothing is under way
    assert protocol.idle
    [ticket] = send(protocol, "PWD")
    feed(protocol, "226 I said")  # a command is under way
    assert ticket.reply is None
    feed(protocol, '257 "/"')
    assert ticket.reply
    with pytest.raises(ProtocolError):
        feed(protocol, "226 long ago")


def test_226_answers_abor() -> None:
    protocol = greeted()
    send(protocol, "RETR")
    feed(protocol, "150 comes", "426 broken")
    [ticket] = send(protocol, "ABOR")
    feed(protocol, "226 aborted")
    assert ticket.reply == Reply(226, ("aborted",))


def test_preliminary_replies_do_not_go_on_for_ever() -> None:
    protocol = greeted()
    send(protocol, "RETR")
    with pytest.raises(ProtocolError, match="preliminary replies"):
        feed(protocol, *["150 soon"] * 10_000)


# Pipelining


def flights(protocol: FTPProtocol, *verbs: str) -> list[bytes]:
    """What goes out together, each flight answered before the next."""
    tickets = [protocol.submit(command(verb)) for verb in verbs]
    found = []
    while data := protocol.data_to_send():
        found.append(data.replace(b"\r\n", b" ").strip())
        for ticket in tickets:
            if ticket.sent and ticket.reply is None:
                feed(protocol, *(["150 x"] if ticket.command.traits.transfer else []), "200 x")
    return found


@pytest.mark.parametrize(
    ("pipelining", "behind", "expected"),
    [
        (False, False, [b"TYPE", b"EPSV", b"RETR", b"EPSV", b"CWD", b"PWD"]),
        (False, True, [b"TYPE", b"EPSV", b"RETR", b"EPSV", b"CWD", b"PWD"]),
        (True, False, [b"TYPE EPSV RETR", b"EPSV CWD", b"PWD"]),
        (True, True, [b"TYPE EPSV RETR EPSV CWD", b"PWD"]),
    ],
)
def test_flights(pipelining: bool, behind: bool, expected: list[bytes]) -> None:
    protocol = greeted(pipelining=pipelining, behind=behind)
    assert flights(protocol, "TYPE", "EPSV", "RETR", "EPSV", "CWD", "PWD") == expected


@pytest.mark.parametrize("verb", ["AUTH", "ABOR", "REIN", "HOST"])
def test_what_stands_alone(verb: str) -> None:
    expected = [b"NOOP", verb.encode(), b"PWD"]
    assert flights(greeted(pipelining=True, behind=True), "NOOP", verb, "PWD") == expected


@pytest.mark.parametrize("verb", ["CWD", "CDUP", "STRU", "MODE", "REST", "RNFR", "QUIT"])
def test_what_has_nothing_behind_it(verb: str) -> None:
    expected = [b"NOOP " + verb.encode(), b"PWD"]
    assert flights(greeted(pipelining=True, behind=True), "NOOP", verb, "PWD") == expected


def test_a_reply_behind_a_transfer_waits_for_its_turn() -> None:
    protocol = greeted(pipelining=True, behind=True)
    get, port = send(protocol, "RETR", "EPSV")
    protocol.receive_data(memoryview(b"150 comes\r\n226 done\r\n229 ok (|||7|)\r\n"))
    assert get.reply == Reply(226, ("done",))
    assert port.reply == Reply(229, ("ok (|||7|)",))
    assert protocol.idle


# Rest and TLS


def test_idle() -> None:
    protocol = FTPProtocol()
    assert not protocol.idle
    feed(protocol, ROOT)
    assert protocol.idle
    protocol.submit(command("NOOP"))
    assert not protocol.idle  # submitted
    protocol.data_to_send()
    assert not protocol.idle  # sent
    protocol.receive_data(memoryview(b"200-a\r\n"))
    protocol.receive_data(memoryview(b"200 b\r\n2"))
    assert not protocol.idle  # half a line
    half = greeted()
    half.receive_data(memoryview(b"211-x\r\n"))
    assert not half.idle  # half a reply


@pytest.mark.parametrize("data", [b"230 in\r\n", b"2", b"230-", b"230-x\r\n", b"\r\n", b"\x16\x03"])
def test_leftovers_before_tls(data: bytes) -> None:
    protocol = greeted()
    [ticket] = send(protocol, "AUTH")

    def go_on() -> None:
        protocol.receive_data(memoryview(b"234 go on\r\n" + data))
        protocol.forbid_leftovers()

    with pytest.raises(ProtocolError):
        go_on()
    assert ticket.reply


def test_no_leftovers() -> None:
    protocol = greeted()
    send(protocol, "AUTH")
    feed(protocol, "234 go on")
    protocol.forbid_leftovers()


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=6))
def test_any_input_is_understood_or_a_protocol_error(data: bytes, cuts: list[int]) -> None:
    def outcome(pieces: list[bytes]) -> object:
        protocol = greeted(pipelining=True, behind=True)
        send(protocol, "NOOP", "SIZE", "RETR", "EPSV")
        try:
            for piece in pieces:
                protocol.receive_data(memoryview(piece))
        except ProtocolError as error:
            return told(protocol), str(error)
        return told(protocol), protocol.idle, protocol.state

    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[a:b] for a, b in itertools.pairwise(bounds)]
    assert outcome(pieces) == outcome([data])
