"""Text and dates of headers: decoded as far as possible, whatever they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.mail import decoding

TEXTS: list[tuple[bytes, str]] = [
    (b"", ""),
    (b"plain", "plain"),
    ("日本".encode(), "日本"),
    (b"Caf\xe9", "Café"),
    (b"=?utf-8?Q?h=C3=A9llo_you?=", "héllo you"),
    (b"=?UTF-8?b?4pi6?= x", "☺ x"),
    (b"a =?iso-8859-1?q?=E9?= b", "a é b"),
    (b"=?utf-8*en?Q?x?=", "x"),
    (b"=?utf-8?Q?a?= =?utf-8?Q?b?=", "ab"),
    (b"=?utf-8?Q?a?=\r\n =?iso-8859-1?Q?=E9?=", "aé"),
    (b"=?utf-8?Q?a?= x =?utf-8?Q?b?=", "a x b"),
    (b"=?utf-8?Q?a?==?utf-8?Q?b?=", "ab"),
    (b"folded\r\n\tline", "folded\tline"),
    (b"=?utf-8?B?4pg=?= =?utf-8?B?ug==?=", "☺"),  # quirk_split_character
    (b"=?utf-8?Q?=E2=98?= =?utf-8?Q?=BA?=", "☺"),
    (b"=?gb2312?B?xOO6ww==?=", "你好"),
    (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
    (b"=?ks_c_5601-1987?B?x9GxuQ==?=", "한국"),
    (b"=?windows-1252?Q?=80?=", "€"),
    (b"=?us-ascii?Q?=C3=A9?=", "é"),
    (b"=?utf-8?Q?a b?=", "a b"),
    # what stays as it is
    (b"=?x-unknown?Q?a?=", "=?x-unknown?Q?a?="),
    (b"=?hex?Q?41?=", "=?hex?Q?41?="),
    (b"=?punycode?Q?a?=", "=?punycode?Q?a?="),
    (b"=?unicode_escape?Q?=5Cx41?=", "=?unicode_escape?Q?=5Cx41?="),
    (b"=?utf-8?X?a?=", "=?utf-8?X?a?="),
    (b"=?utf-8?Q?a", "=?utf-8?Q?a"),
    (b"=?utf-8?B?a?=", "=?utf-8?B?a?="),
    (b"=?=?", "=?=?"),
    # what is broken within
    (b"=?utf-8?Q?=ZZ=4?=", "=ZZ=4"),
    (b"=?utf-8?Q?=FF?=", "\ufffd"),
    (b"=?utf-8?B?4pi6!!?=", "☺"),
    (b"=?utf-8?B?4pi?=", "\ufffd"),
    (b"=?utf-8?Q??=", ""),
]


@pytest.mark.parametrize(("raw", "expected"), TEXTS)
def test_texts(raw: bytes, expected: str) -> None:
    assert decoding.text(raw) == expected


words = st.sampled_from(
    [b"=?utf-8?Q?", b"=?utf-16?B?", b"=?utf-7?Q?", b"?=", b"=", b"?", b" ", b"\r\n ", b"\xff", b"=E9", b"AA", b"+"]
)


@given(st.lists(words, max_size=12).map(b"".join) | st.binary())
def test_any_bytes_are_text(raw: bytes) -> None:
    assert isinstance(decoding.text(raw), str)
    decoding.parameters([(raw, raw), (b"f*0*", raw), (b"f*", raw + b"'" + raw)])
    decoding.date(raw)


@given(st.sampled_from(["utf-8", "utf_16", "utf-7", *sorted(decoding._CHARSETS)]), st.binary())
def test_every_charset_takes_any_bytes(charset: str, raw: bytes) -> None:
    word = b"=?" + charset.encode() + b"?Q?" + b"".join(b"=%02X" % byte for byte in raw) + b"?="
    assert isinstance(decoding.text(word), str)


def east(hours: float) -> timezone:
    return timezone(timedelta(hours=hours))


DATES: list[tuple[bytes, datetime | None]] = [
    (b"Mon, 2 Mar 2026 10:20:30 +0100", datetime(2026, 3, 2, 10, 20, 30, tzinfo=east(1))),
    (b"2 Mar 2026 10:20 -0330", datetime(2026, 3, 2, 10, 20, tzinfo=east(-3.5))),
    (b"Mon, 02 Mar 2026 10:20:30 GMT", datetime(2026, 3, 2, 10, 20, 30, tzinfo=UTC)),
    (b"Mon, 02 Mar 2026 10:20:30 -0700 (PDT)", datetime(2026, 3, 2, 10, 20, 30, tzinfo=east(-7))),
    (b"Mon 2 March 2026 10:20:30 EST", datetime(2026, 3, 2, 10, 20, 30, tzinfo=east(-5))),
    (b"2 Mar 26 10:20:30", datetime(2026, 3, 2, 10, 20, 30, tzinfo=UTC)),
    (b"2 Mar 96 10:20:30 X", datetime(1996, 3, 2, 10, 20, 30, tzinfo=UTC)),
    (b"2 Mar 101 10:20:30 +0000", datetime(2001, 3, 2, 10, 20, 30, tzinfo=UTC)),
    (b" 2-Mar-2026 10:20:60 +0000", datetime(2026, 3, 2, 10, 20, 59, tzinfo=UTC)),
    (b"Mon, 2 Mar 2026 10.20.30 +0000", datetime(2026, 3, 2, 10, 20, 30, tzinfo=UTC)),
    (b"2 Mar 2026 10:20:30.123 +0100", datetime(2026, 3, 2, 10, 20, 30, tzinfo=east(1))),
    (b"2 Mar 2026 10:20:30 +01:00", datetime(2026, 3, 2, 10, 20, 30, tzinfo=east(1))),
    (b"", None),
    (b"yesterday", None),
    (b"31 Feb 2026 10:20:30 +0000", None),
    (b"2 Mar 2026 25:20:30 +0000", None),
    (b"2 Mar 2026 10:20:75 +0000", None),
    (b"2 Mar 2026 10:20:30 +2400", None),
    (b"2 Xyz 2026 10:20:30 +0000", None),
    (b"1 Jan 0001 00:00:00 +1400", None),
    (b"2026-03-02T10:20:30Z", None),
]


@pytest.mark.parametrize(("raw", "expected"), DATES)
def test_dates(raw: bytes, expected: datetime | None) -> None:
    found = decoding.date(raw)
    assert found == expected
    assert found is None or expected is None or found.utcoffset() == expected.utcoffset()
