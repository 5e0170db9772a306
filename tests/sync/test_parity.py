"""Nothing of the asynchronous classes is missing in the blocking ones, and nothing has another signature."""

from __future__ import annotations

import inspect

import pytest

import netclients.ftp.client
import netclients.ftp.connection
import netclients.ftp.data
import netclients.ftp.remote_file
import netclients.imap.connection
import netclients.imap.mailbox
import netclients.reader
import netclients.smtp.client
import netclients.smtp.connection
import netclients.streams
import netclients.sync as blocking
from netclients.conversation import Conversation
from netclients.ftp.control import ControlConnection
from netclients.imap.connection.dialogue import Dialogue as IMAPDialogue

# What other modules of netclients use of a connection and a transfer, and what makes no sense without an event
# loop, is left out: of the connection's base classes all but OFFERED, and "identify".
OFFERED = {"abort", "clean", "close", "expect", "marked", "number", "probe", "reply_to"}
ENGINE = {"identify"} | {name for name in dir(ControlConnection) if not name.startswith("_")} - OFFERED
MAIL_ENGINE = {"error", "stream_content"} | {
    name for name in dir(Conversation) if not name.startswith("_")
} - OFFERED - {"secured"}
IMAP_ENGINE = (
    {name for name in dir(IMAPDialogue) if not name.startswith("_")}
    - OFFERED
    - {"capabilities", "has", "next_untagged", "require", "secured", "selected"}
) | {"uid_fetch_encoded", "wait_for_leave"}
MAILBOX_ENGINE = {"read_limit", "run"}
# Attributes that are set in __init__, so that the class does not show them.
ATTRIBUTES = {
    "FTPConnection": {"features", "kind", "welcome", "private_data", "number", "marked"},
    "IMAPConnection": {"welcome", "number", "marked"},
    "Mailbox": {"name", "readonly"},
    "SMTPConnection": {"extensions", "welcome", "authenticated", "mails", "number", "marked"},
}
TRANSFER = {"abort", "check", "closed_cleanly", "connection", "finish", "receive_into", "received", "send", "sent"}
TRANSFER_ENGINE = {name for name in dir(netclients.ftp.data.Transfer) if not name.startswith("_")} - TRANSFER
RENAMED = {"aclose": "close"}
# Blocking names for which there is no asynchronous one.
MORE = {"RemoteFile": {"closed", "flush", "readable", "seekable", "writable"}}
PAIRS = [
    pytest.param(netclients.ftp.client.FTPClient, blocking.FTPClient, set(), id="FTPClient"),
    pytest.param(netclients.ftp.connection.FTPConnection, blocking.FTPConnection, ENGINE, id="FTPConnection"),
    pytest.param(netclients.smtp.client.MailSender, blocking.MailSender, set(), id="MailSender"),
    pytest.param(netclients.smtp.connection.SMTPConnection, blocking.SMTPConnection, MAIL_ENGINE, id="SMTPConnection"),
    pytest.param(netclients.reader.MailReader, blocking.MailReader, set(), id="MailReader"),
    pytest.param(netclients.imap.mailbox.Mailbox, blocking.Mailbox, MAILBOX_ENGINE, id="Mailbox"),
    pytest.param(netclients.imap.connection.IMAPConnection, blocking.IMAPConnection, IMAP_ENGINE, id="IMAPConnection"),
    pytest.param(netclients.ftp.remote_file.RemoteFile, blocking.RemoteFile, set(), id="RemoteFile"),
    pytest.param(netclients.streams.Stream, blocking.Stream, set(), id="Stream"),
    pytest.param(netclients.ftp.data.Transfer, blocking.Transfer, TRANSFER_ENGINE, id="Transfer"),
]


def public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


@pytest.mark.parametrize(("twin", "cls", "left_out"), PAIRS)
def test_no_name_is_missing_and_none_is_made_up(twin: type, cls: type, left_out: set[str]) -> None:
    wanted = {RENAMED.get(name, name) for name in public(twin) - left_out}
    offered = public(cls) - MORE.get(cls.__name__, set())
    assert offered == wanted | ATTRIBUTES.get(cls.__name__, set())


@pytest.mark.parametrize(("twin", "cls", "left_out"), PAIRS)
def test_parameters_are_the_same(twin: type, cls: type, left_out: set[str]) -> None:
    compared = 0
    for name in sorted(public(twin) - left_out):
        original = inspect.getattr_static(twin, name)
        copy = inspect.getattr_static(cls, RENAMED.get(name, name))
        if not inspect.isfunction(original):
            assert isinstance(copy, property), name
            continue
        assert parameters(copy) == parameters(original), name
        compared += 1
    assert compared


def test_constructors_take_the_same() -> None:
    assert parameters(blocking.FTPClient.__init__) == parameters(netclients.ftp.client.FTPClient.__init__)
    assert parameters(blocking.MailReader.__init__) == parameters(netclients.reader.MailReader.__init__)
    assert parameters(blocking.MailSender.__init__) == parameters(netclients.smtp.client.MailSender.__init__)


def parameters(function: object) -> list[tuple[object, ...]]:
    assert callable(function)
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize(("twin", "cls", "left_out"), PAIRS)
def test_protocols_for_loops_and_blocks_are_the_same(twin: type, cls: type, left_out: set[str]) -> None:
    for asynchronous, name in (
        ("__aiter__", "__iter__"),
        ("__anext__", "__next__"),
        ("__aenter__", "__enter__"),
        ("__aexit__", "__exit__"),
    ):
        assert hasattr(cls, name) == hasattr(twin, asynchronous), name


@pytest.mark.parametrize(("twin", "cls", "left_out"), PAIRS)
def test_docstrings_are_there_and_speak_of_blocking_code(twin: type, cls: type, left_out: set[str]) -> None:
    for name in public(cls):
        text = inspect.getdoc(inspect.getattr_static(cls, name))
        assert text, name
        for word in ("async ", "await", "aclose"):
            assert word not in text, name


def test_docstrings_are_those_of_the_twin() -> None:
    assert blocking.FTPClient.stat.__doc__ == inspect.getdoc(netclients.ftp.client.FTPClient.stat)
    assert blocking.FTPClient.__doc__ is not None
    assert "ssl_context: TLS settings" in blocking.FTPClient.__doc__


def test_every_name_of_the_package_is_there() -> None:
    for name in blocking.__all__:
        assert inspect.isclass(getattr(blocking, name))
        assert name in dir(blocking)
    with pytest.raises(AttributeError):
        _ = blocking.Nonsense  # type: ignore[attr-defined]


def test_results_are_those_of_what_is_pending() -> None:
    twin, cls = netclients.imap.connection.IMAPConnection, blocking.IMAPConnection
    pending = 0
    for name in sorted(public(twin) - IMAP_ENGINE):
        promised = inspect.getattr_static(twin, name)
        result = getattr(promised, "__annotations__", {}).get("return", "")
        if result.startswith("Pending["):
            pending += 1
            assert not inspect.getattr_static(cls, name).__annotations__["return"].startswith("Pending"), name
    assert pending > 30
