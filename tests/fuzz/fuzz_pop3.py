"""Fuzz the POP3 state machine: any bytes in any pieces with any commands under way give events or ProtocolError."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parent)]

with atheris.instrument_imports(include=["netclients.wire", "netclients.pop3"]):
    from harness import in_linear_time, pieces, run

    from netclients.config import Bounds
    from netclients.errors import ProtocolError
    from netclients.pop3 import commands, replies
    from netclients.pop3.commands import Command, command
    from netclients.pop3.protocol import POP3Protocol, State
    from netclients.wire.dialogue import Completed

BOUNDS = Bounds(line=1000, response=100_000)
COMMANDS: list[Command] = [
    command("STAT"),
    command("NOOP"),
    commands.retr(1, 50_000),
    commands.retr(2, 0, lambda view: None),
    commands.top(1, 1, 50_000),
    commands.listing("LIST", BOUNDS),
    commands.listing("UIDL", BOUNDS),
    commands.listing("CAPA", BOUNDS),
    commands.dele(1),
    commands.secret(b"AUTH PLAIN", "AUTH", auth=True),
    commands.quit_command(commits=True),
]


def outcome(data: bytes, cuts: bytes, sent: list[Command], pipelining: bool) -> tuple[object, ...]:
    protocol = POP3Protocol(BOUNDS)
    protocol.pipelining = pipelining
    tickets = [protocol.greeting, *map(protocol.submit, sent)]
    completed = []
    failure = ""
    try:
        protocol.receive_data(memoryview(b"+OK <1@x>\r\n"))
        protocol.data_to_send()
        for piece in pieces(data, cuts):
            protocol.receive_data(piece)
    except ProtocolError as error:
        failure = str(error)
        assert protocol.state is State.CLOSED
    while (event := protocol.next_event()) is not None:
        if isinstance(event, Completed):
            completed.append(event.ticket)
    # In order, each once, none before it was sent.
    assert completed == tickets[: len(completed)]
    assert all(ticket.sent for ticket in completed)
    assert not (protocol.idle and protocol.partial)
    return failure, protocol.state, [ticket.reply for ticket in tickets]


def values(data: bytes) -> None:
    """What the lines of lists mean, or ProtocolError."""
    for line in data.split(b"\r\n"):
        for parse in (replies.parse_listing, replies.parse_unique_id, replies.parse_status):
            try:
                parse(line)
            except ProtocolError:
                continue
    replies.parse_capabilities(data.split(b"\r\n"))
    replies.parse_languages(data.split(b"\r\n"))


def target(raw: bytes) -> None:
    provider = atheris.FuzzedDataProvider(raw)
    cuts = provider.ConsumeBytes(provider.ConsumeIntInRange(0, 8))
    count = provider.ConsumeIntInRange(0, 6)
    sent = [COMMANDS[provider.ConsumeIntInRange(0, len(COMMANDS) - 1)] for _ in range(count)]
    pipelining = provider.ConsumeBool()
    blow_up = provider.ConsumeIntInRange(0, 255) == 171
    data = provider.ConsumeBytes(provider.remaining_bytes())
    assert outcome(data, cuts, sent, pipelining) == outcome(data, b"", sent, pipelining)
    values(data)
    if blow_up:
        in_linear_time(lambda large: outcome(large, b"\0", sent, pipelining), data)


if __name__ == "__main__":
    run(target, "pop3.dict")
