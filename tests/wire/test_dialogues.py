"""The shared primitives on a dialogue of each of the five protocols.

Lines serve all five. Replies of three digits serve FTP, SMTP and NNTP; what stands between an NNTP reply and
the lone dot is a block and goes past the reply parser, as it will in the protocol.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from netclients.testing.script import Expect, Say, parse_script
from netclients.wire.lines import LineBuffer
from netclients.wire.replies import Reply, ReplyParser

DIRECTORY = Path(__file__).parent / "dialogues"
PROTOCOLS = sorted(path.stem for path in DIRECTORY.glob("*.txt"))
BLOCKS = {101, 215, 220, 221, 222, 224, 225, 230, 231}  # NNTP replies that a block follows


def said(protocol: str, kind: type) -> bytes:
    steps = parse_script((DIRECTORY / f"{protocol}.txt").read_text("utf-8"))
    return b"".join(step.data for step in steps if isinstance(step, kind))


def splits(data: bytes) -> list[list[bytes]]:
    return [[data], [data[i : i + 1] for i in range(len(data))], [data[i : i + 7] for i in range(0, len(data), 7)]]


def replies_of(pieces: list[bytes], *, blocks: bool = False) -> list[Reply]:
    lines, parser = LineBuffer(1000), ReplyParser(10_000)
    found: list[Reply] = []
    in_block = False
    for piece in pieces:
        for line in lines.feed(piece):
            if in_block:
                in_block = line != b"."
            elif (reply := parser.feed_line(line)) is not None:
                found.append(reply)
                in_block = blocks and reply.code in BLOCKS
    assert len(lines) == 0
    assert not parser.partial
    return found


def test_all_five_are_here() -> None:
    assert PROTOCOLS == ["ftp", "imap", "nntp", "pop3", "smtp"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", [Say, Expect])
def test_lines(protocol: str, kind: type) -> None:
    data = said(protocol, kind)
    expected = data.split(b"\r\n")[:-1]
    assert len(expected) >= 4
    for pieces in splits(data):
        buffer = LineBuffer(1000)
        assert [line for piece in pieces for line in buffer.feed(piece)] == expected
        assert len(buffer) == 0


@pytest.mark.parametrize(
    ("protocol", "codes"),
    [
        ("ftp", [220, 331, 230, 211, 229, 150, 226, 550, 221]),
        ("smtp", [220, 250, 250, 250, 550, 354, 250, 221]),
        ("nntp", [200, 101, 211, 224, 430, 205]),
    ],
)
def test_replies(protocol: str, codes: list[int]) -> None:
    for pieces in splits(said(protocol, Say)):
        assert [reply.code for reply in replies_of(pieces, blocks=protocol == "nntp")] == codes


def test_their_texts() -> None:
    feat = replies_of([said("ftp", Say)])[3]
    assert feat.lines[0] == "Features:"
    assert feat.lines[5] == " REST STREAM"
    assert feat.lines[-1] == "End"
    ehlo = replies_of([said("smtp", Say)])[1]
    assert ehlo.lines == (
        "mail.example.org",
        "PIPELINING",
        "SIZE 10240000",
        "ENHANCEDSTATUSCODES",
        "8BITMIME",
        "SMTPUTF8",
        "CHUNKING",
    )
    assert replies_of([said("smtp", Say)])[4].text.startswith("5.1.1 <nobody@example.org>")


def test_a_literal_is_as_long_as_it_says() -> None:
    before, after = said("imap", Say).split(b"{24}\r\n")
    assert before.endswith(b"* 1 FETCH (UID 1 BODY[] ")
    assert (after[:24], after[24:27]) == (b"Subject: hello\r\n\r\ntext\r\n", b")\r\n")
