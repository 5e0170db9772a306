"""Raw messages: sent as they are if they are sound, and what must be known of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netclients.errors import ConfigurationError
from netclients.mail import message_of
from netclients.mail.scanning import Scan
from tests.mail.letters import wire

SOUND = b"From: ada@example.org\r\nTo: bob@example.org\r\nMessage-ID: <a@b>\r\nSubject: x\r\n\r\nbody\r\n"


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview])
def test_bytes_are_sent_as_they_are(make: Any) -> None:
    message = message_of(make(SOUND))
    assert wire(message) == SOUND
    assert message.message_id == "<a@b>"
    assert (message.from_, message.recipients) == ("", ())
    assert (message.needs_8bit, message.needs_smtputf8, message.binary) == (False, False, False)
    assert message.as_7bit() is message
    assert message.as_email_message()["Subject"] == "x"


def test_what_is_given_may_change_afterwards() -> None:
    source = bytearray(SOUND)
    message = message_of(source)
    source[:4] = b"Evil"
    assert wire(message) == SOUND


@pytest.mark.parametrize(
    ("data", "message_id", "needs_8bit", "needs_smtputf8", "binary", "longest"),
    [
        (b"", "", False, False, False, 0),
        (b"\r\n", "", False, False, False, 0),
        (b"x", "", False, False, False, 1),
        (b"\r\nMessage-ID: <in@body>\r\n\r\n", "", False, False, False, 21),
        (b"From: a@b\r\n\r\nMessage-ID: <in@body>", "", False, False, False, 21),
        (b"MESSAGE-id:<a@b>\r\n", "<a@b>", False, False, False, 16),
        (b"Message-ID :\r\n <a@b>\r\n\r\n", "<a@b>", False, False, False, 12),
        (b"Message-ID: none\r\n\r\n", "", False, False, False, 16),
        (b"X: y\r\nMessage-ID: (c) <a@b> (d)\r\n\r\n", "<a@b>", False, False, False, 25),
        (b"X-Message-ID: <a@b>\r\n\r\n", "", False, False, False, 19),
        ("Subject: \u00e9\r\n\r\nx".encode(), "", True, True, False, 11),
        ("Subject: e\r\n\r\n\u00e9".encode(), "", True, False, False, 10),
        (b"From: a@b\r\n\r\n\xff\xfe", "", True, False, False, 9),
        (b"From: a@b\r\n\r\na\0b", "", False, False, True, 9),
        (b"From: a@b\r\n\r\nno line end", "", False, False, False, 11),
        (b"From: a@b\r\n\r\n" + b"x" * 5000 + b"\r\n", "", False, False, False, 5000),
        (b"From: a@b\r\n\r\nThe word bcc: is here\r\nBcc: in the body\r\n", "", False, False, False, 21),
        (b"X-Bcc: a@b\r\nX: bcc: y\r\n bcc: z\r\n\r\n", "", False, False, False, 10),
    ],
)
def test_what_is_known_of_it(
    data: bytes, message_id: str, needs_8bit: bool, needs_smtputf8: bool, binary: bool, longest: int, tmp_path: Path
) -> None:
    (tmp_path / "m.eml").write_bytes(data)
    for source in (data, tmp_path / "m.eml"):
        for normalize in (False, True):
            message = message_of(source, normalize=normalize)
            assert message.message_id == message_id
            assert message.needs_8bit == needs_8bit
            assert message.needs_smtputf8 == needs_smtputf8
            assert message.binary == binary
            assert message.longest_line == longest
            assert b"".join(message.chunks()) == data
            assert message.size == len(data)
            assert (message.as_7bit() is None) == needs_8bit


@pytest.mark.parametrize(
    ("data", "position", "normalized"),
    [
        (b"\n", 0, b"\r\n"),
        (b"\r", 0, b"\r\n"),
        (b"X: y\n\nbody", 4, b"X: y\r\n\r\nbody"),
        (b"X: y\r\n\r\nbody\n", 12, b"X: y\r\n\r\nbody\r\n"),
        (b"X: y\r\n\r\nbo\rdy\r\n", 10, b"X: y\r\n\r\nbo\r\ndy\r\n"),
        (b"X: y\r\n\r\nbody\r", 12, b"X: y\r\n\r\nbody\r\n"),
        (b"X: y\r\n\r\n\r\r\n", 8, b"X: y\r\n\r\n\r\n\r\n"),
        (b"X: y\r\n\r\na\n.\nMAIL FROM:<x>\r\n", 9, b"X: y\r\n\r\na\r\n.\r\nMAIL FROM:<x>\r\n"),
        # As many CRs as LFs, none of which belong together.
        (b"X: y\r\n\r\na\rb\nc", 9, b"X: y\r\n\r\na\r\nb\r\nc"),
        (b"X: y\r\n\r\na\n\rb", 9, b"X: y\r\n\r\na\r\n\r\nb"),
        (b"X: y\r\n\r\n" + b"a" * 262_135 + b"\r" + b"b", 262_143, b"X: y\r\n\r\n" + b"a" * 262_135 + b"\r\n" + b"b"),
    ],
)
def test_bare_line_ends_are_refused_or_normalized(
    data: bytes, position: int, normalized: bytes, tmp_path: Path
) -> None:
    (tmp_path / "m.eml").write_bytes(data)
    for source in (data, tmp_path / "m.eml"):
        with pytest.raises(ConfigurationError, match=rf"bare CR or LF at byte {position}:"):
            message_of(source)
        message = message_of(source, normalize=True)
        assert b"".join(message.chunks()) == normalized
        assert message.size == len(normalized)
        assert not message.binary
        untouched = message_of(source, binary=True)
        assert untouched.binary
        assert b"".join(untouched.chunks()) == data


@pytest.mark.parametrize(
    "header",
    [
        b"Bcc: eve@example.org\r\n",
        b"bcc:\r\n",
        b"BCC : eve@example.org\r\n",
        b"From: a@b\r\nBcc: eve@example.org\r\n",
        b"From: a@b\r\nResent-Bcc: eve@example.org\r\n",
        b"Bcc\t:x",
    ],
)
@pytest.mark.parametrize("end", [b"\r\n", b"\r\nbody\r\n", b""])
def test_a_bcc_in_a_raw_message_is_an_error(header: bytes, end: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.eml").write_bytes(header + end)
    for source in (header + end, tmp_path / "m.eml"):
        with pytest.raises(ConfigurationError, match="Bcc in a raw message"):
            message_of(source)
    for normalize, binary in ((True, False), (False, True)):
        with pytest.raises(ConfigurationError, match="Bcc in a raw message"):
            message_of((header + end).replace(b"\r\n", b"\n"), normalize=normalize, binary=binary)


@pytest.mark.parametrize("source", ["From: a@b\r\n\r\n", None, 7, ["x"], object()])
def test_what_is_no_message(source: Any) -> None:
    with pytest.raises(ConfigurationError, match="no message"):
        message_of(source)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"a", b"\xe9", b"\0", b"bcc:", b"x" * 90]), max_size=20), st.data()
)
def test_portions_make_no_difference(pieces: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(pieces)
    one = Scan()
    one.feed(whole)
    one.finish()
    many = Scan()
    rest = whole
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        many.feed(rest[:size])
        rest = rest[size:]
    many.finish()
    for name in Scan.__slots__:
        if not name.startswith("_"):
            assert getattr(one, name) == getattr(many, name)
    assert one.size == len(whole)
    assert one.longest == max(map(len, whole.split(b"\r\n")))
    stripped = whole.replace(b"\r\n", b"  ")
    bare = [at for at in (stripped.find(b"\r"), stripped.find(b"\n")) if at >= 0]
    assert one.bare == (min(bare) if bare else None)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_normalized_means_canonical(data: bytes) -> None:
    try:
        message = message_of(b"X: y\r\n\r\n" + data, normalize=True)
    except ConfigurationError:
        return
    assert wire(message).endswith(data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n"))
