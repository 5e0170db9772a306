"""Fuzz the FTP state machine: any bytes in any pieces with any commands under way give events or ProtocolError."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parent)]

with atheris.instrument_imports(include=["netclients.wire", "netclients.ftp.protocol"]):
    from harness import in_linear_time, pieces, run

    from netclients.config import Bounds
    from netclients.errors import ProtocolError
    from netclients.ftp.commands import command
    from netclients.ftp.protocol import FTPProtocol, State
    from netclients.wire.dialogue import Completed

VERBS = ["USER", "PASS", "CWD", "TYPE", "EPSV", "REST", "RETR", "STOR", "LIST", "SIZE", "NOOP", "ABOR", "AUTH", "QUIT"]


def outcome(data: bytes, cuts: bytes, verbs: list[str], pipelining: int) -> tuple[object, ...]:
    protocol = FTPProtocol(Bounds(line=1000, reply=4000))
    protocol.pipelining = bool(pipelining & 1)
    protocol.pipelining_behind_transfers = bool(pipelining & 2)
    tickets = [protocol.greeting, *(protocol.submit(command(verb, b"x")) for verb in verbs)]
    completed = []
    failure = ""
    try:
        for piece in pieces(data, cuts):
            protocol.receive_data(piece)
    except ProtocolError as error:
        failure = str(error)
    protocol.data_to_send()
    while (event := protocol.next_event()) is not None:
        if isinstance(event, Completed):
            completed.append(event.ticket)
    # In order, each once, none before it was sent.
    assert completed == tickets[: len(completed)]
    assert all(ticket.sent or ticket is protocol.greeting for ticket in completed)
    assert protocol.state is not State.CLOSED
    return len(completed), failure, protocol.state, [ticket.reply for ticket in tickets]


def conversation(data: bytes, verbs: list[str]) -> None:
    """Answers as they come: each piece is followed by what may be sent then."""
    protocol = FTPProtocol(Bounds(line=1000, reply=4000))
    protocol.pipelining = protocol.pipelining_behind_transfers = True
    tickets = [protocol.submit(command(verb, b"x")) for verb in verbs]
    try:
        for line in data.splitlines(keepends=True):
            protocol.receive_data(memoryview(line))
            protocol.data_to_send()
            while protocol.next_event() is not None:
                pass
        if protocol.state is State.READY and protocol.greeting.reply is not None:
            protocol.forbid_leftovers()
            assert protocol.idle
            assert all(ticket.reply is not None for ticket in tickets)
    except ProtocolError:
        return


def target(raw: bytes) -> None:
    provider = atheris.FuzzedDataProvider(raw)
    cuts = provider.ConsumeBytes(provider.ConsumeIntInRange(0, 8))
    verbs = [VERBS[provider.ConsumeIntInRange(0, len(VERBS) - 1)] for _ in range(provider.ConsumeIntInRange(0, 6))]
    pipelining = provider.ConsumeIntInRange(0, 3)
    blow_up = provider.ConsumeIntInRange(0, 255) == 171
    data = provider.ConsumeBytes(provider.remaining_bytes())
    assert outcome(data, cuts, verbs, pipelining) == outcome(data, b"", verbs, pipelining)
    conversation(data, verbs)
    if blow_up:
        in_linear_time(lambda large: outcome(large, b"\0", verbs, pipelining), data)


if __name__ == "__main__":
    run(target)
