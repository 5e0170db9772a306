"""The error tree: shapes, families, pickling, and what is shown of a server's text."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netclients import Receipt, Reply, errors
from netclients.errors import (
    LocalFileError,
    NetClientError,
    OutcomeUnknown,
    PhaseTimeout,
    ReplyError,
    TruncatedTransfer,
)

FIELDS = ["phase", "seconds", "expected", "received", "command", "code", "text", "enhanced", "errno", "filename"]
EXAMPLES: dict[str, tuple[object, ...]] = {
    "PhaseTimeout": ("reply", 60.0, "f"),
    "PoolTimeout": ("pool", None),
    "ReplyError": ("RETR x", 550, "no"),
    "OutcomeUnknown": ("DELE x", "lost"),
}
REPLIES = {name for name in errors.__all__ if issubclass(getattr(errors, name), ReplyError)}
KEYWORDS: dict[str, dict[str, object]] = {
    "LocalFileError": {"errno": 28, "filename": "/x"},
    "TruncatedTransfer": {"expected": 10, "received": 7},
    **{name: {"enhanced": "5.7.8"} for name in REPLIES},
}


def example(name: str) -> NetClientError:
    if name == "UIDValidityChanged":
        return errors.UIDValidityChanged("INBOX", 1, 2)
    if name == "RecipientsRefused":
        return errors.RecipientsRefused(Receipt("<1@x>", refused={"b@x": Reply(550, ("5.1.1 no",))}))
    args = EXAMPLES["ReplyError"] if name in REPLIES else EXAMPLES.get(name, ("what went wrong",))
    error = getattr(errors, name)(*args, **KEYWORDS.get(name, {}))
    assert isinstance(error, NetClientError)
    return error


def test_all_is_everything() -> None:
    found = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}
    assert found == set(errors.__all__)
    for name in errors.__all__:
        assert name in (errors.__doc__ or "")


@pytest.mark.parametrize("name", errors.__all__)
@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_copies_are_whole(name: str, clone: object) -> None:
    error = example(name)
    error.add_note("a note")
    again = clone(error)  # type: ignore[operator]
    assert type(again) is type(error)
    assert (again.args, str(again), vars(again)) == (error.args, str(error), vars(error))
    assert repr(again) == repr(error)
    for field in (
        "phase",
        "seconds",
        "expected",
        "received",
        "command",
        "code",
        "text",
        "enhanced",
        "errno",
        "filename",
    ):
        assert getattr(again, field, "none") == getattr(error, field, "none")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_pickle_protocol(protocol: int) -> None:
    for name in errors.__all__:
        assert str(pickle.loads(pickle.dumps(example(name), protocol))) == str(example(name))


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("ConfigurationError", ValueError),
        ("LocalFileError", OSError),
        ("TransportError", ConnectionError),
        ("ConnectError", ConnectionError),
        ("TLSError", ConnectionError),
        ("ConnectionLost", ConnectionError),
        ("PhaseTimeout", TimeoutError),
        ("PoolTimeout", TimeoutError),
        ("RemoteFileNotFound", FileNotFoundError),
        ("RemotePermissionDenied", PermissionError),
        ("RemoteIsADirectory", IsADirectoryError),
    ],
)
def test_families(name: str, family: type[Exception]) -> None:
    assert isinstance(example(name), family)


def test_the_tree() -> None:
    tree = {
        "TransportError": "NetClientError",
        "ConnectError": "TransportError",
        "PoolTimeout": "PhaseTimeout",
        "TooManyConnections": "TransientReplyError",
        "TransientReplyError": "ReplyError",
        "PermanentReplyError": "ReplyError",
        "RecipientsRefused": "ReplyError",
        "AuthenticationError": "PermanentReplyError",
        "RemoteFileNotFound": "PermanentReplyError",
        "RemoteIsADirectory": "PermanentReplyError",
    }
    for child, parent in tree.items():
        assert issubclass(getattr(errors, child), getattr(errors, parent))
    assert not issubclass(errors.ProtocolError, errors.TransportError)
    assert not issubclass(errors.PermanentReplyError, OSError)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (NetClientError(), "NetClientError"),
        (NetClientError("x"), "x"),
        (PhaseTimeout("reply", 60), "reply timeout after 60 s"),
        (PhaseTimeout("connect", 0.5, "h:21"), "connect timeout after 0.5 s: h:21"),
        (PhaseTimeout("pool", None, "full"), "pool timeout: full"),
        (ReplyError("RETR a\x1b", 550, "no\r\nsuch\x1b[2J"), r"RETR a\x1b: 550 no\r\nsuch\x1b[2J"),
        (OutcomeUnknown("DELE a"), "DELE a: outcome unknown"),
        (OutcomeUnknown("DELE a\n", "lost"), r"DELE a\n: outcome unknown: lost"),
        (errors.RemoteFileNotFound("RETR x", 550, "no"), "RETR x: 550 no"),
        (LocalFileError("disk full", errno=28, filename="f"), "disk full"),
        (TruncatedTransfer("short", expected=2, received=1), "short"),
    ],
)
def test_what_is_shown(error: NetClientError, text: str) -> None:
    assert str(error) == text


def test_fields() -> None:
    error = errors.AuthenticationError("PASS ***", 530, "no", enhanced="5.7.8")
    assert (error.command, error.code, error.text, error.enhanced) == ("PASS ***", 530, "no", "5.7.8")
    assert ReplyError("X", 500, "").enhanced is None
    local = LocalFileError("x")
    assert (local.errno, local.filename) == (None, None)
    assert (TruncatedTransfer("x").expected, TruncatedTransfer("x").received) == (None, None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [("", ""), ("plain ä 日本", "plain ä 日本"), ("a\x1bb", r"a\x1bb"), ("\udcff", r"\udcff"), ("\u202e", r"\u202e")],
)
def test_printable(text: str, shown: str) -> None:
    assert errors.printable(text) == shown


@given(st.text())
def test_printable_is_printable(text: str) -> None:
    assert errors.printable(text).isprintable()
    errors.printable(text).encode()


def test_printable_is_bounded() -> None:
    assert len(errors.printable("x" * 10**6)) == 1001
    assert len(errors.printable("\x1b" * 10**6)) <= 4001
