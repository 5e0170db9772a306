"""Fuzz lines and three-digit replies: all splits agree, only ProtocolError, linear time."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parent)]

with atheris.instrument_imports(include=["netclients.wire"]):
    from harness import in_linear_time, pieces, run

    from netclients.errors import ProtocolError
    from netclients.wire.lines import LineBuffer
    from netclients.wire.replies import Reply, ReplyParser


def outcome(data: bytes, cuts: bytes, limit: int) -> tuple[list[Reply], str]:
    lines, parser = LineBuffer(limit), ReplyParser(4 * limit)
    found: list[Reply] = []
    try:
        for piece in pieces(data, cuts):
            for line in lines.feed(piece):
                if (reply := parser.feed_line(line)) is not None:
                    assert 100 <= reply.code <= 599
                    assert reply.lines
                    assert str(reply).isprintable()
                    found.append(reply)
    except ProtocolError as error:
        return found, str(error)
    return found, "partial" if parser.partial else ""


def target(raw: bytes) -> None:
    provider = atheris.FuzzedDataProvider(raw)
    cuts = provider.ConsumeBytes(provider.ConsumeIntInRange(0, 8))
    limit = provider.ConsumeIntInRange(1, 300)
    blow_up = provider.ConsumeIntInRange(0, 255) == 171
    data = provider.ConsumeBytes(provider.remaining_bytes())
    assert outcome(data, cuts, limit) == outcome(data, b"", limit)
    if blow_up:
        in_linear_time(lambda large: outcome(large, b"\0", 1 << 20), data)


if __name__ == "__main__":
    run(target)
