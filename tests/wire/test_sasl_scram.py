"""SCRAM: the RFCs' own examples, scramp's server at the other end, and servers that lie."""

from __future__ import annotations

import time

import pytest
import scramp
from hypothesis import given, settings
from hypothesis import strategies as st

from netclients.config import Login
from netclients.errors import ConfigurationError, ProtocolError
from netclients.wire import sasl
from netclients.wire.sasl import ChannelBinding, Exchange
from netclients.wire.sasl.scram import FEWEST_ITERATIONS, MOST_ITERATIONS, Scram

TIM = Login("tim", "tanstaaftanstaaf")
UNIQUE = ChannelBinding("tls-unique", b"finished")
END_POINT = ChannelBinding("tls-server-end-point", b"hash of the certificate")
EXPORTER = ChannelBinding("tls-exporter", b"exported")


def begin(name: str, login: Login = TIM, bindings: list[ChannelBinding] | None = None) -> Exchange:
    return sasl.choose([name], login, secure=True, allowed=[name], bindings=bindings or [])


SHA1_FIRST = b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"
SHA1_PROOF = b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ="
RFC_SCRAM = [
    pytest.param(
        "SCRAM-SHA-1",
        "fyko+d2lbbFgONRv9qkxdawL",
        b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
        SHA1_FIRST,
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
        SHA1_PROOF,
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


@pytest.mark.parametrize("proof_comes_with_success", [False, True])
@pytest.mark.parametrize(("name", "nonce", "initial", "first", "final", "proof"), RFC_SCRAM)
def test_scram_examples(
    name: str, nonce: str, initial: bytes, first: bytes, final: bytes, proof: bytes, proof_comes_with_success: bool
) -> None:
    exchange = Scram(name, "user", "pencil", nonce=nonce)
    assert exchange.name == name
    assert exchange.initial == initial
    assert exchange.respond(first) == final
    if proof_comes_with_success:
        exchange.conclude(proof)
    else:
        assert exchange.respond(proof) == b""
        exchange.conclude(None)


# A server that plays by the rules: scramp's

text = st.text(st.characters(min_codepoint=32, max_codepoint=0x24F, exclude_categories=("Cc", "Cf")), min_size=1)


def scram_server(
    name: str, users: dict[str, str], binding: ChannelBinding | None = None, iterations: int = 4096
) -> scramp.core.ScramServer:
    mechanism = scramp.ScramMechanism(name)
    known = {user: mechanism.make_auth_info(password, iterations) for user, password in users.items()}
    bound = None if binding is None else (binding.kind, binding.data)
    return mechanism.make_server(known.get, channel_binding=bound)


def run(exchange: Exchange, server: scramp.core.ScramServer) -> None:
    assert exchange.initial is not None
    server.set_client_first(exchange.initial.decode())
    server.set_client_final(exchange.respond(server.get_server_first().encode()).decode())
    assert exchange.respond(server.get_server_final().encode()) == b""
    exchange.conclude(None)


@pytest.mark.parametrize("name", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
@pytest.mark.parametrize(
    ("user", "password", "known_as"),
    [
        ("user", "pencil", "user"),
        ("user", "", "user"),
        ("a=2C,b", "x,y=z", "a=2C,b"),
        ("jürgen", "pässwörd", "jürgen"),
        ("I\N{SOFT HYPHEN}X\N{NO-BREAK SPACE}", "\N{ROMAN NUMERAL NINE}", "IX "),
    ],
)
def test_round_trips(name: str, user: str, password: str, known_as: str) -> None:
    run(begin(name, Login(user, password)), scram_server(name, {known_as: password}))


@settings(max_examples=30, deadline=None)
@given(name=st.sampled_from(("SCRAM-SHA-1", "SCRAM-SHA-256")), user=text, password=st.just("") | text)
def test_any_round_trip(name: str, user: str, password: str) -> None:
    try:
        exchange = begin(name, Login(user, password))
    except ConfigurationError:
        return  # SASLprep does not like it
    run(exchange, scram_server(name, {scramp.utils.saslprep(user): password}))


@pytest.mark.parametrize("binding", [UNIQUE, END_POINT])
@pytest.mark.parametrize("name", ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"])
def test_bound_scram_round_trips(name: str, binding: ChannelBinding) -> None:
    exchange = begin(name, bindings=[EXPORTER, binding])
    assert exchange.initial is not None
    assert exchange.initial.startswith(b"p=%s,,n=tim,r=" % binding.kind.encode())
    run(exchange, scram_server(name, {"tim": TIM.password}, binding))


def test_a_relayed_login_does_not_fit_the_other_connection() -> None:
    exchange = begin("SCRAM-SHA-256-PLUS", bindings=[UNIQUE])
    server = scram_server("SCRAM-SHA-256-PLUS", {"tim": TIM.password}, ChannelBinding("tls-unique", b"another"))
    with pytest.raises(scramp.ScramException, match="channel bindings don't match"):
        run(exchange, server)


def test_a_server_whose_plus_was_struck_from_the_list_notices() -> None:
    exchange = begin("SCRAM-SHA-256", bindings=[UNIQUE])
    with pytest.raises(scramp.ScramException, match="channel binding"):
        run(exchange, scram_server("SCRAM-SHA-256", {"tim": TIM.password}, UNIQUE))


@pytest.mark.parametrize(
    ("offered", "bindings", "flag"),
    [
        (["SCRAM-SHA-256"], [], b"n"),
        (["SCRAM-SHA-256"], [UNIQUE], b"y"),
        (["SCRAM-SHA-256"], [EXPORTER], b"n"),
        (["SCRAM-SHA-256", "SCRAM-SHA-512-PLUS"], [UNIQUE], b"n"),
        (["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"], [UNIQUE], b"n"),
        (["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"], [], b"n"),
    ],
)
def test_the_flag_tells_the_truth(offered: list[str], bindings: list[ChannelBinding], flag: bytes) -> None:
    exchange = sasl.choose(offered, TIM, secure=True, bindings=bindings, allowed=["SCRAM-SHA-256"])
    assert exchange.initial is not None
    assert exchange.initial.startswith(flag + b",,n=tim,")


def test_nonces_differ() -> None:
    assert len({begin("SCRAM-SHA-256").initial for _ in range(100)}) == 100


# Servers that do not


def waiting(stage: str) -> Scram:
    exchange = Scram("SCRAM-SHA-1", "user", "pencil", nonce="fyko+d2lbbFgONRv9qkxdawL")
    if stage == "final":
        exchange.respond(SHA1_FIRST)
    return exchange


NONCE = b"fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j"
BAD_FIRST = [
    pytest.param(b"", id="empty"),
    pytest.param(b"\xff", id="not UTF-8"),
    pytest.param(b"r=someone+else,s=QSXCR+Q6sek8bf92,i=4096", id="another nonce"),
    pytest.param(b"r=fyko+d2lbbFgONRv9qkxdawL,s=QSXCR+Q6sek8bf92,i=4096", id="nonce not extended"),
    pytest.param(b"r=fyko+d2lbbFgONRv9qkxdaw,s=QSXCR+Q6sek8bf92,i=4096", id="nonce shortened"),
    pytest.param(b"s=QSXCR+Q6sek8bf92,i=4096", id="no nonce"),
    pytest.param(b"r=%s,i=4096" % NONCE, id="no salt"),
    pytest.param(b"r=%s,s=,i=4096" % NONCE, id="empty salt"),
    pytest.param(b"r=%s,s=QSXC,i=4096" % NONCE, id="short salt"),
    pytest.param(b"r=%s,s=QSXCR+Q6sek8bf9,i=4096" % NONCE, id="salt not base64"),
    pytest.param(b"r=%s,s=QSXCR+Q6sek8bf92" % NONCE, id="no count"),
    pytest.param(b"r=%s,s=QSXCR+Q6sek8bf92,i=" % NONCE, id="empty count"),
    pytest.param(b"r=%s,s=QSXCR+Q6sek8bf92,i=0" % NONCE, id="no iterations"),
    pytest.param(b"r=%s,s=QSXCR+Q6sek8bf92,i=-4096" % NONCE, id="negative"),
    pytest.param(b"r=%s,s=QSXCR+Q6sek8bf92,i=1" % NONCE, id="one iteration"),
    pytest.param(b"r=%s,s=QSXCR+Q6sek8bf92,i=%d" % (NONCE, FEWEST_ITERATIONS - 1), id="just too few"),
    pytest.param(b"r=%s,s=QSXCR+Q6sek8bf92,i=%d" % (NONCE, MOST_ITERATIONS + 1), id="just too many"),
    pytest.param(b"r=%s,s=QSXCR+Q6sek8bf92,i=9999999" % NONCE, id="what scramp allows"),
    pytest.param(b"r=%s,s=QSXCR+Q6sek8bf92,i=%s" % (NONCE, b"9" * 5000), id="more than int() takes"),
    pytest.param(b"r=%s,s=QSXCR+Q6sek8bf92,i=4096.0" % NONCE, id="fraction"),
    pytest.param("r=%s,s=QSXCR+Q6sek8bf92,i=\uff14\uff10\uff19\uff16".encode() % NONCE, id="fullwidth digits"),
    pytest.param(b"i=4096,s=QSXCR+Q6sek8bf92,r=%s" % NONCE, id="another order"),
    pytest.param(b"m=must,r=%s,s=QSXCR+Q6sek8bf92,i=4096" % NONCE, id="mandatory extension"),
    pytest.param(b"r=%s,s=QSXCR+Q6sek8bf92,i=4096,i=4097" % NONCE, id="twice"),
    pytest.param(b"r=%s,s=QSXCR+Q6sek8bf92,i=4096,x" % NONCE, id="half an extension"),
    pytest.param(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=", id="the last message first"),
    pytest.param(b"r=" + b"r" * 9_000, id="long nonce"),
    pytest.param(b"x" * 10_000_000, id="10 MB"),
]


@pytest.mark.parametrize("challenge", BAD_FIRST)
def test_bad_first_messages(challenge: bytes) -> None:
    started = time.perf_counter()
    with pytest.raises(ProtocolError, match="SCRAM-SHA-1"):
        waiting("first").respond(challenge)
    assert time.perf_counter() - started < 0.5


def test_the_most_iterations_are_still_computed() -> None:
    exchange = waiting("first")
    assert exchange.respond(b"r=%s,s=QSXCR+Q6sek8bf92,i=%d" % (NONCE, MOST_ITERATIONS)).startswith(b"c=biws,r=")


def test_optional_extensions_are_passed_over() -> None:
    server_first = SHA1_FIRST + b",x=anything"
    exchange = waiting("first")
    assert exchange.respond(server_first).startswith(b"c=biws,r=")
    with pytest.raises(ProtocolError, match="has not proven"):
        exchange.respond(SHA1_PROOF)  # it signs another conversation


BAD_FINAL = [
    pytest.param(b"", id="empty"),
    pytest.param(b"\xff", id="not UTF-8"),
    pytest.param(b"v=", id="no signature"),
    pytest.param(b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=", id="wrong signature"),
    pytest.param(b"v=rmF9pqV8S7suAoZWja4dJRkFsKU=", id="one bit wrong"),
    pytest.param(b"v=rmF9pqV8S7suAoZWja4dJRkFsA==", id="signature cut short"),
    pytest.param(b"v=%%%", id="not base64"),
    pytest.param(b"v=\xc3\xa4", id="not ASCII"),
    pytest.param(b"rmF9pqV8S7suAoZWja4dJRkFsKQ=", id="no attribute"),
    pytest.param(b"x=y", id="another attribute"),
    pytest.param(SHA1_FIRST, id="the first message again"),
    pytest.param(b"v=" + b"A" * 10_000_000, id="10 MB"),
]


@pytest.mark.parametrize("how", ["challenge", "additional"])
@pytest.mark.parametrize("final", BAD_FINAL)
def test_bad_signatures(final: bytes, how: str) -> None:
    exchange = waiting("final")
    with pytest.raises(ProtocolError, match="SCRAM-SHA-1"):
        exchange.respond(final) if how == "challenge" else exchange.conclude(final)
    with pytest.raises(ProtocolError, match="has not proven"):
        exchange.conclude(None)


@pytest.mark.parametrize("stage", ["first", "final"])
@pytest.mark.parametrize("additional", [None, b""])
def test_success_without_a_signature_is_none(stage: str, additional: bytes | None) -> None:
    with pytest.raises(ProtocolError, match="has not proven"):
        waiting(stage).conclude(additional)


def test_a_signature_before_the_proof_is_none() -> None:
    with pytest.raises(ProtocolError, match="has not proven"):
        waiting("first").conclude(SHA1_PROOF)


@pytest.mark.parametrize("stage", ["first", "final"])
def test_a_refusal_is_acknowledged_and_never_turns_into_success(stage: str) -> None:
    exchange = waiting(stage)
    assert exchange.respond(b"e=invalid-proof") == b""  # 535 follows, and is an AuthenticationError
    with pytest.raises(ProtocolError, match="has not proven"):
        exchange.conclude(SHA1_PROOF)
    with pytest.raises(ProtocolError, match="more than"):
        exchange.respond(SHA1_PROOF)


def test_nothing_follows_the_signature() -> None:
    exchange = waiting("final")
    exchange.respond(SHA1_PROOF)
    with pytest.raises(ProtocolError, match="more than"):
        exchange.respond(SHA1_PROOF)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(("first", "final")), st.binary() | st.text().map(lambda text: text.encode("utf-8", "replace")))
def test_scram_raises_nothing_of_its_own(stage: str, challenge: bytes) -> None:
    try:
        waiting(stage).respond(challenge)
    except ProtocolError:
        return
    assert challenge.startswith(b"e=")


# What can't be sent


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("\N{GRINNING FACE}", "unassigned"),
        ("a\N{ARABIC LETTER ALEF}", "bidi"),
        ("\ue000", "private use"),
        ("\ud800", "surrogate"),
        ("\u2028", "control"),
    ],
)
def test_passwords_that_saslprep_forbids(password: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=f"SCRAM-SHA-256.*{reason}.*SASLprep"):
        begin("SCRAM-SHA-256", Login("tim", password))
    with pytest.raises(ConfigurationError, match="SASLprep"):
        begin("SCRAM-SHA-256", Login(password, "secret"))


def test_user_names_that_saslprep_makes_empty() -> None:
    with pytest.raises(ConfigurationError, match="empty"):
        begin("SCRAM-SHA-256", Login("\N{SOFT HYPHEN}", "secret"))
