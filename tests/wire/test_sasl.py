"""SASL mechanisms: the RFCs' own examples, scramp's server at the other end, servers that lie, and who is chosen when."""

from __future__ import annotations

import base64

import pytest

from netclients.config import External, Login
from netclients.errors import ConfigurationError, ProtocolError, UnsupportedError
from netclients.wire import sasl
from netclients.wire.sasl import ChannelBinding, Token
from netclients.wire.sasl.scram import Scram

TIM = Login("tim", "tanstaaftanstaaf")
TOKEN = Token("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg==")
UNIQUE = ChannelBinding("tls-unique", b"finished")


# The RFCs' examples


def test_plain_rfc4616() -> None:
    assert sasl.choose(["PLAIN"], TIM, secure=True).initial == b"\0tim\0tanstaaftanstaaf"


def test_cram_md5_rfc2195() -> None:
    exchange = sasl.choose(["CRAM-MD5"], TIM, secure=False)
    assert exchange.initial is None
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    assert exchange.respond(challenge) == b"tim b913a602c7eda7a495b4e6e7334d3890"
    exchange.conclude(None)


RFC_SCRAM = [
    pytest.param(
        "SCRAM-SHA-1",
        "fyko+d2lbbFgONRv9qkxdawL",
        b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
        id="RFC 5802 section 5",
    ),
    pytest.param(
        "SCRAM-SHA-256",
        "rOprNGfwEbeRWgbNEkqO",
        b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
        b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        id="RFC 7677 section 3",
    ),
]


@pytest.mark.parametrize(("name", "nonce", "initial", "first", "final", "proof"), RFC_SCRAM)
def test_scram_examples(name: str, nonce: str, initial: bytes, first: bytes, final: bytes, proof: bytes) -> None:
    exchange = Scram(name, "user", "pencil", nonce=nonce)
    assert exchange.initial == initial
    assert exchange.respond(first) == final
    assert exchange.respond(proof) == b""
    exchange.conclude(None)


def test_oauthbearer_rfc7628() -> None:
    exchange = sasl.choose(
        ["OAUTHBEARER"],
        Token("user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="),
        secure=True,
        host="server.example.com",
        port=143,
    )
    assert exchange.initial == base64.b64decode(
        "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52"
        "YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
    )
    assert exchange.respond(b'{"status":"invalid_token"}') == b"\x01"


def test_xoauth2_googles_example() -> None:
    exchange = sasl.choose(["XOAUTH2"], TOKEN, secure=True)
    assert exchange.initial == (
        b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg==\x01\x01"
    )
    assert exchange.respond(b'{"status":"400","schemes":"Bearer"}') == b""


def test_external_rfc4422() -> None:
    assert sasl.choose(["EXTERNAL"], External(), secure=True).initial == b""
    assert sasl.choose(["EXTERNAL"], External("fred@example.com"), secure=True).initial == b"fred@example.com"


def test_login_answers_in_order_whatever_is_asked() -> None:
    exchange = sasl.choose(["LOGIN"], TIM, secure=True)
    assert exchange.initial is None
    assert [exchange.respond(b"Password:"), exchange.respond(b"")] == [b"tim", b"tanstaaftanstaaf"]
    exchange.conclude(None)
    with pytest.raises(ProtocolError, match="LOGIN"):
        exchange.respond(b"Once more:")
