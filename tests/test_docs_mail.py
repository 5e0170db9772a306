"""The examples about mail run, and their pages name only what exists."""

from __future__ import annotations

import csv
import json
import re
import smtplib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import aiosmtplib
import pytest

from netclients import MailSender, RetryPolicy, SMTPConnection
from netclients.testing import SMTPServer
from netclients.testing.smtp_faults import Greylist, Hangup
from tests.test_docs_examples import DOCS, PAGES, load, public_methods

NOBODY = {"nobody@example.org": "550 5.1.1 No such user."}


@pytest.fixture
def server() -> Iterator[SMTPServer]:
    with SMTPServer(refuse=NOBODY) as server:
        yield server
        assert server.violations == []


def recipients(server: SMTPServer) -> list[str]:
    return sorted(address for message in server.messages for address in message.recipients)


# Examples


@pytest.mark.asyncio
async def test_first_mail(server: SMTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    await load("first_mail").main(server.url)
    assert recipients(server) == ["bob@example.org"]
    assert capsys.readouterr().out == "('bob@example.org',) {}\n"


def test_mail_blocking(server: SMTPServer) -> None:
    load("mail_blocking").main(server.url)
    assert recipients(server) == ["bob@example.org", "carl@example.org"]


@pytest.mark.asyncio
async def test_api_smtp(server: SMTPServer, capsys: pytest.CaptureFixture[str]) -> None:
    await load("api_smtp").main(server.url)
    assert recipients(server) == ["bob@example.org"] * 6 + ["carl@example.org"] * 2
    assert "nobody@example.org 550 5.1.1" in capsys.readouterr().out


@pytest.mark.asyncio
async def test_bulk_mail(tmp_path: Path) -> None:
    addresses = [*(f"reader{number}@example.org" for number in range(50)), *NOBODY, "grey@example.org"]
    faults = [Greylist(recipients="grey@*"), Hangup("CONTENT", executed=True, skip=5, times=1)]
    with SMTPServer(refuse=NOBODY, faults=faults) as server:
        retry = RetryPolicy(attempts=3, initial=0.01, maximum=0.01)
        await load("bulk_mail").main(server.url, addresses, tmp_path / "results.csv", retry)
        # No message went out twice.
        assert recipients(server) == sorted(set(addresses) - set(NOBODY))
    with (tmp_path / "results.csv").open(newline="") as file:
        rows = {address: state for address, state, *_ in csv.reader(file)}
    assert rows.keys() == set(addresses)
    assert rows["nobody@example.org"] == "refused"
    assert rows["grey@example.org"] in {"accepted", "unknown"}
    assert sorted(rows.values()).count("accepted") == 50
    assert sorted(rows.values()).count("unknown") == 1


class TokenEndpoint(BaseHTTPRequestHandler):
    """Gives out token-1, token-2 and so on."""

    def do_POST(self) -> None:
        request = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        assert request == {"grant_type": ["refresh_token"], "refresh_token": ["long-lived"]}
        self.server.given += 1  # type: ignore[attr-defined]
        answer = {"access_token": f"token-{self.server.given}", "expires_in": 3600}  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def token_endpoint() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), TokenEndpoint) as server:
        server.given = 0  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.asyncio
@pytest.mark.parametrize("accepted", ["token-1", "token-2"])
async def test_tokens(token_endpoint: HTTPServer, accepted: str, monkeypatch: pytest.MonkeyPatch) -> None:
    example = load("tokens")
    user = "ada@example.org"
    token = example.AccessToken(f"http://127.0.0.1:{token_endpoint.server_port}", refresh_token="long-lived")
    with SMTPServer(tls="starttls", tokens={user: accepted}, require_auth=True) as server:
        monkeypatch.setenv("SSL_CERT_FILE", server.ca_file)
        await example.main(server.url, user, token)
        await example.main(server.url, user, token)
        assert recipients(server) == ["bob@example.org"] * 2
    assert token_endpoint.given == int(accepted[-1])  # type: ignore[attr-defined]


@pytest.mark.asyncio
async def test_aiosmtplib_adapter(server: SMTPServer) -> None:
    await load("aiosmtplib_adapter").main(server.url)
    assert recipients(server) == ["bob@example.org", "carl@example.org"]


# Pages


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_pages_name_what_exists(page: Path) -> None:
    owners = {"MailSender": MailSender, "SMTPConnection": SMTPConnection}
    for owner, name in re.findall(r"`(MailSender|SMTPConnection)\.(\w+)", page.read_text()):
        assert hasattr(owners[owner], name) or name in {"extensions", "welcome"}, f"{owner}.{name}"


@pytest.mark.parametrize(
    ("page", "owners"),
    [
        ("from-smtplib.md", (smtplib.SMTP, smtplib.SMTP_SSL, smtplib.LMTP)),
        ("from-aiosmtplib.md", (aiosmtplib.SMTP,)),
    ],
)
def test_every_method_is_in_its_table(page: str, owners: tuple[type, ...]) -> None:
    text = (DOCS / "howto" / page).read_text()
    missing = [name for name in public_methods(*owners) if not re.search(rf"`{name}\b", text)]
    assert missing == []


@pytest.mark.parametrize(("page", "library"), [("from-smtplib.md", smtplib), ("from-aiosmtplib.md", aiosmtplib)])
def test_every_error_is_in_its_table(page: str, library: object) -> None:
    text = (DOCS / "howto" / page).read_text()
    errors = [name for name, value in vars(library).items() if isinstance(value, type) and issubclass(value, Exception)]
    assert [name for name in errors if not re.search(rf"`{name}\b", text)] == []
