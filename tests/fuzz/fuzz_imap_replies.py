"""Fuzz what an IMAP server may send: splits agree, both ways of reading too; documented errors; linear time."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parent)]

with atheris.instrument_imports(include=["netclients.imap", "netclients.mail.reading", "netclients.mail.decoding"]):
    from harness import in_linear_time, pieces, run
    from imap_values import told

    from netclients.errors import ProtocolError
    from netclients.imap.names import decode_mailbox, encode_mailbox
    from netclients.imap.replies import Frame, Framer, Limits, parse, parse_by_grammar
    from netclients.mail import decoding

HEADS = [
    b"",
    b"* ",
    b"* 7 FETCH (",
    b"* 7 FETCH (UID 5 ENVELOPE (",
    b"* 7 FETCH (BODYSTRUCTURE (",
    b"* OK [",
    b"* THREAD ",
]


def frames(data: bytes, cuts: bytes, limits: Limits) -> tuple[list[Frame], str]:
    framer = Framer(limits)
    found: list[Frame] = []
    try:
        for piece in pieces(data, cuts):
            found.extend(framer.feed(piece))
    except ProtocolError as error:
        return found, str(error)
    return found, "partial" if framer.partial else ""


def read(frame: Frame) -> None:
    outcomes = []
    for reader in (parse, parse_by_grammar):
        try:
            outcomes.append(told(reader(frame)))
        except ProtocolError as error:
            outcomes.append(str(error))
            if not str(error).isprintable():
                raise AssertionError("an error that is not fit to be printed") from error
    assert outcomes[0] == outcomes[1], f"the fast way: {outcomes[0]!r}; the grammar: {outcomes[1]!r}"


def everything(data: bytes) -> None:
    for frame in frames(data, b"", Limits())[0]:
        read(frame)


def target(raw: bytes) -> None:
    provider = atheris.FuzzedDataProvider(raw)
    cuts = provider.ConsumeBytes(provider.ConsumeIntInRange(0, 8))
    limits = Limits(provider.ConsumeIntInRange(1, 300), provider.ConsumeIntInRange(0, 100), 400, 5)
    head = HEADS[provider.ConsumeIntInRange(0, len(HEADS) - 1)]
    blow_up = provider.ConsumeIntInRange(0, 255) == 171
    data = provider.ConsumeBytes(provider.remaining_bytes())
    assert frames(data, cuts, limits) == frames(data, b"", limits)
    everything(head + data + b"\r\n")
    assert encode_mailbox(decode_mailbox(data)) == data
    decoding.text(data)
    decoding.date(data)
    if blow_up:
        in_linear_time(lambda large: everything(head + large + b"\r\n"), data)
        in_linear_time(decoding.text, data)
        in_linear_time(decode_mailbox, data)


if __name__ == "__main__":
    run(target, "imap.dict")
