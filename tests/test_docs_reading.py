"""The examples about reading mail run, and their pages name only what exists."""

from __future__ import annotations

import datetime as dt
import imaplib
import re
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import aioimaplib
import imapclient
import pytest

from netclients import IMAPConnection, Mailbox, MailReader, OAuth
from netclients.testing import IMAPServer
from tests.test_docs_examples import DOCS, PAGES, load, public_methods
from tests.test_docs_mail import token_endpoint

__all__ = ["token_endpoint"]

BIG = bytes(range(256)) * 4000


def letter(subject: str, *, from_: str = "boss@example.org", attachment: bytes = b"") -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = from_, "me@example.org", subject
    message.set_content("Hello\n")
    if attachment:
        message.add_attachment(attachment, maintype="application", subtype="pdf", filename="../report.pdf")
    return message.as_bytes().replace(b"\n", b"\r\n")


@pytest.fixture
def server() -> Iterator[IMAPServer]:
    with IMAPServer() as server:
        yield server
        assert server.violations == []


def plain(server: IMAPServer) -> str:
    return f"{server.url}?tls=none"


# Examples


@pytest.mark.asyncio
async def test_read_mail(server: IMAPServer) -> None:
    server.add("me", "INBOX", letter("Hello"))
    server.add("me", "INBOX", letter("Urgent: lunch", from_="carl@example.org"))
    server.add("me", "INBOX", letter("Lunch", from_="carl@example.org"))
    server.add("me", "INBOX", letter("Seen"), flags=["\\Seen"])
    assert await load("read_mail").main(plain(server)) == ["Hello", "Urgent: lunch"]
    assert ["\\Seen" in message.flags for message in server.messages("me")] == [True, True, False, True]
    assert await load("read_mail").main(plain(server)) == []


@pytest.mark.asyncio
async def test_read_parts(server: IMAPServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server.add("me", "INBOX", letter("report", attachment=BIG))
    server.add("me", "INBOX", letter("small"))
    await load("read_parts").main(plain(server), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.pdf"]
    assert (tmp_path / "report.pdf").read_bytes() == BIG
    assert "2 application/pdf ../report.pdf" in capsys.readouterr().out


@pytest.mark.asyncio
@pytest.mark.parametrize("without", [(), ("MOVE",), ("MOVE", "UIDPLUS")])
async def test_tidy_mailbox(server: IMAPServer, without: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    server.set_without(without)
    server.create_mailbox("me", "Old", special_use="\\Archive")
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    server.add("me", "INBOX", letter("old"), date=long_ago)
    server.add("me", "INBOX", letter("lottery"))
    server.add("me", "INBOX", letter("somebody else deletes this"), flags=["\\Deleted"])
    await load("tidy_mailbox").main(plain(server))
    assert len(server.messages("me", "Old")) == 1
    assert "EXPUNGE" not in server.stats.commands
    left = [message.uid for message in server.messages("me")]
    assert left == ([1, 2, 3] if "UIDPLUS" in without else [3])
    assert ("can't expunge" in capsys.readouterr().out) == ("UIDPLUS" in without)


@pytest.mark.asyncio
async def test_imap_commands(server: IMAPServer) -> None:
    for flags in (["\\Seen"], [], ["\\Flagged", "\\Seen"]):
        server.add("me", "INBOX", letter("x"), flags=flags)
    found = await load("imap_commands").main(plain(server), [1, 2, 3])
    for flags in found.values():
        flags.remove("\\Recent")  # nobody has seen them before
    assert found == {"1": ["\\Seen"], "2": [], "3": ["\\Flagged", "\\Seen"]}


def test_reading_blocking(server: IMAPServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.add("me", "INBOX", letter("Hello"))
    load("reading_blocking").main(plain(server))
    assert capsys.readouterr().out == "1 boss@example.org Hello\n"


@pytest.mark.asyncio
async def test_api_imap(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with IMAPServer(quota=10_000_000) as server:
        await load("api_imap").main(plain(server), tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["figures.csv"]
        assert server.mailbox_names("me") == ["INBOX"]
        assert server.violations == []
    assert "b'a,b\\n'" in capsys.readouterr().out


@pytest.mark.asyncio
async def test_aioimaplib_adapter(server: IMAPServer) -> None:
    for _ in range(3):
        server.add("me", "INBOX", letter("x"))
    assert await load("aioimaplib_adapter").main(plain(server)) == 3


@pytest.mark.asyncio
async def test_tokens(token_endpoint: object) -> None:
    token = load("tokens").AccessToken(
        f"http://127.0.0.1:{token_endpoint.server_port}",  # type: ignore[attr-defined]
        refresh_token="long-lived",
    )
    with IMAPServer(tls="starttls", tokens={"ada": "token-1"}) as server:
        auth = OAuth("ada", token=token)
        async with MailReader(server.url, auth=auth, ssl_context=server.client_context()) as reader:
            async with reader.mailbox() as box:
                assert box.exists == 0
            token.forget()


# Pages


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_pages_name_what_exists(page: Path) -> None:
    owners = {"MailReader": MailReader, "Mailbox": Mailbox, "IMAPConnection": IMAPConnection}
    attributes = {"welcome", "protocol", "settings", "name", "readonly"}
    for owner, name in re.findall(r"`(MailReader|Mailbox|IMAPConnection)\.(\w+)", page.read_text()):
        assert hasattr(owners[owner], name) or name in attributes, f"{owner}.{name}"


@pytest.mark.parametrize(
    ("page", "owners"),
    [
        ("from-imaplib.md", (imaplib.IMAP4, imaplib.IMAP4_SSL, imaplib.IMAP4_stream)),
        ("from-imapclient.md", (imapclient.IMAPClient,)),
        ("from-aioimaplib.md", (aioimaplib.IMAP4, aioimaplib.IMAP4_SSL)),
    ],
)
def test_every_method_is_in_its_table(page: str, owners: tuple[type, ...]) -> None:
    text = (DOCS / "howto" / page).read_text()
    missing = [name for name in public_methods(*owners) if not re.search(rf"`{name}\b", text)]
    assert missing == []


@pytest.mark.parametrize(
    ("page", "library"), [("from-imapclient.md", imapclient.exceptions), ("from-aioimaplib.md", aioimaplib)]
)
def test_every_error_is_in_its_table(page: str, library: object) -> None:
    text = (DOCS / "howto" / page).read_text()
    errors = [name for name, value in vars(library).items() if isinstance(value, type) and issubclass(value, Exception)]
    assert [name for name in errors if not re.search(rf"`{name}\b", text)] == []
