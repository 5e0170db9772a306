"""DKIM: dkimpy's own verifier accepts what was signed, and nothing else."""

from __future__ import annotations

import base64
import logging
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from netclients.errors import ConfigurationError, LocalFileError
from netclients.mail import DKIM, Message, message_of, sign
from tests.mail.letters import header_of, letter, wire

_KEY = rsa.generate_private_key(65537, 2048)
PEM = _KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
PKCS8 = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
PUBLIC = base64.b64encode(_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))

SETTINGS = DKIM("example.org", "s1", PEM)
FORMS = ["relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple"]


def record(name: bytes, timeout: int = 5) -> bytes:
    assert name == b"s1._domainkey.example.org."
    return b"v=DKIM1; k=rsa; p=" + PUBLIC


def verified(data: bytes) -> bool:
    return bool(dkim.verify(data, dnsfunc=record))


def arrived(data: bytes) -> bytes:
    """Return it as it arrives: DATA ends every line."""
    return data if data.endswith(b"\r\n") or not data else data + b"\r\n"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "key", [PEM, PKCS8, PEM.encode(), PEM.replace("\n", "\r\n")], ids=["pem", "pkcs8", "bytes", "crlf"]
)
def test_what_is_signed_verifies(form: str, key: Any) -> None:
    settings = DKIM("example.org", "s1", key, canonicalization=form, identity="@example.org")
    message = letter(
        subject="caf\u00e9 " * 40,
        to=[f"Somebody Else <b{number}@example.org>" for number in range(20)],
        text="a  b \n\n\nc\t\n\n\n",
        html="<p>x</p>",
        attachments=[("a.bin", bytes(300_000))],
        dkim=settings,
    )
    data = wire(message)
    assert data.startswith(b"DKIM-Signature: ")
    assert verified(data)
    assert not verified(data.replace(b"<p>x</p>", b"<p>y</p>"))
    assert not verified(data.replace(b"Subject: ", b"Subject: x"))
    assert not verified(b"From: eve@example.org\r\n" + data)
    assert message.longest_line <= 998
    assert message.from_ == "ada@example.org"
    assert len(message.recipients) == 20
    assert verified(wire(message))


@pytest.mark.parametrize("form", FORMS)
def test_files_are_signed_without_being_held(form: str, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with path.open("wb") as file:
        file.truncate(20 * 1024 * 1024)
    settings = DKIM("example.org", "s1", PEM, canonicalization=form)
    letter(dkim=settings)
    tracemalloc.start()
    try:
        message = letter(text="x", attachments=[path], dkim=settings)
        assert sum(map(len, message.chunks())) == message.size
        assert tracemalloc.get_traced_memory()[1] < 6 * 1024 * 1024
    finally:
        tracemalloc.stop()
    assert message.content is None
    assert verified(wire(message))


BODIES = [
    b"",
    b"\r\n",
    b"\r\n\r\n\r\n",
    b"x",
    b"x\r\n",
    b"x\r\n\r\n",
    b" \r\n",
    b"x \r\n \r\n",
    b" x\t\ty \r\n\r\nz",
    b"\t",
]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("body", BODIES)
def test_bodies_at_the_edge(form: str, body: bytes, tmp_path: Path) -> None:
    data = b"From: ada@example.org\r\nSubject: x\r\n\r\n" + body
    settings = DKIM("example.org", "s1", PEM, canonicalization=form)
    (tmp_path / "m.eml").write_bytes(data)
    for source in (data, tmp_path / "m.eml"):
        assert verified(arrived(wire(sign(message_of(source), settings))))


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([b"a", b" ", b"\t", b"\r\n", b"  \r\n"]), max_size=12), st.integers(1, 6), st.booleans()
)
def test_portions_make_no_difference(pieces: list[bytes], step: int, relaxed: bool) -> None:
    from netclients.mail.dkim import _canonical

    body = b"".join(pieces)
    chunks = iter([body[at : at + step] for at in range(step, len(body), step)])
    ours = b"".join(_canonical(body[:step], chunks, relaxed))
    ours += b"\r\n" if ours or not relaxed else b""
    theirs = (dkim.canonicalization.Relaxed if relaxed else dkim.canonicalization.Simple).canonicalize_body(
        arrived(body)
    )
    assert ours == theirs


def test_the_7_bit_form_is_signed_anew() -> None:
    data = b"From: ada@example.org\r\nSubject: x\r\n\r\nplain\r\n"
    message = sign(message_of(data), SETTINGS)
    assert message.as_7bit() is message
    composed = letter(to="b@b\u00fccher.example", text="x", dkim=SETTINGS)
    other = composed.as_7bit()
    assert other is not None
    assert not other.needs_8bit
    assert other.recipients == ("b@xn--bcher-kva.example",)
    assert verified(wire(other))
    # Raw bytes are never changed, and a signature that is there already would break.
    assert sign(message_of(data + b"\xe9"), SETTINGS).as_7bit() is None
    signed = message_of(sign(message_of(data + b"\xe9"), SETTINGS).as_email_message())
    assert signed.as_7bit() is None


def test_an_object_of_the_email_package_keeps_its_signature() -> None:
    message = letter(subject="x" * 70 + " y" * 40, text="x", dkim=SETTINGS)
    again = message_of(message.as_email_message())
    assert verified(wire(again))


def test_which_headers_are_signed() -> None:
    settings = DKIM("example.org", "s1", PEM, headers=("From", "Subject", "Subject"))
    data = wire(letter(subject="x", cc="c@example.org", dkim=settings))
    assert b";h=from:subject:subject;" in b"".join(data.lower().split())
    assert verified(data)
    assert verified(data.replace(b"Cc: c@", b"Cc: d@"))
    assert not verified(data.replace(b"MIME-Version", b"Subject: second\r\nMIME-Version"))


def test_the_key_is_not_shown() -> None:
    assert "PRIVATE" not in repr(SETTINGS)
    assert PEM[40:80] not in repr(SETTINGS)
    secret = "not a key: hunter2"
    with pytest.raises(ConfigurationError, match="can't sign") as caught:
        letter(dkim=DKIM("example.org", "s1", secret))
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "arguments",
    [
        {"domain": ""},
        {"domain": "exa mple.org"},
        {"domain": None},
        {"selector": ""},
        {"selector": "a;b"},
        {"private_key": 7},
        {"private_key": ""},
        {"headers": "From"},
        {"headers": ()},
        {"headers": ("Subject",)},
        {"headers": ("From", "X Y")},
        {"headers": ("From", 3)},
        {"canonicalization": "relaxed"},
        {"algorithm": "rsa-sha1"},
        {"identity": "@b\u00fccher.example"},
        {"identity": "a b"},
        {"identity": ""},
    ],
)
def test_settings_are_checked(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="dkim"):
        DKIM(**{"domain": "example.org", "selector": "s1", "private_key": PEM, **arguments})


def test_an_identity_of_another_domain_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        letter(dkim=DKIM("example.org", "s1", PEM, identity="@example.net"))


def test_without_dkimpy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dkim", None)
    with pytest.raises(ConfigurationError, match=r"netclients\[dkim\]"):
        letter(dkim=SETTINGS)


def test_what_cannot_arrive_as_it_is_is_not_signed() -> None:
    for data in (b"From: a@b\r\n\r\n\0", b"From: a@b\r\n\r\n\n"):
        with pytest.raises(ConfigurationError, match="can't be signed"):
            sign(message_of(data, binary=True), SETTINGS)
    with pytest.raises(ConfigurationError):
        sign(message_of(b"Subject: no author\r\n\r\nx"), SETTINGS)


def test_files_that_change_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"x")
    message = letter(attachments=[tmp_path / "a.bin"])
    (tmp_path / "a.bin").write_bytes(b"xy")
    with pytest.raises(LocalFileError):
        sign(message, SETTINGS)


def test_no_log_handler_appears() -> None:
    before = {name: list(getattr(logger, "handlers", [])) for name, logger in logging.root.manager.loggerDict.items()}
    letter(dkim=SETTINGS)
    after = {name: list(getattr(logger, "handlers", [])) for name, logger in logging.root.manager.loggerDict.items()}
    assert {name: found for name, found in after.items() if found} == {name: f for name, f in before.items() if f}


def test_a_signed_message_is_a_message() -> None:
    message = sign(letter(text="x"), SETTINGS)
    assert isinstance(message, Message)
    assert message_of(message) is message
    assert b"d=example.org;" in header_of(wire(message))
    twice = sign(message, SETTINGS)
    assert wire(twice).count(b"DKIM-Signature") == 2
