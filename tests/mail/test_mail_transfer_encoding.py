"""Content-Transfer-Encoding undone piece by piece: however it is cut, the same comes out as in one go."""

from __future__ import annotations

import base64
import binascii
import quopri
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.mail.transfer_encoding import decoder_of

CUTS = st.lists(st.integers(0, 400), max_size=12)


def decoded(encoding: str, pieces: Iterable[bytes]) -> bytes:
    decoder = decoder_of(encoding)
    return b"".join([*map(decoder.feed, pieces), decoder.finish()])


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(data)) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in pairwise(ends)]


@given(st.binary(max_size=300), CUTS)
def test_base64(content: bytes, places: list[int]) -> None:
    encoded = base64.encodebytes(content).replace(b"\n", b"\r\n")
    assert binascii.a2b_base64(encoded) == content
    assert decoded("base64", cut(encoded, places)) == content


@given(st.text("QUJDab09+/=", max_size=60).map(str.encode), CUTS)
def test_base64_of_any_digits(encoded: bytes, places: list[int]) -> None:
    """Nonsense, too, means the same however it comes."""
    whole = decoded("base64", [encoded])
    assert decoded("base64", cut(encoded, places)) == whole
    assert decoded("base64", [encoded[at : at + 1] for at in range(len(encoded))]) == whole


@given(st.binary(max_size=200), CUTS)
def test_base64_of_any_bytes(encoded: bytes, places: list[int]) -> None:
    assert decoded("base64", cut(encoded, places)) == decoded("base64", [encoded])


@pytest.mark.parametrize(
    ("encoded", "content"),
    [
        (b"", b""),
        (b"aGVsbG8=", b"hello"),
        (b"aGVsbG8", b"hello"),
        (b"aGVs bG8=\r\n\r\n", b"hello"),
        (b"aGVs!!bG8=", b"hello"),
        (b"aGVsbG8=aGVsbG8=", b"hellohello"),
        (b"QQ==QUI=QUJD", b"AABABC"),
        (b"QQ=QUI=", b"AAB"),
        (b"====", b""),
        (b"aGVsbG8h\r\n--\r\nx", b"hello!"),
        (b"a", b""),
        (b"aGVsa", b"hel"),
    ],
)
def test_base64_of_this_world(encoded: bytes, content: bytes) -> None:
    assert decoded("Base64", [encoded]) == content
    assert decoded("base64", [encoded[at : at + 1] for at in range(len(encoded))]) == content


@given(st.binary(max_size=300), CUTS)
def test_quoted_printable(content: bytes, places: list[int]) -> None:
    encoded = quopri.encodestring(content)
    assert decoded("quoted-printable", cut(encoded, places)) == quopri.decodestring(encoded)


@given(st.text("=\r\n \tA0aF_.é", max_size=80).map(str.encode), CUTS)
def test_quoted_printable_of_nonsense(encoded: bytes, places: list[int]) -> None:
    assert decoded("quoted-printable", cut(encoded, places)) == binascii.a2b_qp(encoded)


@given(st.integers(0, 10), st.sampled_from([b"x", b"=41", b"=", b"=4", b"==", b"=3D="]))
def test_lines_that_never_end(before: int, filling: bytes) -> None:
    """They are decoded before they end, and no escape is torn apart."""
    piece = b"x" * before + filling * 10_000
    pieces = [piece] * 20
    decoder = decoder_of("quoted-printable")
    got = b""
    for each in pieces:
        got += decoder.feed(each)
    assert len(got) > 20 * 10_000 / 3 - 100_000
    if filling in (b"x", b"=41", b"=3D="):
        assert got + decoder.finish() == binascii.a2b_qp(b"".join(pieces))


@given(st.binary(max_size=100), CUTS, st.sampled_from(["7bit", "8BIT", "binary", "", "x-uuencode"]))
def test_what_stays_as_it_is(content: bytes, places: list[int], encoding: str) -> None:
    assert decoded(encoding, cut(content, places)) == content
