"""The state machine of an IMAP connection, without I/O: every transition, literals, and whose answer is whose."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.config import Bounds
from netclients.errors import ProtocolError
from netclients.imap import protocol as protocol_module
from netclients.imap import untagged as untagged_module
from netclients.imap.arguments import Literal
from netclients.imap.commands import Command, Subject, Upload, command
from netclients.imap.connection.messages import _collector, _for_bodies
from netclients.imap.protocol import IMAPProtocol, State
from netclients.imap.ranges import NumberRanges
from netclients.imap.types import Condition, ESearch, Expunge, Fetched, ListedMailbox, Number, Response, Search, Status
from netclients.wire.dialogue import Completed, Sent, Unsolicited
from netclients.wire.pipeline import Ticket

S = State
Signal = protocol_module._Signal
TAG = re.compile(rb"[a-z]{6}[0-9]+")


def feed(protocol: IMAPProtocol, *lines: str | bytes) -> None:
    data = b"".join((line.encode() if isinstance(line, str) else line) + b"\r\n" for line in lines)
    protocol.receive_data(memoryview(data))


def greeted(*capabilities: str, bounds: Bounds | None = None, known: bool = True) -> IMAPProtocol:
    protocol = IMAPProtocol(bounds)
    feed(protocol, f"* {'PREAUTH' if known else 'OK'} [CAPABILITY IMAP4rev1 {' '.join(capabilities)}] here")
    events(protocol)
    return protocol


def opened(*capabilities: str, exists: int = 9, bounds: Bounds | None = None) -> IMAPProtocol:
    """With a mailbox open that has this many messages."""
    protocol = greeted(*capabilities, bounds=bounds)
    select(protocol, "INBOX", f"* {exists} EXISTS", "* OK [UIDVALIDITY 7] x")
    events(protocol)
    return protocol


def select(protocol: IMAPProtocol, name: str, *lines: str, reply: str = "OK [READ-WRITE] done") -> Ticket:
    ticket = protocol.submit(replace(command("SELECT", name.encode()), mailbox=name))
    tag = tags(protocol.data_to_send())[0]
    feed(protocol, *lines, f"{tag} {reply}")
    return ticket


def tags(data: bytes) -> list[str]:
    return [line.split(b" ")[0].decode() for line in data.split(b"\r\n") if TAG.match(line)]


def send(protocol: IMAPProtocol, *commands: str | Command) -> tuple[list[Ticket], list[str]]:
    """Submit commands; return their tickets, and the tags of those that went out."""
    tickets = [protocol.submit(one if isinstance(one, Command) else plain(one)) for one in commands]
    return tickets, tags(protocol.data_to_send())


def plain(text: str) -> Command:
    """``UID FETCH 1 FLAGS`` and so on, with nobody to take an answer."""
    words = text.split(" ")
    verb = " ".join(words[:2]) if words[0] == "UID" else words[0]
    return command(verb, *(word.encode() for word in text.removeprefix(verb).split()))


def events(protocol: IMAPProtocol) -> list[object]:
    found = []
    while (event := protocol.next_event()) is not None:
        found.append(event)
    return found


def untagged(protocol: IMAPProtocol) -> list[Response]:
    found = []
    while (response := protocol.next_untagged()) is not None:
        found.append(response)
    return found


def taker(kind: type, found: list[Response]) -> Callable[[Response], bool]:
    def collect(response: Response) -> bool:
        if isinstance(response, kind):
            found.append(response)
            return True
        return False

    return collect


def fetch(which: str, items: str = "(FLAGS)", *, verb: str = "UID FETCH") -> tuple[Command, list[Fetched]]:
    """What IMAPConnection submits for a FETCH or STORE, and where its answers go."""
    found: list[Fetched] = []
    uid, numbers = verb.startswith("UID"), NumberRanges(which.encode())
    sent = command(verb, which.encode(), items.encode())
    about = Subject("UID" if uid else "number", numbers)
    return replace(sent, collect=_collector(found, numbers, items.encode(), uid=uid), about=about), found


# The table

TABLE = [
    (S.GREETING, "", "* OK ready", S.NOT_AUTHENTICATED),
    (S.GREETING, "", "* PREAUTH ready", S.AUTHENTICATED),
    (S.GREETING, "", "* BYE full", S.LOGOUT),
    (S.NOT_AUTHENTICATED, "LOGIN a b", "{tag} OK in", S.AUTHENTICATED),
    (S.NOT_AUTHENTICATED, "AUTHENTICATE PLAIN", "{tag} OK in", S.AUTHENTICATED),
    (S.NOT_AUTHENTICATED, "LOGIN a b", "{tag} NO wrong", S.NOT_AUTHENTICATED),
    (S.NOT_AUTHENTICATED, "LOGIN a b", "{tag} BAD what", S.NOT_AUTHENTICATED),
    (S.NOT_AUTHENTICATED, "NOOP", "{tag} OK done", S.NOT_AUTHENTICATED),
    (S.NOT_AUTHENTICATED, "STARTTLS", "{tag} OK go", S.NOT_AUTHENTICATED),
    (S.NOT_AUTHENTICATED, "LOGOUT", "* BYE so long", S.NOT_AUTHENTICATED),
    (S.NOT_AUTHENTICATED, "LOGOUT", "{tag} OK gone", S.LOGOUT),
    (S.NOT_AUTHENTICATED, "", "* BYE idle", S.LOGOUT),
    (S.AUTHENTICATED, "SELECT INBOX", "{tag} OK open", S.SELECTED),
    (S.AUTHENTICATED, "SELECT INBOX", "{tag} NO none", S.AUTHENTICATED),
    (S.AUTHENTICATED, "EXAMINE INBOX", "{tag} OK [READ-ONLY] open", S.SELECTED),
    (S.AUTHENTICATED, "LIST x", "{tag} OK done", S.AUTHENTICATED),
    (S.AUTHENTICATED, "UNAUTHENTICATE", "{tag} OK nobody", S.NOT_AUTHENTICATED),
    (S.AUTHENTICATED, "COMPRESS DEFLATE", "{tag} OK go", S.AUTHENTICATED),
    (S.AUTHENTICATED, "", "* BYE idle", S.LOGOUT),
    (S.SELECTED, "SELECT other", "{tag} OK open", S.SELECTED),
    (S.SELECTED, "SELECT other", "{tag} NO none", S.AUTHENTICATED),
    (S.SELECTED, "SELECT other", "* OK [CLOSED] x", S.AUTHENTICATED),
    (S.SELECTED, "SELECT other", "{tag} BAD what", S.AUTHENTICATED),
    (S.SELECTED, "CLOSE", "{tag} OK closed", S.AUTHENTICATED),
    (S.SELECTED, "CLOSE", "{tag} NO not now", S.SELECTED),
    (S.SELECTED, "UNSELECT", "{tag} OK closed", S.AUTHENTICATED),
    (S.SELECTED, "UNAUTHENTICATE", "{tag} OK nobody", S.NOT_AUTHENTICATED),
    (S.SELECTED, "NOOP", "{tag} NO x", S.SELECTED),
    (S.SELECTED, "LOGOUT", "{tag} OK gone", S.LOGOUT),
    (S.SELECTED, "LOGOUT", "{tag} BAD what", S.SELECTED),
    (S.SELECTED, "", "* BYE idle", S.LOGOUT),
    (S.LOGOUT, "", "* BYE once more", S.LOGOUT),
    (S.LOGOUT, "", "* 3 EXISTS", S.LOGOUT),
]


def in_state(state: State) -> IMAPProtocol:
    protocol = IMAPProtocol()
    match state:
        case S.NOT_AUTHENTICATED:
            protocol = greeted(known=False)
        case S.AUTHENTICATED:
            protocol = greeted()
        case S.SELECTED:
            protocol = opened()
        case S.LOGOUT:
            protocol = greeted()
            feed(protocol, "* BYE gone")
        case S.CLOSED:
            protocol.receive_eof()
    events(protocol)
    assert protocol.state is state
    return protocol


@pytest.mark.parametrize(("state", "sent", "line", "after"), TABLE)
@pytest.mark.parametrize("size", [1, 1000])
def test_transitions(state: State, sent: str, line: str, after: State, size: int) -> None:
    protocol = in_state(state)
    if sent:
        verb, _, name = sent.partition(" ")
        made = plain(sent)
        _, sent_tags = send(protocol, replace(made, mailbox=name) if verb in ("SELECT", "EXAMINE") else made)
        line = line.format(tag=sent_tags[0])
    data = line.encode() + b"\r\n"
    for at in range(0, len(data), size):
        protocol.receive_data(memoryview(data[at : at + size]))
    assert protocol.state is after
    assert (protocol.selected is not None) == (after is S.SELECTED) or after is S.LOGOUT
    assert protocol.ended == (after in (S.LOGOUT, S.CLOSED))


@pytest.mark.parametrize("state", State)
def test_the_end_comes_in_any_state(state: State) -> None:
    protocol = in_state(state)
    protocol.receive_eof()
    assert protocol.state is S.CLOSED
    assert events(protocol) == []
    assert not protocol.idle
    protocol.submit(command("NOOP"))
    assert protocol.data_to_send() == b""


def test_the_table_is_complete() -> None:
    """Each state can be reached and left; each signal moves some; the end moves all."""
    table = protocol_module._TRANSITIONS
    assert {state for state, _ in table} | set(table.values()) == set(State)
    assert {signal for _, signal in table} == set(Signal)
    assert {state for state, signal in table if signal is Signal.EOF} >= set(State) - {S.CLOSED}
    assert {state for state, signal in table if signal is Signal.GOODBYE} >= set(State) - {S.LOGOUT, S.CLOSED}
    rows = {(before, after) for before, _, _, after in TABLE}
    kept = {(state, after) for (state, signal), after in table.items() if signal is not Signal.EOF}
    assert kept <= rows, f"not in the rows above: {kept - rows}"


@pytest.mark.parametrize("greeting", ["* NO go away", "* BAD what"])
def test_greetings_that_are_none(greeting: str) -> None:
    with pytest.raises(ProtocolError, match="greets"):
        feed(IMAPProtocol(), greeting)


@pytest.mark.parametrize("line", ["a1 OK ready", "+ go on", "220 ready", "+OK POP3 ready", ""])
def test_no_greeting_at_all(line: str) -> None:
    with pytest.raises(ProtocolError):
        feed(IMAPProtocol(), line)


def test_nothing_is_sent_before_the_greeting() -> None:
    protocol = IMAPProtocol()
    ticket = protocol.submit(command("NOOP"))
    assert protocol.data_to_send() == b""
    feed(protocol, "* OK [CAPABILITY IMAP4rev1 idle] here")
    assert protocol.capabilities == {"IMAP4REV1", "IDLE"}
    assert protocol.data_to_send().endswith(b" NOOP\r\n")
    assert [type(event) for event in events(protocol)] == [Completed, Sent]
    assert ticket.sent


# Tags


def test_tags_are_unique_and_not_to_be_guessed() -> None:
    protocol = greeted()
    _, first = send(protocol, *["NOOP"] * 100)
    assert len(set(first)) == 100
    prefixes = {send(greeted(), "NOOP")[1][0][:6] for _ in range(20)}
    assert len(prefixes) > 1


def test_replies_end_their_commands_in_any_order() -> None:
    protocol = greeted()
    tickets, sent = send(protocol, "NOOP", "ID NIL", "LIST x")
    feed(protocol, f"{sent[1]} OK two", f"{sent[2]} NO three", f"{sent[0]} BAD one")
    assert [ticket.reply.text for ticket in tickets] == ["one", "two", "three"]
    assert protocol.idle


@pytest.mark.parametrize("tag", ["a1", "x", "OK", "NOOP", "{tag}x", "{TAG}"])
def test_a_tag_that_is_no_commands(tag: str) -> None:
    protocol = greeted()
    [ticket], [own] = send(protocol, "NOOP")
    with pytest.raises(ProtocolError, match=r"does not exist|was due"):
        feed(protocol, f"{tag.format(tag=own, TAG=own.upper())} OK done")
    assert ticket.reply is None


def test_a_command_ends_once() -> None:
    protocol = greeted()
    _, [tag] = send(protocol, "NOOP")
    feed(protocol, f"{tag} OK done")
    with pytest.raises(ProtocolError):
        feed(protocol, f"{tag} OK done")


@pytest.mark.parametrize("line", ["{tag} PREAUTH x", "{tag} BYE x"])
def test_conditions_that_end_no_command(line: str) -> None:
    """They are no agreement, at least."""
    protocol = greeted(known=False)
    [ticket], [tag] = send(protocol, "LOGIN a b")
    try:
        feed(protocol, line.format(tag=tag))
    except ProtocolError:
        return
    assert not ticket.command.accepts(ticket.reply)
    assert protocol.state is not S.AUTHENTICATED


# Literals


def literal(size: int = 5, *, binary: bool = False) -> Literal:
    return Literal(b"x" * size, binary)


@pytest.mark.parametrize(
    ("capabilities", "size", "binary", "asks"),
    [
        ((), 1, False, True),
        (("LITERAL+",), 1, False, False),
        (("LITERAL+",), 100_000, False, False),
        (("LITERAL+",), 5, True, False),
        (("LITERAL-",), 4096, False, False),
        (("LITERAL-",), 4097, False, True),
        (("LITERAL-",), 5, True, True),
        (("LITERAL-", "LITERAL+"), 5000, False, False),
        (("BINARY",), 5, True, True),
    ],
)
def test_who_waits_for_leave(capabilities: Sequence[str], size: int, binary: bool, asks: bool) -> None:
    protocol = greeted(*capabilities)
    ticket = protocol.submit(command("CREATE", literal(size, binary=binary)))
    sent = protocol.data_to_send()
    mark = b"%b{%d%b}\r\n" % (b"~" if binary else b"", size, b"" if asks else b"+")
    assert ticket.open == asks
    if asks:
        assert sent.endswith(b"CREATE " + mark)
        assert protocol.data_to_send() == b""
        feed(protocol, "+ go on")
        sent += protocol.data_to_send()
    assert sent.endswith(mark + b"x" * size + b"\r\n")
    assert not ticket.open
    assert ticket.ends_at == len(sent)


def test_rev2_enabled_is_literal_minus() -> None:
    protocol = greeted("ENABLE", "IMAP4rev2")
    _, [tag] = send(protocol, "ENABLE IMAP4rev2")
    feed(protocol, "* ENABLED IMAP4rev2", f"{tag} OK done")
    protocol.submit(command("CREATE", literal(4096)))
    assert b"{4096+}\r\n" in protocol.data_to_send()
    protocol.submit(command("CREATE", literal(4097)))
    assert protocol.data_to_send().endswith(b"{4097}\r\n")


def test_each_command_knows_where_it_ends() -> None:
    """What has not left entirely can't have been executed; what has, may have been."""
    protocol = greeted("LITERAL+")
    tickets = [
        protocol.submit(one) for one in (command("COPY", b"1", b"x"), command("CREATE", literal()), plain("ID NIL"))
    ]
    protocol.respond(b"DONE")
    data = protocol.data_to_send()
    assert [data[: ticket.ends_at].rpartition(b" ")[2] for ticket in tickets] == [
        b"x\r\n",
        b"{5+}\r\nxxxxx\r\n",
        b"NIL\r\n",
    ]
    more = protocol.submit(command("NOOP"))
    assert more.ends_at == 0
    assert more.ends_at < len(data + protocol.data_to_send()) == more.ends_at


def test_two_literals_wait_twice() -> None:
    protocol = greeted(known=False)
    [ticket], [tag] = send(protocol, command("LOGIN", literal(2), literal(3)))
    feed(protocol, "+ go on")
    assert protocol.data_to_send() == b"xx {3}\r\n"
    feed(protocol, "+ go on")
    assert protocol.data_to_send() == b"xxx\r\n"
    feed(protocol, f"{tag} OK in")
    assert ticket.reply.ok


def test_nothing_goes_behind_a_literal_that_waits() -> None:
    protocol = greeted()
    (first, second), [tag] = send(protocol, command("CREATE", literal()), "NOOP")
    assert not second.sent
    feed(protocol, "+ go on")
    assert re.fullmatch(rb"xxxxx\r\n[a-z]+[0-9]+ NOOP\r\n", protocol.data_to_send())
    assert first.ends_at < second.ends_at
    feed(protocol, f"{tag} OK made")


@pytest.mark.parametrize("reply", ["NO [OVERQUOTA] full", "BAD too long"])
def test_a_refusal_instead_of_leave(reply: str) -> None:
    """What is left of the command is not sent, and the next one is."""
    protocol = greeted()
    (first, _), [tag] = send(protocol, command("CREATE", literal(), literal()), "NOOP")
    feed(protocol, f"{tag} {reply}")
    assert not first.reply.ok
    assert not first.open
    assert re.fullmatch(rb"[a-z]+[0-9]+ NOOP\r\n", protocol.data_to_send())
    with pytest.raises(ProtocolError, match="nothing waits for"):
        feed(protocol, "+ go on")


def test_an_early_ok() -> None:
    protocol = greeted()
    [ticket], [tag] = send(protocol, command("CREATE", literal()))
    with pytest.raises(ProtocolError, match="before it had it"):
        feed(protocol, f"{tag} OK made")
    assert ticket.reply is None


def test_an_early_ok_amid_an_upload() -> None:
    protocol = greeted("LITERAL+")
    [ticket], [tag] = send(protocol, command("APPEND", b"INBOX", Upload(10)))
    with pytest.raises(ProtocolError, match="before it had it"):
        feed(protocol, f"{tag} OK appended")
    assert ticket.open


def test_a_refusal_amid_an_upload_ends_the_session() -> None:
    """The server goes on to take bytes for the message: no command can be told from them."""
    protocol = greeted("LITERAL+")
    [ticket], [tag] = send(protocol, command("APPEND", b"INBOX", Upload(10)))
    assert protocol.upload_due == Upload(10)
    feed(protocol, f"{tag} NO [OVERQUOTA] full")
    assert not ticket.reply.ok
    assert protocol.ended
    protocol.submit(command("NOOP"))
    assert protocol.data_to_send() == b""


def test_uploads() -> None:
    protocol = greeted()
    [ticket], [tag] = send(protocol, command("APPEND", b"INBOX", Upload(10), [b"UTF8 (", Upload(3, binary=True), b")"]))
    assert protocol.upload_due is None
    feed(protocol, "+ go on")
    assert protocol.upload_due == Upload(10)
    assert protocol.data_to_send() == b""  # the caller's turn
    protocol.released_behind(ticket, 10)
    protocol.uploaded()
    assert protocol.data_to_send() == b" UTF8 (~{3}\r\n"
    feed(protocol, "+ go on")
    protocol.released_behind(ticket, 3)
    assert ticket.open
    protocol.uploaded()
    assert protocol.data_to_send() == b")\r\n"
    assert not ticket.open
    feed(protocol, f"{tag} OK done")
    assert ticket.reply.ok


@pytest.mark.parametrize("sent", ["", "NOOP", "SELECT INBOX", "LOGIN a b", "UID FETCH 1 FLAGS"])
def test_leave_that_nobody_waits_for(sent: str) -> None:
    protocol = greeted()
    if sent:
        send(protocol, sent)
    with pytest.raises(ProtocolError, match="nothing waits for"):
        feed(protocol, "+ go on")


def test_leave_twice() -> None:
    protocol = greeted()
    send(protocol, command("CREATE", literal()))
    with pytest.raises(ProtocolError, match="nothing waits for"):
        feed(protocol, "+ go on", "+ go on")


def test_challenges() -> None:
    protocol = greeted(known=False)
    [ticket], [tag] = send(protocol, "AUTHENTICATE LOGIN")
    for challenge in (b"VXNlcg==", b""):
        feed(protocol, b"+ " + challenge)
        assert protocol.take_continuation() == challenge
        assert protocol.take_continuation() is None
        protocol.respond(b"abc")
        assert protocol.data_to_send() == b"abc\r\n"
    feed(protocol, f"{tag} OK in")
    assert ticket.preliminaries == 2
    with pytest.raises(ProtocolError):
        feed(protocol, "+ more")


def test_challenges_do_not_pile_up() -> None:
    protocol = greeted(known=False)
    send(protocol, "AUTHENTICATE LOGIN")
    with pytest.raises(ProtocolError, match="nothing waits for"):
        feed(protocol, "+ a", "+ b")


# Which commands share the wire


def flights(protocol: IMAPProtocol, *sent: str | Command) -> list[list[str]]:
    """What goes out together, each flight answered before the next."""
    tickets = [protocol.submit(one if isinstance(one, Command) else plain(one)) for one in sent]
    found: list[list[str]] = []
    while data := protocol.data_to_send():
        found.append([line.split(b" ", 1)[1].decode() for line in data.split(b"\r\n") if line])
        for tag in tags(data):
            feed(protocol, f"{tag} OK done")
    assert all(ticket.reply for ticket in tickets)
    return found


def together(*sent: str | Command) -> bool:
    return len(flights(opened(), *sent)) == 1


NUMBERED = ["FETCH 1 FLAGS", "STORE 1 FLAGS", "SEARCH ALL", "SORT x", "THREAD x", "COPY 1 x"]
MAY_EXPUNGE = [
    *("NOOP", "CHECK", "EXPUNGE", "UID EXPUNGE 1", "UID FETCH 1 FLAGS", "UID STORE 1 FLAGS", "UID SEARCH ALL"),
    *("UID SORT x", "UID THREAD x", "UID COPY 1 x", "COPY 1 x", "UID MOVE 1 x", "APPEND x", "STATUS x", "LIST x"),
    *("CREATE x", "SUBSCRIBE x", "ID NIL", "CAPABILITY", "NAMESPACE", "GETQUOTAROOT x"),
]


@pytest.mark.parametrize("numbered", NUMBERED)
@pytest.mark.parametrize("before", MAY_EXPUNGE)
def test_sequence_numbers_wait_for_what_may_expunge(numbered: str, before: str) -> None:
    """RFC 9051 sections 5.5 and 7.5.1: the numbers would be of messages that may have moved."""
    assert not together(before, numbered)
    assert not together(before, *(["LIST x"] if before != "LIST x" else []), numbered)


@pytest.mark.parametrize("numbered", NUMBERED)
@pytest.mark.parametrize("before", ["FETCH 1 FLAGS", "STORE 1 FLAGS", "SEARCH ALL", "SORT x", "THREAD x"])
def test_sequence_numbers_behind_what_may_not(numbered: str, before: str) -> None:
    kinds = {before.split()[0], numbered.split()[0]}
    assert together(before, numbered) == (len(kinds) == 2 and kinds != {"FETCH", "STORE"})


@pytest.mark.parametrize(
    "alone",
    [
        *("SELECT x", "EXAMINE x", "CLOSE", "UNSELECT", "MOVE 1 x", "ENABLE x", "COMPRESS DEFLATE", "STARTTLS"),
        *("AUTHENTICATE x", "LOGIN a b", "UNAUTHENTICATE", "IDLE", "NOTIFY NONE", "XUNKNOWN x"),
    ],
)
def test_what_stands_alone(alone: str) -> None:
    protocol = opened()
    tickets, sent = send(protocol, "NOOP", alone, "CHECK")
    assert [ticket.sent for ticket in tickets] == [True, False, False]
    feed(protocol, f"{sent[0]} OK done")
    assert tags(protocol.data_to_send())
    assert [ticket.sent for ticket in tickets] == [True, True, False]


def test_nothing_behind_logout() -> None:
    assert flights(opened(), "NOOP", "LOGOUT")[0] == ["NOOP", "LOGOUT"]
    tickets, _ = send(opened(), "LOGOUT", "NOOP")
    assert not tickets[1].sent


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("1", "2", True),
        ("1:5", "6:9", True),
        ("1:5", "5:9", False),
        ("1", "1", False),
        ("1,3,5", "2,4,6", True),
        ("1,3,5", "2:4", False),
        ("10:1", "5", False),
        ("1:*", "7", False),
        ("7", "*", False),
        ("$", "7", False),
        ("2:3,9,11:12", "4:8,10,13:99", True),
        ("1:100", "200,50", False),
    ],
)
@pytest.mark.parametrize("verb", ["UID FETCH", "UID STORE", "FETCH", "STORE"])
def test_answers_about_the_same_message(first: str, second: str, expected: bool, verb: str) -> None:
    """Dovecot answers both commands, and only then ends the first: nothing tells which answer is whose."""
    one, other = fetch(first, verb=verb)[0], fetch(second, verb=verb)[0]
    assert together(one, other) == expected
    assert together(other, one) == expected


def test_uids_and_sequence_numbers_may_name_the_same_message() -> None:
    assert not together(fetch("1", verb="FETCH")[0], fetch("2", verb="UID FETCH")[0])


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (("7", "BODY[]<0>"), ("7", "BODY[]<100>"), True),
        (("7", "BODY[]<0>"), ("7", "BODY[]<0>"), False),
        (("7", "BODY[]<0>"), ("8", "BODY[]<0>"), True),
        (("7", "BODY[]<0>"), ("7", ""), False),
    ],
)
def test_pieces_are_told_apart(first: tuple[str, str], second: tuple[str, str], expected: bool) -> None:
    def piece(uid: str, detail: str) -> Command:
        return replace(plain(f"UID FETCH {uid} x"), about=Subject("UID", NumberRanges(uid.encode()), detail))

    assert together(piece(*first), piece(*second)) == expected


def test_status_is_told_apart_by_the_mailbox() -> None:
    def status(name: str) -> Command:
        return replace(plain(f"STATUS {name} x"), about=Subject("mailbox", detail=name))

    assert together(status("a"), status("b"))
    assert not together(status("a"), status("a"))
    assert not together(plain("LIST x"), status("a"))  # LIST-STATUS


@pytest.mark.parametrize(
    "kind", ["LIST x", "NAMESPACE", "GETQUOTA x", "GETMETADATA x", "CAPABILITY", "ID NIL", "EXPUNGE"]
)
def test_answers_that_nothing_tells_apart(kind: str) -> None:
    assert not together(kind, kind)


def test_searches_share_the_wire_if_answers_name_them() -> None:
    search = plain("UID SEARCH ALL")
    assert not together(search, search)
    assert not together(replace(search, tagged=True), search)
    assert together(replace(search, tagged=True), replace(search, tagged=True))


def test_a_body_that_is_streamed_shares_the_wire_with_no_other_fetch() -> None:
    streamed = replace(fetch("1")[0], literal=_for_bodies(lambda _: None))
    assert not together(streamed, fetch("2")[0])
    assert not together(fetch("2")[0], streamed)
    assert together(streamed, "LIST x")


# Whose answer is whose


def test_interleaved_answers_of_pipelined_fetches() -> None:
    protocol = opened()
    (one, first), (two, second) = fetch("1,3"), fetch("2")
    tickets, sent = send(protocol, one, two)
    feed(
        protocol,
        "* 2 FETCH (UID 2 FLAGS (\\Seen))",
        "* 1 FETCH (UID 1 FLAGS ())",
        "* 9 FETCH (UID 99 FLAGS ())",
        f"{sent[1]} OK done",
        "* 3 FETCH (UID 3 FLAGS ())",
        f"{sent[0]} OK done",
    )
    assert [str(message.uid) for message in first] == ["1", "3"]
    assert [str(message.uid) for message in second] == ["2"]
    assert [str(message.uid) for message in untagged(protocol) if isinstance(message, Fetched)] == ["99"]
    assert all(ticket.reply.ok for ticket in tickets)


def test_news_amid_a_fetch_of_more_than_flags() -> None:
    protocol = opened()
    sent, found = fetch("1:9", "(UID ENVELOPE)")
    send(protocol, sent)
    untagged(protocol)
    feed(protocol, "* 1 FETCH (UID 1 FLAGS (\\Seen))", "* 12 EXISTS", "* 5 EXPUNGE")
    assert found == []
    assert [type(news) for news in untagged(protocol)] == [Fetched, Number, Expunge]
    assert protocol.selected is not None
    assert protocol.selected.exists == 11


def test_esearch_goes_to_the_search_that_it_names() -> None:
    protocol = opened("ESEARCH")
    answers: list[list[Response]] = [[], []]
    (_, _), sent = send(
        protocol,
        *(replace(plain("UID SEARCH ALL"), tagged=True, collect=taker(ESearch, found)) for found in answers),
    )
    untagged(protocol)
    feed(
        protocol,
        f'* ESEARCH (TAG "{sent[1]}") UID ALL 2',
        f'* ESEARCH (TAG "{sent[0]}") UID ALL 1',
        '* ESEARCH (TAG "other") UID ALL 3',
        f"{sent[0]} OK done",
        f'* ESEARCH (TAG "{sent[0]}") UID ALL 4',  # an update of a search that is over
        f"{sent[1]} OK done",
    )
    assert [[one.ranges for one in found] for found in answers] == [[((1, 1),)], [((2, 2),)]]  # type: ignore[union-attr]
    assert [one.ranges for one in untagged(protocol)] == [((3, 3),), ((4, 4),)]  # type: ignore[union-attr]


def test_esearch_without_a_tag() -> None:
    protocol = opened("ESEARCH")
    found: list[Response] = []
    send(protocol, replace(plain("UID SEARCH ALL"), collect=taker(ESearch, found)))
    feed(protocol, "* ESEARCH UID COUNT 5")
    assert len(found) == 1


def test_data_goes_to_the_oldest_command_that_takes_it() -> None:
    protocol = opened()
    lists: list[Response] = []
    searches: list[Response] = []
    send(
        protocol,
        replace(plain("LIST x"), collect=taker(ListedMailbox, lists)),
        replace(plain("UID SEARCH ALL"), collect=taker(Search, searches)),
    )
    feed(protocol, "* SEARCH 1 2", '* LIST () "/" a', "* SEARCH 3")
    assert (len(lists), len(searches)) == (1, 2)


def test_bodies_go_to_the_sink_and_nothing_else_does() -> None:
    protocol = opened()
    taken = bytearray()
    sent, found = fetch("1", "(UID ENVELOPE BODY.PEEK[])")
    send(protocol, replace(sent, literal=_for_bodies(taken.extend)))
    untagged(protocol)
    envelope = b"(NIL {7}\r\nsubject NIL NIL NIL NIL NIL NIL NIL NIL)"
    feed(
        protocol,
        b'* LIST () "/" {3}\r\nabc',
        b"* 1 FETCH (UID 1 ENVELOPE " + envelope + b" BODY[] {5}\r\nhello)",
    )
    assert taken == b"hello"
    assert found[0].envelope.subject == "subject"
    assert [type(one) for one in untagged(protocol)] == [ListedMailbox]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"* 1 FETCH (BODY[] {5}", True),
        (b"* 1 fetch (UID 5 BODY[1.2]<0> {5}", True),
        (b"* 1 FETCH (BODY[HEADER.FIELDS (SUBJECT)] {5}", True),
        (b"* 1 FETCH (BINARY[1] ~{5}", True),
        (b"* 1 FETCH (RFC822 {5}", True),
        (b"* 1 FETCH (RFC822.HEADER {5}", True),
        (b"* 1 FETCH (ENVELOPE (NIL {5}", False),
        (b"* 1 FETCH (PREVIEW {5}", False),
        (b"* LIST () NIL {5}", False),
        (b"* METADATA (BODY[] {5}", False),
    ],
)
def test_what_is_a_body(text: bytes, expected: bool) -> None:
    assert (_for_bodies(lambda _: None)([text], 5) is not None) == expected


def test_a_string_larger_than_what_was_asked_for() -> None:
    protocol = opened()
    send(protocol, replace(fetch("1", "(UID BODY.PEEK[]<0.10>)")[0], largest=10))
    feed(protocol, "* 1 FETCH (UID 1 BODY[]<0> {10}", "0123456789)")
    with pytest.raises(ProtocolError, match="at most 10 were asked for"):
        feed(protocol, "* 1 FETCH (UID 1 BODY[]<0> {11}")


# Mailboxes


def test_what_select_tells() -> None:
    protocol = greeted()
    select(
        protocol,
        "INBOX",
        "* 172 EXISTS",
        "* 1 RECENT",
        "* OK [UNSEEN 12] first",
        "* OK [UIDVALIDITY 3857529045] valid",
        "* OK [UIDNEXT 4392] next",
        "* FLAGS (\\Answered \\Seen)",
        "* OK [PERMANENTFLAGS (\\Seen \\*)] limited",
        "* OK [HIGHESTMODSEQ 715194045007] x",
        "* OK [MAILBOXID (F2212ea87)] x",
        "* NO [UIDNOTSTICKY] x",
        reply="OK [READ-ONLY] done",
    )
    box = protocol.selected
    assert box is not None
    assert (box.name, box.exists, box.recent, box.unseen) == ("INBOX", 172, 1, 12)
    assert (box.uid_validity, box.uid_next, box.highest_modseq) == (3857529045, 4392, 715194045007)
    assert box.flags == ("\\Answered", "\\Seen")
    assert box.permanent_flags == ("\\Seen", "\\*")
    assert (box.mailbox_id, box.readonly, box.modseqs, box.uids_persist) == ("F2212ea87", True, True, False)


def test_what_changes_while_it_is_open() -> None:
    protocol = opened(exists=5)
    box = protocol.selected
    assert box is not None
    for line, exists in [
        ("* 8 EXISTS", 8),
        ("* 3 EXPUNGE", 7),
        ("* VANISHED 10:12,20", 3),
        ("* VANISHED (EARLIER) 1:3", 3),
        ("* VANISHED 1:1000", 0),
        ("* 1 EXPUNGE", 0),
    ]:
        feed(protocol, line)
        assert box.exists == exists, line
    feed(protocol, "* OK [UIDVALIDITY 99] changed", "* OK [READ-ONLY] x", "* OK [NOMODSEQ] x", "* FLAGS (a)")
    assert (box.uid_validity, box.readonly, box.modseqs, box.flags) == (99, True, False, ("a",))
    feed(protocol, "* OK [READ-WRITE] x")
    assert not box.readonly


def test_a_select_that_fails_leaves_no_mailbox_open() -> None:
    protocol = opened()
    select(protocol, "none", "* 99 EXISTS", reply="NO [NONEXISTENT] none")
    assert protocol.selected is None
    feed(protocol, "* 5 EXISTS")  # of nothing


def test_a_refused_select_says_nothing_of_the_next() -> None:
    protocol = opened()
    select(protocol, "none", "* OK [UIDNEXT 5] x", reply="NO none")
    select(protocol, "other", "* 1 EXISTS")
    assert protocol.selected is not None
    assert (protocol.selected.uid_next, protocol.selected.exists) == (None, 1)


def test_closed_parts_two_mailboxes() -> None:
    protocol = opened(exists=5)
    before = protocol.selected
    protocol.submit(replace(command("EXAMINE", b"other"), mailbox="other"))
    [tag] = tags(protocol.data_to_send())
    feed(protocol, "* 4 EXPUNGE", "* OK [HIGHESTMODSEQ 77] of the old one", "* OK [UIDNEXT 9] of the old one")
    assert protocol.selected is before
    feed(protocol, "* OK [CLOSED] gone")
    assert protocol.selected is None
    assert protocol.state is S.AUTHENTICATED
    feed(protocol, "* 2 EXISTS", f"{tag} OK [READ-ONLY] done")
    box = protocol.selected
    assert box is not None
    assert (box.name, box.exists, box.readonly) == ("other", 2, True)
    assert (box.highest_modseq, box.uid_next) == (None, None)


# Goodbyes


@pytest.mark.parametrize("sent", ["NOOP", "UID FETCH 1 FLAGS", "SELECT x", "LOGIN a b", "AUTHENTICATE x", "IDLE"])
def test_bye_amid_a_command(sent: str) -> None:
    protocol = opened()
    (first, second), [tag, *_] = send(protocol, sent, "CHECK")
    events(protocol)
    feed(protocol, "* 3 EXISTS", "* BYE [UNAVAILABLE] going down", f"{tag} OK all the same")
    assert protocol.ended
    assert protocol.goodbye is not None
    assert protocol.goodbye.text == "going down"
    assert first.reply.ok
    assert second.reply is None
    assert [event.reply.condition for event in events(protocol) if isinstance(event, Unsolicited)] == [Condition.BYE]
    assert protocol.data_to_send() == b""


def test_bye_amid_a_literal() -> None:
    protocol = greeted()
    [ticket], _ = send(protocol, command("CREATE", literal()))
    feed(protocol, "* BYE")
    assert protocol.data_to_send() == b""
    assert ticket.open


# Capabilities


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["{tag} OK in"], None),
        (["{tag} OK [CAPABILITY IMAP4rev1 X] in"], {"IMAP4REV1", "X"}),
        (["* CAPABILITY IMAP4rev1 Y", "{tag} OK in"], {"IMAP4REV1", "Y"}),
        (["* OK [CAPABILITY IMAP4rev1 Z] hi", "{tag} OK in"], {"IMAP4REV1", "Z"}),
        (["{tag} NO wrong"], {"IMAP4REV1", "BEFORE"}),
    ],
)
@pytest.mark.parametrize("sent", ["LOGIN a b", "AUTHENTICATE PLAIN"])
def test_a_login_makes_capabilities_others(sent: str, lines: list[str], expected: set[str] | None) -> None:
    protocol = greeted("BEFORE", known=False)
    _, [tag] = send(protocol, sent)
    feed(protocol, *(line.format(tag=tag) for line in lines))
    assert protocol.capabilities == expected
    assert protocol.has("BEFORE") == (expected is not None and "BEFORE" in expected)


def test_starttls_forgets_what_was_said_in_clear() -> None:
    protocol = greeted("STARTTLS", "AUTH=PLAIN", known=False)
    feed(protocol, "* ENABLED IMAP4rev2", "* 5 EXISTS", "* OK [ALERT] click here")
    assert not protocol.utf8, "nobody has asked for it"
    _, [tag] = send(protocol, "STARTTLS")
    feed(protocol, f"{tag} OK [CAPABILITY IMAP4rev1 AUTH=EVIL] go")
    protocol.forbid_leftovers()
    assert protocol.capabilities is None
    assert (protocol.enabled, protocol.utf8) == (frozenset(), False)
    assert untagged(protocol) == []


def test_a_refused_starttls_forgets_nothing() -> None:
    protocol = greeted("STARTTLS", known=False)
    _, [tag] = send(protocol, "STARTTLS")
    feed(protocol, f"{tag} NO not now", "* 3 EXISTS")
    assert protocol.has("STARTTLS")


def test_compress_forgets_nothing() -> None:
    protocol = greeted("COMPRESS=DEFLATE")
    _, [tag] = send(protocol, "COMPRESS DEFLATE")
    feed(protocol, f"{tag} OK go")
    protocol.forbid_leftovers()
    assert protocol.has("COMPRESS=DEFLATE")
    feed(protocol, "* 3 EXISTS")  # compressed from here on, and welcome


def test_unauthenticate_forgets_all() -> None:
    protocol = opened("UNAUTHENTICATE")
    _, [tag] = send(protocol, "ENABLE UTF8=ACCEPT")
    feed(protocol, "* ENABLED UTF8=ACCEPT", f"{tag} OK done")
    assert protocol.utf8
    _, [tag] = send(protocol, "UNAUTHENTICATE")
    feed(protocol, f"{tag} OK nobody")
    assert (protocol.capabilities, protocol.enabled, protocol.utf8) == (None, frozenset(), False)
    assert protocol.selected is None


@pytest.mark.parametrize("sent", ["STARTTLS", "COMPRESS DEFLATE"])
@pytest.mark.parametrize("behind", [b"* OK hi\r\n", b"*", b"{tag}", b"\r\n", b"x1 OK in\r\n", b"\x16\x03\x01", b"\x00"])
@pytest.mark.parametrize("together", [True, False])
def test_bytes_behind_an_agreement(sent: str, behind: bytes, together: bool) -> None:
    protocol = greeted(known=False)
    _, [tag] = send(protocol, sent)
    pieces = [f"{tag} OK go\r\n".encode(), behind]

    def go_on() -> None:
        for piece in [b"".join(pieces)] if together else pieces:
            protocol.receive_data(memoryview(piece))
        protocol.forbid_leftovers()

    with pytest.raises(ProtocolError):
        go_on()


# Bounds


def test_a_flood_that_nobody_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untagged_module, "_MOST_UNASKED", 100)
    protocol = greeted()
    with pytest.raises(ProtocolError, match="more than 100 responses that nobody asked for"):
        feed(protocol, *["* 1 EXISTS"] * 101)


def test_a_flood_is_counted_anew_behind_each_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untagged_module, "_MOST_UNASKED", 100)
    protocol = greeted()
    for _ in range(5):
        _, [tag] = send(protocol, "NOOP")
        feed(protocol, *["* 1 EXISTS"] * 99, f"{tag} OK done")


def test_what_is_kept_of_a_flood() -> None:
    protocol = greeted()
    feed(protocol, *[f"* {number} EXISTS" for number in range(12_000)])
    kept = untagged(protocol)
    assert len(kept) == 10_000
    assert kept[-1] == Number("EXISTS", 11_999)


def test_what_is_kept_of_long_lines() -> None:
    protocol = greeted()
    for _ in range(100):
        feed(protocol, b"* XLONG " + b"x" * 100_000)
    feed(protocol, "* 1 EXISTS")
    kept = untagged(protocol)
    assert 30 < len(kept) < 45
    assert kept[-1] == Number("EXISTS", 1)
    assert protocol._untagged._kept_bytes == 0
    feed(protocol, b"* XLONG " + b"x" * 5_000_000)  # longer than all that is kept
    assert untagged(protocol) == []


@pytest.mark.parametrize("by", ["count", "bytes"])
def test_an_answer_without_an_end(monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    if by == "count":
        monkeypatch.setattr(untagged_module, "_MOST_ANSWERS", 100)
    protocol = greeted(bounds=Bounds(response=1_000_000 if by == "count" else 2000))
    send(protocol, replace(plain("LIST x"), collect=taker(ListedMailbox, [])))
    feed(protocol, *['* LIST () "/" a'] * 100)
    with pytest.raises(ProtocolError, match="does not come to the end"):
        feed(protocol, *['* LIST () "/" a'] * 100)


def test_answers_are_counted_for_each_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(untagged_module, "_MOST_ANSWERS", 100)
    protocol = greeted()
    for _ in range(5):
        _, [tag] = send(protocol, replace(plain("LIST x"), collect=taker(ListedMailbox, [])))
        feed(protocol, *['* LIST () "/" a'] * 99, f"{tag} OK done")


def test_more_answers_than_messages_were_named() -> None:
    protocol = opened()
    send(protocol, fetch("5")[0])
    with pytest.raises(ProtocolError, match="answers about the messages"):
        feed(protocol, *["* 5 FETCH (UID 5 FLAGS ())"] * 2000)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"* " + b"x" * 2000, "line of more than 1000"),
        (b"* 1 FETCH (BODY[] {5000}\r\n", "literal of 5000"),
        (b"* 1 FETCH (BODY[] {4294967296}\r\n", "literal of 4294967296"),
        (
            b"* 1 FETCH (" + b"X {900}\r\n" + b"x" * 900 + b" X {900}\r\n" + b"x" * 900 + b" X {900}\r\n",
            "response of more",
        ),
    ],
)
def test_bounds(data: bytes, match: str) -> None:
    protocol = greeted(bounds=Bounds(data=1000, literal=1000, response=2500))
    with pytest.raises(ProtocolError, match=match):
        protocol.receive_data(memoryview(data))


# Rest


def test_idle() -> None:
    protocol = IMAPProtocol()
    assert not protocol.idle
    feed(protocol, "* OK here")
    assert protocol.idle
    protocol.submit(command("NOOP"))
    assert not protocol.idle  # submitted
    [tag] = tags(protocol.data_to_send())
    assert not protocol.idle  # sent
    feed(protocol, f"{tag} OK done")
    assert protocol.idle
    protocol.receive_data(memoryview(b"* 1 FE"))
    assert not protocol.idle  # half a line
    protocol.receive_data(memoryview(b"TCH (BODY[] {5}\r\nab"))
    assert not protocol.idle  # half a literal


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (command("NOOP"), "NOOP"),
        (command("SELECT", b"INBOX"), "SELECT INBOX"),
        (command("CREATE", Literal(b"\xffx", False)), "CREATE {2}"),
        (command("APPEND", b"INBOX", Upload(9)), "APPEND INBOX {9}"),
        (command("LOGIN", b"ada", b"secret", shown="LOGIN ***"), "LOGIN ***"),
        (command("LOGIN", b"ada", b"secret"), "LOGIN ***"),
        (command("AUTHENTICATE", b"PLAIN", b"AGFkYQ=="), "AUTHENTICATE ***"),
    ],
)
def test_what_people_see(sent: Command, expected: str) -> None:
    assert str(sent) == expected
    assert "secret" not in repr(protocol_module.Ticket) + str(sent)


@pytest.mark.parametrize(
    ("verb", "marks", "doubtful"),
    [
        ("APPEND", False, True),
        ("COPY", False, True),
        ("UID COPY", False, True),
        ("MOVE", False, True),
        ("UID MOVE", False, True),
        ("EXPUNGE", False, True),
        ("UID EXPUNGE", False, False),
        ("CREATE", False, True),
        ("DELETE", False, True),
        ("RENAME", False, True),
        ("CLOSE", False, True),
        ("UID STORE", False, False),
        ("SELECT", False, False),
        ("LOGIN", True, False),
        ("ENABLE", True, False),
        ("NOTIFY", True, False),
        ("XUNKNOWN", True, False),
    ],
)
def test_what_commands_declare(verb: str, marks: bool, doubtful: bool) -> None:
    sent = command(verb)
    assert (sent.marks, sent.doubtful) == (marks, doubtful)


@pytest.mark.parametrize(
    ("verb", "reply", "accepted"),
    [
        ("NOOP", "OK done", True),
        ("NOOP", "NO [MODIFIED 1] x", False),
        ("STORE", "NO [MODIFIED 1] some are gone", True),
        ("UID STORE", "NO [MODIFIED 1] some are gone", True),
        ("UID STORE", "NO gone", False),
    ],
)
def test_what_ends_well(verb: str, reply: str, accepted: bool) -> None:
    protocol = opened()
    [ticket], [tag] = send(protocol, f"{verb} 1 x")
    feed(protocol, f"{tag} {reply}")
    assert isinstance(ticket.reply, Status)
    assert ticket.command.accepts(ticket.reply) == accepted


LINES = st.sampled_from(
    [
        *("* OK x", "* BYE x", "* 1 EXISTS", "* 1 FETCH (UID 1 FLAGS ())", "* SEARCH 1", "* ESEARCH ALL 1", "+ x"),
        *(
            "{0} OK x",
            "{1} NO x",
            "{2} BAD x",
            "{3} OK [CLOSED] x",
            "* 1 FETCH (BODY[] {{3}}\r\nabc)",
            "* CAPABILITY X",
        ),
    ]
)


@given(st.lists(st.one_of(LINES, st.text(max_size=8)), max_size=12), st.lists(st.integers(0, 300), max_size=6))
def test_any_input_is_understood_or_a_protocol_error(lines: list[str], cuts: list[int]) -> None:
    def outcome(pieces: int) -> object:
        protocol = opened("LITERAL+")
        _, sent = send(protocol, fetch("1")[0], "UID SEARCH ALL", "LIST x", "APPEND x")
        data = "\r\n".join([*(_filled(line, sent) for line in lines), ""]).encode("utf-8", "replace")
        ends = [0, *sorted(min(cut, len(data)) for cut in cuts[:pieces]), len(data)]
        try:
            for begin, end in itertools.pairwise(ends):
                protocol.receive_data(memoryview(data[begin:end]))
        except ProtocolError:
            return "refused"
        return [type(event) for event in events(protocol)], protocol.state, protocol.idle, len(untagged(protocol))

    assert outcome(0) == outcome(len(cuts))


def _filled(line: str, sent: Sequence[str]) -> str:
    try:
        return line.format(*sent)
    except (IndexError, KeyError, ValueError, AttributeError):
        return line
