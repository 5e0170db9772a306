"""The public names: there, lazy, listed, documented; and errors that survive a trip to another process."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import netclients
from netclients import errors

REPOSITORY = Path(__file__).parents[1]

# fmt: off
DOCUMENTED = [
    "FTPClient", "FTPConnection", "PoolLimits", "RetryPolicy", "Timeouts", "Login", "Endpoint", "TLSMode",
    "Bounds", "Events", "Stream", "Entry", "Download", "Upload", "Item", "Progress", "PoolStats",
    "EntryKind", "Features", "Reply", "TransferType",
    "NetClientError", "ConfigurationError", "UnsupportedError", "TransportError", "ConnectError",
    "TLSError", "ConnectionLost", "PhaseTimeout", "PoolTimeout", "ProtocolError", "TruncatedTransfer",
    "ReplyError", "TransientReplyError", "PermanentReplyError", "AuthenticationError",
    "RemoteFileNotFound", "RemotePermissionDenied", "OutcomeUnknown",
    "MailSender", "SMTPConnection", "Receipt", "Outgoing", "DSN", "Extensions", "OAuth", "External",
    "Message", "compose", "DKIM", "RecipientsRefused", "NotFetched", "UIDValidityChanged",
]
# fmt: on


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documented_names(name: str) -> None:
    assert name in netclients.__all__
    assert name in dir(netclients)
    value = getattr(netclients, name)
    assert inspect.getdoc(value)
    assert value is getattr(netclients, name)


def test_all_names_are_there() -> None:
    assert len(netclients.__all__) == len(set(netclients.__all__))
    for name in netclients.__all__:
        assert getattr(netclients, name) is not None
    assert set(netclients.__all__) <= set(dir(netclients))


def test_every_error_is_public() -> None:
    for name in errors.__all__:
        assert getattr(netclients, name) is getattr(errors, name)


def test_names_for_type_checkers_are_those_at_run_time() -> None:
    source = inspect.getsource(netclients)
    typed = {line.split(" as ")[1].strip() for line in source.splitlines() if " as " in line and "import" in line}
    assert typed == set(netclients.__all__) - {"__version__"}


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        netclients.nonsense  # noqa: B018
    with pytest.raises(ImportError):
        exec("from netclients import nonsense")


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_names_are_lazy() -> None:
    code = """
import sys, netclients
assert "FTPClient" in dir(netclients) and "FTPClient" not in vars(netclients)
loaded = {name for name in sys.modules if name.split(".")[0] in ("netclients", "anyio", "asyncio", "ssl", "tenacity")}
assert loaded == {"netclients"}, loaded
from netclients import NetClientError
loaded = {name for name in sys.modules if name.startswith(("netclients.", "anyio", "asyncio"))}
assert loaded == {"netclients.errors"}, loaded
"""
    python(code)


def test_a_client_loads_no_other_protocol() -> None:
    code = """
import sys
from netclients import FTPClient
FTPClient("ftp://h")
names = {name.split(".")[1] for name in sys.modules if name.startswith("netclients.")}
for other in ("smtp", "imap", "pop3", "nntp", "mail", "sync", "cli", "testing", "interop", "fsspec", "otel"):
    assert other not in names, other
for extra in ("aioftp", "typer", "rich", "trustme", "python_socks", "fsspec", "opentelemetry", "trio", "uvloop"):
    assert extra not in sys.modules, extra
"""
    python(code)


# Errors


def samples() -> dict[type[errors.NetClientError], errors.NetClientError]:
    made: dict[type[errors.NetClientError], errors.NetClientError] = {}
    for name in errors.__all__:
        kind: Any = getattr(errors, name)
        if kind is errors.RecipientsRefused:
            refused = {"b@x": netclients.Reply(550, ("5.1.1 No\nsuch",))}
            made[kind] = kind(netclients.Receipt("<1@x>", refused=refused))
        elif kind is errors.UIDValidityChanged:
            made[kind] = kind("INBOX", 1, 2)
        elif issubclass(kind, errors.ReplyError):
            made[kind] = kind("RETR f\udce9", 550, "No\nsuch", enhanced="5.1.1")
        elif issubclass(kind, errors.PhaseTimeout):
            made[kind] = kind("reply", 1.5, "what")
        elif kind is errors.LocalFileError:
            made[kind] = kind("can't write", errno=28, filename="/x/y")
        elif kind is errors.TruncatedTransfer:
            made[kind] = kind("short", expected=10, received=5)
        elif kind is errors.OutcomeUnknown:
            made[kind] = kind("RNTO b", "lost")
        else:
            made[kind] = kind("message")
    return made


@pytest.mark.parametrize("kind", samples(), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_errors_can_be_pickled(kind: type[errors.NetClientError], protocol: int) -> None:
    error = samples()[kind]
    error.add_note("a note")
    for again in (pickle.loads(pickle.dumps(error, protocol)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is kind
        assert (str(again), again.args) == (str(error), error.args)
        assert again.__dict__ == error.__dict__
        for name in ("errno", "filename", "code", "text", "command", "enhanced", "phase", "seconds", "expected"):
            assert getattr(again, name, None) == getattr(error, name, None)


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        (errors.ConfigurationError, ValueError),
        (errors.LocalFileError, OSError),
        (errors.TransportError, ConnectionError),
        (errors.ConnectError, errors.TransportError),
        (errors.TLSError, errors.TransportError),
        (errors.ConnectionLost, errors.TransportError),
        (errors.PhaseTimeout, TimeoutError),
        (errors.PoolTimeout, errors.PhaseTimeout),
        (errors.TooManyConnections, errors.TransientReplyError),
        (errors.AuthenticationError, errors.PermanentReplyError),
        (errors.RemoteFileNotFound, FileNotFoundError),
        (errors.RemotePermissionDenied, PermissionError),
        (errors.RemoteIsADirectory, IsADirectoryError),
    ],
    ids=lambda kind: kind.__name__,
)
def test_the_tree(kind: type[Exception], base: type[Exception]) -> None:
    assert issubclass(kind, base)
    assert issubclass(kind, errors.NetClientError)
    assert f"{kind.__name__}" in (errors.__doc__ or "")


def test_every_public_method_is_documented() -> None:
    missing = []
    for name in netclients.__all__:
        value = getattr(netclients, name)
        if not inspect.isclass(value):
            continue
        for attribute, member in vars(value).items():
            public = not attribute.startswith("_")
            if public and callable(member) and not inspect.getdoc(getattr(value, attribute)):
                missing.append(f"{name}.{attribute}")
    assert missing == []


def test_the_version() -> None:
    found = importlib.import_module("importlib.metadata").version("netclients")
    assert netclients.__version__ == found
