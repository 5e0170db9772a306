"""No argument breaks out of its place: CR, LF and NUL are refused in all of them, and in texts they become harmless."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from email.headerregistry import Address
from email.message import EmailMessage, MIMEPart
from email.mime.text import MIMEText
from typing import Any

import pytest

from netclients.errors import ConfigurationError
from netclients.mail import DKIM, Mailbox, message_of
from tests.mail.letters import letter, read, wire

BREAKS = ["\r", "\n", "\0", "\r\n", "\r\nBcc: eve@example.org", "\n\nbody", "\r\n.\r\n", "\n Folded: x"]

ADDRESSES = ["from_", "to", "cc", "bcc", "reply_to", "sender"]

PLACES: dict[str, Any] = {
    "subject": lambda bad: {"subject": bad},
    "message_id": lambda bad: {"message_id": f"<a{bad}@b>"},
    "message_id, behind": lambda bad: {"message_id": f"<a@b>{bad}"},
    "in_reply_to": lambda bad: {"in_reply_to": f"<a{bad}@b>"},
    "in_reply_to, behind": lambda bad: {"in_reply_to": f"<a@b>{bad}"},
    "in_reply_to, list": lambda bad: {"in_reply_to": [f"<a@b>{bad}"]},
    "references": lambda bad: {"references": [f"<a@b>{bad}"]},
    "references, text": lambda bad: {"references": f"<a@b>{bad}<c@d>"},
    "header name": lambda bad: {"headers": {f"X{bad}Y": "x"}},
    "header name, behind": lambda bad: {"headers": {f"X{bad}": "x"}},
    "header value": lambda bad: {"headers": {"X-A": f"x{bad}y"}},
    "header value, first": lambda bad: {"headers": [("X-A", f"{bad}y")]},
    "header value, last": lambda bad: {"headers": [("X-A", f"x{bad}")]},
    "header value, not ASCII": lambda bad: {"headers": {"X-A": f"\u00e9{bad}"}},
    "file name": lambda bad: {"attachments": [(f"a{bad}b", b"")]},
    "file name, not ASCII": lambda bad: {"attachments": [(f"\u00e9{bad}", b"")]},
    "content type": lambda bad: {"attachments": [("a", b"", f"text/plain{bad}")]},
    "content type, parameter": lambda bad: {"attachments": [("a", b"", f'text/plain; x="{bad}"')]},
    "inline identifier": lambda bad: {"html": "x", "inline": {f"a{bad}": ("a", b"")}},
    "inline file name": lambda bad: {"html": "x", "inline": {"a": (f"a{bad}", b"")}},
    "inline type": lambda bad: {"html": "x", "inline": {"a": ("a", b"", f"image/png{bad}")}},
    "dkim domain": lambda bad: {"dkim": DKIM(f"example.org{bad}", "s", "key")},
    "dkim selector": lambda bad: {"dkim": DKIM("example.org", f"s{bad}", "key")},
    "dkim identity": lambda bad: {"dkim": DKIM("example.org", "s", "key", identity=f"@example.org{bad}")},
    "dkim headers": lambda bad: {"dkim": DKIM("example.org", "s", "key", headers=("From", f"To{bad}"))},
    "dkim canonicalization": lambda bad: {
        "dkim": DKIM("example.org", "s", "key", canonicalization=f"simple/simple{bad}")
    },
}
for _name in ADDRESSES:
    PLACES[f"{_name}: address"] = lambda bad, n=_name: {n: f"a{bad}@example.org"}
    PLACES[f"{_name}: behind"] = lambda bad, n=_name: {n: f"a@example.org{bad}"}
    PLACES[f"{_name}: before"] = lambda bad, n=_name: {n: f"{bad}a@example.org"}
    PLACES[f"{_name}: name"] = lambda bad, n=_name: {n: f"Ada{bad} <a@example.org>"}
    PLACES[f"{_name}: quoted name"] = lambda bad, n=_name: {n: f'"Ada{bad}" <a@example.org>'}
    PLACES[f"{_name}: quoted local part"] = lambda bad, n=_name: {n: f'"a{bad}b"@example.org'}
    PLACES[f"{_name}: literal"] = lambda bad, n=_name: {n: f"a@[127.0.0.1{bad}]"}
    PLACES[f"{_name}: comment"] = lambda bad, n=_name: {n: f"a@example.org ({bad})"}
    PLACES[f"{_name}: pair, name"] = lambda bad, n=_name: {n: (f"Ada{bad}", "a@example.org")}
    PLACES[f"{_name}: pair, address"] = lambda bad, n=_name: {n: ("Ada", f"a{bad}@example.org")}
    PLACES[f"{_name}: Mailbox"] = lambda bad, n=_name: {n: Mailbox(f"Ada{bad}", "a@example.org")}
    PLACES[f"{_name}: not ASCII"] = lambda bad, n=_name: {n: (f"Zo\u00eb{bad}", "a@example.org")}
    PLACES[f"{_name}: list"] = lambda bad, n=_name: {n: ["b@example.org", f"a@example.org{bad}"]}


@pytest.mark.parametrize("bad", BREAKS, ids=repr)
@pytest.mark.parametrize("place", PLACES)
def test_every_argument_is_checked(place: str, bad: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        letter(**PLACES[place](bad))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ADDRESSES)
def test_encoded_words_hide_nothing(name: str) -> None:
    # Decoded, the name has a line end.
    with pytest.raises(ConfigurationError, match="CR, LF or NUL"):
        letter(**{name: "=?utf-8?q?Ada=0D=0ABcc=3A_eve=40example.org?= <a@example.org>"})


@pytest.mark.parametrize("name", ADDRESSES)
def test_names_that_look_like_addresses_stay_names(name: str) -> None:
    message = letter(**{name: Mailbox("eve@example.org>, <mallory", "a@example.org")})
    if name == "bcc":
        assert b"mallory" not in wire(message)
    else:
        field = {"from_": "From", "reply_to": "Reply-To"}.get(name, name.title())
        assert [box.addr_spec for box in read(message)[field].addresses] == ["a@example.org"]


@pytest.mark.parametrize("bad", BREAKS, ids=repr)
@pytest.mark.parametrize("kind", ["text", "html"])
def test_texts_stay_in_their_part(kind: str, bad: str) -> None:
    message = letter(**{kind: f"a{bad}b"})
    data = wire(message)
    assert data.count(b"\r\n\r\n") >= 1
    assert read(message).keys() == read(letter(**{kind: "x"})).keys()
    assert b"\0" not in data


def test_texts_do_not_end_their_multipart() -> None:
    first = letter(text="x", html="y")
    boundary = read(first).get_boundary()
    assert read(first).get_boundary() != read(letter(text="x", html="y")).get_boundary()
    assert boundary is not None
    # "=_" is in no line of quoted-printable or base64, and nobody knows the rest beforehand.
    assert boundary.startswith("=_")


class _Zone(tzinfo):
    def utcoffset(self, _: datetime | None) -> timedelta:
        return timedelta(hours=1)

    def tzname(self, _: datetime | None) -> str:
        return "CET\r\nBcc: eve@example.org"

    def dst(self, _: datetime | None) -> timedelta:
        return timedelta(0)


def test_names_of_time_zones_are_not_written() -> None:
    assert b"eve" not in wire(letter(date=datetime(2026, 1, 1, tzinfo=_Zone())))


@pytest.mark.parametrize("bad", BREAKS, ids=repr)
@pytest.mark.parametrize("name", ["Subject", "To", "X-A", "Message-ID", "Content-Type", "Content-Disposition"])
def test_objects_of_the_email_package_are_checked_too(name: str, bad: str) -> None:
    # compat32 takes anything, and so does a list that is filled behind the policy's back.
    old = MIMEText("x")
    old["From"] = "ada@example.org"
    old[name] = f"a@example.org{bad}"
    new = EmailMessage()
    new["From"] = "ada@example.org"
    new.set_content("x")
    new._headers.append((name, f"a@example.org{bad}"))  # type: ignore[attr-defined]
    for source in (old, new):
        try:
            data = wire(message_of(source))
        except ConfigurationError:
            continue
        assert b"\nBcc:" not in data
        assert b"\nbody" not in data.partition(b"\r\n\r\n")[0]
        assert b"\n.\r" not in data


@pytest.mark.parametrize("name", ["X A", "X:A", "X\r\nBcc", "", "\u00e9", "X\0"])
def test_names_of_headers_are_checked_in_objects_too(name: str) -> None:
    source = EmailMessage()
    source.set_content("x")
    source._headers.append((name, "x"))  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError):
        message_of(source)


@pytest.mark.parametrize("bad", BREAKS, ids=repr)
def test_attached_parts_are_checked(bad: str) -> None:
    part = MIMEPart()
    part.set_content("x")
    part._headers.append(("Content-Description", f"x{bad}"))  # type: ignore[attr-defined]
    try:
        data = wire(letter(attachments=[part]))
    except ConfigurationError:
        return
    assert b"\nBcc:" not in data


def test_boundaries_of_others_are_checked() -> None:
    source = EmailMessage()
    source.set_content("x")
    source.add_attachment(b"x", maintype="a", subtype="b")
    source.set_boundary("x\u00e9")
    with pytest.raises(ConfigurationError, match="boundary"):
        message_of(source)


def test_addresses_of_the_standard_library_cannot_smuggle() -> None:
    address = Address("Ada", "a", "example.org")
    address._domain = "example.org>\r\nBcc: <eve@example.org"  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError):
        letter(to=address)
