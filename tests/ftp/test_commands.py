"""One call encodes exactly one command line, secrets are never shown, and unknown verbs are trusted with nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients.errors import ConfigurationError
from netclients.ftp import commands
from netclients.ftp.commands import command, raw_command
from netclients.wire import arguments
from netclients.wire.pipeline import Pipelining

SECRET = {"PASS", "ACCT"}
TRANSFERS = {"RETR", "LIST", "NLST", "MLSD", "STOR", "STOU", "APPE"}
VERBS = sorted(commands._TRAITS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb(verb: str) -> None:
    made = command(verb, b"a b")
    assert made.encode() == f"{verb} a b\r\n".encode()
    assert command(verb).encode() == f"{verb}\r\n".encode()
    assert str(command(verb)) == verb
    assert made.traits.secret is (verb in SECRET)
    assert str(made) == (f"{verb} ***" if verb in SECRET else f"{verb} a b")
    assert made.traits.transfer is (verb in TRANSFERS)
    # Nothing may stand directly behind what changes the session or moves data.
    if made.traits.transfer or made.traits.marks:
        assert made.pipelining is not Pipelining.FREE


def test_what_may_have_taken_effect() -> None:
    lasting = {verb for verb in VERBS if command(verb).traits.lasting}
    assert lasting == {"STOR", "STOU", "APPE", "RNTO", "DELE", "MKD", "RMD", "MFMT"}


@pytest.mark.parametrize("bad", [b"a\r\nDELE b", b"a\n", b"\r", b"a\0b"])
def test_no_argument_ends_its_command(bad: bytes) -> None:
    for verb in VERBS:
        with pytest.raises(ConfigurationError):
            command(verb, bad)
    for words in ((bad.decode(),), ("ok", bad.decode())):
        with pytest.raises(ConfigurationError):
            raw_command("SITE", *words, encoding="utf-8")


@pytest.mark.parametrize("verb", ["", "A B", "NOOP\r\nDELE", "ÄPFEL", "\x1b", "\0"])
def test_raw_verbs_are_one_word(verb: str) -> None:
    with pytest.raises(ConfigurationError):
        raw_command(verb, encoding="utf-8")


def test_raw_commands_mark_the_session() -> None:
    made = raw_command("xsha1", "a b", "0", encoding="utf-8")
    assert made.encode() == b"XSHA1 a b 0\r\n"
    assert made.traits == commands.Traits(Pipelining.BARRIER, marks=True)
    for verb in VERBS:
        raw, listed = raw_command(verb.lower(), encoding="utf-8"), command(verb)
        assert (raw.verb, raw.pipelining, raw.traits.marks) == (verb, Pipelining.BARRIER, True)
        assert (raw.traits.secret, raw.traits.transfer, raw.traits.lasting) == (
            listed.traits.secret,
            listed.traits.transfer,
            listed.traits.lasting,
        )
    assert "s3cret" not in str(raw_command("pass", "s3cret", encoding="utf-8"))


@given(st.sampled_from(VERBS), st.binary())
def test_encode_and_parse(verb: str, argument: bytes) -> None:
    try:
        line = command(verb, argument).encode()
    except ConfigurationError:
        assert set(argument) & set(b"\r\n\0")
        return
    assert (line.count(b"\r"), line.count(b"\n"), line[-2:]) == (1, 1, b"\r\n")
    parsed_verb, _, parsed_argument = line[:-2].partition(b" ")
    assert (parsed_verb.decode(), parsed_argument) == (verb, argument)


@given(st.text(max_size=30), st.lists(st.text(max_size=20), max_size=3))
def test_any_raw_command_is_one_line(verb: str, words: list[str]) -> None:
    try:
        line = raw_command(verb, *words, encoding="utf-8").encode()
    except ConfigurationError:
        return
    assert (line.count(b"\r"), line.count(b"\n"), line[-2:]) == (1, 1, b"\r\n")
    argument = b" ".join(arguments.text(word) for word in words)
    assert line == verb.upper().encode() + (b" " + argument if argument else b"") + b"\r\n"


def test_undecodable_names_are_shown_somehow() -> None:
    assert str(command("RETR", b"\xff")) == "RETR \N{REPLACEMENT CHARACTER}"
