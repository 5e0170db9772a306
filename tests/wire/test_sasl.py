"""SASL: the RFCs' own examples, which mechanism is chosen, and servers that ask for more. SCRAM has its own file."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from netclients.config import External, Login, OAuth
from netclients.errors import ConfigurationError, NetClientError, ProtocolError, UnsupportedError
from netclients.wire import sasl
from netclients.wire.sasl import MECHANISMS, ChannelBinding, Exchange, Token

TIM = Login("tim", "tanstaaftanstaaf")
TOKEN = Token("someuser@example.com", "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg==")
UNIQUE = ChannelBinding("tls-unique", b"finished")
END_POINT = ChannelBinding("tls-server-end-point", b"hash of the certificate")
EXPORTER = ChannelBinding("tls-exporter", b"exported")
DOUBTFUL = ChannelBinding("tls-unique", b"finished", doubtful=True)


def begin(name: str, credentials: Login | Token | External = TIM, **more: object) -> Exchange:
    return sasl.choose([name], credentials, secure=True, allowed=[name], **more)  # type: ignore[arg-type]


# The RFCs' examples


def test_plain_rfc4616() -> None:
    assert begin("PLAIN").initial == b"\0tim\0tanstaaftanstaaf"


def test_cram_md5_rfc2195() -> None:
    exchange = begin("CRAM-MD5")
    assert exchange.initial is None
    challenge = b"<1896.697170952@postoffice.reston.mci.net>"
    assert exchange.respond(challenge) == b"tim b913a602c7eda7a495b4e6e7334d3890"
    exchange.conclude(None)


def test_oauthbearer_rfc7628() -> None:
    token = Token("user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==")
    exchange = begin("OAUTHBEARER", token, host="server.example.com", port=143)
    assert exchange.initial == base64.b64decode(
        "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52"
        "YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
    )


def test_oauthbearer_without_server_and_with_an_odd_name() -> None:
    assert begin("OAUTHBEARER", Token("a=b,ü", "t")).initial == "n,a=a=3Db=2Cü,\x01auth=Bearer t\x01\x01".encode()


def test_xoauth2_googles_example() -> None:
    assert begin("XOAUTH2", TOKEN).initial == (
        b"user=someuser@example.com\x01auth=Bearer ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg==\x01\x01"
    )


@pytest.mark.parametrize(("name", "answer"), [("OAUTHBEARER", b"\x01"), ("XOAUTH2", b"")])
def test_a_refused_token_is_acknowledged_once(name: str, answer: bytes) -> None:
    exchange = begin(name, TOKEN)
    assert exchange.respond(b'{"status":"invalid_token","scope":"mail"}') == answer
    with pytest.raises(ProtocolError, match=name):
        exchange.respond(b'{"status":"invalid_token","scope":"mail"}')


def test_external_rfc4422() -> None:
    assert begin("EXTERNAL", External()).initial == b""
    assert begin("EXTERNAL", External("fred@example.com")).initial == b"fred@example.com"


@pytest.mark.parametrize("prompts", [(b"User Name\0", b"Password\0"), (b"Password:", b""), (b"\xff", b"Username:")])
def test_login_answers_in_order_whatever_is_asked(prompts: tuple[bytes, bytes]) -> None:
    exchange = begin("LOGIN")
    assert exchange.initial is None
    assert [exchange.respond(prompt) for prompt in prompts] == [b"tim", b"tanstaaftanstaaf"]
    exchange.conclude(None)
    with pytest.raises(ProtocolError, match="LOGIN"):
        exchange.respond(b"Once more:")


# Servers that ask for more


@pytest.mark.parametrize("name", ["PLAIN", "EXTERNAL"])
def test_who_has_said_all_has_no_answer(name: str) -> None:
    exchange = begin(name, External() if name == "EXTERNAL" else TIM)
    with pytest.raises(ProtocolError, match=name):
        exchange.respond(b"")


def test_cram_md5_answers_one_challenge() -> None:
    exchange = begin("CRAM-MD5")
    with pytest.raises(ProtocolError, match="empty challenge"):
        exchange.respond(b"")
    exchange.respond(b"<1@x>")
    with pytest.raises(ProtocolError, match="CRAM-MD5"):
        exchange.respond(b"<2@x>")


@pytest.mark.parametrize("name", MECHANISMS)
def test_no_mechanism_reads_ten_megabytes(name: str) -> None:
    credentials = TOKEN if "OAUTH" in name else External() if name == "EXTERNAL" else TIM
    exchange = begin(name, credentials, bindings=[UNIQUE])
    with pytest.raises(ProtocolError, match=name):
        exchange.respond(b"x" * 10_000_000)


# What can't be sent


class Unchecked:
    user = "tim"
    password = "a\0b"


@pytest.mark.parametrize("name", ["PLAIN", "LOGIN", "CRAM-MD5"])
def test_nul_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="NUL in the password"):
        begin(name, Unchecked())  # type: ignore[arg-type]


@pytest.mark.parametrize("token", [Token("a\x01auth=Bearer other", "t"), Token("a", "t\x01host=elsewhere")])
@pytest.mark.parametrize("name", ["OAUTHBEARER", "XOAUTH2"])
def test_a_token_can_not_smuggle_fields(name: str, token: Token) -> None:
    with pytest.raises(ConfigurationError, match="control character"):
        begin(name, token)


@pytest.mark.parametrize(
    ("password", "sent"),
    [("pässwörd", "pässwörd".encode()), ("\udce4", b"\xe4"), ("\N{GRINNING FACE}", b"\xf0\x9f\x98\x80")],
)
def test_non_ascii_passwords_are_utf8_or_the_bytes_of_a_url(password: str, sent: bytes) -> None:
    login = Login("jürgen", password)
    user = "jürgen".encode()
    assert begin("PLAIN", login).initial == b"\0%s\0%s" % (user, sent)
    digest = hmac.new(sent, b"<1@x>", hashlib.md5).hexdigest().encode()
    assert begin("CRAM-MD5", login).respond(b"<1@x>") == b"%s %s" % (user, digest)


def test_lone_surrogates_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="lone surrogate in the password"):
        begin("PLAIN", Login("tim", "\ud800"))


# Which mechanism

ALL = [*MECHANISMS, "DIGEST-MD5", "GSSAPI", "NTLM", "SCRAM-SHA-512"]
PASSWORD_ORDER = [
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1",
    "CRAM-MD5",
    "PLAIN",
    "LOGIN",
]
CHOICES = [
    *((PASSWORD_ORDER[place:], TIM, True, [UNIQUE], name) for place, name in enumerate(PASSWORD_ORDER)),
    (ALL, TIM, True, [UNIQUE], "SCRAM-SHA-256-PLUS"),
    (ALL, TIM, True, [], "SCRAM-SHA-256"),
    (ALL, TIM, True, [EXPORTER], "SCRAM-SHA-256"),
    (ALL, TIM, True, [DOUBTFUL], "SCRAM-SHA-256"),
    (ALL, TIM, True, [DOUBTFUL, END_POINT], "SCRAM-SHA-256-PLUS"),
    (ALL, TIM, False, [], "SCRAM-SHA-256"),
    (["login", "plain"], TIM, True, [], "PLAIN"),
    (["LOGIN", "PLAIN", "CRAM-MD5"], TIM, False, [], "CRAM-MD5"),
    (ALL, TOKEN, True, [], "OAUTHBEARER"),
    (["PLAIN", "XOAUTH2"], TOKEN, True, [], "XOAUTH2"),
    (ALL, External("fred"), True, [UNIQUE], "EXTERNAL"),
    (ALL, External(), False, [], "EXTERNAL"),
    (["SCRAM-SHA-256-PLUS"], TIM, True, [], None),
    (["PLAIN", "LOGIN"], TIM, False, [], None),
    (ALL, TOKEN, False, [], None),
    (["PLAIN", "LOGIN"], TOKEN, True, [], None),
    (["XOAUTH2", "EXTERNAL"], TIM, True, [], None),
    (["PLAIN"], External(), True, [], None),
    ([], TIM, True, [], None),
]


@pytest.mark.parametrize(("offered", "credentials", "secure", "bindings", "chosen"), CHOICES)
@pytest.mark.parametrize("turn", [list, lambda names: list(reversed(names)), lambda names: [n.lower() for n in names]])
def test_choice(
    turn: Callable[[list[str]], list[str]],
    offered: list[str],
    credentials: Login | Token | External,
    secure: bool,
    bindings: list[ChannelBinding],
    chosen: str | None,
) -> None:
    if chosen is not None:
        assert sasl.choose(turn(offered), credentials, secure=secure, bindings=bindings).name == chosen
        return
    with pytest.raises(UnsupportedError) as caught:
        sasl.choose(turn(offered), credentials, secure=secure, bindings=bindings)
    assert all(name in str(caught.value) for name in offered)
    assert ("not encrypted" in str(caught.value)) is not secure


@pytest.mark.parametrize(
    ("allowed", "chosen"),
    [
        (["plain"], "PLAIN"),
        ({"LOGIN", "CRAM-MD5"}, "CRAM-MD5"),
        (("SCRAM-SHA-1", "SCRAM-SHA-256"), "SCRAM-SHA-256"),
        (["EXTERNAL", "LOGIN"], "LOGIN"),
        (["SCRAM-SHA-256-PLUS"], "SCRAM-SHA-256-PLUS"),
        (["SCRAM-SHA-1-PLUS", "PLAIN"], "SCRAM-SHA-1-PLUS"),
    ],
)
def test_only_what_is_allowed(allowed: list[str], chosen: str) -> None:
    exchange = sasl.choose(ALL, TIM, secure=True, bindings=[DOUBTFUL], allowed=allowed)
    assert exchange.name == chosen


@pytest.mark.parametrize("allowed", [["XOAUTH2"], ["EXTERNAL"], ["SCRAM-SHA-256-PLUS"]])
def test_nothing_but_what_is_allowed(allowed: list[str]) -> None:
    with pytest.raises(UnsupportedError, match="DIGEST-MD5"):
        sasl.choose(ALL, TIM, secure=True, allowed=allowed)


@pytest.mark.parametrize("allowed", [["PLAIN", "DIGEST-MD5"], ["SCRAM"], [], "PLAIN", [""]])
def test_unknown_names_are_mistakes_of_the_caller(allowed: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="SASL mechanism"):
        sasl.choose(ALL, TIM, secure=True, allowed=allowed)


def test_an_offer_is_shown_without_control_characters_and_at_bearable_length() -> None:
    with pytest.raises(UnsupportedError) as caught:
        sasl.choose(["\x1b[2J", "X" * 100_000], TIM, secure=True)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 2000


def test_other_credentials_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="OAuth"):
        sasl.choose(ALL, OAuth("a", "t"), secure=True)  # type: ignore[arg-type]


# No secret is shown


def test_no_secret_in_a_repr() -> None:
    shown = repr([TOKEN, UNIQUE, *(begin(name, bindings=[UNIQUE]) for name in PASSWORD_ORDER), begin("XOAUTH2", TOKEN)])
    assert not any(secret in shown for secret in (TIM.password, TOKEN.token, "finished"))


def test_no_secret_in_an_error() -> None:
    secret = "geheim\ud800\0"
    for name in PASSWORD_ORDER:
        login = Unchecked()
        login.password = secret
        with pytest.raises(NetClientError) as caught:
            begin(name, login, bindings=[UNIQUE])  # type: ignore[arg-type]
        assert "geheim" not in str(caught.value)
        assert "geheim" not in repr(caught.value.__cause__)


# Base64


@given(st.binary(max_size=9216))
@example(b"")
def test_base64_round_trips(data: bytes) -> None:
    assert sasl.decode(sasl.encode(data)) == data
    assert b"\n" not in sasl.encode(data)


def test_the_empty_one_stays_empty() -> None:
    assert sasl.encode(b"") == b""
    assert sasl.decode(b"") == b""


@pytest.mark.parametrize(
    "line",
    [b"=", b"====", b"YQ", b"YQ=", b"YQ==YQ==", b"YQ==\n", b" YQ==", b"YWJj*", b"\xff\xfe", b"_-_-", b"A" * 12_292],
)
def test_what_is_not_base64(line: bytes) -> None:
    with pytest.raises(ProtocolError, match="challenge"):
        sasl.decode(line)


def test_ten_megabytes_are_not_decoded() -> None:
    with pytest.raises(ProtocolError, match="12288"):
        sasl.decode(b"A" * 10_000_000)
    assert len(sasl.decode(b"A" * 12_288)) == 9216
