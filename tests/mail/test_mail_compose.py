"""compose(): what it is given comes out at the reader, in the right shape and the right encoding."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage, MIMEPart
from email.mime.image import MIMEImage
from email.utils import getaddresses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netclients.errors import ConfigurationError
from netclients.mail import compose, message_of
from tests.mail.letters import header_of, letter, read, shape, text_of, wire

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


MADE = [
    *("From", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "MIME-Version"),
    *("Content-Type", "Content-Transfer-Encoding"),
]
OTHERS = [
    *("Sender", "Reply-To", "Bcc", "bcc", "FROM", "Content-Disposition", "Content-ID"),
    *("Resent-To", "Resent-Bcc", "Return-Path", "Received"),
]


def test_the_example_of_the_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("report.pdf").write_bytes(b"%PDF-1.4 " + bytes(1000))
    Path("logo.png").write_bytes(PNG)
    message = compose(
        from_="Ada <ada@example.org>",
        to=["b@example.org"],
        cc=[],
        bcc=["c@example.org"],
        subject="Hi",
        text="Hello",
        html="<h4>Hello</h4><img src='cid:logo'>",
        attachments=[Path("report.pdf"), ("name.csv", b"a,b\n", "text/csv")],
        inline={"logo": Path("logo.png")},
    )
    assert message.from_ == "ada@example.org"
    assert message.recipients == ("b@example.org", "c@example.org")
    assert message.content is None
    parsed = read(message)
    assert shape(parsed) == [
        "multipart/mixed",
        ["multipart/alternative", "text/plain", ["multipart/related", "text/html", "image/png"]],
        "application/pdf",
        "text/csv",
    ]
    assert text_of(parsed.get_body(("plain",))) == "Hello\n"
    assert text_of(parsed.get_body(("html",))) == "<h4>Hello</h4><img src='cid:logo'>\n"
    [picture] = [part for part in parsed.walk() if part.get_content_type() == "image/png"]
    assert picture["Content-ID"] == "<logo>"
    assert picture.get_content_disposition() == "inline"
    assert picture.get_content() == PNG
    report, table = parsed.iter_attachments()
    assert (report.get_filename(), report.get_content()) == ("report.pdf", b"%PDF-1.4 " + bytes(1000))
    assert (table.get_filename(), table.get_content()) == ("name.csv", "a,b\n")
    assert parsed["Message-ID"] == message.message_id
    assert message.as_email_message()["Subject"] == "Hi"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "text/plain"),
        ({"text": "x"}, "text/plain"),
        ({"html": "x"}, "text/html"),
        ({"text": "x", "html": "y"}, ["multipart/alternative", "text/plain", "text/html"]),
        ({"html": "y", "inline": {"a": ("a.gif", b"")}}, ["multipart/related", "text/html", "image/gif"]),
        (
            {"text": "x", "html": "y", "inline": {"a": ("a.gif", b"")}},
            ["multipart/alternative", "text/plain", ["multipart/related", "text/html", "image/gif"]],
        ),
        ({"attachments": [("a.txt", b"")]}, ["multipart/mixed", "text/plain"]),
        ({"text": "x", "attachments": [("a.txt", b"")]}, ["multipart/mixed", "text/plain", "text/plain"]),
        ({"attachments": iter([])}, "text/plain"),
        ({"attachments": [], "inline": {}}, "text/plain"),
        (
            {"text": "x", "html": "y", "attachments": [("a.txt", b"")]},
            ["multipart/mixed", ["multipart/alternative", "text/plain", "text/html"], "text/plain"],
        ),
        (
            {"text": "x", "attachments": [letter(text="inner")]},
            ["multipart/mixed", "text/plain", ["message/rfc822", "text/plain"]],
        ),
    ],
)
def test_what_is_nested_in_what(arguments: dict[str, Any], expected: Any) -> None:
    assert shape(read(letter(**arguments))) == expected


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("", "7bit"),
        ("plain", "7bit"),
        ("a" * 78, "7bit"),
        ("a" * 79, "quoted-printable"),
        ("a" * 100_000, "quoted-printable"),
        ("From here\n", "quoted-printable"),
        ("x\nFrom here\n", "quoted-printable"),
        ("caf\u00e9 au lait, and a long enough rest in ASCII", "quoted-printable"),
        ("\u4f60\u597d\uff0c\u4e16\u754c", "base64"),
        (".\n..\n", "7bit"),
        ("nul \0 here", "quoted-printable"),
        ("trailing \nspace\t\n", "7bit"),
        (("x" * 75 + " \n") * 3 + "\u00e9" + "y" * 300, "quoted-printable"),
        ("bell \a and escape \x1b[0m", "7bit"),
    ],
)
@pytest.mark.parametrize("kind", ["text", "html"])
def test_texts_get_the_encoding_that_fits(text: str, encoding: str, kind: str) -> None:
    message = letter(**{kind: text})
    parsed = read(message)
    assert parsed["Content-Transfer-Encoding"] == encoding
    assert text_of(parsed).rstrip("\n") == text.rstrip("\n")
    assert parsed.get_content_charset() == "utf-8"
    # RFC 2045 section 6.7 (5), 6.8; RFC 5322 section 2.1.1.
    limit = 78 if encoding == "7bit" else 76
    assert max(map(len, wire(message).partition(b"\r\n\r\n")[2].split(b"\r\n"))) <= limit
    assert not message.needs_8bit
    assert b"\nFrom " not in wire(message)


@settings(deadline=None)
@given(st.text(max_size=400), st.text(st.sampled_from("a \t.=\u00e9\n\rF-_?"), max_size=300))
def test_every_text_comes_back(one: str, other: str) -> None:
    parsed = read(letter(text=one, html=other))
    plain, html = parsed.iter_parts()
    assert text_of(plain) == _lines(one)
    assert text_of(html) == _lines(other)


def _lines(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text if text.endswith("\n") or not text else text + "\n"


# Printable, or the reader of the standard library divides lines by what is no line end in mail.
NAMES = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), max_size=120)


@settings(deadline=None)
@given(NAMES)
def test_every_subject_comes_back(subject: str) -> None:
    message = letter(subject=subject)
    assert message.longest_line <= 78 or (subject.isascii() and " " not in subject.strip())
    assert (read(message)["Subject"] or "") == subject


@settings(deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=5))
def test_every_name_comes_back(names: list[str]) -> None:
    pairs = [(name, f"b{number}@example.org") for number, name in enumerate(names) if "@" not in name]
    message = letter(to=pairs)
    # The newer reader of the standard library puts a space between two encoded words of a name.
    found = getaddresses([str(message_from_bytes(wire(message)).get("To", ""))]) if pairs else []
    decoded = [(str(make_header(decode_header(name))), address) for name, address in found]
    assert decoded == pairs
    assert message.longest_line <= 78


@settings(deadline=None)
@given(NAMES.filter(bool), st.binary(max_size=300))
def test_every_file_name_and_content_come_back(name: str, content: bytes) -> None:
    [part] = read(letter(attachments=[(name, content, "application/x-test")])).iter_attachments()
    assert part.get_filename().strip() == name.strip()
    assert part.get_content() == content


@pytest.mark.parametrize("size", [0, 1, 2, 3, 56, 57, 58, 113, 114, 115, 191_519, 191_520, 191_521, 1_000_000])
def test_base64_at_its_seams(size: int, tmp_path: Path) -> None:
    content = (bytes(range(256)) * (size // 256 + 1))[:size]
    (tmp_path / "f.bin").write_bytes(content)
    first, second = read(letter(attachments=[("f.bin", content), tmp_path / "f.bin"])).iter_attachments()
    assert first.get_content() == content
    assert second.get_content() == content
    assert first.get_payload() == second.get_payload()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.txt", "text/plain"),
        ("a.PDF", "application/pdf"),
        ("a.tar.gz", "application/gzip"),
        ("a.svgz", "application/gzip"),
        ("a.txt.bz2", "application/octet-stream"),
        ("a", "application/octet-stream"),
        ("", "application/octet-stream"),
        ("a.unknown-thing", "application/octet-stream"),
        ("http://x/a.png", "image/png"),
    ],
)
def test_types_are_guessed_from_names(name: str, expected: str) -> None:
    message = letter(attachments=[(name, b"x")])
    assert read(message).get_payload()[-1].get_content_type() == expected  # type: ignore[union-attr]


def test_many_kinds_of_attachments(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("x")
    made = MIMEPart()
    made.set_content("made, \u00e9", subtype="x-made", filename="made.txt")
    image = MIMEImage(PNG, "png")
    inner = EmailMessage()
    inner["From"] = "eve@example.org"
    inner["Bcc"] = "secret@example.org"
    inner.set_content("caf\u00e9")
    message = letter(
        attachments=[
            ("view.bin", memoryview(b"abc")),
            ("array.bin", bytearray(b"abc")),
            ("renamed.bin", tmp_path / "note.txt"),
            made,
            image,
            inner,
            message_of(b"From: x@y\r\n\r\nraw"),
        ]
    )
    parts = list(read(message).iter_attachments())
    assert [part.get_content_type() for part in parts] == [
        "application/octet-stream",
        "application/octet-stream",
        "application/octet-stream",
        "text/x-made",
        "image/png",
        "message/rfc822",
        "message/rfc822",
    ]
    assert parts[2].get_filename() == "renamed.bin"
    assert parts[2].get_content() == b"x"
    assert text_of(parts[3]) == "made, \u00e9\n"
    assert parts[4].get_content() == PNG
    assert text_of(parts[5].get_content()) == "caf\u00e9\n"
    assert parts[6].get_content().get_payload() == "raw"
    assert b"secret" not in wire(message)
    assert inner["Bcc"] == "secret@example.org"
    assert not message.needs_8bit


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"From: a@b\r\n\r\nplain", "7bit"),
        (b"From: a@b\n\nline ends of Unix\n", "7bit"),
        ("From: a@b\r\n\r\ncaf\u00e9".encode(), "8bit"),
        (b"From: a@b\r\n\r\n\0", "binary"),
    ],
)
def test_messages_are_attached_as_they_are(content: bytes, encoding: str, tmp_path: Path) -> None:
    # RFC 2046 section 5.2.1: nothing but 7bit, 8bit or binary.
    (tmp_path / "m.eml").write_bytes(content)
    for attachment in (("m.eml", content), tmp_path / "m.eml"):
        message = letter(attachments=[attachment])
        data = wire(message)
        assert f"Content-Transfer-Encoding: {encoding}\r\n".encode() in data
        assert b"\r\n\r\n" + content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + b"\r\n--" in data
        [part] = read(message).iter_attachments()
        assert part.get_content_type() == "message/rfc822"
        assert part.get_content()["From"] == "a@b"
        assert message.binary == (encoding == "binary")


def test_fields_that_are_made() -> None:
    message = compose(
        from_=[("Ada", "ada@example.org"), "Bob <bob@example.org>"],
        sender="carl@example.net",
        to="b@example.org, B@example.org",
        cc="b@example.org, c@example.org",
        bcc=["b@EXAMPLE.org", "d@example.org"],
        reply_to="list@example.org",
        subject="S",
        in_reply_to="<1@x>",
        headers={"X-One": "1", "X-Many": ["a", "b"]},
        date=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
    )
    assert message.from_ == "carl@example.net"
    assert message.recipients == ("b@example.org", "B@example.org", "c@example.org", "d@example.org")
    head = header_of(wire(message)).decode()
    assert f"Message-ID: {message.message_id}\r\n" in head
    assert message.message_id.endswith("@example.net>")
    names = [line.partition(":")[0] for line in head.split("\r\n")]
    assert sorted(names) == sorted([*MADE, "Sender", "Reply-To", "X-One", "X-Many", "X-Many"])
    for line in (
        "From: Ada <ada@example.org>, Bob <bob@example.org>",
        "Cc: b@example.org, c@example.org",
        "References: <1@x>",
        "Date: Fri, 2 Jan 2026 03:04:05 -0330",
        "X-Many: b",
    ):
        assert line in head.split("\r\n")


def test_dates() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    assert before <= read(letter())["Date"].datetime <= datetime.now(UTC)
    for date in (datetime(2026, 1, 2), datetime(1850, 1, 1, tzinfo=UTC), "today", 1.5):  # noqa: DTZ001
        with pytest.raises(ConfigurationError, match=r"^date: "):
            letter(date=date)


def test_message_ids() -> None:
    assert letter(message_id="<a.b@c>").message_id == "<a.b@c>"
    assert len({letter().message_id for _ in range(100)}) == 100
    assert letter(from_="a@b\u00fccher.example").message_id.endswith("@xn--bcher-kva.example>")
    many = [f"<{number:0100}@example.org>" for number in range(50)]
    message = letter(references=many, in_reply_to=many[-1])
    assert read(message)["References"].split() == many
    assert message.longest_line <= 130
    assert read(letter(references=" ".join(many)))["References"].split() == many


@pytest.mark.parametrize(
    ("address", "utf8"),
    [("zo\u00eb@example.org", True), ("ada@b\u00fccher.example", True), ("ada@example.org", False)],
)
def test_addresses_beyond_ascii_need_smtputf8(address: str, utf8: bool) -> None:
    message = letter(to=("Zo\u00eb", address), subject="\u00e9")
    assert message.needs_smtputf8 == utf8
    assert message.needs_8bit == utf8
    assert message.recipients == (address,)
    assert f"<{address}>".encode() in header_of(wire(message))
    assert message.as_email_message()["To"].addresses[0].addr_spec == address


def test_only_domains_can_do_without_smtputf8() -> None:
    message = letter(to=["a@b\u00fccher.example", "b@example.org"], text="caf\u00e9")
    other = message.as_7bit()
    assert other is not None
    wire(other)
    assert other.recipients == ("a@xn--bcher-kva.example", "b@example.org")
    assert other.message_id == message.message_id
    assert text_of(read(other)) == "caf\u00e9\n"
    assert letter(to="zo\u00eb@example.org").as_7bit() is None
    plain = letter(text="caf\u00e9")
    assert plain.as_7bit() is plain


@pytest.mark.parametrize(
    "arguments",
    [
        {"from_": ""},
        {"from_": ()},
        {"from_": None},
        {"from_": ["a@b", "c@d"]},
        {"sender": ["a@b", "c@d"]},
        {"text": b"bytes"},
        {"html": 1},
        {"subject": None},
        {"inline": {"a": ("a", b"")}},
        {"html": "x", "inline": ["a"]},
        {"attachments": "report.pdf"},
        {"attachments": b"x"},
        {"attachments": Path("report.pdf")},
        {"attachments": 1},
        {"attachments": [1]},
        {"attachments": [b"x"]},
        {"attachments": [("a",)]},
        {"attachments": [("a", "text")]},
        {"attachments": [(None, b"")]},
        {"attachments": [("a", b"", "notatype")]},
        {"attachments": [("a", b"", 7)]},
        {"attachments": [("a", b"", "multipart/mixed")]},
        {"attachments": EmailMessage()},
        {"message_id": "a@b"},
        {"message_id": 5},
        {"in_reply_to": "a@b"},
        {"references": ["<a@b>", 3]},
        {"references": 3},
        {"headers": 3},
        {"headers": ["X-A: 1"]},
        {"headers": {"X A": "1"}},
        {"headers": {"": "1"}},
        {"headers": {"X:": "1"}},
        {"headers": {"X-\u00e9": "1"}},
        {"headers": {"X-A": 3}},
        {"headers": {"X-A": "a" * 1200}},
        {"text": "\ud800"},
        {"html": "\ud800"},
        {"subject": "\ud800"},
        {"to": ("\ud800", "a@b")},
        {"headers": {"X-A": "\ud800"}},
        {"attachments": [("\ud800", b"")]},
        {"html": "x", "inline": {"\ud800": ("a", b"")}},
        {"dkim": 3},
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        letter(**arguments)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", [*MADE, *OTHERS])
def test_what_compose_makes_cannot_be_overridden(name: str) -> None:
    for headers in ({name: "x@example.org"}, [(name, "x@example.org")]):
        with pytest.raises(ConfigurationError, match=r"^headers: "):
            letter(headers=headers)


def test_compose_can_be_repeated() -> None:
    message = letter(text="x" * 1000, attachments=[("a.bin", bytes(700_000))])
    assert wire(message) == wire(message)
    assert message_of(message) is message
    one, other = message.chunks(), message.chunks()
    assert next(iter(one)) == next(iter(other))
