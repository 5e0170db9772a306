"""Messages made with the email package: written like the standard library means it, without Bcc, and left alone."""

from __future__ import annotations

import copy
import io
from email import message_from_bytes, message_from_string, policy
from email.generator import BytesGenerator
from email.headerregistry import Address
from email.message import EmailMessage
from email.message import Message as OldMessage
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netclients.errors import ConfigurationError
from netclients.mail import message_of
from tests.mail.letters import header_of, letter, read, shape, text_of, wire


def simple(**fields: str) -> EmailMessage:
    message = EmailMessage()
    message["From"] = "Ada <ada@example.org>"
    message["To"] = "bob@example.org"
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    message.set_content("Hello\n")
    return message


def rich() -> EmailMessage:
    message = simple(Subject="caf\u00e9 " * 30, Message_ID="<a@b>")
    message.add_alternative("<p>\u00e9</p>", subtype="html")
    html = message.get_body(("html",))
    assert html is not None
    html.add_related(b"\x89PNG", maintype="image", subtype="png", cid="<logo>")
    message.add_attachment(bytes(range(256)), maintype="a", subtype="b", filename="n\u00e4.bin")
    message.add_attachment(simple(Subject="inner"))
    message.add_attachment("text\n", filename="x.txt")
    return message


def old() -> OldMessage:
    message = MIMEMultipart("mixed")
    message["From"] = "Ada <ada@example.org>"
    message["To"] = "bob@example.org, =?utf-8?q?Zo=C3=AB?= <zoe@example.org>"
    message["Subject"] = "=?utf-8?q?caf=C3=A9?="
    message.attach(MIMEText("caf\u00e9", "plain", "utf-8"))
    message.attach(MIMEApplication(b"\x00\x01", Name="x.bin"))
    message.preamble = "This is MIME.\n"
    message.epilogue = "The end.\n"
    return message


def parsed(policy_: Any) -> Any:
    data = rich().as_bytes(policy=policy.SMTP)
    return message_from_bytes(data, policy=policy_)


def resent() -> EmailMessage:
    message = simple(Cc="carl@example.org")
    message["Resent-Date"] = "Tue, 24 Nov 2026 15:37:40 +0000"
    message["Resent-From"] = "rita@example.net"
    message["Resent-To"] = "tom@example.net"
    message["Resent-Bcc"] = "hidden@example.net"
    return message


SOURCES = {
    "simple": simple,
    "rich": rich,
    "old": old,
    "parsed": lambda: parsed(policy.default),
    "parsed, compat32": lambda: parsed(policy.compat32),
    "parsed, SMTP": lambda: parsed(policy.SMTP),
    "parsed, strict": lambda: parsed(policy.strict),
    "resent": resent,
}


def standard(source: Any) -> Any:
    """Return what a reader makes of what the standard library writes."""
    copied = copy.deepcopy(source)
    del copied["Bcc"]
    del copied["Resent-Bcc"]
    buffer = io.BytesIO()
    BytesGenerator(buffer, policy=policy.SMTP if hasattr(source, "iter_parts") else None, mangle_from_=False).flatten(
        copied, linesep="\r\n"
    )
    return message_from_bytes(buffer.getvalue(), policy=policy.default)


def contents(message: Any) -> Any:
    """Return all that matters of a message."""
    fields = [(name.lower(), str(value)) for name, value in message.items()]
    fields = [(name, value.split("boundary=")[0].strip()) for name, value in fields]
    if message.is_multipart():
        return fields, message.preamble, message.epilogue, [contents(part) for part in message.get_payload()]
    return fields, message.get_payload(decode=True).rstrip(b"\r\n")


@pytest.mark.parametrize("name", SOURCES)
def test_it_reads_like_what_the_standard_library_writes(name: str) -> None:
    source = SOURCES[name]()
    before = copy.deepcopy(source)
    message = message_of(source)
    assert contents(read(message)) == contents(standard(source))
    # The caller's object is as it was.
    assert source.items() == before.items()
    assert contents(source) == contents(before)
    assert wire(message_of(source))


@pytest.mark.parametrize("name", SOURCES)
def test_it_comes_back_as_an_object(name: str) -> None:
    message = message_of(SOURCES[name]())
    again = message_of(message.as_email_message())
    assert contents(read(again)) == contents(read(message))


def test_bcc_is_for_the_envelope_only() -> None:
    source = simple(Cc="carl@example.org", Bcc="Secret <secret@example.org>, bob@example.org")
    message = message_of(source)
    assert message.from_ == "ada@example.org"
    assert message.recipients == ("bob@example.org", "carl@example.org", "secret@example.org")
    assert b"ecret" not in wire(message)
    assert b"bcc" not in wire(message).lower()
    assert source["Bcc"] == "Secret <secret@example.org>, bob@example.org"
    for spelled in ("BCC", "bcc", "bCc"):
        other = MIMEText("x")
        other["From"] = "a@b"
        other[spelled] = "secret@example.org"
        other[spelled] = "secret2@example.org"
        assert message_of(other).recipients == ("secret@example.org", "secret2@example.org")
        assert b"secret" not in wire(message_of(other))


def test_bcc_is_not_composed_either() -> None:
    data = wire(letter(bcc="secret@example.org", text="x"))
    assert b"secret" not in data
    assert b"bcc" not in data.lower()


def test_resent_fields_make_the_envelope() -> None:
    message = message_of(resent())
    assert message.from_ == "rita@example.net"
    assert message.recipients == ("tom@example.net", "hidden@example.net")
    data = wire(message)
    assert b"hidden" not in data
    assert b"Resent-To: tom@example.net\r\n" in data
    assert b"Cc: carl@example.org\r\n" in data
    source = resent()
    source["Resent-Sender"] = "sam@example.net"
    assert message_of(source).from_ == "sam@example.net"


def test_of_several_resent_blocks_none_can_be_chosen() -> None:
    source = resent()
    source["Resent-From"] = "again@example.net"
    message = message_of(source)
    wire(message)
    with pytest.raises(ConfigurationError, match="resent more than once"):
        _ = message.from_
    with pytest.raises(ConfigurationError, match="resent more than once"):
        _ = message.recipients


@pytest.mark.parametrize(
    ("fields", "from_", "recipients"),
    [
        ({}, "", ()),
        ({"From": "a@b"}, "a@b", ()),
        ({"To": "a@b"}, "", ("a@b",)),
        ({"From": "a@b, c@d", "Sender": "c@d"}, "c@d", ()),
        ({"From": "a@b, c@d"}, "a@b", ()),
        ({"To": "friends: a@b, c@d;, e@f", "Cc": "undisclosed-recipients:;"}, "", ("a@b", "c@d", "e@f")),
        ({"To": "a@b", "Cc": "A <a@B>", "Bcc": "c@d"}, "", ("a@b", "c@d")),
        ({"To": "=?utf-8?q?Zo=C3=AB?= <z@b>"}, "", ("z@b",)),
        ({"To": "a@b,\r\n c@d"}, "", ("a@b", "c@d")),
        ({"To": ""}, "", ()),
    ],
)
def test_the_envelope_of_the_header(fields: dict[str, str], from_: str, recipients: tuple[str, ...]) -> None:
    text = "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\nbody\r\n"
    for reader in (policy.default, policy.compat32):
        source: Any = message_from_string(text, policy=reader)
        message = message_of(source)
        assert message.from_ == from_
        assert message.recipients == recipients


def test_an_address_in_doubt_is_told_to_who_asks() -> None:
    source: Any = message_from_string("From: a@b\r\nTo: not an address\r\n\r\nx", policy=policy.compat32)
    message = message_of(source)
    assert message.from_ == "a@b"
    with pytest.raises(ConfigurationError, match="not an address"):
        _ = message.recipients


@pytest.mark.parametrize("reader", [policy.default, policy.compat32, policy.SMTP, policy.SMTPUTF8])
def test_addresses_in_utf8(reader: Any) -> None:
    message = letter(to=("Zo\u00eb", "zo\u00eb@example.org"), subject="\u00e9", text="x")
    for source in (message_from_bytes(wire(message), policy=reader), message.as_email_message()):
        again = message_of(source)
        assert again.needs_smtputf8
        assert again.recipients == ("zo\u00eb@example.org",)
        assert again.as_7bit() is None
        assert again.as_email_message()["To"].addresses[0].addr_spec == "zo\u00eb@example.org"
    new = EmailMessage()
    new["From"] = "ada@example.org"
    new["To"] = Address("Zo\u00eb", "zo\u00eb", "b\u00fccher.example")
    again = message_of(new)
    assert again.needs_smtputf8
    assert again.recipients == ("zo\u00eb@b\u00fccher.example",)


def test_domains_become_a_labels_in_7_bits() -> None:
    message = message_of(letter(to="ada@b\u00fccher.example", text="x").as_email_message())
    other = message.as_7bit()
    assert other is not None
    assert not other.needs_8bit
    assert other.recipients == ("ada@xn--bcher-kva.example",)
    wire(other)


@pytest.mark.parametrize("cte", ["8bit", "binary", ""])
@pytest.mark.parametrize("type_", ["text/plain; charset=utf-8", "text/plain; charset=latin-1", "application/x"])
def test_8_bit_bodies_can_be_encoded(cte: str, type_: str) -> None:
    head = f"From: a@b\r\nContent-Type: {type_}\r\n" + (f"Content-Transfer-Encoding: {cte}\r\n" if cte else "")
    body = "caf\u00e9 au lait\r\n" * 3
    charset = "latin-1" if "latin" in type_ else "utf-8"
    data = f"MIME-Version: 1.0\r\n{head}\r\n".encode() + body.encode(charset)
    message = message_of(message_from_bytes(data, policy=policy.default))
    assert message.needs_8bit
    assert wire(message) == data
    other = message.as_7bit()
    assert other is not None
    assert wire(other).isascii()
    assert read(other).get_payload(decode=True) == body.encode(charset)


def test_8_bit_containers_are_declared_anew() -> None:
    source = rich()
    message = message_of(source)
    other = message.as_7bit()
    assert other is not None
    assert shape(read(other)) == shape(read(message))
    assert b"8bit" not in wire(other)


def test_signed_parts_are_never_changed() -> None:
    data = (
        b"From: a@b\r\nContent-Type: multipart/signed; boundary=x; protocol=p; micalg=m\r\nMIME-Version: 1.0\r\n\r\n"
        b"--x\r\nContent-Type: text/plain;  charset=utf-8\r\nX-Long: " + b"word " * 40 + b"end\r\n"
        b"Content-Transfer-Encoding: 8bit\r\n\r\ncaf\xc3\xa9  \r\n\r\n"
        b"--x\r\nContent-Type: application/pgp-signature\r\n\r\nSIG\r\n--x--\r\n"
    )
    for reader in (policy.default, policy.compat32):
        message = message_of(message_from_bytes(data, policy=reader))
        signed = data.partition(b"--x\r\n")[2]
        assert wire(message).partition(b"--x\r\n")[2] == signed
        assert message.as_7bit() is None


def test_what_the_parser_let_pass() -> None:
    broken = [
        b"",
        b"no header at all",
        b"X\xff: y\r\n\r\n",
        b"From: a@b\r\nContent-Type: multipart/mixed\r\n\r\nno parts",
        b"From: a@b\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n--y",
        b"From: =?utf-8?q?=ff?= <a@b>\r\nSubject: =?unknown?q?x?=\r\n\r\n",
        b"Subject: \xff\xfe\r\n\r\n\xff",
        b"Content-Type: text/plain; charset=unknown\r\n\r\n\xe9",
        b"Content-Type: message/rfc822\r\n\r\nX: y\r\n\r\nz",
        b"Content-Type: message/delivery-status\r\n\r\nA: b\r\n\r\nC: d\r\n",
        b"Date: nonsense\r\nMessage-ID: <>\r\nTo: @@@\r\n\r\n",
        b"To: " + b"a" * 3000 + b"\r\n\r\n",
        b"Content-Transfer-Encoding: base64\r\n\r\n!!!",
        b"Content-Type: ;;;\r\nContent-Disposition: ;=\r\n\r\n",
    ]
    for data in broken:
        for reader in (policy.default, policy.compat32):
            try:
                message = message_of(message_from_bytes(data, policy=reader))
                wire(message)
                if (other := message.as_7bit()) is not None:
                    assert wire(other).isascii()
            except ConfigurationError:
                pass


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                b"From: a@b\r\n",
                b"Subject: x\xe9\r\n",
                b"To: a@b, c\r\n",
                b"\r\n",
                b"\n",
                b"--x\r\n",
                b"--x--",
                b"text \xff",
                b"Content-Type: multipart/mixed; boundary=x\r\n",
                b"Content-Type: message/rfc822\r\n",
                b"\0",
                b"\r",
                b"Content-Transfer-Encoding: 8bit\r\n",
                b"=?utf-8?q?=0d=0a?=",
                b": ",
                b" folded\r\n",
                b"Bcc: eve@b\r\n",
            ]
        ),
        max_size=15,
    )
)
def test_anything_is_written_soundly_or_refused(pieces: list[bytes]) -> None:
    for reader in (policy.default, policy.compat32):
        source = message_from_bytes(b"".join(pieces), policy=reader)
        try:
            message = message_of(source)
            other = message.as_7bit()
        except ConfigurationError:
            continue
        data = b"".join(message.chunks())
        assert data.count(b"\r") == data.count(b"\n") == data.count(b"\r\n")
        assert b"\nbcc" not in header_of(data).lower()
        assert other is None or b"".join(other.chunks()).isascii()


@pytest.mark.parametrize("bad", [5, [5], b"bytes", {"a": 1}])
def test_what_cannot_be_written(bad: Any) -> None:
    source = OldMessage()
    source["From"] = "a@b"
    source._payload = bad  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError):
        message_of(source)


def test_long_lines_of_others_stay() -> None:
    source = message_from_bytes(b"From: a@b\r\n\r\n" + b"x" * 2000, policy=policy.default)
    assert message_of(source).longest_line == 2000


def test_text_is_in_7_bits_if_it_can() -> None:
    source = simple()
    source.set_content("caf\u00e9", cte="8bit")
    message = message_of(source)
    assert message.needs_8bit
    other = message.as_7bit()
    assert other is not None
    assert text_of(read(other)) == "caf\u00e9\n"
    assert other.message_id == message.message_id
    assert other.recipients == message.recipients
