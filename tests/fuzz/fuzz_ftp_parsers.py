"""Fuzz what FTP reads out of replies and listings: a value, None, or ProtocolError; names stay names; linear time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import atheris

sys.path[:0] = [str(Path(__file__).parent)]

with atheris.instrument_imports(include=["netclients.ftp.replies", "netclients.ftp.listing"]):
    from harness import in_linear_time, run

    from netclients.errors import ProtocolError
    from netclients.ftp import listing, replies
    from netclients.ftp.types import Entry

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def passive(data: bytes) -> None:
    for parse in (replies.parse_pasv, replies.parse_epsv):
        try:
            found = parse(decode(data))
        except ProtocolError:
            continue
        assert 0 < found.port < 65536


def size(data: bytes) -> None:
    assert replies.parse_size(decode(data)) >= 0


def path(data: bytes) -> None:
    found = replies.parse_path(decode(data))
    assert found
    quoted = found.replace('"', '""')
    assert replies.parse_path(f'"{quoted}"') == found


def entry(parse: Callable[..., Entry | None], *arguments: object) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        for line in data.splitlines() or [b""]:
            found = parse(line, *arguments)
            if found is not None:
                assert found.name not in ("", ".", "..")
                assert "/" not in found.name
                assert "\0" not in found.name
                assert found.size is None or found.size >= 0

    return check


PARSERS: list[Callable[[bytes], object]] = [
    passive,
    size,
    path,
    lambda data: replies.parse_mdtm(decode(data)),
    lambda data: replies.parse_features(decode(data).split("\n")),
    lambda data: replies.parse_system(decode(data)),
    lambda data: replies.identify_server(decode(data)),
    lambda data: [replies.classify_limit(code, decode(data)) for code in (421, 530, 550)],
    lambda data: listing.parse_time(decode(data)),
    entry(listing.parse_mlsd_line, "dir", decode),
    entry(listing.parse_list_line, "dir", decode, NOW),
    entry(listing.parse_nlst_line, "dir", decode),
    lambda data: listing.parse_mlst_line(data, "dir/f", decode),
]


def tolerant(parse: Callable[[bytes], object]) -> Callable[[bytes], None]:
    def call(data: bytes) -> None:
        try:
            parse(data)
        except ProtocolError as error:
            if not str(error).isprintable():
                raise AssertionError("an error that is not fit to be printed") from error

    return call


def target(raw: bytes) -> None:
    provider = atheris.FuzzedDataProvider(raw)
    parse = tolerant(PARSERS[provider.ConsumeIntInRange(0, len(PARSERS) - 1)])
    blow_up = provider.ConsumeIntInRange(0, 255) == 171
    data = provider.ConsumeBytes(provider.remaining_bytes())
    parse(data)
    if blow_up:
        in_linear_time(parse, data)


if __name__ == "__main__":
    run(target)
