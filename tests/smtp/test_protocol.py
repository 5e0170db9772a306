"""SMTP's states: what each reply makes of them, whole and byte by byte, without I/O."""

from __future__ import annotations

import pytest

from netclients.errors import ProtocolError
from netclients.smtp import commands
from netclients.smtp import protocol as protocol_module
from netclients.smtp.commands import Command, command
from netclients.smtp.protocol import SMTPProtocol, State

MAIL = commands.mail(b"a@x", ())
RCPT = commands.rcpt(b"b@x", ())
DATA = command("DATA")
RSET = command("RSET")
NOOP = command("NOOP")
CONTENT = commands.content(b"hi\r\n.\r\n", 4)
LAST = commands.bdat(2, b"hi")
CHUNK = commands.bdat(2, b"hi", last=False)


def feed(protocol: SMTPProtocol, *lines: str) -> None:
    protocol.receive_data(memoryview("".join(f"{line}\r\n" for line in lines).encode()))


def send(protocol: SMTPProtocol, *sent: Command) -> None:
    for each in sent:
        protocol.submit(each)
    protocol.data_to_send()


def in_state(state: State) -> SMTPProtocol:
    protocol = SMTPProtocol()
    protocol.pipelining = True
    if state is not State.GREETING:
        feed(protocol, "220 hello")
    match state:
        case State.TRANSACTION:
            send(protocol, MAIL)
            feed(protocol, "250 ok")
        case State.CONTENT:
            send(protocol, MAIL, DATA)
            feed(protocol, "250 ok", "354 go")
        case State.CLOSING:
            feed(protocol, "421 bye")
        case State.CLOSED:
            protocol.receive_eof()
    assert protocol.state is state
    return protocol


S = State


@pytest.mark.parametrize(
    ("state", "sent", "line", "after"),
    [
        (S.GREETING, None, "220 hello", S.READY),
        (S.GREETING, None, "554 no", S.READY),
        (S.GREETING, None, "421 full", S.CLOSING),
        (S.READY, None, "421 idle for too long", S.CLOSING),
        (S.READY, NOOP, "250 ok", S.READY),
        (S.READY, NOOP, "421 bye", S.CLOSING),
        (S.READY, RSET, "250 ok", S.READY),
        (S.READY, MAIL, "250 ok", S.TRANSACTION),
        (S.READY, MAIL, "550 no", S.READY),
        (S.READY, DATA, "354 go", S.CONTENT),
        (S.READY, LAST, "503 no recipients", S.READY),
        (S.TRANSACTION, MAIL, "250 ok", S.TRANSACTION),
        (S.TRANSACTION, MAIL, "503 nested", S.TRANSACTION),
        (S.TRANSACTION, RCPT, "250 ok", S.TRANSACTION),
        (S.TRANSACTION, CHUNK, "250 ok", S.TRANSACTION),
        (S.TRANSACTION, RSET, "250 ok", S.READY),
        (S.TRANSACTION, RSET, "500 what", S.TRANSACTION),
        (S.TRANSACTION, command("EHLO", b"x"), "250 ok", S.READY),
        (S.TRANSACTION, DATA, "554 nobody", S.TRANSACTION),
        (S.TRANSACTION, DATA, "354 go", S.CONTENT),
        (S.TRANSACTION, LAST, "250 queued", S.READY),
        (S.TRANSACTION, LAST, "421 bye", S.CLOSING),
        (S.CONTENT, CONTENT, "250 queued", S.READY),
        (S.CONTENT, CONTENT, "554 no", S.READY),
        (S.CONTENT, CONTENT, "421 bye", S.CLOSING),
        (S.CLOSING, None, "421 bye again", S.CLOSING),
    ],
)
def test_transitions(state: State, sent: Command | None, line: str, after: State) -> None:
    for chunks in ([f"{line}\r\n"], [*line, "\r", "\n"]):
        protocol = in_state(state)
        send(protocol, *filter(None, [sent]))
        for chunk in chunks:
            protocol.receive_data(memoryview(chunk.encode()))
        assert protocol.state is after


def test_lmtp_answers_for_each_recipient() -> None:
    protocol = in_state(State.CONTENT)
    send(protocol, CONTENT, commands.further_reply(b"c@x"))
    feed(protocol, "250 queued", "250 queued")
    assert protocol.state is State.READY


@pytest.mark.parametrize(("sent", "line"), [(DATA, "354 go"), (MAIL, "250 ok")])
def test_what_the_table_does_not_know_is_an_error(sent: Command, line: str) -> None:
    protocol = in_state(State.CONTENT)
    send(protocol, sent)
    with pytest.raises(ProtocolError, match="makes no sense now: the server waits for the message"):
        feed(protocol, line)


@pytest.mark.parametrize("state", State)
def test_the_end_comes_in_any_state(state: State) -> None:
    protocol = in_state(state)
    protocol.receive_eof()
    assert protocol.state is State.CLOSED
    assert protocol.ended


def test_the_table_names_every_state() -> None:
    table = protocol_module._TRANSITIONS
    assert {state for state, _ in table} | set(table.values()) == set(State)
    assert {after for (state, _), after in table.items() if state is State.CLOSED} == {State.CLOSED}
