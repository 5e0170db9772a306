"""Addresses as people write them: what they become, and what is refused."""

from __future__ import annotations

import contextlib
import time
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netclients.errors import ConfigurationError
from netclients.mail.addresses import Mailbox, all_in_ascii, distinct, parse_mailboxes, read_mailboxes

ADA = Mailbox("Ada", "ada@example.org")
BOB = Mailbox("", "bob@example.org")

HEADER = EmailMessage()
HEADER["To"] = "Ada <ada@example.org>, bob@example.org"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bob@example.org", [BOB]),
        ("<bob@example.org>", [BOB]),
        ("  bob@example.org\t", [BOB]),
        ("Ada <ada@example.org>", [ADA]),
        ("Ada<ada@example.org>", [ADA]),
        ('"Ada" <ada@example.org>', [ADA]),
        ("Ada <ada@example.org>, bob@example.org", [ADA, BOB]),
        ("Ada <ada@example.org>,,bob@example.org,", [ADA, BOB]),
        ('"Lovelace, Ada" <ada@example.org>', [Mailbox("Lovelace, Ada", "ada@example.org")]),
        ('"say \\"hi\\"" <ada@example.org>', [Mailbox('say "hi"', "ada@example.org")]),
        ("Ada (countess) Lovelace <ada@example.org>", [Mailbox("Ada   Lovelace", "ada@example.org")]),
        ("bob@example.org (Bob (the builder))", [BOB]),
        ("Ada B. Lovelace <ada@example.org>", [Mailbox("Ada B. Lovelace", "ada@example.org")]),
        ("Zoë <zoë@exämple.org>", [Mailbox("Zoë", "zoë@exämple.org")]),
        ("=?utf-8?q?Zo=C3=AB?= <z@example.org>", [Mailbox("Zoë", "z@example.org")]),
        ('"a b"@example.org', [Mailbox("", '"a b"@example.org')]),
        ('"a@b"@example.org', [Mailbox("", '"a@b"@example.org')]),
        ('Ada <"a>b"@example.org>', [Mailbox("Ada", '"a>b"@example.org')]),
        ("ada@[127.0.0.1]", [Mailbox("", "ada@[127.0.0.1]")]),
        ("Ada <ada@[IPv6:::1]>", [Mailbox("Ada", "ada@[IPv6:::1]")]),
        (["bob@example.org", "Ada <ada@example.org>"], [BOB, ADA]),
        (["bob@example.org, Ada <ada@example.org>"], [BOB, ADA]),
        (("Ada", "ada@example.org"), [ADA]),
        ([("Ada", "ada@example.org"), BOB], [ADA, BOB]),
        (("bob@example.org", "ada@example.org"), [BOB, Mailbox("", "ada@example.org")]),
        (Address("Ada", "ada", "example.org"), [ADA]),
        ([Address("Ada", addr_spec="ada@example.org"), "bob@example.org"], [ADA, BOB]),
        (HEADER["To"], [ADA, BOB]),
        (HEADER["To"].addresses, [ADA, BOB]),
        ((one for one in ("bob@example.org",)), [BOB]),
        ((), []),
        ([], []),
    ],
)
def test_what_is_written_in_many_ways(value: Any, expected: list[Mailbox]) -> None:
    assert list(read_mailboxes(value, "to")) == expected


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        ",",
        "Ada",
        "ada@",
        "@example.org",
        "ada@example.org bob@example.org",
        "ada@example.org; bob@example.org",
        "Lovelace, Ada <ada@example.org>",
        "Ada <ada@example.org> bob@example.org",
        "Ada <ada@example.org",
        "Ada ada@example.org>",
        "<<ada@example.org>>",
        "Ada <>",
        "friends: ada@example.org, bob@example.org;",
        "undisclosed-recipients:;",
        "ada@example.org (comment",
        'ada"quote@example.org',
        '"ada@example.org',
        '"ada@example.org"',
        "ada@exa mple.org",
        "ada@example.org\x00",
        "ada@example.org\r\nBcc: eve@example.org",
        "Ada\n <ada@example.org>",
        "ada@-example.org",
        "ada\udcff@example.org",
        "<@relay.example:ada@example.org>",
        "a" * 950 + "@example.org",
        "ada\x7f@example.org",
        "ada\u200b@example.org",
        ["ada@example.org", ""],
        ["ada@example.org", None],
        [["ada@example.org"]],
        (("Ada\r\nBcc: eve@example.org", "ada@example.org"),),
        ("Ada", "Ada <ada@example.org>"),
        ("Ada", "ada@example.org, eve@example.org"),
        b"ada@example.org",
        42,
        None,
        Mailbox("Ada", "ada@example.org>, <eve@example.org"),
        Address("", username="ada eve", domain="example.org\u0000"),
    ],
)
def test_what_is_in_doubt_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_mailboxes(value, "cc")
    assert str(caught.value).startswith("cc: ")
    assert str(caught.value).isprintable()


def test_groups_count_where_messages_of_others_are_read() -> None:
    text = 'friends: Ada <ada@example.org>, bob@example.org;, undisclosed:;, "x y":z@example.org;'
    found = parse_mailboxes(text, "the message", groups=True)
    assert [box.address for box in found] == ["ada@example.org", "bob@example.org", "z@example.org"]
    for broken in ("a: b: c@example.org;;", "a: b@example.org", "b@example.org;", ": b@example.org;"):
        with pytest.raises(ConfigurationError):
            parse_mailboxes(broken, "the message", groups=True)


def test_each_address_is_kept_once() -> None:
    boxes = [Mailbox("", a) for a in ("a@x.org", "A@x.org", "a@X.ORG", "b@x.org", "a@x.org")]
    assert distinct(boxes) == ("a@x.org", "A@x.org", "b@x.org")


def test_only_domains_have_another_form() -> None:
    assert all_in_ascii(["a@bücher.example", "b@example.org"]) == ("a@xn--bcher-kva.example", "b@example.org")
    assert all_in_ascii(["ä@example.org"]) is None
    assert all_in_ascii(["a@straße.example"]) == ("a@xn--strae-oqa.example",)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        found = read_mailboxes(text, "to")
    except ConfigurationError:
        return
    assert found
    for mailbox in found:
        assert "@" in mailbox.address
        assert not set("\r\n\0") & set(mailbox.name + mailbox.address)


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(['"', "\\", "<", ">", "(", ")", ",", ":", ";", "@", "a", " ", "a@b.c", "[", "]", "=?"]),
        max_size=14,
    )
)
def test_pieces_of_addresses_are_taken_or_refused(pieces: list[str]) -> None:
    for groups in (False, True):
        try:
            found = parse_mailboxes("".join(pieces), "to", groups=groups)
        except ConfigurationError:
            continue
        for mailbox in found:
            assert "@" in mailbox.address


@pytest.mark.parametrize("unit", ["(", "a, ", "<", '"', "\\", "(a)", ":;", "@", "a@b.c,", " "])
def test_long_text_takes_linear_time(unit: str) -> None:
    def seconds(count: int) -> float:
        start = time.perf_counter()
        with contextlib.suppress(ConfigurationError):
            parse_mailboxes(unit * count, "to", groups=True)
        return time.perf_counter() - start

    assert seconds(50_000) < max(0.05, seconds(5_000)) * 40
