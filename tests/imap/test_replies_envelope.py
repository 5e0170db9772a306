"""Addresses in ENVELOPE: groups, names in any charset, and what is no address."""

from __future__ import annotations

import pytest

from netclients.mail.reading import Address, Envelope
from tests.imap.wire import fetched


def addresses(raw: bytes) -> tuple[Address, ...]:
    line = b"ENVELOPE (NIL NIL " + raw + b" NIL NIL NIL NIL NIL NIL NIL)"
    return fetched(line).envelope.from_


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"NIL", ()),
        (b"()", ()),
        (b'""', ()),  # quirk_empty_string
        (b"(NIL)", ()),  # quirk_nil_address
        (b'(("a" "b"))', ()),
        (b'((NIL NIL "a" "b"))', (Address("", "a", "b"),)),
        (b'((NIL NIL "a" "b") (NIL NIL "c" "d"))', (Address("", "a", "b"), Address("", "c", "d"))),
        (b'(("" "" "a" ""))', (Address("", "a", ""),)),
        (b'(("N" NIL NIL NIL))', (Address("N", "", ""),)),
        (b'(("=?utf-8?Q?J=C3=BCrgen?=" NIL "j" "x.de"))', (Address("Jürgen", "j", "x.de"),)),
        (b'(("\xc3\xbc \\"x\\"" "@route" "\xc3\xbc" "b\xc3\xbc.de"))', (Address('ü "x"', "ü", "bü.de"),)),
        (
            b'((NIL NIL "team" NIL)(NIL NIL "a" "b")("C" NIL "c" "d")(NIL NIL NIL NIL)(NIL NIL "e" "f"))',
            (
                Address("team", "", "", True, (Address("", "a", "b"), Address("C", "c", "d"))),
                Address("", "e", "f"),
            ),
        ),
        (
            b'((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL))',
            (Address("undisclosed-recipients", "", "", True),),
        ),
        (b'((NIL NIL "open" NIL)(NIL NIL "a" "b"))', (Address("open", "", "", True, (Address("", "a", "b"),)),)),
        (b"((NIL NIL NIL NIL))", ()),
    ],
)
def test_addresses(raw: bytes, expected: tuple[Address, ...]) -> None:
    assert addresses(raw) == expected


def test_envelope_of_nothing() -> None:
    envelope = fetched(b"ENVELOPE (NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)").envelope
    assert envelope.raw == (None,) * 10
    assert (envelope.date, envelope.subject, envelope.in_reply_to, envelope.message_id) == (None,) * 4
    assert envelope.from_ == envelope.to == ()
    assert Envelope([None, "atom", "x", [], None, None, None, None, ["x"], None]).subject == "atom"
